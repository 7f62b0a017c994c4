"""`eniwall lesson ...`."""

import sys
from typing import TYPE_CHECKING

import click

from firewall.commands.output import emit, harmless

if TYPE_CHECKING:
    from firewall.lessons.lesson import Lesson

WRONG = 1  # exit status: a lesson that does not do what it says, rules that do not do what is wanted


@click.group()
def lesson() -> None:
    """Learn by packets: predict verdicts, see why, write rules and have them graded.

    A lesson is named by its name, its number, or the folder of one's own (docs/lessons.md says how to write one).
    """


def _loaded(name: str) -> "Lesson":
    """The lesson, to be judged by the interpreted engine: its packets are few."""
    from pcaps import accelerate

    if not accelerate.chosen():
        accelerate.prefer("interpreted")
    from firewall.lessons.library import load_lesson

    return load_lesson(name)


@lesson.command()
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
def check(folders: tuple[str, ...]) -> None:
    """Hold lessons to what they say: the letters of every scene, the questions, the task.

    The start must not solve the task and the solution must. Without FOLDER: the lessons that come with eniwall.
    Exit status 1 where a lesson does not do what it says, 2 where it cannot be read.
    """
    from firewall.lessons.library import lessons

    found = [_loaded(folder) for folder in folders or [each.name for each in lessons()]]
    from firewall.lessons.check import check as checked
    from firewall.lessons.check import counts

    wrong = False
    for each in found:
        problems = checked(each)
        wrong = wrong or bool(problems)
        emit("".join(f"{harmless(problem)}\n" for problem in problems) or f"{each.name}: {counts(each)}, as written\n")
    if wrong:
        sys.exit(WRONG)
