"""One reading of a capture that is held in memory: every verdict row, and the firewall as it was before any packet."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from conntrack.table import FREE
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.explain.histories import Histories, Refused
from firewall.explain.stops import Stop, stop_at
from firewall.labels import Labels
from firewall.rows import Judged, VerdictBatch, empty_verdicts, join_verdicts
from pcaps.accelerate import engine
from pcaps.batch import PacketBatch, concatenate, empty_batch
from pcaps.capture import Capture

EVERY = {"compiled": 2048, "interpreted": 128}  # packets between two kept firewalls: judging them takes milliseconds
MOST_KEPT = 128 << 20  # bytes of tables in the kept firewalls of one reading; above it every second one is let go


class Held:
    """A capture's packets in memory, to be read several times; see pcaps.capture.Capture.

    `pulse` is called before every batch, as it is read and as it is judged; what it raises ends the work.
    Raises UsageError where there are more than `most`, and says `because`.
    """

    def __init__(self, capture: Capture, most: int, because: str, pulse: Callable[[], None] = lambda: None) -> None:
        self._pulse = pulse
        found, rows = [], 0
        for packets in capture.batches():
            pulse()
            rows += packets.rows
            if rows > most:
                raise UsageError(
                    f"the capture has more than {most:,} packets, and {because}:"
                    " choose some with --filter, or cut the file"
                )
            found.append(packets)
        self.all = concatenate(found) if found else empty_batch(0)
        self.names = capture.names
        self.warnings = list(capture.warnings)
        self.packets, self.filtered_out = capture.packets, capture.filtered_out
        self.bytes_total, self.bytes_read = capture.bytes_total, capture.bytes_read
        names: Sequence[Mapping[int, str]] = getattr(capture, "interface_names", ())
        self.interface_names = tuple(dict(each) for each in names)
        self.before: Callable[[int], None] = lambda _: None

    def batches(self) -> Iterator[PacketBatch]:
        """Batches of EVERY packets; `before` is called with the number of packets that were judged by then."""
        step = EVERY[engine()]
        for start in range(0, self.all.rows, step):
            self._pulse()
            self.before(start)
            yield self.all.slice(start, min(start + step, self.all.rows))

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Snapshot(NamedTuple):
    """The table at a moment: records of dtype conntrack.table.ENTRY, those that are free too, and the clock (ns)."""

    entries: NDArray[np.void]
    clock: int


class Met(NamedTuple):
    """One packet met: the firewall behind it, what it found and left, and the whole table before and behind it.

    Good until the next packet is met: `after` is the firewall's own table.
    """

    firewall: Firewall
    stop: Stop
    before: Snapshot
    after: Snapshot


def snapshot(firewall: Firewall) -> Snapshot:
    """The table as it is now, copied but for what is free."""
    entries = firewall.entries
    return Snapshot(entries[entries["use"] != FREE], firewall.clock)


class Track:
    """A capture judged once; `firewall` must be new. Rows are numbered from 0, and so are packets."""

    def __init__(self, firewall: Firewall, held: Held) -> None:
        self._held = held
        self.kept: list[tuple[int, Firewall]] = []  # with how many packets each has judged
        self._keep(0, firewall)
        held.before = lambda row: self._keep(row, firewall) if row else None
        judged = list(firewall.replay(held))
        held.before = lambda _: None
        self.firewall = firewall
        self.labels = Labels.of(firewall, held.names)
        self.packets = concatenate([each.packets for each in judged]) if judged else empty_batch(0)
        self.verdicts = _joined(judged)
        self.first = np.searchsorted(self.verdicts.packet, np.arange(self.packets.rows + 1))
        self._cursor = 0, self.kept[0][1].fork()
        self._met: tuple[int, Met] | None = None

    @property
    def judged(self) -> Judged:
        """All packets with all rows."""
        return Judged(self.packets, self.verdicts)

    def rows_of(self, packet: int) -> slice:
        """The verdict rows of one packet."""
        return slice(int(self.first[packet]), int(self.first[packet + 1]))

    def one(self, packet: int) -> Judged:
        """One packet with its rows."""
        records = self.verdicts.records[self.rows_of(packet)].copy()
        records["packet"] = 0
        return Judged(self.packets.slice(packet, packet + 1), VerdictBatch(records))

    def known(self, packet: int) -> tuple[Histories, Refused]:
        """What the packets before this one were."""
        histories, refused = Histories(len(self.firewall.interfaces)), Refused()
        stop = int(self.first[packet])
        if stop:
            prefix = Judged(self.packets.slice(0, packet), VerdictBatch(self.verdicts.records[:stop]))
            histories.add(prefix)
            refused.add(prefix)
        return histories, refused

    def meet(self, packet: int) -> Met:
        """Judge one packet again, on a table as it was before it."""
        if self._met is not None and self._met[0] == packet:
            return self._met[1]
        firewall = self._at(packet)
        one = self._held.all.slice(packet, packet + 1)
        stop, before = stop_at(firewall, one), snapshot(firewall)
        firewall.judge_batch(one, self._held.names, self._held.interface_names)
        stop.leave(firewall)
        self._cursor = packet + 1, firewall
        met = Met(firewall, stop, before, Snapshot(firewall.entries, firewall.clock))
        self._met = packet, met
        return met

    def _at(self, packet: int) -> Firewall:
        """A firewall that has judged what comes before a packet."""
        place, kept = self.kept[bisect_right(self.kept, packet, key=lambda each: each[0]) - 1]
        position, firewall = self._cursor
        if not place <= position <= packet:
            position, firewall = place, kept.fork()
        if position < packet:
            between = self._held.all.slice(position, packet)
            firewall.judge_batch(between, self._held.names, self._held.interface_names)
        return firewall

    def _keep(self, row: int, firewall: Firewall) -> None:
        self.kept.append((row, firewall.fork()))
        if sum(each.entries.nbytes for _, each in self.kept) > MOST_KEPT:
            self.kept = self.kept[::2]


def _joined(judged: Sequence[Judged]) -> VerdictBatch:
    """The rows of all batches; packets are numbered through."""
    found, start = [], 0
    for packets, verdicts in judged:
        found.append(verdicts.renumbered(verdicts.packet + start))
        start += packets.rows
    return join_verdicts(found) if found else empty_verdicts(0)
