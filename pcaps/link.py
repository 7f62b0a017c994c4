"""Link layers: from the start of a frame to the start of its IP header.

Link types are those of https://www.tcpdump.org/linktypes.html. A link type says what a frame starts with;
from there every header names the next one, until IP or something else stands there.
"""

from typing import NamedTuple

from pcaps.accelerate import kernel, rare_kernel
from pcaps.link_cooked import (
    LINUX_SLL,
    LINUX_SLL2,
    SLL2_HARDWARE,
    SLL2_HEADER,
    SLL2_PROTOCOL,
    SLL_HARDWARE,
    SLL_HEADER,
    SLL_PROTOCOL,
    read_arcnet,
    read_cooked,
    read_nflog,
    read_null,
)
from pcaps.link_ethernet import (
    ETHERNET_HEADER,
    ETHERNET_TYPE,
    I_TAG,
    read_ethernet,
    read_llc,
    read_mpls,
    read_pppoe,
    read_tag,
)
from pcaps.link_serial import read_cisco_hdlc, read_ppp, read_ppp_hdlc
from pcaps.link_wireless import read_radiotap, read_wlan
from pcaps.wire import (
    BARE_IP,
    CISCO_HDLC,
    ENDLESS,
    ETHERNET_FRAME,
    ETHERTYPE_I_TAG,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_LLC,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_UPSTREAM,
    ETHERTYPE_PPPOE,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_VLAN,
    LLC,
    NO_IP,
    PPP,
    PPP_HDLC,
    RADIOTAP,
    SHORT,
    UNKNOWN_LINK,
    WLAN,
    WLAN_PADDED,
    Bytes,
    u8,
    u16,
)

NULL, ETHERNET, ARCNET_BSD, PPP_LINK, PPP_HDLC_LINK, PPP_ETHER = 0, 1, 7, 9, 50, 51
RAW, CISCO_HDLC_LINK, WLAN_LINK, LOOP, RADIOTAP_LINK = 101, 104, 105, 108, 127
ARCNET_LINUX, IPV4, IPV6, NFLOG = 129, 228, 229, 239
RAW_BSD, RAW_OPENBSD = 12, 14  # DLT_RAW as some systems write it into files

LIST = "https://www.tcpdump.org/linktypes.html"
RFC = "https://www.rfc-editor.org/rfc/"


class LinkType(NamedTuple):
    """One row of the table of link types that are decoded."""

    number: int
    name: str
    header: str
    source: str


LINK_TYPES = (
    LinkType(
        NULL,
        "NULL",
        "BSD loopback: 4 bytes of address family in the writer's byte order",
        "https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html",
    ),
    LinkType(ETHERNET, "EN10MB", "Ethernet II, and IEEE 802.3 with LLC or SNAP", "IEEE 802.3"),
    LinkType(ARCNET_BSD, "ARCNET", "ARCNET with IP of RFC 1201 or RFC 1051", f"{RFC}rfc1201"),
    LinkType(PPP_LINK, "PPP", "PPP, with and without address and control", f"{RFC}rfc1661"),
    LinkType(RAW_BSD, "RAW", "IP without a link header", LIST),
    LinkType(RAW_OPENBSD, "RAW", "IP without a link header", LIST),
    LinkType(PPP_HDLC_LINK, "PPP_SERIAL", "PPP in HDLC-like framing, or Cisco's HDLC", f"{RFC}rfc1662"),
    LinkType(PPP_ETHER, "PPP_ETHER", "PPPoE without Ethernet", f"{RFC}rfc2516"),
    LinkType(RAW, "RAW", "IP without a link header", LIST),
    LinkType(CISCO_HDLC_LINK, "C_HDLC", "Cisco's HDLC", f"{RFC}rfc1547"),
    LinkType(WLAN_LINK, "IEEE802_11", "802.11: data frames that are not protected", "IEEE 802.11"),
    LinkType(
        LOOP,
        "LOOP",
        "OpenBSD loopback: 4 bytes of address family in network order",
        "https://www.tcpdump.org/linktypes/LINKTYPE_LOOP.html",
    ),
    LinkType(
        LINUX_SLL, "LINUX_SLL", "Linux cooked capture", "https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html"
    ),
    LinkType(RADIOTAP_LINK, "IEEE802_11_RADIO", "a radiotap header, then 802.11", "https://www.radiotap.org/"),
    LinkType(ARCNET_LINUX, "ARCNET_LINUX", "the same as ARCNET, as Linux captures it", f"{RFC}rfc1201"),
    LinkType(IPV4, "IPV4", "IPv4 without a link header", LIST),
    LinkType(IPV6, "IPV6", "IPv6 without a link header", LIST),
    LinkType(
        NFLOG,
        "NFLOG",
        "Linux netfilter log: the payload among its TLVs, in the writer's byte order",
        "https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html",
    ),
    LinkType(
        LINUX_SLL2,
        "LINUX_SLL2",
        "Linux cooked capture, version 2",
        "https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html",
    ),
)
SUPPORTED = frozenset(row.number for row in LINK_TYPES)


class Nested(NamedTuple):
    """One row of the table of headers that may stand between a link header and IP."""

    header: str
    told_by: str
    source: str


NESTED = (
    Nested("VLAN tags: 802.1Q, 802.1ad, and QinQ before it", "EtherType 8100, 88a8, 9100", "IEEE 802.1Q"),
    Nested("provider backbone bridging (802.1ah)", "EtherType 88e7", "IEEE 802.1Q"),
    Nested(
        "LLC, with IP's own service access point or with SNAP",
        "a length in the EtherType's place; EtherType 8870",
        f"{RFC}rfc1042",
    ),
    Nested("MPLS labels", "EtherType 8847, 8848; PPP 0281, 0283", f"{RFC}rfc3032"),
    Nested(
        "an Ethernet pseudowire, with and without control word", "four bits 0 behind the last label", f"{RFC}rfc4448"
    ),
    Nested("a PPPoE session, with PPP", "EtherType 8864", f"{RFC}rfc2516"),
    Nested("PPP, its protocol field compressed or not", "PPPoE, serial links", f"{RFC}rfc1661"),
)
MAX_LINK_HEADERS = 32  # between the start of a frame and IP; no network nests so deep


@kernel
def first_header(data: Bytes, start: int, end: int, link: int) -> tuple[int, int, int]:
    """What a frame of this link type starts with, or what stands behind that where no other type shares it."""
    if link == ETHERNET:
        return ETHERNET_FRAME, start, end
    if link in (RAW, RAW_BSD, RAW_OPENBSD):
        return BARE_IP, start, end
    if link == IPV4:
        return ETHERTYPE_IPV4, start, end
    if link == IPV6:
        return ETHERTYPE_IPV6, start, end
    if link in (NULL, LOOP):
        return read_null(data, start, end)
    if link in (LINUX_SLL, LINUX_SLL2):
        old = link == LINUX_SLL
        header, hardware = (SLL_HEADER, SLL_HARDWARE) if old else (SLL2_HEADER, SLL2_HARDWARE)
        return read_cooked(data, start, end, header, hardware, SLL_PROTOCOL if old else SLL2_PROTOCOL)
    if link == NFLOG:
        return read_nflog(data, start, end)
    if link in (ARCNET_BSD, ARCNET_LINUX):
        return read_arcnet(data, start, end, link == ARCNET_BSD)
    return link_header(link), start, end


@kernel
def link_header(link: int) -> int:
    """The header that frames of this link type start with."""
    if link in (PPP_LINK, PPP_HDLC_LINK):
        return PPP_HDLC
    if link == PPP_ETHER:
        return ETHERTYPE_PPPOE
    if link == CISCO_HDLC_LINK:
        return CISCO_HDLC
    if link == WLAN_LINK:
        return WLAN
    return RADIOTAP if link == RADIOTAP_LINK else UNKNOWN_LINK


@kernel
def bare_ip(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """IP without anything before it, told by its version."""
    if at >= end:
        return SHORT, at, end
    version = u8(data, at) >> 4
    if version == 4:
        return ETHERTYPE_IPV4, at, end
    return ETHERTYPE_IPV6 if version == 6 else NO_IP, at, end


@kernel
def next_header(data: Bytes, at: int, end: int, header: int) -> tuple[int, int, int]:
    """Behind one header that is no IP header: what stands next, where, and where the frame ends for it."""
    if header == ETHERNET_FRAME:
        return read_ethernet(data, at, end)
    if header in (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD):
        return read_tag(data, at, end)
    if header in (LLC, ETHERTYPE_LLC):
        return read_llc(data, at, end)
    if header in (ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM):
        return read_mpls(data, at, end)
    if header == ETHERTYPE_PPPOE:
        return read_pppoe(data, at, end)
    if header == PPP:
        return read_ppp(data, at, end)
    if header == BARE_IP:
        return bare_ip(data, at, end)
    if header == ETHERTYPE_I_TAG:
        return ETHERNET_FRAME, at + I_TAG, end
    return rare_header(data, at, end, header)


@kernel
def rare_header(data: Bytes, at: int, end: int, header: int) -> tuple[int, int, int]:
    """The same of headers that only some link types have."""
    if header == PPP_HDLC:
        return read_ppp_hdlc(data, at, end)
    if header == CISCO_HDLC:
        return read_cisco_hdlc(data, at, end)
    if header == RADIOTAP:
        return read_radiotap(data, at, end)
    if header in (WLAN, WLAN_PADDED):
        return read_wlan(data, at, end, header == WLAN_PADDED)
    return NO_IP, at, end


@rare_kernel
def follow_headers(data: Bytes, start: int, end: int, link: int) -> tuple[int, int, int]:
    """As network_layer, for any frame: a real call, so that what is rare stays out of the common path."""
    header, at, end = first_header(data, start, end, link)
    for _ in range(MAX_LINK_HEADERS + 1):
        if header <= NO_IP or header in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            return header, at, end
        header, at, end = next_header(data, at, end, header)
    return ENDLESS, at, end


@kernel
def network_layer(data: Bytes, start: int, end: int, link: int) -> tuple[int, int, int]:
    """(EtherType, offset of the network header, end of what the frame carries) of the frame data[start:end].

    The EtherType is NO_IP where something else than IP is found, SHORT where the frame ends too early, ENDLESS
    where IP does not come, and UNKNOWN_LINK for a link type without a decoder.
    """
    if link == ETHERNET and start + ETHERNET_HEADER <= end:
        ethertype = u16(data, start + ETHERNET_TYPE)
        if ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            return ethertype, start + ETHERNET_HEADER, end
    return follow_headers(data, start, end, link)
