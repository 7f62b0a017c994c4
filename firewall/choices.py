"""Choices that AWS does not document: each has a name, a switch where there is one, and is counted.

A report lists those that decided a verdict, so that a reader knows which verdicts are AWS's word and
which follow Linux. Only the aws profile chooses; linux does what the kernel does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack import states
from firewall import verdict
from firewall.rows import Row
from firewall.verdict import ALLOW, DENY
from pcaps.accelerate import entry_kernel, i64, kernel
from pcaps.batch import Packet
from pcaps.icmp_quote import is_icmp_error
from pcaps.wire import ICMP, ICMPV6, SYN, TCP

NO_CHOICE = -1
MID_STREAM, TCP_STATE, IDLE_TIMES, ICMP_ERROR, ICMP_ANSWERS, FULL_TABLE, FRAGMENTS, DISCOVERY = range(8)


class Choice(NamedTuple):
    """One row, by the numbers above: its name, the switch (empty: none), and what was chosen."""

    name: str
    switch: str
    chosen: str


CHOICES = (
    Choice("mid-stream", "tcp_loose", "TCP opens an entry by a SYN, and where tcp_loose is 1 by an ACK"),
    Choice("tcp-state", "tcp_state", "TCP is held to Linux's states and windows, less so where tcp_state is liberal"),
    Choice("idle-times", "", "TCP not established or not acknowledged, and ICMP, time out as in Linux"),
    Choice("icmp-errors", "icmp_errors", "an ICMP error passes by a rule, not by what it quotes"),
    Choice("icmp-answers", "", "an ICMP answer passes only behind its query; a type that asks nothing, by a rule"),
    Choice("table-full", "early_drop", "a full table admits no new connection"),
    Choice("fragments", "", "datagrams are put together before they are judged"),
    Choice("discovery", "", "IPv6 neighbour discovery is never filtered"),
)


@kernel
def tcp_choice(p: Packet, row: Row) -> int:
    """Which choice decided a row of TCP that is no `established` one; NO_CHOICE if none did."""
    reason = i64(row["reason"])
    if reason == verdict.MID_STREAM:
        return MID_STREAM
    if reason == verdict.RULE and i64(row["ct_state"]) == states.NEW and i64(p["tcp_flags"]) & SYN == 0:
        return MID_STREAM  # it opened an entry
    if reason in (verdict.INVALID_STATE, verdict.OUT_OF_WINDOW, verdict.BAD_FLAGS):
        return TCP_STATE
    return IDLE_TIMES if reason == verdict.EXPIRED else NO_CHOICE


@kernel
def icmp_choice(p: Packet, row: Row) -> int:
    """The same of ICMP and ICMPv6, over whatever family."""
    reason, state, said = i64(row["reason"]), i64(row["ct_state"]), i64(row["verdict"])
    if reason == verdict.EXPIRED:
        return IDLE_TIMES
    if reason == verdict.EXEMPTED:
        return DISCOVERY
    if is_icmp_error(4 if i64(p["protocol"]) == ICMP else 6, i64(p["src_port"])):
        # what Linux would have judged the other way round
        other = (state == states.RELATED and said == DENY) or (state == states.INVALID and said == ALLOW)
        return ICMP_ERROR if other else NO_CHOICE
    by_rules = reason in (verdict.RULE, verdict.NO_INGRESS_RULE, verdict.NO_EGRESS_RULE)
    if (state == states.INVALID and by_rules) or reason == verdict.INVALID_STATE:
        return ICMP_ANSWERS  # no answer, or judged by the rules alone
    return NO_CHOICE


@kernel
def row_choice(p: Packet, row: Row) -> int:
    """The choice that decided a verdict row, or NO_CHOICE."""
    reason = i64(row["reason"])
    if reason == verdict.TABLE_FULL:
        return FULL_TABLE
    if reason == verdict.FRAGMENT_INCOMPLETE:
        return FRAGMENTS
    protocol = i64(p["protocol"])
    if protocol == TCP:
        return tcp_choice(p, row)
    return icmp_choice(p, row) if protocol in (ICMP, ICMPV6) else NO_CHOICE


@entry_kernel
def count_choices(packets: NDArray[np.void], rows: NDArray[np.void], counts: NDArray[np.int64]) -> None:
    """Add to `counts` (one for each of CHOICES) the rows (VERDICT) that each decided, of these packets (PACKET).

    It is never an `established` row, and most are.
    """
    for at in range(len(rows)):
        row = rows[at]
        if i64(row["reason"]) != verdict.ESTABLISHED:
            choice = row_choice(packets[i64(row["packet"])], row)
            if choice != NO_CHOICE:
                counts[choice] += 1


def told(counts: NDArray[np.int64], late: int, settings: dict[str, int | str]) -> tuple[str, ...]:
    """A sentence for each choice that decided a row, in the table's order.

    `late`: packets that were NEW and that no rule admitted because their entry had timed out
    (conntrack.table, LATE), which the idle times decided too.
    """
    decided = counts.copy()
    decided[IDLE_TIMES] += late
    return tuple(
        f"{choice.chosen}{f' ({choice.switch}={settings[choice.switch]})' if choice.switch else ''}: "
        f"{count:,} {'row' if count == 1 else 'rows'}"
        for choice, count in zip(CHOICES, decided.tolist(), strict=True)
        if count
    )
