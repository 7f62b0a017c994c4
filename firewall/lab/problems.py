"""What is wrong with the rules in the editor, each problem at its line."""

import re
from pathlib import Path
from typing import NamedTuple

from firewall.errors import EniwallError, RuleFileError
from firewall.labels import printable

SHOWN_NAME = "rules"  # stands for the temporary file in messages
MOST = 100  # problems in one answer


class Problem(NamedTuple):
    """One mistake; line and column count from 1, and are None where it is of the whole text."""

    line: int | None
    column: int | None
    text: str


def problems_of(error: EniwallError, path: Path) -> list[Problem]:
    """The problems of a rule file that was written to `path`."""
    told = error.problems if isinstance(error, RuleFileError) else [str(error)]
    return [_problem(text, path) for text in told[:MOST]]


def shown(text: str, path: Path) -> str:
    """A message without the temporary file's name and without control characters."""
    return "\n".join(map(printable, text.replace(str(path), SHOWN_NAME).split("\n")))


def _problem(text: str, path: Path) -> Problem:
    """`path:line:column keys - what is wrong` or `path: what is wrong`, in parts."""
    placed = re.match(re.escape(str(path)) + r":(\d+):(\d+) ?(?:- )?", text)
    rest = text[placed.end() :] if placed else text.removeprefix(f"{path}: ")
    return Problem(int(placed[1]) if placed else None, int(placed[2]) if placed else None, shown(rest, path))
