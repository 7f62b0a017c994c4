"""SCTP states and transitions, as data (nf_conntrack_proto_sctp.c, kernel 6.18; RFC 9260 section 4).

One state for the association, moved by chunks. `SCTP_TRANSITIONS` is the table as an array; importing
this module checks that every cell is there.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.tcp import ORIGINAL, REPLY
from pcaps import sctp_header as chunk

NONE, CLOSED, COOKIE_WAIT, COOKIE_ECHOED, ESTABLISHED = range(5)
SHUTDOWN_SENT, SHUTDOWN_RECD, SHUTDOWN_ACK_SENT, HEARTBEAT_SENT = range(5, 9)
SCTP_STATES = (
    "",  # no entry
    "CLOSED",  # an INIT was seen, or the end
    "COOKIE_WAIT",  # its INIT ACK
    "COOKIE_ECHOED",  # the cookie came back
    "ESTABLISHED",  # and was acknowledged
    "SHUTDOWN_SENT",  # the opener shuts down
    "SHUTDOWN_RECD",  # the other side does
    "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT",  # a path that began with a heartbeat (multi-homing)
)
SHORT = {"NO": NONE, "CL": CLOSED, "CW": COOKIE_WAIT, "CE": COOKIE_ECHOED, "ES": ESTABLISHED, "SS": SHUTDOWN_SENT}
SHORT |= {"SR": SHUTDOWN_RECD, "SA": SHUTDOWN_ACK_SENT, "HS": HEARTBEAT_SENT, "IV": 255}
SCTP_INVALID = SHORT["IV"]


class Row(NamedTuple):
    """A chunk in a direction: the new state for each old one, in the order of SCTP_STATES."""

    direction: int
    chunk: int
    states: str
    why: str


SCTP_ROWS = (
    # direction, chunk                       NO CL CW CE ES SS SR SA HS
    Row(ORIGINAL, chunk.INIT, "CL CL CW CE ES CL CL SA CW", "opens, or opens again while shutting down"),
    Row(ORIGINAL, chunk.INIT_ACK, "CL CL CW CE ES SS SR SA CL", "the opener does not answer itself"),
    Row(ORIGINAL, chunk.ABORT, "CL CL CL CL CL CL CL CL CL", "ends at once"),
    Row(ORIGINAL, chunk.SHUTDOWN, "CL CL CW CE SS SS SR SA CL", "the opener shuts down"),
    Row(ORIGINAL, chunk.SHUTDOWN_ACK, "SA CL CW CE ES SA SA SA SA", "answers a shutdown"),
    Row(ORIGINAL, chunk.ERROR, "CL CL CW CE ES SS SR SA CL", "changes nothing: a stale cookie is the other side's"),
    Row(ORIGINAL, chunk.COOKIE_ECHO, "CL CL CE CE ES SS SR SA CL", "the cookie comes back"),
    Row(ORIGINAL, chunk.COOKIE_ACK, "CL CL CW ES ES SS SR SA CL", "both sides opened"),
    Row(ORIGINAL, chunk.SHUTDOWN_COMPLETE, "CL CL CW CE ES SS SR CL CL", "the last word"),
    Row(ORIGINAL, chunk.HEARTBEAT, "HS CL CW CE ES SS SR SA HS", "a path is tried"),
    Row(ORIGINAL, chunk.HEARTBEAT_ACK, "CL CL CW CE ES SS SR SA HS", "answers a heartbeat"),
    Row(REPLY, chunk.INIT, "IV CL CW CE ES SS SR SA IV", "both sides open"),
    Row(REPLY, chunk.INIT_ACK, "IV CW CW CE ES SS SR SA IV", "the answer"),
    Row(REPLY, chunk.ABORT, "IV CL CL CL CL CL CL CL IV", "ends at once"),
    Row(REPLY, chunk.SHUTDOWN, "IV CL CW CE SR SS SR SA IV", "the other side shuts down"),
    Row(REPLY, chunk.SHUTDOWN_ACK, "IV CL CW CE ES SA SA SA IV", "answers a shutdown"),
    Row(REPLY, chunk.ERROR, "IV CL CW CL ES SS SR SA IV", "a stale cookie ends the handshake"),
    Row(REPLY, chunk.COOKIE_ECHO, "IV CL CE CE ES SS SR SA IV", "both sides opened"),
    Row(REPLY, chunk.COOKIE_ACK, "IV CL CW ES ES SS SR SA IV", "the handshake is done"),
    Row(REPLY, chunk.SHUTDOWN_COMPLETE, "IV CL CW CE ES SS SR CL IV", "the last word"),
    Row(REPLY, chunk.HEARTBEAT, "IV CL CW CE ES SS SR SA HS", "the path is tried from the other side"),
    Row(REPLY, chunk.HEARTBEAT_ACK, "IV CL CW CE ES SS SR SA ES", "the path works"),
)
SAME_ROW = {chunk.ABORT_T: chunk.ABORT, chunk.SHUTDOWN_COMPLETE_T: chunk.SHUTDOWN_COMPLETE}
KEEPS_STATE = (chunk.OTHER, chunk.DATA)


def sctp_transition_array() -> NDArray[np.uint8]:
    """SCTP_ROWS as uint8[direction, chunk code, state]; raises ValueError unless every chunk has one row."""
    table = np.full((2, 16, len(SCTP_STATES)), SCTP_INVALID, np.uint8)
    seen = set()
    for row in SCTP_ROWS:
        cells = [SHORT[word] for word in row.states.split()]
        if (row.direction, row.chunk) in seen or len(cells) != len(SCTP_STATES):
            raise ValueError(f"SCTP row {row}: given twice, or not one cell for each state")
        seen.add((row.direction, row.chunk))
        table[row.direction, row.chunk] = cells
    if len(seen) != 2 * (len(chunk.CHUNKS) - len(SAME_ROW) - len(KEEPS_STATE)):
        raise ValueError("an SCTP chunk has no row")
    for code, same in SAME_ROW.items():
        table[:, code] = table[:, same]
    for code in KEEPS_STATE:
        table[:, code] = range(len(SCTP_STATES))
    return table


SCTP_TRANSITIONS = sctp_transition_array()
