"""What commands have in common: how they print, warn, and check the names of files."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from firewall.errors import UsageError

if TYPE_CHECKING:
    from firewall.reports.result import Result


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


def print_report(result: "Result", *, as_json: bool) -> None:
    """Print what a replay came to."""
    if as_json:
        from firewall.reports.json_report import json_report

        emit(json_report(result))
    else:
        from firewall.reports.terminal import terminal_report

        emit(terminal_report(result, width()))


def warn(warnings: Sequence[str] | dict[str, None]) -> None:
    """Write warnings to standard error, a line each."""
    for warning in warnings:
        sys.stderr.write(f"eniwall: warning: {harmless(warning)}\n")


def width() -> int | None:
    """The terminal's width; None where standard output is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def check_outputs(outputs: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise UsageError, before anything is read, where a file would be written twice or over an input."""
    if len(set(map(os.path.realpath, outputs))) < len(outputs):
        raise UsageError("-o names the same file twice: give each its own name")
    for path in outputs:
        if os.path.realpath(path) in map(os.path.realpath, inputs):
            raise UsageError(f"-o {path}: this file is an input of the same command; write to another name")


def choose_engine(captures: Sequence[str], crafted: Sequence[str], follow: bool) -> None:
    """A few packets are judged before compiled code would be loaded: ask for the interpreted engine."""
    from firewall.small import is_small
    from pcaps import accelerate

    if not accelerate.chosen() and (crafted or (not follow and is_small(captures))):
        accelerate.prefer("interpreted")


def harmless(text: str) -> str:
    """Lines without control characters: names in files and on the command line must not steer a terminal."""
    from firewall.labels import printable

    return "\n".join(map(printable, text.split("\n")))
