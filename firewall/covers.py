"""Which allow rule lets in everything that another lets in, found without comparing every two of them.

What a rule lets in has two parts: its service, one span of numbers within a protocol, and its peer, a set
of address blocks. A rule covers another if both parts hold the other's. Spans of one peer and protocol
are kept as a front: none of them lies in another, so one binary search tells whether one holds a given
span. Blocks either hold each other or have nothing in common, so a peer's holders are found by asking
for every shorter prefix of one of its blocks.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Generic, NamedTuple, TypeVar

from firewall.model import (
    ALL_PROTOCOLS,
    ANY,
    DIRECTIONS,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Direction,
    GroupPeer,
    Network,
    NetworkAclEntry,
    NetworkInterface,
    Peer,
    PrefixListPeer,
    Rule,
    RuleSet,
    SecurityGroup,
    UnknownPeer,
)

T = TypeVar("T")
Span = tuple[int, int]  # first and last, both inside
EVERYTHING: Span = (0, 65535)


class Block(NamedTuple):
    """An address block: IP version, prefix length, and the bits of the prefix."""

    version: int
    length: int
    bits: int

    def widened(self, length: int) -> "Block":
        """The block of this length around it."""
        return Block(self.version, length, self.bits >> (self.length - length))


#: Blocks, none of which lies in another; or a peer whose blocks are not known or change with its members.
PeerKey = frozenset[Block] | GroupPeer | PrefixListPeer | UnknownPeer


class Extent(NamedTuple):
    """What a rule lets in: a span of ports (of ICMP: type << 8 | code) of a protocol (-1: all), for a peer."""

    protocol: int
    span: Span
    peer: PeerKey


def service_span(rule: Rule | NetworkAclEntry) -> Span:
    """The span of a rule's service. AWS reads ports for TCP and UDP only (API IpPermission)."""
    if rule.protocol in (ICMP, ICMPV6):
        if rule.icmp_type == ANY:
            return EVERYTHING
        first = rule.icmp_type << 8
        return (first, first | 0xFF) if rule.icmp_code == ANY else (first | rule.icmp_code,) * 2
    return rule.ports if rule.ports is not None and rule.protocol in (TCP, UDP) else EVERYTHING


def block_of(network: Network) -> Block:
    """A network as a block."""
    return Block(network.version, network.prefixlen, int(network.network_address) >> _rest(network))


def _rest(network: Network) -> int:
    return network.max_prefixlen - network.prefixlen


class Extents:
    """The extents of a rule set's rules and entries; each peer is looked up once."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._lists = rule_set.prefix_lists
        self._peers: dict[Peer, PeerKey] = {}

    def of(self, rule: Rule | NetworkAclEntry) -> Extent:
        """What a rule lets in; what an entry decides, if no other is asked before it."""
        return Extent(rule.protocol, service_span(rule), self.peer(rule.peer))

    def peer(self, peer: Peer) -> PeerKey:
        """A peer's blocks. A group's members come and go: it is compared with itself alone."""
        if peer not in self._peers:
            self._peers[peer] = self._key(peer)
        return self._peers[peer]

    def _key(self, peer: Peer) -> PeerKey:
        match peer:
            case IPv4Network() | IPv6Network():
                return frozenset((block_of(peer),))
            case PrefixListPeer(identity) if identity in self._lists:
                entries = self._lists[identity].entries
                merged4 = collapse_addresses(each for each in entries if isinstance(each, IPv4Network))
                merged6 = collapse_addresses(each for each in entries if isinstance(each, IPv6Network))
                return frozenset([*map(block_of, merged4), *map(block_of, merged6)])
            case GroupPeer() | PrefixListPeer() | UnknownPeer():
                return peer


class Front(Generic[T]):
    """Spans of which none lies in another, in order: both their ends ascend."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._items: list[T] = []

    def holding(self, span: Span) -> T | None:
        """The item whose span holds this one."""
        at = bisect_right(self._firsts, span[0]) - 1
        return self._items[at] if at >= 0 and self._lasts[at] >= span[1] else None

    def add(self, span: Span, item: T) -> None:
        """Keep a span, and drop those that lie in it; of equal ones the first stays."""
        if self.holding(span) is not None:
            return
        start = stop = bisect_left(self._firsts, span[0])
        while stop < len(self._lasts) and self._lasts[stop] <= span[1]:
            stop += 1
        self._firsts[start:stop] = [span[0]]
        self._lasts[start:stop] = [span[1]]
        self._items[start:stop] = [item]


class Cover(Generic[T]):
    """Items by their extents, and which of them cover a given extent."""

    def __init__(self) -> None:
        self._fronts: dict[tuple[PeerKey, int], Front[T]] = {}
        self._peers: dict[Block, dict[PeerKey, None]] = {}  # by each of their blocks
        self._lengths: dict[int, set[int]] = {4: set(), 6: set()}

    def add(self, extent: Extent, item: T) -> None:
        """Note an item. One without any address can cover nothing."""
        if isinstance(extent.peer, frozenset):
            for block in extent.peer:
                self._peers.setdefault(block, {})[extent.peer] = None
                self._lengths[block.version].add(block.length)
        self._fronts.setdefault((extent.peer, extent.protocol), Front()).add(extent.span, item)

    def covering(self, extent: Extent) -> Iterator[T]:
        """The items that cover an extent: at least one, if there are any, of each peer and protocol."""
        for peer in self._holders(extent.peer):
            for protocol in dict.fromkeys((extent.protocol, ALL_PROTOCOLS)):
                front = self._fronts.get((peer, protocol))
                found = None if front is None else front.holding(extent.span)
                if found is not None:
                    yield found

    def _holders(self, peer: PeerKey) -> Iterator[PeerKey]:
        """The peers that hold every address of this one: itself first."""
        yield peer
        if isinstance(peer, frozenset) and peer:
            for block in self._around(min(peer)):
                for other in self._peers.get(block, ()):
                    if other != peer and isinstance(other, frozenset) and self._holds(other, peer):
                        yield other

    def _holds(self, outer: frozenset[Block], inner: frozenset[Block]) -> bool:
        return all(any(around in outer for around in self._around(block)) for block in inner)

    def _around(self, block: Block) -> Iterator[Block]:
        """The block and those around it, of the lengths that occur."""
        for length in range(block.length, -1, -1):
            if length in self._lengths[block.version]:
                yield block.widened(length)


class Covered(NamedTuple):
    """A rule without which the same packets pass, because of another rule."""

    rule: Rule
    by: Rule
    duplicate: bool = False
    interfaces: tuple[str, ...] = ()  # where both meet; empty: they stand in one group


def covered_rules(rule_set: RuleSet, interfaces: Iterable[NetworkInterface], extents: Extents) -> Iterator[Covered]:
    """The rules that one other rule of their group covers, or of every interface that has their group.

    All of them could be deleted at once. Equal rules of two groups on one interface are not among them:
    each group is whole by itself.
    """
    found: set[int] = set()
    for covered in _covered_in_groups(rule_set, extents):
        found.add(id(covered.rule))
        yield covered
    yield from _covered_at_interfaces(rule_set, interfaces, extents, found)


def rules_of(group: SecurityGroup, direction: Direction) -> tuple[Rule, ...]:
    """A group's rules of one direction."""
    return group.ingress if direction == "ingress" else group.egress


def _covered_in_groups(rule_set: RuleSet, extents: Extents) -> Iterator[Covered]:
    for group in rule_set.groups.values():
        for direction in DIRECTIONS:
            cover = _cover(rules_of(group, direction), extents)
            for rule in rules_of(group, direction):
                mine = extents.of(rule)
                by = next((other for other in cover.covering(mine) if other is not rule), None)
                if by is not None and _can_match(mine):
                    yield Covered(rule, by, rule.peer == by.peer and mine == extents.of(by))


def _covered_at_interfaces(
    rule_set: RuleSet, interfaces: Iterable[NetworkInterface], extents: Extents, found: set[int]
) -> Iterator[Covered]:
    """Rules that a wider rule of another group covers wherever their own group is."""
    sets: dict[tuple[str, ...], list[str]] = {}  # groups that are together -> the interfaces that have them
    for eni in interfaces:
        sets.setdefault(tuple(group for group in eni.groups if group in rule_set.groups), []).append(eni.interface_id)
    sets_of: dict[str, list[tuple[str, ...]]] = {}
    for together in sets:
        for group_id in together:
            sets_of.setdefault(group_id, []).append(together)
    for direction in DIRECTIONS:
        covers = {key: _cover(rules_of(rule_set.groups[key], direction), extents) for key in sets_of}
        for group_id, found_in in sets_of.items():
            for rule in rules_of(rule_set.groups[group_id], direction):
                by = None if id(rule) in found else _wider_everywhere(rule, found_in, covers, extents)
                if by is not None:
                    yield Covered(rule, by, interfaces=tuple(eni for each in found_in for eni in sets[each]))


def _wider_everywhere(
    rule: Rule, sets: list[tuple[str, ...]], covers: dict[str, Cover[Rule]], extents: Extents
) -> Rule | None:
    """A rule of another group that covers more than this one, if there is one wherever its own group is."""
    mine = extents.of(rule)
    first = None
    for together in sets if _can_match(mine) else ():
        others = (other for key in together if key != rule.group_id for other in covers[key].covering(mine))
        wider = next((other for other in others if extents.of(other) != mine), None)
        if wider is None:
            return None
        first = first or wider
    return first


def _cover(rules: Iterable[Rule], extents: Extents) -> Cover[Rule]:
    cover: Cover[Rule] = Cover()
    for rule in rules:
        cover.add(extents.of(rule), rule)
    return cover


def _can_match(extent: Extent) -> bool:
    """A rule for an empty list, a deleted peering or an unknown address needs no other to cover it."""
    stale = isinstance(extent.peer, GroupPeer) and extent.peer.stale
    return not (extent.peer == frozenset() or stale or isinstance(extent.peer, UnknownPeer))
