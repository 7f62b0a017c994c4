"""Conversations of every other protocol: mostly right, at every step perhaps not."""

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random
from typing import Protocol

from tests.netfilter.packets import Datagram, chunk, gre, icmp, ip_packet, sctp, udp
from tests.netfilter.places import ENI, PEERS, ROUTERS, Ends
from tests.reference_frames import GRE, ICMP, ICMPV6, SCTP, UDP, UDP_LITE

QUERIES = {4: ((8, 0), (13, 14), (15, 16), (17, 18)), 6: ((128, 129), (139, 140))}
ODD_TYPES = {4: (1, 2, 6, 9, 10, 19, 30, 40, 255), 6: (141, 142, 144, 147, 150, 153, 160, 255)}
ERRORS = {4: (3, 3, 3, 4, 5, 11, 11, 12), 6: (1, 1, 2, 3, 4, 100, 127, 0)}
DISCOVERY = (130, 131, 132, 133, 134, 135, 136, 143, 151, 152)
REDIRECT = 137
NAMELESS = (2, 4, 41, 50, 89, 103, 253, 255)  # no tracker of their own
PPP = 0x880B  # what GRE version 1 carries (RFC 2637 section 4.1)
INIT, INIT_ACK, SACK_CHUNK, HEARTBEAT, HEARTBEAT_ACK, ABORT = 1, 2, 3, 4, 5, 6
SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 7, 8, 9, 10, 11, 14
DATA = 0
CHUNKS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 0xC0, 0xC1)


class Walk(Protocol):
    """A conversation: every step gives its next datagram."""

    ends: Ends

    def step(self, rng: Random) -> Datagram:
        """The next datagram, of either side."""
        ...


def either_way(rng: Random, ends: Ends) -> Ends:
    """Requests and answers."""
    return ends if rng.random() < 0.55 else ends.back()


@dataclass
class UdpWalk:
    """UDP: datagrams either way, some with a length that cannot be."""

    ends: Ends

    def step(self, rng: Random) -> Datagram:
        ends = either_way(rng, self.ends)
        data = bytes(rng.choice((0, 1, 16, 100, 600)))
        length = rng.choice((0, 7, 8, 9 + len(data), 65535)) if rng.random() < 0.05 else None
        body = udp((ends.src_port, ends.dst_port), data, length, rng.choice((0, 1)))
        return Datagram(ends.src, ends.dst, UDP, body[: rng.randrange(9)] if rng.random() < 0.02 else body)


@dataclass
class UdpLiteWalk:
    """UDP-Lite (RFC 3828); `odd` lets coverage and checksum be wrong."""

    ends: Ends
    odd: bool = True

    def step(self, rng: Random) -> Datagram:
        ends = either_way(rng, self.ends)
        data = bytes(rng.choice((0, 1, 16, 100)))
        wrong = self.odd and rng.random() < 0.2
        coverage = rng.choice((0, 1, 7, 8, 9 + len(data))) if wrong else None
        checksum = rng.choice((0, 1)) if wrong else 1
        return Datagram(ends.src, ends.dst, UDP_LITE, udp((ends.src_port, ends.dst_port), data, coverage, checksum))


@dataclass
class IcmpWalk:
    """Queries and answers with a few identifiers; types that are neither."""

    ends: Ends

    def step(self, rng: Random) -> Datagram:
        family = self.ends.family
        ends = either_way(rng, self.ends)
        kind = rng.choice(QUERIES[family])[ends != self.ends]
        if rng.random() < 0.1:
            kind = rng.choice(ODD_TYPES[family] + QUERIES[family][0])
        body = icmp(
            kind, rng.choice((0, 0, 0, 0, 1)), rng.choice((1, 2, self.ends.src_port)), bytes(rng.choice((0, 8, 56)))
        )
        if rng.random() < 0.03:
            body = body[: rng.randrange(8)]
        return Datagram(ends.src, ends.dst, ICMP if family == 4 else ICMPV6, body)


@dataclass
class DiscoveryWalk:
    """Neighbour and listener discovery between unicast addresses (RFC 4861, RFC 3810, RFC 4286)."""

    ends: Ends

    def step(self, rng: Random) -> Datagram:
        ends = either_way(rng, self.ends)
        target = ip_address(ends.dst).packed
        return Datagram(ends.src, ends.dst, ICMPV6, icmp(rng.choice(DISCOVERY), 0, 0, target, 0), hop_limit=255)


@dataclass
class GreWalk:
    """GRE without a key's meaning, or PPTP's version 1 with call ids."""

    ends: Ends
    version: int

    def step(self, rng: Random) -> Datagram:
        ends = either_way(rng, self.ends)
        call_id = rng.choice((0, 1, 2, ends.src_port & 0xFF))
        protocol = PPP if self.version == 1 and rng.random() < 0.85 else 0x0800
        body = gre(self.version, call_id, protocol, bytes(rng.choice((0, 4, 40))))
        return Datagram(ends.src, ends.dst, GRE, body[: rng.randrange(9)] if rng.random() < 0.02 else body)


@dataclass
class NamelessWalk:
    """A protocol of which nothing but the number is looked at."""

    ends: Ends
    protocol: int

    def step(self, rng: Random) -> Datagram:
        ends = either_way(rng, self.ends)
        return Datagram(ends.src, ends.dst, self.protocol, bytes(rng.choice((0, 1, 8, 40))))


@dataclass
class SctpWalk:
    """An association: set up, data, heartbeats, shutdown; wrong tags and wrong chunks (RFC 9260)."""

    ends: Ends
    tags: list[int] = field(default_factory=list)  # what packets to each end carry: [first end's, second end's]
    at: int = 0

    # (sent by the first end, chunk); the script of an association, then again from the start
    SCRIPT = (
        (True, INIT),
        (False, INIT_ACK),
        (True, COOKIE_ECHO),
        (False, COOKIE_ACK),
        (True, DATA),
        (False, SACK_CHUNK),
        (False, HEARTBEAT),
        (True, HEARTBEAT_ACK),
        (True, SHUTDOWN),
        (False, SHUTDOWN_ACK),
        (True, SHUTDOWN_COMPLETE),
    )

    def step(self, rng: Random) -> Datagram:
        if not self.tags:
            self.tags = [rng.getrandbits(32) | 1, rng.getrandbits(32) | 1]
        if rng.random() < 0.25:
            forward, kind = rng.random() < 0.5, rng.choice(CHUNKS)
        else:
            forward, kind = self.SCRIPT[self.at]
            self.at = (self.at + 1) % len(self.SCRIPT)
            if self.at == 0:
                self.tags = [rng.getrandbits(32) | 1, rng.getrandbits(32) | 1]
        return self._packet(rng, forward, kind)

    def _packet(self, rng: Random, forward: bool, kind: int) -> Datagram:
        ends = self.ends if forward else self.ends.back()
        own, other = self.tags if forward else self.tags[::-1]
        tag = 0 if kind == INIT else other
        flags = 0
        if kind in (ABORT, SHUTDOWN_COMPLETE) and rng.random() < 0.3:
            flags, tag = 1, own  # T: the tag is the sender's own (RFC 9260 section 8.5.1)
        if rng.random() < 0.1:
            tag = rng.choice((0, own, other ^ 1))
        data = struct.pack(">IIHHI", own, 65535, 1, 1, 1) if kind in (INIT, INIT_ACK) else bytes(12)
        chunks = [chunk(kind, flags, data)]
        if rng.random() < 0.1:
            chunks.append(chunk(rng.choice(CHUNKS)))
        if rng.random() < 0.03:
            chunks = []
        body = sctp((ends.src_port, ends.dst_port), tag, *chunks)
        return Datagram(ends.src, ends.dst, SCTP, body[: rng.randrange(14)] if rng.random() < 0.02 else body)


def error_about(rng: Random, quoted: Datagram, *, redirects: bool) -> Datagram:
    """An ICMP error, by a router or the receiver, about a datagram: right, or wrong in one way."""
    family = quoted.family
    sender = rng.choice((ROUTERS[family], quoted.dst, rng.choice(PEERS[family])))
    receiver = quoted.src
    if rng.random() < 0.15:  # both directions of the flow match, only one has the right receiver
        sender, receiver = quoted.src, quoted.dst
    if receiver in PEERS[family]:
        sender = ENI[family]  # the only way there is from the interface
    kind = REDIRECT if redirects and family == 6 and rng.random() < 0.3 else rng.choice(ERRORS[family])
    quote = (
        wrong_quote(rng, ip_packet(quoted)) if rng.random() < 0.4 else ip_packet(quoted)[: rng.choice((28, 48, 128))]
    )
    if kind == REDIRECT:
        return redirect(rng, quoted, receiver, quote)
    body = icmp(kind, rng.choice((0, 1, 3, 4)), 0, quote, rng.choice((0, 1400)))
    return Datagram(sender, receiver, ICMP if family == 4 else ICMPV6, body)


def wrong_quote(rng: Random, packet: bytes) -> bytes:
    """Cut anywhere, a changed byte, or a later fragment's header."""
    chance = rng.random()
    if chance < 0.5:
        return packet[: rng.randrange(len(packet) + 1)]
    at = rng.randrange(min(len(packet), 64))
    if chance < 0.9:
        return packet[:at] + bytes([rng.getrandbits(8)]) + packet[at + 1 :]
    return packet[:6] + b"\x20\x08" + packet[8:]


def redirect(rng: Random, quoted: Datagram, receiver: str, quote: bytes) -> Datagram:
    """RFC 4861 section 4.5: target, destination, and the packet in an option of its own."""
    body = icmp(REDIRECT, 0, 0, ip_address(PEERS[6][0]).packed + ip_address(quoted.dst).packed, 0)
    quote += bytes(-len(quote) % 8)
    option = bytes([4, 1 + len(quote) // 8]) + bytes(6) + quote
    if rng.random() < 0.3:
        option = bytes([2, 1]) + bytes(6) + option  # the target's link-layer address first
    sender = PEERS[6][2] if rng.random() < 0.8 else PEERS[6][0]
    return Datagram(sender, receiver, ICMPV6, body + option, hop_limit=255 if rng.random() < 0.8 else 64)
