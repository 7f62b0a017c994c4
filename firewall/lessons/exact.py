"""A learner's rules held to a task's solution: the same new connections must pass, and no others.

Both meet the same probes (firewall.lessons.probes), under the task's reading, each alone: what the rules say before
any packet has passed is compared. What AWS never filters stays out, and so does a change of the rules.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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
        _missing(sent, wanted & counted, passed, theirs, _absent(right.rule_set, theirs.rule_set)),
        _surplus(sent, ~wanted & counted, passed, theirs, _absent(theirs.rule_set, right.rule_set)),
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


def _missing(
    sent: Sequence[Frame],
    wanted: NDArray[np.bool_],
    passed: NDArray[np.bool_],
    theirs: Firewall,
    absent: Sequence[NetworkInterface],
) -> Mark:
    """Everything that the task asks for passes."""
    tries, right = int(wanted.sum()), int((wanted & passed).sum())
    about = Text(
        f"everything that the task asks for: {right:,} of {tries:,} tries pass",
        f"과제에서 요구하는 모든 트래픽: 시험 {tries:,}건 중 {right:,}건 통과",
    )
    fault = _first(sent, wanted & ~passed, theirs)
    if absent:
        told = _named(absent)
        fault = unjudged(
            Text(
                f"your rules lack an interface that the task has: {told}",
                f"과제에 있는 인터페이스가 작성한 규칙에 없습니다: {told}",
            )
        )
    return Mark("allow", about, len(sent), fault)


def _surplus(
    sent: Sequence[Frame],
    unwanted: NDArray[np.bool_],
    passed: NDArray[np.bool_],
    theirs: Firewall,
    absent: Sequence[NetworkInterface],
) -> Mark:
    """Nothing else passes."""
    tries, wrong = int(unwanted.sum()), int((unwanted & passed).sum())
    about = Text(
        f"anything else: {wrong:,} of {tries:,} tries pass",
        f"그 밖의 모든 트래픽: 시험 {tries:,}건 중 {wrong:,}건 통과",
    )
    fault = _first(sent, unwanted & passed, theirs)
    if absent:
        told = _named(absent)
        fault = unjudged(
            Text(
                f"your rules have an interface that the task does not have: {told}",
                f"과제에 없는 인터페이스가 작성한 규칙에 있습니다: {told}",
            )
        )
    return Mark("deny", about, len(sent), fault)


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
