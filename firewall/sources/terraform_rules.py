"""Rules of security groups in Terraform: inline blocks and the resources that are rules of their own.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group and, beside it,
security_group_rule, vpc_security_group_ingress_rule, vpc_security_group_egress_rule.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from firewall.model import ALL_PROTOCOLS, DIRECTIONS, Direction, GroupPeer, Peer, PrefixListPeer, Rule, UnknownPeer
from firewall.sources.findings import Spot
from firewall.sources.located import Node
from firewall.sources.reading import description, network, warn_family
from firewall.sources.service import Service, api_service
from firewall.sources.terraform_block import CURE, Block, word
from firewall.sources.terraform_links import Link, link, links, unknown_text
from firewall.sources.terraform_references import GROUP, PREFIX_LIST, Kind
from firewall.sources.terraform_tree import Resource, Tree

RULE_TYPES: dict[str, Direction | None] = {  # None: the argument `type` says it
    "aws_security_group_rule": None,
    "aws_vpc_security_group_ingress_rule": "ingress",
    "aws_vpc_security_group_egress_rule": "egress",
}

_OTHER_ACCOUNT = re.compile(r"[0-9]{12}/(sg-[0-9a-z-]+)")
_PeerKind = Literal["block", "self", "prefix list", "prefix lists", "group", "groups"]


class Shape(NamedTuple):
    """How a kind of rule names its protocol and its peers."""

    protocol: str
    peers: tuple[tuple[str, _PeerKind], ...]


_SHARED: tuple[tuple[str, _PeerKind], ...] = (
    ("cidr_blocks", "block"),
    ("ipv6_cidr_blocks", "block"),
    ("prefix_list_ids", "prefix lists"),
    ("self", "self"),
)
INLINE = Shape("protocol", (*_SHARED, ("security_groups", "groups")))
_RULE = Shape("protocol", (*_SHARED, ("source_security_group_id", "group")))
_VPC_RULE = Shape(
    "ip_protocol",
    (
        ("cidr_ipv4", "block"),
        ("cidr_ipv6", "block"),
        ("prefix_list_id", "prefix list"),
        ("referenced_security_group_id", "group"),
    ),
)


class Holder(NamedTuple):
    """Where rules stand: the group and direction that they are of, the resource, and the whole file."""

    group_id: str
    direction: Direction
    resource: Resource
    tree: Tree


def direction_of(resource: Resource, tree: Tree) -> Direction | None:
    """The direction of a rule resource."""
    fixed = RULE_TYPES[resource.type]
    if fixed is not None:
        return fixed
    found = resource.block.get("type")
    for direction in DIRECTIONS:
        if found is not None and found.value == direction:
            return direction
    tree.findings.error(found or resource.spot, f"{resource.address}: type is neither ingress nor egress: {CURE}")
    return None


def rules_of_resource(holder: Holder) -> list[Rule]:
    """The rules of one rule resource: one for each peer, with AWS's id where there is one rule."""
    block = holder.resource.block
    shape = _RULE if RULE_TYPES[holder.resource.type] is None else _VPC_RULE
    rule_id = word(block.get("security_group_rule_id")) or ""
    return list(_rules(block, shape, holder, rule_id=rule_id if rule_id.startswith("sgr-") else None))


def inline_rules(holder: Holder) -> list[Rule]:
    """The rules of a group's blocks of one direction."""
    blocks = holder.resource.block.blocks(holder.direction, holder.tree.findings)
    return [rule for block in blocks for rule in _rules(block, INLINE, holder, siblings=blocks)]


def unknown_rule(group_id: str, direction: Direction, text: str, spot: Spot) -> Rule:
    """Stands for rules that no file gives: what it might allow is undecidable."""
    return Rule(group_id, direction, 0, ALL_PROTOCOLS, UnknownPeer(text), place=spot.place)


def said(rule: Rule) -> tuple[object, ...]:
    """What a rule allows, whatever its name, description and place: AWS takes no two such rules."""
    return rule.direction, rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code, rule.peer


def _rules(
    block: Block, shape: Shape, holder: Holder, siblings: Sequence[Block] = (), rule_id: str | None = None
) -> Iterator[Rule]:
    """One rule for each peer of a block."""
    findings = holder.tree.findings
    service = _service(block, shape, holder)
    about = description(block.get("description"), findings)
    peers = list(_peers(block, shape, holder, siblings))
    if not peers and block.planned and block.absent(*(key for key, _ in shape.peers)):
        peers = [(UnknownPeer(f"the peer of {holder.resource.address}"), block.values)]
    elif not peers:
        text = f"{holder.resource.address} has an {holder.direction} rule without a peer: left out"
        findings.warn("terraform-no-peer", block.values, text)
    for peer, node in peers:
        if service is not None and peer is not None:
            known = isinstance(service, Service)
            number, ports, icmp = service if isinstance(service, Service) else Service(ALL_PROTOCOLS)
            warn_family(number, peer, node, findings)
            yield Rule(
                holder.group_id,
                holder.direction,
                0,
                number,
                peer if known else UnknownPeer(str(service)),
                ports,
                *icmp,
                rule_id if len(peers) == 1 else None,
                about,
                block.values.place,
            )


def _service(block: Block, shape: Shape, holder: Holder) -> Service | str | None:
    """Protocol with ports or ICMP type and code; what is unknown of them, in words; None after an error."""
    for key in (shape.protocol, "from_port", "to_port"):
        if block.asked(key):
            return unknown_text(holder.resource, block, key, holder.tree)
    given = block.get(shape.protocol)
    if given is None:
        holder.tree.findings.error(block.values, f"{shape.protocol} is missing: {CURE}")
        return None
    first, last = block.get("from_port"), block.get("to_port")
    return api_service(given, first, last, block.values, holder.tree.findings, CURE)


def _peers(block: Block, shape: Shape, holder: Holder, siblings: Sequence[Block]) -> Iterator[tuple[Peer | None, Node]]:
    """Every peer with its place; None where it was wrong."""
    for key, kind in shape.peers:
        match kind:
            case "block":
                yield from ((network(item, holder.tree.findings), item) for item in block.items(key))
                if block.asked(key):
                    yield UnknownPeer(unknown_text(holder.resource, block, key, holder.tree)), block.values
            case "self":
                if block.flag(key, holder.tree.findings, default=False):
                    yield GroupPeer(holder.group_id), block.values
            case "prefix list" | "prefix lists":
                for each in _named(block, key, PREFIX_LIST, holder, siblings, several=kind == "prefix lists"):
                    yield PrefixListPeer(each.identity) if each.identity else UnknownPeer(each.text), each.spot
            case "group" | "groups":
                for each in _named(block, key, GROUP, holder, siblings, several=kind == "groups"):
                    yield _group_peer(each), each.spot


def _named(
    block: Block, key: str, kind: Kind, holder: Holder, siblings: Sequence[Block], *, several: bool
) -> Iterator[Link]:
    """The groups or prefix lists that an argument names."""
    if several:
        yield from links(holder.resource, key, kind, holder.tree, block, siblings)
    elif (found := link(holder.resource, key, kind, holder.tree, block)) is not None:
        yield found


def _group_peer(named: Link) -> GroupPeer | UnknownPeer:
    """A group by id or address, or by account and id as in `111122223333/sg-1`."""
    if named.identity is None:
        return UnknownPeer(named.text)
    shared = _OTHER_ACCOUNT.fullmatch(named.identity)
    return GroupPeer(shared[1] if shared else named.identity)
