"""Zeek's history of a connection: a letter for each kind of packet, in the order in which kinds were first met.

Upper case is the originator's, lower case the responder's. `A`, `D`, `I` and `Q` stand once for each
direction; `S`, `H`, `F` and `R` again where their sequence number differs from the one before of their
kind. UDP has `D` and `d` alone, other protocols have no history. Zeek's `C`, `G`, `T`, `W` and `^` are
not written: checksums and retransmissions are not looked at here, and no connection is turned round.
Source: the field `history` in https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.model import TCP, UDP
from firewall.rows import Judged
from pcaps.wire import ACK, FIN, RST, SYN

LONGEST = 24  # letters kept of a connection; behind them stands MORE
MORE = "+"


class Letter(NamedTuple):
    """One kind of packet; `again`: it is written again where its sequence number has changed."""

    letter: str
    meaning: str
    again: bool


LETTERS = (
    Letter("S", "SYN without ACK", True),
    Letter("H", "SYN with ACK", True),
    Letter("F", "FIN", True),
    Letter("R", "RST", True),
    Letter("A", "ACK alone: no data, no SYN, FIN or RST", False),
    Letter("D", "data", False),
    Letter("I", "FIN with RST", False),
    Letter("Q", "SYN with FIN or with RST", False),
)
S, H, F, R, A, D, I, Q = range(len(LETTERS))  # noqa: E741  (Zeek's letters)
NONE = len(LETTERS)
_WAYS = 2  # of the originator, of the responder
_AGAIN = np.array([row.again for row in LETTERS for _ in range(_WAYS)])
_BYTES = np.frombuffer("".join(row.letter + row.letter.lower() for row in LETTERS).encode(), np.uint8)


def _flag_letter(flags: int) -> int:
    """The letter of a segment's flags."""
    syn, fin, rst = flags & SYN, flags & FIN, flags & RST
    if syn and (fin or rst):
        return Q
    if fin and rst:
        return I
    if syn:
        return H if flags & ACK else S
    if rst:
        return R
    return F if fin else NONE


_FLAG_LETTERS = np.array([_flag_letter(flags) for flags in range(256)], np.uint8)
_PURE_ACK = np.array([flags & (SYN | FIN | RST | ACK) == ACK for flags in range(256)])

_HISTORY = np.dtype(
    [
        ("text", np.uint8, LONGEST),
        ("letters", np.uint8),  # as many as there are; LONGEST + 1: more than were kept
        ("seen", np.uint16),  # a bit for each letter and way
        ("seq", np.uint32, sum(row.again for row in LETTERS) * _WAYS),  # of the last packet of that letter and way
    ]
)


class Events(NamedTuple):
    """Letters that packets offer, in packet order: of equal lengths."""

    flow: NDArray[np.int64]
    order: NDArray[np.int64]
    mark: NDArray[np.int64]  # letter * 2 + way
    seq: NDArray[np.uint32]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Events":
        """The events named."""
        return Events._make(column[rows] for column in self)


class Histories:
    """The histories of one interface's connections, by flow number."""

    def __init__(self) -> None:
        self._table: NDArray[np.void] = np.zeros(1, _HISTORY)

    def add(self, judged: Judged, rows: NDArray[np.intp], forward: NDArray[np.bool_]) -> None:
        """Note verdict rows of this interface that have a flow, denied ones too, in packet order.

        `forward`: whether each goes the way of its connection's opener. ICMP errors offer no letter.
        """
        events = _offered(judged, rows, forward)
        if not len(events.flow):
            return
        self._reserve(int(events.flow.max()) + 1)
        table = self._table
        seen = table["seen"][events.flow] >> events.mark & 1 != 0
        events = events.take(~seen | _AGAIN[events.mark])
        if len(events.flow):
            self._append(self._new(events))

    def text(self, flow: int) -> str:
        """`ShADadFf`, nothing for a flow without letters."""
        return self.texts(np.array([flow]))[0]

    def texts(self, flows: NDArray[np.integer]) -> list[str]:
        """The histories of flows by their numbers."""
        known = flows < len(self._table)
        rows = self._table[np.where(known, flows, 0)]
        lengths = np.minimum(rows["letters"], LONGEST).tolist()
        more = (rows["letters"] > LONGEST).tolist()
        cells = rows["text"].tobytes().decode("ascii")
        return [
            cells[place * LONGEST : place * LONGEST + length] + (MORE if cut else "")
            for place, (length, cut) in enumerate(zip(lengths, more, strict=True))
        ]

    def _new(self, events: Events) -> Events:
        """Those that become letters; what was seen is noted."""
        table = self._table
        group = events.flow * len(_AGAIN) + events.mark
        by_group = np.argsort(group, kind="stable")
        events, group = events.take(by_group), group[by_group]
        starts = np.ones(len(group), np.bool_)
        starts[1:] = group[1:] != group[:-1]
        again = _AGAIN[events.mark]
        slot = np.where(again, events.mark, 0)
        before = np.roll(events.seq, 1)
        before[starts] = table["seq"][events.flow[starts], slot[starts]]
        met = ~starts | (table["seen"][events.flow] >> events.mark & 1 != 0)
        new = ~met | (again & (events.seq != before))
        ends = np.roll(starts, -1)  # the last event of each group: the first starts one, so the last ends one
        last = ends & again
        table["seq"][events.flow[last], slot[last]] = events.seq[last]
        np.bitwise_or.at(table["seen"], events.flow[starts], (1 << events.mark[starts]).astype(np.uint16))
        return events.take(new)

    def _append(self, events: Events) -> None:
        """Write letters behind those that their flows have."""
        in_order = np.lexsort((events.order, events.flow))
        events = events.take(in_order)
        starts = np.flatnonzero(np.diff(events.flow, prepend=-1))
        counts = np.diff(starts, append=len(events.flow))
        place = np.arange(len(events.flow)) - np.repeat(starts, counts)
        place += self._table["letters"][events.flow]
        room = place < LONGEST
        self._table["text"][events.flow[room], place[room]] = _BYTES[events.mark[room]]
        flows = events.flow[starts]
        self._table["letters"][flows] = np.minimum(self._table["letters"][flows] + counts, LONGEST + 1)

    def _reserve(self, size: int) -> None:
        have = len(self._table)
        if size > have:
            larger = np.zeros(max(size, 2 * have), _HISTORY)
            larger[:have] = self._table
            self._table = larger


def _offered(judged: Judged, rows: NDArray[np.intp], forward: NDArray[np.bool_]) -> Events:
    """The letters of these rows: first those of flags, then data or a lone ACK, at most two a packet."""
    packets, verdicts = judged
    row = verdicts.packet[rows]
    flags, protocol = packets.tcp_flags[row], packets.protocol[row]
    tcp = protocol == TCP
    first = np.where(tcp, _FLAG_LETTERS[flags], NONE)
    data = (protocol == UDP) | (tcp & (packets.payload[row] > 0) & (first != R))
    second = np.where(data, D, np.where(tcp & _PURE_ACK[flags], A, NONE))
    letters = np.stack([first, second], axis=1).astype(np.int64).ravel()
    place = np.flatnonzero(letters != NONE)
    of = place // 2
    return Events(
        verdicts.flow[rows][of],
        place,
        letters[place] * _WAYS + ~forward[of],
        packets.tcp_seq[row][of],
    )
