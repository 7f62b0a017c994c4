"""Compressed captures: gzip, zstd and LZ4, told by their first bytes and unpacked as they are read.

Imports nothing heavy: it is asked before an engine is chosen.
"""

import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, cast

from pcaps.limits import MAX_WINDOW

Faults = tuple[type[Exception], ...]
PACKED_BLOCK = 1 << 8  # of zstd: four bytes may unpack to 128 KiB, so that one block unpacks to 8 MiB at most


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


class Unzstd(io.RawIOBase):
    """The content of zstd frames, one behind the other; unlike the library's stream it tells a frame that is cut."""

    def __init__(self, stream: BinaryIO, new_frame: Callable[[], Any]) -> None:
        self._stream = stream
        self._new_frame = new_frame
        self._frame: Any = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # Buffer is 3.12's name
        """Fill the buffer. Raises EOFError where the last frame does not end, ZstdError where one is damaged."""
        while not self._ready and self._unpack():
            pass
        view = memoryview(buffer)
        data, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(data)] = data
        return len(data)

    def _unpack(self) -> bool:
        """Unpack some more; False at the end of the stream."""
        packed = self._packed or self._stream.read(PACKED_BLOCK)
        if not packed:
            if self._frame is not None:
                raise EOFError("the last frame does not end")
            return False
        if self._frame is None:
            self._frame = self._new_frame()
        self._ready = memoryview(self._frame.decompress(packed))
        self._packed = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame = None
        return True


def _unzstd(stream: BinaryIO) -> tuple[BinaryIO, Faults]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    reader = io.BufferedReader(Unzstd(stream, decompressor.decompressobj))
    return cast("BinaryIO", reader), (EOFError, zstandard.ZstdError)


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
