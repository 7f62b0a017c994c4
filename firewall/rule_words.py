"""Rules in the console's words: type, protocol, ports, and what a peer stands for."""

from collections.abc import Iterable
from typing import NamedTuple

from firewall.covers import EVERYTHING, service_span
from firewall.labels import counted, protocol_word
from firewall.lint_tables import icmp_words
from firewall.model import (
    ALL_PORTS,
    ALL_PROTOCOLS,
    ANY,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    GroupPeer,
    NetworkAclEntry,
    NetworkInterface,
    Peer,
    PrefixListPeer,
    Rule,
    RuleSet,
    UnknownPeer,
)
from firewall.sources.words import ALL_ICMP, CONSOLE_TYPES

_ICMP_FAMILY = {ICMP: 4, ICMPV6: 6}
_CUSTOM = {row.protocol: row.name for row in CONSOLE_TYPES.values() if row.asks in ("ports", "icmp")}
#: The first of two names for one service stands: Oracle, not Oracle-RDS.
_TYPES = {
    (row.protocol, row.ports, row.icmp or ALL_ICMP): row.name
    for row in reversed(CONSOLE_TYPES.values())
    if not row.asks
}


def type_text(rule: Rule | NetworkAclEntry) -> str:
    """The console's type: `HTTPS`, `All TCP`, `Custom ICMP - IPv4`."""
    ports = (rule.ports or ALL_PORTS) if rule.protocol in (TCP, UDP) else None
    key = (rule.protocol, ports, (rule.icmp_type, rule.icmp_code))
    return _TYPES.get(key) or _CUSTOM.get(rule.protocol, "Custom Protocol")


def ports_text(rule: Rule | NetworkAclEntry) -> str:
    """`443`, `8000-8080`, `8/any echo request`, `all`."""
    low, high = service_span(rule)
    if (low, high) == EVERYTHING:
        return "all"
    if rule.protocol in _ICMP_FAMILY:
        words = icmp_words(_ICMP_FAMILY[rule.protocol], rule.icmp_type, rule.icmp_code)
        return f"{rule.icmp_type}/{'any' if rule.icmp_code == ANY else rule.icmp_code} {words}".rstrip()
    return str(low) if low == high else f"{low}-{high}"


def protocol_text(rule: Rule | NetworkAclEntry) -> str:
    """`tcp`, `all`, or the number."""
    return "all" if rule.protocol == ALL_PROTOCOLS else protocol_word(rule.protocol)


class Members(NamedTuple):
    """The interfaces that have a group, as the files say it: how many, and how many addresses and prefixes."""

    interfaces: tuple[str, ...] = ()
    addresses: int = 0
    complete: bool = True


def members_by_group(interfaces: Iterable[NetworkInterface]) -> dict[str, Members]:
    """Who has each group."""
    found: dict[str, Members] = {}
    listed: dict[str, list[NetworkInterface]] = {}
    for eni in interfaces:
        for group in dict.fromkeys(eni.groups):
            listed.setdefault(group, []).append(eni)
    for group, having in listed.items():
        found[group] = Members(
            tuple(eni.interface_id for eni in having),
            sum(len(eni.addresses) + len(eni.prefixes) for eni in having),
            all(eni.complete for eni in having),
        )
    return found


def named(identity: str, name: str) -> str:
    """`web (sg-1)`, or the id alone where it is the name."""
    return name if identity == name else f"{name} ({identity})"


def group_words(identity: str, rule_set: RuleSet) -> str:
    """A group's name with its id."""
    group = rule_set.groups.get(identity)
    return identity if group is None else named(identity, group.name)


def peer_text(peer: Peer, rule_set: RuleSet, members: dict[str, Members]) -> str:
    """A block; a group with its members; a list with its entries; what is unknown is said."""
    match peer:
        case GroupPeer(identity):
            name = group_words(identity, rule_set)
            if peer.stale:
                over = (peer.peering.peering_id if peer.peering else "") or "its peering"
                return f"{name}: stale, {over} is deleted"
            known = members.get(identity, Members())
            if not known.interfaces:
                return f"{name}: members unknown"
            least = "" if known.complete else "at least "
            interfaces = counted(len(known.interfaces), "interface")
            return f"{name}: {interfaces}, {least}{counted(known.addresses, 'address', 'addresses')}"
        case PrefixListPeer(identity):
            found = rule_set.prefix_lists.get(identity)
            if found is None:
                return f"{identity}: entries unknown"
            version = "" if found.version is None else f", version {found.version}"
            return f"{named(identity, found.name)}: {counted(len(found.entries), 'entry', 'entries')}{version}"
        case UnknownPeer(text):
            return f"{text}: unknown"
        case network:
            return str(network)
