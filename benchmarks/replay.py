"""One timed replay: `python -m benchmarks.replay CAPTURE WARM_UP RULES [THREADS]`.

Prints JSON: the seconds from before the capture is opened until after its last verdict, the packets that were
judged and allowed, and the slots that the connection table has then. Process start and compilation are not in it:
another capture is judged first. With THREADS the rows are also counted, as `eniwall replay` does for its report.
"""

import json
import sys
import time
from functools import partial

import numpy as np

from firewall import Firewall
from firewall.run.inputs import judge_all
from firewall.summary import Summary
from firewall.verdict import ALLOW
from pcaps import open_capture


def replay(capture: str, rules: str) -> dict[str, float]:
    """One replay with an empty table; reading the rules is not timed."""
    firewall = Firewall.from_file(rules)
    judged = allowed = 0
    begin = time.perf_counter()
    with open_capture(capture) as packets:
        for batch in firewall.replay(packets):
            judged += batch.packets.rows
            allowed += int(np.count_nonzero(batch.verdicts.verdict == ALLOW))
    seconds = time.perf_counter() - begin
    slots = len(firewall._table.slots)  # noqa: SLF001  (a number that no user needs)
    return {"seconds": seconds, "packets": judged, "allowed": allowed, "slots": slots}


def counted_replay(capture: str, rules: str, threads: int) -> dict[str, float]:
    """The same with its rows counted; with two `threads` one reads, one judges, this one counts."""
    firewall = Firewall.from_file(rules)
    summary = Summary(len(firewall.interfaces), len(firewall.rules) + len(firewall.acl_entries))
    begin = time.perf_counter()
    with open_capture(capture) as packets:
        judge_all(firewall, packets, summary, (), threads)
    seconds = time.perf_counter() - begin
    slots = len(firewall._table.slots)  # noqa: SLF001  (a number that no user needs)
    return {"seconds": seconds, "packets": summary.packets, "allowed": summary.verdicts["ALLOW"], "slots": slots}


def main() -> None:
    """Warm up, then measure."""
    capture, warm_up, rules, *threads = sys.argv[1:]
    timed = partial(counted_replay, threads=int(threads[0])) if threads else replay
    timed(warm_up, rules)
    print(json.dumps(timed(capture, rules)))


if __name__ == "__main__":
    main()
