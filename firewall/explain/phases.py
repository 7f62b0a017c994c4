"""What an explanation is, as data: a packet's passages, one for each interface, and their phases."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from firewall.nearest import Field

#: The phases in their order, by kind, as reports call them. A network ACL is met first on the way in, last on the
#: way out (https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html).
TITLES = {
    "read": "READ",
    "interface": "INTERFACE",
    "exempt": "NEVER FILTERED",
    "check": "DELIVERY CHECKS",
    "network-acl": "NETWORK ACL",
    "table": "TABLE LOOKUP",
    "rules": "SECURITY GROUPS",
    "verdict": "VERDICT",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule, or an entry of a network ACL, beside the packet; `decides`: the engine names it."""

    name: str
    text: str
    action: Literal["allow", "deny"]
    fields: tuple[Field, ...]
    decides: bool

    @property
    def fails(self) -> tuple[Field, ...]:
        """The fields that do not match, or may not."""
        return tuple(field for field in self.fields if not field.matches)


@dataclass(frozen=True, slots=True)
class Phase:
    """One step: its kind (a key of TITLES), what came of it in a few words, why in sentences."""

    kind: str
    result: str
    lines: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice that decided the verdict and that AWS does not document.

    `other` is the setting that chooses otherwise (empty: there is none); `verdict` and `reason` are what a replay
    with it says, None where none was made.
    """

    name: str
    chosen: str
    setting: str
    other: str
    verdict: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Admits:
    """What a rule would let in, counted by a replay with it: connections, and the packets of them."""

    connections: int
    packets: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A packet at one interface; `eni` and `direction` are empty where it met none.

    `closest` and `addition` are the nearest miss (firewall.nearest), empty unless the rules denied it; `admits` is
    None where nothing was counted.
    """

    eni: str
    direction: str
    verdict: str
    reason: str
    ct_state: str
    flow: int | None
    rule: str
    phases: tuple[Phase, ...]
    closest: str = ""
    addition: str = ""
    group: str = ""  # that `addition` would be added to
    admits: Admits | None = None
    choices: tuple[Choice, ...] = ()

    def phase(self, kind: str) -> Phase:
        """The phase of a kind; raises KeyError where it was not reached."""
        return {phase.kind: phase for phase in self.phases}[kind]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A packet, named by its capture and frame, with its passages in order; `more` others are denied alike."""

    capture: str
    packet: int
    time: int  # ns since 1970
    text: str  # its tuple, and flags
    passages: tuple[Passage, ...]
    more: int = 0

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of all passages, one after another."""
        return tuple(phase for passage in self.passages for phase in passage.phases)

    @property
    def verdict(self) -> str:
        """The last word: DENY where an interface denied it."""
        words = [passage.verdict for passage in self.passages]
        return "DENY" if "DENY" in words else words[-1]

    @property
    def reason(self) -> str:
        """The reason of that verdict."""
        return next(passage.reason for passage in self.passages if passage.verdict == self.verdict)

    def __iter__(self) -> Iterator[Phase]:
        return iter(self.phases)

    def __str__(self) -> str:
        """The explanation as `eniwall explain` prints it."""
        from firewall.explain.text import explanation_text

        return explanation_text(self)
