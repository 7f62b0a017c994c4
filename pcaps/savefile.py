"""Save files: the numbers of both formats, and what their walkers have in common.

Classic pcap as https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-06.html says, pcapng as
https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-04.html does. A walker goes from blocks of a
file to the place, time and length of each packet: it fills packet records until the block or the room
ends. Headers are parsed in Python, packets in a kernel.
"""

from typing import NamedTuple

from pcaps.accelerate import i64, kernel
from pcaps.wire import Bytes, u16, u16_le, u32, u32_le

NS = 1_000_000_000

# --- classic pcap -------------------------------------------------------------------------------------
PCAP_MAGICS = {  # first four bytes: (byte order, nanoseconds in a tick)
    number.to_bytes(4, "little" if order == "<" else "big"): (order, tick)
    for number, tick in (
        (0xA1B2C3D4, 1000),  # libpcap
        (0xA1B23C4D, 1),  # libpcap, in nanoseconds
        (0xA1B2CD34, 1000),  # libpcap as patched by Alexey Kuznetsov in 1999
        (0x1C0001AC, 1),  # Ixia's lcap, captured by hardware: https://gitlab.com/wireshark/wireshark/-/issues/14073
        (0x1C0001AB, 1000),  # the same, captured by software
    )
    for order in "<>"
}
PCAP_HEADER = 24
PCAP_LINK = 20

# --- pcapng ---------------------------------------------------------------------------------------------
PCAPNG_MAGIC = bytes.fromhex("0a0d0d0a")
BYTE_ORDERS = {bytes.fromhex("4d3c2b1a"): "<", bytes.fromhex("1a2b3c4d"): ">"}
SECTION_HEADER, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BLOCK_FRAME = 12  # type, length, and the length again behind the body
ENHANCED_BODY = 20
SIMPLE_BODY = 4
OPTION_IF_NAME, OPTION_IF_DESCRIPTION, OPTION_IF_TSRESOL, OPTION_IF_TSOFFSET = 2, 3, 9, 14
OPTION_END, OPTION_FLAGS = 0, 2  # of a packet; the direction is in the lowest two bits of its flags
OPTION_HEADER = 4

# --- why a walker stopped ---------------------------------------------------------------------------------
MORE = 0  # the block ends inside a record, or before one
FULL = 1  # no room for another packet
HEADER = 2  # a pcapng block that changes how the rest is read: parse it in Python, then go on
DAMAGED = 3  # a length or number that cannot be
LONG = 4  # a length above its limit


class Walk(NamedTuple):
    """Where a walker stopped.

    `frames` is how far the frame number went on: Wireshark also numbers blocks that are no packets.
    `clamped` is how many of the packets have times that cannot be.
    """

    packets: int
    position: int
    why: int
    frames: int
    clamped: int


class Interface(NamedTuple):
    """A pcapng interface: link type, snap length, name, its clock, and a description.

    A tick is `ticks` to the second; `offset` seconds are added to every time.
    """

    link: int
    snaplen: int
    name: str
    ticks: int
    offset: int
    description: str = ""


@kernel
def number16(data: Bytes, at: int, big_endian: bool) -> int:
    """Two bytes in the file's byte order."""
    return u16(data, at) if big_endian else u16_le(data, at)


@kernel
def number32(data: Bytes, at: int, big_endian: bool) -> int:
    """Four bytes in the file's byte order."""
    return u32(data, at) if big_endian else u32_le(data, at)


@kernel
def padded32(size: int) -> int:
    """A length with the bytes that fill its last 32-bit word."""
    return (i64(size) + 3) & ~3
