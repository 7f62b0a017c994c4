"""What the engine says of the same packets, in the kernel's letters, compiled or interpreted.

Each way of running has a process of its own: the choice is made once a process.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context
from types import TracebackType
from typing import NamedTuple, Self

from tests.netfilter.generate import Trace

START = 1_700_000_000 * 10**9  # ns; when a trace begins for the engine
VERDICT_LETTERS = {"ALLOW": "F", "DENY": "D", "NOT_EVALUATED": "X"}
HELD_REASON = "fragment-incomplete"
CT_LETTERS = {"": "-", "NEW": "N", "ESTABLISHED": "E", "RELATED": "R", "INVALID": "I", "UNTRACKED": "U"}
TCP_LETTERS = "-srefcltxS"


class Row(NamedTuple):
    """One packet: letters as in `tests.netfilter.kernel.Answer`, and the engine's reason."""

    verdict: str
    ct: str
    state: str
    reason: str


class Judged(NamedTuple):
    """A trace judged: a row a packet, and the bytes of all verdict columns."""

    rows: list[Row]
    raw: bytes


def judge(trace: Trace, times: Sequence[int]) -> Judged:
    """The trace under the linux profile; `times` are ns, one a packet, when the kernel saw it."""
    from conntrack.states import CT_STATES
    from firewall.engine import Firewall
    from firewall.verdict import REASON_WORDS, VERDICTS
    from tests.support import recorded_rule, rule_set, timed

    rules = (recorded_rule(index, one) for index, one in enumerate(trace.rules))
    options = {name: str(value) for name, value in trace.options.items() if name != "checksum"}
    firewall = Firewall(rule_set(rules, [str(one) for one in trace.addresses]), profile="linux", settings=options)
    first = times[0] if times else 0
    frames = timed((START + time - first, packet.frame) for time, packet in zip(times, trace.packets, strict=True))
    rows, raw = [], b""
    for judged in firewall.replay(frames):
        columns = judged.verdicts
        raw += b"".join(column.tobytes() for column in columns)
        for verdict, reason, ct, state, flow in zip(
            *(column.tolist() for column in (columns.verdict, columns.reason, columns.ct_state, columns.tcp_state)),
            columns.flow.tolist(),
            strict=True,
        ):
            word = REASON_WORDS[reason]
            letter = "H" if word == HELD_REASON else VERDICT_LETTERS[VERDICTS[verdict]]
            entry = TCP_LETTERS[state] if state else "+" if flow else "-"
            rows.append(Row(letter, CT_LETTERS[CT_STATES[ct]], entry, word))
    return Judged(rows, raw)


class Engine(AbstractContextManager["Engine"]):
    """A process that judges traces, `compiled` or `interpreted`."""

    def __init__(self, mode: str) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        before = os.environ.get("ENIWALL_ENGINE")
        os.environ["ENIWALL_ENGINE"] = mode
        try:
            found = self._pool.submit(running_mode).result()
        finally:
            if before is None:
                del os.environ["ENIWALL_ENGINE"]
            else:
                os.environ["ENIWALL_ENGINE"] = before
        if found != mode:
            raise RuntimeError(f"asked for the {mode} engine, got {found}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown()

    def start(self, trace: Trace, times: Sequence[int]) -> "Future[Judged]":
        """`judge`, under way."""
        return self._pool.submit(judge, trace, times)

    def judge(self, trace: Trace, times: Sequence[int]) -> Judged:
        """`judge`, done."""
        return self.start(trace, times).result()


def running_mode() -> str:
    """The way that kernels run in this process."""
    from pcaps.accelerate import engine

    return engine()
