"""Sequence and acknowledgement bounds: whether a segment is inside the window of its connection.

nf_conntrack_proto_tcp.c, tcp_in_window; the idea is Guido van Rooij's "Real Stateful TCP Packet
Filtering in IP Filter". One function serves both directions: `s` is the side that sends this segment,
`r` the one that receives it. Sequence arithmetic is modulo 2**32 (RFC 9293 section 3.4).
"""

from conntrack.table import Entry
from conntrack.tcp import CLASS_ACK, REPLY, SYN_RECV, SYN_SENT
from pcaps.accelerate import i64, kernel
from pcaps.batch import NO_WSCALE, Packet
from pcaps.tcp_header import later
from pcaps.wire import ACK, FIN, RST, SYN

# --- bits of entry["side"][direction], ip_conntrack_tcp.h -----------------------------------------------
WINDOW_SCALE = 0x01  # this side sent the option
SACK_PERMITTED = 0x02
CLOSE_INIT = 0x04  # this side sent the first FIN
BE_LIBERAL = 0x08  # picked up in the middle: its windows are not known
DATA_UNACKNOWLEDGED = 0x10
MAX_ACK_SET = 0x20  # max_ack is known

# --- bits of entry["last_flags"], beside the first two above ----------------------------------------------
CHALLENGE_ACK_EXPECTED = 0x40
SIMULTANEOUS_OPEN = 0x80

ACCEPT, PASS_UNCHANGED, OUTSIDE = 0, 1, 2  # what `in_window` says
MIN_ACK_WINDOW = 66000  # an ACK may lag by this much even where windows are small
M32 = 0xFFFFFFFF


@kernel
def segment_end(p: Packet) -> int:
    """The sequence number behind the segment; SYN and FIN count as one each."""
    flags = i64(p["tcp_flags"])
    length = i64(p["payload"]) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    return (i64(p["tcp_seq"]) + length) & M32


@kernel
def note_options(entry: Entry, side: int, p: Packet) -> None:
    """Window scale and SACK-permitted of a SYN; BE_LIBERAL outlives them, and no option at all changes nothing."""
    if i64(p["tcp_has_options"]) == 0:
        return
    bits = i64(entry["side"][side]) & BE_LIBERAL
    scale = i64(p["tcp_wscale"])
    if scale != NO_WSCALE:
        bits |= WINDOW_SCALE
    if i64(p["tcp_sack_permitted"]):
        bits |= SACK_PERMITTED
    entry["scale"][side] = 0 if scale == NO_WSCALE else scale
    entry["side"][side] = bits


@kernel
def start_side(entry: Entry, s: int, p: Packet) -> None:
    """What a SYN or SYN-ACK says of its sender (tcp_init_sender)."""
    end = segment_end(p)
    entry["end"][s] = end
    entry["max_end"][s] = end
    entry["max_win"][s] = max(i64(p["tcp_window"]), 1)
    note_options(entry, s, p)
    both = i64(entry["side"][0]) & i64(entry["side"][1]) & WINDOW_SCALE
    if s == REPLY and not both:  # scaling needs both sides (RFC 7323 section 2.2)
        entry["scale"][0] = 0
        entry["scale"][1] = 0


@kernel
def guess_side(entry: Entry, s: int, r: int, p: Packet, sack: int) -> None:
    """A side whose SYN was not seen, from its first segment."""
    end = segment_end(p)
    window = max(i64(p["tcp_window"]) << i64(entry["scale"][s]), 1)
    entry["end"][s] = end
    entry["max_win"][s] = window
    entry["max_end"][s] = (end + window) & M32
    if i64(entry["max_win"][r]) == 0:
        entry["end"][r] = sack
        entry["max_end"][r] = sack
    elif sack == (i64(entry["end"][r]) + 1) & M32:  # probably the answer to a keepalive
        entry["end"][r] = sack


@kernel
def update(entry: Entry, s: int, r: int, p: Packet, ack: int, sack: int, end: int) -> None:
    """What an accepted segment teaches of both sides."""
    flags = i64(p["tcp_flags"])
    window = i64(p["tcp_window"])
    if not flags & SYN:  # the window of a SYN is never scaled
        window = (window << i64(entry["scale"][s])) & M32
    reach = (window + sack - ack) & M32
    if i64(entry["max_win"][s]) < reach:
        entry["max_win"][s] = reach
    if later(end, i64(entry["end"][s])):
        entry["end"][s] = end
        entry["side"][s] = i64(entry["side"][s]) | DATA_UNACKNOWLEDGED
    if flags & ACK:
        if not i64(entry["side"][s]) & MAX_ACK_SET:
            entry["max_ack"][s] = ack
            entry["side"][s] = i64(entry["side"][s]) | MAX_ACK_SET
        elif later(ack, i64(entry["max_ack"][s])):
            entry["max_ack"][s] = ack
    over = (end - i64(entry["max_end"][s])) & M32
    if i64(entry["max_win"][r]) != 0 and later(end, i64(entry["max_end"][s])):
        entry["max_win"][r] = (i64(entry["max_win"][r]) + over) & M32
    edge = (sack + window) & M32
    if later(edge, (i64(entry["max_end"][r]) - 1) & M32):
        entry["max_end"][r] = (edge + 1) & M32 if window == 0 else edge
    if ack == i64(entry["end"][r]):
        entry["side"][r] = i64(entry["side"][r]) & ~DATA_UNACKNOWLEDGED


@kernel
def count_retransmission(entry: Entry, s: int, p: Packet, seq: int, ack: int, end: int) -> None:
    """The same plain segment as the last one noted counts up, any other starts anew."""
    window = i64(p["tcp_window"])
    if (
        i64(entry["last_direction"]) == s
        and i64(entry["last_seq"]) == seq
        and i64(entry["last_ack"]) == ack
        and i64(entry["last_end"]) == end
        and i64(entry["last_win"]) == window
    ):
        entry["retransmissions"] = min(i64(entry["retransmissions"]) + 1, 255)
        return
    entry["last_direction"] = s
    entry["last_seq"] = seq
    entry["last_ack"] = ack
    entry["last_end"] = end
    entry["last_win"] = window
    entry["retransmissions"] = 0


@kernel
def bounds(entry: Entry, s: int, r: int, seq: int, sack: int, end: int) -> int:
    """ACCEPT, or what a segment outside the bounds deserves; a small overrun is noted."""
    their_window = i64(entry["max_win"][r])
    their_end = i64(entry["end"][r])
    lowest_ack = (their_end - max(i64(entry["max_win"][s]), MIN_ACK_WINDOW) - 1) & M32
    lowest_end = (i64(entry["end"][s]) - their_window - 1) & M32
    not_too_old = later(end, lowest_end)
    ack_not_too_old = later(sack, lowest_ack)
    ack_of_known = not later(sack, their_end)
    if later(seq, i64(entry["max_end"][s])):  # starts beyond the window
        overshoot = (end - i64(entry["max_end"][s]) + 1) & M32
        if their_window == 0 or overshoot > their_window or not (not_too_old and ack_not_too_old and ack_of_known):
            return OUTSIDE
        entry["end"][s] = end  # the sender overran a little: an ACK of this will come
        entry["side"][s] = i64(entry["side"][s]) | DATA_UNACKNOWLEDGED
        return PASS_UNCHANGED
    if not ack_of_known:  # acknowledges what was never sent
        return OUTSIDE
    if (their_window != 0 and not not_too_old) or not ack_not_too_old:  # a late repetition
        return PASS_UNCHANGED
    return ACCEPT


@kernel
def in_window(entry: Entry, s: int, flag_class: int, p: Packet, be_liberal: bool) -> int:
    """ACCEPT (and the entry learns), PASS_UNCHANGED, or OUTSIDE."""
    r = 1 - s
    flags = i64(p["tcp_flags"])
    seq = i64(p["tcp_seq"])
    ack = i64(p["tcp_ack"])
    end = segment_end(p)
    state = i64(entry["state"])
    sack = i64(p["tcp_sack"]) if i64(entry["side"][r]) & SACK_PERMITTED else ack

    if i64(entry["max_win"][s]) == 0:
        if flags & SYN:
            start_side(entry, s, p)
            if not flags & ACK:  # simultaneous open
                return ACCEPT
        else:
            guess_side(entry, s, r, p, sack)
    elif flags & SYN and later(end, i64(entry["end"][s])) and state in (SYN_SENT, SYN_RECV):
        start_side(entry, s, p)  # the opener starts again with a higher sequence number
        if s == REPLY and not flags & ACK:
            return ACCEPT

    if not flags & ACK or (flags & RST and ack == 0):  # some stacks reset with ACK and number 0
        ack = sack = i64(entry["end"][r])
    if flags & RST and seq == 0 and state == SYN_SENT:  # the answer to a SYN carries no sequence
        seq = end = i64(entry["end"][s])

    where = bounds(entry, s, r, seq, sack, end)
    if where != ACCEPT:
        liberal = be_liberal or (i64(entry["side"][s]) & BE_LIBERAL) != 0
        return ACCEPT if liberal else where
    update(entry, s, r, p, ack, sack, end)
    if flag_class == CLASS_ACK:
        count_retransmission(entry, s, p, seq, ack, end)
    return ACCEPT
