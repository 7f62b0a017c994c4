"""Bytes in: files and pipes, plain, gzip or zstd, through one reused buffer.

Blocks of 256 KiB into a buffer that stays in cache are as fast as a memory map on short packets and
twice as fast on long ones, and work on pipes.
"""

import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pcaps.errors import CaptureError
from pcaps.savefile import MAX_RECORD, RECORD_HEADER
from pcaps.wire import Bytes

BLOCK = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
STANDARD_INPUT = "-"


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


def open_file(path: str) -> BinaryIO:
    """The file, or standard input for `-`. Raises CaptureError with the cure."""
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # closed by whoever started us
            raise CaptureError("standard input is closed; name a capture file")
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise CaptureError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise CaptureError(f"{path}: is a folder; name the capture files in it, as {path.rstrip('/')}/*.pcap") from None
    except PermissionError:
        raise CaptureError(f"{path}: not readable for this user; check its permissions (ls -l)") from None
    except OSError as error:
        raise CaptureError(f"{path}: cannot be opened: {error.strerror}") from None


def decompressed(head: bytes, stream: BinaryIO) -> BinaryIO:
    """The stream from its start, unpacked if its first bytes are those of gzip or zstd."""
    whole = io.BufferedReader(Rewound(head, stream), BLOCK)
    if head.startswith(GZIP_MAGIC):
        return cast("BinaryIO", gzip.GzipFile(fileobj=whole))
    if head.startswith(ZSTD_MAGIC):
        import zstandard  # only for zstd files

        return cast("BinaryIO", zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True))
    return cast("BinaryIO", whole)


class Stream:
    """A capture's bytes: `data[position:filled]` is what was read and not yet used."""

    def __init__(self, path: str) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self._file = open_file(path)
        try:
            self.size = Path(path).stat().st_size if path != STANDARD_INPUT and Path(path).is_file() else None
            head = self._file.read(4)
            while 0 < len(head) < 4 and (more := self._file.read(4 - len(head))):
                head += more
        except OSError as error:
            raise CaptureError(f"{self.name}: cannot be read: {error.strerror}") from None
        packed = head.startswith((GZIP_MAGIC, ZSTD_MAGIC))
        self._bytes = decompressed(head, self._file) if packed else self._file
        self.data: Bytes = np.empty(BLOCK, np.uint8)
        self.position = 0
        self.filled = 0
        self.passed = 0  # bytes before data[0]
        self.fault = ""  # why the bytes ended before the file did
        if not packed:
            self.data[: len(head)] = np.frombuffer(head, np.uint8)
            self.filled = len(head)

    @property
    def place(self) -> int:
        """Bytes of the (unpacked) capture before `position`."""
        return self.passed + self.position

    def progress(self) -> int:
        """Bytes read of the file as it lies on disk."""
        return self._file.tell() if self.size is not None else self.passed + self.filled

    def more(self) -> bool:
        """Keep the unused tail, read behind it; False at the end of the stream."""
        tail = self.filled - self.position
        self.passed += self.position
        if tail == len(self.data) and tail < MAX_RECORD + RECORD_HEADER + BLOCK:  # one record fills the buffer
            self.data = np.concatenate([self.data[self.position : self.filled], np.empty(len(self.data), np.uint8)])
        else:
            self.data[:tail] = self.data[self.position : self.filled].copy()
        self.position, self.filled = 0, tail
        try:
            room = self.data[tail:].data  # a memoryview
            count = self._bytes.readinto1(room)  # type: ignore[attr-defined]  # what was unpacked before damage counts
        except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
            self.fault = f"its compressed data is damaged or cut ({error})"
            count = 0
        except Exception as error:  # zstandard's own class, imported only where it is used
            if type(error).__module__.partition(".")[0] not in ("zstd", "zstandard"):
                raise
            self.fault = f"its compressed data is damaged or cut ({error})"
            count = 0
        self.filled += count or 0
        return bool(count)

    def need(self, size: int) -> bool:
        """True once data[position:] holds `size` bytes."""
        while self.filled - self.position < size:
            if not self.more():
                return False
        return True

    def take(self, size: int) -> bytes:
        """The next `size` bytes, which `need` has promised."""
        start = self.position
        self.position += size
        return self.data[start : self.position].tobytes()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._bytes is not self._file:
            self._bytes.close()
        if self.name != "standard input":
            self._file.close()
