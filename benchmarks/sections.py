"""What `make bench` measures, section by section."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import contenders as who
from benchmarks import growth
from benchmarks.captures import PLANS as PLANS_OF
from benchmarks.captures import RULES, capture_of, case, thousand_rules
from benchmarks.contenders import ENIWALL, LIMIT, TCPDUMP, command, copy, one_core
from benchmarks.rows import MIB, Row, rows_of
from benchmarks.run import OUT, BenchError, Contender, Took, measure, process, tell

Say = Callable[[str], None]
ONE_CORE = ", one core"
FEW = 3  # rounds of what takes many seconds
ROW_FILES = (".parquet", ".csv")


def replaying(capture: Path, *words: str, rules: Path = RULES) -> list[str]:
    """`eniwall replay`, as a user types it."""
    return command("replay", str(capture), "--rules", str(rules), *words)


def timed(name: str, words: Sequence[str], slow: int | None = None) -> Contender:
    """A whole process."""
    return Contender(name, partial(process, words), slow)


def alone(name: str, words: Sequence[str]) -> Contender:
    """The same on one core."""
    return Contender(f"{name}{ONE_CORE}", lambda: process(one_core(words)))


# --- sections ------------------------------------------------------------------------------------------------
def rates(rounds: int, say: Say) -> Iterator[Row]:
    """Packets a second of a replay, process start left out."""
    cases = [partial(case, name) for name in ("m1", "m10", "full1", "scan1")]
    cases += [partial(case, name, thousand_rules(), f"{name}, 1,000 rules") for name in ("m1", "scan1")]
    for make in cases:
        each = make()
        found = measure(who.rated(each), rounds, partial(tell, say, each.name))
        yield from rows_of(each.name, each.packets, found, {TCPDUMP: TCPDUMP, LIMIT: LIMIT})


def whole(rounds: int, say: Say) -> Iterator[Row]:
    """The whole process with its report, code compiled before; then the same on one core."""
    for name in ("m1", "m10"):
        each = case(name)
        judge, read = replaying(each.capture), copy(str(each.capture))
        taking = [timed(TCPDUMP, read), timed(ENIWALL, judge), alone(TCPDUMP, read), alone(ENIWALL, judge)]
        if name == "m1":
            taking.append(timed("imports alone", [sys.executable, "-m", "benchmarks.floor"]))
        found = measure(taking, rounds, partial(tell, say, name))
        on_one = {key.removesuffix(ONE_CORE): found.pop(key) for key in list(found) if key.endswith(ONE_CORE)}
        yield from rows_of(name, each.packets, found, {TCPDUMP: TCPDUMP, "imports alone": "imports alone"})
        yield from rows_of(f"{name}{ONE_CORE}", each.packets, on_one, {TCPDUMP: TCPDUMP})


def threads(rounds: int, say: Say) -> Iterator[Row]:
    """One thread, and two: the replay with its rows counted, then the whole process with as many as eniwall takes."""
    one, two = "--threads 1", "--threads 2"
    for name in ("m1", "m10"):
        each = case(name)
        counted = [Contender(words, partial(who.replay, each, words[-1])) for words in (one, two)]
        yield from rows_of(name, each.packets, measure(counted, rounds, say), {one: one})
        whole = [timed(one, replaying(each.capture, "--threads", "1")), timed("default", replaying(each.capture))]
        yield from rows_of(f"{name}, whole process", each.packets, measure(whole, rounds, say), {one: one})


def memory(_rounds: int, say: Say) -> Iterator[Row]:
    """The most memory that `eniwall replay` held, and the slots of its table."""
    for name in ("m1", "m10"):
        say(name)
        each = case(name)
        try:
            took = process(replaying(each.capture))
            slots = who.replay(each).said["slots"]
        except BenchError as error:
            yield Row(name, ENIWALL, failed=str(error))
            continue
        yield Row(name, ENIWALL, 1, took.seconds, more={"peak MiB": round(took.peak / MIB), "slots": slots})


def cold(words: Sequence[str]) -> Took:
    """A process that finds no compiled code."""
    with tempfile.TemporaryDirectory() as folder:
        return process(words, {"ENIWALL_CACHE": folder, "ENIWALL_ENGINE": ""})


def start(rounds: int, say: Say) -> Iterator[Row]:
    """How long until something is seen."""
    hundred = replaying(capture_of("hundred", PLANS_OF["hundred"]))
    m1 = replaying(case("m1").capture)
    by_size = {"ENIWALL_ENGINE": ""}  # a small capture is judged interpreted, unless the user asked otherwise
    taking = [
        timed("--help", command("--help")),
        Contender("100 packets, empty cache", lambda: cold(hundred)),
        Contender("100 packets", lambda: process(hundred, by_size)),
        Contender("m1, empty cache", lambda: cold(m1), FEW),
        Contender("m1", lambda: process(m1, by_size)),
    ]
    yield from rows_of(ENIWALL, None, measure(taking, rounds, say), {})


def outputs(rounds: int, say: Say) -> Iterator[Row]:
    """Rows written to a file, beside none."""
    each = case("m10")
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        taking = [timed("no rows", replaying(each.capture))]
        for ending in ROW_FILES:
            words = replaying(each.capture, "-o", str(Path(folder) / f"rows{ending}"))
            taking.append(timed(f"-o {ending}", words, FEW))
        found = measure(taking, min(rounds, FEW), say)
    yield from rows_of("m10", each.packets, found, {"no rows": "no rows"})


class Section(NamedTuple):
    """`says` stands above the table."""

    name: str
    says: str
    run: Callable[[int, Say], Iterator[Row]]


SECTIONS = (
    Section("rates", "Reading, tracking and judging, process start left out (tcpdump, tshark: whole process)", rates),
    Section("whole", "The whole process with its report, its code compiled before", whole),
    Section("threads", "One thread beside two; process start left out, but for whole processes", threads),
    Section("memory", "Peak memory of `eniwall replay`", memory),
    Section("start", "Until the first report", start),
    Section("outputs", "Rows of every packet written to a file, whole process", outputs),
    Section("growth", "One number varied, the rest kept (median of three)", growth.growth),
)
