"""A learner's rules held to a task's hidden connections: which pass that should not, which fail, where and why.

A wanted connection passes with every packet. Of an unwanted one its first packet does not pass (or another, where
the task names it; then those before it do). Every connection finds an empty table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firewall.engine import Firewall
from firewall.errors import LessonFileError
from firewall.explain.explainer import Explainer
from firewall.labels import flow_text, protocol_number, rule_text
from firewall.languages import Text
from firewall.lessons.hints import hint
from firewall.lessons.lesson import PASSING, Connection, Lesson, Task
from firewall.lessons.scaffold import task_of
from firewall.lessons.scene import Row, judged, last_word, reason_text, rows_of
from firewall.model import NetworkAclEntry, Rule
from firewall.sources import load_rules

FORMAT = 1  # of the object that `Grade.as_object` gives


@dataclass(frozen=True, slots=True)
class Fault:
    """The packet that decides against the rules: its number, its tuple, the row that says so.

    `rule` is what let an unwanted packet pass, or the rule that denied one; `hint` the nearest miss.
    """

    packet: int
    text: str
    interface: str
    direction: str
    verdict: str
    reason: str
    why: Text
    rule: str
    hint: Text | None


@dataclass(frozen=True, slots=True)
class Mark:
    """One hidden connection; `fault` is None where the rules do what is wanted."""

    want: str
    about: Text
    packets: int
    fault: Fault | None = None

    @property
    def passed(self) -> bool:
        """True if the rules do what is wanted."""
        return self.fault is None


@dataclass(frozen=True, slots=True)
class Grade:
    """What came of a learner's rules; `warnings` are those of reading them."""

    lesson: str
    reading: str
    marks: tuple[Mark, ...]
    warnings: tuple[str, ...] = ()

    @property
    def score(self) -> int:
        """Connections that fare as wanted."""
        return sum(mark.passed for mark in self.marks)

    @property
    def total(self) -> int:
        """All connections."""
        return len(self.marks)

    @property
    def passed(self) -> bool:
        """True if all are right."""
        return self.score == self.total

    def as_object(self) -> dict[str, Any]:
        """For JSON; every text in each language."""
        return {
            "format": FORMAT,
            "lesson": self.lesson,
            "reading": self.reading,
            "score": self.score,
            "total": self.total,
            "passed": self.passed,
            "connections": [_mark_object(mark) for mark in self.marks],
            "warnings": list(self.warnings),
        }


def _mark_object(mark: Mark) -> dict[str, Any]:
    found: dict[str, Any] = {
        "want": mark.want,
        "about": mark.about._asdict(),
        "packets": mark.packets,
        "passed": mark.passed,
        "fault": None,
    }
    if mark.fault is not None:
        fault = mark.fault
        found["fault"] = {name: getattr(fault, name) for name in Fault.__slots__}
        found["fault"]["why"] = fault.why._asdict()
        found["fault"]["hint"] = None if fault.hint is None else fault.hint._asdict()
    return found


def grade(lesson: Lesson, *rules: str | Path) -> Grade:
    """Mark rule files by a lesson's task.

    Raises UsageError for a lesson without a task, RuleFileError for rules that cannot be used, LessonFileError
    and CraftError for hidden connections that cannot be read.
    """
    task = task_of(lesson)
    known = load_rules(*rules)
    marks = tuple(_mark(connection, task, rules) for connection in task.connections())
    return Grade(lesson.name, task.reading, marks, tuple(map(str, known.warnings)))


def _mark(connection: Connection, task: Task, rules: Sequence[str | Path]) -> Mark:
    try:
        firewall = connection.firewalls(*rules, readings=[task.reading])[task.reading]
    except LessonFileError as error:  # a change names what these rules do not have
        return Mark(connection.want, connection.about, 0, _unfit(error))
    rows = judged(connection, firewall).rows
    packets = max(row["packet"] for row in rows)
    return Mark(connection.want, connection.about, packets, _fault(connection, rows, firewall))


def _unfit(error: LessonFileError) -> Fault:
    why = Text(
        f"the task changes the rules on the way, which yours do not allow: {error.problems[0]}",
        f"과제에서 도중에 규칙을 변경하는데, 작성한 규칙에는 적용할 수 없습니다: {error.problems[0]}",
    )
    return Fault(0, "", "", "", "NOT_EVALUATED", "", why, "", None)


def _fault(connection: Connection, rows: list[Row], firewall: Firewall) -> Fault | None:
    """The first packet that does not fare as wanted."""
    last = rows[-1]["packet"] if connection.want == "allow" else connection.packet - 1
    for packet in range(1, last + 1):
        word = last_word(rows_of(rows, packet))
        if word["verdict"] not in PASSING:
            return _told(word, firewall, _hint(connection, firewall, word))
    if connection.want == "allow":
        return None
    found = rows_of(rows, connection.packet)
    through = all(row["verdict"] in PASSING for row in found)
    return _told(last_word(found), firewall, None, found) if through else None


def _hint(connection: Connection, firewall: Firewall, row: Row) -> Text | None:
    """Why a packet is denied, of another replay that stops at it."""
    if row["verdict"] != "DENY":
        return None
    with connection.capture() as capture:
        explainer = Explainer(firewall.again(), capture.names)
        (explanation,) = explainer.of_capture(capture, [(0, row["packet"])])
    return hint(explanation, explainer)


def _told(row: Row, firewall: Firewall, nearest: Text | None, through: Sequence[Row] = ()) -> Fault:
    named = [_rule_words(str(each["rule"]), firewall) for each in through or [row] if each["rule"]]
    return Fault(
        packet=row["packet"],
        text=_tuple(row),
        interface=row["eni"] or "",
        direction=row["direction"] or "",
        verdict=row["verdict"],
        reason=row["reason"],
        why=reason_text(row, firewall),
        rule=", ".join(dict.fromkeys(named)),
        hint=nearest,
    )


def _tuple(row: Row) -> str:
    if row["src"] is None:
        return ""
    return flow_text(row["src"], row["dst"], protocol_number(row["protocol"]), row["src_port"], row["dst_port"])


def _rule_words(name: str, firewall: Firewall) -> str:
    """A rule's name and what it allows."""
    rules: tuple[Rule | NetworkAclEntry, ...] = (*firewall.rules, *firewall.acl_entries)
    for rule in rules:
        if rule.name == name:
            return f"{name} {rule_text(rule)}"
    return name
