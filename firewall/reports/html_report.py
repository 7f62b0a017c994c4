"""`-o FILE.html`: the whole report as one page that needs no network.

The page states its own Content-Security-Policy: nothing is loaded, and of scripts and styles only those run
whose SHA-256 it names (https://www.w3.org/TR/CSP3/). Everything from a capture or a rule file passes
jinja2's autoescape, or stands in the JSON that firewall.reports.connection_page escapes.
"""

import base64
import hashlib
import shlex
import sys
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from firewall.errors import UsageError
from firewall.labels import duration_text, printable, rule_text, time_text
from firewall.reports.chart import bin_rows, strips, width_text
from firewall.reports.details import RuleUse, When, seen_at
from firewall.reports.result import Result
from firewall.reports.terminal import clock_mode, clock_text, frame_text
from firewall.reports.texts import Words
from firewall.verdict import DIRECTIONS, REASONS, VERDICTS

if TYPE_CHECKING:
    from jinja2 import Template

MOST_RULES = 500
MANY = 1 << 33  # addresses: more are written as a power of two
SECTIONS = (
    ("sums", "sums"),
    ("over-time", "over_time"),
    ("denied", "denied"),
    ("rules", "rules"),
    ("interfaces", "interfaces"),
    ("connections", "connections"),
    ("reasons", "reasons"),
    ("assumptions", "assumptions"),
    ("inputs", "inputs"),
)


@dataclass(frozen=True)
class InterfaceRow:
    """One interface and direction."""

    name: str
    addresses: str
    groups: str
    direction: str
    counts: list[int]
    first: When | None
    last: When | None


@dataclass(frozen=True)
class ReasonRow:
    """One reason that occurs."""

    verdict: str
    word: str
    count: int
    meaning: str


def html_report(result: Result, language: str = "en") -> str:
    """The page. Raises UsageError where jinja2 is missing; the result must have its details."""
    check_jinja()
    from firewall.reports.connection_page import connection_page

    details, t = result.details, Words(language)
    assert details is not None  # noqa: S101  (run_report gives them)
    clock, frame = partial(_clock, result), partial(_frame, result)
    bins = details.audit.bins
    drawn = strips(bins)
    return page_template("report.html.j2").render(
        t=t,
        result=result,
        summary=result.summary,
        details=details,
        names=", ".join(result.labels.captures),
        span=_span(result, t),
        sections=[each for each in SECTIONS if drawn or each[0] != "over-time"],
        verdicts=list(result.summary.verdicts.items()),
        verdict_heads=[(name, "own") for name in VERDICTS],
        eni_head=[("interface", "")] if len(result.labels.interfaces) > 1 else [],
        shares=_shares(result),
        percent=partial(_percent, result.summary.rows),
        strips=drawn,
        bin_rows=bin_rows(bins),
        bin_width=width_text(bins.width),
        rules=_rules(details.rules),
        interfaces=_interfaces(result),
        reasons=_reasons(result, t),
        connections=connection_page(result, t, clock, frame, clock_mode(result.summary)),
        settings=", ".join(f"{name}={value}" for name, value in result.changed_settings.items()),
        clock=clock,
        frame=frame,
        when=partial(_when, result),
        rule_text=rule_text,
        addresses=_addresses,
        **own_code(style=("report.css",), script=("report.js",)),
    )


def check_jinja() -> None:
    """Raise UsageError, with the cure, where jinja2 is missing."""
    try:
        import jinja2  # noqa: F401  (only to see that it is there)
    except ImportError:
        install = shlex.join([sys.executable, "-m", "pip", "install", "jinja2"])
        raise UsageError(f"the page needs the package jinja2; install it where eniwall runs: {install}") from None


def _part(name: str) -> str:
    return (files("firewall.reports") / "html" / name).read_text(encoding="utf-8")


def page_template(name: str) -> "Template":
    """The template of a page, which escapes whatever is put into it."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        """Signs that steer a terminal, or turn the direction of what follows, stand as escapes here too."""
        return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=shown)
    return made.from_string(_part(name))


def own_code(**names: tuple[str, ...]) -> dict[str, Any]:
    """Style and script as they stand in a page, with the hashes by which it lets them run."""
    from markupsafe import Markup

    code = {kind: "".join(map(_part, parts)) for kind, parts in names.items()}
    hashes = {f"{name}_hash": Markup(_csp_hash(text)) for name, text in code.items()}  # noqa: S704  (base64)
    return {**hashes, **{name: Markup(text) for name, text in code.items()}}  # noqa: S704  (our own files)


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# --- values ------------------------------------------------------------------------------------------------
def _clock(result: Result, time: int | None) -> str:
    return "-" if time is None else clock_text(time, result.summary)


def _frame(result: Result, capture: str, packet: int) -> str:
    return frame_text(capture, packet, result)


def _when(result: Result, when: When | None) -> str:
    """`13:25:56.316209 (3)`: time and packet."""
    return (
        "-"
        if when is None
        else f"{clock_text(when.time, result.summary)} ({_frame(result, when.capture, when.packet)})"
    )


def _span(result: Result, t: Words) -> str:
    first, last = result.summary.first_time, result.summary.last_time
    if first is None or last is None:
        return ""
    length = duration_text(last - first)
    if clock_mode(result.summary) == "seconds":
        return t("span_seconds", length=length)
    return t("span", first=time_text(first), last=time_text(last), length=length)


def _percent(rows: int, count: int) -> str:
    """`0 %` is none and `100 %` is all: anything between is between."""
    if not rows or count in (0, rows):
        return "100 %" if count else "0 %"
    return f"{min(max(100 * count / rows, 0.1), 99.9):.1f} %"


def _addresses(count: int) -> str:
    """`256`; of IPv6 blocks `2^64`."""
    return f"{count:,}" if count < MANY else f"2^{count.bit_length() - 1}"


def _shares(result: Result) -> list[tuple[str, float, float]]:
    """The verdicts as parts of a bar of 1000: name, left edge, width."""
    parts, left = [], 0.0
    for name, count in result.summary.verdicts.items():
        width = 1000 * count / max(result.summary.rows, 1)
        parts.append((name, round(left, 2), round(width, 2)))
        left += width
    return [part for part in parts if part[2]]


def _rules(uses: tuple[RuleUse, ...]) -> list[RuleUse]:
    """Those with most packets first, then by the files' order."""
    return sorted(uses, key=lambda use: -use.packets)[:MOST_RULES]


def _interfaces(result: Result) -> list[InterfaceRow]:
    found = []
    for number, directions in enumerate(result.summary.by_interface.tolist()):
        eni = result.interfaces[number - 1] if number else None
        found += [
            InterfaceRow(
                result.labels.interfaces[number - 1] if number else "",
                "" if eni is None else ", ".join(map(str, (*eni.addresses, *eni.prefixes))),
                "" if eni is None else ", ".join(eni.groups),
                DIRECTIONS[direction],
                counts,
                *seen_at(result.details, number, direction, result.labels),
            )
            for direction, counts in enumerate(directions)
            if any(counts)
        ]
    return found


def _reasons(result: Result, t: Words) -> list[ReasonRow]:
    counts = zip(REASONS, result.summary.reasons.tolist(), strict=True)
    return [
        ReasonRow(VERDICTS[reason.verdict], reason.word, count, t.reason(reason.word, reason.meaning))
        for reason, count in counts
        if count
    ]
