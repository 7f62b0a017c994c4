"""`eniwall annotate`: the packets of captures again, each with its verdicts as comments.

Every packet stands in the new file as it was, in the order of the replay, those too that a filter left
unjudged: Wireshark's frame numbers are those of a single capture. Captures are read a second time beside
the replay, since columns do not hold bytes: memory stays flat, and packets whose verdict comes later wait
on disk.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.engine import Firewall
from firewall.errors import EniwallError, UsageError
from firewall.files import check_writable, whole_file
from firewall.labels import Labels, encodable, printable
from firewall.row_lines import row_lines
from firewall.rows import Judged
from firewall.verdict import ALLOW, DENY, EGRESS, INGRESS, NO_DIRECTION
from pcaps.batch import INBOUND, OUTBOUND, UNSTATED
from pcaps.capture import Capture, FrameCapture
from pcaps.original import FileSource, FrameSource, Original, Source
from pcaps.stream import STANDARD_INPUT
from pcaps.write import PcapngWriter, packet_options

ENDING = ".pcapng"
#: What --split writes beside the whole; a packet with a denied row is denied, whatever its other row says.
KINDS = ("allowed", "denied", "other")
ALLOWED, DENIED, OTHER = range(len(KINDS))
WAYS = {NO_DIRECTION: UNSTATED, INGRESS: INBOUND, EGRESS: OUTBOUND}
BUFFER = 1 << 20


# --- the files ---------------------------------------------------------------------------------------
def split_paths(path: str) -> list[str]:
    """Where --split puts the packets of each kind: `out.allowed.pcapng` ... beside `out.pcapng`."""
    return [str(Path(path).with_suffix(f".{kind}{ENDING}")) for kind in KINDS]


def check_annotated(path: str, captures: Sequence[str], *, follow: bool = False) -> None:
    """Raise UsageError, before anything is judged, for a file that cannot be written or captures that are read once."""
    if Path(path).suffix.lower() != ENDING:
        raise UsageError(f"{path}: comments need pcapng; give a name that ends in {ENDING}")
    check_writable(path)
    if follow:
        raise UsageError("annotate reads its captures twice: leave --follow away, and run it when the capture is whole")
    for capture in captures:
        if capture == STANDARD_INPUT or Path(capture).is_fifo():
            name = "standard input" if capture == STANDARD_INPUT else capture
            raise UsageError(f"{name}: annotate reads its captures twice; save this one to a file first")


@contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A file that stands under its name when the block ends well."""
    with whole_file(path) as part, part.open("wb", buffering=BUFFER) as file:
        yield file


class Heading(NamedTuple):
    """What the section header says: the program, and how it was called."""

    application: str
    comments: tuple[str, ...]


def heading(version: str, words: Sequence[str], firewall: Firewall) -> Heading:
    """`words` are the command; where it leaves settings as the profile has them, they are not told."""
    parts = [f"profile {firewall.profile}", f"rules {shlex.join(firewall.files)}"]
    comments = (shlex.join(words), "; ".join(parts))
    return Heading(f"eniwall {version}", tuple(printable(encodable(comment)) for comment in comments))


class _Copy:
    """One file that is written; it declares the interfaces of the sources as they come up."""

    def __init__(self, file: BinaryIO, said: Heading, sources: Sequence[Source], descriptions: Sequence[str]) -> None:
        self._writer = PcapngWriter(file, said.application, said.comments)
        self._sources = sources
        self._descriptions = descriptions
        self._numbers: list[list[int]] = [[] for _ in sources]  # of each source's interfaces in this file
        self.packets = 0

    def declare(self, source: int) -> None:
        """Write the interfaces of a source that this file does not have yet."""
        numbers = self._numbers[source]
        for found in self._sources[source].interfaces[len(numbers) :]:
            description = found.description or self._descriptions[source]
            numbers.append(self._writer.interface(found.link, found.snaplen, found.name, description))

    def write(self, source: int, packet: Original, comments: tuple[str, ...], way: int) -> None:
        """Append a packet."""
        numbers = self._numbers[source]
        if packet.interface >= len(numbers):
            self.declare(source)
        number = numbers[packet.interface]
        options = packet_options(comments, way or packet.way)
        self._writer.packet(number, packet.time, packet.data, packet.wirelen, options)
        self.packets += 1


# --- the packets -------------------------------------------------------------------------------------
class Annotator:
    """Takes judged batches in order and writes their packets; `finish` writes what is left.

    `filtered`: captures have packets that no batch holds. Each stands before the next of its capture.
    """

    def __init__(
        self, sources: Sequence[Source], labels: Labels, whole: _Copy, split: Sequence[_Copy], *, filtered: bool
    ) -> None:
        self._packets = [source.packets() for source in sources]
        self._labels = labels
        self._whole = whole
        self._split = split
        self._filtered = filtered
        short = labels.short_captures
        self._places = [printable(f" of {short[name]}") if len(sources) > 1 else "" for name in labels.captures]

    def write(self, judged: Judged) -> None:
        """Write the packets of a batch, and before each what the filter left out before it."""
        packets, verdicts = judged
        lines = row_lines(judged, self._labels)
        starts = np.searchsorted(verdicts.packet, np.arange(packets.rows + 1)).tolist()
        columns = (packets.capture, packets.frame, packets.time, ways(judged), kinds(judged))
        cells = zip(*(column.tolist() for column in columns), strict=True)
        for row, (capture, frame, time, way, kind) in enumerate(cells):
            packet = self._next(capture, frame)
            if packet is None or (packet.frame, packet.time) != (frame, time):
                raise EniwallError(f"{self._labels.captures[capture]}: changed while it was read; read it once more")
            self._put(capture, packet, tuple(lines[starts[row] : starts[row + 1]]), way, kind)

    def _next(self, capture: int, frame: int) -> Original | None:
        """The packet of that number; those before it were left out by the filter."""
        packet = next(self._packets[capture], None)
        while packet is not None and packet.frame < frame and self._filtered:
            self._put(capture, packet)
            packet = next(self._packets[capture], None)
        return packet

    def _put(
        self, capture: int, packet: Original, lines: tuple[str, ...] = (), way: int = UNSTATED, kind: int = OTHER
    ) -> None:
        """Write a packet; where its number in the file is another one, a comment says what it was."""
        placed = (*lines, f"frame {packet.frame}{self._places[capture]}")
        moved = packet.frame != self._whole.packets + 1 or len(self._places) > 1
        self._whole.write(capture, packet, placed if moved else lines, way)
        if self._split:
            self._split[kind].write(capture, packet, placed, way)

    def finish(self) -> None:
        """Write what the filter left out at the end, and interfaces without packets."""
        for capture, left in enumerate(self._packets):
            for packet in left:
                if self._filtered:  # else it came since
                    self._put(capture, packet)
            for copy in (self._whole, *self._split):
                copy.declare(capture)

    def close(self) -> None:
        """Let go of the captures."""
        for packets in self._packets:
            packets.close()


def ways(judged: Judged) -> NDArray[np.uint8]:
    """Which way each packet went, seen from the interface that judged it.

    What the capture itself says stands where none judged it, or two did.
    """
    packets, verdicts = judged
    rows = np.bincount(verdicts.packet, minlength=packets.rows)
    told = np.zeros(packets.rows, np.uint8)
    for direction, way in WAYS.items():
        told[verdicts.packet[verdicts.direction == direction]] = way
    return np.where((rows == 1) & (told != UNSTATED), told, packets.way)


def kinds(judged: Judged) -> NDArray[np.uint8]:
    """Which of KINDS each packet is."""
    packets, verdicts = judged
    found = np.full(packets.rows, OTHER, np.uint8)
    found[verdicts.packet[verdicts.verdict == ALLOW]] = ALLOWED
    found[verdicts.packet[verdicts.verdict == DENY]] = DENIED
    return found


def _sources(capture: Capture) -> list[Source]:
    """The packets of a capture once more, with their bytes."""
    if isinstance(capture, FrameCapture):
        return [FrameSource(capture.frames, capture.names[0])]
    return [FileSource(name) for name in capture.names]


@contextmanager
def open_annotated(
    path: str, capture: Capture, labels: Labels, said: Heading, *, split: bool, filtered: bool
) -> Iterator[Annotator]:
    """An Annotator for the packets of `capture`, whose files are read once more.

    All files stand under their names when the block ends well, or none. Raises EniwallError where one
    cannot be written, or where a capture changed since.
    """
    sources = _sources(capture)
    descriptions = [encodable(name) if len(sources) > 1 else "" for name in labels.captures]
    with ExitStack() as stack:
        copies = [
            _Copy(stack.enter_context(_replacing(each)), said, sources, descriptions)
            for each in (path, *(split_paths(path) if split else ()))
        ]
        annotator = Annotator(sources, labels, copies[0], copies[1:], filtered=filtered)
        stack.callback(annotator.close)
        yield annotator
        annotator.finish()
