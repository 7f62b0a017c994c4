"""One rule of the native YAML: service (type, protocol, ports, icmp) and exactly one peer.

An entry of a network ACL is written in the same words; `Form` says where the two differ.
"""

import re
from typing import NamedTuple

from firewall.model import ALL_PORTS, ALL_PROTOCOLS, ICMP, ICMPV6, Direction, GroupPeer, Peer, PrefixListPeer, Rule
from firewall.sources.draft import Draft, Names
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.reading import (
    check_icmp,
    check_ports,
    description,
    fields,
    has_ports,
    network,
    protocol,
    protocol_name,
    shown,
    suggestion,
    text,
    warn_family,
)
from firewall.sources.service import Service
from firewall.sources.words import ALL_ICMP, CONSOLE_TYPES, SCTP, UDPLITE, ConsoleType


class Form(NamedTuple):
    """A rule of a security group or an entry of a network ACL, as its messages say it."""

    word: str
    words: str
    keys: tuple[str, ...]
    peers: str
    ports_ignored: str  # what becomes of the ports of SCTP and UDP-Lite, {name}


PEER_KEYS: dict[Direction, str] = {"ingress": "source", "egress": "destination"}
RULE_KEYS = ("type", "protocol", "ports", "icmp", "source", "destination", "description", "id")
RULE_EXAMPLE = "{protocol: tcp, ports: 443, source: 0.0.0.0/0}"
RULE = Form(
    "rule",
    "rules",
    RULE_KEYS,
    "a CIDR, sg:NAME or pl:NAME",
    "AWS ignores the ports of {name} rules and allows all {name}; under the profile linux they count",
)

_ALLOW_ONLY = (
    "security groups hold allow rules only: delete this rule, what no rule allows is dropped already; AWS denies "
    "in network ACLs (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html)"
)
_ALLOW_WORDS = ("action", "allow", "deny", "effect", "rule_action")
#: words of other formats, and what this one calls it
OTHER_WORDS = {
    **dict.fromkeys(
        ("cidr", "cidr_ip", "cidr_ipv4", "cidr_ipv6", "cidr_block", "ipv6_cidr_block", "peer"),
        "write source (ingress) or destination (egress)",
    ),
    **dict.fromkeys(("from_port", "to_port", "port_range"), "write ports: FIRST-LAST"),
    **dict.fromkeys(("source_port", "source_ports"), "AWS matches destination ports only: delete it"),
    **dict.fromkeys(("icmp_type", "icmp_code"), "write icmp: TYPE/CODE"),
}
_NUMBER = "(0|[1-9][0-9]{0,8})"
_SIGNED = "(0|-?[1-9][0-9]{0,8})"
_RANGE = re.compile(f"{_NUMBER} ?- ?{_NUMBER}")
_TYPE_AND_CODE = re.compile(f"{_SIGNED} ?/ ?{_SIGNED}")


def rule(node: Node, group_id: str, direction: Direction, index: int, draft: Draft) -> Rule | None:
    """The rule that the node says, or None after its mistakes were noted."""
    findings = draft.findings
    refused = OTHER_WORDS | {word: _allow_only(word, node.get(word)) for word in _ALLOW_WORDS}
    found = fields(node, findings, RULE_KEYS, RULE_EXAMPLE, refused)
    if not isinstance(node.value, dict):
        return None
    what = service(node, found, RULE, findings)
    peer = _peer(node, found, direction, draft)
    rule_id = _rule_id(found.get("id"), draft)
    about = description(found.get("description"), findings)
    if what is None or peer is None:
        return None
    warn_family(what.protocol, peer, node, findings)
    return Rule(group_id, direction, index, what.protocol, peer, what.ports, *what.icmp, rule_id, about, node.place)


def _allow_only(word: str, value: Node | None) -> str:
    """Why no word for the action can stand in a rule."""
    if word != "deny" and value is not None and value.value in ("allow", "Allow", "ALLOW", True):
        return "every rule of a security group allows: leave this key out"
    return _ALLOW_ONLY


def _missing(node: Node, form: Form, findings: Findings, text: str) -> None:
    """A key is missing; where another is unknown, that one is the mistake and was named."""
    if all(key in form.keys for key, _ in entries(node)):
        findings.error(node, text)


def _rule_id(node: Node | None, draft: Draft) -> str | None:
    """AWS's id of a rule; it names one rule."""
    found = None if node is None else text(node, draft.findings, "a rule id")
    if node is None or found is None:
        return None
    if not found.startswith("sgr-"):
        draft.findings.error(node, f"{shown(node)} is no rule id: write AWS's id, sgr-..., or leave id out")
    draft.claim_rule_id(found, node)
    return found


# --- service ---------------------------------------------------------------------------------------
def service(node: Node, found: dict[str, Node], form: Form, findings: Findings) -> Service | None:
    """Protocol with ports or ICMP type and code; None after a note of what is wrong."""
    kind = ConsoleType("", None, asks="protocol")
    if "type" in found:
        named = _console_type(found["type"], findings)
        if named is None:
            return None
        kind = named
        for key in ("protocol", "ports", "icmp"):
            if key in found and not _left_to_user(kind, key):
                findings.error(
                    node.key(key), f"type: {kind.name} says that already: leave {key} out, or leave type out"
                )
                return None
    if kind.protocol is not None:
        number = kind.protocol
    elif "protocol" not in found:
        what = "add protocol: tcp (udp, icmp, icmpv6, a number, all)"
        _missing(node, form, findings, f"the {form.word} names no protocol: {what}")
        return None
    else:
        given = protocol(found["protocol"], findings)
        if given is None:
            return None
        number = given
    if kind.ports or kind.icmp:
        return Service(number, kind.ports, kind.icmp or ALL_ICMP)
    return _service_of(number, node, found, form, findings)


def _left_to_user(kind: ConsoleType, key: str) -> bool:
    """True where a type leaves the key open; a Custom Protocol leaves ports and icmp open too."""
    return kind.asks in (key, "protocol")


def _console_type(node: Node, findings: Findings) -> ConsoleType | None:
    """The console's rule type of that name, in any case."""
    word = " ".join(node.value.split()).casefold() if isinstance(node.value, str) else ""
    if word in CONSOLE_TYPES:
        return CONSOLE_TYPES[word]
    names = [row.name for row in CONSOLE_TYPES.values()]
    findings.error(node, f"unknown type {shown(node)}: {suggestion(word, names)}")
    return None


def _service_of(number: int, node: Node, found: dict[str, Node], form: Form, findings: Findings) -> Service | None:
    """The service of a protocol with the keys that belong to it, and no others."""
    name = protocol_name(number)
    is_icmp = number in (ICMP, ICMPV6)
    if "icmp" in found and not is_icmp:
        findings.error(node.key("icmp"), f"{name} has no ICMP type: leave icmp out, or write protocol: icmp")
        return None
    if "ports" in found and is_icmp:
        findings.error(
            node.key("ports"), f"{name} has no ports: write icmp: TYPE/CODE, such as icmp: 8/-1, or icmp: all"
        )
        return None
    if is_icmp:
        return _icmp_service(number, node, found, form, findings)
    if "ports" not in found:
        if not has_ports(number):
            return Service(number)
        _missing(
            node, form, findings, f"{name} {form.word} without ports: add ports: 443, ports: 8000-8080 or ports: all"
        )
        return None
    ports = _ports(found["ports"], form, findings)
    if ports is None or has_ports(number):
        return ports and Service(number, ports)
    if ports == ALL_PORTS:
        return Service(number)
    return _ports_beside(number, ports, node.key("ports"), form, findings)


def _icmp_service(number: int, node: Node, found: dict[str, Node], form: Form, findings: Findings) -> Service | None:
    """ICMP needs type and code; ICMPv6 without them is all (API AuthorizeSecurityGroupIngress)."""
    if "icmp" in found:
        both = _icmp(found["icmp"], findings)
        return both and Service(number, None, both)
    if number == ICMPV6:
        return Service(number)
    what = "add icmp: 8/-1 (ping), another TYPE/CODE, or icmp: all"
    _missing(node, form, findings, f"icmp {form.word} without a type: {what}")
    return None


def _ports_beside(number: int, ports: tuple[int, int], spot: Spot, form: Form, findings: Findings) -> Service | None:
    """Ports on a protocol that is neither TCP nor UDP: AWS ignores them (API IpPermission)."""
    name = protocol_name(number)
    if number in (SCTP, UDPLITE):
        findings.warn("ports-ignored", spot, form.ports_ignored.format(name=name))
        return Service(number, ports)
    ignored = f"AWS ignores the ports of {name} {form.words}"
    what = "protocol all covers every port" if number == ALL_PROTOCOLS else ignored
    findings.error(spot, f"{what}: leave ports out, or write protocol: tcp or udp")
    return None


def _ports(node: Node, form: Form, findings: Findings) -> tuple[int, int] | None:
    """22, 8000-8080 or all."""
    match node.value:
        case bool() | None:
            pass
        case int(port):
            return check_ports(port, port, node, findings)
        case str(word) if word.casefold() == "all":
            return ALL_PORTS
        case str(word) if match := _RANGE.fullmatch(word):
            return check_ports(int(match[1]), int(match[2]), node, findings)
        case list():
            findings.error(node, f"one port or one range per {form.word}: write one {form.word} for each")
            return None
    findings.error(node, f"{shown(node)} is no port: write a decimal number such as 22, a range 8000-8080, or all")
    return None


def _icmp(node: Node, findings: Findings) -> tuple[int, int] | None:
    """8/-1, 8 or all."""
    match node.value:
        case bool() | None:
            pass
        case int(kind):
            return check_icmp(kind, -1, node, findings)
        case str(word) if word.casefold() == "all":
            return ALL_ICMP
        case str(word) if match := _TYPE_AND_CODE.fullmatch(word):
            return check_icmp(int(match[1]), int(match[2]), node, findings)
    findings.error(node, f"{shown(node)} is no ICMP type and code: write 8/-1, 3/4, a type alone such as 8, or all")
    return None


# --- peer ------------------------------------------------------------------------------------------
def peer_word(node: Node, found: dict[str, Node], direction: Direction, form: Form, findings: Findings) -> str | None:
    """The text of the one peer: source of an ingress rule, destination of an egress rule."""
    right = PEER_KEYS[direction]
    wrong = PEER_KEYS["egress" if direction == "ingress" else "ingress"]
    if wrong in found:
        findings.error(
            node.key(wrong), f"an {direction} {form.word} names its {right}: write {right} instead of {wrong}"
        )
        return None
    if right not in found:
        _missing(node, form, findings, f"the {form.word} names no {right}: add {right}: with {form.peers}")
        return None
    value = found[right]
    if isinstance(value.value, str):
        return value.value
    if isinstance(value.value, list):
        findings.error(value, f"exactly one {right} per {form.word}: write one {form.word} for each")
    else:
        findings.error(value, f"{shown(value)} is no {right}: write {form.peers}")
    return None


def _peer(node: Node, found: dict[str, Node], direction: Direction, draft: Draft) -> Peer | None:
    """The one peer of a rule."""
    word = peer_word(node, found, direction, RULE, draft.findings)
    return None if word is None else _peer_of(found[PEER_KEYS[direction]], word, draft)


def _peer_of(node: Node, word: str, draft: Draft) -> Peer | None:
    """A CIDR, an address, `sg:NAME`, `pl:NAME`, or AWS's own `sg-` and `pl-` ids."""
    if word.startswith(("sg:", "sg-")):
        group = _identity(node, word, "sg-", draft.group_names, draft.findings)
        return None if group is None else GroupPeer(group)
    if word.startswith(("pl:", "pl-")):
        prefix_list = _identity(node, word, "pl-", draft.list_names, draft.findings)
        return None if prefix_list is None else PrefixListPeer(prefix_list)
    if word in draft.group_names.by_name:
        draft.findings.error(node, f"{shown(node)} is a security group: write sg:{word}")
        return None
    if word in draft.list_names.by_name:
        draft.findings.error(node, f"{shown(node)} is a prefix list: write pl:{word}")
        return None
    return network(node, draft.findings)


def _identity(node: Node, word: str, prefix: str, names: Names, findings: Findings) -> str | None:
    """The id behind `sg:NAME`; a raw id stands for itself, known or not."""
    if text(node, findings, f"a {names.kind}") is None:
        return None
    if word.startswith(prefix):
        return word
    name = word[3:].strip()
    return name if name.startswith(prefix) else names.resolve(name, node, findings)
