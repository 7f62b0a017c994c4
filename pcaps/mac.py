"""The MAC addresses of frames, for those who ask."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.link import ETHERNET
from pcaps.link_cooked import (
    LINUX_SLL,
    LINUX_SLL2,
    SLL2_ADDRESS,
    SLL2_ADDRESS_LENGTH,
    SLL2_HEADER,
    SLL_ADDRESS,
    SLL_ADDRESS_LENGTH,
    SLL_HEADER,
)
from pcaps.link_ethernet import ETHERNET_HEADER
from pcaps.wire import Bytes

MAC = 6  # bytes


class Place(NamedTuple):
    """Where frames of a link type have their addresses.

    `length_at`: the byte that says how long an address is, None where that is sure.
    """

    link: int
    header: int
    source: int
    destination: int | None
    length_at: int | None


PLACES = (
    Place(ETHERNET, ETHERNET_HEADER, MAC, 0, None),
    Place(LINUX_SLL, SLL_HEADER, SLL_ADDRESS, None, SLL_ADDRESS_LENGTH + 1),
    Place(LINUX_SLL2, SLL2_HEADER, SLL2_ADDRESS, None, SLL2_ADDRESS_LENGTH),
)


def mac_numbers(data: Bytes, at: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The six bytes at each place as one number."""
    weights = np.uint64(1) << (np.uint64(8) * np.arange(MAC - 1, -1, -1, dtype=np.uint64))
    numbers: NDArray[np.uint64] = data[at[:, None] + np.arange(MAC)].astype(np.uint64) @ weights
    return numbers


def mac_addresses(
    data: Bytes, offsets: NDArray[np.int64], links: NDArray[np.int32], records: NDArray[np.void]
) -> NDArray[np.uint64]:
    """uint64[rows, 2]: source and destination of the frames at data[offsets[k]:], 0 where they show none.

    offsets and links have as many values as `records`, or more.
    """
    rows = len(records)
    found = np.zeros((rows, 2), np.uint64)
    for place in PLACES:
        frames = np.flatnonzero((links[:rows] == place.link) & (records["caplen"] >= place.header))
        if place.length_at is not None:
            frames = frames[data[offsets[frames] + place.length_at] == MAC]
        for end, at in enumerate((place.source, place.destination)):
            if at is not None and len(frames):
                found[frames, end] = mac_numbers(data, offsets[frames] + at)
    return found
