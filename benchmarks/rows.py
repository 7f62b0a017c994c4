"""What was measured as rows, and rows as tables: text for the terminal, Markdown, JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.run import Outcome
from docs.markdown import table as markdown_table

MIB = 1 << 20
TOLD = ("allowed", "clearing")  # what processes say of themselves and the tables show
Text = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line. `packets` is what went through, None where a rate means nothing; `ratios` how many times as fast.

    `more` has columns that a section has alone. `failed` stands for all numbers where there are none.
    """

    what: str
    who: str
    rounds: int = 0
    seconds: float | None = None  # median
    packets: int | None = None
    ratios: dict[str, float] = field(default_factory=dict)
    more: dict[str, float | str] = field(default_factory=dict)
    failed: str = ""

    @property
    def rate(self) -> float | None:
        """Packets per second."""
        return None if self.packets is None or not self.seconds else self.packets / self.seconds


def rows_of(what: str, packets: int | None, outcomes: dict[str, Outcome], bases: dict[str, str]) -> list[Row]:
    """A row for each contender; `bases` are the contenders that ratios stand beside, by the ratio's name.

    A process that says how many packets it had is believed, so that loops over a part keep their rate.
    """
    rows = []
    for who, outcome in outcomes.items():
        if outcome.failed:
            rows.append(Row(what, who, failed=outcome.failed))
            continue
        said = outcome.turns[-1].said
        many = packets and int(said.get("packets", packets))
        more = {name: said[name] for name in TOLD if name in said}
        rows.append(Row(what, who, len(outcome.turns), outcome.seconds, many, more=more))
    pace = {row.who: row.rate or 1 / row.seconds for row in rows if row.seconds}
    for row in rows:
        row.ratios.update(
            {name: pace[row.who] / pace[base] for name, base in bases.items() if base in pace and row.who in pace}
        )
    return rows


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows for bench.json."""
    return [asdict(row) | {"packets_per_second": row.rate} for row in rows]


def from_json(rows: Iterable[dict[str, Any]]) -> list[Row]:
    """The rows of a bench.json."""
    return [Row(**{name: value for name, value in row.items() if name != "packets_per_second"}) for row in rows]


# --- cells -----------------------------------------------------------------------------------------------
def cells(rows: Sequence[Row]) -> list[Text]:
    """Heads and lines; a column that no row fills is left out."""
    ratios = tuple(dict.fromkeys(name for row in rows for name in row.ratios))
    more = tuple(dict.fromkeys(name for row in rows for name in row.more))
    heads = ("what", "who", "rounds", "seconds", "packets/s", *(f"x {name}" for name in ratios), *more)
    lines = [heads, *(_line(row, ratios, more) for row in rows)]
    filled = [at for at in range(len(heads)) if at < 2 or any(line[at] for line in lines[1:])]
    return [tuple(line[at] for at in filled) for line in lines]


def _line(row: Row, ratios: Text, more: Text) -> Text:
    if row.failed:
        return (row.what, row.who, "", f"not measured: {row.failed}", *[""] * (1 + len(ratios) + len(more)))
    rate = "" if row.rate is None else f"{three_digits(row.rate):,.0f}"
    return (
        row.what,
        row.who,
        str(row.rounds or ""),
        "" if row.seconds is None else f"{row.seconds:.3f}",
        rate,
        *(f"{row.ratios[name]:.3g}" if name in row.ratios else "" for name in ratios),
        *(_word(row.more.get(name, "")) for name in more),
    )


def _word(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def three_digits(number: float) -> float:
    """Rounded to three digits: the rest is noise."""
    return float(f"{number:.3g}")


def text_table(rows: Sequence[Row]) -> str:
    """Rows for the terminal: words to the left, numbers to the right, a reason of failure over the columns left."""
    lines = cells(rows)
    short = [[("" if cell.startswith("not measured") else cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*short, strict=True)]
    made = []
    for line in lines:
        parts = [
            cell.ljust(width) if at < 2 or cell.startswith("not measured") else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        made.append("  ".join(parts).rstrip())
    return "\n".join(made) + "\n"


def markdown(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table."""
    heads, *lines = cells(rows)
    return markdown_table(heads, lines)
