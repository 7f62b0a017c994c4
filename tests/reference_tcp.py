"""The twin's TCP: one state, one transition table, the sequence windows of both sides.

Linux 6.18, net/netfilter/nf_conntrack_proto_tcp.c. Directions are 0 (original) and 1 (reply).
"""

from dataclasses import dataclass, field
from enum import Enum

from tests.reference_frames import ACK, FIN, RST, SYN, URG, Tcp

SECOND = 10**9
STATES = ["NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT"]
STATES += ["LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"]
SYN_SENT2_TIMEOUT = 120  # seconds
CLOSING = ("FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE")
VALID_FLAGS = (SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG)

# One column a state, in STATES' order. s SYN_SENT, r SYN_RECV, e ESTABLISHED, f FIN_WAIT, c CLOSE_WAIT,
# l LAST_ACK, t TIME_WAIT, x CLOSE, S SYN_SENT2; i the segment is ignored, - it is invalid.
TABLE = {
    (0, "SYN"): "ssiiiiissS",
    (0, "SYNACK"): "--r------r",
    (0, "FIN"): "--ffllltx-",
    (0, "ACK"): "e-eeccttx-",
    (0, "RST"): "-xxxxxxxxx",
    (1, "SYN"): "-S-----s-S",
    (1, "SYNACK"): "-riiiiiiir",
    (1, "FIN"): "--ffllltx-",
    (1, "ACK"): "-ireccttxi",
    (1, "RST"): "-xxxxxxxxx",
}
MEANS = dict(zip("srefcltxS", STATES[1:], strict=True)) | {"i": "IGNORE", "-": "INVALID"}
LEAST_ACK_WINDOW = 66000
INVALID_SHORTENS_ABOVE = 120 * SECOND


class Verdict(Enum):
    """What the tracker says of a packet; an invalid one's value is the engine's reason."""

    ACCEPT = "accept"
    DELETE = "accept, and the entry goes"
    REOPEN = "the entry goes, and the packet is a new one's first"
    MID_STREAM = "mid-stream"
    INVALID_STATE = "invalid-state"
    OUT_OF_WINDOW = "out-of-window"

    @property
    def is_invalid(self) -> bool:
        """Whether the packet loses its entry."""
        return self in {Verdict.MID_STREAM, Verdict.INVALID_STATE, Verdict.OUT_OF_WINDOW}


class Fit(Enum):
    """How a segment fits the windows; to ignore is to let pass and learn nothing."""

    ACCEPT, IGNORE, INVALID = range(3)


@dataclass
class Side:
    """What one side has sent (`end`), may send (`maxend`), has granted (`maxwin`) and acknowledged."""

    end: int = 0
    maxend: int = 0
    maxwin: int = 0  # 0: never seen
    maxack: int | None = None
    scale: int = 0
    scale_offered: bool = False
    sack_permitted: bool = False
    liberal: bool = False
    close_init: bool = False  # sent the first FIN
    unacknowledged: bool = False

    @classmethod
    def of_syn(cls, tcp: Tcp, *, liberal: bool = False) -> "Side":
        """A side as its SYN or SYN-ACK tells of it."""
        window = max(tcp.window, 1)
        offered = tcp.scale is not None
        return cls(tcp.end, tcp.end, window, None, tcp.scale or 0, offered, tcp.sack_permitted, liberal)


@dataclass
class Last:
    """The last noted segment."""

    kind: str = ""
    way: int = 0
    seq: int = 0
    ack: int = 0
    end: int = 0
    window: int = 0


@dataclass
class Marks:
    """What every entry has; `expires` in ns."""

    seen_reply: bool = False
    assured: bool = False
    expires: int = 0


@dataclass
class TcpTracker(Marks):
    """An entry of TCP: `advance` takes one segment, and moves all but `seen_reply`."""

    options: dict[str, int] = field(kw_only=True)
    state: str = "NONE"
    sides: list[Side] = field(default_factory=lambda: [Side(), Side()])
    last: Last = field(default_factory=Last)
    retransmissions: int = 0
    ignored_syn: Side = field(default_factory=Side)
    challenge: bool = False  # a SYN was ignored in LAST_ACK
    simultaneous: bool = False

    def advance(self, tcp: Tcp, way: int, now: int) -> Verdict:
        """One segment in direction `way` at `now` (ns): state, windows and timer move."""
        kind, last, old = kind_of(tcp.flags), self.last, self.state
        new = MEANS[TABLE[way, kind][STATES.index(old)]]
        if old == "NONE" and not self._open(tcp, new):
            return Verdict.MID_STREAM
        if new == "INVALID":
            return Verdict.INVALID_STATE
        if new == "SYN_SENT" and old in {"TIME_WAIT", "CLOSE"}:
            if self.sides[0].close_init or self.sides[1].close_init or (last.kind, last.way) == ("RST", way):
                return Verdict.REOPEN
            new = "IGNORE"
        if new == "IGNORE":
            if not (kind == "SYNACK" and last.kind == "SYN" and last.way != way and tcp.ack == last.end):
                self._note_ignored(tcp, kind, way)
                return Verdict.ACCEPT
            old, new = "SYN_SENT", "SYN_RECV"  # both ends are in step, only the entry was not
            self.sides[1 - way], self.sides[way] = self.ignored_syn, Side(liberal=self.sides[way].liberal)
            self.challenge = False
        if self.challenge and (old, new, kind, last.kind, last.way) == ("LAST_ACK", "TIME_WAIT", "ACK", "SYN", 1 - way):
            self.challenge = False  # the answer to that SYN (RFC 5961 section 4), not to the last FIN
            return Verdict.ACCEPT
        self.simultaneous |= new == "SYN_SENT2"
        if self.simultaneous and (new, way, kind) == ("SYN_RECV", 1, "ACK"):
            new = "ESTABLISHED"
        return self._move(tcp, kind, way, (old, new), now)

    def _move(self, tcp: Tcp, kind: str, way: int, states: tuple[str, str], now: int) -> Verdict:
        """From the old state to the new, if reset rules and windows allow it."""
        old, new = states
        fit = None
        if kind == "RST":
            fit, new = self._judge_reset(tcp, way)
        if fit is None:
            fit = self._fit(tcp, way, kind)
            if fit is Fit.INVALID:
                self._shorten(kind, way, now)
        if fit is not Fit.ACCEPT:
            return Verdict.ACCEPT if fit is Fit.IGNORE else Verdict.OUT_OF_WINDOW
        self.last.kind, self.last.way, self.state = kind, way, new
        if old != new == "FIN_WAIT":
            self.sides[way].close_init = True
        return self._set_timer(kind, old, now)

    def _open(self, tcp: Tcp, new: str) -> bool:
        """The first segment: a SYN, or any ACK of a flow that is older than the table if tcp_loose."""
        if new == "SYN_SENT":
            self.sides[0] = Side.of_syn(tcp)
        elif new == "ESTABLISHED" and self.options["tcp_loose"]:
            window = max(tcp.window, 1)
            self.sides[0] = Side(tcp.end, wrap(tcp.end + window), window, sack_permitted=True, liberal=True)
            self.sides[1] = Side(sack_permitted=True, liberal=True)
        else:
            return False
        return True

    def _note_ignored(self, tcp: Tcp, kind: str, way: int) -> None:
        """Remember a segment that passes although it does not fit: the entry may be what is wrong."""
        last = self.last
        last.kind, last.way, last.seq, last.end, last.window = kind, way, tcp.seq, tcp.end, tcp.window
        if (kind, way) == ("SYN", 0):
            self.ignored_syn = Side.of_syn(tcp)
            self.simultaneous, self.challenge = False, self.state == "LAST_ACK"
        if (self.state, kind, way) == ("SYN_SENT", "ACK", 1):
            last.ack = tcp.ack

    def _judge_reset(self, tcp: Tcp, way: int) -> tuple[Fit | None, str]:
        """A RST: the fit, None if the windows must tell it, and the new state."""
        last, peer = self.last, self.sides[1 - way]
        new = "CLOSE"
        if self.state in CLOSING:
            return Fit.ACCEPT, new
        if peer.maxack is not None and last.kind != "SYN":
            established = self.state == "ESTABLISHED" and self.assured
            if tcp.seq == 0 and not established:
                return None, new
            if before(tcp.seq, peer.maxack) and not self.options["tcp_ignore_invalid_rst"]:
                return Fit.INVALID, new
            behind_data = (last.kind, last.way, last.end) == ("ACK", way, tcp.seq)
            if not established or tcp.seq == peer.maxack or behind_data:
                return None, new
            new = self.state  # not exact: the peer may answer with a challenge ACK (RFC 5961 section 3)
        of_syn = self.seen_reply and last.kind == "SYN" and last.way != way
        if (of_syn or (not self.assured and last.kind == "ACK")) and tcp.ack == last.end:
            return Fit.ACCEPT, new
        if (self.state, last.kind, last.way, last.ack) == ("SYN_SENT", "ACK", 1, tcp.seq):
            return Fit.ACCEPT, new
        return None, new

    def _fit(self, tcp: Tcp, way: int, kind: str) -> Fit:
        """Hold the segment against the windows, and learn from one that fits."""
        if self._meet_sender(tcp, way):
            return Fit.ACCEPT
        sender, receiver = self.sides[way], self.sides[1 - way]
        seq, end, ack, sack = tcp.seq, tcp.end, tcp.ack, self._sack(tcp, way)
        if not tcp.flags & ACK or (tcp.flags & RST and tcp.ack == 0):
            ack = sack = receiver.end
        if tcp.flags & RST and seq == 0 and self.state == "SYN_SENT":
            seq = end = sender.end
        fit = fit_of(seq, end, sack, sender, receiver)
        if fit is not Fit.ACCEPT:
            if after(seq, sender.maxend) and fit is Fit.IGNORE:
                sender.end, sender.unacknowledged = end, True  # the peer may well acknowledge it
            return Fit.ACCEPT if self.options["tcp_be_liberal"] or sender.liberal else fit
        self._learn(tcp, end, ack, sack, way)
        if kind == "ACK":
            self._count_retransmissions(Last(kind, way, seq, ack, end, tcp.window))
        return Fit.ACCEPT

    def _meet_sender(self, tcp: Tcp, way: int) -> bool:
        """Begin, or begin anew, a side by its segment; true if no check is due (a reply that is a bare SYN)."""
        sender, receiver = self.sides[way], self.sides[1 - way]
        new = sender.maxwin == 0
        again = self.state in {"SYN_SENT", "SYN_RECV"} and after(tcp.end, sender.end)
        if tcp.flags & SYN and (new or again):
            if tcp.has_options:
                sender = self.sides[way] = Side.of_syn(tcp, liberal=sender.liberal)
            else:  # no options at all: what was known of them stays
                sender.end = sender.maxend = tcp.end
                sender.maxwin = max(tcp.window, 1)
            if way == 1 and not (sender.scale_offered and receiver.scale_offered):
                sender.scale = receiver.scale = 0
            return not tcp.flags & ACK and (new or way == 1)
        if new:
            sack = self._sack(tcp, way)
            sender.end = tcp.end
            sender.maxwin = max(tcp.window << sender.scale, 1)
            sender.maxend = wrap(tcp.end + sender.maxwin)
            if receiver.maxwin == 0:
                receiver.end = receiver.maxend = sack
            elif sack == wrap(receiver.end + 1):
                receiver.end = sack  # likely the answer to a keep-alive
        return False

    def _sack(self, tcp: Tcp, way: int) -> int:
        """The acknowledgement, or the right-most edge of selective ones (RFC 2018)."""
        sack = tcp.ack
        if self.sides[1 - way].sack_permitted:
            for edge in tcp.sack_edges:
                sack = edge if after(edge, sack) else sack
        return sack

    def _learn(self, tcp: Tcp, end: int, ack: int, sack: int, way: int) -> None:
        sender, receiver = self.sides[way], self.sides[1 - way]
        window = tcp.window if tcp.flags & SYN else tcp.window << sender.scale
        sender.maxwin = max(sender.maxwin, wrap(window + sack - ack))
        if after(end, sender.end):
            sender.end, sender.unacknowledged = end, True
        if tcp.flags & ACK and (sender.maxack is None or after(ack, sender.maxack)):
            sender.maxack = ack
        if receiver.maxwin and after(end, sender.maxend):
            receiver.maxwin = wrap(receiver.maxwin + end - sender.maxend)
        if after(wrap(sack + window), wrap(receiver.maxend - 1)):
            receiver.maxend = wrap(sack + window + (window == 0))
        if ack == receiver.end:
            receiver.unacknowledged = False

    def _count_retransmissions(self, noted: Last) -> None:
        last = self.last
        same = (noted.way, noted.seq, noted.ack, noted.end, noted.window) == (
            last.way,
            last.seq,
            last.ack,
            last.end,
            last.window,
        )
        self.retransmissions = self.retransmissions + 1 if same else 0
        self.last = noted

    def _shorten(self, kind: str, way: int, now: int) -> None:
        """Invalid FINs or RSTs of both sides: the entry is out of step, it need not stay for days."""
        if not self.assured or kind not in {"FIN", "RST"}:
            return
        if self.last.way != way and self.last.kind in {"FIN", "RST"}:
            if self.expires - now >= INVALID_SHORTENS_ABOVE:
                timeout = self.options["tcp_timeout_unacknowledged"] * SECOND
                self.expires = min(self.expires, now + timeout)
        else:
            self.last.kind, self.last.way = kind, way

    def _set_timer(self, kind: str, old: str, now: int) -> Verdict:
        """After an accepted segment. ASSURED and the timeout see the replies before this one only."""
        new, timeout = self.state, self._timeout(kind)
        if not self.seen_reply:
            if kind == "RST":
                return Verdict.DELETE
            if kind == "SYN" and old == "SYN_SENT":
                return Verdict.ACCEPT  # a retransmitted SYN does not prolong
            if new == "ESTABLISHED":
                timeout = min(timeout, self.options["tcp_timeout_unacknowledged"])
        elif old in {"SYN_RECV", "ESTABLISHED"} and new == "ESTABLISHED":
            self.assured = True
        self.expires = now + timeout * SECOND
        return Verdict.ACCEPT

    def _timeout(self, kind: str) -> int:
        """Seconds, the first that applies."""
        options = self.options
        no_sysctl = self.state == "SYN_SENT2"
        usual = SYN_SENT2_TIMEOUT if no_sysctl else options[f"tcp_timeout_{self.state.lower()}"]
        retransmitting, unacknowledged = options["tcp_timeout_max_retrans"], options["tcp_timeout_unacknowledged"]
        if self.retransmissions >= options["tcp_max_retrans"] and usual > retransmitting:
            return retransmitting
        if kind == "RST":
            return options["tcp_timeout_close"]
        if (self.sides[0].unacknowledged or self.sides[1].unacknowledged) and usual > unacknowledged:
            return unacknowledged
        return min(usual, retransmitting) if self.last.window == 0 else usual


def fit_of(seq: int, end: int, sack: int, sender: Side, receiver: Side) -> Fit:
    """The four bounds, in the kernel's order. Too old passes, too new does not."""
    acks_nothing_unsent = not after(sack, receiver.end)
    recent_ack = not before(sack, wrap(receiver.end - max(sender.maxwin, LEAST_ACK_WINDOW)))
    recent_end = not before(end, wrap(sender.end - receiver.maxwin))
    if after(seq, sender.maxend):
        little = wrap(end - sender.maxend + 1) <= receiver.maxwin
        by_bytes = receiver.maxwin and recent_end and recent_ack and acks_nothing_unsent and little
        return Fit.IGNORE if by_bytes else Fit.INVALID
    if not acks_nothing_unsent:
        return Fit.INVALID
    if receiver.maxwin and not recent_end:
        return Fit.IGNORE
    return Fit.ACCEPT if recent_ack else Fit.IGNORE


def can_be(flags: int) -> bool:
    """Whether a segment may carry this set of flags; PSH, ECE and CWR are always fine."""
    return flags & (SYN | FIN | RST | ACK | URG) in VALID_FLAGS


def kind_of(flags: int) -> str:
    """The flag class: RST before SYN before FIN before ACK."""
    if flags & RST:
        return "RST"
    if flags & SYN:
        return "SYNACK" if flags & ACK else "SYN"
    return "FIN" if flags & FIN else "ACK"


def before(a: int, b: int) -> bool:
    """A < b among sequence numbers (RFC 9293 section 3.4)."""
    return (a - b) & 0xFFFFFFFF >= 0x80000000


def after(a: int, b: int) -> bool:
    """A > b among sequence numbers."""
    return before(b, a)


def wrap(number: int) -> int:
    """The number modulo 2^32."""
    return number & 0xFFFFFFFF
