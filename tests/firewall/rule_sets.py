"""Rule sets in a few words, for the tests of lints, and what a lint finds in one."""

from ipaddress import ip_address, ip_network

from firewall.lint import lint
from firewall.model import (
    Direction,
    NetworkAcl,
    NetworkInterface,
    Peer,
    PrefixList,
    Rule,
    RuleSet,
    SecurityGroup,
)

ANYWHERE, ANYWHERE6 = ip_network("0.0.0.0/0"), ip_network("::/0")
OFFICE = ip_network("203.0.113.0/24")


def tcp(ports: int | tuple[int, int], peer: Peer | str, group: str = "web", direction: Direction = "ingress") -> Rule:
    span = ports if isinstance(ports, tuple) else (ports, ports)
    return Rule(group, direction, 0, 6, ip_network(peer) if isinstance(peer, str) else peer, span)


def icmp(kind: int, code: int, peer: Peer = OFFICE, protocol: int = 1) -> Rule:
    return Rule("web", "ingress", 0, protocol, peer, None, kind, code)


def numbered(group: str, rules: list[Rule]) -> tuple[Rule, ...]:
    """The rules as those of a group, counted."""
    return tuple(
        Rule(group, each.direction, index, each.protocol, each.peer, each.ports, each.icmp_type, each.icmp_code)
        for index, each in enumerate(rules)
    )


def group(name: str, *rules: Rule) -> SecurityGroup:
    ingress, egress = ([each for each in rules if each.direction == way] for way in ("ingress", "egress"))
    return SecurityGroup(name, name, numbered(name, ingress), numbered(name, egress))


def eni(name: str, groups: tuple[str, ...], *addresses: str) -> NetworkInterface:
    return NetworkInterface(name, tuple(map(ip_address, addresses or ("10.0.1.10",))), groups)


def rule_set(
    *groups: SecurityGroup,
    interfaces: tuple[NetworkInterface, ...] = (),
    lists: tuple[PrefixList, ...] = (),
    acls: tuple[NetworkAcl, ...] = (),
    silenced: dict[str, tuple[str, ...]] | None = None,
) -> RuleSet:
    return RuleSet(
        {each.group_id: each for each in groups},
        {each.interface_id: each for each in interfaces},
        {each.prefix_list_id: each for each in lists},
        network_acls={each.network_acl_id: each for each in acls},
        silenced=silenced or {},
    )


def found(rules: RuleSet, name: str) -> list[tuple[str, str, str]]:
    """What one lint finds: subject, text and fix."""
    return [(each.subject, each.text, each.fix) for each in lint(rules).findings if each.lint == name]


def subjects(rules: RuleSet, name: str) -> list[str]:
    return [subject for subject, _, _ in found(rules, name)]
