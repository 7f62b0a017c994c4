"""The flow table: records of 128 bytes one behind the other, found through a hash table of their numbers.

An entry is found from either direction: its key is put in order (the lower end first), and a bit says
which end opened it. One table holds every interface's connections; the interface is part of the key.
A timed-out entry keeps its place and its key, so that a late packet can be told "expired". Entries never
move: what grows with empty room, and is filled anew when it does, are the slots of the hash table,
8 bytes each.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import entry_kernel, i64, kernel, rare_kernel

Entry = Any  # one record of dtype ENTRY, as kernels see it: entry["state"]
Key = Any  # one record of dtype KEY, or an entry, which has the same fields and more

FIELDS = np.dtype(
    [
        # the key, end a below end b (for an ICMP query: a asked)
        ("a_hi", np.uint64),
        ("a_lo", np.uint64),
        ("b_hi", np.uint64),
        ("b_lo", np.uint64),
        ("expires", np.int64),  # ns
        ("stream", np.int64),  # UDP: from when on it is a stream (ns)
        ("flow", np.int64),  # number within its interface, from 1
        ("rule", np.int32),  # that admitted the opening packet
        ("eni", np.uint16),
        ("a_port", np.uint16),  # ICMP: type << 8 | code of the query
        ("b_port", np.uint16),  # ICMP: identifier
        ("protocol", np.uint8),
        ("family", np.uint8),
        ("use", np.uint8),  # FREE, LIVE or GONE
        ("status", np.uint8),  # bits below
        ("state", np.uint8),  # of conntrack.tcp; for UDP under udp_stream=aws a phase
        # TCP, each by direction: original, reply
        ("scale", np.uint8, (2,)),
        ("side", np.uint8, (2,)),  # bits of conntrack.window
        ("end", np.uint32, (2,)),  # highest sequence number sent, plus 1
        ("max_end", np.uint32, (2,)),  # right edge that the peer granted
        ("max_win", np.uint32, (2,)),  # largest window that this side advertised
        ("max_ack", np.uint32, (2,)),  # highest acknowledgement that this side sent
        # the last segment noted
        ("last_seq", np.uint32),
        ("last_ack", np.uint32),
        ("last_end", np.uint32),
        ("last_win", np.uint16),
        ("last_direction", np.uint8),
        ("last_class", np.uint8),
        ("last_scale", np.uint8),
        ("last_flags", np.uint8),
        ("retransmissions", np.uint8),
    ],
    align=True,
)


def with_other_names(fields: np.dtype[np.void], names: dict[str, str]) -> np.dtype[np.void]:
    """The same record, some of its fields under a second name: protocols keep their own words."""
    places: dict[str, Any] = dict(fields.fields or {})
    places |= {new: places[old] for new, old in names.items()}
    return np.dtype(
        {
            "names": list(places),
            "formats": [place[0] for place in places.values()],
            "offsets": [place[1] for place in places.values()],
            "itemsize": fields.itemsize,
        }
    )


ENTRY = with_other_names(FIELDS, {"tags": "end"})  # SCTP: the tag that each direction carries

KEY = np.dtype(
    [
        *((name, FIELDS[name]) for name in ("a_hi", "a_lo", "b_hi", "b_lo")),
        ("hash", np.int64),
        *((name, FIELDS[name]) for name in ("a_port", "b_port", "protocol", "family")),
        ("forward", np.int8),  # 1: the packet goes from end a to end b, 0: back, -1: it has no key
    ],
    align=True,
)
LINE = 64  # bytes that the processor fetches at once

FREE, LIVE, GONE = 0, 1, 2
SEEN_REPLY, ASSURED, OPENED_BY_B, UNDECIDED, NOT_TRACKED, AUTO_TRACKED = 1, 2, 4, 8, 16, 32
RELEASED = 64  # timed out, and not counted any more: only remembered
WIDENED = 128  # changed rules would leave it untracked, and that was counted
UNCOUNTED = NOT_TRACKED | RELEASED

FIRST_CAPACITY = 1 << 10
EARLY_DROP_RANGE = 8  # entries looked at; the kernel looks at 8 buckets of its hash
EARLY_DROP_SLOTS = 1024  # slots, empty ones too
MAX_CAPACITY = 1 << 23  # slots: 960 MiB with entries

# --- a slot: 0 where it is free, else the entry's hash and its number --------------------------------------
HASH_SHIFT = 32
NUMBER = 0xFFFF_FFFF  # the entry's number, plus 1

# --- FlowTable.counts ---------------------------------------------------------------------------------
USED = 0  # slots that are not free
CLOCK = 1  # ns; the latest time seen: it never goes back
EARLY_DROPS = 2  # connections that made room for a new one
NEXT_SWEEP = 3  # ns; from when on a full table is searched again for what timed out
LATE = 4  # TCP and ICMP packets that no rule admits any more: their entry had timed out
BEGUN = 5  # entries that were ever used: those behind them are all zeros
SPARE = 6  # the first of the entries that were given up, plus 1; its `flow` is the next, and so on; 0: none
COUNTS = 7
SWEEP_EVERY = 10**9  # ns
BEFORE_ALL = -(1 << 63)  # the clock before the first packet


class FlowTable(NamedTuple):
    """The last of `entries` is the candidate, not yet confirmed, and free; the others have room for `room` of `slots`.

    `flows` counts the connections that each interface had, `counts` by the numbers above. `hosts` is the
    host of each interface, `tracked` how many connections each host has now, those included that timed
    out and were not met since: a bound on connections is a host's.
    """

    entries: NDArray[np.void]
    slots: NDArray[np.int64]
    counts: NDArray[np.int64]
    flows: NDArray[np.int64]
    hosts: NDArray[np.int64]
    tracked: NDArray[np.int64]


def empty_entries(records: int) -> NDArray[np.void]:
    """Free entries, none of them across more lines than it must; memory is taken as they are used."""
    data = np.zeros(records * ENTRY.itemsize + LINE, np.uint8)
    start = -data.ctypes.data % LINE
    return data[start : start + records * ENTRY.itemsize].view(ENTRY)


def new_table(interfaces: int, capacity: int = FIRST_CAPACITY, hosts: Sequence[int] | None = None) -> FlowTable:
    """An empty table; `capacity` is a power of two. `hosts`: the host of each interface, one for all if None."""
    counts = np.zeros(COUNTS, np.int64)
    counts[[CLOCK, NEXT_SWEEP]] = BEFORE_ALL
    of_each = np.array([0] * interfaces if hosts is None else hosts, np.int64)
    flows, tracked = np.zeros(interfaces, np.int64), np.zeros(interfaces, np.int64)
    return FlowTable(empty_entries(room(capacity) + 1), np.zeros(capacity, np.int64), counts, flows, of_each, tracked)


def copied(table: FlowTable) -> FlowTable:
    """The same table in memory of its own."""
    entries = empty_entries(len(table.entries))
    take_over(table, entries)
    return FlowTable(entries, *(column.copy() for column in table[1:]))


def take_over(table: FlowTable, entries: NDArray[np.void]) -> None:
    """Fill empty entries with a table's, and its candidate."""
    begun = int(table.counts[BEGUN])
    entries[:begun].view(np.uint8)[:] = table.entries[:begun].view(np.uint8)  # numpy copies records field by field
    entries[-1] = table.entries[-1]


@kernel
def mix(address: np.uint64, port: int) -> int:
    """60 bits of an end: 64 of its address, folded, and its port. Every product here fits int64.

    Each has a multiplier of its own: neighbours in address and port together are what a scan is made of.
    """
    word = (i64(address & np.uint64(0xFFFFFFFF)) ^ i64(address >> np.uint64(32))) * 0x5BD1E995
    word ^= port * 0x1B873593CC9E
    return (word ^ (word >> 29)) & 0x0FFFFFFFFFFFFFFF


@kernel
def key_hash(key: Key) -> int:
    """31 bits of a key or entry. Interfaces have no part in it: both ends of a packet are found near each other.

    The two ends are not told apart, so the key need not be in order.
    """
    value = mix(key["a_lo"], i64(key["a_port"])) + mix(key["b_lo"], i64(key["b_port"])) + i64(key["protocol"])
    if i64(key["family"]) == 6:
        value += mix(key["a_hi"], 0) ^ mix(key["b_hi"], 0)
    value = ((value ^ (value >> 31)) & 0x7FFFFFFF) * 0x2C1B3C6D
    return (value >> 16) & 0x7FFFFFFF


@kernel
def same_key(entry: Entry, key: Key, eni: int) -> bool:
    """True if the entry is of this tuple at this interface."""
    return bool(
        entry["b_lo"] == key["b_lo"]
        and entry["a_lo"] == key["a_lo"]
        and entry["a_port"] == key["a_port"]
        and entry["b_port"] == key["b_port"]
        and entry["protocol"] == key["protocol"]
        and i64(entry["eni"]) == eni
        and entry["family"] == key["family"]
        and entry["a_hi"] == key["a_hi"]
        and entry["b_hi"] == key["b_hi"]
    )


@kernel
def find_entry(table: FlowTable, key: Key, hash_: int, eni: int) -> int:
    """The number of the entry that holds the key; the candidate's, which is free, where none does.

    `hash_` is `key_hash` of the key. At least one slot is free: the engine grows the table before it is full.
    """
    mask = len(table.slots) - 1  # capacity is a power of two
    at = hash_ & mask
    while True:
        slot = i64(table.slots[at])
        if slot == 0:
            return len(table.entries) - 1
        number = (slot & NUMBER) - 1
        if slot >> HASH_SHIFT == hash_ and same_key(table.entries[number], key, eni):
            return number
        at = (at + 1) & mask


@kernel
def fill_slot(slots: NDArray[np.int64], hash_: int, number: int) -> None:
    """Let an entry, whose key the table does not hold, be found."""
    mask = len(slots) - 1
    at = hash_ & mask
    while slots[at] != 0:
        at = (at + 1) & mask
    slots[at] = hash_ << HASH_SHIFT | (number + 1)


@kernel
def new_entry(table: FlowTable, hash_: int) -> int:
    """The number of a free entry, which is found by this hash from now on. There is room for it."""
    counts = table.counts
    if counts[SPARE]:
        number = i64(counts[SPARE]) - 1
        counts[SPARE] = table.entries[number]["flow"]
    else:
        number = i64(counts[BEGUN])
        counts[BEGUN] = number + 1
    counts[USED] += 1
    fill_slot(table.slots, hash_, number)
    return number


@kernel
def is_live(entry: Entry, now: int) -> bool:
    """True unless the entry is free, was deleted, or its time is up."""
    return i64(entry["use"]) == LIVE and i64(entry["expires"]) > now


@kernel
def count_tracked(table: FlowTable, entry: Entry, change: int) -> None:
    """Count a connection of its interface's host, or no more."""
    table.tracked[i64(table.hosts[i64(entry["eni"])])] += change


@kernel
def tracked_beside(table: FlowTable, entry: Entry) -> int:
    """How many connections the host of the entry's interface has."""
    return i64(table.tracked[i64(table.hosts[i64(entry["eni"])])])


@rare_kernel
def has_room(table: FlowTable, most: int, now: int) -> bool:
    """True if the candidate's host has fewer than `most` connections; those that timed out do not count.

    They are searched for once in a second of capture time: a full table denies at most so long too much.
    """
    candidate = table.entries[len(table.entries) - 1]
    if most == 0 or tracked_beside(table, candidate) < most:
        return True
    if now >= table.counts[NEXT_SWEEP]:
        table.counts[NEXT_SWEEP] = now + SWEEP_EVERY
        for number in range(i64(table.counts[BEGUN])):
            entry = table.entries[number]
            status = i64(entry["status"])
            if i64(entry["use"]) == LIVE and not status & UNCOUNTED and i64(entry["expires"]) <= now:
                entry["status"] = status | RELEASED
                count_tracked(table, entry, -1)
    return tracked_beside(table, candidate) < most


@rare_kernel
def make_room(table: FlowTable, most: int, now: int) -> bool:
    """True if the candidate's host may have another connection: it has fewer than `most`, or one nearby gives way.

    Near its slot, what has timed out gives way, then what is not assured (nf_conntrack_core.c,
    early_drop). Which one does is the hash's choice, in the kernel as here.
    """
    entries = table.entries
    if most == 0 or tracked_beside(table, entries[len(entries) - 1]) < most:
        return True
    mask = len(table.slots) - 1
    at = key_hash(entries[len(entries) - 1]) & mask
    host = table.hosts[i64(entries[len(entries) - 1]["eni"])]
    seen = 0
    for _ in range(min(len(table.slots), EARLY_DROP_SLOTS)):
        slot = i64(table.slots[at])
        at = (at + 1) & mask
        if slot == 0:
            continue
        entry = entries[(slot & NUMBER) - 1]
        beside = table.hosts[i64(entry["eni"])] == host
        if beside and i64(entry["use"]) == LIVE and not i64(entry["status"]) & UNCOUNTED:
            idle = i64(entry["expires"]) <= now
            if idle or not i64(entry["status"]) & ASSURED:
                entry["use"] = GONE
                count_tracked(table, entry, -1)
                table.counts[EARLY_DROPS] += 0 if idle else 1
                return True
            seen += 1
            if seen == EARLY_DROP_RANGE:
                return False
    return False


@entry_kernel
def room(capacity: int) -> int:
    """How many of so many slots may be used: half, at the limit seven eighths."""
    if capacity >= MAX_CAPACITY:
        return capacity // 8 * 7
    return capacity // 2
