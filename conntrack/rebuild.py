"""A datagram's fragments as one packet again, for the decoder to read."""

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from pcaps.batch import BAD_TRANSPORT, NOT_A_FRAGMENT, Packet, Piece
from pcaps.frame import Frame
from pcaps.link import RAW
from pcaps.wire import (
    ICMPV6,
    IPV4_CHECKSUM,
    IPV4_HEADER,
    IPV6_AUTH,
    IPV6_DESTINATION_OPTIONS,
    IPV6_FRAGMENT,
    IPV6_HOP_BY_HOP,
    IPV6_NONE,
    IPV6_ROUTING,
    TCP,
    UDP,
)

IPV6_EXTENSIONS = (IPV6_HOP_BY_HOP, IPV6_ROUTING, IPV6_FRAGMENT, IPV6_AUTH, IPV6_NONE, IPV6_DESTINATION_OPTIONS)
UPPER_HEADERS = {TCP: 20, UDP: 8, ICMPV6: 8}  # bytes; of any other protocol one byte is enough
OWN_FIELDS = ("capture", "frame", "time", "interface", "caplen", "wirelen")

Address = tuple[int, int]  # the high and the low half


class Fragment(NamedTuple):
    """What reassembly reads of one packet."""

    family: int
    source: Address
    destination: Address
    identification: int
    offset: int
    more: bool
    length: int  # bytes that it carries, by its IP length
    header: int  # bytes of its IP headers
    hop_limit: int
    traffic_class: int
    piece: Piece
    place: int  # where it is put together

    @property
    def key(self) -> tuple[object, ...]:
        """What the fragments of one datagram share: RFC 791 section 3.2, RFC 8200 section 4.5."""
        key = (self.place, self.source, self.destination, self.identification)
        return (*key, self.piece.next_header) if self.family == 4 else key


def fragment_at(p: Packet, piece: Piece, place: int = 0) -> Fragment:
    """The fragment that a record is."""
    return Fragment(
        family=int(p["family"]),
        source=(int(p["src_hi"]), int(p["src_lo"])),
        destination=(int(p["dst_hi"]), int(p["dst_lo"])),
        identification=int(p["fragment_id"]),
        offset=int(p["fragment_offset"]),
        more=bool(p["fragment_more"]),
        length=int(p["payload"]),
        header=int(p["length"]) - int(p["payload"]),
        hop_limit=int(p["hop_limit"]),
        traffic_class=int(p["traffic_class"]),
        piece=piece,
        place=place,
    )


def lacks_upper_header(fragment: Fragment) -> bool:
    """True for a first IPv6 fragment that does not hold every header (RFC 8200 section 4.5, RFC 7112).

    ipv6frag_thdr_truncated in net/ipv6/reassembly.c: a chain that cannot be followed lacks nothing.
    """
    kind, data = fragment.piece
    at = 0
    while kind in IPV6_EXTENSIONS:
        if kind == IPV6_NONE or at + 4 > len(data):
            return False
        if kind == IPV6_FRAGMENT and int.from_bytes(data[at + 2 : at + 4]) & 0xFFF8:
            return False
        size = 8 if kind == IPV6_FRAGMENT else (data[at + 1] + 2) * 4 if kind == IPV6_AUTH else (data[at + 1] + 1) * 8
        kind, at = data[at], at + size
    return at + UPPER_HEADERS.get(kind, 1) > fragment.length


def rebuilt(first: Fragment, content: bytes, length: int) -> Frame:
    """The packet without options and extension headers before its fragments; `content` of `length` was captured."""
    header = (ipv4_header if first.family == 4 else ipv6_header)(first, length)
    return Frame(RAW, 0, header + content, len(header) + length)


def ipv4_header(first: Fragment, length: int) -> bytes:
    """RFC 791 section 3.1, with a right checksum (RFC 1071)."""
    total = IPV4_HEADER + length
    ends = IPv4Address(first.source[1] & 0xFFFFFFFF).packed + IPv4Address(first.destination[1] & 0xFFFFFFFF).packed
    fields = bytes([0x45, first.traffic_class, total >> 8, total & 0xFF, 0, 0, 0, 0])
    header = fields + bytes([first.hop_limit, first.piece.next_header, 0, 0]) + ends
    folded = sum(int.from_bytes(header[at : at + 2]) for at in range(0, IPV4_HEADER, 2))
    while folded >> 16:
        folded = (folded & 0xFFFF) + (folded >> 16)
    return header[:IPV4_CHECKSUM] + (folded ^ 0xFFFF).to_bytes(2) + header[IPV4_CHECKSUM + 2 :]


def ipv6_header(first: Fragment, length: int) -> bytes:
    """RFC 8200 section 3; the next header is what the first fragment's Fragment header names."""
    ends = [IPv6Address(high << 64 | low).packed for high, low in (first.source, first.destination)]
    word = (6 << 28 | first.traffic_class << 20).to_bytes(4)
    return word + length.to_bytes(2) + bytes([first.piece.next_header, first.hop_limit]) + b"".join(ends)


def seen_by_tracking(own: Packet, whole: Packet) -> Packet:
    """`whole` in the place of the packet `own`: a packet that tracking takes for no fragment."""
    for name in OWN_FIELDS:
        whole[name] = own[name]
    if whole["fragment_offset"] != 0:  # nothing tells what it is a part of
        whole["status"] = BAD_TRANSPORT
    whole["fragment_id"] = NOT_A_FRAGMENT
    return whole
