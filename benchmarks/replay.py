"""One timed replay: `python -m benchmarks.replay CAPTURE WARM_UP RULES`.

Prints JSON: the seconds from before the capture is opened until after its last verdict, the packets that were
judged and allowed, and the slots that the connection table has then. Process start and compilation are not in it:
another capture is judged first.
"""

import json
import sys
import time

import numpy as np

from firewall import Firewall
from firewall.verdict import ALLOW
from pcaps import open_capture


def replay(capture: str, rules: str) -> dict[str, float]:
    """One replay with an empty table; reading the rules is not timed."""
    firewall = Firewall.from_file(rules)
    judged = allowed = 0
    begin = time.perf_counter()
    with open_capture(capture) as packets:
        for batch in firewall.replay(packets):
            judged += len(batch.verdicts.packet)
            allowed += int(np.count_nonzero(batch.verdicts.verdict == ALLOW))
    seconds = time.perf_counter() - begin
    slots = len(firewall._table.slots)  # noqa: SLF001  (a number that no user needs)
    return {"seconds": seconds, "packets": judged, "allowed": allowed, "slots": slots}


def main() -> None:
    """Warm up, then measure."""
    capture, warm_up, rules = sys.argv[1:]
    replay(warm_up, rules)
    print(json.dumps(replay(capture, rules)))


if __name__ == "__main__":
    main()
