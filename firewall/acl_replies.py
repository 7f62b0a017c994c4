"""What a network ACL lacks beside security groups: entries for replies, by the packets of a capture.

A network ACL has no table. What the groups allow because a connection is tracked needs an entry of its
own: to the ports that the client chose, of which AWS names ranges (firewall.ephemeral).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.columns import distinct_peers, has_ports
from firewall.ephemeral import CATCH_ALL, FIRST_EPHEMERAL, KINDS, client_kind
from firewall.group_acls import (
    Added,
    Plan,
    Wanted,
    crosses_border,
    group_entries,
    homes_of,
    numbers,
    rule_entries,
    side_by_side,
    uncovered,
)
from firewall.labels import ICMP_PROTOCOLS, address_text
from firewall.model import (
    ALL_PORTS,
    ANY,
    DIRECTIONS,
    LAST_ACL_NUMBER,
    TCP,
    UDP,
    Direction,
    NetworkAclEntry,
    Rule,
    RuleSet,
)
from firewall.quotas import ENTRIES
from firewall.rows import Judged
from firewall.verdict import ALLOW, DROPPED_AT_SENDER, EGRESS, INGRESS, NACL_EGRESS, NACL_INGRESS, RELATED

REPLY = -1  # in place of a rule: the packet answers one that a rule allowed
NO_PORT = -1
#: Prefix lengths that peers are widened to, one after the other, where a list would be longer than its quota.
WIDTHS = {4: (32, 24, 16, 8, 0), 6: (128, 64, 48, 32, 0)}
CATCH_ALL_WHY = "replies to clients of every kind"


class Asked(NamedTuple):
    """What the packets of one lacking entry have in common."""

    eni: int
    direction: int
    rule: int  # that admits it by itself, or REPLY
    protocol: int
    icmp: tuple[int, int]
    service_port: int  # a destination port below the ephemeral ones, NO_PORT otherwise
    portless: bool  # a later fragment: only an entry for every port fits it
    peer: tuple[int, int]


@dataclass
class Lacking:
    """Rows that the groups allow and the network ACL does not, gathered batch by batch.

    `rules` and `entries` are those of the two firewalls, by which verdict rows name them. What a numbered
    deny entry stops is counted and not asked for: the entry is there on purpose.
    """

    rules: Sequence[Rule]
    entries: Sequence[NetworkAclEntry]
    asked: Counter[Asked] = field(default_factory=Counter)
    clients: dict[int | tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    denied: Counter[str] = field(default_factory=Counter)  # rows, by the numbered entry that denies them

    def __post_init__(self) -> None:
        ways = [INGRESS if rule.direction == "ingress" else EGRESS for rule in self.rules]
        self._way = np.array([*ways, 0], np.int64)  # -1, no rule, is none
        self._stated = np.array([*([False] * len(self.rules)), *map(_is_stated, self.entries), False])

    def add(self, ours: Judged, theirs: Judged) -> None:
        """One batch as the groups and as the network ACLs judge it; rows stand side by side."""
        admits, refuses = ours.verdicts, theirs.verdicts
        stopped = np.isin(refuses.reason, (NACL_INGRESS, NACL_EGRESS, DROPPED_AT_SENDER))
        rows = np.flatnonzero((admits.verdict == ALLOW) & stopped)
        stated = self._stated[refuses.rule[rows]]
        for entry in refuses.rule[rows[stated]].tolist():
            self.denied[self.entries[entry - len(self.rules)].name] += 1
        if not stated.all():
            self._group(ours, rows[~stated])

    def _group(self, judged: Judged, rows: NDArray[np.intp]) -> None:
        """Count the rows by what an entry would have to say, and note the ports of each client."""
        packets, verdicts = judged
        row = verdicts.packet[rows]
        direction, protocol = verdicts.direction[rows].astype(np.int64), packets.protocol[row].astype(np.int64)
        peers, peer = distinct_peers(packets, row, direction == INGRESS)
        rule = verdicts.rule[rows].astype(np.int64)
        answers = (rule < 0) | (self._way[rule] != direction) | (verdicts.reason[rows] == RELATED)
        readable, with_ports = has_ports(packets)[row], np.isin(protocol, (TCP, UDP))
        icmp = np.isin(protocol, ICMP_PROTOCOLS) & readable
        first, second = packets.src_port[row].astype(np.int64), packets.dst_port[row].astype(np.int64)
        ephemeral = with_ports & readable & (second >= FIRST_EPHEMERAL) & answers
        columns = np.stack(
            (
                verdicts.eni[rows].astype(np.int64),
                direction,
                np.where(answers, REPLY, rule),
                protocol,
                np.where(icmp, first, ANY),
                np.where(icmp, second, ANY),
                np.where(with_ports & readable & answers & ~ephemeral, second, NO_PORT),
                with_ports & ~readable,
                peer,
            ),
            axis=1,
        )
        groups, group = np.unique(columns, axis=0, return_inverse=True)
        lowest, highest = np.full(len(groups), 65536), np.full(len(groups), -1)
        np.minimum.at(lowest, group[ephemeral], second[ephemeral])
        np.maximum.at(highest, group[ephemeral], second[ephemeral])
        counts = np.bincount(group).tolist()
        for values, low, high, count in zip(groups.tolist(), lowest.tolist(), highest.tolist(), counts, strict=True):
            eni, way, by, number, kind, code, port, portless, at = values
            asked = Asked(eni, way, by, number, (kind, code), port, bool(portless), peers[at])
            self.asked[asked] += count
            if low <= high:
                client = _client(asked)
                known = self.clients.get(client, (low, high))
                self.clients[client] = (min(known[0], low), max(known[1], high))

    def wanted(self, plan: Plan, rule_set: RuleSet, *, catch_all: bool) -> dict[tuple[str, Direction], list[Wanted]]:
        """The entries by network ACL and direction; `catch_all`: one range of ports for clients of every kind."""
        found: dict[tuple[str, Direction], list[Wanted]] = {}
        homes = {acl_id: homes_of(acl_id, rule_set) for acl_id in plan.acl_of.values()}
        for asked in sorted(self.asked):
            name = plan.interfaces[asked.eni].interface_id
            direction: Direction = "ingress" if asked.direction == INGRESS else "egress"
            acl_id = plan.acl_of[name]
            listed = found.setdefault((acl_id, direction), [])
            asked_for = self._entries_for(asked, rule_set, catch_all=catch_all)
            listed += (each for each in asked_for if crosses_border(each.peer, homes[acl_id]))
        return found

    def _entries_for(self, asked: Asked, rule_set: RuleSet, *, catch_all: bool) -> Iterator[Wanted]:
        peer = ip_network(ip_address(address_text(*asked.peer)))
        if asked.portless:
            yield Wanted(asked.protocol, ALL_PORTS, (ANY, ANY), peer, "later fragments, which carry no port")
        elif asked.rule != REPLY:
            yield from rule_entries(self.rules[asked.rule], rule_set)
        elif asked.protocol not in (TCP, UDP):
            yield Wanted(asked.protocol, None, asked.icmp, peer, "replies and errors of tracked connections")
        elif asked.service_port != NO_PORT:
            ports = (asked.service_port, asked.service_port)
            yield Wanted(asked.protocol, ports, (ANY, ANY), peer, "replies to a port that is in no client's range")
        elif catch_all:
            yield Wanted(asked.protocol, CATCH_ALL, (ANY, ANY), peer, CATCH_ALL_WHY)
        else:
            kind = client_kind(*self.clients[_client(asked)])
            yield Wanted(asked.protocol, kind.ports, (ANY, ANY), peer, f"replies; the range of {kind.name}")


def _is_stated(entry: NetworkAclEntry) -> bool:
    """True for an entry that has a number, unlike `*`."""
    return entry.number <= LAST_ACL_NUMBER


def _client(asked: Asked) -> int | tuple[int, int]:
    """Who chose the port of a reply: the peer that it leaves to, or the interface that it comes to."""
    return asked.peer if asked.direction == EGRESS else asked.eni


# --- the remedy --------------------------------------------------------------------------------------------
class Widened(NamedTuple):
    """The prefix lengths that peers are widened to, IPv4's and IPv6's, and the entries that the list then has."""

    v4: int
    v6: int
    entries: int


@dataclass(frozen=True)
class Quota:
    """A list of a network ACL and the quota that it meets; `widened`: the prefix lengths of its replies, if changed.

    `if_widened`: what a list over its quota would be with the groups' own entries widened, which is not done.
    """

    acl_id: str
    direction: Direction
    entries: int
    widened: tuple[int, int] | None
    catch_all: bool
    if_widened: Widened | None = None

    @property
    def over(self) -> bool:
        """True if AWS makes such a list only after its quota is raised."""
        return self.entries > ENTRIES.default


@dataclass(frozen=True)
class Remedy:
    """Entries with which network ACLs admit what the groups do: `added` to those of the files, or made of groups."""

    plan: Plan
    rule_set: RuleSet  # with them
    added: Added
    why: dict[NetworkAclEntry, str]
    quotas: tuple[Quota, ...]
    denied: dict[str, int]  # rows that a numbered entry of the files denies, by its name

    @property
    def entries(self) -> int:
        """How many were added for replies."""
        return sum(map(len, self.added.values()))

    @property
    def is_new(self) -> bool:
        """True if it says more than the files do."""
        return bool(self.entries or self.plan.members)

    @property
    def ephemeral(self) -> bool:
        """True if one of them has the ports of a kind of client."""
        ranges = {kind.ports for kind in KINDS}
        return any(entry.ports in ranges for entries in self.added.values() for entry in entries)


def remedy(plan: Plan, rule_set: RuleSet, lacking: Lacking, *, changing: bool = False) -> Remedy:
    """The entries that are lacking, behind those that stand already; `rule_set` is the plan's, applied.

    `changing`: events change the rules, so that what stands now may not have stood for a packet.
    """
    own, any_client = (lacking.wanted(plan, rule_set, catch_all=catch_all) for catch_all in (False, True))
    added: dict[tuple[str, Direction], list[NetworkAclEntry]] = {}
    why: dict[NetworkAclEntry, str] = {}
    quotas = []
    for acl_id in dict.fromkeys(plan.acl_of.values()):
        acl = rule_set.network_acls[acl_id]
        for direction in DIRECTIONS:
            place = (acl_id, direction)
            before = acl.ingress if direction == "ingress" else acl.egress
            covering = () if changing else before
            lists = (own.get(place, []), any_client.get(place, []))
            found, quota = _fitted(place, len(before), covering, *lists)
            if quota.over:
                of_groups = _of_groups(place, plan, rule_set)
                quota = replace(quota, if_widened=_if_widened(of_groups, quota.entries - len(of_groups)))
            quotas.append(quota)
            taken = [entry.number for entry in before]
            for each, number in zip(found, numbers(len(found), taken), strict=True):
                entry = each.entry(acl_id, direction, number)
                added.setdefault(place, []).append(entry)
                why[entry] = each.why
    for acl_id in plan.members:
        why |= _rule_names(acl_id, plan, rule_set)
    return Remedy(plan, plan.applied(rule_set, added), added, why, tuple(quotas), dict(lacking.denied))


def _fitted(
    place: tuple[str, Direction],
    standing: int,
    before: Sequence[NetworkAclEntry],
    own: Sequence[Wanted],
    any_client: Sequence[Wanted],
) -> tuple[list[Wanted], Quota]:
    """The entries, peers widened only as far as the quota asks: AWS's default one, else the most that it grants.

    Where even the widest do not fit, none is widened.
    """
    exact = merged(own, 0, before)
    for most in (ENTRIES.default, ENTRIES.most or ENTRIES.default):
        for step in range(len(WIDTHS[4])):
            for wanted in (own, any_client):
                found = exact if (step, wanted) == (0, own) else merged(wanted, step, before)
                if standing + len(found) <= most:
                    widened = (WIDTHS[4][step], WIDTHS[6][step]) if step else None
                    return found, Quota(*place, standing + len(found), widened, wanted is not own)
    return exact, Quota(*place, standing + len(exact), None, catch_all=False)


def merged(wanted: Iterable[Wanted], step: int, before: Sequence[NetworkAclEntry] = ()) -> list[Wanted]:
    """Entries with their peers widened by so many steps; side by side ones are one, covered ones are left out.

    Single addresses are widened: a rule's block stays as the rule has it.
    """
    listed = (_widened(each, step) if each.peer.prefixlen == each.peer.max_prefixlen else each for each in wanted)
    return uncovered((each for _, each in side_by_side(listed)), before)


def _widened(wanted: Wanted, step: int) -> Wanted:
    """An entry with its peer widened by so many steps."""
    length = min(wanted.peer.prefixlen, WIDTHS[wanted.peer.version][step])
    return wanted._replace(peer=wanted.peer.supernet(new_prefix=length))


def _if_widened(rules: Sequence[Wanted], others: int) -> Widened | None:
    """How far the groups' own entries would have to be widened for a quota, beside so many others; nothing is done."""
    lists = [merged((_widened(each, step) for each in rules), 0) for step in range(1, len(WIDTHS[4]))]
    for most in (ENTRIES.default, ENTRIES.most or ENTRIES.default):
        for step, found in enumerate(lists, 1):
            if others + len(found) <= most < others + len(rules):
                return Widened(WIDTHS[4][step], WIDTHS[6][step], others + len(found))
    return None


def _of_groups(place: tuple[str, Direction], plan: Plan, rule_set: RuleSet) -> list[Wanted]:
    """Of a list made of groups, what they allow; nothing of a list of the files."""
    acl_id, direction = place
    members = [rule_set.interfaces[each] for each in plan.members.get(acl_id, ())]
    return group_entries(acl_id, members, direction, rule_set)


def _rule_names(acl_id: str, plan: Plan, rule_set: RuleSet) -> dict[NetworkAclEntry, str]:
    """Of the entries made of groups, the rules that each is."""
    acl = rule_set.network_acls[acl_id]
    found = {}
    for direction in DIRECTIONS:
        names = {each[:-1]: each.why for each in _of_groups((acl_id, direction), plan, rule_set)}
        for entry in acl.ingress if direction == "ingress" else acl.egress:
            found[entry] = names[entry.protocol, entry.ports, (entry.icmp_type, entry.icmp_code), entry.peer]
    return found
