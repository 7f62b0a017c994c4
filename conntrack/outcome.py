"""What a tracker says of one packet, besides the state: why it is INVALID, or what it did.

Each cause is one row; `firewall` turns causes into its reasons.
"""

from typing import NamedTuple


class Cause(NamedTuple):
    """One row: a word and what it means."""

    word: str
    meaning: str


CAUSES = (
    Cause("none", "the packet is fine"),
    Cause("bad-flags", "a set of TCP flags that cannot be"),
    Cause("bad-header", "the transport header cannot be read"),
    Cause("no-transport", "no transport header is there (IPv6 'no next header')"),
    Cause("mid-stream", "TCP that belongs to no entry and cannot open one"),
    Cause("no-query", "an answer, or a type that asks nothing, without an entry"),
    Cause("state", "the transition table has no place for it"),
    Cause("window", "outside the sequence window"),
    Cause("expired", "the entry of this tuple had timed out"),
    Cause("icmp-unrelated", "an ICMP error that quotes no live connection"),
    Cause("fragment", "a piece of a datagram"),
    Cause("table-full", "no room for another entry"),
)
(
    FINE,
    BAD_FLAGS,
    BAD_HEADER,
    NO_TRANSPORT,
    MID_STREAM,
    NO_QUERY,
    STATE,
    WINDOW,
    EXPIRED,
    ICMP_UNRELATED,
    FRAGMENT,
    TABLE_FULL,
) = range(len(CAUSES))

# What a protocol's tracker did with a packet that is not invalid (beyond the causes, so that one
# number says both)
PASS = 100  # it belongs to the entry
REPEAT = 101  # the entry was killed: look the packet up again, as a new one
KILL = 102  # it passes, and the entry is deleted
