"""Where lessons are: those that come with eniwall, by name or number, and a teacher's own folders."""

import os
from functools import cache
from pathlib import Path

from firewall.errors import UsageError
from firewall.lessons.lesson import Lesson
from firewall.lessons.read import read_lesson
from firewall.sources.reading import quoted, suggestion

COURSES = Path(__file__).parent / "courses"


@cache
def lessons() -> tuple[Lesson, ...]:
    """The lessons that come with eniwall, by number. Raises LessonFileError."""
    folders = (file.parent for file in COURSES.glob("*/lesson.yaml"))
    return tuple(sorted(map(read_lesson, folders), key=lambda lesson: (lesson.number, lesson.name)))


def load_lesson(name: str | os.PathLike[str]) -> Lesson:
    """A lesson by its name, its number, or the folder of one's own.

    Raises UsageError where there is none, LessonFileError where it cannot be read.
    """
    word = os.fspath(name)
    if word == Path(word).name and (COURSES / word / "lesson.yaml").is_file():
        return read_lesson(COURSES / word)
    if word and Path(word).is_dir():
        return read_lesson(Path(word))
    if word.isdecimal():
        for lesson in lessons():
            if lesson.number == int(word):
                return lesson
    names = [lesson.name for lesson in lessons()]
    hint = suggestion(word, names)
    mark = "" if hint.endswith("?") else ";"
    raise UsageError(
        f"no lesson {quoted(word)}, and no folder of that name: {hint}{mark} eniwall lesson list shows them all"
    )
