"""Link layers: from the start of a frame to the start of its IP header.

Link types are those of https://www.tcpdump.org/linktypes.html.
"""

from typing import NamedTuple

from pcaps.accelerate import kernel
from pcaps.wire import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_VLAN,
    Bytes,
    u8,
    u16,
    u32,
    u32_le,
)

NULL, ETHERNET, RAW, LOOP, LINUX_SLL, IPV4, IPV6, LINUX_SLL2 = 0, 1, 101, 108, 113, 228, 229, 276
RAW_BSD, RAW_OPENBSD = 12, 14  # DLT_RAW as some systems write it into files


class LinkType(NamedTuple):
    """One row of the table of link types that are decoded."""

    number: int
    name: str
    header: str


LINK_TYPES = (
    LinkType(NULL, "NULL", "BSD loopback: 4 bytes of address family in the writer's byte order"),
    LinkType(ETHERNET, "EN10MB", "Ethernet II, with any number of 802.1Q and 802.1ad tags"),
    LinkType(RAW_BSD, "RAW", "IP without a link header"),
    LinkType(RAW_OPENBSD, "RAW", "IP without a link header"),
    LinkType(RAW, "RAW", "IP without a link header"),
    LinkType(LOOP, "LOOP", "OpenBSD loopback: 4 bytes of address family in network order"),
    LinkType(LINUX_SLL, "LINUX_SLL", "Linux cooked capture"),
    LinkType(IPV4, "IPV4", "IPv4 without a link header"),
    LinkType(IPV6, "IPV6", "IPv6 without a link header"),
    LinkType(LINUX_SLL2, "LINUX_SLL2", "Linux cooked capture, version 2"),
)
SUPPORTED = frozenset(row.number for row in LINK_TYPES)

ETHERNET_HEADER = 14
ETHERNET_TYPE = 12
SLL_HEADER = 16
SLL_PROTOCOL = 14
SLL2_HEADER = 20
SLL2_PROTOCOL = 0
NULL_HEADER = 4
VLAN_TAG = 4
# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
AF_INET, AF_INET6_LINUX, AF_INET6_OPENBSD, AF_INET6_FREEBSD, AF_INET6_DARWIN = 2, 10, 24, 28, 30

# What `network_layer` says instead of an EtherType
SHORT = -1  # the frame ends inside the link header
UNKNOWN_LINK = -2


@kernel
def family_ethertype(family: int) -> int:
    """The EtherType of a BSD address family; 0 if it is not IP."""
    if family == AF_INET:
        return ETHERTYPE_IPV4
    if family in (AF_INET6_LINUX, AF_INET6_OPENBSD, AF_INET6_FREEBSD, AF_INET6_DARWIN):
        return ETHERTYPE_IPV6
    return 0


@kernel
def skip_tags(data: Bytes, at: int, end: int, ethertype: int) -> tuple[int, int]:
    """(ethertype, offset) behind all VLAN tags that start at `at`."""
    while ethertype in (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD):
        if at + VLAN_TAG > end:
            return SHORT, at
        ethertype = u16(data, at + 2)
        at += VLAN_TAG
    return ethertype, at


@kernel
def typed_header(data: Bytes, start: int, end: int, type_at: int, header: int) -> tuple[int, int]:
    """(ethertype, offset) behind a link header of fixed length that holds an EtherType."""
    if start + header > end:
        return SHORT, start
    return skip_tags(data, start + header, end, u16(data, start + type_at))


@kernel
def null_header(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """(ethertype, offset) behind a BSD loopback header of either byte order."""
    if start + NULL_HEADER > end:
        return SHORT, start
    ethertype = family_ethertype(u32_le(data, start))
    if ethertype == 0:
        ethertype = family_ethertype(u32(data, start))
    return ethertype, start + NULL_HEADER


@kernel
def bare_ip(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """(ethertype, offset) of IP without a link header, told by the version nibble."""
    if start >= end:
        return SHORT, start
    version = u8(data, start) >> 4
    if version == 4:
        return ETHERTYPE_IPV4, start
    if version == 6:
        return ETHERTYPE_IPV6, start
    return 0, start


@kernel
def network_layer(data: Bytes, start: int, end: int, link: int) -> tuple[int, int]:
    """(ethertype, offset of the network header) of the frame data[start:end].

    The EtherType is SHORT where the frame ends too early and UNKNOWN_LINK for a link type without a
    decoder.
    """
    if link == ETHERNET:
        return typed_header(data, start, end, ETHERNET_TYPE, ETHERNET_HEADER)
    if link in (RAW, RAW_BSD, RAW_OPENBSD):
        return bare_ip(data, start, end)
    if link == LINUX_SLL:
        return typed_header(data, start, end, SLL_PROTOCOL, SLL_HEADER)
    if link == LINUX_SLL2:
        return typed_header(data, start, end, SLL2_PROTOCOL, SLL2_HEADER)
    if link in (NULL, LOOP):
        return null_header(data, start, end)
    if link == IPV4:
        return ETHERTYPE_IPV4, start
    if link == IPV6:
        return ETHERTYPE_IPV6, start
    return UNKNOWN_LINK, start
