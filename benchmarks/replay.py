"""One timed replay, for benchmarks.bench: `python -m benchmarks.replay CAPTURE WARM_UP RULES`.

Prints JSON: the seconds from before the capture is opened until after its last verdict, and the
packets that were judged.
"""

import json
import sys
import time

from firewall import Firewall
from pcaps import open_capture


def replay(capture: str, rules: str) -> tuple[float, int]:
    """Seconds and verdict rows of one replay with an empty table."""
    firewall = Firewall.from_file(rules)
    judged = 0
    begin = time.perf_counter()
    with open_capture(capture) as packets:
        for batch in firewall.replay(packets):
            judged += len(batch.verdicts.packet)
    return time.perf_counter() - begin, judged


def main() -> None:
    """Warm up, then measure."""
    capture, warm_up, rules = sys.argv[1:]
    replay(warm_up, rules)
    seconds, judged = replay(capture, rules)
    print(json.dumps({"seconds": seconds, "rows": judged}))


if __name__ == "__main__":
    main()
