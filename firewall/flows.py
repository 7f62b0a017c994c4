"""Connections of one interface, one record a flow: who opened it, by which rule, how much passed.

Flows are numbered from 1 within an interface, so the number is the row.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firewall.rows import Judged
from firewall.tally import count_flows

FIRST_SIZE = 1024
GROWTH = 8  # times as many: what is not used yet takes addresses, but no memory

#: One record a flow; record 0 is not used. Times are ns since 1970, bytes are IP lengths.
FLOW = np.dtype(
    [
        # of all its rows
        ("last_time", np.int64),  # of the last packet allowed
        ("sent", np.int64),  # packets allowed in the opener's direction
        ("sent_bytes", np.int64),
        ("received", np.int64),  # packets allowed the other way
        ("received_bytes", np.int64),
        ("denied", np.int64),  # rows with the flow's tuple that were denied
        ("undecided", np.int64),  # and those that could not be judged
        ("errors", np.int64),  # ICMP errors that quote the flow, whatever their verdict
        ("known", np.bool_),  # whether a row of this flow was met
        ("tcp_state", np.uint8),  # conntrack.tcp.STATES after the last row; 0: not TCP
        # of the flow's first row: the packet that opened it
        ("direction", np.uint8),
        ("protocol", np.uint8),
        ("capture", np.int32),
        ("frame", np.int64),
        ("first_time", np.int64),
        ("src_hi", np.uint64),
        ("src_lo", np.uint64),
        ("dst_hi", np.uint64),
        ("dst_lo", np.uint64),
        ("src_port", np.uint16),
        ("dst_port", np.uint16),
        ("rule", np.int32),
        ("untracked", np.bool_),  # every packet of it meets the rules
        ("midway", np.bool_),  # TCP whose handshake the capture does not hold
    ],
    align=True,
)


class Flows:
    """The connections of one interface, growing as flows are met."""

    def __init__(self) -> None:
        self.count = 0
        self.table: NDArray[np.void] = np.zeros(FIRST_SIZE, FLOW)

    def add(self, judged: Judged, eni: int, highest: int) -> None:
        """Count the rows of interface `eni`, in packet order; `highest` is the highest flow number of them."""
        self._reserve(highest + 1)
        self.count += count_flows(judged.packets.records, judged.verdicts.records, eni, self.table)

    def _reserve(self, size: int) -> None:
        have = len(self.table)
        if size > have:
            larger = np.zeros(max(size, GROWTH * have), FLOW)
            larger[:have].view(np.uint8)[:] = self.table.view(np.uint8)  # numpy copies records field by field
            self.table = larger


def largest(flows: Sequence[Flows], limit: int | None) -> list[tuple[int, int]]:
    """(interface index, flow number) of the connections with most packets, at most `limit`; ties by number."""
    found = []
    for eni, each in enumerate(flows):
        numbers = np.flatnonzero(each.table["known"])
        packets = each.table["sent"][numbers] + each.table["received"][numbers]
        order = np.lexsort((numbers, -packets))[:limit]
        pairs = zip(packets[order].tolist(), numbers[order].tolist(), strict=True)
        found += [(-count, eni, number) for count, number in pairs]
    return [(eni, number) for _, eni, number in sorted(found)[:limit]]
