"""`eniwall state` from its words to its result."""

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from firewall.engine import Firewall
from firewall.labels import Labels, encodable
from firewall.life import Follower
from firewall.progress import watched
from firewall.run.inputs import Inputs
from firewall.run.side import Side
from firewall.state import State, upto
from pcaps.capture import open_capture
from pcaps.stream import STANDARD_INPUT

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch
    from pcaps.capture import Capture


def run_state(inputs: Inputs, at: int | None, flow: str | None, version: str) -> State:
    """The table right after frame `at` of the last capture (its end for None), or the life of one flow until then."""
    firewall = inputs.firewall()
    with inputs.capture(firewall) as capture:
        labels = Labels.of(firewall, capture.names)
        follower = None if flow is None else Follower(inputs.firewall(), labels, flow, capture)
        count = partial(_packets_of_last, inputs, capture)
        side = Side(capture, upto(capture.batches(), len(capture.names) - 1, at, count))
        last: PacketBatch | None = None
        with closing(watched(firewall.replay(side), capture)) as replayed:
            for judged in replayed:
                last = judged.packets
                if follower is not None:
                    follower.add(judged)
    connections = firewall.table()
    return State(
        version=version,
        captures=labels.captures,
        profile=firewall.profile,
        settings=dict(firewall.settings),
        capture=None if last is None else labels.captures[int(last.capture[-1])],
        packet=None if last is None else int(last.frame[-1]),
        time=None if last is None else int(last.time[-1]),
        connections=tuple(each for each in connections if each.tracked),
        untracked=sum(not each.tracked for each in connections),
        life=None if follower is None else follower.life(),
        warnings=_warnings(firewall, capture),
    )


def _packets_of_last(inputs: Inputs, capture: "Capture") -> int:
    """How many packets the last capture has, now that all are read; standard input cannot be read again."""
    if len(capture.names) == 1:
        return capture.packets
    if inputs.captures[-1] == STANDARD_INPUT:
        return 0
    with open_capture(capture.names[-1]) as alone:
        return sum(packets.rows for packets in alone.batches())


def _warnings(firewall: Firewall, capture: "Capture") -> tuple[str, ...]:
    """What the rules, the replay and the capture warn of, each once."""
    told = [*map(str, (*firewall.rule_set.warnings, *firewall.warnings)), *capture.warnings]
    return tuple(encodable(warning) for warning in dict.fromkeys(told))
