"""The report for people: the answer first, then what it is made of."""

from collections.abc import Iterable, Sequence
from typing import Any

from firewall.columns import row_cells
from firewall.labels import counted, duration_text, flags_text, flow_text, protocol_number, rule_text, time_text
from firewall.reports.page import Column, Page, number
from firewall.reports.result import Connection, DeniedAttempt, Result
from firewall.reports.terminal_details import details_sections
from firewall.rows import Judged
from firewall.summary import Summary
from firewall.verdict import DENY, DIRECTIONS, REASONS, UNDECIDABLE, VERDICTS

MOST_CONNECTIONS = 20
MOST_RULES = 20
MOST_ATTEMPTS = 10
MOST_DENIED = 5
UNDECIDED_RULE = "no rule (undecidable)"
DAY = 86_400_000_000_000  # ns


def terminal_report(result: Result, width: int | None = None) -> str:
    """The whole report; `width` is the terminal's, None for a pipe or a file: no colours, no wrapping."""
    page = Page(width)
    answer(page, result.summary)
    captures(page, result)
    if result.packets_read:
        sums(page, result)
        _reasons(page, result.summary)
        _interfaces(page, result)
        _rules(page, result)
        _acl_entries(page, result)
        _changes(page, result)
        _exempt(page, result)
        _connections(page, result)
        _attempts(page, result)
        _kept(page, result, "denied", result.summary.first_denied, result.summary.verdicts[VERDICTS[DENY]])
        _kept(page, result, "undecided", result.summary.first_undecided, int(result.summary.reasons[UNDECIDABLE]))
        _unused(page, result)
    if result.details is not None:
        details_sections(page, result.details)
    notes(page, result, result.assumptions, result.warnings)
    return page.text()


def answer(page: Page, summary: Summary) -> None:
    """`426 packets: 380 ALLOW, 42 DENY, 0 EXEMPT, 4 NOT_EVALUATED`."""
    rows = f", {counted(summary.rows, 'verdict')}" if summary.two_interfaces else ""
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in summary.verdicts.items())
    page.line(f"{counted(summary.packets, 'packet')}{rows}: {verdicts}", "bold")


def captures(page: Page, result: Result) -> None:
    """The captures' names where there are several; that they are empty where they are."""
    names = result.short_captures
    if not result.packets_read:
        whose = "it" if len(names) == 1 else "they"
        held = f"{whose} held {counted(result.filtered_out, 'packet')}, none of which the filter lets through"
        page.line(f"{', '.join(names)}: {held if result.filtered_out else 'holds no packets'}")
    elif len(names) > 1:
        page.table((Column("capture"), Column("file", wraps=True)), [(short, name) for name, short in names.items()])


def sums(page: Page, result: Result) -> None:
    """Both sums, so that a reader sees them add up; the filter and the clock."""
    summary = result.summary
    verdicts = " + ".join(f"{count:,}" for count in summary.verdicts.values())
    two = f" + {summary.two_interfaces:,} judged at two interfaces" if len(result.labels.interfaces) > 1 else ""
    page.line(
        f"{verdicts} = {counted(summary.rows, 'row')}"
        f" = {counted(result.packets_read, 'packet')} read{two}"
        + (f"; {counted(result.filtered_out, 'packet')} more left out by the filter" if result.filtered_out else "")
    )
    if summary.first_time is not None and summary.last_time is not None:
        length = duration_text(summary.last_time - summary.first_time)
        if _has_no_date(summary):
            page.line(f"over {length}; times are in seconds")
        else:
            page.line(f"from {time_text(summary.first_time)} to {time_text(summary.last_time)} UTC ({length})")
    if summary.backwards:
        page.line(
            f"the clock goes backwards at {counted(summary.backwards, 'packet')}; they are judged in file order,"
            " and no timeout runs out until it has caught up"
        )


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
                zip(result.rules, summary.rule_hits.tolist(), summary.rule_packets.tolist(), strict=False)
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
            number("bytes"),
        ),
        [
            (rule.name, rule_text(rule), hits, -packets, int(summary.rule_bytes[index]))
            for packets, index, rule, hits in used[:MOST_RULES]
        ],
    )
    page.line("  new: rows that the rule admitted by itself; packets: these and the connections that they opened")


def _acl_entries(page: Page, result: Result) -> None:
    found = result.acl_counts
    if found:
        page.heading("By network ACL entry")
        columns = (Column("entry"), Column("says", wraps=True), number("let through"), number("denied"))
        page.table(columns, [(entry.name, f"{entry.action} {rule_text(entry)}", *counts) for entry, *counts in found])
        page.line("  let through: rows that no security group was asked about; the others count by their rules")


def _changes(page: Page, result: Result) -> None:
    if result.changes:
        page.heading("Changes of the rules")
        page.table(
            (Column("before packet"), Column("time"), Column("change", wraps=True)),
            [
                (
                    frame_text(result.labels.captures[each.capture], each.packet, result),
                    clock_text(each.time, result.summary),
                    each.text,
                )
                for each in result.changes
            ],
        )


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
    order = ", those with most packets first" if total > 1 else ""
    page.heading(f"Connections{at_interface(result)}: {total:,}{_cut(total, MOST_CONNECTIONS)}{order}")
    if total:
        columns = (
            *eni_column(result),
            number("flow"),
            Column("originator -> responder", wraps=True),
            Column("state"),
            number("packets sent"),
            number("received"),
            number("bytes sent"),
            number("received"),
            Column("opened by", wraps=True),
        )
        page.table(columns, [_connection(row, result) for row in result.connections(MOST_CONNECTIONS)])


def _connection(row: Connection, result: Result) -> Sequence[object]:
    counts = ((row.denied, "denied"), (row.undecided, "undecided"))
    words = [row.state, *(["ended"] if row.ended else []), *(f"{count:,} {word}" for count, word in counts if count)]
    opened = f"{row.rule or UNDECIDED_RULE} at packet {frame_text(row.capture, row.packet, result)}"
    opened += ", picked up midway" if row.midway else ""
    amounts = (row.sent, row.received, row.sent_bytes, row.received_bytes)
    return (*eni_cell(row.eni, result), row.flow, row.tuple, ", ".join(words), *amounts, opened)


def _attempts(page: Page, result: Result) -> None:
    groups = result.summary.attempts
    total = len(groups.groups)
    if not total:
        return
    order = ", those with most packets first" if total > 1 else ""
    page.heading(f"Denied attempts{at_interface(result)}: {total:,}{_cut(total, MOST_ATTEMPTS)}{order}")
    columns = (
        *eni_column(result),
        Column("direction"),
        Column("source -> destination", wraps=True),
        number("packets"),
        Column("first at"),
        Column("first reason"),
    )
    page.table(columns, [_attempt(row, result) for row in result.denied_attempts(MOST_ATTEMPTS)])
    if groups.ungrouped:
        page.line(f"  {counted(groups.ungrouped, 'more row')} denied, of more attempts than are kept apart")


def _attempt(row: DeniedAttempt, result: Result) -> Sequence[object]:
    first = (frame_text(row.capture, row.packet, result), row.reason)
    return (*eni_cell(row.eni, result), row.direction, row.tuple, row.packets, *first)


def _kept(page: Page, result: Result, what: str, kept: Judged, total: int) -> None:
    if not total:
        return
    shown = min(MOST_DENIED, total)
    command = "-o FILE" if result.details is None else "eniwall replay -o FILE"
    every = f"; {command} writes all" if shown < total else ""
    page.heading(f"First {what} packets{at_interface(result)}{_cut(total, shown)}{every}")
    columns = (
        Column("packet"),
        Column("time"),
        *eni_column(result),
        Column("direction"),
        Column("source -> destination", wraps=True),
        Column("flags"),
        Column("reason"),
        Column("ct_state"),
    )
    flags = kept.packets.tcp_flags[kept.verdicts.packet].tolist()
    rows = zip(row_cells(kept, result.labels)[:shown], flags, strict=False)
    page.table(columns, [_row(cells, bits, result) for cells, bits in rows])


def _row(cells: dict[str, Any], flags: int, result: Result) -> Sequence[object]:
    where = (frame_text(cells["capture"], cells["packet"], result), clock_text(cells["time"], result.summary))
    eni = eni_cell(cells["eni"] or "-", result)
    return (*where, *eni, cells["direction"] or "-", row_text(cells), _row_flags(cells, flags), cells["reason"],
            cells["ct_state"] or "-")  # fmt: skip


def _row_flags(cells: dict[str, Any], flags: int) -> str:
    """TCP flags; a row whose TCP header was not read has no ports either."""
    return flags_text(protocol_number(cells["protocol"]), flags) if cells["src_port"] is not None else ""


def at_interface(result: Result) -> str:
    """The one interface, told once above a table instead of in every row."""
    return f" at {result.labels.interfaces[0]}" if len(result.labels.interfaces) == 1 else ""


def eni_column(result: Result) -> tuple[Column, ...]:
    """The column for the interface, where at_interface says nothing."""
    return () if at_interface(result) else (Column("eni"),)


def eni_cell(eni: str, result: Result) -> tuple[str, ...]:
    """The cell of that column."""
    return () if at_interface(result) else (eni,)


def clock_text(nanoseconds: int, summary: Summary) -> str:
    """The time of a packet, with the date only where the capture has several, as seconds where it has none."""
    mode = clock_mode(summary)
    if mode == "seconds":
        return f"{nanoseconds / 1e9:.6f}"
    text = time_text(nanoseconds)
    return text[11:] if mode == "time" else text


def clock_mode(summary: Summary) -> str:
    """How the times of a capture are told: `seconds`, `time` where all are of one day, `date` with their date."""
    if _has_no_date(summary):
        return "seconds"
    days = {time_text(time)[:10] for time in (summary.first_time, summary.last_time) if time is not None}
    return "time" if len(days) == 1 else "date"


def _has_no_date(summary: Summary) -> bool:
    """Times within a day of 1970 are seconds from some start: crafted packets, a clock that was never set."""
    return summary.first_time is not None and 0 <= summary.first_time < DAY


def row_text(cells: dict[str, Any]) -> str:
    """The tuple of a row's packet as one line."""
    if cells["src"] is None:
        return "no IP header"
    protocol = protocol_number(cells["protocol"])
    return flow_text(cells["src"], cells["dst"], protocol, cells["src_port"], cells["dst_port"])


def frame_text(capture: str, packet: int, result: Result) -> str:
    """The frame number, with the file's short name where there are several."""
    return f"{result.short_captures[capture]}:{packet}" if len(result.short_captures) > 1 else str(packet)


def _unused(page: Page, result: Result) -> None:
    unused = result.unused_rules
    if unused:
        page.heading(
            f"Rules that admitted nothing: {len(unused):,} of {len(result.rules):,}{_cut(len(unused), MOST_RULES)}"
        )
        page.points(f"{rule.name}  ({rule_text(rule)})" for rule in unused[:MOST_RULES])


def notes(page: Page, result: Result, assumptions: Iterable[str], warnings: Sequence[str]) -> None:
    """What the verdicts rest on; each point once."""
    changed = ", ".join(f"{name}={value}" for name, value in result.changed_settings.items())
    page.heading(f"Assumptions (profile {result.profile}{', changed: ' if changed else ''}{changed})")
    page.points(dict.fromkeys(assumptions) or ["none decided a packet here"])
    if warnings:
        page.heading(f"Warnings: {len(dict.fromkeys(warnings))}, on standard error")


def _cut(total: int, limit: int) -> str:
    """`, the first 20` where a list is cut."""
    return f" ({limit:,} of {total:,} shown)" if total > limit else ""
