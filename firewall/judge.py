"""The loop over packets: who judges, what the tracker says, which rule, which verdict.

A packet is judged at its sender's interface on the way out and at its receiver's on the way in. What
the sender denies never reaches the receiver. Only a NEW packet meets the rules
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html).
"""

import numpy as np
from numpy.typing import NDArray

from conntrack.keys import NO_SLOT, fetch_entry, fetch_slot, peek
from conntrack.states import NO_STATE
from conntrack.table import CLOCK, USED, FlowTable, Key, room
from conntrack.timeouts import S_IP_CHECKSUM, Settings
from conntrack.track import is_untracked_icmpv6
from firewall import verdict
from firewall.policy import JUDGED, Policy
from firewall.policy_kernel import (
    NO_RULE,
    NOBODY,
    NOT_EXEMPT,
    acl_denies,
    acl_row,
    exempt_address,
    exempt_service,
    is_subnet_broadcast,
    named_rule,
    owner,
    permits,
)
from firewall.tracked import Row, by_rule, judge_tracked, name_entry
from firewall.verdict import ALLOW, DENY, EGRESS, INGRESS, NO_DIRECTION
from pcaps.accelerate import entry_kernel, i64, kernel, rare_kernel
from pcaps.batch import Packet
from pcaps.wire import ICMPV6

ROWS_A_PACKET = 2  # egress at the sender, ingress at the receiver
STATEFUL, STATELESS, BORDER = 0, 1, 2  # the path with its table, rules alone, network ACLs alone
BY_ADDRESS = -2  # an end that nothing but the packet's addresses tells
AHEAD = 16  # packets; so far before one is judged its entry is fetched, and its slot as far before that
BROADCAST_V4 = 0xFFFF_FFFF_FFFF  # IPv4-mapped 255.255.255.255
MULTICAST_V4 = 0xFFFF_E  # upper bits of IPv4-mapped 224.0.0.0/4
MULTICAST_V6 = 0xFF  # upper bits of ff00::/8
LINK_LOCAL_V6 = 0xFE80 >> 6  # upper bits of fe80::/10
LOOPBACK_V4 = 127


@kernel
def is_group_address(family: int, hi: np.uint64, lo: np.uint64) -> bool:
    """Multicast or limited broadcast (RFC 1112 section 4, RFC 919 section 7, RFC 4291 section 2.7)."""
    if family == 4:
        return i64(lo >> np.uint64(28)) == MULTICAST_V4 or i64(lo) == BROADCAST_V4
    return i64(hi >> np.uint64(56)) == MULTICAST_V6


@kernel
def judge_stateless(
    p: Packet, eni: int, direction: int, peer_hi: np.uint64, peer_lo: np.uint64, policy: Policy, row: Row
) -> int:
    """The reason of a packet that meets the rules by itself, with no table."""
    rule = permits(policy, eni, direction, p, peer_hi, peer_lo)
    row["rule"] = named_rule(rule)
    return by_rule(rule, direction, verdict.RULE)


@kernel
def judge_through(
    p: Packet,
    key: Key,
    eni: int,
    direction: int,
    peer_hi: np.uint64,
    peer_lo: np.uint64,
    policy: Policy,
    table: FlowTable,
    settings: Settings,
    reading: int,
    now: int,
    row: Row,
) -> int:
    """The reason of a packet on its way through network ACL and security groups.

    It meets the ACL first on the way in and last on the way out, so that what the ACL denies on the way
    out has its connection all the same.
    https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html
    """
    entry = acl_row(policy, eni, direction, p, peer_hi, peer_lo)
    waits = i64(p["fragment_id"]) >= 0 and reading == STATEFUL and exempt_address(policy, eni, p, peer_hi, peer_lo)
    denied = acl_denies(policy, entry) and not waits
    if direction == INGRESS and denied:
        if reading == STATEFUL:
            note_entry(table, eni, p, settings, now, row)
        reason = verdict.NACL_INGRESS
    elif reading == BORDER:
        reason = verdict.NACL_EGRESS if denied else verdict.RULE
    else:
        if reading == STATELESS:
            reason = judge_stateless(p, eni, direction, peer_hi, peer_lo, policy, row)
        else:
            reason = judge_tracked(p, key, eni, direction, peer_hi, peer_lo, policy, table, settings, now, row)
        if not denied or i64(policy.reason_verdicts[reason]) == DENY:
            return reason
        reason = verdict.NACL_EGRESS
    row["rule"] = i64(policy.access.rows[entry]["rule"]) if entry >= 0 else NO_RULE
    return reason


@rare_kernel
def note_entry(table: FlowTable, eni: int, p: Packet, settings: Settings, now: int, row: Row) -> None:
    """Name the connection of a packet that the tracker does not see."""
    slot = peek(table, eni, p, settings, now)
    if slot != NO_SLOT:
        name_entry(row, table.entries[slot])


@kernel
def judge_at(
    p: Packet,
    key: Key,
    eni: int,
    direction: int,
    policy: Policy,
    table: FlowTable,
    settings: Settings,
    reading: int,
    now: int,
    foreign: bool,
    row: Row,
) -> int:
    """Judge a packet at one interface into `row`; returns the verdict.

    `foreign`: the end of the packet on the interface's side is none of its addresses.
    """
    incoming = direction == INGRESS
    peer_hi = p["src_hi"] if incoming else p["dst_hi"]
    peer_lo = p["src_lo"] if incoming else p["dst_lo"]
    service = exempt_service(policy, eni, p, incoming, peer_hi, peer_lo)
    # A fragment that waits for its datagram is not asked for its ports.
    if service != NOT_EXEMPT and (reading != STATEFUL or i64(p["fragment_id"]) < 0):
        row["rule"] = -2 - service
        reason = verdict.EXEMPTED
    elif i64(p["bad_ip_checksum"]) != 0 and i64(settings["switches"][S_IP_CHECKSUM]) != 0:
        reason = verdict.BAD_HEADER
    elif not_delivered(p, eni, policy):
        reason = verdict.NOT_DELIVERED
    elif foreign and fails_check(p, eni, incoming, policy):
        reason = verdict.SOURCE_DEST_CHECK
    else:
        reason = judge_through(p, key, eni, direction, peer_hi, peer_lo, policy, table, settings, reading, now, row)
    return finish_row(row, eni, direction, reason, policy)


@kernel
def not_delivered(p: Packet, eni: int, policy: Policy) -> bool:
    """A VPC delivers neither broadcast nor multicast; listener reports are the hosts' own business.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    family = i64(p["family"])
    if not policy.aws:
        return False
    if not is_group_address(family, p["dst_hi"], p["dst_lo"]):
        return is_subnet_broadcast(policy, eni, family, p["dst_lo"])
    return not (i64(p["protocol"]) == ICMPV6 and is_untracked_icmpv6(i64(p["src_port"])))


@kernel
def finish_row(row: Row, eni: int, direction: int, reason: int, policy: Policy) -> int:
    """Write what every row has; the verdict follows from the reason."""
    row["eni"] = eni
    row["direction"] = direction
    row["reason"] = reason
    row["verdict"] = policy.reason_verdicts[reason]
    return i64(policy.reason_verdicts[reason])


@kernel
def clear_row(row: Row, packet: int) -> None:
    """A row that says nothing yet of the packet."""
    row["packet"] = packet
    row["rule"] = NO_RULE
    row["ct_state"] = NO_STATE
    row["tcp_state"] = 0
    row["flow"] = 0


@kernel
def fails_check(p: Packet, eni: int, incoming: bool, policy: Policy) -> bool:
    """True if an interface may not send from, or receive for, an address that no file says is its own.

    Link-local addresses are every interface's, and before it has one it sends from the unspecified address.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html
    """
    if i64(policy.forwards[eni]):
        return False
    hi = p["dst_hi"] if incoming else p["src_hi"]
    lo = p["dst_lo"] if incoming else p["src_lo"]
    if i64(p["family"]) == 6:
        return i64(hi >> np.uint64(54)) != LINK_LOCAL_V6 and not (hi == 0 and lo == 0)
    return i64(lo & np.uint64(0xFFFF_FFFF)) != 0


@kernel
def is_loopback(family: int, hi: np.uint64, lo: np.uint64) -> bool:
    """127.0.0.0/8 (RFC 1122 section 3.2.1.3), ::1 (RFC 4291 section 2.5.3)."""
    if family == 4:
        return i64(lo >> np.uint64(24)) & 0xFF == LOOPBACK_V4
    return bool(hi == 0 and i64(lo) == 1)


@kernel
def told_end(ends: NDArray[np.int32], index: int, end: int, by_address: int) -> int:
    """The interface at one end of a packet: what the capture tells, else whose the address is."""
    if len(ends) == 0 or i64(ends[index, end]) == BY_ADDRESS:
        return by_address
    return i64(ends[index, end])


@kernel
def judge_packet(
    p: Packet,
    key: Key,
    index: int,
    owned: NDArray[np.int32],
    ends: NDArray[np.int32],
    policy: Policy,
    table: FlowTable,
    settings: NDArray[np.void],
    reading: int,
    now: int,
    out: NDArray[np.void],
    at: int,
) -> int:
    """Judge one packet at every interface that it passes, into rows from out[at]; returns how many."""
    row = out[at]
    clear_row(row, index)
    unread = i64(policy.status_reasons[i64(p["status"])])
    if unread != JUDGED:
        finish_row(row, NOBODY, NO_DIRECTION, unread, policy)
        return 1
    source, target = i64(owned[index, 0]), i64(owned[index, 1])
    sender, receiver = told_end(ends, index, 0, source), told_end(ends, index, 1, target)
    if sender == NOBODY and receiver == NOBODY:
        to_many = is_group_address(i64(p["family"]), p["dst_hi"], p["dst_lo"])
        reason = verdict.NOT_DELIVERED if policy.aws and to_many else verdict.OTHER_INTERFACE
        finish_row(row, NOBODY, NO_DIRECTION, reason, policy)
        return 1
    looped = is_loopback(i64(p["family"]), p["src_hi"], p["src_lo"])
    if sender == receiver or (looped and is_loopback(i64(p["family"]), p["dst_hi"], p["dst_lo"])):
        finish_row(row, max(sender, receiver), NO_DIRECTION, verdict.LOCAL, policy)
        return 1
    count = 0
    said = ALLOW
    for station in range(ROWS_A_PACKET):
        eni = receiver if station else sender
        if eni == NOBODY:
            continue
        row = out[at + count]
        clear_row(row, index)
        direction = INGRESS if station else EGRESS
        if said == DENY:
            finish_row(row, eni, INGRESS, verdict.DROPPED_AT_SENDER, policy)
        else:
            foreign = eni != (target if station else source)
            said = judge_at(p, key, eni, direction, policy, table, settings[eni], reading, now, foreign, row)
        count += 1
    return count


@entry_kernel
def fragment_place(policy: Policy, packets: NDArray[np.void], ends: NDArray[np.int32], index: int) -> int:
    """Which interface puts a fragment together with its others, as a number for the pair of its ends; or NOBODY.

    None does that is neither its sender nor its receiver, or both, and none whose network ACL stops it
    on the way in: an ACL sees fragments as they are, but for the first without ports.
    """
    p = packets[index]
    sender = told_end(ends, index, 0, owner(policy.owners, i64(p["family"]), p["src_hi"], p["src_lo"]))
    receiver = told_end(ends, index, 1, owner(policy.owners, i64(p["family"]), p["dst_hi"], p["dst_lo"]))
    if sender == receiver:
        return NOBODY
    stopped = sender == NOBODY and not exempt_address(policy, receiver, p, p["src_hi"], p["src_lo"])
    if stopped and acl_denies(policy, acl_row(policy, receiver, INGRESS, p, p["src_hi"], p["src_lo"])):
        return NOBODY
    return (sender + 1) << 16 | (receiver + 1)


@entry_kernel
def judge_batch(
    packets: NDArray[np.void],
    keys: NDArray[np.void],
    owned: NDArray[np.int32],
    ends: NDArray[np.int32],
    start: int,
    policy: Policy,
    table: FlowTable,
    settings: NDArray[np.void],
    reading: int,
    full: bool,
    out: NDArray[np.void],
    filled: int,
) -> tuple[int, int]:
    """Judge packets[start:] into out[filled:]; returns the next packet and the rows filled.

    Stops early where the table must grow first, unless it is `full`: then it cannot grow, and new
    connections are denied. `keys` are the packets' (`make_keys`), `owned` the interfaces by their addresses
    (`find_ends`). `ends` (int32[packet, 2]: sender, receiver) has no rows where the packets'
    addresses tell whose they are, see firewall.places. `out` has ROWS_A_PACKET rows a packet,
    `settings` a record an interface, at least one: timeouts differ, switches do not.
    """
    most = room(len(table.slots)) - ROWS_A_PACKET
    for index in range(start, len(packets)):
        if table.counts[USED] > most and not full:
            return index, filled
        if index + 2 * AHEAD < len(packets):
            fetch_slot(table, keys[index + 2 * AHEAD])
            fetch_entry(table, keys[index + AHEAD])
        p = packets[index]
        # Time stamps that go backwards never move the clock backwards.
        now = max(i64(p["time"]), i64(table.counts[CLOCK]))
        table.counts[CLOCK] = now
        filled += judge_packet(p, keys[index], index, owned, ends, policy, table, settings, reading, now, out, filled)
    return len(packets), filled
