"""Link headers that a system makes for its captures: loopback, Linux cooked, netfilter log; and ARCNET's.

Readers as in pcaps.link_ethernet.
"""

from pcaps.accelerate import kernel
from pcaps.batch import INBOUND, OUTBOUND, UNSTATED
from pcaps.wire import (
    ENDLESS,
    ETHERNET_FRAME,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    LLC,
    NO_IP,
    PPP_HDLC,
    RADIOTAP,
    SHORT,
    Bytes,
    u8,
    u16,
    u16_le,
    u32,
    u32_le,
)

LINUX_SLL, LINUX_SLL2 = 113, 276  # link types

# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
AF_INET, AF_INET6_LINUX, AF_INET6_OPENBSD, AF_INET6_FREEBSD, AF_INET6_DARWIN = 2, 10, 24, 28, 30
NULL_HEADER = 4

# --- Linux cooked, https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and LINKTYPE_LINUX_SLL2.html
SLL_HEADER = 16
SLL_PACKET_TYPE, SLL_HARDWARE, SLL_ADDRESS_LENGTH, SLL_ADDRESS, SLL_PROTOCOL = 0, 2, 4, 6, 14
SLL2_HEADER = 20
SLL2_PROTOCOL, SLL2_HARDWARE, SLL2_PACKET_TYPE, SLL2_ADDRESS_LENGTH, SLL2_ADDRESS = 0, 8, 10, 11, 12
ARPHRD_RADIOTAP, ARPHRD_NETLINK = 803, 824  # their protocol field is no EtherType
COOKED_ETHERNET, COOKED_LLC, COOKED_PPP = 0x0003, 0x0004, 0x0007  # Linux's own numbers below the EtherTypes
LAST_LINUX_NUMBER = 1536
HOST, BROADCAST, MULTICAST, OUTGOING = 0, 1, 2, 4  # 3: between others

# --- https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html -----------------------------------------------
NFLOG_HEADER = 4
TLV_HEADER = 4
TLV_PAYLOAD = 9
TLV_TYPE = 0x7FFF  # without the netlink flag above it
MAX_TLVS = 64  # Linux writes about twenty

# --- ARCNET, RFC 1201 and RFC 1051 ------------------------------------------------------------------------
ARCNET_IPV4, ARCNET_IPV6, ARCNET_IPV4_OLD = 212, 196, 240
ARCNET_EXCEPTION = 0xFF  # the split flag of RFC 1201 section 2.3's exception packets


@kernel
def family_ethertype(family: int) -> int:
    """The EtherType of an address family; NO_IP if it is not IP."""
    if family == AF_INET:
        return ETHERTYPE_IPV4
    if family in (AF_INET6_LINUX, AF_INET6_OPENBSD, AF_INET6_FREEBSD, AF_INET6_DARWIN):
        return ETHERTYPE_IPV6
    return NO_IP


@kernel
def read_null(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """A BSD loopback header of either byte order."""
    if at + NULL_HEADER > end:
        return SHORT, at, end
    found = family_ethertype(u32_le(data, at))
    if found == NO_IP:
        found = family_ethertype(u32(data, at))
    return found, at + NULL_HEADER, end


@kernel
def read_cooked(
    data: Bytes, at: int, end: int, header: int, hardware_at: int, protocol_at: int
) -> tuple[int, int, int]:
    """A Linux cooked header of either version."""
    if at + header > end:
        return SHORT, at, end
    hardware = u16(data, at + hardware_at)
    protocol = u16(data, at + protocol_at)
    at += header
    if hardware == ARPHRD_RADIOTAP:
        return RADIOTAP, at, end
    if hardware == ARPHRD_NETLINK:
        return NO_IP, at, end
    if protocol > LAST_LINUX_NUMBER:
        return protocol, at, end
    if protocol == COOKED_ETHERNET:
        return ETHERNET_FRAME, at, end
    if protocol == COOKED_LLC:
        return LLC, at, end
    return PPP_HDLC if protocol == COOKED_PPP else NO_IP, at, end


@kernel
def stated_way(data: Bytes, at: int, end: int, link: int) -> int:
    """The direction that a frame of this link type states itself, in the packet type of a cooked header."""
    if link == LINUX_SLL and at + SLL_HEADER <= end:
        kind = u16(data, at + SLL_PACKET_TYPE)
    elif link == LINUX_SLL2 and at + SLL2_HEADER <= end:
        kind = u8(data, at + SLL2_PACKET_TYPE)
    else:
        return UNSTATED
    if kind in (HOST, BROADCAST, MULTICAST):
        return INBOUND
    return OUTBOUND if kind == OUTGOING else UNSTATED


@kernel
def nflog_payload(data: Bytes, at: int, end: int, big_endian: bool) -> tuple[int, int]:
    """(start, stop) of the packet among the TLVs data[at:end].

    `start` is NO_IP where there is none, SHORT where the TLVs cannot be followed, ENDLESS where there are more
    than any system writes. The lengths are in the writer's byte order, padding is not counted.
    """
    for _ in range(MAX_TLVS):
        if at == end:
            return NO_IP, at
        if at + TLV_HEADER > end:
            return SHORT, at
        size = u16(data, at) if big_endian else u16_le(data, at)
        kind = u16(data, at + 2) if big_endian else u16_le(data, at + 2)
        if size < TLV_HEADER:
            return SHORT, at
        if kind & TLV_TYPE == TLV_PAYLOAD:
            return at + TLV_HEADER, min(end, at + size)
        if at + size > end:
            return SHORT, at
        at = min(end, at + (size + 3 & ~3))
    return ENDLESS, at


@kernel
def read_nflog(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """A netfilter log header and its TLVs, in the byte order in which they can be followed."""
    if at + NFLOG_HEADER > end:
        return SHORT, at, end
    start, stop = nflog_payload(data, at + NFLOG_HEADER, end, False)
    if start == SHORT:
        start, stop = nflog_payload(data, at + NFLOG_HEADER, end, True)
    if start <= NO_IP:
        return start, at, end
    return family_ethertype(u8(data, at)), start, stop


@kernel
def read_arcnet(data: Bytes, at: int, end: int, bsd: bool) -> tuple[int, int, int]:
    """An ARCNET header: addresses, protocol, and of RFC 1201 split flag and sequence number.

    Linux writes an offset of two bytes behind the addresses, and no exception packets.
    """
    at += 2 if bsd else 4
    if at >= end:
        return SHORT, at, end
    protocol = u8(data, at)
    if protocol == ARCNET_IPV4_OLD:
        return ETHERTYPE_IPV4, at + 1, end
    if protocol not in (ARCNET_IPV4, ARCNET_IPV6):
        return NO_IP, at, end
    if bsd and at + 1 < end and u8(data, at + 1) == ARCNET_EXCEPTION:
        at += 4  # padding, and the protocol once more
    if at + 4 > end:
        return SHORT, at, end
    split = u8(data, at + 1)
    if split and split % 2 == 0:  # a later fragment; the first one's flag is odd
        return NO_IP, at, end
    return ETHERTYPE_IPV4 if protocol == ARCNET_IPV4 else ETHERTYPE_IPV6, at + 4, end
