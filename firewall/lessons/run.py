"""A lesson played to somebody: told scene by scene, asked where there is somebody to answer."""

from collections.abc import Callable
from typing import Protocol

from firewall.lessons.lesson import LETTERS, Question
from firewall.lessons.scene import Judged, all_judged, answer
from firewall.lessons.view import View

LEAVE = "q"
VERDICTS = {letter.casefold(): verdict for verdict, letter in LETTERS.items()}


class Learner(Protocol):
    """Who answers: a prompt on a terminal. Each gives what is typed, without the end of the line."""

    def answer(self, prompt: str) -> str:
        """Ask a question."""

    def pause(self, prompt: str) -> str:
        """Wait for Enter."""


class Left(Exception):  # noqa: N818  (no error: the learner asked for it)
    """The learner leaves before the end."""


class Run:
    """Plays a lesson; `learner` is None where nobody can answer: then everything is told at once."""

    def __init__(self, view: View, emit: Callable[[str], None], learner: Learner | None = None) -> None:
        self._view = view
        self._emit = emit
        self._learner = learner
        self._asked = self._predicted = self._right = 0

    def play(self) -> None:
        """The whole lesson, or as far as the learner goes. Raises as Play.firewalls and Play.capture."""
        try:
            self._play()
        except Left:
            self._emit(self._view.left(self._right, self._predicted))

    def _play(self) -> None:
        view, scenes = self._view, self._view.lesson.scenes
        self._emit(view.opening())
        for place, scene in enumerate(scenes):
            judged = all_judged(scene)
            if place and self._learner is not None:
                self._pause(self._learner, "next_scene")
            self._emit(view.scene(place, judged, verdicts=self._learner is None))
            for question in scene.questions:
                self._ask(question, judged)
            if self._learner is not None:
                self._pause(self._learner, "go_on")
                self._emit(view.verdicts(judged))
            self._emit(view.takeaway(place))
        self._emit(view.closing(self._right, self._predicted))

    def _ask(self, question: Question, judged: dict[str, Judged]) -> None:
        """One question; the answer comes after a prediction, or at once where there is none."""
        self._asked += 1
        self._emit(self._view.question(self._asked, question))
        predicted = None if self._learner is None else self._prediction(self._learner, letters(judged))
        right = None
        if predicted is not None:
            right = VERDICTS[predicted] == answer(question, judged)["verdict"]
            self._predicted += 1
            self._right += right
        self._emit(self._view.answered(question, judged, right))

    def _prediction(self, learner: Learner, known: dict[str, str]) -> str | None:
        """One of the letters, asked for until it is typed; None for Enter alone. Raises Left."""
        said = ", ".join(f"{letter} = {verdict}" for letter, verdict in known.items())
        prompt = self._view.said("your_word", letters=said)
        while True:
            typed = _typed(learner.answer(prompt))
            if not typed:
                return None
            for letter, verdict in known.items():
                if typed in (letter, verdict.casefold()):
                    return letter
            prompt = self._view.said("not_a_word", letters=", ".join(known))

    def _pause(self, learner: Learner, key: str) -> None:
        """Wait for Enter. Raises Left."""
        _typed(learner.pause(self._view.said(key)))


def _typed(line: str) -> str:
    """A word that was typed, in lower case. Raises Left."""
    word = line.strip().casefold()
    if word == LEAVE:
        raise Left
    return word


def letters(judged: dict[str, Judged]) -> dict[str, str]:
    """The answers that can be typed: a and d, and the others where the scene has such a verdict."""
    met = {row["verdict"] for each in judged.values() for row in each.rows} | {"ALLOW", "DENY"}
    return {letter: verdict for letter, verdict in VERDICTS.items() if verdict in met}
