"""The rule set while it is built: names of all files first, then the objects, then what spans files."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from firewall.model import (
    Address,
    GroupPeer,
    Network,
    NetworkAcl,
    NetworkInterface,
    Place,
    PrefixList,
    PrefixListPeer,
    Rule,
    RuleSet,
    SecurityGroup,
    Subnet,
    UnknownPeer,
    Vpc,
    holding,
)
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node
from firewall.sources.reading import quoted, suggestion


@dataclass(slots=True)
class Names:
    """The ids and names of one kind of object in all files."""

    kind: str
    ids: dict[str, Place] = field(default_factory=dict)
    by_name: dict[str, list[str]] = field(default_factory=dict)
    unique: dict[str, Place] = field(default_factory=dict)

    def declare(self, identity: str, name: str, spot: Spot, findings: Findings, unique: bool = False) -> None:
        """Note that a file defines `identity`; a `unique` name may stand once, whatever its case (AWS: per VPC)."""
        folded = name.casefold()
        if identity in self.ids:
            findings.error(spot, f"{self.kind} {quoted(identity)} is defined twice, first at {self.ids[identity]}")
        elif unique and folded in self.unique:
            findings.error(
                spot,
                f"{self.kind} name {quoted(name)} is used twice, first at {self.unique[folded]}: "
                "names that differ in case alone are equal",
            )
        self.ids.setdefault(identity, spot.place)
        if unique:
            self.unique.setdefault(folded, spot.place)
        self.also(identity, name)

    def mention(self, identity: str, name: str, spot: Spot) -> None:
        """Note that a file defines `identity`, of a kind whose second definition is told when it is added."""
        self.ids.setdefault(identity, spot.place)
        self.also(identity, name)

    def also(self, identity: str, name: str) -> None:
        """Note that `name` may stand for `identity`."""
        known = self.by_name.setdefault(name, [])
        if identity not in known:
            known.append(identity)

    def resolve(self, word: str, spot: Spot, findings: Findings) -> str | None:
        """The id that an id or a name stands for; none or several is an error."""
        found = dict.fromkeys([word] if word in self.ids else [])
        found |= dict.fromkeys(self.by_name.get(word, []))
        if len(found) == 1:
            return next(iter(found))
        if found:
            findings.error(spot, f"{quoted(word)} names several {self.kind}s: write the id, one of {', '.join(found)}")
        else:
            findings.error(spot, f"no {self.kind} {quoted(word)}: {suggestion(word, [*self.by_name, *self.ids])}")
        return None


@dataclass(slots=True)
class Draft:
    """What the files have said so far."""

    findings: Findings = field(default_factory=Findings)
    group_names: Names = field(default_factory=lambda: Names("security group"))
    list_names: Names = field(default_factory=lambda: Names("prefix list"))
    vpc_names: Names = field(default_factory=lambda: Names("VPC"))
    subnet_names: Names = field(default_factory=lambda: Names("subnet"))
    acl_names: Names = field(default_factory=lambda: Names("network ACL"))
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    prefix_lists: dict[str, PrefixList] = field(default_factory=dict)
    described_lists: dict[str, PrefixList] = field(default_factory=dict)  # the AWS CLI's, entries or not
    interfaces: dict[str, NetworkInterface] = field(default_factory=dict)
    owners: dict[Address, str] = field(default_factory=dict)
    auto_tracked: list[Network] = field(default_factory=list)
    rule_ids: dict[str, Place] = field(default_factory=dict)
    vpcs: dict[str, Vpc] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    network_acls: dict[str, NetworkAcl] = field(default_factory=dict)
    acl_of_subnet: dict[str, str] = field(default_factory=dict)  # associations, whichever file states them
    allowance: int | None = None
    silenced: dict[str, list[str]] = field(default_factory=dict)
    #: groups that something names which is not read, lists of which a file gives a part; and what natives say of them
    open_groups: set[str] = field(default_factory=set)
    open_lists: set[str] = field(default_factory=set)
    more_interfaces: bool = False  # a file gives the first page of its interfaces
    members_complete: list[Node] = field(default_factory=list)
    all_complete: bool = False
    #: what native files say for others: addresses of interfaces that a template names, values of its parameters
    addresses: dict[str, list[tuple[Address, Spot]]] = field(default_factory=dict)
    parameters: dict[str, Node] = field(default_factory=dict)
    used_addresses: set[str] = field(default_factory=set)
    used_parameters: set[str] = field(default_factory=set)
    #: what several files say of one object, by any key: kept while names are declared, for when objects are built
    noted: dict[tuple[str, ...], list[Node]] = field(default_factory=dict)

    def add_group(self, group: SecurityGroup) -> None:
        """Names were checked when they were declared."""
        self.groups[group.group_id] = group

    def note(self, node: Node, *key: str) -> None:
        """Keep a node for others to find under `key`, such as the output that holds it and an id."""
        self.noted.setdefault(key, []).append(node)

    def notes(self, *key: str) -> list[Node]:
        """The nodes that all files have under `key`, in order."""
        return self.noted.get(key, [])

    def claim_rule_id(self, rule_id: str, spot: Spot) -> None:
        """A rule id names one rule."""
        if rule_id in self.rule_ids:
            first = self.rule_ids[rule_id]
            self.findings.error(spot, f"rule id {quoted(rule_id)} is used twice, first at {first}")
        self.rule_ids.setdefault(rule_id, spot.place)

    def given_addresses(self, identity: str) -> list[tuple[Address, Spot]]:
        """The addresses that a native file gives under `addresses:` for an interface that another file describes."""
        self.used_addresses.add(identity)
        return self.addresses.get(identity, [])

    def parameter(self, name: str) -> Node | None:
        """The value that a native file gives under `parameters:`, for a template's parameter or a name it imports."""
        self.used_parameters.add(name)
        return self.parameters.get(name)

    def add_interface(self, interface: NetworkInterface, spot: Spot, addresses: Iterable[tuple[Address, Spot]]) -> None:
        """An interface with the places of its addresses: one address, one interface."""
        identity = interface.interface_id
        if identity in self.interfaces:
            first = self.interfaces[identity].place
            self.findings.error(spot, f"interface {quoted(identity)} is defined twice, first at {first}")
            return
        self.interfaces[identity] = interface
        for address, where in addresses:
            if address in self.owners:
                self.findings.error(
                    where,
                    f"address {address} is listed already, on interface {quoted(self.owners[address])}: "
                    "an address belongs to one interface (of several VPCs, give one at a time)",
                )
            self.owners.setdefault(address, identity)

    def add_vpc(self, vpc: Vpc, spot: Spot) -> None:
        """One VPC."""
        self._add_once(self.vpcs, vpc.vpc_id, vpc, "VPC", spot)

    def add_subnet(self, subnet: Subnet, spot: Spot) -> None:
        """One subnet; its network ACL may also be stated by the list, with `associate`."""
        self._add_once(self.subnets, subnet.subnet_id, subnet, "subnet", spot)
        if subnet.network_acl is not None:
            self.associate(subnet.network_acl, subnet.subnet_id, spot)

    def add_network_acl(self, acl: NetworkAcl, spot: Spot) -> None:
        """One network ACL; two entries of a direction with one number are a mistake."""
        self._add_once(self.network_acls, acl.network_acl_id, acl, "network ACL", spot)
        for listed in (acl.ingress, acl.egress):
            numbers: dict[int, Place | None] = {}
            for entry in listed:
                if entry.number in numbers and entry.place is not None:
                    self.findings.error(
                        Spot(entry.place),
                        f"{entry.name} is written twice, first at {numbers[entry.number]}: entries of one direction "
                        "differ in number",
                    )
                numbers.setdefault(entry.number, entry.place)

    def associate(self, acl_id: str, subnet_id: str, spot: Spot) -> None:
        """A subnet has exactly one network ACL (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html)."""
        known = self.acl_of_subnet.setdefault(subnet_id, acl_id)
        if known != acl_id:
            self.findings.error(
                spot, f"subnet {quoted(subnet_id)} has two network ACLs, {known} and {acl_id}: AWS allows one"
            )

    def _add_once(self, known: dict[str, Any], identity: str, item: Any, kind: str, spot: Spot) -> None:
        if identity in known:
            self.findings.error(
                spot, f"{kind} {quoted(identity)} is defined twice, first at {known[identity].place}: keep one"
            )
        known.setdefault(identity, item)

    def finish(self) -> RuleSet:
        """The rule set, once every file is read. Raises RuleFileError with everything that was wrong."""
        self._check_given()
        incomplete = self._incomplete()
        self.findings.stop_if_any()
        self.warn_unknown_peers()
        subnets = {key: replace(each, network_acl=self._acl_of(each)) for key, each in self.subnets.items()}
        interfaces = {key: self._placed(each, subnets) for key, each in self.interfaces.items()}
        self._warn_unguarded(interfaces.values(), subnets)
        self._warn_outside(interfaces.values(), subnets.values())
        return RuleSet(
            self.groups,
            interfaces,
            self.prefix_lists,
            tuple(dict.fromkeys(self.auto_tracked)),
            tuple(self.findings.warnings),
            self.vpcs,
            subnets,
            {key: _in_order(each) for key, each in self.network_acls.items()},
            self.allowance,
            incomplete,
            {name: tuple(words) for name, words in self.silenced.items()},
        )

    def _incomplete(self) -> frozenset[str]:
        """Groups that may have members which no file says, unless a native file says that it has all; and lists."""
        if self.all_complete:
            return frozenset(self.open_lists)
        groups = self.groups.keys() | self.open_groups if self.more_interfaces else self.open_groups
        said = {self.group_names.resolve(str(node.value), node, self.findings) for node in self.members_complete}
        return frozenset((groups - said) | self.open_lists)

    def _check_given(self) -> None:
        """Addresses and parameters that no file asks for are slips of the pen."""
        for name, found in self.addresses.items():
            if name not in self.used_addresses and found:
                asked = suggestion(name, sorted(self.used_addresses)) if self.used_addresses else "no file asks for one"
                self.findings.error(found[0][1], f"no interface {quoted(name)} lacks an address: {asked}")
        for name, node in self.parameters.items():
            if name not in self.used_parameters:
                asked = suggestion(name, sorted(self.used_parameters)) if self.used_parameters else "no file has any"
                self.findings.error(node, f"no file asks for a parameter {quoted(name)}: {asked}")

    def _acl_of(self, subnet: Subnet) -> str | None:
        """The subnet's network ACL: the associated one, else its VPC's default one."""
        if subnet.subnet_id in self.acl_of_subnet:
            return self.acl_of_subnet[subnet.subnet_id]
        default = (acl for acl in self.network_acls.values() if acl.is_default and acl.vpc == subnet.vpc)
        return next((acl.network_acl_id for acl in default), None)

    def _placed(self, interface: NetworkInterface, subnets: dict[str, Subnet]) -> NetworkInterface:
        """The interface in its subnet: where no file names it, the one subnet that holds all its addresses."""
        if interface.subnet is not None:
            return interface
        subnet = holding(subnets.values(), interface.addresses)
        return interface if subnet is None else replace(interface, subnet=subnet.subnet_id)

    def _warn_unguarded(self, interfaces: Iterable[NetworkInterface], subnets: dict[str, Subnet]) -> None:
        """Where network ACLs are given but an interface's is not found, its verdicts leave it out."""
        if not self.network_acls and not self.acl_of_subnet:
            return
        for each in interfaces:
            subnet = subnets.get(each.subnet or "")
            if each.place is not None and (subnet is None or subnet.network_acl not in self.network_acls):
                if each.subnet is None:
                    why = "is in no subnet that the files describe"
                elif subnet is None:
                    why = f"is in {each.subnet}, whose blocks no file gives (describe-subnets does)"
                else:
                    why = f"is in {each.subnet}, for which no file gives a network ACL (describe-network-acls does)"
                told = f"interface {each.interface_id} {why}: no network ACL is evaluated for it"
                self.findings.warn("no-network-acl", Spot(each.place), told)

    def _warn_outside(self, interfaces: Iterable[NetworkInterface], subnets: Iterable[Subnet]) -> None:
        """AWS gives subnets and interfaces addresses out of the VPC's and the subnet's blocks: others are slips."""
        for eni in interfaces:
            inside = self.subnets.get(eni.subnet or "")
            if inside is not None:
                name = f"subnet {inside.subnet_id}"
                _warn_outside(
                    f"interface {eni.interface_id}", eni.place, eni.networks, name, inside.cidrs, self.findings
                )
        for subnet in subnets:
            around = self.vpcs.get(subnet.vpc or "")
            if around is not None:
                name = f"VPC {around.vpc_id}"
                _warn_outside(
                    f"subnet {subnet.subnet_id}", subnet.place, subnet.cidrs, name, around.cidrs, self.findings
                )

    def warn_unknown_peers(self) -> None:
        """A peer by id that no file describes cannot be matched: packets that hang on it are undecidable."""
        carried = {group for interface in self.interfaces.values() for group in interface.groups}
        groups = self.groups.keys() | carried
        told: set[str] = set()
        for rule in (rule for group in self.groups.values() for rule in (*group.ingress, *group.egress)):
            kind, text = _unknown_peer(rule, groups, self.prefix_lists.keys())
            if kind and text not in told and rule.place is not None:
                told.add(text)
                self.findings.warn(kind, Spot(rule.place), text)


def _unknown_peer(rule: Rule, groups: Iterable[str], lists: Iterable[str]) -> tuple[str, str]:
    """The kind of warning and what is unknown, or two empty words."""
    match rule.peer:
        case GroupPeer(identity) if rule.peer.stale:
            return "stale-rule", f"the peering to {identity} is deleted: the rule matches nothing"
        case GroupPeer(identity) if identity not in groups:
            return "unknown-members", f"no file says of {identity} who its members are"
        case PrefixListPeer(identity) if identity not in lists:
            return "unknown-prefix-list", f"no file says of {identity} its entries"
        case UnknownPeer(text):
            return "unknown-peer", f"{text} is not known: packets that this rule might allow are undecidable"
    return "", ""


def _warn_outside(
    what: str,
    place: Place | None,
    blocks: Iterable[Network],
    around: str,
    cidrs: Iterable[Network],
    findings: Findings,
) -> None:
    """Warn of blocks that no block around them holds; where none of their family is stated nothing is known."""
    for block in blocks:
        same = [each for each in cidrs if each.version == block.version]
        first, last = int(block.network_address), int(block.broadcast_address)
        held = any(int(each.network_address) <= first and last <= int(each.broadcast_address) for each in same)
        if same and not held and place is not None:
            text = f"{what} has {block}, which is in no block of {around} ({', '.join(map(str, same))})"
            findings.warn("outside-block", Spot(place), text)


def _in_order(acl: NetworkAcl) -> NetworkAcl:
    """Entries in the order of their numbers, in which they are evaluated."""
    ingress, egress = (tuple(sorted(listed, key=lambda entry: entry.number)) for listed in (acl.ingress, acl.egress))
    return replace(acl, ingress=ingress, egress=egress)
