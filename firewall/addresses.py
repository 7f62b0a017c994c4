"""Addresses by number, so that each is written as text once, however many rows have it."""

import numpy as np
from numpy.typing import NDArray

from conntrack.table import mix
from firewall.columns import Words
from firewall.labels import address_text
from pcaps.accelerate import entry_kernel, i64

FIRST_SLOTS = 1 << 12


@entry_kernel
def number_addresses(
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
    known: NDArray[np.uint64],
    count: int,
    slots: NDArray[np.int32],
    out: NDArray[np.int32],
) -> int:
    """The number of each address into `out`, from 1; returns how many are known now.

    `known[number - 1]` is an address (high, low), with room for all that are new. `slots` is a hash table of
    numbers, a power of two of them and more than twice as many as there may be addresses; 0 is free.
    """
    mask = len(slots) - 1
    for row in range(len(high)):
        slot = (mix(low[row], 0) ^ mix(high[row], 1)) & mask
        while True:
            number = i64(slots[slot])
            if number == 0:
                known[count, 0] = high[row]
                known[count, 1] = low[row]
                count += 1
                number = count
                slots[slot] = number
                break
            if known[number - 1, 0] == high[row] and known[number - 1, 1] == low[row]:
                break
            slot = (slot + 1) & mask
        out[row] = number
    return count


class Addresses:
    """The addresses met so far, and their texts. Memory grows with different addresses only."""

    def __init__(self) -> None:
        self._known = np.zeros((FIRST_SLOTS // 2, 2), np.uint64)
        self._slots = np.zeros(FIRST_SLOTS, np.int32)
        self._texts: list[str | None] = [None]  # by number: 0 is an empty cell

    def words(self, high: NDArray[np.uint64], low: NDArray[np.uint64], present: NDArray[np.bool_]) -> Words:
        """Each address as its number; an empty cell where it is not present."""
        count = len(self._texts) - 1
        self._reserve(count + len(high))
        numbers = np.empty(len(high), np.int32)
        now = number_addresses(high, low, self._known, count, self._slots, numbers)
        self._texts += [address_text(*address) for address in self._known[count:now].tolist()]
        return Words(np.where(present, numbers, 0).astype(np.int64), self._texts)

    def _reserve(self, addresses: int) -> None:
        """Room for so many addresses."""
        if 2 * addresses < len(self._slots):
            return
        size = 1 << (2 * addresses).bit_length()
        known = np.zeros((size // 2, 2), np.uint64)
        count = len(self._texts) - 1
        self._slots = np.zeros(size, np.int32)
        high, low = np.ascontiguousarray(self._known[:count, 0]), np.ascontiguousarray(self._known[:count, 1])
        number_addresses(high, low, known, 0, self._slots, np.empty(count, np.int32))
        self._known = known
