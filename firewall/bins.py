"""Verdicts over time in a bounded number of bins, whose width grows with the time that packets span."""

import numpy as np
from numpy.typing import NDArray

from firewall.verdict import VERDICTS

MOST_BINS = 120
_MS, _S, _DAY = 1_000_000, 1_000_000_000, 86_400_000_000_000

#: Widths in ns. Each divides the next, so that narrow bins become wide ones without a second reading.
#: The widest reaches over all times that int64 ns can tell.
WIDTHS = (
    *(count * _MS for count in (1, 2, 10, 20, 100, 200)),
    *(count * _S for count in (1, 2, 10, 30, 60, 120, 600, 1800, 3600, 7200, 21600, 43200)),
    *(count * _DAY for count in (1, 7, 28, 364, 3640)),
)


class TimeBins:
    """Rows by bin of capture time and by verdict. Bins start at whole multiples of their width since 1970."""

    def __init__(self, most: int = MOST_BINS) -> None:
        self._most = most
        self._rung = 0
        self._low = self._high = 0  # the bins of the earliest and the latest time, counted from 1970
        self._counts: NDArray[np.int64] = np.zeros((0, len(VERDICTS)), np.int64)

    @property
    def width(self) -> int:
        """Of each bin, in ns."""
        return WIDTHS[self._rung]

    @property
    def start(self) -> int:
        """Where the first bin starts, in ns since 1970."""
        return self._low * self.width

    @property
    def counts(self) -> NDArray[np.int64]:
        """[bins, verdicts], every bin between the first and the last packet, empty ones too."""
        return self._counts

    def add(self, time: NDArray[np.int64], verdict: NDArray[np.uint8]) -> None:
        """Count rows by their times (ns) and verdicts."""
        if len(time):
            self._reach(int(time.min()), int(time.max()))
            place = (time // self.width - self._low) * len(VERDICTS) + verdict
            self._counts += np.bincount(place, minlength=self._counts.size).reshape(self._counts.shape)

    def _reach(self, first: int, last: int) -> None:
        """Make the bins reach from `first` to `last` (ns) and over what they held before."""
        old_low, old_width = self._low, self.width
        if len(self._counts):
            first, last = min(first, old_low * old_width), max(last, self._high * old_width)
        while last // self.width - first // self.width >= self._most and self._rung < len(WIDTHS) - 1:
            self._rung += 1
        low, high = first // self.width, last // self.width
        if len(self._counts) and (low, high, self.width) == (old_low, self._high, old_width):
            return
        counts = np.zeros((high - low + 1, len(VERDICTS)), np.int64)
        olds = (old_low + np.arange(len(self._counts))) // (self.width // old_width) - low
        np.add.at(counts, olds, self._counts)
        self._low, self._high, self._counts = low, high, counts
