"""What `eniwall flowlog --against` tells: where AWS's flow log and the simulation agree and where not.

`format` 1 of the JSON: files, records, agreement, agreeing, differing, guesses, flow_log, warnings.
"""

from dataclasses import dataclass
from typing import Any

from firewall.flowlog.against import Compared
from firewall.flowlog.guesses import SAYS
from firewall.flowlog.pairs import Pair, Seen
from firewall.flowlog.write import FlowLog
from firewall.labels import counted, flow_text, protocol_word
from firewall.reports.json_report import dumped
from firewall.reports.page import Column, Page, number
from firewall.reports.result import Result

FORMAT = 1
MOST_DIFFERING, MOST_AGREEING, MOST_LISTED = 20, 10, 1000


@dataclass(frozen=True)
class Logged:
    """A flow log that was written: the replay, the counts, and what a comparison found."""

    result: Result
    log: FlowLog
    compared: Compared | None


# --- text -------------------------------------------------------------------------------------------------
def against_terminal(logged: Logged, width: int | None = None) -> str:
    """The report for people."""
    page = Page(width)
    compared = logged.compared
    if compared is None:
        return ""
    if not compared.pairs:
        page.line("Nothing to compare: neither side has a record of these interfaces in the capture's time", "bold")
        _read(page, compared)
        return page.text()
    rates = ", ".join(f"{_percent(rate.same, rate.all)} of {name}" for name, rate in compared.rates.items())
    page.line(f"Agreement: {rates}", "bold")
    _read(page, compared)
    if compared.differing:
        page.heading(f"Differences: {_cut(len(compared.differing), MOST_DIFFERING)}")
        page.table(
            (
                Column("eni"),
                Column("direction"),
                Column("source -> destination", wraps=True),
                Column("AWS"),
                Column("eniwall"),
                Column("guess"),
            ),
            [
                (pair.interface, pair.direction, _flow(pair), _side(pair.aws), _ours(pair), pair.guess)
                for pair in compared.differing[:MOST_DIFFERING]
            ],
        )
        page.heading("Guesses (a flow log does not say why)")
        page.table(
            (Column("guess"), number("tuples"), Column("meaning", wraps=True)),
            [(name, count, SAYS[name]) for name, count in compared.guesses.items()],
        )
    if compared.agreeing:
        page.heading(f"The same on both sides: {_cut(len(compared.agreeing), MOST_AGREEING)}")
        page.table(
            (Column("eni"), Column("direction"), Column("source -> destination", wraps=True), Column("both")),
            [
                (pair.interface, pair.direction, _flow(pair), _side(pair.aws))
                for pair in compared.agreeing[:MOST_AGREEING]
            ],
        )
    return page.text()


def _read(page: Page, compared: Compared) -> None:
    """What was read, and what of it was not compared."""
    files = counted(len(compared.files), "file")
    left = sum(compared.uncompared.counts.values())
    why = ", ".join(f"{count:,} {word}" for word, count in compared.uncompared.counts.most_common())
    not_compared = f", {left:,} not compared ({why})" if left else ""
    page.line(f"AWS's flow log: {counted(compared.lines, 'record')} in {files}{not_compared}")
    others = compared.uncompared.interfaces
    if others:
        names = ", ".join(name for name, _ in others.most_common(5))
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        page.line(f"interfaces that are not simulated: {names}{more}")


def _percent(same: int, whole: int) -> str:
    """100 % only where nothing differs, 0 % only where nothing is the same."""
    if same == whole:
        return "100 %"
    return f"{min(max(100 * same / whole, 0.1 if same else 0.0), 99.9):.1f} %"


def _cut(total: int, limit: int) -> str:
    shown = f" ({limit:,} shown)" if total > limit else ""
    return f"{counted(total, 'tuple')}{shown}, those with most packets first"


def _flow(pair: Pair) -> str:
    return flow_text(pair.src, pair.dst, pair.protocol, pair.src_port or None, pair.dst_port or None)


def _side(side: dict[str, Seen]) -> str:
    """`ACCEPT 4 packets 336 bytes`."""
    return ", ".join(f"{action} {seen.packets:,} ({seen.bytes:,} B)" for action, seen in sorted(side.items())) or "-"


def _ours(pair: Pair) -> str:
    """The simulation's side, with the reasons for what it rejects."""
    if not pair.ours:
        return f"not logged: {', '.join(sorted(pair.reasons))}" if pair.unlogged else "-"
    return _side(pair.ours)


# --- JSON -------------------------------------------------------------------------------------------------
def against_json(logged: Logged) -> str:
    """The report as text, with a line feed at the end."""
    compared, log, result = logged.compared, logged.log, logged.result
    if compared is None:
        return ""
    return dumped(
        {
            "format": FORMAT,
            "eniwall": result.version,
            "captures": list(result.labels.captures),
            "files": list(compared.files),
            "records": {"read": compared.lines, "not_compared": dict(compared.uncompared.counts)},
            "interfaces_not_simulated": dict(compared.uncompared.interfaces),
            "agreement": {
                name: {"same": rate.same, "all": rate.all, "percent": round(rate.percent, 3)}
                for name, rate in compared.rates.items()
            },
            "differing": _pairs(compared.differing),
            "agreeing": _pairs(compared.agreeing),
            "guesses": {name: {"tuples": count, "meaning": SAYS[name]} for name, count in compared.guesses.items()},
            "flow_log": {"records": log.records, "packets": log.packets, "bytes": log.bytes, "left_out": log.left_out},
            "warnings": list(result.warnings),
        }
    )


def _pairs(pairs: tuple[Pair, ...]) -> dict[str, Any]:
    items = [_pair(pair) for pair in pairs[:MOST_LISTED]]
    return {"total": len(pairs), "listed": len(items), "items": items}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "eni": pair.interface,
        "direction": pair.direction,
        "src": pair.src,
        "dst": pair.dst,
        "protocol": protocol_word(pair.protocol),
        "src_port": pair.src_port,
        "dst_port": pair.dst_port,
        "aws": {action: seen._asdict() for action, seen in pair.aws.items()},
        "eniwall": {action: {"packets": seen.packets, "bytes": seen.bytes} for action, seen in pair.ours.items()},
        "reasons": sorted(pair.reasons),
        "guess": pair.guess or None,
    }
