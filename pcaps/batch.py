"""PacketBatch: packets as columns, one row a packet, always.

Addresses are two uint64, the high and the low half; IPv4 stands as IPv4-mapped IPv6 (RFC 4291
section 2.5.5.2). Time is int64 nanoseconds since 1970. A packet is named by its capture and its
frame number, from 1, as Wireshark shows it.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

BATCH_ROWS = 1 << 12

Packet = Any  # one record of dtype PACKET, as kernels see it: p["src_port"]

# --- decode status: what could be read of a packet -------------------------------------------------
OK = 0  # every header that tracking needs was read
NOT_IP = 1  # ARP, LLDP, ...: no IP header behind the link layer
TRUNCATED = 2  # the snap length cut a header that is needed
MALFORMED = 3  # the IP header itself cannot be read
UNSUPPORTED_LINK = 4  # no decoder for this link type
BAD_TRANSPORT = 5  # IP is fine, the TCP, UDP, SCTP or ICMP header behind it cannot be
NO_TRANSPORT = 6  # IP is fine, but no transport header can be found (IPv6 "no next header", RFC 8200 4.7)

STATUS_NAMES = (
    "ok",
    "not-ip",
    "truncated",
    "malformed",
    "unsupported-link",
    "bad-transport",
    "no-transport",
)

# --- `way`: pcapng's epb_flags, the packet type of Linux cooked captures ------------------------------
UNSTATED, INBOUND, OUTBOUND = 0, 1, 2

# --- `tcp_wscale` when a segment has no window scale option ----------------------------------------
NO_WSCALE = 255

# --- `fragment_id` of a packet that is no fragment ---------------------------------------------------
NOT_A_FRAGMENT = -1

# --- the high half of an IPv4-mapped address is 0; the low half starts with these bits ---------------
IPV4_PREFIX = 0x0000_FFFF_0000_0000


class Piece(NamedTuple):
    """What a fragment carries of its datagram, as far as it was captured.

    `next_header` is the protocol of an IPv4 header, the Next Header of an IPv6 Fragment header.
    """

    next_header: int
    data: bytes


class Inner(NamedTuple):
    """Packets that others carry in VXLAN or GENEVE, one entry each; there is at least one.

    `records` and `pieces` are to each other as in a batch. An entry has frame, time, capture and interface of
    the packet around it, and the lengths of the inner frame.
    """

    rows: NDArray[np.int64]  # of the packets around them, ascending
    records: NDArray[np.void]  # PACKET
    pieces: dict[int, Piece]  # of the entries that are fragments, by entry
    vni: NDArray[np.int64]  # network identifier: VXLAN's, the innermost one, else GENEVE's
    outer_src_hi: NDArray[np.uint64]  # addresses of the outermost packet
    outer_src_lo: NDArray[np.uint64]
    outer_dst_hi: NDArray[np.uint64]
    outer_dst_lo: NDArray[np.uint64]
    kind: NDArray[np.uint8]  # pcaps.tunnel's VXLAN, GENEVE, or both bits
    macs: NDArray[np.uint64] | None  # [k, 2]: inner source and destination, 48 bits; 0 without Ethernet

    def moved(self, entries: NDArray[np.intp], rows: NDArray[np.int64]) -> "Inner | None":
        """Entries of this one, copied, at `rows` of another batch; None for no entries."""
        if not len(entries):
            return None
        copies = (None if column is None else column[entries] for column in self[3:])
        return Inner._make((rows, self.records[entries], _moved_pieces(self.pieces, entries), *copies))


class RecordColumns:
    """Columns of equal length that are views of one array of records, made when they are first asked for.

    Kernels work record by record, which touches a few cache lines a row instead of forty, everything else by
    column.
    """

    def __init__(self, records: NDArray[np.void]) -> None:
        self.records = records

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name == "records" or name not in (self.records.dtype.names or ()):
            raise AttributeError(f"{type(self).__name__!r} has no column {name!r}")
        column: NDArray[Any] = self.records[name]
        self.__dict__[name] = column
        return column

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.records)


class PacketBatch(RecordColumns):
    """Packets as columns. Widths are the wire's; kernels widen to int64 on load. `records` has dtype PACKET.

    `pieces` has the bytes of the rows that are fragments, by row: the only bytes that outlive reading.
    `inner` has the packets that rows carry in a tunnel, None where no row does. `macs`, uint64[rows, 2], has the
    link addresses where they were asked for: source, destination, 48 bits each, 0 where the frame shows none.
    """

    capture: NDArray[np.int32]  # index of the file in the order given
    frame: NDArray[np.int64]  # number in that file, from 1
    time: NDArray[np.int64]  # ns since 1970
    interface: NDArray[np.int32]  # pcapng interface, else 0
    caplen: NDArray[np.int32]  # bytes in the file
    wirelen: NDArray[np.int64]  # bytes on the wire

    way: NDArray[np.uint8]  # what the capture itself says of the direction: UNSTATED, INBOUND or OUTBOUND
    status: NDArray[np.uint8]  # one of the decode statuses above
    family: NDArray[np.uint8]  # 4, 6; 0 where no IP header was read
    protocol: NDArray[np.uint8]  # IANA number behind all extension headers
    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    src_port: NDArray[np.uint16]  # TCP, UDP, UDP-Lite, SCTP, DCCP; ICMP type
    dst_port: NDArray[np.uint16]  # the same; ICMP code
    length: NDArray[np.int64]  # IP length, header included (RFC 791 total length; 40 + RFC 8200 payload length)
    hop_limit: NDArray[np.uint8]  # TTL or hop limit
    bad_ip_checksum: NDArray[np.uint8]  # 1: the IPv4 header checksum is wrong
    bad_checksum: NDArray[np.uint8]  # 1: the transport checksum is wrong; 0 also where it was not verified
    traffic_class: NDArray[np.uint8]  # IPv4 type of service, IPv6 traffic class: DSCP and ECN

    fragment_id: NDArray[np.int64]  # identification; NOT_A_FRAGMENT where it is none
    fragment_offset: NDArray[np.int32]  # bytes
    fragment_more: NDArray[np.uint8]  # more fragments follow
    payload_at: NDArray[np.int32]  # of a fragment: from the frame's start to what it carries of its datagram

    tcp_flags: NDArray[np.uint8]  # CWR ECE URG ACK PSH RST SYN FIN, RFC 9293 section 3.1
    tcp_seq: NDArray[np.uint32]
    tcp_ack: NDArray[np.uint32]
    tcp_window: NDArray[np.uint16]  # as on the wire, unscaled
    tcp_wscale: NDArray[np.uint8]  # RFC 7323 shift, NO_WSCALE where the option is absent
    tcp_sack_permitted: NDArray[np.uint8]  # RFC 2018
    tcp_has_options: NDArray[np.uint8]  # 1: there are options, of whatever kind
    tcp_sack: NDArray[np.uint32]  # right-most SACK edge, or tcp_ack where there is none
    payload: NDArray[np.int64]  # bytes behind the TCP header, by IP length; of a fragment: from payload_at on

    icmp_id: NDArray[np.uint16]  # identifier of an ICMP query
    extra: NDArray[np.uint32]  # SCTP verification tag; GRE flags, version and protocol
    sctp_chunks: NDArray[np.uint64]  # codes of pcaps.sctp_header, 4 bits each
    sctp_init_tag: NDArray[np.uint32]  # of an INIT or INIT ACK

    # The packet that an ICMP error quotes: a tuple that conntrack can look up, or quoted = 0.
    quoted: NDArray[np.uint8]
    quoted_protocol: NDArray[np.uint8]
    quoted_src_hi: NDArray[np.uint64]
    quoted_src_lo: NDArray[np.uint64]
    quoted_dst_hi: NDArray[np.uint64]
    quoted_dst_lo: NDArray[np.uint64]
    quoted_src_port: NDArray[np.uint16]
    quoted_dst_port: NDArray[np.uint16]
    quoted_icmp_id: NDArray[np.uint16]

    def __init__(
        self,
        records: NDArray[np.void],
        pieces: dict[int, Piece] | None = None,
        inner: Inner | None = None,
        macs: NDArray[np.uint64] | None = None,
    ) -> None:
        super().__init__(records)
        self.pieces: dict[int, Piece] = {} if pieces is None else pieces
        self.inner = inner
        self.macs = macs

    def slice(self, start: int, stop: int) -> "PacketBatch":
        """Rows start to stop, as views."""
        if start == 0 and stop == self.rows:
            return self
        pieces = {row - start: piece for row, piece in self.pieces.items() if start <= row < stop}
        inner = self.inner
        if inner is not None:
            entries = np.flatnonzero((inner.rows >= start) & (inner.rows < stop))
            inner = inner.moved(entries, inner.rows[entries] - start)
        macs = None if self.macs is None else self.macs[start:stop]
        return PacketBatch(self.records[start:stop], pieces, inner, macs)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "PacketBatch":
        """The rows named, copied."""
        macs = None if self.macs is None else self.macs[rows]
        if not self.pieces and self.inner is None:
            return PacketBatch(self.records[rows], macs=macs)
        olds = np.arange(self.rows)[rows]
        inner = self.inner
        if inner is not None:
            entries = np.minimum(np.searchsorted(inner.rows, olds), len(inner.rows) - 1)
            news = np.flatnonzero(inner.rows[entries] == olds)
            inner = inner.moved(entries[news], news)
        return PacketBatch(self.records[rows], _moved_pieces(self.pieces, olds), inner, macs)


def _moved_pieces(pieces: dict[int, Piece], olds: NDArray[np.intp]) -> dict[int, Piece]:
    """The pieces of rows that were `olds` and are 0, 1, 2, ... now."""
    if not pieces:
        return {}
    return {new: pieces[old] for new, old in enumerate(olds.tolist()) if old in pieces}


def scalar_type(hint: Any) -> Any:
    """The scalar that NDArray[scalar] names; numpy 2.5 nests it one level less than 2.4."""
    inner = get_args(hint)[-1]
    return (get_args(inner) or (inner,))[0]


def record_dtype(columns: dict[str, Any]) -> np.dtype[np.void]:
    """An aligned record of the annotated columns, the widest first so that no padding is needed."""
    fields = [(name, np.dtype(scalar_type(hint))) for name, hint in columns.items()]
    return np.dtype(sorted(fields, key=lambda field: -field[1].itemsize), align=True)


PACKET = record_dtype(PacketBatch.__annotations__)


def empty_batch(rows: int, *, macs: bool = False) -> PacketBatch:
    """A batch of `rows` zeroed rows, with room for MAC addresses if they are asked for."""
    return PacketBatch(np.zeros(rows, PACKET), macs=np.zeros((rows, 2), np.uint64) if macs else None)


def unwritten_batch(rows: int, *, macs: bool = False) -> PacketBatch:
    """Room for `rows` packets; walkers clear each row before they write it."""
    return PacketBatch(np.empty(rows, PACKET), macs=np.zeros((rows, 2), np.uint64) if macs else None)


def joined_records(parts: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """One array of all records, of which there is at least one array; numpy would copy them field by field."""
    whole = np.concatenate([np.ascontiguousarray(part).view(np.uint8) for part in parts])
    return whole.view(parts[0].dtype)


def concatenate(batches: list[PacketBatch]) -> PacketBatch:
    """One batch of all rows, in order; with MAC addresses if all have them."""
    starts = _starts([batch.rows for batch in batches])
    pieces = _joined_pieces([batch.pieces for batch in batches], starts)
    inner = join_inner((start, batch.inner) for start, batch in zip(starts, batches, strict=True))
    records = joined_records([batch.records for batch in batches])
    return PacketBatch(records, pieces, inner, _joined_macs(batches, len(records)))


def join_inner(parts: Iterable[tuple[int, Inner | None]]) -> Inner | None:
    """One of all, in order, each with the row that its row 0 becomes; None where all are None."""
    found = [inner._replace(rows=inner.rows + start) for start, inner in parts if inner is not None]
    if not found:
        return None
    pieces = _joined_pieces([inner.pieces for inner in found], _starts([len(inner.rows) for inner in found]))
    rows, records, _, *columns = zip(*found, strict=True)
    joined = (None if any(part is None for part in column) else np.concatenate(column) for column in columns)
    return Inner._make((np.concatenate(rows), joined_records(records), pieces, *joined))


def _joined_macs(batches: list[PacketBatch], rows: int) -> NDArray[np.uint64] | None:
    """The MAC addresses of all rows; None where some are not known."""
    known = [batch.macs for batch in batches if batch.macs is not None]
    return np.concatenate(known) if known and sum(map(len, known)) == rows else None


def _starts(counts: list[int]) -> list[int]:
    """Where parts of these many rows start, one behind the other."""
    return [0, *accumulate(counts[:-1])]


def _joined_pieces(parts: list[dict[int, Piece]], starts: list[int]) -> dict[int, Piece]:
    """The pieces of all parts, by the rows that theirs become."""
    return {start + row: piece for start, part in zip(starts, parts, strict=True) for row, piece in part.items()}
