"""One frame in memory, on its way to the decoder."""

from typing import NamedTuple


class Frame(NamedTuple):
    """Bytes of one link-layer frame.

    `link` is a LINKTYPE number (1 Ethernet, 101 raw IP, ...), `time` ns since 1970, `wirelen` the
    length on the wire: len(data) unless a snap length cut it.
    """

    link: int
    time: int
    data: bytes
    wirelen: int
