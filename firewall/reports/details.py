"""What `eniwall report` tells beside the counts of a replay: the use of rules, what was denied, what it rests on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from firewall.audit import Audit
from firewall.covers import service_span
from firewall.labels import Labels
from firewall.lint import lint
from firewall.lint_material import Finding, Material
from firewall.model import ALL_PROTOCOLS, TCP, UDP, Rule
from firewall.reports.denied import DeniedPeer, DeniedService, Top, denied_peers, denied_services
from firewall.reports.inputs import Input
from firewall.summary import Summary

if TYPE_CHECKING:
    from firewall.engine import Firewall

MOST_OPEN = 10  # of the rules that are open widest


class When(NamedTuple):
    """A packet and its time (ns since 1970)."""

    capture: str
    packet: int
    time: int


@dataclass(frozen=True)
class RuleUse:
    """What one rule did: `new` rows that it admitted by itself; the others count with the connections it opened."""

    rule: Rule
    new: int
    packets: int
    bytes: int
    connections: int
    first: When | None
    last: When | None
    covered_by: str  # the name of a rule that lets in all that it does, or nothing


@dataclass(frozen=True)
class OpenRule:
    """A rule by how much it lets in."""

    rule: Rule
    addresses: int  # of its blocks
    ports: int  # of a protocol that has them, else 0
    packets: int


@dataclass(frozen=True)
class Details:
    """All of it. `denied_services` and `denied_peers` count what firewall.attempts keeps apart."""

    command: str
    inputs: tuple[Input, ...]
    audit: Audit
    rules: tuple[RuleUse, ...]
    open_rules: tuple[OpenRule, ...]
    findings: tuple[Finding, ...]
    denied_services: Top[DeniedService]
    denied_peers: Top[DeniedPeer]
    ungrouped: int  # denied rows of attempts beyond those kept apart

    @property
    def never_used(self) -> tuple[RuleUse, ...]:
        """Rules that let nothing through."""
        return tuple(use for use in self.rules if not use.packets)

    @property
    def covered(self) -> tuple[RuleUse, ...]:
        """Rules that another makes useless."""
        return tuple(use for use in self.rules if use.covered_by)


def detailed(
    firewall: "Firewall", summary: Summary, audit: Audit, labels: Labels, inputs: tuple[Input, ...], command: str
) -> Details:
    """The details of a replay that has ended."""
    material = Material(firewall.rule_set, firewall.interfaces)
    attempts = summary.attempts.largest()
    uses = tuple(_rule_uses(firewall.rules, summary, audit, labels, material))
    return Details(
        command=command,
        inputs=inputs,
        audit=audit,
        rules=uses,
        open_rules=_open_rules(uses, material),
        findings=lint(firewall.rule_set, firewall.interfaces).findings,
        denied_services=denied_services(firewall, attempts, labels),
        denied_peers=denied_peers(attempts),
        ungrouped=summary.attempts.ungrouped,
    )


# --- rules -------------------------------------------------------------------------------------------------
def _rule_uses(
    rules: Sequence[Rule], summary: Summary, audit: Audit, labels: Labels, material: Material
) -> Iterator[RuleUse]:
    """Every rule, in the order that the verdict columns number them."""
    opened = np.zeros(len(labels.rules), np.int64)
    for flows in summary.flows:
        by = flows.table["rule"][flows.table["known"]]
        opened += np.bincount(by[by >= 0], minlength=len(opened))
    covered = {each.rule.name: each.by.name for each in material.covered}
    counts = zip(
        summary.rule_hits.tolist(), summary.rule_packets.tolist(), summary.rule_bytes.tolist(), opened.tolist(),
        audit.uses, strict=True,
    )  # fmt: skip
    for rule, (new, packets, size, connections, use) in zip(rules, counts, strict=False):
        first, last = (_when(use, end, labels) for end in ("first", "last"))
        yield RuleUse(rule, new, packets, size, connections, first, last, covered.get(rule.name, ""))


def _when(use: np.void, end: str, labels: Labels) -> When | None:
    if not use["used"]:
        return None
    capture = labels.captures[int(use[f"{end}_capture"])]
    return When(capture, int(use[f"{end}_frame"]), int(use[f"{end}_time"]))


def seen_at(
    details: "Details | None", interface: int, direction: int, labels: Labels
) -> tuple[When | None, When | None]:
    """The first and the last packet judged at an interface (0: at none), one way."""
    if details is None:
        return None, None
    use = details.audit.seen[interface, direction]
    return _when(use, "first", labels), _when(use, "last", labels)


def _open_rules(uses: Sequence[RuleUse], material: Material) -> tuple[OpenRule, ...]:
    """The inbound rules that let in most: by the share of a family's addresses, then by ports."""
    found = []
    for use in uses:
        blocks = material.blocks(use.rule) if use.rule.direction == "ingress" else ()
        share = sum(2.0**-block.prefixlen for block in blocks)
        if share:
            addresses = sum(block.num_addresses for block in blocks)
            found.append((-share, -_breadth(use.rule), OpenRule(use.rule, addresses, _ports(use.rule), use.packets)))
    return tuple(each for *_, each in sorted(found, key=lambda row: row[:2])[:MOST_OPEN])


def _ports(rule: Rule) -> int:
    first, last = service_span(rule)
    return last - first + 1 if rule.protocol in (TCP, UDP, ALL_PROTOCOLS) else 0


def _breadth(rule: Rule) -> int:
    """Ports, and every protocol before all ports of one."""
    return _ports(rule) + (rule.protocol == ALL_PROTOCOLS)
