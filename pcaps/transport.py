"""What stands behind IP: UDP, ICMP, ICMPv6 and GRE here, TCP and SCTP in modules of their own.

`end` is where the captured bytes stop, `stop` where the datagram does by its own length. Where the
protocol has no reader here, ESP, AH over IPv4, IP in IP, there is nothing to read: a security group and
nf_conntrack see the protocol alone, not what it carries.
"""

import numpy as np

from pcaps.accelerate import i64, kernel
from pcaps.batch import BAD_TRANSPORT, OK, TRUNCATED, Packet
from pcaps.icmp_quote import ICMPV6_REDIRECT, is_icmp_error, read_quote
from pcaps.sctp_header import read_sctp
from pcaps.tcp_header import read_tcp
from pcaps.wire import (
    GRE,
    GRE_CALL_ID,
    GRE_HEADER,
    GRE_PPP,
    GRE_PPTP,
    GRE_PPTP_HEADER,
    GRE_VERSION,
    ICMP,
    ICMP_CODE,
    ICMP_HEADER,
    ICMP_IDENTIFIER,
    ICMP_TYPE,
    ICMPV6,
    LINK_LOCAL_V6,
    OPTION_REDIRECTED,
    REDIRECT_HEADER,
    REDIRECTED_HEADER,
    SCTP,
    TCP,
    UDP,
    UDP_CHECKSUM,
    UDP_HEADER,
    UDP_LENGTH,
    UDPLITE,
    Bytes,
    read_ports,
    u8,
    u16,
    u32,
)


@kernel
def short(wanted: int, end: int, stop: int) -> int:
    """The status of a header that needs bytes up to `wanted`: OK, TRUNCATED or BAD_TRANSPORT."""
    if wanted > stop:
        return BAD_TRANSPORT
    if wanted > end:
        return TRUNCATED
    return OK


@kernel
def read_udp(data: Bytes, at: int, end: int, stop: int, p: Packet) -> int:
    """UDP and UDP-Lite; a length below 8 or above the IP payload is bad (RFC 768, RFC 3828 section 3.1)."""
    read_ports(data, at, min(end, stop), p)
    status = short(at + UDP_HEADER, end, stop)
    if status != OK:
        return status
    length = u16(data, at + UDP_LENGTH)
    if p["protocol"] == UDPLITE:  # the length is the checksum's coverage, 0 all; the checksum must be there
        missing = u16(data, at + UDP_CHECKSUM) == 0
        return BAD_TRANSPORT if missing or 0 < length < UDP_HEADER or at + length > stop else OK
    return BAD_TRANSPORT if length < UDP_HEADER or at + length > stop else OK


@kernel
def read_icmp(data: Bytes, at: int, end: int, stop: int, family: int, p: Packet) -> int:
    """ICMP and ICMPv6: type and code in the port columns, the identifier, and what an error quotes."""
    status = short(at + ICMP_HEADER, end, stop)
    if status != OK:
        return status
    kind = u8(data, at + ICMP_TYPE)
    p["src_port"] = kind
    p["dst_port"] = u8(data, at + ICMP_CODE)
    p["icmp_id"] = u16(data, at + ICMP_IDENTIFIER)
    if family == 6 and kind == ICMPV6_REDIRECT:
        return read_redirect(data, at, end, stop, p)
    if is_icmp_error(family, kind):
        complete = read_quote(data, at + ICMP_HEADER, min(end, stop), family, p)
        if not complete and end < stop:
            return TRUNCATED
    return OK


@kernel
def read_redirect(data: Bytes, at: int, end: int, stop: int, p: Packet) -> int:
    """An ICMPv6 redirect quotes a packet in an option (RFC 4861 sections 4.5 and 4.6.3).

    Only a router on the link may send one: hop limit 255, from a link-local address.
    """
    from_router = u64_upper_bits(p["src_hi"]) == LINK_LOCAL_V6 and i64(p["hop_limit"]) == 255
    option = at + REDIRECT_HEADER
    if i64(p["dst_port"]) != 0 or not from_router or option + REDIRECTED_HEADER > stop:
        return OK
    if option + REDIRECTED_HEADER > end:
        return TRUNCATED
    if u8(data, option) != OPTION_REDIRECTED or u8(data, option + 1) == 0:
        return OK
    complete = read_quote(data, option + REDIRECTED_HEADER, min(end, stop), 6, p)
    return OK if complete or end >= stop else TRUNCATED


@kernel
def u64_upper_bits(word: np.uint64) -> int:
    """The upper ten bits: what tells an IPv6 address's scope (RFC 4291 section 2.4)."""
    return i64(word >> np.uint64(54))


@kernel
def read_gre(data: Bytes, at: int, end: int, stop: int, p: Packet) -> int:
    """GRE flags, version and protocol (RFC 2784); of version 1 the call id (RFC 2637 section 4.1).

    What is too short for a header is tracked like any other protocol, as in the kernel.
    """
    if at + GRE_HEADER > stop:
        return OK
    status = short(at + GRE_HEADER, end, stop)
    if status != OK:
        return status
    p["extra"] = u32(data, at)
    if u16(data, at) & GRE_VERSION == GRE_PPTP and at + GRE_PPTP_HEADER <= stop:
        if at + GRE_PPTP_HEADER > end:
            return TRUNCATED
        if u16(data, at + 2) != GRE_PPP:
            return BAD_TRANSPORT
        p["dst_port"] = u16(data, at + GRE_CALL_ID)
    return OK


@kernel
def read_transport(data: Bytes, at: int, end: int, stop: int, family: int, p: Packet) -> int:
    """The header behind IP; protocols without a reader have nothing to read."""
    protocol = i64(p["protocol"])
    if protocol == TCP:
        return read_tcp(data, at, end, stop, p)
    if protocol in (UDP, UDPLITE):
        return read_udp(data, at, end, stop, p)
    if (protocol == ICMP and family == 4) or (protocol == ICMPV6 and family == 6):
        return read_icmp(data, at, end, stop, family, p)
    if protocol == SCTP:
        return read_sctp(data, at, end, stop, p)
    if protocol == GRE:
        return read_gre(data, at, end, stop, p)
    return OK
