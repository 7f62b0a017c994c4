"""The native YAML: security groups, prefix lists and interfaces in AWS's words; see docs/rules.md."""

import re
from ipaddress import ip_network

from firewall.model import (
    ALL_PROTOCOLS,
    Address,
    Direction,
    Network,
    NetworkInterface,
    PrefixList,
    Rule,
    SecurityGroup,
)
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.native_rules import PEER_KEYS, RULE_EXAMPLE, rule
from firewall.sources.reading import address, description, fields, mapping, network, quoted, sequence, shown, text
from firewall.sources.tracking import TRACKING_KEYS, connection_tracking

TOP_KEYS = ("security_groups", "prefix_lists", "interfaces", "auto_tracked")
GROUP_KEYS = ("ingress", "inbound", "egress", "outbound", "id", "description")
LIST_KEYS = ("entries", "max_entries", "id", "description")
ENTRY_KEYS = ("cidr", "description")
INTERFACE_KEYS = ("addresses", "security_groups", "mac", "instance", "connection_tracking", "description", "name")
MOST_ENTRIES = 1000  # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html, prefix lists


def _planned(*names: str) -> dict[str, str]:
    """Keys whose meaning would change verdicts: reading on without it would be a lie."""
    return {
        name: f"{name} is not evaluated by this version: delete it, or verdicts would not be AWS's" for name in names
    }


PLANNED_TOP = _planned("vpcs", "subnets", "network_acls", "allowance")
PLANNED_INTERFACE = _planned("subnet", "source_dest_check")

_CONSOLE_WORDS: dict[Direction, str] = {"ingress": "inbound", "egress": "outbound"}
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def declare(root: Node, draft: Draft) -> None:
    """Note the names that the file defines, for the rules of all files."""
    for key, names, prefix in (
        ("security_groups", draft.group_names, "sg-"),
        ("prefix_lists", draft.list_names, "pl-"),
    ):
        section = root.get(key)
        if section is None:
            continue
        for name, node in entries(section):
            names.declare(_identity(name, node, prefix), name, section.key(name), draft.findings, unique=True)


def build(root: Node, draft: Draft) -> None:
    """Read everything in the file."""
    found = fields(root, draft.findings, TOP_KEYS, "security_groups: and the groups below it", PLANNED_TOP)
    if "auto_tracked" in found:
        for item in sequence(found["auto_tracked"], draft.findings, "a list such as [10.0.1.200/32]"):
            block = network(item, draft.findings)
            draft.auto_tracked += [] if block is None else [block]
    for key, build_one in (("prefix_lists", _prefix_list), ("security_groups", _group), ("interfaces", _interface)):
        if key in found:
            section = found[key]
            for name, node in mapping(section, draft.findings, f"{{}} for no {key}, or NAME: and its keys").items():
                spot = section.key(name)
                if _good_name(name, spot, draft.findings):
                    build_one(name, node, spot, draft)


def _good_name(name: str, spot: Spot, findings: Findings) -> bool:
    """Names are printed in reports: 1 to 255 printable characters."""
    if name.isprintable() and 0 < len(name.strip()) <= len(name) <= 255:
        return True
    findings.error(spot, f"{quoted(name)} cannot be a name: write 1 to 255 printable characters")
    return False


def _identity(name: str, node: Node, prefix: str) -> str:
    """AWS's id where the file gives one, else the name."""
    given = node.get("id")
    return given.value if given and isinstance(given.value, str) and given.value.startswith(prefix) else name


def _check_id(name: str, node: Node, spot: Spot, prefix: str, findings: Findings) -> None:
    """An id has AWS's prefix, and a name has it only where it is the id."""
    given = node.get("id")
    if given is None:
        return
    word = text(given, findings, "an id")
    if word is not None and not word.startswith(prefix):
        findings.error(given, f"{shown(given)} is no id: write AWS's id, {prefix}..., or leave id out")
    elif name.startswith(prefix):
        findings.error(spot, f"a name cannot start with {prefix}: rename it, or leave id out")


# --- security groups ---------------------------------------------------------------------------------
def _group(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One security group."""
    findings = draft.findings
    fields(node, findings, GROUP_KEYS, f"ingress: [{RULE_EXAMPLE}]")
    if not isinstance(node.value, dict):
        return
    _check_id(name, node, spot, "sg-", findings)
    description(node.value.get("description"), findings)
    group_id = _identity(name, node, "sg-")
    ingress = _rules(node, group_id, "ingress", draft) or ()
    egress = _rules(node, group_id, "egress", draft)
    if egress is None:
        findings.warn(
            "default-egress",
            spot,
            f"security group {name} has no egress key: AWS's default, all outbound traffic is allowed "
            "(egress: [] allows none)",
        )
        egress = tuple(
            Rule(group_id, "egress", index, ALL_PROTOCOLS, ip_network(block), place=spot.place)
            for index, block in enumerate(("0.0.0.0/0", "::/0"))
        )
    draft.add_group(SecurityGroup(group_id, name, ingress, egress, spot.place))


def _rules(node: Node, group_id: str, direction: Direction, draft: Draft) -> tuple[Rule, ...] | None:
    """The rules of one direction; None where the group has no key for it."""
    found = mapping(node, draft.findings, "a security group")
    console_word = _CONSOLE_WORDS[direction]
    keys = [key for key in (direction, console_word) if key in found]
    if not keys:
        return None
    if len(keys) == 2:
        draft.findings.error(
            node.key(console_word), f"{console_word} is {direction} in the console's words: keep one of the two"
        )
    example = RULE_EXAMPLE.replace("source", PEER_KEYS[direction])
    items = sequence(found[keys[0]], draft.findings, f"[] for no rules, or a list of {example}")
    rules = (rule(item, group_id, direction, index, draft) for index, item in enumerate(items))
    return tuple(each for each in rules if each is not None)


# --- prefix lists --------------------------------------------------------------------------------------
def _prefix_list(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One prefix list."""
    findings = draft.findings
    found = fields(node, findings, LIST_KEYS, "entries: [198.51.100.0/24]")
    if not isinstance(node.value, dict):
        return
    _check_id(name, node, spot, "pl-", findings)
    description(found.get("description"), findings)
    if "entries" not in found:
        findings.error(node, "a prefix list without entries: add entries: [198.51.100.0/24], or entries: []")
        return
    items = sequence(found["entries"], findings, "a list such as [198.51.100.0/24]")
    blocks = [(block, item) for item in items if (block := _entry(item, findings)) is not None]
    for block, item in blocks:
        if block.version != blocks[0][0].version:
            findings.error(
                item, f"{block} beside {blocks[0][0]}: a prefix list holds one address family, write a list for each"
            )
            break
    most = _max_entries(found.get("max_entries"), len(items), findings)
    prefix_list_id = _identity(name, node, "pl-")
    draft.prefix_lists[prefix_list_id] = PrefixList(
        prefix_list_id, name, tuple(block for block, _ in blocks), most, spot.place
    )


def _entry(node: Node, findings: Findings) -> Network | None:
    """A CIDR, or a mapping of cidr and description."""
    if not isinstance(node.value, dict):
        return network(node, findings)
    found = fields(node, findings, ENTRY_KEYS, "a CIDR")
    description(found.get("description"), findings)
    if "cidr" in found:
        return network(found["cidr"], findings)
    findings.error(node, "an entry without a block: add cidr: 198.51.100.0/24")
    return None


def _max_entries(node: Node | None, entries: int, findings: Findings) -> int | None:
    """What a rule quota is charged for the list."""
    if node is None:
        return None
    most = node.value
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_ENTRIES:
        findings.error(node, f"{shown(node)} is no number of entries: write 1 to {MOST_ENTRIES}")
        return None
    if most < entries:
        findings.error(node, f"max_entries {most} is below the {entries} entries of the list: write {entries} or more")
    return most


# --- interfaces ------------------------------------------------------------------------------------------
def _interface(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One network interface."""
    findings = draft.findings
    example = "addresses: [10.0.1.10] and security_groups: [web]"
    found = fields(node, findings, INTERFACE_KEYS, example, PLANNED_INTERFACE)
    if not isinstance(node.value, dict):
        return
    for key in ("description", "name"):
        description(found.get(key), findings)
    addresses = _addresses(node, found.get("addresses"), findings)
    groups = _groups(node, found.get("security_groups"), draft)
    instance = text(found["instance"], findings, "an instance id") if "instance" in found else None
    mac = _mac(found.get("mac"), findings)
    tracking = found.get("connection_tracking")
    if tracking is not None:
        fields(tracking, findings, TRACKING_KEYS, "tcp_established_timeout: 350")
    interface = NetworkInterface(
        name,
        tuple(each for each, _ in addresses),
        groups,
        mac,
        instance,
        spot.place,
        connection_tracking(tracking, findings),
    )
    draft.add_interface(interface, spot, addresses)


def _addresses(node: Node, listed: Node | None, findings: Findings) -> list[tuple[Address, Spot]]:
    """The interface's private addresses, at least one."""
    if listed is None or listed.value == []:
        findings.error(listed or node, "an interface without addresses: add addresses: [10.0.1.10]")
        return []
    items = sequence(listed, findings, "a list such as [10.0.1.10]")
    return [(found, item) for item in items if (found := address(item, findings)) is not None]


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
