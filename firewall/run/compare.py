"""`eniwall compare` from its words to its result."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from firewall.acl_replies import Lacking, remedy
from firewall.changes import Change
from firewall.compare import Comparison, compare, with_replies
from firewall.engine import Firewall
from firewall.group_acls import plan_acls
from firewall.labels import Labels
from firewall.model import RuleSet
from firewall.progress import watched
from firewall.reports.compare_result import ComparedResult, Proof
from firewall.reports.result import Result, finished
from firewall.rows import Judged
from firewall.run.inputs import Inputs, summary_of
from firewall.run.side import Side
from pcaps.ahead import batches_of


class Pass(NamedTuple):
    """One walk over the capture."""

    results: tuple[Result, ...]
    comparison: Comparison
    readable_again: bool


def run_compare(inputs: Inputs, names: tuple[str, ...], version: str) -> ComparedResult:
    """Judge every packet under several readings from one pass; what makes them equal is proven by a second one."""
    plain = {name: inputs.firewall(name) for name in names if name != "nacl"}
    first = next(iter(plain.values()))
    rule_set = first.rule_set
    plan = plan_acls(rule_set, first.interfaces)
    firewalls = [plain.get(name) or inputs.edited(rule_set, name, plan.applied) for name in names]
    lacking = None
    if {"sg", "nacl"} <= set(names):
        lacking = Lacking(first.rules, firewalls[names.index("nacl")].acl_entries)
    found = _walk(inputs, names, firewalls, version, lacking)
    cure = (
        None if lacking is None else remedy(plan, plan.applied(rule_set), lacking, changing=inputs.events is not None)
    )
    guard = plan if "nacl" in names else None
    compared = ComparedResult(names, found.results, found.comparison, guard, cure)
    if "sg" not in names:
        return compared
    return replace(compared, proofs=_proofs(inputs, compared, rule_set, found))


def _walk(
    inputs: Inputs, names: tuple[str, ...], firewalls: Sequence[Firewall], version: str, lacking: Lacking | None
) -> Pass:
    """Judge one capture with all firewalls, side by side."""
    with inputs.capture(firewalls[0]) as capture:
        labels = [Labels.of(firewall, capture.names) for firewall in firewalls]
        summaries = [summary_of(each) for each in labels]
        sides = [Side(capture, batches) for batches in tee(batches_of(capture, inputs.workers), len(firewalls))]
        replays = [firewall.replay(side) for firewall, side in zip(firewalls, sides, strict=True)]

        def count(*judged: Judged) -> None:
            for summary, batch in zip(summaries, judged, strict=True):
                summary.add(batch)
            if lacking is not None:
                lacking.add(judged[names.index("sg")], judged[names.index("nacl")])

        with closing(watched(replays[0], capture)) as first_watched:
            comparison = compare((first_watched, *replays[1:]), names, count)
    results = tuple(
        finished(firewall, capture, summary, each, version, inputs.warnings)
        for firewall, summary, each in zip(firewalls, summaries, labels, strict=True)
    )
    return Pass(results, comparison, bool(inputs.crafted) or _again(inputs, capture.bytes_total))


def _again(inputs: Inputs, size: int | None) -> bool:
    """True where the same packets can be read a second time."""
    return size is not None and not inputs.follow and not any(map(_is_pipe, inputs.captures))


def _is_pipe(name: str) -> bool:
    return name == "-" or (Path(name).exists() and not Path(name).is_file())


# --- the proof -----------------------------------------------------------------------------------------------
def _proofs(inputs: Inputs, compared: ComparedResult, rule_set: RuleSet, found: Pass) -> dict[str, Proof]:
    """What still differs from the groups, by reading: of a second pass where something was added, else of the first."""
    edits: dict[str, Change] = {}
    proofs: dict[str, Proof] = {}
    cure = compared.remedy
    for name in compared.readings:
        if name == "sg":
            continue
        if name == "stateless" and compared.reverse_rules:
            edits[name] = partial(with_replies, rules=compared.reverse_rules)
        elif name == "nacl" and cure is not None and cure.entries:
            edits[name] = partial(cure.plan.applied, added=cure.added)
        else:
            proofs[name] = Proof.of(compared, name, added=False)
    if not edits:
        return proofs
    if not found.readable_again:
        return proofs | dict.fromkeys(edits, Proof.none("once_followed" if inputs.follow else "once_piped"))
    names = ("sg", *edits)
    firewalls = [inputs.firewall("sg"), *(inputs.edited(rule_set, name, edit) for name, edit in edits.items())]
    second = _walk(inputs, names, firewalls, compared.results[0].version, None)
    if second.results[0].packets_read != compared.results[0].packets_read:
        return proofs | dict.fromkeys(edits, Proof.none("once_changed"))
    again = ComparedResult(names, second.results, second.comparison)
    return proofs | {name: Proof.of(again, name, added=True) for name in edits}
