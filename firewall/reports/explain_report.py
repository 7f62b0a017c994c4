"""What `eniwall explain` prints, and the same as JSON.

`format` is the version of the JSON's keys:

1. captures, profile, settings, warnings; `explanations`: list of capture, packet, time, text, verdict, reason,
   more and `passages` (eni, direction, verdict, reason, ct_state, flow, rule, closest, addition, admits, choices,
   phases); with --denied `kinds` and `denied`; with --flow `story` instead of explanations.

Times are whole nanoseconds since 1970.
"""

from dataclasses import asdict
from typing import Any

from firewall.explain.phases import Explanation
from firewall.explain.result import Explained
from firewall.explain.story import story_lines
from firewall.explain.text import explanation_lines
from firewall.labels import counted
from firewall.reports.json_report import dumped
from firewall.reports.page import Page

FORMAT = 1


def explain_report(explained: Explained, width: int | None = None) -> str:
    """The text; `width` is the terminal's, None for a pipe or a file."""
    page = Page(width)
    if explained.state is not None and explained.state.life is not None:
        for text in story_lines(explained.state.life, several=len(explained.captures) > 1):
            page.line(text)
        return page.text()
    if explained.kinds is not None:
        _kinds(page, explained)
    for place, each in enumerate(explained.explanations):
        if place:
            page.line()
            page.line()
        for line in explanation_lines(each):
            page.line(*line)
    return page.text()


def _kinds(page: Page, explained: Explained) -> None:
    shown, kinds = len(explained.explanations), explained.kinds or 0
    if not kinds:
        page.line("No packet is denied.")
        return
    which = "the first packet of each" if shown == kinds else f"the first packet of {shown:,} of them (--first N)"
    packets, words = counted(explained.denied, "packet"), counted(kinds, "kind")
    page.line(f"{packets} {'is' if explained.denied == 1 else 'are'} denied, of {words}; here is {which}.")
    page.line()


def explain_json(explained: Explained) -> str:
    """All of it with stable keys."""
    report: dict[str, Any] = {
        "format": FORMAT,
        "eniwall": explained.version,
        "captures": list(explained.captures),
        "profile": explained.profile,
        "settings": explained.settings,
        "warnings": list(explained.warnings),
    }
    if explained.kinds is not None:
        report |= {"kinds": explained.kinds, "denied": explained.denied}
    if explained.state is not None and explained.state.life is not None:
        return dumped(report | {"story": story_lines(explained.state.life, several=len(explained.captures) > 1)})
    return dumped(report | {"explanations": [explanation_object(each) for each in explained.explanations]})


def explanation_object(explanation: Explanation) -> dict[str, Any]:
    """One explanation; what a word is missing for is null."""
    found = asdict(explanation) | {"verdict": explanation.verdict, "reason": explanation.reason}
    for passage in found["passages"]:
        for name in ("eni", "direction", "ct_state", "rule", "closest", "addition"):
            passage[name] = passage[name] or None
        for phase in passage["phases"]:
            for candidate in phase["candidates"]:
                candidate["fields"] = [field._asdict() for field in candidate["fields"]]
    return found
