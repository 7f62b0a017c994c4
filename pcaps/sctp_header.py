"""The SCTP common header and the kinds of its chunks (RFC 9260 section 3; nf_conntrack_proto_sctp.c).

A packet bundles chunks. Tracking needs the order of those that change an association, so that the
column `sctp_chunks` holds a list of 4-bit codes, the first in the lowest bits, 0 behind the last.
Chunks that change nothing are one code for a run of them.
"""

from typing import NamedTuple

import numpy as np

from pcaps.accelerate import i64, kernel
from pcaps.batch import BAD_TRANSPORT, OK, TRUNCATED, Packet
from pcaps.wire import SCTP_HEADER, SCTP_TAG, Bytes, read_ports, u8, u16, u32


class Chunk(NamedTuple):
    """A kind of chunk: its code here, its number on the wire (-1: none of its own), its name."""

    code: int
    number: int
    name: str


INIT, INIT_ACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE_ECHO, COOKIE_ACK = range(1, 9)
SHUTDOWN_COMPLETE, HEARTBEAT, HEARTBEAT_ACK, OTHER, ABORT_T, SHUTDOWN_COMPLETE_T, DATA = range(9, 16)
CHUNKS = (
    Chunk(INIT, 1, "INIT"),
    Chunk(INIT_ACK, 2, "INIT ACK"),
    Chunk(ABORT, 6, "ABORT"),
    Chunk(SHUTDOWN, 7, "SHUTDOWN"),
    Chunk(SHUTDOWN_ACK, 8, "SHUTDOWN ACK"),
    Chunk(ERROR, 9, "ERROR"),
    Chunk(COOKIE_ECHO, 10, "COOKIE ECHO"),
    Chunk(COOKIE_ACK, 11, "COOKIE ACK"),
    Chunk(SHUTDOWN_COMPLETE, 14, "SHUTDOWN COMPLETE"),
    Chunk(HEARTBEAT, 4, "HEARTBEAT"),
    Chunk(HEARTBEAT_ACK, 5, "HEARTBEAT ACK"),
    Chunk(OTHER, -1, "any other"),
    Chunk(ABORT_T, -1, "ABORT with the T bit"),
    Chunk(SHUTDOWN_COMPLETE_T, -1, "SHUTDOWN COMPLETE with the T bit"),
    Chunk(DATA, 0, "DATA"),
)
MAX_CHUNKS = 16  # codes in the column; more changing chunks in one packet are no association's
CHUNK_HEADER = 4
CHUNK_FLAGS, CHUNK_LENGTH = 1, 2
T_BIT = 1
INIT_CHUNK = 20  # an INIT or INIT ACK up to its initial TSN
INIT_TAG = 4


@kernel
def chunk_code(number: int, flags: int) -> int:
    """The code of a chunk by its number on the wire."""
    if number == 0:
        return DATA
    if number in (1, 2):
        return INIT if number == 1 else INIT_ACK
    if number in (4, 5):
        return HEARTBEAT if number == 4 else HEARTBEAT_ACK
    if number == 6:
        return ABORT_T if flags & T_BIT else ABORT
    if 7 <= number <= 11:
        return SHUTDOWN + number - 7
    if number == 14:
        return SHUTDOWN_COMPLETE_T if flags & T_BIT else SHUTDOWN_COMPLETE
    return OTHER


@kernel
def stands_alone(code: int) -> bool:
    """INIT, INIT ACK and SHUTDOWN COMPLETE are never bundled (RFC 9260 section 6.10)."""
    return code in (INIT, INIT_ACK, SHUTDOWN_COMPLETE, SHUTDOWN_COMPLETE_T)


@kernel
def read_chunks(data: Bytes, at: int, end: int, stop: int, p: Packet) -> int:
    """Fill `sctp_chunks` and `sctp_init_tag`; BAD_TRANSPORT where chunks are bundled that cannot be."""
    chunks = np.uint64(0)
    count = 0
    last = 0
    alone = False
    first = True
    while at + CHUNK_HEADER <= min(end, stop):
        code = chunk_code(u8(data, at), u8(data, at + CHUNK_FLAGS))
        length = u16(data, at + CHUNK_LENGTH)
        alone = alone or stands_alone(code)
        if length == 0 or ((alone or code in (COOKIE_ECHO, COOKIE_ACK)) and not first):
            return BAD_TRANSPORT
        if code in (INIT, INIT_ACK):
            if at + INIT_CHUNK > stop:
                return BAD_TRANSPORT
            if at + INIT_CHUNK > end:
                return TRUNCATED
            p["sctp_init_tag"] = u32(data, at + INIT_TAG)
        if code != last or code not in (OTHER, DATA):
            if count == MAX_CHUNKS:
                return BAD_TRANSPORT
            chunks |= np.uint64(code) << np.uint64(4 * count)
            count += 1
            last = code
        first = False
        at += (length + 3) & ~3
    if first:
        return TRUNCATED if end < stop else BAD_TRANSPORT
    p["sctp_chunks"] = chunks
    return OK


@kernel
def read_sctp(data: Bytes, at: int, end: int, stop: int, p: Packet) -> int:
    """The status of the header at `at`: ports, verification tag, chunks."""
    read_ports(data, at, min(end, stop), p)
    if at + SCTP_HEADER > stop:
        return BAD_TRANSPORT
    if at + SCTP_HEADER > end:
        return TRUNCATED
    p["extra"] = u32(data, at + SCTP_TAG)
    p["sctp_chunks"] = 0
    p["sctp_init_tag"] = 0
    return read_chunks(data, at + SCTP_HEADER, end, stop, p)


@kernel
def chunk_at(p: Packet, index: int) -> int:
    """The code of the chunk at `index`, 0 behind the last."""
    if index >= MAX_CHUNKS:
        return 0
    return i64((p["sctp_chunks"] >> np.uint64(4 * index)) & np.uint64(15))
