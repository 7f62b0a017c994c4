"""Fragments as bytes: every field given, nothing corrected but the IPv4 header checksum."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise

from pcaps.batch import PacketBatch
from pcaps.capture import FrameCapture, frames_batch
from pcaps.frame import Frame
from tests.reference_frames import internet_checksum

RAW = 101
SECOND = 10**9
CLIENT4, ENI4 = "198.51.100.7", "10.0.1.10"
CLIENT6, ENI6 = "2001:db8:9::7", "2001:db8:1::10"
UDP, TCP, ICMP, ICMPV6, FRAGMENT_HEADER, DESTINATION_OPTIONS = 17, 6, 1, 58, 44, 60


@dataclass(frozen=True)
class Datagram:
    """What the fragments of one datagram share; `headers` stand before the IPv6 Fragment header."""

    family: int = 4
    protocol: int = UDP
    ident: int = 7
    src: str = ""
    dst: str = ""
    headers: bytes = b""

    def ends(self) -> bytes:
        """Both addresses; the client's and the interface's where none is given."""
        src, dst = (CLIENT4, ENI4) if self.family == 4 else (CLIENT6, ENI6)
        return ip_address(self.src or src).packed + ip_address(self.dst or dst).packed

    def piece(self, offset: int, data: bytes, *, more: bool, traffic_class: int = 0, checksum: int = 0) -> bytes:
        """One fragment; `checksum` is what is wrong with the header's."""
        if self.family == 6:
            header = struct.pack(">BBHI", self.protocol, 0, offset | more, self.ident)
            first = DESTINATION_OPTIONS if self.headers else FRAGMENT_HEADER
            payload = self.headers + header + data
            return struct.pack(">IHBB", 6 << 28 | traffic_class << 20, len(payload), first, 64) + self.ends() + payload
        field = offset // 8 | (0x2000 if more else 0)
        head = struct.pack(">BBHHHBB", 0x45, traffic_class, 20 + len(data), self.ident, field, 64, self.protocol)
        right = internet_checksum(head + b"\0\0" + self.ends())
        return head + struct.pack(">H", right ^ checksum) + self.ends() + data

    def whole(self, data: bytes) -> bytes:
        """Not in fragments."""
        if self.family == 4:
            return self.piece(0, data, more=False)
        return struct.pack(">IHBB", 6 << 28, len(data), self.protocol, 64) + self.ends() + data

    def cut(self, data: bytes, *at: int) -> list[bytes]:
        """The datagram in fragments, cut at these offsets."""
        edges = [0, *at, len(data)]
        return [self.piece(start, data[start:stop], more=stop < len(data)) for start, stop in pairwise(edges)]


def udp(data: bytes, dst_port: int = 2000, src_port: int = 4000) -> bytes:
    """A UDP datagram without a checksum."""
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(data), 0) + data


def frames(packets: Iterable[bytes], gap: int = SECOND // 1000, snap: int = 1 << 18) -> list[Frame]:
    """Packets `gap` ns apart, cut to `snap` bytes."""
    return [Frame(RAW, index * gap, data[:snap], len(data)) for index, data in enumerate(packets)]


def batch(packets: Iterable[bytes], **how: int) -> PacketBatch:
    """The same as a batch."""
    return frames_batch(frames(packets, **how))


def capture(packets: Iterable[bytes], **how: int) -> FrameCapture:
    """The same as a capture."""
    return FrameCapture(frames(packets, **how))
