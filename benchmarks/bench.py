"""Packets a second, beside tcpdump: `make bench`.

Every contender goes once round by round (A B A B ...), after one round that is not counted, so that
a busy moment of the machine meets all alike; the medians of five are printed and written to
benchmarks/out/bench.json. Ratios are worth more than rates: they travel between machines.

tcpdump is timed as a whole process (`tcpdump -r FILE -w /dev/null`: reads and writes, judges
nothing). eniwall tells the time of its replay itself, from a process of its own: opening and
reading the file and a verdict for each packet are in it, process start and compilation are not.
"""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.generate import generate
from benchmarks.many_rules import many_rules, one_rule
from benchmarks.traffic import Plan

HERE = Path(__file__).parent
OUT = HERE / "out"
RULES = HERE / "rules.yaml"
ROUNDS = 5
BASE = "tcpdump"
WARM_UP = Plan(packets=100_000, flows=20_000)  # every kind of packet, and a table that grows: no kernel is left out


Row = dict[str, str | float]


class BenchError(Exception):
    """The measurement cannot be made; the message says what is missing."""


class Contender(NamedTuple):
    """`measure(FILE)` gives the seconds that one pass over the capture took."""

    name: str
    measure: Callable[[Path], float]


def tcpdump_seconds(capture: Path) -> float:
    """The whole process. Raises BenchError where there is no tcpdump."""
    begin = time.perf_counter()
    try:
        subprocess.run(["tcpdump", "-r", str(capture), "-w", "/dev/null"], check=True, capture_output=True)
    except FileNotFoundError:
        raise BenchError("tcpdump is not installed: apt install tcpdump, or brew install tcpdump") from None
    except subprocess.CalledProcessError as error:
        raise BenchError(f"tcpdump could not read {capture}: {error.stderr.decode().strip()}") from None
    return time.perf_counter() - begin


def eniwall_seconds(capture: Path, rules: Path = RULES) -> float:
    """The replay in a process of its own, as that process tells; reading the rules is not in it."""
    command = [sys.executable, "-m", "benchmarks.replay", str(capture), str(warm_up_capture()), str(rules)]
    done = subprocess.run(command, cwd=HERE.parent, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"the replay of {capture} failed:\n{done.stderr}")
    return float(json.loads(done.stdout)["seconds"])


def with_rules(name: str, text: str) -> Contender:
    """Measure eniwall with a rule file of its own, which is written first."""
    OUT.mkdir(exist_ok=True)
    rules = OUT / f"{name}.yaml"
    rules.write_text(text)
    return Contender(name, partial(eniwall_seconds, rules=rules))


class Case(NamedTuple):
    """A capture and who reads it."""

    plan: Plan
    contenders: Sequence[Contender]


TCPDUMP = Contender(BASE, tcpdump_seconds)


def cases() -> dict[str, Case]:
    """What is measured: a mixed capture; a scan of a million different openers, with one rule and with a thousand."""
    scanned = (with_rules("one-rule", one_rule()), with_rules("1000-rules", many_rules(1000, 1000)))
    return {
        "m1": Case(Plan(packets=1_000_000, flows=50_000, snaplen=96), (TCPDUMP, Contender("eniwall", eniwall_seconds))),
        "scan1": Case(Plan(packets=1_000_000, flows=1_000_000, scan=True), (TCPDUMP, *scanned)),
    }


def capture_of(name: str, plan: Plan) -> Path:
    """The capture of that name, made where it is absent."""
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}.pcap"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        generate(unfinished, plan)
        unfinished.replace(path)
    return path


def warm_up_capture() -> Path:
    """The capture that every kernel meets before the clock runs."""
    return capture_of("warm-up", WARM_UP)


def measure(capture: Path, contenders: Sequence[Contender], rounds: int = ROUNDS) -> dict[str, float]:
    """The median seconds of each contender, in turns."""
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(rounds + 1):
        for contender in contenders:
            seconds = contender.measure(capture)
            if turn:  # the first fills the page cache and the kernel cache
                taken[contender.name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def rows_of(name: str, packets: int, seconds: dict[str, float]) -> list[Row]:
    """One row a contender: rate in packets per second, and its ratio to tcpdump's."""
    base = seconds[BASE]
    return [
        {"capture": name, "contender": who, "packets_per_second": packets / took, "ratio": base / took, "seconds": took}
        for who, took in seconds.items()
    ]


def table_of(rows: list[Row]) -> str:
    """The rows as text."""
    lines = [f"{'capture':10} {'contender':12} {'packets/s':>14} {'ratio':>8}"]
    lines += [
        f"{row['capture']:10} {row['contender']:12} {row['packets_per_second']:14,.0f} {row['ratio']:8.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, write benchmarks/out/bench.json."""
    rows = []
    try:
        for name, case in cases().items():
            rows += rows_of(name, case.plan.packets, measure(capture_of(name, case.plan), case.contenders))
    except BenchError as error:
        sys.exit(f"bench: {error}")
    print(table_of(rows))
    machine = {"machine": platform.machine(), "system": platform.system(), "python": platform.python_version()}
    (OUT / "bench.json").write_text(json.dumps({**machine, "rounds": ROUNDS, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
