"""Network ACLs made of security groups: what the rules of a subnet's interfaces allow, as numbered entries.

A network ACL names address blocks only, so groups and prefix lists stand as the addresses that they are
known to have. It stands at a subnet's border: where no file says an interface's subnet, one is made.
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import collapse_addresses
from typing import NamedTuple

from firewall.covers import Cover, Extents
from firewall.errors import UsageError
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
)
from firewall.policy import attached_rules, reach

FIRST_NUMBER, STEP = 100, 10  # room for entries between them
#: The smallest subnets that AWS makes (https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html).
SMALLEST_SUBNET = {4: 28, 6: 64}


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
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    not_expanded: tuple[str, ...] = ()  # rules whose peers are not all known: entries have the addresses that are

    @property
    def notes(self) -> list[str]:
        """What was made of the groups, a sentence for each network ACL."""
        return [OF_GROUPS.format(acl=acl, members=", ".join(members)) for acl, members in self.members.items()]

    def applied(self, rule_set: RuleSet, added: Added | None = None) -> RuleSet:
        """The rules with these subnets and network ACLs and the added entries; doing it twice changes nothing."""
        more = added or {}
        placed = {
            eni.interface_id: replace(
                rule_set.interfaces.get(eni.interface_id, eni), subnet=self.subnet_of[eni.interface_id]
            )
            for eni in self.interfaces
        }
        rule_set = replace(rule_set, interfaces=rule_set.interfaces | placed)
        acls = dict(rule_set.network_acls)
        for acl_id, members in self.members.items():
            acls[acl_id] = group_acl(acl_id, [rule_set.interfaces[each] for each in members], rule_set, more)
        for acl_id in dict.fromkeys(acl_id for acl_id, _ in more):
            acls[acl_id] = _with_entries(acls[acl_id], more)
        return replace(rule_set, subnets=rule_set.subnets | self.subnets, network_acls=acls)


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
        rules = dict.fromkeys(rule for eni in members for rule in attached_rules(eni, direction, rule_set))
        wanted = uncovered(each for rule in rules for each in rule_entries(rule, rule_set))
        taken = {entry.number for entry in added.get((acl_id, direction), ())}
        free = [number for number in numbers(len(wanted) + len(taken)) if number not in taken]
        pairs = zip(wanted, free, strict=False)
        ways[acl_id, direction] = [each.entry(acl_id, direction, number) for each, number in pairs]
    return _with_entries(acl, ways)


def plan_acls(rule_set: RuleSet, interfaces: Sequence[NetworkInterface]) -> Plan:
    """The network ACL of each interface: the files' one, else one made of the groups of its subnet's interfaces."""
    known = [rule_set.interfaces.get(eni.interface_id, eni) for eni in interfaces]
    made = _made_subnets(rule_set, known)
    of = {eni.interface_id: made.get(eni.interface_id) or rule_set.subnets[str(eni.subnet)] for eni in known}
    stated: dict[str, Subnet] = {}
    acl_of: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for name, subnet in of.items():
        acl = subnet.network_acl
        if acl is None or acl not in rule_set.network_acls:
            acl = _free(acl or f"acl-{subnet.subnet_id.removeprefix('subnet-')}", rule_set.network_acls.keys())
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
        {acl: tuple(each) for acl, each in members.items()},
        tuple(unknown),
    )


def _made_subnets(rule_set: RuleSet, interfaces: Iterable[NetworkInterface]) -> dict[str, Subnet]:
    """By interface, the smallest subnets that AWS would make for those that no file places; what overlaps is one."""
    found: list[tuple[list[NetworkInterface], dict[int, Network]]] = []
    for eni in interfaces:
        if rule_set.subnet_of(eni) is not None:
            continue
        mine, blocks = [eni], _around(eni.networks)
        while (other := next((each for each in found if _overlap(each[1], blocks)), None)) is not None:
            found.remove(other)
            mine, blocks = [*other[0], *mine], _around([*other[1].values(), *blocks.values()])
        found.append((mine, blocks))
    taken = set(rule_set.subnets)
    made = {}
    for members, blocks in found:
        name = members[0].subnet or _free(f"subnet-{members[0].interface_id}", taken)
        taken.add(name)
        subnet = Subnet(name, tuple(blocks[version] for version in sorted(blocks)), members[0].vpc)
        made.update({eni.interface_id: subnet for eni in members})
    return made


def _around(networks: Iterable[Network]) -> dict[int, Network]:
    """The smallest subnet block of each family that holds all of the networks."""
    found: dict[int, Network] = {}
    for network in networks:
        length = min(network.prefixlen, SMALLEST_SUBNET[network.version])
        block = network.supernet(new_prefix=length)
        if network.version in found:
            block = _holding_both(found[network.version], block)
        while block.prefixlen and _is_broadcast(network, block):
            block = block.supernet()
        found[network.version] = block
    return found


def _is_broadcast(network: Network, block: Network) -> bool:
    """True for the last IPv4 address of a subnet of this block: nothing is delivered there, and no interface has it."""
    return network.version == 4 and network.prefixlen == 32 and network.network_address == block.broadcast_address


def _holding_both(one: Network, other: Network) -> Network:
    """The smallest block around two of one family."""
    first, last = int(other.network_address), int(other.broadcast_address)
    while not int(one.network_address) <= first <= last <= int(one.broadcast_address):
        one = one.supernet()
    return one


def _overlap(one: Mapping[int, Network], other: Mapping[int, Network]) -> bool:
    return any(version in other and block.overlaps(other[version]) for version, block in one.items())


def _free(name: str, taken: Iterable[str]) -> str:
    """The name, or the first numbered one that nothing has."""
    known = set(taken)
    number = 2
    free = name
    while free in known:
        free, number = f"{name}-{number}", number + 1
    return free
