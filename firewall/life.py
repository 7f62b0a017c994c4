"""The life of one connection, told from the engine's columns and its table.

Two firewalls of the same rules go through the same packets. The first, a batch at a time, says in its
columns where the flow appears; the second stops at every packet that may touch it, so that its table
can be read before and after. Nothing here judges: it reads what the engine wrote. Of a datagram in
fragments the one that makes it whole touches the flow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conntrack.icmp import QUERIES
from conntrack.sctp import SAME_ROW, SCTP_ROWS
from conntrack.states import CT_STATES, INVALID, UNTRACKED
from conntrack.tcp import ENDED, IGNORE, NONE, ORIGINAL, REPLY, ROWS, STATES, SYN_RECV, flag_class
from conntrack.tcp import INVALID as NO_TRANSITION
from firewall.connections import Connection
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.labels import ICMP_PROTOCOLS, Labels, address_text, counted, flags_text, flow_text
from firewall.rows import Judged, VerdictBatch
from firewall.state import End, Fate, Life, Step
from firewall.verdict import EXPIRED, FRAGMENT_INCOMPLETE, INVALID_STATE, REASONS, VERDICTS
from pcaps.batch import PacketBatch
from pcaps.capture import Capture
from pcaps.sctp_header import CHUNKS
from pcaps.wire import ACK, SCTP, TCP, UDP

CELLS = {(row.direction, row.flags, state): row for row in ROWS for state in row.states}
CHUNK_ROWS = {(row.direction, row.chunk): row for row in SCTP_ROWS}

UNREPLIED, REPLIED, ASSURED = "UNREPLIED", "REPLIED", "ASSURED"  # for what has no states of its own
ABOUT_IT = "an ICMP error that quotes it; changes nothing"
UNCHANGED, SAME_STATE = "passes, changes nothing", "passes, the state stays"

#: Packets without a TCP state, by what they found and what they left.
ANSWERING = {
    ("", UNREPLIED): "a new connection",
    (UNREPLIED, UNREPLIED): "once more, no answer yet",
    (UNREPLIED, REPLIED): "the answer",
    (UNREPLIED, ASSURED): "the answer",
    (REPLIED, REPLIED): "goes on",
    (REPLIED, ASSURED): "goes on, assured from here",
    (ASSURED, ASSURED): "goes on",
}
#: What conntrack.tcp_track does beyond the table: (what its cell says, the state that came of it).
BEYOND = {
    (IGNORE, "SYN_RECV"): "answers the SYN that was let pass: the two ends are in step",
    (SYN_RECV, "ESTABLISHED"): "the last packet of a simultaneous open",
    (NO_TRANSITION, "ESTABLISHED"): "only one side is seen, and it goes on (tcp_state=liberal)",
}


# --- words ---------------------------------------------------------------------------------------------
def state_word(connection: Connection | None) -> str:
    """Linux's name of a TCP or SCTP state; for other protocols whether an answer came; "" without an entry."""
    if connection is None:
        return ""
    if not connection.tracked:
        return CT_STATES[UNTRACKED]
    if connection.protocol == TCP:
        return connection.tcp_state or "NONE"
    if connection.sctp_state:
        return connection.sctp_state
    if connection.assured:
        return ASSURED
    return REPLIED if connection.answered else UNREPLIED


def packet_text(packet: Any) -> str:
    """`SYN ACK`; for SCTP its chunks, for ICMP `8/0`, type and code; nothing for other protocols."""
    if packet["protocol"] == TCP:
        return flags_text(TCP, int(packet["tcp_flags"]))
    if packet["protocol"] == SCTP:
        return ", ".join(CHUNKS[code - 1].name for code in chunks(packet))
    if packet["protocol"] in ICMP_PROTOCOLS:
        return f"{packet['src_port']}/{packet['dst_port']}"
    return ""


def chunks(packet: Any) -> list[int]:
    """The codes of an SCTP packet's chunks, in order (pcaps.sctp_header)."""
    codes = [int(packet["sctp_chunks"]) >> shift & 15 for shift in range(0, 64, 4)]
    return [code for code in codes if code]


def cause(packet: Any, reply: bool, row: Any, before: Connection | None, after: Connection | None) -> str:
    """Why the packet did what the columns and the table say that it did."""
    if packet["quoted"]:
        return ABOUT_IT
    reason = int(row.reason)
    tcp = packet["protocol"] == TCP
    if row.ct_state == UNTRACKED or (row.ct_state == INVALID and not (tcp and reason == INVALID_STATE)):
        return REASONS[reason].meaning
    old, new = state_word(before), state_word(after)
    direction = REPLY if reply else ORIGINAL
    if after is not None and after.sctp_state:
        rows = [CHUNK_ROWS.get((direction, SAME_ROW.get(code, code))) for code in chunks(packet)]
        return "; ".join(each.why for each in rows if each) or "goes on"
    if not tcp:
        return ANSWERING[old, new]
    cell = CELLS[direction, flag_class(int(packet["tcp_flags"])), STATES.index(before.tcp_state) if before else NONE]
    if row.ct_state == INVALID:
        return f"{REASONS[reason].meaning}: {cell.why}"
    if after is None or cell.to == STATES.index(after.tcp_state):
        return cell.why
    if old == new and before is not None:
        return f"{UNCHANGED if before.expires == after.expires else SAME_STATE}: {cell.why}"
    return BEYOND.get((cell.to, new), cell.why)


# --- one flow at one interface -------------------------------------------------------------------------
class Watch:
    """What happens to flow number `flow` of interface number `eni`."""

    def __init__(self, eni: int, flow: int) -> None:
        self.eni = eni
        self.flow = flow
        self.opener: Any = None  # its first packet, a record of dtype PACKET
        self.opened: Connection | None = None
        self.now: Connection | None = None  # as after its last packet
        self.steps: list[Step] = []
        self.end: End | None = None

    def scout(self, judged: Judged) -> None:
        """Find the packet that opens the flow."""
        packets, verdicts = judged
        rows = np.flatnonzero((verdicts.eni == self.eni) & (verdicts.flow == self.flow))
        if self.opener is None and len(rows):
            self.opener = packets.records[verdicts.packet[rows[0]]].copy()

    def concerned(self, packets: PacketBatch) -> NDArray[np.intp]:
        """The packets that may touch the flow: all that do, and perhaps some more."""
        if self.opener is None or self.end is not None:
            return np.zeros(0, np.intp)
        own = may_be_of(packets.records, "", self.opener)
        return np.flatnonzero(own | ((packets.quoted != 0) & may_be_of(packets.records, "quoted_", self.opener)))

    def see(self, firewall: Firewall) -> None:
        """Note, before the next packet, whether the entry made room for another."""
        if self.now is None or self.end is not None or self.now.expires <= firewall.clock:
            return
        if firewall.connection(self.eni, self.flow) is None:
            self.end = End(Fate.DROPPED, self.now.expires, self._closed_by())

    def step(self, packet: Any, firewall: Firewall, verdicts: VerdictBatch, labels: Labels) -> None:
        """Note what one packet, just judged, did to the flow."""
        before, after = self.now, firewall.connection(self.eni, self.flow)
        for row in verdict_rows(verdicts, self.eni):
            if row.flow == self.flow:
                self.steps.append(self._note(packet, row, before, after, labels))
                self.opened = self.opened or after
                self.now = after
            elif before is not None and self.end is None:  # an end that was seen stays
                self._note_end(packet, row, before, after, firewall.clock, labels)

    def _note_end(
        self, packet: Any, row: Any, before: Connection, after: Connection | None, clock: int, labels: Labels
    ) -> None:
        """A packet behind which the flow's number is not found: it ended the flow, came too late, or is another's."""
        next_flow = int(row.flow) or None
        if before.expires <= clock:
            if self._has_tuple(packet, before) and row.reason != FRAGMENT_INCOMPLETE:
                late = self._note(packet, row, None, None, labels)
                self.end = End(Fate.TIMED_OUT, before.expires, self._closed_by(), late=late, next_flow=next_flow)
        elif after is None:
            by = self._note(packet, row, before, None, labels)
            self.steps.append(by)
            fate = Fate.REPLACED if next_flow else Fate.DELETED
            self.end = End(fate, before.expires, self._closed_by(), by=by, next_flow=next_flow)

    def life(self, now: int) -> Life:
        """The story so far of a flow that was found."""
        if self.opened is None or self.now is None:
            raise ValueError(f"flow {self.flow} was opened for the scout, but not for the follower")
        if not self.now.tracked:
            return Life(self.opened, tuple(self.steps), End(Fate.UNTRACKED, None), now)
        fate = Fate.HELD if self.now.expires > now else Fate.TIMED_OUT
        end = self.end or End(fate, self.now.expires, self._closed_by())
        return Life(self.opened, tuple(self.steps), end, now)

    def _note(self, packet: Any, row: Any, before: Connection | None, after: Connection | None, labels: Labels) -> Step:
        reply = bool(same_address(packet, "dst", self.opener, "src"))
        tcp = packet["protocol"] == TCP
        late = before is None and after is None
        return Step(
            capture=labels.captures[int(packet["capture"])],
            packet=int(packet["frame"]),
            time=int(packet["time"]),
            reply=reply,
            flags=packet_text(packet),
            seq=int(packet["tcp_seq"]) if tcp else None,
            ack=int(packet["tcp_ack"]) if tcp and packet["tcp_flags"] & ACK else None,
            length=int(packet["payload"]) if tcp else None,
            verdict=VERDICTS[int(row.verdict)],
            reason=REASONS[int(row.reason)].word,
            ct_state=CT_STATES[int(row.ct_state)],
            before=state_word(before),
            after=state_word(after),
            expires=after.expires if after and after.tracked else None,
            left=after.expires_in if after and after.tracked else None,
            why=REASONS[EXPIRED].meaning if late else cause(packet, reply, row, before, after),
        )

    def _has_tuple(self, packet: Any, connection: Connection) -> bool:
        """Whether a packet that may be of the flow is: port protocols that are not tracked by port are left."""
        ports = (int(packet["src_port"]), int(packet["dst_port"]))
        opening = (connection.src_port, connection.dst_port)
        reply = bool(same_address(packet, "dst", self.opener, "src"))
        by_port = connection.src_port is not None and connection.icmp_id is None
        return not packet["quoted"] and (not by_port or ports == (opening[::-1] if reply else opening))

    def _closed_by(self) -> Step | None:
        """The step into TIME_WAIT or CLOSE behind which it never left them."""
        closing = None
        for step in self.steps:
            if step.after not in ENDED:
                closing = None
            elif step.before not in ENDED:
                closing = step
        return closing


def same_address(left: Any, end: str, right: Any, other: str) -> Any:
    """Whether end `end` of the left packets is end `other` of the right one."""
    return (left[f"{end}_hi"] == right[f"{other}_hi"]) & (left[f"{end}_lo"] == right[f"{other}_lo"])


def may_be_of(packets: Any, which: str, opener: Any) -> Any:
    """Packets with the opener's protocol and ends, or (`which` is "quoted_") that quote such, either way.

    Ports count where they always do (TCP and UDP); for ICMP the identifier, the code and the type.
    """
    src, dst = f"{which}src", f"{which}dst"
    forth = same_address(packets, src, opener, "src") & same_address(packets, dst, opener, "dst")
    back = same_address(packets, src, opener, "dst") & same_address(packets, dst, opener, "src")
    protocol = opener["protocol"]
    if protocol in (TCP, UDP):
        forth = forth & same_ports(packets, src, opener, "src") & same_ports(packets, dst, opener, "dst")
        back = back & same_ports(packets, src, opener, "dst") & same_ports(packets, dst, opener, "src")
    found = (forth | back) & (packets[f"{which}protocol"] == protocol)
    if protocol in ICMP_PROTOCOLS:
        kinds = [kind for row in QUERIES if row.query == opener["src_port"] for kind in (row.query, row.answer)]
        found = found & np.isin(packets[f"{src}_port"], kinds) & same_ports(packets, dst, opener, "dst")
        found = found & (packets[f"{which}icmp_id"] == opener["icmp_id"])
    return found


def same_ports(left: Any, end: str, right: Any, other: str) -> Any:
    """Whether the port of end `end` of the left packets is that of end `other` of the right one."""
    return left[f"{end}_port"] == right[f"{other}_port"]


def verdict_rows(verdicts: VerdictBatch, eni: int) -> list[VerdictBatch]:
    """The rows of one interface, each as its cells."""
    return [VerdictBatch(verdicts.records[row]) for row in np.flatnonzero(verdicts.eni == eni)]


# --- following ---------------------------------------------------------------------------------------
class Follower:
    """Goes through a capture behind a scout and stops at every packet that may touch the flow."""

    def __init__(self, firewall: Firewall, labels: Labels, word: str, capture: Capture | None = None) -> None:
        """`word` is a flow number, or interface:number; raises UsageError for anything else.

        `capture` tells the names that interfaces may be bound to.
        """
        self._firewall = firewall
        self._capture = capture
        self._labels = labels
        self._word = word
        flow, enis = read_flow(word, labels.interfaces)
        self._watches = [Watch(eni, flow) for eni in enis]

    def add(self, judged: Judged) -> None:
        """Judge a batch again, each packet that concerns the flow alone."""
        for watch in self._watches:
            watch.scout(judged)
        packets, found, start = judged.packets, self.found, 0
        if len(found) == 1:  # several are an error at the end
            for row in found[0].concerned(packets).tolist():
                self._judge(packets.slice(start, row))
                found[0].see(self._firewall)
                start = row + 1
                verdicts = self._judge(packets.slice(row, start))
                found[0].step(packets.records[row], self._firewall, verdicts, self._labels)
        self._judge(packets.slice(start, packets.rows))
        if len(found) == 1:
            found[0].see(self._firewall)

    def _judge(self, packets: PacketBatch) -> VerdictBatch:
        if self._capture is None:
            return self._firewall.judge_batch(packets)
        interface_names = getattr(self._capture, "interface_names", ())
        return self._firewall.judge_batch(packets, self._capture.names, interface_names)

    @property
    def found(self) -> list[Watch]:
        """The interfaces that have such a flow."""
        return [watch for watch in self._watches if watch.opener is not None]

    def life(self) -> Life:
        """The one life; raises UsageError where no interface has the flow, or several have."""
        names = self._labels.interfaces
        if not self.found:
            counts = zip(names, self._firewall.flow_counts, strict=True)
            known = ", ".join(f"{name} has {counted(count, 'flow')}" for name, count in counts)
            raise UsageError(f"--flow {self._word}: no such flow up to here; {known}")
        if len(self.found) > 1:
            found = [(f"{names[watch.eni]}:{watch.flow}", opener_text(watch.opener)) for watch in self.found]
            ways = [f"    --flow {word}    {text}" for word, text in found]
            raise UsageError(f"--flow {self._word}: {len(ways)} interfaces have one; write which:\n" + "\n".join(ways))
        return self.found[0].life(self._firewall.clock)


def opener_text(packet: Any) -> str:
    """The tuple of a packet as one line."""
    ends = [address_text(int(packet[f"{end}_hi"]), int(packet[f"{end}_lo"])) for end in ("src", "dst")]
    return flow_text(ends[0], ends[1], int(packet["protocol"]), int(packet["src_port"]), int(packet["dst_port"]))


def read_flow(word: str, names: Sequence[str]) -> tuple[int, list[int]]:
    """`3` or `eni-web:3` as a flow number and the interface numbers that it may be of; raises UsageError."""
    name, colon, number = word.rpartition(":")
    if not number.isdecimal() or int(number) < 1:
        raise UsageError(f"--flow {word}: write a flow number, or interface:number, for example eni-web:1")
    if colon and name not in names:
        raise UsageError(f"--flow {word}: no interface {name!r} is simulated (there are: {', '.join(names) or 'none'})")
    return int(number), [names.index(name)] if colon else list(range(len(names)))
