"""One opened scene or capture: its rules as they stand in the editor, judged into steps."""

from pathlib import Path
from threading import Lock
from typing import Any

from firewall.errors import EniwallError, UsageError
from firewall.interfaces import busiest_text
from firewall.lab.bounds import FIRST_ROWS
from firewall.lab.changed import Verdicts
from firewall.lab.material import Judges, LessonScene, Material
from firewall.lab.problems import problems_of, shown
from firewall.lab.turns import Pulse, Turns
from firewall.steps import Steps

RULES_FILE = "rules.yaml"
NO_INTERFACE = (
    "no interface is known: write interfaces: {{my-interface: {{addresses: [ADDRESS], security_groups: [GROUP]}}}};"
    " {busiest}"
)


class Session:
    """The steps of one material under the newest rules that could be used, and which verdicts those changed.

    One request at a time works on it: its `turns` say whose turn it is.
    """

    def __init__(self, folder: Path, material: Material) -> None:
        """`folder` is the session's own; its name is the session's."""
        self.name = folder.name
        self._material = material
        self._file = folder / RULES_FILE
        self.turns = Turns()
        self._lock = Lock()  # held on where a request ended before its work
        self._text = self._first_text = ""
        self._first: Verdicts | None = None  # under the first rules that could be used
        self._steps: Steps | None = None

    @property
    def size(self) -> int:
        """How many steps it holds in memory."""
        return 0 if self._steps is None else self._steps.count

    def opened(self, pulse: Pulse = lambda: None) -> dict[str, Any]:
        """Judge the first rules: {"id", "title", "first": text, "rules": the same} and what `judged` says.

        Raises CaptureError, CraftError.
        """
        self._text = self._first_text = self._material.rules
        return self.now(pulse)

    def now(self, pulse: Pulse) -> dict[str, Any]:
        """The same with the rules as they are by now, for a page that is loaded again.

        Where they have errors, the steps of the last rules that could be used stand beside these.
        """
        text = self._text
        known = {"id": self.name, "title": self._material.title, "first": self._first_text, "rules": text}
        judged = self.judged(pulse, text)
        with self._lock:
            return known | self._shown() | judged

    def judged(self, pulse: Pulse, text: str) -> dict[str, Any]:
        """Judge other rules: {"scene", "changed": steps, "rows": the first}, or {"errors"} and nothing changes.

        `changed` names the steps of which a reading's verdict is not what it was under the first rules. What the
        pulse raises ends the work, and the steps stay as they were.
        """
        with self._lock:
            self._text = text
            self._file.write_text(text, encoding="utf-8")
            try:
                self._steps = self._judge(self._material.judges(self._file), pulse)
            except EniwallError as error:
                return {"errors": [problem._asdict() for problem in problems_of(error, self._file)]}
            return self._shown()

    def _shown(self) -> dict[str, Any]:
        """The steps as they are, or nothing where no rules could be used yet."""
        if self._steps is None:
            return {}
        verdicts = Verdicts.of(self._steps.verdicts)
        self._first = self._first or verdicts
        return {
            "scene": self._told(self._steps.scene(), "notes"),
            "changed": verdicts.changed_since(self._first),
            "rows": self._steps.rows(1, FIRST_ROWS),
        }

    def _told(self, found: dict[str, Any], key: str) -> dict[str, Any]:
        """The same without the temporary file's name in the texts of a key."""
        return {**found, key: [shown(text, self._file) for text in found[key]]}

    def _judge(self, judges: Judges, pulse: Pulse) -> Steps:
        pulse()  # reading the rules took its time
        first = next(iter(judges.firewalls.values()))
        with self._material.capture(first) as capture:
            if not first.interfaces:
                packets = next(iter(capture.batches()), None)
                raise UsageError(NO_INTERFACE.format(busiest="" if packets is None else busiest_text(packets)))
            title, hosts = self._material.title, self._material.hosts
            return Steps.of(
                capture,
                judges.firewalls,
                title=title,
                hosts=hosts,
                notes=judges.notes,
                made_acls=judges.made_acls,
                pulse=pulse,
            )

    def rows(self, _: Pulse, start: int, count: int) -> list[dict[str, Any]]:
        """See Steps.rows."""
        with self._lock:
            return [] if self._steps is None else self._steps.rows(start, count)

    def detail(self, _: Pulse, step: int) -> dict[str, Any]:
        """See Steps.detail. Raises UsageError."""
        with self._lock:
            if self._steps is None:
                raise UsageError("the rules have errors: there are no steps yet")
            return self._steps.detail(step)

    def graded(self, _: Pulse, text: str) -> dict[str, Any]:
        """Rules marked by the lesson's task (Grade.as_object), or {"errors"}. Raises UsageError without a task."""
        if not isinstance(self._material, LessonScene):
            raise UsageError("only lessons have tasks")
        with self._lock:
            self._file.write_text(text, encoding="utf-8")
            try:
                return self._told(self._material.graded(self._file), "warnings")
            except EniwallError as error:
                return {"errors": [problem._asdict() for problem in problems_of(error, self._file)]}
