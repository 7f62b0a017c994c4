"""TCP: one segment against its entry.

What the transition table cannot say alone, in the order of nf_conntrack_tcp_packet
(net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.18).
"""

from conntrack.outcome import BAD_FLAGS, FINE, KILL, MID_STREAM, PASS, REPEAT, STATE, WINDOW
from conntrack.table import ASSURED, SEEN_REPLY, Entry
from conntrack.tcp import BAD_FLAGS as BAD_FLAG_SET
from conntrack.tcp import (
    CLASS_ACK,
    CLASS_FIN,
    CLASS_NONE,
    CLASS_RST,
    CLASS_SYN,
    CLASS_SYN_ACK,
    CLOSE,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT,
    IGNORE,
    INVALID,
    LAST_ACK,
    NONE,
    ORIGINAL,
    REPLY,
    SYN_RECV,
    SYN_SENT,
    SYN_SENT2,
    TIME_WAIT,
)
from conntrack.timeouts import (
    LIBERAL,
    N_MAX_RETRANS,
    S_IGNORE_INVALID_RST,
    S_TCP_BE_LIBERAL,
    S_TCP_LOOSE,
    S_TCP_STATE,
    T_CLOSE,
    T_MAX_RETRANS,
    T_UNACKNOWLEDGED,
    Settings,
)
from conntrack.window import (
    BE_LIBERAL,
    CHALLENGE_ACK_EXPECTED,
    CLOSE_INIT,
    DATA_UNACKNOWLEDGED,
    M32,
    MAX_ACK_SET,
    OUTSIDE,
    PASS_UNCHANGED,
    SACK_PERMITTED,
    SIMULTANEOUS_OPEN,
    WINDOW_SCALE,
    in_window,
    note_options,
    segment_end,
)
from pcaps.accelerate import i64, kernel, rare_kernel
from pcaps.batch import NO_WSCALE, Packet
from pcaps.tcp_header import later

SHORTENED_ABOVE = 120_000_000_000  # ns; nf_tcp_handle_invalid shortens only longer lives


@kernel
def open_tcp(entry: Entry, p: Packet, settings: Settings) -> int:
    """Prepare a candidate for its first segment; FINE, BAD_FLAGS or MID_STREAM (tcp_new)."""
    flag_class = i64(settings["flag_classes"][i64(p["tcp_flags"])])
    if flag_class == BAD_FLAG_SET:
        return BAD_FLAGS
    to = i64(settings["transitions"][ORIGINAL, flag_class, NONE])
    loose = i64(settings["switches"][S_TCP_LOOSE]) != 0
    if flag_class == CLASS_SYN_ACK and i64(settings["switches"][S_TCP_STATE]) == LIBERAL:
        to = ESTABLISHED  # the SYN took another way
    if to == INVALID or (to != SYN_SENT and not loose):
        return MID_STREAM
    entry["state"] = NONE
    entry["last_class"] = CLASS_NONE
    entry["last_direction"] = ORIGINAL
    entry["last_seq"] = 0
    entry["last_ack"] = 0
    entry["last_end"] = 0
    entry["last_win"] = 0
    entry["last_scale"] = 0
    entry["last_flags"] = 0
    entry["retransmissions"] = 0
    for side in range(2):
        clear_side(entry, side)
    window = max(i64(p["tcp_window"]), 1)
    end = segment_end(p)
    entry["end"][ORIGINAL] = end
    entry["max_win"][ORIGINAL] = window
    if to == SYN_SENT:
        entry["max_end"][ORIGINAL] = end
        note_options(entry, ORIGINAL, p)
    else:  # its history is lost: take what the segment says, and be liberal
        entry["max_end"][ORIGINAL] = (end + window) & M32
        entry["side"][ORIGINAL] = SACK_PERMITTED | BE_LIBERAL
        entry["side"][REPLY] = SACK_PERMITTED | BE_LIBERAL
    return FINE


@kernel
def clear_side(entry: Entry, side: int) -> None:
    """Nothing is known of this side."""
    entry["end"][side] = 0
    entry["max_end"][side] = 0
    entry["max_win"][side] = 0
    entry["max_ack"][side] = 0
    entry["scale"][side] = 0
    entry["side"][side] = 0


@kernel
def may_reopen(entry: Entry, direction: int) -> bool:
    """A SYN on a closed connection starts anew if a side closed it, or the SYN's own side reset it."""
    closed = (i64(entry["side"][0]) | i64(entry["side"][1])) & CLOSE_INIT
    reset = i64(entry["last_direction"]) == direction and i64(entry["last_class"]) == CLASS_RST
    return closed != 0 or reset


@kernel
def answers_ignored_syn(entry: Entry, direction: int, flag_class: int, p: Packet) -> bool:
    """A SYN-ACK for a SYN that was let pass: the two ends are in step, this table was not."""
    return (
        flag_class == CLASS_SYN_ACK
        and i64(entry["last_class"]) == CLASS_SYN
        and i64(entry["last_direction"]) != direction
        and i64(p["tcp_ack"]) == i64(entry["last_end"])
    )


@kernel
def adopt_ignored_syn(entry: Entry, direction: int) -> None:
    """Take the window data that were noted from the ignored SYN; forget this side's, but that it is liberal."""
    opener = i64(entry["last_direction"])
    entry["end"][opener] = entry["last_end"]
    entry["max_end"][opener] = entry["last_end"]
    entry["max_win"][opener] = max(i64(entry["last_win"]), 1)
    entry["scale"][opener] = entry["last_scale"]
    flags = i64(entry["last_flags"]) & ~CHALLENGE_ACK_EXPECTED
    entry["last_flags"] = flags
    entry["side"][opener] = flags
    liberal = i64(entry["side"][direction]) & BE_LIBERAL
    clear_side(entry, direction)
    entry["side"][direction] = liberal


@rare_kernel
def note_ignored(entry: Entry, direction: int, flag_class: int, state: int, p: Packet) -> None:
    """Remember a segment that passes without a change, above all a SYN's options."""
    entry["last_class"] = flag_class
    entry["last_direction"] = direction
    entry["last_seq"] = p["tcp_seq"]
    entry["last_end"] = segment_end(p)
    entry["last_win"] = p["tcp_window"]
    if flag_class == CLASS_SYN and direction == ORIGINAL:
        flags = 0
        entry["last_scale"] = 0
        if i64(p["tcp_wscale"]) != NO_WSCALE:
            flags |= WINDOW_SCALE
            entry["last_scale"] = p["tcp_wscale"]
        if i64(p["tcp_sack_permitted"]):
            flags |= SACK_PERMITTED
        if state == LAST_ACK:  # the peer may answer with a challenge ACK (RFC 5961 section 4.2)
            flags |= CHALLENGE_ACK_EXPECTED
        entry["last_flags"] = flags
    if state == SYN_SENT and flag_class == CLASS_ACK and direction == REPLY:
        entry["last_ack"] = p["tcp_ack"]


@kernel
def is_challenge_ack(entry: Entry, direction: int, flag_class: int, state: int) -> bool:
    """An ACK that answers an ignored SYN in LAST_ACK: it does not acknowledge the FIN."""
    return (
        state == LAST_ACK
        and flag_class == CLASS_ACK
        and i64(entry["last_direction"]) != direction
        and i64(entry["last_class"]) == CLASS_SYN
        and (i64(entry["last_flags"]) & CHALLENGE_ACK_EXPECTED) != 0
    )


@kernel
def is_established(entry: Entry, state: int) -> bool:
    """Both ends have sequence numbers that count (nf_conntrack_tcp_established)."""
    return state == ESTABLISHED and (i64(entry["status"]) & ASSURED) != 0


RESET_INVALID, RESET_CHECK, RESET_TAKEN, RESET_KEEPS_STATE = 0, 1, 2, 3


@kernel
def judge_reset(entry: Entry, direction: int, state: int, p: Packet, ignore_invalid: bool) -> int:
    """A reset: invalid, to be checked against the window, taken as it is, or inexact (RFC 5961 section 3)."""
    if state in (FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE):
        return RESET_TAKEN  # closing: what is known of the windows may be outdated
    seq = i64(p["tcp_seq"])
    keeps_state = False
    peer = 1 - direction
    if i64(entry["side"][peer]) & MAX_ACK_SET and i64(entry["last_class"]) != CLASS_SYN:
        highest_ack = i64(entry["max_ack"][peer])
        if seq == 0 and not is_established(entry, state):
            return RESET_CHECK
        if later(highest_ack, seq) and not ignore_invalid:
            return RESET_INVALID
        if not is_established(entry, state) or seq == highest_ack:
            return RESET_CHECK
        behind_data = (
            i64(entry["last_class"]) == CLASS_ACK
            and i64(entry["last_direction"]) == direction
            and seq == i64(entry["last_end"])
        )
        if behind_data:
            return RESET_CHECK
        keeps_state = True
    if answers_noted_segment(entry, direction, state, p):
        return RESET_TAKEN
    return RESET_KEEPS_STATE if keeps_state else RESET_CHECK


@kernel
def answers_noted_segment(entry: Entry, direction: int, state: int, p: Packet) -> bool:
    """A reset of a SYN or ACK that was let pass, or of a challenge ACK."""
    status = i64(entry["status"])
    last = i64(entry["last_class"])
    other_side = i64(entry["last_direction"]) != direction
    of_syn = status & SEEN_REPLY != 0 and last == CLASS_SYN and other_side
    of_ack = status & ASSURED == 0 and last == CLASS_ACK  # whichever side sent it
    if (of_syn or of_ack) and i64(p["tcp_ack"]) == i64(entry["last_end"]):
        return True
    return (
        state == SYN_SENT
        and last == CLASS_ACK
        and i64(entry["last_direction"]) == REPLY
        and i64(p["tcp_seq"]) == i64(entry["last_ack"])
    )


@kernel
def handle_invalid(entry: Entry, direction: int, flag_class: int, settings: Settings, now: int) -> None:
    """FIN or RST outside the window from both sides: do not hold the entry for days (nf_tcp_handle_invalid)."""
    if not i64(entry["status"]) & ASSURED or flag_class not in (CLASS_RST, CLASS_FIN):
        return
    last = i64(entry["last_class"])
    if i64(entry["last_direction"]) == direction or last not in (CLASS_FIN, CLASS_RST):
        entry["last_class"] = flag_class
        entry["last_direction"] = direction
        return
    left = i64(entry["expires"]) - now
    short = i64(settings["timeouts"][T_UNACKNOWLEDGED])
    if left >= SHORTENED_ABOVE and left > short:
        entry["expires"] = now + short


@kernel
def idle_time(entry: Entry, state: int, flag_class: int, settings: Settings) -> int:
    """How long (ns) the entry lives without another packet, now that this one was accepted."""
    normal = i64(settings["timeouts"][i64(settings["state_timeouts"][state])])
    retrans = i64(settings["timeouts"][T_MAX_RETRANS])
    unacknowledged = i64(settings["timeouts"][T_UNACKNOWLEDGED])
    sides = i64(entry["side"][0]) | i64(entry["side"][1])
    if i64(entry["retransmissions"]) >= i64(settings["switches"][N_MAX_RETRANS]) and normal > retrans:
        return retrans
    if flag_class == CLASS_RST:
        return i64(settings["timeouts"][T_CLOSE])
    if sides & DATA_UNACKNOWLEDGED and normal > unacknowledged:
        return unacknowledged
    if i64(entry["last_win"]) == 0 and normal > retrans:
        return retrans
    return normal


@kernel
def accept(entry: Entry, direction: int, flag_class: int, old: int, new: int, settings: Settings, now: int) -> int:
    """Take the segment: note it, move the state, start the timer; PASS or KILL."""
    entry["last_class"] = flag_class
    entry["last_direction"] = direction
    entry["state"] = new
    if old != new and new == FIN_WAIT:
        entry["side"][direction] = i64(entry["side"][direction]) | CLOSE_INIT
    lifetime = idle_time(entry, new, flag_class, settings)
    status = i64(entry["status"])
    if not status & SEEN_REPLY:
        if flag_class == CLASS_RST:
            return KILL  # a reset was all that came back
        if flag_class == CLASS_SYN and old == SYN_SENT:
            return PASS  # SYNs sent again do not keep an entry alive
        if new == ESTABLISHED:
            lifetime = min(lifetime, i64(settings["timeouts"][T_UNACKNOWLEDGED]))
    elif not status & ASSURED and old in (SYN_RECV, ESTABLISHED) and new == ESTABLISHED:
        entry["status"] = status | ASSURED
    entry["expires"] = now + lifetime
    return PASS


@kernel
def take_checked(
    entry: Entry, direction: int, flag_class: int, old: int, new: int, p: Packet, settings: Settings, now: int
) -> int:
    """Move to the new state if the segment is inside its window."""
    be_liberal = i64(settings["switches"][S_TCP_BE_LIBERAL]) != 0
    where = in_window(entry, direction, flag_class, p, be_liberal)
    if where == PASS_UNCHANGED:
        return PASS
    if where == OUTSIDE:
        handle_invalid(entry, direction, flag_class, settings, now)
        return WINDOW
    return accept(entry, direction, flag_class, old, new, settings, now)


@rare_kernel
def track_reset(entry: Entry, direction: int, old: int, p: Packet, settings: Settings, now: int) -> int:
    """A reset: to state CLOSE, unless it is inexact or invalid."""
    ignore_invalid = i64(settings["switches"][S_IGNORE_INVALID_RST]) != 0
    reset = judge_reset(entry, direction, old, p, ignore_invalid)
    if reset == RESET_INVALID:
        return WINDOW
    if reset == RESET_TAKEN:
        return accept(entry, direction, CLASS_RST, old, CLOSE, settings, now)
    new = old if reset == RESET_KEEPS_STATE else CLOSE
    return take_checked(entry, direction, CLASS_RST, old, new, p, settings, now)


@kernel
def simultaneous_open(entry: Entry, direction: int, flag_class: int, new: int) -> int:
    """The new state, where both sides sent a SYN: then the answering side's ACK establishes too."""
    if new == SYN_SENT2:
        entry["last_flags"] = i64(entry["last_flags"]) | SIMULTANEOUS_OPEN
    both_opened = i64(entry["last_flags"]) & SIMULTANEOUS_OPEN != 0
    if both_opened and new == SYN_RECV and direction == REPLY and flag_class == CLASS_ACK:
        return ESTABLISHED
    return new


@kernel
def track_tcp(entry: Entry, direction: int, p: Packet, settings: Settings, now: int) -> int:
    """One segment of a live entry, or the first of a candidate: PASS, REPEAT, KILL or a cause."""
    flag_class = i64(settings["flag_classes"][i64(p["tcp_flags"])])
    if flag_class == BAD_FLAG_SET:
        return BAD_FLAGS
    old = i64(entry["state"])
    new = i64(settings["transitions"][direction, flag_class, old])
    if i64(settings["switches"][S_TCP_STATE]) == LIBERAL:
        entry["last_win"] = p["tcp_window"]
        return track_liberal(entry, direction, flag_class, old, new, settings, now)
    if new == SYN_SENT and old in (TIME_WAIT, CLOSE):
        if may_reopen(entry, direction):
            return REPEAT
        new = IGNORE
    if new == INVALID:
        return STATE
    if new == IGNORE:
        if answers_ignored_syn(entry, direction, flag_class, p):
            adopt_ignored_syn(entry, direction)
            return take_checked(entry, direction, flag_class, SYN_SENT, SYN_RECV, p, settings, now)
        note_ignored(entry, direction, flag_class, old, p)
        return PASS
    if flag_class == CLASS_RST:
        return track_reset(entry, direction, old, p, settings, now)
    if is_challenge_ack(entry, direction, flag_class, old):
        entry["last_flags"] = i64(entry["last_flags"]) & ~CHALLENGE_ACK_EXPECTED
        return PASS
    new = simultaneous_open(entry, direction, flag_class, new)
    return take_checked(entry, direction, flag_class, old, new, p, settings, now)


@rare_kernel
def track_liberal(
    entry: Entry, direction: int, flag_class: int, old: int, new: int, settings: Settings, now: int
) -> int:
    """tcp_state=liberal: whatever the state and the window say, the same 5-tuple passes."""
    if new == SYN_SENT and old in (TIME_WAIT, CLOSE):
        return REPEAT
    if new in (IGNORE, INVALID):
        new = old
    if new == NONE:
        new = SYN_SENT
    if i64(entry["status"]) & SEEN_REPLY == 0 and new == SYN_SENT and flag_class == CLASS_ACK:
        new = ESTABLISHED  # only one side is seen, and it goes on
    return accept(entry, direction, flag_class, old, new, settings, now)
