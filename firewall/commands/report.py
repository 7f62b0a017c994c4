"""`eniwall report`."""

import sys
from typing import Any

import click

from firewall.commands.output import check_outputs, choose_engine, print_report, version_text, warn
from firewall.commands.words import capturing


@click.command()
@capturing
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FILE",
    multiple=True,
    help="Write FILE, as its ending says: .html (a page for people), .md (a summary for a pull request), .json (the"
    " whole report), .csv, .jsonl or .parquet (every connection). May be repeated.",
)
@click.option(
    "--lang",
    "language",
    type=click.Choice(("en", "ko")),
    default="en",
    show_default=True,
    help="Language of .html and .md.",
)
def report(outputs: tuple[str, ...], language: str, as_json: bool, **words: Any) -> None:
    """Judge every packet of captures and tell an auditor what came of it.

    Beside what replay reports: verdicts over time, the use of every rule, rules that others cover, what was
    denied with the nearest rule, every connection, and the SHA-256 of each input. docs/report.md shows it.
    """
    choose_engine(words["captures"], words["crafted"], words["follow"])
    from firewall.reports.outputs import check_report_file, write_report
    from firewall.run.inputs import Inputs
    from firewall.run.report import run_report

    events = [] if words["events"] is None else [words["events"]]
    check_outputs(outputs, [*words["captures"], *words["rules"], *events])
    for path in outputs:
        check_report_file(path)
    own = [word for path in outputs for word in ("-o", path)]
    own += ["--lang", language] if language != "en" else []
    own += ["--json"] if as_json else []
    result = run_report(Inputs(**words), own, version_text())
    warn(result.warnings)
    for path in outputs:
        sys.stderr.write(f"eniwall: wrote {write_report(result, path, language)} to {path}\n")
    print_report(result, as_json=as_json)
