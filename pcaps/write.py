"""pcapng out: packets with comments, as https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-04.html says.

    with open("out.pcapng", "wb") as file:
        writer = PcapngWriter(file, "a program 1.0")
        eth0 = writer.interface(ETHERNET, 262144, "eth0")
        writer.packet(eth0, time, data, len(data), packet_options(("seen at the gate",), INBOUND))

One section, in little-endian order; every clock ticks in nanoseconds.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import BinaryIO

from pcaps.batch import UNSTATED
from pcaps.savefile import (
    BLOCK_FRAME,
    ENHANCED_BODY,
    ENHANCED_PACKET,
    INTERFACE,
    OPTION_END,
    OPTION_FLAGS,
    OPTION_IF_DESCRIPTION,
    OPTION_IF_NAME,
    OPTION_IF_TSRESOL,
    SECTION_HEADER,
)

BYTE_ORDER_MAGIC = 0x1A2B3C4D
VERSION = (1, 0)
UNKNOWN_LENGTH = -1  # of a section: it goes on to the end of the file
OPTION_COMMENT, OPTION_APPLICATION = 1, 4
NANOSECONDS = bytes([9])  # if_tsresol: ten to the minus ninth
LONGEST_TEXT = 0xFFFF - 3  # bytes; the length has 16 bits, and the value is padded

_ENHANCED = struct.Struct("<IIIIIII")  # type, length, interface, time high and low, captured and original length
_LENGTH = struct.Struct("<I")


def padded(data: bytes) -> bytes:
    """The same with zeros up to the next 32-bit boundary."""
    return data + bytes(-len(data) % 4)


def option(code: int, value: bytes) -> bytes:
    """One option of a block; `value` has at most 65,535 bytes."""
    return struct.pack("<HH", code, len(value)) + padded(value)


def text_option(code: int, text: str) -> bytes:
    """An option that holds text; what is too long for one is cut at the end."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > LONGEST_TEXT:
        data = data[:LONGEST_TEXT].decode("utf-8", "ignore").encode()
    return option(code, data)


def options(found: Iterable[bytes]) -> bytes:
    """Options as a block ends with them; nothing where there are none."""
    written = b"".join(found)
    return written + option(OPTION_END, b"") if written else b""


@lru_cache(maxsize=1 << 14)
def packet_options(comments: tuple[str, ...] = (), way: int = UNSTATED) -> bytes:
    """The options of a packet: its comments, and which way it went (pcaps.batch.UNSTATED, INBOUND, OUTBOUND).

    The two lowest bits of epb_flags are the direction, seen from the interface.
    """
    flags = [option(OPTION_FLAGS, _LENGTH.pack(way))] if way != UNSTATED else []
    return options([*(text_option(OPTION_COMMENT, comment) for comment in comments), *flags])


class PcapngWriter:
    """Writes to an open file, which whoever opened it closes."""

    def __init__(self, file: BinaryIO, application: str = "", comments: Sequence[str] = ()) -> None:
        self._file = file
        self._interfaces = 0
        head = struct.pack("<IHHq", BYTE_ORDER_MAGIC, *VERSION, UNKNOWN_LENGTH)
        texts = [text_option(OPTION_COMMENT, comment) for comment in comments]
        if application:
            texts.append(text_option(OPTION_APPLICATION, application))
        self._block(SECTION_HEADER, head + options(texts))

    def _block(self, kind: int, body: bytes) -> None:
        size = BLOCK_FRAME + len(body)
        self._file.write(struct.pack("<II", kind, size) + body + _LENGTH.pack(size))

    def interface(self, link: int, snaplen: int = 0, name: str = "", description: str = "") -> int:
        """Declare an interface and give its number; a snap length of 0 is none, and so is an empty text."""
        texts = ((OPTION_IF_NAME, name), (OPTION_IF_DESCRIPTION, description))
        told = [text_option(code, text) for code, text in texts if text]
        head = struct.pack("<HHI", link, 0, snaplen)
        self._block(INTERFACE, head + options([*told, option(OPTION_IF_TSRESOL, NANOSECONDS)]))
        self._interfaces += 1
        return self._interfaces - 1

    def packet(self, interface: int, time: int, data: bytes, wirelen: int, written: bytes = b"") -> None:
        """Append a packet; `time` is ns since 1970, `written` what `packet_options` gives.

        A time before 1970 becomes 1970: the format has no sign.
        """
        time = max(time, 0)
        size = BLOCK_FRAME + ENHANCED_BODY + len(data) + (-len(data) % 4) + len(written)
        head = _ENHANCED.pack(
            ENHANCED_PACKET, size, interface, time >> 32, time & 0xFFFF_FFFF, len(data), min(wirelen, 0xFFFF_FFFF)
        )
        self._file.write(b"".join((head, padded(data), written, _LENGTH.pack(size))))
