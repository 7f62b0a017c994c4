"""Bytes of packets, right or wrong on purpose: every field can be given, nothing is corrected.

Checksums are left 0 behind IP: the comparison runs with nf_conntrack_checksum=0.
"""

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise

from tests.reference_frames import (
    ETHERNET_IPV4,
    ETHERNET_IPV6,
    FRAGMENT,
    internet_checksum,
)

NO_MACS = bytes(12)  # the sender writes its own
VLAN = 0x8100
NOP, WSCALE, SACK_OK, SACK, TIMESTAMP = 1, 3, 4, 5, 8
M32 = 0xFFFFFFFF
ATOMIC = M32  # identification of whole datagrams with a fragment header; no other has it


@dataclass(frozen=True)
class Datagram:
    """One IP packet before it is cut or tagged: what is behind the IP header, and how the header looks."""

    src: str
    dst: str
    protocol: int
    body: bytes
    hop_limit: int = 64
    options: bytes = b""  # IPv4's
    extensions: tuple[int, ...] = ()  # IPv6's extension headers, by kind
    ident: int = 0
    good_checksum: bool = True

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.src else 4


def ip_packet(datagram: Datagram) -> bytes:
    """The whole datagram as one IP packet."""
    if datagram.family == 6:
        return _ipv6(datagram, datagram.body, datagram.protocol)
    return _ipv4(datagram, datagram.body, 0)


def ip_fragment(datagram: Datagram, offset: int, piece: bytes, *, more: bool) -> bytes:
    """One fragment; `offset` is in bytes, a multiple of 8."""
    if datagram.family == 4:
        return _ipv4(datagram, piece, offset // 8 | (0x2000 if more else 0))
    header = struct.pack(">BBHI", datagram.protocol, 0, offset | more, datagram.ident)
    return _ipv6(datagram, header + piece, FRAGMENT)


def _ipv4(datagram: Datagram, body: bytes, fragment: int) -> bytes:
    options = datagram.options + b"\0" * (-len(datagram.options) % 4)
    words = 5 + len(options) // 4
    ident = datagram.ident & 0xFFFF
    fields = (0x40 | words, 0, words * 4 + len(body), ident, fragment, datagram.hop_limit, datagram.protocol)
    addresses = ip_address(datagram.src).packed + ip_address(datagram.dst).packed
    head = struct.pack(">BBHHHBB", *fields)
    checksum = internet_checksum(head + b"\0\0" + addresses + options) ^ (0 if datagram.good_checksum else 0x0101)
    return head + struct.pack(">H", checksum) + addresses + options + body


def _ipv6(datagram: Datagram, payload: bytes, following: int) -> bytes:
    """`following` is what the payload starts with, behind the extension headers."""
    kinds = (*datagram.extensions, following)
    chain = b"".join(_extension(kind, behind) for kind, behind in pairwise(kinds)) + payload
    addresses = ip_address(datagram.src).packed + ip_address(datagram.dst).packed
    return struct.pack(">IHBB", 6 << 28, len(chain), kinds[0], datagram.hop_limit) + addresses + chain


def _extension(kind: int, following: int) -> bytes:
    """Eight bytes of an extension header; a fragment header here is that of a whole datagram (RFC 6946)."""
    if kind == FRAGMENT:
        return struct.pack(">BBHI", following, 0, 0, ATOMIC)
    return bytes([following, 0, 1, 4, 0, 0, 0, 0])  # PadN (RFC 8200 section 4.2)


def ethernet(packet: bytes, vlans: tuple[int, ...] = (), padding: int = 0) -> bytes:
    """A frame; a short one may have bytes behind the datagram."""
    ethertype = ETHERNET_IPV6 if packet[0] >> 4 == 6 else ETHERNET_IPV4
    tags = b"".join(struct.pack(">HH", VLAN, vlan) for vlan in vlans)
    return NO_MACS + tags + struct.pack(">H", ethertype) + packet + bytes(padding)


def tcp(
    ports: tuple[int, int], flags: int, seq: int, ack: int, window: int, options: bytes = b"", data: bytes = b""
) -> bytes:
    """A TCP segment; options are padded with zeros."""
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4
    return struct.pack(">HHIIBBHHH", *ports, seq & M32, ack & M32, words << 4, flags, window, 0, 0) + options + data


def window_scale(shift: int) -> bytes:
    """RFC 7323 section 2.2."""
    return bytes([NOP, WSCALE, 3, shift])


def sack_blocks(*blocks: tuple[int, int]) -> bytes:
    """RFC 2018 section 3."""
    edges = b"".join(struct.pack(">II", left & M32, right & M32) for left, right in blocks)
    return bytes([NOP, NOP, SACK, 2 + len(edges)]) + edges


SACK_PERMITTED = bytes([SACK_OK, 2, NOP, NOP])
TIMESTAMPS = bytes([NOP, NOP, TIMESTAMP, 10]) + bytes(8)


def udp(ports: tuple[int, int], data: bytes = b"", length: int | None = None, checksum: int = 0) -> bytes:
    """A UDP or UDP-Lite datagram (there the length is the coverage)."""
    return struct.pack(">HHHH", *ports, 8 + len(data) if length is None else length, checksum) + data


def icmp(kind: int, code: int, ident: int = 0, data: bytes = b"", sequence: int = 1) -> bytes:
    """ICMP and ICMPv6; `ident` and `sequence` are the second word, whatever the type says of it."""
    return struct.pack(">BBHHH", kind, code, 0, ident, sequence) + data


def gre(version: int, call_id: int = 0, protocol: int = 0x0800, data: bytes = b"") -> bytes:
    """GRE (RFC 2784), or version 1 as PPTP sends it (RFC 2637 section 4.1): key present, call id."""
    if version == 0:
        return struct.pack(">HH", 0, protocol) + data
    return struct.pack(">HHHH", 0x2000 | version, protocol, len(data), call_id) + data


def sctp(ports: tuple[int, int], tag: int, *chunks: bytes) -> bytes:
    """An SCTP packet (RFC 9260 section 3)."""
    return struct.pack(">HHII", *ports, tag, 0) + b"".join(chunks)


def chunk(kind: int, flags: int = 0, data: bytes = b"") -> bytes:
    """An SCTP chunk, padded."""
    return struct.pack(">BBH", kind, flags, 4 + len(data)) + data + b"\0" * (-len(data) % 4)
