"""What an audit wants beside the counts of a summary: verdicts over time, histories, the use of each rule.

Fed batch by batch behind the summary, by numpy alone: no step for each packet. Memory grows with flows only.
"""

import numpy as np
from numpy.typing import NDArray

from firewall.bins import TimeBins
from firewall.history import Histories
from firewall.rows import Judged
from firewall.summary import Summary
from firewall.verdict import ALLOW, DIRECTIONS, VERDICTS

#: When a rule, or a network ACL's entry, let packets through. Times are ns since 1970.
USE = np.dtype(
    [
        ("used", np.bool_),
        ("first_time", np.int64),
        ("first_capture", np.int32),
        ("first_frame", np.int64),
        ("last_time", np.int64),
        ("last_capture", np.int32),
        ("last_frame", np.int64),
    ],
    align=True,
)


class Audit:
    """Counts beside `summary`, which must have had each batch before."""

    def __init__(self, summary: Summary, rules: int) -> None:
        self._summary = summary
        self.bins = TimeBins()
        self.histories = [Histories() for _ in summary.flows]  # by interface
        self.uses: NDArray[np.void] = np.zeros(rules, USE)  # by rule, then by entry of network ACLs
        #: the same for [interface (0: no simulated interface), direction]: when each had its first and last row
        self.seen: NDArray[np.void] = np.zeros((len(summary.flows) + 1, len(DIRECTIONS)), USE)

    def add(self, judged: Judged) -> None:
        """Count one batch, in packet order."""
        packets, verdicts = judged
        if not verdicts.rows:
            return
        self.bins.add(packets.time[verdicts.packet], verdicts.verdict)
        _note(self.uses, judged, verdicts.rule, np.flatnonzero((verdicts.rule >= 0) & (verdicts.verdict == ALLOW)))
        places = (verdicts.eni + 1) * len(DIRECTIONS) + verdicts.direction
        _note(self.seen.reshape(-1), judged, places, np.arange(verdicts.rows))
        with_flow = (verdicts.flow > 0) & (verdicts.eni >= 0)
        for eni in np.flatnonzero(np.bincount(verdicts.eni[with_flow], minlength=len(self.histories))).tolist():
            rows = np.flatnonzero(with_flow & (verdicts.eni == eni))
            opened = self._summary.flows[eni].table["direction"][verdicts.flow[rows]]
            self.histories[eni].add(judged, rows, verdicts.direction[rows] == opened)

    write = add  # it stands behind the summary as a writer of rows does

    @property
    def verdict_rows(self) -> dict[str, int]:
        """Rows by verdict, as the bins have them: the same as the summary's."""
        return dict(zip(VERDICTS, self.bins.counts.sum(axis=0).tolist(), strict=True))


def _note(uses: NDArray[np.void], judged: Judged, which: NDArray[np.int32], rows: NDArray[np.intp]) -> None:
    """Note the first and the last of the rows for each number in `which`.

    Where an index comes twice numpy keeps the value written last, so "first" is the same thing backwards.
    """
    packets, verdicts = judged
    for end, ordered in (("last", rows), ("first", rows[::-1])):
        number = which[ordered]
        if end == "first":
            fresh = ~uses["used"][number]
            ordered, number = ordered[fresh], number[fresh]  # noqa: PLW2901  (narrowed)
        packet = verdicts.packet[ordered]
        for column in ("time", "capture", "frame"):
            uses[f"{end}_{column}"][number] = getattr(packets, column)[packet]
    uses["used"][which[rows]] = True
