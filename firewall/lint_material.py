"""What lints are given, and what they give: the material of a rule set, and findings."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from firewall.covers import Covered, Extents, covered_rules, rules_of
from firewall.model import (
    DIRECTIONS,
    Network,
    NetworkAclEntry,
    NetworkInterface,
    Place,
    PrefixListPeer,
    Rule,
    RuleSet,
)


class Finding(NamedTuple):
    """One thing that a lint found: what it is about, what is wrong, what to do; `names` silence it."""

    subject: str
    text: str
    fix: str
    place: Place | None
    names: tuple[str, ...]
    lint: str = ""


class Material:
    """A rule set, the interfaces that are looked at, and what several checks need of them."""

    def __init__(self, rule_set: RuleSet, interfaces: tuple[NetworkInterface, ...] | None = None) -> None:
        """`interfaces`: all of the rule set's for None."""
        self.rule_set = rule_set
        self.interfaces = tuple(rule_set.interfaces.values()) if interfaces is None else interfaces
        self.extents = Extents(rule_set)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All rules of all groups."""
        groups = self.rule_set.groups.values()
        return tuple(rule for group in groups for direction in DIRECTIONS for rule in rules_of(group, direction))

    @cached_property
    def entries(self) -> tuple[NetworkAclEntry, ...]:
        """All entries of all network ACLs."""
        return tuple(entry for acl in self.rule_set.network_acls.values() for entry in (*acl.ingress, *acl.egress))

    @property
    def rules_and_entries(self) -> Iterator[Rule | NetworkAclEntry]:
        """The one after the other: they name services alike."""
        yield from self.rules
        yield from self.entries

    @cached_property
    def covered(self) -> tuple[Covered, ...]:
        """The rules that others make useless."""
        return tuple(covered_rules(self.rule_set, self.interfaces, self.extents))

    def blocks(self, rule: Rule | NetworkAclEntry) -> tuple[Network, ...]:
        """The blocks of a rule's peer; a group has none of its own."""
        match rule.peer:
            case IPv4Network() | IPv6Network():
                return (rule.peer,)
            case PrefixListPeer(identity) if identity in self.rule_set.prefix_lists:
                return self.rule_set.prefix_lists[identity].entries
        return ()

    def anywhere(self, rule: Rule, version: int) -> bool:
        """True if the peer is 0.0.0.0/0 (::/0), or a list that has it as an entry."""
        return any((block.version, block.prefixlen) == (version, 0) for block in self.blocks(rule))

    def names(self, rule: Rule | NetworkAclEntry) -> tuple[str, ...]:
        """The names by which a finding about a rule or an entry is silenced."""
        if isinstance(rule, NetworkAclEntry):
            return (rule.name, rule.network_acl_id, self.rule_set.network_acls[rule.network_acl_id].name)
        return (rule.name, rule.group_id, self.rule_set.groups[rule.group_id].name)

    def about(self, rule: Rule | NetworkAclEntry, text: str, fix: str, *names: str) -> Finding:
        """A finding about a rule or an entry."""
        return Finding(rule.name, text, fix, rule.place, (*self.names(rule), *names))

    @cached_property
    def placed(self) -> dict[str, list[tuple[tuple[int, int], str, tuple[str, ...]]]]:
        """By file, in order: where things stand, what they are called, what silences findings about them."""
        rules = self.rule_set
        named = [
            *((group.place, group.name, (group.group_id, group.name)) for group in rules.groups.values()),
            *((each.place, each.name, (each.prefix_list_id, each.name)) for each in rules.prefix_lists.values()),
            *((acl.place, acl.name, (acl.network_acl_id, acl.name)) for acl in rules.network_acls.values()),
            *((eni.place, eni.interface_id, (eni.interface_id,)) for eni in rules.interfaces.values()),
            *((rule.place, rule.name, self.names(rule)) for rule in self.rules if not self._implied(rule)),
            *((entry.place, entry.name, self.names(entry)) for entry in self.entries),
        ]
        found: dict[str, list[tuple[tuple[int, int], str, tuple[str, ...]]]] = {}
        for place, name, names in named:
            if place is not None:
                found.setdefault(place.file, []).append(((place.line, place.column), name, names))
        return {file: sorted(each) for file, each in found.items()}

    def _implied(self, rule: Rule) -> bool:
        """A rule that no file writes: AWS's default egress, which stands where its group does."""
        return rule.place == self.rule_set.groups[rule.group_id].place

    def thing_at(self, place: Place | None) -> tuple[str, tuple[str, ...]]:
        """What is written at a place: the last thing that begins before it. Its name and what silences it."""
        listed = [] if place is None else self.placed.get(place.file, [])
        if place is None or not listed:
            return "", ()
        at = bisect_right(listed, (place.line, place.column), key=lambda row: row[0]) - 1
        return listed[at][1:] if at >= 0 else ("", ())


Check = Callable[[Material], Iterator[Finding]]
