"""Synthetic captures are what they say: reproducible, whole conversations, readable by others."""

import shutil
import struct
import subprocess
from collections import Counter
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generate import HELP, generate
from benchmarks.plan import Plan
from benchmarks.traffic import FIN_CLOSE, LEAST_TCP, SCAN, TCP, Flows, Packets, draw_flows, draw_packets
from tests.recorded import read_frames
from tests.reference_frames import (
    ICMP,
    ICMPV6,
    SYN,
    Ip,
    internet_checksum,
    ip_of_frame,
    read_tcp,
    transport_checksum_good,
)
from tests.reference_frames import TCP as TCP_PROTOCOL
from tests.reference_frames import UDP as UDP_PROTOCOL

WHOLE = 65535
SMALL = Plan(packets=2000, flows=120, snaplen=WHOLE, seed=7)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captures") / "small.pcap"
    generate(path, SMALL)
    return path


@pytest.fixture(scope="module")
def small_packets(small: Path) -> list[Ip]:
    packets = [ip_of_frame(frame) for _, frame in read_frames(small)]
    assert None not in packets
    return [packet for packet in packets if packet is not None]


def drawn(plan: Plan) -> tuple[Flows, Packets]:
    rng = np.random.default_rng(plan.seed)
    flows = draw_flows(rng, plan)
    packets, order = draw_packets(rng, flows)
    return flows, packets.take(order)


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, small: Path) -> None:
    for name, seed in (("same", SMALL.seed), ("other", SMALL.seed + 1)):
        generate(tmp_path / name, Plan(packets=2000, flows=120, snaplen=WHOLE, seed=seed))
    assert (tmp_path / "same").read_bytes() == small.read_bytes()
    assert (tmp_path / "other").read_bytes() != small.read_bytes()


@pytest.mark.parametrize("packets", [1, 7, 50, 999, 70_000])
def test_capture_has_as_many_packets_as_asked(tmp_path: Path, packets: int) -> None:
    path = tmp_path / "capture.pcap"
    generate(path, Plan(packets=packets, flows=40))
    assert len(read_frames(path)) == packets


def test_times_rise_by_ten_microseconds(small: Path) -> None:
    times = [time for time, _ in read_frames(small)]
    assert {later - earlier for earlier, later in pairwise(times)} == {10_000}


def test_snap_length_cuts_and_the_record_tells_the_whole_length(tmp_path: Path, small: Path) -> None:
    path = tmp_path / "cut.pcap"
    generate(path, Plan(packets=2000, flows=120, snaplen=60, seed=SMALL.seed))
    cut = [frame for _, frame in read_frames(path)]
    whole = [frame for _, frame in read_frames(small)]
    assert cut == [frame[:60] for frame in whole]
    assert struct.unpack_from("<II", path.read_bytes(), 24 + 8) == (len(cut[0]), len(whole[0]))


def test_payloads_are_kept_whole_whatever_the_snap_length(tmp_path: Path, small: Path) -> None:
    path = tmp_path / "whole.pcap"
    generate(path, Plan(packets=2000, flows=120, snaplen=60, payloads=True, seed=SMALL.seed))
    assert path.read_bytes() == small.read_bytes()


def test_every_field_of_a_plan_is_an_option_with_its_help() -> None:
    assert [field.name for field in fields(Plan)] == list(HELP)


def test_every_checksum_is_good(small_packets: list[Ip]) -> None:
    assert all(ip.checksum_good and transport_checksum_good(ip) for ip in small_packets)
    assert internet_checksum(b"\x45\x00") != 0


def test_protocols_and_families_have_their_shares() -> None:
    flows, packets = drawn(Plan(packets=100_000, flows=5000))
    kinds = np.bincount(flows.kind[packets.flow], minlength=4)
    assert kinds.tolist() == pytest.approx([84_750, 13_000, 2000, 250])
    assert np.mean(flows.ipv6) == pytest.approx(0.1, abs=0.02)
    assert np.mean(flows.kind == SCAN) == pytest.approx(0.05, abs=0.001)


def test_a_few_flows_carry_most_packets() -> None:
    flows, _ = drawn(Plan(packets=100_000, flows=5000))
    largest = np.sort(flows.size)[::-1]
    assert largest[:500].sum() > 100_000 / 2
    assert np.median(flows.size) < flows.size.mean()


def test_tcp_conversations_open_and_close_as_they_should() -> None:
    flows, packets = drawn(SMALL)
    for flow in np.flatnonzero((flows.kind == TCP) & (flows.size >= LEAST_TCP)):
        rows = packets.flow == flow
        flags, client = packets.flags[rows].tolist(), packets.from_client[rows].tolist()
        assert (flags[:3], client[:3]) == ([2, 18, 16], [True, False, True])
        if flows.close[flow] == FIN_CLOSE:
            assert (flags[-3:], client[-3:]) == ([17, 17, 16], [True, False, True])


def test_tcp_numbers_are_true(small_packets: list[Ip]) -> None:
    """Each segment begins where its sender's last one ended, and acknowledges all that the peer sent."""
    sent: dict[tuple[object, ...], int] = {}
    segments = 0
    for ip in small_packets:
        tcp = read_tcp(ip) if ip.protocol == TCP_PROTOCOL else None
        if tcp is None:
            continue
        ports = struct.unpack_from(">HH", ip.transport)
        mine, peers = (ip.src, ports[0], ip.dst, ports[1]), (ip.dst, ports[1], ip.src, ports[0])
        assert tcp.seq == sent.get(mine, tcp.seq)
        assert tcp.ack == sent.get(peers, 0)
        assert (mine in sent) != bool(tcp.flags & SYN)
        sent[mine] = tcp.end
        segments += 1
    assert segments > len(small_packets) / 2


def test_interfaces_share_the_traffic(tmp_path: Path) -> None:
    path = tmp_path / "three.pcap"
    generate(path, Plan(packets=3000, flows=300, interfaces=3))
    packets = [ip_of_frame(frame) for _, frame in read_frames(path)]
    ends = Counter(str(end) for ip in packets if ip for end in (ip.src, ip.dst))
    own = {end for end in ends if end.startswith(("10.", "2001:db8:1:"))}
    assert own == {"10.0.1.10", "10.0.1.11", "10.0.1.12", "2001:db8:1::10", "2001:db8:1::11", "2001:db8:1::12"}
    assert sum(ends[end] for end in own) == 3000


def test_a_scan_never_repeats_a_flow(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcap"
    generate(path, Plan(packets=5000, scan=True))
    packets = [ip_of_frame(frame) for _, frame in read_frames(path)]
    flows = {(ip.src, ip.dst, ip.transport[:4]) for ip in packets if ip}
    assert len(flows) == 5000
    assert all((segment := read_tcp(ip)) and segment.flags == SYN for ip in packets if ip)


def test_plans_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="start at 1"):
        generate(tmp_path / "none.pcap", Plan(packets=0))
    assert not (tmp_path / "none.pcap").exists()


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_tcpdump_reads_every_packet_and_finds_no_fault(small: Path, small_packets: list[Ip]) -> None:
    command = ["tcpdump", "-nn", "-v", "-r", str(small)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert text.count("22:13:20.") == len(small_packets)
    assert not [word for word in ("incorrect", "bad", "wrong", "truncated", "invalid") if word in text.lower()]
    protocols = Counter(ip.protocol for ip in small_packets)
    assert text.count("Flags [") == protocols[TCP_PROTOCOL]
    assert text.count("echo re") == protocols[ICMP] + protocols[ICMPV6]
    assert protocols.total() == protocols[TCP_PROTOCOL] + protocols[UDP_PROTOCOL] + protocols[ICMP] + protocols[ICMPV6]
