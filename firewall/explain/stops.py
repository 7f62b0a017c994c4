"""A capture that is cut before and behind some of its packets, so that the table can be read there."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from conntrack.table import FREE
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.model import RuleSet
from pcaps.batch import PacketBatch
from pcaps.capture import Capture

Target = tuple[int, int]  # capture by its number, frame


@dataclass
class Stop:
    """One packet as it was read, and the entries between its ends before it and behind it.

    Entries are records of dtype conntrack.table.ENTRY, those that timed out too; `clock` is the latest time before
    the packet (ns).
    """

    packets: PacketBatch
    before: NDArray[np.void]
    clock: int
    after: NDArray[np.void] | None = None
    in_force: RuleSet | None = None

    def leave(self, firewall: Firewall) -> None:
        """Read what the packet left, once."""
        if self.after is None:
            self.after = entries_between(firewall.entries, self.packets)
            self.in_force = firewall.in_force


def stop_at(firewall: Firewall, packets: PacketBatch) -> Stop:
    """Read what one packet will find."""
    return Stop(packets, entries_between(firewall.entries, packets), firewall.clock)


def entries_between(entries: NDArray[np.void], packets: PacketBatch) -> NDArray[np.void]:
    """The entries, copied, whose ends are those of a packet, of what it quotes, or of what a tunnel carries."""
    records = packets.records if packets.inner is None else np.concatenate([packets.records, packets.inner.records])
    found = np.zeros(len(entries), np.bool_)
    for record in records:
        for which in ("", "quoted_")[: 1 + int(record["quoted"])]:
            forth = _same(entries, "a", record, f"{which}src") & _same(entries, "b", record, f"{which}dst")
            back = _same(entries, "a", record, f"{which}dst") & _same(entries, "b", record, f"{which}src")
            found |= (forth | back) & (entries["protocol"] == record[f"{which}protocol"])
    between: NDArray[np.void] = entries[found & (entries["use"] != FREE)].copy()
    return between


def _same(entries: Any, end: str, record: Any, other: str) -> Any:
    return (entries[f"{end}_hi"] == record[f"{other}_hi"]) & (entries[f"{end}_lo"] == record[f"{other}_lo"])


class Stops:
    """A capture's batches with a batch of its own for each packet of `wanted`; see pcaps.capture.Capture."""

    def __init__(self, capture: Capture, firewall: Firewall, wanted: Collection[Target]) -> None:
        self._capture = capture
        self._firewall = firewall
        self._wanted = set(wanted)
        self._highest: dict[int, int] = {}
        for number, frame in wanted:
            self._highest[number] = max(frame, self._highest.get(number, 0))
        self.names = capture.names
        self.warnings = capture.warnings
        self.bytes_total = capture.bytes_total
        self.stops: dict[Target, Stop] = {}

    @property
    def packets(self) -> int:
        """See Capture."""
        return self._capture.packets

    @property
    def filtered_out(self) -> int:
        """See Capture."""
        return self._capture.filtered_out

    @property
    def bytes_read(self) -> int:
        """See Capture."""
        return self._capture.bytes_read

    @property
    def interface_names(self) -> Sequence[Mapping[int, str]]:
        """What the capture knows of them by now."""
        names: Sequence[Mapping[int, str]] = getattr(self._capture, "interface_names", ())
        return names

    @property
    def missing(self) -> list[Target]:
        """The wanted packets that were not met."""
        return sorted(self._wanted - self.stops.keys())

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture. Raises UsageError behind a wanted packet that is not among them."""
        for packets in self._capture.batches():
            start = 0
            for row in self._rows(packets):
                if row > start:
                    yield packets.slice(start, row)
                one = packets.slice(row, row + 1)
                stop = self.stops[int(one.capture[0]), int(one.frame[0])] = stop_at(self._firewall, one)
                yield one
                stop.leave(self._firewall)
                start = row + 1
            if start < packets.rows:
                yield packets.slice(start, packets.rows)
            self._check_passed(packets)

    def _rows(self, packets: PacketBatch) -> list[int]:
        rows: list[int] = []
        for number in self._highest:
            frames = [frame for capture, frame in self._wanted if capture == number]
            rows += np.flatnonzero((packets.capture == number) & np.isin(packets.frame, frames)).tolist()
        return sorted(rows)

    def _check_passed(self, packets: PacketBatch) -> None:
        for number, frame in self.missing:
            passed = packets.frame[packets.capture == number].max(initial=0)
            if passed > frame:
                raise UsageError(f"--packet {frame}: --filter leaves this packet out")

    def close(self) -> None:
        """The capture closes itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
