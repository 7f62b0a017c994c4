"""Every lesson that comes with eniwall does what it says, and what it says can be wrong."""

import re
from dataclasses import replace

import pytest

from firewall.languages import Text
from firewall.lessons.catalog import COURSES, lessons, load_lesson
from firewall.lessons.check import check
from firewall.lessons.grade import grade
from firewall.lessons.lesson import CHANGE, READINGS, Expected, Lesson, Scene
from firewall.lessons.scene import all_judged, answer

UNTYPED = {chr(code) for code in (0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D)}  # dashes and curled quotes
HANGUL = re.compile("[가-힣]")
LESSONS = [pytest.param(lesson, id=lesson.name) for lesson in lessons()]
SCENES = [
    pytest.param(lesson, scene, id=f"{lesson.name}/{scene.name}") for lesson in lessons() for scene in lesson.scenes
]


def texts(lesson: Lesson) -> list[Text]:
    """Every text of a lesson, its hidden connections' too."""
    found = [lesson.title, lesson.teaches, lesson.story]
    found += [] if lesson.undocumented is None else [lesson.undocumented]
    for scene in lesson.scenes:
        found += [scene.title, scene.takeaway, *(text for each in scene.questions for text in (each.ask, each.why))]
    if lesson.task is not None:
        found += [lesson.task.text, *(connection.about for connection in lesson.task.connections())]
    return found


def flipped(scene: Scene, reading: str, place: int) -> Scene:
    """The scene with another letter at one place of one reading."""
    expected = scene.verdicts[reading]
    other = "D" if expected.letters[place] == "A" else "A"
    letters = expected.letters[:place] + other + expected.letters[place + 1 :]
    return replace(scene, verdicts={**scene.verdicts, reading: Expected(expected.where, letters)})


def test_there_are_lessons_and_each_has_a_number_of_its_own() -> None:
    numbers = [lesson.number for lesson in lessons()]
    assert numbers[:2] == [1, 2]
    assert numbers == sorted(set(numbers))
    assert {lesson.name for lesson in lessons()} == {folder.name for folder in COURSES.iterdir() if folder.is_dir()}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_does_what_it_says(lesson: Lesson) -> None:
    assert check(lesson) == []


@pytest.mark.parametrize(("lesson", "scene"), SCENES)
def test_a_scene_is_judged_by_every_reading_as_its_author_wrote(lesson: Lesson, scene: Scene) -> None:
    judged = all_judged(scene)
    assert {reading: judged[reading].letters for reading in READINGS} == {
        reading: expected.letters for reading, expected in scene.verdicts.items()
    }
    rows = {reading: [(row["packet"], row["eni"]) for row in judged[reading].rows] for reading in READINGS}
    assert rows["sg"] == rows["stateless"] == rows["nacl"]  # side by side, row by row
    assert scene.questions, f"{lesson.name}: a scene asks something"


@pytest.mark.parametrize(("lesson", "scene"), SCENES)
@pytest.mark.parametrize("reading", READINGS)
def test_one_wrong_letter_is_found(lesson: Lesson, scene: Scene, reading: str) -> None:
    letters = scene.verdicts[reading].letters
    place = max(at for at, letter in enumerate(letters) if letter != CHANGE)
    (problem,) = check(replace(lesson, scenes=(flipped(scene, reading, place),), task=None))
    assert problem.startswith(f"{scene.verdicts[reading].where} - expected ")
    assert f"the engine says {letters}" in problem


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_solution_scores_all_and_the_start_does_not(lesson: Lesson) -> None:
    assert lesson.task is not None
    solved, started = grade(lesson, lesson.task.solution), grade(lesson, lesson.task.start)
    assert (solved.score, solved.passed) == (solved.total, True)
    assert started.score < started.total
    assert not started.passed
    assert {mark.want for mark in solved.marks} == {"allow", "deny"}


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_text_stands_in_both_languages(lesson: Lesson) -> None:
    sentences = [text for text in texts(lesson) if len(text.ko.split()) > 2]  # "IPv6 ping" is the same in Korean
    assert len(sentences) >= 8
    assert [text for text in sentences if not HANGUL.search(text.ko)] == []
    assert [text for text in texts(lesson) if HANGUL.search(text.en)] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_text_has_a_dash_or_a_curled_quote_that_keyboards_lack(lesson: Lesson) -> None:
    assert [text for text in texts(lesson) if UNTYPED & set(text.en + text.ko)] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_names_its_sources(lesson: Lesson) -> None:
    assert any(source.startswith("https://docs.aws.amazon.com/") for source in lesson.sources)


def test_the_first_lesson_tells_why_a_group_needs_no_return_rule_and_a_network_acl_does() -> None:
    lesson = load_lesson("return-traffic")
    answers = {
        (scene.name, question.reading): answer(question, all_judged(scene))
        for scene in lesson.scenes
        for question in scene.questions
    }
    told = {key: (row["verdict"], row["reason"]) for key, row in answers.items()}
    assert told == {
        ("no-outbound-rule", "sg"): ("ALLOW", "established"),
        ("no-outbound-rule", "nacl"): ("DENY", "nacl-egress"),
        ("entry-for-the-answers", "nacl"): ("ALLOW", "rule"),
        ("what-the-entry-lets-out", "nacl"): ("ALLOW", "rule"),
    }


def test_a_lesson_is_found_by_name_number_and_folder() -> None:
    by_name = load_lesson("return-traffic")
    assert by_name.number == 1
    assert load_lesson("1").name == load_lesson(COURSES / "return-traffic").name == by_name.name
