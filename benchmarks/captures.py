"""The captures and rule files that are measured, made in benchmarks/out where they are absent."""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from benchmarks.many_rules import many_rules
from benchmarks.plan import Plan
from benchmarks.run import OUT, process

RULES = Path(__file__).parent / "rules.yaml"
MANY = 1000  # rules of one direction, and entries of a prefix list, that AWS allows at most

PLANS = {
    "m1": Plan(packets=1_000_000, flows=50_000),
    "m10": Plan(packets=10_000_000, flows=500_000),
    "full1": Plan(packets=1_000_000, flows=50_000, payloads=True),
    "scan1": Plan(packets=1_000_000, flows=1_000_000, scan=True),
    "warm-up": Plan(packets=100_000, flows=20_000),  # every kind of packet, and a table that grows
    "hundred": Plan(packets=100, flows=10),
}


class Case(NamedTuple):
    """A capture and the rules that it is judged by."""

    name: str
    capture: Path
    rules: Path
    packets: int
    flows: int

    @property
    def slots(self) -> int:
        """Slots of a table that is at most half full with all its connections."""
        return 1 << (2 * max(self.flows, 512) - 1).bit_length()


def capture_of(name: str, plan: Plan) -> Path:
    """The capture of that name. It is made by another process, so that this one stays small."""
    path = OUT / f"{name}.pcap"
    if not path.exists() or _plan_of(path) != repr(plan):
        OUT.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        process([sys.executable, "-m", "benchmarks.generate", str(unfinished), *_words(plan)])
        unfinished.replace(path)
        path.with_suffix(".plan").write_text(repr(plan))
    return path


def _plan_of(path: Path) -> str:
    """The plan that a capture was made by."""
    said = path.with_suffix(".plan")
    return said.read_text() if said.exists() else ""


def _words(plan: Plan) -> list[str]:
    """A plan as options of benchmarks.generate."""
    words = []
    for option in fields(Plan):
        value = getattr(plan, option.name)
        if value is not False:
            words += [f"--{option.name}"] if value is True else [f"--{option.name}", str(value)]
    return words


def rules_file(name: str, text: Callable[[], str]) -> Path:
    """A rule file of that name."""
    path = OUT / f"{name}.yaml"
    OUT.mkdir(exist_ok=True)
    path.write_text(text())
    return path


def case(name: str, rules: Path = RULES, title: str | None = None) -> Case:
    """One of PLANS, judged by these rules."""
    plan = PLANS[name]
    return Case(title or name, capture_of(name, plan), rules, plan.packets, plan.flows)


def warm_up() -> Path:
    """The capture that every kernel meets before the clock runs."""
    return capture_of("warm-up", PLANS["warm-up"])


def thousand_rules() -> Path:
    """A thousand rules over prefix lists of a thousand entries."""
    return rules_file("1000-rules", lambda: many_rules(MANY, MANY))
