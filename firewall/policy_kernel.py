"""The questions that the engine asks of a Policy: whose address, which rule, whether ever filtered."""

import numpy as np
from numpy.typing import NDArray

from firewall import verdict
from firewall.access_list import PROTOCOL_SHIFT, UNKNOWN_PORTS, WORD, Arrays
from firewall.policy import NO_LIST, Policy
from pcaps.accelerate import entry_kernel, i64, kernel, rare_kernel
from pcaps.batch import BAD_TRANSPORT, NO_TRANSPORT, Packet
from pcaps.wire import ICMP, ICMPV6, TCP, UDP

NOBODY = -1
NO_RULE = -1
UNKNOWN_PEER = -2  # and below: no rule matches, but one could, whose peer's members are unknown
FIRST_UNKNOWN = -3  # less the number of that rule
NOT_EXEMPT = -1
NO_ENTRY = -1  # no network ACL stands in the way

LINK_LOCAL_V4 = 0xFFFF_A9FE  # upper bits of IPv4-mapped 169.254.0.0/16
AWS_V6 = 0xFD00_0EC2  # fd00:ec2::/32
ROUTER_V6 = 0xFE80_0EC2  # fe80:ec2::/32
DHCP_PORTS_LOW, DHCP_PORTS_HIGH = 67, 68
DHCPV6_PORTS_LOW, DHCPV6_PORTS_HIGH = 546, 547


@kernel
def below(left_hi: np.uint64, left_lo: np.uint64, right_hi: np.uint64, right_lo: np.uint64) -> bool:
    """Left < right, as 128-bit addresses. Without branches: no processor foresees them."""
    return bool((left_hi < right_hi) | ((left_hi == right_hi) & (left_lo < right_lo)))


@kernel
def owner(owners: NDArray[np.void], family: int, hi: np.uint64, lo: np.uint64) -> int:
    """The interface that has the address, or NOBODY; a binary search.

    An IPv6 packet may carry an IPv4-mapped address: that is nobody's IPv4 address.
    """
    if len(owners) == 0:
        return NOBODY
    at = first_not_below(owners, 0, len(owners), hi, lo)
    span = owners[min(at, len(owners) - 1)]
    outside = (at == len(owners)) | (i64(span["family"]) != family) | below(hi, lo, span["low_hi"], span["low_lo"])
    return NOBODY if outside else i64(span["eni"])


@kernel
def first_not_below(spans: NDArray[np.void], start: int, stop: int, hi: np.uint64, lo: np.uint64) -> int:
    """Of disjoint spans in order, the first that does not end before the address; `stop` if all do."""
    low, left = start, stop - start
    while left > 0:
        half = (left + 1) >> 1
        last = spans[low + half - 1]
        low += half if below(last["high_hi"], last["high_lo"], hi, lo) else 0
        left -= half
    return low


@kernel
def in_spans(spans: NDArray[np.void], start: int, stop: int, hi: np.uint64, lo: np.uint64) -> bool:
    """True if the address lies in one of the disjoint, ordered spans[start:stop]."""
    at = first_not_below(spans, start, stop, hi, lo)
    return at < stop and not below(hi, lo, spans[at]["low_hi"], spans[at]["low_lo"])


@kernel
def always_tracked(policy: Policy, family: int, hi: np.uint64, lo: np.uint64) -> bool:
    """True if AWS tracks the peer's connections whatever the rules."""
    at = 0 if family == 4 else 1
    return in_spans(policy.auto_tracked, i64(policy.auto_starts[at]), i64(policy.auto_starts[at + 1]), hi, lo)


@kernel
def in_subnet(policy: Policy, eni: int, family: int, hi: np.uint64, lo: np.uint64) -> bool:
    """True if the address lies in the interface's subnet, as far as its blocks are stated."""
    at = 2 * eni + (0 if family == 4 else 1)
    return in_spans(policy.subnets, i64(policy.subnet_starts[at]), i64(policy.subnet_starts[at + 1]), hi, lo)


@kernel
def is_subnet_broadcast(policy: Policy, eni: int, family: int, lo: np.uint64) -> bool:
    """True for the last IPv4 address of the interface's subnet (RFC 919 section 7)."""
    if family != 4:
        return False
    for at in range(i64(policy.subnet_starts[2 * eni]), i64(policy.subnet_starts[2 * eni + 1])):
        if policy.subnets[at]["high_lo"] == lo:
            return True
    return False


@kernel
def ports_unknown(p: Packet) -> bool:
    """A later fragment, or a header that cannot be read: its port columns say nothing."""
    return i64(p["fragment_offset"]) != 0 or i64(p["status"]) in (BAD_TRANSPORT, NO_TRANSPORT)


@kernel
def service_number(p: Packet) -> int:
    """The packet's service as access lists number it (firewall.access_list)."""
    protocol = i64(p["protocol"])
    if ports_unknown(p):
        return UNKNOWN_PORTS | protocol << PROTOCOL_SHIFT
    if protocol in (ICMP, ICMPV6):
        return protocol << PROTOCOL_SHIFT | (i64(p["src_port"]) & 0xFF) << 8 | i64(p["dst_port"]) & 0xFF
    return protocol << PROTOCOL_SHIFT | i64(p["dst_port"])


@kernel
def short_set(short: NDArray[np.void], start: int, stop: int, value: int) -> int:
    """Where the set of rules for a service or an IPv4 address stands."""
    low, high = start, stop
    while high - low > 1:  # the first segment starts at 0
        middle = (low + high) >> 1
        if i64(short[middle]["low"]) <= value:
            low = middle
        else:
            high = middle
    return i64(short[low]["set"])


@kernel
def long_set(long: NDArray[np.void], start: int, stop: int, hi: np.uint64, lo: np.uint64) -> int:
    """Where the set of rules for an IPv6 address stands."""
    low, high = start, stop
    while high - low > 1:
        middle = (low + high) >> 1
        if below(hi, lo, long[middle]["hi"], long[middle]["lo"]):
            high = middle
        else:
            low = middle
    return i64(long[low]["set"])


@kernel
def service_set(access: Arrays, listed: np.void, service: int) -> int:
    """Where the set of rules for a service stands."""
    return short_set(access.short, i64(listed["services"][0]), i64(listed["services"][1]), service)


@kernel
def address_set(access: Arrays, listed: np.void, family: int, hi: np.uint64, lo: np.uint64) -> int:
    """Where the set of rules for a peer's address stands."""
    if family == 4:
        address = i64(lo & np.uint64(0xFFFF_FFFF))
        return short_set(access.short, i64(listed["v4"][0]), i64(listed["v4"][1]), address)
    return long_set(access.long, i64(listed["v6"][0]), i64(listed["v6"][1]), hi, lo)


@kernel
def lowest_bit(word: int) -> int:
    """The place of the lowest bit of a word that is not zero."""
    place = 0
    step = WORD >> 1
    while step:
        if word & ((1 << step) - 1) == 0:
            word >>= step
            place += step
        step >>= 1
    return place


@kernel
def first_in_both(sets: NDArray[np.int64], left: int, right: int, words: int) -> int:
    """The first member that two sets share, or NO_RULE."""
    above = (words + WORD - 1) // WORD
    for part in range(above):
        marks = i64(sets[left + part]) & i64(sets[right + part])
        while marks:
            word = part * WORD + lowest_bit(marks)
            common = i64(sets[left + above + word]) & i64(sets[right + above + word])
            if common:
                return word * WORD + lowest_bit(common)
            marks &= marks - 1
    return NO_RULE


@rare_kernel
def first_row(access: Arrays, number: int, p: Packet, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The first row of an access list that fits a packet with this peer, or NO_RULE."""
    listed = access.lists[number]
    fitting = address_set(access, listed, i64(p["family"]), peer_hi, peer_lo)
    member = first_in_both(access.sets, fitting, service_set(access, listed, service_number(p)), i64(listed["words"]))
    return member if member == NO_RULE else i64(listed["rows"]) + member


@kernel
def open_to_anywhere(policy: Policy, eni: int, direction: int, family: int, service: int) -> int:
    """A rule that allows the service from or to anywhere, or NO_RULE."""
    access = policy.access
    listed = access.lists[i64(policy.group_lists[eni, direction - 1])]
    anywhere = i64(listed["anywhere"][0 if family == 4 else 1])
    member = first_in_both(access.sets, anywhere, service_set(access, listed, service), i64(listed["words"]))
    return member if member == NO_RULE else i64(access.rows[i64(listed["rows"]) + member]["rule"])


@kernel
def untracked_rule(
    policy: Policy,
    eni: int,
    direction: int,
    family: int,
    protocol: int,
    service: int,
    peer_hi: np.uint64,
    peer_lo: np.uint64,
) -> int:
    """The rule that leaves a TCP or UDP connection untracked, by its first packet; or NO_RULE.

    A rule of its direction allows it from or to anywhere, the other direction is wide open, and the
    peer is not one that AWS always tracks.
    """
    if protocol not in (TCP, UDP):
        return NO_RULE
    if not i64(policy.open_ways[eni, 2 - direction, 0 if family == 4 else 1, 0 if protocol == TCP else 1]):
        return NO_RULE
    if always_tracked(policy, family, peer_hi, peer_lo):
        return NO_RULE
    return open_to_anywhere(policy, eni, direction, family, service)


@rare_kernel
def permits(policy: Policy, eni: int, direction: int, p: Packet, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The first rule of the interface and direction that allows the packet.

    NO_RULE if none does; if none does but a rule with unknown members might, FIRST_UNKNOWN less its number,
    UNKNOWN_PEER where even the rule is unknown.
    """
    row = first_row(policy.access, i64(policy.group_lists[eni, direction - 1]), p, peer_hi, peer_lo)
    if row == NO_RULE:
        return NO_RULE
    rule = i64(policy.access.rows[row]["rule"])
    return FIRST_UNKNOWN - rule if i64(policy.access.rows[row]["unknown"]) else rule


@kernel
def named_rule(permitted: int) -> int:
    """The rule that an answer of `permits` is about: the one that allows, or that might; or NO_RULE."""
    return FIRST_UNKNOWN - permitted if permitted <= UNKNOWN_PEER else permitted


@kernel
def by_rule(permitted: int, direction: int, allowed: int) -> int:
    """The reason that follows from `permits`; `allowed` is that of a rule."""
    if permitted >= 0:
        return allowed
    if permitted <= UNKNOWN_PEER:
        return verdict.UNDECIDABLE
    return verdict.NO_INGRESS_RULE if direction == verdict.INGRESS else verdict.NO_EGRESS_RULE


@kernel
def acl_row(policy: Policy, eni: int, direction: int, p: Packet, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The row of the network ACL entry that decides, or NO_ENTRY where none is asked.

    An ACL stands at the border of its subnet: it is not asked about peers inside, and where the files
    state none. Its last entry fits everything.
    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
    """
    number = i64(policy.acl_lists[eni, direction - 1])
    if number == NO_LIST:
        return NO_ENTRY
    if in_subnet(policy, eni, i64(p["family"]), peer_hi, peer_lo):
        return NO_ENTRY
    return first_row(policy.access, number, p, peer_hi, peer_lo)


@kernel
def acl_denies(policy: Policy, row: int) -> bool:
    """True if the entry that decides is a deny."""
    return row != NO_ENTRY and i64(policy.access.rows[row]["denies"]) != 0


@rare_kernel
def exempt_in(
    rows: NDArray[np.void],
    start: int,
    stop: int,
    p: Packet,
    service_port: int,
    peer_hi: np.uint64,
    peer_lo: np.uint64,
) -> int:
    """The service of the first of the rows that the packet fits, or NOT_EXEMPT."""
    for at in range(start, stop):
        row = rows[at]
        protocol = i64(row["protocol"])
        if protocol != -1 and (
            protocol != i64(p["protocol"]) or not i64(row["low"]) <= service_port <= i64(row["high"])
        ):
            continue
        if i64(row["family"]) != i64(p["family"]):
            continue
        if i64(row["any"]) != 0 or (row["hi"] == peer_hi and row["lo"] == peer_lo):
            return i64(row["service"])
    return NOT_EXEMPT


@rare_kernel
def exempt_address(policy: Policy, eni: int, p: Packet, peer_hi: np.uint64, peer_lo: np.uint64) -> bool:
    """True if traffic with this peer might be exempt, by what ports a later fragment does not show."""
    for at in range(i64(policy.reserved_starts[eni]), i64(policy.reserved_starts[eni + 1])):
        row = policy.reserved[at]
        if row["hi"] == peer_hi and row["lo"] == peer_lo and i64(row["family"]) == i64(p["family"]):
            return True
    for at in range(len(policy.exemptions)):
        row = policy.exemptions[at]
        same = row["hi"] == peer_hi and row["lo"] == peer_lo and i64(row["any"]) == 0
        if same and i64(row["family"]) == i64(p["family"]):
            return True
    return False


@kernel
def exempt_service(policy: Policy, eni: int, p: Packet, incoming: bool, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The service whose traffic AWS never filters, or NOT_EXEMPT.

    The service's port is the peer's: the source port of what comes in.
    """
    if not policy.aws:
        return NOT_EXEMPT
    protocol = i64(p["protocol"])
    service_port = i64(p["src_port"] if incoming or protocol == ICMPV6 else p["dst_port"])
    start, stop = i64(policy.reserved_starts[eni]), i64(policy.reserved_starts[eni + 1])
    if start < stop:
        service = exempt_in(policy.reserved, start, stop, p, service_port, peer_hi, peer_lo)
        if service != NOT_EXEMPT:
            return service
    dhcp = protocol == UDP and (
        DHCP_PORTS_LOW <= service_port <= DHCP_PORTS_HIGH or DHCPV6_PORTS_LOW <= service_port <= DHCPV6_PORTS_HIGH
    )
    special = i64(peer_lo >> np.uint64(16)) == LINK_LOCAL_V4 and peer_hi == 0
    special = special or i64(peer_hi >> np.uint64(32)) in (AWS_V6, ROUTER_V6)
    if not (dhcp or special or protocol == ICMPV6):
        return NOT_EXEMPT
    return exempt_in(policy.exemptions, 0, len(policy.exemptions), p, service_port, peer_hi, peer_lo)


@entry_kernel
def find_ends(owners: NDArray[np.void], packets: NDArray[np.void], out: NDArray[np.int32]) -> None:
    """The interfaces that have the source and the destination of each packet (PACKET), or NOBODY: out[packet, 2]."""
    for row in range(len(packets)):
        p = packets[row]
        family = i64(p["family"])
        out[row, 0] = owner(owners, family, p["src_hi"], p["src_lo"])
        out[row, 1] = owner(owners, family, p["dst_hi"], p["dst_lo"])


@entry_kernel
def fill_owners(
    spans: NDArray[np.void],
    families: NDArray[np.uint8],
    hi: NDArray[np.uint64],
    lo: NDArray[np.uint64],
    out: NDArray[np.int32],
) -> None:
    """The interface that has each address, or NOBODY, into `out`; all arrays have as many values."""
    for row in range(len(out)):
        out[row] = owner(spans, i64(families[row]), hi[row], lo[row])


def owners_of(policy: Policy, records: NDArray[np.void]) -> NDArray[np.int32]:
    """The interfaces that have the source and the destination of each packet: int32[packet, 2]."""
    found = np.empty((len(records), 2), np.int32)
    find_ends(policy.owners, records, found)
    return found


def find_owners(policy: Policy, hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The interfaces that have these addresses; those that read as IPv4-mapped are IPv4 addresses."""
    found = np.empty(len(hi), np.int32)
    mapped = (hi == 0) & (lo >> np.uint64(32) == np.uint64(0xFFFF))
    fill_owners(policy.owners, np.where(mapped, 4, 6).astype(np.uint8), hi, lo, found)
    return found
