"""How the flow table gets more room: slots filled anew, and what is not remembered any more."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.table import (
    BEFORE_ALL,
    BEGUN,
    CLOCK,
    FREE,
    HASH_SHIFT,
    LIVE,
    MAX_CAPACITY,
    NUMBER,
    SPARE,
    UNCOUNTED,
    USED,
    FlowTable,
    count_tracked,
    empty_entries,
    fill_slot,
    room,
    take_over,
)
from pcaps.accelerate import entry_kernel, i64, prefetch

QUICK_CAPACITY = 1 << 15  # slots; a smaller table grows fourfold
REMEMBERING_CAPACITY = 1 << 20  # slots: 72 MiB with entries; a larger table forgets what timed out before it grows
FEW_UNCOUNTED = 1 << 4  # of so many slots one: for fewer deleted entries a growing table does not look
AHEAD = 32  # slots whose entries are fetched before they are looked at
ENTRIES_AHEAD = 8  # times as many entries as are wanted; what is not used yet takes addresses, but no memory


@entry_kernel
def spread_out(old: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
    """Fill empty `slots` with all of `old`. No entry is looked at: in a large table that is what takes the time."""
    for at in range(len(old)):
        slot = i64(old[at])
        if slot != 0:
            fill_slot(slots, slot >> HASH_SHIFT, (slot & NUMBER) - 1)


@entry_kernel
def rehash(table: FlowTable, slots: NDArray[np.int64], earliest: int) -> int:
    """Fill empty `slots` with a table's entries, in the order of its slots; how many. `tracked` is counted anew.

    Deleted entries are given up, and those that timed out before `earliest`.
    """
    used = 0
    for host in range(len(table.tracked)):
        table.tracked[host] = 0
    for at in range(len(table.slots)):
        if at + AHEAD < len(table.slots):
            prefetch(table.entries, (i64(table.slots[at + AHEAD]) & NUMBER) - 1)
        slot = i64(table.slots[at])
        if slot == 0:
            continue
        number = (slot & NUMBER) - 1
        entry = table.entries[number]
        if i64(entry["use"]) == LIVE and i64(entry["expires"]) > earliest:
            fill_slot(slots, slot >> HASH_SHIFT, number)
            used += 1
            if i64(entry["status"]) & UNCOUNTED == 0:
                count_tracked(table, entry, 1)
        else:
            entry["use"] = FREE
            entry["flow"] = table.counts[SPARE]
            table.counts[SPARE] = number + 1
    return used


class Growth(NamedTuple):
    """A table that grew; `forgot`: timed-out entries that it does not remember any more."""

    table: FlowTable
    forgot: int


def grown(table: FlowTable) -> Growth:
    """The table with more room: what timed out is forgotten once it is large, or it grows, in larger steps first.

    A late packet of a forgotten entry is not told "expired" but judged as if its connection had never
    been. At MAX_CAPACITY the table may come back as full as it was.
    """
    capacity = len(table.slots)
    now = int(table.counts[CLOCK])
    timed_out = 0
    if capacity >= REMEMBERING_CAPACITY:
        entries = table.entries[: int(table.counts[BEGUN])]
        timed_out = int(np.count_nonzero((entries["use"] == LIVE) & (entries["expires"] <= now)))
    if capacity >= MAX_CAPACITY and not timed_out:
        return Growth(table, 0)
    forget = capacity >= REMEMBERING_CAPACITY and (timed_out >= capacity // 4 or capacity >= MAX_CAPACITY)
    if not forget:
        capacity *= 4 if capacity < QUICK_CAPACITY else 2
    slots = np.zeros(capacity, np.int64)
    uncounted = int(table.counts[USED]) - int(table.tracked.sum())  # deleted ones, and those left untracked
    if forget or uncounted > len(table.slots) // FEW_UNCOUNTED:
        table.counts[USED] = rehash(table, slots, now if forget else BEFORE_ALL)
    else:
        spread_out(table.slots, slots)
    return Growth(_with_room(table._replace(slots=slots)), timed_out if forget else 0)


def _with_room(table: FlowTable) -> FlowTable:
    """The table with as many entries as its slots may need."""
    wanted = room(len(table.slots))
    if wanted < len(table.entries):
        return table
    entries = empty_entries(min(ENTRIES_AHEAD * wanted, room(MAX_CAPACITY)) + 1)
    take_over(table, entries)
    return table._replace(entries=entries)
