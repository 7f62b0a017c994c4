"""The first packet of a new connection as bytes, without scapy: for those who need thousands of them at once."""

import struct

from pcaps.frame import Frame
from pcaps.link import RAW

TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132
SYN = 0x02
CLIENT_PORT = 49152  # the first dynamic port (RFC 6335 section 6)
HOP_LIMIT = 64
V4_HEADER = 20  # octets, without options
#: ICMP types that quote the packet which they are about: RFC 792, RFC 4443 section 3.
QUOTING = {ICMP: (3, 4, 5, 11, 12), ICMPV6: (1, 2, 3, 4)}
NOTHING = bytes(16)  # what an ICMP query carries behind its header, and a protocol without ports


def opener(source: bytes, target: bytes, protocol: int, port: int = 0, code: int = 0, *, time: int = 0) -> Frame:
    """A frame (raw IP) from `source` to `target`, addresses of 4 or 16 octets both, at `time` ns since 1970.

    TCP: a SYN to `port`; UDP: a datagram; SCTP: an INIT; ICMP and ICMPv6: a message of type `port` and `code`, one
    that reports an error quotes a datagram of the target to the source; any other protocol: zeros. IPv4's header
    checksum is right, those of transports are left 0.
    """
    data = _ip(source, target, protocol, _payload(source, target, protocol, port, code))
    return Frame(RAW, time, data, len(data))


def _payload(source: bytes, target: bytes, protocol: int, port: int, code: int) -> bytes:
    match protocol:
        case 6:  # RFC 9293 section 3.1: sequence number 1, no options
            return struct.pack("!HHIIBBHHH", CLIENT_PORT, port, 1, 0, 5 << 4, SYN, 0xFFFF, 0, 0)
        case 17:
            return struct.pack("!HHHH", CLIENT_PORT, port, 8, 0)
        case 132:  # RFC 9260 sections 3.1 and 3.3.2: verification tag 0, then INIT with its own tag
            return struct.pack("!HHIIBBHIIHHI", CLIENT_PORT, port, 0, 0, 1, 0, 20, 1, 0xFFFF, 1, 1, 1)
        case 1 | 58 if port in QUOTING[protocol]:
            quoted = _ip(target, source, UDP, struct.pack("!HHHH", CLIENT_PORT, CLIENT_PORT, 8, 0))
            return struct.pack("!BBHI", port, code, 0, 0) + quoted
        case 1 | 58:
            return struct.pack("!BBHHH", port, code, 0, 1, 1) + NOTHING
    return NOTHING


def _ip(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    """RFC 791 section 3.1, RFC 8200 section 3."""
    if len(source) == len(target) == 4:
        length = V4_HEADER + len(payload)
        first = struct.pack("!BBHHHBBH", 4 << 4 | V4_HEADER // 4, 0, length, 1, 0, HOP_LIMIT, protocol, 0)
        checksum = _checksum(first + source + target)
        return first[:10] + struct.pack("!H", checksum) + source + target + payload
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, HOP_LIMIT) + source + target + payload


def _checksum(header: bytes) -> int:
    """RFC 1071, of an even number of octets."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
