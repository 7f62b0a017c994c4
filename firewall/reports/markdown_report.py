"""`-o FILE.md`: a short summary for a pull request or a ticket, in GitHub's Markdown.

Everything from a capture or a rule file stands in a code span: there it names nobody, links nowhere and
is no markup. https://github.github.com/gfm/#code-spans
"""

import re
from collections.abc import Iterable, Sequence

from firewall.labels import duration_text, printable, rule_text, time_text
from firewall.reports.denied import DeniedService, Top
from firewall.reports.details import Details
from firewall.reports.inputs import Input
from firewall.reports.result import Result
from firewall.reports.terminal import frame_text
from firewall.reports.texts import Words, worded

MOST_ROWS = 10
TICKS = re.compile("`+")


def markdown_report(result: Result, language: str = "en") -> str:
    """The summary; the result must have its details."""
    details, t = result.details, Words(language)
    assert details is not None  # noqa: S101  (run_report gives them)
    parts = [
        f"## {t('title')}",
        ", ".join(map(code, result.labels.captures)) + _span(result),
        _sums(result, t),
        *_denied(details, result, t),
        *_rules(details, t),
        *_points(t("assumptions"), result.assumptions),
        *_points(t("warnings"), [code(warning) for warning in result.warnings]),
        f"### {t('inputs')}",
        "\n".join(_input(each, t) for each in details.inputs),
        f"{t('command')}: {code(details.command)}",
        t("made_by", version=result.version),
    ]
    return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """Text in a code span whose fence is longer than any run of backticks in it; no line breaks."""
    text = printable(text)
    fence = "`" * (max(map(len, TICKS.findall(text)), default=0) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _cell(value: object) -> str:
    """A cell: a bar would end it, within a code span too."""
    return worded(value).replace("|", "\\|")


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = ()) -> str:
    rule = ["---:" if place in set(right) else "---" for place in range(len(heads))]
    lines = [heads, rule, *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _span(result: Result) -> str:
    first, last = result.summary.first_time, result.summary.last_time
    if first is None or last is None:
        return ""
    return f", {time_text(first)} UTC, {duration_text(last - first)}"


def _sums(result: Result, t: Words) -> str:
    summary = result.summary
    two = f" + {t('two_interfaces', count=summary.two_interfaces)}" if summary.two_interfaces else ""
    verdicts = " + ".join(f"{count:,} {name}" for name, count in summary.verdicts.items())
    read = t("packets_read", count=result.packets_read)
    return f"**{read}{two} = {t('verdict_count', count=summary.rows)} = {verdicts}**"


def _denied(details: Details, result: Result, t: Words) -> list[str]:
    top = details.denied_services
    if not top.items:
        return [f"### {t('denied')}", t("denied_none")]
    heads = [t(key) for key in ("interface", "direction", "service", "reason", "packets", "example", "nearest")]
    rows = [
        (
            code(each.eni) if each.eni else "-",
            each.direction or "-",
            code(each.service),
            each.reason,
            each.packets,
            frame_text(each.capture, each.packet, result) if len(result.short_captures) == 1 else
            code(frame_text(each.capture, each.packet, result)),
            code(each.miss) if each.miss else "-",
        )
        for each in top.items[:MOST_ROWS]
    ]  # fmt: skip
    more = [t("ungrouped", count=details.ungrouped)] if details.ungrouped else []
    return [f"### {t('denied')}", _table(heads, rows, (4, 5)), *_others(top, t), *more]


def _others(top: Top[DeniedService], t: Words) -> list[str]:
    left = top.items[MOST_ROWS:]
    others, packets = top.others + len(left), top.other_packets + sum(each.packets for each in left)
    return [t("others", others=others, packets=packets)] if others else []


def _rules(details: Details, t: Words) -> list[str]:
    unused, covered = details.never_used, details.covered
    told = [t("rules_summary", total=len(details.rules), unused=len(unused), covered=len(covered))]
    points = [f"{code(use.rule.name)} ({code(rule_text(use.rule))}): {t('never_used')}" for use in unused[:MOST_ROWS]]
    points += [f"{code(use.rule.name)}: {t('covered_by', rule=code(use.covered_by))}" for use in covered[:MOST_ROWS]]
    points += [f"{each.lint} {code(each.subject)}: {code(each.text)}" for each in details.findings[:MOST_ROWS]]
    return [f"### {t('rules')}", *told, *(["\n".join(f"- {point}" for point in points)] if points else [])]


def _input(each: Input, t: Words) -> str:
    told = f"SHA-256 {code(each.sha256)}" if each.sha256 else each.note
    return f"- {t(f'kind_{each.kind}')} {code(each.name)}: {told}"


def _points(heading: str, lines: Sequence[str]) -> list[str]:
    return [f"### {heading}", "\n".join(f"- {line}" for line in lines)] if lines else []
