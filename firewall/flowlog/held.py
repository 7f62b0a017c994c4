"""One record a flow: a hash table over columns that takes many rows at once. numpy only, no step for each row.

Open addressing: a row looks at the slot that its key mixes to, and at the next ones. All rows of a batch
do so together, in rounds; after each round those that found their record are done.
"""

import numpy as np
from numpy.typing import NDArray

from firewall.flowlog.records import KEYS, Records, Words, no_records

FIRST_SLOTS = 1 << 12  # a power of two, as every size
EMPTY, LOST = -1, -1
_DRAWN: Words = np.random.default_rng().integers(0, 1 << 64, 3, np.uint64) | np.uint64(1)
SECRET, MIX = _DRAWN[0], _DRAWN[1:]  # drawn anew in each process: nobody can aim at a slot

Rows = NDArray[np.intp]


class Held:
    """Records by key, at most `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._clear()

    def _clear(self) -> None:
        self.rows = 0
        self._columns = no_records()
        self._slots: NDArray[np.int64] = np.full(FIRST_SLOTS, EMPTY)

    def records(self) -> Records:
        """What is held, in the order in which the flows came."""
        held = Records._make(column[: self.rows] for column in self._columns)
        return held.take(np.argsort(held.order))

    def pop(self, closed: NDArray[np.bool_], held: Records) -> Records:
        """Let go of the `closed` ones of `held`, which are all that is held."""
        self._clear()
        kept = held.take(~closed)
        if kept.rows:
            self.add(kept)
        return held.take(closed)

    def add(self, rows: Records) -> NDArray[np.bool_]:
        """Take rows, one a packet or records of their own; gives back which found no room."""
        place = self._find(rows)
        found: NDArray[np.bool_] = place != LOST
        if not found.all():
            rows, place = rows.take(found), place[found]
        columns = self._columns
        np.add.at(columns.packets, place, rows.packets)
        np.add.at(columns.bytes, place, rows.bytes)
        np.minimum.at(columns.first, place, rows.first)
        np.maximum.at(columns.last, place, rows.last)
        _or_at(columns.flags, place, rows.flags)
        _or_at(columns.reasons, place, rows.reasons)
        return ~found

    def _find(self, rows: Records) -> Rows:
        """The record of each row, made where there is none yet, or LOST."""
        self._reserve(rows.rows)
        keys = rows[: len(KEYS)]
        mask = len(self._slots) - 1
        slot = (_mixed(rows) & np.uint64(mask)).astype(np.intp)
        place = np.full(rows.rows, LOST, np.intp)
        left = np.arange(rows.rows)
        while len(left):
            self._claim(left, slot[left], rows)
            there = self._slots[slot[left]]
            left, there = left[there != EMPTY], there[there != EMPTY]
            same = np.ones(len(left), np.bool_)
            for column, key in zip(self._columns, keys, strict=False):
                same &= column[there] == key[left]
            place[left[same]] = there[same]
            left = left[~same]
            slot[left] = (slot[left] + 1) & mask
        return place

    def _claim(self, left: Rows, slot: Rows, rows: Records) -> None:
        """Make records for rows that meet an empty slot; of several that meet one, the first."""
        free = np.flatnonzero(self._slots[slot] == EMPTY)
        if not len(free) or self.rows >= self._most:
            return
        marks = -2 - free
        self._slots[slot[free][::-1]] = marks[::-1]  # the last one written stays
        won = free[self._slots[slot[free]] == marks]
        self._slots[slot[won]] = EMPTY
        won = won[: self._most - self.rows]
        fresh = slice(self.rows, self.rows + len(won))
        self._slots[slot[won]] = np.arange(fresh.start, fresh.stop)
        for name, column, source in zip(Records._fields, self._columns, rows, strict=True):
            column[fresh] = 0 if name in ("packets", "bytes", "flags", "reasons") else source[left[won]]
        self.rows = fresh.stop

    def _reserve(self, more: int) -> None:
        """Room for so many more records, with the slots half empty."""
        wanted = min(self.rows + more, self._most)
        room = len(self._columns.interval)
        if wanted > room:
            size = max(wanted, 2 * room)
            self._columns = Records._make(_longer(column, size) for column in self._columns)
        if 2 * wanted > len(self._slots):
            self._slots = np.full(1 << (2 * wanted).bit_length(), EMPTY)
            self._place_again()

    def _place_again(self) -> None:
        """Give every record a slot; their keys differ."""
        held = Records._make(column[: self.rows] for column in self._columns)
        mask = len(self._slots) - 1
        slot = (_mixed(held) & np.uint64(mask)).astype(np.intp)
        left = np.arange(self.rows)
        while len(left):
            free = left[self._slots[slot[left]] == EMPTY]
            self._slots[slot[free]] = free
            left = left[self._slots[slot[left]] != left]
            slot[left] = (slot[left] + 1) & mask


def _longer(column: NDArray[np.integer], size: int) -> NDArray[np.integer]:
    more = np.zeros(size, column.dtype)
    more[: len(column)] = column
    return more


def _or_at(column: NDArray[np.int64], place: Rows, values: NDArray[np.int64]) -> None:
    """OR values into a column, bit by bit: a place that stands several times gets the same bit each time."""
    present = int(np.bitwise_or.reduce(values)) if len(values) else 0
    for bit in (1 << shift for shift in range(present.bit_length()) if present >> shift & 1):
        column[place[(values & bit) != 0]] |= bit


def _mixed(rows: Records) -> Words:
    """One number for each key."""
    mixed = np.full(rows.rows, SECRET)
    for key in rows[: len(KEYS)]:
        mixed ^= key.astype(np.uint64)
        mixed *= MIX[0]
        mixed ^= mixed >> np.uint64(29)
    mixed *= MIX[1]
    mixed ^= mixed >> np.uint64(32)
    return mixed
