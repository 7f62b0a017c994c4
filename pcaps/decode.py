"""From bytes to columns: IPv4, IPv6 and its extension headers, TCP, UDP, ICMP, ICMPv6, others.

One row out for every packet in. What cannot be decoded keeps its row and says so in `status`; bytes
never raise. `end` is where the captured bytes stop, `stop` where the datagram does by its own
length: padding lies behind `stop`, what the snap length cut lies behind `end`.
"""

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import entry_kernel, i64, kernel
from pcaps.batch import (
    BAD_TRANSPORT,
    IPV4_PREFIX,
    MALFORMED,
    NO_TRANSPORT,
    NOT_IP,
    OK,
    TRUNCATED,
    UNSUPPORTED_LINK,
    Packet,
)
from pcaps.checksum import checksum_holds
from pcaps.icmp_quote import ICMPV6_REDIRECT, is_icmp_error, read_quote
from pcaps.link import SHORT, UNKNOWN_LINK, network_layer
from pcaps.sctp_header import read_sctp
from pcaps.tcp_header import read_tcp
from pcaps.wire import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
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
    IPV4_DESTINATION,
    IPV4_FLAGS_OFFSET,
    IPV4_HEADER,
    IPV4_IDENTIFICATION,
    IPV4_PROTOCOL,
    IPV4_SOURCE,
    IPV4_TOS,
    IPV4_TOTAL_LENGTH,
    IPV4_TTL,
    IPV4_VERSION_IHL,
    IPV6_AUTH,
    IPV6_DESTINATION,
    IPV6_DESTINATION_OPTIONS,
    IPV6_EXTENSION_HEADER,
    IPV6_FRAGMENT,
    IPV6_HEADER,
    IPV6_HOP_BY_HOP,
    IPV6_HOP_LIMIT,
    IPV6_LONGEST,
    IPV6_NEXT_HEADER,
    IPV6_NONE,
    IPV6_PAYLOAD_LENGTH,
    IPV6_ROUTING,
    IPV6_SOURCE,
    LINK_LOCAL_V6,
    MAX_EXTENSION_HEADERS,
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
    u64,
)

NOT_A_FRAGMENT = -1
GO_ON = -1  # read the next header


@kernel
def short(wanted: int, end: int, stop: int) -> int:
    """The status of a header that needs bytes up to `wanted`: OK, TRUNCATED or BAD_TRANSPORT."""
    if wanted > stop:
        return BAD_TRANSPORT
    if wanted > end:
        return TRUNCATED
    return OK


@kernel
def clear(p: Packet) -> None:
    """Set every column that a decoder may leave alone."""
    p["family"] = 0
    p["protocol"] = 0
    p["src_hi"] = 0
    p["src_lo"] = 0
    p["dst_hi"] = 0
    p["dst_lo"] = 0
    p["src_port"] = 0
    p["dst_port"] = 0
    p["length"] = 0
    p["hop_limit"] = 0
    p["bad_ip_checksum"] = 0
    p["bad_checksum"] = 0
    p["fragment_id"] = NOT_A_FRAGMENT
    p["fragment_offset"] = 0
    p["fragment_more"] = 0
    p["payload_at"] = 0
    p["traffic_class"] = 0
    p["tcp_flags"] = 0
    p["payload"] = 0
    p["icmp_id"] = 0
    p["extra"] = 0
    p["quoted"] = 0


@kernel
def ipv4_checksum_holds(data: Bytes, at: int, header: int) -> bool:
    """RFC 1071 over the header: the ones' complement sum of all words is 0xFFFF."""
    total = 0
    for word in range(at, at + header, 2):
        total += u16(data, word)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


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


@kernel
def mark_fragment(p: Packet, at: int, end: int, stop: int, identification: int, offset: int, more: int) -> None:
    """Note that the packet is a fragment, and that data[at:stop] is what it carries."""
    p["fragment_id"] = identification
    p["fragment_offset"] = offset
    p["fragment_more"] = more
    p["payload_at"] = at - (end - i64(p["caplen"]))
    p["payload"] = stop - at


@kernel
def read_first_fragment(data: Bytes, at: int, end: int, stop: int, family: int, p: Packet) -> int:
    """What a datagram's first fragment shows; that its transport header goes on in the next is no fault."""
    carried = i64(p["payload"])
    status = read_transport(data, at, end, stop, family, p)
    p["payload"] = carried
    return TRUNCATED if status == TRUNCATED else OK


@kernel
def finish(data: Bytes, at: int, end: int, stop: int, family: int, p: Packet, verify: bool) -> int:
    """Transport of a whole datagram; of a fragment only what its first piece shows."""
    if i64(p["fragment_id"]) == NOT_A_FRAGMENT:
        status = read_transport(data, at, end, stop, family, p)
        if verify and status == OK and stop <= end:
            p["bad_checksum"] = 0 if checksum_holds(data, at, stop, p) else 1
        return status
    if i64(p["fragment_offset"]) == 0:
        return read_first_fragment(data, at, end, stop, family, p)
    return OK


@kernel
def read_ipv4(data: Bytes, at: int, end: int, whole: int, p: Packet, verify: bool) -> int:
    """IPv4, RFC 791. `whole` is where the frame ended on the wire."""
    if at + IPV4_HEADER > end:
        return TRUNCATED if end < whole else MALFORMED
    header = (u8(data, at + IPV4_VERSION_IHL) & 0x0F) * 4
    length = u16(data, at + IPV4_TOTAL_LENGTH)
    if length == 0:  # segmentation offload: the host had not filled it in yet
        length = whole - at
    if u8(data, at + IPV4_VERSION_IHL) >> 4 != 4 or header < IPV4_HEADER or length < header:
        return MALFORMED
    p["family"] = 4
    p["length"] = length
    p["hop_limit"] = u8(data, at + IPV4_TTL)
    p["traffic_class"] = u8(data, at + IPV4_TOS)
    p["protocol"] = u8(data, at + IPV4_PROTOCOL)
    p["src_lo"] = np.uint64(IPV4_PREFIX) | np.uint64(u32(data, at + IPV4_SOURCE))
    p["dst_lo"] = np.uint64(IPV4_PREFIX) | np.uint64(u32(data, at + IPV4_DESTINATION))
    if at + header > end:
        return TRUNCATED if end < whole else MALFORMED
    fragment = u16(data, at + IPV4_FLAGS_OFFSET)
    if fragment & 0x3FFF:
        ident = u16(data, at + IPV4_IDENTIFICATION)
        mark_fragment(p, at + header, end, at + length, ident, (fragment & 0x1FFF) * 8, (fragment >> 13) & 1)
    p["bad_ip_checksum"] = 0 if ipv4_checksum_holds(data, at, header) else 1
    return finish(data, at + header, end, at + length, 4, p, verify)


@kernel
def extension_length(data: Bytes, at: int, kind: int) -> int:
    """Bytes of the extension header at `at` (RFC 8200 section 4, RFC 4302 section 2.2)."""
    if kind == IPV6_FRAGMENT:
        return IPV6_EXTENSION_HEADER
    if kind == IPV6_AUTH:
        return (u8(data, at + 1) + 2) * 4
    return (u8(data, at + 1) + 1) * 8


@kernel
def read_fragment_header(data: Bytes, at: int, end: int, stop: int, jumbo: bool, p: Packet) -> int:
    """RFC 8200 section 4.5: GO_ON, or the status of a packet that does not hold the headers behind it.

    The first header that cuts a datagram counts. An atomic one (RFC 6946) cuts nothing, and jumbograms
    are never put together (RFC 2675 section 3).
    """
    p["protocol"] = u8(data, at)
    fragment = u16(data, at + 2)
    if fragment & 0xFFF9 and not jumbo and i64(p["fragment_id"]) == NOT_A_FRAGMENT:
        behind = at + IPV6_EXTENSION_HEADER
        mark_fragment(p, behind, end, stop, u32(data, at + 4), fragment & 0xFFF8, fragment & 1)
    if fragment & 0xFFF8 == 0:
        return GO_ON
    return BAD_TRANSPORT if i64(p["fragment_id"]) == NOT_A_FRAGMENT else OK


@kernel
def read_ipv6(data: Bytes, at: int, end: int, whole: int, p: Packet, verify: bool) -> int:
    """IPv6 and its chain of extension headers, RFC 8200."""
    if at + IPV6_HEADER > end:
        return TRUNCATED if end < whole else MALFORMED
    if u8(data, at) >> 4 != 6:
        return MALFORMED
    payload = u16(data, at + IPV6_PAYLOAD_LENGTH)
    stop = at + IPV6_HEADER + payload
    if payload == 0 and (u8(data, at + IPV6_NEXT_HEADER) == IPV6_HOP_BY_HOP or whole - at > IPV6_LONGEST):
        stop = max(whole, at + IPV6_HEADER)  # a jumbogram (RFC 2675) or segmentation offload
    p["family"] = 6
    p["length"] = stop - at
    p["hop_limit"] = u8(data, at + IPV6_HOP_LIMIT)
    p["traffic_class"] = (u16(data, at) >> 4) & 0xFF
    p["src_hi"] = u64(data, at + IPV6_SOURCE)
    p["src_lo"] = u64(data, at + IPV6_SOURCE + 8)
    p["dst_hi"] = u64(data, at + IPV6_DESTINATION)
    p["dst_lo"] = u64(data, at + IPV6_DESTINATION + 8)
    kind = u8(data, at + IPV6_NEXT_HEADER)
    p["protocol"] = kind
    at += IPV6_HEADER
    for _ in range(MAX_EXTENSION_HEADERS):
        if kind not in (IPV6_HOP_BY_HOP, IPV6_ROUTING, IPV6_FRAGMENT, IPV6_AUTH, IPV6_DESTINATION_OPTIONS):
            break
        status = short(at + IPV6_EXTENSION_HEADER, end, stop)
        if status == TRUNCATED:
            return TRUNCATED
        if status == BAD_TRANSPORT:
            return NO_TRANSPORT
        following = u8(data, at)
        if kind == IPV6_FRAGMENT:
            status = read_fragment_header(data, at, end, stop, payload == 0, p)
            if status != GO_ON:
                return status
        at += extension_length(data, at, kind)
        kind = following
        p["protocol"] = kind
    else:
        return NO_TRANSPORT
    if kind == IPV6_NONE:
        return NO_TRANSPORT
    return finish(data, at, end, stop, 6, p, verify)


@kernel
def decode_row(data: Bytes, start: int, link: int, p: Packet, verify: bool) -> int:
    """The status of one frame, its columns filled as far as they can be read."""
    end = start + i64(p["caplen"])
    whole = start + max(i64(p["wirelen"]), i64(p["caplen"]))
    ethertype, at = network_layer(data, start, end, link)
    if ethertype == ETHERTYPE_IPV4:
        return read_ipv4(data, at, end, whole, p, verify)
    if ethertype == ETHERTYPE_IPV6:
        return read_ipv6(data, at, end, whole, p, verify)
    if ethertype == UNKNOWN_LINK:
        return UNSUPPORTED_LINK
    if ethertype == SHORT:
        return TRUNCATED if end < whole else MALFORMED
    return NOT_IP


@entry_kernel
def decode(
    data: Bytes, offsets: NDArray[np.int64], links: NDArray[np.int32], out: NDArray[np.void], verify: bool
) -> int:
    """Fill the records of `out` from the frames at data[offsets[k]:], k = 0 .. len(out) - 1.

    Returns how many of them are fragments.

    The fields frame, time, interface, caplen and wirelen are there already; caplen lies within
    `data`. offsets and links have as many values as `out`, or more. `verify`: sum over transport
    checksums too.
    """
    fragments = 0
    for k in range(len(out)):
        p = out[k]
        clear(p)
        p["status"] = decode_row(data, i64(offsets[k]), i64(links[k]), p, verify)
        if i64(p["fragment_id"]) != NOT_A_FRAGMENT:
            fragments += 1
    return fragments
