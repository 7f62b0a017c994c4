"""Connections of one interface, one record a flow: who opened it, by which rule, how much passed.

Flows are numbered from 1 within an interface, so the number is the row. Everything is a scatter
over arrays: where an index comes twice, numpy keeps the last value written, which makes "last"
plain and "first" the same thing backwards.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conntrack.states import NEW, UNTRACKED
from firewall.rows import Judged
from firewall.verdict import ALLOW, DENY, NOT_EVALUATED
from pcaps.wire import SYN, TCP

FIRST_SIZE = 1024

#: One record a flow; record 0 is not used. Times are ns since 1970, bytes are IP lengths.
FLOW = np.dtype(
    [
        ("known", np.bool_),  # whether a row of this flow was met
        # of the flow's first row: the packet that opened it
        ("capture", np.int32),
        ("frame", np.int64),
        ("first_time", np.int64),
        ("direction", np.uint8),
        ("protocol", np.uint8),
        ("src_hi", np.uint64),
        ("src_lo", np.uint64),
        ("dst_hi", np.uint64),
        ("dst_lo", np.uint64),
        ("src_port", np.uint16),
        ("dst_port", np.uint16),
        ("rule", np.int32),
        ("untracked", np.bool_),  # every packet of it meets the rules
        ("midway", np.bool_),  # TCP whose handshake the capture does not hold
        # of all its rows
        ("last_time", np.int64),  # of the last packet allowed
        ("tcp_state", np.uint8),  # conntrack.tcp.STATES after the last row; 0: not TCP
        ("sent", np.int64),  # packets allowed in the opener's direction
        ("sent_bytes", np.int64),
        ("received", np.int64),  # packets allowed the other way
        ("received_bytes", np.int64),
        ("denied", np.int64),  # rows with the flow's tuple that were denied
        ("undecided", np.int64),  # and those that could not be judged
        ("errors", np.int64),  # ICMP errors that quote the flow, whatever their verdict
    ],
    align=True,
)
_FROM_VERDICTS = ("direction", "rule")
_FROM_PACKETS = ("capture", "frame", "protocol", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port")


class Flows:
    """The connections of one interface, growing as flows are met."""

    def __init__(self) -> None:
        self.count = 0
        self.table: NDArray[np.void] = np.zeros(FIRST_SIZE, FLOW)

    def add(self, judged: Judged, rows: NDArray[np.intp]) -> None:
        """Count the verdict rows named, all of this interface and with a flow, in packet order."""
        packets, verdicts = judged
        flow = verdicts.flow[rows]
        self._reserve(int(flow.max()) + 1)
        self._open(judged, rows, flow)
        table = self.table
        packet = verdicts.packet[rows]
        quoting = packets.quoted[packet] != 0
        allowed = (verdicts.verdict[rows] == ALLOW) & ~quoting
        forward = verdicts.direction[rows] == table["direction"][flow]
        length = packets.length[packet]
        for way, name in ((allowed & forward, "sent"), (allowed & ~forward, "received")):
            np.add.at(table[name], flow[way], 1)
            np.add.at(table[f"{name}_bytes"], flow[way], length[way])
        for way, name in ((DENY, "denied"), (NOT_EVALUATED, "undecided")):
            np.add.at(table[name], flow[(verdicts.verdict[rows] == way) & ~quoting], 1)
        np.add.at(table["errors"], flow[quoting], 1)
        table["last_time"][flow[allowed]] = packets.time[packet[allowed]]
        table["tcp_state"][flow] = verdicts.tcp_state[rows]

    def _open(self, judged: Judged, rows: NDArray[np.intp], flow: NDArray[np.int64]) -> None:
        """Write the first row of every flow not met before."""
        packets, verdicts = judged
        table = self.table
        fresh = ~table["known"][flow]
        if not fresh.any():
            return
        rows, flow = rows[fresh][::-1], flow[fresh][::-1]
        packet = verdicts.packet[rows]
        for name in _FROM_VERDICTS:
            table[name][flow] = getattr(verdicts, name)[rows]
        for name in _FROM_PACKETS:
            table[name][flow] = getattr(packets, name)[packet]
        table["untracked"][flow] = verdicts.ct_state[rows] == UNTRACKED
        opened_midway = (packets.protocol[packet] == TCP) & ((packets.tcp_flags[packet] & SYN) == 0)
        table["midway"][flow] = opened_midway & (verdicts.ct_state[rows] == NEW)
        table["first_time"][flow] = table["last_time"][flow] = packets.time[packet]
        table["known"][flow] = True
        self.count = int(np.count_nonzero(table["known"]))

    def _reserve(self, size: int) -> None:
        have = len(self.table)
        if size > have:
            more = np.zeros(max(size, 2 * have) - have, FLOW)
            self.table = np.concatenate([self.table, more])


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
