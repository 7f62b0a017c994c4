"""The IPv6 header and its chain of extension headers (RFC 8200). Readers as in pcaps.ipv4."""

from pcaps.accelerate import i64, kernel
from pcaps.batch import BAD_TRANSPORT, MALFORMED, NO_TRANSPORT, NOT_A_FRAGMENT, OK, TRUNCATED, Packet
from pcaps.ipv4 import GO_ON, cut_header, mark_fragment
from pcaps.transport import short
from pcaps.wire import (
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
    JUMBO_OPTION,
    MAX_EXTENSION_HEADERS,
    OPTION_JUMBO,
    OPTION_PAD1,
    Bytes,
    u8,
    u16,
    u32,
    u64,
)

NO_JUMBO = -1
BAD_JUMBO = -2
SHORTEST_JUMBO = 1 << 16


@kernel
def extension_length(data: Bytes, at: int, kind: int) -> int:
    """Bytes of the extension header at `at` (RFC 8200 section 4, RFC 4302 section 2.2)."""
    if kind == IPV6_FRAGMENT:
        return IPV6_EXTENSION_HEADER
    if kind == IPV6_AUTH:
        return (u8(data, at + 1) + 2) * 4
    return (u8(data, at + 1) + 1) * 8


@kernel
def jumbo_length(data: Bytes, at: int, end: int) -> int:
    """The length that the hop-by-hop options at `at` state (RFC 2675 section 2); NO_JUMBO, BAD_JUMBO.

    As ipv6_hop_jumbo in net/ipv6/exthdrs.c: the option's place and size are fixed, and less than 64 KiB is
    none of its business.
    """
    if at + 2 > end:
        return NO_JUMBO
    stop = min(end, at + extension_length(data, at, IPV6_HOP_BY_HOP))
    option = at + 2
    while option + JUMBO_OPTION <= stop:
        kind = u8(data, option)
        if kind == OPTION_JUMBO:
            length = u32(data, option + 2)
            placed = (option - at) % 4 == 2 and u8(data, option + 1) == JUMBO_OPTION - 2
            return length if placed and length >= SHORTEST_JUMBO else BAD_JUMBO
        option += 1 if kind == OPTION_PAD1 else u8(data, option + 1) + 2
    return NO_JUMBO


@kernel
def ipv6_stop(data: Bytes, at: int, end: int, whole: int) -> int:
    """Where the packet stops by its own length; BAD_JUMBO where that cannot be read.

    A payload length of 0 is a jumbogram's, or segmentation offload: the host had not filled it in yet.
    """
    payload = u16(data, at + IPV6_PAYLOAD_LENGTH)
    behind = at + IPV6_HEADER
    if payload:
        return behind + payload
    if u8(data, at + IPV6_NEXT_HEADER) == IPV6_HOP_BY_HOP:
        jumbo = jumbo_length(data, behind, end)
        if jumbo == NO_JUMBO:
            return max(whole, behind)
        return behind + jumbo if jumbo != BAD_JUMBO else BAD_JUMBO
    return whole if whole - at > IPV6_LONGEST else behind


@kernel
def read_fragment_header(data: Bytes, at: int, first: int, stop: int, jumbo: bool, p: Packet) -> int:
    """RFC 8200 section 4.5: GO_ON, or the status of a packet that does not hold the headers behind it.

    The first header that cuts a datagram counts. An atomic one (RFC 6946) cuts nothing, and jumbograms
    are never put together (RFC 2675 section 3). `first` is where the IPv6 header starts.
    """
    p["protocol"] = u8(data, at)
    fragment = u16(data, at + 2)
    if fragment & 0xFFF9 and not jumbo and i64(p["fragment_id"]) == NOT_A_FRAGMENT:
        behind = at + IPV6_EXTENSION_HEADER
        mark_fragment(p, behind - first, stop - behind, u32(data, at + 4), fragment & 0xFFF8, fragment & 1)
    if fragment & 0xFFF8 == 0:
        return GO_ON
    return BAD_TRANSPORT if i64(p["fragment_id"]) == NOT_A_FRAGMENT else OK


@kernel
def read_chain(data: Bytes, first: int, end: int, stop: int, jumbo: bool, p: Packet) -> tuple[int, int, int]:
    """The extension headers of the packet at `first`, up to a transport header."""
    kind = i64(p["protocol"])
    at = first + IPV6_HEADER
    for _ in range(MAX_EXTENSION_HEADERS):
        if kind not in (IPV6_HOP_BY_HOP, IPV6_ROUTING, IPV6_FRAGMENT, IPV6_AUTH, IPV6_DESTINATION_OPTIONS):
            return NO_TRANSPORT if kind == IPV6_NONE else GO_ON, at, stop
        status = short(at + IPV6_EXTENSION_HEADER, end, stop)
        if status != OK:
            return TRUNCATED if status == TRUNCATED else NO_TRANSPORT, at, stop
        following = u8(data, at)
        if kind == IPV6_FRAGMENT:
            status = read_fragment_header(data, at, first, stop, jumbo, p)
            if status != GO_ON:
                return status, at, stop
        at += extension_length(data, at, kind)
        kind = following
        p["protocol"] = kind
    return NO_TRANSPORT, at, stop


@kernel
def read_ipv6(data: Bytes, at: int, end: int, whole: int, p: Packet) -> tuple[int, int, int]:
    """An IPv6 header and the extension headers behind it. `whole` is where the frame ended on the wire."""
    if at + IPV6_HEADER > end:
        return cut_header(end, whole), at, end
    stop = ipv6_stop(data, at, end, whole)
    if u8(data, at) >> 4 != 6 or stop == BAD_JUMBO:
        return MALFORMED, at, end
    p["family"] = 6
    p["length"] = stop - at
    p["hop_limit"] = u8(data, at + IPV6_HOP_LIMIT)
    p["traffic_class"] = (u16(data, at) >> 4) & 0xFF
    p["src_hi"] = u64(data, at + IPV6_SOURCE)
    p["src_lo"] = u64(data, at + IPV6_SOURCE + 8)
    p["dst_hi"] = u64(data, at + IPV6_DESTINATION)
    p["dst_lo"] = u64(data, at + IPV6_DESTINATION + 8)
    p["protocol"] = u8(data, at + IPV6_NEXT_HEADER)
    return read_chain(data, at, end, stop, u16(data, at + IPV6_PAYLOAD_LENGTH) == 0, p)
