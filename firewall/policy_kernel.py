"""The questions that the engine asks of a Policy: whose address, which rule, whether ever filtered."""

import numpy as np
from numpy.typing import NDArray

from firewall.policy import Policy
from pcaps.accelerate import i64, kernel
from pcaps.batch import BAD_TRANSPORT, NO_TRANSPORT, Packet
from pcaps.wire import ICMPV6, TCP, UDP

NOBODY = -1
NO_RULE = -1
UNKNOWN_PEER = -2  # no rule matches, but one could: its peer's members are unknown
NOT_EXEMPT = -1

LINK_LOCAL_V4 = 0xFFFF_A9FE  # upper bits of IPv4-mapped 169.254.0.0/16
AWS_V6 = 0xFD00_0EC2  # fd00:ec2::/32
DHCP_PORTS_LOW, DHCP_PORTS_HIGH = 67, 68
DHCPV6_PORTS_LOW, DHCPV6_PORTS_HIGH = 546, 547


@kernel
def below(left_hi: np.uint64, left_lo: np.uint64, right_hi: np.uint64, right_lo: np.uint64) -> bool:
    """Left < right, as 128-bit addresses."""
    if left_hi != right_hi:
        return bool(left_hi < right_hi)
    return bool(left_lo < right_lo)


@kernel
def owner(owners: NDArray[np.void], family: int, hi: np.uint64, lo: np.uint64) -> int:
    """The interface that has the address, or NOBODY; a binary search.

    An IPv6 packet may carry an IPv4-mapped address: that is nobody's IPv4 address.
    """
    low, high = 0, len(owners)
    while low < high:
        middle = (low + high) >> 1
        if below(owners[middle]["hi"], owners[middle]["lo"], hi, lo):
            low = middle + 1
        else:
            high = middle
    if (
        low < len(owners)
        and owners[low]["hi"] == hi
        and owners[low]["lo"] == lo
        and i64(owners[low]["family"]) == family
    ):
        return i64(owners[low]["eni"])
    return NOBODY


@kernel
def in_spans(spans: NDArray[np.void], start: int, stop: int, hi: np.uint64, lo: np.uint64) -> bool:
    """True if the address lies in one of the disjoint, ordered intervals spans[start:stop]."""
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        if below(spans[middle]["high_hi"], spans[middle]["high_lo"], hi, lo):
            low = middle + 1
        else:
            high = middle
    return low < stop and not below(hi, lo, spans[low]["low_hi"], spans[low]["low_lo"])


@kernel
def ports_unknown(p: Packet) -> bool:
    """A later fragment, or a header that cannot be read: its port columns say nothing."""
    return i64(p["fragment_offset"]) != 0 or i64(p["status"]) in (BAD_TRANSPORT, NO_TRANSPORT)


@kernel
def matches(rule: np.void, p: Packet) -> bool:
    """True if protocol and ports, or ICMP type and code, fit a rule."""
    if i64(rule["protocol"]) not in (-1, i64(p["protocol"])):
        return False
    if ports_unknown(p):
        return i64(rule["all_ports"]) != 0
    return i64(rule["second_low"]) <= i64(p["dst_port"]) <= i64(rule["second_high"]) and i64(rule["first_low"]) <= i64(
        p["src_port"]
    ) <= i64(rule["first_high"])


@kernel
def untracked_rule(policy: Policy, eni: int, direction: int, p: Packet, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The rule that leaves a TCP or UDP connection untracked, if this is its first packet; or NO_RULE.

    A rule of its direction allows it from or to anywhere, the other direction is wide open, and the
    peer is not one that AWS always tracks.
    """
    protocol = i64(p["protocol"])
    family = 0 if i64(p["family"]) == 4 else 1
    if protocol not in (TCP, UDP):
        return NO_RULE
    if not i64(policy.open_ways[eni, 2 - direction, family, 0 if protocol == TCP else 1]):
        return NO_RULE
    if in_spans(policy.auto_tracked, 0, len(policy.auto_tracked), peer_hi, peer_lo):
        return NO_RULE
    at = 2 * eni + direction - 1
    for row in range(i64(policy.starts[at]), i64(policy.starts[at + 1])):
        rule = policy.rules[row]
        if i64(rule["anywhere"][family]) and matches(rule, p):
            return i64(rule["rule"])
    return NO_RULE


@kernel
def permits(policy: Policy, eni: int, direction: int, p: Packet, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The first rule of the interface and direction that allows the packet.

    NO_RULE if none does, UNKNOWN_PEER if none does but a rule with unknown members might.
    """
    v4 = i64(p["family"]) == 4
    found = NO_RULE
    at = 2 * eni + direction - 1
    for row in range(i64(policy.starts[at]), i64(policy.starts[at + 1])):
        rule = policy.rules[row]
        if not matches(rule, p):
            continue
        if i64(rule["unknown"]):
            found = UNKNOWN_PEER
            continue
        start = i64(rule["v4"][0] if v4 else rule["v6"][0])
        stop = i64(rule["v4"][1] if v4 else rule["v6"][1])
        if in_spans(policy.spans, start, stop, peer_hi, peer_lo):
            return i64(rule["rule"])
    return found


@kernel
def exempt_service(policy: Policy, p: Packet, incoming: bool, peer_hi: np.uint64, peer_lo: np.uint64) -> int:
    """The service whose traffic AWS never filters, or NOT_EXEMPT.

    The service's port is the peer's: the source port of what comes in.
    """
    if not policy.aws:
        return NOT_EXEMPT
    protocol = i64(p["protocol"])
    service_port = i64(p["src_port"] if incoming or protocol == ICMPV6 else p["dst_port"])
    dhcp = protocol == UDP and (
        DHCP_PORTS_LOW <= service_port <= DHCP_PORTS_HIGH or DHCPV6_PORTS_LOW <= service_port <= DHCPV6_PORTS_HIGH
    )
    special = i64(peer_lo >> np.uint64(16)) == LINK_LOCAL_V4 and peer_hi == 0
    special = special or i64(peer_hi >> np.uint64(32)) == AWS_V6
    if not (dhcp or special or protocol == ICMPV6):
        return NOT_EXEMPT
    for row in range(len(policy.exemptions)):
        exemption = policy.exemptions[row]
        if i64(exemption["protocol"]) != protocol:
            continue
        if service_port < i64(exemption["low"]) or service_port > i64(exemption["high"]):
            continue
        if i64(exemption["family"]) != i64(p["family"]):
            continue
        anyone = i64(exemption["any"]) != 0
        if anyone or (exemption["hi"] == peer_hi and exemption["lo"] == peer_lo):
            return i64(exemption["service"])
    return NOT_EXEMPT
