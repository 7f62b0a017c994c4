"""One 5-tuple at one interface, as AWS's flow log has it and as the simulation does."""

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from firewall.flowlog.logged import ACTIONS
from firewall.flowlog.read import Line
from firewall.model import RuleSet


class Seen(NamedTuple):
    """What one side has of a tuple and an action; `records` are lines of AWS's, 1 of the simulation."""

    records: int
    packets: int
    bytes: int

    def plus(self, other: "Seen | None") -> "Seen":
        """Both together."""
        return self if other is None else Seen(*(map(sum, zip(self, other, strict=True))))


@dataclass(slots=True)
class Pair:
    """Both sides by action. `reasons` are the engine's words for the simulation's packets, logged or not.

    Times are Unix seconds; None: that side has no packet, or says no time.
    """

    interface: str
    src: str
    dst: str
    src_port: int
    dst_port: int
    protocol: int
    direction: str = ""  # seen from the interface; empty where the capture has no packet of it
    aws: dict[str, Seen] = field(default_factory=dict)
    ours: dict[str, Seen] = field(default_factory=dict)
    unlogged: int = 0  # packets of the capture that a flow log leaves out
    reasons: set[str] = field(default_factory=set)
    flags: int = 0
    first: int | None = None
    last: int | None = None
    aws_start: int | None = None
    aws_end: int | None = None
    guess: str = ""

    @property
    def actions(self) -> list[str]:
        """The actions that either side has."""
        return [action for action in ACTIONS if action in self.aws or action in self.ours]

    @property
    def agrees(self) -> bool:
        """True if both have the same packets and bytes with the same actions."""
        return {action: seen[1:] for action, seen in self.aws.items()} == {
            action: seen[1:] for action, seen in self.ours.items()
        }

    @property
    def packets(self) -> int:
        """Packets of the side that has more."""
        return max(sum(seen.packets for seen in side.values()) for side in (self.aws, self.ours))

    def only(self, side: str, action: str) -> bool:
        """True if the action is this side's (`aws` or `ours`) and not the other's."""
        mine, other = (self.aws, self.ours) if side == "aws" else (self.ours, self.aws)
        return action in mine and action not in other

    def add_line(self, line: Line) -> None:
        """Count a record of AWS's."""
        self.aws[line.action] = Seen(1, line.packets, line.bytes).plus(self.aws.get(line.action))
        if line.start is not None and line.end is not None:
            self.aws_start = line.start if self.aws_start is None else min(self.aws_start, line.start)
            self.aws_end = line.end if self.aws_end is None else max(self.aws_end, line.end)

    def add_ours(self, action: str, seen: Seen, reasons: list[str]) -> None:
        """Count packets of the simulation; no action: a flow log leaves them out."""
        self.reasons.update(reasons)
        if action:
            self.ours[action] = seen._replace(records=0).plus(self.ours.get(action))._replace(records=1)
        else:
            self.unlogged += seen.packets

    def saw(self, first: int, last: int) -> None:
        """Note the time of packets of the simulation."""
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)


@dataclass(frozen=True)
class Window:
    """What a guess may ask beside the pair: the capture's time (Unix seconds) and what is known of both sides."""

    first: int
    last: int
    with_acl: frozenset[str] = frozenset()  # interfaces whose network ACL the rules state
    actions: set[str] = field(default_factory=set)  # of all of AWS's records that were compared
    skipped: set[str] = field(default_factory=set)  # interfaces for which AWS skipped records

    def of_rules(self, rules: RuleSet) -> Self:
        """The same, with what the rules state."""
        known = frozenset(name for name, eni in rules.interfaces.items() if rules.network_acl_of(eni) is not None)
        return type(self)(self.first, self.last, known)

    def touches(self, start: int, end: int, slack: int) -> bool:
        """True if a stretch of time meets the capture's."""
        return start <= self.last + slack and end >= self.first - slack

    def reaches_out(self, pair: Pair) -> bool:
        """True if AWS's records of the pair begin before the capture or end after it."""
        if pair.aws_start is None or pair.aws_end is None:
            return False
        return pair.aws_start < self.first or pair.aws_end > self.last
