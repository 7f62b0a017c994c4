"""SCTP: one packet against its association, in the order of nf_conntrack_sctp_packet (kernel 6.18).

Every packet carries the verification tag that its receiver chose (RFC 9260 section 8.5); entry["tags"]
holds the tag that each direction must carry.
"""

from conntrack.outcome import FINE, NO_QUERY, PASS, STATE
from conntrack.sctp import CLOSED, ESTABLISHED, NONE, SCTP_INVALID
from conntrack.table import ASSURED, LIVE, Entry
from conntrack.tcp import ORIGINAL, REPLY
from conntrack.timeouts import Settings
from pcaps.accelerate import i64, kernel, rare_kernel
from pcaps.batch import Packet
from pcaps.sctp_header import (
    ABORT,
    ABORT_T,
    COOKIE_ACK,
    COOKIE_ECHO,
    DATA,
    HEARTBEAT,
    HEARTBEAT_ACK,
    INIT,
    INIT_ACK,
    MAX_CHUNKS,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    SHUTDOWN_COMPLETE_T,
    chunk_at,
)

SENT_INIT = 1  # bit of entry["side"]: this side sent an INIT that is not answered yet
HEARTBEAT_FAILED = 1  # bit of entry["last_flags"]: a heartbeat carried another tag
GO_ON, UNCHANGED, WRONG = 0, 1, 2


@kernel
def has_chunk(p: Packet, wanted: int) -> bool:
    """True if the packet bundles a chunk of this code."""
    for index in range(MAX_CHUNKS):
        code = chunk_at(p, index)
        if code == wanted:
            return True
        if code == 0:
            return False
    return False


@kernel
def checks_own_tag(code: int) -> bool:
    """Chunks with rules of their own for the tag (RFC 9260 section 8.5.1)."""
    return code in (
        INIT,
        SHUTDOWN_COMPLETE,
        SHUTDOWN_COMPLETE_T,
        COOKIE_ECHO,
        ABORT,
        ABORT_T,
        SHUTDOWN_ACK,
        HEARTBEAT,
        HEARTBEAT_ACK,
    )


@rare_kernel
def open_sctp(entry: Entry, p: Packet, settings: Settings) -> int:
    """Prepare a candidate for its first packet: FINE, or STATE or NO_QUERY for what opens nothing."""
    for side in range(2):
        entry["tags"][side] = 0
        entry["side"][side] = 0
    entry["last_flags"] = 0
    entry["state"] = NONE
    tag = i64(p["extra"])
    for index in range(MAX_CHUNKS):
        code = chunk_at(p, index)
        if code == 0:
            break
        # Out of the blue (RFC 9260 section 8.4)
        if code in (ABORT, ABORT_T, SHUTDOWN_COMPLETE, SHUTDOWN_COMPLETE_T, COOKIE_ACK):
            return NO_QUERY
        if i64(settings["sctp_transitions"][ORIGINAL, code, NONE]) in (NONE, SCTP_INVALID):
            return NO_QUERY
        if code == INIT:
            if tag != 0:
                return STATE
            entry["tags"][REPLY] = p["sctp_init_tag"]
        elif code == HEARTBEAT:
            entry["tags"][ORIGINAL] = tag
        elif code == SHUTDOWN_ACK:
            entry["tags"][REPLY] = tag
    return FINE


@kernel
def check_heartbeat(entry: Entry, direction: int, tag: int, has_data: bool, unchanged: bool) -> int:
    """A heartbeat on a path whose tag is not known teaches it; one with another tag passes once."""
    known = i64(entry["tags"][direction])
    if known == 0:
        entry["tags"][direction] = tag
    elif tag != known:
        if has_data or unchanged:
            return WRONG
        entry["last_flags"] = HEARTBEAT_FAILED
        entry["last_direction"] = direction
        return UNCHANGED
    else:
        entry["last_flags"] = 0
    return GO_ON


@kernel
def check_heartbeat_ack(entry: Entry, direction: int, tag: int, has_data: bool, unchanged: bool) -> int:
    """The answer to such a heartbeat: from then on its tag holds."""
    known = i64(entry["tags"][direction])
    if known == 0:
        entry["tags"][direction] = tag
    elif tag != known:
        expected = i64(entry["last_flags"]) == HEARTBEAT_FAILED and i64(entry["last_direction"]) != direction
        if has_data or unchanged or not expected:
            return WRONG
        entry["last_flags"] = 0
        entry["tags"][direction] = tag
        entry["tags"][1 - direction] = 0
    else:
        entry["last_flags"] = 0
    return GO_ON


@kernel
def check_tag(entry: Entry, direction: int, code: int, tag: int, has_data: bool, unchanged: bool) -> int:
    """The rules for the verification tag of one chunk: GO_ON, UNCHANGED or WRONG."""
    own = i64(entry["tags"][direction])
    if code == INIT:
        return GO_ON if tag == 0 else WRONG
    if code in (ABORT, SHUTDOWN_COMPLETE, COOKIE_ECHO):
        return GO_ON if tag == own else WRONG
    if code in (ABORT_T, SHUTDOWN_COMPLETE_T):  # the T bit: the tag is the peer's
        return GO_ON if tag == i64(entry["tags"][1 - direction]) else WRONG
    if code == COOKIE_ACK:
        entry["side"][0] = 0
        entry["side"][1] = 0
    elif code == HEARTBEAT:
        return check_heartbeat(entry, direction, tag, has_data, unchanged)
    elif code == HEARTBEAT_ACK:
        return check_heartbeat_ack(entry, direction, tag, has_data, unchanged)
    return GO_ON


@kernel
def note_init(entry: Entry, direction: int, old: int, tag: int) -> None:
    """An INIT names the tag that the other direction must carry; with a tag that is known it is no new one."""
    peer = 1 - direction
    if old == NONE or i64(entry["tags"][peer]) != tag:
        if i64(entry["side"][direction]) and i64(entry["side"][peer]):
            entry["side"][peer] = 0
        entry["side"][direction] = SENT_INIT
    entry["tags"][peer] = tag


@kernel
def note_init_ack(entry: Entry, direction: int, tag: int) -> bool:
    """The same for an INIT ACK; False for a stale or colliding one (RFC 9260 section 5.2)."""
    peer = 1 - direction
    known = i64(entry["tags"][peer])
    asked = i64(entry["side"][peer]) != 0
    collides = asked and i64(entry["side"][direction]) != 0
    if known != tag and (collides or (not asked and known != 0)):
        return False
    entry["tags"][peer] = tag
    return True


@kernel
def tag_holds(entry: Entry, direction: int, p: Packet) -> bool:
    """The packet carries its direction's tag, unless a chunk has a rule of its own."""
    for index in range(MAX_CHUNKS):
        if checks_own_tag(chunk_at(p, index)):
            return True
    return i64(p["extra"]) == i64(entry["tags"][direction])


@rare_kernel
def track_sctp(entry: Entry, direction: int, p: Packet, settings: Settings, now: int) -> int:
    """One packet of a live association, or the first of a candidate: PASS or a cause."""
    if not tag_holds(entry, direction, p):
        return STATE
    has_data = has_chunk(p, DATA)
    unchanged = False
    new = NONE
    for index in range(MAX_CHUNKS):
        code = chunk_at(p, index)
        if code == 0:
            break
        checked = check_tag(entry, direction, code, i64(p["extra"]), has_data, unchanged)
        if checked == WRONG:
            return STATE
        if checked == UNCHANGED:
            unchanged = True
            continue
        old = i64(entry["state"])
        new = i64(settings["sctp_transitions"][direction, code, old])
        if new == SCTP_INVALID:
            return STATE
        if code == INIT:
            note_init(entry, direction, old, i64(p["sctp_init_tag"]))
            # an INIT sent again does not keep an entry alive
            unchanged = unchanged or (new == CLOSED and old == CLOSED and i64(entry["use"]) == LIVE)
        elif code == INIT_ACK and not note_init_ack(entry, direction, i64(p["sctp_init_tag"])):
            return STATE
        entry["state"] = new
        if new == ESTABLISHED and old != new:
            entry["status"] = i64(entry["status"]) | ASSURED
    if not unchanged:
        entry["expires"] = now + i64(settings["timeouts"][i64(settings["sctp_state_timeouts"][new])])
    return PASS
