"""The command line: `eniwall COMMAND ...`. Thin: it reads the words, calls the library and prints.

Exit status: 0 done, 1 a --fail-on condition held, 2 usage or unreadable input, 130 stopped by the
user. Warnings go to standard error, data to standard output. Everything heavy is imported inside the
commands, so that `eniwall --help` is quick.
"""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import click

from firewall.errors import RuleFileError, UsageError

F = TypeVar("F", bound=Callable[..., Any])

DONE, HELD, UNUSABLE, STOPPED = 0, 1, 2, 130

#: Errors that say what is wrong and what to do, by module and name: importing pcaps would load numpy.
TOLD = ("firewall.errors.EniwallError", "pcaps.errors.CaptureError", "pcaps.accelerate.EngineChoiceError")


# --- words that several commands take ----------------------------------------------------------------
def _settings(_context: click.Context, _option: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping; the last one of a name counts."""
    pairs = [word.partition("=") for word in words]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise click.BadParameter(f"{name + sign + value!r}: write NAME=VALUE, for example tcp_loose=0")
        _, prefix, short = name.rpartition("nf_conntrack_")
        if prefix:
            raise click.BadParameter(f"{name}: names stand without nf_conntrack_; write {short}={value}")
    return {name.strip(): value.strip() for name, _, value in pairs}


CAPTURING = (
    click.argument("captures", metavar="[CAPTURE]...", nargs=-1),
    click.option("--rules", metavar="FILE", multiple=True, required=True, help="Rule file; may be repeated."),
    click.option(
        "--eni",
        "enis",
        metavar="ADDRESS_OR_ID",
        multiple=True,
        help="Interface to simulate: an id or address of the rule file, or any other address, which then has"
        " all groups of the file. INTERFACE=NAME: the packets of the capture file NAME, or of the capture's interface"
        " NAME, were seen there. May be repeated.",
    ),
    click.option(
        "--profile",
        type=click.Choice(("aws", "linux")),
        default="aws",
        show_default=True,
        help="What AWS documents, or what Linux nf_conntrack does.",
    ),
    click.option(
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_settings,
        help="Change a switch or a timeout, by its Linux name without nf_conntrack_; may be repeated.",
    ),
    click.option(
        "--tunnel",
        type=click.Choice(("auto", "outer", "inner")),
        default="auto",
        show_default=True,
        help="Judge what VXLAN and GENEVE carry, or the tunnel itself; auto: what traffic mirroring copied.",
    ),
    click.option(
        "--events",
        metavar="FILE",
        help="Change the rules on the way: a file of events, each at a packet or time (docs/events.md).",
    ),
    click.option(
        "--filter",
        "bpf",
        metavar="BPF",
        help="Judge only packets that this tcpdump filter lets through. A name in it (host NAME) is looked up in"
        " the DNS, as tcpdump does; an address is not.",
    ),
    click.option(
        "--craft",
        "crafted",
        metavar="EXPR",
        multiple=True,
        help="Judge a crafted packet instead of a capture, written as in scapy: 'IP(dst=\"10.0.0.1\")/TCP(dport=80)';"
        " may be repeated, in order.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
)


def capturing(command: F) -> F:
    """Give a command the words that every command has that reads a capture."""
    for declare in reversed(CAPTURING):
        command = declare(command)
    return command


# --- commands ----------------------------------------------------------------------------------------
@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Show the version and exit.")
@click.pass_context
def cli(context: click.Context, version: bool) -> None:
    """Replay captures through AWS security groups, packet by packet, with a connection table.

    No root is needed, and no account or network but for `import`. `eniwall COMMAND --help` says more.
    """
    if version:
        emit(f"eniwall {version_text()}\n")
    elif context.invoked_subcommand is None:
        emit(context.get_help() + "\n")


@cli.command()
@capturing
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FILE",
    multiple=True,
    help="Write every verdict row to FILE, as its ending says: .csv, .jsonl or .parquet; may be repeated.",
)
def replay(outputs: tuple[str, ...], as_json: bool, **words: Any) -> None:
    """Judge every packet of captures by the rules and report what came of it.

    Captures are pcap or pcapng files, gzip and zstd too; `-` is standard input. Several are merged by time.
    """
    _check_outputs(outputs, [*words["captures"], *words["rules"]])
    _choose_engine(words["captures"], words["crafted"])
    from firewall.labels import counted
    from firewall.run import Inputs, run_replay

    result = run_replay(Inputs(**words), outputs, version_text())
    _warn(result.warnings)
    for path in outputs:
        sys.stderr.write(f"eniwall: wrote {counted(result.summary.rows, 'row')} to {path}\n")
    if as_json:
        from firewall.reports.json_report import json_report

        emit(json_report(result))
    else:
        from firewall.reports.terminal import terminal_report

        emit(terminal_report(result, _width()))


@cli.command()
@capturing
@click.option(
    "--as",
    "readings",
    metavar="READING,READING",
    default="sg,stateless",
    show_default=True,
    help="The two readings: sg (security groups, with the connection table), stateless (the same rules without it).",
)
def compare(readings: str, as_json: bool, **words: Any) -> None:
    """Judge the same packets with and without the connection table and show what differs.

    The report ends with the rules that the stateless reading would need for the replies.
    """
    _choose_engine(words["captures"], words["crafted"])
    from firewall.run import Inputs, run_compare

    compared = run_compare(Inputs(**words), readings, version_text())
    _warn(dict.fromkeys(warning for result in compared.results for warning in result.warnings))
    from firewall.reports.compare_report import compare_json, compare_terminal

    emit(compare_json(compared) if as_json else compare_terminal(compared, _width()))


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
    _choose_engine(words["captures"], words["crafted"])
    from firewall.run import Inputs, run_state

    found = run_state(Inputs(**words), at, flow, version_text())
    _warn(found.warnings)
    from firewall.reports.state_report import life_report, shown_text, state_json, table_text

    if as_json:
        emit(state_json(found))
    elif found.life is not None:
        emit(life_report(found.life, found.captures, _width()))
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
    _warn(snapshot.warnings)
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
    _warn(seen.warnings)
    if as_json:
        from firewall.reports.rules_json import rules_json

        emit(rules_json(seen))
    else:
        from firewall.reports.rules_report import rules_terminal

        emit(rules_terminal(seen, _width()))
    if seen.held(conditions):
        sys.exit(HELD)


# --- what commands have in common ----------------------------------------------------------------------
def version_text() -> str:
    """The installed version; a checkout that was never installed has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("eniwall")
    except PackageNotFoundError:
        return "(not installed)"


def emit(text: str) -> None:
    """Write to standard output; a reader that has gone away (`| head`) is no error, a full disk is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, "standard output") from None


def _warn(warnings: Sequence[str] | dict[str, None]) -> None:
    for warning in warnings:
        sys.stderr.write(f"eniwall: warning: {_harmless(warning)}\n")


def _width() -> int | None:
    """The terminal's width; None where standard output is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _check_outputs(outputs: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise UsageError, before anything is read, where a file would be written twice or over an input."""
    if len(set(map(os.path.realpath, outputs))) < len(outputs):
        raise UsageError("-o names the same file twice: give each its own name")
    for path in outputs:
        if os.path.realpath(path) in map(os.path.realpath, inputs):
            raise UsageError(f"-o {path}: this file is an input of the same command; write to another name")


def _choose_engine(captures: Sequence[str], crafted: Sequence[str]) -> None:
    """A few packets are judged before compiled code would be loaded: ask for the interpreted engine."""
    from firewall.small import is_small
    from pcaps import accelerate

    if not accelerate.chosen() and (crafted or is_small(captures)):
        accelerate.prefer("interpreted")


# --- errors ------------------------------------------------------------------------------------------
def _is_told(error: Exception) -> bool:
    return any(f"{kind.__module__}.{kind.__qualname__}" in TOLD for kind in type(error).__mro__)


def _harmless(text: str) -> str:
    """Lines without control characters: names in files and on the command line must not steer a terminal."""
    from firewall.labels import printable

    return "\n".join(map(printable, text.split("\n")))


def _message(error: Exception) -> str:
    if isinstance(error, RuleFileError) and len(error.problems) > 1:
        return "\n".join([f"{len(error.problems)} problems in the rules:", *(f"  {each}" for each in error.problems)])
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the command `eniwall`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no error
    try:
        cli.main(args=arguments, prog_name="eniwall", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(UNUSABLE)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("eniwall: stopped\n")
        sys.exit(STOPPED)
    except Exception as error:
        if not (_is_told(error) or isinstance(error, OSError)):
            raise
        sys.stderr.write(f"eniwall: {_harmless(_message(error))}\n")
        sys.exit(UNUSABLE)
    sys.exit(DONE)


if __name__ == "__main__":
    main()
