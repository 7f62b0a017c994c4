"""Working ahead: a thread reads and decodes, or judges, while another works on what it made.

Kernels let go of Python's lock, so the two run side by side. The order of batches, and so every result, is the
same as without it.
"""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch
    from pcaps.capture import Capture

T = TypeVar("T")
DEPTH = 4  # items that may wait; more would not stay in the processor's cache


def batches_of(capture: "Capture", threads: int) -> "Iterator[PacketBatch]":
    """The batches of a capture, read ahead where that helps."""
    return ahead(capture.batches(), capture, threads)


def ahead(items: Iterator[T], capture: "Capture", threads: int) -> Iterator[T]:
    """The same items, made ahead where there are two threads, and no pipe that may wait for ever."""
    return read_ahead(items) if threads > 1 and capture.bytes_total is not None else items


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, made by a thread of their own, which ends with this iterator. Errors come where they belong."""
    ready: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    room = threading.Semaphore(DEPTH)
    over = threading.Event()

    def read() -> None:
        try:
            for item in items:
                ready.put((item,))
                room.acquire()
                if over.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  (raised again by the thread that asked)
            ready.put(error)
        else:
            ready.put(None)

    reader = threading.Thread(target=read, name="ahead", daemon=True)
    reader.start()
    try:
        while (found := ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            room.release()
            yield found[0]
    finally:
        over.set()
        room.release()
        reader.join()
