"""Who takes part, each as a few words of a command line."""

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial

from benchmarks.captures import Case, warm_up
from benchmarks.run import BenchError, Contender, Took, process, python

ENIWALL, TCPDUMP, LIMIT = "eniwall", "tcpdump", "limit in C"
SLOW_ROUNDS = 2  # of what takes seconds a million packets
SLOWEST_ROUNDS = 1
SCAPY_PACKETS = 50_000
MILLION = 1_000_000
LIGHT = {"ENIWALL_ENGINE": "interpreted"}  # the peers import eniwall's tables, and need no compiler for them


def command(*words: str) -> list[str]:
    """The command `eniwall` of this checkout."""
    return [sys.executable, "-m", "firewall.cli", *words]


def copy(capture: str) -> list[str]:
    """Reading and writing every packet with tcpdump, which judges none."""
    return ["tcpdump", "-r", capture, "-w", "/dev/null"]


def one_core(words: Sequence[str]) -> list[str]:
    """The same on the first core alone. Raises BenchError where there is no taskset."""
    if shutil.which("taskset") is None:
        raise BenchError("taskset is not installed")
    return ["taskset", "-c", str(min(os.sched_getaffinity(0))), *words]


def replay(case: Case, *threads: str) -> Took:
    """The replay of eniwall alone, as it says; with a number of threads its rows are counted too."""
    return python("benchmarks.replay", str(case.capture), str(warm_up()), str(case.rules), *threads)


def limit(case: Case) -> Took:
    """limit.c."""
    return python("benchmarks.peers.limit", str(case.capture), str(case.rules), str(case.slots), env=LIGHT)


def loop(module: str, case: Case, *packets: str) -> Took:
    """A loop in Python."""
    return python(f"benchmarks.peers.{module}", str(case.capture), str(case.rules), *packets, env=LIGHT)


def part(name: str, module: str, case: Case, most: int, rounds: int) -> Contender:
    """A slow loop, over no more than the first packets of a capture: its rate tells the rest."""
    if case.packets <= most:
        return Contender(name, partial(loop, module, case), rounds)
    return Contender(f"{name} (first {most:,})", partial(loop, module, case, str(most)), rounds)


def rated(case: Case) -> list[Contender]:
    """Everyone, for one capture."""
    found = [
        Contender(TCPDUMP, partial(process, copy(str(case.capture)))),
        Contender(LIMIT, partial(limit, case)),
        Contender(ENIWALL, partial(replay, case)),
        part("struct and dict", "struct_loop", case, MILLION, SLOW_ROUNDS),
        part("dpkt", "dpkt_loop", case, MILLION, SLOWEST_ROUNDS),
        part("scapy", "scapy_loop", case, SCAPY_PACKETS, SLOWEST_ROUNDS),
    ]
    if case.name == "m1":
        words = ["tshark", "-r", str(case.capture), "-q", "-z", "conv,tcp"]
        found.append(Contender("tshark -q -z conv,tcp", partial(process, words), SLOWEST_ROUNDS))
    return found
