"""A progress bar on standard error, on a terminal only, and only where the work takes its time."""

import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pcaps.capture import Capture

T = TypeVar("T")
PATIENCE = 1.0  # seconds before a bar appears


def watched(batches: Iterable[T], capture: "Capture") -> Generator[T, None, None]:
    """The same batches, with a bar of the bytes read beside them; closing it takes the bar away."""
    if not sys.stderr.isatty():
        yield from batches
        return
    start = time.monotonic()
    iterator = iter(batches)
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
