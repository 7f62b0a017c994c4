"""Security groups, their rules and prefix lists of a CloudFormation template.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Literal

from firewall.model import (
    ALL_PROTOCOLS,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Direction,
    GroupPeer,
    Network,
    Peer,
    PrefixList,
    PrefixListPeer,
    Rule,
    SecurityGroup,
    UnknownPeer,
)
from firewall.sources.cloudformation_properties import (
    GROUP,
    GROUP_EGRESS,
    GROUP_INGRESS,
    PREFIX_LIST,
    VPC,
    check_properties,
)
from firewall.sources.cloudformation_template import Resource, Template
from firewall.sources.cloudformation_values import Reference, Unknown, unknown, whole
from firewall.sources.findings import Spot
from firewall.sources.located import Node
from firewall.sources.reading import description, network, protocol, quoted, shown, warn_family
from firewall.sources.service import Service, api_service
from firewall.sources.words import SCTP, UDPLITE

PORTED = (TCP, UDP, ICMP, ICMPV6, SCTP, UDPLITE)  # FromPort and ToPort mean something
FAMILIES: dict[str, Literal[4, 6]] = {"IPv4": 4, "IPv6": 6}
INLINE: dict[Direction, str] = {"ingress": "SecurityGroupIngress", "egress": "SecurityGroupEgress"}
APART: dict[Direction, str] = {"ingress": GROUP_INGRESS, "egress": GROUP_EGRESS}
NAME_KEYS = ("GroupName", "SourceSecurityGroupName", "SecurityGroups")  # may name a group of the account
PORTS_CURE = "write FromPort: 443 and ToPort: 443"

Rules = dict[tuple[str, Direction], list[Node]]


# --- prefix lists ------------------------------------------------------------------------------------------
def prefix_lists(template: Template) -> None:
    """Every prefix list that the stack has."""
    for resource in template.of(PREFIX_LIST):
        node = resource.properties
        check_properties(node, PREFIX_LIST, template.findings)
        family = _family(template, node)
        template.draft.prefix_lists[resource.logical] = PrefixList(
            resource.logical,
            template.word(node, "PrefixListName") or resource.logical,
            tuple(_entries(template, node, family)),
            whole(template.number(node, "MaxEntries")),
            resource.spot.place,
            family=family,
        )


def _family(template: Template, node: Node) -> Literal[4, 6] | None:
    """AddressFamily, where it is said."""
    found = template.known(node, "AddressFamily")
    family = None if found is None else FAMILIES.get(str(found.value))
    if found is not None and family is None:
        template.findings.error(found, f"{shown(found)} is no address family: write {' or '.join(FAMILIES)}")
    return family


def _entries(template: Template, node: Node, family: int | None) -> Iterable[Network]:
    """The blocks of a list, all of its family."""
    for item in template.records(node, "Entries"):
        found = template.known(item, "Cidr")
        block = None if found is None else network(found, template.findings)
        if block is None:
            continue
        if family is not None and block.version != family:
            template.findings.error(
                item, f"{block} is no IPv{family} block, which AddressFamily says: move it to another list"
            )
        yield block


# --- security groups ---------------------------------------------------------------------------------------
def security_groups(template: Template) -> None:
    """Every security group that the stack has, and those default groups of its VPCs that something refers to."""
    apart = _rules_apart(template)
    for resource in template.of(GROUP):
        check_properties(resource.properties, GROUP, template.findings)
        _group(template, resource, apart)
    built: set[str] = set()
    while left := sorted(template.default_groups.keys() - built):  # their rules may refer to further ones
        for group_id in left:
            _default_group(template, group_id, template.resources[template.default_groups[group_id]], apart)
        built.update(left)


def _rules_apart(template: Template) -> Rules:
    """The rules that are resources of their own, by their group and direction."""
    found: Rules = {}
    for direction, kind in APART.items():
        for resource in template.of(kind):
            node = resource.properties
            check_properties(node, kind, template.findings)
            key = "GroupId" if node.get("GroupId") is not None or direction == "egress" else "GroupName"
            value = template.get(node, key)
            group_id = None if value is None else group_of(template, value, key)
            if value is None:
                template.findings.error(resource.spot, "the rule names no group: add GroupId: !Ref GROUP")
            elif isinstance(group_id, str) and (group_id in template.resources or group_id in template.default_groups):
                found.setdefault((group_id, direction), []).append(node)
            elif group_id is not None:
                what = group_id if isinstance(group_id, str) else group_id.text
                template.findings.warn(
                    "rule-left-out",
                    resource.spot,
                    f"the rule belongs to {what}, not a group of this template: left out",
                )
    return found


def _group(template: Template, resource: Resource, apart: Rules) -> None:
    """One security group."""
    logical, node, spot = resource.logical, resource.properties, resource.spot
    ingress, egress = (
        _rules(
            template, logical, direction, [*_inline(template, node, direction), *apart.get((logical, direction), [])]
        )
        for direction in INLINE
    )
    if not egress:
        template.findings.warn(
            "default-egress",
            spot,
            f"security group {logical} has no egress rule: AWS's default, all outbound traffic is allowed "
            "(SecurityGroupEgress with one rule to 127.0.0.1/32 allows none)",
        )
        egress = _everywhere(logical, ("0.0.0.0/0", "::/0"), spot)
    name = template.word(node, "GroupName") or logical
    vpc = template.identity(node, "VpcId", VPC)
    template.draft.add_group(SecurityGroup(logical, name, ingress, egress, spot.place, vpc))


def _inline(template: Template, node: Node, direction: Direction) -> list[Node]:
    """The rules that stand in the group."""
    items = template.records(node, INLINE[direction])
    for item in items:
        check_properties(item, INLINE[direction], template.findings)
    return items


def _default_group(template: Template, group_id: str, vpc: Resource, apart: Rules) -> None:
    """The default group of a VPC: its members reach each other, and everything may leave.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    place = vpc.spot.place
    itself = Rule(group_id, "ingress", 0, ALL_PROTOCOLS, GroupPeer(group_id), place=place)
    ingress = _rules(template, group_id, "ingress", apart.get((group_id, "ingress"), []), first=1)
    egress = _rules(template, group_id, "egress", apart.get((group_id, "egress"), []))
    blocks = ("0.0.0.0/0", "::/0") if template.has_ipv6(vpc) else ("0.0.0.0/0",)
    template.draft.add_group(
        SecurityGroup(
            group_id,
            group_id,
            (itself, *ingress),
            egress or _everywhere(group_id, blocks, vpc.spot),
            place,
            vpc.logical,
        )
    )


def _everywhere(group_id: str, blocks: Iterable[str], spot: Spot) -> tuple[Rule, ...]:
    """The outbound rules that AWS adds where a template has none."""
    return tuple(
        Rule(group_id, "egress", index, ALL_PROTOCOLS, ip_network(block), place=spot.place)
        for index, block in enumerate(blocks)
    )


# --- rules -------------------------------------------------------------------------------------------------
def _rules(
    template: Template, group_id: str, direction: Direction, items: list[Node], first: int = 0
) -> tuple[Rule, ...]:
    """The rules of one direction of a group, those in it before those apart."""
    found = (_rule(template, group_id, direction, index, item) for index, item in enumerate(items, first))
    return tuple(rule for rule in found if rule is not None)


def _rule(template: Template, group_id: str, direction: Direction, index: int, node: Node) -> Rule | None:
    """One rule, or None after its mistakes were noted."""
    service = _service(template, node)
    peer = _peer(template, node, direction)
    about = template.get(node, "Description")
    if service is None or peer is None:
        return None
    words = description(about if about is not None and about.value is not None else None, template.findings)
    warn_family(service.protocol, peer, node, template.findings)
    return Rule(
        group_id, direction, index, service.protocol, peer, service.ports, *service.icmp, None, words, node.place
    )


def _service(template: Template, node: Node) -> Service | None:
    """Protocol, ports, ICMP type and code; they have to be known."""
    findings = template.findings
    given = template.known(node, "IpProtocol")
    if given is None:
        if node.get("IpProtocol") is None:
            findings.error(node, "IpProtocol is missing: add IpProtocol: tcp (udp, icmp, icmpv6, a number, -1 for all)")
        return None
    number = protocol(given, findings)
    if number is None:
        return None
    if number not in PORTED:
        return Service(number)
    bounds = {key: template.number(node, key) for key in ("FromPort", "ToPort")}
    unknown = {key: each for key, each in bounds.items() if isinstance(each, Unknown)}
    for key, each in unknown.items():
        template.tell(node.key(key), key, each)
    return None if unknown else api_service(given, bounds["FromPort"], bounds["ToPort"], node, findings, PORTS_CURE)


def _peer(template: Template, node: Node, direction: Direction) -> Peer | None:
    """The one peer: the source of an ingress rule, the destination of an egress rule."""
    found = [(key, value) for key in PEERS[direction] if (value := template.get(node, key)) is not None]
    what = "source" if direction == "ingress" else "destination"
    if len(found) > 1:
        keys = " and ".join(key for key, _ in found)
        template.findings.error(node, f"exactly one {what} per rule, not {keys}: write one rule for each")
        return None
    if not found:
        template.findings.error(node, f"the rule names no {what}: add one of {', '.join(PEERS[direction])}")
        return None
    key, value = found[0]
    if isinstance(value, Unknown):
        return UnknownPeer(value.text) if value.cure else None
    return PEERS[direction][key](template, value, key)


def _cidr(template: Template, node: Node, key: str) -> Network | None:
    """An address block of the family that its key says."""
    block = network(node, template.findings)
    right = "CidrIp" if block is not None and block.version == 4 else "CidrIpv6"
    if block is None or key == right:
        return block
    template.findings.error(node, f"{block} is an IPv{block.version} block: write {right} instead of {key}")
    return None


def _list_peer(template: Template, node: Node, key: str) -> Peer | None:
    """A prefix list: of the template, by AWS's own id, or of another file by its name."""
    if isinstance(node, Reference) and node.kind != PREFIX_LIST:
        template.findings.error(node, f"{key} takes a prefix list, and {node.value} is an {node.kind}: name another")
        return None
    if not isinstance(node.value, str):
        template.findings.error(node, f"{shown(node)} is no prefix list: write !GetAtt LIST.PrefixListId, or pl-...")
        return None
    if isinstance(node, Reference) or node.value.startswith("pl-"):
        return PrefixListPeer(node.value)
    found = template.draft.list_names.resolve(node.value, node, template.findings)
    return None if found is None else PrefixListPeer(found)


def _group_peer(template: Template, node: Node, key: str) -> Peer | None:
    """A security group."""
    found = group_of(template, node, key)
    if isinstance(found, Unknown):
        return UnknownPeer(found.text)
    return None if found is None else GroupPeer(found)


PEERS: dict[Direction, dict[str, Callable[[Template, Node, str], Peer | None]]] = {
    "ingress": {
        "CidrIp": _cidr,
        "CidrIpv6": _cidr,
        "SourcePrefixListId": _list_peer,
        "SourceSecurityGroupId": _group_peer,
        "SourceSecurityGroupName": _group_peer,
    },
    "egress": {
        "CidrIp": _cidr,
        "CidrIpv6": _cidr,
        "DestinationPrefixListId": _list_peer,
        "DestinationSecurityGroupId": _group_peer,
    },
}


def group_of(template: Template, node: Node, key: str) -> str | Unknown | None:
    """The id of a security group that a value names, Unknown, or None after a note of what is wrong.

    AWS's own id stands for itself; any other text is a name or an id that some file defines.
    """
    if isinstance(node, Unknown):
        return node if node.cure else None
    if isinstance(node, Reference):
        if node.kind == GROUP:
            return str(node.value)
        template.findings.error(node, f"{key} takes a security group, and {node.value} is an {node.kind}: name another")
        return None
    if not isinstance(node.value, str):
        template.findings.error(node, f"{shown(node)} is no security group: write !Ref GROUP, or sg-...")
        return None
    if node.value.startswith("sg-"):
        return node.value
    names = template.draft.group_names
    if key in NAME_KEYS and node.value not in names.by_name and node.value not in names.ids:
        return unknown(node, f"the security group named {quoted(node.value)}", "give a file that describes it")
    return names.resolve(node.value, node, template.findings)
