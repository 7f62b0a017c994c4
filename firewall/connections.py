"""The connection table's entries in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conntrack.keys import is_icmp
from conntrack.sctp import SCTP_STATES
from conntrack.table import ASSURED, NOT_TRACKED, OPENED_BY_B, SEEN_REPLY
from conntrack.tcp import STATES
from conntrack.timeouts import NS
from firewall.labels import address_text
from pcaps.wire import SCTP, TCP


@dataclass(frozen=True, slots=True)
class Connection:
    """One live entry of the table; ports are None where the protocol has none."""

    eni: str
    flow: int
    protocol: int
    src: str
    dst: str
    src_port: int | None
    dst_port: int | None
    tcp_state: str
    answered: bool
    assured: bool
    expires_in: float  # seconds of capture time
    rule: str
    sctp_state: str  # empty where SCTP is not followed by its ports
    icmp_id: int | None  # of an ICMP query
    expires: int  # ns since 1970
    tracked: bool  # False: only remembered, so that all its packets meet the rules


def read_connection(entry: np.void, now: int, interfaces: Sequence[str], rules: Sequence[str]) -> Connection:
    """One record of dtype ENTRY in words; `interfaces` and `rules` are names by the numbers in it."""
    ends = [
        (address_text(int(entry["a_hi"]), int(entry["a_lo"])), int(entry["a_port"])),
        (address_text(int(entry["b_hi"]), int(entry["b_lo"])), int(entry["b_port"])),
    ]
    if entry["status"] & OPENED_BY_B:
        ends.reverse()
    protocol = int(entry["protocol"])
    (src, src_port), (dst, dst_port) = ends
    icmp = bool(is_icmp(int(entry["family"]), protocol))
    if icmp:  # type and code of the query, as in the port columns
        src_port, dst_port = int(entry["a_port"]) >> 8, int(entry["a_port"]) & 0xFF
    ports = src_port or dst_port or protocol == TCP
    rule = int(entry["rule"])
    return Connection(
        eni=interfaces[int(entry["eni"])],
        flow=int(entry["flow"]),
        protocol=protocol,
        src=src,
        dst=dst,
        src_port=src_port if ports else None,
        dst_port=dst_port if ports else None,
        tcp_state=STATES[int(entry["state"])] if protocol == TCP else "",
        answered=bool(entry["status"] & SEEN_REPLY),
        assured=bool(entry["status"] & ASSURED),
        expires_in=(int(entry["expires"]) - now) / NS,
        rule=rules[rule] if rule >= 0 else "",
        sctp_state=SCTP_STATES[int(entry["state"])] if protocol == SCTP else "",
        icmp_id=int(entry["b_port"]) if icmp else None,
        expires=int(entry["expires"]),
        tracked=not entry["status"] & NOT_TRACKED,
    )
