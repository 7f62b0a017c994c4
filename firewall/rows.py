"""Verdict rows: what the engine says, one row for each packet and interface it was judged at.

Every packet has at least one row. A packet between two simulated interfaces has two: the sender's
egress, then the receiver's ingress.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.batch import PacketBatch, RecordColumns, concatenate, joined_records, record_dtype

Row = Any  # one record of dtype VERDICT, as kernels see it: row["eni"]


class VerdictBatch(RecordColumns):
    """Verdict rows as columns, in packet order. `records` has dtype VERDICT."""

    packet: NDArray[np.int32]  # row of the packet batch
    eni: NDArray[np.int32]  # index in Firewall.interfaces; -1: no simulated interface
    direction: NDArray[np.uint8]  # firewall.verdict.DIRECTIONS
    verdict: NDArray[np.uint8]  # firewall.verdict.VERDICTS
    reason: NDArray[np.uint8]  # firewall.verdict.REASONS
    ct_state: NDArray[np.uint8]  # conntrack.states.CT_STATES
    tcp_state: NDArray[np.uint8]  # conntrack.tcp.STATES; 0: no TCP entry after the packet
    flow: NDArray[np.int64]  # from 1 within each interface; 0: no entry after the packet
    rule: NDArray[np.int32]  # index in Firewall.rules; -1: none; below -1: exempt service -2 - index

    def take(self, rows: NDArray[np.intp]) -> "VerdictBatch":
        """The rows named, copied."""
        return VerdictBatch(self.records[rows])

    def renumbered(self, packet: NDArray[np.int32]) -> "VerdictBatch":
        """A copy whose rows belong to other packet rows."""
        records = self.records.copy()
        records["packet"] = packet
        return VerdictBatch(records)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """The columns."""
        return (self.records[name] for name in VERDICT_COLUMNS)


class Judged(NamedTuple):
    """A batch of packets with its verdicts."""

    packets: PacketBatch
    verdicts: VerdictBatch


VERDICT_COLUMNS = tuple(VerdictBatch.__annotations__)
VERDICT = record_dtype(VerdictBatch.__annotations__)


def join_verdicts(batches: Sequence[VerdictBatch]) -> VerdictBatch:
    """One batch of all rows, in order."""
    return VerdictBatch(joined_records([batch.records for batch in batches]))


def take_rows(judged: Judged, rows: NDArray[np.intp]) -> Judged:
    """The verdict rows named, each with a packet row of its own, copied."""
    verdicts = judged.verdicts.take(rows)
    packets = judged.packets.take(verdicts.packet.astype(np.intp))
    verdicts.records["packet"] = np.arange(len(rows))
    return Judged(packets, verdicts)


def join_all(taken: Sequence[Judged]) -> Judged:
    """Batches made by take_rows, as one."""
    packets = concatenate([each.packets for each in taken])
    verdicts = join_verdicts([each.verdicts for each in taken])
    verdicts.records["packet"] = np.arange(packets.rows)
    return Judged(packets, verdicts)


def empty_verdicts(rows: int) -> VerdictBatch:
    """Columns of `rows` zeroed rows."""
    return VerdictBatch(np.zeros(rows, VERDICT))


Replay = Iterator[Judged]
