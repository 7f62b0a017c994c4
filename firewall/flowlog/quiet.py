"""Intervals of an interface without data: NODATA, or SKIPDATA where some packets had no verdict.

AWS writes nothing for an interface before its first traffic
(https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html). Where the capture holds no
packet at all for several intervals, one record stands for all of them.
"""

import numpy as np
from numpy.typing import NDArray

from firewall.flowlog.aggregate import NS
from firewall.flowlog.logged import NODATA, SKIPDATA, UNLOGGED
from firewall.flowlog.records import Ints, Records, joined, no_records, packed
from firewall.verdict import UNDECIDABLE


class Quiet:
    """Fills up closed records with those of quiet interfaces; `seconds` is the length of an interval."""

    def __init__(self, interfaces: int, seconds: int) -> None:
        self._seconds = seconds
        self._started: NDArray[np.bool_] = np.zeros(interfaces, np.bool_)
        self._next: int | None = None  # the first interval that no slot has covered

    def fill(self, closed: Records, ticks: Ints, upto: int | None) -> Records:
        """The records to be written, by interval; `ticks` are the closed intervals with packets.

        `upto` is the interval that follows, None at the end.
        """
        data = closed.take(closed.action < UNLOGGED)
        skipped = closed.take((closed.reasons >> UNDECIDABLE & 1).astype(np.bool_) & (closed.action == UNLOGGED))
        starts, ends = self._slots(ticks, upto)
        parts = [data]
        busy = np.union1d(data.eni, skipped.eni)
        for eni in np.union1d(np.flatnonzero(self._started), busy).tolist():
            parts += self._of(eni, starts, ends, data.interval[data.eni == eni], skipped.interval[skipped.eni == eni])
        self._started[busy] = True
        written = joined(parts)
        return written.take(np.lexsort((written.order, written.action > UNLOGGED, written.interval)))

    def _slots(self, ticks: Ints, upto: int | None) -> tuple[Ints, Ints]:
        """First interval of each stretch and the one behind it: an interval with packets, or all between two."""
        known = [bound for bound in (self._next, upto) if bound is not None]
        bounds: Ints = np.unique(np.concatenate([ticks, ticks + 1, np.array(known, np.int64)]))
        if len(bounds):
            self._next = int(bounds[-1])
        return bounds[:-1], bounds[1:]

    def _of(self, eni: int, starts: Ints, ends: Ints, data: Ints, skipped: Ints) -> list[Records]:
        """The records without traffic of one interface."""
        known = np.union1d(data, skipped)
        quiet = ~np.isin(starts, known)
        if not self._started[eni]:
            quiet &= starts > known[0]
        lost = np.isin(starts, skipped)
        return [
            self._status(eni, starts[chosen], ends[chosen], action)
            for chosen, action in ((quiet, NODATA), (lost, SKIPDATA))
            if chosen.any()
        ]

    def _status(self, eni: int, starts: Ints, ends: Ints, action: int) -> Records:
        blank = no_records()
        zeros = {name: np.zeros(len(starts), column.dtype) for name, column in blank._asdict().items()}
        length = self._seconds * NS
        zeros |= {
            "interval": starts,
            "eni": np.full(len(starts), eni),
            "ends": packed((np.full(len(starts), action), 0)),
            "first": starts * length,
            "last": ends * length,
            "order": np.full(len(starts), eni),
        }
        return Records(**zeros)
