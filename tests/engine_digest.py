"""`python -m tests.engine_digest FILE...`: a digest of every packet record and verdict row of captures.

Run once compiled and once interpreted: the two must print the same. Files are judged under both
profiles at the busiest addresses, so that something is allowed and something is denied.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator

from firewall.engine import Firewall
from firewall.labels import address_text
from pcaps.batch import PacketBatch
from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from tests.support import rule, rule_set

RULES = (rule("ingress", 6, ports=(1, 1024)), rule("ingress", 17, "::/0"), rule("egress", -1, "0.0.0.0/1"))
BUSIEST = 2


def batches(path: str) -> list[PacketBatch]:
    """All of a capture; nothing where it cannot be read."""
    try:
        with open_capture(path) as capture:
            return list(capture.batches())
    except CaptureError:
        return []


def busiest(packets: list[PacketBatch]) -> list[str]:
    """The addresses that most packets come from."""
    counts: Counter[tuple[int, int]] = Counter()
    for batch in packets:
        ip = batch.take(batch.family != 0)
        counts.update(zip(ip.src_hi.tolist(), ip.src_lo.tolist(), strict=True))
    return [address_text(*pair) for pair, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:BUSIEST]


def digests(paths: list[str]) -> Iterator[str]:
    """One line for each file and profile."""
    for path in paths:
        packets = batches(path)
        addresses = busiest(packets)
        for profile in ("aws", "linux"):
            firewall = Firewall(rule_set(RULES, addresses), profile=profile)
            digest = hashlib.sha256()
            for batch in packets:
                digest.update(batch.records.tobytes())
                for column in firewall.judge_batch(batch):
                    digest.update(column.tobytes())
            yield f"{path} {profile} {sum(batch.rows for batch in packets)} {digest.hexdigest()}"


if __name__ == "__main__":
    print("\n".join(digests(sys.argv[1:])))  # noqa: T201  (its output is what is compared)
