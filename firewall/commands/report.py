"""`eniwall report`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from firewall.commands.output import check_outputs, choose_engine, print_report, version_text, warn
from firewall.commands.words import capturing, in_language, written_to
from firewall.errors import UsageError

if TYPE_CHECKING:
    from firewall.run.inputs import Inputs


@click.command()
@capturing
@written_to(
    "Write FILE, as its ending says: .html (a page for people), .md (a summary for a pull request), .json (the"
    " whole report), .csv, .jsonl or .parquet (every connection). May be repeated."
)
@in_language(".html and .md")
@click.option(
    "--steps",
    is_flag=True,
    help="Write a page to step through instead: every packet with the connection table, the TCP state and the reason of"
    " its verdict. Only to .html, at most 1,000 packets.",
)
def report(outputs: tuple[str, ...], language: str, steps: bool, as_json: bool, **words: Any) -> None:
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
    if steps:
        _write_steps(outputs, language, Inputs(**words), as_json=as_json)
        return
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


def _write_steps(outputs: tuple[str, ...], language: str, inputs: "Inputs", *, as_json: bool) -> None:
    """The page to step through, to each of the files."""
    from firewall.files import whole_file
    from firewall.labels import counted
    from firewall.reports.steps_page import BECAUSE, MOST_PACKETS, steps_page
    from firewall.run.steps import run_steps

    others = [path for path in outputs if not path.lower().endswith(".html")]
    if as_json:
        raise UsageError("--steps and --json do not go together: --steps writes a page, to -o FILE.html")
    if others or not outputs:
        named = f", not {others[0]}" if others else ""
        raise UsageError(f"--steps writes a page: name it with -o FILE.html{named}")
    made = run_steps(inputs, MOST_PACKETS, BECAUSE)
    page = steps_page(made, version_text(), language)
    for path in outputs:
        with whole_file(path) as part:
            part.write_text(page, encoding="utf-8", newline="\n")
        sys.stderr.write(f"eniwall: wrote {counted(made.count, 'step')} to {path}\n")
