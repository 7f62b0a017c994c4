"""The rules beside a packet: which were asked, which field of each matched, which failed."""

from collections.abc import Iterable, Sequence

from conntrack.states import CT_STATES, NEW, UNTRACKED
from firewall.explain.phases import Candidate, Phase
from firewall.explain.sight import Sight
from firewall.labels import counted, rule_text
from firewall.model import NetworkAclEntry, Rule
from firewall.nearest import PORT, PROTOCOL, TYPE, Field
from firewall.policy import attached_rules
from firewall.verdict import (
    ALLOW,
    ESTABLISHED,
    FRAGMENT_INCOMPLETE,
    NACL_EGRESS,
    NO_EGRESS_RULE,
    NO_INGRESS_RULE,
    RELATED,
    RULE,
    TABLE_FULL,
    UNDECIDABLE,
)
from firewall.verdict import UNTRACKED as UNTRACKED_REASON

MOST_LISTED = 8
#: Reasons of packets that met the rules; of undecidable packets, and of those that a network ACL then denied, some did.
MET_RULES = (RULE, UNTRACKED_REASON, NO_INGRESS_RULE, NO_EGRESS_RULE, TABLE_FULL)


# --- one rule --------------------------------------------------------------------------------------------
def beside(sight: Sight, rule: Rule | NetworkAclEntry, *, decides: bool) -> Candidate:
    """A rule or an entry beside the packet."""
    action = rule.action if isinstance(rule, NetworkAclEntry) else "allow"
    return Candidate(rule.name, rule_text(rule), action, sight.misses.fields(rule, sight.fields), decides)


def listed(candidates: Iterable[Candidate]) -> list[str]:
    """A line for each, with a mark before the one that decides."""
    return [candidate_text(each) for each in candidates]


def candidate_text(candidate: Candidate) -> str:
    """`-> web:ingress[0] tcp 80 from 0.0.0.0/0: protocol, port and source match`."""
    mark = "->" if candidate.decides else " -"
    denies = "deny " if candidate.action == "deny" else ""
    return f"{mark} {candidate.name} {denies}{candidate.text}: {fields_text(candidate.fields)}"


def fields_text(fields: Sequence[Field]) -> str:
    """`port and source match, protocol does not: tcp is not udp`."""
    matching = [field.name for field in fields if field.matches]
    failing = [field for field in fields if not field.matches]
    if not failing:
        return "everything matches"
    does = "matches" if len(matching) == 1 else "match"
    held = f"{_joined(matching)} {does}, " if matching else ""
    return held + "; ".join(f"{field.name}: {failure_text(field)}" for field in failing)


def failure_text(field: Field) -> str:
    """Why a field does not match: `22 is not 80`, `10.0.2.5 is not in 10.0.1.0/24`."""
    if field.matches is None:
        return f"nobody knows whether {field.packet} is in {field.rule}"
    if field.name == PROTOCOL:
        return f"{field.packet} is not {field.rule}"
    if field.name in (PORT, TYPE):
        packet = "none that can be read" if field.packet == "none" else field.packet
        return f"{packet} is not {'in ' if '-' in field.rule else ''}{field.rule}"
    return f"{field.packet} is not in {field.rule}"


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


# --- the phase -------------------------------------------------------------------------------------------
def met_rules(sight: Sight) -> bool:
    """Whether the engine asked the rules about the packet."""
    reason, ct_state = int(sight.row.reason), int(sight.row.ct_state)
    if reason == UNDECIDABLE:
        return sight.held is None or ct_state == UNTRACKED
    return reason in MET_RULES or (reason == NACL_EGRESS and ct_state in (NEW, UNTRACKED))


def rules_phase(sight: Sight) -> Phase:
    """The rules of the interface's groups and the packet's direction."""
    eni = sight.eni
    rules = [] if eni is None else attached_rules(eni, sight.direction, sight.rule_set)
    if not met_rules(sight):
        return _not_asked(sight)
    candidates = tuple(beside(sight, rule, decides=rule.name == _deciding(sight)) for rule in rules)
    matching = [each for each in candidates if not each.fails]
    reason = int(sight.row.reason)
    groups = "" if eni is None else f"{_groups(eni.groups)} on {eni.interface_id}"
    if not rules and reason != UNDECIDABLE:
        return Phase("rules", f"no {sight.direction} rule", (f"{groups}: there is no {sight.direction} rule at all.",))
    if reason == UNDECIDABLE:
        told = f"{sight.rule} might allow it" if sight.rule else "a group that no file describes might allow it"
        return Phase("rules", told, (_union(groups), *shown(candidates)), candidates)
    if matching:
        others = len(candidates) - len(matching)
        rest = [f"{counted(others, 'other rule')} of this direction {'does' if others == 1 else 'do'} not match."]
        lines = (_union(groups), *listed(matching[:MOST_LISTED]), *rest[: min(others, 1)])
        return Phase("rules", f"{matching[0].name} allows it", lines, candidates)
    told = f"none of {len(rules):,} {sight.direction} rules allows it"
    if len(rules) == 1:
        told = f"the one {sight.direction} rule does not allow it"
    return Phase("rules", told, (_union(groups), *shown(candidates)), candidates)


def _deciding(sight: Sight) -> str:
    """The rule that the row names; a network ACL's row names its entry, so the rules' own reading is asked."""
    if int(sight.row.reason) == NACL_EGRESS:
        return "" if sight.stateless is None else sight.stateless.rule
    return sight.rule


def _groups(groups: Sequence[str]) -> str:
    return f"{'Security group' if len(groups) == 1 else 'Security groups'} {_joined(groups)}" if groups else "No group"


def _union(groups: str) -> str:
    return f"{groups}; one rule that matches in every field is enough:"


def shown(candidates: Sequence[Candidate]) -> list[str]:
    """The candidates that fail on fewest fields, in their own order, and how many are left out."""
    places = sorted(range(len(candidates)), key=lambda place: (len(candidates[place].fails), place))[:MOST_LISTED]
    lines = listed(candidates[place] for place in sorted(places))
    left = len(candidates) - len(places)
    return lines + ([f" - {counted(left, 'further rule')}, none nearer than these"] if left else [])


def _not_asked(sight: Sight) -> Phase:
    reason = int(sight.row.reason)
    if reason == FRAGMENT_INCOMPLETE:
        return Phase("rules", "not asked", ("Rules judge whole datagrams.",))
    if reason == RELATED:
        return Phase("rules", "not asked", ("The error passes with the connection that it is about.",))
    held = sight.held
    if held is None or not (reason == ESTABLISHED or CT_STATES[int(sight.row.ct_state)] == "ESTABLISHED"):
        return Phase("rules", "not asked", ("Rules let connections open; what the table refuses never meets them.",))
    lines = [f"Only what opens a connection meets the rules, and {held.rule or 'an undecidable rule'} let this one in."]
    alone = sight.stateless
    if alone is not None and not sight.is_fragment:
        by_itself = f"{alone.rule} would allow it too" if alone.reason.verdict == ALLOW else "no rule would allow it"
        lines.append(f"By itself, without the table, {by_itself}.")
    return Phase("rules", "not asked", tuple(lines))
