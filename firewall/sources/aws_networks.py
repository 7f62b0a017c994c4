"""VPCs, subnets and network ACLs as the AWS CLI prints them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Subnet.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html
"""

from typing import Literal

from firewall.model import LAST_ACL_NUMBER, Direction, Network, NetworkAcl, NetworkAclEntry, Subnet, Vpc
from firewall.sources.aws_reading import (
    AS_IS,
    WHOLE,
    cidr,
    flag,
    items,
    optional,
    required,
    required_flag,
    required_integer,
)
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import protocol, warn_family
from firewall.sources.service import acl_service

DEFAULT_NUMBERS = (32767, 32768)  # the `*` entries for IPv4 and IPv6
_IN_USE = (None, "associating", "associated")  # states of a VPC's or subnet's block; not said is in use


def build_vpc(node: Node, draft: Draft) -> None:
    """One VPC: its primary IPv4 block first."""
    vpc_id = required(node, "VpcId", draft.findings)
    if vpc_id is not None:
        draft.add_vpc(Vpc(vpc_id, _cidrs(node, draft.findings), node.place), node)


def build_subnet(node: Node, draft: Draft) -> None:
    """One subnet; its network ACL is said by the list."""
    subnet_id = required(node, "SubnetId", draft.findings)
    vpc = optional(node, "VpcId", draft.findings)
    if subnet_id is not None:
        draft.add_subnet(Subnet(subnet_id, _cidrs(node, draft.findings), vpc, place=node.place), node)


def _cidrs(node: Node, findings: Findings) -> tuple[Network, ...]:
    """The blocks of a VPC or a subnet, each once; the primary one of a VPC stands twice in the output."""
    found = [cidr(node, "CidrBlock", findings, 4)]
    for listed, key, state, version in (
        ("CidrBlockAssociationSet", "CidrBlock", "CidrBlockState", 4),
        ("Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock", "Ipv6CidrBlockState", 6),
    ):
        for item in items(node, listed, findings):
            said = item.get(state)
            if said is None or optional(said, "State", findings) in _IN_USE:
                found.append(cidr(item, key, findings, version))
    return tuple(dict.fromkeys(block for block in found if block is not None))


def build_network_acl(node: Node, draft: Draft) -> None:
    """One network ACL with its entries and its subnets."""
    findings = draft.findings
    acl_id = required(node, "NetworkAclId", findings)
    if acl_id is None:
        return
    rows = [_entry(item, acl_id, findings) for item in items(node, "Entries", findings)]
    ingress, egress = (
        tuple(row for row in rows if row is not None and row.direction == direction)
        for direction in ("ingress", "egress")
    )
    is_default = flag(node, "IsDefault", findings) or False
    vpc = optional(node, "VpcId", findings)
    draft.add_network_acl(NetworkAcl(acl_id, acl_id, ingress, egress, vpc, is_default, node.place), node)
    for item in items(node, "Associations", findings):
        subnet = required(item, "SubnetId", findings)
        if subnet is not None:
            draft.associate(acl_id, subnet, item)


def _entry(node: Node, acl_id: str, findings: Findings) -> NetworkAclEntry | None:
    """One numbered entry; None for a `*` entry, which every list ends with, and after a note of a mistake."""
    number, action = _number(node, findings), _action(node, findings)
    egress = required_flag(node, "Egress", findings)
    if number in DEFAULT_NUMBERS:
        if action == "allow":
            findings.error(node, f"entry {number} is AWS's own and denies: number others 1 to {LAST_ACL_NUMBER}")
        return None
    given, block = node.get("Protocol"), _block(node, findings)
    if given is None:
        findings.error(node, f"Protocol is missing: {WHOLE}")
        return None
    proto = protocol(given, findings)
    ports = _pair(node, "PortRange", ("From", "To"), findings)
    icmp = _pair(node, "IcmpTypeCode", ("Type", "Code"), findings)
    if number is None or action is None or egress is None or proto is None or block is None:
        return None
    service = acl_service(proto, block, ports, icmp, node, findings)
    if service is None:
        return None
    warn_family(proto, block, node, findings)
    direction: Direction = "egress" if egress else "ingress"
    return NetworkAclEntry(acl_id, direction, number, action, proto, block, service.ports, *service.icmp, node.place)


def _number(node: Node, findings: Findings) -> int | None:
    """1 to 32766, or that of a `*` entry."""
    number = required_integer(node, "RuleNumber", findings)
    if number is None or 1 <= number <= LAST_ACL_NUMBER or number in DEFAULT_NUMBERS:
        return number
    findings.error(node.key("RuleNumber"), f"RuleNumber {number} is out of range: 1 to {LAST_ACL_NUMBER}")
    return None


def _action(node: Node, findings: Findings) -> Literal["allow", "deny"] | None:
    """What the entry does with the packets that it matches."""
    match required(node, "RuleAction", findings):
        case "allow":
            return "allow"
        case "deny":
            return "deny"
        case str(word):
            findings.error(node.key("RuleAction"), f"{word!r} is no RuleAction: allow or deny, {AS_IS}")
    return None


def _block(node: Node, findings: Findings) -> Network | None:
    """The one block of an entry."""
    keys = [key for key in ("CidrBlock", "Ipv6CidrBlock") if node.get(key) is not None]
    if len(keys) == 1:
        return cidr(node, keys[0], findings, 4 if keys[0] == "CidrBlock" else 6)
    which = "both CidrBlock and Ipv6CidrBlock" if keys else "neither CidrBlock nor Ipv6CidrBlock"
    findings.error(node, f"the entry has {which}: write an entry for each block")
    return None


def _pair(node: Node, key: str, parts: tuple[str, str], findings: Findings) -> tuple[int, int] | None:
    """Two numbers of an object, such as PortRange's From and To; None where there are none."""
    found = node.get(key)
    if found is None or found.value == {}:
        return None
    first, second = (required_integer(found, part, findings) for part in parts)
    return None if first is None or second is None else (first, second)
