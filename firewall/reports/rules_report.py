"""What `eniwall rules` prints: rules by interface, network ACLs, lists, quotas, lints."""

from collections.abc import Iterable, Sequence

from firewall.covers import rules_of
from firewall.labels import counted, protocol_word
from firewall.lint_material import Finding
from firewall.model import DIRECTIONS, Direction, NetworkAcl, NetworkAclEntry, NetworkInterface, Place, Rule
from firewall.quotas import ENTRIES, GROUPS, LIST_ENTRIES, Quota, Usage, list_family, list_weight
from firewall.reports.page import Column, Page, number
from firewall.rule_words import group_words, named, peer_text, ports_text, protocol_text, type_text
from firewall.understood import Understood, Untracked

MOST_FINDINGS = 200
#: Quotas of which only the fullest thing is told, and all that are over: the interfaces of a file may be many.
FULLEST = (GROUPS, ENTRIES, LIST_ENTRIES)
_TOWARD = {"ingress": "from", "egress": "to"}
_PEER = {"ingress": "source", "egress": "destination"}
_NONE = {"ingress": "none: only replies come in", "egress": "none: only replies leave"}
_TYPED = (Column("type"), Column("protocol"), Column("ports"))


def rules_terminal(seen: Understood, width: int | None = None) -> str:
    """The report for people; `width` is the terminal's, None for a pipe or a file."""
    page = Page(width)
    _answer(page, seen)
    for groups, having in seen.sections.items():
        _section(page, seen, groups, having)
    for group in seen.loose_groups:
        page.heading(f"Security group {named(group.group_id, group.name)}, on no interface")
        for direction in DIRECTIONS:
            _rules(page, seen, direction, rules_of(group, direction))
    for acl in seen.network_acls:
        _network_acl(page, seen, acl)
    _prefix_lists(page, seen)
    _networks(page, seen)
    _quotas(page, seen)
    _findings(page, seen)
    return page.text()


def _answer(page: Page, seen: Understood) -> None:
    """`2 security groups with 5 rules, 1 interface: 3 lint findings, 1 quota exceeded`."""
    rules = sum(len(rules_of(group, direction)) for group in seen.groups for direction in DIRECTIONS)
    parts = [f"{counted(len(seen.groups), 'security group')} with {counted(rules, 'rule')}"]
    parts.append(counted(len(seen.interfaces), "interface"))
    for things, noun in ((seen.network_acls, "network ACL"), (seen.prefix_lists, "prefix list")):
        parts += [counted(len(things), noun)] if things else []
    over = sum(usage.over for usage in seen.usages)
    found = f"{counted(len(seen.findings), 'lint finding')}, {counted(over, 'quota')} exceeded"
    page.line(f"{', '.join(parts)}: {found}", "bold")


# --- interfaces and their rules ------------------------------------------------------------------------------
def _section(page: Page, seen: Understood, groups: tuple[str, ...], having: Sequence[NetworkInterface]) -> None:
    """Interfaces that have the same groups, and so the same rules."""
    one = len(having) == 1
    page.heading(f"Interface {having[0].interface_id}" if one else f"{len(having):,} interfaces with the same groups")
    columns = (Column("eni"), Column("addresses", wraps=True), Column("subnet"), Column("network ACL"))
    page.table(columns, [_interface(seen, eni) for eni in having])
    page.line(f"  security groups: {', '.join(group_words(group, seen.rule_set) for group in groups) or 'none'}")
    for group in groups:
        if group not in seen.rule_set.groups:
            page.line(f"  {group}: its rules are unknown, no file gives them")
    known = [seen.rule_set.groups[group] for group in groups if group in seen.rule_set.groups]
    for direction in DIRECTIONS:
        _rules(page, seen, direction, [rule for group in known for rule in rules_of(group, direction)])
    untracked = seen.untracked[groups]
    if untracked:
        page.line("  not tracked (each packet meets the rules, replies too), unless AWS tracks the peer in every case:")
        page.points(map(untracked_text, untracked))


def _interface(seen: Understood, eni: NetworkInterface) -> Sequence[object]:
    addresses = [*map(str, eni.addresses), *map(str, eni.prefixes)]
    addresses += [] if eni.complete else ["others unknown"]
    addresses += [f"public {address}" for address in eni.public_addresses]
    subnet = seen.rule_set.subnet_of(eni)
    acl = seen.rule_set.network_acl_of(eni)
    where = f"{eni.subnet} ({', '.join(map(str, subnet.cidrs))})" if subnet and subnet.cidrs else eni.subnet or "-"
    guard = subnet.network_acl if acl is None and subnet is not None else None
    guarded = named(acl.network_acl_id, acl.name) if acl is not None else f"{guard}: unknown" if guard else "-"
    return eni.interface_id, ", ".join(addresses) or "none", where, guarded


def _rules(page: Page, seen: Understood, direction: Direction, rules: Sequence[Rule]) -> None:
    if not rules:
        page.line(f"  {direction}: {_NONE[direction]}")
        return
    page.line(f"  {direction}: {counted(len(rules), 'rule')}")
    columns = (
        *_TYPED,
        Column(_PEER[direction], wraps=True),
        Column("rule"),
        Column("description", wraps=True),
        Column("at"),
    )
    page.table(columns, [_rule(seen, rule) for rule in rules])


def _rule(seen: Understood, rule: Rule) -> Sequence[object]:
    peer = peer_text(rule.peer, seen.rule_set, seen.members)
    return *_typed(rule), peer, rule.name, rule.description, place_text(rule.place)


def _typed(rule: Rule | NetworkAclEntry) -> tuple[str, str, str]:
    return type_text(rule), protocol_text(rule), ports_text(rule)


def place_text(place: Place | None) -> str:
    """`rules.yaml:5`; nothing for what no file says."""
    return f"{place.file}:{place.line}" if place else "-"


def untracked_text(untracked: Untracked) -> str:
    """`ingress tcp 80, 443 from 0.0.0.0/0, by web:ingress[0]: web:egress[0] lets all tcp out`."""
    low_high = (f"{low}" if low == high else f"{low}-{high}" for low, high in untracked.ports)
    anywhere = "0.0.0.0/0" if untracked.family == 4 else "::/0"
    protocol = protocol_word(untracked.protocol)
    back = "out" if untracked.direction == "ingress" else "in"
    return (
        f"{untracked.direction} {protocol} {', '.join(low_high)} {_TOWARD[untracked.direction]} {anywhere}, by "
        f"{', '.join(untracked.rules)}: {', '.join(untracked.because)} lets all {protocol} {back}"
    )


# --- what stands beside them -----------------------------------------------------------------------------------
def _network_acl(page: Page, seen: Understood, acl: NetworkAcl) -> None:
    subnets = [subnet.subnet_id for subnet in seen.subnets if subnet.network_acl == acl.network_acl_id]
    whose = f"of {', '.join(subnets)}" if subnets else "of no subnet"
    default = ", the VPC's default" if acl.is_default else ""
    page.heading(f"Network ACL {named(acl.network_acl_id, acl.name)}, {whose}{default}")
    for direction, entries in (("ingress", acl.ingress), ("egress", acl.egress)):
        columns = (Column("number"), *_TYPED, Column(_PEER[direction]), Column("action"), Column("at"))
        rows = [(str(each.number), *_typed(each), each.peer, each.action, place_text(each.place)) for each in entries]
        page.line(f"  {direction}: {counted(len(entries), 'entry', 'entries')}, then all is denied")
        page.table(columns, [*rows, ("*", "All traffic", "all", "all", "everywhere", "deny", "-")])


def _prefix_lists(page: Page, seen: Understood) -> None:
    if not seen.prefix_lists:
        return
    page.heading("Prefix lists")
    columns = (
        Column("list"),
        Column("family"),
        number("entries"),
        Column("counts as"),
        Column("version"),
        Column("at"),
    )
    rows = []
    for each in seen.prefix_lists:
        family, (weight, exact) = list_family(each), list_weight(each)
        counts = f"{weight:,} rules" if exact else f"at least {weight:,}, its maximum is unknown"
        about = (f"IPv{family}" if family else "unknown", len(each.entries), counts)
        version = "-" if each.version is None else str(each.version)
        rows.append((named(each.prefix_list_id, each.name), *about, version, place_text(each.place)))
    page.table(columns, rows)


def _networks(page: Page, seen: Understood) -> None:
    blocks = Column("blocks", wraps=True)
    if seen.subnets:
        page.heading("Subnets")
        rows = [
            (each.subnet_id, _list(each.cidrs), each.vpc or "-", each.network_acl or "-", place_text(each.place))
            for each in seen.subnets
        ]
        page.table((Column("subnet"), blocks, Column("VPC"), Column("network ACL"), Column("at")), rows)
    if seen.vpcs:
        page.heading("VPCs")
        columns = (Column("VPC"), blocks, Column("at"))
        page.table(columns, [(each.vpc_id, _list(each.cidrs), place_text(each.place)) for each in seen.vpcs])


def _list(items: Iterable[object]) -> str:
    return ", ".join(map(str, items)) or "-"


# --- quotas and lints ----------------------------------------------------------------------------------------------
def _quotas(page: Page, seen: Understood) -> None:
    over = sum(usage.over for usage in seen.usages)
    page.heading(f"Quotas{f': {over:,} exceeded' if over else ''}")
    rows = [
        (usage.quota.name, usage.subject, f"{usage.amount}{' EXCEEDED' if usage.over else ''}", usage.arithmetic)
        for usage in _told(seen.usages)
    ]
    columns = (Column("quota"), Column("of"), Column("used"), Column("arithmetic", wraps=True))
    page.table(columns, rows)


def _told(usages: Sequence[Usage]) -> list[Usage]:
    """All that is over or adds something; of many interfaces, ACLs and lists else the fullest alone."""
    fullest: dict[Quota, Usage] = {}
    for usage in usages:
        first = fullest.setdefault(usage.quota, usage)
        if usage.used * first.limit > first.used * usage.limit:
            fullest[usage.quota] = usage
    return [
        usage
        for usage in usages
        if usage.over or (fullest[usage.quota] is usage if usage.quota in FULLEST else usage.used > 0 or usage.at_least)
    ]


def _findings(page: Page, seen: Understood) -> None:
    page.heading(f"Lint: {counted(len(seen.findings), 'finding')}")
    page.points(map(finding_text, seen.findings[:MOST_FINDINGS]))
    if len(seen.findings) > MOST_FINDINGS:
        page.line(f"  ... and {len(seen.findings) - MOST_FINDINGS:,} more: --json has all")
    if seen.silenced:
        counts = ", ".join(f"{name} {times:,}" for name, times in sorted(seen.silenced.items()))
        page.line(f"  silenced by the rule files: {counts}")


def finding_text(finding: Finding) -> str:
    """`rules.yaml:5:9 web:ingress[1]: what is wrong; what to do [covered-rule]`."""
    where = f"{finding.place} " if finding.place else ""
    subject = f"{finding.subject}: " if finding.subject else ""
    return f"{where}{subject}{finding.text}; {finding.fix} [{finding.lint}]"
