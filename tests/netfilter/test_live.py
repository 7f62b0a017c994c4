"""The engine agrees with the running kernel's netfilter, packet by packet (root; docs/kernel.md)."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.netfilter.compare import ask_kernel, differences, said, shrunk
from tests.netfilter.engine import judge
from tests.netfilter.generate import CLASSES_ON, Trace, draw_trace
from tests.netfilter.kernel import Kernel, Timed
from tests.netfilter.namespaces import missing
from tests.netfilter.places import ADDRESSES
from tests.netfilter.record import check
from tests.netfilter.run import run

pytestmark = [pytest.mark.root, pytest.mark.compiled_only]

FOLDERS = sorted(path.parent for path in (Path(__file__).parent / "cases").glob("*/verdicts.json"))
SEED = 20
PACKETS = 24_000


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    lack = missing()
    if lack:
        pytest.skip(lack)
    with Kernel(ADDRESSES) as made:
        yield made


def traces() -> st.SearchStrategy[Trace]:
    """Small traces of a few flows."""
    return st.builds(draw_trace, st.randoms(use_true_random=False), st.integers(1, 60), st.integers(1, 4))


@settings(phases=(Phase.explicit, Phase.reuse, Phase.generate))  # `shrunk` is quicker than Hypothesis here
@given(trace=traces())
def test_every_packet_of_small_traces(kernel: Kernel, trace: Trace) -> None:
    answers = ask_kernel(kernel, trace)
    judged = judge(trace, [answer.time for answer in answers])
    found = differences(answers, judged)
    smallest = story(kernel, shrunk(kernel, judge, trace, found[0])) if found else ""
    assert not found, f"{found[0]}\nthe fewest packets that show it:\n{smallest}"


def story(kernel: Kernel, trace: Trace) -> str:
    """Every packet with both answers."""
    answers = ask_kernel(kernel, trace)
    rows = judge(trace, [answer.time for answer in answers]).rows
    return "\n".join(
        f"kernel {said(answer)} eniwall {said(row)} {row.reason}: {packet.frame[12:].hex()}"
        for packet, answer, row in zip(trace.packets, answers, rows, strict=True)
    )


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
def test_many_packets_compiled_and_interpreted() -> None:
    totals = run(PACKETS, SEED, CLASSES_ON, None)
    assert (totals.differing, totals.unequal) == (0, 0), f"seed {SEED}: {totals.kinds}"
    assert totals.packets > 0, "this machine was too slow for every round"


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recorded_cases_are_what_this_kernel_does(folder: Path) -> None:
    assert check(folder) == []


def test_the_comparison_can_fail(kernel: Kernel) -> None:
    trace = draw_trace(Random(1), 200, 8, frozenset({"tcp"}))
    answers = ask_kernel(kernel, trace)
    loose, strict = (Trace(trace.addresses, trace.rules, {"tcp_loose": on}, trace.packets) for on in (1, 0))
    times = [answer.time for answer in answers]
    assert differences(answers, judge(loose, times)) != differences(answers, judge(strict, times))


def test_the_marker_says_what_was_dropped(kernel: Kernel) -> None:
    trace = draw_trace(Random(2), 50, 4, frozenset({"udp"}))
    kernel.configure((), {})
    answers = kernel.replay(Timed(0, packet.frame) for packet in trace.packets)
    assert {answer.verdict for answer in answers} == {"D"}
