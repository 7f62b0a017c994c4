"""Readers: one capture file, format told by its first bytes, as packet records block by block."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pcaps import pcap_file, pcapng_file, savefile
from pcaps.batch import BATCH_ROWS
from pcaps.errors import CaptureError
from pcaps.limits import LATEST, MAX_ALL_INTERFACES, MAX_BLOCK, MAX_EMPTY, MAX_INTERFACES, limit_message
from pcaps.link import LINK_TYPES, SUPPORTED
from pcaps.savefile import DAMAGED, HEADER, LONG, MORE, Walk
from pcaps.stream import Stream

FIRST_BYTES = 1 << 18  # what the layout of pcap records is told by, however few of them a pipe gives at once
CURE = "eniwall reads pcap and pcapng, plain, gzip, zstd or lz4; editcap -F pcap IN OUT converts other formats"
OTHERS = {  # first bytes of what people have besides, and what to do with it
    b"\xfd7zX": "compressed with xz: xz -dc FILE | eniwall ... -",
    b"BZh": "compressed with bzip2: bzip2 -dc FILE | eniwall ... -",
    b"PK\x03\x04": "a zip archive: unzip -p FILE | eniwall ... -",
    b"snoo": "a snoop capture: editcap -F pcap IN OUT converts it",
    b"RTSS": "a NetMon capture: editcap -F pcap IN OUT converts it",
    b"GMBU": "a NetMon capture: editcap -F pcap IN OUT converts it",
    b"\x02\x21\x4c\x18": "compressed with an old lz4: lz4 -dc FILE | eniwall ... -",
}


class Reader(Protocol):
    """One open capture."""

    stream: Stream
    packets: int
    clamped: int  # packets whose time cannot be
    warnings: list[str]
    ended: bool
    interfaces: list[savefile.Interface]  # of all pcapng sections; a packet's `interface` is an index in it
    names: dict[int, str]  # of the interfaces that have one
    descriptions: dict[int, str]
    offsets: NDArray[np.int64]
    links: NDArray[np.int32]

    def step(self, out: NDArray[np.void]) -> int:
        """Fill some packet records and return how many; 0 at the end, or where a followed file has no more yet.

        The frame of record k starts at `stream.data[offsets[k]]` and has link type `links[k]`, until
        the next step. `out` has BATCH_ROWS records at the most.
        """

    def close(self) -> None:
        """Let go of the file and the buffers; what was counted stays."""


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

    _longest: str  # the limit of a record or block

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.packets = 0
        self.frames = 0
        self.clamped = 0
        self.warnings: list[str] = []
        self.ended = False
        self.interfaces: list[savefile.Interface] = []
        self.names: dict[int, str] = {}
        self.descriptions: dict[int, str] = {}
        self.offsets = np.zeros(BATCH_ROWS, np.int64)
        self.links = np.zeros(BATCH_ROWS, np.int32)
        self._empty = 0

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

    def _finish(self) -> None:
        self.ended = True
        if self.clamped:
            what = "packet has a time" if self.clamped == 1 else "packets have times"
            self.warnings.append(
                f"{self.stream.name}: {self.clamped} {what} that cannot be (a fraction of a second and more, or"
                f" further from 1970 than {LATEST:,} seconds); clamped: carried over, or set to that limit"
            )

    def step(self, out: NDArray[np.void]) -> int:
        """See Reader."""
        while not self.ended:
            walk = self._walk(out)
            self.stream.position = walk.position
            self.packets += walk.packets
            self.frames += walk.frames
            self.clamped += walk.clamped
            if walk.packets:
                if self._only_zeros(out[: walk.packets]):
                    self._say_damaged(limit_message("MAX_EMPTY"))
                    self._finish()
                return walk.packets
            if self._ends(walk.why):
                self._finish()
            elif self.stream.idle:
                return 0
        return 0

    def _ends(self, why: int) -> bool:
        """Go on where a walker stopped without a packet; True if nothing more can be read."""
        if why == HEADER:
            return not self._header()
        if why == LONG:
            self._say_damaged(limit_message(self._longest))
            return True
        if why == DAMAGED:
            self._say_damaged("a length or number that cannot be")
            return True
        if why == MORE and not self.stream.more() and not self.stream.idle:
            self._say_end()
            return True
        return False

    def _only_zeros(self, rows: NDArray[np.void]) -> bool:
        """True once too many packets on end have neither time nor bytes."""
        if rows["caplen"][-1] or rows["wirelen"][-1] or rows["time"][-1]:  # nearly always
            self._empty = 0
            return False
        full = np.flatnonzero((rows["caplen"] != 0) | (rows["wirelen"] != 0) | (rows["time"] != 0))
        self._empty = len(rows) - 1 - int(full[-1]) if len(full) else self._empty + len(rows)
        return self._empty >= MAX_EMPTY

    def close(self) -> None:
        """See Reader."""
        self.stream.close()
        self.offsets = np.zeros(0, np.int64)
        self.links = np.zeros(0, np.int32)


class PcapReader(_Reader):
    """Classic pcap."""

    _longest = "MAX_RECORD"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        magic = stream.data[stream.position : stream.position + 4].tobytes()
        size = pcap_file.file_header_size(magic)
        if not stream.need(size):
            raise CaptureError(
                f"{stream.name}: ends inside the {size}-byte file header; was the recording or the copy cut short? "
                f"{CURE}"
            )
        try:
            self.header = pcap_file.pcap_header(stream.take(size))
        except ValueError as error:
            raise CaptureError(f"{stream.name}: a pcap of {error}; {CURE}") from None
        self.links[:] = self.header.link
        if self.header.link not in SUPPORTED:
            raise unsupported(stream.name, {self.header.link})
        self._record_header = pcap_file.record_header(self.header, self._first_bytes())

    def _first_bytes(self) -> bytes:
        """What follows the file header; of a followed file, as much of it as there is."""
        stream = self.stream
        while stream.filled - stream.position < FIRST_BYTES and stream.more():
            pass
        return stream.data[stream.position : min(stream.position + FIRST_BYTES, stream.filled)].tobytes()

    def _walk(self, out: NDArray[np.void]) -> Walk:
        header, stream = self.header, self.stream
        return Walk(
            *pcap_file.walk_pcap(
                stream.data,
                stream.position,
                stream.filled,
                header.big_endian,
                header.tick,
                self._record_header,
                header.lengths,
                self.frames + 1,
                out,
                self.offsets,
            )
        )


class PcapngReader(_Reader):
    """pcapng, section by section.

    Interfaces are numbered through all sections: those of the second go on where those of the first end.
    """

    _longest = "MAX_BLOCK"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.order = "<"
        self._base = 0  # the number of the section's first interface
        self._decodable = False  # True once an interface has a link type with a decoder: one may come late
        self._rows = np.zeros((16, 4), np.int64)  # the section's interfaces for the walker, and room for more
        if not self._one_header():
            told = self.warnings[0].removeprefix(f"{stream.name}: ") if self.warnings else "it is empty"
            raise CaptureError(f"{stream.name}: the first block is no pcapng section header that can be read ({told})")

    def _walk(self, out: NDArray[np.void]) -> Walk:
        stream = self.stream
        return Walk(
            *pcapng_file.walk_pcapng(
                stream.data,
                stream.position,
                stream.filled,
                self.order == ">",
                self._rows[: len(self.interfaces) - self._base],
                self._base,
                self.frames + 1,
                out,
                self.offsets,
                self.links,
            )
        )

    def step(self, out: NDArray[np.void]) -> int:
        """See Reader. Raises CaptureError at the end if no interface had a link type with a decoder."""
        count = super().step(out)
        if not count and self.ended and self.packets and not self._decodable:
            raise unsupported(self.stream.name, {interface.link for interface in self.interfaces})
        return count

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
        order = pcapng_file.section_byte_order(start) if section else self.order
        if order is None:
            self._say_damaged("a section header without a byte order")
            return False
        size = int.from_bytes(start[4:8], "big" if order == ">" else "little")
        size = (size + 3) & ~3
        if size > MAX_BLOCK or size < savefile.BLOCK_FRAME:
            self._say_damaged(limit_message("MAX_BLOCK") if size > MAX_BLOCK else f"a block of {size} bytes")
            return False
        if not stream.need(size):
            self._say_end()
            return False
        block = stream.take(size)
        if section:
            return self._enter_section(block, order)
        return self._add_interface(block[8:-4])

    def _enter_section(self, block: bytes, order: str) -> bool:
        self.order, self._base = order, len(self.interfaces)
        major = pcapng_file.section_version(block, order)
        if major != 1:
            self._say_damaged(f"a section of version {major}, of which nothing is known")
        return major == 1

    def _add_interface(self, body: bytes) -> bool:
        if len(self.interfaces) - self._base >= MAX_INTERFACES:
            self._say_damaged(limit_message("MAX_INTERFACES"))
            return False
        if len(self.interfaces) >= MAX_ALL_INTERFACES:
            self._say_damaged(limit_message("MAX_ALL_INTERFACES"))
            return False
        try:
            found = pcapng_file.parse_interface(body, self.order)
        except ValueError as error:
            self._say_damaged(str(error))
            return False
        number = len(self.interfaces)
        self.interfaces.append(found)
        self._decodable = self._decodable or found.link in SUPPORTED
        if number - self._base == len(self._rows):  # doubled: many descriptions, each between packets, stay cheap
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[number - self._base] = (found.link, found.snaplen, found.ticks, found.offset)
        if found.name:
            self.names[number] = found.name
        if found.description:
            self.descriptions[number] = found.description
        return True


def open_reader(path: str, *, follow: bool = False) -> Reader:
    """The reader that fits the file's first bytes. Raises CaptureError naming file and cure."""
    stream = Stream(path, follow=follow)
    try:
        return fitting_reader(stream)
    except CaptureError:
        stream.close()
        raise


def fitting_reader(stream: Stream) -> Reader:
    """The reader for what the stream starts with."""
    if not stream.need(4):
        if stream.fault:
            check = f"; check with {stream.packing.check}" if stream.packing else ""
            raise CaptureError(f"{stream.name}: {stream.fault}{check}")
        raise CaptureError(
            f"{stream.name}: {stream.filled} bytes, too short for a capture (its header alone has 24); "
            "was the recording or the copy cut short?"
        )
    magic = stream.data[stream.position : stream.position + 4].tobytes()
    if magic in savefile.PCAP_MAGICS:
        return PcapReader(stream)
    if magic == savefile.PCAPNG_MAGIC:
        return PcapngReader(stream)
    raise CaptureError(f"{stream.name}: not a capture: {_looks(magic)}")


def _looks(magic: bytes) -> str:
    """What the first four bytes of something else are."""
    for start, told in OTHERS.items():
        if magic.startswith(start):
            return f"it is {told}"
    if {int.from_bytes(magic, "little"), int.from_bytes(magic, "big")} & pcap_file.RESERVED_MAGICS:
        return f"a variant of pcap that nobody described (bytes {magic.hex()}); {CURE}"
    readable = magic.isascii() and magic.decode().isprintable()
    looks = f"text, {magic.decode()!r}" if readable else f"bytes {magic.hex()}"
    return f"it starts with {looks}; {CURE}"
