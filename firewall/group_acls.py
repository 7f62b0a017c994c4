"""Network ACLs made of security groups: what the rules of a subnet's interfaces allow, as numbered entries.

A network ACL names address blocks only, so groups and prefix lists stand as the addresses that they are
known to have. It stands at a subnet's border: where no file says an interface's subnet, one is made
(firewall.made_subnets), and entries for blocks inside it would never be asked.
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import collapse_addresses
from operator import itemgetter
from typing import NamedTuple

from firewall.covers import Cover, Extents
from firewall.errors import UsageError
from firewall.made_subnets import free_name, made_subnets
from firewall.model import (
    ALL_PORTS,
    DIRECTIONS,
    ICMP,
    ICMPV6,
    LAST_ACL_NUMBER,
    TCP,
    UDP,
    Direction,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Rule,
    RuleSet,
    Subnet,
    holding,
)
from firewall.policy import attached_rules, reach

FIRST_NUMBER, STEP = 100, 10  # room for entries between them


class Wanted(NamedTuple):
    """An allow entry without its number: a service, a block, and whose sake it is for."""

    protocol: int
    ports: tuple[int, int] | None
    icmp: tuple[int, int]
    peer: Network
    why: str

    def entry(self, acl_id: str, direction: Direction, number: int) -> NetworkAclEntry:
        """The same with its place in a network ACL."""
        return NetworkAclEntry(acl_id, direction, number, "allow", self.protocol, self.peer, self.ports, *self.icmp)


Added = Mapping[tuple[str, Direction], Sequence[NetworkAclEntry]]  # by network ACL


# --- rules as entries ------------------------------------------------------------------------------------
def rule_entries(rule: Rule, rule_set: RuleSet) -> Iterator[Wanted]:
    """What a rule allows, a block each; nothing where it can match nothing.

    Ports count for TCP and UDP alone, as AWS reads them in rules and in entries.
    """
    ports = (rule.ports or ALL_PORTS) if rule.protocol in (TCP, UDP) else None
    blocks = reach(rule.peer, rule_set).networks
    for version in (4, 6):
        merged = collapse_addresses(block for block in blocks if block.version == version)  # type: ignore[type-var]  # all of one family
        for block in merged:
            if (rule.protocol, version) not in ((ICMP, 6), (ICMPV6, 4)):
                yield Wanted(rule.protocol, ports, (rule.icmp_type, rule.icmp_code), block, rule.name)


def uncovered(wanted: Iterable[Wanted], before: Iterable[NetworkAclEntry] = ()) -> list[Wanted]:
    """Those that no other one covers, nor an allow entry `before` them, in their order; of equal ones the first."""
    extents = Extents(RuleSet({}))
    distinct = {extents.of(each.entry("", "ingress", 0)): each for each in reversed(list(wanted))}
    cover: Cover[object] = Cover()
    for entry in before:
        if entry.action == "allow":
            cover.add(extents.of(entry), entry)
    for extent in distinct:
        cover.add(extent, extent)
    kept = [each for extent, each in distinct.items() if all(found is extent for found in cover.covering(extent))]
    return kept[::-1]


def side_by_side(wanted: Iterable[Wanted]) -> list[tuple[int, Wanted]]:
    """Entries of one service whose blocks make up a larger one, as one that names them all: it allows no more.

    With each stands the place of its first part. Services stand as they first come, blocks ascending.
    """
    services: dict[tuple[object, ...], list[tuple[int, Wanted]]] = {}
    for place, each in enumerate(wanted):
        services.setdefault((*each[:3], each.peer.version), []).append((place, each))
    return [one for parts in services.values() for one in _collapsed(parts)]


def _collapsed(parts: Sequence[tuple[int, Wanted]]) -> Iterator[tuple[int, Wanted]]:
    """The same of one service and family."""
    blocks: list[Network] = list(collapse_addresses(each.peer for _, each in parts))  # type: ignore[type-var]  # all of one family
    firsts = [int(block.network_address) for block in blocks]
    inside: list[list[tuple[int, Wanted]]] = [[] for _ in blocks]
    for part in parts:
        inside[bisect_right(firsts, int(part[1].peer.network_address)) - 1].append(part)
    for block, held in zip(blocks, inside, strict=True):
        named = [each for _, each in held if each.peer == block][:1] or [each for _, each in held]
        why = ", ".join(dict.fromkeys(each.why for each in named))
        yield held[0][0], held[0][1]._replace(peer=block, why=why)


def crosses_border(peer: Network, homes: Sequence[Sequence[Network]]) -> bool:
    """True if a network ACL that guards subnets with these blocks is asked about any address of a peer.

    Inside a subnet it is not asked.
    """
    return not homes or any(not any(_lies_in(peer, block) for block in blocks) for blocks in homes)


def _lies_in(peer: Network, block: Network) -> bool:
    return peer.version == block.version and peer.prefixlen >= block.prefixlen and peer.overlaps(block)


def homes_of(acl_id: str, rule_set: RuleSet) -> list[tuple[Network, ...]]:
    """The blocks of each subnet that a network ACL guards."""
    return [subnet.cidrs for subnet in rule_set.subnets.values() if subnet.network_acl == acl_id]


def numbers(count: int, taken: Sequence[int] = ()) -> list[int]:
    """Numbers for `count` entries behind those that are taken; the highest free ones where there is no room.

    Raises UsageError where the list would be longer than its numbers.
    """
    first = FIRST_NUMBER if not taken else (max(taken) // STEP + 1) * STEP
    if first + (count - 1) * STEP <= LAST_ACL_NUMBER:
        return [first + STEP * place for place in range(count)]
    free = [number for number in range(LAST_ACL_NUMBER, 0, -1) if number not in set(taken)][:count]
    if len(free) < count:
        raise UsageError(f"{count:,} entries: a network ACL has numbers for {LAST_ACL_NUMBER:,} (--as without nacl)")
    return free[::-1]


# --- subnets ---------------------------------------------------------------------------------------------
#: What reports say of a network ACL that is made here.
OF_GROUPS = (
    "{acl}: no file has a network ACL for {members}; the rules of its groups stand as numbered allow entries, and"
    " * behind them"
)


@dataclass(frozen=True)
class Plan:
    """Which subnet and network ACL guards each interface, and which of them are made here.

    `subnets` are those that a file must state for it, made ones and the files' with a made ACL; `members` are
    the interfaces (ids) behind each network ACL that is made of their groups.
    """

    interfaces: tuple[NetworkInterface, ...]
    subnet_of: dict[str, str]
    acl_of: dict[str, str]
    subnets: dict[str, Subnet] = field(default_factory=dict)
    made: tuple[str, ...] = ()  # subnets
    by_hand: tuple[str, ...] = ()  # interfaces (ids) that the subnets' blocks alone do not place
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    not_expanded: tuple[str, ...] = ()  # rules whose peers are not all known: entries have the addresses that are

    @property
    def notes(self) -> list[str]:
        """What was made of the groups, a sentence for each network ACL."""
        return [OF_GROUPS.format(acl=acl, members=", ".join(members)) for acl, members in self.members.items()]

    @property
    def without_block(self) -> Iterator[tuple[str, int, list[str]]]:
        """Made subnets for whose interfaces no block of a family is free: subnet, IP version, their addresses."""
        for name in self.made:
            blocks = [eni.networks for eni in self.interfaces if self.subnet_of[eni.interface_id] == name]
            for version in sorted({each.version for listed in blocks for each in listed}):
                if all(block.version != version for block in self.subnets[name].cidrs):
                    yield (
                        name,
                        version,
                        [_short(each) for listed in blocks for each in listed if each.version == version],
                    )

    def applied(self, rule_set: RuleSet, added: Added | None = None) -> RuleSet:
        """The rules with these subnets and network ACLs and the added entries; doing it twice changes nothing."""
        more = added or {}
        placed = {
            eni.interface_id: replace(
                rule_set.interfaces.get(eni.interface_id, eni), subnet=self.subnet_of[eni.interface_id]
            )
            for eni in self.interfaces
        }
        rule_set = replace(rule_set, interfaces=rule_set.interfaces | placed, subnets=rule_set.subnets | self.subnets)
        acls = dict(rule_set.network_acls)
        for acl_id, members in self.members.items():
            acls[acl_id] = group_acl(acl_id, [rule_set.interfaces[each] for each in members], rule_set, more)
        for acl_id in dict.fromkeys(acl_id for acl_id, _ in more):
            acls[acl_id] = _with_entries(acls[acl_id], more)
        return replace(rule_set, network_acls=acls)


def _short(block: Network) -> str:
    """A block, of one address without its length."""
    return str(block.network_address if block.prefixlen == block.max_prefixlen else block)


def _with_entries(acl: NetworkAcl, added: Added) -> NetworkAcl:
    """The network ACL with the entries put under their numbers."""
    ways = []
    for direction in DIRECTIONS:
        entries = acl.ingress if direction == "ingress" else acl.egress
        by_number = {entry.number: entry for entry in (*entries, *added.get((acl.network_acl_id, direction), ()))}
        ways.append(tuple(by_number[number] for number in sorted(by_number)))
    return replace(acl, ingress=ways[0], egress=ways[1])


def group_acl(acl_id: str, members: Sequence[NetworkInterface], rule_set: RuleSet, added: Added) -> NetworkAcl:
    """What the groups of some interfaces allow, as one network ACL, with the added entries under their numbers."""
    acl = NetworkAcl(acl_id, acl_id)
    ways: dict[tuple[str, Direction], list[NetworkAclEntry]] = {}
    for direction in DIRECTIONS:
        wanted = group_entries(acl_id, members, direction, rule_set)
        taken = {entry.number for entry in added.get((acl_id, direction), ())}
        free = [number for number in numbers(len(wanted) + len(taken)) if number not in taken]
        pairs = zip(wanted, free, strict=False)
        ways[acl_id, direction] = [each.entry(acl_id, direction, number) for each, number in pairs]
    return _with_entries(acl, ways)


def group_entries(
    acl_id: str, members: Iterable[NetworkInterface], direction: Direction, rule_set: RuleSet
) -> list[Wanted]:
    """What the groups of some interfaces allow of what crosses their subnets' borders, in the files' order."""
    rules = dict.fromkeys(rule for eni in members for rule in attached_rules(eni, direction, rule_set))
    homes = homes_of(acl_id, rule_set)
    listed = (each for rule in rules for each in rule_entries(rule, rule_set) if crosses_border(each.peer, homes))
    return uncovered(each for _, each in sorted(side_by_side(uncovered(listed)), key=itemgetter(0)))


def plan_acls(rule_set: RuleSet, interfaces: Sequence[NetworkInterface]) -> Plan:
    """The network ACL of each interface: the files' one, else one made of the groups of its subnet's interfaces."""
    known = [rule_set.interfaces.get(eni.interface_id, eni) for eni in interfaces]
    made = made_subnets(rule_set, known)
    of = {eni.interface_id: made.get(eni.interface_id) or rule_set.subnets[str(eni.subnet)] for eni in known}
    stated: dict[str, Subnet] = {}
    acl_of: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for name, subnet in of.items():
        acl = subnet.network_acl
        if acl is None or acl not in rule_set.network_acls:
            acl = free_name(acl or f"acl-{subnet.subnet_id.removeprefix('subnet-')}", rule_set.network_acls.keys())
            members.setdefault(acl, []).append(name)
            if name in made or subnet.network_acl != acl:
                stated[subnet.subnet_id] = replace(subnet, network_acl=acl)
        acl_of[name] = acl
    behind_made = [eni for eni in known if acl_of[eni.interface_id] in members]
    rules = (rule for eni in behind_made for way in DIRECTIONS for rule in attached_rules(eni, way, rule_set))
    unknown = [rule.name for rule in dict.fromkeys(rules) if not reach(rule.peer, rule_set).complete]
    return Plan(
        tuple(known),
        {name: subnet.subnet_id for name, subnet in of.items()},
        acl_of,
        stated,
        tuple(dict.fromkeys(subnet.subnet_id for subnet in made.values())),
        tuple(_not_placed(known, made, rule_set)),
        {acl: tuple(each) for acl, each in members.items()},
        tuple(unknown),
    )


def _not_placed(interfaces: Iterable[NetworkInterface], made: Mapping[str, Subnet], rule_set: RuleSet) -> Iterator[str]:
    """The interfaces that a file with the made subnets leaves outside: no file names theirs, and no blocks tell it."""
    subnets = rule_set.subnets | {subnet.subnet_id: subnet for subnet in made.values()}
    for eni in interfaces:
        mine = made.get(eni.interface_id)
        if mine is not None and eni.subnet is None and holding(subnets.values(), eni.addresses) != mine:
            yield eni.interface_id
