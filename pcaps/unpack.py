"""Compressed captures: gzip, zstd and LZ4, told by their first bytes and unpacked as they are read.

Imports nothing heavy: it is asked before an engine is chosen.
"""

import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, cast

from pcaps.limits import MAX_WINDOW

Faults = tuple[type[Exception], ...]


class Rewound(io.RawIOBase):
    """A stream whose first bytes were read already and are given once more."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # Buffer is 3.12's name
        """Fill the buffer from the head, then from the stream."""
        view = memoryview(buffer)
        data = self._head[: len(view)] or self._stream.read(len(view))
        self._head = self._head[len(data) :]
        view[: len(data)] = data
        return len(data)


def _gunzip(stream: BinaryIO) -> tuple[BinaryIO, Faults]:
    import gzip

    return cast("BinaryIO", gzip.GzipFile(fileobj=stream)), (EOFError, zlib.error, gzip.BadGzipFile)


def _unzstd(stream: BinaryIO) -> tuple[BinaryIO, Faults]:
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(stream, read_across_frames=True)
    return cast("BinaryIO", reader), (zstandard.ZstdError,)


def _unlz4(stream: BinaryIO) -> tuple[BinaryIO, Faults]:
    import lz4.frame

    return cast("BinaryIO", lz4.frame.LZ4FrameFile(stream)), (EOFError, RuntimeError)


class Packing(NamedTuple):
    """A way to compress: its first bytes, what opens it, and the command that checks a file.

    `open` returns the unpacked stream and the errors that it raises for damaged data.
    """

    name: str
    magic: bytes
    open: Callable[[BinaryIO], tuple[BinaryIO, Faults]]
    check: str


PACKINGS = (
    Packing("gzip", bytes.fromhex("1f8b"), _gunzip, "gzip -t"),  # RFC 1952 section 2.3.1
    Packing("zstd", bytes.fromhex("28b52ffd"), _unzstd, "zstd -t"),  # RFC 8878 section 3.1.1
    # https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
    Packing("lz4", bytes.fromhex("04224d18"), _unlz4, "lz4 -t"),
)
MAGICS = tuple(packing.magic for packing in PACKINGS)


def packing_of(head: bytes) -> Packing | None:
    """How what starts so is compressed; None if it is not."""
    return next((packing for packing in PACKINGS if head.startswith(packing.magic)), None)
