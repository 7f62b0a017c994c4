"""Bytes in: files, pipes and S3 objects, plain or compressed, through one reused buffer.

Blocks of 256 KiB into a buffer that stays in cache are as fast as a memory map on short packets and
twice as fast on long ones, and work on pipes.
"""

import io
import sys
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pcaps import paths, s3
from pcaps.errors import CaptureError
from pcaps.follow import Tail
from pcaps.limits import MAX_BLOCK
from pcaps.unpack import Faults, Packing, Rewound, packing_of
from pcaps.wire import Bytes

BLOCK = 1 << 18
STANDARD_INPUT = paths.STANDARD_INPUT
MOST = MAX_BLOCK + BLOCK  # of the buffer: the longest block, and what is read behind its start


def open_file(path: str, *, follow: bool = False) -> BinaryIO:
    """The file, or standard input for `-`; unbuffered to `follow` it. Raises CaptureError with the cure."""
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # closed by whoever started us
            raise CaptureError("standard input is closed; name a capture file")
        if not follow:
            return sys.stdin.buffer
        return cast("BinaryIO", io.FileIO(sys.stdin.fileno(), closefd=False))
    try:
        return Path(path).open("rb", buffering=0 if follow else -1)
    except FileNotFoundError:
        raise CaptureError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise CaptureError(f"{path}: is a folder; name the capture files in it, as {path.rstrip('/')}/*.pcap") from None
    except PermissionError:
        raise CaptureError(f"{path}: not readable for this user; check its permissions (ls -l)") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise CaptureError(f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}") from None


class Stream:
    """A capture's bytes: `data[position:filled]` is what was read and not yet used.

    `follow`: at the end of the file, wait for what a program still writes to it.
    """

    def __init__(self, path: str, *, follow: bool = False) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.data: Bytes = np.empty(BLOCK, np.uint8)
        self.position = 0
        self.filled = 0
        self.passed = 0  # bytes before data[0]
        self.fault = ""  # why the bytes ended before the file did
        self.idle = False  # `more` found nothing, but more may come
        self.packing: Packing | None = None
        self.size: int | None = None
        self._faults: Faults = ()
        self._done: int | None = None  # what `progress` was when the file was closed
        self._tail: Tail | None = None
        self._open(path, follow)
        try:
            self._unpack(follow)
        except CaptureError:
            self.close()
            raise

    def _open(self, path: str, follow: bool) -> None:
        if path.startswith(paths.S3):
            if follow:
                raise CaptureError(f"{path}: an object in S3 does not grow; leave --follow away")
            body, self.size = s3.open_object(path)
            self._file = cast("BinaryIO", body)
        else:
            self._file = open_file(path, follow=follow)
            if path != STANDARD_INPUT and Path(path).is_file():
                self.size = None if follow else Path(path).stat().st_size
                regular: str | None = path
            else:
                regular = None
            if follow:
                self._tail = Tail(cast("io.FileIO", self._file), regular)
        self._bytes: BinaryIO = self._file

    def _unpack(self, follow: bool) -> None:
        """Read the start; if it is compressed, go back and read it unpacked."""
        self.need(4)
        self.packing = packing_of(self.data[: self.filled].tobytes()[:4])
        if self.packing is None:
            if self.fault:
                raise CaptureError(f"{self.name}: {self.fault}")
            return
        if follow:
            raise CaptureError(
                f"{self.name}: compressed ({self.packing.name}), which cannot be followed; "
                f"unpack it on the way: ... | {self.packing.name} -dc | eniwall ... -"
            )
        read = Rewound(self.data[: self.filled].tobytes(), self._file)
        self._bytes, self._faults = self.packing.open(io.BufferedReader(read, BLOCK))
        self.filled = 0

    @property
    def place(self) -> int:
        """Bytes of the (unpacked) capture before `position`."""
        return self.passed + self.position

    def progress(self) -> int:
        """Bytes read of the file as it lies on disk."""
        if self._done is not None:
            return self._done
        try:
            return self._file.tell() if self.size is not None else self.passed + self.filled
        except ValueError:  # the thread that reads ahead has just closed it
            return self.size or 0

    def more(self) -> bool:
        """Keep the unused tail, read behind it; False at the end of the stream, and when `idle`."""
        self.idle = False
        if self._tail is None:
            return self._fill() > 0
        if not self._tail.ready():
            self.idle = not self._tail.stopped
            return False
        ended = self._tail.ended()  # asked before the last look, so that nothing is missed
        if self._fill() > 0:
            return True
        if self._tail.cut:
            self.fault = "it has become shorter while it was followed"
        self.idle = not ended
        if self.idle:
            self._tail.wait()
        return False

    def _make_room(self) -> None:
        """Move the unused tail to the front; where it fills the buffer, a larger one."""
        tail = self.data[self.position : self.filled]
        self.passed += self.position
        if len(tail) == len(self.data):
            larger = np.empty(min(2 * len(self.data), MOST), np.uint8)
            larger[: len(tail)] = tail
            self.data = larger
        elif self.position:
            self.data[: len(tail)] = tail.copy()
        self.position, self.filled = 0, len(tail)

    def _fill(self) -> int:
        """Read once into the room behind the tail; how many bytes came."""
        self._make_room()
        room = self.data[self.filled :].data  # a memoryview
        read = getattr(self._bytes, "readinto1", None) or self._bytes.readinto  # type: ignore[attr-defined]  # of files
        try:
            count = read(room) or 0  # what was unpacked before damage counts
        except self._faults as error:
            self.fault = f"its compressed data is damaged or cut ({error})"
            return 0
        except OSError as error:
            self.fault = f"cannot be read on: {error.strerror or error}"
            return 0
        self.filled += count
        return int(count)

    def need(self, size: int) -> bool:
        """True once data[position:] holds `size` bytes."""
        while self.filled - self.position < size:
            if not self.more() and not self.idle:
                return False
        return True

    def take(self, size: int) -> bytes:
        """The next `size` bytes, which `need` has promised."""
        start = self.position
        self.position += size
        return self.data[start : self.position].tobytes()

    def stop(self) -> None:
        """End the following; what was read until now counts."""
        if self._tail is not None:
            self._tail.stopped = True

    def close(self) -> None:
        """Close the file and let go of the buffer; standard input stays open."""
        if self._done is not None:
            return
        self._done = self.progress()
        self.data = np.empty(0, np.uint8)
        if self._bytes is not self._file:
            self._bytes.close()
        if self.name != "standard input":
            self._file.close()
