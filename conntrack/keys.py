"""Which connection a packet belongs to: its tuple as the table's key, in order from either direction."""

import numpy as np
from numpy.typing import NDArray

from conntrack.icmp import NO_QUERY as ASKS_NOTHING
from conntrack.table import AHEAD, FlowTable, Key, find_slot, is_live, key_hash
from conntrack.timeouts import AWS_PORTS, S_PORT_PROTOCOLS, Settings
from pcaps.accelerate import entry_kernel, i64, kernel, prefetch
from pcaps.batch import OK, Packet
from pcaps.icmp_quote import is_icmp_error
from pcaps.wire import GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE

NO_SLOT = -1


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
    """True if the source is the lower end. Without branches: packets go both ways, and none would be foreseen."""
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
    if is_icmp(family, protocol):
        if not has_query(family, src_port, settings):
            return -1
        query = i64(settings["queries"][1 if family == 6 else 0, src_port])
        a_port = (query << 8) | dst_port
        b_port = icmp_id
        forward = query == src_port
    else:
        if not has_ports(protocol, settings):
            src_port = 0
            dst_port = 0
        forward = source_first(src_hi, src_lo, src_port, dst_hi, dst_lo, dst_port)
        a_port = src_port if forward else dst_port
        b_port = dst_port if forward else src_port
    key["family"] = family
    key["protocol"] = protocol
    key["a_port"] = a_port
    key["b_port"] = b_port
    key["a_hi"] = src_hi if forward else dst_hi
    key["a_lo"] = src_lo if forward else dst_lo
    key["b_hi"] = dst_hi if forward else src_hi
    key["b_lo"] = dst_lo if forward else src_lo
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
def look_ahead(table: FlowTable, packets: NDArray[np.void], index: int, settings: Settings) -> None:
    """Make the key of packet `index`, and begin to fetch the entry that it will find.

    The entries of a table that no cache holds come while the packets before this one are judged.
    """
    key = table.keys[index & (AHEAD - 1)]
    key["forward"] = packet_key(key, packets[index], settings)
    key["hash"] = key_hash(key)
    prefetch(table.entries, i64(key["hash"]) & (len(table.entries) - 2))


@entry_kernel
def peek(entries: NDArray[np.void], eni: int, p: Packet, settings: Settings, now: int) -> int:
    """The slot of the packet's live entry, or of the one that an ICMP error quotes; NO_SLOT. Changes nothing."""
    candidate = entries[len(entries) - 1]
    family = i64(p["family"])
    error = is_icmp(family, i64(p["protocol"])) and is_icmp_error(family, i64(p["src_port"]))
    if error and i64(p["quoted"]) == 0:
        return NO_SLOT
    forward = quoted_key(candidate, p, settings) if error else packet_key(candidate, p, settings)
    if i64(p["fragment_id"]) >= 0 or i64(p["status"]) != OK or forward < 0:
        return NO_SLOT
    slot = find_slot(entries, candidate, key_hash(candidate), eni)
    return slot if is_live(entries[slot], now) else NO_SLOT
