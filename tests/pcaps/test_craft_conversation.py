"""Conversations: what TCP demands of sequence numbers, flags and order, walked independently."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from pcaps.conversation import ping, tcp_conversation, udp_exchange
from pcaps.craft import frames_to_packets, packets_to_frames
from pcaps.errors import CraftError

pytestmark = pytest.mark.compiled_only

CLIENT, SERVER = "198.51.100.7", "10.0.1.10"
CLIENT6, SERVER6 = "2001:db8::7", "2001:db8:1::10"


def on_the_wire(packets: list[Any]) -> list[Any]:
    """The packets as scapy reads them from their bytes."""
    return frames_to_packets(packets_to_frames(packets))


def data_of(packet: Any) -> bytes:
    return bytes(packet[TCP].payload)


class Receiver:
    """One end of a TCP connection as RFC 9293 sees it: takes segments in order, keeps the bytes."""

    def __init__(self) -> None:
        self.expected: int | None = None
        self.data = b""
        self.closed = False

    def take(self, segment: Any) -> None:
        tcp = segment[TCP]
        assert not self.closed or not (data_of(segment) or tcp.flags.S or tcp.flags.F)
        if tcp.flags.S:
            assert self.expected is None
            self.expected = tcp.seq
        assert tcp.seq == self.expected
        self.data += data_of(segment)
        self.closed |= bool(tcp.flags.F)
        taken = len(data_of(segment)) + bool(tcp.flags.S) + bool(tcp.flags.F)
        self.expected = (tcp.seq + taken) % (1 << 32)


SEQUENCE = st.integers(0, (1 << 32) - 1) | st.integers((1 << 32) - 50, (1 << 32) - 1)


@settings(max_examples=60, deadline=None)
@given(
    request=st.binary(max_size=60),
    response=st.binary(max_size=60),
    mss=st.integers(7, 100),
    client_isn=SEQUENCE,
    server_isn=SEQUENCE,
    close=st.booleans(),
    inet6=st.booleans(),
)
def test_a_conversation_is_what_two_tcp_hosts_would_say(
    request: bytes, response: bytes, mss: int, client_isn: int, server_isn: int, close: bool, inet6: bool
) -> None:
    client, server = (CLIENT6, SERVER6) if inet6 else (CLIENT, SERVER)
    packets = on_the_wire(
        tcp_conversation(
            client,
            server,
            request=request,
            response=response,
            mss=mss,
            client_isn=client_isn,
            server_isn=server_isn,
            close=close,
        )
    )
    network = IPv6 if inet6 else IP
    receivers = {client: Receiver(), server: Receiver()}
    for packet in packets:
        source, destination = packet[network].src, packet[network].dst
        assert (packet[TCP].sport, packet[TCP].dport) == ((40000, 80) if source == client else (80, 40000))
        assert len(data_of(packet)) <= mss
        receivers[destination].take(packet)
        if packet[TCP].flags.A:
            assert packet[TCP].ack == receivers[source].expected
        else:
            assert packet is packets[0]
    assert receivers[server].data == request
    assert receivers[client].data == response
    assert receivers[server].closed == receivers[client].closed == close


def test_the_segments_of_a_short_conversation() -> None:
    packets = on_the_wire(tcp_conversation(CLIENT, SERVER, request=b"GET", response=b"OK"))
    assert [(packet[IP].src == CLIENT, str(packet[TCP].flags), data_of(packet)) for packet in packets] == [
        (True, "S", b""),
        (False, "SA", b""),
        (True, "A", b""),
        (True, "PA", b"GET"),
        (False, "A", b""),
        (False, "PA", b"OK"),
        (True, "A", b""),
        (True, "FA", b""),
        (False, "A", b""),
        (False, "FA", b""),
        (True, "A", b""),
    ]


def test_packets_are_a_gap_apart_exactly() -> None:
    frames = packets_to_frames(tcp_conversation(CLIENT, SERVER, start=1700000000.1, gap=0.000000001))
    assert [frame.time for frame in frames] == [1_700_000_000_100_000_000 + index for index in range(7)]


def test_a_datagram_and_its_answer() -> None:
    query, answer = on_the_wire(udp_exchange(CLIENT, SERVER, request=b"?", response=b"!"))
    assert (query[IP].src, query[UDP].dport, bytes(query[UDP].payload)[:1]) == (CLIENT, 53, b"?")
    assert (answer[IP].src, answer[UDP].sport, answer[UDP].dport) == (SERVER, 53, 40000)
    assert len(udp_exchange(CLIENT6, SERVER6, request=b"?", response=None)) == 1


def test_pings_and_their_replies() -> None:
    packets = on_the_wire(ping(CLIENT, SERVER, count=2, identifier=7))
    assert [(packet[IP].src, packet[ICMP].type, packet[ICMP].id, packet[ICMP].seq) for packet in packets] == [
        (CLIENT, 8, 7, 1),
        (SERVER, 0, 7, 1),
        (CLIENT, 8, 7, 2),
        (SERVER, 0, 7, 2),
    ]


def test_pings_over_ipv6() -> None:
    request, reply = on_the_wire(ping(CLIENT6, SERVER6))
    assert request[ICMPv6EchoRequest].data == reply[ICMPv6EchoReply].data == b"abcdefgh"
    assert len(ping(CLIENT6, SERVER6, count=3, reply=False)) == 3


@pytest.mark.parametrize(("client", "server"), [(CLIENT, SERVER6), ("example.com", SERVER)])
def test_both_ends_are_literal_addresses_of_one_family(client: str, server: str) -> None:
    with pytest.raises(CraftError, match=r"one family|not looked up"):
        tcp_conversation(client, server)
