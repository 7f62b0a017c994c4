"""Ethernet and what stands between it and IP: tags, LLC and SNAP, MPLS, PPPoE, provider backbone bridges.

Each reader takes the header at `at` of a frame whose bytes end at `end`, and returns what stands next,
where it starts, and where the frame ends for it: a length field can say that sooner, and padding follows.
"""

from pcaps.accelerate import kernel
from pcaps.wire import (
    BARE_IP,
    ETHERNET_FRAME,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_VLAN,
    LLC,
    NO_IP,
    PPP,
    SHORT,
    Bytes,
    u8,
    u16,
    u32,
)

# --- Ethernet II and IEEE 802.3 (clause 3.2.6: a length, or from 1536 on a type), IEEE 802.1Q -----------
ETHERNET_HEADER = 14
ETHERNET_TYPE = 12
LONGEST_8023 = 1500
VLAN_TAG = 4
I_TAG = 4  # IEEE 802.1Q clause 9.7: flags and service identifier, then the customer's frame

# --- LLC and SNAP, IEEE 802 clause 9, RFC 1042 ------------------------------------------------------------
LLC_HEADER = 3
SAP_IP = 0x06
SAP_SNAP = 0xAAAA  # both service access points
UNNUMBERED = 0x03  # the control field's low bits, and all of it in unnumbered information
SNAP_HEADER = 5
OUI_ETHERTYPE, OUI_CISCO_BRIDGED = 0x000000, 0x0000F8  # behind both an EtherType stands

# --- MPLS, RFC 3032 section 2.1; pseudowires, RFC 4385 and RFC 4448; PPPoE, RFC 2516 section 4 -------------
MPLS_ENTRY = 4
MPLS_BOTTOM = 0x100
MPLS_GAL = 13  # RFC 5586: an associated channel follows, no packet
CONTROL_WORD = 4
PPPOE_HEADER = 6
PPPOE_LENGTH = 4


@kernel
def behind_type(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Behind the length or type at `at`, which ends a header. A length is LLC's, and bounds the frame."""
    number = u16(data, at)
    at += 2
    if number > LONGEST_8023:
        return number, at, end
    return LLC, at, min(end, at + number)


@kernel
def read_ethernet(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """An Ethernet header."""
    if at + ETHERNET_HEADER > end:
        return SHORT, at, end
    return behind_type(data, at + ETHERNET_TYPE, end)


@kernel
def read_tag(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """An 802.1Q or 802.1ad tag, a priority tag too."""
    if at + VLAN_TAG > end:
        return SHORT, at, end
    return behind_type(data, at + VLAN_TAG - 2, end)


@kernel
def read_llc(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """LLC with IP's own service access point, or SNAP; only frames that carry information."""
    if at + LLC_HEADER > end:
        return SHORT, at, end
    control = u8(data, at + 2)
    behind = at + LLC_HEADER
    if control & UNNUMBERED != UNNUMBERED:
        behind += 1  # sequence numbers
    if control & 1 and control != UNNUMBERED:
        return NO_IP, at, end
    if u8(data, at) == SAP_IP:
        return BARE_IP, behind, end
    if u16(data, at) != SAP_SNAP:
        return NO_IP, at, end
    if behind + SNAP_HEADER > end:
        return SHORT, at, end
    if u32(data, behind) >> 8 not in (OUI_ETHERTYPE, OUI_CISCO_BRIDGED):
        return NO_IP, at, end
    return u16(data, behind + 3), behind + SNAP_HEADER, end


@kernel
def holds_ip(data: Bytes, at: int, end: int) -> bool:
    """True if the bytes at `at` read like an Ethernet frame with IP or a tag."""
    if at + ETHERNET_HEADER >= end:
        return False
    ethertype = u16(data, at + ETHERNET_TYPE)
    version = u8(data, at + ETHERNET_HEADER) >> 4
    return (
        (ethertype == ETHERTYPE_IPV4 and version == 4)
        or (ethertype == ETHERTYPE_IPV6 and version == 6)
        or ethertype in (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD)
    )


@kernel
def read_mpls(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """One entry of a label stack.

    Nothing says what stands behind the last: the first four bits do, as RFC 4928 section 3 allows for.
    0 is an Ethernet pseudowire's control word, or the first address of a pseudowire without one.
    """
    if at + MPLS_ENTRY > end:
        return SHORT, at, end
    entry = u32(data, at)
    at += MPLS_ENTRY
    if entry & MPLS_BOTTOM == 0:
        return ETHERTYPE_MPLS, at, end
    if at >= end:
        return SHORT, at, end
    nibble = u8(data, at) >> 4
    if entry >> 12 == MPLS_GAL:
        return NO_IP, at, end
    if nibble == 4:
        return ETHERTYPE_IPV4, at, end
    if nibble == 6:
        return ETHERTYPE_IPV6, at, end
    if nibble != 0:
        return NO_IP, at, end
    worded = holds_ip(data, at + CONTROL_WORD, end) or not holds_ip(data, at, end)
    return ETHERNET_FRAME, at + CONTROL_WORD if worded else at, end


@kernel
def read_pppoe(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """The header of a PPPoE session."""
    if at + PPPOE_HEADER > end:
        return SHORT, at, end
    behind = at + PPPOE_HEADER
    return PPP, behind, min(end, behind + u16(data, at + PPPOE_LENGTH))
