"""Captures: one or several files, standard input, or crafted packets, as batches in time order."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pcaps.batch import (
    BATCH_ROWS,
    PACKET,
    Inner,
    PacketBatch,
    Piece,
    empty_batch,
    join_inner,
    unwritten_batch,
)
from pcaps.decode import decode
from pcaps.errors import CaptureError
from pcaps.follow import FLUSH_EVERY, interrupt_calls
from pcaps.frame import Frame
from pcaps.libpcap import PacketFilter
from pcaps.mac import mac_addresses
from pcaps.merge import merged
from pcaps.paths import NEVER, STANDARD_INPUT, expanded, oldest, rotated_sets
from pcaps.pieces import fragment_pieces
from pcaps.reader import Reader, open_reader
from pcaps.tunnel import inner_packets

MAX_BATCH_PIECES = 1 << 26


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


def _held(pieces: Mapping[int, Piece]) -> int:
    """Bytes of these fragments."""
    return sum(len(piece.data) for piece in pieces.values())


class _OneFile:
    """A file's packets as batches.

    `lazy`: only look into the file now, and open it again when its first batch is asked for.
    """

    def __init__(
        self,
        path: str,
        index: int,
        select: PacketFilter | None,
        *,
        verify: bool,
        macs: bool,
        follow: bool,
        lazy: bool,
    ) -> None:
        self.path = path
        self.verify = verify
        self.macs = macs
        self.index = index
        self.select = select
        self.follow = follow
        self.filtered_out = 0
        self.start = NEVER
        self.reader = open_reader(path, follow=follow)
        self._again = False
        if lazy and self.reader.stream.size is not None:
            self._look()

    def _look(self) -> None:
        """Note the time of the first packet, then let go of the file until it is read."""
        first = np.zeros(1, PACKET)
        try:
            self._again = self.reader.step(first) > 0
        finally:
            self.reader.close()
        if self._again:
            self.start = int(first["time"][0])

    @property
    def packets(self) -> int:
        """Packets read so far; the look at the first one does not count."""
        return 0 if self._again else self.reader.packets

    @property
    def bytes_read(self) -> int:
        """Bytes of the file read so far."""
        return 0 if self._again else self.reader.stream.progress()

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
        """Full batches, then the rest; of a followed file what there is, every FLUSH_EVERY seconds.

        A batch ends early where its fragments hold many bytes.
        """
        if self._again:
            self.reader, self._again = open_reader(self.path), False
        batch, filled, held, due = unwritten_batch(BATCH_ROWS, macs=self.macs), 0, 0, 0.0
        inner: list[tuple[int, Inner | None]] = []
        while (count := self.reader.step(batch.records[filled:])) or not self.reader.ended:
            rows = self._filter(batch.records[filled : filled + count])
            rows["capture"] = self.index
            data = self.reader.stream.data
            if decode(data, self.reader.offsets, self.reader.links, rows, self.verify):
                pieces = fragment_pieces(data, self.reader.offsets, rows, filled)
                held += _held(pieces)
                batch.pieces |= pieces
            if batch.macs is not None:
                found_macs = mac_addresses(data, self.reader.offsets, self.reader.links, rows)
                batch.macs[filled : filled + len(rows)] = found_macs
            found = inner_packets(
                data, self.reader.offsets, self.reader.links, rows, verify=self.verify, macs=self.macs
            )
            if found is not None:
                held += _held(found.pieces)
                inner.append((filled, found))
            filled += len(rows)
            if filled == BATCH_ROWS or held >= MAX_BATCH_PIECES or (self.follow and filled and time.monotonic() >= due):
                batch.inner = join_inner(inner)
                yield batch.slice(0, filled)
                batch, filled, held = unwritten_batch(BATCH_ROWS, macs=self.macs), 0, 0
            if not filled:
                inner, due = [], time.monotonic() + FLUSH_EVERY
        self.reader.close()
        if filled:
            batch.inner = join_inner(inner)
            yield batch.slice(0, filled)


class FileCapture:
    """One or several files (`-`: standard input), merged by time. Raises CaptureError on opening.

    Of several files, those that can be opened twice are open only while their packets are due.
    """

    def __init__(
        self,
        paths: Sequence[str],
        bpf: str | None = None,
        *,
        verify: bool = False,
        macs: bool = False,
        follow: bool = False,
    ) -> None:
        select = PacketFilter(bpf) if bpf is not None else None
        self._paths = expanded(paths)
        if follow and len(self._paths) > 1:
            raise CaptureError(f"--follow reads one capture, not {len(self._paths)}: name the one being written")
        self._files: list[_OneFile] = []
        self._follow = ExitStack() if follow else None
        lazy = len(self._paths) > 1
        try:
            for index, path in enumerate(self._paths):
                self._files.append(_OneFile(path, index, select, verify=verify, macs=macs, follow=follow, lazy=lazy))
        except BaseException:
            self.close()
            raise
        self.names = tuple("standard input" if path == STANDARD_INPUT else path for path in self._paths)
        sizes = [file.reader.stream.size for file in self._files]
        self.bytes_total = None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def interface_names(self) -> list[dict[int, str]]:
        """Of each file, the names of its interfaces, so far."""
        return [file.reader.names for file in self._files]

    @property
    def interface_descriptions(self) -> list[dict[int, str]]:
        """Of each file, what it says of its interfaces besides their names, so far."""
        return [file.reader.descriptions for file in self._files]

    @property
    def clamped(self) -> int:
        """Packets whose times cannot be, so far; a warning tells the number at the end."""
        return sum(file.reader.clamped for file in self._files)

    @property
    def warnings(self) -> list[str]:
        """What was cut or damaged, so far."""
        return [warning for file in self._files for warning in file.reader.warnings]

    @property
    def packets(self) -> int:
        """Packets read so far."""
        return sum(file.packets for file in self._files)

    @property
    def filtered_out(self) -> int:
        """Packets that the filter left out so far."""
        return sum(file.filtered_out for file in self._files)

    @property
    def bytes_read(self) -> int:
        """Bytes of the files read so far."""
        return sum(file.bytes_read for file in self._files)

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture."""
        if len(self._files) == 1:
            return self._files[0].batches()
        sources, starts = [], []
        for numbers in rotated_sets(self._paths):  # one behind the other, whatever their clocks say
            first = oldest([self._files[number].start for number in numbers])
            parts = [self._files[number] for number in numbers[first:] + numbers[:first]]
            sources.append(chain.from_iterable(part.batches() for part in parts))
            starts.append(parts[0].start)
        return merged(sources, starts)

    def stop(self) -> None:
        """End the following: what was written until now is the capture."""
        for file in self._files:
            file.reader.stream.stop()

    def close(self) -> None:
        """See Capture."""
        for file in self._files:
            file.reader.close()
        if self._follow is not None:
            self._follow.close()

    def __enter__(self) -> Self:
        """The capture itself; until it is closed, Ctrl-C ends the following and no more."""
        if self._follow is not None:
            self._follow.enter_context(interrupt_calls(self.stop))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def frames_batch(frames: Iterable[Frame], first: int = 1, *, verify: bool = False, macs: bool = False) -> PacketBatch:
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
    links = np.array([frame.link for frame in frames], np.int32)
    if decode(data, offsets, links, batch.records, verify):
        batch.pieces = fragment_pieces(data, offsets, batch.records)
    batch.inner = inner_packets(data, offsets, links, batch.records, verify=verify, macs=macs)
    batch.macs = mac_addresses(data, offsets, links, batch.records) if macs else None
    return batch


class FrameCapture:
    """Frames in memory as a capture: crafted packets take the same road as files."""

    def __init__(
        self,
        frames: Iterable[Frame],
        name: str = "crafted",
        bpf: str | None = None,
        *,
        verify: bool = False,
        macs: bool = False,
    ) -> None:
        self._frames = list(frames)
        self._verify = verify
        self._macs = macs
        self._select = PacketFilter(bpf) if bpf is not None else None
        self.names: tuple[str, ...] = (name,)
        self.interface_names: tuple[Mapping[int, str], ...] = ({},)
        self.warnings: list[str] = []
        self.packets = 0
        self.filtered_out = 0
        self.bytes_total: int | None = sum(len(frame.data) for frame in self._frames)
        self.bytes_read = 0

    @property
    def frames(self) -> Sequence[Frame]:
        """What it holds, with its bytes."""
        return self._frames

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture."""
        for start in range(0, len(self._frames), BATCH_ROWS):
            frames = self._frames[start : start + BATCH_ROWS]
            batch = frames_batch(frames, start + 1, verify=self._verify, macs=self._macs)
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


def open_capture(
    *paths: str, bpf: str | None = None, verify: bool = False, macs: bool = False, follow: bool = False
) -> FileCapture:
    """Open capture files: patterns (cap*.pcap), s3://BUCKET/KEY, `-` for standard input.

    `verify` sums over transport checksums, `macs` reads link addresses. `follow` waits at the end of the file
    for what is still being written to it, until it is removed or replaced, `stop` is called, or Ctrl-C is
    pressed in the capture's `with` block. Raises CaptureError or FilterError with the cure.
    """
    return FileCapture([str(path) for path in paths], bpf, verify=verify, macs=macs, follow=follow)


def crafted_capture(
    expressions: Sequence[str], bpf: str | None = None, here: Sequence[str] = (), *, verify: bool = False
) -> FrameCapture:
    """Packets written as scapy expressions, in order. Raises CraftError pointing at the place.

    `here` are the interface's addresses: an end that an expression leaves open is the interface.
    """
    from pcaps.craft import craft  # scapy is heavy, and only for crafted packets

    return FrameCapture(craft(expressions, here), bpf=bpf, verify=verify)
