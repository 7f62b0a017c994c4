"""A packet and the connection table: what the tracker says, which packets meet the rules, what enters the table.

Only a NEW packet meets the rules, and every packet of an untracked connection
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html).
"""

import numpy as np
from numpy.typing import NDArray

from conntrack.keys import NO_SLOT, has_query, is_icmp
from conntrack.outcome import BAD_FLAGS, BAD_HEADER, EXPIRED, FRAGMENT, MID_STREAM, NO_QUERY
from conntrack.states import ESTABLISHED, INVALID, NEW, RELATED, UNTRACKED
from conntrack.table import (
    AUTO_TRACKED,
    BEGUN,
    GONE,
    LATE,
    LIVE,
    NOT_TRACKED,
    OPENED_BY_B,
    RELEASED,
    UNDECIDED,
    USED,
    WIDENED,
    Entry,
    FlowTable,
    Key,
    count_tracked,
    has_room,
    room,
)
from conntrack.timeouts import (
    AWS_ERRORS,
    AWS_UNTRACKED,
    N_MAX,
    S_EARLY_DROP,
    S_ICMP_ERRORS,
    S_UNTRACKED,
    Settings,
)
from conntrack.track import confirm, remember_untracked, track
from firewall import verdict
from firewall.access_list import PROTOCOL_SHIFT
from firewall.policy import Policy
from firewall.policy_kernel import (
    NO_RULE,
    UNKNOWN_PEER,
    always_tracked,
    by_rule,
    named_rule,
    owner,
    permits,
    service_number,
    untracked_rule,
)
from firewall.rows import Row
from firewall.verdict import EGRESS, INGRESS
from pcaps.accelerate import entry_kernel, i64, kernel, rare_kernel
from pcaps.batch import Packet
from pcaps.icmp_quote import is_icmp_error
from pcaps.wire import ICMP, ICMPV6, TCP


@rare_kernel
def admit(
    table: FlowTable, slot: int, rule: int, reason: int, marks: int, settings: Settings, now: int
) -> tuple[int, int]:
    """(slot, reason) of a NEW packet that the rules have seen: an admitted candidate enters the table."""
    entries = table.entries
    if slot != len(entries) - 1:
        return slot, reason  # its entry is there, only not answered yet
    if rule == NO_RULE:
        return NO_SLOT, reason
    early_drop = i64(settings["switches"][S_EARLY_DROP]) != 0  # room was made before
    full = not early_drop and not has_room(table, i64(settings["switches"][N_MAX]), now)
    if full or table.counts[USED] >= room(len(table.slots)):
        return NO_SLOT, verdict.TABLE_FULL
    # The later packets of an undecidable flow are as undecidable as its first.
    undecided = rule <= UNKNOWN_PEER
    return confirm(table, named_rule(rule), marks | (UNDECIDED if undecided else 0)), reason


@kernel
def meets_rules(
    p: Packet, ct_state: int, slot: int, cause: int, table: FlowTable, policy: Policy, settings: Settings
) -> bool:
    """NEW packets do, and those of untracked connections; under aws also ICMP errors and what Linux leaves alone.

    An error passes without a rule where AWS says so: about an untracked or automatically tracked connection
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html).
    """
    if ct_state == UNTRACKED:
        return slot != NO_SLOT or policy.aws
    family = i64(p["family"])
    if is_icmp(family, i64(p["protocol"])) and is_icmp_error(family, i64(p["src_port"])):
        if ct_state == RELATED and i64(table.entries[slot]["status"]) & (NOT_TRACKED | AUTO_TRACKED):
            return False
        by_aws = i64(settings["switches"][S_ICMP_ERRORS]) == AWS_ERRORS
        return by_aws and cause not in (FRAGMENT, BAD_HEADER)
    if policy.aws and cause == NO_QUERY and is_icmp(family, i64(p["protocol"])):
        return not has_query(family, i64(p["src_port"]), settings)  # an answer needs its query, the rest a rule
    return ct_state == NEW


@kernel
def is_first_packet(ct_state: int, slot: int, cause: int, table: FlowTable) -> bool:
    """True if the table holds no connection of the packet: whatever its flags, AWS may leave it untracked."""
    if ct_state == NEW:
        return slot == len(table.entries) - 1
    return ct_state == INVALID and slot == NO_SLOT and cause in (MID_STREAM, BAD_FLAGS, EXPIRED)


@rare_kernel
def left_untracked(
    p: Packet,
    eni: int,
    direction: int,
    peer_hi: np.uint64,
    peer_lo: np.uint64,
    policy: Policy,
    table: FlowTable,
    settings: Settings,
    now: int,
) -> int:
    """The slot of a connection that the rules leave untracked from this packet on, or NO_SLOT."""
    if i64(settings["switches"][S_UNTRACKED]) != AWS_UNTRACKED:
        return NO_SLOT
    family, protocol = i64(p["family"]), i64(p["protocol"])
    rule = untracked_rule(policy, eni, direction, family, protocol, service_number(p), peer_hi, peer_lo)
    if rule == NO_RULE or table.counts[USED] >= room(len(table.slots)):
        return NO_SLOT
    remember_untracked(table.entries[len(table.entries) - 1], settings, now)
    return confirm(table, rule, NOT_TRACKED)


@kernel
def name_entry(row: Row, entry: Entry) -> None:
    """Write the connection's number into a row, and its TCP state where it has one."""
    row["flow"] = entry["flow"]
    if i64(entry["protocol"]) == TCP and not i64(entry["status"]) & NOT_TRACKED:
        row["tcp_state"] = entry["state"]


@kernel
def judge_tracked(
    p: Packet,
    key: Key,
    eni: int,
    direction: int,
    peer_hi: np.uint64,
    peer_lo: np.uint64,
    policy: Policy,
    table: FlowTable,
    settings: Settings,
    now: int,
    row: Row,
) -> int:
    """The reason of a packet under connection tracking; fills the row's state, flow and rule."""
    entries = table.entries
    ct_state, slot, cause = track(table, eni, key, p, settings, now)
    if is_first_packet(ct_state, slot, cause, table):
        untracked = left_untracked(p, eni, direction, peer_hi, peer_lo, policy, table, settings, now)
        if untracked != NO_SLOT:
            ct_state = UNTRACKED
            slot = untracked
    rule = NO_RULE
    if meets_rules(p, ct_state, slot, cause, table, policy, settings):
        rule = permits(policy, eni, direction, p, peer_hi, peer_lo)
        reason = by_rule(rule, direction, verdict.UNTRACKED if ct_state == UNTRACKED else verdict.RULE)
        if ct_state == NEW:
            if rule == NO_RULE and cause == EXPIRED and i64(p["protocol"]) in (TCP, ICMP, ICMPV6):
                table.counts[LATE] += 1
            automatic = always_tracked(policy, i64(p["family"]), peer_hi, peer_lo)
            slot, reason = admit(table, slot, rule, reason, AUTO_TRACKED if automatic else 0, settings, now)
    elif ct_state in (ESTABLISHED, RELATED):
        rule = i64(entries[slot]["rule"])
        reason = verdict.ESTABLISHED if ct_state == ESTABLISHED else verdict.RELATED
        if i64(entries[slot]["status"]) & UNDECIDED:
            reason = verdict.UNDECIDABLE
    elif ct_state == UNTRACKED:
        reason = verdict.UNTRACKED_DROPPED
    else:
        reason = i64(policy.cause_reasons[cause])
    row["ct_state"] = ct_state
    row["rule"] = NO_RULE if reason == verdict.TABLE_FULL else named_rule(rule)
    if slot != NO_SLOT and i64(entries[slot]["use"]) == LIVE:
        name_entry(row, entries[slot])
    return reason


@entry_kernel
def change_tracking(policy: Policy, table: FlowTable, settings: NDArray[np.void], now: int, convert: bool) -> int:
    """After a change of the rules: how many tracked connections they would leave untracked now, each counted once.

    `convert` leaves them so. What is untracked but would be tracked now is forgotten where it has no handshake
    (UDP): its next packet is decided anew. TCP's is with its next SYN, since AWS interrupts the old one.
    """
    found = 0
    for number in range(i64(table.counts[BEGUN])):
        entry = table.entries[number]
        status = i64(entry["status"])
        if i64(entry["use"]) != LIVE or i64(entry["expires"]) <= now or status & (RELEASED | WIDENED):
            continue
        untracked = opened_untracked(policy, entry)
        if status & NOT_TRACKED:
            if not untracked and i64(entry["protocol"]) != TCP:
                entry["use"] = GONE
        elif untracked:
            found += 1
            entry["status"] = status | WIDENED
            if convert:
                count_tracked(table, entry, -1)
                entry["status"] = status | NOT_TRACKED
                remember_untracked(entry, settings[i64(entry["eni"])], now)
    return found


@kernel
def opened_untracked(policy: Policy, entry: Entry) -> bool:
    """True if the rules would leave an entry's connection untracked, by its first packet.

    Whether that came in or went out is told by whose address opened it.
    """
    by_b = i64(entry["status"]) & OPENED_BY_B != 0
    family, protocol = i64(entry["family"]), i64(entry["protocol"])
    from_a = owner(policy.owners, family, entry["a_hi"], entry["a_lo"]) == i64(entry["eni"])
    direction = INGRESS if from_a == by_b else EGRESS
    service = protocol << PROTOCOL_SHIFT | i64(entry["a_port"] if by_b else entry["b_port"])
    peer_hi = entry["b_hi"] if from_a else entry["a_hi"]
    peer_lo = entry["b_lo"] if from_a else entry["a_lo"]
    eni = i64(entry["eni"])
    return untracked_rule(policy, eni, direction, family, protocol, service, peer_hi, peer_lo) != NO_RULE
