"""Captures: one or several files, standard input, or crafted packets, as batches in time order."""

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pcaps.batch import BATCH_ROWS, PacketBatch, Piece, concatenate, empty_batch
from pcaps.decode import decode
from pcaps.frame import Frame
from pcaps.libpcap import PacketFilter
from pcaps.reader import Reader, open_reader
from pcaps.wire import IPV6_EXTENSION_HEADER


class Capture(Protocol):
    """What a replay reads: batches of packets and what is to be said about the reading."""

    @property
    def names(self) -> tuple[str, ...]:
        """What PacketBatch.capture indexes."""

    @property
    def warnings(self) -> list[str]:
        """What was cut or damaged; grows while reading."""

    @property
    def packets(self) -> int:
        """Packets read so far, those that the filter leaves out included."""

    @property
    def filtered_out(self) -> int:
        """Packets that the filter left out so far."""

    @property
    def bytes_total(self) -> int | None:
        """Bytes to read; None where a pipe does not tell."""

    @property
    def bytes_read(self) -> int:
        """Bytes read so far."""

    def batches(self) -> Iterator[PacketBatch]:
        """Packets in order; each batch owns its rows."""

    def close(self) -> None:
        """Let go of the files."""

    def __enter__(self) -> Self:
        """The capture itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""


def kept_rows(select: PacketFilter, reader: Reader, rows: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which of the frames that a reader has just walked pass the filter."""
    data = reader.stream.data
    return np.fromiter(
        (
            select.passes(
                data[reader.offsets[k] : reader.offsets[k] + rows["caplen"][k]].tobytes(),
                int(rows["wirelen"][k]),
                int(reader.links[k]),
            )
            for k in range(len(rows))
        ),
        np.bool_,
        len(rows),
    )


def fragment_pieces(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.void], first: int = 0
) -> dict[int, Piece]:
    """The pieces of the fragments among `rows`, just decoded from data[offsets[k]:]; keys count from `first`."""
    pieces = {}
    for k in np.flatnonzero(rows["fragment_id"] >= 0).tolist():
        p = rows[k]
        at = int(offsets[k]) + int(p["payload_at"])
        captured = data[at : min(at + int(p["payload"]), int(offsets[k]) + int(p["caplen"]))].tobytes()
        named = data[at - IPV6_EXTENSION_HEADER] if p["family"] == 6 else p["protocol"]
        pieces[first + k] = Piece(int(named), captured)
    return pieces


class _OneFile:
    """A file's packets as batches."""

    def __init__(self, reader: Reader, index: int, select: PacketFilter | None, *, verify: bool) -> None:
        self.reader = reader
        self.verify = verify
        self.index = index
        self.select = select
        self.filtered_out = 0

    def _filter(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        """Move the packets that pass to the front, with their offsets and link types."""
        if self.select is None:
            return rows
        keep = np.flatnonzero(kept_rows(self.select, self.reader, rows))
        self.filtered_out += len(rows) - len(keep)
        rows[: len(keep)] = rows[keep]
        self.reader.offsets[: len(keep)] = self.reader.offsets[keep]
        self.reader.links[: len(keep)] = self.reader.links[keep]
        return rows[: len(keep)]

    def batches(self) -> Iterator[PacketBatch]:
        """Full batches, then the rest."""
        batch, filled = empty_batch(), 0
        while count := self.reader.step(batch.records[filled:]):
            rows = self._filter(batch.records[filled : filled + count])
            rows["capture"] = self.index
            data = self.reader.stream.data
            if decode(data, self.reader.offsets, self.reader.links, rows, self.verify):
                batch.pieces |= fragment_pieces(data, self.reader.offsets, rows, filled)
            filled += len(rows)
            if filled == BATCH_ROWS:
                yield batch
                batch, filled = empty_batch(), 0
        if filled:
            yield batch.slice(0, filled)


def merged(sources: Sequence[Iterator[PacketBatch]]) -> Iterator[PacketBatch]:
    """Several sources by time; the order within a source stays, even where its clock went backwards.

    Each source is taken up to the time that every source has been read to.
    """
    waiting = [next(source, None) for source in sources]
    latest = [np.iinfo(np.int64).min] * len(sources)
    while open_ends := {k: batch for k, batch in enumerate(waiting) if batch is not None}:
        clocks = {k: np.maximum.accumulate(np.maximum(batch.time, latest[k])) for k, batch in open_ends.items()}
        until = min(clock[-1] for clock in clocks.values())
        ready, times = [], []
        for k, batch in open_ends.items():
            count = int(np.searchsorted(clocks[k], until, side="right"))
            ready.append(batch.slice(0, count))
            times.append(clocks[k][:count])
            latest[k] = int(clocks[k][count - 1]) if count else latest[k]
            waiting[k] = batch.slice(count, batch.rows) if count < batch.rows else next(sources[k], None)
        order = np.argsort(np.concatenate(times), kind="stable")
        yield concatenate(ready).take(order)


class FileCapture:
    """One or several files (`-`: standard input), merged by time. Raises CaptureError on opening."""

    def __init__(self, paths: Sequence[str], bpf: str | None = None, *, verify: bool = False) -> None:
        select = PacketFilter(bpf) if bpf is not None else None
        self._readers: list[Reader] = []
        try:
            for path in paths:
                self._readers.append(open_reader(path))
        except BaseException:
            self.close()
            raise
        self.names = tuple(reader.stream.name for reader in self._readers)
        self._files = [_OneFile(reader, index, select, verify=verify) for index, reader in enumerate(self._readers)]
        sizes = [reader.stream.size for reader in self._readers]
        self.bytes_total = None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def warnings(self) -> list[str]:
        """What was cut or damaged, so far."""
        return [warning for reader in self._readers for warning in reader.warnings]

    @property
    def packets(self) -> int:
        """Packets read so far."""
        return sum(reader.packets for reader in self._readers)

    @property
    def filtered_out(self) -> int:
        """Packets that the filter left out so far."""
        return sum(file.filtered_out for file in self._files)

    @property
    def bytes_read(self) -> int:
        """Bytes of the files read so far."""
        return sum(reader.stream.progress() for reader in self._readers)

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture."""
        if len(self._files) == 1:
            return self._files[0].batches()
        return merged([file.batches() for file in self._files])

    def close(self) -> None:
        """See Capture."""
        for reader in self._readers:
            reader.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def frames_batch(frames: Iterable[Frame], first: int = 1, *, verify: bool = False) -> PacketBatch:
    """Frames, read by the same decoder as files; frame numbers count from `first`."""
    frames = list(frames)
    batch = empty_batch(len(frames))
    lengths = np.array([len(frame.data) for frame in frames], np.int64)
    batch.frame[:] = np.arange(first, first + len(frames))
    batch.time[:] = [frame.time for frame in frames]
    batch.caplen[:] = lengths
    batch.wirelen[:] = [frame.wirelen for frame in frames]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    data = np.frombuffer(b"".join(frame.data for frame in frames) or b"\0", np.uint8).copy()
    if decode(data, offsets, np.array([frame.link for frame in frames], np.int32), batch.records, verify):
        batch.pieces = fragment_pieces(data, offsets, batch.records)
    return batch


class FrameCapture:
    """Frames in memory as a capture: crafted packets take the same road as files."""

    def __init__(
        self, frames: Iterable[Frame], name: str = "crafted", bpf: str | None = None, *, verify: bool = False
    ) -> None:
        self._frames = list(frames)
        self._verify = verify
        self._select = PacketFilter(bpf) if bpf is not None else None
        self.names: tuple[str, ...] = (name,)
        self.warnings: list[str] = []
        self.packets = 0
        self.filtered_out = 0
        self.bytes_total: int | None = sum(len(frame.data) for frame in self._frames)
        self.bytes_read = 0

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture."""
        for start in range(0, len(self._frames), BATCH_ROWS):
            frames = self._frames[start : start + BATCH_ROWS]
            batch = frames_batch(frames, start + 1, verify=self._verify)
            self.packets += len(frames)
            self.bytes_read += sum(len(frame.data) for frame in frames)
            if self._select is not None:
                keep = [self._select.passes(frame.data, frame.wirelen, frame.link) for frame in frames]
                self.filtered_out += len(keep) - sum(keep)
                batch = batch.take(np.array(keep, np.bool_))
            if batch.rows:
                yield batch

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_capture(*paths: str, bpf: str | None = None, verify: bool = False) -> FileCapture:
    """Open capture files, `-` for standard input; `verify` sums over transport checksums.

    Raises CaptureError or FilterError with the cure.
    """
    return FileCapture([str(path) for path in paths], bpf, verify=verify)


def crafted_capture(
    expressions: Sequence[str], bpf: str | None = None, here: Sequence[str] = (), *, verify: bool = False
) -> FrameCapture:
    """Packets written as scapy expressions, in order. Raises CraftError pointing at the place.

    `here` are the interface's addresses: an end that an expression leaves open is the interface.
    """
    from pcaps.craft import craft  # scapy is heavy, and only for crafted packets

    return FrameCapture(craft(expressions, here), bpf=bpf, verify=verify)
