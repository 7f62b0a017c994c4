"""Readers: one capture file, format told by its first bytes, as packet records block by block."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcaps import savefile
from pcaps.batch import BATCH_ROWS
from pcaps.errors import CaptureError
from pcaps.link import LINK_TYPES, SUPPORTED
from pcaps.savefile import DAMAGED, HEADER, MORE, Walk
from pcaps.stream import Stream

CURE = "eniwall reads pcap and pcapng, plain, gzip or zstd; editcap -F pcap IN OUT converts other formats"


class Reader(Protocol):
    """One open capture."""

    stream: Stream
    packets: int
    warnings: list[str]
    offsets: NDArray[np.int64]
    links: NDArray[np.int32]

    def step(self, out: NDArray[np.void]) -> int:
        """Fill some packet records and return how many; 0 at the end.

        The frame of record k starts at `stream.data[offsets[k]]` and has link type `links[k]`, until
        the next step. `out` has BATCH_ROWS records at the most.
        """


def unsupported(name: str, links: set[int]) -> CaptureError:
    """The message for a capture none of whose link types has a decoder."""
    numbers = ", ".join(str(link) for link in sorted(links))
    known = ", ".join(sorted({row.name for row in LINK_TYPES}))
    return CaptureError(
        f"{name}: link type {numbers} is not decoded (https://www.tcpdump.org/linktypes.html names it); "
        f"eniwall decodes {known}"
    )


class _Reader:
    """What both formats share: blocks, the count, and what is said at the end."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.packets = 0
        self.warnings: list[str] = []
        self.offsets = np.zeros(BATCH_ROWS, np.int64)
        self.links = np.zeros(BATCH_ROWS, np.int32)
        self._ended = False

    def _walk(self, out: NDArray[np.void]) -> Walk:
        raise NotImplementedError

    def _header(self) -> bool:
        """Read a block that changes how the rest is read; False if it cannot be."""
        raise NotImplementedError

    def _say_damaged(self, what: str) -> None:
        self.warnings.append(
            f"{self.stream.name}: damaged at byte {self.stream.place}, behind packet {self.packets}: {what}; "
            f"the {self.packets} packets before it were read, the rest was not"
        )

    def _say_end(self) -> None:
        stream = self.stream
        left = stream.filled - stream.position
        if stream.fault:
            self.warnings.append(f"{stream.name}: {stream.fault}; the {self.packets} packets before that were read")
        elif left:
            self.warnings.append(
                f"{stream.name}: cut in the middle of packet {self.packets + 1} "
                f"({left} bytes of it, from byte {stream.place}); {self.packets} packets were read"
            )

    def step(self, out: NDArray[np.void]) -> int:
        """See Reader."""
        while not self._ended:
            walk = self._walk(out)
            self.stream.position = walk.position
            self.packets += walk.packets
            if walk.packets:
                return walk.packets
            if walk.why == DAMAGED:
                self._say_damaged("a length or number that cannot be")
                self._ended = True
            elif walk.why == HEADER:
                self._ended = not self._header()
            elif walk.why == MORE and not self.stream.more():
                self._say_end()
                self._ended = True
        return 0


class PcapReader(_Reader):
    """Classic pcap."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        if not stream.need(savefile.PCAP_HEADER):
            raise CaptureError(
                f"{stream.name}: ends inside the 24-byte file header; was the recording or the copy cut short? {CURE}"
            )
        self.header = savefile.pcap_header(stream.take(savefile.PCAP_HEADER))
        self.links[:] = self.header.link
        if self.header.link not in SUPPORTED:
            raise unsupported(stream.name, {self.header.link})

    def _walk(self, out: NDArray[np.void]) -> Walk:
        header, stream = self.header, self.stream
        return Walk(
            *savefile.walk_pcap(
                stream.data,
                stream.position,
                stream.filled,
                header.big_endian,
                header.tick,
                self.packets + 1,
                out,
                self.offsets,
            )
        )


class PcapngReader(_Reader):
    """pcapng, section by section."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.order = "<"
        self.interfaces: list[savefile.Interface] = []
        self._rows: NDArray[np.int64] | None = None
        if not self._header():
            raise CaptureError(f"{stream.name}: the first block is no pcapng section header that can be read; {CURE}")

    def _walk(self, out: NDArray[np.void]) -> Walk:
        stream = self.stream
        walk = Walk(
            *savefile.walk_pcapng(
                stream.data,
                stream.position,
                stream.filled,
                self.order == ">",
                self._table(),
                self.packets + 1,
                out,
                self.offsets,
                self.links,
            )
        )
        if walk.packets and not self.packets:
            numbers = {interface.link for interface in self.interfaces}
            if not numbers & SUPPORTED:
                raise unsupported(stream.name, numbers)
        return walk

    def _header(self) -> bool:
        """Read a section header or an interface description, and the descriptions behind it."""
        while self._one_header():
            if not self._at_description():
                return True
        return False

    def _at_description(self) -> bool:
        """True if the buffer goes on with an interface description."""
        stream = self.stream
        kind = stream.data[stream.position : min(stream.position + 4, stream.filled)].tobytes()
        return kind == savefile.INTERFACE.to_bytes(4, "big" if self.order == ">" else "little")

    def _one_header(self) -> bool:
        stream = self.stream
        if not stream.need(savefile.BLOCK_FRAME):
            self._say_end()
            return False
        start = stream.data[stream.position : stream.position + savefile.BLOCK_FRAME].tobytes()
        section = start[:4] == savefile.PCAPNG_MAGIC
        order = savefile.section_byte_order(start) if section else self.order
        if order is None:
            self._say_damaged("a section header without a byte order")
            return False
        size = int.from_bytes(start[4:8], "big" if order == ">" else "little")
        size = (size + 3) & ~3
        if not savefile.BLOCK_FRAME <= size <= savefile.MAX_RECORD:
            self._say_damaged(f"a block of {size} bytes")
            return False
        if not stream.need(size):
            self._say_end()
            return False
        block = stream.take(size)
        if section:
            self.order, self.interfaces = order, []
        elif not self._add_interface(block[8:-4]):
            return False
        self._rows = None
        return True

    def _table(self) -> NDArray[np.int64]:
        """The interfaces as rows for the walker, made once behind the last description."""
        if self._rows is None:
            rows = [(row.link, row.snaplen, row.ticks, row.offset) for row in self.interfaces]
            self._rows = np.array(rows, np.int64).reshape(-1, 4)
        return self._rows

    def _add_interface(self, body: bytes) -> bool:
        if len(self.interfaces) >= savefile.MAX_INTERFACES:
            self._say_damaged(f"more than {savefile.MAX_INTERFACES} interfaces in one section")
            return False
        try:
            self.interfaces.append(savefile.parse_interface(body, self.order))
        except ValueError as error:
            self._say_damaged(str(error))
            return False
        return True


def open_reader(path: str) -> Reader:
    """The reader that fits the file's first bytes. Raises CaptureError naming file and cure."""
    stream = Stream(path)
    try:
        return fitting_reader(stream)
    except CaptureError:
        stream.close()
        raise


def fitting_reader(stream: Stream) -> Reader:
    """The reader for what the stream starts with."""
    if not stream.need(4):
        if stream.fault:
            raise CaptureError(f"{stream.name}: {stream.fault}; check with gzip -t or zstd -t")
        raise CaptureError(
            f"{stream.name}: {stream.filled} bytes, too short for a capture (its header alone has 24); "
            "was the recording or the copy cut short?"
        )
    magic = stream.data[stream.position : stream.position + 4].tobytes()
    if magic in savefile.PCAP_MAGICS:
        return PcapReader(stream)
    if magic == savefile.PCAPNG_MAGIC:
        return PcapngReader(stream)
    readable = magic.isascii() and magic.decode().isprintable()
    looks = f"text, {magic.decode()!r}" if readable else f"bytes {magic.hex()}"
    raise CaptureError(f"{stream.name}: not a capture: it starts with {looks}; {CURE}")
