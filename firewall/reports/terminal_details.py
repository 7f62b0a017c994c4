"""What `eniwall report` prints on the terminal beside the report of a replay: few lines, the page has the rest."""

from typing import TYPE_CHECKING

from firewall.labels import rule_text
from firewall.reports.page import Column, Page, number

if TYPE_CHECKING:
    from firewall.reports.details import Details

MOST_SERVICES = 10


def details_sections(page: Page, details: "Details") -> None:
    """Denied services with their nearest rules, rules that others cover, lints, and the inputs."""
    _services(page, details)
    if details.covered:
        page.heading(f"Rules that another covers: {len(details.covered):,}")
        page.points(f"{use.rule.name}  ({rule_text(use.rule)}): {use.covered_by} lets it in" for use in details.covered)
    if details.findings:
        page.heading(f"Lints: {len(details.findings):,}")
        page.points(f"{each.lint}: {each.subject}: {each.text}; {each.fix}" for each in details.findings)
    page.heading("Inputs")
    page.table(
        (Column("kind"), Column("file", wraps=True), Column("SHA-256", wraps=True)),
        [(each.kind, each.name, each.sha256 or each.note) for each in details.inputs],
    )


def _services(page: Page, details: "Details") -> None:
    top = details.denied_services
    shown = top.items[:MOST_SERVICES]
    if not shown:
        return
    cut = f" ({len(shown):,} of {top.total:,} shown)" if top.total > len(shown) else ""
    page.heading(f"Denied, by service{cut}")
    columns = (
        Column("eni"),
        Column("direction"),
        Column("service"),
        number("packets"),
        number("addresses"),
        Column("reason"),
        Column("nearest rule", wraps=True),
    )
    page.table(
        columns,
        [
            (
                each.eni or "-",
                each.direction or "-",
                each.service,
                each.packets,
                each.peers,
                each.reason,
                each.miss or "-",
            )
            for each in shown
        ],
    )
