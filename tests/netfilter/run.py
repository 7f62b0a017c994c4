"""Hold the engine against the running kernel on many generated packets (root).

    python -m tests.netfilter.run --packets 200000 --seed 1
    python -m tests.netfilter.run --packets 50000 --seed 7 --classes tcp,errors --write found

Rounds of packets go through the kernel's netfilter, then through the engine, compiled and
interpreted; the two must give the same bytes, and both the kernel's verdict, ct state and TCP state.
Exit status 1 if they do not.
"""

import argparse
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.netfilter.compare import Difference, agree, ask_kernel, differences, said, shrunk
from tests.netfilter.engine import Engine, Judged
from tests.netfilter.generate import ALL_CLASSES, CLASSES_ON, PHASE_WIDTH, SECOND, Trace, draw_trace
from tests.netfilter.kernel import Answer, Kernel
from tests.netfilter.namespaces import missing
from tests.netfilter.places import ADDRESSES
from tests.netfilter.record import write_case

ROUND = 10_000  # packets
TIMED_ROUND = 2_400  # packets in six bursts, each over before the next sixth of a second
TIMED_EVERY = 5  # rounds
PACKETS_A_FLOW = 40
LONGEST_ROUND = 2.5 * SECOND  # ns; the shortest timeout of an untouched kernel is SCTP's 3 s
SHOWN = 12  # packets of a flow
MOST_SHOWN = 10  # kinds of disagreement; each costs seconds to make small


@dataclass
class Totals:
    """What was compared so far, and the first difference of each kind."""

    packets: int = 0
    late: int = 0  # packets of rounds that this machine was too slow for
    differing: int = 0
    unequal: int = 0  # rounds in which compiled and interpreted were not the same bytes
    kinds: dict[str, int] = field(default_factory=dict)


@dataclass
class Round:
    """A trace on its way: the kernel has answered, the engines are at it."""

    seed: int
    trace: Trace
    answers: list[Answer]
    compiled: "Future[Judged]"
    interpreted: "Future[Judged]"


class Comparison:
    """One run; a context manager that holds the kernel's namespaces and the engines' processes."""

    def __init__(self, write: Path | None) -> None:
        self.totals = Totals()
        self._write = write
        self._compiled, self._interpreted = Engine("compiled"), Engine("interpreted")
        self._kernel = Kernel(ADDRESSES).__enter__()

    def start(self, seed: int, classes: frozenset[str], packets: int, *, timed: bool) -> Round:
        """Draw a trace, send it through the kernel, hand it to both engines."""
        trace = draw_trace(Random(seed), packets, max(packets // PACKETS_A_FLOW, 1), classes, timed=timed)
        answers = ask_kernel(self._kernel, trace)
        times = [answer.time for answer in answers]
        return Round(seed, trace, answers, self._compiled.start(trace, times), self._interpreted.start(trace, times))

    def finish(self, one: Round) -> None:
        """Compare, and say what differs."""
        compiled, interpreted = one.compiled.result(), one.interpreted.result()
        if compiled.raw != interpreted.raw:
            self.totals.unequal += 1
            say(f"seed {one.seed}: compiled and interpreted differ")
        if not in_time(one.trace, one.answers):
            self.totals.late += len(one.answers)
            return
        self.totals.packets += len(one.answers)
        found = differences(one.answers, compiled)
        self.totals.differing += len(found)
        seen_flows: set[int] = set()
        for difference in found:
            flow = one.trace.packets[difference.at].flow
            if flow not in seen_flows:
                seen_flows.add(flow)
                self._tell(one, difference)

    def _tell(self, one: Round, difference: Difference) -> None:
        """The first of its kind with the fewest packets that show it; the others are counted."""
        kind = f"kernel {said(difference.kernel)}, eniwall {said(difference.engine)} {difference.engine.reason}"
        self.totals.kinds[kind] = self.totals.kinds.get(kind, 0) + 1
        if self.totals.kinds[kind] > 1 or len(self.totals.kinds) > MOST_SHOWN:
            return
        say(f"seed {one.seed} options {dict(one.trace.options)}: {difference}")
        with Kernel(ADDRESSES, reasons=True) as kernel:
            small = shrunk(kernel, self._compiled.judge, one.trace, difference)
            show(kernel, self._compiled, small)
        if self._write is not None:
            folder = self._write / f"live_{one.seed}_{difference.at + 1}"
            write_case(folder, small, f"found by seed {one.seed}: {difference}")
            say(f"  written to {folder}")

    def close(self) -> None:
        """End the engines, take the namespaces away."""
        self._kernel.__exit__(None, None, None)
        for engine in (self._compiled, self._interpreted):
            engine.__exit__(None, None, None)


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def in_time(trace: Trace, answers: list[Answer]) -> bool:
    """Whether no packet was so late that a timeout might have come in between."""
    start = answers[0].time
    if not trace.timed:
        return answers[-1].time - start < LONGEST_ROUND
    pairs = zip(trace.packets, answers, strict=True)
    return all(answer.time - start - packet.due < PHASE_WIDTH for packet, answer in pairs)


def show(kernel: Kernel, engine: Engine, trace: Trace) -> None:
    """The last packets of a trace, with what both say; a star where they differ."""
    answers = ask_kernel(kernel, trace)
    rows = engine.judge(trace, [answer.time for answer in answers]).rows
    lines = list(zip(trace.packets, answers, rows, strict=True))
    say(f"  {len(lines)} packets show it:")
    for packet, answer, row in lines[-SHOWN:]:
        star = " " if agree(answer, row) else "*"
        both = f"kernel {said(answer)} eniwall {said(row)} ({row.reason})"
        say(f"  {star} {both:<48} {packet.frame[12:92].hex()} {answer.reason}")


def run(packets: int, seed: int, classes: frozenset[str], write: Path | None) -> Totals:
    """Compare `packets` generated packets; round k draws from seed * 1000 + k."""
    comparison = Comparison(write)
    begun, waiting, number, sent = time.monotonic(), None, 0, 0
    try:
        while sent < packets or waiting is not None:
            following = None
            if sent < packets:
                timed = number % TIMED_EVERY == TIMED_EVERY - 1
                size = min(TIMED_ROUND if timed else ROUND, packets - sent)
                following = comparison.start(seed * 1000 + number, classes, size, timed=timed)
                number, sent = number + 1, sent + size
            if waiting is not None:
                comparison.finish(waiting)
                tell_progress(comparison.totals, time.monotonic() - begun)
            waiting = following
    finally:
        comparison.close()
    return comparison.totals


def tell_progress(totals: Totals, seconds: float) -> None:
    """One line for all that was done so far."""
    late = f", {totals.late} not compared (this machine was too slow)" if totals.late else ""
    say(f"{totals.packets} packets compared, {totals.differing} disagreements{late}, {seconds:.0f} s")


def main() -> int:
    """The command line; 1 where kernel and engine, or the engine's two ways to run, differ."""
    parser = argparse.ArgumentParser(description="compare eniwall with the running kernel's netfilter (root)")
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--classes", default=",".join(sorted(CLASSES_ON)), help=", ".join(sorted(ALL_CLASSES)))
    parser.add_argument("--write", type=Path, help="write a recorded case for each kind of disagreement here")
    asked = parser.parse_args()
    classes = frozenset(asked.classes.split(","))
    if not classes <= ALL_CLASSES:
        parser.error(f"no such class: {', '.join(sorted(classes - ALL_CLASSES))}")
    lack = missing()
    if lack:
        parser.exit(2, f"{lack}\n")
    totals = run(asked.packets, asked.seed, classes, asked.write)
    for kind, count in totals.kinds.items():
        say(f"{count} flows: {kind}")
    return 1 if totals.differing or totals.unequal else 0


if __name__ == "__main__":
    raise SystemExit(main())
