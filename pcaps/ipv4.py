"""The IPv4 header (RFC 791), and what both IP versions' readers share.

A reader fills the columns of the IP header and returns a status, where the next header starts and where
the datagram stops by its own length. The status is GO_ON where a transport header may follow.
"""

import numpy as np

from pcaps.accelerate import kernel
from pcaps.batch import IPV4_PREFIX, MALFORMED, TRUNCATED, Packet
from pcaps.wire import (
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
    Bytes,
    u8,
    u16,
    u32,
)

GO_ON = -1  # read the next header


@kernel
def cut_header(end: int, whole: int) -> int:
    """The status of an IP header that ends behind the captured bytes: cut by the snap length, or never there."""
    return TRUNCATED if end < whole else MALFORMED


@kernel
def mark_fragment(p: Packet, headers: int, carried: int, identification: int, offset: int, more: int) -> None:
    """Note that the packet is a fragment with so many bytes of headers and of the datagram's."""
    p["fragment_id"] = identification
    p["fragment_offset"] = offset
    p["fragment_more"] = more
    p["payload_at"] = headers
    p["payload"] = carried


@kernel
def ipv4_checksum_holds(data: Bytes, at: int, header: int) -> bool:
    """RFC 1071 over the header: the ones' complement sum of all words is 0xFFFF."""
    total = 0
    for word in range(at, at + header, 4):
        total += u32(data, word)
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


@kernel
def read_ipv4(data: Bytes, at: int, end: int, whole: int, p: Packet) -> tuple[int, int, int]:
    """An IPv4 header with its options. `whole` is where the frame ended on the wire.

    A total length of 0 is segmentation offload: the host had not filled it in yet, or could not (BIG TCP).
    """
    if at + IPV4_HEADER > end:
        return cut_header(end, whole), at, end
    header = (u8(data, at + IPV4_VERSION_IHL) & 0x0F) * 4
    length = u16(data, at + IPV4_TOTAL_LENGTH)
    if length == 0:
        length = whole - at
    if u8(data, at + IPV4_VERSION_IHL) >> 4 != 4 or header < IPV4_HEADER or length < header:
        return MALFORMED, at, end
    p["family"] = 4
    p["length"] = length
    p["hop_limit"] = u8(data, at + IPV4_TTL)
    p["traffic_class"] = u8(data, at + IPV4_TOS)
    p["protocol"] = u8(data, at + IPV4_PROTOCOL)
    p["src_lo"] = np.uint64(IPV4_PREFIX) | np.uint64(u32(data, at + IPV4_SOURCE))
    p["dst_lo"] = np.uint64(IPV4_PREFIX) | np.uint64(u32(data, at + IPV4_DESTINATION))
    if at + header > end:
        return cut_header(end, whole), at, end
    fragment = u16(data, at + IPV4_FLAGS_OFFSET)
    if fragment & 0x3FFF:
        ident = u16(data, at + IPV4_IDENTIFICATION)
        mark_fragment(p, header, length - header, ident, (fragment & 0x1FFF) * 8, (fragment >> 13) & 1)
    p["bad_ip_checksum"] = 0 if ipv4_checksum_holds(data, at, header) else 1
    return GO_ON, at + header, at + length
