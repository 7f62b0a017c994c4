"""What the lints look for in security groups, prefix lists and interfaces; `firewall.lint` lists them.

Each check takes the material and yields findings. None changes a verdict: a rule set with findings is judged
as it stands.
"""

from collections.abc import Iterator, Sequence
from ipaddress import collapse_addresses
from math import fsum

from firewall.covers import (
    EVERYTHING,
    Block,
    Cover,
    Extent,
    Span,
    rules_of,
    service_span,
)
from firewall.labels import counted, protocol_word, rule_text
from firewall.lint_material import Check, Finding, Material
from firewall.lint_tables import ICMP_MESSAGES, MANAGEMENT_PORTS, ManagementPort
from firewall.model import (
    ALL_PROTOCOLS,
    ANY,
    DIRECTIONS,
    ICMP,
    ICMPV6,
    GroupPeer,
    Network,
    NetworkAclEntry,
    NetworkInterface,
    PrefixListPeer,
    Rule,
    SecurityGroup,
)

#: Blocks at least this wide are open to the Internet: halves of IPv4, and 2000::/3, which is all of IPv6 in use.
WIDE = {4: 1, 6: 3}
ALMOST_ALL = 0.999  # of a family's addresses: less cannot be everywhere
FAMILY = {ICMP: 4, ICMPV6: 6}
_ALL_OF_IPV6 = frozenset([Block(6, 0, 0)])


# --- rules that others make useless ------------------------------------------------------------------------
def covered_rule(material: Material) -> Iterator[Finding]:
    """Rules that another rule covers."""
    for covered in material.covered:
        if not covered.duplicate:
            by = f"{covered.by.name} ({rule_text(covered.by)}) covers it"
            where = f" at {_few(covered.interfaces)}" if covered.interfaces else ""
            yield material.about(
                covered.rule,
                f"{rule_text(covered.rule)}: {by}{where}",
                "delete it, or narrow the other",
                *covered.interfaces,
            )


def duplicate_rule(material: Material) -> Iterator[Finding]:
    """Rules that stand in their group before."""
    for covered in material.covered:
        if covered.duplicate:
            first = f"{covered.by.name} at {covered.by.place}" if covered.by.place else covered.by.name
            yield material.about(covered.rule, f"{rule_text(covered.rule)}: the same as {first}", "delete one of them")


def _few(names: tuple[str, ...]) -> str:
    """`eni-a, eni-b and 3 more`."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3:,} more" if len(names) > 3 else shown


# --- ICMP ----------------------------------------------------------------------------------------------------
def family_mismatch(material: Material) -> Iterator[Finding]:
    """ICMP with IPv6 blocks, ICMPv6 with IPv4 blocks."""
    for rule in material.rules_and_entries:
        blocks = material.blocks(rule)
        mine = FAMILY.get(rule.protocol)
        if mine and blocks and all(block.version != mine for block in blocks):
            name, other = ("icmp", "icmpv6") if mine == 4 else ("icmpv6", "icmp")
            echo = "128/0" if mine == 4 else "8/0"
            yield material.about(
                rule,
                f"{name} is IPv{mine}'s and {_peer_word(rule)} is IPv{10 - mine}: it never matches",
                f"write {other}, whose echo request is {echo}, or an IPv{mine} block",
            )


def _peer_word(rule: Rule | NetworkAclEntry) -> str:
    """The peer: a block, or a list's id."""
    return rule.peer.prefix_list_id if isinstance(rule.peer, PrefixListPeer) else str(rule.peer)


def icmp_range(material: Material) -> Iterator[Finding]:
    """Type and code that were meant as a range: no message has that code."""
    for rule in material.rules_and_entries:
        row = ICMP_MESSAGES.get((FAMILY.get(rule.protocol, 0), rule.icmp_type))
        if row is None or rule.icmp_code == ANY:
            continue
        both = f"{row.kind}/{rule.icmp_code}"
        if row.codes is not None and rule.icmp_code not in row.codes:
            yield material.about(
                rule,
                f"{both} is type {row.kind} ({row.name}) with code {rule.icmp_code}, which no message has; type and "
                "code are no range",
                f"write {row.kind}/-1 for every {row.name}, or one rule for each type",
            )
        elif (row.version, row.kind, rule.icmp_code) == (4, 0, 0) and isinstance(rule, Rule):
            yield material.about(
                rule,
                "0/0 is echo reply alone, not all of ICMP; replies pass without a rule, because ICMP is tracked",
                "write -1/-1 for all, 8/-1 for echo request, or delete it",
            )


# --- what is open ---------------------------------------------------------------------------------------------
def management_open(material: Material) -> Iterator[Finding]:
    """Inbound rules that open management ports to the Internet."""
    for rule in material.rules:
        if rule.direction == "ingress" and (wide := _wide(material, rule)):
            found = [row for row in MANAGEMENT_PORTS if _opens(rule, row)]
            if len(found) == 1:
                text = f"{_port_word(found[0])} is open to {wide}: {found[0].why}"
            elif found:
                text = f"{rule_text(rule)} opens {', '.join(map(_port_word, found))}"
            else:
                continue
            yield material.about(rule, text, "name the networks that need it, a group, or a prefix list")


def _wide(material: Material, rule: Rule) -> str:
    """The block that is as good as everywhere: 0.0.0.0/0, or entries that add up to it."""
    key = material.extents.peer(rule.peer)
    if not isinstance(key, frozenset) or not any(block.length <= WIDE[block.version] for block in key):
        return ""
    wide = (str(block) for block in material.blocks(rule) if block.prefixlen <= WIDE[block.version])
    return next(wide, _peer_word(rule))


def _opens(rule: Rule, row: ManagementPort) -> bool:
    low, high = service_span(rule)
    return rule.protocol in (ALL_PROTOCOLS, row.protocol) and low <= row.port <= high


def _port_word(row: ManagementPort) -> str:
    return f"{row.service} ({protocol_word(row.protocol)} {row.port})"


def split_anywhere(material: Material) -> Iterator[Finding]:
    """Blocks that together are everywhere, while none of them is."""
    for group in material.rule_set.groups.values():
        for direction in DIRECTIONS:
            services: dict[tuple[int, Span], list[Rule]] = {}
            for rule in rules_of(group, direction):
                services.setdefault((rule.protocol, service_span(rule)), []).append(rule)
            for rules in services.values():
                yield from _split(material, rules)


def _split(material: Material, rules: list[Rule]) -> Iterator[Finding]:
    """The finding about rules of one service, told at the first of them."""
    for version in (4, 6):
        keys = [key for rule in rules if isinstance(key := material.extents.peer(rule.peer), frozenset)]
        share = fsum(2.0**-block.length for key in keys for block in key if block.version == version)
        if share < ALMOST_ALL:
            continue
        blocks = [(block, rule) for rule in rules for block in material.blocks(rule) if block.version == version]
        if any(block.prefixlen == 0 for block, _ in blocks):
            continue
        merged = collapse_addresses([block for block, _ in blocks])  # type: ignore[type-var]  # all of one family
        if any(block.prefixlen == 0 for block in merged):
            widest = sorted({block for block, _ in blocks}, key=lambda block: (block.prefixlen, block))
            yield _split_finding(material, blocks[0][1], widest)


def _split_finding(material: Material, first: Rule, blocks: Sequence[Network]) -> Finding:
    whole = "0.0.0.0/0" if blocks[0].version == 4 else "::/0"
    parts = " and ".join(map(str, blocks)) if len(blocks) == 2 else f"{len(blocks):,} blocks"
    text = f"{parts} together are {whole}, but no rule says {whole}"
    text += ": everybody may connect, and every connection is tracked"
    return material.about(first, text, f"write {whole} if everybody is meant; else name the networks that are")


def ipv6_forgotten(material: Material) -> Iterator[Finding]:
    """Rules for all of IPv4 whose service no rule gives to all of IPv6, on interfaces that have IPv6 addresses."""
    lacking: dict[int, tuple[Rule, list[str]]] = {}
    known: dict[tuple[str, ...], list[Rule]] = {}
    for eni in material.interfaces:
        if any(network.version == 6 for network in eni.networks):
            if eni.groups not in known:
                known[eni.groups] = list(_without_ipv6(material, eni))
            for rule in known[eni.groups]:
                lacking.setdefault(id(rule), (rule, []))[1].append(eni.interface_id)
    for rule, enis in lacking.values():
        have = f"{_few(tuple(enis))} {'has' if len(enis) == 1 else 'have'} IPv6 addresses"
        toward = "from" if rule.direction == "ingress" else "to"
        yield material.about(
            rule,
            f"{rule_text(rule)}, but {have} and no rule allows the same {toward} ::/0",
            "add the rule for ::/0 too, or silence this if IPv6 is not meant",
            *enis,
        )


def _without_ipv6(material: Material, eni: NetworkInterface) -> Iterator[Rule]:
    groups = [material.rule_set.groups[group] for group in eni.groups if group in material.rule_set.groups]
    for direction in DIRECTIONS:
        rules = [rule for group in groups for rule in rules_of(group, direction)]
        twins: Cover[Rule] = Cover()
        for rule in rules:
            if material.anywhere(rule, 6):
                twins.add(_in_ipv6(rule), rule)
        for rule in rules:
            if material.anywhere(rule, 4) and next(twins.covering(_in_ipv6(rule)), None) is None:
                yield rule


def _in_ipv6(rule: Rule) -> Extent:
    """The same service for all of IPv6. ICMP's types differ from ICMPv6's: any rule of one is like any of the other."""
    if rule.protocol in FAMILY:
        return Extent(ICMP, EVERYTHING, _ALL_OF_IPV6)
    return Extent(rule.protocol, service_span(rule), _ALL_OF_IPV6)


# --- what nothing uses -----------------------------------------------------------------------------------------
def stale_reference(material: Material) -> Iterator[Finding]:
    """Rules over a deleted peering."""
    for rule in material.rules:
        if isinstance(rule.peer, GroupPeer) and rule.peer.stale and rule.peer.peering is not None:
            peering = rule.peer.peering.peering_id or "its peering"
            yield material.about(
                rule,
                f"{rule.peer.group_id} was reached over {peering}, which is deleted: the rule matches nothing",
                "delete it, or name the group's present networks",
            )


def unused_group(material: Material) -> Iterator[Finding]:
    """Groups that are on no interface and that no other group's rule names."""
    if not material.interfaces:
        return
    used = {group for eni in (*material.interfaces, *material.rule_set.interfaces.values()) for group in eni.groups}
    used |= {
        rule.peer.group_id
        for rule in material.rules
        if isinstance(rule.peer, GroupPeer) and rule.peer.group_id != rule.group_id
    }
    for group in material.rule_set.groups.values():
        if group.group_id not in used and not _is_default(group):
            yield Finding(
                group.name,
                "it is on no interface of these files, and no other group's rule names it: nothing meets its rules",
                "attach it, or delete it",
                group.place,
                (group.group_id, group.name),
            )


def _is_default(group: SecurityGroup) -> bool:
    """A VPC's default group cannot be deleted."""
    return group.name == "default" and group.group_id != group.name


def empty_list(material: Material) -> Iterator[Finding]:
    """Prefix lists without entries that rules name."""
    users: dict[str, int] = {}
    for rule in material.rules:
        if isinstance(rule.peer, PrefixListPeer):
            users[rule.peer.prefix_list_id] = users.get(rule.peer.prefix_list_id, 0) + 1
    for prefix_list in material.rule_set.prefix_lists.values():
        used = users.get(prefix_list.prefix_list_id, 0)
        if used and not prefix_list.entries:
            verb = "names it and matches" if used == 1 else "name it and match"
            yield Finding(
                prefix_list.name,
                f"the list has no entries: {counted(used, 'rule')} {verb} nothing",
                "add its entries, or delete what names it",
                prefix_list.place,
                (prefix_list.prefix_list_id, prefix_list.name),
            )


# --- what the reading of files told ------------------------------------------------------------------------------
def from_warnings(kind: str, fix: str) -> Check:
    """A check that passes on the warnings of one kind."""

    def check(material: Material) -> Iterator[Finding]:
        for warning in material.rule_set.warnings:
            if warning.kind == kind:
                subject, names = material.thing_at(warning.place)
                yield Finding(subject, warning.text, fix, warning.place, names)

    return check
