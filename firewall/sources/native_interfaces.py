"""Network interfaces of the native YAML; see docs/rules.md."""

import re

from firewall.model import Address, Network, NetworkInterface
from firewall.sources.aws_interfaces import ALWAYS_TRACKED, LAST_VNI
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.native_reading import flag, reference, whole_number
from firewall.sources.reading import address, description, fields, network, sequence, shown, suggestion, text
from firewall.sources.tracking import TRACKING_KEYS, connection_tracking

INTERFACE_KEYS = (
    "addresses",
    "security_groups",
    "subnet",
    "vpc",
    "instance",
    "mac",
    "source_dest_check",
    "interface_type",
    "prefixes",
    "public_addresses",
    "mirror_vnis",
    "connection_tracking",
    "name",
    "description",
)
# NetworkInterfaceType, https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
INTERFACE_TYPES = (
    "interface",
    "natGateway",
    "nat_gateway",  # as describe-network-interfaces prints it
    "efa",
    "efa-only",
    "trunk",
    "load_balancer",
    "network_load_balancer",
    "vpc_endpoint",
    "branch",
    "transit_gateway",
    "lambda",
    "quicksight",
    "global_accelerator_managed",
    "api_gateway_managed",
    "gateway_load_balancer",
    "gateway_load_balancer_endpoint",
    "iot_rules_managed",
    "aws_codestar_connections_managed",
)
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def interface(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One network interface."""
    findings = draft.findings
    found = fields(node, findings, INTERFACE_KEYS, "addresses: [10.0.1.10] and security_groups: [web]")
    if not isinstance(node.value, dict):
        return
    for key in ("description", "name"):
        description(found.get(key), findings)
    addresses = _addresses(node, found.get("addresses"), findings)
    eni = NetworkInterface(
        name,
        tuple(each for each, _ in addresses),
        _groups(node, found.get("security_groups"), draft),
        _mac(found.get("mac"), findings),
        text(found["instance"], findings, "an instance id") if "instance" in found else None,
        spot.place,
        connection_tracking(_tracking(found.get("connection_tracking"), findings), findings),
        reference(found.get("subnet"), "subnets", draft),
        reference(found.get("vpc"), "vpcs", draft),
        flag(found.get("source_dest_check"), True, findings),
        _type(found.get("interface_type"), findings),
        _prefixes(found.get("prefixes"), findings),
        tuple(each for each, _ in _listed(found.get("public_addresses"), "203.0.113.10", findings)),
        mirror_vnis=_vnis(found.get("mirror_vnis"), findings),
    )
    draft.add_interface(eni, spot, addresses)
    if eni.interface_type in ALWAYS_TRACKED:
        draft.auto_tracked += eni.networks


def _addresses(node: Node, listed: Node | None, findings: Findings) -> list[tuple[Address, Spot]]:
    """The interface's private addresses, at least one."""
    if listed is None or listed.value == []:
        findings.error(listed or node, "an interface without addresses: add addresses: [10.0.1.10]")
        return []
    return _listed(listed, "10.0.1.10", findings)


def _listed(node: Node | None, example: str, findings: Findings) -> list[tuple[Address, Spot]]:
    """A list of single addresses; absent is empty."""
    items = [] if node is None else sequence(node, findings, f"a list such as [{example}]")
    return [(found, item) for item in items if (found := address(item, findings)) is not None]


def _prefixes(node: Node | None, findings: Findings) -> tuple[Network, ...]:
    """The blocks delegated to the interface; absent is none."""
    items = [] if node is None else sequence(node, findings, "a list such as [10.0.1.16/28]")
    return tuple(block for item in items if (block := network(item, findings)) is not None)


def _vnis(node: Node | None, findings: Findings) -> tuple[int, ...]:
    """VXLAN network ids of the interface's traffic mirror sessions; absent is none."""
    found = []
    for item in [] if node is None else sequence(node, findings, "a list such as [1234567]"):
        number = whole_number(item)
        if number is None or not 0 <= number <= LAST_VNI:
            findings.error(item, f"{shown(item)} is no VXLAN network id: write 0 to {LAST_VNI}")
        else:
            found.append(number)
    return tuple(found)


def _groups(node: Node, listed: Node | None, draft: Draft) -> tuple[str, ...]:
    """The ids of the interface's security groups, at least one, each once."""
    if listed is None or listed.value == []:
        draft.findings.error(listed or node, "an interface without security groups: add security_groups: [NAME]")
        return ()
    groups: dict[str, None] = {}
    for item in sequence(listed, draft.findings, "a list such as [web]"):
        word = text(item, draft.findings, "a security group")
        group_id = None if word is None else draft.group_names.resolve(word, item, draft.findings)
        if group_id is not None:
            groups[group_id] = None
    return tuple(groups)


def _mac(node: Node | None, findings: Findings) -> str | None:
    """Six octets, lower case."""
    if node is None:
        return None
    word = node.value.lower().replace("-", ":") if isinstance(node.value, str) else ""
    if _MAC.fullmatch(word):
        return word
    findings.error(node, f"{shown(node)} is no MAC address: write one like 02:00:5e:00:53:01")
    return None


def _tracking(node: Node | None, findings: Findings) -> Node | None:
    """The interface's own idle timeouts, without keys that say nothing."""
    if node is not None and isinstance(node.value, dict):
        fields(node, findings, TRACKING_KEYS, "")
        for key, item in entries(node):
            if item.value is None:
                findings.error(node.key(key), f"{key} has no value: write seconds, or leave it out")
    return node


def _type(node: Node | None, findings: Findings) -> str:
    """AWS's word for what the interface belongs to."""
    if node is None:
        return INTERFACE_TYPES[0]
    if isinstance(node.value, str) and node.value in INTERFACE_TYPES:
        return node.value
    hint = suggestion(node.value if isinstance(node.value, str) else "", INTERFACE_TYPES)
    findings.error(node, f"{shown(node)} is no interface type: {hint}")
    return INTERFACE_TYPES[0]
