"""One timed replay: `python -m benchmarks.replay CAPTURE WARM_UP RULES [THREADS]`.

Prints JSON: the seconds from before the capture is opened until after its last verdict, the packets that were
judged and allowed, and the slots that the connection table has then. Process start and compilation are not in it:
another capture is judged first. With THREADS the rows are also counted, as `eniwall replay` does for its report.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from firewall import Firewall
from firewall.run.inputs import judge_all
from firewall.summary import Summary
from firewall.verdict import ALLOW
from pcaps import Capture, open_capture


def judged(firewall: Firewall, capture: Capture) -> tuple[int, int]:
    """Judge every packet; how many there are, and how many were allowed."""
    packets = allowed = 0
    for batch in firewall.replay(capture):
        packets += batch.packets.rows
        allowed += int(np.count_nonzero(batch.verdicts.verdict == ALLOW))
    return packets, allowed


def counted(firewall: Firewall, capture: Capture, threads: int) -> tuple[int, int]:
    """The same with every row counted; with two `threads` one reads, one judges, this one counts."""
    summary = Summary(len(firewall.interfaces), len(firewall.rules) + len(firewall.acl_entries))
    judge_all(firewall, capture, summary, (), threads)
    return summary.packets, summary.verdicts["ALLOW"]


def replay(capture: str, rules: str, judge: Callable[[Firewall, Capture], tuple[int, int]]) -> dict[str, float]:
    """One replay with an empty table; reading the rules is not timed."""
    firewall = Firewall.from_file(rules)
    begin = time.perf_counter()
    with open_capture(capture) as opened:
        packets, allowed = judge(firewall, opened)
    seconds = time.perf_counter() - begin
    slots = len(firewall._table.slots)  # noqa: SLF001  (a number that no user needs)
    return {"seconds": seconds, "packets": packets, "allowed": allowed, "slots": slots}


def main() -> None:
    """Warm up, then measure."""
    capture, warm_up, rules, *threads = sys.argv[1:]
    judge = partial(counted, threads=int(threads[0])) if threads else judged
    replay(warm_up, rules, judge)
    print(json.dumps(replay(capture, rules, judge)))


if __name__ == "__main__":
    main()
