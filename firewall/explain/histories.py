"""Of every connection its first, its last and its closing packet, and the SYNs and UDP packets that were refused.

Numpy only: memory grows with connections and with what was refused, not with other packets.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.tcp import ENDED, STATES
from firewall.rows import Judged
from firewall.verdict import ALLOW, DENY, REASON_WORDS, RULE
from pcaps.batch import PacketBatch
from pcaps.wire import ACK, SYN, TCP, UDP

ENDED_CODES = [STATES.index(word) for word in ENDED]
FIRST_SIZE = 1 << 10
PLACE = [("capture", np.int32), ("frame", np.int64), ("time", np.int64)]
HISTORY = np.dtype(
    [
        ("first", PLACE),
        ("last", PLACE),  # of those that were allowed
        ("closing", PLACE),  # that led to TIME_WAIT or CLOSE; frame 0: none
        ("midway", np.bool_),  # TCP that was opened without a SYN
    ]
)


class At(NamedTuple):
    """A packet by its capture's number and its frame, with its time (ns)."""

    capture: int
    frame: int
    time: int


class History(NamedTuple):
    """Packets of one connection, as far as the replay came."""

    first: At
    last: At
    closing: At | None
    midway: bool


class Histories:
    """Grows while batches are added; flows are numbered from 1 within an interface."""

    def __init__(self, interfaces: int) -> None:
        self._tables: list[NDArray[np.void]] = [np.zeros(FIRST_SIZE, HISTORY) for _ in range(interfaces)]

    def add(self, judged: Judged) -> None:
        """Note the packets of a batch; batches come in packet order."""
        packets, verdicts = judged
        touching = (verdicts.flow > 0) & (verdicts.eni >= 0) & (packets.quoted[verdicts.packet] == 0)
        for eni in np.unique(verdicts.eni[touching]).tolist():
            rows = np.flatnonzero(touching & (verdicts.eni == eni))
            self._reserve(eni, int(verdicts.flow[rows].max()) + 1)
            self._note(self._tables[eni], judged, rows)

    def _note(self, table: NDArray[np.void], judged: Judged, rows: NDArray[np.intp]) -> None:
        """Where an index comes twice numpy keeps the last value written: the first is the same thing backwards."""
        packets, verdicts = judged
        flow, packet = verdicts.flow[rows], verdicts.packet[rows]
        fresh = np.flatnonzero(table["first"]["frame"][flow] == 0)[::-1]
        _place(table, "first", flow[fresh], packets, packet[fresh])
        no_syn = (packets.protocol[packet] == TCP) & ((packets.tcp_flags[packet] & SYN) == 0)
        table["midway"][flow[fresh]] = no_syn[fresh] & (verdicts.reason[rows][fresh] == RULE)
        allowed = np.flatnonzero(verdicts.verdict[rows] == ALLOW)
        _place(table, "last", flow[allowed], packets, packet[allowed])
        ended = np.isin(verdicts.tcp_state[rows], ENDED_CODES)
        closing = np.flatnonzero(ended & (table["closing"]["frame"][flow] == 0))[::-1]
        _place(table, "closing", flow[closing], packets, packet[closing])

    def _reserve(self, eni: int, size: int) -> None:
        have = len(self._tables[eni])
        if size > have:
            self._tables[eni] = np.concatenate([self._tables[eni], np.zeros(max(size - have, have), HISTORY)])

    def of(self, eni: int, flow: int) -> History | None:
        """What is known of a connection; None where no packet of it was noted."""
        if not 0 <= eni < len(self._tables) or flow >= len(self._tables[eni]):
            return None
        row = self._tables[eni][flow]
        first, last, closing = (At(*(int(part) for part in row[name])) for name in ("first", "last", "closing"))
        if not first.frame:
            return None
        return History(first, last, closing if closing.frame else None, bool(row["midway"]))


def _place(
    table: NDArray[np.void],
    name: str,
    flow: NDArray[np.int64],
    packets: PacketBatch,
    packet: NDArray[np.int32],
) -> None:
    for column in ("capture", "frame", "time"):
        table[name][column][flow] = getattr(packets, column)[packet]


# --- what was refused --------------------------------------------------------------------------------------
MOST_REFUSED = 1_000_000  # packets: 64 MB
ENDS = ("src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port")
TURNED = ("dst_hi", "dst_lo", "src_hi", "src_lo", "dst_port", "src_port")


class Refusal(NamedTuple):
    """A packet that was denied, and why."""

    at: At
    reason: str


class Refused:
    """The SYNs and UDP packets that were denied, at most MOST_REFUSED."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.void], NDArray[np.uint8]]] = []
        self._count = 0

    def add(self, judged: Judged) -> None:
        """Note what a batch has of them."""
        packets, verdicts = judged
        denied = np.flatnonzero(verdicts.verdict == DENY)
        packet = verdicts.packet[denied]
        protocol = packets.protocol[packet]
        opening = ((protocol == TCP) & opens(packets.tcp_flags[packet])) | (protocol == UDP)
        rows = denied[opening][: MOST_REFUSED - self._count]
        if len(rows):
            names = [*ENDS, "protocol", "capture", "frame", "time"]
            records: NDArray[np.void] = packets.records[names][verdicts.packet[rows]]
            self._parts.append((records.copy(), verdicts.reason[rows]))
            self._count += len(rows)

    def before(self, record: Any) -> Refusal | None:
        """The last that was refused between a packet's ends and ports: whoever sent it, of UDP what it answers."""
        for records, reasons in reversed(self._parts):
            ways = (TURNED,) if record["protocol"] == UDP else (ENDS, TURNED)
            same = np.logical_or.reduce([_all_same(records, record, names) for names in ways])
            rows = np.flatnonzero(same & (records["protocol"] == record["protocol"]))
            if len(rows):
                found = records[rows[-1]]
                at = At(int(found["capture"]), int(found["frame"]), int(found["time"]))
                return Refusal(at, REASON_WORDS[reasons[rows[-1]]])
        return None


def _all_same(records: NDArray[np.void], record: Any, names: tuple[str, ...]) -> NDArray[np.bool_]:
    same = [records[end] == record[name] for end, name in zip(ENDS, names, strict=True)]
    found: NDArray[np.bool_] = np.logical_and.reduce(same)
    return found


def opens(flags: Any) -> Any:
    """Whether flags are those of a SYN."""
    return (flags & (SYN | ACK)) == SYN
