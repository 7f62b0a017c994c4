"""How the rate changes as one number grows: packets, flows, rules, interfaces."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks import contenders as who
from benchmarks.captures import PLANS, RULES, Case, capture_of, rules_file
from benchmarks.contenders import ENIWALL, LIMIT
from benchmarks.many_rules import many_rules, one_rule
from benchmarks.plan import Plan
from benchmarks.rows import Row, rows_of
from benchmarks.run import Contender, measure, tell

ROUNDS = 3
PACKETS_A_FLOW = 20
PACKETS = (10_000, 100_000, 1_000_000, 10_000_000)
FLOWS = (100, 1_000, 10_000, 50_000, 100_000)
RULE_COUNTS = (10, 100, 1000, 4000)  # AWS allows 1,000 on an interface
ENTRIES = 100  # of each prefix list
INTERFACES = (1, 2, 4, 8, 16, 32, 64)
SPREAD = 500_000  # packets over the interfaces

Point = tuple[int, Case]


def _case(plan: Plan, rules: Path = RULES) -> Case:
    """A capture of a plan, one of PLANS where it is the same."""
    name = next((name for name, known in PLANS.items() if known == plan), "")
    name = name or f"grown-{plan.packets}-{plan.flows}-{plan.interfaces}"
    return Case(name, capture_of(name, plan), rules, plan.packets, plan.flows)


def by_packets() -> Iterator[Point]:
    """More packets, and in proportion more flows."""
    for packets in PACKETS:
        yield packets, _case(Plan(packets=packets, flows=packets // PACKETS_A_FLOW))


def by_flows() -> Iterator[Point]:
    """A million packets of more and more flows."""
    for flows in FLOWS:
        yield flows, _case(Plan(flows=flows))


def by_rules() -> Iterator[Point]:
    """A million packets, each a new connection that only the last rules admit."""
    scan = PLANS["scan1"]
    yield 2, _case(scan, rules_file("grown-2-rules", one_rule))
    for count in RULE_COUNTS:
        yield count, _case(scan, rules_file(f"grown-{count}-rules", partial(many_rules, count, ENTRIES)))


def by_interfaces() -> Iterator[Point]:
    """Half a million packets to and from more and more interfaces."""
    for interfaces in INTERFACES:
        rules = rules_file(f"grown-{interfaces}-interfaces", partial(with_interfaces, interfaces))
        yield interfaces, _case(Plan(packets=SPREAD, flows=SPREAD // PACKETS_A_FLOW, interfaces=interfaces), rules)


def with_interfaces(count: int) -> str:
    """benchmarks/rules.yaml for as many interfaces as a capture has."""
    rules = yaml.safe_load(RULES.read_text())
    addresses = [[f"10.0.1.{10 + at}", f"2001:db8:1::{16 + at:x}"] for at in range(count)]
    rules["interfaces"] = {
        f"eni-{at}": {"addresses": pair, "security_groups": ["server"]} for at, pair in enumerate(addresses)
    }
    return str(yaml.safe_dump(rules))


class Series(NamedTuple):
    """A plot; docs/performance.md has its caption."""

    name: str
    points: Callable[[], Iterator[Point]]


SERIES = (
    Series("packets", by_packets),
    Series("flows", by_flows),
    Series("rules", by_rules),
    Series("interfaces", by_interfaces),
)


def growth(rounds: int, say: Callable[[str], None]) -> Iterator[Row]:
    """A row for each point of each series."""
    for series in SERIES:
        for number, each in series.points():
            taking = [
                Contender(LIMIT, partial(who.limit, each)),
                Contender(ENIWALL, partial(who.replay, each)),
            ]
            what = f"{series.name}: {number:,}"
            found = measure(taking, min(rounds, ROUNDS), partial(tell, say, what))
            yield from rows_of(what, each.packets, found, {LIMIT: LIMIT})
