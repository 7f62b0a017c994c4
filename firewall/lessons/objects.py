"""A lesson as JSON: everything that is told, in every language; no verdict and no hidden connection is in it."""

from typing import Any

from firewall.lessons.lesson import Lesson, Scene

FORMAT = 1  # keys may be added; a key that changes its meaning makes format 2


def listed_object(lesson: Lesson) -> dict[str, Any]:
    """A lesson's line in the list."""
    return {
        "name": lesson.name,
        "number": lesson.number,
        "title": lesson.title._asdict(),
        "teaches": lesson.teaches._asdict(),
        "scenes": len(lesson.scenes),
        "questions": sum(len(scene.questions) for scene in lesson.scenes),
        "task": lesson.task is not None,
    }


def lesson_object(lesson: Lesson) -> dict[str, Any]:
    """A lesson with its scenes, the texts of their rule files, its questions and its task with the start."""
    task = lesson.task
    return {
        "format": FORMAT,
        "name": lesson.name,
        "number": lesson.number,
        "title": lesson.title._asdict(),
        "teaches": lesson.teaches._asdict(),
        "story": lesson.story._asdict(),
        "sources": list(lesson.sources),
        "undocumented": None if lesson.undocumented is None else lesson.undocumented._asdict(),
        "hosts": dict(lesson.hosts),
        "scenes": [_scene_object(scene) for scene in lesson.scenes],
        "task": None
        if task is None
        else {
            "text": task.text._asdict(),
            "reading": task.reading,
            "profile": task.profile,
            "settings": dict(task.settings),
            "start": task.start.read_text("utf-8-sig"),
        },
    }


def _scene_object(scene: Scene) -> dict[str, Any]:
    return {
        "name": scene.name,
        "title": scene.title._asdict(),
        "takeaway": scene.takeaway._asdict(),
        "profile": scene.profile,
        "settings": dict(scene.settings),
        "rules": [{"name": name, "text": text} for name, text in scene.rule_texts()],
        "questions": [
            {
                "packet": each.packet,
                "reading": each.reading,
                "at": each.at,
                "ask": each.ask._asdict(),
                "why": each.why._asdict(),
            }
            for each in scene.questions
        ],
    }
