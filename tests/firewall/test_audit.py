"""Verdicts over time, and when each rule was used: bounded, and the same however the batches are cut."""

from itertools import pairwise

import numpy as np
import pytest

from firewall.audit import Audit
from firewall.bins import MOST_BINS, WIDTHS, TimeBins
from firewall.summary import Summary
from firewall.verdict import ALLOW, DENY
from tests.firewall.batches import LABELS, SECOND, START, answer, batch, exchange, packet

MS = 1_000_000


def binned(times: list[int], parts: int = 1) -> TimeBins:
    bins = TimeBins()
    for part in np.array_split(np.array(times, np.int64), parts):
        bins.add(part, np.full(len(part), ALLOW, np.uint8))
    return bins


def test_each_width_divides_the_next() -> None:
    assert all(wide % narrow == 0 for narrow, wide in pairwise(WIDTHS))
    assert 2**64 // WIDTHS[-1] < MOST_BINS  # whatever times a capture has


def test_packets_of_one_moment_have_one_bin() -> None:
    bins = binned([START, START, START])
    assert (bins.width, bins.start, bins.counts.tolist()) == (MS, START, [[3, 0, 0, 0]])


def test_bins_widen_until_all_packets_have_one() -> None:
    bins = binned([START, START + 3 * SECOND, START + 3600 * SECOND])
    assert bins.width == 60 * SECOND
    assert len(bins.counts) == 61
    assert bins.start <= START < bins.start + bins.width
    assert np.flatnonzero(bins.counts[:, ALLOW]).tolist() == [0, 60]


@pytest.mark.parametrize("parts", [2, 5, 40])
def test_bins_do_not_depend_on_batches_or_order(parts: int) -> None:
    rng = np.random.default_rng(1)
    times = [START + int(seconds * SECOND) for seconds in rng.exponential(500, 400)]
    whole, cut = binned(times), binned(times, parts)
    assert (whole.width, whole.start) == (cut.width, cut.start)
    assert whole.counts.tolist() == cut.counts.tolist()
    assert whole.counts.sum() == 400


def test_a_clock_of_all_centuries_stays_bounded() -> None:
    bins = binned([-(2**63), 0, 2**63 - 1], 3)
    assert bins.counts.sum() == 3
    assert len(bins.counts) <= MOST_BINS


def test_nothing_is_counted_of_nothing() -> None:
    assert binned([]).counts.shape == (0, 4)


def audited(*batches: object) -> tuple[Summary, Audit]:
    summary = Summary(1, len(LABELS.rules), 1)
    audit = Audit(summary, len(LABELS.rules))
    for each in batches:
        summary.add(each)  # type: ignore[arg-type]  # batches of tests.firewall.batches
        audit.add(each)  # type: ignore[arg-type]  # the same
    return summary, audit


def test_a_rules_first_and_last_packet_over_batches() -> None:
    later = batch((packet(), answer("rule", rule=0, flow=2)), (packet(), answer("no-ingress-rule")), first=10)
    _, audit = audited(exchange(), later)
    use = audit.uses[0]
    assert (use["used"], use["first_frame"], use["last_frame"]) == (True, 1, 10)
    assert (use["first_time"], use["last_time"]) == (START + SECOND, START + 10 * SECOND)
    assert not audit.uses[1]["used"]


def test_a_rule_that_only_denied_was_not_used() -> None:
    _, audit = audited(batch((packet(), answer("nacl-ingress", rule=1))))
    assert not audit.uses["used"].any()


def test_the_bins_have_every_row() -> None:
    summary, audit = audited(exchange(), exchange())
    assert audit.verdict_rows == summary.verdicts
    assert audit.bins.counts[:, DENY].sum() == 2
