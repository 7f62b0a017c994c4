"""Captures that are still being written, and how Ctrl-C ends their reading."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from types import FrameType

PATIENCE = 0.1  # seconds between two looks at a file's end
FLUSH_EVERY = 0.5  # seconds that a packet waits for others to fill its batch


class Tail:
    """The growing end of a file, or of a pipe (`path` is None)."""

    def __init__(self, file: FileIO, path: str | None) -> None:
        self._file = file
        self._path = path
        self.stopped = False
        self.cut = False  # the file has become shorter than what was read of it

    def ready(self) -> bool:
        """False if a pipe has nothing yet, after some patience; a file can be asked until it is stopped.

        What writes to a pipe is often stopped by the same Ctrl-C, and then writes what it still has.
        """
        if self._path is not None:
            return not self.stopped
        return bool(select.select([self._file], [], [], PATIENCE)[0])

    def ended(self) -> bool:
        """True if nothing more will come than can be read now."""
        if self._path is None:
            return True
        mine = os.fstat(self._file.fileno())
        self.cut = mine.st_size < self._file.tell()
        try:
            named = os.stat(self._path)  # noqa: PTH116  (the same file or another one: os.path.samestat compares)
        except OSError:
            return True  # removed, or renamed
        return self.cut or not os.path.samestat(mine, named)

    def wait(self) -> None:
        """Let the writer write."""
        time.sleep(PATIENCE)


@contextmanager
def interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """Within, the first Ctrl-C calls `stop`, and the second interrupts as ever. Main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
