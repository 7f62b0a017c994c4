"""Network interfaces in Terraform: of their own, and the primary one that an instance brings along.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/network_interface and, beside it,
instance, network_interface_attachment, network_interface_sg_attachment.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from firewall.model import Address, Network, NetworkInterface
from firewall.sources.draft import Draft
from firewall.sources.findings import Spot
from firewall.sources.reading import address, network
from firewall.sources.terraform_block import word
from firewall.sources.terraform_groups import GROUP_TYPES, add_unknown, name_of
from firewall.sources.terraform_links import Link, link, links
from firewall.sources.terraform_references import GROUP, INSTANCE, INTERFACE, SUBNET, candidates
from firewall.sources.terraform_tree import Resource, Tree


class Shape(NamedTuple):
    """Where a type of resource says what its interface has."""

    identity: str
    groups: str
    addresses: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    counts: tuple[tuple[str, str], ...] = ()  # how many AWS is to pick, and where they will stand


SHAPES = {
    "aws_network_interface": Shape(
        "id",
        "security_groups",
        ("private_ip", "private_ip_list", "private_ips", "ipv6_address_list", "ipv6_addresses"),
        ("ipv4_prefixes", "ipv6_prefixes"),
        (
            ("private_ips_count", "private_ips"),
            ("ipv6_address_count", "ipv6_addresses"),
            ("ipv4_prefix_count", "ipv4_prefixes"),
            ("ipv6_prefix_count", "ipv6_prefixes"),
        ),
    ),
    "aws_instance": Shape(
        "primary_network_interface_id",
        "vpc_security_group_ids",
        ("private_ip", "secondary_private_ips", "ipv6_addresses"),
        (),
        (("ipv6_address_count", "ipv6_addresses"),),
    ),
}
_INSTANCE_BLOCKS = ("primary_network_interface", "network_interface")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Attachments(NamedTuple):
    """What other resources say of interfaces, by interface id."""

    groups: dict[str, list[Link]]
    instances: dict[str, str]
    primary: dict[str, str]  # the interface that an instance does not bring along, by the instance's own name for it


def build(tree: Tree, draft: Draft) -> None:
    """All interfaces."""
    attached = _attachments(tree)
    for resource in tree.of(*SHAPES):
        identity = resource.identity(SHAPES[resource.type].identity)
        if resource.type != "aws_instance" or identity not in attached.primary:
            _interface(resource, identity, attached, tree, draft)


def _attachments(tree: Tree) -> Attachments:
    """Instances of interfaces, and groups that are attached one by one."""
    groups: dict[str, list[Link]] = defaultdict(list)
    instances: dict[str, str] = {}
    own = {each.identity() for each in tree.of("aws_network_interface")}
    primary: dict[str, str] = {}
    for resource in tree.of("aws_instance"):
        its_own = resource.identity(SHAPES["aws_instance"].identity)
        given = list(_attached_to(resource, tree))
        instances |= dict.fromkeys(given, resource.identity())
        if first := next((each for each in (its_own, *given) if each in own), None):
            primary[its_own] = first
    for resource in tree.of("aws_network_interface"):
        for block in resource.block.blocks("attachment", tree.findings):
            instance = link(resource, "instance", INSTANCE, tree, block)
            if instance is not None and instance.identity is not None:
                instances[resource.identity()] = instance.identity
    for resource in tree.of("aws_network_interface_attachment"):
        interface = link(resource, "network_interface_id", INTERFACE, tree)
        instance = link(resource, "instance_id", INSTANCE, tree)
        if interface and instance and interface.identity and instance.identity:
            instances[interface.identity] = instance.identity
    for resource in tree.of("aws_network_interface_sg_attachment"):
        interface = link(resource, "network_interface_id", INTERFACE, tree)
        group = link(resource, "security_group_id", GROUP, tree)
        if interface is None or group is None:
            continue
        if interface.identity is None:
            text = f"{resource.address} is left out: {interface.text} is not known"
            tree.findings.warn("terraform-left-out", resource.spot, text)
        else:
            groups[primary.get(interface.identity, interface.identity)].append(group)
    return Attachments(groups, instances, primary)


def _attached_to(resource: Resource, tree: Tree) -> Iterator[str]:
    """The interfaces that an instance does not make but is given."""
    for key in _INSTANCE_BLOCKS:
        for block in resource.block.blocks(key, tree.findings):
            yield from (text for item in block.items("network_interface_id") if (text := word(item)))
        if (expression := resource.block.expression(key)) is not None:
            yield from candidates(resource, expression, INTERFACE, tree).found


def _interface(resource: Resource, identity: str, attached: Attachments, tree: Tree, draft: Draft) -> None:
    """One interface; one without groups, as another file may show it, has nothing to judge and is left out."""
    findings, block, shape = tree.findings, resource.block, SHAPES[resource.type]
    named = [*_groups(resource, shape, tree), *attached.groups.get(identity, ())]
    if not named:
        findings.warn("no-groups", resource.spot, f"interface {identity} has no security groups: left out")
        return
    if unknown := [each.text for each in named if each.identity is None]:
        add_unknown(_stand_in(resource), ", ".join(unknown), resource.spot, tree, draft)
    for each in named:
        if each.identity is not None and not _described(each.identity, draft):
            add_unknown(each.identity, f"what {each.identity} allows", each.spot, tree, draft)
    addresses, complete = _addresses(resource, identity, shape, draft)
    is_instance = resource.type == "aws_instance"
    subnet = link(resource, "subnet_id", SUBNET, tree)
    public = [each for item in block.items("public_ip") if is_instance and (each := address(item, findings))]
    interface = NetworkInterface(
        identity,
        tuple(each for each, _ in addresses),
        tuple(dict.fromkeys(each.identity or _stand_in(resource) for each in named)),
        block.text("mac_address", findings),
        resource.identity() if is_instance else attached.instances.get(identity),
        resource.spot.place,
        subnet=None if subnet is None else subnet.identity,
        source_dest_check=block.flag("source_dest_check", findings, default=True),
        interface_type=block.text("interface_type", findings) or "interface",
        prefixes=tuple(_prefixes(resource, shape, tree)),
        public_addresses=tuple(public),
        complete=complete,
    )
    draft.add_interface(interface, resource.spot, addresses)


def _described(group_id: str, draft: Draft) -> bool:
    """True if some file gives the group's rules, or a stand-in for them is made already."""
    return group_id in draft.group_names.ids or group_id in draft.groups


def _stand_in(resource: Resource) -> str:
    """Stands for the groups of an interface that are not known."""
    return f"{resource.address}.{SHAPES[resource.type].groups}"


def _groups(resource: Resource, shape: Shape, tree: Tree) -> list[Link]:
    """The interface's groups; one that is given none gets those of its launch template or its VPC's default one."""
    block = resource.block
    found = list(links(resource, shape.groups, GROUP, tree))
    if not found and resource.type == "aws_instance":  # the default VPC's instances may name groups
        named = {name_of(each): each.identity() for each in tree.of(*GROUP_TYPES)}
        names = [(word(item) or "", item) for item in block.items("security_groups")]
        found = [Link(named.get(name, name if name.startswith("sg-") else None), name, item) for name, item in names]
        if block.asked("security_groups"):
            found.append(Link(None, f"{resource.address}.security_groups", resource.spot))
    if not found and tree.planned:
        found.append(Link(None, f"the security groups that AWS gives {resource.address}", resource.spot))
    return found


def _addresses(
    resource: Resource, identity: str, shape: Shape, draft: Draft
) -> tuple[list[tuple[Address, Spot]], bool]:
    """The addresses with their places, and whether they are all."""
    block, findings = resource.block, draft.findings
    found: dict[Address, Spot] = {}
    for key in shape.addresses:
        for item in block.items(key):
            if (one := address(item, findings)) is not None:
                found.setdefault(one, item)
    open_counts = (key for key, picked in shape.counts if block.pending(picked) and (block.number(key, findings) or 0))
    unknown = (key for key in (*shape.addresses, *shape.prefixes) if block.asked(key))
    if found and not any(unknown) and not any(open_counts):
        return list(found.items()), True
    given = draft.given_addresses(identity)
    if identity != resource.address:
        given = given or draft.given_addresses(resource.address)
    if not given:
        findings.warn("unknown-address", resource.spot, _cure(identity, "an address" if found else "all addresses"))
    return [*found.items(), *(each for each in given if each[0] not in found)], bool(given)


def _cure(identity: str, what: str) -> str:
    """What to write for an interface whose addresses AWS is yet to pick."""
    key = identity if _PLAIN_KEY.fullmatch(identity) else "'" + identity.replace("'", "''") + "'"
    return (
        f"the file does not say {what} of {identity}: "
        f"write addresses: {{{key}: [10.0.1.10]}} with its own in a second rule file"
    )


def _prefixes(resource: Resource, shape: Shape, tree: Tree) -> Iterator[Network]:
    """The delegated prefixes."""
    for key in shape.prefixes:
        for item in resource.block.items(key):
            if (block := network(item, tree.findings)) is not None:
                yield block
