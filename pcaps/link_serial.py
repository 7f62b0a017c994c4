"""Serial links: PPP (RFC 1661) in frames like HDLC's (RFC 1662), and Cisco's HDLC (RFC 1547 section 4.3.1).

Readers as in pcaps.link_ethernet.
"""

from pcaps.accelerate import kernel
from pcaps.wire import (
    CISCO_HDLC,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    NO_IP,
    PPP,
    SHORT,
    Bytes,
    u8,
    u16,
)

PPP_IPV4, PPP_IPV6 = 0x0021, 0x0057  # RFC 1332, RFC 5072
PPP_MPLS, PPP_MPLS_UPSTREAM = 0x0281, 0x0283  # RFC 3032 section 4.1, RFC 5332
ALL_STATIONS = 0xFF  # the address before PPP; control follows it, and both may be left out
CISCO_UNICAST, CISCO_MULTICAST = 0x0F, 0x8F
CISCO_HEADER = 4
CISCO_TYPE = 2


@kernel
def read_ppp(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """PPP's protocol field: two bytes, or one that is odd where it is compressed (RFC 1661 section 6.5)."""
    if at >= end:
        return SHORT, at, end
    number = u8(data, at)
    at += 1
    if number & 1 == 0:
        if at >= end:
            return SHORT, at, end
        number = (number << 8) | u8(data, at)
        at += 1
    if number == PPP_IPV4:
        return ETHERTYPE_IPV4, at, end
    if number == PPP_IPV6:
        return ETHERTYPE_IPV6, at, end
    if number in (PPP_MPLS, PPP_MPLS_UPSTREAM):
        return ETHERTYPE_MPLS, at, end
    return NO_IP, at, end


@kernel
def read_ppp_hdlc(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """The address that says whether PPP, PPP without address and control, or Cisco's HDLC follows."""
    if at >= end:
        return SHORT, at, end
    address = u8(data, at)
    if address in (CISCO_UNICAST, CISCO_MULTICAST):
        return CISCO_HDLC, at, end
    return PPP, at + 2 if address == ALL_STATIONS else at, end


@kernel
def read_cisco_hdlc(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Address, control, EtherType."""
    if at + CISCO_HEADER > end:
        return SHORT, at, end
    return u16(data, at + CISCO_TYPE), at + CISCO_HEADER, end
