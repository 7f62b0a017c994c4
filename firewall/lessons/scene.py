"""Scenes judged: a firewall for each reading, the packets, the rows and their letters."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from firewall.changes import Event, Moment
from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.errors import LessonFileError, RuleFileError
from firewall.labels import Labels
from firewall.languages import Text
from firewall.lessons.lesson import CHANGE, LETTERS, Change, Play, Question, Scene
from firewall.lessons.packets import laid_out
from firewall.model import RuleSet
from firewall.sources import load_rules
from firewall.sources.events import made_changes
from firewall.sources.findings import Findings
from firewall.steps.whys import why
from firewall.verdict import REASON_WORDS, REASONS
from pcaps.batch import NOT_A_FRAGMENT
from pcaps.capture import Capture, FrameCapture, open_capture

#: A verdict row by column name (firewall.columns), and of its packet: TCP's `flags`; of a fragment the byte of its
#: datagram that it begins with, `fragment`, else None.
Row = dict[str, Any]


class Judged(NamedTuple):
    """The rows of a scene under one reading, with the firewall as it is behind them."""

    firewall: Firewall
    rows: list[Row]

    @property
    def letters(self) -> str:
        """A letter a row, and `|` where the rules change."""
        return letters(self.rows, changed_before(self.firewall))


def firewalls(play: Play, rules: Iterable[str | Path], readings: Sequence[str]) -> dict[str, Firewall]:
    """See Play.firewalls."""
    paths = list(rules)
    known = load_rules(*paths)
    if not known.interfaces:
        told = "states no interface, so that no packet meets its rules: add interfaces: with their addresses and groups"
        raise RuleFileError([f"{paths[0]}: {told}"])
    events = _events(play, known)
    return {
        reading: Firewall(known, (), play.profile, play.settings, reading=reading, events=events)
        for reading in readings
    }


def _events(play: Play, rules: RuleSet) -> tuple[Event, ...]:
    """The changes as events before their packets."""
    if not any(isinstance(line, Change) for line in play.lines):
        return ()
    changes = laid_out(play.lines).changes
    findings = Findings([str(play.file)])
    events = made_changes(((Moment("packet", number), line.node) for number, line in changes), rules, findings)
    if findings.problems:
        raise LessonFileError([text for _, text in sorted(findings.problems)])
    return events


def opened(play: Play) -> Capture:
    """See Play.capture."""
    if play.recorded is not None:
        return open_capture(str(play.recorded))
    return FrameCapture(laid_out(play.lines).frames)


def judged(play: Play, firewall: Firewall) -> Judged:
    """Every row of a play under one of its firewalls, which is used up by it."""
    with play.capture() as capture:
        return judged_capture(capture, firewall)


def judged_capture(capture: Capture, firewall: Firewall) -> Judged:
    """Every row of a capture."""
    rows: list[Row] = []
    labels = Labels.of(firewall, capture.names)
    for batch in firewall.replay(capture):
        records = batch.packets.records[batch.verdicts.packet]
        rows += [row | _of_packet(record) for row, record in zip(row_cells(batch, labels), records, strict=True)]
    return Judged(firewall, rows)


def _of_packet(record: Any) -> Row:
    at, fragment = int(record["fragment_offset"]), record["fragment_id"] != NOT_A_FRAGMENT
    return {"flags": int(record["tcp_flags"]), "fragment": at if fragment else None}


def all_judged(scene: Scene, *rules: str | Path) -> dict[str, Judged]:
    """The scene under each reading, with these rule files or its own. Raises as Play.firewalls and Play.capture."""
    return {reading: judged(scene, firewall) for reading, firewall in scene.firewalls(*rules).items()}


def changed_before(firewall: Firewall) -> list[tuple[int, str]]:
    """The changes that were made by now: the packet before which each was, and its words."""
    return [(change.packet, change.text) for change in firewall.timeline.applied]


def letters(rows: Iterable[Row], changes: Sequence[tuple[int, str]]) -> str:
    """A letter a row, and `|` where the rules change."""
    found, done = "", 0
    for row in rows:
        reached = sum(number <= row["packet"] for number, _ in changes)
        found += CHANGE * (reached - done) + LETTERS[row["verdict"]]
        done = reached
    return found


def rows_of(rows: Iterable[Row], packet: int, at: str = "") -> list[Row]:
    """The rows of one packet, in order; `at`: those of one interface."""
    return [row for row in rows if row["packet"] == packet and at in ("", row["eni"])]


def last_word(rows: Sequence[Row]) -> Row:
    """Of one packet's rows the one that decides: the first denial, else the last row."""
    return next((row for row in rows if row["verdict"] == "DENY"), rows[-1])


def reason_text(row: Row, firewall: Firewall) -> Text:
    """Why a row says what it says, in a sentence."""
    reason = REASONS[REASON_WORDS.index(row["reason"])]
    return Text(**why(firewall.reading.code, reason, row["rule"] or ""))


def answer(question: Question, judged: dict[str, Judged]) -> Row:
    """The row that answers a question. Raises LookupError for a packet, or an interface, without a row."""
    found = rows_of(judged[question.reading].rows, question.packet, question.at)
    if not found:
        where = f" at {question.at}" if question.at else ""
        raise LookupError(f"packet {question.packet} has no verdict{where}")
    return last_word(found)
