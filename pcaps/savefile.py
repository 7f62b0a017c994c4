"""Walkers: from blocks of a capture file to the place, time and length of each record.

Classic pcap as https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-06.html says, pcapng as
https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-04.html does. A walker fills packet records
until the block or the room ends; headers are parsed in Python, records in a kernel.
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import entry_kernel, i64, kernel
from pcaps.batch import UNSTATED, Packet
from pcaps.wire import Bytes, u32, u32_le

NS = 1_000_000_000
MAX_RECORD = 1 << 28  # a longer record is damage: no link carries 256 MiB in one frame
MAX_INTERFACES = 1 << 16  # pcapng interfaces in one section

# --- classic pcap -------------------------------------------------------------------------------------
PCAP_MAGICS = {  # first four bytes: (byte order, nanoseconds in a tick)
    bytes.fromhex("d4c3b2a1"): ("<", 1000),
    bytes.fromhex("a1b2c3d4"): (">", 1000),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
    bytes.fromhex("a1b23c4d"): (">", 1),
}
PCAP_HEADER = 24
PCAP_LINK = 20
RECORD_HEADER = 16

# --- pcapng ---------------------------------------------------------------------------------------------
PCAPNG_MAGIC = bytes.fromhex("0a0d0d0a")
BYTE_ORDERS = {bytes.fromhex("4d3c2b1a"): "<", bytes.fromhex("1a2b3c4d"): ">"}
SECTION_HEADER, INTERFACE, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 3, 6
BLOCK_FRAME = 12  # type, length, and the length again behind the body
ENHANCED_BODY = 20
SIMPLE_BODY = 4
OPTION_IF_NAME, OPTION_IF_TSRESOL, OPTION_IF_TSOFFSET = 2, 9, 14
MAX_TICKS = 1 << 59  # a second in finer ticks does not fit the arithmetic
BAD_BLOCK = -1
LATEST = (1 << 63) // NS - (1 << 31) - 3  # seconds; int64 nanoseconds still hold them with any timeout added

# --- why a walker stopped ---------------------------------------------------------------------------------
MORE = 0  # the block ends inside a record, or before one
FULL = 1  # no room for another packet
HEADER = 2  # a pcapng block that changes how the rest is read: parse it in Python, then go on
DAMAGED = 3  # a length that cannot be


class Walk(NamedTuple):
    """Where a walker stopped."""

    packets: int
    position: int
    why: int


class Interface(NamedTuple):
    """A pcapng interface: link type, snap length, name, and its clock.

    A tick is `ticks` to the second; `offset` seconds are added to every time.
    """

    link: int
    snaplen: int
    name: str
    ticks: int
    offset: int


class PcapHeader(NamedTuple):
    """What the header of a classic pcap says; `tick` is in nanoseconds."""

    big_endian: bool
    tick: int
    link: int


def pcap_header(header: bytes) -> PcapHeader:
    """The 24 bytes at the start of a classic pcap; the link type is the lower 16 bits of its field."""
    order, tick = PCAP_MAGICS[header[:4]]
    (link,) = struct.unpack_from(order + "I", header, PCAP_LINK)
    return PcapHeader(order == ">", tick, link & 0xFFFF)


@kernel
def number32(data: Bytes, at: int, big_endian: bool) -> int:
    """Four bytes in the file's byte order."""
    return u32(data, at) if big_endian else u32_le(data, at)


@entry_kernel
def walk_pcap(
    data: Bytes,
    position: int,
    filled: int,
    big_endian: bool,
    tick: int,
    frame: int,
    out: NDArray[np.void],
    offsets: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Walk the records of data[position:filled] into `out` and `offsets`; returns a Walk.

    `frame` is the number of the first packet.
    """
    count = 0
    while position + RECORD_HEADER <= filled:
        if count == len(out):
            return count, position, FULL
        length = number32(data, position + 8, big_endian)
        if length > MAX_RECORD:
            return count, position, DAMAGED
        if position + RECORD_HEADER + length > filled:
            break
        p = out[count]
        p["frame"] = frame + count
        p["time"] = number32(data, position, big_endian) * NS + number32(data, position + 4, big_endian) * tick
        p["interface"] = 0
        p["way"] = UNSTATED
        p["caplen"] = length
        p["wirelen"] = number32(data, position + 12, big_endian)
        offsets[count] = position + RECORD_HEADER
        position += RECORD_HEADER + length
        count += 1
    return count, position, MORE


@kernel
def ticks_to_ns(high: int, low: int, ticks: int, offset: int) -> int:
    """The time of a 64-bit count of ticks in nanoseconds; what int64 cannot hold becomes its limit."""
    if high >= 1 << 31:
        return LATEST * NS
    count = (high << 32) | low
    if count // ticks > LATEST:
        return LATEST * NS
    seconds = max(-LATEST, min(count // ticks + offset, LATEST))
    rest = count % ticks
    if ticks <= NS:
        return seconds * NS + rest * NS // ticks
    fraction = 0  # finer than a nanosecond: digit by digit, because rest * NS would not fit
    for _ in range(9):
        fraction = fraction * 10 + rest * 10 // ticks
        rest = rest * 10 % ticks
    return seconds * NS + fraction


@kernel
def read_enhanced(data: Bytes, at: int, size: int, big_endian: bool, interfaces: NDArray[np.int64], p: Packet) -> int:
    """Fill time, interface and lengths from an enhanced packet block; where its frame starts, or BAD_BLOCK."""
    start = at + 8 + ENHANCED_BODY
    if size < BLOCK_FRAME + ENHANCED_BODY:
        return BAD_BLOCK
    interface = number32(data, at + 8, big_endian)
    length = number32(data, at + 20, big_endian)
    if interface >= len(interfaces) or start + length > at + size - 4:
        return BAD_BLOCK
    high = number32(data, at + 12, big_endian)
    low = number32(data, at + 16, big_endian)
    p["time"] = ticks_to_ns(high, low, i64(interfaces[interface, 2]), i64(interfaces[interface, 3]))
    p["interface"] = interface
    p["caplen"] = length
    p["wirelen"] = number32(data, at + 24, big_endian)
    return start


@kernel
def read_simple(data: Bytes, at: int, size: int, big_endian: bool, interfaces: NDArray[np.int64], p: Packet) -> int:
    """The same from a simple packet block, which has neither time nor interface: time 0, the first one."""
    if size < BLOCK_FRAME + SIMPLE_BODY or len(interfaces) == 0:
        return BAD_BLOCK
    wirelen = number32(data, at + 8, big_endian)
    length = min(wirelen, size - BLOCK_FRAME - SIMPLE_BODY)
    if i64(interfaces[0, 1]) > 0:
        length = min(length, i64(interfaces[0, 1]))
    p["time"] = 0
    p["interface"] = 0
    p["caplen"] = length
    p["wirelen"] = wirelen
    return at + 8 + SIMPLE_BODY


@entry_kernel
def walk_pcapng(
    data: Bytes,
    position: int,
    filled: int,
    big_endian: bool,
    interfaces: NDArray[np.int64],
    frame: int,
    out: NDArray[np.void],
    offsets: NDArray[np.int64],
    links: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Walk the blocks of data[position:filled] into `out`, `offsets` and `links`; returns a Walk.

    A row of `interfaces` is link, snap length, ticks, offset. Blocks of other types are skipped by
    their length.
    """
    count = 0
    while position + BLOCK_FRAME <= filled:
        kind = number32(data, position, big_endian)
        if kind in (SECTION_HEADER, INTERFACE):
            return count, position, HEADER
        size = (number32(data, position + 4, big_endian) + 3) & ~3
        if size < BLOCK_FRAME or size > MAX_RECORD:
            return count, position, DAMAGED
        if position + size > filled:
            break
        if kind in (ENHANCED_PACKET, SIMPLE_PACKET):
            if count == len(out):
                return count, position, FULL
            p = out[count]
            if kind == ENHANCED_PACKET:
                start = read_enhanced(data, position, size, big_endian, interfaces, p)
            else:
                start = read_simple(data, position, size, big_endian, interfaces, p)
            if start == BAD_BLOCK:
                return count, position, DAMAGED
            p["frame"] = frame + count
            p["way"] = UNSTATED
            offsets[count] = start
            links[count] = interfaces[i64(p["interface"]), 0]
            count += 1
        position += size
    return count, position, MORE


def section_byte_order(block: bytes) -> str | None:
    """The byte order that a section header block names, "<" or ">"; None if it names none."""
    return BYTE_ORDERS.get(block[8:12])


def parse_options(body: bytes, order: str) -> dict[int, bytes]:
    """The options of a block by code, the last of a kind; a length that cannot be ends the list."""
    options: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == 0 or at + 4 + size > len(body):
            break
        options[code] = body[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)
    return options


def parse_interface(body: bytes, order: str) -> Interface:
    """An interface description block's body: link type, snap length, name and clock.

    Raises ValueError where the body is too short or its clock cannot be.
    """
    if len(body) < 8:
        raise ValueError("an interface description block of less than 8 bytes")
    link, _, snaplen = struct.unpack_from(order + "HHI", body)
    options = parse_options(body[8:], order)
    resolution = options.get(OPTION_IF_TSRESOL, b"\x06")[:1] or b"\x06"
    exponent = resolution[0] & 0x7F
    ticks = 2**exponent if resolution[0] & 0x80 else 10**exponent
    if ticks > MAX_TICKS:
        raise ValueError(f"an interface whose clock has {exponent} {'bits' if resolution[0] & 0x80 else 'digits'}")
    offset = options.get(OPTION_IF_TSOFFSET, b"")
    seconds = struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0
    name = options.get(OPTION_IF_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
    return Interface(link, snaplen, name, ticks, max(-LATEST, min(seconds, LATEST)))
