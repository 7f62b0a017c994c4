"""What a lesson is, as data: texts in every language, scenes with packets and expected verdicts, a task.

A text's lines are its paragraphs.

Nothing here loads numpy or scapy: a list of lessons is quick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from firewall.languages import Text
from firewall.model import Direction
from firewall.sources.located import Node

if TYPE_CHECKING:
    from firewall.engine import Firewall
    from pcaps.capture import Capture

#: The readings that every scene is judged by (firewall.readings), the first one being what AWS does with groups.
READINGS = ("sg", "stateless", "nacl")
#: The letters of verdicts; `|` stands where the rules change.
LETTERS = {"ALLOW": "A", "DENY": "D", "EXEMPT": "E", "NOT_EVALUATED": "N"}
CHANGE = "|"
AGAIN = "again"
#: What lets a packet pass.
PASSING = ("ALLOW", "EXEMPT")


# --- packets -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class End:
    """One end of a conversation; `port` is None for a ping."""

    address: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """Packets between two ends, in order: who sends (`>` the left end, `<` the right) and TCP's flags.

    AGAIN in place of flags is that end's last packet once more. Lines of the same `kind`, ends and `identifier`
    are one conversation that goes on.
    """

    where: str
    kind: Literal["tcp", "udp", "ping"]
    left: End
    right: End
    send: tuple[tuple[str, str], ...]
    identifier: int = 1
    fragments: int = 1  # of each datagram


@dataclass(frozen=True, slots=True)
class IcmpError:
    """What `router` tells `host` about a packet that it sent: the first of the conversation `quoted`."""

    where: str
    router: str
    host: str
    type: int
    code: int
    quoted: Talk


@dataclass(frozen=True, slots=True)
class Crafted:
    """Packets in scapy's words, read and never run."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause in ns."""

    time: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the rules, as --events takes it, without its moment: read when the rules are known."""

    node: Node


Line = Talk | IcmpError | Crafted | Wait | Change


@dataclass(frozen=True, slots=True)
class Play:
    """What packets meet which rules: `lines`, or the capture file; `file` is where the lines stand."""

    file: Path
    rules: tuple[Path, ...]
    profile: str = "aws"
    settings: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    recorded: Path | None = None

    def rule_texts(self) -> list[tuple[str, str]]:
        """The rule files by name, with what stands in them."""
        return [(str(path.relative_to(self.file.parent)), path.read_text("utf-8-sig")) for path in self.rules]

    def firewalls(self, *rules: str | Path, readings: Sequence[str] = READINGS) -> "dict[str, Firewall]":
        """A firewall for each reading, of these rule files or the scene's own.

        Raises RuleFileError for rules that cannot be used, or that the changes do not fit; CraftError as `capture`.
        """
        from firewall.lessons.scene import firewalls

        return firewalls(self, rules or self.rules, readings)

    def capture(self) -> "Capture":
        """The packets. Raises CraftError for a line that makes none, CaptureError for a file that cannot be read."""
        from firewall.lessons.scene import opened

        return opened(self)


# --- lessons -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Question:
    """The learner predicts the verdict of a packet (from 1) under a reading; `at`: at this interface alone."""

    where: str
    packet: int
    reading: str
    ask: Text
    why: Text
    at: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """The letters that an author expects of a reading, without spaces; a letter a row, `|` where rules change."""

    where: str
    letters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene(Play):
    """One situation of a lesson."""

    where: str
    name: str
    title: Text
    verdicts: Mapping[str, Expected]  # by reading
    questions: tuple[Question, ...]
    takeaway: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Play):
    """One conversation that a learner's rules are graded by.

    `want` allow: every packet passes. deny: packet number `packet` does not, and those before it do.
    """

    where: str
    want: Literal["allow", "deny"]
    about: Text
    packet: int = 1


@dataclass(frozen=True, slots=True)
class Task:
    """What a learner writes rules for; `reading`: how they are read (firewall.readings).

    `exact`: the directions in which the rules are held to the solution beside the hidden connections.
    """

    where: str
    text: Text
    reading: str
    profile: str
    settings: Mapping[str, str]
    start: Path
    solution: Path
    hidden: Path
    hosts: Mapping[str, str]
    exact: tuple[Direction, ...] = ()

    def connections(self) -> tuple[Connection, ...]:
        """The hidden connections. Raises LessonFileError."""
        from firewall.lessons.read import read_connections

        return read_connections(self)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson; `name` is its folder's."""

    folder: Path
    name: str
    number: int
    title: Text
    teaches: Text
    story: Text
    sources: tuple[str, ...]
    undocumented: Text | None
    hosts: Mapping[str, str]  # address by name
    scenes: tuple[Scene, ...]
    task: Task | None

    @property
    def file(self) -> Path:
        """Where it is written."""
        return self.folder / "lesson.yaml"

    @property
    def host_names(self) -> dict[str, str]:
        """The name of each address, written as reports write addresses."""
        return {str(ip_address(address)): name for name, address in self.hosts.items()}
