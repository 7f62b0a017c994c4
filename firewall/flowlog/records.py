"""Flow log records as columns.

A record is one direction of a 5-tuple at one interface in one aggregation interval, ACCEPT and REJECT
apart. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]


class Records(NamedTuple):
    """Columns of equal length. The first seven are the key; two rows of one key are one record."""

    interval: Ints  # number of the aggregation interval since 1970
    eni: Ints  # index in Firewall.interfaces
    src_hi: Words  # the packet's addresses
    src_lo: Words
    dst_hi: Words
    dst_lo: Words
    ends: Words  # see `packed`
    packets: Ints
    bytes: Ints  # IP lengths
    first: Ints  # ns since 1970
    last: Ints
    flags: Ints  # firewall.flowlog.logged.FLAG_VALUES, OR-ed
    reasons: Ints  # a bit for each of firewall.verdict.REASONS
    order: Ints  # of the first packet

    @property
    def rows(self) -> int:
        """How many records."""
        return len(self.interval)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Records":
        """The records named, copied."""
        return Records._make(column[rows] for column in self)

    # What `ends` holds.
    @property
    def src_port(self) -> Ints:
        """0 where there is none."""
        return (self.ends >> np.uint64(48)).astype(np.int64)

    @property
    def dst_port(self) -> Ints:
        """0 where there is none."""
        return self._bits(32, 0xFFFF)

    @property
    def protocol(self) -> Ints:
        """IANA number."""
        return self._bits(16, 0xFF)

    @property
    def family(self) -> Ints:
        """4 or 6."""
        return self._bits(8, 0xFF)

    @property
    def direction(self) -> Ints:
        """firewall.verdict.DIRECTIONS."""
        return self._bits(4, 0xF)

    @property
    def action(self) -> Ints:
        """firewall.flowlog.logged.ACCEPT and what follows."""
        return self._bits(0, 0xF)

    def _bits(self, shift: int, mask: int) -> Ints:
        return ((self.ends >> np.uint64(shift)) & np.uint64(mask)).astype(np.int64)


KEYS = Records._fields[:7]


def packed(*parts: tuple[NDArray[np.integer], int]) -> Words:
    """Columns in one: each with the bit that it starts at (see Records: ports 48 and 32, protocol 16, ...)."""
    ends = np.zeros(len(parts[0][0]), np.uint64)
    for column, shift in parts:
        ends |= column.astype(np.uint64) << np.uint64(shift)
    return ends


def no_records() -> Records:
    """None."""
    hints = Records.__annotations__
    return Records._make(np.zeros(0, np.uint64 if hints[name] is Words else np.int64) for name in Records._fields)


def joined(parts: Iterable[Records]) -> Records:
    """All of them, one behind the other."""
    return Records._make(map(np.concatenate, zip(*(no_records(), *parts), strict=True)))
