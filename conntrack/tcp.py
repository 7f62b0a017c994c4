"""TCP states, flag classes and the transition table, as data.

This is what nf_conntrack does (net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.18): one state for
the connection, moved by six classes of flags from either side. Every cell has a row below with its
reason; `TRANSITIONS` is the same as an array, and importing this module checks that it is total.
What the table alone cannot say (reopening, challenge ACKs, resets) stands in `conntrack.tcp_track`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# --- states: the connection's, not one side's --------------------------------------------------------
(NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, SYN_SENT2) = range(10)
STATES = (
    "",  # no entry
    "SYN_SENT",  # the opener's SYN was seen
    "SYN_RECV",  # and the answer's SYN-ACK
    "ESTABLISHED",  # and the third packet of the handshake, or picked up in the middle
    "FIN_WAIT",  # one FIN was seen
    "CLOSE_WAIT",  # and then an ACK, of either side
    "LAST_ACK",  # another FIN was seen
    "TIME_WAIT",  # and then an ACK
    "CLOSE",  # a reset was seen
    "SYN_SENT2",  # both sides sent a SYN: simultaneous open (RFC 9293 section 3.5)
)
ENDED = ("TIME_WAIT", "CLOSE")  # the connection was closed, or reset

# What a cell can say besides a state
IGNORE = 10  # let it pass, remember it, change nothing
INVALID = 11  # not part of the connection

# --- directions: ORIGINAL is that of the packet that opened the connection ------------------------------
ORIGINAL, REPLY = 0, 1
DIRECTION_NAMES = ("original", "reply")

# --- flag classes, first match of RST, SYN, FIN, ACK -----------------------------------------------------
CLASS_SYN, CLASS_SYN_ACK, CLASS_FIN, CLASS_ACK, CLASS_RST, CLASS_NONE = range(6)
CLASS_NAMES = ("SYN", "SYN-ACK", "FIN", "ACK", "RST", "none")


class FlagSet(NamedTuple):
    """A set of flags that a real TCP sends; PSH, ECE and CWR may be added to any."""

    name: str
    why: str


VALID_FLAG_SETS = (
    FlagSet("SYN", "opens"),
    FlagSet("SYN URG", "opens; urgent data is odd but allowed"),
    FlagSet("SYN ACK", "answers a SYN"),
    FlagSet("RST", "resets, answering a segment without ACK (RFC 9293 section 3.5.2)"),
    FlagSet("RST ACK", "resets, answering a segment with ACK"),
    FlagSet("FIN ACK", "closes; every segment behind the handshake carries ACK"),
    FlagSet("FIN ACK URG", "closes with urgent data"),
    FlagSet("ACK", "data or acknowledgement"),
    FlagSet("ACK URG", "urgent data"),
)
FLAG_BITS = {"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20, "ECE": 0x40, "CWR": 0x80}
ANY_FLAGS = FLAG_BITS["PSH"] | FLAG_BITS["ECE"] | FLAG_BITS["CWR"]
BAD_FLAGS = 255  # in FLAG_CLASSES: a set that cannot be


class Row(NamedTuple):
    """One line of the transition table: a class of flags in a direction, from these states, to that one."""

    direction: int
    flags: int
    states: tuple[int, ...]
    to: int
    why: str


ANY = (SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, SYN_SENT2)
OPEN = (SYN_RECV, ESTABLISHED)

ROWS = (
    # --- from the opener
    Row(ORIGINAL, CLASS_SYN, (NONE,), SYN_SENT, "a new connection"),
    Row(ORIGINAL, CLASS_SYN, (SYN_SENT,), SYN_SENT, "the SYN again"),
    Row(ORIGINAL, CLASS_SYN, (SYN_SENT2,), SYN_SENT2, "the SYN again, in a simultaneous open"),
    Row(ORIGINAL, CLASS_SYN, (*OPEN, FIN_WAIT, CLOSE_WAIT, LAST_ACK), IGNORE, "late, or the two ends lost each other"),
    Row(ORIGINAL, CLASS_SYN, (TIME_WAIT, CLOSE), SYN_SENT, "the port is used again (RFC 9293 section 3.6.1)"),
    Row(ORIGINAL, CLASS_SYN_ACK, (NONE,), INVALID, "an answer to nothing"),
    Row(ORIGINAL, CLASS_SYN_ACK, (SYN_RECV, SYN_SENT2), SYN_RECV, "simultaneous open"),
    Row(
        ORIGINAL,
        CLASS_SYN_ACK,
        (SYN_SENT, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE),
        INVALID,
        "the opener does not answer its own SYN",
    ),
    Row(ORIGINAL, CLASS_FIN, (NONE, SYN_SENT, SYN_SENT2), INVALID, "nothing to close yet"),
    Row(ORIGINAL, CLASS_FIN, OPEN, FIN_WAIT, "the first FIN"),
    Row(ORIGINAL, CLASS_FIN, (FIN_WAIT, CLOSE_WAIT, LAST_ACK), LAST_ACK, "another FIN, or the same one again"),
    Row(ORIGINAL, CLASS_FIN, (TIME_WAIT,), TIME_WAIT, "the FIN again"),
    Row(ORIGINAL, CLASS_FIN, (CLOSE,), CLOSE, "behind a reset"),
    Row(ORIGINAL, CLASS_ACK, (NONE,), ESTABLISHED, "picked up in the middle (only with tcp_loose)"),
    Row(ORIGINAL, CLASS_ACK, (SYN_SENT, SYN_SENT2), INVALID, "an ACK before the answer came"),
    Row(ORIGINAL, CLASS_ACK, (SYN_RECV,), ESTABLISHED, "the third packet of the handshake"),
    Row(ORIGINAL, CLASS_ACK, (ESTABLISHED,), ESTABLISHED, "data"),
    Row(ORIGINAL, CLASS_ACK, (FIN_WAIT, CLOSE_WAIT), CLOSE_WAIT, "the FIN is acknowledged, or data goes on"),
    Row(ORIGINAL, CLASS_ACK, (LAST_ACK, TIME_WAIT), TIME_WAIT, "the last FIN is acknowledged"),
    Row(ORIGINAL, CLASS_ACK, (CLOSE,), CLOSE, "behind a reset"),
    Row(ORIGINAL, CLASS_RST, (NONE,), INVALID, "nothing to reset"),
    Row(ORIGINAL, CLASS_RST, ANY, CLOSE, "reset"),
    Row(ORIGINAL, CLASS_NONE, (NONE, *ANY), INVALID, "no flag that means anything"),
    # --- from the other side
    Row(REPLY, CLASS_SYN, (SYN_SENT, SYN_SENT2), SYN_SENT2, "simultaneous open"),
    Row(REPLY, CLASS_SYN, (TIME_WAIT,), SYN_SENT, "the port is used again, from the other side"),
    Row(
        REPLY,
        CLASS_SYN,
        (*OPEN, FIN_WAIT, CLOSE_WAIT, LAST_ACK, CLOSE),
        INVALID,
        "the answering side does not open",
    ),
    Row(REPLY, CLASS_SYN_ACK, (SYN_SENT, SYN_SENT2), SYN_RECV, "the answer"),
    Row(
        REPLY,
        CLASS_SYN_ACK,
        (*OPEN, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE),
        IGNORE,
        "the answer again, or the two ends lost each other",
    ),
    Row(REPLY, CLASS_FIN, (SYN_SENT, SYN_SENT2), INVALID, "nothing to close yet"),
    Row(REPLY, CLASS_FIN, OPEN, FIN_WAIT, "the first FIN"),
    Row(REPLY, CLASS_FIN, (FIN_WAIT, CLOSE_WAIT, LAST_ACK), LAST_ACK, "another FIN, or the same one again"),
    Row(REPLY, CLASS_FIN, (TIME_WAIT,), TIME_WAIT, "the FIN again"),
    Row(REPLY, CLASS_FIN, (CLOSE,), CLOSE, "behind a reset"),
    Row(REPLY, CLASS_ACK, (SYN_SENT, SYN_SENT2), IGNORE, "perhaps a challenge ACK (RFC 5961 section 4)"),
    Row(REPLY, CLASS_ACK, (SYN_RECV,), SYN_RECV, "the handshake's third packet is the opener's"),
    Row(REPLY, CLASS_ACK, (ESTABLISHED,), ESTABLISHED, "data"),
    Row(REPLY, CLASS_ACK, (FIN_WAIT, CLOSE_WAIT), CLOSE_WAIT, "the FIN is acknowledged, or data goes on"),
    Row(REPLY, CLASS_ACK, (LAST_ACK, TIME_WAIT), TIME_WAIT, "the last FIN is acknowledged"),
    Row(REPLY, CLASS_ACK, (CLOSE,), CLOSE, "behind a reset"),
    Row(REPLY, CLASS_RST, ANY, CLOSE, "reset"),
    Row(REPLY, CLASS_NONE, ANY, INVALID, "no flag that means anything"),
)
UNSET = 255


def transition_array() -> NDArray[np.uint8]:
    """ROWS as uint8[direction, flag class, state]; raises ValueError unless every cell has one row.

    A reply needs an entry, so the reply cells of NONE have no row; they hold INVALID.
    """
    table = np.full((2, len(CLASS_NAMES), len(STATES)), UNSET, np.uint8)
    table[REPLY, :, NONE] = INVALID
    for row in ROWS:
        for state in row.states:
            if table[row.direction, row.flags, state] != UNSET:
                raise ValueError(f"two rows for {DIRECTION_NAMES[row.direction]} {CLASS_NAMES[row.flags]} in {state}")
            table[row.direction, row.flags, state] = row.to
    if (table == UNSET).any():
        cells = [f"{DIRECTION_NAMES[d]} {CLASS_NAMES[c]} in {STATES[s]}" for d, c, s in np.argwhere(table == UNSET)]
        raise ValueError(f"no row for {', '.join(cells)}")
    return table


def flag_class(flags: int) -> int:
    """The class of a set of flags, told in the kernel's order."""
    if flags & FLAG_BITS["RST"]:
        return CLASS_RST
    if flags & FLAG_BITS["SYN"]:
        return CLASS_SYN_ACK if flags & FLAG_BITS["ACK"] else CLASS_SYN
    if flags & FLAG_BITS["FIN"]:
        return CLASS_FIN
    return CLASS_ACK if flags & FLAG_BITS["ACK"] else CLASS_NONE


def flag_class_array() -> NDArray[np.uint8]:
    """uint8[256]: the class of every flag byte, BAD_FLAGS for a set that cannot be."""
    valid = {sum(FLAG_BITS[word] for word in row.name.split()) for row in VALID_FLAG_SETS}
    return np.array(
        [flag_class(flags) if flags & ~ANY_FLAGS & 0xFF in valid else BAD_FLAGS for flags in range(256)], np.uint8
    )


TRANSITIONS = transition_array()
FLAG_CLASSES = flag_class_array()
