"""A TCP conversation that mostly goes as it should, and at every step may not.

Both ends keep their true sequence numbers, so that what is wrong is wrong by little: numbers near the
edges of windows, resets that are exact, almost exact or blind, SYNs where none belong.
"""

from dataclasses import dataclass, field
from random import Random

from tests.netfilter.packets import M32, SACK_PERMITTED, TIMESTAMPS, Datagram, sack_blocks, tcp, window_scale
from tests.netfilter.places import Ends
from tests.reference_frames import ACK, FIN, PSH, RST, SYN, TCP, URG

ECE, CWR = 64, 128
OPENER, ANSWERER = 0, 1
ODD_FLAGS = (
    *((ACK,) * 5),
    *((PSH | ACK,) * 2),
    *((RST, RST | ACK, FIN | ACK, SYN, SYN | ACK) * 2),
    FIN | PSH | ACK,
    SYN | ECE | CWR,
    ACK | URG,
    0,
    FIN,
    SYN | FIN,
    SYN | RST,
    URG,
    FIN | RST | ACK,
    SYN | URG,
    255,
)
NEAR = (0, 0, 0, 0, 1, -1, 2, -2, 9, -9, 100, -100, 1460, 65535, 65536, 66000, 66001, -65535, -66000, -66001, 1 << 20)
WINDOWS = (0, 1, 100, 1000, 8192, 29200, 65535)
LENGTHS = (0, 0, 0, 1, 1, 10, 100, 1460)
SCALES = (0, 1, 2, 7, 14, 15, 255)


@dataclass
class End:
    """One side: where its sequence numbers stand, and what it said of its window."""

    isn: int
    following: int  # of its next byte
    acknowledged: int  # of the other side's bytes, as it last said
    window: int = 8192
    scale: int | None = None
    opened: bool = False
    closed: bool = False


@dataclass
class TcpWalk:
    """One conversation after another on the same two ports. `wildness` is how often a step goes wrong, 0 to 1."""

    ends: Ends
    wildness: float
    sides: list[End] = field(default_factory=list)
    sent: list[Datagram] = field(default_factory=list)
    reversed: bool = False  # who opens: the end that `ends` names first, or the other
    repeat: int = 0

    def step(self, rng: Random) -> Datagram:
        """The next segment, of either side."""
        if not self.sides:
            self._start(rng)
        if self.sent and (self.repeat or rng.random() < 0.08):
            self.repeat = self.repeat - 1 if self.repeat else rng.choice((0, 0, 0, 3))
            return self.sent[-1 if rng.random() < 0.7 else rng.randrange(len(self.sent))]
        datagram = self._odd(rng) if rng.random() < self.wildness else self._proper(rng)
        self.sent = [*self.sent[-7:], datagram]
        return datagram

    def _start(self, rng: Random) -> None:
        """New sequence numbers; sometimes close above or below the last ones, or about to wrap."""
        last = [side.following for side in self.sides] or [rng.getrandbits(32), rng.getrandbits(32)]
        isns = [rng.choice((last[k], last[k] + 1000, last[k] - 1000, M32 - 50, rng.getrandbits(32))) for k in (0, 1)]
        self.sides = [
            End(isn & M32, isn & M32, 0, rng.choice(WINDOWS[2:]), rng.choice((None, None, *SCALES[:6]))) for isn in isns
        ]
        self.reversed = rng.random() < 0.2 if self.sent else False
        if rng.random() < 0.15:  # in the middle: nobody saw the handshake
            for side, other in ((self.sides[0], self.sides[1]), (self.sides[1], self.sides[0])):
                side.opened, side.acknowledged = True, other.following

    # --- a step that is right ------------------------------------------------------------------------
    def _proper(self, rng: Random) -> Datagram:
        opener, answerer = self.sides
        if not opener.opened:
            return self._syn(rng, OPENER, SYN)
        if not answerer.opened:
            return self._syn(rng, ANSWERER, SYN if rng.random() < 0.07 else SYN | ACK)
        if opener.acknowledged != answerer.following and rng.random() < 0.6:
            return self._say(rng, OPENER, ACK)
        if opener.closed and answerer.closed:
            return self._behind_the_close(rng)
        speaker = rng.choice((OPENER, ANSWERER))
        chance = rng.random()
        if chance < 0.15:
            return self._say(rng, speaker, FIN | ACK)
        if chance < 0.2:
            self.sides[speaker].closed = self.sides[1 - speaker].closed = True
            return self._say(rng, speaker, rng.choice((RST, RST | ACK)))
        if chance < 0.25:
            return self._keepalive(rng, speaker)
        return self._say(rng, speaker, ACK, 0 if chance < 0.6 else rng.choice(LENGTHS))

    def _syn(self, rng: Random, speaker: int, flags: int) -> Datagram:
        side, other = self.sides[speaker], self.sides[1 - speaker]
        side.opened = True
        side.acknowledged = other.following if flags & ACK else side.acknowledged
        side.following = (side.isn + 1) & M32
        options = SACK_PERMITTED if rng.random() < 0.5 else b""
        if side.scale is not None:
            options += window_scale(side.scale)
        if rng.random() < 0.2:
            options += TIMESTAMPS
        return self._segment(speaker, flags, side.isn, other.following if flags & ACK else 0, side.window, options)

    def _say(self, rng: Random, speaker: int, flags: int, length: int = 0) -> Datagram:
        side, other = self.sides[speaker], self.sides[1 - speaker]
        if rng.random() < 0.85:
            side.acknowledged = other.following
        if rng.random() < 0.1:
            side.window = rng.choice(WINDOWS)
        seq = side.following
        side.following = (seq + length + bool(flags & FIN)) & M32
        side.closed |= bool(flags & FIN)
        options = b""
        if rng.random() < 0.1:
            left = other.following + rng.choice((0, 0, 1, 100, -100))
            options = sack_blocks((left - 10, left), *([(left + 20, left + 30)] if rng.random() < 0.3 else []))
        push = PSH if length and rng.random() < 0.5 else 0
        return self._segment(speaker, flags | push, seq, side.acknowledged, side.window, options, length)

    def _keepalive(self, rng: Random, speaker: int) -> Datagram:
        """One byte back, with or without a byte (RFC 9293 section 3.8.4)."""
        side = self.sides[speaker]
        return self._segment(speaker, ACK, side.following - 1, side.acknowledged, side.window, b"", rng.choice((0, 1)))

    def _behind_the_close(self, rng: Random) -> Datagram:
        """The last ACK once more, or the ports are used again."""
        if rng.random() < 0.5:
            return self._say(rng, rng.choice((OPENER, ANSWERER)), ACK)
        self._start(rng)
        return self._proper(rng)

    # --- a step that is wrong ------------------------------------------------------------------------
    def _odd(self, rng: Random) -> Datagram:
        speaker = rng.choice((OPENER, ANSWERER))
        side, other = self.sides[speaker], self.sides[1 - speaker]
        flags = rng.choice(ODD_FLAGS) if rng.random() < 0.95 else rng.getrandbits(8)
        edge = other.acknowledged + (other.window << min(other.scale or 0, 14))
        seq = rng.choice((side.following, side.following, side.isn, edge, other.acknowledged, 0, rng.getrandbits(32)))
        seq += rng.choice(NEAR)
        ack = rng.choice((other.following, other.following, other.isn, side.acknowledged, 0, rng.getrandbits(32)))
        ack += rng.choice(NEAR)
        length = rng.choice(LENGTHS)
        if rng.random() < 0.2:
            side.following = (seq + length) & M32
        return self._segment(speaker, flags, seq, ack, rng.choice(WINDOWS), self._odd_options(rng, ack), length, rng)

    def _odd_options(self, rng: Random, ack: int) -> bytes:
        chance = rng.random()
        if chance < 0.6:
            return b""
        return rng.choice(
            (
                SACK_PERMITTED,
                window_scale(rng.choice(SCALES)),
                SACK_PERMITTED + window_scale(rng.choice(SCALES)),
                sack_blocks((ack, ack + rng.choice(NEAR))),
                sack_blocks((ack + 5, ack + 9), (ack + 20, ack + 70000)),
                TIMESTAMPS,
                TIMESTAMPS + sack_blocks((ack, ack + 10)),
                bytes([3, 9, 1]),  # longer than what there is
                bytes([5, 1, 0, 0]),  # shorter than an option can be
                bytes([4, 3, 0, 3, 2, 9]),  # lengths that these kinds do not have
            )
        )

    def _segment(
        self,
        speaker: int,
        flags: int,
        seq: int,
        ack: int,
        window: int,
        options: bytes = b"",
        length: int = 0,
        rng: Random | None = None,
    ) -> Datagram:
        forward = (speaker == OPENER) != self.reversed
        ends = self.ends if forward else self.ends.back()
        body = tcp((ends.src_port, ends.dst_port), flags, seq, ack, window, options, bytes(length))
        if rng is not None and rng.random() < 0.03:
            body = damaged(rng, body)
        return Datagram(ends.src, ends.dst, TCP, body)


def damaged(rng: Random, body: bytes) -> bytes:
    """A header cut short, or a header length that is too small or too large."""
    if rng.random() < 0.3:
        return body[: rng.randrange(21)]
    return body[:12] + bytes([rng.choice((0, 4, 6, 15)) << 4]) + body[13:]
