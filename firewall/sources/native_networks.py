"""VPCs, subnets and network ACLs of the native YAML; see docs/rules.md.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
"""

from dataclasses import replace
from ipaddress import ip_network
from typing import Literal

from firewall.model import (
    ALL_PROTOCOLS,
    LAST_ACL_NUMBER,
    Direction,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    Subnet,
    Vpc,
)
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node
from firewall.sources.native_reading import (
    BLOCK_KEYS,
    blocks,
    check_id,
    direction_items,
    flag,
    identity_of,
    reference,
    whole_number,
)
from firewall.sources.native_rules import OTHER_WORDS, PEER_KEYS, Form, peer_word, service
from firewall.sources.reading import description, fields, network, shown, suggestion, warn_family
from firewall.sources.service import acl_service

VPC_KEYS = (*BLOCK_KEYS, "id", "description")
SUBNET_KEYS = (*BLOCK_KEYS, "vpc", "network_acl", "id", "description")
ACL_KEYS = ("vpc", "default", "ingress", "inbound", "egress", "outbound", "id", "description")
ENTRY_KEYS = ("number", "action", "type", "protocol", "ports", "icmp", "source", "destination", "description")
ENTRY_EXAMPLE = "{number: 100, action: allow, protocol: tcp, ports: 443, source: 0.0.0.0/0}"
ENTRY = Form(
    "entry",
    "entries",
    ENTRY_KEYS,
    "a CIDR such as 0.0.0.0/0",
    "AWS ignores the ports of {name} entries: this one is about all {name}",
)
# https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
DEFAULT_ENTRIES = ((100, "0.0.0.0/0"), (101, "::/0"))

_WRITE_ACTION = "write action: allow, or action: deny"
_OTHER_WORDS = {
    **OTHER_WORDS,
    **dict.fromkeys(("rule_number", "rule_no", "rule"), "write number: 100"),
    **dict.fromkeys(("rule_action", "effect", "allow", "deny"), _WRITE_ACTION),
    "id": "entries of network ACLs have no id: their number names them",
}


def vpc(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One VPC, its first IPv4 block as the primary one."""
    findings = draft.findings
    found = fields(node, findings, VPC_KEYS, "cidrs: [10.0.0.0/16]")
    if not isinstance(node.value, dict):
        return
    check_id(name, found, spot, "vpcs", findings)
    description(found.get("description"), findings)
    listed = [block for block, _ in blocks(node, found, "VPC", "10.0.0.0/16", findings)]
    cidrs = tuple(sorted(listed, key=lambda block: block.version))  # stable: each family in the file's order
    draft.add_vpc(Vpc(identity_of(name, node, "vpcs"), cidrs, spot.place), spot)


def subnet(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One subnet; without a network ACL its VPC's default one guards it."""
    findings = draft.findings
    found = fields(node, findings, SUBNET_KEYS, "{cidr: 10.0.1.0/24, vpc: NAME}")
    if not isinstance(node.value, dict):
        return
    check_id(name, found, spot, "subnets", findings)
    description(found.get("description"), findings)
    listed = blocks(node, found, "subnet", "10.0.1.0/24", findings, none_known=True)
    _check_one_ipv4(listed, findings)
    draft.add_subnet(
        Subnet(
            identity_of(name, node, "subnets"),
            tuple(block for block, _ in listed),
            reference(found.get("vpc"), "vpcs", draft),
            reference(found.get("network_acl"), "network_acls", draft),
            spot.place,
        ),
        spot,
    )


def _check_one_ipv4(listed: list[tuple[Network, Node]], findings: Findings) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html."""
    for _, item in [each for each in listed if each[0].version == 4][1:]:
        findings.error(item, f"{shown(item)} is a second IPv4 block: a subnet has one, write a subnet for each")


# --- network ACLs ------------------------------------------------------------------------------------
def network_acl(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One network ACL with its entries of both directions."""
    findings = draft.findings
    found = fields(node, findings, ACL_KEYS, f"ingress: [{ENTRY_EXAMPLE}]")
    if not isinstance(node.value, dict):
        return
    check_id(name, found, spot, "network_acls", findings)
    description(found.get("description"), findings)
    acl_id = identity_of(name, node, "network_acls")
    vpc_id = reference(found.get("vpc"), "vpcs", draft)
    is_default = flag(found.get("default"), False, findings)
    if is_default:
        _check_one_default(vpc_id, found["default"], draft)
    acl = NetworkAcl(acl_id, name, (), (), vpc_id, is_default, spot.place)
    ingress, egress = (_entries(node, found, acl, direction, findings) for direction in PEER_KEYS)
    draft.add_network_acl(replace(acl, ingress=ingress, egress=egress), spot)


def _check_one_default(vpc_id: str | None, spot: Spot, draft: Draft) -> None:
    """A VPC has one default network ACL."""
    others = [acl for acl in draft.network_acls.values() if acl.is_default and acl.vpc == vpc_id]
    if others:
        where = "without a vpc" if vpc_id is None else f"of VPC {vpc_id}"
        draft.findings.error(
            spot, f"a second default network ACL {where}, the first is {others[0].name}: a VPC has one"
        )


def _entries(
    node: Node, found: dict[str, Node], acl: NetworkAcl, direction: Direction, findings: Findings
) -> tuple[NetworkAclEntry, ...]:
    """The entries of one direction; where there is no key for it, those that AWS makes with such an ACL."""
    example = ENTRY_EXAMPLE.replace("source", PEER_KEYS[direction])
    items = direction_items(node, found, direction, example, findings)
    if items is not None:
        read = (acl_entry(item, acl.network_acl_id, direction, findings) for item in items)
        return tuple(each for each in read if each is not None)
    kind, all_traffic = ("a default", "allowed") if acl.is_default else ("a custom", "denied")
    findings.warn(
        "default-entries",
        Spot(acl.place or node.place),
        f"network ACL {acl.name} has no {direction} key: as in {kind} one of AWS, all {direction} traffic is "
        f"{all_traffic} ({direction}: [] denies all)",
    )
    return tuple(
        NetworkAclEntry(
            acl.network_acl_id, direction, number, "allow", ALL_PROTOCOLS, ip_network(block), place=acl.place
        )
        for number, block in (DEFAULT_ENTRIES if acl.is_default else ())
    )


def acl_entry(node: Node, acl_id: str, direction: Direction, findings: Findings) -> NetworkAclEntry | None:
    """The entry that the node says, or None after its mistakes were noted."""
    found = fields(node, findings, ENTRY_KEYS, ENTRY_EXAMPLE.replace("source", PEER_KEYS[direction]), _OTHER_WORDS)
    if not isinstance(node.value, dict):
        return None
    number, action = _number(node, found.get("number"), findings), _action(node, found.get("action"), findings)
    what = service(node, found, ENTRY, findings)
    peer = _block(node, found, direction, findings)
    description(found.get("description"), findings)
    if number is None or action is None or what is None or peer is None:
        return None
    warn_family(what.protocol, peer, node, findings)
    read = acl_service(what.protocol, peer, what.ports, what.icmp, node, findings)
    if read is None:
        return None
    return NetworkAclEntry(
        acl_id, direction, number, action, read.protocol, peer, read.ports, *read.icmp, place=node.place
    )


def _number(node: Node, given: Node | None, findings: Findings) -> int | None:
    """1 to 32766; what stands above is AWS's own."""
    number = None if given is None else whole_number(given)
    if given is None:
        if not _OTHER_WORDS.keys() & (node.keys or {}).keys():
            findings.error(node, "the entry has no number: add number: 100 (the lowest that matches decides)")
    elif given.value == "*" or (number is not None and number > LAST_ACL_NUMBER):
        findings.error(
            given,
            f"entries are numbered 1 to {LAST_ACL_NUMBER}: * stands behind them in every list and denies, leave it out",
        )
    elif number is None or number < 1:
        findings.error(given, f"{shown(given)} is no number of an entry: write 1 to {LAST_ACL_NUMBER}")
    else:
        return number
    return None


def _action(node: Node, given: Node | None, findings: Findings) -> Literal["allow", "deny"] | None:
    """Allow or deny: here, unlike in a security group, both can be said."""
    if given is None:
        if not _OTHER_WORDS.keys() & (node.keys or {}).keys():
            findings.error(node, f"the entry has no action: {_WRITE_ACTION}")
    elif given.value == "allow":
        return "allow"
    elif given.value == "deny":
        return "deny"
    else:
        hint = suggestion(given.value, ("allow", "deny")) if isinstance(given.value, str) else _WRITE_ACTION
        findings.error(given, f"{shown(given)} is no action: {hint}")
    return None


def _block(node: Node, found: dict[str, Node], direction: Direction, findings: Findings) -> Network | None:
    """The address block of an entry: API NetworkAclEntry has no other peer."""
    word = peer_word(node, found, direction, ENTRY, findings)
    if word is None:
        return None
    given = found[PEER_KEYS[direction]]
    for kind, marks in (("security group", ("sg:", "sg-")), ("prefix list", ("pl:", "pl-"))):
        if word.startswith(marks):
            findings.error(
                given, f"{shown(given)} is a {kind}: entries of network ACLs name address blocks only, write a CIDR"
            )
            return None
    return network(given, findings)
