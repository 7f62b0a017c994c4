"""Packet sequences for the comparison with the kernel, drawn from a random.Random.

A seeded Random gives a big trace that a seed brings back; Hypothesis's own Random (`st.randoms`)
gives small ones that it can shrink. What the engine does not do yet is left out by its row in CLASSES.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from tests.netfilter.packets import Datagram, ethernet, ip_fragment, ip_packet
from tests.netfilter.places import ADDRESSES, draw_ends, draw_rules
from tests.netfilter.tcp_walk import TcpWalk
from tests.netfilter.walks import (
    NAMELESS,
    DiscoveryWalk,
    GreWalk,
    IcmpWalk,
    NamelessWalk,
    SctpWalk,
    UdpLiteWalk,
    UdpWalk,
    Walk,
    error_about,
)
from tests.recorded import Address, Rule
from tests.reference_frames import DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING

V6 = (6,)
EXTENSIONS = (
    (HOP_BY_HOP,),
    (DESTINATION_OPTIONS,),
    (ROUTING,),
    (FRAGMENT,),
    (HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING),
)
IPV4_OPTIONS = (b"\x07\x07\x04\0\0\0\0", b"\x94\x04\0\0", b"\x01\x01\x01\0")  # record route, router alert, NOPs
LARGEST_PIECE = 64


class PacketClass(NamedTuple):
    """One kind of traffic: how many of 100 flows are of it, whether the engine has it, how a flow of it is made."""

    weight: int
    on: bool
    make: Callable[[Random, int], Walk] | None  # None: not a flow but something done to packets


def _tcp(rng: Random, number: int) -> Walk:
    return TcpWalk(draw_ends(rng, number), rng.choice((0.0, 0.1, 0.3, 0.6)))


CLASSES: dict[str, PacketClass] = {
    "tcp": PacketClass(62, True, _tcp),
    "udp": PacketClass(12, True, lambda rng, number: UdpWalk(draw_ends(rng, number))),
    "icmp": PacketClass(8, True, lambda rng, number: IcmpWalk(draw_ends(rng, number))),
    "discovery": PacketClass(2, True, lambda rng, number: DiscoveryWalk(draw_ends(rng, number, V6))),
    "other": PacketClass(4, True, lambda rng, number: NamelessWalk(draw_ends(rng, number), rng.choice(NAMELESS))),
    "gre": PacketClass(2, True, lambda rng, number: GreWalk(draw_ends(rng, number), 0)),
    "udp-lite": PacketClass(3, True, lambda rng, number: UdpLiteWalk(draw_ends(rng, number), odd=False)),
    "gre-pptp": PacketClass(2, True, lambda rng, number: GreWalk(draw_ends(rng, number), 1)),
    "udp-lite-odd": PacketClass(3, True, lambda rng, number: UdpLiteWalk(draw_ends(rng, number))),
    "sctp": PacketClass(8, True, lambda rng, number: SctpWalk(draw_ends(rng, number))),
    "errors": PacketClass(0, True, None),
    "redirects": PacketClass(0, True, None),
    "fragments": PacketClass(0, True, None),
    "dressing": PacketClass(0, True, None),  # VLAN tags, IP options, extension headers, padding, hop limits
}
ALL_CLASSES = frozenset(CLASSES)
CLASSES_ON = frozenset(name for name, row in CLASSES.items() if row.on)

PROFILES: dict[str, dict[str, int]] = {
    "default": {},
    "strict": {"tcp_loose": 0},
    "liberal": {"tcp_be_liberal": 1},
    "strict-liberal": {"tcp_loose": 0, "tcp_be_liberal": 1},
    "lenient-resets": {"tcp_ignore_invalid_rst": 1},
}
TIMEOUTS = {
    **{
        f"tcp_timeout_{state}": (1, 2, 3)
        for state in ("syn_sent", "syn_recv", "fin_wait", "close_wait", "last_ack", "time_wait", "close")
    },
    "tcp_timeout_established": (2, 3),
    "tcp_timeout_unacknowledged": (1, 2, 3),
    "tcp_timeout_max_retrans": (1, 2),
    "udp_timeout": (1, 2),
    "udp_timeout_stream": (2, 3),
    "icmp_timeout": (1, 2),
    "icmpv6_timeout": (1, 2),
    "gre_timeout": (1, 2),
    "gre_timeout_stream": (2, 3),
    "generic_timeout": (1, 2, 3),
}
PHASES = 6  # of a timed trace: bursts that start at different sixths of a second
SECOND = 10**9
PHASE_WIDTH = SECOND // 10  # a burst is over by then, 67 ms before the next sixth


class Packet(NamedTuple):
    """One frame of a trace, due `due` ns behind the start, of flow number `flow`."""

    flow: int
    due: int
    frame: bytes


@dataclass(frozen=True)
class Trace:
    """Packets and the setting in which they are judged. `timed`: time-outs are in play."""

    addresses: tuple[Address, ...]
    rules: tuple[Rule, ...]
    options: Mapping[str, int]
    packets: tuple[Packet, ...]
    timed: bool = False

    def with_packets(self, packets: tuple[Packet, ...]) -> "Trace":
        """The same setting, other packets."""
        return replace(self, packets=packets)


def draw_trace(
    rng: Random, packets: int, flows: int, classes: frozenset[str] = CLASSES_ON, *, timed: bool = False
) -> Trace:
    """`packets` frames of `flows` flows, interleaved. A timed trace has short timeouts and PHASES bursts."""
    options = dict(PROFILES[rng.choice(tuple(PROFILES))])
    starts = [0]
    if timed:
        options |= {name: rng.choice(seconds) for name, seconds in TIMEOUTS.items()}
        starts = draw_phases(rng)
    mixer = Mixer(rng, flows, classes)
    drawn = [mixer.next() for _ in range(packets)]
    dues = [starts[index * len(starts) // packets] for index in range(packets)]
    made = tuple(Packet(flow, due, frame) for (flow, frame), due in zip(drawn, dues, strict=True))
    return Trace(ADDRESSES, draw_rules(rng), options, made, timed)


def draw_phases(rng: Random) -> list[int]:
    """Starts of the bursts (ns): each at its own sixth of a second, so that no gap is near a whole second."""
    sixths = list(range(PHASES))
    rng.shuffle(sixths)
    starts, last = [], -1
    for sixth in sixths:
        at = sixth + 6 * rng.choice((0, 0, 1))
        while at <= last:
            at += 6
        starts.append((at - sixths[0]) * SECOND // 6)
        last = at
    return [start - starts[0] for start in starts]


class Mixer:
    """Interleaves flows: some packets about packets, some in pieces, some dressed up."""

    def __init__(self, rng: Random, flows: int, classes: frozenset[str]) -> None:
        self._rng, self._classes = rng, classes
        self._walks = [self._walk(number) for number in range(flows)]
        self._last: list[Datagram | None] = [None] * flows
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._datagrams = 0

    def _walk(self, number: int) -> Walk:
        rows = [(row.weight, row.make) for name, row in CLASSES.items() if name in self._classes and row.make]
        (_, make) = self._rng.choices(rows, [weight for weight, _ in rows])[0]
        return make(self._rng, number)

    def next(self) -> tuple[int, bytes]:
        """The flow's number and a frame."""
        rng = self._rng
        if self._backlog and rng.random() < 0.7:
            return self._backlog.popleft()
        flow = rng.randrange(len(self._walks))
        about = self._last[flow]
        if about is not None and "errors" in self._classes and rng.random() < 0.06:
            datagram = error_about(rng, about, redirects="redirects" in self._classes)
        else:
            datagram = self._walks[flow].step(rng)
            self._last[flow] = datagram
        if "dressing" in self._classes and rng.random() < 0.08:
            datagram = dressed(rng, datagram)
        whole = FRAGMENT not in datagram.extensions
        if "fragments" in self._classes and whole and len(datagram.body) > 8 and rng.random() < 0.12:
            self._datagrams += 1
            cut = replace(datagram, ident=self._datagrams, good_checksum=True)
            frames = [ethernet(piece) for piece in pieces(rng, cut)]
            self._backlog.extend((flow, frame) for frame in frames[1:])
            return flow, frames[0]
        vlans = (5,) if "dressing" in self._classes and rng.random() < 0.02 else ()
        return flow, ethernet(ip_packet(datagram), vlans, rng.choice((0, 0, 0, 0, 0, 0, 3, 18)))


def dressed(rng: Random, datagram: Datagram) -> Datagram:
    """The same with IP options or extension headers, another hop limit, or a bad IPv4 header checksum."""
    chance = rng.random()
    if chance < 0.2:
        return replace(datagram, hop_limit=rng.choice((0, 1, 2, 255)))
    if chance < 0.3:
        return replace(datagram, good_checksum=False)
    if datagram.family == 4:
        return replace(datagram, options=rng.choice(IPV4_OPTIONS))
    return replace(datagram, extensions=rng.choice(EXTENSIONS))


def pieces(rng: Random, whole: Datagram) -> list[bytes]:
    """The datagram in fragments: as they should be, out of order, one missing, one twice, one overlapping."""
    size = rng.choice((8, 16, 24, LARGEST_PIECE))
    size = max(size, -(-len(whole.body) // 12) + 7 & ~7)  # not more than a dozen pieces
    offsets = list(range(0, len(whole.body), size))
    made = [ip_fragment(whole, at, whole.body[at : at + size], more=at + size < len(whole.body)) for at in offsets]
    chance = rng.random()
    if chance < 0.25:
        rng.shuffle(made)
    elif chance < 0.35:
        made.reverse()
    elif chance < 0.5:
        del made[rng.randrange(len(made))]
    elif chance < 0.6:
        index = rng.randrange(len(made))
        made.insert(index, made[index])
    elif chance < 0.7 and len(offsets) > 1:
        at = rng.choice(offsets[:-1])
        made.insert(rng.randrange(1, len(made) + 1), ip_fragment(whole, at, whole.body[at : at + size + 8], more=True))
    return made or [ip_packet(whole)]
