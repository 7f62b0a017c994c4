"""`eniwall explain` from its words to its result."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.explain.denials import Denials
from firewall.explain.explainer import Explainer
from firewall.explain.phases import Explanation
from firewall.explain.replays import with_replays
from firewall.explain.result import Explained
from firewall.explain.stops import Target
from firewall.labels import Labels
from firewall.progress import watched
from firewall.run.inputs import Inputs
from firewall.run.state import run_state
from firewall.state import upto
from pcaps.batch import PacketBatch
from pcaps.capture import Capture, crafted_capture
from pcaps.craft import GAP
from pcaps.stream import STANDARD_INPUT

ONE_OF = "explain what? One of --packet N, --flow F and --denied, or packets by --craft; --first goes with --denied"


@dataclass(frozen=True)
class Asked:
    """The words of explain alone; see its help."""

    packet: int | None = None
    flow: str | None = None
    denied: bool = False
    first: int = 5
    after: str | None = None
    quick: bool = False


class After:
    """Packets of a capture up to a frame, then crafted ones: the table that they find. See pcaps.capture.Capture.

    The crafted packets are a capture of their own, the last; its times count from the last packet before them.
    """

    def __init__(self, before: Capture, frame: int | None, crafted: Capture) -> None:
        self._before = before
        self._frame = frame
        self._crafted = crafted
        self.names = (*before.names, *crafted.names)
        self.warnings = before.warnings
        self.bytes_total = before.bytes_total

    @property
    def packets(self) -> int:
        """See Capture."""
        return self._before.packets + self._crafted.packets

    @property
    def filtered_out(self) -> int:
        """See Capture."""
        return self._before.filtered_out + self._crafted.filtered_out

    @property
    def bytes_read(self) -> int:
        """See Capture."""
        return self._before.bytes_read

    @property
    def interface_names(self) -> Sequence[Mapping[int, str]]:
        """What the captures know of them by now."""
        return (*getattr(self._before, "interface_names", ({},)), {})

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture."""
        latest = 0
        number = len(self._before.names) - 1
        for packets in upto(self._before.batches(), number, self._frame, lambda: self._before.packets):
            latest = max(latest, int(packets.time.max(initial=0)))
            yield packets
        for packets in self._crafted.batches():
            packets.time[:] += latest + GAP
            packets.capture[:] = number + 1
            yield packets

    def close(self) -> None:
        """Let go of the files."""
        self._before.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_explain(inputs: Inputs, asked: Asked, version: str) -> Explained:
    """Explain what was asked for. Raises UsageError where the words do not go together."""
    _check(inputs, asked)
    if asked.flow is not None:
        state = run_state(inputs, None, asked.flow, version)
        return Explained(version, state.captures, state.profile, state.settings, state=state, warnings=state.warnings)
    firewall = inputs.firewall()
    reopen = partial(opened, inputs, asked.after)
    denials = Denials()
    if asked.denied:
        with reopen(firewall) as capture:
            for judged in watched(firewall.replay(capture), capture):
                denials.add(judged)
        firewall = firewall.again()
    with reopen(firewall) as capture:
        asked_for = _wanted(asked, denials, capture, crafted=bool(inputs.crafted))
        wanted = sorted(asked_for)
        found = _explained(firewall, capture, wanted)
        captures, warnings = Labels.of(firewall, capture.names).captures, _warnings(firewall, capture)
    explainer, explanations = found
    if not asked.quick and STANDARD_INPUT not in inputs.captures and explanations:
        explanations = with_replays(explanations, wanted, explainer.misses, firewall, reopen)
    if denials.unlisted:
        text = f"{denials.unlisted:,} denied packets are of more kinds than the {len(denials.kinds):,} kept apart"
        warnings = (*warnings, text)
    more = {kind.first: kind.rows - 1 for kind in denials.kinds.values()}
    by_target = dict(zip(wanted, explanations, strict=True))
    explanations = [replace(by_target[target], more=more.get(target, 0)) for target in asked_for]
    return Explained(
        version,
        captures,
        firewall.profile,
        dict(firewall.settings),
        tuple(explanations),
        kinds=len(denials.kinds) if asked.denied else None,
        denied=denials.rows,
        warnings=warnings,
    )


def _explained(firewall: Firewall, capture: Capture, wanted: Sequence[Target]) -> tuple[Explainer, list[Explanation]]:
    explainer = Explainer(firewall, capture.names)
    if not wanted:
        return explainer, []
    with closing(explainer.of_capture(capture, wanted)) as explanations:
        return explainer, list(explanations)  # in the capture's order


def _check(inputs: Inputs, asked: Asked) -> None:
    kinds = [asked.packet is not None, asked.flow is not None, asked.denied]
    if sum(kinds) > 1 or not (any(kinds) or inputs.crafted):
        raise UsageError(ONE_OF)
    if asked.after is not None and not inputs.crafted:
        raise UsageError("--after gives crafted packets a table: name them with --craft")
    if asked.after is not None and asked.flow is not None:
        raise UsageError("--flow and --after do not go together: explain a packet of the connection")
    if asked.denied and STANDARD_INPUT in inputs.captures:
        raise UsageError("--denied reads the capture twice: save standard input to a file first")


def _wanted(asked: Asked, denials: Denials, capture: Capture, *, crafted: bool) -> list[Target]:
    """The packets to explain, in order: frames are those of the last capture named."""
    last = len(capture.names) - 1
    if asked.denied:
        return [kind.first for kind in denials.causes_first(asked.first)]
    if asked.packet is not None:
        return [(last, asked.packet)]
    return [(last, _crafted_packets(capture))] if crafted else []


def _crafted_packets(capture: Capture) -> int:
    """How many packets were crafted: the last one is explained."""
    crafted = capture._crafted if isinstance(capture, After) else capture  # noqa: SLF001  (of this module)
    return len(crafted.frames)  # type: ignore[attr-defined]  # crafted packets are a FrameCapture


def opened(inputs: Inputs, after: str | None, firewall: Firewall) -> Capture:
    """The packets, from their start; `after` is CAPTURE, or CAPTURE:N, that crafted packets follow."""
    if after is None:
        return inputs.capture(firewall)
    name, colon, number = after.rpartition(":")
    path, frame = (name, int(number)) if colon and name and number.isdecimal() else (after, None)
    if frame == 0:
        raise UsageError(f"--after {after}: packets are counted from 1")
    before = replace(inputs, captures=(path,), crafted=()).capture(firewall)
    crafted = crafted_capture(inputs.crafted, inputs.bpf, firewall.first_addresses, verify=firewall.verifies)
    return After(before, frame, crafted)


def _warnings(firewall: Firewall, capture: Capture) -> tuple[str, ...]:
    """What the rules, the replay and the capture warn of, each once."""
    return tuple(dict.fromkeys([*map(str, (*firewall.rule_set.warnings, *firewall.warnings)), *capture.warnings]))
