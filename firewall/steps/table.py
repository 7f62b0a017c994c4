"""The connection table at a step, beside that of the step before: what is new, what changed, what left and why."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.table import LIVE, NOT_TRACKED
from conntrack.timeouts import NS
from firewall.connections import Connection, read_connection
from firewall.explain.sight import has_tuple
from firewall.labels import Labels, endpoint, protocol_word
from firewall.life import state_word
from firewall.state import Fate
from firewall.steps.track import Snapshot

MOST_ROWS = 50  # entries of one table that are told: those that changed, then the latest; a page draws them every step
SHOWN = ("state", "status", "expires")  # an entry is changed where one of these is
NEW, CHANGED, SAME = "new", "changed", "same"

Entries = NDArray[np.void]


class Table(NamedTuple):
    """The table at a step as JSON objects; `entries` and `left` count all, `rows` and `gone` are at most MOST_ROWS."""

    rows: list[dict[str, Any]]
    gone: list[dict[str, Any]]
    entries: int
    left: int
    untracked: int  # connections that have no entry: the rules judge each of their packets


def between(met: Sequence[int], before: Snapshot, after: Snapshot) -> Snapshot:
    """The table behind one of several rows of a packet: as it left it at the interfaces `met`, elsewhere as it was."""
    done = np.isin(after.entries["eni"], met)
    still = ~np.isin(before.entries["eni"], met)
    return Snapshot(np.concatenate([after.entries[done], before.entries[still]]), after.clock)


def table_at(before: Snapshot, after: Snapshot, record: Any, labels: Labels) -> Table:
    """What a table holds, and what became of it since `before`; `record` is the packet that came."""
    old, new = live(before), live(after)
    old_numbers, new_numbers = numbers(old), numbers(new)
    marks = _marks(old, new, old_numbers, new_numbers)
    order = np.lexsort((new["flow"], new["eni"]))
    shown = order[_chosen(marks[order])]
    was = _earlier(old, old_numbers, new_numbers[shown][marks[shown] == 1])
    rows = []
    for place in shown.tolist():
        connection = read_connection(new[place], after.clock, labels.interfaces, labels.rules)
        mark = (SAME, CHANGED, NEW)[marks[place]]
        earlier = was.get(int(new_numbers[place]))
        state = None if earlier is None else state_word(_read(earlier, before.clock, labels))
        rows.append(_row(new[place], connection) | {"mark": mark, "was": state})
    gone = np.flatnonzero(~np.isin(old_numbers, new_numbers))
    left = [
        _row(old[place], _read(old[place], after.clock, labels))
        | {"fate": str(fate(old[place], after, new, record)), "late": _late(old[place], after)}
        for place in gone[:MOST_ROWS].tolist()
    ]
    entries = after.entries
    alive = (entries["use"] == LIVE) & (entries["expires"] > after.clock)
    untracked = int(np.count_nonzero(alive & (entries["status"] & NOT_TRACKED != 0)))
    return Table(rows, left, len(new), len(gone), untracked)


def live(table: Snapshot) -> Entries:
    """The entries that a packet would find."""
    entries = table.entries
    found: Entries = entries[
        (entries["use"] == LIVE) & (entries["expires"] > table.clock) & (entries["status"] & NOT_TRACKED == 0)
    ]
    return found


def numbers(entries: Entries) -> NDArray[np.int64]:
    """One number for each connection: its interface's and, behind it, its own there."""
    found: NDArray[np.int64] = entries["eni"].astype(np.int64) << 48 | entries["flow"]
    return found


def fate(entry: Any, after: Snapshot, new: Entries, record: Any) -> Fate:
    """Why an entry is not there any more; `new` are those that are."""
    if int(entry["expires"]) <= after.clock:
        return Fate.TIMED_OUT
    kept = after.entries[numbers(after.entries) == numbers(entry[None])[0]]
    if len(kept) and int(kept[0]["use"]) == LIVE:
        return Fate.UNTRACKED
    same = np.logical_and.reduce([new[name] == entry[name] for name in TUPLE])
    if same.any():
        return Fate.REPLACED
    quoted = bool(record["quoted"]) and has_tuple(entry, record, "quoted_")
    return Fate.DELETED if quoted or has_tuple(entry, record, "") else Fate.DROPPED


TUPLE = ("a_hi", "a_lo", "b_hi", "b_lo", "a_port", "b_port", "protocol", "family", "eni")


def _marks(
    old: Entries, new: Entries, old_numbers: NDArray[np.int64], new_numbers: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Of each new entry: 0 the same as before, 1 changed, 2 new."""
    order = np.argsort(old_numbers)
    if not len(order):
        return np.full(len(new), 2, np.int8)
    place = order[np.minimum(np.searchsorted(old_numbers, new_numbers, sorter=order), len(order) - 1)]
    known = old_numbers[place] == new_numbers
    differs = np.logical_or.reduce([old[place][name] != new[name] for name in SHOWN])
    return np.where(known, differs.astype(np.int8), np.int8(2))


def _chosen(marks: NDArray[np.int8]) -> NDArray[np.intp]:
    """The places that are told, in order: what changed first, then the latest connections."""
    if len(marks) <= MOST_ROWS:
        return np.arange(len(marks))
    first = np.lexsort((-np.arange(len(marks)), marks == 0))
    return np.sort(first[:MOST_ROWS])


def _earlier(old: Entries, old_numbers: NDArray[np.int64], changed: NDArray[np.int64]) -> dict[int, Any]:
    """What the changed connections were before, by number."""
    places = np.flatnonzero(np.isin(old_numbers, changed))
    return {int(old_numbers[place]): old[place] for place in places.tolist()}


def _read(entry: Any, now: int, labels: Labels) -> Connection:
    return read_connection(entry, now, labels.interfaces, labels.rules)


def _late(entry: Any, after: Snapshot) -> float | None:
    """For how many seconds an entry had been timed out; None where it was not."""
    over = after.clock - int(entry["expires"])
    return round(over / NS, 6) if over >= 0 else None


def _row(entry: Any, connection: Connection) -> dict[str, Any]:
    """One entry; `left` is in seconds."""
    protocol, number = protocol_word(connection.protocol), connection.icmp_id
    return {
        "key": f"{int(entry['eni'])}:{connection.flow}",
        "eni": connection.eni,
        "flow": connection.flow,
        "protocol": protocol if number is None else f"{protocol} id {number}",
        "originator": endpoint(connection.src, connection.protocol, connection.src_port),
        "responder": endpoint(connection.dst, connection.protocol, connection.dst_port),
        "state": state_word(connection),
        "answered": connection.answered,
        "assured": connection.assured,
        "left": round(max(connection.expires_in, 0.0), 6),
        "rule": connection.rule,
    }
