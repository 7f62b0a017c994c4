"""`eniwall compare -o FILE.html`: the comparison as one page that needs no network and no script."""

from dataclasses import dataclass
from typing import Any

from firewall.ephemeral import EPHEMERAL_PAGE, EPHEMERAL_PORTS
from firewall.reports.compare_report import acl_notes, alone, by_hand_notes, proof_text
from firewall.reports.compare_result import ComparedResult, Left, first_difference, frame, rows_of
from firewall.reports.compare_rules import acl_yaml, rules_yaml
from firewall.reports.compare_texts import amount, compare_words
from firewall.reports.html_report import check_jinja, own_code, page_template
from firewall.reports.terminal import clock_text, row_text
from firewall.reports.texts import Words
from firewall.verdict import VERDICTS


@dataclass(frozen=True)
class ReadingRow:
    """A reading with its rows by verdict."""

    name: str
    counts: list[int]
    rows: int


@dataclass(frozen=True)
class SideBySide:
    """One row that differs, as every reading says it."""

    packet: str
    time: str
    eni: str
    direction: str
    flow: str
    said: list[dict[str, Any]]


@dataclass(frozen=True)
class ProofView:
    """What a second replay came to; `kind`: `proven`, `left` or `none`."""

    reading: str
    kind: str
    text: str
    left: tuple[Left, ...]


@dataclass(frozen=True)
class Remedied:
    """A rule file with its notes and its proof."""

    file: list[str]  # its lines
    notes: list[str]
    proof: ProofView | None


def compare_html(compared: ComparedResult, language: str = "en") -> str:
    """The page. Raises UsageError where jinja2 is missing."""
    check_jinja()
    from markupsafe import Markup

    t, first = compare_words(language), compared.results[0]
    stateless, acl = _stateless(compared, t), _acl(compared, t)
    rows = _rows(compared)
    sections = [
        ("readings", "by_reading"),
        ("first", "first"),
        *([("side-by-side", "side_by_side")] if rows else []),
        *([("reverse", "reverse")] if stateless else []),
        *([("acls", "acl_file")] if acl else []),
        ("ephemeral", "ephemeral"),
        ("assumptions", "assumptions"),
    ]
    comparison = compared.comparison
    shown = {"shown": len(rows), "rows": comparison.rows}
    return page_template("compare.html.j2").render(
        t=t,
        result=first,
        names=", ".join(first.labels.captures),
        sections=sections,
        answer=t(
            "differs",
            packets=amount(t, first.packets_read, "packet"),
            differs=amount(t, comparison.packets, "packet"),
        ),
        verdict_heads=[(name, "number") for name in VERDICTS],
        reading_heads=[(name, "") for name in compared.readings],
        readings=[
            ReadingRow(name, list(result.summary.verdicts.values()), result.summary.rows)
            for name, result in zip(compared.readings, compared.results, strict=True)
        ],
        alone=[text for pair in comparison.pairs for text in alone(pair, compared, t)],
        sentences=[first_difference(compared, pair, t) for pair in comparison.pairs if pair.rows],
        rows=rows,
        rows_note=t("rows_cut", **shown) if len(rows) < comparison.rows else t("rows_all", rows=comparison.rows),
        stateless=stateless,
        acl=acl,
        ephemeral=EPHEMERAL_PORTS,
        ephemeral_page=EPHEMERAL_PAGE,
        assumptions=list(dict.fromkeys(each for result in compared.results for each in result.assumptions)),
        warnings=list(compared.warnings),
        settings=", ".join(f"{name}={value}" for name, value in first.changed_settings.items()),
        newline=Markup("\n"),
        **own_code(style=("report.css", "compare.css")),
    )


def _rows(compared: ComparedResult) -> list[SideBySide]:
    return [
        SideBySide(
            frame(sides[0], compared),
            clock_text(sides[0]["time"], compared.results[0].summary),
            sides[0]["eni"] or "-",
            sides[0]["direction"] or "-",
            row_text(sides[0]),
            list(sides),
        )
        for sides in rows_of(compared)
    ]


def _stateless(compared: ComparedResult, t: Words) -> Remedied | None:
    if not {"sg", "stateless"} <= set(compared.readings):
        return None
    rules = compared.reverse_rules
    lines = rules_yaml(rules).splitlines() if rules else []
    return Remedied(lines, list(by_hand_notes(compared, t)), _proof(compared, "stateless", t))


def _acl(compared: ComparedResult, t: Words) -> Remedied | None:
    if compared.remedy is None:
        return None
    lines = acl_yaml(compared.remedy).splitlines() if compared.remedy.is_new else []
    return Remedied(lines, list(acl_notes(compared, t)), _proof(compared, "nacl", t))


def _proof(compared: ComparedResult, reading: str, t: Words) -> ProofView | None:
    proof = compared.proofs.get(reading)
    if proof is None:
        return None
    kind = "none" if proof.rows is None else "left" if proof.rows else "proven"
    return ProofView(reading, kind, proof_text(proof, reading, t), proof.left)
