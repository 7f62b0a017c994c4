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
SHOWN_FIELDS = ["state", "status", "expires"]  # an entry is changed where one of these is
TUPLE = ("a_hi", "a_lo", "b_hi", "b_lo", "a_port", "b_port", "protocol", "family", "eni")
NEW, CHANGED, SAME = "new", "changed", "same"

Entries = NDArray[np.void]
Places = NDArray[np.intp]  # of entries in a table


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
    old_numbers, new_numbers = numbers(before.entries, old), numbers(after.entries, new)
    marks = _marks(before.entries[SHOWN_FIELDS][old], after.entries[SHOWN_FIELDS][new], old_numbers, new_numbers)
    order = np.lexsort((new_numbers,))
    shown = order[_chosen(marks[order])]
    was = _earlier(old, old_numbers, new_numbers[shown][marks[shown] == 1])
    rows = []
    for place in shown.tolist():
        mark = (SAME, CHANGED, NEW)[marks[place]]
        earlier = was.get(int(new_numbers[place]))
        state = None if earlier is None else state_word(_read(before.entries[earlier], before.clock, labels))
        rows.append(_row(after.entries[new[place]], after, labels) | {"mark": mark, "was": state})
    gone = old[~np.isin(old_numbers, new_numbers)]
    left = []
    for entry in before.entries[gone[:MOST_ROWS]]:
        came = {"fate": str(fate(entry, after, new, record)), "late": _late(entry, after)}
        left.append(_row(entry, after, labels) | came)
    return Table(rows, left, len(new), len(gone), len(live(after, tracked=False)))


def live(table: Snapshot, *, tracked: bool = True) -> Places:
    """The places of the entries that a packet would find; those of connections that are not tracked apart."""
    entries = table.entries
    untracked = entries["status"] & NOT_TRACKED != 0
    return np.flatnonzero((entries["use"] == LIVE) & (entries["expires"] > table.clock) & (untracked != tracked))


def numbers(entries: Entries, places: Places) -> NDArray[np.int64]:
    """One number for each connection: its interface's and, behind it, its own there."""
    found: NDArray[np.int64] = entries["eni"][places].astype(np.int64) << 48 | entries["flow"][places]
    return found


def fate(entry: Any, after: Snapshot, new: Places, record: Any) -> Fate:
    """Why an entry is not there any more; `new` are the places of those that are."""
    if int(entry["expires"]) <= after.clock:
        return Fate.TIMED_OUT
    entries = after.entries
    kept = entries[(entries["eni"] == entry["eni"]) & (entries["flow"] == entry["flow"])]
    if len(kept) and int(kept[0]["use"]) == LIVE:
        return Fate.UNTRACKED
    if np.logical_and.reduce([entries[name][new] == entry[name] for name in TUPLE]).any():
        return Fate.REPLACED
    quoted = bool(record["quoted"]) and has_tuple(entry, record, "quoted_")
    return Fate.DELETED if quoted or has_tuple(entry, record, "") else Fate.DROPPED


def _marks(
    old: Entries, new: Entries, old_numbers: NDArray[np.int64], new_numbers: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Of each new entry: 0 the same as before, 1 changed, 2 new."""
    order = np.argsort(old_numbers)
    if not len(order):
        return np.full(len(new), 2, np.int8)
    place = order[np.minimum(np.searchsorted(old_numbers, new_numbers, sorter=order), len(order) - 1)]
    known = old_numbers[place] == new_numbers
    differs = np.logical_or.reduce([old[name][place] != new[name] for name in SHOWN_FIELDS])
    return np.where(known, differs.astype(np.int8), np.int8(2))


def _chosen(marks: NDArray[np.int8]) -> NDArray[np.intp]:
    """The places that are told, in order: what changed first, then the latest connections."""
    if len(marks) <= MOST_ROWS:
        return np.arange(len(marks))
    first = np.lexsort((-np.arange(len(marks)), marks == 0))
    return np.sort(first[:MOST_ROWS])


def _earlier(old: Places, old_numbers: NDArray[np.int64], changed: NDArray[np.int64]) -> dict[int, int]:
    """Where the changed connections stood before, by number."""
    places = np.flatnonzero(np.isin(old_numbers, changed))
    return dict(zip(old_numbers[places].tolist(), old[places].tolist(), strict=True))


def _read(entry: Any, now: int, labels: Labels) -> Connection:
    return read_connection(entry, now, labels.interfaces, labels.rules)


def _late(entry: Any, after: Snapshot) -> float | None:
    """For how many seconds an entry had been timed out; None where it was not."""
    over = after.clock - int(entry["expires"])
    return round(over / NS, 6) if over >= 0 else None


def _row(entry: Any, table: Snapshot, labels: Labels) -> dict[str, Any]:
    """One entry at the time of a table; `left` is in seconds."""
    connection = _read(entry, table.clock, labels)
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
