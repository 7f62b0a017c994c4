"""What a comparison came to: the object that its reports are made from, and its sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from firewall.acl_replies import Remedy
from firewall.columns import row_cells
from firewall.compare import Comparison, Pair, ReverseRule, Ways
from firewall.group_acls import Plan
from firewall.model import LAST_ACL_NUMBER
from firewall.reports.compare_texts import ENGLISH
from firewall.reports.result import Result
from firewall.reports.terminal import frame_text, row_text
from firewall.reports.texts import Words
from firewall.rows import Judged
from firewall.verdict import (
    ALLOW,
    DROPPED_AT_SENDER,
    ESTABLISHED,
    EXEMPT,
    NACL_EGRESS,
    NACL_INGRESS,
    NO_EGRESS_RULE,
    NO_INGRESS_RULE,
    NOT_DELIVERED,
    NOT_EVALUATED,
    REASON_VERDICTS,
    REASON_WORDS,
    REASONS,
    RULE,
    VERDICTS,
)

BY_ACL = (NACL_INGRESS, NACL_EGRESS)


class Left(NamedTuple):
    """Rows that differ although something was added: why (a key of the texts), how many, and the first of them."""

    why: str
    rows: int
    packet: str
    flow: str
    groups_say: str  # verdict and reason
    other_says: str
    rule: str  # that the other reading names


@dataclass(frozen=True)
class Proof:
    """A replay with what was added: how many rows still differ from the groups, or why there was none."""

    rows: int | None
    left: tuple[Left, ...] = ()
    added: bool = True
    unproven: str | None = None  # a key of the texts

    @classmethod
    def none(cls, why: str) -> "Proof":
        """No replay."""
        return cls(None, unproven=why)

    @classmethod
    def of(cls, compared: "ComparedResult", reading: str, *, added: bool) -> "Proof":
        """What a comparison says of the groups and another reading."""
        pair = compared.comparison.pair("sg", reading)
        found: dict[str, Left] = {}
        for way, rows in pair.ways.items():
            key = _why_left(way, reading, compared.results[pair.second])
            if key in found:
                found[key] = found[key]._replace(rows=found[key].rows + rows)
            else:
                found[key] = _left(key, rows, pair, pair.examples[way], compared)
        return cls(pair.rows, tuple(sorted(found.values(), key=lambda left: -left.rows)), added)


@dataclass(frozen=True)
class ComparedResult:
    """Finished replays of the same packets, one a reading, and what differs between them."""

    readings: tuple[str, ...]
    results: tuple[Result, ...]
    comparison: Comparison
    plan: Plan | None = None  # where network ACLs are one of the readings
    remedy: Remedy | None = None  # where security groups are one too
    proofs: dict[str, Proof] = field(default_factory=dict)

    @property
    def reverse_rules(self) -> list[ReverseRule]:
        """The rules that the stateless reading lacks."""
        return self.comparison.reverse_rules(self.results[0].labels.interfaces)

    @property
    def warnings(self) -> dict[str, None]:
        """The warnings of all readings, each once."""
        return dict.fromkeys(warning for result in self.results for warning in result.warnings)


# --- rows ----------------------------------------------------------------------------------------------
def rows_of(compared: ComparedResult, kept: Sequence[Judged] | None = None) -> Iterator[tuple[dict[str, Any], ...]]:
    """The kept rows that differ, each as every reading judged it."""
    sides = compared.comparison.kept if kept is None else kept
    cells = [row_cells(judged, result.labels) for judged, result in zip(sides, compared.results, strict=True)]
    return zip(*cells, strict=True)


def frame(cells: dict[str, Any], compared: ComparedResult) -> str:
    """The frame number of a row, with its capture where there are several."""
    return frame_text(cells["capture"], cells["packet"], compared.results[0])


# --- sentences -----------------------------------------------------------------------------------------
def first_difference(compared: ComparedResult, pair: Pair | None = None, t: Words = ENGLISH) -> str:
    """The first row at which two readings differ, in a sentence."""
    chosen = next(each for each in compared.comparison.pairs if each.rows) if pair is None else pair
    numbers = (chosen.first, chosen.second)
    cells = row_cells(chosen.example[0], compared.results[chosen.first].labels)[0]
    said = [
        t("says", reading=compared.readings[number], verdict=VERDICTS[int(judged.verdicts.verdict[0])],
          why=why(judged, compared.results[number], compared.readings[number], t))
        for number, judged in zip(numbers, chosen.example, strict=True)
    ]  # fmt: skip
    head = t("packet_is", packet=frame(cells, compared), flow=row_text(cells), **_place(cells, t))
    return t("first_sentence", head=head, first=said[0], second=said[1])


def _place(cells: dict[str, Any], t: Words) -> dict[str, str]:
    return {"direction": t(cells["direction"]) if cells["direction"] else "-", "eni": cells["eni"] or t("no_interface")}


def why(kept: Judged, result: Result, reading: str, t: Words = ENGLISH) -> str:
    """Why the first of some kept rows has its verdict."""
    verdicts = kept.verdicts
    reason, rule, flow = int(verdicts.reason[0]), int(verdicts.rule[0]), int(verdicts.flow[0])
    cells = row_cells(kept, result.labels)[0]
    if reason == RULE:
        if rule < 0 and reading == "nacl":
            return t("because_inside")
        if rule >= 0:
            return t("because_rule", rule=result.labels.rule(rule))
    if reason == ESTABLISHED and flow > 0:
        opened = result.connection(int(verdicts.eni[0]), flow)
        opener = frame_text(opened.capture, opened.packet, result)
        return t("because_established", packet=opener, rule=opened.rule)
    if reason in (NO_INGRESS_RULE, NO_EGRESS_RULE):
        return t("because_no_rule", direction=t(str(cells["direction"])), asked=_asked(cells, t))
    if reason in BY_ACL and rule >= 0:
        key = "because_entry" if _is_stated(rule, result) else "because_no_entry"
        return t(key, direction=t(str(cells["direction"])), asked=_asked(cells, t), rule=result.labels.rule(rule))
    word = REASON_WORDS[reason]
    return t("because_reason", reason=word, meaning=t.reason(word, REASONS[reason].meaning))


def _is_stated(rule: int, result: Result) -> bool:
    """True for a network ACL entry with a number, unlike `*`."""
    return result.acl_entries[rule - len(result.rules)].number <= LAST_ACL_NUMBER


def _asked(cells: dict[str, Any], t: Words) -> str:
    """What a rule would have to allow: `tcp to 203.0.113.9, destination port 40000`."""
    incoming = cells["direction"] == "ingress"
    peer = t("from", address=cells["src"]) if incoming else t("to", address=cells["dst"])
    if cells["dst_port"] is None:
        return t("asked", protocol=cells["protocol"], peer=peer)
    if cells["protocol"].startswith("icmp"):
        return t("asked", protocol=f"{cells['protocol']} {cells['src_port']}/{cells['dst_port']}", peer=peer)
    return t("asked_port", protocol=cells["protocol"], peer=peer, port=str(cells["dst_port"]))


# --- what is left --------------------------------------------------------------------------------------
def _why_left(way: Ways, reading: str, result: Result) -> str:
    """Why nothing that could be added makes these rows equal to what the groups say: a key of the texts."""
    ours, theirs = REASON_VERDICTS[way.first], REASON_VERDICTS[way.second]
    if DROPPED_AT_SENDER in (way.first, way.second):
        return "left_sender"
    if EXEMPT in (ours, theirs) or NOT_DELIVERED in (way.first, way.second):
        return "left_exempt"
    if NOT_EVALUATED in (ours, theirs):
        return "left_unknown"
    if theirs == ALLOW:
        inside = reading == "nacl" and way.rule < 0
        return "left_inside" if inside else f"left_{reading}"
    return "left_stated" if way.second in BY_ACL and _is_stated(way.rule, result) else "left_lacking"


def _left(key: str, rows: int, pair: Pair, example: tuple[Judged, Judged], compared: ComparedResult) -> Left:
    """One kind of rows that differ, with its first row."""
    numbers = (pair.first, pair.second)
    groups, other = (
        row_cells(judged, compared.results[number].labels)[0] for judged, number in zip(example, numbers, strict=True)
    )
    ours, theirs = (f"{cells['verdict']} {cells['reason']}" for cells in (groups, other))
    return Left(key, rows, frame(groups, compared), row_text(groups), ours, theirs, str(other["rule"] or ""))
