"""AWS's flow log beside the simulation's: per 5-tuple, interface and action, over the whole capture.

Interval by interval they cannot be compared: AWS does not say where its intervals begin.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from firewall.flowlog.aggregate import NS
from firewall.flowlog.fields import Facts, Field, address_cells, shown_address
from firewall.flowlog.guesses import guess
from firewall.flowlog.held import Held
from firewall.flowlog.logged import ACTIONS, UNLOGGED
from firewall.flowlog.pairs import Pair, Seen, Window
from firewall.flowlog.read import Line, LogError, read_log
from firewall.flowlog.records import Records
from firewall.verdict import DIRECTIONS, REASON_WORDS

if TYPE_CHECKING:
    from firewall.engine import Firewall

MOST_FLOWS = 1 << 22  # of the capture, about 1 GiB
SLACK = 60  # seconds that AWS's times may be off

Key = tuple[str, str, str, int, int, int]  # interface, source, destination, their ports, protocol


class Rate(NamedTuple):
    """How much of what either side has is the same on both."""

    same: int
    all: int

    @property
    def percent(self) -> float:
        """100 where there is nothing to disagree about."""
        return 100 * self.same / self.all if self.all else 100.0


@dataclass
class Uncompared:
    """Records of AWS's that were not compared, by why."""

    counts: Counter[str] = field(default_factory=Counter)
    interfaces: Counter[str] = field(default_factory=Counter)  # of those that are not simulated


@dataclass(frozen=True)
class Compared:
    """What a comparison found; a record here is a 5-tuple at an interface with one action."""

    files: tuple[str, ...]
    lines: int  # records of AWS's that were read
    uncompared: Uncompared
    pairs: tuple[Pair, ...]

    @cached_property
    def agreeing(self) -> tuple[Pair, ...]:
        """Tuples with the same actions, packets and bytes, those with most packets first."""
        return _sorted(pair for pair in self.pairs if pair.agrees)

    @cached_property
    def differing(self) -> tuple[Pair, ...]:
        """The others."""
        return _sorted(pair for pair in self.pairs if not pair.agrees)

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """Records (an action at a tuple) that both have, and of packets and bytes what both have."""
        both = [(pair.aws.get(action), pair.ours.get(action)) for pair in self.pairs for action in pair.actions]
        records = Rate(sum(None not in pair for pair in both), len(both))
        rates = {"records": records}
        for name in ("packets", "bytes"):
            counts = [[0 if seen is None else getattr(seen, name) for seen in pair] for pair in both]
            rates[name] = Rate(sum(map(min, counts)), sum(map(max, counts)))
        return rates

    @cached_property
    def guesses(self) -> dict[str, int]:
        """How many tuples each guess explains, most first."""
        return dict(Counter(pair.guess for pair in self.differing).most_common())


def _sorted(pairs: Iterator[Pair]) -> tuple[Pair, ...]:
    return tuple(sorted(pairs, key=lambda pair: -pair.packets))


class Against:
    """Takes the simulation's records as intervals close, then reads AWS's. One record a flow is held.

    `traffic`: which actions the simulation's log is of.
    """

    def __init__(self, files: Sequence[str], fields: Sequence[Field], facts: Facts, traffic: str = "ALL") -> None:
        self._traffic = traffic
        self._files = files
        self._fields = fields
        self._facts = facts
        self._held = Held(MOST_FLOWS)
        for file in files:
            with closing(read_log(file, fields)) as lines:
                next(lines, None)  # what is no flow log is told before the replay
        self.lost = 0  # packets of flows beyond those that are held

    def add(self, closed: Records) -> None:
        """Take records of any actions; those that are not logged may explain a difference."""
        whole = closed._replace(interval=np.zeros_like(closed.interval))
        lost = self._held.add(whole)
        self.lost += int(closed.packets[lost].sum())

    def compared(self, firewall: "Firewall", window: Window) -> Compared:
        """Read the files and compare. Raises LogError for a file that is no flow log."""
        pairs = self._ours()
        known = set(self._facts.interface)
        uncompared = Uncompared()
        lines = 0
        window = window.of_rules(firewall.rule_set)
        for file in self._files:
            for line in read_log(file, self._fields):
                lines += 1
                why = _uncompared(line, known, window)
                if not why and self._traffic not in ("ALL", line.action):
                    why = f"with another action than {self._traffic}"
                if why:
                    uncompared.counts[why] += 1
                    if why == FOREIGN:
                        uncompared.interfaces[line.interface] += 1
                    if why == "SKIPDATA":
                        window.skipped.add(line.interface)
                    continue
                window.actions.add(line.action)
                _pair(pairs, _key(line)).add_line(line)
        if not lines:
            raise LogError(f"{', '.join(self._files)}: no flow log record")
        found = [pair for pair in pairs.values() if pair.aws or pair.ours]
        for pair in found:
            if not pair.agrees:
                pair.guess = guess(pair, pairs.get(_reverse(pair)), window)
        return Compared(tuple(self._files), lines, uncompared, tuple(found))

    def _ours(self) -> dict[Key, Pair]:
        """The simulation's records by tuple, as a flow log shows them."""
        records, facts = self._held.records(), self._facts
        columns = [
            [facts.interface[eni] for eni in records.eni.tolist()],
            address_cells(*shown_address(records, facts, "src")),
            address_cells(*shown_address(records, facts, "dst")),
            *(getattr(records, name).tolist() for name in ("src_port", "dst_port", "protocol")),
        ]
        more = [
            getattr(records, name).tolist()
            for name in ("action", "packets", "bytes", "first", "last", "flags", "reasons", "direction")
        ]
        pairs: dict[Key, Pair] = {}
        for key, row in zip(zip(*columns, strict=True), zip(*more, strict=True), strict=True):
            action, packets, size, first, last, flags, reasons, direction = row
            pair = _pair(pairs, key)
            pair.direction = DIRECTIONS[direction]
            words = [word for bit, word in enumerate(REASON_WORDS) if reasons >> bit & 1]
            pair.add_ours("" if action >= UNLOGGED else ACTIONS[action], Seen(1, packets, size), words)
            pair.flags |= flags
            pair.saw(first // NS, last // NS)
        return pairs


FOREIGN = "of other interfaces"


def _uncompared(line: Line, known: set[str], window: Window) -> str:
    """Why a record of AWS's is not compared; nothing where it is."""
    if line.interface not in known:
        return FOREIGN
    if line.start is not None and line.end is not None and not window.touches(line.start, line.end, SLACK):
        return "outside the capture's time"
    if line.status != "OK":
        return "without a tuple" if line.status == "-" else line.status
    return ""


def _key(line: Line) -> Key:
    return line.interface, line.src, line.dst, line.src_port, line.dst_port, line.protocol


def _pair(pairs: dict[Key, Pair], key: Key) -> Pair:
    pair = pairs.get(key)
    if pair is None:
        pair = pairs[key] = Pair(*key)
    return pair


def _reverse(pair: Pair) -> Key:
    return pair.interface, pair.dst, pair.src, pair.dst_port, pair.src_port, pair.protocol
