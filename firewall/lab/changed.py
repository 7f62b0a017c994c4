"""Which steps other rules judge otherwise."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.rows import VerdictBatch


class Verdicts(NamedTuple):
    """The verdict codes of all readings, [rows, readings], and a key for each row: its packet and direction.

    A packet has at most one row in each direction, whatever interfaces the rules name.
    """

    keys: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @classmethod
    def of(cls, readings: Iterable[VerdictBatch]) -> "Verdicts":
        """Those of aligned readings."""
        first, *others = readings
        keys = first.packet.astype(np.int64) << 2 | first.direction
        return cls(keys, np.stack([first.verdict, *(each.verdict for each in others)], axis=1))

    def changed_since(self, before: "Verdicts") -> list[int]:
        """The steps, from 1, of which a reading's verdict is another one, or that there were not."""
        _, old, new = np.intersect1d(before.keys, self.keys, assume_unique=True, return_indices=True)
        same = np.zeros(len(self.keys), np.bool_)
        same[new] = (before.codes[old] == self.codes[new]).all(axis=1)
        found: list[int] = (np.flatnonzero(~same) + 1).tolist()
        return found
