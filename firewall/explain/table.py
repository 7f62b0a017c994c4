"""What the connection table had to do with a packet, and the story behind what its state denies."""

from conntrack.icmp import QUERIES
from conntrack.states import NO_STATE, UNTRACKED
from conntrack.table import GONE
from conntrack.tcp import ENDED
from firewall.connections import Connection
from firewall.explain.phases import Phase
from firewall.explain.sight import Sight, address_of, opener_text, sentence, tuple_text, when_text
from firewall.explain.window import window_misses
from firewall.labels import ICMP_PROTOCOLS, counted, duration_text, flags_text
from firewall.life import cause, state_word
from firewall.verdict import (
    BAD_FLAGS,
    EXPIRED,
    FRAGMENT_INCOMPLETE,
    ICMP_UNRELATED,
    INVALID_STATE,
    MID_STREAM,
    NO_EGRESS_RULE,
    NO_INGRESS_RULE,
    OUT_OF_WINDOW,
    TABLE_FULL,
    UNDECIDABLE,
)
from pcaps.wire import SYN, TCP


# --- the phase -------------------------------------------------------------------------------------------
def table_phase(sight: Sight) -> Phase:
    """The entry that was found, who opened it, its state before and behind the packet, and when it would be gone."""
    if sight.firewall.reading.code != 0:
        return Phase("table", "none", ("This reading keeps no table: each packet stands alone.",))
    if int(sight.row.reason) == FRAGMENT_INCOMPLETE:
        line = "A firewall that keeps state puts datagrams together first; the rest of this one never came in time."
        return Phase("table", "not asked", (line,))
    lines = [_quotes(sight)] if sight.which else []
    if sight.is_fragment:
        lines.append("The datagram was put together, and every fragment has the verdict of the whole.")
    if sight.timed_out and sight.before is not None:
        return Phase(
            "table", f"flow {sight.before.flow} timed out", (*lines, *_late(sight, sight.before), *_opened(sight))
        )
    if sight.held is None:
        return Phase("table", "no entry", (*lines, _nothing(sight), *_gone(sight), *_opened(sight)))
    return Phase("table", f"flow {sight.held.flow}, {state_word(sight.held)}", (*lines, *_found(sight, sight.held)))


def _quotes(sight: Sight) -> str:
    return f"The ICMP error quotes {tuple_text(sight.record, 'quoted_')}, so that connection is looked up."


def _nothing(sight: Sight) -> str:
    if int(sight.row.ct_state) == UNTRACKED and sight.after is None:
        return "Linux keeps no state for this kind of packet."
    between = "" if sight.which else f" between {sight.src} and {sight.dst}"
    return f"The table of this interface holds no such connection{between}."


def _gone(sight: Sight) -> list[str]:
    """An entry that was deleted before this packet."""
    entry = sight.entry_before
    if entry is None or int(entry["use"]) != GONE:
        return []
    history = sight.histories.of(int(sight.row.eni), int(entry["flow"]))
    closed = ""
    if history is not None and history.closing is not None:
        closed = f"; {sight.packet_name(history.closing)} closed it"
    return [f"Flow {int(entry['flow'])} had these ends and was deleted{closed}."]


def _who(sight: Sight, connection: Connection) -> str:
    history = sight.histories.of(int(sight.row.eni), connection.flow)
    by = ""
    if history is not None:
        by = f" by {sight.packet_name(history.first)} at {when_text(history.first.time, sight.now)}"
    under = f" under {connection.rule}" if connection.rule else ""
    return f"Flow {connection.flow} is {opener_text(connection)}, opened{by}{under}."


def _found(sight: Sight, held: Connection) -> list[str]:
    after = sight.after
    lines = [_who(sight, held)]
    if not held.tracked:
        return [*lines, "AWS does not track it: there is no entry to lean on, and each packet meets the rules."]
    history = sight.history
    if history is not None and history.closing is not None and state_word(held) in ENDED:
        lines.append(sentence(f"{sight.packet_name(history.closing)} closed it ({state_word(held)})"))
    if after is None or after.flow != held.flow:
        return [*lines, "This packet ended it.", *_opened(sight)]
    old, new = state_word(held), state_word(after)
    moved = f"Its state goes from {old} to {new}" if old != new else f"Its state stays {new}"
    if int(sight.row.ct_state) == NO_STATE:
        return [*lines, f"The packet does not reach it; its state stays {old}."]
    lines.append(f"{moved}: {why(sight)}.")
    return [*lines, _until(sight, after)]


def _opened(sight: Sight) -> list[str]:
    """What the packet itself opened."""
    after = sight.after
    if after is None or (sight.held is not None and after.flow == sight.held.flow) or after.expires <= sight.now:
        return []
    if sight.before is not None and sight.before.flow == after.flow:
        return []
    if not after.tracked:
        return [
            f"It opens flow {after.flow}, which AWS does not track: rules open both directions to anywhere.",
            "There is no entry to lean on: each packet of it meets the rules.",
        ]
    return [f"It opens flow {after.flow} in state {state_word(after)}.", _until(sight, after)]


def _until(sight: Sight, after: Connection) -> str:
    left = duration_text(after.expires - sight.now)
    return f"Without another packet the entry times out at {when_text(after.expires, sight.now)}, in {left}."


def _late(sight: Sight, before: Connection) -> list[str]:
    history = sight.history
    last = []
    if history is not None:
        idle = duration_text(before.expires - history.last.time)
        name, state = sight.packet_name(history.last), state_word(before)
        last = [f"Its last packet was {name}; in state {state} it lives {idle} without another."]
    late = duration_text(sight.now - before.expires)
    closed = []
    if history is not None and history.closing is not None and state_word(before) in ENDED:
        closed = [sentence(f"{sight.packet_name(history.closing)} had closed it ({state_word(before)})")]
    when = f"It timed out at {when_text(before.expires, sight.now)}, {late} before this packet."
    return [_who(sight, before), *closed, when, *last]


def why(sight: Sight) -> str:
    """Why the entry's state is what it is now: the row of the transition table, or the reason's meaning."""
    reply = bool(sight.held is not None and sight.src != sight.held.src)
    text = cause(sight.record, reply, sight.row, sight.held, sight.after)
    return text.removeprefix(f"{sight.reason.meaning}: ")


# --- the story of a deny by state ------------------------------------------------------------------------
def story(sight: Sight) -> list[str]:
    """What led to a deny that no rule decided, in sentences."""
    reason = int(sight.row.reason)
    told = STORIES.get(reason)
    return [] if told is None else told(sight)


def _mid_stream(sight: Sight) -> list[str]:
    flags = flags_text(TCP, int(sight.record["tcp_flags"]))
    loose = sight.firewall.settings["tcp_loose"]
    opens = "Only a SYN opens a connection" if loose == "0" else "Only a SYN, or a bare ACK, opens a connection"
    return [f"{opens} (tcp_loose={loose}); this packet has {flags}.", *_no_syn(sight)]


def _no_syn(sight: Sight) -> list[str]:
    if sight.entry_before is not None:
        return ["The connection that it belonged to is gone from the table, see the lookup above."]
    if sight.refused_before is not None:
        return []  # which is told for every reason
    return ["The capture holds no packet that opened its connection."]


def _bad_flags(sight: Sight) -> list[str]:
    flags = flags_text(TCP, int(sight.record["tcp_flags"]))
    return [f"No TCP sends {flags if flags != 'none' else 'a segment without any flag'}: scanners do."]


def _invalid_state(sight: Sight) -> list[str]:
    if int(sight.record["protocol"]) in ICMP_PROTOCOLS:
        return [_unasked(sight)]
    if sight.held is None:
        return ["It answers a connection that the table does not hold."]
    return [sentence(f"{why(sight)}: in state {state_word(sight.held)} Linux has no place for it")]


def _unasked(sight: Sight) -> str:
    kind, number = int(sight.record["src_port"]), int(sight.record["icmp_id"])
    query = next((row for row in QUERIES if row.answer == kind and row.family == int(sight.record["family"])), None)
    if query is None:
        return "It is an ICMP message that neither asks nor answers."
    return f"It answers an ICMP {query.name} with identifier {number}, and the table holds no such query."


def _window(sight: Sight) -> list[str]:
    entry, record = sight.entry_before, sight.record
    if entry is None:
        return []
    from_a = bool(entry["a_lo"] == record["src_lo"] and entry["a_hi"] == record["src_hi"])
    same_host = bool(entry["a_lo"] == entry["b_lo"] and entry["a_hi"] == entry["b_hi"])
    if same_host:
        from_a = int(entry["a_port"]) == int(record["src_port"])
    return window_misses(entry, record, from_a=from_a, sender=sight.src, receiver=sight.dst)


def _fragment(sight: Sight) -> list[str]:
    name = "ipfrag_time" if int(sight.record["family"]) == 4 else "frag6_timeout"
    wait = f"{sight.firewall.settings[name]} s ({name})"
    return [f"The other fragments of its datagram did not all come within {wait}, or before the capture ended."]


def _unrelated(sight: Sight) -> list[str]:
    if not sight.which:
        return ["It quotes no packet that can be read."]
    if sight.held is not None:
        return [f"It goes to {sight.dst}, but {address_of(sight.record, 'quoted_src')} sent the packet that it quotes."]
    return ["The connection that it quotes is not in the table."]


def _full(sight: Sight) -> list[str]:
    most = int(sight.firewall.settings["max"])
    if not most:
        return ["The simulator's own table has no room left."]
    return [f"Its host may track {counted(most, 'connection')} at once (max={most}), and has as many."]


def _expired(sight: Sight) -> list[str]:
    opens = "a packet that can open one" if int(sight.record["protocol"]) == TCP else "a new query"
    if int(sight.record["protocol"]) == TCP and int(sight.record["tcp_flags"]) & SYN:
        return []
    return [f"No notice is sent when an entry times out; {opens} would start over, keep-alives would have kept it."]


def _undecidable(_: Sight) -> list[str]:
    return ["Add the interfaces that have the group, or the list's entries, to the rule files: then it can be judged."]


def _late_reply(sight: Sight) -> list[str]:
    """A packet that would have passed with its connection."""
    if not sight.is_late_reply or sight.before is None:
        return []
    return [f"No rule is missing: it is a late answer in flow {sight.before.flow}, and passes while that entry lives."]


STORIES = {
    MID_STREAM: _mid_stream,
    BAD_FLAGS: _bad_flags,
    INVALID_STATE: _invalid_state,
    OUT_OF_WINDOW: _window,
    EXPIRED: _expired,
    ICMP_UNRELATED: _unrelated,
    FRAGMENT_INCOMPLETE: _fragment,
    TABLE_FULL: _full,
    UNDECIDABLE: _undecidable,
    NO_INGRESS_RULE: _late_reply,
    NO_EGRESS_RULE: _late_reply,
}
