"""The packets of a capture with their bytes, one by one: what batches of columns do not hold.

Whoever writes captures reads them a second time, beside the replay, so that memory stays flat.
"""

import struct
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

from pcaps.batch import BATCH_ROWS, UNSTATED, empty_batch
from pcaps.frame import Frame
from pcaps.reader import fitting_reader
from pcaps.savefile import NS, PCAP_MAGICS, Interface
from pcaps.stream import Stream

PCAP_SNAPLEN = 16  # where it stands in the file header


class Original(NamedTuple):
    """A packet as it stands in its capture; `interface` is an index in the source's."""

    frame: int
    interface: int
    time: int  # ns since 1970
    way: int  # as its block states it: pcaps.batch.UNSTATED, INBOUND or OUTBOUND
    wirelen: int
    data: bytes


class Source(Protocol):
    """A capture's packets in order, once, and its interfaces as far as they were read."""

    @property
    def interfaces(self) -> Sequence[Interface]:
        """Grows while packets are read: the interface of a packet stands here before the packet comes."""

    def packets(self) -> Generator[Original]:
        """The packets; nothing is open before the first one is asked for, nor once the last one is given out."""


class FileSource:
    """A capture file. Raises CaptureError where it cannot be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.interfaces: list[Interface] = []

    def packets(self) -> Generator[Original]:
        """See Source."""
        with closing(self._read()) as ahead:
            last = next(ahead, None)
            for packet in ahead:
                if last is not None:
                    yield last
                last = packet
        if last is not None:
            yield last

    def _read(self) -> Generator[Original]:
        stream = Stream(self.path)
        try:
            snaplen = _pcap_snaplen(stream)
            reader = fitting_reader(stream)
            if snaplen is None:
                self.interfaces = reader.interfaces
            else:
                self.interfaces = [Interface(int(reader.links[0]), snaplen, "", NS, 0)]
            rows = empty_batch(BATCH_ROWS).records
            while count := reader.step(rows):
                starts, data = reader.offsets[:count], stream.data
                stops = starts + rows["caplen"][:count]
                names = ("frame", "interface", "time", "way", "wirelen")
                columns = [rows[name][:count].tolist() for name in names]
                for *stated, start, stop in zip(*columns, starts.tolist(), stops.tolist(), strict=True):
                    yield Original._make((*stated, data[start:stop].tobytes()))
        finally:
            stream.close()


class FrameSource:
    """Frames in memory; there is an interface for each link type."""

    def __init__(self, frames: Sequence[Frame], name: str) -> None:
        self._frames = frames
        self._links = list(dict.fromkeys(frame.link for frame in frames))
        self.interfaces = [Interface(link, 0, name, NS, 0) for link in self._links]

    def packets(self) -> Generator[Original]:
        """See Source."""
        for number, frame in enumerate(self._frames, 1):
            interface = self._links.index(frame.link)
            yield Original(number, interface, frame.time, UNSTATED, frame.wirelen, frame.data)


def _pcap_snaplen(stream: Stream) -> int | None:
    """What the header of a classic pcap says; None for other files."""
    if not stream.need(PCAP_SNAPLEN + 4):
        return None
    head = stream.data[stream.position : stream.position + PCAP_SNAPLEN + 4].tobytes()
    if head[:4] not in PCAP_MAGICS:
        return None
    order, _ = PCAP_MAGICS[head[:4]]
    (snaplen,) = struct.unpack_from(order + "I", head, PCAP_SNAPLEN)
    return int(snaplen)
