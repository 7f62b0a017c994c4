"""Mutations: valid structures bent where readers trust them, then plain flips."""

import gzip
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from pcaps.link import SUPPORTED
from pcaps.savefile import PCAP_MAGICS
from tests.fuzz.seeds import geneve, vxlan
from tests.fuzz.targets import FRAME_HEADER
from tests.pcaps.test_capture_files import block, interface, section

Mutation = Callable[[bytes, Random], bytes]

LENGTHS = (
    *(0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 15, 16, 19, 20, 24, 27, 28, 31, 32, 39, 40, 60, 64, 127, 128, 255, 256),
    *(0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 1 << 18, (1 << 27) - 1, 1 << 27, (1 << 27) + 1),
    *((1 << 27) + (1 << 17), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFD, 0xFFFFFFFF),
)
ORDERS: tuple[Literal["little", "big"], ...] = ("little", "little", "big")
BLOCK_KINDS = (1, 2, 3, 4, 5, 6, 9, 10, 0x0BAD, 0x4000_0BAD, 0x204, 0x216, 0x221, 0x0A0D0D0A, 0)
ETHERTYPES = (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x8864, 0x88E7, 0x8870, 0x6558, 0x0021)
PROTOCOLS = (0, 1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 136, 255)
PORTS = (4789, 6081, 53, 0, 65535)
MOST_UNPACKED = 1 << 20


# --- any bytes ------------------------------------------------------------------------------------------------
def flip(data: bytes, rng: Random) -> bytes:
    """One bit."""
    if not data:
        return b"\0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def overwrite(data: bytes, rng: Random) -> bytes:
    """A number that lengths, types and counts have trouble with."""
    size, order = rng.choice((1, 2, 2, 4)), rng.choice(ORDERS)
    number = rng.choice((*LENGTHS, *ETHERTYPES, *PORTS, *PROTOCOLS, len(data), rng.getrandbits(32)))
    number = max(0, number + rng.choice((-1, 0, 0, 1)))
    at = rng.randrange(max(1, len(data) - size + 1))
    return data[:at] + (number & (1 << 8 * size) - 1).to_bytes(size, order) + data[at + size :]


def truncate(data: bytes, rng: Random) -> bytes:
    """The end cut off anywhere."""
    return data[: rng.randrange(len(data) + 1)]


def remove(data: bytes, rng: Random) -> bytes:
    """Some bytes out of the middle."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 20, 40)) :]


def insert(data: bytes, rng: Random) -> bytes:
    """Zeros, ones or noise."""
    at = rng.randrange(len(data) + 1)
    size = rng.choice((1, 2, 4, 8, 16, 60))
    return data[:at] + rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size))) + data[at:]


def copy(data: bytes, rng: Random) -> bytes:
    """A part once more, elsewhere."""
    start, at = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    return data[:at] + data[start : start + rng.choice((2, 4, 8, 24, 64))] * rng.choice((1, 1, 2, 40)) + data[at:]


PLAIN: tuple[Mutation, ...] = (flip, flip, overwrite, overwrite, truncate, remove, insert, copy)


# --- capture files ----------------------------------------------------------------------------------------------
def pcap_parts(data: bytes) -> list[bytes]:
    """The file header and the records, as far as lengths go."""
    order = PCAP_MAGICS.get(data[:4], ("<", 0))[0]
    return [data[:24], *_parts(data, 24, lambda at: 16 + struct.unpack_from(order + "I", data, at + 8)[0], 16)]


def pcapng_parts(data: bytes) -> list[bytes]:
    """The blocks, as far as lengths go."""
    order = byte_order(data)
    return _parts(data, 0, lambda at: struct.unpack_from(order + "I", data, at + 4)[0] + 3 & ~3, 12)


def byte_order(data: bytes) -> str:
    """What the first section says."""
    return ">" if data[8:12] == b"\x1a\x2b\x3c\x4d" else "<"


def _parts(data: bytes, at: int, size: Callable[[int], int], least: int) -> list[bytes]:
    found = []
    while at + least <= len(data):
        step = max(size(at), least)
        found.append(data[at : at + step])
        at += step
    return [*found, data[at:]]


def rearrange(parts: list[bytes], rng: Random) -> bytes:
    """Whole parts doubled, dropped, moved, repeated many times or bent."""
    at = rng.randrange(len(parts))
    choice = rng.randrange(6)
    if choice == 0:
        parts.insert(rng.randrange(len(parts) + 1), parts[at])
    elif choice == 1:
        del parts[at]
    elif choice == 2:
        parts.append(parts.pop(at))
    elif choice == 3:
        parts[at] *= rng.choice((2, 10, 100, 300))
    elif choice == 4:
        parts[at] = rng.choice(PLAIN)(parts[at], rng)
    else:
        parts = parts[: at + 1]
        parts[at] = truncate(parts[at], rng)
    return b"".join(parts)


def lie(parts: list[bytes], fields: Sequence[int], rng: Random) -> bytes:
    """A number at one of these offsets of one part that is not so; negative offsets count from its end."""
    at = rng.randrange(len(parts))
    part, field = parts[at], rng.choice(fields)
    field += len(part) if field < 0 else 0
    if 0 <= field <= len(part) - 4:
        near = len(part) + rng.randrange(-30, 6)
        number = rng.choice((*LENGTHS, near, near, near, sum(map(len, parts[at:]))))
        order = rng.choice(ORDERS)
        parts[at] = part[:field] + (max(0, number) & 0xFFFFFFFF).to_bytes(4, order) + part[field + 4 :]
    return b"".join(parts)


def bend_pcap(data: bytes, rng: Random) -> bytes:
    """A classic pcap with other magic, version, link type, order or lengths of records."""
    choice = rng.randrange(7)
    if choice == 0:
        return rng.choice(list(PCAP_MAGICS)) + data[4:]
    if choice == 1:
        version = rng.choice(((2, 4), (2, 3), (2, 2), (2, 0), (543, 0), (1, 9), (rng.getrandbits(16), 4)))
        return data[:4] + struct.pack(rng.choice(("<HH", ">HH")), *version) + data[8:]
    if choice == 2:
        return data[:20] + struct.pack(rng.choice("<>") + "I", random_link(rng)) + data[24:]
    if choice == 3:
        return data + bytes(rng.choice((8, 16, 160, 4096)))
    return rearrange(pcap_parts(data), rng) if choice == 4 else lie(pcap_parts(data), (0, 4, 8, 8, 12), rng)


def bend_pcapng(data: bytes, rng: Random) -> bytes:
    """A pcapng with other blocks, options, sections or lengths."""
    order, parts = byte_order(data), pcapng_parts(data)
    choice = rng.randrange(8)
    where = rng.randrange(len(parts) + 1)
    if choice == 0:
        body = rng.choice((b"", rng.randbytes(rng.randrange(64)), parts[where - 1][8:-4]))
        parts.insert(where, block(order, rng.choice(BLOCK_KINDS), body))
    elif choice == 1:
        code = rng.choice((0, 1, 2, 3, 9, 9, 14, rng.getrandbits(16)))
        value = rng.choice((b"", bytes([rng.getrandbits(8)]), rng.randbytes(8), b"\xff" * 300))
        parts.insert(where, interface(order, random_link(rng), {code: value}, rng.choice(LENGTHS) & 0xFFFFFFFF))
    elif choice == 2:
        parts.insert(where, section(rng.choice("<>")))
    elif choice == 3:
        parts.insert(where, interface(order) * rng.choice((2, 30, 200)))
    elif choice == 4:
        return rearrange(parts, rng)
    else:
        return lie(parts, (0, 4, 4, 8, 12, 16, 20, 24, 28, -4, -4, -8), rng)
    return b"".join(parts)


def random_link(rng: Random) -> int:
    """Mostly one that is decoded."""
    return rng.choice((*sorted(SUPPORTED), rng.getrandbits(16)))


def packed(bend: Mutation) -> Mutation:
    """The same inside a gzip, and some damage to gzip itself."""

    def mutation(data: bytes, rng: Random) -> bytes:
        if not data.startswith(b"\x1f\x8b"):
            bent = bend(data, rng)
            return gzip.compress(bent, mtime=0) if rng.randrange(20) == 0 else bent
        if rng.randrange(3):
            return rng.choice(PLAIN)(data, rng)
        try:
            inside = zlib.decompressobj(31).decompress(data, MOST_UNPACKED)
        except zlib.error:
            return rng.choice(PLAIN)(data, rng)
        return gzip.compress(bend(inside, rng), mtime=0) + rng.choice((b"", b"", data, bytes(9)))

    return mutation


# --- frames -------------------------------------------------------------------------------------------------------
def relink(data: bytes, rng: Random) -> bytes:
    """Another link type, or more or fewer bytes on the wire."""
    link, cut = FRAME_HEADER.unpack_from(data.ljust(FRAME_HEADER.size, b"\0"))
    if rng.randrange(2):
        link = random_link(rng)
    else:
        cut = rng.choice((0, 1, -1, -4, 4, 20, 1400, -32768, 32767))
    return FRAME_HEADER.pack(link, cut) + data[FRAME_HEADER.size :]


def shim(data: bytes, rng: Random) -> bytes:
    """Another header, many times perhaps, between Ethernet and what follows it."""
    at = FRAME_HEADER.size + 12
    label = struct.pack(">I", rng.getrandbits(20) << 12 | rng.choice((0, 0x100)) | 64)
    header = rng.choice(
        (
            b"\x81\0\0\x07",
            b"\x88\xa8\0\x07",
            b"\x88\x64\x11\0\0\x01" + rng.randbytes(2) + b"\0\x21",
            b"\x88\x47" + label,
            b"\x88\xe7" + rng.randbytes(4) + data[FRAME_HEADER.size : at],
            rng.randbytes(2) + b"\xaa\xaa\x03\0\0\0",
            label,
        )
    )
    return data[:at] + header * rng.choice((1, 1, 2, 31, 33, 200)) + data[at:]


def extend(data: bytes, rng: Random) -> bytes:
    """IPv6 extension headers behind an IPv6 header, one or a long chain."""
    at = data.find(b"\x60\0\0\0")
    if at < 0 or at + 40 > len(data):
        return overwrite(data, rng)
    kind = rng.choice((0, 43, 44, 51, 60))
    size = rng.choice((0, 0, 0, 1, 31, 255))
    header = bytes([kind, size]) + rng.randbytes(6) + bytes(8 * min(size, 4))
    chain = header * rng.choice((1, 2, 63, 64, 65))
    chain += bytes([data[at + 6]]) + header[1:]
    length = min(0xFFFF, int.from_bytes(data[at + 4 : at + 6], "big") + len(chain))
    return data[: at + 4] + length.to_bytes(2, "big") + bytes([kind]) + data[at + 7 : at + 40] + chain + data[at + 40 :]


def enclose(data: bytes, rng: Random) -> bytes:
    """The frame in one more tunnel."""
    inside = data[FRAME_HEADER.size :]
    protocol, options = rng.choice((0x6558, 0x0800, 0x86DD, rng.getrandbits(16))), bytes(4 * rng.randrange(5))
    return data[: FRAME_HEADER.size] + rng.choice((vxlan(inside), geneve(inside, protocol, options)))


FRAME_BENDS: tuple[Mutation, ...] = (relink, shim, extend, overwrite)
BENDS: dict[str, tuple[Mutation, ...]] = {
    "pcap": (packed(bend_pcap),),
    "pcapng": (packed(bend_pcapng),),
    "decode": FRAME_BENDS,
    "tunnel": (enclose, *FRAME_BENDS),
}


def mutated(target: str, data: bytes, rng: Random, most: int) -> bytes:
    """The input, changed one to six times."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        data = rng.choice((rng.choice(BENDS[target]), rng.choice(PLAIN)))(data, rng)[:most]
    return data
