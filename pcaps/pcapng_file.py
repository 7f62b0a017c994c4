"""pcapng: the walker over its blocks, and the description of an interface.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-04.html
"""

import struct

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import clear, entry_kernel, i64, kernel
from pcaps.batch import INBOUND, OUTBOUND, UNSTATED, Packet
from pcaps.limits import LATEST, MAX_BLOCK, MAX_NAME, MAX_TICKS, limit_message
from pcaps.savefile import (
    BLOCK_FRAME,
    BYTE_ORDERS,
    DAMAGED,
    ENHANCED_BODY,
    ENHANCED_PACKET,
    FULL,
    HEADER,
    INTERFACE,
    LONG,
    MORE,
    NS,
    OLD_PACKET,
    OPTION_END,
    OPTION_FLAGS,
    OPTION_HEADER,
    OPTION_IF_DESCRIPTION,
    OPTION_IF_NAME,
    OPTION_IF_TSOFFSET,
    OPTION_IF_TSRESOL,
    SECTION_HEADER,
    SIMPLE_BODY,
    SIMPLE_PACKET,
    Interface,
    number16,
    number32,
    padded32,
)
from pcaps.wire import Bytes

BAD_BLOCK = -1

# Blocks that are no packets and have a frame number in Wireshark all the same
JOURNAL = 9  # an entry of systemd's journal
CUSTOM, CUSTOM_NOT_COPIED = 0x0BAD, 0x4000_0BAD
SYSDIG_EVENT, SYSDIG_EVENT_2, SYSDIG_EVENT_2_LARGE = 0x204, 0x216, 0x221


@kernel
def is_numbered(kind: int) -> bool:
    """True for a block without a packet that Wireshark gives a frame number."""
    return kind in (JOURNAL, CUSTOM, CUSTOM_NOT_COPIED, SYSDIG_EVENT, SYSDIG_EVENT_2, SYSDIG_EVENT_2_LARGE)


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
def is_clamped(time: int) -> bool:
    """True for a time at the limit of what int64 nanoseconds hold."""
    return time >= LATEST * NS or time < (1 - LATEST) * NS


@kernel
def stated_way(data: Bytes, at: int, stop: int, big_endian: bool) -> int:
    """The direction that the options data[at:stop] of a packet state: INBOUND, OUTBOUND or UNSTATED.

    The first flags count. A length that cannot be ends the list.
    """
    while at + 2 * OPTION_HEADER <= stop:  # the header, and four bytes of flags
        code = number16(data, at, big_endian)
        size = number16(data, at + 2, big_endian)
        if code == OPTION_END:
            break
        if code == OPTION_FLAGS and size == 4:
            direction = number32(data, at + OPTION_HEADER, big_endian) & 3
            return direction if direction in (INBOUND, OUTBOUND) else UNSTATED
        at += OPTION_HEADER + padded32(size)
    return UNSTATED


@kernel
def read_packet(
    data: Bytes, at: int, size: int, kind: int, big_endian: bool, interfaces: NDArray[np.int64], base: int, p: Packet
) -> int:
    """Fill time, interface, direction and lengths from an enhanced or an old packet block.

    Returns where its frame starts, or BAD_BLOCK.
    """
    start = at + 8 + ENHANCED_BODY
    if size < BLOCK_FRAME + ENHANCED_BODY:
        return BAD_BLOCK
    interface = number16(data, at + 8, big_endian) if kind == OLD_PACKET else number32(data, at + 8, big_endian)
    length = number32(data, at + 20, big_endian)
    stop = at + size - 4
    if interface >= len(interfaces) or start + length > stop:
        return BAD_BLOCK
    high = number32(data, at + 12, big_endian)
    low = number32(data, at + 16, big_endian)
    p["time"] = ticks_to_ns(high, low, i64(interfaces[interface, 2]), i64(interfaces[interface, 3]))
    p["interface"] = base + interface
    options = start + padded32(length)
    p["way"] = stated_way(data, options, stop, big_endian) if options < stop else UNSTATED
    p["caplen"] = length
    p["wirelen"] = number32(data, at + 24, big_endian)
    return start


@kernel
def read_simple(
    data: Bytes, at: int, size: int, big_endian: bool, interfaces: NDArray[np.int64], base: int, p: Packet
) -> int:
    """The same from a simple packet block, which has neither time nor interface: time 0, the first one."""
    if size < BLOCK_FRAME + SIMPLE_BODY or len(interfaces) == 0:
        return BAD_BLOCK
    wirelen = number32(data, at + 8, big_endian)
    length = min(wirelen, size - BLOCK_FRAME - SIMPLE_BODY)
    if i64(interfaces[0, 1]) > 0:
        length = min(length, i64(interfaces[0, 1]))
    p["time"] = 0
    p["interface"] = base
    p["way"] = UNSTATED
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
    base: int,
    frame: int,
    out: NDArray[np.void],
    offsets: NDArray[np.int64],
    links: NDArray[np.int32],
) -> tuple[int, int, int, int, int]:
    """Walk the blocks of data[position:filled] into `out`, `offsets` and `links`; returns a Walk.

    A row of `interfaces` is link, snap length, ticks, offset; the first one's number in the file is
    `base`. Blocks of other types are skipped by their length.
    """
    count = 0
    frames = 0
    clamped = 0
    while position + BLOCK_FRAME <= filled:
        kind = number32(data, position, big_endian)
        if kind in (SECTION_HEADER, INTERFACE):
            return count, position, HEADER, frames, clamped
        stated = number32(data, position + 4, big_endian)
        size = padded32(stated)
        if size > MAX_BLOCK:
            return count, position, LONG, frames, clamped
        if size < BLOCK_FRAME:
            return count, position, DAMAGED, frames, clamped
        if position + size > filled:
            break
        if number32(data, position + size - 4, big_endian) != stated:
            return count, position, DAMAGED, frames, clamped
        if kind in (ENHANCED_PACKET, SIMPLE_PACKET, OLD_PACKET):
            if count == len(out):
                return count, position, FULL, frames, clamped
            clear(out, count)
            p = out[count]
            if kind == SIMPLE_PACKET:
                start = read_simple(data, position, size, big_endian, interfaces, base, p)
            else:
                start = read_packet(data, position, size, kind, big_endian, interfaces, base, p)
            if start == BAD_BLOCK:
                return count, position, DAMAGED, frames, clamped
            clamped += 1 if is_clamped(i64(p["time"])) else 0
            p["frame"] = frame + frames
            offsets[count] = start
            links[count] = interfaces[i64(p["interface"]) - base, 0]
            count += 1
            frames += 1
        elif is_numbered(kind):
            frames += 1
        position += size
    return count, position, MORE, frames, clamped


def section_byte_order(block: bytes) -> str | None:
    """The byte order that a section header block names, "<" or ">"; None if it names none."""
    return BYTE_ORDERS.get(block[8:12])


def section_version(block: bytes, order: str) -> int:
    """The major version that a section header block states; 0 where it is too short for one."""
    return int.from_bytes(block[12:14], "big" if order == ">" else "little") if len(block) >= 28 else 0


def parse_options(body: bytes, order: str) -> dict[int, bytes]:
    """The options of a block by code, the last of a kind; a length that cannot be ends the list."""
    options: dict[int, bytes] = {}
    at = 0
    while at + OPTION_HEADER <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == OPTION_END or at + OPTION_HEADER + size > len(body):
            break
        options[code] = body[at + OPTION_HEADER : at + OPTION_HEADER + size]
        at += OPTION_HEADER + (size + 3 & ~3)
    return options


def _text(value: bytes) -> str:
    return value.rstrip(b"\0")[: 4 * MAX_NAME].decode("utf-8", "replace")[:MAX_NAME]


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
        raise ValueError(limit_message("MAX_TICKS"))
    offset = options.get(OPTION_IF_TSOFFSET, b"")
    seconds = struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0
    return Interface(
        link,
        snaplen,
        _text(options.get(OPTION_IF_NAME, b"")),
        ticks,
        max(-LATEST, min(seconds, LATEST)),
        _text(options.get(OPTION_IF_DESCRIPTION, b"")),
    )
