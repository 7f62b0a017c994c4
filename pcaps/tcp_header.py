"""The TCP header and the options that window tracking needs (RFC 9293, RFC 7323, RFC 2018)."""

from pcaps.accelerate import i64, kernel
from pcaps.batch import BAD_TRANSPORT, NO_WSCALE, OK, TRUNCATED, Packet
from pcaps.wire import (
    MAX_WSCALE,
    OPTION_END,
    OPTION_NOP,
    OPTION_SACK,
    OPTION_SACK_PERMITTED,
    OPTION_WSCALE,
    SYN,
    TCP_ACKNOWLEDGEMENT,
    TCP_DATA_OFFSET,
    TCP_FLAGS,
    TCP_HEADER,
    TCP_SEQUENCE,
    TCP_WINDOW,
    Bytes,
    read_ports,
    u8,
    u16,
    u32,
)

SACK_BASE, SACK_BLOCK = 2, 8
TIMESTAMPED_HEADER, TIMESTAMPS_ONLY = 32, 0x0101080A  # RFC 7323 appendix A: as nearly every segment has them


@kernel
def later(left: int, right: int) -> bool:
    """True if sequence number `left` comes after `right` on the 32-bit circle (RFC 9293 section 3.4)."""
    return 0 < ((left - right) & 0xFFFFFFFF) < 0x80000000


@kernel
def rightmost_sack(data: Bytes, at: int, size: int, edge: int) -> int:
    """The latest right edge of the SACK blocks in the option at `at`, or `edge`."""
    if size < SACK_BASE + SACK_BLOCK or (size - SACK_BASE) % SACK_BLOCK:
        return edge
    for block in range(at + SACK_BASE, at + size, SACK_BLOCK):
        right = u32(data, block + 4)
        if later(right, edge):
            edge = right
    return edge


@kernel
def read_options(data: Bytes, at: int, end: int, p: Packet) -> None:
    """Walk the options data[at:end]; a length that cannot be ends the walk, as it does in the kernel."""
    edge = i64(p["tcp_ack"])
    while at < end:
        kind = u8(data, at)
        if kind == OPTION_END:
            break
        if kind == OPTION_NOP:
            at += 1
            continue
        if at + 2 > end:
            break
        size = u8(data, at + 1)
        if size < 2 or at + size > end:
            break
        if kind == OPTION_WSCALE and size == 3:
            p["tcp_wscale"] = min(u8(data, at + 2), MAX_WSCALE)
        elif kind == OPTION_SACK_PERMITTED and size == 2:
            p["tcp_sack_permitted"] = 1
        elif kind == OPTION_SACK:
            edge = rightmost_sack(data, at, size, edge)
        at += size
    p["tcp_sack"] = edge


@kernel
def read_tcp(data: Bytes, at: int, end: int, stop: int, p: Packet) -> int:
    """The status of the header at `at`; ports are read even where the rest is missing."""
    read_ports(data, at, min(end, stop), p)
    if at + TCP_HEADER > stop:
        return BAD_TRANSPORT
    if at + TCP_HEADER > end:
        return TRUNCATED
    p["tcp_seq"] = u32(data, at + TCP_SEQUENCE)
    p["tcp_ack"] = u32(data, at + TCP_ACKNOWLEDGEMENT)
    p["tcp_flags"] = u8(data, at + TCP_FLAGS)
    p["tcp_window"] = u16(data, at + TCP_WINDOW)
    p["tcp_wscale"] = NO_WSCALE
    p["tcp_sack"] = p["tcp_ack"]
    header = (u8(data, at + TCP_DATA_OFFSET) >> 4) * 4
    if header < TCP_HEADER or at + header > stop:
        return BAD_TRANSPORT
    p["payload"] = stop - at - header
    if header > TCP_HEADER:
        p["tcp_has_options"] = 1
        if header == TIMESTAMPED_HEADER and at + header <= end and u32(data, at + TCP_HEADER) == TIMESTAMPS_ONLY:
            return OK
        if at + header > end and i64(p["tcp_flags"]) & SYN:
            return TRUNCATED  # a SYN's options set the connection's window scale
        read_options(data, at + TCP_HEADER, min(at + header, end), p)
    return OK
