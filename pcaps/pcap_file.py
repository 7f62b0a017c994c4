"""Classic pcap: its file header in all variants, and the walker over its records.

Variants as libpcap (https://github.com/the-tcpdump-group/libpcap/blob/master/sf-pcap.c) and Wireshark
(https://gitlab.com/wireshark/wireshark/-/blob/master/wiretap/libpcap.c) tell them apart.
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import clear, entry_kernel
from pcaps.limits import MAX_RECORD
from pcaps.savefile import FULL, LONG, MORE, NS, PCAP_LINK, PCAP_MAGICS, number32
from pcaps.wire import Bytes

RECORD_HEADER = 16  # seconds, fraction, captured length, length on the wire
RECORD_HEADERS = {  # bytes of a record's header by magic, the likeliest first; every other magic has 16
    0xA1B2C3D4: (16, 24, 20),  # but Red Hat 6.1 (Kuznetsov's patch of April 1999) 24, Nokia's firewalls 20
    0xA1B2CD34: (24, 28),  # 28: his patch of September 1999, in SuSE 6.3
}
LONGER_FILE_HEADERS = {0x1C0001AC: 4, 0x1C0001AB: 4}  # Ixia: the length of all records behind the usual header
RESERVED_MAGICS = {0xA12B3C4D, 0xA1B234CD}  # libpcap keeps them for formats that nobody described (Navtel, Mesquita)
LINK_BITS = 0x03FF_FFFF  # the upper six bits: length of the FCS, whether it is stated, and a reserved one

# AIX writes interface types of RFC 1573 instead of link types, version 2.2, and nanoseconds.
AIX_VERSION = (2, 2)
AIX_LINKS = {6: 1, 9: 6, 15: 10, 24: 0}  # Ethernet, token ring, FDDI, loopback

# Which of the two lengths comes first: until version 2.3 the one on the wire.
CAPTURED_FIRST, WIRE_FIRST, SMALLER_IS_CAPTURED = 0, 1, 2

# What is plausible in a record, when its layout has to be guessed
TRIED = 3  # records
PLAUSIBLE_LENGTH = 1 << 18  # libpcap's longest packet but for D-Bus and USB
PLAUSIBLE_GAP = 7 * 86_400  # seconds between two packets


class PcapHeader(NamedTuple):
    """What the header of a classic pcap says; `tick` is in nanoseconds."""

    big_endian: bool
    tick: int
    link: int
    size: int  # bytes of the file header
    records: tuple[int, ...]  # how long the header of a record may be
    lengths: int  # CAPTURED_FIRST, WIRE_FIRST or SMALLER_IS_CAPTURED


def file_header_size(magic: bytes) -> int:
    """Bytes of the file header that begins so."""
    order, _ = PCAP_MAGICS[magic]
    return 24 + LONGER_FILE_HEADERS.get(_number(magic, order), 0)


def _number(magic: bytes, order: str) -> int:
    (number,) = struct.unpack(order + "I", magic)
    return int(number)


def pcap_header(header: bytes) -> PcapHeader:
    """The start of a classic pcap. Raises ValueError for a version before 2."""
    magic = header[:4]
    order, tick = PCAP_MAGICS[magic]
    major, minor = struct.unpack_from(order + "HH", header, 4)
    if major < 2:
        raise ValueError(f"version {major}.{minor}; 2.0 is the oldest that is read")
    (link,) = struct.unpack_from(order + "I", header, PCAP_LINK)
    link &= LINK_BITS
    records = RECORD_HEADERS.get(_number(magic, order), (RECORD_HEADER,))
    if (major, minor) != (2, 4):
        records = records[:1]
    if (major, minor) == AIX_VERSION and link in AIX_LINKS:
        link, tick = AIX_LINKS[link], 1
    return PcapHeader(order == ">", tick, link, file_header_size(magic), records, _lengths(major, minor))


def _lengths(major: int, minor: int) -> int:
    """DG/UX calls its version 543.0. Some files of version 2.3 have the lengths in the old order."""
    if major == 543 or (major == 2 and minor < 3):
        return WIRE_FIRST
    return SMALLER_IS_CAPTURED if (major, minor) == (2, 3) else CAPTURED_FIRST


def record_header(header: PcapHeader, records: bytes) -> int:
    """How long the header of a record is, by what the first records look like.

    The likeliest length stands unless a record speaks against it and all speak for another one.
    """
    likeliest, *others = header.records
    if not _first_records(header, records, likeliest).against:
        return likeliest
    return next((size for size in others if _first_records(header, records, size).enough), likeliest)


class _Evidence(NamedTuple):
    """Whether one of the first records cannot be, and whether enough of them can."""

    against: bool
    enough: bool


def _first_records(header: PcapHeader, records: bytes, size: int) -> _Evidence:
    """What TRIED records say if their headers have `size` bytes; two will do that end where the bytes do."""
    order = ">" if header.big_endian else "<"
    at, first = 0, -1
    for count in range(TRIED):
        if at + size > len(records):
            return _Evidence(against=False, enough=at == len(records) and count > 1)
        seconds, fraction, length, wirelen = struct.unpack_from(order + "IIII", records, at)
        first = seconds if first < 0 else first
        if not (
            fraction * header.tick < NS
            and 0 < length <= wirelen <= PLAUSIBLE_LENGTH
            and abs(seconds - first) <= PLAUSIBLE_GAP
        ):
            return _Evidence(against=True, enough=False)
        at += size + length
    return _Evidence(against=False, enough=True)


@entry_kernel
def walk_pcap(
    data: Bytes,
    position: int,
    filled: int,
    big_endian: bool,
    tick: int,
    header: int,
    lengths: int,
    frame: int,
    out: NDArray[np.void],
    offsets: NDArray[np.int64],
) -> tuple[int, int, int, int, int]:
    """Walk the records of data[position:filled] into `out` and `offsets`; returns a Walk.

    `frame` is the number of the first packet, `header` the length of each record's header.
    """
    count = 0
    clamped = 0
    second = NS // tick
    while position + header <= filled:
        if count == len(out):
            return count, position, FULL, count, clamped
        length = number32(data, position + 8, big_endian)
        wirelen = number32(data, position + 12, big_endian)
        if lengths == WIRE_FIRST or (lengths == SMALLER_IS_CAPTURED and length > wirelen):
            length, wirelen = wirelen, length
        if length > MAX_RECORD:
            return count, position, LONG, count, clamped
        if position + header + length > filled:
            break
        fraction = number32(data, position + 4, big_endian)
        if fraction >= second:  # carried into the seconds
            clamped += 1
        clear(out, count)
        p = out[count]
        p["frame"] = frame + count
        p["time"] = number32(data, position, big_endian) * NS + fraction * tick
        p["caplen"] = length
        p["wirelen"] = wirelen
        offsets[count] = position + header
        position += header + length
        count += 1
    return count, position, MORE, count, clamped
