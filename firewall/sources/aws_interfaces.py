"""Network interfaces as the AWS CLI prints them, in their own output or within their instances.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterface.html

Interfaces of AWS's own services matter as peers too: connections through a NAT gateway, a Network
Load Balancer, an interface endpoint, a Lambda function or Global Accelerator are always tracked,
whatever the rules, so the private addresses of these interfaces become auto-tracked peers.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from firewall.model import Address, Network, NetworkInterface
from firewall.sources import aws_groups
from firewall.sources.aws_reading import flag, items, optional, required, required_cidr
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node
from firewall.sources.reading import address, shown
from firewall.sources.tracking import connection_tracking

INTERFACES, INSTANCES, SESSIONS = "NetworkInterfaces", "Instances", "TrafficMirrorSessions"

LAST_VNI = (1 << 24) - 1  # RFC 7348 section 5

# InterfaceType of the services on the page above that have interfaces of their own.
# The API's reference says natGateway, its output nat_gateway.
ALWAYS_TRACKED = (
    "natGateway",
    "nat_gateway",
    "network_load_balancer",
    "vpc_endpoint",
    "lambda",
    "global_accelerator_managed",
)


# --- what files say of one interface ----------------------------------------------------------------------
def declare(node: Node, draft: Draft) -> None:
    """Note an interface: describe-instances may describe it too."""
    identity = required(node, "NetworkInterfaceId", draft.findings)
    if identity is not None:
        draft.note(node, INTERFACES, identity)


def declare_reservation(node: Node, draft: Draft) -> None:
    """Note the interfaces of the instances of one reservation, and whose they are."""
    for instance, interface in _of_instances(node, draft.findings):
        declare(interface, draft)
        draft.note(instance, INSTANCES, required(interface, "NetworkInterfaceId", draft.findings) or "")


def declare_session(node: Node, draft: Draft) -> None:
    """Note whose packets a traffic mirror session copies: its VXLAN network id names the interface.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TrafficMirrorSession.html
    """
    identity = required(node, "NetworkInterfaceId", draft.findings)
    number = node.get("VirtualNetworkId")
    if identity is not None and number is not None:
        if isinstance(number.value, int) and not isinstance(number.value, bool) and 0 <= number.value <= LAST_VNI:
            draft.note(number, SESSIONS, identity)
        else:
            draft.findings.error(number, f"{shown(number)} is no VXLAN network id: it has 24 bits")


def build_reservation(node: Node, draft: Draft) -> None:
    """The interfaces of the instances of one reservation."""
    for _, interface in _of_instances(node, draft.findings):
        build(interface, draft)


def _of_instances(node: Node, findings: Findings) -> Iterator[tuple[Node, Node]]:
    """Instances of a reservation, each with each of its interfaces."""
    for instance in items(node, INSTANCES, findings):
        for interface in items(instance, INTERFACES, findings):
            yield instance, interface


def build(node: Node, draft: Draft) -> None:
    """One interface, from all that is said of it, where the first description stands.

    One without addresses or groups has nothing to judge and is left out.
    """
    findings = draft.findings
    identity = required(node, "NetworkInterfaceId", findings)
    if identity is None or draft.notes(INTERFACES, identity)[0] is not node:
        return
    said = _said(node, findings)
    for other in draft.notes(INTERFACES, identity)[1:]:
        said = _joined(identity, said, _said(other, findings), (node, other), findings)
    for instance in draft.notes(INSTANCES, identity):
        said.setdefault("instance", optional(instance, "InstanceId", findings))
    numbers = (number.value for number in draft.notes(SESSIONS, identity))
    said["mirror_vnis"] = tuple(dict.fromkeys(number for number in numbers if isinstance(number, int)))
    interface = NetworkInterface(**({"addresses": (), "groups": ()} | said), interface_id=identity, place=node.place)
    if not interface.addresses:
        findings.warn("no-addresses", node, f"interface {identity} has no addresses: left out")
        return
    if interface.interface_type in ALWAYS_TRACKED:
        draft.auto_tracked += interface.networks
    elif not interface.groups:
        findings.warn("no-groups", node, f"interface {identity} has no security groups: left out")
    if interface.groups:
        _warn_unknown_groups(interface, node, draft)
        draft.add_interface(interface, node, _located(draft.notes(INTERFACES, identity), findings))


def _warn_unknown_groups(interface: NetworkInterface, node: Node, draft: Draft) -> None:
    """Groups without rules in any file: what they allow is not known."""
    for group_id in interface.groups:
        if not aws_groups.known(group_id, draft):
            text = f"interface {interface.interface_id} has {group_id}, whose rules no file gives"
            draft.findings.warn("unknown-group", node, text)


# --- one description --------------------------------------------------------------------------------------
def _said(node: Node, findings: Findings) -> dict[str, Any]:
    """The fields of NetworkInterface that one description states."""
    tracking = node.get("ConnectionTrackingConfiguration")
    stated = {
        "addresses": tuple(one for one, _ in _addresses(node, findings)) or None,
        "groups": None if node.get("Groups") is None else _groups(node, findings),
        "mac": optional(node, "MacAddress", findings),
        "instance": _attached(node, findings),
        "connection_tracking": None if tracking is None else connection_tracking(tracking, findings, aws_keys=True),
        "subnet": optional(node, "SubnetId", findings),
        "vpc": optional(node, "VpcId", findings),
        "source_dest_check": flag(node, "SourceDestCheck", findings),
        "interface_type": optional(node, "InterfaceType", findings),
        "prefixes": _prefixes(node, findings) or None,
        "public_addresses": _public(node, findings) or None,
    }
    return {field: value for field, value in stated.items() if value is not None}


def _joined(
    identity: str, said: dict[str, Any], more: dict[str, Any], nodes: tuple[Node, Node], findings: Findings
) -> dict[str, Any]:
    """What two descriptions say together; where they differ, they are of different times."""
    first, other = nodes
    differing = [field.replace("_", " ") for field in said.keys() & more.keys() if not _same(said[field], more[field])]
    if differing:
        findings.error(
            other,
            f"interface {identity} differs from its description at {first.place} in {', '.join(sorted(differing))}: "
            "give outputs of the same moment, or one of the two",
        )
    return more | said


def _same(one: object, other: object) -> bool:
    """Equal; the order of addresses and groups says nothing."""
    return set(one) == set(other) if isinstance(one, tuple) and isinstance(other, tuple) else one == other


def _attached(node: Node, findings: Findings) -> str | None:
    """The instance that the interface is attached to."""
    attachment = node.get("Attachment")
    return None if attachment is None else optional(attachment, "InstanceId", findings)


def _groups(node: Node, findings: Findings) -> tuple[str, ...]:
    """The ids of the groups, each once."""
    found = (required(item, "GroupId", findings) for item in items(node, "Groups", findings))
    return tuple(dict.fromkeys(each for each in found if each is not None))


def _located(nodes: list[Node], findings: Findings) -> list[tuple[Address, Spot]]:
    """The addresses that all descriptions state, each once, with the first place."""
    found: dict[Address, Spot] = {}
    for one, spot in chain.from_iterable(_addresses(node, findings) for node in nodes):
        found.setdefault(one, spot)
    return list(found.items())


def _addresses(node: Node, findings: Findings) -> list[tuple[Address, Spot]]:
    """All private addresses, each once: the primary one stands twice in the output."""
    given = [node.get("PrivateIpAddress"), *_each(node, "PrivateIpAddresses", "PrivateIpAddress", findings)]
    given += [node.get("Ipv6Address"), *_each(node, "Ipv6Addresses", "Ipv6Address", findings)]
    found: dict[Address, Spot] = {}
    for item in given:
        one = None if item is None else address(item, findings)
        if one is not None and item is not None:
            found.setdefault(one, item)
    return list(found.items())


def _each(node: Node, key: str, part: str, findings: Findings) -> list[Node | None]:
    """One part of every object of a list."""
    return [item.get(part) for item in items(node, key, findings)]


def _prefixes(node: Node, findings: Findings) -> tuple[Network, ...]:
    """The delegated prefixes: every address in them is the interface's.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html
    """
    found = [required_cidr(item, "Ipv4Prefix", findings, 4) for item in items(node, "Ipv4Prefixes", findings)]
    found += [required_cidr(item, "Ipv6Prefix", findings, 6) for item in items(node, "Ipv6Prefixes", findings)]
    return tuple(dict.fromkeys(block for block in found if block is not None))


def _public(node: Node, findings: Findings) -> tuple[Address, ...]:
    """Public and Elastic IP addresses, which AWS translates: no packet at the interface has them."""
    associations = [node.get("Association"), *_each(node, "PrivateIpAddresses", "Association", findings)]
    public = [each.get("PublicIp") for each in associations if each is not None]
    found = [address(item, findings) for item in public if item is not None]
    return tuple(dict.fromkeys(each for each in found if each is not None))
