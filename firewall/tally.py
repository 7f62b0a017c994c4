"""The kernels of firewall.summary and firewall.flows: one pass over the rows of a batch, counting.

What they fill is described where it is kept: Summary's arrays, and a FLOW record a connection.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.states import NEW, UNTRACKED
from firewall import verdict
from firewall.rows import Row
from firewall.verdict import ALLOW, DENY, EXEMPT, NOT_EVALUATED
from pcaps.accelerate import entry_kernel, i64, kernel, prefetch
from pcaps.batch import Packet
from pcaps.wire import SYN, TCP

Flow = Any  # one record of firewall.flows.FLOW

AHEAD = 16  # rows whose flows are fetched before they are counted
EXEMPT_RULE = -2  # and below: an exempt service, see VerdictBatch.rule

# --- Counters.times ----------------------------------------------------------------------------------
FIRST_TIME, LAST_TIME, PREVIOUS_TIME, BACKWARDS, PACKETS, TWO_INTERFACES = range(6)
BEFORE_ALL, BEHIND_ALL = -(1 << 63), (1 << 63) - 1


class Counters(NamedTuple):
    """What a replay came to; all int64, see firewall.summary.Summary."""

    times: NDArray[np.int64]  # by the numbers above
    reasons: NDArray[np.int64]
    interfaces: NDArray[np.int64]  # [interface + 1, direction, verdict]
    highest_flows: NDArray[np.int64]  # [interface]: the highest flow number met
    rule_hits: NDArray[np.int64]
    rule_packets: NDArray[np.int64]
    rule_bytes: NDArray[np.int64]
    rule_denied: NDArray[np.int64]
    exempt: NDArray[np.int64]


@kernel
def count_time(now: int, times: NDArray[np.int64]) -> None:
    """The span of the capture, and how often its clock went backwards."""
    if now < i64(times[PREVIOUS_TIME]):
        times[BACKWARDS] += 1
    times[PREVIOUS_TIME] = now
    times[FIRST_TIME] = min(now, i64(times[FIRST_TIME]))
    times[LAST_TIME] = max(now, i64(times[LAST_TIME]))


@kernel
def count_rule(p: Packet, row: Row, counters: Counters) -> None:
    """What a row says of the rule that it names, or of the exempt service."""
    rule, said = i64(row["rule"]), i64(row["verdict"])
    if rule >= 0 and said == ALLOW:
        if i64(row["reason"]) in (verdict.RULE, verdict.UNTRACKED):
            counters.rule_hits[rule] += 1
        counters.rule_packets[rule] += 1
        counters.rule_bytes[rule] += i64(p["length"])
    elif rule >= 0 and said == DENY:
        counters.rule_denied[rule] += 1
    elif rule <= EXEMPT_RULE and said == EXEMPT:
        counters.exempt[EXEMPT_RULE - rule] += 1


@entry_kernel
def count_rows(
    packets: NDArray[np.void], rows: NDArray[np.void], counters: Counters, denied: NDArray[np.int64]
) -> tuple[int, int]:
    """Count the rows (VERDICT) of these packets (PACKET).

    Returns how many rows were denied, whose numbers go into `denied`, and how many are undecidable.
    """
    counters.times[PACKETS] += len(packets)
    found = undecided = 0
    for at in range(len(rows)):
        row = rows[at]
        p = packets[i64(row["packet"])]
        if at and i64(row["packet"]) == i64(rows[at - 1]["packet"]):
            counters.times[TWO_INTERFACES] += 1
        else:
            count_time(i64(p["time"]), counters.times)
        eni, reason, said = i64(row["eni"]), i64(row["reason"]), i64(row["verdict"])
        counters.reasons[reason] += 1
        counters.interfaces[eni + 1, i64(row["direction"]), said] += 1
        if eni >= 0:
            counters.highest_flows[eni] = max(i64(counters.highest_flows[eni]), i64(row["flow"]))
        count_rule(p, row, counters)
        if said == DENY:
            denied[found] = at
            found += 1
        if reason == verdict.UNDECIDABLE:
            undecided += 1
    return found, undecided


@kernel
def open_flow(flow: Flow, p: Packet, row: Row) -> None:
    """What the first row of a flow says of it."""
    flow["known"] = True
    flow["capture"] = p["capture"]
    flow["frame"] = p["frame"]
    flow["first_time"] = p["time"]
    flow["last_time"] = p["time"]
    flow["direction"] = row["direction"]
    flow["protocol"] = p["protocol"]
    flow["src_hi"] = p["src_hi"]
    flow["src_lo"] = p["src_lo"]
    flow["dst_hi"] = p["dst_hi"]
    flow["dst_lo"] = p["dst_lo"]
    flow["src_port"] = p["src_port"]
    flow["dst_port"] = p["dst_port"]
    flow["rule"] = row["rule"]
    flow["untracked"] = i64(row["ct_state"]) == UNTRACKED
    flow["midway"] = i64(p["protocol"]) == TCP and i64(p["tcp_flags"]) & SYN == 0 and i64(row["ct_state"]) == NEW


@kernel
def count_packet(flow: Flow, p: Packet, row: Row) -> None:
    """A row of a flow; an ICMP error that quotes it is counted apart."""
    flow["tcp_state"] = row["tcp_state"]
    said = i64(row["verdict"])
    if i64(p["quoted"]):
        flow["errors"] = i64(flow["errors"]) + 1
    elif said == ALLOW:
        forward = 1 if i64(row["direction"]) == i64(flow["direction"]) else 0
        length = i64(p["length"])
        flow["sent"] = i64(flow["sent"]) + forward
        flow["sent_bytes"] = i64(flow["sent_bytes"]) + forward * length
        flow["received"] = i64(flow["received"]) + 1 - forward
        flow["received_bytes"] = i64(flow["received_bytes"]) + (1 - forward) * length
        flow["last_time"] = p["time"]
    elif said == DENY:
        flow["denied"] = i64(flow["denied"]) + 1
    elif said == NOT_EVALUATED:
        flow["undecided"] = i64(flow["undecided"]) + 1


@entry_kernel
def count_flows(packets: NDArray[np.void], rows: NDArray[np.void], eni: int, flows: NDArray[np.void]) -> int:
    """Count the rows of one interface's flows into `flows` (FLOW), which has room; how many are new."""
    fresh = 0
    for at in range(len(rows)):
        if at + AHEAD < len(rows) and i64(rows[at + AHEAD]["eni"]) == eni:
            prefetch(flows, i64(rows[at + AHEAD]["flow"]))
        row = rows[at]
        if i64(row["eni"]) != eni or i64(row["flow"]) == 0:
            continue
        flow, p = flows[i64(row["flow"])], packets[i64(row["packet"])]
        if not flow["known"]:
            open_flow(flow, p, row)
            fresh += 1
        count_packet(flow, p, row)
    return fresh
