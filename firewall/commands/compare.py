"""`eniwall compare`."""

import sys
from typing import Any

import click

from firewall.commands.output import check_outputs, choose_engine, emit, version_text, warn, width
from firewall.commands.words import capturing, in_language, written_to


@click.command()
@capturing
@click.option(
    "--as",
    "readings",
    metavar="READING,READING[,READING]",
    default="sg,stateless",
    show_default=True,
    help="Two or three readings: sg (security groups, with the connection table), stateless (the same rules without"
    " it), nacl (network ACLs alone; where no file has one, the groups' rules as numbered entries).",
)
@written_to(
    "Write FILE, as its ending says: .html (a page), .json (the whole comparison), .yaml (a rule file: the"
    " network ACLs, or without nacl the reverse rules). May be repeated."
)
@in_language(".html")
def compare(readings: str, outputs: tuple[str, ...], language: str, as_json: bool, **words: Any) -> None:
    """Judge the same packets with and without the connection table and show what differs.

    The report ends with what a filter without a table would need for the replies: reverse rules, or numbered
    entries of a network ACL; a second replay says what still differs. docs/compare.md shows it.
    """
    choose_engine(words["captures"], words["crafted"], words["follow"])
    from firewall.compare import read_readings
    from firewall.reports.compare_json import compare_json
    from firewall.reports.compare_outputs import check_compare_file, write_compared
    from firewall.reports.compare_report import compare_terminal
    from firewall.run.compare import run_compare
    from firewall.run.inputs import Inputs

    events = [] if words["events"] is None else [words["events"]]
    check_outputs(outputs, [*words["captures"], *words["rules"], *events])
    names = read_readings(readings)
    for path in outputs:
        check_compare_file(path, names)
    compared = run_compare(Inputs(**words), names, version_text())
    warn(compared.warnings)
    for path in outputs:
        sys.stderr.write(f"eniwall: wrote {write_compared(compared, path, language)} to {path}\n")
    emit(compare_json(compared) if as_json else compare_terminal(compared, width()))
