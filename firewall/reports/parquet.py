"""Verdict rows as Parquet: a thread of its own makes and writes columns while the next packets are judged.

Rows are collected into parts; polars takes them one by one and writes them as row groups of one file, so that
memory holds a few parts. It needs the extra `parquet`.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from firewall.addresses import Addresses
from firewall.columns import Cells, Column, Words, cell_columns
from firewall.labels import Labels
from firewall.rows import Judged
from firewall.summary import no_rows

if TYPE_CHECKING:
    import polars as pl

PART_ROWS = 1 << 18  # rows of a part, and of a row group
PARTS_AHEAD = 2  # parts that may wait to be written
COMPRESSION_LEVEL = 1  # of zstd: level 3, its default, makes files a sixth smaller and takes a third longer


class ParquetRows:
    """Rows as one file. `close` ends it; after an error, `abandon`."""

    def __init__(self, path: Path, labels: Labels) -> None:
        self._path = path
        self._labels = labels
        self._addresses = Addresses()
        self._held: list[Cells] = []
        self._rows = 0
        self._parts: SimpleQueue[Cells | None] = SimpleQueue()
        self._room = threading.Semaphore(PARTS_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="parquet", daemon=True)
        self._thread.start()

    def write(self, judged: Judged) -> None:
        """Append the rows of one batch. Raises OSError where the file cannot be written."""
        self._held.append(Cells.of(judged))
        self._rows += judged.verdicts.rows
        if self._rows >= PART_ROWS:
            self._pass_on()

    def close(self) -> None:
        """Write what is left. Raises OSError where the file cannot be written."""
        if self._held:
            self._pass_on()
        self._end()
        self._check()

    def abandon(self) -> None:
        """End the thread; what was written is of no use."""
        self._end()

    def _end(self) -> None:
        self._parts.put(None)
        self._thread.join()

    def _pass_on(self) -> None:
        self._room.acquire()
        self._check()
        self._parts.put(Cells.joined(self._held))
        self._held, self._rows = [], 0

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    # --- in the thread -------------------------------------------------------------------------------
    def _write(self) -> None:
        import polars as pl
        from polars.io.plugins import register_io_source

        try:
            schema = self._frame(Cells.of(no_rows())).schema
            frames = register_io_source(self._frames, schema=schema)
            level = COMPRESSION_LEVEL
            frames.sink_parquet(self._path, compression_level=level, row_group_size=PART_ROWS, maintain_order=True)
        except pl.exceptions.PolarsError as error:
            self._error = self._error or OSError(str(error))
        except BaseException as error:  # noqa: BLE001  (raised again by `write`; polars catches Ctrl-C too)
            self._error = self._error or error
        finally:
            self._room.release()

    def _frames(self, *_wanted: object) -> "Iterator[pl.DataFrame]":
        """The parts as they come: what polars calls asks for all columns and rows."""
        try:
            while (part := self._parts.get()) is not None:
                self._room.release()
                yield self._frame(part)
        except Exception as error:  # polars would tell another
            self._error = error
            raise

    def _frame(self, cells: Cells) -> "pl.DataFrame":
        import polars as pl

        columns = cell_columns(cells, self._labels, self._addresses.words)
        return frame_of(columns).with_columns(pl.col("time").cast(pl.Datetime("ns")))


def frame_of(columns: dict[str, Column]) -> "pl.DataFrame":
    """Columns for polars; null where a cell is empty."""
    import polars as pl

    return pl.DataFrame({name: _series(column) for name, column in columns.items()})


def _series(column: Column) -> "pl.Series":
    import polars as pl

    if isinstance(column, Words):
        return pl.Series(column.words, dtype=pl.String).gather(column.codes)
    values = pl.Series(column.values, dtype=pl.Int64)
    if column.present is None:
        return values
    return values.set(pl.Series(~column.present), None)
