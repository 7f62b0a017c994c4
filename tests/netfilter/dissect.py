"""What the comparison must know of a frame: its addresses, its datagram, and its connection's tuple.

Plain and apart from the product's decoder: this finds the direction in which a frame is sent and the
key by which ctnetlink is asked for its entry.
"""

from typing import NamedTuple

from tests.netfilter.netlink import attribute, nested
from tests.reference_frames import (
    AUTHENTICATION,
    DESTINATION_OPTIONS,
    ETHERNET_IPV4,
    ETHERNET_IPV6,
    FRAGMENT,
    GRE,
    HOP_BY_HOP,
    ICMP,
    ICMPV6,
    ROUTING,
    SCTP,
    TCP,
    UDP,
    UDP_LITE,
    VLAN_TAGS,
)

AF_INET, AF_INET6 = 2, 10
EXTENSION_HEADERS = (HOP_BY_HOP, ROUTING, AUTHENTICATION, DESTINATION_OPTIONS)
WITH_PORTS = (TCP, UDP, UDP_LITE, SCTP)
FIRST_FRAGMENT = {TCP: 20, UDP: 8, ICMPV6: 8}  # bytes of the transport header that it must hold
PPP = b"\x88\x0b"
ICMP_ERRORS = (3, 4, 5, 11, 12)
ICMP_QUERIES = (0, 8, 13, 14, 15, 16, 17, 18)
ICMPV6_QUERIES = (128, 129, 139, 140)
ICMPV6_REDIRECT = 137
TUPLE_ORIGINAL = 1


class Network(NamedTuple):
    """An IP header: addresses as bytes, the protocol behind all extension headers, where its header starts.

    The datagram ends at `stop` by its own length; padding may follow.
    `datagram` is what the fragments of one datagram share, None for a whole one; `offset` is a fragment's.
    """

    family: int
    src: bytes
    dst: bytes
    protocol: int
    transport: int
    stop: int
    datagram: tuple[bytes, ...] | None
    offset: int
    more: bool = False


def network_of(frame: bytes) -> Network | None:
    """The IP header of an Ethernet frame, VLAN tags or not; None where there is none."""
    at = 12
    while int.from_bytes(frame[at : at + 2]) in VLAN_TAGS:
        at += 4
    ethertype = int.from_bytes(frame[at : at + 2])
    if ethertype not in (ETHERNET_IPV4, ETHERNET_IPV6):
        return None
    return network_at(frame, at + 2, 4 if ethertype == ETHERNET_IPV4 else 6)


def network_at(data: bytes, at: int, family: int) -> Network | None:
    """The IP header at `at`, whatever version it says; None where it is not whole."""
    if len(data) < at + (20 if family == 4 else 40):
        return None
    return _ipv4(data, at) if family == 4 else _ipv6(data, at)


def stands_alone(ip: Network, data: bytes) -> bool:
    """An IPv6 fragment that the kernel judges by itself, never with the others of its datagram.

    A first one without its whole transport header (RFC 8200 section 4.5), or one that is not the last and
    not a multiple of 8 bytes long (net/ipv6/netfilter/nf_conntrack_reasm.c).
    """
    if ip.family == 4 or ip.datagram is None:
        return False
    if ip.more and (ip.stop - ip.transport) % 8:
        return True
    return ip.offset == 0 and min(len(data), ip.stop) < ip.transport + FIRST_FRAGMENT.get(ip.protocol, 1)


def _ipv4(data: bytes, at: int) -> Network:
    fragment = int.from_bytes(data[at + 6 : at + 8])
    src, dst, protocol = data[at + 12 : at + 16], data[at + 16 : at + 20], data[at + 9]
    datagram = (src, dst, bytes([protocol]), data[at + 4 : at + 6]) if fragment & 0x3FFF else None
    stop = at + int.from_bytes(data[at + 2 : at + 4])
    return Network(4, src, dst, protocol, at + (data[at] & 15) * 4, stop, datagram, (fragment & 0x1FFF) * 8)


def _ipv6(data: bytes, at: int) -> Network:
    src, dst = data[at + 8 : at + 24], data[at + 24 : at + 40]
    stop = at + 40 + int.from_bytes(data[at + 4 : at + 6])
    kind, at, datagram, offset, more = data[at + 6], at + 40, None, 0, False
    while not offset and len(data) >= at + 8:
        if kind == FRAGMENT:
            fragment = int.from_bytes(data[at + 2 : at + 4])
            offset, more = fragment & 0xFFF8, bool(fragment & 1)
            datagram = (src, dst, data[at + 4 : at + 8]) if fragment & 0xFFF9 else datagram
            kind, at = data[at], at + 8
        elif kind in EXTENSION_HEADERS:
            size = (data[at + 1] + 2) * 4 if kind == AUTHENTICATION else (data[at + 1] + 1) * 8
            kind, at = data[at], at + size
        else:
            break
    return Network(6, src, dst, kind, at, stop, datagram, offset, more)


def is_error(ip: Network, data: bytes) -> bool:
    """Whether it is an ICMP message that quotes the packet it is about."""
    if len(data) <= ip.transport or ip.offset:
        return False
    kind = data[ip.transport]
    if ip.protocol == ICMP:
        return kind in ICMP_ERRORS
    return ip.protocol == ICMPV6 and (kind < 128 or kind == ICMPV6_REDIRECT)


def quoted_network(ip: Network, data: bytes) -> Network | None:
    """The header that an ICMP error quotes; behind a redirect's two addresses lies its option of the packet."""
    at = ip.transport + 8
    if ip.family == 6 and data[ip.transport] == ICMPV6_REDIRECT:
        at = ip.transport + 40
        while len(data) >= at + 8 and data[at] != 4 and data[at + 1]:  # RFC 4861 section 4.6.3
            at += data[at + 1] * 8
        at += 8
    return network_at(data, at, ip.family)


def conntrack_key(ip: Network, data: bytes) -> tuple[int, bytes] | None:
    """(address family, CTA_TUPLE_ORIG) of the packet, of the quoted one for an ICMP error; None if it has none."""
    data = data[: ip.stop]
    if is_error(ip, data):
        quoted = quoted_network(ip, data)
        if quoted is None or is_error(quoted, data):
            return None
        ip = quoted
    if ip.offset or ip.transport > len(data):
        return None
    part = _protocol_part(ip, data[ip.transport : ip.transport + 8])
    if part is None:
        return None
    first = 1 if ip.family == 4 else 3
    addresses = attribute(first, ip.src) + attribute(first + 1, ip.dst)
    key = nested(TUPLE_ORIGINAL, nested(1, addresses), nested(2, attribute(1, bytes([ip.protocol])), part))
    return AF_INET if ip.family == 4 else AF_INET6, key


def _protocol_part(ip: Network, head: bytes) -> bytes | None:
    """What tells connections of one protocol apart: ports, ICMP type, code and id, PPTP's call id."""
    if ip.protocol in WITH_PORTS:
        return attribute(2, head[:2]) + attribute(3, head[2:4]) if len(head) >= 4 else None
    if ip.protocol in (ICMP, ICMPV6):  # in either family: the kernel goes by the protocol
        queries, first = (ICMP_QUERIES, 4) if ip.protocol == ICMP else (ICMPV6_QUERIES, 7)
        if len(head) < 8 or head[0] not in queries:
            return None
        return attribute(first, head[4:6]) + attribute(first + 1, head[:1]) + attribute(first + 2, head[1:2])
    if ip.protocol == GRE:
        pptp = len(head) >= 8 and head[1] & 7 == 1
        if pptp and head[2:4] != PPP:  # RFC 2637 section 4.1
            return None
        return attribute(2, b"\0\0") + attribute(3, head[6:8] if pptp else b"\0\0")
    return b""
