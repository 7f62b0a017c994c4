"""Kernel and engine on the same trace: where they differ, and the fewest packets that show it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.netfilter.engine import Judged, Row
from tests.netfilter.generate import Packet, Trace
from tests.netfilter.kernel import Answer, Kernel, Timed

NOT_TRACKED = "-"  # never reached conntrack (a bad IPv4 header, a fragment that was held): no entry is asked for
Judge = Callable[[Trace, Sequence[int]], Judged]  # tests.netfilter.engine.judge, here or in a process of its own
NO_STATE = ""  # nor is there one to ask for
MOST_TIMED_TRIES = 3  # each takes seconds


class Difference(NamedTuple):
    """Packet number `at` of a trace, from 0, and both answers."""

    at: int
    kernel: Answer
    engine: Row

    def __str__(self) -> str:
        words = f" ({self.kernel.reason})" if self.kernel.reason else ""
        ours = f"eniwall {said(self.engine)} ({self.engine.reason})"
        return f"packet {self.at + 1}: kernel {said(self.kernel)}{words}, {ours}"


def said(answer: Answer | Row) -> str:
    """Verdict, ct state and the entry's state."""
    return f"{answer.verdict} {answer.ct} {answer.state}"


def agree(kernel: Answer, engine: Row) -> bool:
    """The same verdict and ct state, and the same state of the entry where there is something to compare."""
    if (kernel.verdict, kernel.ct) != (engine.verdict, engine.ct):
        return False
    return kernel.ct == NOT_TRACKED or kernel.state in (NO_STATE, engine.state)


def differences(answers: Sequence[Answer], judged: Judged) -> list[Difference]:
    """Every packet on which kernel and engine do not say the same."""
    return [
        Difference(at, kernel, engine)
        for at, (kernel, engine) in enumerate(zip(answers, judged.rows, strict=True))
        if not agree(kernel, engine)
    ]


def ask_kernel(kernel: Kernel, trace: Trace) -> list[Answer]:
    """The kernel's answers, from an empty table."""
    kernel.configure(trace.rules, trace.options)
    return kernel.replay(Timed(packet.due, packet.frame) for packet in trace.packets)


def compare(kernel: Kernel, judge: Judge, trace: Trace) -> list[Difference]:
    """Both on one trace."""
    answers = ask_kernel(kernel, trace)
    return differences(answers, judge(trace, [answer.time for answer in answers]))


def shrunk(kernel: Kernel, judge: Judge, trace: Trace, difference: Difference) -> Trace:
    """The shortest part of the differing packet's flow in which it still differs, as far as was tried.

    The whole trace where the flow alone does not show it.
    """
    culprit = trace.packets[difference.at]
    open_ended = difference.kernel.state == NO_STATE  # then later packets decide too
    until = len(trace.packets) if open_ended else difference.at + 1

    def fails(packets: Sequence[Packet]) -> bool:
        found = compare(kernel, judge, trace.with_packets(tuple(packets)))
        return any(packets[one.at] is culprit for one in found)

    kept = [packet for packet in trace.packets[:until] if packet.flow == culprit.flow]
    if not fails(kept):
        return trace.with_packets(trace.packets[:until])
    size, tries = max(len(kept) // 2, 1), 0
    while not (trace.timed and tries > MOST_TIMED_TRIES):
        at = 0
        removed = False
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            tries += 1
            if any(packet is culprit for packet in fewer) and fails(fewer):
                kept, removed = fewer, True
            else:
                at += size
        if size == 1 and not removed:
            break
        size = max(size // 2, 1)
    return trace.with_packets(tuple(kept))
