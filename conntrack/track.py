"""One packet against the table: NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED.

The order is nf_conntrack_in's (net/netfilter/nf_conntrack_core.c). A new connection is prepared in
the table's candidate record and enters the table only when the rules accept its packet (`confirm`);
what happens to an existing entry happens before the rules are asked, and stays.
"""

from conntrack.icmp import REDIRECT, UNTRACKED_FIRST, UNTRACKED_LAST, UNTRACKED_OTHERS
from conntrack.keys import NO_SLOT, has_ports, is_icmp, quoted_key
from conntrack.outcome import (
    BAD_HEADER,
    EXPIRED,
    FINE,
    FRAGMENT,
    ICMP_UNRELATED,
    KILL,
    MID_STREAM,
    NO_QUERY,
    NO_TRANSPORT,
    PASS,
    REPEAT,
    TABLE_FULL,
)
from conntrack.sctp_track import open_sctp, track_sctp
from conntrack.states import ESTABLISHED, INVALID, NEW, NO_STATE, RELATED, UNTRACKED
from conntrack.table import (
    ASSURED,
    FREE,
    GONE,
    LIVE,
    NOT_TRACKED,
    OPENED_BY_B,
    SEEN_REPLY,
    UNCOUNTED,
    Entry,
    FlowTable,
    Key,
    count_tracked,
    find_entry,
    is_live,
    key_hash,
    make_room,
    new_entry,
)
from conntrack.tcp import ORIGINAL, REPLY
from conntrack.tcp_track import open_tcp, track_tcp
from conntrack.timeouts import (
    AWS_STREAM,
    N_MAX,
    NS,
    S_EARLY_DROP,
    S_UDP_STREAM,
    T_ESTABLISHED,
    T_GENERIC,
    T_GRE,
    T_GRE_STREAM,
    T_ICMP,
    T_ICMPV6,
    T_UDP,
    T_UDP_STREAM,
    Settings,
)
from pcaps.accelerate import i64, kernel, rare_kernel
from pcaps.batch import BAD_TRANSPORT, Packet
from pcaps.batch import NO_TRANSPORT as STATUS_NO_TRANSPORT
from pcaps.icmp_quote import is_icmp_error
from pcaps.wire import ACK, FIN, GRE, ICMP, ICMPV6, RST, SCTP, SYN, TCP, UDP, UDPLITE

STREAM_AGE = 2 * NS  # Linux: UDP that is older and was answered is a stream
ONE_WAY, ANSWERED, ASKED_AGAIN, STREAM = 0, 1, 2, 3  # AWS: UDP by transactions


@kernel
def track_udp(entry: Entry, direction: int, settings: Settings, now: int) -> int:
    """UDP: a stream lives longer. Linux: answered and older than 2 s; AWS: a second transaction."""
    status = i64(entry["status"])
    if i64(settings["switches"][S_UDP_STREAM]) == AWS_STREAM:
        phase = i64(entry["state"])
        if (direction == REPLY and phase in (ONE_WAY, ASKED_AGAIN)) or (direction == ORIGINAL and phase == ANSWERED):
            phase += 1
        entry["state"] = phase
        stream = phase == STREAM
    else:
        if i64(entry["stream"]) == 0:
            entry["stream"] = now + STREAM_AGE
        stream = status & SEEN_REPLY != 0 and now > i64(entry["stream"])
    if stream:
        entry["status"] = status | ASSURED
    entry["expires"] = now + i64(settings["timeouts"][T_UDP_STREAM if stream else T_UDP])
    return PASS


@kernel
def track_pair(entry: Entry, first: int, later: int, settings: Settings, now: int) -> int:
    """UDP-Lite and GRE: once answered, the longer of two timeouts, and assured."""
    answered = i64(entry["status"]) & SEEN_REPLY != 0
    if answered:
        entry["status"] = i64(entry["status"]) | ASSURED
    entry["expires"] = now + i64(settings["timeouts"][later if answered else first])
    return PASS


@kernel
def track_entry(entry: Entry, direction: int, p: Packet, settings: Settings, now: int) -> int:
    """The packet's own protocol against its entry: PASS, REPEAT, KILL or a cause."""
    protocol = i64(p["protocol"])
    if protocol == TCP:
        return track_tcp(entry, direction, p, settings, now)
    if protocol == UDP:
        return track_udp(entry, direction, settings, now)
    if protocol == SCTP and has_ports(protocol, settings):
        return track_sctp(entry, direction, p, settings, now)
    if protocol == UDPLITE and has_ports(protocol, settings):
        return track_pair(entry, T_UDP, T_UDP_STREAM, settings, now)
    if protocol == GRE:
        return track_pair(entry, T_GRE, T_GRE_STREAM, settings, now)
    if is_icmp(i64(p["family"]), protocol):
        entry["expires"] = now + i64(settings["timeouts"][T_ICMP if protocol == ICMP else T_ICMPV6])
        return PASS
    entry["expires"] = now + i64(settings["timeouts"][T_GENERIC])
    return PASS


@kernel
def open_entry(candidate: Entry, forward: int, p: Packet, settings: Settings, now: int) -> int:
    """Prepare the candidate, whose key is set, for a first packet: FINE or a cause."""
    candidate["status"] = 0 if forward == 1 else OPENED_BY_B
    candidate["use"] = FREE
    candidate["state"] = 0
    candidate["stream"] = 0
    candidate["expires"] = now
    protocol = i64(p["protocol"])
    if protocol == TCP:
        cause = open_tcp(candidate, p, settings)
        if cause != FINE:
            return cause
    elif protocol == SCTP and has_ports(protocol, settings):
        cause = open_sctp(candidate, p, settings)
        if cause != FINE:
            return cause
    elif is_icmp(i64(p["family"]), protocol) and forward == 0:
        return NO_QUERY  # an answer opens nothing
    outcome = track_entry(candidate, ORIGINAL, p, settings, now)
    return FINE if outcome == PASS else outcome


@kernel
def remember_untracked(entry: Entry, settings: Settings, now: int) -> None:
    """An untracked connection has no state: only that it is untracked is remembered, as long as any entry is."""
    timeout = T_ESTABLISHED if i64(entry["protocol"]) == TCP else T_UDP_STREAM
    entry["state"] = 0
    entry["expires"] = now + i64(settings["timeouts"][timeout])


@kernel
def copy_key(entry: Entry, key: Key) -> None:
    """Write a key into an entry."""
    entry["a_hi"] = key["a_hi"]
    entry["a_lo"] = key["a_lo"]
    entry["b_hi"] = key["b_hi"]
    entry["b_lo"] = key["b_lo"]
    entry["a_port"] = key["a_port"]
    entry["b_port"] = key["b_port"]
    entry["protocol"] = key["protocol"]
    entry["family"] = key["family"]


@rare_kernel
def track_new(
    table: FlowTable, slot: int, eni: int, key: Key, p: Packet, settings: Settings, now: int
) -> tuple[int, int, int]:
    """A packet that no live entry fits: the candidate as NEW, or INVALID with its cause.

    The cause of NEW is EXPIRED where an entry was there and timed out.
    """
    entries = table.entries
    timed_out = i64(entries[slot]["use"]) == LIVE
    candidate = entries[len(entries) - 1]
    copy_key(candidate, key)
    candidate["eni"] = eni
    # Without early drop, room is asked for where the rules have let the packet in (firewall.tracked, admit).
    if i64(settings["switches"][S_EARLY_DROP]) != 0 and not make_room(table, i64(settings["switches"][N_MAX]), now):
        return INVALID, NO_SLOT, TABLE_FULL
    cause = open_entry(candidate, i64(key["forward"]), p, settings, now)
    if cause == FINE:
        return NEW, len(entries) - 1, EXPIRED if timed_out else FINE
    if timed_out and cause in (MID_STREAM, NO_QUERY):
        cause = EXPIRED
    return INVALID, NO_SLOT, cause


@kernel
def forget(table: FlowTable, entry: Entry) -> None:
    """Delete an entry; its key stays in its slot."""
    entry["use"] = GONE
    count_tracked(table, entry, -1)


@kernel
def opens_anew(p: Packet) -> bool:
    """A SYN: whether its connection is tracked is decided again, the rules may be others by now."""
    return i64(p["protocol"]) == TCP and i64(p["tcp_flags"]) & (SYN | ACK | RST | FIN) == SYN


@kernel
def track_known(table: FlowTable, eni: int, key: Key, p: Packet, settings: Settings, now: int) -> tuple[int, int, int]:
    """A packet with a tuple of its own: look it up, and go on with its entry or a candidate."""
    forward = i64(key["forward"])
    if forward < 0:
        return INVALID, NO_SLOT, NO_QUERY
    slot = find_entry(table, key, i64(key["hash"]), eni)
    entry = table.entries[slot]
    status = i64(p["status"])
    if status in (BAD_TRANSPORT, STATUS_NO_TRANSPORT) or i64(p["bad_checksum"]) != 0:
        cause = NO_TRANSPORT if status == STATUS_NO_TRANSPORT else BAD_HEADER
        has_tuple = i64(p["src_port"]) != 0 or i64(p["dst_port"]) != 0
        return INVALID, slot if has_tuple and is_live(entry, now) else NO_SLOT, cause
    if is_live(entry, now) and i64(entry["status"]) & NOT_TRACKED and opens_anew(p):
        entry["use"] = GONE
    if not is_live(entry, now):
        return track_new(table, slot, eni, key, p, settings, now)
    if i64(entry["status"]) & NOT_TRACKED:
        remember_untracked(entry, settings, now)
        return UNTRACKED, slot, FINE
    opened_forward = i64(entry["status"]) & OPENED_BY_B == 0
    direction = ORIGINAL if (forward == 1) == opened_forward else REPLY
    outcome = track_entry(entry, direction, p, settings, now)
    if outcome == REPEAT:
        forget(table, entry)
        return track_new(table, slot, eni, key, p, settings, now)
    if outcome not in (PASS, KILL):
        return INVALID, slot, outcome
    state = ESTABLISHED if direction == REPLY or i64(entry["status"]) & SEEN_REPLY else NEW
    if direction == REPLY:  # behind the tracker, as in the kernel: timeouts see it one packet later
        entry["status"] = i64(entry["status"]) | SEEN_REPLY
    if outcome == KILL:
        forget(table, entry)
    return state, slot, FINE


@rare_kernel
def track_error(table: FlowTable, eni: int, p: Packet, settings: Settings, now: int) -> tuple[int, int, int]:
    """An ICMP error: RELATED if it goes to the sender of a packet of a live connection.

    It opens, refreshes and changes nothing.
    """
    entries = table.entries
    candidate = entries[len(entries) - 1]
    if i64(p["quoted"]) == 0 or quoted_key(candidate, p, settings) < 0:
        return INVALID, NO_SLOT, ICMP_UNRELATED
    slot = find_entry(table, candidate, key_hash(candidate), eni)
    if not is_live(entries[slot], now):
        return INVALID, NO_SLOT, EXPIRED if i64(entries[slot]["use"]) == LIVE else ICMP_UNRELATED
    if p["dst_hi"] != p["quoted_src_hi"] or p["dst_lo"] != p["quoted_src_lo"]:
        return INVALID, slot, ICMP_UNRELATED
    return RELATED, slot, FINE


@kernel
def is_untracked_icmpv6(kind: int) -> bool:
    """Neighbour and multicast listener discovery: Linux keeps no state of them."""
    return UNTRACKED_FIRST <= kind <= UNTRACKED_LAST or kind in UNTRACKED_OTHERS


@kernel
def track(table: FlowTable, eni: int, key: Key, p: Packet, settings: Settings, now: int) -> tuple[int, int, int]:
    """(ct state, slot, cause) of a packet at interface `eni` at time `now` (ns); `key` is its own (KEY).

    The slot is that of the packet's live entry, the candidate's (the last) for a NEW connection, or
    NO_SLOT. After KILL the slot is not live any more. The packet's IP header was read.
    """
    if i64(p["fragment_id"]) >= 0:
        return NO_STATE, NO_SLOT, FRAGMENT
    family = i64(p["family"])
    if is_icmp(family, i64(p["protocol"])):
        if i64(p["status"]) == BAD_TRANSPORT or i64(p["bad_checksum"]) != 0:
            return INVALID, NO_SLOT, BAD_HEADER
        kind = i64(p["src_port"])
        if is_icmp_error(family, kind) or (family == 6 and kind == REDIRECT):
            return track_error(table, eni, p, settings, now)
        if family == 6 and is_untracked_icmpv6(kind):
            return UNTRACKED, NO_SLOT, FINE
    elif i64(p["protocol"]) in (ICMP, ICMPV6):  # of the other family
        return INVALID, NO_SLOT, NO_QUERY
    return track_known(table, eni, key, p, settings, now)


@kernel
def confirm(table: FlowTable, rule: int, extra_status: int) -> int:
    """Let the candidate into the table, as the next flow of its interface; its slot."""
    entries = table.entries
    candidate = entries[len(entries) - 1]
    eni = i64(candidate["eni"])
    hash_ = key_hash(candidate)
    slot = find_entry(table, candidate, hash_, eni)
    if slot == len(entries) - 1:
        slot = new_entry(table, hash_)
    if (
        i64(entries[slot]["use"]) == LIVE and not i64(entries[slot]["status"]) & UNCOUNTED
    ):  # timed out, its place is taken
        count_tracked(table, candidate, -1)
    if not extra_status & NOT_TRACKED:
        count_tracked(table, candidate, 1)
    table.flows[eni] += 1
    candidate["flow"] = table.flows[eni]
    candidate["rule"] = rule
    candidate["use"] = LIVE
    candidate["status"] = i64(candidate["status"]) | extra_status
    entries[slot] = candidate
    candidate["use"] = FREE
    return slot
