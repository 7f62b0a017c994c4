"""New files for people to go on from: a lesson's folder, the rules that a task begins with."""

import re
import shutil
from pathlib import Path

from firewall.errors import EniwallError, UsageError
from firewall.lessons.lesson import Lesson, Task

TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def new_lesson(folder: str) -> list[Path]:
    """Make a folder with a complete small lesson, and say which files it has.

    Raises UsageError for a name that is none, or a folder that holds something; EniwallError where it cannot be made.
    """
    target = Path(folder)
    if not _NAME.fullmatch(target.name):
        raise UsageError(f"{folder}: a lesson's folder has a lower-case name with hyphens, like my-lesson")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{folder}: is there already; choose another name")
    try:
        target.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copyfile(file, target / file.name)) for file in sorted(TEMPLATE.glob("*.yaml"))]
    except OSError as error:
        raise EniwallError(f"{folder}: cannot be made: {error.strerror or error}") from error


def task_of(lesson: Lesson) -> Task:
    """The lesson's task. Raises UsageError where it has none."""
    if lesson.task is None:
        raise UsageError(f"the lesson {lesson.name} has no task")
    return lesson.task


def write_start(lesson: Lesson, path: str) -> None:
    """Write the rules that a task begins with to a new file: a learner's work is never written over."""
    text = task_of(lesson).start.read_text("utf-8-sig")
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already; choose another name, or delete it first") from None
