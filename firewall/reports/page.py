"""A page of plain text: headings, lines and tables, coloured on a terminal only.

Everything that comes from a file passes `printable`, and rich's markup is off: a name cannot
steer the terminal.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from firewall.labels import printable

UNLIMITED = 1 << 16  # columns: as wide as the longest line
HEIGHT = 25
STYLES = {"ALLOW": "green", "DENY": "red", "EXEMPT": "cyan", "NOT_EVALUATED": "yellow"}
INDENT = "  "


class Column(NamedTuple):
    """A table's column: `optional` may be left out of a narrow terminal, `wraps` may be broken into lines."""

    name: str
    right: bool = False
    optional: bool = False
    wraps: bool = False


def number(name: str, *, optional: bool = False) -> Column:
    """A column of numbers, which stand right."""
    return Column(name, right=True, optional=optional)


class Page:
    """Collects text; `width` is the terminal's, None where lines must not be wrapped (a pipe or a file)."""

    def __init__(self, width: int | None = None) -> None:
        from rich.console import Console

        self._out = io.StringIO()
        self._terminal = width is not None
        self._console = Console(
            file=self._out,
            width=width or UNLIMITED,
            height=HEIGHT,  # without it, rich does not take the width under TERM=dumb
            force_terminal=self._terminal,
            color_system="auto" if self._terminal else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def line(self, text: str = "", style: str | None = None) -> None:
        """One paragraph."""
        self._console.print(printable(text), style=style)

    def heading(self, text: str) -> None:
        """The title of a section, with an empty line above."""
        self._console.print()
        self.line(text, "bold")

    def points(self, lines: Iterable[str]) -> None:
        """One line each, with a dash."""
        for text in lines:
            self.line(f"{INDENT}- {text}")

    def block(self, text: str) -> None:
        """Lines as they are, indented: something to copy."""
        for text_line in text.splitlines():
            self._console.print(INDENT + printable(text_line), soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
        """A table without lines; where it is too wide, optional columns are left out, the last one first."""
        from rich.table import Table

        cells = [[_text(value) for value in row] for row in rows]
        kept = self._fitting(columns, cells)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("", width=0)  # the indent, kept where a cell is wrapped
        for column in (columns[place] for place in kept):
            justify: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(column.name, justify=justify, no_wrap=not column.wraps, overflow="fold")
        for row in cells:
            table.add_row("", *(_styled(row[place]) for place in kept))
        self._console.print(table)

    def _fitting(self, columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[int]:
        """The places of the columns to show."""
        widths = [max([len(column.name), *(len(row[place]) for row in cells)]) for place, column in enumerate(columns)]
        kept = list(range(len(columns)))
        for place in [place for place in reversed(kept) if columns[place].optional]:
            if sum(widths[each] + 2 for each in kept) <= self._console.width:
                break
            kept.remove(place)
        return kept

    def text(self) -> str:
        """The page, without spaces at the ends of lines."""
        written = self._out.getvalue()
        if self._terminal:
            return written
        return "".join(line.rstrip() + "\n" for line in written.splitlines())


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _styled(text: str) -> Any:
    from rich.text import Text

    return Text(text, style=STYLES.get(text.partition(" ")[0], ""))
