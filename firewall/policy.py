"""Rules as lookup arrays: what the kernels in `firewall.policy_kernel` read."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.outcome import CAUSES
from firewall import verdict
from firewall.exempt import EXEMPTIONS, SERVICES, exemption_address
from firewall.model import (
    ALL_PROTOCOLS,
    ANY,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Address,
    GroupPeer,
    Network,
    NetworkInterface,
    PrefixListPeer,
    Rule,
    RuleSet,
    UnknownPeer,
)
from pcaps.batch import IPV4_PREFIX, STATUS_NAMES

HALF = 64
LOW = (1 << HALF) - 1
ANY_PORTS = (0, 65535)
ANY_TYPE = (0, 255)
EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}

# --- what an undecodable packet is called; OK and the transport's troubles are judged ------------------
STATUS_REASONS = {
    "not-ip": verdict.NOT_IP,
    "truncated": verdict.TRUNCATED,
    "malformed": verdict.MALFORMED,
    "unsupported-link": verdict.UNSUPPORTED_LINK,
}
JUDGED = 255

# --- the tracker's causes in AWS's and the reader's words ----------------------------------------------
CAUSE_REASONS = {
    "none": verdict.INVALID_STATE,
    "bad-flags": verdict.BAD_FLAGS,
    "bad-header": verdict.BAD_HEADER,
    "no-transport": verdict.BAD_HEADER,
    "mid-stream": verdict.MID_STREAM,
    "no-query": verdict.INVALID_STATE,
    "state": verdict.INVALID_STATE,
    "window": verdict.OUT_OF_WINDOW,
    "expired": verdict.EXPIRED,
    "icmp-unrelated": verdict.ICMP_UNRELATED,
    "fragment": verdict.FRAGMENT_INCOMPLETE,
    "table-full": verdict.TABLE_FULL,
}

EXEMPT_COLUMNS = np.dtype(
    [
        ("hi", np.uint64),
        ("lo", np.uint64),
        ("any", np.uint8),
        ("family", np.uint8),
        ("protocol", np.uint8),
        ("low", np.int32),
        ("high", np.int32),
        ("service", np.int32),
    ],
    align=True,
)
RULE_COLUMNS = np.dtype(
    [
        ("protocol", np.int16),  # -1: all
        ("first_low", np.uint16),  # source port column: an ICMP type
        ("first_high", np.uint16),
        ("second_low", np.uint16),  # destination port column: a port, or an ICMP code
        ("second_high", np.uint16),
        ("unknown", np.uint8),  # the peer's members are not known
        ("all_ports", np.uint8),  # whatever the port columns say
        ("anywhere", np.uint8, (2,)),  # the peer is 0.0.0.0/0; ::/0
        ("rule", np.int32),  # index in Firewall.rules
        ("v4", np.int32, (2,)),  # start and stop in `spans` of the IPv4 intervals
        ("v6", np.int32, (2,)),
    ],
    align=True,
)
SPAN_COLUMNS = np.dtype(
    [("low_hi", np.uint64), ("low_lo", np.uint64), ("high_hi", np.uint64), ("high_lo", np.uint64)], align=True
)
OWNER_COLUMNS = np.dtype([("hi", np.uint64), ("lo", np.uint64), ("family", np.int32), ("eni", np.int32)], align=True)


class Policy(NamedTuple):
    """One argument for the kernels.

    `owners`: every interface address in order, with its interface. `starts`: for interface i and
    direction d (1 ingress, 2 egress) the rules are rules[starts[2i + d - 1]:starts[2i + d]].
    `spans`: address intervals, those of one rule in order. `exemptions` are empty under linux.
    `open_ways`: uint8[interface, direction - 1, family (0: IPv4), protocol (0: TCP, 1: UDP)], 1 where
    everything is allowed from or to anywhere. `auto_tracked`: peers whose connections are always tracked.
    """

    owners: NDArray[np.void]
    starts: NDArray[np.int64]
    rules: NDArray[np.void]
    spans: NDArray[np.void]
    exemptions: NDArray[np.void]
    aws: bool  # the aws profile: some traffic is never filtered, some never delivered
    open_ways: NDArray[np.uint8]
    auto_tracked: NDArray[np.void]
    status_reasons: NDArray[np.uint8]
    cause_reasons: NDArray[np.uint8]
    reason_verdicts: NDArray[np.uint8]


def mapped(address: Address) -> int:
    """An address as 128 bits; IPv4 as IPv4-mapped IPv6."""
    return int(address) if address.version == 6 else IPV4_PREFIX | int(address)


def peer_networks(rule: Rule, rules: RuleSet) -> list[Network] | None:
    """The networks of a rule's peer, or None where its members are unknown.

    A group is the private addresses of its members, not their public ones
    (https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html).
    """
    peer = rule.peer
    if isinstance(peer, GroupPeer) and peer.stale:
        return []
    if isinstance(peer, GroupPeer):
        members = [eni for eni in rules.interfaces.values() if peer.group_id in eni.groups]
        if not members:
            return None
        networks: list[Network] = []
        for eni in members:
            networks += [
                IPv4Network(address) if address.version == 4 else IPv6Network(address) for address in eni.addresses
            ]
        return networks
    if isinstance(peer, PrefixListPeer):
        known = rules.prefix_lists.get(peer.prefix_list_id)
        return None if known is None else list(known.entries)
    if isinstance(peer, UnknownPeer):
        return None
    return [peer]


def intervals(networks: Iterable[Network], version: int) -> list[tuple[int, int]]:
    """Disjoint (lowest, highest) 128-bit addresses of one family, in order."""
    if version == 4:
        merged4 = collapse_addresses(net for net in networks if isinstance(net, IPv4Network))
        return [(mapped(net[0]), mapped(net[-1])) for net in merged4]
    merged6 = collapse_addresses(net for net in networks if isinstance(net, IPv6Network))
    return [(mapped(net[0]), mapped(net[-1])) for net in merged6]


def port_bounds(rule: Rule, profile: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The bounds on the two port columns: source port or ICMP type, destination port or ICMP code.

    AWS reads ports for TCP and UDP only: a rule for any other protocol number covers all of it
    (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html).
    """
    if rule.protocol in (ICMP, ICMPV6):
        kind = ANY_TYPE if rule.icmp_type == ANY else (rule.icmp_type, rule.icmp_type)
        code = ANY_TYPE if rule.icmp_code == ANY else (rule.icmp_code, rule.icmp_code)
        return kind, code
    reads_ports = rule.protocol in (TCP, UDP) or profile == "linux"
    return ANY_PORTS, rule.ports if rule.ports is not None and reads_ports else ANY_PORTS


def compile_rules(
    rules: Sequence[Rule], rule_set: RuleSet, profile: str
) -> tuple[list[tuple[object, ...]], list[tuple[int, int, int, int]]]:
    """Rows for RULE_COLUMNS and SPAN_COLUMNS; the index of a row is that of its rule."""
    rows: list[tuple[object, ...]] = []
    spans: list[tuple[int, int, int, int]] = []
    for index, rule in enumerate(rules):
        networks = peer_networks(rule, rule_set)
        bounds = []
        for version in (4, 6):
            start = len(spans)
            spans += [
                (low >> HALF, low & LOW, high >> HALF, high & LOW) for low, high in intervals(networks or (), version)
            ]
            bounds.append((start, len(spans)))
        first, second = port_bounds(rule, profile)
        anywhere = tuple(EVERYWHERE[version] in (networks or ()) for version in (4, 6))
        all_ports = first in (ANY_PORTS, ANY_TYPE) and second in (ANY_PORTS, ANY_TYPE)
        rows.append((rule.protocol, *first, *second, networks is None, all_ports, anywhere, index, *bounds))
    return rows, spans


def attached_rules(eni: NetworkInterface, direction: str, rule_set: RuleSet) -> list[Rule]:
    """The rules of one direction of all groups of an interface: their union decides."""
    groups = [rule_set.groups[group] for group in eni.groups if group in rule_set.groups]
    return [rule for group in groups for rule in (group.ingress if direction == "ingress" else group.egress)]


def compile_policy(
    rule_set: RuleSet, interfaces: Sequence[NetworkInterface], rules: Sequence[Rule], profile: str
) -> Policy:
    """The arrays for the simulated interfaces; `rules` are all that they can name, in report order."""
    rows, spans = compile_rules(rules, rule_set, profile)
    place = {id(rule): index for index, rule in enumerate(rules)}
    starts, order = [0], []
    for eni in interfaces:
        for direction in ("ingress", "egress"):
            order += [rows[place[id(rule)]] for rule in attached_rules(eni, direction, rule_set)]
            starts.append(len(order))
    owners = sorted(
        (mapped(address), address.version, index) for index, eni in enumerate(interfaces) for address in eni.addresses
    )
    return Policy(
        owners=np.array([(value >> HALF, value & LOW, family, eni) for value, family, eni in owners], OWNER_COLUMNS),
        starts=np.array(starts, np.int64),
        rules=np.array(order, RULE_COLUMNS),
        spans=np.array(spans, SPAN_COLUMNS),
        exemptions=exemption_array() if profile == "aws" else np.zeros(0, EXEMPT_COLUMNS),
        aws=profile == "aws",
        open_ways=open_ways(interfaces, rule_set),
        auto_tracked=auto_tracked_array(rule_set.auto_tracked),
        status_reasons=np.array([STATUS_REASONS.get(name, JUDGED) for name in STATUS_NAMES], np.uint8),
        cause_reasons=np.array([CAUSE_REASONS[cause.word] for cause in CAUSES], np.uint8),
        reason_verdicts=np.array(verdict.REASON_VERDICTS, np.uint8),
    )


def allows_all(rule: Rule, protocol: int, version: int, rule_set: RuleSet) -> bool:
    """True if a rule lets every port of a protocol pass, from or to anywhere of one family."""
    everywhere = EVERYWHERE[version] in (peer_networks(rule, rule_set) or ())
    all_of_it = rule.protocol == ALL_PROTOCOLS or (rule.protocol == protocol and rule.ports in (None, ANY_PORTS))
    return everywhere and all_of_it


def open_ways(interfaces: Sequence[NetworkInterface], rule_set: RuleSet) -> NDArray[np.uint8]:
    """Where a direction is wide open: the one half of AWS's condition for untracked connections.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
    """
    ways = np.zeros((max(len(interfaces), 1), 2, 2, 2), np.uint8)
    for index, eni in enumerate(interfaces):
        for way, direction in enumerate(("ingress", "egress")):
            rules = attached_rules(eni, direction, rule_set)
            for family, version in enumerate((4, 6)):
                for which, protocol in enumerate((TCP, UDP)):
                    ways[index, way, family, which] = any(
                        allows_all(rule, protocol, version, rule_set) for rule in rules
                    )
    return ways


def auto_tracked_array(networks: Sequence[Network]) -> NDArray[np.void]:
    """Networks of both families as disjoint intervals in order."""
    spans = sorted(intervals(networks, 4) + intervals(networks, 6))
    return np.array([(low >> HALF, low & LOW, high >> HALF, high & LOW) for low, high in spans], SPAN_COLUMNS)


def exemption_array() -> NDArray[np.void]:
    """EXEMPTIONS as rows for the kernel."""
    return np.array(
        [
            (
                exemption_address(row) >> HALF,
                exemption_address(row) & LOW,
                row.address is None,
                6 if row.address is None or ":" in row.address else 4,
                row.protocol,
                row.low,
                row.high,
                SERVICES.index(row.service),
            )
            for row in EXEMPTIONS
        ],
        EXEMPT_COLUMNS,
    )
