"""Processes and rounds: what a contender took, told by itself or by the clock around it.

Every contender goes once round by round (A B A B ...), after one round that is not counted, so that a busy moment
of the machine meets all alike. Slow ones have fewer rounds and no round that is not counted. A contender that
fails is told of and left out; the others go on.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
OUT = Path(__file__).parent / "out"
MAX_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes; getrusage(2) of macOS and of Linux
PATIENCE = 3600  # seconds until a process counts as hanging
LAST_WORDS = 200  # characters of what a process said before it failed


class BenchError(Exception):
    """Something cannot be measured; the message says what is missing or what failed."""


class Took(NamedTuple):
    """One run. `said` is what the process said of itself, as JSON."""

    seconds: float
    peak: int  # bytes; of the process alone, as getrusage says
    said: Mapping[str, Any]


class Contender(NamedTuple):
    """`run` takes one turn, or raises BenchError. `slow`: at most so many rounds, all of them counted."""

    name: str
    run: Callable[[], Took]
    slow: int | None = None


class Outcome(NamedTuple):
    """All counted turns of a contender, or why there are none."""

    turns: tuple[Took, ...]
    failed: str = ""

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(turn.seconds for turn in self.turns)


def process(command: Sequence[str], env: Mapping[str, str] | None = None) -> Took:
    """Run to its end; seconds from before its start. Raises BenchError if it cannot, or ends with a fault.

    Its peak memory is never below what this process holds itself: Linux counts from before exec.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told:
        begin = time.perf_counter()
        try:
            started = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | dict(env or {}), stdout=out, stderr=told, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise BenchError(f"{command[0]} is not installed") from None
        _, status, usage = os.wait4(started.pid, 0)
        seconds = time.perf_counter() - begin
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            told.seek(0)
            words = told.read().decode(errors="replace").strip()[-LAST_WORDS:]
            raise BenchError(f"{Path(command[0]).name} ended with {started.returncode}: {' '.join(words.split())}")
        return Took(seconds, usage.ru_maxrss * MAX_RSS_UNIT, _json_of(out))


def _json_of(out: Any) -> Mapping[str, Any]:
    """What a process printed, where it is one JSON object of a line."""
    out.seek(0)
    line = out.read(1000).strip()
    return json.loads(line) if line.startswith(b'{"seconds"') else {}


def python(module: str, *words: str, env: Mapping[str, str] | None = None) -> Took:
    """A module of ours in a process of its own, which prints its own seconds."""
    took = process([sys.executable, "-m", module, *words], env)
    if "seconds" not in took.said:
        raise BenchError(f"{module} did not say how long it took")
    return took._replace(seconds=float(took.said["seconds"]))


def tell(say: Callable[[str], None], what: str, text: str) -> None:
    """Progress of a part."""
    say(f"{what}: {text}")


def measure(contenders: Sequence[Contender], rounds: int, say: Callable[[str], None]) -> dict[str, Outcome]:
    """The turns of each contender, by name."""
    turns: dict[str, list[Took]] = {contender.name: [] for contender in contenders}
    failed: dict[str, str] = {}
    for turn in range(rounds + 1):
        for name, run, slow in contenders:
            last = rounds if slow is None else min(slow, rounds)
            if name in failed or turn > last or (slow is not None and turn == 0):
                continue
            say(f"{name}, round {turn} of {last}")
            try:
                took = run()
            except BenchError as error:
                failed[name] = str(error)
                continue
            if turn:  # the first fills the page cache and the kernel cache
                turns[name].append(took)
    return {
        name: Outcome(tuple(found) if name not in failed else (), failed.get(name, "")) for name, found in turns.items()
    }
