"""The native YAML: AWS's objects in AWS's words; see docs/rules.md and docs/rules.schema.json."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Literal

from firewall.model import ALL_PROTOCOLS, Direction, Network, PrefixList, Rule, SecurityGroup
from firewall.sources.draft import Draft, Names
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.native_interfaces import interface
from firewall.sources.native_networks import network_acl, subnet, vpc
from firewall.sources.native_reading import (
    SECTIONS,
    Section,
    check_id,
    direction_items,
    good_name,
    identity_of,
    reference,
    whole_number,
)
from firewall.sources.native_rules import PEER_KEYS, RULE_EXAMPLE, rule
from firewall.sources.reading import address, description, fields, mapping, network, quoted, sequence, shown, text

GROUP_KEYS = ("ingress", "inbound", "egress", "outbound", "vpc", "id", "description")
LIST_KEYS = ("entries", "max_entries", "family", "version", "id", "description")
ENTRY_KEYS = ("cidr", "description")
FAMILIES: dict[str, Literal[4, 6]] = {"IPv4": 4, "IPv6": 6}
MOST_ENTRIES = 1000  # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html, prefix lists
LINT_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ALL = "all"


def declare(root: Node, draft: Draft) -> None:
    """Note what other files need: names, addresses of interfaces that they describe, values of their parameters."""
    for row in SECTIONS.values():
        section = root.get(row.key)
        if section is not None:
            _declare_names(section, row, draft)
    for key, read_one in _GIVEN.items():
        _each(root, key, read_one, draft)


def _declare_names(section: Node, row: Section, draft: Draft) -> None:
    """The ids and names of one kind."""
    names: Names = getattr(draft, row.names)
    for name, node in entries(section):
        spot, identity = section.key(name), identity_of(name, node, row.key)
        if row.unique:
            names.declare(identity, name, spot, draft.findings, unique=True)
        else:
            names.mention(identity, name, spot)


def build(root: Node, draft: Draft) -> None:
    """Read everything else in the file."""
    found = fields(root, draft.findings, (*TOP_KEYS, "$schema"), "security_groups: and the groups below it")
    for key, read in _SETTINGS.items():
        if key in found:
            read(found[key], draft)
    for key, build_one in _OBJECTS.items():
        _each(root, key, build_one, draft)


Read = Callable[[Node, Draft], None]
ReadOne = Callable[[str, Node, Spot, Draft], None]


def _each(root: Node, key: str, read_one: ReadOne, draft: Draft) -> None:
    """Read every named value under a top-level key."""
    section = root.value.get(key) if isinstance(root.value, dict) else None
    if section is None:
        return
    for name, node in mapping(section, draft.findings, f"{{}} for no {key}, or NAME: and what belongs to it").items():
        spot = section.key(name)
        if good_name(name, spot, draft.findings):
            read_one(name, node, spot, draft)


# --- what is no object ---------------------------------------------------------------------------------
def _auto_tracked(node: Node, draft: Draft) -> None:
    """Peers whose connections AWS always tracks."""
    for item in sequence(node, draft.findings, "a list such as [10.0.1.200/32]"):
        block = network(item, draft.findings)
        draft.auto_tracked += [] if block is None else [block]


def _allowance(node: Node, draft: Draft) -> None:
    """Connections that one instance may have tracked."""
    number = whole_number(node)
    if number is None or number < 1:
        draft.findings.error(node, f"{shown(node)} is no number of connections: write a whole number from 1 on")
    elif draft.allowance not in (None, number):
        draft.findings.error(node, f"another file says {draft.allowance}: keep one allowance")
    else:
        draft.allowance = number


def _silence(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """A lint that is not told, of all or of some; whether a lint has that name its caller knows."""
    if not LINT_NAME.fullmatch(name):
        draft.findings.error(spot, f"{quoted(name)} is no name of a lint: write it as `eniwall rules` prints it")
        return
    write = f"{ALL}, or a list of groups, rules and interfaces such as [web, web:ingress[0], eni-web]"
    items = [node] if node.value == ALL else sequence(node, draft.findings, write)
    words = [word for item in items if (word := text(item, draft.findings, "a name")) is not None]
    draft.silenced.setdefault(name, []).extend(words)


def _given_addresses(name: str, node: Node, _spot: Spot, draft: Draft) -> None:
    """The addresses of an interface that another file describes without them."""
    items = node.value if isinstance(node.value, list) else [node]
    if not items:
        draft.findings.error(node, f"no address for {quoted(name)}: write one such as [10.0.1.10], or delete the name")
    known = draft.addresses.setdefault(name, [])
    known += [(found, item) for item in items if (found := address(item, draft.findings)) is not None]


def _given_parameter(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """The value of a template's parameter, or of a name that it imports."""
    items = node.value if isinstance(node.value, list) else [node]
    wrong = [item for item in items if item.value is None or isinstance(item.value, dict | list)]
    for item in wrong:
        draft.findings.error(item, f"{shown(item)} is no value of a parameter: write a text, or a list of texts")
    if name in draft.parameters:
        first = draft.parameters[name].place
        draft.findings.error(spot, f"parameter {quoted(name)} has a value already, at {first}: keep one")
    if not wrong:
        draft.parameters.setdefault(name, node)


# --- security groups ---------------------------------------------------------------------------------
def _group(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One security group."""
    findings = draft.findings
    found = fields(node, findings, GROUP_KEYS, f"ingress: [{RULE_EXAMPLE}]")
    if not isinstance(node.value, dict):
        return
    check_id(name, found, spot, "security_groups", findings)
    description(found.get("description"), findings)
    group_id = identity_of(name, node, "security_groups")
    vpc_id = reference(found.get("vpc"), "vpcs", draft)
    ingress = _rules(node, found, group_id, "ingress", draft) or ()
    egress = _rules(node, found, group_id, "egress", draft)
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
    draft.add_group(SecurityGroup(group_id, name, ingress, egress, spot.place, vpc_id))


def _rules(
    node: Node, found: dict[str, Node], group_id: str, direction: Direction, draft: Draft
) -> tuple[Rule, ...] | None:
    """The rules of one direction; None where the group has no key for it."""
    example = RULE_EXAMPLE.replace("source", PEER_KEYS[direction])
    items = direction_items(node, found, direction, example, draft.findings)
    if items is None:
        return None
    rules = (rule(item, group_id, direction, index, draft) for index, item in enumerate(items))
    return tuple(each for each in rules if each is not None)


# --- prefix lists --------------------------------------------------------------------------------------
def _prefix_list(name: str, node: Node, spot: Spot, draft: Draft) -> None:
    """One prefix list."""
    findings = draft.findings
    found = fields(node, findings, LIST_KEYS, "entries: [198.51.100.0/24]")
    if not isinstance(node.value, dict):
        return
    check_id(name, found, spot, "prefix_lists", findings)
    description(found.get("description"), findings)
    family = _family(found.get("family"), findings)
    if "entries" not in found:
        findings.error(node, "a prefix list without entries: add entries: [198.51.100.0/24], or entries: []")
        return
    items = sequence(found["entries"], findings, "a list such as [198.51.100.0/24]")
    blocks = [(block, item) for item in items if (block := _entry(item, findings)) is not None]
    _check_family(blocks, family, findings)
    prefix_list_id = identity_of(name, node, "prefix_lists")
    draft.prefix_lists[prefix_list_id] = PrefixList(
        prefix_list_id,
        name,
        tuple(block for block, _ in blocks),
        _max_entries(found.get("max_entries"), len(items), findings),
        spot.place,
        _version(found.get("version"), findings),
        family,
    )


def _family(node: Node | None, findings: Findings) -> Literal[4, 6] | None:
    """AddressFamily of the EC2 API."""
    if node is None:
        return None
    if isinstance(node.value, str) and node.value in FAMILIES:
        return FAMILIES[node.value]
    findings.error(node, f"{shown(node)} is no address family: write {' or '.join(FAMILIES)}")
    return None


def _check_family(blocks: list[tuple[Network, Node]], family: int | None, findings: Findings) -> None:
    """A prefix list holds blocks of one family: the stated one, else that of its first entry."""
    for block, item in blocks:
        if family is not None and block.version != family:
            findings.error(
                item, f"{block} is no IPv{family} block, which the list's family says: move it to another list"
            )
        elif family is None and block.version != blocks[0][0].version:
            findings.error(
                item, f"{block} beside {blocks[0][0]}: a prefix list holds one address family, write a list for each"
            )
            break


def _version(node: Node | None, findings: Findings) -> int | None:
    """The list's version, from 1 on; AWS's own lists show none."""
    number = None if node is None else whole_number(node)
    if node is not None and (number is None or number < 1):
        findings.error(node, f"{shown(node)} is no version: write a whole number from 1 on")
        return None
    return number


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
    most = whole_number(node)
    if most is None or not 1 <= most <= MOST_ENTRIES:
        findings.error(node, f"{shown(node)} is no number of entries: write 1 to {MOST_ENTRIES}")
        return None
    if most < entries:
        findings.error(node, f"max_entries {most} is below the {entries} entries of the list: write {entries} or more")
    return most


def _members_complete(node: Node, draft: Draft) -> None:
    """Groups of which the files give every member, whatever else names them; `all` is each of them."""
    if node.value == ALL:
        draft.all_complete = True
        return
    for item in sequence(node, draft.findings, "all, or a list such as [web]"):
        if text(item, draft.findings, "a security group") is not None:
            draft.members_complete.append(item)


# --- the top-level keys ------------------------------------------------------------------------------
_GIVEN: dict[str, ReadOne] = {"addresses": _given_addresses, "parameters": _given_parameter}
_SETTINGS: dict[str, Read] = {
    "auto_tracked": _auto_tracked,
    "allowance": _allowance,
    "members_complete": _members_complete,
}
_OBJECTS: dict[str, ReadOne] = {
    "vpcs": vpc,
    "network_acls": network_acl,
    "subnets": subnet,
    "prefix_lists": _prefix_list,
    "security_groups": _group,
    "interfaces": interface,
    "silence": _silence,
}
TOP_KEYS = (*_OBJECTS, *_SETTINGS, *_GIVEN)
