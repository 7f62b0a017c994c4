"""A learner's rules held to a task's solution: the same new connections must pass, and no others.

Both meet the same probes (firewall.lessons.probes), under the task's reading, each alone: what the rules say before
any packet has passed is compared. What AWS never filters stays out, and so does a change of the rules.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.engine import Firewall
from firewall.languages import Text
from firewall.lessons.lesson import PASSING, Play, Task
from firewall.lessons.marks import Fault, Mark, let_through, stopped, unjudged
from firewall.lessons.probes import frames, probes
from firewall.lessons.scene import judged_capture, last_word
from firewall.model import NetworkInterface, RuleSet
from firewall.verdict import EXEMPT, VERDICTS
from pcaps.capture import Capture, FrameCapture
from pcaps.frame import Frame

PASSES = np.array([VERDICTS.index(word) for word in PASSING])
UNLIMITED = {"max": "0"}  # the allowance of tracked connections: each probe stands alone


class Side(NamedTuple):
    """One of the two marks: what it wants, what it is about, what it says of an interface that one side lacks."""

    want: Literal["allow", "deny"]
    about: Text
    absent: Text


MISSING = Side(
    "allow",
    Text(
        "everything that the task asks for: {passed:,} of {tries:,} tries pass",
        "과제에서 요구하는 모든 트래픽: 시험 {tries:,}건 중 {passed:,}건 통과",
    ),
    Text(
        "your rules lack an interface that the task has: {told}",
        "과제에 있는 인터페이스가 작성한 규칙에 없습니다: {told}",
    ),
)
SURPLUS = Side(
    "deny",
    Text(
        "anything else: {passed:,} of {tries:,} tries pass",
        "그 밖의 모든 트래픽: 시험 {tries:,}건 중 {passed:,}건 통과",
    ),
    Text(
        "your rules have an interface that the task does not have: {told}",
        "과제에 없는 인터페이스가 작성한 규칙에 있습니다: {told}",
    ),
)


def exact_marks(task: Task, rules: Sequence[str | Path]) -> tuple[Mark, ...]:
    """What must pass and what must not, in two marks; none where the task does not ask for it.

    Raises RuleFileError for rules, the learner's or the solution's, that cannot be used.
    """
    if not task.exact:
        return ()
    right, theirs = _firewall(task, [task.solution]), _firewall(task, rules)
    sent = frames(probes(right.rule_set, theirs.rule_set, task.exact))
    wanted, exempt = _through(sent, right)
    passed, exempt_too = _through(sent, theirs.again())
    counted = ~(exempt | exempt_too)
    return (
        _mark(MISSING, sent, wanted & counted, passed, theirs, _absent(right.rule_set, theirs.rule_set)),
        _mark(SURPLUS, sent, ~wanted & counted, passed, theirs, _absent(theirs.rule_set, right.rule_set)),
    )


def _firewall(task: Task, rules: Sequence[str | Path]) -> Firewall:
    play = Play(task.hidden, (), task.profile, dict(task.settings) | UNLIMITED)
    return play.firewalls(*rules, readings=[task.reading])[task.reading]


def _through(sent: Sequence[Frame], firewall: Firewall) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each frame whether every interface that judges it lets it pass, and whether one never filters it."""
    through, exempt = np.ones(len(sent), np.bool_), np.zeros(len(sent), np.bool_)
    for packets, verdicts in firewall.replay(FrameCapture(sent)):
        place = packets.frame[verdicts.packet] - 1
        through[place[~np.isin(verdicts.verdict, PASSES)]] = False
        exempt[place[verdicts.verdict == EXEMPT]] = True
    return through, exempt


def _mark(
    side: Side,
    sent: Sequence[Frame],
    tried: NDArray[np.bool_],
    passed: NDArray[np.bool_],
    theirs: Firewall,
    absent: Sequence[NetworkInterface],
) -> Mark:
    """What came of the probes of one side; `absent` are interfaces that only one rule set has."""
    counts = {"tries": int(tried.sum()), "passed": int((tried & passed).sum())}
    fault = _first(sent, tried & (passed != (side.want == "allow")), theirs)
    if absent:
        fault = unjudged(_filled(side.absent, told=_named(absent)))
    return Mark(side.want, _filled(side.about, **counts), len(sent), fault)


def _filled(text: Text, **values: object) -> Text:
    return Text(*(each.format(**values) for each in text))


def _first(sent: Sequence[Frame], wrong: NDArray[np.bool_], theirs: Firewall) -> Fault | None:
    """The first probe that fares otherwise, judged once more by itself."""
    if not wrong.any():
        return None
    place = int(wrong.argmax())

    def opened() -> Capture:
        return FrameCapture(sent[place : place + 1])

    firewall = theirs.again()
    rows = judged_capture(opened(), firewall).rows
    word = last_word(rows)
    through = all(row["verdict"] in PASSING for row in rows)
    fault = let_through(rows, firewall) if through else stopped(word, firewall, opened)
    return replace(fault, packet=place + 1)


def _absent(here: RuleSet, there: RuleSet) -> list[NetworkInterface]:
    """The interfaces of one rule set with an address that the other has not; their names may differ."""
    known = {block for eni in there.interfaces.values() for block in eni.networks}
    return [eni for eni in here.interfaces.values() if not known.issuperset(eni.networks)]


def _named(interfaces: Sequence[NetworkInterface]) -> str:
    return ", ".join(f"{eni.interface_id} ({', '.join(map(str, eni.addresses))})" for eni in interfaces)
