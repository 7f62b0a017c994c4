"""ICMP errors and the packet that they quote (RFC 792, RFC 4443; nf_conntrack_proto_icmp.c)."""

import numpy as np

from pcaps.accelerate import i64, kernel
from pcaps.batch import IPV4_PREFIX, Packet
from pcaps.wire import (
    GRE,
    GRE_CALL_ID,
    GRE_PPP,
    GRE_PPTP,
    GRE_PPTP_HEADER,
    GRE_VERSION,
    ICMP,
    ICMP_HEADER,
    ICMP_IDENTIFIER,
    ICMPV6,
    IPV4_DESTINATION,
    IPV4_FLAGS_OFFSET,
    IPV4_HEADER,
    IPV4_PROTOCOL,
    IPV4_SOURCE,
    IPV6_AUTH,
    IPV6_DESTINATION,
    IPV6_DESTINATION_OPTIONS,
    IPV6_EXTENSION_HEADER,
    IPV6_FRAGMENT,
    IPV6_HEADER,
    IPV6_HOP_BY_HOP,
    IPV6_NEXT_HEADER,
    IPV6_NONE,
    IPV6_ROUTING,
    IPV6_SOURCE,
    MAX_EXTENSION_HEADERS,
    PORTS,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
    Bytes,
    u8,
    u16,
    u32,
    u64,
)

ICMPV6_REDIRECT = 137
ICMP_ERRORS = (3, 4, 5, 11, 12)  # unreachable, quench, redirect, time exceeded, parameter (RFC 792)
FIRST_ICMPV6_QUERY = 128  # every type below is an error (RFC 4443 section 2.1)


@kernel
def is_icmp_error(family: int, kind: int) -> bool:
    """True for types that quote a packet."""
    if family == 4:
        return kind in ICMP_ERRORS
    return kind < FIRST_ICMPV6_QUERY


@kernel
def quoted_transport(data: Bytes, at: int, end: int, family: int, p: Packet) -> bool:
    """What makes the quoted packet's tuple: ports, or an ICMP query's type, code and identifier."""
    protocol = i64(p["quoted_protocol"])
    p["quoted_src_port"] = 0
    p["quoted_dst_port"] = 0
    p["quoted_icmp_id"] = 0
    if protocol in (TCP, UDP, UDPLITE, SCTP):
        if at + PORTS > end:
            return False
        p["quoted_src_port"] = u16(data, at)
        p["quoted_dst_port"] = u16(data, at + 2)
    elif (protocol == ICMP and family == 4) or (protocol == ICMPV6 and family == 6):
        if at + ICMP_HEADER > end:
            return False
        p["quoted_src_port"] = u8(data, at)
        p["quoted_dst_port"] = u8(data, at + 1)
        p["quoted_icmp_id"] = u16(data, at + ICMP_IDENTIFIER)
    elif protocol == GRE and at + GRE_PPTP_HEADER <= end and u16(data, at) & GRE_VERSION == GRE_PPTP:
        if u16(data, at + 2) != GRE_PPP:
            return True  # no tuple: version 1 carries nothing else
        p["quoted_dst_port"] = u16(data, at + GRE_CALL_ID)
    elif at > end:
        return False
    p["quoted"] = 1
    return True


@kernel
def quote_ipv4(data: Bytes, at: int, end: int, p: Packet) -> bool:
    """A quoted IPv4 packet; True if all that it holds could be read."""
    if at + IPV4_HEADER > end:
        return False
    p["quoted_protocol"] = u8(data, at + IPV4_PROTOCOL)
    p["quoted_src_hi"] = 0
    p["quoted_dst_hi"] = 0
    p["quoted_src_lo"] = np.uint64(IPV4_PREFIX) | np.uint64(u32(data, at + IPV4_SOURCE))
    p["quoted_dst_lo"] = np.uint64(IPV4_PREFIX) | np.uint64(u32(data, at + IPV4_DESTINATION))
    if u16(data, at + IPV4_FLAGS_OFFSET) & 0x1FFF:
        return True  # a later fragment holds no tuple
    return quoted_transport(data, at + (u8(data, at) & 0x0F) * 4, end, 4, p)


@kernel
def quote_ipv6(data: Bytes, at: int, end: int, p: Packet) -> bool:
    """A quoted IPv6 packet; True if all that it holds could be read."""
    if at + IPV6_HEADER > end:
        return False
    p["quoted_src_hi"] = u64(data, at + IPV6_SOURCE)
    p["quoted_src_lo"] = u64(data, at + IPV6_SOURCE + 8)
    p["quoted_dst_hi"] = u64(data, at + IPV6_DESTINATION)
    p["quoted_dst_lo"] = u64(data, at + IPV6_DESTINATION + 8)
    kind = u8(data, at + IPV6_NEXT_HEADER)
    at += IPV6_HEADER
    for _ in range(MAX_EXTENSION_HEADERS):
        if kind == IPV6_NONE:
            return True
        if kind not in (IPV6_HOP_BY_HOP, IPV6_ROUTING, IPV6_FRAGMENT, IPV6_AUTH, IPV6_DESTINATION_OPTIONS):
            p["quoted_protocol"] = kind
            return quoted_transport(data, at, end, 6, p)
        if at + IPV6_EXTENSION_HEADER > end:
            return False
        if kind == IPV6_FRAGMENT:
            if u16(data, at + 2) & 0xFFF8:
                return True
            size = IPV6_EXTENSION_HEADER
        elif kind == IPV6_AUTH:
            size = (u8(data, at + 1) + 2) * 4
        else:
            size = (u8(data, at + 1) + 1) * 8
        kind = u8(data, at)
        at += size
    return True


@kernel
def read_quote(data: Bytes, at: int, end: int, family: int, p: Packet) -> bool:
    """Read the quoted packet at data[at:end] into the `quoted_*` columns.

    `quoted` becomes 1 where a tuple could be read. False: the bytes end too early.
    """
    if family == 4:
        return quote_ipv4(data, at, end, p)
    return quote_ipv6(data, at, end, p)
