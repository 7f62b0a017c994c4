"""Which connection a packet belongs to: its tuple as the table's key, in order from either direction."""

import numpy as np

from conntrack.icmp import NO_QUERY as ASKS_NOTHING
from conntrack.table import HASH_SHIFT, NUMBER, FlowTable, Key, find_entry, is_live, key_hash
from conntrack.timeouts import AWS_PORTS, S_PORT_PROTOCOLS, Settings
from pcaps.accelerate import entry_kernel, i64, kernel, prefetch, rare_kernel
from pcaps.batch import OK, Packet
from pcaps.icmp_quote import is_icmp_error
from pcaps.wire import GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE

NO_SLOT = -1
NO_BITS, ALL_BITS = np.uint64(0), np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@entry_kernel
def is_icmp(family: int, protocol: int) -> bool:
    """ICMP over IPv4 or ICMPv6 over IPv6; the other pairings are nameless protocols."""
    return (family == 4 and protocol == ICMP) or (family == 6 and protocol == ICMPV6)


@kernel
def has_ports(protocol: int, settings: Settings) -> bool:
    """Protocols whose connections are told apart by ports, or by the call id of GRE version 1."""
    if protocol in (TCP, UDP):
        return True
    return protocol in (UDPLITE, SCTP, GRE) and i64(settings["switches"][S_PORT_PROTOCOLS]) != AWS_PORTS


@kernel
def source_first(
    src_hi: np.uint64, src_lo: np.uint64, src_port: int, dst_hi: np.uint64, dst_lo: np.uint64, dst_port: int
) -> bool:
    """True if the source is the lower end."""
    by_port = (src_lo == dst_lo) & (src_port <= dst_port)
    return bool((src_hi < dst_hi) | ((src_hi == dst_hi) & ((src_lo < dst_lo) | by_port)))


@kernel
def has_query(family: int, kind: int, settings: Settings) -> bool:
    """Whether an ICMP or ICMPv6 type asks a query or answers one."""
    return i64(settings["queries"][1 if family == 6 else 0, kind]) != ASKS_NOTHING


@kernel
def set_key(
    key: Key,
    family: int,
    protocol: int,
    src_hi: np.uint64,
    src_lo: np.uint64,
    dst_hi: np.uint64,
    dst_lo: np.uint64,
    src_port: int,
    dst_port: int,
    icmp_id: int,
    settings: Settings,
) -> int:
    """Write a tuple's key in order; 1: the packet goes from end a to end b, 0: back, -1: it has no key.

    ICMP and ICMPv6 have a key only for queries and their answers; the code is part of it.
    """
    key["family"] = family
    key["protocol"] = protocol
    if is_icmp(family, protocol):
        if not has_query(family, src_port, settings):
            return -1
        query = i64(settings["queries"][1 if family == 6 else 0, src_port])
        forward = query == src_port
        key["a_port"] = (query << 8) | dst_port
        key["b_port"] = icmp_id
    else:
        if not has_ports(protocol, settings):
            src_port = 0
            dst_port = 0
        forward = source_first(src_hi, src_lo, src_port, dst_hi, dst_lo, dst_port)
        back = i64(not forward)
        key["a_port"] = src_port ^ ((src_port ^ dst_port) * back)
        key["b_port"] = dst_port ^ ((src_port ^ dst_port) * back)
    # Without branches: packets go both ways, and none would be foreseen.
    back_bits = NO_BITS if forward else ALL_BITS
    different = (src_hi ^ dst_hi) & back_bits
    key["a_hi"] = src_hi ^ different
    key["b_hi"] = dst_hi ^ different
    different = (src_lo ^ dst_lo) & back_bits
    key["a_lo"] = src_lo ^ different
    key["b_lo"] = dst_lo ^ different
    return 1 if forward else 0


@kernel
def packet_key(key: Key, p: Packet, settings: Settings) -> int:
    """`set_key` with the packet's own tuple."""
    return set_key(
        key,
        i64(p["family"]),
        i64(p["protocol"]),
        p["src_hi"],
        p["src_lo"],
        p["dst_hi"],
        p["dst_lo"],
        i64(p["src_port"]),
        i64(p["dst_port"]),
        i64(p["icmp_id"]),
        settings,
    )


@kernel
def quoted_key(key: Key, p: Packet, settings: Settings) -> int:
    """`set_key` with the tuple that an ICMP error quotes."""
    return set_key(
        key,
        i64(p["family"]),
        i64(p["quoted_protocol"]),
        p["quoted_src_hi"],
        p["quoted_src_lo"],
        p["quoted_dst_hi"],
        p["quoted_dst_lo"],
        i64(p["quoted_src_port"]),
        i64(p["quoted_dst_port"]),
        i64(p["quoted_icmp_id"]),
        settings,
    )


@kernel
def make_key(key: Key, p: Packet, settings: Settings) -> None:
    """Write the packet's key (KEY) with its hash."""
    key["forward"] = packet_key(key, p, settings)
    key["hash"] = key_hash(key)


@kernel
def fetch_slot(table: FlowTable, key: Key) -> None:
    """Begin to fetch the slot that tells a key's entry."""
    prefetch(table.slots, i64(key["hash"]) & (len(table.slots) - 1))


@kernel
def fetch_entry(table: FlowTable, key: Key) -> None:
    """Begin to fetch the entry that a key will likely find: it comes while packets before it are judged."""
    slot = i64(table.slots[i64(key["hash"]) & (len(table.slots) - 1)])
    is_its = i64(slot >> HASH_SHIFT == i64(key["hash"]))  # counted, not asked: a branch would cost more than it saves
    prefetch(table.entries, ((slot & NUMBER) - 1) * is_its)  # the first one is near in any case


@rare_kernel
def peek(table: FlowTable, eni: int, p: Packet, settings: Settings, now: int) -> int:
    """The number of the packet's live entry, or of the one that an ICMP error quotes; NO_SLOT. Changes nothing."""
    entries = table.entries
    candidate = entries[len(entries) - 1]
    family = i64(p["family"])
    error = is_icmp(family, i64(p["protocol"])) and is_icmp_error(family, i64(p["src_port"]))
    if error and i64(p["quoted"]) == 0:
        return NO_SLOT
    forward = quoted_key(candidate, p, settings) if error else packet_key(candidate, p, settings)
    if i64(p["fragment_id"]) >= 0 or i64(p["status"]) != OK or forward < 0:
        return NO_SLOT
    slot = find_entry(table, candidate, key_hash(candidate), eni)
    return slot if is_live(entries[slot], now) else NO_SLOT
