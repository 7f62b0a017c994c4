"""Offsets, numbers and loads: where a field stands in its header, and how to read it.

Every offset counts from the start of its own header. Decoders use these names only.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import i64, kernel, load_be16, load_be32, load_be64, load_le16, load_le32

Bytes = NDArray[np.uint8]

# --- EtherTypes (IEEE 802 numbers) -----------------------------------------------------------------
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_VLAN = 0x8100  # 802.1Q
ETHERTYPE_QINQ = 0x88A8  # 802.1ad
ETHERTYPE_QINQ_OLD = 0x9100  # QinQ before 802.1ad
ETHERTYPE_MPLS, ETHERTYPE_MPLS_UPSTREAM = 0x8847, 0x8848  # RFC 3032, RFC 5332
ETHERTYPE_PPPOE = 0x8864  # a PPPoE session, RFC 2516
ETHERTYPE_I_TAG = 0x88E7  # 802.1ah
ETHERTYPE_LLC = 0x8870  # for frames too long for a length field

# --- what else stands next in a frame, by numbers that no EtherType has ----------------------------------
NO_IP = 0  # something that is read no further
SHORT = -1  # the frame ends inside a link header
UNKNOWN_LINK = -2  # the link type has no decoder
ENDLESS = -3  # more headers than any network nests
BARE_IP, ETHERNET_FRAME, LLC, PPP, PPP_HDLC, CISCO_HDLC, RADIOTAP, WLAN, WLAN_PADDED = range(0x10000, 0x10009)

# --- IP protocol numbers (IANA) ----------------------------------------------------------------------
ICMP, TCP, UDP, GRE, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 47, 58, 132, 136

# --- IPv4, RFC 791 section 3.1 -----------------------------------------------------------------------
IPV4_VERSION_IHL = 0
IPV4_TOS = 1
IPV4_TOTAL_LENGTH = 2
IPV4_IDENTIFICATION = 4
IPV4_FLAGS_OFFSET = 6
IPV4_TTL = 8
IPV4_PROTOCOL = 9
IPV4_CHECKSUM = 10
IPV4_SOURCE = 12
IPV4_DESTINATION = 16
IPV4_HEADER = 20

# --- IPv6, RFC 8200 sections 3 and 4 -------------------------------------------------------------------
IPV6_PAYLOAD_LENGTH = 4
IPV6_NEXT_HEADER = 6
IPV6_HOP_LIMIT = 7
IPV6_SOURCE = 8
IPV6_DESTINATION = 24
IPV6_HEADER = 40
IPV6_LONGEST = 40 + 0xFFFF  # without the jumbo payload option
IPV6_HOP_BY_HOP, IPV6_ROUTING, IPV6_FRAGMENT, IPV6_AUTH, IPV6_NONE, IPV6_DESTINATION_OPTIONS = 0, 43, 44, 51, 59, 60
IPV6_EXTENSION_HEADER = 8  # the shortest extension header
OPTION_PAD1, OPTION_JUMBO = 0, 0xC2  # RFC 8200 section 4.2, RFC 2675 section 2
JUMBO_OPTION = 6
MAX_EXTENSION_HEADERS = 64  # a longer chain is no packet that a host would send

# --- TCP, RFC 9293 section 3.1 -----------------------------------------------------------------------
TCP_SEQUENCE = 4
TCP_ACKNOWLEDGEMENT = 8
TCP_DATA_OFFSET = 12
TCP_FLAGS = 13
TCP_WINDOW = 14
TCP_HEADER = 20
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
OPTION_END, OPTION_NOP, OPTION_WSCALE, OPTION_SACK_PERMITTED, OPTION_SACK = 0, 1, 3, 4, 5
MAX_WSCALE = 14  # RFC 7323 section 2.3

# --- UDP (RFC 768), ICMP (RFC 792, RFC 4443), SCTP (RFC 9260), GRE (RFC 2784) --------------------------
UDP_LENGTH = 4
UDP_CHECKSUM = 6
UDP_HEADER = 8
ICMP_TYPE = 0
ICMP_CODE = 1
ICMP_IDENTIFIER = 4
ICMP_HEADER = 8
REDIRECT_HEADER = 40  # RFC 4861 section 4.5
OPTION_REDIRECTED = 4
REDIRECTED_HEADER = 8  # of the option, before the quoted packet
LINK_LOCAL_V6 = 0xFE80 >> 6  # the upper ten bits of fe80::/10
SCTP_TAG = 4
SCTP_HEADER = 12
GRE_HEADER = 4
GRE_VERSION = 0x0007
GRE_PPTP = 1  # version 1, RFC 2637
GRE_PPTP_HEADER = 8
GRE_CALL_ID = 6
GRE_PPP = 0x880B  # the only protocol of version 1
PORTS = 4  # source and destination port, the first bytes of TCP, UDP, UDP-Lite and SCTP


u16, u32, u64 = load_be16, load_be32, load_be64
u16_le, u32_le = load_le16, load_le32


@kernel
def u8(data: Bytes, at: int) -> int:
    """The byte at `at`."""
    return i64(data[at])


@kernel
def read_ports(data: Bytes, at: int, end: int, p: Any) -> None:
    """Source and destination port, the first fields of TCP, UDP, UDP-Lite and SCTP, where they are there."""
    if at + PORTS <= end:
        p["src_port"] = u16(data, at)
        p["dst_port"] = u16(data, at + 2)
