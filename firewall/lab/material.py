"""What a session judges: a scene of a lesson, or a capture file; each opens as often as its rules change."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from firewall.engine import Firewall
from firewall.errors import LessonFileError
from firewall.group_acls import plan_acls
from firewall.lab.start_rules import start_rules, taken
from firewall.labels import counted
from firewall.lessons.grade import grade
from firewall.lessons.lesson import Lesson, Scene
from firewall.steps.steps import MOST_PACKETS
from pcaps.capture import open_capture
from pcaps.errors import CaptureError

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch
    from pcaps.capture import Capture


NO_INTERFACE = (
    "the rules name no interface with an address: {address} is taken, {why}, with all groups;"
    " write interfaces: in the rules for another one, or begin with --eni"
)


class Judges(NamedTuple):
    """A firewall for each reading, the main one first, and what must be said of them."""

    firewalls: Mapping[str, Firewall]
    notes: Sequence[str] = ()
    made_acls: Sequence[str] = ()  # network ACLs made of the groups


class Material(Protocol):
    """Packets with a first version of their rules."""

    @property
    def title(self) -> str:
        """What the steps are called."""

    @property
    def rules(self) -> str:
        """The first version, as it stands in the editor."""

    @property
    def hosts(self) -> Mapping[str, str]:
        """The name of each address that has one."""

    def judges(self, rules: Path) -> Judges:
        """A firewall for each reading, with the edited rules. Raises EniwallError."""

    def capture(self, firewall: Firewall) -> "Capture":
        """The packets, from the first one on. Raises CaptureError or CraftError."""


@dataclass(frozen=True)
class LessonScene:
    """One scene of a lesson; `task`: the editor starts with the task's rules."""

    lesson: Lesson
    scene: Scene
    task: bool = False

    @property
    def title(self) -> str:
        """The scene's title, in English; the page has every language of it."""
        return self.scene.title.en

    @property
    def rules(self) -> str:
        """The scene's first rule file, or what the task starts with."""
        start = self.lesson.task.start if self.task and self.lesson.task else self.scene.rules[0]
        return start.read_text(encoding="utf-8")

    @property
    def hosts(self) -> Mapping[str, str]:
        """As the lesson names them."""
        return self.lesson.host_names

    def judges(self, rules: Path) -> Judges:
        """The scene's, with its other rule files as they are; a task is one file."""
        others = () if self.task else self.scene.rules[1:]
        try:
            return Judges(self.scene.firewalls(rules, *others))
        except LessonFileError as error:  # a change on the way names what these rules do not have
            home = f"{self.lesson.folder.parent}{os.sep}"
            raise LessonFileError([problem.replace(home, "") for problem in error.problems]) from None

    def capture(self, firewall: Firewall) -> "Capture":  # noqa: ARG002  (a scene's packets need none)
        """The scene's packets."""
        return self.scene.capture()

    def graded(self, rules: Path) -> dict[str, Any]:
        """Rules marked by the task. Raises UsageError without one, RuleFileError."""
        return grade(self.lesson, rules).as_object()


@dataclass(frozen=True)
class CaptureFile:
    """A capture on disk, its first MOST_PACKETS packets; `name` is what it is called."""

    path: str
    name: str
    given: str | None = None  # the rules, where the command named some
    enis: tuple[str, ...] = ()  # the words behind --eni
    hosts: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name."""
        return self.name

    @property
    def rules(self) -> str:
        """The rules that the command named, or a start that names the addresses of --eni, else the busiest one."""
        return start_rules(self._first_packets(), self.enis) if self.given is None else self.given

    def judges(self, rules: Path) -> Judges:
        """One for each reading; where the rules have no network ACL, one is made of the groups.

        Where neither they nor --eni say the interface, it is the capture's busiest address, with all groups.
        """
        enis, notes = (() if self.given is None else self.enis), list[str]()
        main = Firewall.from_file(str(rules), enis=enis, reading="sg")
        if not main.interfaces:
            address, why = taken(self._first_packets())
            enis, notes = (address,), [NO_INTERFACE.format(address=address, why=why)]
            main = Firewall.from_file(str(rules), enis=enis, reading="sg")
        stateless = Firewall.from_file(str(rules), enis=enis, reading="stateless")
        plan = plan_acls(main.rule_set, main.interfaces)
        border = Firewall(plan.applied(main.rule_set), enis, reading="nacl")
        firewalls = {"sg": main, "stateless": stateless, "nacl": border}
        return Judges(firewalls, [*notes, *plan.notes], tuple(plan.members))

    def capture(self, firewall: Firewall) -> "Capture":
        """Its packets, read as `firewall` needs them."""
        return First(self._opened(firewall.verifies, firewall.places.wants_macs), MOST_PACKETS, self.name)

    def _first_packets(self) -> "PacketBatch | None":
        with self._opened() as capture:
            return next(iter(capture.batches()), None)

    def _opened(self, verify: bool = False, macs: bool = False) -> "Capture":
        try:
            return open_capture(self.path, verify=verify, macs=macs)
        except CaptureError as error:
            raise CaptureError(str(error).replace(self.path, self.name)) from None


class First:
    """The first packets of a capture; that there are more is said with its warnings, and more are not read."""

    def __init__(self, capture: "Capture", most: int, name: str) -> None:
        self._capture = capture
        self._most = most
        self._cut = False
        self.packets = 0
        self.filtered_out = 0
        self.names = (name,)
        self.bytes_total = capture.bytes_total

    @property
    def interface_names(self) -> Sequence[Mapping[int, str]]:
        """See FileCapture."""
        names: Sequence[Mapping[int, str]] = getattr(self._capture, "interface_names", ())
        return names

    @property
    def bytes_read(self) -> int:
        """Bytes read so far."""
        return self._capture.bytes_read

    @property
    def warnings(self) -> list[str]:
        """The capture's own, and whether it was cut."""
        own = [warning.replace(self._capture.names[0], self.names[0]) for warning in self._capture.warnings]
        if not self._cut:
            return own
        told = f"the first {counted(self._most, 'packet')} of {self.names[0]} are shown; eniwall replay judges them all"
        return [told, *own]

    def batches(self) -> "Iterator[PacketBatch]":
        """Batches until there are enough."""
        for batch in self._capture.batches():
            room = self._most - self.packets
            self._cut = batch.rows > room
            if room:
                self.packets += min(batch.rows, room)
                yield batch.slice(0, room) if self._cut else batch
            if self._cut:
                return

    def close(self) -> None:
        """Let go of the file."""
        self._capture.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
