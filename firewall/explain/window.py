"""By how much a TCP segment lies outside the window of its connection, in numbers.

conntrack.window has refused it: this tells by which of its bounds, read from the entry as it was before.
"""

from typing import Any

from conntrack.table import OPENED_BY_B
from conntrack.window import SACK_PERMITTED
from pcaps.wire import ACK, FIN, RST, SYN

M32 = 0xFFFF_FFFF


def ahead(left: int, right: int) -> int:
    """How far the left sequence number lies behind the right one, signed (RFC 9293 section 3.4)."""
    distance = (left - right) & M32
    return distance - (1 << 32) if distance >= 1 << 31 else distance


def window_misses(entry: Any, packet: Any, *, from_a: bool, sender: str, receiver: str) -> list[str]:
    """A sentence for each bound that the segment breaks; `from_a`: end a of the entry sent it."""
    s = int(from_a == bool(int(entry["status"]) & OPENED_BY_B))  # 0: the opener's direction
    r = 1 - s
    flags = int(packet["tcp_flags"])
    start = int(packet["tcp_seq"])
    end = start + int(packet["payload"]) + bool(flags & SYN) + bool(flags & FIN)
    told = []
    beyond = ahead(end, int(entry["max_end"][s]))
    if int(entry["max_win"][s]) and ahead(start, int(entry["max_end"][s])) > 0:
        told.append(f"It reaches {beyond:,} bytes beyond what {receiver} granted {sender} so far.")
    if flags & ACK and not (flags & RST and int(packet["tcp_ack"]) == 0):
        acknowledged = int(packet["tcp_sack"] if int(entry["side"][r]) & SACK_PERMITTED else packet["tcp_ack"])
        unsent = ahead(acknowledged, int(entry["end"][r]))
        if unsent > 0:
            told.append(f"It acknowledges {unsent:,} bytes more than {receiver} sent.")
    return told
