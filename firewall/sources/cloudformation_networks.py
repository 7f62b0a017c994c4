"""VPCs, subnets and network ACLs of a CloudFormation template.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkaclentry.html
"""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Literal

from firewall.model import (
    ALL_PROTOCOLS,
    DIRECTIONS,
    LAST_ACL_NUMBER,
    Direction,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    Subnet,
    Vpc,
)
from firewall.sources.cloudformation_properties import (
    ACL_ASSOCIATION,
    ACL_ENTRY,
    NETWORK_ACL,
    SUBNET,
    SUBNET_BLOCK,
    VPC,
    VPC_BLOCK,
    check_properties,
)
from firewall.sources.cloudformation_template import Resource, Template
from firewall.sources.cloudformation_values import Unknown, whole
from firewall.sources.located import Node
from firewall.sources.reading import network, protocol, shown
from firewall.sources.service import acl_service

ACTIONS: dict[str, Literal["allow", "deny"]] = {"allow": "allow", "deny": "deny"}
EVERYWHERE = ((100, "0.0.0.0/0"), (101, "::/0"))  # the entries of a default network ACL


def networks(template: Template) -> None:
    """Everything of these kinds that the stack has."""
    for kind in (VPC_BLOCK, SUBNET_BLOCK, ACL_ASSOCIATION):
        for resource in template.of(kind):
            check_properties(resource.properties, kind, template.findings)
    for resource in template.of(VPC):
        _vpc(template, resource)
    blocks = template.belonging(SUBNET_BLOCK, "SubnetId", SUBNET)
    for resource in template.of(SUBNET):
        _subnet(template, resource, blocks.get(resource.logical, []))
    _network_acls(template)
    for resource in template.of(ACL_ASSOCIATION):
        node = resource.properties
        acl, subnet = template.identity(node, "NetworkAclId", NETWORK_ACL), template.identity(node, "SubnetId", SUBNET)
        if acl is not None and subnet is not None:
            template.draft.associate(acl, subnet, resource.spot)


# --- address blocks ----------------------------------------------------------------------------------------
def _vpc(template: Template, resource: Resource) -> None:
    """One VPC, its primary block first."""
    check_properties(resource.properties, VPC, template.findings)
    found: list[Node | None] = [template.attribute(resource.logical, "CidrBlock", resource.spot)]
    found += [template.get(node, "CidrBlock") for node in template.vpc_blocks.get(resource.logical, [])]
    if template.has_ipv6(resource):
        blocks = template.attribute(resource.logical, "Ipv6CidrBlocks", resource.spot)
        found += template.spread(blocks)
    cidrs = _known_blocks(template, resource, found)
    template.draft.add_vpc(Vpc(resource.logical, cidrs, resource.spot.place), resource.spot)


def _subnet(template: Template, resource: Resource, further: list[Node]) -> None:
    """One subnet; `further` are the properties of its further blocks."""
    node = resource.properties
    check_properties(node, SUBNET, template.findings)
    found = [template.get(node, "Ipv6CidrBlock")]
    if not template.flag(node, "Ipv6Native", absent=False):
        found.insert(0, template.attribute(resource.logical, "CidrBlock", resource.spot))
    found += [template.get(each, "Ipv6CidrBlock") for each in further]
    cidrs = _known_blocks(template, resource, found)
    vpc = template.identity(node, "VpcId", VPC)
    template.draft.add_subnet(Subnet(resource.logical, cidrs, vpc, None, resource.spot.place), resource.spot)


def _known_blocks(template: Template, resource: Resource, found: Iterable[Node | None]) -> tuple[Network, ...]:
    """The blocks among the values; an unknown one is warned of."""
    blocks = []
    for each in found:
        if isinstance(each, Unknown):
            if each.cure:
                text = f"{resource.logical} has an address block that is not known: {each.what} ({each.cure})"
                template.findings.warn("unknown-block", resource.spot, text)
        elif each is not None and (block := network(each, template.findings)) is not None:
            blocks.append(block)
    return tuple(dict.fromkeys(blocks))


# --- network ACLs ------------------------------------------------------------------------------------------
def _network_acls(template: Template) -> None:
    """Every network ACL, and the default one of each VPC where the template has to do with any."""
    listed = _entries_by_acl(template)
    acls = list(template.of(NETWORK_ACL))
    for resource in acls:
        check_properties(resource.properties, NETWORK_ACL, template.findings)
        logical = resource.logical
        ingress, egress = (_entries(template, logical, direction, listed.get(logical, [])) for direction in DIRECTIONS)
        vpc = template.identity(resource.properties, "VpcId", VPC)
        acl = NetworkAcl(logical, logical, ingress, egress, vpc, place=resource.spot.place)
        template.draft.add_network_acl(acl, resource.spot)
    for resource in template.of(VPC) if acls or listed else ():
        _default_acl(template, resource, listed)


def _default_acl(template: Template, vpc: Resource, listed: dict[str, list[Node]]) -> None:
    """A VPC's default network ACL, which allows everything, with the entries that the template adds.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
    """
    acl_id, place = f"{vpc.logical}.DefaultNetworkAcl", vpc.spot.place
    families = EVERYWHERE if template.has_ipv6(vpc) else EVERYWHERE[:1]
    ingress, egress = (
        (
            *(
                NetworkAclEntry(acl_id, direction, number, "allow", ALL_PROTOCOLS, ip_network(block), place=place)
                for number, block in families
            ),
            *_entries(template, acl_id, direction, listed.get(acl_id, [])),
        )
        for direction in DIRECTIONS
    )
    acl = NetworkAcl(acl_id, acl_id, ingress, egress, vpc.logical, is_default=True, place=place)
    template.draft.add_network_acl(acl, vpc.spot)


def _entries_by_acl(template: Template) -> dict[str, list[Node]]:
    """The entries of each network ACL of the template."""
    own = {each.logical for each in template.of(NETWORK_ACL)}
    own |= {f"{each.logical}.DefaultNetworkAcl" for each in template.of(VPC)}
    found: dict[str, list[Node]] = {}
    for resource in template.of(ACL_ENTRY):
        node = resource.properties
        check_properties(node, ACL_ENTRY, template.findings)
        acl = template.identity(node, "NetworkAclId", NETWORK_ACL)
        if acl in own:
            found.setdefault(str(acl), []).append(node)
        elif node.get("NetworkAclId") is None:
            template.findings.error(resource.spot, "NetworkAclId is missing: add NetworkAclId: !Ref ACL")
        else:
            named = template.get(node, "NetworkAclId")
            what = named.text if isinstance(named, Unknown) else acl
            text = f"the entry belongs to {what}, not a network ACL of this template: left out"
            template.findings.warn("rule-left-out", resource.spot, text)
    return found


def _entries(
    template: Template, acl_id: str, direction: Direction, items: Iterable[Node]
) -> tuple[NetworkAclEntry, ...]:
    """The entries of one direction."""
    right = [each for each in items if template.flag(each, "Egress", absent=False) is (direction == "egress")]
    found = (_entry(template, acl_id, direction, each) for each in right)
    return tuple(each for each in found if each is not None)


def _entry(template: Template, acl_id: str, direction: Direction, node: Node) -> NetworkAclEntry | None:
    """One entry, or None after its mistakes were noted."""
    number = _entry_number(template, node)
    action = _action(template, node)
    given = template.known(node, "Protocol")
    if given is None and node.get("Protocol") is None:
        template.findings.error(node, "Protocol is missing: add Protocol: 6 (17, 1, 58, another number, -1 for all)")
    kind = None if given is None else protocol(given, template.findings)
    peer = _peer(template, node)
    ports, icmp = _pair(template, node, "PortRange", "From", "To"), _pair(template, node, "Icmp", "Type", "Code")
    if number is None or action is None or kind is None or peer is None:
        return None
    service = acl_service(kind, peer, ports, icmp, node, template.findings)
    if service is None:
        return None
    return NetworkAclEntry(
        acl_id, direction, number, action, service.protocol, peer, service.ports, *service.icmp, node.place
    )


def _entry_number(template: Template, node: Node) -> int | None:
    """RuleNumber."""
    found = template.known(node, "RuleNumber")
    number = whole(found)
    if number is not None and 1 <= number <= LAST_ACL_NUMBER:
        return number
    if found is not None or node.get("RuleNumber") is None:
        what = "RuleNumber is missing" if found is None else f"{shown(found)} is no number of an entry"
        template.findings.error(found or node, f"{what}: write RuleNumber: 1 to {LAST_ACL_NUMBER}")
    return None


def _action(template: Template, node: Node) -> Literal["allow", "deny"] | None:
    """RuleAction."""
    found = template.known(node, "RuleAction")
    action = None if found is None else ACTIONS.get(str(found.value))
    if action is None and (found is not None or node.get("RuleAction") is None):
        what = "RuleAction is missing" if found is None else f"{shown(found)} is no action"
        template.findings.error(found or node, f"{what}: write RuleAction: allow or deny")
    return action


def _peer(template: Template, node: Node) -> Network | None:
    """CidrBlock or Ipv6CidrBlock, exactly one; there is no verdict on an entry whose block is not known."""
    keys = [key for key in ("CidrBlock", "Ipv6CidrBlock") if template.get(node, key) is not None]
    if len(keys) != 1:
        template.findings.error(node, "an entry has one block: write CidrBlock or Ipv6CidrBlock")
        return None
    found = template.known(node, keys[0])
    block = None if found is None else network(found, template.findings)
    if found is None or block is None or (block.version == 4) is (keys[0] == "CidrBlock"):
        return block
    right = "CidrBlock" if block.version == 4 else "Ipv6CidrBlock"
    template.findings.error(found, f"{block} is an IPv{block.version} block: write {right} instead of {keys[0]}")
    return None


def _pair(template: Template, node: Node, key: str, first: str, second: str) -> tuple[int, int] | None:
    """The two numbers of a mapping, where there is one."""
    found = template.known(node, key)
    if found is None:
        return None
    values = [template.number(found, each) for each in (first, second)]
    for each, name in zip(values, (first, second), strict=True):
        if isinstance(each, Unknown):
            template.tell(found.key(name), name, each)
            return None
    low, high = map(whole, values)
    if low is None or high is None:
        template.findings.error(found, f"{key} has no two numbers: write {{{first}: 1, {second}: 1}}")
        return None
    return low, high
