"""Kernel and engine on the same trace: where they differ, and the fewest packets that show it."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.netfilter.engine import Engine, Judged, Row
from tests.netfilter.generate import Packet, Trace, flow_of
from tests.netfilter.kernel import Answer, Kernel, Timed

NOT_TRACKED = "-"  # never reached conntrack (a bad IPv4 header, a fragment that was held): no entry is asked for
MOST_TIMED_TRIES = 3  # each takes seconds


class Difference(NamedTuple):
    """Packet `index` of a trace, and both answers."""

    index: int
    kernel: Answer
    engine: Row

    def __str__(self) -> str:
        kernel, engine = (" ".join(comparable(said)) for said in (self.kernel, self.engine))
        words = f" ({self.kernel.reason})" if self.kernel.reason else ""
        return f"packet {self.index + 1}: kernel {kernel}{words}, eniwall {engine} ({self.engine.reason})"


def comparable(said: Answer | Row) -> tuple[str, str, str]:
    """Verdict, ct state, and the entry's state."""
    return said.verdict, said.ct, said.state if said.ct != NOT_TRACKED else NOT_TRACKED


def differences(answers: Sequence[Answer], judged: Judged) -> list[Difference]:
    """Every packet on which kernel and engine do not say the same."""
    return [
        Difference(index, kernel, engine)
        for index, (kernel, engine) in enumerate(zip(answers, judged.rows, strict=True))
        if comparable(kernel) != comparable(engine)
    ]


def ask_kernel(kernel: Kernel, trace: Trace) -> list[Answer]:
    """The kernel's answers, from an empty table."""
    kernel.configure(trace.rules, trace.options)
    return kernel.replay(Timed(packet.due, packet.frame) for packet in trace.packets)


def compare(kernel: Kernel, engine: Engine, trace: Trace) -> list[Difference]:
    """Both on one trace."""
    answers = ask_kernel(kernel, trace)
    return differences(answers, engine.judge(trace, [answer.time for answer in answers]))


def shrunk(kernel: Kernel, engine: Engine, trace: Trace, index: int) -> Trace:
    """The shortest part of the flow of packet `index` that still shows a difference at its end.

    The whole trace up to that packet where the flow alone does not show it.
    """

    def fails(packets: Sequence[Packet]) -> bool:
        found = compare(kernel, engine, trace.with_packets(tuple(packets)))
        return any(one.index == len(packets) - 1 for one in found)

    kept = list(flow_of(trace, index))
    if not fails(kept):
        return trace.with_packets(trace.packets[: index + 1])
    size, tries = max(len(kept) // 2, 1), 0
    while not (trace.timed and tries > MOST_TIMED_TRIES):
        at = 0
        removed = False
        while at < len(kept) - 1:
            fewer = kept[:at] + kept[min(at + size, len(kept) - 1) :]
            tries += 1
            if fails(fewer):
                kept, removed = fewer, True
            else:
                at += size
        if size == 1 and not removed:
            break
        size = max(size // 2, 1)
    return trace.with_packets(tuple(kept))
