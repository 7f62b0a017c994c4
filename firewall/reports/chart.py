"""Verdicts over time as pictures: one row of bars for each verdict, as the path of an SVG element."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from firewall.bins import TimeBins
from firewall.verdict import VERDICTS

WIDTH, HEIGHT = 960, 64  # of the picture's own units; it is stretched to the page
GAP = 0.15  # of a bin's width, between two bars
LEAST = 1.5  # units: a bar that is there is seen


class Strip(NamedTuple):
    """The bars of one verdict: rows in all, the most of one bin, and when that bin starts (ns)."""

    verdict: str
    total: int
    most: int
    most_at: int
    path: str


class BinRow(NamedTuple):
    """One bin as numbers: where it starts (ns), and rows by verdict."""

    start: int
    counts: tuple[int, ...]


def strips(bins: TimeBins) -> list[Strip]:
    """A strip for each verdict that occurs."""
    found = []
    for place, verdict in enumerate(VERDICTS):
        counts = bins.counts[:, place]
        if counts.any():
            highest = int(counts.argmax())
            found.append(
                Strip(
                    verdict,
                    int(counts.sum()),
                    int(counts[highest]),
                    bins.start + highest * bins.width,
                    "".join(_bars(counts.tolist())),
                )
            )
    return found


def _bars(counts: list[int]) -> Iterator[str]:
    """Each bar as a closed rectangle that stands on the lower edge."""
    step, most = WIDTH / len(counts), max(counts)
    for place, count in enumerate(counts):
        if count:
            height = max(LEAST, HEIGHT * count / most)
            left, width = place * step, max(step * (1 - GAP), 1)
            yield f"M{left:.1f} {HEIGHT}v{-height:.1f}h{width:.1f}v{height:.1f}z"


def bin_rows(bins: TimeBins) -> list[BinRow]:
    """The bins that hold rows."""
    return [
        BinRow(bins.start + place * bins.width, tuple(bins.counts[place].tolist()))
        for place in np.flatnonzero(bins.counts.any(axis=1)).tolist()
    ]


def width_text(width: int) -> str:
    """`20 ms`, `2 s`, `10 min`, `6 h`, `7 d`."""
    for unit, size in (("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 10**9)):
        if width >= size:
            return f"{width // size} {unit}"
    return f"{width // 10**6} ms"
