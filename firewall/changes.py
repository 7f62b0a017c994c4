"""Changes of the rules while packets flow: revoke, authorize, replace groups, a list's version, ACL entries.

A change makes a new rule set of an old one; nothing is changed in place. AWS applies it to all interfaces
at once: tracked connections live on, untracked ones meet the new rules with their next packet.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from firewall.model import DIRECTIONS, Network, NetworkAclEntry, Rule, RuleSet


@dataclass(frozen=True, slots=True)
class Moment:
    """When a change takes effect: before frame `value` of the first capture, or before the first packet at a time.

    `packet`: a frame number from 1; `time`: ns since 1970; `after`: ns after the first packet.
    """

    kind: Literal["packet", "time", "after"]
    value: int


Change = Callable[[RuleSet], RuleSet]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a timeline: when, what is changed, and the words for it in reports."""

    moment: Moment
    text: str
    change: Change


@dataclass(frozen=True, slots=True)
class Phase:
    """A rule set and the event that it begins with."""

    event: Event
    rule_set: RuleSet


def phases(rule_set: RuleSet, events: Iterable[Event]) -> tuple[Phase, ...]:
    """The rule set after each event, in the timeline's order."""
    found = []
    for event in events:
        rule_set = event.change(rule_set)
        found.append(Phase(event, rule_set))
    return tuple(found)


def revoke(rules: Iterable[Rule]) -> Change:
    """RevokeSecurityGroupIngress and -Egress."""
    gone = frozenset(rules)

    def change(rule_set: RuleSet) -> RuleSet:
        groups = dict(rule_set.groups)
        for group_id in {rule.group_id for rule in gone}:
            group = groups[group_id]
            ingress, egress = (
                tuple(rule for rule in listed if rule not in gone) for listed in (group.ingress, group.egress)
            )
            groups[group_id] = replace(group, ingress=ingress, egress=egress)
        return replace(rule_set, groups=groups)

    return change


def authorize(rules: Iterable[Rule]) -> Change:
    """AuthorizeSecurityGroupIngress and -Egress."""
    new = tuple(rules)

    def change(rule_set: RuleSet) -> RuleSet:
        groups = dict(rule_set.groups)
        for rule in new:
            group = groups[rule.group_id]
            if rule.direction == "ingress":
                groups[rule.group_id] = replace(group, ingress=(*group.ingress, rule))
            else:
                groups[rule.group_id] = replace(group, egress=(*group.egress, rule))
        return replace(rule_set, groups=groups)

    return change


def replace_groups(interface_id: str, groups: Iterable[str]) -> Change:
    """ModifyNetworkInterfaceAttribute, Groups: the members of the groups change with it."""
    attached = tuple(groups)

    def change(rule_set: RuleSet) -> RuleSet:
        moved = replace(rule_set.interfaces[interface_id], groups=attached)
        return replace(rule_set, interfaces=rule_set.interfaces | {interface_id: moved})

    return change


def modify_prefix_list(prefix_list_id: str, entries: Iterable[Network]) -> Change:
    """ModifyManagedPrefixList: a new version with these entries; rules use it at once."""
    blocks = tuple(entries)

    def change(rule_set: RuleSet) -> RuleSet:
        old = rule_set.prefix_lists[prefix_list_id]
        new = replace(old, entries=blocks, version=(old.version or 1) + 1)
        return replace(rule_set, prefix_lists=rule_set.prefix_lists | {prefix_list_id: new})

    return change


def put_acl_entries(acl_id: str, entries: Iterable[NetworkAclEntry]) -> Change:
    """CreateNetworkAclEntry, and ReplaceNetworkAclEntry where the number stands already."""
    new = tuple(entries)

    def change(rule_set: RuleSet) -> RuleSet:
        acl = rule_set.network_acls[acl_id]
        listed = {}
        for direction in DIRECTIONS:
            by_number = {entry.number: entry for entry in getattr(acl, direction)}
            by_number |= {entry.number: entry for entry in new if entry.direction == direction}
            listed[direction] = tuple(by_number[number] for number in sorted(by_number))
        changed = replace(acl, ingress=listed["ingress"], egress=listed["egress"])
        return replace(rule_set, network_acls=rule_set.network_acls | {acl_id: changed})

    return change


def delete_acl_entries(acl_id: str, entries: Iterable[NetworkAclEntry]) -> Change:
    """DeleteNetworkAclEntry."""
    gone = {(entry.direction, entry.number) for entry in entries}

    def change(rule_set: RuleSet) -> RuleSet:
        acl = rule_set.network_acls[acl_id]
        ingress, egress = (
            tuple(entry for entry in listed if (entry.direction, entry.number) not in gone)
            for listed in (acl.ingress, acl.egress)
        )
        changed = replace(acl, ingress=ingress, egress=egress)
        return replace(rule_set, network_acls=rule_set.network_acls | {acl_id: changed})

    return change
