"""The rule set while it is built: names of all files first, then the objects, then what spans files."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from firewall.model import (
    Address,
    GroupPeer,
    Network,
    NetworkInterface,
    Place,
    PrefixList,
    PrefixListPeer,
    Rule,
    RuleSet,
    SecurityGroup,
)
from firewall.sources.findings import Findings, Spot
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
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    prefix_lists: dict[str, PrefixList] = field(default_factory=dict)
    described_lists: dict[str, PrefixList] = field(default_factory=dict)  # the AWS CLI's, entries or not
    interfaces: dict[str, NetworkInterface] = field(default_factory=dict)
    owners: dict[Address, str] = field(default_factory=dict)
    auto_tracked: list[Network] = field(default_factory=list)
    rule_ids: dict[str, Place] = field(default_factory=dict)

    def add_group(self, group: SecurityGroup) -> None:
        """Names were checked when they were declared."""
        self.groups[group.group_id] = group

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

    def finish(self) -> RuleSet:
        """The rule set, once every file is read. Raises RuleFileError with everything that was wrong."""
        self.findings.stop_if_any()
        self.warn_unknown_peers()
        return RuleSet(
            self.groups,
            self.interfaces,
            self.prefix_lists,
            tuple(self.auto_tracked),
            tuple(self.findings.warnings),
        )

    def warn_unknown_peers(self) -> None:
        """A peer by id that no file describes cannot be matched: packets that hang on it are undecidable."""
        carried = {group for interface in self.interfaces.values() for group in interface.groups}
        told: set[str] = set()
        for rule in (rule for group in self.groups.values() for rule in (*group.ingress, *group.egress)):
            kind, identity = _unknown_peer(rule, self.groups.keys() | carried, self.prefix_lists.keys())
            if kind and identity not in told and rule.place is not None:
                told.add(identity)
                what = "who its members are" if kind == "unknown-members" else "its entries"
                self.findings.warn(kind, Spot(rule.place), f"no file says of {identity} {what}")


def _unknown_peer(rule: Rule, groups: Iterable[str], lists: Iterable[str]) -> tuple[str, str]:
    """The kind of warning and the id that is unknown, or two empty words."""
    match rule.peer:
        case GroupPeer(identity) if identity not in groups:
            return "unknown-members", identity
        case PrefixListPeer(identity) if identity not in lists:
            return "unknown-prefix-list", identity
    return "", ""
