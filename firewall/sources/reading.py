"""Reading single values out of located nodes: every mistake becomes a finding, no value is guessed."""

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network

from firewall.model import ANY, ICMP, ICMPV6, TCP, UDP, Address, Network, Peer
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node
from firewall.sources.words import PROTOCOL_NAMES, PROTOCOLS

MOST_KNOWN = 20  # words in a suggestion
LONGEST_TEXT = 255  # group names and descriptions, API SecurityGroup
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_CIDR = re.compile(r"([0-9A-Fa-f:.]{2,45})(/[0-9]{1,3})?")


def shown(node: Node) -> str:
    """A value as an error quotes it: short and on one line."""
    match node.value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return str(node.value).lower()
        case int():
            return str(node.value)
        case str(text):
            return quoted(text)


def quoted(text: str) -> str:
    """Text of a file, cut and escaped for one line."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def suggestion(word: str, known: Iterable[str]) -> str:
    """What may have been meant: the nearest known word, or the first of them and how many more there are."""
    words = list(dict.fromkeys(known))
    folded = {each.casefold(): each for each in words}
    near = difflib.get_close_matches(word[:40].casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]}?"
    more = f" and {len(words) - MOST_KNOWN:,} more" if len(words) > MOST_KNOWN else ""
    return f"known here: {', '.join(words[:MOST_KNOWN])}{more}" if words else "the files define none"


def mapping(node: Node, findings: Findings, write: str) -> dict[str, Node]:
    """The node's keys and values; not a mapping: an error that says what to write, and no keys."""
    if isinstance(node.value, dict):
        return node.value
    findings.error(node, f"expected a mapping, found {shown(node)}: write {write}")
    return {}


def sequence(node: Node, findings: Findings, write: str) -> list[Node]:
    """The node's items; not a list: an error that says what to write, and no items."""
    if isinstance(node.value, list):
        return node.value
    findings.error(node, f"expected a list, found {shown(node)}: write {write}")
    return []


def fields(
    node: Node, findings: Findings, known: Iterable[str], write: str, refused: Mapping[str, str] | None = None
) -> dict[str, Node]:
    """The node's keys and values; an unknown key is an error with the nearest known one.

    `refused` maps keys that people do write here to the reason why they cannot stand.
    """
    found = mapping(node, findings, write)
    reasons = refused or {}
    for name in found:
        if name in reasons:
            findings.error(node.key(name), reasons[name])
        elif name not in known:
            findings.error(node.key(name), f"unknown key {quoted(name)}: {suggestion(name, known)}")
    return found


def text(node: Node, findings: Findings, what: str) -> str | None:
    """Printable text of 1 to 255 characters; a number written without quotes is its digits."""
    value = str(node.value) if isinstance(node.value, int) and not isinstance(node.value, bool) else node.value
    if not isinstance(value, str):
        findings.error(node, f"expected {what}, found {shown(node)}: write a text")
    elif not value.isprintable():
        findings.error(node, f"{what} {quoted(value)} holds a control character: delete it")
    elif not 0 < len(value) <= LONGEST_TEXT:
        findings.error(node, f"{what} has {len(value):,} characters: write 1 to {LONGEST_TEXT}")
    else:
        return value
    return None


def description(node: Node | None, findings: Findings) -> str:
    """A description; absent or empty is empty."""
    if node is None or node.value == "":
        return ""
    return text(node, findings, "a description") or ""


def network(node: Node, findings: Findings) -> Network | None:
    """An address block; a single address is a /32 or /128; host bits are cut off, as AWS does, and warned of."""
    match = _CIDR.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is not None:
        try:
            exact = ipaddress.ip_interface(match[0])
        except ValueError:
            pass  # said below, with the same words for every way to be wrong
        else:
            if exact.ip != exact.network.network_address:
                findings.warn("host-bits", node, f"{match[0]} has host bits set: AWS keeps {exact.network}")
            return exact.network
    findings.error(
        node, f"{shown(node)} is no IPv4 or IPv6 address block: write one like 203.0.113.0/24 or 2001:db8::/32"
    )
    return None


def address(node: Node, findings: Findings) -> Address | None:
    """One address of an interface."""
    if isinstance(node.value, str) and _ADDRESS.fullmatch(node.value):
        try:
            found = ipaddress.ip_address(node.value)
        except ValueError:
            pass  # said below, with the same words for every way to be wrong
        else:
            if found.is_multicast or found.is_unspecified:
                findings.error(node, f"{found} cannot be an interface's address: write a unicast address")
                return None
            return found
    findings.error(
        node, f"{shown(node)} is no single address: write one like 10.0.1.10 or 2001:db8::10, without a length"
    )
    return None


def protocol(node: Node, findings: Findings) -> int | None:
    """-1 (all) or an IANA number from 0 to 255, given as a name or a number."""
    value = node.value
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in PROTOCOLS:
            return PROTOCOLS[word]
        if re.fullmatch(r"-1|0|[1-9][0-9]{0,2}", word):
            value = int(word)
        else:
            hint = suggestion(value, PROTOCOLS)
            findings.error(node, f"unknown protocol {shown(node)}: {hint} (or a number from 0 to 255)")
            return None
    if isinstance(value, int) and not isinstance(value, bool) and -1 <= value <= 255:
        return value
    findings.error(node, f"{shown(node)} is no protocol: write tcp, udp, icmp, icmpv6, all or a number from 0 to 255")
    return None


def protocol_name(number: int) -> str:
    """The protocol's name where it has one, else its number."""
    return PROTOCOL_NAMES.get(number, str(number))


def check_ports(first: int, last: int, spot: Spot, findings: Findings) -> tuple[int, int] | None:
    """An inclusive port range within 0 to 65535, first not above last."""
    if not (0 <= first <= 65535 and 0 <= last <= 65535):
        wrong = first if not 0 <= first <= 65535 else last
        findings.error(spot, f"port {wrong} is out of range: ports run from 0 to 65535")
    elif first > last:
        findings.error(spot, f"first port {first} is above last port {last}: write {last}-{first}")
    else:
        return first, last
    return None


def check_icmp(kind: int, code: int, spot: Spot, findings: Findings) -> tuple[int, int] | None:
    """ICMP type and code, each 0 to 255 or -1 for any; any type has any code (API IpPermission)."""
    if not (ANY <= kind <= 255 and ANY <= code <= 255):
        name, wrong = ("type", kind) if not ANY <= kind <= 255 else ("code", code)
        findings.error(spot, f"ICMP {name} {wrong} is out of range: 0 to 255, or -1 for any")
    elif kind == ANY and code != ANY:
        findings.error(
            spot, f"ICMP type -1 (any) with code {code}: any type needs any code, write -1/-1 or name the type"
        )
    else:
        return kind, code
    return None


def warn_family(number: int, block: Peer, spot: Spot, findings: Findings) -> None:
    """ICMP is IPv4's and ICMPv6 is IPv6's: a rule that mixes them is kept, and never matches."""
    if isinstance(block, IPv4Network | IPv6Network) and (number, block.version) in ((ICMP, 6), (ICMPV6, 4)):
        name, other = protocol_name(number), "icmp" if number == ICMPV6 else "icmpv6"
        findings.warn(
            "family-mismatch",
            spot,
            f"{name} with the IPv{block.version} block {block} never matches: {other} is its ICMP",
        )


def has_ports(number: int) -> bool:
    """TCP and UDP: the protocols whose rules need ports and match by them."""
    return number in (TCP, UDP)
