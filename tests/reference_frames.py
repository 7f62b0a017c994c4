"""Frames to headers, the plain way: struct and bytes, nothing of the product.

Reads what the twin (`tests.reference`) tracks: Ethernet with VLAN tags, IPv4, IPv6 with extension
headers, TCP with its options, and the packet that an ICMP error quotes. Fragments are not for it.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

ICMP, TCP, UDP, GRE, ICMPV6, SCTP, UDP_LITE = 1, 6, 17, 47, 58, 132, 136
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NO_NEXT_HEADER, DESTINATION_OPTIONS = 0, 43, 44, 51, 59, 60
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
ETHERNET_IPV4, ETHERNET_IPV6 = 0x0800, 0x86DD
MAX_WINDOW_SCALE = 14  # RFC 7323 section 2.3


@dataclass(frozen=True)
class Ip:
    """One IP packet. `protocol` is None where no transport header can be found.

    `transport` is what the frame holds behind the IP headers; `length` how much there is by the IP length.
    """

    family: int
    src: Address
    dst: Address
    protocol: int | None
    transport: bytes
    length: int
    checksum_good: bool = True


@dataclass(frozen=True)
class Tcp:
    """One TCP segment; `end` is the sequence number behind it, SYN and FIN counted as one each."""

    flags: int
    seq: int
    ack: int
    end: int
    window: int
    scale: int | None
    sack_permitted: bool
    sack_edges: tuple[int, ...]
    has_options: bool


def ip_of_frame(frame: bytes) -> Ip | None:
    """The IP packet of an Ethernet frame; None where there is none that can be read."""
    at = 12
    while frame[at : at + 2] and int.from_bytes(frame[at : at + 2]) in VLAN_TAGS:
        at += 4
    ethertype, packet = int.from_bytes(frame[at : at + 2]), frame[at + 2 :]
    if ethertype not in (ETHERNET_IPV4, ETHERNET_IPV6):
        return None
    return read_ip(packet, 4 if ethertype == ETHERNET_IPV4 else 6)


def read_ip(packet: bytes, family: int, *, quoted: bool = False) -> Ip | None:
    """IPv4 (RFC 791) or IPv6 (RFC 8200); None if the header cannot be read. A quoted packet may be cut anywhere."""
    if not packet or (packet[0] >> 4 != family and not quoted):  # a quoted version is not looked at
        return None
    return _read_ipv4(packet, quoted=quoted) if family == 4 else _read_ipv6(packet, quoted=quoted)


def _read_ipv4(packet: bytes, *, quoted: bool) -> Ip | None:
    header = (packet[0] & 15) * 4
    if header < 20 or len(packet) < header:
        return None
    _, _, total, _, fragment, _, protocol, _, src, dst = struct.unpack_from(">BBHHHBBH4s4s", packet)
    if total < header and not quoted:
        return None
    if fragment & 0x1FFF or (fragment & 0x2000 and not quoted):
        if quoted:
            protocol = None  # a later fragment has no transport header
        else:
            raise ValueError("the twin knows no fragments")
    end = len(packet) if quoted else total
    good = internet_checksum(packet[:header]) == 0
    return Ip(4, IPv4Address(src), IPv4Address(dst), protocol, packet[header:end], end - header, good)


def _read_ipv6(packet: bytes, *, quoted: bool) -> Ip | None:
    if len(packet) < 40:
        return None
    end = len(packet) if quoted else 40 + int.from_bytes(packet[4:6])
    protocol, at = _skip_extension_headers(packet[:end], quoted=quoted)
    return Ip(6, IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), protocol, packet[at:end], end - at)


def _skip_extension_headers(packet: bytes, *, quoted: bool) -> tuple[int | None, int]:
    """Protocol and offset of the transport header (RFC 8200 section 4); ESP is a transport here."""
    protocol, at = packet[6], 40
    while protocol in (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION_OPTIONS):
        if len(packet) < at + 8:
            return None, at
        size = packet[at + 1]
        if protocol == FRAGMENT:
            fragment = int.from_bytes(packet[at + 2 : at + 4])
            if fragment & 0xFFF9 and not quoted:
                raise ValueError("the twin knows no fragments")
            if fragment & 0xFFF8:
                return None, at
            length = 8
        else:
            length = (size + 2) * 4 if protocol == AUTHENTICATION else (size + 1) * 8
        protocol, at = packet[at], at + length
    return (None if protocol == NO_NEXT_HEADER else protocol), at


def read_tcp(ip: Ip) -> Tcp | None:
    """The TCP header (RFC 9293 section 3.1); None if it is not whole."""
    data = ip.transport
    if len(data) < 20:
        return None
    _, _, seq, ack, offset, flags, window = struct.unpack_from(">HHIIBBH", data)
    header = (offset >> 4) * 4
    if header < 20 or header > ip.length:
        return None
    end = seq + ip.length - header + bool(flags & SYN) + bool(flags & FIN)
    scale, sack_permitted, edges = None, False, []
    for kind, value in _tcp_options(data[20:header]):
        if kind == 3 and len(value) == 1:
            scale = min(value[0], MAX_WINDOW_SCALE)
        elif kind == 4 and not value:
            sack_permitted = True
        elif kind == 5 and value and len(value) % 8 == 0:
            edges += [int.from_bytes(value[at + 4 : at + 8]) for at in range(0, len(value), 8)]
    return Tcp(flags, seq, ack, end & 0xFFFFFFFF, window, scale, sack_permitted, tuple(edges), header > 20)


def _tcp_options(options: bytes) -> list[tuple[int, bytes]]:
    """Kinds and values, up to the first option that is not whole."""
    found, at = [], 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            break
        found.append((options[at], options[at + 2 : at + options[at + 1]]))
        at += options[at + 1]
    return found


def internet_checksum(data: bytes) -> int:
    """RFC 1071: 0 over data that carries its own good checksum."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def transport_checksum_good(ip: Ip) -> bool:
    """Whether the TCP, UDP, ICMP or ICMPv6 checksum fits; UDP over IPv4 may leave it out (RFC 768).

    Linux sums to the end of the IP packet, whatever the UDP length says (nf_ip_checksum).
    """
    data = ip.transport
    if (ip.family, ip.protocol) == (4, UDP) and data[6:8] == b"\0\0":
        return True
    if ip.protocol == ICMP:
        return internet_checksum(data) == 0
    pseudo = ip.src.packed + ip.dst.packed + struct.pack(">II", len(data), ip.protocol or 0)
    return internet_checksum(pseudo + data) == 0
