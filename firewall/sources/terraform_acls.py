"""Network ACLs in Terraform: inline entries, entry resources, and the subnets that they guard.

Inline entries of a state hold those of entry resources too; an entry's number is its identity.
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/network_acl and, beside it,
default_network_acl, network_acl_rule, network_acl_association.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from firewall.model import DIRECTIONS, ICMP, ICMPV6, LAST_ACL_NUMBER, Direction, Network, NetworkAcl, NetworkAclEntry
from firewall.sources.draft import Draft
from firewall.sources.located import Node
from firewall.sources.reading import network, protocol, shown
from firewall.sources.service import acl_service
from firewall.sources.terraform_block import CURE, Block
from firewall.sources.terraform_groups import name_of
from firewall.sources.terraform_links import link, links, owners
from firewall.sources.terraform_references import NETWORK_ACL, SUBNET, VPC, Kind
from firewall.sources.terraform_tree import Resource, Tree

ACL_TYPES = ("aws_network_acl", "aws_default_network_acl")
_RULE = "aws_network_acl_rule"
_ACTIONS: tuple[Literal["allow", "deny"], ...] = ("allow", "deny")
# A default network ACL is named by an attribute of its VPC.
_VPC_OF_DEFAULT = Kind("vpc-", dict.fromkeys(("aws_vpc", "aws_default_vpc"), "default_network_acl_id"))


class Shape(NamedTuple):
    """How a kind of entry names its number and its action."""

    number: str
    action: str


_INLINE, _RESOURCE = Shape("rule_no", "action"), Shape("rule_number", "rule_action")
_UNKNOWN_KEYS = ("protocol", "cidr_block", "ipv6_cidr_block", "from_port", "to_port", "icmp_type", "icmp_code")


@dataclass(slots=True)
class Further:
    """What entry resources say of ACLs."""

    entries: dict[tuple[str, Direction], list[NetworkAclEntry]] = field(default_factory=lambda: defaultdict(list))
    doubtful: dict[str, str] = field(default_factory=dict)  # the ACL's id, and what is not known of it


def build(tree: Tree, draft: Draft) -> None:
    """All ACLs. One that is not known whole is left out: its entries stand and fall together."""
    further, gone = _further(tree), _gone(tree)
    for resource in tree.of(*ACL_TYPES):
        identity = resource.identity()
        listed = {way: _entries(resource, way, further, gone, tree) for way in DIRECTIONS}
        _associate(resource, identity, tree, draft)  # an ACL that is left out keeps its subnets from the default one
        if identity in further.doubtful:
            text = f"network ACL {name_of(resource)} is left out: {further.doubtful[identity]} is not known"
            tree.findings.warn("terraform-left-out", resource.spot, text)
            continue
        acl = NetworkAcl(
            identity,
            name_of(resource),
            tuple(listed["ingress"]),
            tuple(listed["egress"]),
            _vpc(resource, tree),
            resource.type == "aws_default_network_acl",
            resource.spot.place,
        )
        draft.add_network_acl(acl, resource.spot)
    for resource in tree.of("aws_network_acl_association"):
        acl_id, subnet = link(resource, "network_acl_id", NETWORK_ACL, tree), link(resource, "subnet_id", SUBNET, tree)
        if acl_id and subnet and acl_id.identity and subnet.identity:
            draft.associate(acl_id.identity, subnet.identity, resource.spot)
        elif acl_id and subnet:
            _left_out(resource, (acl_id.text if acl_id.identity is None else subnet.text), tree)


def _associate(resource: Resource, acl_id: str, tree: Tree, draft: Draft) -> None:
    """The subnets that the ACL lists."""
    for subnet in links(resource, "subnet_ids", SUBNET, tree):
        if subnet.identity is None:
            _left_out(resource, subnet.text, tree)
        else:
            draft.associate(acl_id, subnet.identity, subnet.spot)


def _left_out(resource: Resource, text: str, tree: Tree) -> None:
    """A subnet whose ACL is not known."""
    text = f"{resource.address}: a subnet's network ACL is left out, as {text} is not known"
    tree.findings.warn("terraform-left-out", resource.spot, text)


def _vpc(resource: Resource, tree: Tree) -> str | None:
    """The ACL's VPC; a new default ACL knows it by its own id alone."""
    found = link(resource, "vpc_id", VPC, tree)
    if (found is None or found.identity is None) and resource.block.asked("default_network_acl_id"):
        found = link(resource, "default_network_acl_id", _VPC_OF_DEFAULT, tree)
    return None if found is None else found.identity


def _further(tree: Tree) -> Further:
    """The entries of entry resources, and the ACLs that they make doubtful."""
    further = Further()
    for resource in tree.of(_RULE):
        way = _direction(resource, tree)
        owner = owners(resource, "network_acl_id", NETWORK_ACL, tree)
        unknown = next((f"{resource.address}.{key}" for key in _UNKNOWN_KEYS if resource.block.asked(key)), None)
        for identity in owner.identities:
            if not owner.sure or unknown is not None:
                further.doubtful[identity] = unknown or owner.text
            elif (entry := _entry(resource.block, _RESOURCE, identity, way, tree)) is not None:
                further.entries[identity, way].append(entry)
    return further


def _gone(tree: Tree) -> set[tuple[str, Direction, int | None]]:
    """The ACL, direction and number of entries that the plan changes or deletes."""
    return {
        (acl.identity, _direction(each, tree), each.block.number("rule_number", tree.findings))
        for each in tree.gone
        if each.type == _RULE and (acl := link(each, "network_acl_id", NETWORK_ACL, tree)) and acl.identity
    }


def _direction(resource: Resource, tree: Tree) -> Direction:
    """The direction of an entry resource."""
    return "egress" if resource.block.flag("egress", tree.findings, default=False) else "ingress"


def _entries(
    resource: Resource,
    way: Direction,
    further: Further,
    gone: set[tuple[str, Direction, int | None]],
    tree: Tree,
) -> list[NetworkAclEntry]:
    """The entries of one direction: inline ones that no resource states, then the resources'."""
    identity, block = resource.identity(), resource.block
    extra = further.entries[identity, way]
    stated = {entry.number for entry in extra}
    if block.asked(way) and block.get(way) is None:
        further.doubtful[identity] = f"{resource.address}.{way}"
    inline: list[NetworkAclEntry] = []
    for inner in block.blocks(way, tree.findings):
        unknown = next((key for key in (*_INLINE, *_UNKNOWN_KEYS) if inner.asked(key)), None)
        if unknown is not None:
            further.doubtful[identity] = f"{resource.address}.{way}.{unknown}"
            continue
        entry = _entry(inner, _INLINE, identity, way, tree)
        goes = entry is not None and block.expression(way) is None and (identity, way, entry.number) in gone
        if entry is not None and entry.number not in stated and not goes:
            inline.append(entry)
    return [*inline, *extra]


def _entry(block: Block, shape: Shape, acl_id: str, way: Direction, tree: Tree) -> NetworkAclEntry | None:
    """One entry, or None after a note of what is wrong."""
    findings = tree.findings
    number = block.number(shape.number, findings)
    action = _action(block, shape.action, tree)
    given, peer = block.get("protocol"), _peer(block, tree)
    if given is None or number is None or not 1 <= number <= LAST_ACL_NUMBER:
        findings.error(block.values, f"an entry needs protocol and {shape.number} from 1 to {LAST_ACL_NUMBER}: {CURE}")
        return None
    covered = protocol(given, findings)
    if covered is None or peer is None or action is None:
        return None
    first, last = block.number("from_port", findings), block.number("to_port", findings)
    # Terraform's defaults for both are 0, not AWS's -1 for any.
    icmp = (block.number("icmp_type", findings) or 0, block.number("icmp_code", findings) or 0)
    ports = None if first is None or last is None else (first, last)
    service = acl_service(covered, peer, ports, icmp, block.values, findings)
    if service is None:
        return None
    entry = NetworkAclEntry(
        acl_id, way, number, action, service.protocol, peer, service.ports, *service.icmp, block.values.place
    )
    if service.icmp == (0, 0):
        _warn_zero(entry, block.values, tree)
    return entry


def _warn_zero(entry: NetworkAclEntry, spot: Node, tree: Tree) -> None:
    """ICMP type 0 and code 0, which Terraform takes where none is written."""
    meant = {ICMP: "echo reply", ICMPV6: "reserved"}.get(entry.protocol, "")
    tree.findings.warn(
        "nacl-icmp-zero",
        spot,
        f"{entry.name} covers ICMP type 0, code 0 alone ({meant}), Terraform's default: "
        "for all ICMP write icmp_type = -1 and icmp_code = -1",
    )


def _action(block: Block, key: str, tree: Tree) -> Literal["allow", "deny"] | None:
    """Allow or deny, in any case."""
    found = block.get(key)
    text = found.value.lower() if found is not None and isinstance(found.value, str) else ""
    for action in _ACTIONS:
        if text == action:
            return action
    what = "nothing" if found is None else shown(found)
    tree.findings.error(found or block.values, f"{key} is {what}: an entry allows or denies; {CURE}")
    return None


def _peer(block: Block, tree: Tree) -> Network | None:
    """The one address block."""
    items = [*block.items("cidr_block"), *block.items("ipv6_cidr_block")]
    if len(items) == 1:
        return network(items[0], tree.findings)
    tree.findings.error(block.values, f"an entry has cidr_block or ipv6_cidr_block, one of the two: {CURE}")
    return None
