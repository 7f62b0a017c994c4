"""Feeds mutated bytes to a target until its time is over, and tells what did not hold.

    python -m tests.fuzz --target pcap --seconds 600 --seed 7

Where atheris is installed, inputs that reach new code are kept and mutated further; elsewhere mutations start
from the seeds and the corpus alone. Kernels run interpreted. A finding is written to --keep as it is found.
"""

import argparse
import faulthandler
import hashlib
import io
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from tests.fuzz import TARGETS, kept

try:
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # untyped; not on every system
except ImportError:
    atheris = None

MOST_BYTES = 16 << 10
MOST_MEMORY = 400 << 20  # that one input may add; Python and the code have 100 MiB, and atheris grows with the hours
HANGS = 60  # seconds until a trace of where it hangs is printed


def load(*, counted: bool) -> tuple[Any, Any, Any]:
    """The code under test, with atheris's counters in it if it is to be `counted`; then the helpers."""
    os.environ["ENIWALL_ENGINE"] = "interpreted"  # before any kernel is imported
    if counted:
        with atheris.instrument_imports(include=["pcaps"]), redirect_stderr(io.StringIO()):  # it names every module
            from tests.fuzz import targets
    else:
        from tests.fuzz import targets
    from tests.fuzz import mutate, seeds

    return targets, mutate, seeds


def resident() -> int:
    """The most memory that this process ever held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


class Session:
    """Counts, time, findings. One finding is kept of each place that an error comes from."""

    def __init__(self, target: str, seconds: float, seed: int, keep: Path, *, counted: bool) -> None:
        self.target, self.seed, self.keep = target, seed, keep
        self.running = keep / f"{target}-running"  # what hangs, or takes the process down, is found there
        self.targets, self.mutate, seeds = load(counted=counted)
        self.seeds: list[bytes] = seeds.SEEDS[target]()
        self.begin = time.monotonic()
        self.end = self.begin + seconds
        self.executions = 0
        self.slowest = 0.0
        self.peak = resident()
        self.findings: dict[str, int] = {}

    def one(self, data: bytes) -> None:
        """Run one input; the last one of the session ends the process."""
        self.running.write_bytes(data)
        begin = time.process_time()
        faulthandler.dump_traceback_later(HANGS, exit=True)
        try:
            self.targets.check(self.target, data)
            self.weigh()
        except Exception as error:  # noqa: BLE001  (whatever comes out is the finding)
            self.found(data, error)
        faulthandler.cancel_dump_traceback_later()
        self.executions += 1
        self.slowest = max(self.slowest, time.process_time() - begin)
        if time.monotonic() > self.end:
            self.report()
            self.running.unlink()
            sys.stdout.flush()
            os._exit(1 if self.findings else 0)  # atheris has no other way to stop

    def weigh(self) -> None:
        """Whether the last input took too much memory."""
        peak, self.peak = self.peak, resident()
        if self.peak - peak > MOST_MEMORY:
            raise MemoryError(f"{self.peak - peak >> 20} MiB more")

    def found(self, data: bytes, error: Exception) -> None:
        """Keep the first input of each kind of error."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        self.findings[kind] = self.findings.get(kind, 0) + 1
        if self.findings[kind] == 1:
            name = self.keep / f"{self.target}-{hashlib.sha256(data).hexdigest()[:12]}"
            name.write_bytes(data)
            print(f"\n{kind}: {name}")
            traceback.print_exception(error, file=sys.stdout)
            sys.stdout.flush()

    def report(self) -> None:
        """What was done."""
        seconds = time.monotonic() - self.begin
        print(
            f"{self.target}: seed {self.seed}, {self.executions} executions in {seconds:.0f} s"
            f" ({self.executions / seconds:.0f}/s), {len(self.findings)} findings, slowest {self.slowest:.2f} s,"
            f" peak {self.peak >> 20} MiB"
        )
        for kind, count in self.findings.items():
            print(f"  {count} times {kind}")


def plainly(session: Session) -> None:
    """Mutations of seeds and corpus, without looking at what they reach."""
    rng = random.Random(session.seed)
    known = session.seeds + kept(session.target)
    for data in known:
        session.one(data)
    while True:
        session.one(session.mutate.mutated(session.target, rng.choice(known), rng, MOST_BYTES))


def guided(session: Session, grown: Path) -> None:
    """Mutations of whatever reached new code, by atheris; such inputs are written to the folder `grown`."""
    begin = Path(tempfile.mkdtemp(prefix="eniwall-seeds-"))
    for data in session.seeds + kept(session.target):
        (begin / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.randrange(3) == 0:
            return bytes(atheris.Mutate(data, most))
        return bytes(session.mutate.mutated(session.target, data, rng, most))

    options = [f"-seed={session.seed}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=0", "-timeout=600", "-verbosity=0"]
    one: Callable[[bytes], None] = session.one
    atheris.Setup([sys.argv[0], *options, str(grown), str(begin)], one, custom_mutator=mutator)
    atheris.Fuzz()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument("--keep", type=Path, help="folder for findings and new inputs (default: a new one)")
    parser.add_argument("--unguided", action="store_true", help="without atheris, even where it is installed")
    parser.add_argument("inputs", nargs="*", type=Path, help="run these files once, and nothing else")
    chosen = parser.parse_args()
    keep = chosen.keep or Path(tempfile.mkdtemp(prefix="eniwall-fuzz-"))
    grown = keep / "grown" / chosen.target
    grown.mkdir(parents=True, exist_ok=True)
    by_coverage = atheris is not None and not chosen.unguided and not chosen.inputs
    session = Session(chosen.target, chosen.seconds, chosen.seed, keep, counted=by_coverage)
    print(f"{chosen.target}: seed {chosen.seed}, findings go to {keep}", flush=True)
    if chosen.inputs:
        for path in chosen.inputs:
            session.targets.check(chosen.target, path.read_bytes())
        return
    if by_coverage:
        guided(session, grown)
    else:
        plainly(session)


if __name__ == "__main__":
    main()
