"""When the rules change: batches are cut where a change takes effect."""

from collections import deque
from collections.abc import Iterator, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np

from firewall.changes import Moment, Phase
from pcaps.batch import PacketBatch


class Applied(NamedTuple):
    """A change that took effect before a frame of a capture (its number), at its time (ns)."""

    text: str
    capture: int
    packet: int
    time: int


class Timeline:
    """The changes that are still to come, in order, and those that were made.

    A change never comes before the one that stands above it, whatever their moments.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._coming = deque(phases)
        self._first_time: int | None = None
        self.applied: list[Applied] = []

    def __deepcopy__(self, _: object) -> "Timeline":
        """A timeline that goes on by itself; phases never change, so both hold the same ones."""
        twin = copy(self)
        twin._coming = self._coming.copy()  # noqa: SLF001  (its own kind)
        twin.applied = self.applied.copy()
        return twin

    @property
    def never(self) -> list[str]:
        """The changes that no packet has reached yet."""
        return [phase.event.text for phase in self._coming]

    def parts(self, packets: PacketBatch, clock: int) -> Iterator[tuple[int, int, Phase | None]]:
        """Rows of the batch, start and stop, each with the change behind them.

        `clock` is the latest time before the batch (ns).
        """
        if self._first_time is None and packets.rows:
            self._first_time = int(packets.time[0])
        start = 0
        while self._coming:
            stop = self._reached(self._coming[0].event.moment, packets, clock, start)
            if stop is None:
                break
            phase = self._coming.popleft()
            self.applied.append(
                Applied(
                    phase.event.text,
                    int(packets.capture[stop]),
                    int(packets.frame[stop]),
                    int(packets.time[stop]),
                )
            )
            yield start, stop, phase
            start = stop
        yield start, packets.rows, None

    def _reached(self, moment: Moment, packets: PacketBatch, clock: int, start: int) -> int | None:
        """The first row from `start` on that the moment lies before, or None."""
        if moment.kind == "packet":
            reached = (packets.frame >= moment.value) & (packets.capture == 0)
        else:
            at = moment.value + (self._first_time or 0 if moment.kind == "after" else 0)
            reached = np.maximum.accumulate(np.maximum(packets.time, clock)) >= at
        rows = np.flatnonzero(reached[start:])
        return start + int(rows[0]) if len(rows) else None
