"""`eniwall lesson ...`."""

import json
import sys
from typing import TYPE_CHECKING

import click

from firewall.commands.output import emit, harmless, warn, width
from firewall.commands.words import in_language

if TYPE_CHECKING:
    from firewall.lessons.lesson import Lesson

LANGUAGE = in_language("the texts")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, with the texts in every language.")
NAME = click.argument("name", metavar="LESSON")
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
    from firewall.lessons.catalog import load_lesson

    return load_lesson(name)


def _dumped(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


@lesson.command("list")
@LANGUAGE
@JSON
def list_lessons(language: str, as_json: bool) -> None:
    """List the lessons that come with eniwall.

    A line each: name, number, title.
    """
    from firewall.lessons.catalog import lessons
    from firewall.lessons.objects import listed_object

    found = lessons()
    if as_json:
        emit(_dumped([listed_object(each) for each in found]))
        return
    longest = max((len(each.name) for each in found), default=0)
    emit("".join(f"{each.name:<{longest}}  {each.number:>2}  {getattr(each.title, language)}\n" for each in found))


@lesson.command()
@NAME
@LANGUAGE
@JSON
def show(name: str, language: str, as_json: bool) -> None:
    """Tell what a lesson is about.

    Story, hosts, scenes, task and sources; no verdict is given away.
    """
    found = _loaded(name)
    from firewall.lessons.objects import lesson_object
    from firewall.lessons.view import View

    emit(_dumped(lesson_object(found)) if as_json else View(found, language, width()).overview())


@lesson.command()
@NAME
@LANGUAGE
@click.option("--no-ask", is_flag=True, help="Tell everything at once, as where standard input is no terminal.")
def run(name: str, language: str, no_ask: bool) -> None:
    """Play a lesson: predict verdicts, see why.

    At a question, a is ALLOW, d is DENY, Enter alone reveals the answer without counting it, and q leaves.
    Where standard input or output is no terminal, nothing is asked and the whole lesson is printed.
    """
    found = _loaded(name)
    from firewall.lessons.run import Run
    from firewall.lessons.view import View

    asks = not no_ask and sys.stdin.isatty() and sys.stdout.isatty()
    Run(View(found, language, width()), emit, _Prompt() if asks else None).play()


class _Prompt:
    """The learner at the terminal."""

    def answer(self, prompt: str) -> str:
        """What is typed."""
        return str(click.prompt(prompt, default="", show_default=False))

    def pause(self, prompt: str) -> str:
        """Wait for Enter; what is typed before it."""
        return str(click.prompt(f"\n[{prompt}]", default="", show_default=False, prompt_suffix=""))


@lesson.command()
@NAME
@click.argument("rules", metavar="RULES...", nargs=-1, required=True)
@LANGUAGE
@JSON
def grade(name: str, rules: tuple[str, ...], language: str, as_json: bool) -> None:
    """Grade your rules by a lesson's task.

    It says which hidden connections fare as they should, which do not, at which packet and why, and, where a task
    is exact, what else your rules let pass or stop.
    Exit status 0 where all is right, 1 where it is not, 2 for rules that cannot be used.
    """
    found = _loaded(name)
    from firewall.lessons.grade import grade as graded
    from firewall.lessons.view import grade_text

    marks = graded(found, *rules)
    warn(marks.warnings)
    emit(_dumped(marks.as_object()) if as_json else grade_text(marks, language, width()))
    if not marks.passed:
        sys.exit(WRONG)


@lesson.command()
@NAME
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, a new one; default: standard output.")
def start(name: str, output: str | None) -> None:
    """Give the rules that a task begins with."""
    found = _loaded(name)
    from firewall.lessons.scaffold import task_of, write_start

    if output is None:
        emit(task_of(found).start.read_text("utf-8-sig"))
        return
    write_start(found, output)
    sys.stderr.write(f"eniwall: wrote {output}; have it graded with: eniwall lesson grade {found.name} {output}\n")


@lesson.command()
@click.argument("folder")
def new(folder: str) -> None:
    """Make a folder with a small lesson of your own.

    It is complete; change it bit by bit, as docs/lessons.md says.
    """
    from firewall.lessons.scaffold import new_lesson

    files = new_lesson(folder)
    sys.stderr.write(f"eniwall: wrote {', '.join(str(file) for file in files)}\n")
    sys.stderr.write(f"eniwall: next: eniwall lesson check {folder}\n")


@lesson.command()
@click.argument("folders", metavar="[LESSON]...", nargs=-1)
def check(folders: tuple[str, ...]) -> None:
    """Check that lessons do what they say.

    That is: the letters of every scene, the packets of the questions, the task, whose start must not solve it and
    whose solution must. Without LESSON: those that come with eniwall.
    Exit status 1 where a lesson does not do what it says, 2 where it cannot be read.
    """
    from firewall.lessons.catalog import lessons

    found = [_loaded(folder) for folder in folders or [each.name for each in lessons()]]
    from firewall.lessons.check import check as checked
    from firewall.lessons.check import counts

    wrong = False
    for each in found:
        problems = checked(each)
        wrong = wrong or bool(problems)
        lines = problems or [f"{each.name}: {counts(each)}, as written"]
        emit("".join(f"{harmless(line)}\n" for line in lines))
    if wrong:
        sys.exit(WRONG)
