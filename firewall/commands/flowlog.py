"""`eniwall flowlog`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from firewall.commands.output import check_outputs, choose_engine, emit, version_text, warn, width
from firewall.commands.words import capturing
from firewall.errors import UsageError

if TYPE_CHECKING:
    from firewall.reports.flowlog_report import Logged


@click.command()
@capturing
@click.option(
    "--format",
    "form",
    metavar="FIELDS",
    help="Fields as AWS writes a custom format, in single quotes: '${version} ${vpc-id} ...'; default: the fields of"
    " version 2. docs/flowlog.md lists them all.",
)
@click.option(
    "--interval",
    type=click.Choice(("60", "600")),
    default="600",
    show_default=True,
    help="Maximum aggregation interval in seconds.",
)
@click.option(
    "--traffic",
    type=click.Choice(("ALL", "ACCEPT", "REJECT")),
    default="ALL",
    show_default=True,
    help="Which traffic is logged.",
)
@click.option("--account", metavar="ID", help="The value of account-id, 12 digits; default: -.")
@click.option("--region", metavar="REGION", help="The value of region, such as eu-central-1; default: -.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the flow log to FILE, gzip where it ends in .gz; default: standard output.",
)
@click.option(
    "--against",
    "logs",
    metavar="FILE",
    multiple=True,
    help="Compare with flow log files of AWS's, plain or gzip, instead of printing the flow log; a pattern is"
    " expanded, may be repeated. Files without a line of names have the fields of --format.",
)
def flowlog(
    form: str | None,
    interval: str,
    traffic: str,
    account: str | None,
    region: str | None,
    output: str | None,
    logs: tuple[str, ...],
    as_json: bool,
    **words: Any,
) -> None:
    """Write the VPC Flow Log that AWS would have written of these packets, or compare it with one that AWS wrote.

    Records go to standard output as intervals close; what a flow log leaves out is counted on standard error.
    """
    _check_words(account, region, as_json=as_json, compares=bool(logs))
    from firewall.flowlog.fields import read_format
    from firewall.flowlog.read import expanded

    fields = read_format(form)
    found = expanded(logs)
    events = [] if words["events"] is None else [words["events"]]
    outputs = () if output is None else (output,)
    check_outputs(outputs, [*words["captures"], *words["rules"], *events, *found])
    choose_engine(words["captures"], words["crafted"], words["follow"])
    from firewall.files import check_writable
    from firewall.run.flowlog import LogWords, run_flowlog
    from firewall.run.inputs import Inputs

    for path in outputs:
        check_writable(path)
    asked = LogWords(fields, int(interval), traffic, account, region, output)
    logged = run_flowlog(Inputs(**words), asked, None if found else emit, found, version_text())
    warn(logged.result.warnings)
    _tell(logged, output)
    if logged.compared is not None:
        from firewall.reports.flowlog_report import against_json, against_terminal

        emit(against_json(logged) if as_json else against_terminal(logged, width()))


def _check_words(account: str | None, region: str | None, *, as_json: bool, compares: bool) -> None:
    if as_json and not compares:
        raise UsageError("--json reports a comparison: add --against FILE; a flow log itself is text")
    if account is not None and not (len(account) == 12 and account.isdecimal() and account.isascii()):
        raise UsageError(f"--account {account!r}: write the account's 12 digits")
    if region is not None and not (region.isascii() and region.replace("-", "").isalnum()):
        raise UsageError(f"--region {region!r}: write a region's name, such as eu-central-1")


def _tell(logged: "Logged", output: str | None) -> None:
    """What was written and what was not, on standard error."""
    from firewall.labels import counted

    log = logged.log
    packets = ", ".join(f"{counted(number, 'packet')} {action}" for action, number in log.packets.items())
    status = f", and {counted(log.status, 'record')} without data" if log.status else ""
    wrote = f"wrote {output}: " if output else ""
    sys.stderr.write(f"eniwall: {wrote}{counted(sum(log.records.values()), 'record')} of {packets}{status}\n")
    if log.left_out:
        rows = ", ".join(f"{number:,} {why}" for why, number in log.left_out.items())
        sys.stderr.write(f"eniwall: not in the flow log: {rows}\n")
