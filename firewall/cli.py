"""The command line: `eniwall COMMAND ...`. Thin: it reads the words, calls the library and prints.

Exit status: 0 done, 1 a --fail-on condition held, 2 usage or unreadable input, 130 stopped by the
user, 143 by SIGTERM. Warnings go to standard error, data to standard output. Everything heavy is imported inside the
commands, so that `eniwall --help` is quick.
"""

import atexit
import gc
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from firewall.commands.annotate import annotate
from firewall.commands.compare import compare
from firewall.commands.explain import explain
from firewall.commands.flowlog import flowlog
from firewall.commands.lab import lab
from firewall.commands.lesson import lesson
from firewall.commands.output import (
    check_outputs,
    choose_engine,
    emit,
    harmless,
    print_report,
    version_text,
    warn,
    width,
)
from firewall.commands.report import report
from firewall.commands.watch import watch
from firewall.commands.words import capturing, written_to
from firewall.errors import InterfaceNeededError, RuleFileError

DONE, HELD, UNUSABLE, STOPPED, TERMINATED = 0, 1, 2, 130, 143
STANDARD_INPUT = "-"  # pcaps.stream has it too, and would load numpy
COLLECT_EVERY = 50_000  # objects; what a start makes (half a million) stays, so looking through it often is in vain

#: Errors that say what is wrong and what to do, by module and name: importing pcaps would load numpy.
TOLD = ("firewall.errors.EniwallError", "pcaps.errors.CaptureError", "pcaps.accelerate.EngineChoiceError")


# --- commands ----------------------------------------------------------------------------------------
@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def cli(context: click.Context, version: bool) -> None:
    """Replay captures through AWS security groups, packet by packet, with a connection table.

    No root is needed but for `watch`, and no account or network but for `import` and captures in S3.
    `eniwall COMMAND --help` says more.
    """
    if version:
        emit(f"eniwall {version_text()}\n")
    elif context.invoked_subcommand is None:
        emit(context.get_help() + "\n")


@cli.command()
@capturing
@written_to("Write every verdict row to FILE, as its ending says: .csv, .jsonl or .parquet; may be repeated.")
def replay(outputs: tuple[str, ...], as_json: bool, **words: Any) -> None:
    """Judge every packet of captures by the rules and report what came of it.

    Captures are pcap or pcapng files, gzip, zstd and lz4 too, patterns ('cap*.pcap'), s3://BUCKET/KEY, or `-` for
    standard input. Several are merged by time.
    """
    events = [] if words["events"] is None else [words["events"]]
    check_outputs(outputs, [*words["captures"], *words["rules"], *events])
    choose_engine(words["captures"], words["crafted"], words["follow"])
    from firewall.labels import counted
    from firewall.run.inputs import Inputs
    from firewall.run.replay import run_replay

    result = run_replay(Inputs(**words), outputs, version_text())
    warn(result.warnings)
    for path in outputs:
        sys.stderr.write(f"eniwall: wrote {counted(result.summary.rows, 'row')} to {path}\n")
    print_report(result, as_json=as_json)


@cli.command()
@capturing
@click.option(
    "--at",
    metavar="N",
    type=click.IntRange(min=1),
    help="Right after frame N of the capture, of the last one named where there are several; default: the end.",
)
@click.option(
    "--flow",
    metavar="F",
    help="Tell the life of flow F up to there instead: each packet that touched it and what it did."
    " Flows are numbered by interface; write INTERFACE:F where several have a flow F.",
)
def state(at: int | None, flow: str | None, as_json: bool, **words: Any) -> None:
    """Show the connection table right after a packet, as `conntrack -L` prints it, or one connection's life.

    Behind what conntrack prints stand eni=, flow= and rule= (the rule that opened the connection). What had
    timed out by the capture's clock is not shown. Captures are read as in replay: several are merged by time.
    """
    choose_engine(words["captures"], words["crafted"], words["follow"])
    from firewall.run.inputs import Inputs
    from firewall.run.state import run_state

    found = run_state(Inputs(**words), at, flow, version_text())
    warn(found.warnings)
    from firewall.reports.state_report import life_report, shown_text, state_json, table_text

    if as_json:
        emit(state_json(found))
    elif found.life is not None:
        emit(life_report(found.life, found.captures, width()))
    else:
        emit(table_text(found.connections))
        sys.stderr.write(shown_text(len(found.connections), found.untracked))


@cli.command("import")
@click.option(
    "--region",
    metavar="REGION",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    show_envvar=True,
    help="Region to read, such as eu-central-1; default: the profile's.",
)
@click.option("--aws-profile", metavar="NAME", help="Profile of the AWS CLI's configuration that gives credentials.")
@click.option(
    "--vpc", "vpcs", metavar="ID", multiple=True, help="This VPC alone, and what its rules name; may be repeated."
)
@click.option("--endpoint-url", metavar="URL", help="Ask an emulator of AWS instead.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, for your eyes alone; default: standard output.")
def import_account(output: str | None, **words: Any) -> None:
    """Read the rules of a live AWS account, and all that decides with them, as one file for --rules.

    Nothing in the account is changed: every call is a Describe or a Get. docs/import.md has the policy that
    allows them and says what the file holds.
    """
    from firewall.sources.account import check_target, read_account, snapshot_text, write_snapshot

    if output is not None:
        check_target(output)
    snapshot = read_account(**words)
    warn(snapshot.warnings)
    if output is None:
        emit(snapshot_text(snapshot))
    else:
        write_snapshot(output, snapshot_text(snapshot))
        sys.stderr.write(f"eniwall: wrote {output}\n")


@cli.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--eni",
    "enis",
    metavar="ADDRESS_OR_ID",
    multiple=True,
    help="Show only this interface and what concerns it; may be repeated.",
)
@click.option(
    "--limit",
    "limits",
    metavar="NAME=NUMBER",
    multiple=True,
    help="Your account's quota in place of AWS's default, such as rules-per-group=100; may be repeated.",
)
@click.option(
    "--fail-on",
    "conditions",
    type=click.Choice(("lint", "quota")),
    multiple=True,
    help="Exit with 1 where a lint finds something, or a quota is exceeded; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def rules(
    files: tuple[str, ...],
    enis: tuple[str, ...],
    limits: tuple[str, ...],
    conditions: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what was understood of rule files: rules by interface, quotas with their arithmetic, and lints.

    A folder stands for the rule files in it.
    """
    from firewall.understood import understand

    seen = understand(files, enis, limits, version_text())
    warn(seen.warnings)
    if as_json:
        from firewall.reports.rules_json import rules_json

        emit(rules_json(seen))
    else:
        from firewall.reports.rules_report import rules_terminal

        emit(rules_terminal(seen, width()))
    if seen.held(conditions):
        sys.exit(HELD)


cli.add_command(annotate)
cli.add_command(compare)
cli.add_command(explain)
cli.add_command(report)
cli.add_command(flowlog)
cli.add_command(lab)
cli.add_command(lesson)
cli.add_command(watch)


# --- SIGTERM -----------------------------------------------------------------------------------------
class _TerminatedError(BaseException):
    """SIGTERM came: like KeyboardInterrupt nothing that a command does with errors."""


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that half-written files are put away; the second one kills.

    Where it is ignored, or somebody else's business, it stays so.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not (ours and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL):
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise _TerminatedError

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


# --- errors ------------------------------------------------------------------------------------------
def _is_told(error: Exception) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in TOLD for kind in type(error).__mro__)


def _message(error: Exception, words: Sequence[str]) -> str:
    """What is told of an error of the command of these words."""
    if isinstance(error, InterfaceNeededError) and STANDARD_INPUT not in words:  # where that came from is not known
        return error.of_command(shlex.join(["eniwall", *words]))
    if isinstance(error, RuleFileError) and len(error.problems) > 1:
        found = f"{len(error.problems)} problems in the {error.what}:"
        return "\n".join([found, *(f"  {each}" for each in error.problems)])
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the command `eniwall`."""
    gc.set_threshold(COLLECT_EVERY)
    atexit.register(gc.freeze)  # what is left at the end goes with the process: it need not be looked through
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no error
    try:
        with _terminable():
            cli.main(args=arguments, prog_name="eniwall", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(UNUSABLE)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("eniwall: stopped\n")
        sys.exit(STOPPED)
    except _TerminatedError:
        sys.stderr.write("eniwall: terminated\n")
        sys.exit(TERMINATED)
    except Exception as error:
        if not (_is_told(error) or isinstance(error, OSError)):
            raise
        sys.stderr.write(f"eniwall: {harmless(_message(error, sys.argv[1:] if arguments is None else arguments))}\n")
        sys.exit(UNUSABLE)
    sys.exit(DONE)


if __name__ == "__main__":
    main()
