"""scapy packets as frames: link types, times, ranges, open ends, and quiet; frames as packets again."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_RS, ICMPv6NDOptRedirectedHdr, IPv6
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1Q, Dot3, Ether, Loopback, LoopbackOpenBSD
from scapy.packet import Packet, Raw
from scapy.plist import PacketList
from scapy.utils import EDecimal
from scapy.volatile import RandShort

from pcaps.craft import craft, frames_to_packets, packets_to_frames
from pcaps.errors import CraftError
from pcaps.frame import Frame
from pcaps.spread import MAX_PACKETS

pytestmark = pytest.mark.compiled_only

ENI4, ENI6 = "10.0.1.10", "2001:db8:1::10"
HERE = [ENI6, ENI4]


def timed(packet: Packet, seconds: Any = 0) -> Packet:
    packet.time = seconds
    return packet


def ends(packet: Packet, here: list[str] | None = None) -> tuple[str, str]:
    (frame,) = packets_to_frames(packet, here or [])
    (read,) = frames_to_packets([frame])
    network = read.getlayer(IP) or read[IPv6]
    return network.src, network.dst


# --- link types --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("packet", "link"),
    [
        (Ether() / IP(), 1),
        (Ether() / Dot1Q() / IP(), 1),
        (Dot3() / Raw(b"x"), 1),
        (IP(), 101),
        (IPv6(), 101),
        (Raw(b"E"), 101),
        (CookedLinux() / IP(), 113),
        (CookedLinuxV2() / IP(), 276),
        (Loopback() / IP(), 0),
        (LoopbackOpenBSD() / IP(), 108),
    ],
    ids=lambda value: value.summary() if isinstance(value, Packet) else "",
)
def test_the_link_type_follows_from_the_outermost_layer(packet: Packet, link: int) -> None:
    (frame,) = packets_to_frames(packet)
    assert frame.link == link
    assert frame.wirelen == len(frame.data)


@pytest.mark.parametrize("packet", [TCP(), Dot1Q() / IP(), ARP()], ids=lambda packet: packet.summary())
def test_a_frame_starts_with_a_link_layer_or_ip(packet: Packet) -> None:
    with pytest.raises(CraftError, match="a frame starts with one of Ether, Dot3"):
        packets_to_frames(packet)


# --- lists and ranges --------------------------------------------------------------------------------------
def test_packets_come_from_lists_packet_lists_and_generators_nested_as_they_may_be() -> None:
    one, two, three, four = (IP() / UDP(dport=port) for port in (1, 2, 3, 4))
    frames = packets_to_frames([one, PacketList([two]), (packet for packet in [[three], four])])
    assert [frame.data[22:24] for frame in frames] == [bytes([0, port]) for port in (1, 2, 3, 4)]


def test_a_packet_with_ranges_is_each_packet_that_it_stands_for() -> None:
    frames = packets_to_frames(timed(IP(dst="10.0.0.0/31") / UDP(dport=(1, 3)), 5))
    assert [(frame.data[19], frame.data[23]) for frame in frames] == [(a, p) for a in (0, 1) for p in (1, 2, 3)]
    assert {frame.time for frame in frames} == {5_000_000_000}


def test_ranges_are_bounded() -> None:
    with pytest.raises(CraftError, match=f"IP/UDP stands for more than {MAX_PACKETS:,} packets"):
        packets_to_frames(IP(dst="10.0.0.0/8") / UDP())


@pytest.mark.parametrize("packets", [b"E", "IP()", 5, None, [IP(), "x"]])
def test_what_is_no_packet_is_refused(packets: Any) -> None:
    with pytest.raises(CraftError, match="is no scapy packet"):
        packets_to_frames(packets)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (IP() / UDP(dport=70000), "IP/UDP cannot be built: 'H' format requires"),
        (IP() / UDP() / Raw(b"x" * 70000), "IP/UDP/Raw cannot be built: 'H' format requires"),
        (IP(ttl="x"), "IP cannot be built: required argument is not an integer"),
    ],
    ids=["port", "length", "type"],
)
def test_what_cannot_be_built_says_why(packet: Packet, reason: str) -> None:
    with pytest.raises(CraftError) as caught:
        packets_to_frames(packet)
    assert str(caught.value).startswith(reason)


# --- time ----------------------------------------------------------------------------------------------
@given(st.integers(-(1 << 62), 1 << 62))
def test_times_are_exact_to_the_nanosecond_there_and_back(time: int) -> None:
    (frame,) = packets_to_frames(timed(IP(), EDecimal(time).scaleb(-9)))
    assert frame.time == time
    assert packets_to_frames(frames_to_packets([frame])) == [frame]


@pytest.mark.parametrize(
    ("seconds", "time"),
    [
        (1.5, 1_500_000_000),
        (3, 3_000_000_000),
        (0.1, 100_000_000),
        (Decimal("1e-9"), 1),
        (1e9 + 0.25, 10**18 + 250_000_000),
    ],
)
def test_a_time_is_any_number_of_seconds(seconds: Any, time: int) -> None:
    assert packets_to_frames(timed(IP(), seconds))[0].time == time


@pytest.mark.parametrize("seconds", [None, "noon", float("nan"), float("inf"), 1e10])
def test_a_time_that_does_not_fit_is_refused(seconds: Any) -> None:
    with pytest.raises(CraftError, match="seconds"):
        packets_to_frames(timed(IP(), seconds))


def test_expressions_follow_each_other_in_time() -> None:
    frames = craft(["IP()/TCP(dport=(1, 2))", "IP(time=9)", "IP()", "IP(time=4)"])
    assert [frame.time for frame in frames] == [0, 1_000_000, 9_000_000_000, 9_001_000_000, 4_000_000_000]


# --- open ends -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (IP(src="203.0.113.9"), ("203.0.113.9", ENI4)),
        (IP(dst="203.0.113.9"), (ENI4, "203.0.113.9")),
        (IP(src=ENI4), (ENI4, "198.51.100.1")),
        (IP(dst=ENI4), ("198.51.100.1", ENI4)),
        (IP(), ("198.51.100.1", ENI4)),
        (IP(src="10.9.9.9", dst="10.8.8.8"), ("10.9.9.9", "10.8.8.8")),
        (IP(src="10.9.9.9", dst="127.0.0.1"), ("10.9.9.9", "127.0.0.1")),
        (IPv6(src="2001:db8::9"), ("2001:db8::9", ENI6)),
        (IPv6(), ("2001:db8::1", ENI6)),
        (IPv6() / ICMPv6ND_RS(), (ENI6, "ff02::2")),
        (Ether() / IP(src="203.0.113.9"), ("203.0.113.9", ENI4)),
    ],
    ids=lambda value: value.summary() if isinstance(value, Packet) else "",
)
def test_an_open_end_is_the_interface_unless_the_other_end_is(packet: Packet, expected: tuple[str, str]) -> None:
    assert ends(packet, HERE) == expected


def test_without_an_interface_an_open_source_is_a_documentation_address() -> None:
    assert ends(IP(dst="10.0.0.1")) == ("198.51.100.1", "10.0.0.1")
    assert ends(IPv6(dst="2001:db8::5")) == ("2001:db8::1", "2001:db8::5")


def test_the_packet_that_an_error_quotes_keeps_its_own_ends() -> None:
    quoted = IP(src=ENI4, dst="203.0.113.9") / UDP()
    (frame,) = packets_to_frames(IP(src="192.0.2.1") / ICMP(type=3) / quoted, HERE)
    assert frame.data.endswith(bytes(quoted))
    assert ends(IP(src="192.0.2.1") / ICMP(type=3) / quoted, HERE) == ("192.0.2.1", ENI4)


def test_the_packets_handed_over_are_not_changed() -> None:
    quoted = IP(dst="203.0.113.9")
    packet = Ether() / IPv6() / ICMPv6NDOptRedirectedHdr(pkt=quoted)
    assert packets_to_frames(packet, HERE)
    assert quoted.fields == {"options": [], "dst": "203.0.113.9"}
    assert "src" not in packet[Ether].fields
    assert not {"src", "dst"} & packet[IPv6].fields.keys()


# --- there and back ------------------------------------------------------------------------------------------
def test_a_captured_packet_goes_back_as_it_came_cut_or_not() -> None:
    ether = Ether(src="02:00:00:00:00:09", dst="02:00:00:00:00:0a")
    whole = Frame(1, 7, bytes(ether / IP(src="10.0.0.1") / UDP() / b"data"), 1500)
    for frame in (whole, whole._replace(data=whole.data[:20])):
        assert packets_to_frames(frames_to_packets([frame])) == [frame]


@pytest.mark.parametrize(
    ("frame", "layer"),
    [
        (Frame(101, 0, b"", 0), Raw),
        (Frame(101, 0, b"\x10", 1), Raw),
        (Frame(101, 0, b"\x45", 1), Raw),
        (Frame(1, 0, b"cut", 60), Raw),
        (Frame(147, 0, b"user link", 9), Raw),
        (Frame(101, 0, bytes(IPv6(src="::1")), 40), IPv6),
    ],
)
def test_what_scapy_cannot_read_is_raw(frame: Frame, layer: type[Packet]) -> None:
    (packet,) = frames_to_packets([frame])
    assert type(packet) is layer
    assert bytes(packet) == frame.data


def test_random_values_are_drawn_once() -> None:
    (frame,) = packets_to_frames(IP(src="10.0.0.1") / UDP(sport=RandShort()))
    assert len(frame.data) == 28


# --- quiet -------------------------------------------------------------------------------------------------------
def test_scapy_says_nothing_on_the_terminal_and_warns_of_nothing() -> None:
    """Unknown options, IPv6 without a route: what scapy logs, in a fresh process where warnings are errors."""
    script = (
        "from pcaps.craft import craft, packets_to_frames, layer_class\n"
        "craft(['Ether()/IPv6()/UDP()', 'Ether()/ARP()', 'IP()/TCP()'])\n"
        "packets_to_frames(layer_class('IP')() / layer_class('TCP')(options=[('Bogus', 5)]))\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_scapy_is_loaded_by_the_first_crafted_packet_only() -> None:
    script = "import sys, pcaps.craft, pcaps.conversation; print('scapy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
