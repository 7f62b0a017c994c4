"""An explanation as lines of text; what comes from files loses its control characters."""

from collections.abc import Iterator
from typing import NamedTuple

from firewall.explain.phases import TITLES, Admits, Choice, Explanation, Passage, Phase
from firewall.explain.sight import DAY
from firewall.labels import counted, printable, time_text

CRAFTED = "crafted"  # the capture that crafted packets are of
WIDTH = max(map(len, TITLES.values()))


class Line(NamedTuple):
    """One line; `style` is rich's, for a terminal."""

    text: str
    style: str = ""


VERDICT_STYLES = {"ALLOW": "green", "DENY": "red", "EXEMPT": "cyan", "NOT_EVALUATED": "yellow"}


def explanation_text(explanation: Explanation) -> str:
    """All of it, with a line feed at the end."""
    return "".join(f"{printable(line.text).rstrip()}\n" for line in explanation_lines(explanation))


def explanation_lines(explanation: Explanation) -> Iterator[Line]:
    """The packet, then its passages."""
    time = explanation.time
    when = f"at {time / 1e9:.6f} s" if 0 <= time < DAY else f"{time_text(time)} UTC"
    name = f"Packet {explanation.packet} of {explanation.capture}"
    if explanation.capture == CRAFTED:
        name = f"Crafted packet {explanation.packet}"
    yield Line(f"{name}, {when}", "bold")
    yield Line(f"  {explanation.text}")
    for passage in explanation.passages:
        at = f" at {passage.eni}, {passage.direction}" if passage.direction else ""
        yield Line(f"  {passage.verdict}{at}: {passage.reason}", VERDICT_STYLES[passage.verdict])
    several = len(explanation.passages) > 1
    number = 0
    for passage in explanation.passages:
        yield Line("")
        if several:
            yield Line(f"At {passage.eni}, {passage.direction}", "bold")
        for phase in passage.phases:
            number += 1
            yield from _phase_lines(number, phase, passage)
    if explanation.more:
        yield Line("")
        more = counted(explanation.more, "more packet")
        yield Line(f"{more} of the capture {'is' if explanation.more == 1 else 'are'} denied alike.")


def _phase_lines(number: int, phase: Phase, passage: Passage) -> Iterator[Line]:
    style = VERDICT_STYLES.get(passage.verdict, "") if phase.kind == "verdict" else ""
    yield Line(f"{number:2}. {TITLES[phase.kind]:<{WIDTH}}  {phase.result}", f"bold {style}".strip())
    for text in phase.lines:
        yield Line(f"    {text}")
    if phase.kind == "verdict":
        yield from (Line(f"    {text}") for text in verdict_notes(passage))


def verdict_notes(passage: Passage) -> list[str]:
    """What stands below a verdict: the nearest miss, and the choices that decided it."""
    notes = []
    if passage.closest:
        notes.append(f"{passage.closest.replace('closest', 'Closest', 1)}.")
    if passage.addition:
        to = f"{passage.group}'s {passage.direction} rules"
        notes.append(f"Adding {passage.addition} to {to} would admit {admits_text(passage.admits)}.")
    return notes + [line for choice in passage.choices for line in choice_lines(choice, passage)]


def admits_text(admits: Admits | None) -> str:
    """`3 connections, 214 packets of this capture (counted by a replay)`."""
    if admits is None:
        return "it"
    if not admits.packets:
        return "nothing: something else denies this packet too (found by a replay)"
    connections, packets = counted(admits.connections, "connection"), counted(admits.packets, "packet")
    return f"{connections}, {packets} of this capture (counted by a replay)"


def choice_lines(choice: Choice, passage: Passage) -> list[str]:
    """A choice that AWS does not document, and what the other one would say."""
    now = f" ({choice.setting})" if choice.setting else ""
    text = f"AWS does not document this; eniwall chooses: {choice.chosen}{now}."
    if choice.verdict is None:
        return [text]
    said = f"{choice.verdict} {choice.reason}"
    if (choice.verdict, choice.reason) == (passage.verdict, passage.reason):
        return [text, f"With --set {choice.other} it stays {said}."]
    flips = "the verdict flips to" if choice.verdict != passage.verdict else "the reason becomes"
    return [text, f"With --set {choice.other} {flips} {said}."]
