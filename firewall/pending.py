"""Rows that wait: the verdict of a fragment is that of its datagram, which may become whole later.

A batch waits until no datagram of it is open, and with it the batches behind it, so that rows keep
their order. The wait is bounded: it ends when the datagram's time is over, or by what waits.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from conntrack.fragments import Datagram, Fate, Reassembly
from firewall import verdict
from firewall.rows import Judged, VerdictBatch
from pcaps.batch import PACKET, TRUNCATED, PacketBatch

MAX_WAITING_PACKETS = 1 << 20  # about 256 MiB of columns
MAX_WAITING_BYTES = 256 << 20  # what the fragments among them carry

Member = tuple[int, Datagram]

_READ_BEHIND_IP = {"protocol", "src_port", "dst_port", "icmp_id", "extra", "sctp_chunks"}
#: What a fragment's record takes over from the whole: what stands behind the IP header.
TRANSPORT = tuple(name for name in PACKET.names or () if name in _READ_BEHIND_IP or name.startswith(("tcp_", "quoted")))


class Waiting:
    """A judged batch: its packets, its verdict rows, and the rows that are fragments, with their datagrams."""

    def __init__(self, packets: PacketBatch, rows: NDArray[np.void], members: Sequence[Member]) -> None:
        self.packets = packets
        self.rows = rows
        self.members = members
        self.bytes = sum(len(piece.data) for piece in packets.pieces.values())

    @property
    def open(self) -> bool:
        """True if a fragment's verdict is not known yet."""
        return any(datagram.fate is Fate.OPEN for _, datagram in self.members)

    def _places(self, members: Sequence[Member]) -> Iterator[tuple[int, Datagram, slice]]:
        """Each member with the place of its verdict rows."""
        if not members:
            return
        packet = np.ascontiguousarray(self.rows["packet"])
        numbers = [row for row, _ in members]
        starts = np.searchsorted(packet, numbers, side="left").tolist()
        stops = np.searchsorted(packet, numbers, side="right").tolist()
        for (row, datagram), start, stop in zip(members, starts, stops, strict=True):
            yield row, datagram, slice(start, stop)

    def answer(self, whole: Sequence[Member]) -> None:
        """Tell the datagrams that became whole here what was said of them."""
        for _, datagram, place in self._places(whole):
            datagram.answer = self.rows[place].copy()
            if datagram.packet["status"] == TRUNCATED:
                say_truncated(datagram.answer)

    def settled(self) -> Judged:
        """The batch; what datagrams were answered stands at all their fragments that are here."""
        told = [(row, datagram) for row, datagram in self.members if datagram.answer is not None]
        if not told:
            return Judged(self.packets, VerdictBatch(self.rows))
        records, rows = self.packets.records.copy(), self.rows.copy()
        for row, datagram, place in self._places(told):
            rows[place] = fitted(datagram.answer, place.stop - place.start)
            rows["packet"][place] = row
            if datagram.packet["status"] != TRUNCATED:
                for name in TRANSPORT:
                    records[name][row] = datagram.packet[name]
        packets = PacketBatch(records, self.packets.pieces, self.packets.inner, self.packets.macs)
        return Judged(packets, VerdictBatch(rows))


def fitted(answer: NDArray[np.void] | None, count: int) -> NDArray[np.void]:
    """As many rows as the fragment has by itself: the two readings of a comparison stay side by side."""
    if answer is None:
        raise ValueError("a datagram without an answer")
    return answer[np.minimum(np.arange(count), len(answer) - 1)]


def say_truncated(rows: NDArray[np.void]) -> None:
    """Of a datagram whose transport header was not captured nothing can be said."""
    rows["reason"] = verdict.TRUNCATED
    rows["verdict"] = verdict.REASON_VERDICTS[verdict.TRUNCATED]
    rows["direction"] = verdict.NO_DIRECTION
    rows["eni"] = -1


class Pending:
    """The batches that wait, the oldest first."""

    def __init__(self, reassembly: Reassembly) -> None:
        self._reassembly = reassembly
        self._waiting: deque[Waiting] = deque()
        self._packets = 0
        self._bytes = 0

    def add(self, batch: Waiting) -> Iterator[Judged]:
        """Take a batch; gives back those that need not wait any more."""
        self._waiting.append(batch)
        self._packets += batch.packets.rows
        self._bytes += batch.bytes
        while self._waiting and (self._too_much or not self._waiting[0].open):
            yield self._first()

    @property
    def _too_much(self) -> bool:
        return self._packets > MAX_WAITING_PACKETS or self._bytes > MAX_WAITING_BYTES

    def _first(self) -> Judged:
        """The oldest batch; a datagram of it that is still open is given up."""
        batch = self._waiting.popleft()
        self._packets -= batch.packets.rows
        self._bytes -= batch.bytes
        for _, datagram in batch.members:
            self._reassembly.give_up(datagram)
        return batch.settled()

    def rest(self) -> Iterator[Judged]:
        """All that waits: nothing follows, so what is open stays incomplete."""
        self._reassembly.end()
        while self._waiting:
            yield self._first()
