"""Transport checksums, verified only where a user asks for it: offload leaves them unset in many captures.

RFC 1071 sums with the pseudo header of RFC 9293 section 3.1 or RFC 8200 section 8.1; as the kernel does
(net/netfilter/utils.c, nf_ip_checksum) up to the end of the IP packet. SCTP's CRC32c is not verified.
"""

import numpy as np

from pcaps.accelerate import i64, kernel
from pcaps.batch import Packet
from pcaps.wire import ICMP, ICMPV6, TCP, UDP, UDP_CHECKSUM, Bytes, u8, u16

LOW_16 = 0xFFFF


@kernel
def folded(total: int) -> int:
    """A sum of 16-bit words in ones' complement."""
    while total > LOW_16:
        total = (total & LOW_16) + (total >> 16)
    return total


@kernel
def words_of(word: np.uint64) -> int:
    """The sum of the four 16-bit words of half an address."""
    total = 0
    for shift in range(0, 64, 16):
        total += i64((word >> np.uint64(shift)) & np.uint64(LOW_16))
    return total


@kernel
def pseudo_header(p: Packet, length: int) -> int:
    """The sum over addresses, protocol and length; an IPv4 address is the lower 32 bits of its half."""
    total = i64(p["protocol"]) + (length >> 16) + (length & LOW_16)
    if i64(p["family"]) == 4:
        low = np.uint64(0xFFFFFFFF)
        return total + words_of(p["src_lo"] & low) + words_of(p["dst_lo"] & low)
    return total + words_of(p["src_hi"]) + words_of(p["src_lo"]) + words_of(p["dst_hi"]) + words_of(p["dst_lo"])


@kernel
def checksum_holds(data: Bytes, at: int, stop: int, p: Packet) -> bool:
    """True unless the checksum of the TCP, UDP, ICMP or ICMPv6 packet data[at:stop] is wrong."""
    protocol = i64(p["protocol"])
    if protocol not in (TCP, UDP, ICMP, ICMPV6):
        return True
    if protocol == UDP and i64(p["family"]) == 4 and u16(data, at + UDP_CHECKSUM) == 0:
        return True  # left out (RFC 768)
    total = 0 if protocol == ICMP else pseudo_header(p, stop - at)
    for word in range(at, stop - 1, 2):
        total += u16(data, word)
    if (stop - at) % 2:
        total += u8(data, stop - 1) << 8
    return folded(total) == LOW_16
