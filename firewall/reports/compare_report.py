"""What `eniwall compare` tells people: where readings differ, and what would make them equal."""

import re
from collections.abc import Iterator

from firewall.compare import GROUP, Pair
from firewall.ephemeral import CATCH_ALL, EPHEMERAL_PAGE, EPHEMERAL_PORTS
from firewall.labels import counted, encodable
from firewall.model import NetworkInterface
from firewall.quotas import ENTRIES
from firewall.reports.compare_result import ComparedResult, Proof, first_difference, frame, rows_of
from firewall.reports.compare_rules import acl_yaml, quoted, replaced, rules_yaml
from firewall.reports.compare_texts import ENGLISH, amount
from firewall.reports.page import Column, Page, number
from firewall.reports.terminal import at_interface, captures, clock_text, eni_cell, eni_column, notes, row_text
from firewall.reports.texts import Words
from firewall.verdict import VERDICTS

SHOWN_ROWS = 10
MOST_RULE_LINES = 40
#: A word that YAML reads as text without quotes.
PLAIN_WORD = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z][a-z0-9_-]*", re.IGNORECASE)


def compare_terminal(compared: ComparedResult, width: int | None = None) -> str:
    """The report for people."""
    page, t = Page(width), ENGLISH
    comparison, first = compared.comparison, compared.results[0]
    differs = {"packets": counted(first.packets_read, "packet"), "differs": counted(comparison.packets, "packet")}
    page.line(t("differs", **differs), "bold")
    for pair in comparison.pairs:
        for text in alone(pair, compared, t):
            page.line(text)
    captures(page, first)
    page.heading(t("by_reading"))
    rows = [
        (reading, *result.summary.verdicts.values(), result.summary.rows)
        for reading, result in zip(compared.readings, compared.results, strict=True)
    ]
    page.table((Column("reading"), *map(number, VERDICTS), number("rows")), rows)
    if comparison.rows:
        _first_differences(page, compared)
        _differences(page, compared)
    _reverse_rules(page, compared)
    _network_acls(page, compared)
    _ephemeral(page, compared)
    notes(
        page,
        first,
        [each for result in compared.results for each in result.assumptions],
        list(compared.warnings),
    )
    return page.text()


def alone(pair: Pair, compared: ComparedResult, t: Words) -> Iterator[str]:
    """`sg allows, stateless does not: 18 rows`, and the other way round."""
    first, second = compared.readings[pair.first], compared.readings[pair.second]
    yield t("alone", first=first, second=second, rows=amount(t, pair.only_first, "row"))
    yield t("alone", first=second, second=first, rows=amount(t, pair.only_second, "row"))


def _first_differences(page: Page, compared: ComparedResult) -> None:
    differing = [pair for pair in compared.comparison.pairs if pair.rows]
    page.heading("First difference" if len(compared.comparison.pairs) == 1 else "First difference of each two")
    for pair in differing:
        page.line(f"  {first_difference(compared, pair)}")


def _differences(page: Page, compared: ComparedResult) -> None:
    result, total = compared.results[0], compared.comparison.rows
    shown = min(SHOWN_ROWS, total)
    cut = f" ({shown} of {total:,} shown)" if shown < total else ""
    page.heading(f"Rows whose verdict differs{at_interface(result)}{cut}")
    rows = []
    for sides in list(rows_of(compared))[:SHOWN_ROWS]:
        cells = sides[0]
        where = (frame(cells, compared), clock_text(cells["time"], result.summary), *eni_cell(cells["eni"], result))
        said = (f"{each['verdict']} {each['reason']}" for each in sides)
        rows.append((*where, cells["direction"], row_text(cells), *said))
    columns = (
        Column("packet"),
        Column("time"),
        *eni_column(result),
        Column("direction"),
        Column("source -> destination", wraps=True),
        *map(Column, compared.readings),
    )
    page.table(columns, rows)


# --- what would make them equal ----------------------------------------------------------------------
def _reverse_rules(page: Page, compared: ComparedResult) -> None:
    if not {"sg", "stateless"} <= set(compared.readings):
        return
    rules = compared.reverse_rules
    if not rules:
        page.heading(ENGLISH("reverse_none"))
    else:
        page.heading(ENGLISH("reverse"))
        page.points([*by_hand_notes(compared, ENGLISH), ENGLISH("reverse_note")])
        _rule_file(page, rules_yaml(rules), "-o" if compared.remedy is None else "--as sg,stateless -o", "replies.yaml")
    _proof(page, compared, "stateless")


def _network_acls(page: Page, compared: ComparedResult) -> None:
    remedy = compared.remedy
    if remedy is not None:
        page.heading(ENGLISH("acl_file" if remedy.is_new else "acl_none"))
    elif compared.plan is not None:
        page.heading("Network ACLs")
    page.points(acl_notes(compared, ENGLISH))
    if remedy is not None and remedy.is_new:
        _rule_file(page, acl_yaml(remedy), "-o", "nacl.yaml")
    _proof(page, compared, "nacl")


def _rule_file(page: Page, text: str, option: str, name: str) -> None:
    """A rule file under a heading of its own, so that nothing but the file is indented as it is."""
    lines = text.splitlines()
    page.heading(f"The rule file (or: {option} {name} writes it)")
    page.block("\n".join(lines[:MOST_RULE_LINES]))
    if len(lines) > MOST_RULE_LINES:
        page.line(f"... and {len(lines) - MOST_RULE_LINES:,} lines more: -o has all")
    page.line()


def _proof(page: Page, compared: ComparedResult, reading: str) -> None:
    proof = compared.proofs.get(reading)
    if proof is None:
        return
    page.line(proof_text(proof, reading, ENGLISH), "bold")
    if proof.left:
        columns = (
            number("rows"),
            Column("sg"),
            Column(reading),
            Column("by"),
            Column("first packet", wraps=True),
            Column("why", wraps=True),
        )
        page.table(
            columns,
            [
                (
                    left.rows,
                    left.groups_say,
                    left.other_says,
                    left.rule or "-",
                    f"{left.packet}  {left.flow}",
                    ENGLISH(left.why),
                )
                for left in proof.left
            ],
        )


def proof_text(proof: Proof, reading: str, t: Words) -> str:
    """What a replay with what was added came to, in a sentence."""
    if proof.rows is None:
        return t(str(proof.unproven))
    rows = amount(t, proof.rows, "row")
    if not proof.added:
        return t("as_is", reading=reading, rows=rows)
    what = "entries" if reading == "nacl" else "rules"
    return t(f"left_{what}" if proof.rows else f"proven_{what}", reading=reading, rows=rows)


def acl_notes(compared: ComparedResult, t: Words) -> Iterator[str]:
    """What must be known of the network ACLs: what was made, what a quota changed, how the file is used."""
    plan, remedy = compared.plan, compared.remedy
    if plan is None:
        return
    if remedy is not None and remedy.is_new:
        names = list(replaced(remedy))
        yield t("acl_replace", names=", ".join(names)) if names else t("acl_add")
    for acl, members in plan.members.items():
        yield t("of_groups", acl=acl, members=", ".join(members))
    for name in plan.made:
        if plan.subnets[name].cidrs:
            yield t("made_subnet", subnet=name, blocks=", ".join(map(str, plan.subnets[name].cidrs)))
    for name, version, addresses in plan.without_block:
        yield t("without_block", subnet=name, family=f"IPv{version}", addresses=", ".join(addresses))
    for eni in plan.by_hand:
        yield t("placed_by_hand", eni=eni, subnet=plan.subnet_of[eni])
    for rule in plan.not_expanded:
        yield t("not_expanded", rule=rule)
    if remedy is not None:
        yield from _quota_notes(compared, t)


def _quota_notes(compared: ComparedResult, t: Words) -> Iterator[str]:
    remedy = compared.remedy
    for quota in () if remedy is None else remedy.quotas:
        where = {"acl": quota.acl_id, "direction": quota.direction}
        limits = {"entries": quota.entries, "default": ENTRIES.default, "most": ENTRIES.most}
        within = ENTRIES.most if quota.over else ENTRIES.default
        if quota.widened is not None:
            yield t("widened", **where, v4=quota.widened[0], v6=quota.widened[1], most=within)
        if quota.catch_all:
            yield t("one_range", **where, most=within)
        if quota.over:
            yield t("over" if quota.entries <= (ENTRIES.most or 0) else "over_most", **where, **limits)
        if quota.if_widened is not None:
            v4, v6, entries = quota.if_widened
            yield t(
                "if_widened",
                **where,
                v4=v4,
                v6=v6,
                most=ENTRIES.default if entries <= ENTRIES.default else ENTRIES.most,
            )
    if remedy is not None and remedy.ephemeral:
        yield t("catch_all", low=str(CATCH_ALL[0]), high=str(CATCH_ALL[1]))


def _ephemeral(page: Page, compared: ComparedResult) -> None:
    if not compared.reverse_rules and (compared.remedy is None or not compared.remedy.ephemeral):
        return
    page.heading(ENGLISH("ephemeral"))
    page.table(
        (Column("client", wraps=True), Column("ports")),
        [(client, f"{low}-{high}") for client, (low, high) in EPHEMERAL_PORTS],
    )
    page.line(f"  {EPHEMERAL_PAGE}")


def attached_by_hand(compared: ComparedResult) -> list[str]:
    """The interfaces of rule files that need a rule: a new group is on them only when the file says so."""
    return list(_by_hand(compared))


def _by_hand(compared: ComparedResult) -> dict[str, NetworkInterface]:
    """The same interfaces by name."""
    needing = {rule.eni for rule in compared.reverse_rules}
    interfaces = {encodable(eni.interface_id): eni for eni in compared.results[0].interfaces if eni.place is not None}
    return {name: eni for name, eni in interfaces.items() if name in needing}


def by_hand_notes(compared: ComparedResult, t: Words) -> Iterator[str]:
    """Which lines of the rule files must change before the new groups have an effect, and what then stands there."""
    for name, eni in _by_hand(compared).items():
        groups = ", ".join(_word(group) for group in (*map(encodable, eni.groups), GROUP + name))
        yield t("by_hand", place=f"{eni.place.file}:{eni.place.line}" if eni.place else "", eni=name, groups=groups)


def _word(text: str) -> str:
    """A name as an item of a YAML list."""
    return text if PLAIN_WORD.fullmatch(text) else quoted(text)
