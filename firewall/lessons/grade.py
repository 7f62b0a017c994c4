"""A learner's rules held to a task's hidden connections: which pass that should not, which fail, where and why.

A wanted connection passes with every packet. Of an unwanted one its first packet does not pass (or another, where
the task names it; then those before it do). Every connection finds an empty table. A task that is `exact` has two
marks more (firewall.lessons.exact).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firewall.engine import Firewall
from firewall.errors import LessonFileError
from firewall.languages import Text
from firewall.lessons.exact import exact_marks
from firewall.lessons.lesson import PASSING, Connection, Lesson, Task
from firewall.lessons.marks import Fault, Mark, let_through, mark_object, stopped, unjudged
from firewall.lessons.scaffold import task_of
from firewall.lessons.scene import Row, judged, last_word, rows_of
from firewall.sources import load_rules

FORMAT = 1  # of the object that `Grade.as_object` gives


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
            "connections": [mark_object(mark) for mark in self.marks],
            "warnings": list(self.warnings),
        }


def grade(lesson: Lesson, *rules: str | Path) -> Grade:
    """Mark rule files by a lesson's task.

    Raises UsageError for a lesson without a task, RuleFileError for rules that cannot be used, LessonFileError
    and CraftError for hidden connections that cannot be read.
    """
    task = task_of(lesson)
    known = load_rules(*rules)
    marks = tuple(_mark(connection, task, rules) for connection in task.connections())
    return Grade(lesson.name, task.reading, marks + exact_marks(task, rules), tuple(map(str, known.warnings)))


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
    return unjudged(why)


def _fault(connection: Connection, rows: list[Row], firewall: Firewall) -> Fault | None:
    """The first packet that does not fare as wanted."""
    last = rows[-1]["packet"] if connection.want == "allow" else connection.packet - 1
    for packet in range(1, last + 1):
        word = last_word(rows_of(rows, packet))
        if word["verdict"] not in PASSING:
            return stopped(word, firewall, connection.capture)
    if connection.want == "allow":
        return None
    found = rows_of(rows, connection.packet)
    through = all(row["verdict"] in PASSING for row in found)
    return let_through(found, firewall) if through else None
