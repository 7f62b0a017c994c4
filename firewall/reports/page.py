"""A page of plain text: headings, lines and tables, coloured on a terminal only.

Everything that comes from a file passes `printable`, and rich's markup is off: a name cannot
steer the terminal. Nothing is ever cut at the terminal's edge: a number without its last digits
would be another number.
"""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from firewall.labels import printable
from firewall.reports.layout import Column, laid_out, number, wrapped

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Column", "Page", "number"]

UNLIMITED = 1 << 16  # columns: as wide as the longest line
HEIGHT = 25
INDENT = "  "


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

    def _print(self, lines: "Iterable[Text]", style: str | None = None) -> None:
        for line in lines:
            self._console.print(line, style=style, soft_wrap=True)  # they were broken before

    def line(self, text: str = "", style: str | None = None) -> None:
        """One paragraph; the lines that it is broken into keep its indent."""
        body = text.lstrip(" ")
        indent = " " * (len(text) - len(body))
        self._print(wrapped(printable(body), self._console.width, indent, indent), style)

    def heading(self, text: str) -> None:
        """The title of a section, with an empty line above."""
        self._console.print()
        self.line(text, "bold")

    def points(self, lines: Iterable[str]) -> None:
        """One line each, with a dash."""
        for text in lines:
            self._print(wrapped(printable(text), self._console.width, f"{INDENT}- ", f"{INDENT}  "))

    def block(self, text: str) -> None:
        """Lines as they are, indented: something to copy."""
        for text_line in text.splitlines():
            self._console.print(INDENT + printable(text_line), soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
        """A table without lines; where it is too wide, its rows take several lines each (see laid_out)."""
        cells = [[_text(value) for value in row] for row in rows]
        lines, left_out = laid_out(columns, cells, self._console.width, INDENT)
        self._print(lines)
        if left_out:
            self.line(f"{INDENT}this terminal is too narrow for {', '.join(left_out)}")

    def text(self) -> str:
        """The page, without spaces at the ends of lines."""
        written = self._out.getvalue()
        if self._terminal:
            return written
        return "".join(line.rstrip() + "\n" for line in written.splitlines())


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
