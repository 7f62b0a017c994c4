"""Whole exchanges between two hosts, for lessons and tests: TCP, UDP and ping, over IPv4 or IPv6.

Each function returns scapy packets in order, `gap` seconds apart from `start` seconds on; addresses
are literals of one family. Raises CraftError where the two are not.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from pcaps.craft import layer_class, nanoseconds, packet_time
from pcaps.errors import CraftError

if TYPE_CHECKING:
    from pcaps.craft import Packet

SEQUENCE_MASK = 0xFFFF_FFFF
ICMPV6_ERRORS = {  # RFC 4443 section 3
    1: "ICMPv6DestUnreach",
    2: "ICMPv6PacketTooBig",
    3: "ICMPv6TimeExceeded",
    4: "ICMPv6ParamProblem",
}
NEXT_HOP_MTU = 1400  # octets, of a router's "fragmentation needed" (RFC 1191) and "packet too big"
IPV4_HEADER = 20  # octets, without options


@dataclass
class Host:
    """One end of an exchange; `next` is the sequence number of the next byte that it sends."""

    address: str
    port: int
    next: int = 0


@dataclass
class Exchange:
    """Packets between two hosts, collected in order."""

    client: Host
    server: Host
    start: float
    gap: float
    packets: "list[Packet]" = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            versions = {ip_address(host.address).version for host in (self.client, self.server)}
        except ValueError as error:
            raise CraftError(f"{error}; names are not looked up") from None
        if len(versions) != 1:
            raise CraftError(f"{self.client.address} and {self.server.address} are not of one family")
        self.version = versions.pop()

    def send(self, sender: Host, *layers: "Packet") -> None:
        """One packet from `sender` to the other end, behind a new IP header."""
        receiver = self.peer(sender)
        packet = layer_class("IP" if self.version == 4 else "IPv6")(src=sender.address, dst=receiver.address)
        for layer in layers:
            packet = packet / layer
        packet.time = packet_time(nanoseconds(self.start) + len(self.packets) * nanoseconds(self.gap))
        self.packets.append(packet)

    def peer(self, host: Host) -> Host:
        """The other end."""
        return self.server if host is self.client else self.client

    def segment(self, sender: Host, flags: str, data: bytes = b"", options: "list[Any] | None" = None) -> None:
        """One TCP segment; SYN and FIN take a sequence number each, as every byte does (RFC 9293 section 3.4)."""
        receiver = self.peer(sender)
        tcp = layer_class("TCP")(
            sport=sender.port,
            dport=receiver.port,
            flags=flags,
            seq=sender.next,
            ack=receiver.next if "A" in flags else 0,
            window=0xFFFF,
            options=options or [],
        )
        self.send(sender, *((tcp, layer_class("Raw")(data)) if data else (tcp,)))
        sender.next = (sender.next + len(data) + ("S" in flags) + ("F" in flags)) & SEQUENCE_MASK

    def datagram(self, sender: Host, data: bytes, fragments: int = 1) -> None:
        """One UDP datagram, over IPv4 in as many fragments as it is said to have (RFC 791 section 3.2)."""
        udp = layer_class("UDP")(sport=sender.port, dport=self.peer(sender).port)
        self.send(sender, udp, layer_class("Raw")(data))
        if fragments > 1:
            self._fragment(self.packets.pop(), sender, fragments)

    def _fragment(self, whole: "Packet", sender: Host, fragments: int) -> None:
        """The packet's payload in pieces of equal length, a multiple of 8 octets, but for the last one."""
        if self.version != 4:
            raise CraftError("only datagrams over IPv4 are written in fragments")
        payload = bytes(whole)[IPV4_HEADER:]
        size = -(-len(payload) // (8 * fragments)) * 8
        number = len(self.packets) + 1  # the same for the fragments of one datagram
        for at in range(0, len(payload), size):
            self.send(sender, layer_class("Raw")(payload[at : at + size]))
            last = at + size >= len(payload)
            ip = self.packets[-1]
            ip.id, ip.proto, ip.frag, ip.flags = number, whole.proto, at // 8, 0 if last else "MF"

    def echo(self, sender: Host, identifier: int, sequence: int, data: bytes, *, reply: bool) -> None:
        """One echo request or reply of the exchange's family."""
        if self.version == 4:
            kind = "echo-reply" if reply else "echo-request"
            layer = layer_class("ICMP")(type=kind, id=identifier, seq=sequence)
        else:
            name = "ICMPv6EchoReply" if reply else "ICMPv6EchoRequest"
            layer = layer_class(name)(id=identifier, seq=sequence)
        self.send(sender, layer, layer_class("Raw")(data))

    def deliver(self, sender: Host, data: bytes, mss: int) -> None:
        """Data in segments of `mss` bytes, the last one pushed, and the receiver's acknowledgement."""
        for at in range(0, len(data), mss):
            self.segment(sender, "PA" if at + mss >= len(data) else "A", data[at : at + mss])
        if data:
            self.segment(self.peer(sender), "A")


def tcp_conversation(
    client: str,
    server: str,
    *,
    sport: int = 40000,
    dport: int = 80,
    request: bytes = b"",
    response: bytes = b"",
    close: bool = True,
    start: float = 0.0,
    gap: float = 0.01,
    mss: int = 1460,
    client_isn: int = 1000,
    server_isn: int = 5000,
) -> "list[Packet]":
    """A TCP connection: handshake, request, response, and the close by the client.

    Segments: SYN, SYN-ACK, ACK; the request in segments of at most `mss` bytes and its ACK; the
    response and its ACK; then, unless `close` is false, FIN-ACK, ACK, FIN-ACK, ACK (RFC 9293 figures
    6 and 12). Sequence numbers start at the two ISNs (0 to 2**32 - 1) and wrap.
    """
    exchange = Exchange(Host(client, sport, client_isn), Host(server, dport, server_isn), start, gap)
    near, far = exchange.client, exchange.server
    options = [("MSS", mss), ("SAckOK", b"")]
    exchange.segment(near, "S", options=options)
    exchange.segment(far, "SA", options=options)
    exchange.segment(near, "A")
    exchange.deliver(near, request, mss)
    exchange.deliver(far, response, mss)
    if close:
        for host in (near, far):
            exchange.segment(host, "FA")
            exchange.segment(exchange.peer(host), "A")
    return exchange.packets


def udp_exchange(
    client: str,
    server: str,
    *,
    sport: int = 40000,
    dport: int = 53,
    request: bytes = b"",
    response: bytes | None = b"",
    start: float = 0.0,
    gap: float = 0.01,
) -> "list[Packet]":
    """A datagram and its answer; `response=None` is no answer."""
    exchange = Exchange(Host(client, sport), Host(server, dport), start, gap)
    for host, data in ((exchange.client, request), (exchange.server, response)):
        if data is not None:
            exchange.datagram(host, data)
    return exchange.packets


def ping(
    client: str,
    server: str,
    *,
    count: int = 1,
    identifier: int = 1,
    data: bytes = b"abcdefgh",
    reply: bool = True,
    start: float = 0.0,
    gap: float = 0.01,
) -> "list[Packet]":
    """`count` echo requests, each followed by its reply unless `reply` is false (RFC 792, RFC 4443)."""
    exchange = Exchange(Host(client, 0), Host(server, 0), start, gap)
    for sequence in range(1, count + 1):
        exchange.echo(exchange.client, identifier, sequence, data, reply=False)
        if reply:
            exchange.echo(exchange.server, identifier, sequence, data, reply=True)
    return exchange.packets


def icmp_error(router: str, host: str, kind: int, code: int, quoted: "Packet") -> "Packet":
    """What a router tells a host about a packet that it sent: an ICMP message with that packet in it.

    ICMPv6 has the errors 1 to 4. Raises CraftError for another, or where the two are not of one family.
    """
    exchange = Exchange(Host(router, 0), Host(host, 0), 0.0, 0.0)
    if exchange.version == 4:
        message = layer_class("ICMP")(type=kind, code=code)
        if (kind, code) == (3, 4):
            message.nexthopmtu = NEXT_HOP_MTU
    elif kind in ICMPV6_ERRORS:
        message = layer_class(ICMPV6_ERRORS[kind])(code=code)
        if kind == 2:
            message.mtu = NEXT_HOP_MTU
    else:
        raise CraftError(f"{kind} is no error of ICMPv6: its errors are {', '.join(map(str, ICMPV6_ERRORS))}")
    exchange.send(exchange.client, message, layer_class("Raw")(bytes(quoted)))
    return exchange.packets[0]
