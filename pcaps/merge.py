"""Several captures by time, as one."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pcaps.batch import PacketBatch, concatenate, empty_batch
from pcaps.paths import NEVER


class _Merging:
    """A source that is being read: the batch whose turn it is, and how far its clock has come."""

    def __init__(self, batches: Iterator[PacketBatch]) -> None:
        self._batches = batches
        self._latest = NEVER
        self._take(next(batches, None))

    def _take(self, batch: PacketBatch | None) -> None:
        self.batch = batch
        if batch is not None:  # a clock that goes backwards keeps its packets' order
            self.clock = np.maximum.accumulate(np.maximum(batch.time, self._latest))

    def until(self, time_: int) -> tuple[PacketBatch, NDArray[np.int64]]:
        """The packets of the batch up to a time, which are used up, and their clock."""
        batch, clock = self.batch, self.clock
        count = int(np.searchsorted(clock, time_, side="right"))
        if batch is None or not count:
            return empty_batch(0), clock[:0]
        self._latest = int(clock[count - 1])
        self._take(batch.slice(count, batch.rows) if count < batch.rows else next(self._batches, None))
        return batch.slice(0, count), clock[:count]


def merged(sources: Sequence[Iterator[PacketBatch]], starts: Sequence[int] = ()) -> Iterator[PacketBatch]:
    """Several sources by time; the order within a source stays, even where its clock went backwards.

    Each source is taken up to the time that every source has been read to. None is asked for packets
    before the time that `starts` says of it (ns), so that few files are open at once.
    """
    starts = starts or [NEVER] * len(sources)
    later = sorted(range(len(sources)), key=lambda number: starts[number], reverse=True)
    reading: dict[int, _Merging] = {}
    while True:
        while later and all(starts[later[-1]] <= source.clock[-1] for source in reading.values()):
            number = later.pop()
            opened = _Merging(sources[number])
            if opened.batch is not None:
                reading[number] = opened
        if not reading:
            return
        until = int(min(source.clock[-1] for source in reading.values()))
        ready = [reading[number].until(until) for number in sorted(reading)]
        reading = {number: source for number, source in reading.items() if source.batch is not None}
        order = np.argsort(np.concatenate([clock for _, clock in ready]), kind="stable")
        yield concatenate([batch for batch, _ in ready]).take(order)
