"""Tables within a width: whole cells always, over more lines where the width is small."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import OverflowMethod
    from rich.text import Text

STYLES = {"ALLOW": "green", "DENY": "red", "EXEMPT": "cyan", "NOT_EVALUATED": "yellow"}
GAP = "  "  # between two cells
DEEPER = "  "  # what belongs to the row above
LEAST_WRAPPED = 28  # columns that a cell needs to be read when it is broken into lines

Cells = Sequence[str]


class Column(NamedTuple):
    """A table's column: `wraps` may be broken into lines or stand below its row, `optional` may be left out."""

    name: str
    right: bool = False
    optional: bool = False
    wraps: bool = False


def number(name: str, *, optional: bool = False) -> Column:
    """A column of numbers, which stand right."""
    return Column(name, right=True, optional=optional)


def laid_out(
    columns: Sequence[Column], rows: Sequence[Cells], width: int, indent: str
) -> "tuple[list[Text], list[str]]":
    """The lines of a table in `width` terminal columns, and the names of optional columns left out.

    The first way that fits: a line a row; the one wrapping cell broken into lines; wrapping cells
    below their row; these without optional columns; every cell with its column's name, as many a
    line as there is room for.
    """
    widths = [max(map(cells, (column.name, *(row[place] for row in rows)))) for place, column in enumerate(columns)]
    every = list(range(len(columns)))
    room = width - len(indent)
    if _total(widths, every) <= room:
        return list(_grid(columns, rows, widths, every, [], width, indent)), []
    below = [place for place in every if columns[place].wraps]
    if len(below) == 1:
        left = room - _total(widths, every) + widths[below[0]]
        words = (word for row in rows for word in row[below[0]].split())
        if left >= max(LEAST_WRAPPED, *map(cells, (columns[below[0]].name, *words))):
            widths[below[0]] = left
            return list(_grid(columns, rows, widths, every, [], width, indent)), []
    beside = [place for place in every if place not in below]
    needed = [place for place in beside if not columns[place].optional]
    for kept in (beside, needed):
        if _total(widths, kept) <= room:
            left_out = [columns[place].name for place in beside if place not in kept]
            return list(_grid(columns, rows, widths, kept, below, width, indent)), left_out
    return [line for row in rows for line in _named_cells(columns, row, width, indent)], []


def cells(text: str) -> int:
    """Terminal columns of a text; a Chinese character takes two."""
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, width: int, first: str, later: str) -> "list[Text]":
    """A text as lines, broken at spaces, and within a word only where it is longer than a line and no URL."""
    return [_line(first if place == 0 else later, part) for place, part in enumerate(_broken(text, width - len(later)))]


def _total(widths: Sequence[int], places: Sequence[int]) -> int:
    return sum(widths[place] for place in places) + len(GAP) * (len(places) - 1)


def _grid(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    widths: Sequence[int],
    places: Sequence[int],
    below: Sequence[int],
    width: int,
    indent: str,
) -> "Iterator[Text]":
    """A heading and a line or several for each row; the cells of `below` follow on lines of their own."""
    names = [column.name for column in columns]
    for row in (names, *rows):
        style = "dim" if row is names else ""
        parts = {place: _broken(row[place], widths[place]) for place in places}
        for line in range(max(map(len, parts.values()))):
            pieces = []
            for place in places:
                text = parts[place][line] if line < len(parts[place]) else ""
                blank = " " * (widths[place] - cells(text))
                pieces.append(blank + text if columns[place].right else text + blank)
            yield _line(indent, *pieces, style=style)
        if below:
            deeper = indent + DEEPER
            for part in _broken(GAP.join(row[place] for place in below), width - len(deeper)):
                yield _line(deeper, part, style=style)


def _named_cells(columns: Sequence[Column], row: Cells, width: int, indent: str) -> "Iterator[Text]":
    """The cells of one row one after another, each behind its column's name, never broken where a line holds one."""
    start, held = indent, ""
    for column, cell in zip(columns, row, strict=True):
        piece = f"{column.name} {cell}".strip()
        if held and len(start) + cells(held + GAP + piece) > width:
            yield from wrapped(held, width, start, start)
            start, held = indent + DEEPER, ""
        held = held + GAP + piece if held else piece
    yield from wrapped(held, width, start, start)


def _broken(text: str, width: int) -> list[str]:
    """The lines of a text in `width` columns; at least one. A URL is never cut: it would not work any more."""
    if cells(text) <= width:
        return [text]
    from rich.console import Console
    from rich.text import Text

    overflow: OverflowMethod = "ignore" if "://" in text else "fold"
    lines = Text(text).wrap(Console(width=width), max(width, 2), overflow=overflow)
    return [line.plain.rstrip() for line in lines]


def _line(start: str, *pieces: str, style: str = "") -> "Text":
    from rich.text import Text

    line = Text(start)
    for place, piece in enumerate(pieces):
        line.append(GAP if place else "")
        line.append(piece, style or STYLES.get(piece.partition(" ")[0], ""))
    line.rstrip()
    return line
