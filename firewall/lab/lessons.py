"""Lessons for the page: those that come with eniwall, and a teacher's own where the command named one."""

from collections.abc import Sequence
from typing import Any

from firewall.errors import UsageError
from firewall.lab.material import LessonScene
from firewall.languages import Text
from firewall.lessons.catalog import lessons, load_lesson
from firewall.lessons.lesson import Lesson, Question, Scene


class Lessons:
    """The lessons that the page may open, by name: a request never names a folder."""

    def __init__(self, own: Lesson | None = None) -> None:
        self._own = own

    @classmethod
    def of(cls, name: str | None) -> "Lessons":
        """Those that come with eniwall, and the one that a command named. Raises UsageError, LessonFileError."""
        return cls(None if name is None else load_lesson(name))

    @property
    def first(self) -> str | None:
        """The name of the lesson that a command named, or of the first one; None where there is none at all."""
        return next(iter(self._known), None) if self._own is None else self._own.name

    def some_scene(self) -> list[Scene]:
        """One scene, where there is one."""
        return [scene for lesson in self._known.values() for scene in lesson.scenes][:1]

    @property
    def _known(self) -> dict[str, Lesson]:
        own = () if self._own is None else (self._own,)
        return {lesson.name: lesson for lesson in (*lessons(), *own)}

    def _lesson(self, name: object) -> Lesson:
        known = self._known
        if not isinstance(name, str) or name not in known:
            raise UsageError("no lesson of this name: choose one of the list")
        return known[name]

    def listed(self) -> list[dict[str, Any]]:
        """{"name", "number", "title", "teaches", "task"}, in order."""
        return [
            {
                "name": lesson.name,
                "number": lesson.number,
                "title": both(lesson.title),
                "teaches": both(lesson.teaches),
                "task": lesson.task is not None,
            }
            for lesson in self._known.values()
        ]

    def whole(self, name: str) -> dict[str, Any]:
        """Everything that is shown beside the steps: texts, scenes with their questions, the task. No answer."""
        lesson = self._lesson(name)
        return {
            "name": lesson.name,
            "number": lesson.number,
            "title": both(lesson.title),
            "teaches": both(lesson.teaches),
            "story": both(lesson.story),
            "sources": list(lesson.sources),
            "undocumented": None if lesson.undocumented is None else both(lesson.undocumented),
            "hosts": lesson.host_names,
            "scenes": [_scene(scene) for scene in lesson.scenes],
            "task": None if lesson.task is None else {"text": both(lesson.task.text), "reading": lesson.task.reading},
        }

    def scene(self, name: object, number: object, task: object) -> LessonScene:
        """The packets and rules of a scene (from 1); with `task` its packets and the task's rules."""
        lesson = self._lesson(name)
        if type(number) is not int or not 1 <= number <= len(lesson.scenes):
            raise UsageError(f"the lesson {lesson.name} has scenes 1 to {len(lesson.scenes)}")
        if task and lesson.task is None:
            raise UsageError(f"the lesson {lesson.name} has no task")
        return LessonScene(lesson, lesson.scenes[number - 1], bool(task))


def both(text: Text) -> dict[str, str]:
    """A text in every language."""
    return text._asdict()


def _scene(scene: Scene) -> dict[str, Any]:
    return {
        "name": scene.name,
        "title": both(scene.title),
        "rules": [path.name for path in scene.rules],
        "questions": _questions(scene.questions),
        "takeaway": both(scene.takeaway),
    }


def _questions(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """`at` is the interface that is asked about, empty for the last word of all."""
    return [
        {
            "packet": question.packet,
            "reading": question.reading,
            "at": question.at,
            "ask": both(question.ask),
            "why": both(question.why),
        }
        for question in questions
    ]
