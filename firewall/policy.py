"""Rules as lookup arrays: what the kernels in `firewall.policy_kernel` read."""

from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import ip_network
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.outcome import CAUSES
from firewall import verdict
from firewall.access_list import HALF, LOW, Arrays, Builder, Item, Span, Spans, address_spans, service_spans
from firewall.errors import UsageError
from firewall.exempt import ANY_PROTOCOL, EXEMPTIONS, SERVICES, Exemption, exemption_address, reserved
from firewall.model import (
    ALL_PORTS,
    ALL_PROTOCOLS,
    ANY,
    DIRECTIONS,
    TCP,
    UDP,
    Address,
    Direction,
    GroupPeer,
    Network,
    NetworkAclEntry,
    NetworkInterface,
    PrefixListPeer,
    Rule,
    RuleSet,
    UnknownPeer,
)
from pcaps.batch import IPV4_PREFIX, STATUS_NAMES

EVERYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
NO_LIST = -1
MOST_RULES = 20_000  # of one interface and direction; sets of rules grow with their square
NO_RULE_KNOWN = -1

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
        ("protocol", np.int16),  # -1: every protocol, whatever its ports
        ("low", np.int32),
        ("high", np.int32),
        ("service", np.int32),
    ],
    align=True,
)
SPAN_COLUMNS = np.dtype(
    [("low_hi", np.uint64), ("low_lo", np.uint64), ("high_hi", np.uint64), ("high_lo", np.uint64)], align=True
)
OWNER_COLUMNS = np.dtype([*SPAN_COLUMNS.descr, ("family", np.int32), ("eni", np.int32)], align=True)


class Policy(NamedTuple):
    """One argument for the kernels.

    `owners`: every block of interface addresses in order, with its interface. `group_lists` and `acl_lists`:
    int64[interface, direction - 1], the access list (`firewall.access_list`) of its security groups and of
    its subnet's network ACL, NO_LIST where it has none. `subnets`: the subnets' blocks; those of interface i
    and family f (0: IPv4) are subnets[subnet_starts[2i + f]:subnet_starts[2i + f + 1]]. `reserved`: rows as in
    `exemptions` for addresses inside its VPC and subnet, reserved[reserved_starts[i]:reserved_starts[i + 1]];
    empty under linux, as `exemptions` is.
    `forwards`: uint8[interface], 1 where its source/destination check is off.
    `open_ways`: uint8[interface, direction - 1, family (0: IPv4), protocol (0: TCP, 1: UDP)], 1 where
    everything is allowed from or to anywhere. `auto_tracked`: peers whose connections are always tracked,
    those of family f are auto_tracked[auto_starts[f]:auto_starts[f + 1]].
    """

    owners: NDArray[np.void]
    group_lists: NDArray[np.int64]
    acl_lists: NDArray[np.int64]
    access: Arrays
    subnets: NDArray[np.void]
    subnet_starts: NDArray[np.int64]
    exemptions: NDArray[np.void]
    reserved: NDArray[np.void]
    reserved_starts: NDArray[np.int64]
    aws: bool  # the aws profile: some traffic is never filtered, some never delivered
    forwards: NDArray[np.uint8]
    open_ways: NDArray[np.uint8]
    auto_tracked: NDArray[np.void]
    auto_starts: NDArray[np.int64]
    status_reasons: NDArray[np.uint8]
    cause_reasons: NDArray[np.uint8]
    reason_verdicts: NDArray[np.uint8]


def mapped(address: Address) -> int:
    """An address as 128 bits; IPv4 as IPv4-mapped IPv6."""
    return int(address) if address.version == 6 else IPV4_PREFIX | int(address)


class Reach(NamedTuple):
    """What a peer stands for: its blocks, and whether they are all of it."""

    networks: tuple[Network, ...]
    complete: bool = True


def reach(peer: object, rules: RuleSet) -> Reach:
    """The blocks of a rule's peer.

    A group is the private addresses of its members, not their public ones
    (https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html). A group without a
    member in the files, a list without entries and a peer that was not resolved are incomplete.
    """
    match peer:
        case GroupPeer(stale=True):
            return Reach(())
        case GroupPeer(group_id):
            members = [eni for eni in rules.interfaces.values() if group_id in eni.groups]
            networks = tuple(network for eni in members for network in eni.networks)
            known_all = bool(members) and all(eni.complete for eni in members)
            return Reach(networks, known_all and group_id not in rules.incomplete)
        case PrefixListPeer(prefix_list_id):
            known = rules.prefix_lists.get(prefix_list_id)
            if known is None:
                return Reach((), complete=False)
            return Reach(known.entries, prefix_list_id not in rules.incomplete)
        case UnknownPeer():
            return Reach((), complete=False)
    return Reach((peer,))  # type: ignore[arg-type]  # what is left of a Peer is a block


def allows_all(rule: Rule, protocol: int, version: int, rule_set: RuleSet) -> bool:
    """True if a rule lets every port of a protocol pass, from or to anywhere of one family."""
    all_of_it = rule.protocol == ALL_PROTOCOLS or (rule.protocol == protocol and rule.ports in (None, ALL_PORTS))
    return all_of_it and EVERYWHERE[version] in reach(rule.peer, rule_set).networks


def attached_rules(eni: NetworkInterface, direction: str, rule_set: RuleSet) -> list[Rule]:
    """The rules of one direction of all groups of an interface: their union decides."""
    groups = [rule_set.groups[group] for group in eni.groups if group in rule_set.groups]
    return [rule for group in groups for rule in (group.ingress if direction == "ingress" else group.egress)]


class Compiler:
    """Makes the arrays of a rule set; what several interfaces share is made once."""

    def __init__(
        self, rule_set: RuleSet, rules: Sequence[Rule], entries: Sequence[NetworkAclEntry], profile: str
    ) -> None:
        self.rule_set = rule_set
        self.profile = profile
        self.builder = Builder()
        self._number = {rule: index for index, rule in enumerate((*rules, *entries))}
        self._spans = cache(self._peer_spans)
        self._group_list = cache(self._compile_groups)
        self._acl_list = cache(self._compile_acl)
        self._open = cache(self._open_ways)

    def _peer_spans(self, peer: object) -> tuple[Spans, Spans, tuple[bool, bool], bool]:
        """A peer's spans of both families, whether they are everything of one, and whether they are complete."""
        found = reach(peer, self.rule_set)
        v4, v6 = (address_spans(found.networks, version) for version in (4, 6))
        anywhere = EVERYWHERE[4] in found.networks, EVERYWHERE[6] in found.networks
        return v4, v6, anywhere, found.complete

    def _items(self, rule: Rule) -> Iterator[Item]:
        """A rule as rows: one for the addresses that are known, one for those that are not."""
        v4, v6, anywhere, complete = self._spans(rule.peer)
        services = service_spans(
            rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code, reads_ports=self.profile == "linux"
        )
        number = self._number[rule]
        if v4 or v6:
            yield Item(number, services, v4, v6, anywhere=anywhere)
        if not complete:
            all4, all6 = (address_spans([EVERYWHERE[version]], version) for version in (4, 6))
            yield Item(number, services, all4, all6, unknown=True)

    def _compile_groups(self, groups: tuple[str, ...], direction: Direction) -> int:
        known = [self.rule_set.groups[group] for group in groups if group in self.rule_set.groups]
        rules = [rule for group in known for rule in (group.ingress if direction == "ingress" else group.egress)]
        items = [item for rule in rules for item in self._items(rule)]
        if len(known) < len(groups):  # of a group that no file describes, any rule could be there
            all4, all6 = (address_spans([EVERYWHERE[version]], version) for version in (4, 6))
            every = service_spans(ALL_PROTOCOLS, None, ANY, ANY, reads_ports=False)
            items.append(Item(NO_RULE_KNOWN, every, all4, all6, unknown=True))
        if len(items) > MOST_RULES:
            raise UsageError(
                f"{len(items):,} {direction} rules stand on one interface: at most {MOST_RULES:,} are judged"
                " (AWS allows 1,000)"
            )
        return self.builder.add(items)

    def group_lists(self, eni: NetworkInterface) -> tuple[int, ...]:
        """The access lists of an interface's groups, by direction."""
        return tuple(self._group_list(eni.groups, direction) for direction in DIRECTIONS)

    def _compile_acl(self, acl_id: str, direction: Direction) -> int:
        acl = self.rule_set.network_acls[acl_id]
        rows = []
        for entry in numbered(acl.ingress if direction == "ingress" else acl.egress, acl_id, direction):
            services = service_spans(entry.protocol, entry.ports, entry.icmp_type, entry.icmp_code, reads_ports=False)
            v4, v6 = (address_spans([entry.peer], version) for version in (4, 6))
            rows.append(Item(self._number[entry], services, v4, v6, denies=entry.action == "deny"))
        return self.builder.add(rows)

    def acl_lists(self, eni: NetworkInterface) -> tuple[int, ...]:
        """The access lists of the network ACL at the border of an interface's subnet, by direction."""
        acl = self.rule_set.network_acl_of(eni)
        if acl is None:
            return NO_LIST, NO_LIST
        return tuple(self._acl_list(acl.network_acl_id, direction) for direction in DIRECTIONS)

    def _open_ways(self, groups: tuple[str, ...]) -> NDArray[np.uint8]:
        ways = np.zeros((2, 2, 2), np.uint8)
        eni = NetworkInterface("", (), groups)
        for way, direction in enumerate(DIRECTIONS):
            rules = attached_rules(eni, direction, self.rule_set)
            for family, version in enumerate((4, 6)):
                for which, protocol in enumerate((TCP, UDP)):
                    ways[way, family, which] = any(allows_all(rule, protocol, version, self.rule_set) for rule in rules)
        return ways

    def open_ways(self, eni: NetworkInterface) -> NDArray[np.uint8]:
        """Where a direction is wide open: the one half of AWS's condition for untracked connections.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
        """
        return self._open(eni.groups)


def numbered(entries: Sequence[NetworkAclEntry], acl_id: str, direction: Direction) -> Iterator[NetworkAclEntry]:
    """The entries in order, and behind them `*`, which denies what is left: one for each family, as AWS shows them.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
    """
    yield from entries
    for version, number in ((4, 32767), (6, 32768)):
        yield NetworkAclEntry(acl_id, direction, number, "deny", ALL_PROTOCOLS, EVERYWHERE[version])


def all_entries(rule_set: RuleSet, interfaces: Sequence[NetworkInterface]) -> tuple[NetworkAclEntry, ...]:
    """The entries that interfaces can meet, `*` too, each once: what verdict rows name."""
    acls = dict.fromkeys(acl for eni in interfaces if (acl := rule_set.network_acl_of(eni)) is not None)
    return tuple(
        entry
        for acl in acls
        for direction in DIRECTIONS
        for entry in numbered(getattr(acl, direction), acl.network_acl_id, direction)
    )


def compile_policy(
    rule_set: RuleSet,
    interfaces: Sequence[NetworkInterface],
    rules: Sequence[Rule],
    profile: str,
    entries: Sequence[NetworkAclEntry] = (),
) -> Policy:
    """The arrays for the simulated interfaces.

    `rules`, then `entries`, are all that verdict rows can name, by their place. Without `entries` no
    network ACL is evaluated.
    """
    compiler = Compiler(rule_set, rules, entries, profile)
    aws = profile == "aws"
    subnets = [spans for eni in interfaces for spans in by_family(subnet_blocks(rule_set, eni))]
    auto_tracked = by_family(rule_set.auto_tracked)
    reserved_rows = [list(reserved(rule_set, eni)) if aws else [] for eni in interfaces]
    group_lists = [compiler.group_lists(eni) for eni in interfaces]
    acl_lists = [compiler.acl_lists(eni) if entries else (NO_LIST, NO_LIST) for eni in interfaces]
    return Policy(
        owners=owners(interfaces),
        group_lists=np.array(group_lists, np.int64).reshape(-1, 2),
        acl_lists=np.array(acl_lists, np.int64).reshape(-1, 2),
        access=compiler.builder.arrays(),
        subnets=np.concatenate([span_array([]), *map(span_array, subnets)]),
        subnet_starts=starts(subnets),
        exemptions=exemption_array(EXEMPTIONS if aws else ()),
        reserved=exemption_array([row for rows in reserved_rows for row in rows]),
        reserved_starts=starts(reserved_rows),
        aws=aws,
        forwards=np.array([not eni.source_dest_check for eni in interfaces], np.uint8),
        open_ways=np.array([compiler.open_ways(eni) for eni in interfaces], np.uint8).reshape(-1, 2, 2, 2),
        auto_tracked=np.concatenate([span_array(spans) for spans in auto_tracked]),
        auto_starts=starts(auto_tracked),
        status_reasons=np.array([STATUS_REASONS.get(name, JUDGED) for name in STATUS_NAMES], np.uint8),
        cause_reasons=np.array([CAUSE_REASONS[cause.word] for cause in CAUSES], np.uint8),
        reason_verdicts=np.array(verdict.REASON_VERDICTS, np.uint8),
    )


def by_family(networks: Sequence[Network]) -> tuple[Spans, Spans]:
    """Blocks as disjoint spans, IPv4's and IPv6's: an IPv4-mapped IPv6 address is in no IPv4 block."""
    return address_spans(networks, 4), address_spans(networks, 6)


def subnet_blocks(rule_set: RuleSet, eni: NetworkInterface) -> tuple[Network, ...]:
    """The blocks of the interface's subnet: inside them no network ACL is met."""
    subnet = rule_set.subnet_of(eni)
    return () if subnet is None else subnet.cidrs


def starts(parts: Sequence[Sequence[object]]) -> NDArray[np.int64]:
    """Where each part begins when all stand one behind the other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)]).astype(np.int64)


def span_array(spans: Sequence[Span]) -> NDArray[np.void]:
    """Disjoint spans in order, for the kernels."""
    return np.array([(low >> HALF, low & LOW, high >> HALF, high & LOW) for low, high in spans], SPAN_COLUMNS)


def owners(interfaces: Sequence[NetworkInterface]) -> NDArray[np.void]:
    """Whose each address is: an address inside another interface's delegated prefix is its own interface's."""
    rows = []
    for version in (4, 6):
        blocks = [
            (net, index) for index, eni in enumerate(interfaces) for net in eni.networks if net.version == version
        ]
        edges: dict[int, list[tuple[int, int]]] = {}
        for block, index in blocks:
            for low, high in address_spans([block], version):
                edges.setdefault(low, []).append((block.prefixlen, index))
                edges.setdefault(high + 1, []).append((block.prefixlen, ~index))
        inside: list[tuple[int, int]] = []
        points = sorted(edges)
        for low, after in pairwise(points):
            for length, index in edges[low]:
                if index < 0:
                    inside.remove((length, ~index))
                else:
                    inside.append((length, index))
            if inside:
                rows.append((low, after - 1, version, max(inside)[1]))
    rows.sort()
    spans = [(low >> HALF, low & LOW, high >> HALF, high & LOW, *rest) for low, high, *rest in rows]
    return np.array(spans, OWNER_COLUMNS)


def exemption_array(rows: Sequence[Exemption]) -> NDArray[np.void]:
    """Exemptions as rows for the kernel."""
    return np.array(
        [
            (
                exemption_address(row) >> HALF,
                exemption_address(row) & LOW,
                row.address is None,
                6 if row.address is None or ":" in row.address else 4,
                row.protocol,
                0 if row.protocol == ANY_PROTOCOL else row.low,
                65535 if row.protocol == ANY_PROTOCOL else row.high,
                SERVICES.index(row.service),
            )
            for row in rows
        ],
        EXEMPT_COLUMNS,
    )
