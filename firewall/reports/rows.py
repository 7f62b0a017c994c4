"""`-o`: every verdict row in a file, written batch by batch as CSV, JSON lines or Parquet.

The file appears under its name when it is whole: rows go to a file beside it, which is renamed at
the end and removed on any error. CSV: one header line, time as whole ns since 1970, empty cells
where there is nothing (RFC 4180 quoting, lines end with a line feed). JSON lines: one object a
row with the same keys, null where there is nothing. Parquet: the same columns, time as a
nanosecond timestamp in UTC; it needs the extra `parquet`.
"""

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import numpy as np

from firewall.columns import COLUMNS, Column, Words, row_columns
from firewall.errors import UsageError
from firewall.files import check_writable, whole_file
from firewall.labels import Labels, printable
from firewall.rows import Judged

MANY_ROWS = 1_000_000  # of text: some five seconds of writing
SLOW = "text is slow to write: .parquet takes a fraction of the time and of the room"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


class RowWriter(Protocol):
    """Takes batches in packet order."""

    def write(self, judged: Judged) -> None:
        """Append the rows of one batch."""


# --- text: CSV and JSON lines ------------------------------------------------------------------------
class TextFormat(NamedTuple):
    """How a row becomes a line: a template for `%`, how a word is written, and an empty cell."""

    header: str
    line: str
    word: Callable[[str], str]
    empty: str


def csv_word(word: str) -> str:
    """A word as a CSV cell; one that a spreadsheet would take for a formula gets an apostrophe in front."""
    if word.startswith(FORMULA_STARTS):
        word = "'" + word
    if any(letter in word for letter in ',"\r\n'):
        return '"' + word.replace('"', '""') + '"'
    return word


def csv_format(columns: Sequence[str]) -> TextFormat:
    """CSV with these columns."""
    return TextFormat(",".join(columns) + "\n", ",".join(["%s"] * len(columns)) + "\n", csv_word, "")


def json_lines_format(columns: Sequence[str]) -> TextFormat:
    """JSON lines with these columns."""
    return TextFormat("", "{" + ", ".join(f'"{name}": %s' for name in columns) + "}\n", json.dumps, "null")


CSV = csv_format(COLUMNS)
JSON_LINES = json_lines_format(COLUMNS)


def text_lines(columns: Iterable[Column], form: TextFormat) -> str:
    """Columns of equal length as lines."""
    cells = [_text_cells(column, form) for column in columns]
    return "".join(map(form.line.__mod__, zip(*cells, strict=True)))


def _text_cells(column: Column, form: TextFormat) -> Sequence[object]:
    if isinstance(column, Words):
        words = [form.empty if word is None else form.word(word) for word in column.words]
        return np.array(words, dtype=object)[column.codes].tolist()  # type: ignore[no-any-return]  # numpy: Any
    if column.present is None:
        return column.values.tolist()  # type: ignore[no-any-return]  # numpy types tolist as Any
    cells = column.values.astype(object)
    cells[~column.present] = form.empty
    return cells.tolist()  # type: ignore[no-any-return]  # numpy types tolist as Any


class TextRows:
    """Rows as lines of text; `name` is the file's, as it was given."""

    def __init__(self, file: IO[str], labels: Labels, form: TextFormat, name: str) -> None:
        self._file = file
        self._labels = labels
        self._format = form
        self._name = name
        self._rows = 0
        file.write(form.header)

    def write(self, judged: Judged) -> None:
        """Append the rows of one batch; say once, on standard error, that many rows take long this way."""
        before = self._rows
        self._rows += judged.verdicts.rows
        if before <= MANY_ROWS < self._rows:
            sys.stderr.write(f"eniwall: {self._name}: {MANY_ROWS:,} rows, and more come; {SLOW}\n")
        self._file.write(text_lines(row_columns(judged, self._labels).values(), self._format))


# --- files -------------------------------------------------------------------------------------------
@contextmanager
def _csv(path: Path, labels: Labels, name: str) -> Iterator[RowWriter]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield TextRows(file, labels, CSV, name)


@contextmanager
def _json_lines(path: Path, labels: Labels, name: str) -> Iterator[RowWriter]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield TextRows(file, labels, JSON_LINES, name)


@contextmanager
def _parquet(path: Path, labels: Labels, _name: str) -> Iterator[RowWriter]:
    from firewall.reports.parquet import ParquetRows

    writer = ParquetRows(path, labels)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise
    writer.close()


FORMATS = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}


def check_row_file(path: str, formats: Iterable[str] = FORMATS) -> None:
    """Raise UsageError, before anything is read, for a file that cannot be written."""
    suffix = Path(path).suffix.lower()
    if suffix not in formats:
        known = ", ".join(formats)
        raise UsageError(f"{path}: the ending says what to write; use one of {known}")
    check_writable(path)
    if suffix == ".parquet":
        try:
            import polars as pl  # noqa: F401  (only to see that it is there)
        except ImportError:
            install = shlex.join([sys.executable, "-m", "pip", "install", "polars"])
            hint = f"write .csv or .jsonl, or install it where eniwall runs: {install}"
            raise UsageError(f"{path}: Parquet needs the package polars; {hint}") from None


@contextmanager
def open_rows(path: str, labels: Labels) -> Iterator[RowWriter]:
    """A writer for the rows; the file stands under the name `path` when the block ends well.

    The format follows the ending of `path` as it is given, whatever file a link leads to. Raises
    UsageError for an ending that is not known, EniwallError where the file cannot be written.
    """
    check_row_file(path)
    with whole_file(path) as part, FORMATS[Path(path).suffix.lower()](part, labels, printable(path)) as writer:
        yield writer
