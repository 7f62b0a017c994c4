"""lesson.yaml and hidden.yaml become a Lesson; every mistake is named with file, line and what to write."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from firewall.errors import LessonFileError
from firewall.lessons.lesson import (
    CHANGE,
    LETTERS,
    READINGS,
    Connection,
    Expected,
    Lesson,
    Question,
    Scene,
    Task,
)
from firewall.lessons.read_packets import EXAMPLE, lines
from firewall.lessons.read_words import TEXT_EXAMPLE, Reader
from firewall.model import DIRECTIONS, Direction
from firewall.sources.findings import Findings
from firewall.sources.located import Node, load
from firewall.sources.reading import address, fields, mapping, sequence, shown

KEYS = ("number", "title", "teaches", "story", "sources", "undocumented", "hosts", "scenes", "task")
SCENE_KEYS = (
    *("name", "title", "rules", "profile", "settings", "packets", "capture"),
    *("verdicts", "questions", "takeaway"),
)
QUESTION_KEYS = ("packet", "reading", "at", "ask", "why")
TASK_KEYS = ("text", "reading", "profile", "settings", "start", "solution", "hidden", "exact")
CONNECTION_KEYS = ("want", "about", "packets", "packet")
LETTERS_EXAMPLE = "{sg: AAAAA, stateless: ADAAD, nacl: ADAAD}"
EXACT: dict[str, tuple[Direction, ...]] = {
    "true": DIRECTIONS,
    "false": (),
    "ingress": ("ingress",),
    "egress": ("egress",),
}
TASK_READINGS = ("path", "sg", "stateless", "nacl")
HIDDEN_EXAMPLE = f"connections: [{{want: allow, about: {TEXT_EXAMPLE}, packets: [...]}}]"

MOST_SCENES = 100  # of a lesson, which takes an evening with ten; each is judged by every reading
MOST_CONNECTIONS = 200  # of a task; each is judged alone, some milliseconds

T = TypeVar("T")


def read_lesson(folder: Path) -> Lesson:
    """The lesson of a folder. Raises LessonFileError with every problem of its lesson.yaml."""
    file = folder / "lesson.yaml"
    findings = Findings([str(file)])
    if file.exists() and not (file.is_file() or file.is_dir()):  # a FIFO would be waited for, a device has no end
        findings.file_error(str(file), "not a regular file: write the lesson into one")
        _stop_if_any(findings)
    root = load(file, findings, f"write title: {TEXT_EXAMPLE} and the other keys (docs/lessons.md)")
    lesson = None if root is None else _lesson(root, Reader(folder, findings, {}))
    _stop_if_any(findings)
    if lesson is None:  # every way to None has noted why
        raise AssertionError(f"{file}: a mistake without words")
    return lesson


def read_connections(task: Task) -> tuple[Connection, ...]:
    """The hidden connections of a task. Raises LessonFileError."""
    findings = Findings([str(task.hidden)])
    reader = Reader(task.hidden.parent, findings, dict(task.hosts))
    root = load(task.hidden, findings, f"write {HIDDEN_EXAMPLE}")
    found: list[Connection] = []
    if root is not None:
        known = fields(root, findings, ("hosts", "connections"), HIDDEN_EXAMPLE)
        reader.hosts.update(_hosts(known["hosts"], reader) if "hosts" in known else {})
        listed = reader.need(root, "connections", HIDDEN_EXAMPLE)
        nodes = [] if listed is None else _bounded(listed, HIDDEN_EXAMPLE, (MOST_CONNECTIONS, "connections"), reader)
        found = _all(nodes, lambda node: _connection(node, task, reader))
        if listed is not None and not nodes:
            findings.error(listed, f"there is no connection: write {HIDDEN_EXAMPLE}")
    _stop_if_any(findings)
    return tuple(found)


def _stop_if_any(findings: Findings) -> None:
    if findings.problems:
        raise LessonFileError(list(dict.fromkeys(line for _, line in sorted(findings.problems))))


def _all(nodes: list[Node], read: Callable[[Node], T | None]) -> list[T]:
    return [each for node in nodes if (each := read(node)) is not None]


def _bounded(node: Node, write: str, most: tuple[int, str], reader: Reader) -> list[Node]:
    """The items of a list; `most` says how many of what, and none behind those is read."""
    nodes = sequence(node, reader.findings, write)
    count, what = most
    if len(nodes) > count:
        reader.findings.error(node, f"{len(nodes):,} {what}: write at most {count:,}")
    return nodes[:count]


# --- the lesson ----------------------------------------------------------------------------------------
def _lesson(root: Node, reader: Reader) -> Lesson | None:
    found = fields(root, reader.findings, KEYS, f"title: {TEXT_EXAMPLE}")
    if not isinstance(root.value, dict):
        return None
    number = reader.required(root, "number", "number: 1", reader.number)
    title, teaches, story = (reader.told_at(root, name) for name in ("title", "teaches", "story"))
    sources = reader.required(root, "sources", "[https://docs.aws.amazon.com/...]", lambda node: _sources(node, reader))
    undocumented = reader.told(found["undocumented"]) if root.get("undocumented") else None
    hosts = reader.required(root, "hosts", "{client: 198.51.100.7}", lambda node: _hosts(node, reader))
    reader.hosts.update(hosts or {})
    listed = reader.need(root, "scenes", "a list of scenes (docs/lessons.md)")
    write = "a list of scenes (docs/lessons.md)"
    nodes = [] if listed is None else _bounded(listed, write, (MOST_SCENES, "scenes"), reader)
    if listed is not None and not nodes:
        reader.findings.error(listed, "there is no scene: write one (docs/lessons.md)")
    scenes = _all(nodes, lambda node: _scene(node, reader))
    _check_names(scenes, listed, reader)
    task = _task(found["task"], reader) if root.get("task") else None
    if number is None or title is None or teaches is None or story is None or hosts is None:
        return None
    name = reader.folder.resolve().name
    return Lesson(
        reader.folder, name, number, title, teaches, story, sources or (), undocumented, hosts, tuple(scenes), task
    )


def _sources(node: Node, reader: Reader) -> tuple[str, ...]:
    return tuple(_all(sequence(node, reader.findings, "[https://docs.aws.amazon.com/...]"), reader.line))


def _hosts(node: Node, reader: Reader) -> dict[str, str]:
    """Addresses by the names that packets use."""
    hosts: dict[str, str] = {}
    for name, value in mapping(node, reader.findings, "{client: 198.51.100.7, web: 10.0.1.10}").items():
        key = node.key(name)
        known = reader.name(Node(key.place, key.parent, key.step, name))
        where = address(value, reader.findings)
        if known is not None and where is not None:
            hosts[known] = str(where)
    return hosts


def _check_names(scenes: list[Scene], listed: Node | None, reader: Reader) -> None:
    names = [scene.name for scene in scenes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None and listed is not None:
        reader.findings.error(listed, f"two scenes are called {twice}: give each its own name")


# --- scenes --------------------------------------------------------------------------------------------
def _scene(node: Node, reader: Reader) -> Scene | None:
    found = fields(node, reader.findings, SCENE_KEYS, "name, title, rules, packets, verdicts, takeaway")
    if not isinstance(node.value, dict):
        return None
    name = reader.required(node, "name", "name: no-outbound-rule", reader.name)
    title, takeaway = reader.told_at(node, "title"), reader.told_at(node, "takeaway")
    rules = reader.required(node, "rules", "rules: rules.yaml", reader.files)
    if ("packets" in found) == ("capture" in found):
        reader.findings.error(node, f"a scene has packets or a capture: write packets: [{EXAMPLE}], or capture: FILE")
    said = lines(found["packets"], reader) if "packets" in found else ()
    recorded = reader.file(found["capture"]) if "capture" in found else None
    verdicts = reader.required(node, "verdicts", LETTERS_EXAMPLE, lambda it: _verdicts(it, reader))
    listed = node.get("questions")
    nodes = [] if listed is None else sequence(listed, reader.findings, "a list of questions")
    questions = _all(nodes, lambda it: _question(it, reader))
    profile, settings = reader.profile(node), reader.settings(node)
    if name is None or title is None or takeaway is None or rules is None or verdicts is None:
        return None
    return Scene(
        file=reader.folder / "lesson.yaml",
        rules=rules,
        profile=profile,
        settings=settings,
        lines=said,
        recorded=recorded,
        where=str(node),
        name=name,
        title=title,
        verdicts=verdicts,
        questions=tuple(questions),
        takeaway=takeaway,
    )


def _verdicts(node: Node, reader: Reader) -> dict[str, Expected] | None:
    """The letters of every reading."""
    found = fields(node, reader.findings, READINGS, LETTERS_EXAMPLE)
    known = "".join(LETTERS.values()) + CHANGE
    verdicts: dict[str, Expected] = {}
    for reading in READINGS if isinstance(node.value, dict) else ():
        said = found.get(reading)
        letters = "".join(said.value.split()) if said is not None and isinstance(said.value, str) else ""
        if said is None:
            reader.findings.error(node, f"{reading} is missing: write a letter a row (A, D, E, N)")
        elif not letters or set(letters) - set(known):
            reader.findings.error(said, f"{shown(said)}: write a letter a row, of {', '.join(known)}")
        else:
            verdicts[reading] = Expected(str(said), letters)
    return verdicts if len(verdicts) == len(READINGS) else None


def _question(node: Node, reader: Reader) -> Question | None:
    fields(node, reader.findings, QUESTION_KEYS, "{packet: 2, reading: sg, ask: ..., why: ...}")
    if not isinstance(node.value, dict):
        return None
    packet = reader.required(node, "packet", "packet: 2", reader.number)
    reading = reader.required(node, "reading", "reading: sg", reader.reading)
    ask, why = reader.told_at(node, "ask"), reader.told_at(node, "why")
    at = node.get("at")
    interface = "" if at is None else reader.line(at)
    if packet is None or reading is None or ask is None or why is None or interface is None:
        return None
    return Question(str(node), packet, reading, ask, why, interface)


# --- the task ------------------------------------------------------------------------------------------
def _task(node: Node, reader: Reader) -> Task | None:
    fields(node, reader.findings, TASK_KEYS, "text, start, solution, hidden")
    if not isinstance(node.value, dict):
        return None
    text = reader.told_at(node, "text")
    read = node.get("reading")
    reading = "path" if read is None else reader.one_of(read, TASK_READINGS)
    start, solution, hidden = (
        reader.required(node, name, f"{name}: {name}.yaml", reader.file) for name in ("start", "solution", "hidden")
    )
    profile, settings = reader.profile(node), reader.settings(node)
    if text is None or reading is None or start is None or solution is None or hidden is None:
        return None
    exact = _exact(node, reader)
    return Task(str(node), text, reading, profile, settings, start, solution, hidden, dict(reader.hosts), exact)


def _exact(node: Node, reader: Reader) -> tuple[Direction, ...]:
    """The directions that a task is exact about: both, one, or none."""
    found = node.get("exact")
    if found is None or isinstance(found.value, bool):
        return EXACT[str(found is not None and found.value).lower()]
    return EXACT[reader.one_of(found, tuple(EXACT)) or "false"]


def _connection(node: Node, task: Task, reader: Reader) -> Connection | None:
    fields(node, reader.findings, CONNECTION_KEYS, HIDDEN_EXAMPLE)
    if not isinstance(node.value, dict):
        return None
    want = reader.required(node, "want", "want: allow, or want: deny", lambda it: reader.one_of(it, ("allow", "deny")))
    about = reader.told_at(node, "about")
    said = reader.required(node, "packets", f"packets: [{EXAMPLE}]", lambda it: lines(it, reader))
    number = node.get("packet")
    packet = 1 if number is None else reader.number(number)
    if number is not None and want == "allow":
        reader.findings.error(number, "every packet of a wanted connection passes: packet stands with want: deny")
    if want is None or about is None or said is None or packet is None:
        return None
    return Connection(
        file=task.hidden,
        rules=(),
        profile=task.profile,
        settings=task.settings,
        lines=said,
        where=str(node),
        want="allow" if want == "allow" else "deny",
        about=about,
        packet=packet,
    )
