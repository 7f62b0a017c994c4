"""docs/performance-table.md and docs/plots, from what was measured. Needs matplotlib for the plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import ENIWALL, LIMIT
from benchmarks.growth import SERIES, Series
from benchmarks.rows import Row, markdown
from benchmarks.sections import SECTIONS

DOCS = Path(__file__).parents[1] / "docs"
HEAD = "<!-- Written by `make bench`. -->\n"
LEGEND = """`x NAME` is how many times as fast as NAME; `allowed` counts packets;
`clearing` is how many seconds the kernel needed for the memory of the limit's table, which are not in its time.
[performance.md](performance.md) says how it was done.
"""
PLOTTED = {ENIWALL: ("#2f81f7", "o"), LIMIT: ("#c2792b", "s")}  # colours that can be read on white and on black
BOUNDS = (1e5, 1e8)  # packets per second, the same in every plot
INK = "#7d8590"
STYLE: Any = {  # matplotlib types its settings as literals
    "svg.hashsalt": "eniwall",  # the same numbers give the same bytes
    "svg.fonttype": "none",  # words stay words
    "font.size": 11,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}

Sections = Mapping[str, Sequence[Row]]


def write_page(sections: Sections, machines: Mapping[str, Mapping[str, Any]], docs: Path = DOCS) -> None:
    """The tables, and a plot for each series that was measured."""
    (docs / "performance-table.md").write_text(tables(sections, machines), encoding="utf-8")
    for series in SERIES:
        lines = lines_of(series, sections.get("growth", ()))
        if lines:
            (docs / "plots").mkdir(exist_ok=True)
            draw(series, lines, docs / "plots" / f"{series.name}.svg")


def tables(sections: Sections, machines: Mapping[str, Mapping[str, Any]]) -> str:
    """Every section but the plotted one as Markdown."""
    parts = [HEAD, "# Measured\n", LEGEND]
    told = ""
    for name, says, _ in SECTIONS:
        if name in sections and name != "growth":
            where = machine_words(machines[name])
            parts.append(f"## {says}\n")
            if where != told:
                parts.append(f"{where}\n")
                told = where
            parts.append(markdown(sections[name]))
    return "\n".join(parts)


def machine_words(machine: Mapping[str, Any]) -> str:
    """Where it was measured, in one line."""
    return f"{machine['cores']} cores of {machine['processor']}, {machine['system']}, Python {machine['python']}."


Line = list[tuple[int, float]]


def lines_of(series: Series, rows: Sequence[Row]) -> dict[str, Line]:
    """Packets a second against the number, by contender; points that failed are left out."""
    found: dict[str, Line] = {}
    for row in rows:
        name, _, number = row.what.partition(": ")
        if name == series.name and row.rate is not None:
            found.setdefault(row.who, []).append((int(number.replace(",", "")), row.rate))
    return found


def draw(series: Series, lines: Mapping[str, Line], path: Path) -> None:
    """One plot, both axes logarithmic."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for who, line in sorted(lines.items()):
            colour, mark = PLOTTED[who]
            numbers, rates = zip(*line, strict=True)
            axes.plot(numbers, rates, color=colour, marker=mark, label=who)
        axes.set(xscale="log", yscale="log", xlabel=series.name, ylabel="packets per second", ylim=BOUNDS)
        axes.grid(visible=True, which="major", color=INK, alpha=0.3)
        axes.patch.set_alpha(0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    # One line end for all: matplotlib leaves blanks behind some lines.
    path.write_text("\n".join(map(str.rstrip, path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
