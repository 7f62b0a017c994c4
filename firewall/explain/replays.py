"""What further replays tell: the verdict under another choice, and how much one more rule would admit.

Every answer is the engine's: a firewall of the same rules with one setting turned, or one rule added, goes
through the same packets from an empty table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from firewall.engine import Firewall
from firewall.explain.phases import Admits, Choice, Explanation, Passage
from firewall.explain.stops import Target
from firewall.model import Rule
from firewall.nearest import Miss
from firewall.progress import watched
from firewall.verdict import ALLOW, DIRECTIONS, REASON_WORDS, VERDICTS
from pcaps.capture import Capture

MOST_ADDITIONS = 10  # rules that are counted, a replay of the whole capture each
Open = Callable[[Firewall], Capture]  # opens the same packets anew
Row = tuple[Target, str, str]  # a packet at an interface, in a direction
Said = dict[Row, tuple[str, str]]  # verdict and reason


def verdicts_of(firewall: Firewall, capture: Capture, wanted: Collection[Target]) -> Said:
    """Verdict and reason of the wanted packets, at each interface; reading ends behind the last one."""
    said: Said = {}
    left = set(wanted)
    names = [eni.interface_id for eni in firewall.interfaces]
    numbers = [frame for _, frame in wanted]
    with closing(watched(firewall.replay(capture), capture)) as replayed:
        for packets, verdicts in replayed:
            for row in np.flatnonzero(np.isin(packets.frame[verdicts.packet], numbers)).tolist():
                packet = int(verdicts.packet[row])
                target = int(packets.capture[packet]), int(packets.frame[packet])
                if target not in wanted:
                    continue
                eni = names[verdicts.eni[row]] if verdicts.eni[row] >= 0 else ""
                key = target, eni, DIRECTIONS[verdicts.direction[row]]
                said[key] = VERDICTS[verdicts.verdict[row]], REASON_WORDS[verdicts.reason[row]]
                left.discard(target)
            if not left:
                break
    return said


def admitted(firewall: Firewall, capture: Capture, rule: Rule) -> Admits:
    """What a rule of the firewall lets in: the connections that it opens, and the packets allowed in them."""
    number = firewall.rules.index(rule)
    packets = 0
    flows: set[tuple[int, int]] = set()
    with closing(watched(firewall.replay(capture), capture)) as replayed:
        for _, verdicts in replayed:
            own = (verdicts.rule == number) & (verdicts.verdict == ALLOW)
            packets += int(np.count_nonzero(own))
            flows.update(zip(verdicts.eni[own].tolist(), verdicts.flow[own].tolist(), strict=True))
    return Admits(sum(flow > 0 for _, flow in flows), packets)


def count_admitted(
    firewall: Firewall, reopen: Open, additions: Iterable[Rule], most: int = MOST_ADDITIONS
) -> dict[Rule, Admits]:
    """For each rule, added alone, what it would let in: one replay each, of the first `most` different ones."""
    found: dict[Rule, Admits] = {}
    for rule in list(dict.fromkeys(additions))[:most]:
        wider = firewall.again(None, rule)
        with reopen(wider) as capture:
            found[rule] = admitted(wider, capture, rule)
    return found


# --- into explanations ---------------------------------------------------------------------------------
def with_replays(
    explanations: Sequence[Explanation],
    targets: Sequence[Target],
    misses: Mapping[tuple[int, int], Miss],
    firewall: Firewall,
    reopen: Open,
) -> list[Explanation]:
    """The explanations with what the other choices say and what the offered rules admit.

    `targets` are their packets; `misses` are as in Explainer.
    """
    others = dict.fromkeys(choice.other for each in explanations for choice in _choices(each) if choice.other)
    said = {other: _under(other, firewall, reopen, targets) for other in others}
    additions = {key: miss.addition for key, miss in misses.items() if miss.addition is not None}
    counts = count_admitted(firewall, reopen, additions.values())
    found = []
    for place, (each, target) in enumerate(zip(explanations, targets, strict=True)):
        passages = []
        for number, passage in enumerate(each.passages):
            rule = additions.get((place, number))
            admits = None if rule is None else counts.get(rule)
            choices = tuple(_answered(choice, said, target, passage) for choice in passage.choices)
            passages.append(replace(passage, admits=admits, choices=choices))
        found.append(replace(each, passages=tuple(passages)))
    return found


def _choices(explanation: Explanation) -> Iterable[Choice]:
    return (choice for passage in explanation.passages for choice in passage.choices)


def _under(other: str, firewall: Firewall, reopen: Open, targets: Sequence[Target]) -> Said:
    name, _, value = other.partition("=")
    changed = firewall.again({name: value})
    with reopen(changed) as capture:
        return verdicts_of(changed, capture, targets)


def _answered(choice: Choice, said: Mapping[str, Said], target: Target, passage: Passage) -> Choice:
    answer = said.get(choice.other, {}).get((target, passage.eni, passage.direction))
    return choice if answer is None else replace(choice, verdict=answer[0], reason=answer[1])
