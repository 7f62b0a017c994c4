"""The report for people: the answer first, then what it is made of."""

from collections.abc import Iterable, Sequence
from typing import Any

from firewall.columns import row_cells
from firewall.labels import counted, duration_text, flow_text, protocol_number, rule_text, time_text
from firewall.reports.page import Column, Page, number
from firewall.reports.result import Connection, Result
from firewall.rows import Judged
from firewall.summary import Summary
from firewall.verdict import DENY, DIRECTIONS, REASONS, UNDECIDABLE, VERDICTS

MOST_CONNECTIONS = 20
MOST_RULES = 20


def terminal_report(result: Result, width: int | None = None) -> str:
    """The whole report; `width` is the terminal's, None for a pipe or a file: no colours, no wrapping."""
    page = Page(width)
    answer(page, result.summary)
    sums(page, result)
    _reasons(page, result.summary)
    _interfaces(page, result)
    _rules(page, result)
    _exempt(page, result)
    _connections(page, result)
    _kept(page, result, "denied", result.summary.first_denied, result.summary.verdicts[VERDICTS[DENY]])
    _kept(page, result, "undecided", result.summary.first_undecided, int(result.summary.reasons[UNDECIDABLE]))
    _unused(page, result)
    notes(page, result.profile, result.assumptions, result.warnings)
    return page.text()


def answer(page: Page, summary: Summary) -> None:
    """`426 packets: 380 ALLOW, 42 DENY, 0 EXEMPT, 4 NOT_EVALUATED`."""
    rows = f", {counted(summary.rows, 'verdict')}" if summary.two_interfaces else ""
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in summary.verdicts.items())
    page.line(f"{counted(summary.packets, 'packet')}{rows}: {verdicts}", "bold")


def sums(page: Page, result: Result) -> None:
    """Both sums, so that a reader sees them add up; the filter and the clock."""
    summary = result.summary
    verdicts = " + ".join(f"{count:,}" for count in summary.verdicts.values())
    two = f"{summary.two_interfaces:,} judged at two interfaces"
    page.line(
        f"{verdicts} = {counted(summary.rows, 'row')}"
        f" = {counted(result.packets_read, 'packet')} read + {two}"
        + (f"; {counted(result.filtered_out, 'packet')} more left out by the filter" if result.filtered_out else "")
    )
    if summary.first_time is not None and summary.last_time is not None:
        length = duration_text(summary.last_time - summary.first_time)
        page.line(f"from {time_text(summary.first_time)} to {time_text(summary.last_time)} UTC ({length})")
    if summary.backwards:
        page.line(f"the clock goes backwards at {counted(summary.backwards, 'packet')}; they are judged in file order")


def _reasons(page: Page, summary: Summary) -> None:
    page.heading("By reason")
    found = [
        (VERDICTS[reason.verdict], reason.word, count, reason.meaning)
        for reason, count in zip(REASONS, summary.reasons.tolist(), strict=True)
        if count
    ]
    columns = (Column("verdict"), Column("reason"), number("rows"), Column("meaning", wraps=True))
    page.table(columns, found)


def _interfaces(page: Page, result: Result) -> None:
    page.heading("By interface")
    names = ("(no interface)", *result.labels.interfaces)
    rows = [
        (name, DIRECTIONS[direction] or "-", *counts)
        for name, directions in zip(names, result.summary.by_interface.tolist(), strict=True)
        for direction, counts in enumerate(directions)
        if any(counts)
    ]
    page.table((Column("eni"), Column("direction"), *map(number, VERDICTS)), rows)


def _rules(page: Page, result: Result) -> None:
    summary = result.summary
    used = sorted(
        (
            (-packets, index, rule, hits)
            for index, (rule, hits, packets) in enumerate(
                zip(result.rules, summary.rule_hits.tolist(), summary.rule_packets.tolist(), strict=True)
            )
            if packets
        ),
        key=lambda row: row[:2],
    )
    page.heading(f"By rule{_cut(len(used), MOST_RULES)}")
    if not used:
        page.line("  no rule admitted anything")
        return
    page.table(
        (
            Column("rule"),
            Column("allows", wraps=True),
            number("new"),
            number("packets"),
            number("bytes", optional=True),
        ),
        [
            (rule.name, rule_text(rule), hits, -packets, int(summary.rule_bytes[index]))
            for packets, index, rule, hits in used[:MOST_RULES]
        ],
    )
    page.line("  new: rows that the rule admitted by itself; packets: these and the connections that they opened")


def _exempt(page: Page, result: Result) -> None:
    found = [
        (name, count)
        for name, count in zip(result.labels.exempt, result.summary.exempt_rows.tolist(), strict=False)
        if count
    ]
    if found:
        page.heading("Exempt")
        page.table((Column("service"), number("rows")), found)


def _connections(page: Page, result: Result) -> None:
    total = result.summary.connections
    page.heading(f"Connections: {total:,}{_cut(total, MOST_CONNECTIONS)}")
    if total:
        columns = (
            Column("eni", optional=True),
            number("flow"),
            Column("originator -> responder", wraps=True),
            Column("state"),
            number("sent"),
            number("received"),
            Column("opened by", wraps=True),
            Column("at packet", optional=True),
            number("bytes sent", optional=True),
            number("bytes received", optional=True),
        )
        page.table(columns, [_connection(row, result) for row in result.connections(MOST_CONNECTIONS)])


def _connection(row: Connection, result: Result) -> Sequence[object]:
    state = row.state + (", ended" if row.ended else "") + (f", {row.denied:,} denied" if row.denied else "")
    opened_at = _frame(row.capture, row.packet, result)
    amounts = (row.sent, row.received, row.rule, opened_at, row.sent_bytes, row.received_bytes)
    return (row.eni, row.flow, row.tuple, state, *amounts)


def _kept(page: Page, result: Result, what: str, kept: Judged, total: int) -> None:
    if not total:
        return
    page.heading(f"First {what} packets{_cut(total, kept.verdicts.rows)}")
    columns = (
        Column("packet"),
        Column("time", optional=True),
        Column("eni", optional=True),
        Column("direction", optional=True),
        Column("source -> destination", wraps=True),
        Column("reason"),
        Column("ct_state", optional=True),
    )
    page.table(columns, [_row(cells, result) for cells in row_cells(kept, result.labels)])


def _row(cells: dict[str, Any], result: Result) -> Sequence[object]:
    where = (_frame(cells["capture"], cells["packet"], result), clock_text(cells["time"], result.summary))
    return (*where, cells["eni"] or "-", cells["direction"] or "-", row_text(cells), cells["reason"],
            cells["ct_state"] or "-")  # fmt: skip


def clock_text(nanoseconds: int, summary: Summary) -> str:
    """The time of a packet, with the date only where the capture has several."""
    text = time_text(nanoseconds)
    days = {time_text(time)[:10] for time in (summary.first_time, summary.last_time) if time is not None}
    return text[11:] if len(days) == 1 else text


def row_text(cells: dict[str, Any]) -> str:
    """The tuple of a row's packet as one line."""
    if cells["src"] is None:
        return "no IP header"
    protocol = protocol_number(cells["protocol"])
    return flow_text(cells["src"], cells["dst"], protocol, cells["src_port"], cells["dst_port"])


def _frame(capture: str, packet: int, result: Result) -> str:
    """The frame number, with the file's name where there are several."""
    return f"{capture}:{packet}" if len(result.labels.captures) > 1 else str(packet)


def _unused(page: Page, result: Result) -> None:
    unused = result.unused_rules
    if unused:
        page.heading(
            f"Rules that admitted nothing: {len(unused):,} of {len(result.rules):,}{_cut(len(unused), MOST_RULES)}"
        )
        page.points(f"{rule.name}  ({rule_text(rule)})" for rule in unused[:MOST_RULES])


def notes(page: Page, profile: str, assumptions: Iterable[str], warnings: Sequence[str]) -> None:
    """What the verdicts rest on; each point once."""
    page.heading(f"Assumptions (profile {profile})")
    page.points(dict.fromkeys(assumptions))
    if warnings:
        page.heading(f"Warnings: {len(dict.fromkeys(warnings))}, on standard error")


def _cut(total: int, limit: int) -> str:
    """`, the first 20` where a list is cut."""
    return f" ({limit:,} of {total:,} shown)" if total > limit else ""
