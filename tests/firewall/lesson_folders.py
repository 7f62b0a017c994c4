"""Lessons for tests: the template as a folder, with texts replaced."""

from pathlib import Path

from firewall.errors import LessonFileError
from firewall.lessons.read import read_lesson
from firewall.lessons.scaffold import new_lesson

# Packets of the template, and a shorter line.
LINE = '- {tcp: "customer:40000 > web:80", send: ">S <SA >A >PA <PA"}'
PACKET = '{tcp: "customer:40000 > web:80", send: ">S"}'


def lesson_folder(place: Path, *changes: tuple[str, str], file: str = "lesson.yaml") -> Path:
    """A new lesson, in one of whose files texts are replaced; each must be there."""
    folder = place / "my-lesson"
    if not folder.exists():
        new_lesson(str(folder))
    text = (folder / file).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / file).write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    """What is wrong with a lesson's lesson.yaml and hidden.yaml, without the folder's name."""
    try:
        lesson = read_lesson(folder)
        if lesson.task is not None:
            lesson.task.connections()
    except LessonFileError as error:
        return [problem.replace(f"{folder}/", "") for problem in error.problems]
    return []


def with_packets(place: Path, *lines: str) -> Path:
    """The template with other packets."""
    return lesson_folder(place, (LINE, "\n      ".join(f"- {line}" for line in lines)))


def with_hosts(place: Path, hosts: str) -> Path:
    """The template with more hosts."""
    return lesson_folder(place, ("  web: 10.0.1.10\n", f"  web: 10.0.1.10\n{hosts}\n"))
