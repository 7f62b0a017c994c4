"""What `eniwall compare` tells: where two readings differ, and the rules that the stateless one lacks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firewall.columns import row_cells
from firewall.compare import EPHEMERAL_PORTS, NETWORK_ACL_PAGE, Comparison, ReverseRule
from firewall.labels import counted, protocol_word
from firewall.reports.json_report import FORMAT, dumped, result_object
from firewall.reports.page import Column, Page, number
from firewall.reports.result import Result
from firewall.reports.terminal import (
    at_interface,
    captures,
    clock_text,
    eni_cell,
    eni_column,
    frame_text,
    notes,
    row_text,
)
from firewall.rows import Judged
from firewall.verdict import ESTABLISHED, NO_EGRESS_RULE, NO_INGRESS_RULE, REASON_WORDS, REASONS, RULE, VERDICTS

MOST_RULE_LINES = 40
GROUP = "replies "  # and the interface's id: the name of a printed group
_PEER_KEYS = {"ingress": "source", "egress": "destination"}


@dataclass(frozen=True)
class ComparedResult:
    """Two finished replays of the same packets and what differs between them."""

    readings: tuple[str, str]
    results: tuple[Result, Result]
    comparison: Comparison

    @property
    def reverse_rules(self) -> list[ReverseRule]:
        """The rules that the stateless reading lacks."""
        return self.comparison.reverse_rules(self.results[0].labels.interfaces)


# --- text ------------------------------------------------------------------------------------------
def compare_terminal(compared: ComparedResult, width: int | None = None) -> str:
    """The report for people."""
    page = Page(width)
    comparison, (first, second) = compared.comparison, compared.readings
    packets = counted(compared.results[0].packets_read, "packet")
    page.line(f"{packets}; the verdict differs for {counted(comparison.packets, 'packet')}", "bold")
    page.line(f"{first} allows, {second} does not: {counted(comparison.only_first, 'row')}")
    page.line(f"{second} allows, {first} does not: {counted(comparison.only_second, 'row')}")
    captures(page, compared.results[0])
    page.heading("Rows by reading")
    rows = [
        (reading, *result.summary.verdicts.values(), result.summary.rows)
        for reading, result in zip(compared.readings, compared.results, strict=True)
    ]
    page.table((Column("reading"), *map(number, VERDICTS), number("rows")), rows)
    if comparison.rows:
        page.heading("First difference")
        page.line(f"  {first_difference(compared)}")
        _differences(page, compared)
    _reverse_rules(page, compared)
    ours, theirs = compared.results
    notes(page, ours, [*ours.assumptions, *theirs.assumptions], [*ours.warnings, *theirs.warnings])
    return page.text()


def _differences(page: Page, compared: ComparedResult) -> None:
    comparison = compared.comparison
    shown = comparison.first.verdicts.rows
    cut = f" ({shown} of {comparison.rows:,} shown)" if shown < comparison.rows else ""
    result = compared.results[0]
    page.heading(f"Rows whose verdict differs{at_interface(result)}{cut}")
    rows = [
        (_frame(first, compared), clock_text(first["time"], result.summary), *eni_cell(first["eni"], result),
         first["direction"], row_text(first), f"{first['verdict']} {first['reason']}",
         f"{second['verdict']} {second['reason']}")
        for first, second in _pairs(compared)
    ]  # fmt: skip
    columns = (
        Column("packet"),
        Column("time"),
        *eni_column(result),
        Column("direction"),
        Column("source -> destination", wraps=True),
        *map(Column, compared.readings),
    )
    page.table(columns, rows)


def _reverse_rules(page: Page, compared: ComparedResult) -> None:
    rules = compared.reverse_rules
    if not rules:
        page.heading("The stateless reading needs no further rule for these packets")
        return
    lines = rules_yaml(rules).splitlines()
    page.heading("Rules that the stateless reading would need")
    page.line("  a rule file to add with --rules; the ports are each peer's lowest and highest seen here")
    for eni in attached_by_hand(compared):
        page.line(f'  without effect until {eni} lists "{GROUP}{eni}" among its security_groups in its rule file')
    page.block("\n".join(lines[:MOST_RULE_LINES]))
    if len(lines) > MOST_RULE_LINES:
        page.line(f"  ... and {len(lines) - MOST_RULE_LINES:,} lines more: --json has all")
    page.heading("The ports that clients choose from, as AWS gives them")
    page.table(
        (Column("client", wraps=True), Column("ports")),
        [(client, f"{low}-{high}") for client, (low, high) in EPHEMERAL_PORTS],
    )
    page.line(f"  {NETWORK_ACL_PAGE}")


def attached_by_hand(compared: ComparedResult) -> list[str]:
    """The interfaces of rule files that need a rule: a new group is on them only when the file says so."""
    interfaces = {eni.interface_id: eni for eni in compared.results[0].interfaces}
    needing = dict.fromkeys(rule.eni for rule in compared.reverse_rules)
    return [eni for eni in needing if eni not in interfaces or interfaces[eni].place is not None]


def first_difference(compared: ComparedResult) -> str:
    """The first row that differs, in a sentence."""
    first, second = next(_pairs(compared))
    ours, theirs = compared.readings
    return (
        f"Packet {_frame(first, compared)} ({row_text(first)}, {first['direction']} at {first['eni']}): "
        f"{ours} says {first['verdict']}, because {_why(compared.comparison.first, compared.results[0])}; "
        f"{theirs} says {second['verdict']}, because {_why(compared.comparison.second, compared.results[1])}."
    )


def _frame(cells: dict[str, Any], compared: ComparedResult) -> str:
    return frame_text(cells["capture"], cells["packet"], compared.results[0])


def _why(kept: Judged, result: Result) -> str:
    """Why the first kept row has its verdict."""
    verdicts = kept.verdicts
    reason, rule, flow = int(verdicts.reason[0]), int(verdicts.rule[0]), int(verdicts.flow[0])
    if reason == RULE and rule >= 0:
        return f"{result.labels.rule(rule)} allows it"
    if reason == ESTABLISHED and flow > 0:
        opened = result.connection(int(verdicts.eni[0]), flow)
        opener = frame_text(opened.capture, opened.packet, result)
        return f"the table holds its connection, which packet {opener} opened under {opened.rule}"
    if reason in (NO_INGRESS_RULE, NO_EGRESS_RULE):
        cells = row_cells(kept, result.labels)[0]
        return f"no {cells['direction']} rule allows {_asked(cells)}"
    return f"of {REASON_WORDS[reason]}: {REASONS[reason].meaning}"


def _asked(cells: dict[str, Any]) -> str:
    """What a rule would have to allow: `tcp to 203.0.113.9 port 40000`."""
    peer = f"from {cells['src']}" if cells["direction"] == "ingress" else f"to {cells['dst']}"
    if cells["dst_port"] is None:
        return f"{cells['protocol']} {peer}"
    if cells["protocol"].startswith("icmp"):
        return f"{cells['protocol']} {cells['src_port']}/{cells['dst_port']} {peer}"
    return f"{cells['protocol']} {peer}, destination port {cells['dst_port']}"


def _pairs(compared: ComparedResult) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The kept rows as both readings judged them."""
    first, second = compared.results
    ours = row_cells(compared.comparison.first, first.labels)
    theirs = row_cells(compared.comparison.second, second.labels)
    return zip(ours, theirs, strict=True)


# --- rules -----------------------------------------------------------------------------------------
def rules_yaml(rules: list[ReverseRule]) -> str:
    """The missing rules as a rule file: one group an interface, both directions given, so that nothing is implied."""
    lines = ["security_groups:"]
    for eni in dict.fromkeys(rule.eni for rule in rules):
        lines.append(f"  {json.dumps(GROUP + eni)}:")
        for direction in _PEER_KEYS:
            found = [line for rule in rules if (rule.eni, rule.direction) == (eni, direction) for line in _lines(rule)]
            lines.append(f"    {direction}:" if found else f"    {direction}: []")
            lines += [f"      - {{{line}}}" for line in found]
    return "\n".join(lines) + "\n"


def _lines(rule: ReverseRule) -> Iterator[str]:
    keys = {"protocol": protocol_word(rule.protocol)}
    if rule.ports is not None:
        keys["ports"] = ports_text(rule.ports)
    if rule.icmp is not None:
        keys["icmp"] = f"{rule.icmp[0]}/{rule.icmp[1]}"
    for peer in rule.peers:
        yield ", ".join(f"{key}: {value}" for key, value in {**keys, _PEER_KEYS[rule.direction]: _peer(peer)}.items())


def _peer(peer: object) -> str:
    """A CIDR as YAML: one with colons stands in quotes."""
    text = str(peer)
    return json.dumps(text) if ":" in text else text


def ports_text(ports: tuple[int, int]) -> str:
    """`80` or `40000-40010`."""
    low, high = ports
    return str(low) if low == high else f"{low}-{high}"


# --- JSON ------------------------------------------------------------------------------------------
def compare_json(compared: ComparedResult) -> str:
    """The report for programs; `readings` holds each replay as `eniwall replay --json` would."""
    comparison = compared.comparison
    return dumped(
        {
            "format": FORMAT,
            "eniwall": compared.results[0].version,
            "compared": list(compared.readings),
            "readings": {
                reading: result_object(result)
                for reading, result in zip(compared.readings, compared.results, strict=True)
            },
            "differences": {
                "packets": comparison.packets,
                "rows": comparison.rows,
                "allowed_only_by": dict(
                    zip(compared.readings, (comparison.only_first, comparison.only_second), strict=True)
                ),
                "listed": comparison.first.verdicts.rows,
                "items": [dict(zip(compared.readings, pair, strict=True)) for pair in _pairs(compared)],
                "first": first_difference(compared) if comparison.rows else None,
            },
            "reverse_rules": {
                "items": [_rule_object(rule) for rule in compared.reverse_rules],
                "attach_by_hand": attached_by_hand(compared),
                "rule_file": rules_yaml(compared.reverse_rules) if compared.reverse_rules else None,
                "ephemeral_ports": [{"client": client, "ports": list(ports)} for client, ports in EPHEMERAL_PORTS],
                "source": NETWORK_ACL_PAGE,
            },
        }
    )


def _rule_object(rule: ReverseRule) -> dict[str, Any]:
    return {
        "eni": rule.eni,
        "direction": rule.direction,
        "protocol": protocol_word(rule.protocol),
        "peers": [str(peer) for peer in rule.peers],
        "ports": list(rule.ports) if rule.ports else None,
        "icmp": list(rule.icmp) if rule.icmp else None,
        "packets": rule.packets,
    }
