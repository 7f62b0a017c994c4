"""Lessons on the terminal: the pages of `lesson list`, `show`, `run` and `grade`; Hangul takes two columns each."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from firewall.explain.sight import sentence
from firewall.labels import PORT_PROTOCOLS, endpoint, flags_text, protocol_number
from firewall.lessons.grade import Grade
from firewall.lessons.lesson import LETTERS, PASSING, READINGS, Lesson, Question, Scene
from firewall.lessons.marks import Fault, Mark
from firewall.lessons.scene import Judged, Row, answer, reason_text
from firewall.lessons.texts import told, words
from firewall.reports.layout import GAP, cells, wrapped
from firewall.reports.page import Column, Page, number

PROSE = 100  # columns of a paragraph where no terminal says how wide it is
MOST_RULE_LINES = 80
NS = 10**9
PAUSE = NS  # a longer time between two packets is shown
INDENT = "  "
HANGUL = re.compile("[\uac00-\ud7a3]")
ANSWER_STYLES = {None: None, True: "bold green", False: "bold red"}  # of predictions; None: there was none


# --- verdicts in a table ---------------------------------------------------------------------------------------
Arrangement = Callable[[Sequence[Row]], list[list[str]]]  # one row's verdicts, as a line of cells or several


def _beside(rows: Sequence[Row]) -> list[list[str]]:
    return [[f"{row['verdict']} {row['reason']}" for row in rows]]


def _below(rows: Sequence[Row]) -> list[list[str]]:
    return [[row["verdict"] for row in rows], [row["reason"] for row in rows]]


def _alone(rows: Sequence[Row]) -> list[list[str]]:
    return [[row["verdict"] for row in rows]]


def _letters(rows: Sequence[Row]) -> list[list[str]]:
    return [[LETTERS[row["verdict"]] for row in rows]]


ARRANGEMENTS: tuple[Arrangement, ...] = (_beside, _below, _alone, _letters)


class View:
    """Makes the pages of one lesson in one language; `width` is the terminal's, None for a pipe or a file."""

    def __init__(self, lesson: Lesson, language: str, width: int | None) -> None:
        self.lesson = lesson
        self.language = language
        self.width = width
        self.said = words(language)
        self._shown_rules: set[tuple[str, ...]] = set()

    # --- the lesson ----------------------------------------------------------------------------------------
    def opening(self) -> str:
        """Title, story, hosts, readings."""
        page, lesson = Page(self.width), self.lesson
        page.line(self.said("lesson", number=lesson.number, title=told(lesson.title, self.language)), "bold")
        page.line()
        self._prose(page, told(lesson.story, self.language))
        page.heading(self.said("hosts"))
        _pairs(page, lesson.hosts.items())
        page.heading(self.said("readings"))
        _pairs(page, ((reading, self.said(reading)) for reading in READINGS))
        return page.text()

    def overview(self) -> str:
        """Everything but the scenes' rules, packets and answers."""
        page, lesson = Page(self.width), self.lesson
        page.heading(self.said("teaches"))
        self._prose(page, told(lesson.teaches, self.language))
        page.heading(self.said("scenes"))
        page.points(told(scene.title, self.language) for scene in lesson.scenes)
        self._undocumented(page)
        self._task(page)
        page.heading(self.said("sources"))
        page.points(lesson.sources)
        page.line()
        page.line(self.said("folder", folder=lesson.folder))
        return self.opening() + page.text()

    def left(self, right: int, predicted: int) -> str:
        """The score of somebody who left before the end."""
        page = Page(self.width)
        page.line()
        page.line(self.said("left" if predicted else "left_unasked", right=right, total=predicted), "bold")
        return page.text()

    def closing(self, right: int, predicted: int) -> str:
        """The score where something was predicted, what was taught, the task."""
        page = Page(self.width)
        if predicted:
            page.line()
            page.line(self.said("score", right=right, total=predicted), "bold")
        page.heading(self.said("teaches"))
        self._prose(page, told(self.lesson.teaches, self.language))
        self._undocumented(page)
        self._task(page)
        page.heading(self.said("sources"))
        page.points(self.lesson.sources)
        return page.text()

    def _undocumented(self, page: Page) -> None:
        """Told behind the scenes: it would give their answers away."""
        if self.lesson.undocumented is not None:
            page.heading(self.said("undocumented"))
            self._prose(page, told(self.lesson.undocumented, self.language))

    def _task(self, page: Page) -> None:
        task = self.lesson.task
        if task is None:
            return
        page.heading(self.said("task"))
        self._prose(page, told(task.text, self.language))
        page.line()
        page.line(self.said("commands"))
        page.block(f"eniwall lesson start {self.lesson.name} -o my-rules.yaml")
        page.block(f"eniwall lesson grade {self.lesson.name} my-rules.yaml")

    # --- a scene -------------------------------------------------------------------------------------------
    def scene(self, place: int, judged: dict[str, Judged], *, verdicts: bool) -> str:
        """Title, rules and packets of a scene, with or without the verdicts; `place` counts from 0."""
        scene = self.lesson.scenes[place]
        page = Page(self.width)
        page.line()
        title = told(scene.title, self.language)
        page.heading(self.said("scene", number=place + 1, total=len(self.lesson.scenes), title=title))
        self._rules(page, scene)
        if scene.settings or scene.profile != "aws":
            settings = [f"profile={scene.profile}", *(f"{name}={value}" for name, value in scene.settings.items())]
            page.line()
            page.line(self.said("settings", settings=", ".join(settings)))
        page.heading(self.said("packets"))
        self._table(page, judged, READINGS if verdicts else ())
        return page.text()

    def verdicts(self, judged: dict[str, Judged]) -> str:
        """The packets with the verdicts of every reading."""
        page = Page(self.width)
        page.heading(self.said("verdicts"))
        self._table(page, judged, READINGS)
        return page.text()

    def takeaway(self, place: int) -> str:
        """What a scene has shown."""
        page = Page(self.width)
        page.heading(self.said("takeaway"))
        self._prose(page, told(self.lesson.scenes[place].takeaway, self.language))
        return page.text()

    def _rules(self, page: Page, scene: Scene) -> None:
        files = scene.rule_texts()
        for name, text in files:
            if (name,) in self._shown_rules:
                page.line()
                page.line(self.said("same_rules", file=name))
                continue
            self._shown_rules.add((name,))
            page.heading(self.said("rules", file=name))
            lines = [line for line in text.splitlines() if _is_for(line, self.language)]
            page.block("\n".join(lines[:MOST_RULE_LINES]))
            if len(lines) > MOST_RULE_LINES:
                more = self.said("more_lines", count=len(lines) - MOST_RULE_LINES, file=name)
                page.line(INDENT + more)

    def _table(self, page: Page, judged: dict[str, Judged], readings: Sequence[str]) -> None:
        """A line a row; reasons stand beside their verdicts, below them where that is too wide, or not at all.

        In the least room verdicts are letters.
        """
        several = len({row["eni"] for row in judged["sg"].rows}) > 1
        heads = [number("#"), Column(self.said("ends")), Column(self.said("what"))]
        heads += [Column(self.said("at"))] if several else []
        columns = (*heads, *map(Column, readings))
        body: list[list[str]] = []
        for arranged in ARRANGEMENTS if readings else (_alone,):
            body = list(self._body(judged, readings, arranged, several=several))
            if self.width is None or _width(columns, body) <= self.width:
                break
        page.table(columns, body)
        if arranged is _letters:
            page.line(INDENT + ", ".join(f"{letter} {verdict}" for verdict, letter in LETTERS.items()), "dim")
        for change in judged["sg"].firewall.timeline.applied:
            page.line(INDENT + self.said("changed", packet=change.packet, change=change.text))

    def _body(
        self, judged: dict[str, Judged], readings: Sequence[str], arranged: Arrangement, *, several: bool
    ) -> Iterator[list[str]]:
        """The lines of a table: what happens between packets, the packets, their verdicts."""
        rows = judged["sg"].rows
        for place in range(len(rows)):
            line = self._line(rows, place, several=several)
            for note in self._between(judged["sg"], place):
                yield ["", note, *[""] * (len(line) - 2 + len(readings))]
            for below, verdicts in enumerate(arranged([judged[reading].rows[place] for reading in readings])):
                yield [*([""] * len(line) if below else line), *verdicts]

    def _line(self, rows: Sequence[Row], place: int, *, several: bool) -> list[str]:
        """What is said of a packet; of its second row only where that is."""
        row = rows[place]
        first = place == 0 or rows[place - 1]["packet"] != row["packet"]
        line = [str(row["packet"]), self._ends(row), self._what(row)] if first else ["", "", ""]
        return [*line, self._at(row)] if several else line

    def _between(self, judged: Judged, place: int) -> Iterator[str]:
        """What happens before a row: time passes, the rules change."""
        rows = judged.rows
        row, before = rows[place], rows[place - 1] if place else None
        if before is not None and row["time"] - before["time"] > PAUSE:
            yield self.said("pause", seconds=_seconds(row["time"] - before["time"]))
        last = 0 if before is None else before["packet"]
        for change in judged.firewall.timeline.applied:
            if last < change.packet <= row["packet"]:
                yield self.said("change")

    def _ends(self, row: Row) -> str:
        if row["src"] is None:
            return ""
        names = self.lesson.host_names
        protocol = protocol_number(row["protocol"])
        ports = (row["src_port"], row["dst_port"]) if protocol in PORT_PROTOCOLS else (None, None)
        ends = zip((row["src"], row["dst"]), ports, strict=True)
        return " > ".join(endpoint(names.get(address, address), protocol, port) for address, port in ends)

    def _what(self, row: Row) -> str:
        """`SYN ACK`, `udp`, `icmp 8/0`."""
        if row["protocol"] is None:
            return ""
        if row["fragment"] is not None:
            return self.said("fragment", protocol=row["protocol"], at=row["fragment"])
        protocol = protocol_number(row["protocol"])
        if protocol not in PORT_PROTOCOLS and row["src_port"] is not None:
            return f"{row['protocol']} {row['src_port']}/{row['dst_port']}"
        return flags_text(protocol, row["flags"]) or row["protocol"]

    def _at(self, row: Row) -> str:
        return " ".join(part for part in (row["eni"], row["direction"] and self.said(row["direction"])) if part)

    # --- questions -----------------------------------------------------------------------------------------
    def question(self, asked: int, question: Question) -> str:
        """A question; `asked` counts from 1 over the whole lesson."""
        page = Page(self.width)
        key = "asked_at" if question.at else "asked"
        about = self.said(key, packet=question.packet, reading=question.reading, at=question.at)
        page.heading(f"{self.said('question', number=asked)} ({about})")
        self._prose(page, told(question.ask, self.language))
        return page.text()

    def answered(self, question: Question, judged: dict[str, Judged], right: bool | None) -> str:
        """The engine's answer, in the words of its reason, and the author's why; `right`: as it was predicted."""
        page = Page(self.width)
        row = answer(question, judged)
        key = "answer" if right is None else "right" if right else "wrong"
        page.line(self.said(key, verdict=row["verdict"], reason=row["reason"]), ANSWER_STYLES[right])
        self._prose(page, told(reason_text(row, judged[question.reading].firewall), self.language), style="dim")
        self._prose(page, told(question.why, self.language))
        return page.text()

    def _prose(self, page: Page, text: str, style: str | None = None) -> None:
        prose(page, text, self.width, style)


def prose(page: Page, text: str, width: int | None, style: str | None = None, indent: str = "") -> None:
    """Paragraphs, broken at spaces."""
    room = min(width or PROSE, PROSE)
    for place, part in enumerate(text.split("\n")):
        if place:
            page.line()
        for line in wrapped(part, room, indent, indent):
            page.line(line.plain, style)


def _is_for(line: str, language: str) -> bool:
    """False for a comment of a rule file in the other language: authors write each for its readers."""
    return not line.lstrip().startswith("#") or bool(HANGUL.search(line)) == (language == "ko")


def _pairs(page: Page, pairs: Iterable[tuple[str, str]]) -> None:
    """Names and what they stand for, in two columns."""
    known = list(pairs)
    longest = max(len(name) for name, _ in known)
    for name, text in known:
        page.line(f"{INDENT}{name:<{longest}}  {text}")


def _seconds(nanoseconds: int) -> str:
    """To a tenth: packets follow each other by less."""
    return f"{nanoseconds / NS:,.1f}".removesuffix(".0")


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """The columns of the terminal that a table takes."""
    heads = [column.name for column in columns]
    widest = (max(cells(row[place]) for row in (heads, *rows)) for place in range(len(heads)))
    return sum(widest) + len(GAP) * (len(heads) - 1) + len(INDENT)


# --- grades --------------------------------------------------------------------------------------------------
def grade_text(grade: Grade, language: str, width: int | None) -> str:
    """The score, a line for each connection, and below those that are wrong the packet that tells and a hint."""
    said = words(language)
    page = Page(width)
    score = said("graded", score=grade.score, total=grade.total)
    page.line(f"{score} ({said(grade.reading)})", "bold")
    page.line()
    for mark in grade.marks:
        right = said("mark_right" if mark.passed else "mark_wrong")
        page.line(f"{INDENT}{right}  {said(mark.want)}: {told(mark.about, language)}", None if mark.passed else "red")
        if mark.fault is not None:
            for text in _fault_texts(mark, mark.fault, language):
                prose(page, text, width, indent=INDENT * 3)
    if grade.passed:
        page.line()
        page.line(said("all_right"), "bold")
    return page.text()


def _fault_texts(mark: Mark, fault: Fault, language: str) -> Iterable[str]:
    said = words(language)
    values = {
        "packet": fault.packet,
        "packets": mark.packets,
        "text": fault.text,
        "verdict": fault.verdict,
        "reason": fault.reason,
        "rule": fault.rule,
        "at": fault.interface,
    }
    if not fault.packet:
        yield told(fault.why, language)
        return
    if fault.verdict in PASSING:
        yield said("passes" if fault.rule else "passes_unruled", **values)
        return
    yield said("denied" if fault.interface else "nowhere", **values)
    yield told(fault.why, language)
    if fault.hint is not None:
        yield sentence(told(fault.hint, language))
