"""Whether a lesson does what its author says: letters, questions, task."""

from collections.abc import Iterator
from itertools import zip_longest

from firewall.errors import EniwallError, RuleFileError
from firewall.labels import counted
from firewall.lessons.grade import Grade, grade
from firewall.lessons.lesson import CHANGE, Lesson, Question, Scene, Task
from firewall.lessons.scene import Judged, all_judged, answer
from pcaps.errors import CaptureError

SHOWN = 40  # letters of each row where two differ


def check(lesson: Lesson) -> list[str]:
    """Every problem, with its place; none: the lesson may be taught."""
    return [*(problem for scene in lesson.scenes for problem in _scene(scene)), *_task(lesson)]


def counts(lesson: Lesson) -> str:
    """What was checked, in a few words."""
    questions = sum(len(scene.questions) for scene in lesson.scenes)
    hidden = 0 if lesson.task is None else len(lesson.task.connections())
    exact = [] if lesson.task is None or not lesson.task.exact else [f"exact ({', '.join(lesson.task.exact)})"]
    parts = [counted(len(lesson.scenes), "scene"), counted(questions, "question")]
    return ", ".join([*parts, counted(hidden, "hidden connection"), *exact])


def _scene(scene: Scene) -> Iterator[str]:
    try:
        judged = all_judged(scene)
    except RuleFileError as error:
        yield from error.problems
        return
    except (EniwallError, CaptureError) as error:
        yield _placed(scene.where, str(error))
        return
    for reading, expected in scene.verdicts.items():
        found = judged[reading].letters
        if found != expected.letters:
            yield f"{expected.where} - {_difference(expected.letters, judged[reading])}"
    yield from _rules(scene, judged)
    for question in scene.questions:
        yield from _question(question, judged)


def _placed(where: str, text: str) -> str:
    """An error with the place of what it is about; those of packets begin with it."""
    return text if text.startswith(where.split(":", 1)[0]) else f"{where} - {text}"


def _difference(expected: str, judged: Judged) -> str:
    """Both rows of letters, and the first packet that they differ at."""
    found = judged.letters
    pairs = enumerate(zip_longest(expected, found, fillvalue=""))
    place = next(at for at, (wanted, got) in pairs if wanted != got)
    row = len(found[:place].replace(CHANGE, ""))
    at = f"packet {judged.rows[row]['packet']}" if row < len(judged.rows) else "its end"
    count = "" if len(expected) == len(found) else f" ({len(expected)} and {len(found)} signs)"
    first = max(0, place - SHOWN // 2) if max(len(expected), len(found)) > SHOWN else 0
    wanted, got = (_part(each, first) for each in (expected, found))
    return f"expected {wanted}, the engine says {got}{count}: the first difference is at {at}"


def _part(letters: str, first: int) -> str:
    """At most SHOWN letters, from `first` on."""
    last = first + SHOWN
    return f"{'...' if first else ''}{letters[first:last]}{'...' if last < len(letters) else ''}"


def _rules(scene: Scene, judged: dict[str, Judged]) -> Iterator[str]:
    """What makes a reading say nothing, or a change never happen."""
    firewall = judged["nacl"].firewall
    if not firewall.acl_entries:
        what = "no interface is in a subnet with a network ACL, so that nacl says nothing"
        yield f"{scene.rules[0]}: {what}: add subnets and network_acls"
    for change in judged["sg"].firewall.timeline.never:
        yield f"{scene.where} - the change {change!r} stands behind the last packet: put packets behind it"


def _question(question: Question, judged: dict[str, Judged]) -> Iterator[str]:
    try:
        answer(question, judged)
    except LookupError as error:
        yield f"{question.where} - {error.args[0]}"


def _task(lesson: Lesson) -> Iterator[str]:
    task = lesson.task
    if task is None:
        return
    try:
        solved, started = grade(lesson, task.solution), grade(lesson, task.start)
        wants = {connection.want for connection in task.connections()}
    except RuleFileError as error:
        yield from error.problems
        return
    except (EniwallError, CaptureError) as error:
        yield _placed(task.where, str(error))
        return
    yield from _grades(task, solved, started)
    for missing in sorted({"allow", "deny"} - wants):
        careless = "allow everything" if missing == "deny" else "allow nothing"
        yield f"{task.hidden}: no connection has want: {missing}, so that rules that {careless} score all: add one"


def _grades(task: Task, solved: Grade, started: Grade) -> Iterator[str]:
    for mark in solved.marks:
        if mark.fault is not None:
            fault = mark.fault
            told = f"packet {fault.packet} is {fault.verdict} {fault.reason}" if fault.packet else fault.why.en
            yield f"{task.solution}: does not solve the task: {mark.about.en} (want: {mark.want}): {told}"
    if started.passed:
        score = counted(started.total, "point")
        yield f"{task.start}: solves the task already ({score}): leave something to do"
