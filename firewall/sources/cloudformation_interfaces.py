"""Network interfaces and instances of a CloudFormation template.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkinterface.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-instance.html
"""

from typing import NamedTuple

from firewall.model import Address, ConnectionTracking, Network, NetworkInterface
from firewall.sources.cloudformation_groups import group_of
from firewall.sources.cloudformation_properties import (
    ATTACHMENT,
    INSTANCE,
    INSTANCE_INTERFACE,
    INTERFACE,
    SUBNET,
    VPC,
    check_properties,
)
from firewall.sources.cloudformation_template import Resource, Template, address_cure
from firewall.sources.cloudformation_values import Reference, Unknown, made
from firewall.sources.findings import Spot
from firewall.sources.located import Node, entries
from firewall.sources.reading import address, network
from firewall.sources.tracking import connection_tracking

# Properties that make AWS choose addresses, which a template cannot know.
CHOSEN_BY_AWS = (*("SecondaryPrivateIpAddressCount", "Ipv6AddressCount", "Ipv4PrefixCount", "Ipv6PrefixCount"),)
GROUP_KEYS = ("GroupSet", "SecurityGroupIds", "SecurityGroups")


class Addresses(NamedTuple):
    """What is known of an interface's addresses."""

    single: list[tuple[Address, Spot]]
    prefixes: tuple[Network, ...]
    complete: bool


def interfaces(template: Template) -> None:
    """Every interface that the stack has: those of their own, and those that instances bring."""
    instances = list(template.of(INSTANCE))
    for resource in instances:
        check_properties(resource.properties, INSTANCE, template.findings)
    owners = _owners(template, instances)
    for resource in template.of(INTERFACE):
        check_properties(resource.properties, INTERFACE, template.findings)
        _interface(template, resource.logical, resource.properties, resource, owners.get(resource.logical))
    for resource in instances:
        inline = template.records(resource.properties, "NetworkInterfaces")
        for index, item in enumerate(inline):
            check_properties(item, INSTANCE_INTERFACE, template.findings)
            if template.get(item, "NetworkInterfaceId") is None:
                name = resource.logical if index == 0 else f"{resource.logical}[{index}]"
                _interface(template, name, item, resource, resource.logical)
        if not inline:
            _interface(template, resource.logical, resource.properties, resource, resource.logical)


def _owners(template: Template, instances: list[Resource]) -> dict[str, str]:
    """The instances of interfaces that stand apart: the instance names them, or an attachment both."""
    found = {}
    for resource in template.of(ATTACHMENT):
        check_properties(resource.properties, ATTACHMENT, template.findings)
        eni = template.identity(resource.properties, "NetworkInterfaceId", INTERFACE)
        instance = template.identity(resource.properties, "InstanceId", INSTANCE)
        if eni is not None and instance is not None:
            found[eni] = instance
    for resource in instances:
        for item in template.records(resource.properties, "NetworkInterfaces"):
            named = template.get(item, "NetworkInterfaceId")
            eni = template.identity(item, "NetworkInterfaceId", INTERFACE)
            if eni is not None:
                found[eni] = resource.logical
            if named is not None and eni not in template.resources:
                what = named.text if isinstance(named, Unknown) else eni
                text = f"{resource.logical} has the interface {what}, which this template does not make: left out"
                template.findings.warn("interface-left-out", item, text)
    return found


def _interface(template: Template, name: str, node: Node, resource: Resource, instance: str | None) -> None:
    """One interface; `node` has its properties, which for an instance's only one are the instance's."""
    subnet = _subnet(template, node, resource)
    groups = _groups(template, name, node, resource, subnet)
    addresses = _addresses(template, name, node, subnet)
    if not groups:
        return
    if not addresses.complete:
        text = f"the addresses of {name} are not in the template: {address_cure(name)}"
        template.findings.warn("unknown-address", resource.spot, text)
    kind = template.get(node, "InterfaceType")
    interface = NetworkInterface(
        name,
        tuple(each for each, _ in addresses.single),
        groups,
        None,
        instance,
        resource.spot.place,
        _tracking(template, node),
        subnet,
        source_dest_check=template.flag(_with(node, resource, "SourceDestCheck"), "SourceDestCheck", absent=True),
        interface_type=kind.value if kind is not None and isinstance(kind.value, str) else "interface",
        prefixes=addresses.prefixes,
        complete=addresses.complete,
    )
    template.draft.add_interface(interface, resource.spot, addresses.single)


def _with(node: Node, resource: Resource, key: str) -> Node:
    """Where a property stands: with the interface, else with its instance."""
    return node if node.get(key) is not None else resource.properties


def _subnet(template: Template, node: Node, resource: Resource) -> str | None:
    """The subnet's id, where it is known."""
    return template.identity(_with(node, resource, "SubnetId"), "SubnetId", SUBNET)


def _tracking(template: Template, node: Node) -> ConnectionTracking:
    """The interface's own idle timeouts, with their values known."""
    found = template.known(node, "ConnectionTrackingSpecification")
    if found is None:
        return ConnectionTracking()
    seconds = {key: template.number(found, key) for key, _ in entries(found)}
    for key, each in seconds.items():
        if isinstance(each, Unknown):
            template.tell(found.key(key), key, each)
    known = {key: each for key, each in seconds.items() if each is not None and not isinstance(each, Unknown)}
    plain = made(found, known) if isinstance(found.value, dict) else found
    return connection_tracking(plain, template.findings, aws_keys=True)


# --- security groups ---------------------------------------------------------------------------------------
def _groups(template: Template, name: str, node: Node, resource: Resource, subnet: str | None) -> tuple[str, ...]:
    """The ids of the interface's groups; without any it has its VPC's default group."""
    found: dict[str, None] = {}
    keys = [key for key in GROUP_KEYS if node.get(key) is not None]
    holder = node if keys else resource.properties
    values = [(key, each) for key in GROUP_KEYS for each in template.listed(holder, key)]
    for key, value in values:
        group_id = group_of(template, value, key)
        if group_id is not None:  # what is unknown stays: packets that it might admit are undecidable
            found[group_id if isinstance(group_id, str) else group_id.text.partition(" (")[0]] = None
        unread = group_id not in template.draft.group_names.ids and group_id not in template.default_groups
        if group_id is not None and unread:
            what = group_id if isinstance(group_id, str) else group_id.text
            text = f"interface {name} has {what}, whose rules no file gives"
            template.findings.warn("unknown-group", resource.spot, text)
    if not values:
        default = _default_group(template, resource, subnet)
        found = {} if default is None else {default: None}
    if not found:
        text = (
            f"{name} has no security group that is known, it is left out: write it under interfaces: in a second file"
        )
        template.findings.warn("no-groups", resource.spot, text)
    return tuple(found)


def _default_group(template: Template, resource: Resource, subnet: str | None) -> str | None:
    """The default group of the subnet's VPC, where the template makes both and no launch template says another."""
    made_here = template.resources.get(subnet or "")
    if made_here is None or resource.properties.get("LaunchTemplate") is not None:
        return None
    vpc = template.get(made_here.properties, "VpcId")
    if not isinstance(vpc, Reference) or vpc.kind != VPC:
        return None
    return str(template.attribute(str(vpc.value), "DefaultSecurityGroup", resource.spot).value)


# --- addresses ---------------------------------------------------------------------------------------------
def _addresses(template: Template, name: str, node: Node, subnet: str | None) -> Addresses:
    """The addresses in the template and those that a native file gives; incomplete if AWS chooses others."""
    nodes = template.stated_addresses(node)
    nodes += [each for item in template.records(node, "Ipv6Addresses") if (each := template.get(item, "Ipv6Address"))]
    blocks = [
        each
        for key, word in (("Ipv4Prefixes", "Ipv4Prefix"), ("Ipv6Prefixes", "Ipv6Prefix"))
        for item in template.records(node, key)
        if (each := template.get(item, word)) is not None
    ]
    given = template.draft.given_addresses(name)
    single: dict[Address, Spot] = {}
    for each in nodes:
        one = None if isinstance(each, Unknown) else address(each, template.findings)
        if one is not None:
            single.setdefault(one, each)
    for one, where in given:
        single.setdefault(one, where)
    prefixes = [None if isinstance(each, Unknown) else network(each, template.findings) for each in blocks]
    known = not any(isinstance(each, Unknown) for each in (*nodes, *blocks))
    chosen = any(template.get(node, key) is not None for key in CHOSEN_BY_AWS)
    has_ipv4 = any(each.version == 4 for each in single) or _only_ipv6(template, subnet)
    return Addresses(
        list(single.items()),
        tuple(each for each in prefixes if each is not None),
        complete=bool(given) or (known and not chosen and has_ipv4 and bool(single)),
    )


def _only_ipv6(template: Template, subnet: str | None) -> bool:
    """True in a subnet of the template without IPv4."""
    resource = template.resources.get(subnet or "")
    return resource is not None and template.flag(resource.properties, "Ipv6Native", absent=False)
