"""Where a packet is judged, and what it meets there that asks no connection table.

A packet is judged at its sender's interface on the way out and at its receiver's on the way in: a row for
each. What the packet alone decides stands in its row when this is done; other rows say what they wait
for, and `firewall.judge` goes on with them. Nothing here remembers a packet, so a thread may do it ahead.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.keys import make_key
from conntrack.states import NO_STATE
from conntrack.table import KEY
from conntrack.timeouts import S_IP_CHECKSUM, Settings
from conntrack.track import is_untracked_icmpv6
from firewall import verdict
from firewall.policy import JUDGED, Policy
from firewall.policy_kernel import (
    NO_ENTRY,
    NO_RULE,
    NOBODY,
    NOT_EXEMPT,
    acl_denies,
    acl_row,
    by_rule,
    exempt_address,
    exempt_service,
    is_subnet_broadcast,
    named_rule,
    owner,
    permits,
)
from firewall.rows import VERDICT, Row
from firewall.verdict import DENY, EGRESS, INGRESS, NO_DIRECTION, NOT_EVALUATED
from pcaps.accelerate import entry_kernel, i64, kernel
from pcaps.batch import Packet
from pcaps.wire import ICMPV6

ROWS_A_PACKET = 2  # egress at the sender, ingress at the receiver
STATEFUL, STATELESS, BORDER = 0, 1, 2  # the path with its table, rules alone, network ACLs alone
BY_ADDRESS = -2  # an end that nothing but the packet's addresses tells

# --- what a row waits for, in the place of its reason ------------------------------------------------------
TO_TRACK = 253  # the connection table, and the rules where it holds no connection
TO_STOP = 254  # the same; but the ACL entry in the place of its rule denies what they let out
TO_NAME = 255  # an ACL denied it on the way in; only its connection is to be named
WAITING = TO_TRACK  # and above

BROADCAST_V4 = 0xFFFF_FFFF_FFFF  # IPv4-mapped 255.255.255.255
MULTICAST_V4 = 0xFFFF_E  # upper bits of IPv4-mapped 224.0.0.0/4
MULTICAST_V6 = 0xFF  # upper bits of ff00::/8
LINK_LOCAL_V6 = 0xFE80 >> 6  # upper bits of fe80::/10
LOOPBACK_V4 = 127


class Met(NamedTuple):
    """A batch behind its stations: the packets' keys (KEY), and the rows (VERDICT) of all, in packet order.

    `firewall.judge` completes the rows where they are.
    """

    keys: NDArray[np.void]
    rows: NDArray[np.void]


def meet(
    records: NDArray[np.void], ends: NDArray[np.int32], policy: Policy, settings: NDArray[np.void], reading: int
) -> Met:
    """What packets (PACKET) meet before the table. `ends` and `settings` as in `fill_rows`."""
    keys = np.empty(len(records), KEY)
    rows = np.empty(len(records) * ROWS_A_PACKET, VERDICT)
    return Met(keys, rows[: fill_rows(records, ends, policy, settings, reading, keys, rows)])


# --- addresses -----------------------------------------------------------------------------------------
@kernel
def is_group_address(family: int, hi: np.uint64, lo: np.uint64) -> bool:
    """Multicast or limited broadcast (RFC 1112 section 4, RFC 919 section 7, RFC 4291 section 2.7)."""
    if family == 4:
        return i64(lo >> np.uint64(28)) == MULTICAST_V4 or i64(lo) == BROADCAST_V4
    return i64(hi >> np.uint64(56)) == MULTICAST_V6


@kernel
def is_loopback(family: int, hi: np.uint64, lo: np.uint64) -> bool:
    """127.0.0.0/8 (RFC 1122 section 3.2.1.3), ::1 (RFC 4291 section 2.5.3)."""
    if family == 4:
        return i64(lo >> np.uint64(24)) & 0xFF == LOOPBACK_V4
    return bool(hi == 0 and i64(lo) == 1)


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
def told_end(ends: NDArray[np.int32], index: int, end: int, by_address: int) -> int:
    """The interface at one end of a packet: what the capture tells, else whose the address is."""
    if len(ends) == 0 or i64(ends[index, end]) == BY_ADDRESS:
        return by_address
    return i64(ends[index, end])


@kernel
def peer_address(p: Packet, direction: int) -> tuple[np.uint64, np.uint64]:
    """The other end's address, as an interface sees a packet that comes in or goes out."""
    if direction == INGRESS:
        return p["src_hi"], p["src_lo"]
    return p["dst_hi"], p["dst_lo"]


# --- rows ----------------------------------------------------------------------------------------------
@kernel
def write_row(row: Row, packet: int, eni: int, direction: int, rule: int, reason: int, policy: Policy) -> None:
    """A row without a connection; the verdict follows from the reason."""
    row["packet"] = packet
    row["eni"] = eni
    row["direction"] = direction
    row["rule"] = rule
    row["reason"] = reason
    row["verdict"] = NOT_EVALUATED if reason >= WAITING else policy.reason_verdicts[reason]
    row["ct_state"] = NO_STATE
    row["tcp_state"] = 0
    row["flow"] = 0


@kernel
def entry_rule(policy: Policy, entry: int) -> int:
    """The number of an ACL entry among the rules; NO_RULE where none is asked."""
    return i64(policy.access.rows[entry]["rule"]) if entry != NO_ENTRY else NO_RULE


# --- one packet ----------------------------------------------------------------------------------------
@kernel
def judge_through(
    p: Packet, eni: int, direction: int, peer_hi: np.uint64, peer_lo: np.uint64, policy: Policy, reading: int
) -> tuple[int, int]:
    """(rule, reason) of a packet on its way through network ACL and security groups, or what it waits for.

    It meets the ACL first on the way in and last on the way out, so that what the ACL denies on the way
    out has its connection all the same.
    https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html
    """
    entry = acl_row(policy, eni, direction, p, peer_hi, peer_lo)
    waits = i64(p["fragment_id"]) >= 0 and reading == STATEFUL and exempt_address(policy, eni, p, peer_hi, peer_lo)
    denied = acl_denies(policy, entry) and not waits
    if reading == STATEFUL:
        if not denied:
            return NO_RULE, TO_TRACK
        return entry_rule(policy, entry), TO_NAME if direction == INGRESS else TO_STOP
    if denied and direction == INGRESS:
        return entry_rule(policy, entry), verdict.NACL_INGRESS
    if reading == STATELESS:
        rule = permits(policy, eni, direction, p, peer_hi, peer_lo)
        reason = by_rule(rule, direction, verdict.RULE)
        if not denied or i64(policy.reason_verdicts[reason]) == DENY:
            return named_rule(rule), reason
    return entry_rule(policy, entry), verdict.NACL_EGRESS if denied else verdict.RULE


@kernel
def judge_at(
    p: Packet, eni: int, direction: int, foreign: bool, policy: Policy, settings: Settings, reading: int
) -> tuple[int, int]:
    """(rule, reason) of a packet at one interface, or what it waits for.

    `foreign`: the end of the packet on the interface's side is none of its addresses.
    """
    incoming = direction == INGRESS
    peer_hi, peer_lo = peer_address(p, direction)
    service = exempt_service(policy, eni, p, incoming, peer_hi, peer_lo)
    # A fragment that waits for its datagram is not asked for its ports.
    if service != NOT_EXEMPT and (reading != STATEFUL or i64(p["fragment_id"]) < 0):
        return -2 - service, verdict.EXEMPTED
    if i64(p["bad_ip_checksum"]) != 0 and i64(settings["switches"][S_IP_CHECKSUM]) != 0:
        return NO_RULE, verdict.BAD_HEADER
    if not_delivered(p, eni, policy):
        return NO_RULE, verdict.NOT_DELIVERED
    if foreign and fails_check(p, eni, incoming, policy):
        return NO_RULE, verdict.SOURCE_DEST_CHECK
    return judge_through(p, eni, direction, peer_hi, peer_lo, policy, reading)


@kernel
def meet_packet(
    p: Packet,
    index: int,
    ends: NDArray[np.int32],
    policy: Policy,
    settings: Settings,
    reading: int,
    rows: NDArray[np.void],
    filled: int,
) -> int:
    """Write the rows of one packet, from rows[filled] on; how many rows are filled then."""
    unread = i64(policy.status_reasons[i64(p["status"])])
    if unread != JUDGED:
        write_row(rows[filled], index, NOBODY, NO_DIRECTION, NO_RULE, unread, policy)
        return filled + 1
    family = i64(p["family"])
    source = owner(policy.owners, family, p["src_hi"], p["src_lo"])
    target = owner(policy.owners, family, p["dst_hi"], p["dst_lo"])
    sender, receiver = told_end(ends, index, 0, source), told_end(ends, index, 1, target)
    if sender == NOBODY and receiver == NOBODY:
        to_many = is_group_address(family, p["dst_hi"], p["dst_lo"])
        reason = verdict.NOT_DELIVERED if policy.aws and to_many else verdict.OTHER_INTERFACE
        write_row(rows[filled], index, NOBODY, NO_DIRECTION, NO_RULE, reason, policy)
        return filled + 1
    looped = is_loopback(family, p["src_hi"], p["src_lo"]) and is_loopback(family, p["dst_hi"], p["dst_lo"])
    if sender == receiver or looped:
        write_row(rows[filled], index, max(sender, receiver), NO_DIRECTION, NO_RULE, verdict.LOCAL, policy)
        return filled + 1
    # Which end is simulated is as random as the packets' ways: counted, not asked.
    for station in range(i64(sender == NOBODY), ROWS_A_PACKET - i64(receiver == NOBODY)):
        eni = receiver if station else sender
        direction = INGRESS if station else EGRESS
        foreign = eni != (target if station else source)
        rule, reason = judge_at(p, eni, direction, foreign, policy, settings, reading)
        write_row(rows[filled], index, eni, direction, rule, reason, policy)
        filled += 1
    return filled


@entry_kernel
def fill_rows(
    packets: NDArray[np.void],
    ends: NDArray[np.int32],
    policy: Policy,
    settings: NDArray[np.void],
    reading: int,
    keys: NDArray[np.void],
    rows: NDArray[np.void],
) -> int:
    """Write the keys of packets, and the rows of all, ROWS_A_PACKET or fewer for each; how many rows.

    `ends` (int32[packet, 2]: sender, receiver) has no rows where the packets' addresses tell whose they
    are, see firewall.places. `settings` has a record an interface, at least one: the switches are the same in all.
    """
    filled = 0
    for index in range(len(packets)):
        p = packets[index]
        make_key(keys[index], p, settings[0])
        filled = meet_packet(p, index, ends, policy, settings[0], reading, rows, filled)
    return filled


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
