"""What was understood of rule files: the interfaces with their rules, quotas and lints. Reports are made from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from firewall.covers import Span, service_span
from firewall.interfaces import chosen_interfaces
from firewall.labels import encodable
from firewall.lint import lint, warnings_left
from firewall.lint_material import Finding, Material
from firewall.model import (
    ALL_PROTOCOLS,
    DIRECTIONS,
    TCP,
    UDP,
    Direction,
    NetworkAcl,
    NetworkInterface,
    PrefixList,
    PrefixListPeer,
    RuleSet,
    SecurityGroup,
    Subnet,
    Vpc,
)
from firewall.policy import allows_all, attached_rules
from firewall.quotas import FAMILIES, Usage, read_limits, usages
from firewall.rule_words import Members, members_by_group
from firewall.sources import load_rules

OPPOSITE: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}
CONDITIONS = ("lint", "quota")


class Untracked(NamedTuple):
    """Connections of an interface that AWS keeps no entry for: every packet meets the rules by itself.

    A rule for anywhere (`rules`) lets the first packet pass, and one of the other direction (`because`)
    lets every port pass to and from anywhere. What AWS tracks in every case is tracked here too.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
    """

    direction: Direction
    family: int
    protocol: int
    ports: tuple[Span, ...]
    rules: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True)
class Understood:
    """A rule set seen from the interfaces that were asked for (`narrowed`), or from all of them."""

    version: str
    files: tuple[str, ...]
    rule_set: RuleSet
    interfaces: tuple[NetworkInterface, ...]
    narrowed: bool
    limits: dict[str, int]
    usages: tuple[Usage, ...]
    findings: tuple[Finding, ...]
    silenced: dict[str, int]
    warnings: tuple[str, ...]

    def held(self, conditions: Sequence[str]) -> list[str]:
        """Those of the conditions of `--fail-on` that hold."""
        holds = {"lint": bool(self.findings), "quota": any(usage.over for usage in self.usages)}
        return [condition for condition in conditions if holds[condition]]

    # --- what is shown -----------------------------------------------------------------------------------
    @cached_property
    def members(self) -> dict[str, Members]:
        """Who has each group; an interface that the words made is in it too."""
        everyone = {eni.interface_id: eni for eni in (*self.rule_set.interfaces.values(), *self.interfaces)}
        return members_by_group(everyone.values())

    @property
    def sections(self) -> dict[tuple[str, ...], list[NetworkInterface]]:
        """The interfaces by their groups: those with the same groups have the same rules."""
        found: dict[tuple[str, ...], list[NetworkInterface]] = {}
        for eni in self.interfaces:
            found.setdefault(eni.groups, []).append(eni)
        return found

    @property
    def groups(self) -> list[SecurityGroup]:
        """The groups of the interfaces; all of them unless interfaces were asked for."""
        attached = {group for eni in self.interfaces for group in eni.groups}
        return [each for each in self.rule_set.groups.values() if not self.narrowed or each.group_id in attached]

    @property
    def loose_groups(self) -> list[SecurityGroup]:
        """The shown groups that are on no interface."""
        return [group for group in self.groups if group.group_id not in self.members]

    @property
    def subnets(self) -> list[Subnet]:
        """The subnets of the interfaces, or all."""
        here = {eni.subnet for eni in self.interfaces}
        return [each for each in self.rule_set.subnets.values() if not self.narrowed or each.subnet_id in here]

    @property
    def network_acls(self) -> list[NetworkAcl]:
        """The network ACLs of those subnets, or all."""
        here = {subnet.network_acl for subnet in self.subnets}
        known = self.rule_set.network_acls.values()
        return [acl for acl in known if not self.narrowed or acl.network_acl_id in here]

    @property
    def vpcs(self) -> list[Vpc]:
        """The VPCs of the interfaces, or all."""
        here = {vpc.vpc_id for eni in self.interfaces if (vpc := self.rule_set.vpc_of(eni)) is not None}
        return [vpc for vpc in self.rule_set.vpcs.values() if not self.narrowed or vpc.vpc_id in here]

    @property
    def prefix_lists(self) -> list[PrefixList]:
        """The prefix lists that rules of the shown groups name, or all."""
        peers = (rule.peer for group in self.groups for rule in (*group.ingress, *group.egress))
        here = {peer.prefix_list_id for peer in peers if isinstance(peer, PrefixListPeer)}
        known = self.rule_set.prefix_lists.values()
        return [each for each in known if not self.narrowed or each.prefix_list_id in here]

    @cached_property
    def untracked(self) -> dict[tuple[str, ...], tuple[Untracked, ...]]:
        """What AWS does not track, by the groups that interfaces have."""
        material = Material(self.rule_set, self.interfaces)
        return {
            groups: tuple(each for each in _untracked(having[0], material) if each.family in _families(having))
            for groups, having in self.sections.items()
        }


def understand(
    files: Sequence[str], enis: Sequence[str] = (), limits: Sequence[str] = (), version: str = ""
) -> Understood:
    """Read rule files and look at them from the interfaces that `enis` name, or from all.

    Raises RuleFileError, and UsageError for an interface or a limit (`NAME=VALUE`) that cannot be.
    """
    quotas = read_limits(limits)
    rule_set = load_rules(*files)
    shown = chosen_interfaces(rule_set, enis) if enis else tuple(rule_set.interfaces.values())
    everyone = tuple({eni.interface_id: eni for eni in (*rule_set.interfaces.values(), *shown)}.values())
    linted = lint(rule_set, everyone)
    seen = Understood(
        version,
        tuple(map(encodable, files)),
        rule_set,
        shown,
        bool(enis),
        quotas,
        usages(rule_set, shown, quotas),
        tuple(sorted(linted.findings, key=_in_files)),
        linted.silenced,
        tuple(encodable(str(warning)) for warning in warnings_left(rule_set.warnings)),
    )
    return _narrowed(seen) if enis else seen


def _in_files(finding: Finding) -> tuple[bool, str, int, int]:
    """Findings in the order of the files; those without a place last."""
    place = finding.place
    return (True, "", 0, 0) if place is None else (False, place.file, place.line, place.column)


def _narrowed(seen: Understood) -> Understood:
    """Only what concerns the interfaces that were asked for."""
    names = {
        *(eni.interface_id for eni in seen.interfaces),
        *(group.group_id for group in seen.groups),
        *(acl.network_acl_id for acl in seen.network_acls),
        *(each.prefix_list_id for each in seen.prefix_lists),
    }
    return replace(
        seen,
        usages=tuple(each for each in seen.usages if not each.names or not names.isdisjoint(each.names)),
        findings=tuple(each for each in seen.findings if not each.names or not names.isdisjoint(each.names)),
    )


def _families(interfaces: Sequence[NetworkInterface]) -> set[int]:
    """The families of their addresses; both where some are not known."""
    known: set[int] = {network.version for eni in interfaces for network in eni.networks}
    return known if all(eni.complete for eni in interfaces) else {*FAMILIES}


def _untracked(interface: NetworkInterface, material: Material) -> Iterator[Untracked]:
    for direction in DIRECTIONS:
        there = attached_rules(interface, direction, material.rule_set)
        back = attached_rules(interface, OPPOSITE[direction], material.rule_set)
        for family in FAMILIES:
            anywhere = [rule for rule in there if material.anywhere(rule, family)]
            for protocol in (TCP, UDP):
                opening = [rule for rule in anywhere if rule.protocol in (ALL_PROTOCOLS, protocol)]
                because = [rule.name for rule in back if allows_all(rule, protocol, family, material.rule_set)]
                if opening and because:
                    ports = tuple(sorted(dict.fromkeys(map(service_span, opening))))
                    names = tuple(rule.name for rule in opening)
                    yield Untracked(direction, family, protocol, ports, names, tuple(because))
