"""Verdict rows: what the engine says, one row for each packet and interface it was judged at.

Every packet has at least one row. A packet between two simulated interfaces has two: the sender's
egress, then the receiver's ingress.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.batch import PacketBatch, record_dtype


class VerdictBatch(NamedTuple):
    """Columns of equal length, in packet order."""

    packet: NDArray[np.int32]  # row of the packet batch
    eni: NDArray[np.int32]  # index in Firewall.interfaces; -1: no simulated interface
    direction: NDArray[np.uint8]  # firewall.verdict.DIRECTIONS
    verdict: NDArray[np.uint8]  # firewall.verdict.VERDICTS
    reason: NDArray[np.uint8]  # firewall.verdict.REASONS
    ct_state: NDArray[np.uint8]  # conntrack.states.CT_STATES
    tcp_state: NDArray[np.uint8]  # conntrack.tcp.STATES; 0: no TCP entry after the packet
    flow: NDArray[np.int64]  # from 1 within each interface; 0: no entry after the packet
    rule: NDArray[np.int32]  # index in Firewall.rules; -1: none; below -1: exempt service -2 - index

    @property
    def rows(self) -> int:
        """How many rows the batch holds."""
        return len(self.packet)

    def take(self, rows: NDArray[np.intp]) -> "VerdictBatch":
        """The rows named, copied."""
        return VerdictBatch._make(column[rows] for column in self)


class Judged(NamedTuple):
    """A batch of packets with its verdicts."""

    packets: PacketBatch
    verdicts: VerdictBatch


VERDICT = record_dtype(VerdictBatch.__annotations__)


def verdict_batch(records: NDArray[np.void]) -> VerdictBatch:
    """Rows of dtype VERDICT as columns, without copying."""
    return VerdictBatch(*(records[name] for name in VerdictBatch._fields))


def empty_verdicts(rows: int) -> VerdictBatch:
    """Columns of `rows` zeroed rows."""
    return verdict_batch(np.zeros(rows, VERDICT))


Replay = Iterator[Judged]
