"""Progress on standard error: a bar on a terminal, where the work takes its time, and a line for the first compile."""

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from pcaps import accelerate

if TYPE_CHECKING:
    from pcaps.capture import Capture

T = TypeVar("T")
PATIENCE = 1.0  # seconds before a bar appears
KERNELS = 210  # that a replay needs


@contextmanager
def compile_told() -> Iterator[None]:
    """Say that the engine is being compiled, on a terminal how far, until the block ends; nothing if it is there."""
    if accelerate.engine() == "interpreted" or accelerate.warm():
        yield
        return
    from pcaps.accelerate import compilers

    said = "eniwall: compiling the engine for this machine, once"
    terminal = sys.stderr.isatty()

    def tell() -> None:
        sys.stderr.write(f"\r{said}: {compilers.compiled} kernels of about {KERNELS} ")
        sys.stderr.flush()

    sys.stderr.write(said if terminal else f"{said} ...\n")
    sys.stderr.flush()
    if terminal:
        compilers.listeners.append(tell)
    try:
        yield
    finally:
        if terminal:
            compilers.listeners.remove(tell)
            sys.stderr.write("\n")


def watched(batches: Iterable[T], capture: "Capture") -> Generator[T, None, None]:
    """The same batches, with a bar of the bytes read beside them; closing it takes the bar away."""
    start = time.monotonic()
    iterator = iter(batches)
    with compile_told():
        first = next(iterator, None)
    if first is None:
        return
    yield first
    if not sys.stderr.isatty():
        yield from iterator
        return
    for batch in iterator:
        yield batch
        if time.monotonic() - start > PATIENCE:
            yield from _with_bar(iterator, capture)


def _with_bar(batches: Iterator[T], capture: "Capture") -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("judging"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("judging", total=capture.bytes_total)
        for batch in batches:
            progress.update(task, completed=capture.bytes_read)
            yield batch
