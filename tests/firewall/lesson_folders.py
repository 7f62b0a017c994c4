"""Lessons for tests: the template as a folder, with texts replaced."""

from pathlib import Path

from firewall.errors import LessonFileError
from firewall.lessons.read import read_lesson
from firewall.lessons.scaffold import new_lesson


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
