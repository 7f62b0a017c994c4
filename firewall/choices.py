"""Choices that AWS does not document: each has a name, a switch where there is one, and is counted.

A report lists those that decided a verdict, so that a reader knows which verdicts are AWS's word and
which follow Linux. Only the aws profile chooses; linux does what the kernel does.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack import states
from firewall import verdict
from firewall.rows import Judged
from pcaps.icmp_quote import FIRST_ICMPV6_QUERY, ICMP_ERRORS
from pcaps.wire import ICMP, ICMPV6, SYN, TCP

Mask = NDArray[np.bool_]

IDLE_TIMES = "idle-times"  # also counted where a late packet is NEW and no rule admits it (conntrack.table, LATE)


class Choice(NamedTuple):
    """One row: the switch (empty: none), what was chosen, and which verdict rows it decided."""

    name: str
    switch: str
    chosen: str
    decided: Callable[[Judged], Mask]


def both(left: Mask, right: NDArray[np.bool_]) -> Mask:
    """Rows of which both hold."""
    return np.logical_and(left, right)


def is_icmp(judged: Judged) -> Mask:
    """Rows of ICMP and ICMPv6."""
    protocol = judged.packets.protocol[judged.verdicts.packet]
    return np.isin(protocol, (ICMP, ICMPV6))


def is_error(judged: Judged) -> Mask:
    """Rows of ICMP and ICMPv6 errors: their types by RFC 792, and all below 128 (RFC 4443 section 2.1)."""
    packets, rows = judged.packets, judged.verdicts.packet
    protocol, kind = packets.protocol[rows], packets.src_port[rows]
    mask: Mask = (protocol == ICMP) & np.isin(kind, ICMP_ERRORS) | (protocol == ICMPV6) & (kind < FIRST_ICMPV6_QUERY)
    return mask


def is_tcp(judged: Judged) -> Mask:
    """Rows of TCP."""
    mask: Mask = judged.packets.protocol[judged.verdicts.packet] == TCP
    return mask


def first_segments(judged: Judged) -> Mask:
    """TCP without an entry that is no SYN: one that opened an entry, or could not."""
    reason = judged.verdicts.reason
    no_syn = (judged.packets.tcp_flags[judged.verdicts.packet] & SYN) == 0
    opened = (reason == verdict.RULE) & (judged.verdicts.ct_state == states.NEW) & no_syn
    return both(is_tcp(judged), opened | (reason == verdict.MID_STREAM))


def tcp_checks(judged: Judged) -> Mask:
    """Segments of a known connection that its state or window refused, and flags that cannot be."""
    refusals = (verdict.INVALID_STATE, verdict.OUT_OF_WINDOW, verdict.BAD_FLAGS)
    return both(is_tcp(judged), np.isin(judged.verdicts.reason, refusals))


def idle_times(judged: Judged) -> Mask:
    """Late packets of connections whose timeout AWS does not give."""
    return both(is_tcp(judged) | is_icmp(judged), judged.verdicts.reason == verdict.EXPIRED)


def icmp_errors(judged: Judged) -> Mask:
    """ICMP errors that Linux would have judged the other way round."""
    error = is_error(judged)
    related = (judged.verdicts.ct_state == states.RELATED) & (judged.verdicts.verdict == verdict.DENY)
    invalid = (judged.verdicts.ct_state == states.INVALID) & (judged.verdicts.verdict == verdict.ALLOW)
    return both(error, related | invalid)


def icmp_answers(judged: Judged) -> Mask:
    """ICMP that is neither a query, its answer nor an error: no answer, or judged by the rules alone."""
    reason, state = judged.verdicts.reason, judged.verdicts.ct_state
    by_rules = (state == states.INVALID) & np.isin(
        reason, (verdict.RULE, verdict.NO_INGRESS_RULE, verdict.NO_EGRESS_RULE)
    )
    return both(is_icmp(judged) & ~is_error(judged), by_rules | (reason == verdict.INVALID_STATE))


def full_table(judged: Judged) -> Mask:
    """New connections that found no room."""
    mask: Mask = judged.verdicts.reason == verdict.TABLE_FULL
    return mask


def fragments(judged: Judged) -> Mask:
    """Fragments of a datagram that never became whole."""
    mask: Mask = judged.verdicts.reason == verdict.FRAGMENT_INCOMPLETE
    return mask


def discovery(judged: Judged) -> Mask:
    """Neighbour discovery that was let pass."""
    return both(is_icmp(judged), judged.verdicts.reason == verdict.EXEMPTED)


CHOICES = (
    Choice(
        "mid-stream", "tcp_loose", "TCP opens an entry by a SYN, and where tcp_loose is 1 by an ACK", first_segments
    ),
    Choice(
        "tcp-state",
        "tcp_state",
        "TCP is held to Linux's states and windows, less so where tcp_state is liberal",
        tcp_checks,
    ),
    Choice(IDLE_TIMES, "", "TCP not established or not acknowledged, and ICMP, time out as in Linux", idle_times),
    Choice("icmp-errors", "icmp_errors", "an ICMP error passes by a rule, not by what it quotes", icmp_errors),
    Choice(
        "icmp-answers",
        "",
        "an ICMP answer passes only behind its query; a type that asks nothing, by a rule",
        icmp_answers,
    ),
    Choice("table-full", "early_drop", "a full table admits no new connection", full_table),
    Choice("fragments", "", "datagrams are put together before they are judged", fragments),
    Choice("discovery", "", "IPv6 neighbour discovery is never filtered", discovery),
)


def count_choices(judged: Judged, counts: Counter[str]) -> None:
    """Add the rows that each choice decided; it is never an `established` one, and most are."""
    rows = np.flatnonzero(judged.verdicts.reason != verdict.ESTABLISHED)
    judged = Judged(judged.packets, judged.verdicts.take(rows))
    for choice in CHOICES:
        counts[choice.name] += int(np.count_nonzero(choice.decided(judged)))


def told(counts: Counter[str], settings: dict[str, int | str]) -> tuple[str, ...]:
    """A sentence for each choice that decided a row, in the table's order."""
    return tuple(
        f"{choice.chosen}{f' ({choice.switch}={settings[choice.switch]})' if choice.switch else ''}: "
        f"{counts[choice.name]:,} {'row' if counts[choice.name] == 1 else 'rows'}"
        for choice in CHOICES
        if counts[choice.name]
    )
