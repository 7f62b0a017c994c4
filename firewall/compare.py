"""The same packets judged several times: as security groups, rule by rule without the table, as network ACLs.

A stateless filter (a network ACL is one) has no table, so every reply needs a rule of its own:
https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html. The comparison lists the
packets whose verdict differs and the rules that the stateless reading lacks.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import collapse_addresses, ip_address, ip_network
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.columns import distinct_peers, has_ports
from firewall.errors import UsageError
from firewall.labels import ICMP_PROTOCOLS, address_text, encodable
from firewall.model import ANY, Direction, Network, Rule, RuleSet, SecurityGroup
from firewall.model import DIRECTIONS as WAYS
from firewall.rows import Judged, join_all, take_rows
from firewall.summary import no_rows
from firewall.verdict import ALLOW, DIRECTIONS, INGRESS

READINGS = ("sg", "stateless", "nacl")  # of firewall.readings
GROUP = "replies "  # and the interface's id: the name of a group of reverse rules
KEPT_ROWS = 1000  # that differ, in full: what JSON and the page show


def read_readings(text: str) -> tuple[str, ...]:
    """`sg,stateless` as two or three different readings; raises UsageError."""
    readings = tuple(word.strip() for word in text.split(","))
    unknown = [word for word in readings if word not in READINGS]
    if unknown or len(set(readings)) != len(readings) or len(readings) < 2:
        known = ", ".join(READINGS)
        raise UsageError(f"--as {text}: write two or three different readings of {known}, with commas between")
    return readings


class Need(NamedTuple):
    """What the packets of one missing rule have in common; type and code are -1 but for ICMP."""

    eni: int
    direction: int
    protocol: int
    family: int
    icmp_type: int
    icmp_code: int


@dataclass
class Seen:
    """What was seen of the packets that need a rule."""

    ports: dict[tuple[int, int], tuple[int, int] | None] = field(default_factory=dict)  # by peer
    packets: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, peer: tuple[int, int], ports: tuple[int, int] | None, packets: int) -> None:
        """Count packets of one peer."""
        self.packets[peer] = self.packets.get(peer, 0) + packets
        known = self.ports.setdefault(peer, ports)
        if ports is not None:
            low, high = known or ports
            self.ports[peer] = (min(low, ports[0]), max(high, ports[1]))


@dataclass(frozen=True)
class ReverseRule:
    """A rule that the stateless reading lacks: one direction, protocol and range of ports of one interface."""

    eni: str
    direction: Direction
    protocol: int
    peers: tuple[Network, ...]  # collapsed, ascending
    ports: tuple[int, int] | None  # lowest and highest destination port that each of the peers was seen with
    icmp: tuple[int, int] | None  # type and code
    packets: int


class Ways(NamedTuple):
    """How two readings judge a row, where they differ: both reasons, and the rule or entry that the second names."""

    first: int
    second: int
    rule: int


@dataclass
class Pair:
    """What differs between two readings, by their numbers; the security groups are the first."""

    first: int
    second: int
    rows: int = 0
    packets: int = 0
    only_first: int = 0  # rows that the first reading allows and the second does not
    only_second: int = 0
    ways: Counter[Ways] = field(default_factory=Counter)
    #: the first row that differs, as both judged it, and the first one of each way
    example: tuple[Judged, Judged] = field(default_factory=lambda: (no_rows(), no_rows()))
    examples: dict[Ways, tuple[Judged, Judged]] = field(default_factory=dict)

    def add(self, ours: Judged, theirs: Judged) -> None:
        """Count one batch."""
        mine, other = ours.verdicts, theirs.verdicts
        differs = np.flatnonzero(mine.verdict != other.verdict)
        if not len(differs):
            return
        self.rows += len(differs)
        self.packets += packets_of(mine.packet[differs])
        self.only_first += int(np.count_nonzero(mine.verdict[differs] == ALLOW))
        self.only_second += int(np.count_nonzero(other.verdict[differs] == ALLOW))
        if not self.example[0].verdicts.rows:
            self.example = take_rows(ours, differs[:1]), take_rows(theirs, differs[:1])
        said = np.stack([mine.reason[differs], other.reason[differs], other.rule[differs]], axis=1, dtype=np.int64)
        found, first, counts = np.unique(said, axis=0, return_index=True, return_counts=True)
        for values, at, count in zip(found.tolist(), first.tolist(), counts.tolist(), strict=True):
            way = Ways(*values)
            self.ways[way] += count
            if way not in self.examples:
                row = differs[at : at + 1]
                self.examples[way] = take_rows(ours, row), take_rows(theirs, row)


def packets_of(packet: NDArray[np.int32]) -> int:
    """How many packets some rows in packet order belong to."""
    return int(np.count_nonzero(np.diff(packet))) + 1 if len(packet) else 0


@dataclass
class Comparison:
    """What differs between readings, and the rules that the stateless one lacks beside the groups."""

    readings: tuple[str, ...]
    rows: int = 0  # whose verdict is not the same in all
    packets: int = 0
    pairs: list[Pair] = field(default_factory=list)
    #: rows that a reading allows and another does not, by reading
    allowed_alone: list[int] = field(default_factory=list)
    #: the first differing rows, as each reading judged them
    kept: list[Judged] = field(default_factory=list)
    needs: dict[Need, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.readings)
        groups = [name == "sg" for name in self.readings]
        pairs = combinations(range(count), 2)
        self.pairs = [Pair(second, first) if groups[second] else Pair(first, second) for first, second in pairs]
        self.allowed_alone = [0] * count
        self.kept = [no_rows() for _ in self.readings]

    def pair(self, first: str, second: str) -> Pair:
        """What differs between two readings."""
        names = self.readings.index(first), self.readings.index(second)
        return next(pair for pair in self.pairs if (pair.first, pair.second) == names)

    def reverse_rules(self, interfaces: Sequence[str]) -> list[ReverseRule]:
        """The missing rules, in the order of interface, direction, protocol and ports."""
        return [rule for need, seen in sorted(self.needs.items()) for rule in _rules(need, seen, interfaces)]


Replays = Sequence[Iterator[Judged]]


def compare(
    replays: Replays, readings: tuple[str, ...], seen: Callable[..., None] = lambda *_judged: None
) -> Comparison:
    """Walk replays of the same packets side by side; `seen` is given every row of batches, one for each reading."""
    comparison = Comparison(readings)
    for batches in zip(*replays, strict=True):
        seen(*batches)
        _add(comparison, batches)
    return comparison


def _add(comparison: Comparison, batches: Sequence[Judged]) -> None:
    for pair in comparison.pairs:
        pair.add(batches[pair.first], batches[pair.second])
    verdicts = np.stack([judged.verdicts.verdict for judged in batches])
    differs = np.flatnonzero((verdicts != verdicts[0]).any(axis=0))
    if not len(differs):
        return
    comparison.rows += len(differs)
    comparison.packets += packets_of(batches[0].verdicts.packet[differs])
    allowed = verdicts[:, differs] == ALLOW
    comparison.allowed_alone = [
        before + int(count) for before, count in zip(comparison.allowed_alone, allowed.sum(axis=1), strict=True)
    ]
    room = KEPT_ROWS - comparison.kept[0].verdicts.rows
    if room > 0:
        kept = zip(comparison.kept, batches, strict=True)
        comparison.kept = [join_all([before, take_rows(judged, differs[:room])]) for before, judged in kept]
    if {"sg", "stateless"} <= set(comparison.readings):
        ours, theirs = (batches[comparison.readings.index(name)] for name in ("sg", "stateless"))
        alone = (ours.verdicts.verdict == ALLOW) & (theirs.verdicts.verdict != ALLOW)
        _add_needs(comparison.needs, ours, np.flatnonzero(alone))


def _add_needs(needs: dict[Need, Seen], judged: Judged, rows: NDArray[np.intp]) -> None:
    """Group the rows by what a rule would have to say, and by peer."""
    if not len(rows):
        return
    packets, verdicts = judged
    row = verdicts.packet[rows]
    direction, protocol = verdicts.direction[rows].astype(np.int64), packets.protocol[row].astype(np.int64)
    peers, peer = distinct_peers(packets, row, direction == INGRESS)
    icmp = np.isin(protocol, ICMP_PROTOCOLS)
    low_port, high_port = packets.src_port[row].astype(np.int64), packets.dst_port[row].astype(np.int64)
    fields = (verdicts.eni[rows], direction, protocol, packets.family[row])
    columns = (*fields, np.where(icmp, low_port, -1), np.where(icmp, high_port, -1), peer)
    groups, group = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    with_ports = has_ports(packets)[row] & ~icmp
    lowest, highest = np.full(len(groups), 65536), np.full(len(groups), -1)
    np.minimum.at(lowest, group[with_ports], high_port[with_ports])
    np.maximum.at(highest, group[with_ports], high_port[with_ports])
    counts = np.bincount(group).tolist()
    for values, low, high, count in zip(groups.tolist(), lowest.tolist(), highest.tolist(), counts, strict=True):
        seen = needs.setdefault(Need(*values[:-1]), Seen())
        seen.add(peers[values[-1]], (low, high) if low <= high else None, count)


def _rules(need: Need, seen: Seen, interfaces: Sequence[str]) -> Iterator[ReverseRule]:
    """A rule for each range of ports, with the peers that have it."""
    alike: dict[tuple[int, int] | None, list[tuple[int, int]]] = {}
    for peer, ports in seen.ports.items():
        alike.setdefault(ports, []).append(peer)
    for ports, peers in sorted(alike.items(), key=lambda item: item[0] or (-1, -1)):
        networks = [ip_network(ip_address(address_text(*peer))) for peer in peers]
        collapsed: list[Network] = list(collapse_addresses(networks))  # type: ignore[type-var]  # all of one family
        yield ReverseRule(
            eni=interfaces[need.eni],
            direction="ingress" if DIRECTIONS[need.direction] == "ingress" else "egress",
            protocol=need.protocol,
            peers=tuple(collapsed),
            ports=ports,
            icmp=(need.icmp_type, need.icmp_code) if need.protocol in ICMP_PROTOCOLS else None,
            packets=sum(seen.packets[peer] for peer in peers),
        )


def with_replies(rule_set: RuleSet, rules: Sequence[ReverseRule]) -> RuleSet:
    """The rules with a group of reverse rules on each interface that lacks some, as the rule file gives it."""
    groups, interfaces = dict(rule_set.groups), dict(rule_set.interfaces)
    for name, eni in rule_set.interfaces.items():
        mine = [rule for rule in rules if rule.eni == encodable(name)]
        if mine:
            group = _reply_group(GROUP + name, mine, groups.get(GROUP + name))
            groups[group.group_id] = group
            interfaces[name] = replace(eni, groups=tuple(dict.fromkeys((*eni.groups, group.group_id))))
    return replace(rule_set, groups=groups, interfaces=interfaces)


def _reply_group(name: str, rules: Sequence[ReverseRule], known: SecurityGroup | None) -> SecurityGroup:
    """The reverse rules as a group, behind those that a group of this name holds already."""
    ways: dict[Direction, list[Rule]] = {}
    for direction in WAYS:
        before = () if known is None else getattr(known, direction)
        ways[direction] = listed = list(before)
        for rule in (rule for rule in rules if rule.direction == direction):
            icmp = rule.icmp or (ANY, ANY)
            for peer in rule.peers:
                listed.append(Rule(name, direction, len(listed), rule.protocol, peer, rule.ports, *icmp))
    return SecurityGroup(name, name, tuple(ways["ingress"]), tuple(ways["egress"]))
