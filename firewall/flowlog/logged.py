"""Which verdict rows a flow log records, as data, and what it makes of them.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html (action, tcp-flags),
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html (what is not logged).
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.tcp import BAD_FLAGS, FLAG_BITS, FLAG_CLASSES
from firewall.flowlog.records import Records
from firewall.verdict import ALLOW, DENY
from pcaps.batch import IPV4_PREFIX
from pcaps.wire import TCP, UDP

LIMITS_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html"

# --- what a record is -----------------------------------------------------------------------------------
ACCEPT, REJECT, UNLOGGED, NODATA, SKIPDATA = range(5)
ACTIONS = ("ACCEPT", "REJECT")
STATUS = ("OK", "OK", "OK", "NODATA", "SKIPDATA")  # log-status; UNLOGGED is never written


class NotLogged(NamedTuple):
    """Traffic that has a verdict and no record: by its peer's address, or by both its ports."""

    name: str
    address: str | None
    protocol: int | None
    low: int
    high: int
    source: str


#: Beside all that is EXEMPT (firewall.exempt): those rows name services by port, the page here by address.
NOT_LOGGED = (
    NotLogged("instance-metadata", "169.254.169.254", None, 0, 0, LIMITS_PAGE),
    NotLogged("time-sync", "169.254.169.123", None, 0, 0, LIMITS_PAGE),
    NotLogged("dhcp", None, UDP, 67, 68, LIMITS_PAGE),
    NotLogged("dhcp", None, UDP, 546, 547, LIMITS_PAGE),
)


def not_logged(records: Records) -> NDArray[np.uint8]:
    """For each record 0, or 1 + the place in NOT_LOGGED; a record that has no verdict is 0."""
    found = np.zeros(records.rows, np.uint8)
    judged = (records.ends & np.uint64(0xF)) < UNLOGGED
    for place, known in enumerate(NOT_LOGGED, 1):
        if known.address is not None:
            number = np.uint64(IPV4_PREFIX | int(ip_address(known.address)))
            match = (records.src_lo == number) | (records.dst_lo == number)
            match &= (records.src_hi == 0) & (records.dst_hi == 0)
        else:
            match = (records.ends >> np.uint64(16)) & np.uint64(0xFF) == known.protocol
            if match.any():
                match &= _within(records.src_port, known) & _within(records.dst_port, known)
        found[match & judged & (found == 0)] = place
    return found


def _within(port: NDArray[np.int64], known: NotLogged) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (port >= known.low) & (port <= known.high)
    return inside


ACTIONS_BY_VERDICT: NDArray[np.uint8] = np.full(256, UNLOGGED, np.uint8)
ACTIONS_BY_VERDICT[ALLOW], ACTIONS_BY_VERDICT[DENY] = ACCEPT, REJECT


# --- tcp-flags ------------------------------------------------------------------------------------------
INVALID_FLAGS = 0x80  # some packet of the record had flags that cannot be: its value is `-`
FIN, SYN, RST, ACK = (FLAG_BITS[name] for name in ("FIN", "SYN", "RST", "ACK"))


def _flag_value(flags: int) -> int:
    """What one packet adds to the record: FIN 1, SYN 2, RST 4, SYN-ACK 18; every other flag alone is 0."""
    if flags and FLAG_CLASSES[flags] == BAD_FLAGS:
        return INVALID_FLAGS
    return flags & (FIN | SYN | RST) | (ACK if flags & SYN and flags & ACK else 0)


FLAG_VALUES: NDArray[np.int64] = np.array([_flag_value(flags) for flags in range(256)])


def flag_values(protocol: NDArray[np.uint8], flags: NDArray[np.uint8], ported: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What each packet adds to the tcp-flags of its record; 0 where it has no TCP header (`ported`: it has ports)."""
    values: NDArray[np.int64] = FLAG_VALUES[flags] * ((protocol == TCP) & ported)
    return values


def flags_cells(values: NDArray[np.int64]) -> Sequence[str]:
    """The tcp-flags of records as they are written."""
    return ["-" if value & INVALID_FLAGS else str(value) for value in values.tolist()]
