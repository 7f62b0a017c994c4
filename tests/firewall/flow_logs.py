"""Packets of a stated IP length at a stated second, as a capture file, for the tests of flow logs."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

from tests.firewall.test_annotate import raw

#: AWS's default fields, in AWS's order
NAMES = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)

ICMP, TCP, UDP = 1, 6, 17
Timed = tuple[float, bytes]


def ip(src: str, dst: str, protocol: int, above: bytes, length: int = 0) -> bytes:
    """A packet that is filled up with zeros to its IP length (0: as long as it is)."""
    source, target = ip_address(src), ip_address(dst)
    head = 20 if source.version == 4 else 40
    size = length or head + len(above)
    body = above.ljust(size - head, b"\0")
    if source.version == 4:
        top = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, protocol, 0)
    else:
        top = struct.pack(">IHBB", 6 << 28, size - head, protocol, 64)
    return top + source.packed + target.packed + body


def tcp(src: str, dst: str, ports: tuple[int, int], flags: int, length: int = 0) -> bytes:
    """A segment; sequence numbers stay 0, so that the window lets it pass."""
    return ip(src, dst, TCP, struct.pack(">HHIIBBHHH", *ports, 0, 0, 5 << 4, flags, 0xFFFF, 0, 0), length)


def udp(src: str, dst: str, ports: tuple[int, int], length: int = 0) -> bytes:
    return ip(src, dst, UDP, struct.pack(">HHHH", *ports, 8, 0), length)


def ping(src: str, dst: str, kind: int = 8) -> bytes:
    """An echo request (8) or reply (0) as `ping` sends them: 84 bytes."""
    return ip(src, dst, ICMP, struct.pack(">BBHHH", kind, 0, 0, 7, 1), 84)


def lengths(packets: int, total: int, least: int = 40) -> list[int]:
    """So many IP lengths that sum to `total`."""
    sizes = [max(total // packets, least)] * packets
    sizes[-1] += total - sum(sizes)
    assert min(sizes) >= least
    return sizes


def over(first: float, last: float, packets: Sequence[bytes]) -> Iterator[Timed]:
    """The packets from one second to another, evenly."""
    step = (last - first) / max(len(packets) - 1, 1)
    return ((first + step * place, packet) for place, packet in enumerate(packets))


def capture(path: Path, packets: Iterable[Timed]) -> Path:
    """A capture of the packets in the order of their times."""
    path.write_bytes(
        raw([(round(second * 1_000_000), data) for second, data in sorted(packets, key=lambda each: each[0])])
    )
    return path
