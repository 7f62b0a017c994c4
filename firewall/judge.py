"""The loop over rows: those that wait are judged by the connection table and the rules.

Only a NEW packet meets the rules
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html). What the sender's
interface denies never reaches the receiver's.
"""

import numpy as np
from numpy.typing import NDArray

from conntrack.keys import NO_SLOT, fetch_entry, fetch_slot, peek
from conntrack.table import CLOCK, USED, FlowTable, Key, room
from conntrack.timeouts import Settings
from firewall import verdict
from firewall.policy import Policy
from firewall.policy_kernel import NO_RULE
from firewall.rows import Row
from firewall.stations import ROWS_A_PACKET, TO_NAME, TO_STOP, WAITING, peer_address, write_row
from firewall.tracked import judge_tracked, name_entry
from firewall.verdict import DENY, INGRESS
from pcaps.accelerate import entry_kernel, i64, kernel, rare_kernel
from pcaps.batch import Packet

AHEAD = 16  # packets; so far before one is judged its entry is fetched, and its slot as far before that


@rare_kernel
def note_entry(table: FlowTable, eni: int, p: Packet, settings: Settings, now: int, row: Row) -> None:
    """Name the connection of a packet that the tracker does not see."""
    slot = peek(table, eni, p, settings, now)
    if slot != NO_SLOT:
        name_entry(row, table.entries[slot])


@kernel
def judge_row(p: Packet, key: Key, row: Row, policy: Policy, table: FlowTable, settings: Settings, now: int) -> None:
    """Go on with a row that waits."""
    waits_for, stopped_by = i64(row["reason"]), i64(row["rule"])
    eni, direction = i64(row["eni"]), i64(row["direction"])
    if waits_for == TO_NAME:
        note_entry(table, eni, p, settings, now, row)
        reason = verdict.NACL_INGRESS
    else:
        peer_hi, peer_lo = peer_address(p, direction)
        reason = judge_tracked(p, key, eni, direction, peer_hi, peer_lo, policy, table, settings, now, row)
        if waits_for == TO_STOP and i64(policy.reason_verdicts[reason]) != DENY:
            row["rule"] = stopped_by
            reason = verdict.NACL_EGRESS
    row["reason"] = reason
    row["verdict"] = policy.reason_verdicts[reason]


@entry_kernel
def judge_rows(
    packets: NDArray[np.void],
    keys: NDArray[np.void],
    policy: Policy,
    table: FlowTable,
    settings: NDArray[np.void],
    full: bool,
    rows: NDArray[np.void],
    start: int,
) -> int:
    """Judge rows[start:] of packets, as `firewall.stations.fill_rows` left them; returns the next row.

    Rows that do not wait move the clock, and what its sender denies is not judged at its receiver.
    Stops in front of a packet where the table must grow first, unless it is `full`: then it cannot grow, and new
    connections are denied. `keys` are the packets', `settings` has a record an interface, at least one.
    """
    most = room(len(table.slots)) - ROWS_A_PACKET
    for at in range(start, len(rows)):
        row = rows[at]
        index = i64(row["packet"])
        again = at > 0 and i64(rows[at - 1]["packet"]) == index  # at its receiver, behind its sender
        if not again and table.counts[USED] > most and not full:
            return at
        if index + 2 * AHEAD < len(packets):
            fetch_slot(table, keys[index + 2 * AHEAD])
            fetch_entry(table, keys[index + AHEAD])
        p = packets[index]
        # Time stamps that go backwards never move the clock backwards.
        now = max(i64(p["time"]), i64(table.counts[CLOCK]))
        table.counts[CLOCK] = now
        eni = i64(row["eni"])
        if again and i64(rows[at - 1]["verdict"]) == DENY:
            write_row(row, index, eni, INGRESS, NO_RULE, verdict.DROPPED_AT_SENDER, policy)
        elif i64(row["reason"]) >= WAITING:
            judge_row(p, keys[index], row, policy, table, settings[eni], now)
    return len(rows)
