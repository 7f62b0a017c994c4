"""Marks of a task: what is wanted, whether the rules do it, and the packet that tells where they do not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from firewall.engine import Firewall
from firewall.explain.explainer import Explainer
from firewall.labels import flow_text, protocol_number, rule_text
from firewall.languages import Text
from firewall.lessons.hints import hint
from firewall.lessons.scene import Row, last_word, reason_text
from firewall.model import NetworkAclEntry, Rule
from pcaps.capture import Capture


@dataclass(frozen=True, slots=True)
class Fault:
    """The packet that decides against the rules: its number, its tuple, the row that says so.

    `rule` is what let an unwanted packet pass, or the rule that denied one; `hint` the nearest miss.
    """

    packet: int
    text: str
    interface: str
    direction: str
    verdict: str
    reason: str
    why: Text
    rule: str
    hint: Text | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A hidden connection, or the probes of an exact task; `fault` is None where the rules do what is wanted."""

    want: str
    about: Text
    packets: int
    fault: Fault | None = None

    @property
    def passed(self) -> bool:
        """True if the rules do what is wanted."""
        return self.fault is None


def mark_object(mark: Mark) -> dict[str, Any]:
    """For JSON; every text in each language."""
    found: dict[str, Any] = {
        "want": mark.want,
        "about": mark.about._asdict(),
        "packets": mark.packets,
        "passed": mark.passed,
        "fault": None,
    }
    if mark.fault is not None:
        fault = mark.fault
        found["fault"] = {name: getattr(fault, name) for name in Fault.__slots__}
        found["fault"]["why"] = fault.why._asdict()
        found["fault"]["hint"] = None if fault.hint is None else fault.hint._asdict()
    return found


def unjudged(why: Text) -> Fault:
    """What is wrong before any packet is judged."""
    return Fault(0, "", "", "", "NOT_EVALUATED", "", why, "", None)


def stopped(row: Row, firewall: Firewall, opened: Callable[[], Capture]) -> Fault:
    """A packet that should pass and does not; `opened` gives the packets up to it once more."""
    return _told(row, firewall, _hint(opened, firewall, row))


def let_through(rows: Sequence[Row], firewall: Firewall) -> Fault:
    """A packet that should not pass and does, by its rows."""
    return _told(last_word(rows), firewall, None, rows)


def _hint(opened: Callable[[], Capture], firewall: Firewall, row: Row) -> Text | None:
    """Why a packet is denied, of another replay that stops at it."""
    if row["verdict"] != "DENY":
        return None
    with opened() as capture:
        explainer = Explainer(firewall.again(), capture.names)
        (explanation,) = explainer.of_capture(capture, [(0, row["packet"])])
    return hint(explanation, explainer)


def _told(row: Row, firewall: Firewall, nearest: Text | None, through: Sequence[Row] = ()) -> Fault:
    named = [_rule_words(str(each["rule"]), firewall) for each in through or [row] if each["rule"]]
    return Fault(
        packet=row["packet"],
        text=_tuple(row),
        interface=row["eni"] or "",
        direction=row["direction"] or "",
        verdict=row["verdict"],
        reason=row["reason"],
        why=reason_text(row, firewall),
        rule=", ".join(dict.fromkeys(named)),
        hint=nearest,
    )


def _tuple(row: Row) -> str:
    if row["src"] is None:
        return ""
    return flow_text(row["src"], row["dst"], protocol_number(row["protocol"]), row["src_port"], row["dst_port"])


def _rule_words(name: str, firewall: Firewall) -> str:
    """A rule's name and what it allows."""
    rules: tuple[Rule | NetworkAclEntry, ...] = (*firewall.rules, *firewall.acl_entries)
    for rule in rules:
        if rule.name == name:
            return f"{name} {rule_text(rule)}"
    return name
