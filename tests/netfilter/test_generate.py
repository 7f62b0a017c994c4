"""Generated traces are what the comparison needs: reproducible, of every class, clear of every timeout."""

import struct
from ipaddress import ip_network
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.netfilter.dissect import network_of
from tests.netfilter.generate import (
    ALL_CLASSES,
    CLASSES,
    PHASE_WIDTH,
    PHASES,
    SECOND,
    draw_phases,
    draw_trace,
    pieces,
)
from tests.netfilter.packets import Datagram, ethernet, ip_packet
from tests.netfilter.places import ENI, PEERS
from tests.netfilter.record import pcap, rule_words
from tests.netfilter.ruleset import match, nft_ruleset
from tests.recorded import Rule, rule_of
from tests.reference_frames import ip_of_frame

MARGIN = SECOND // 20  # a timeout is never decided by less

seeds = st.integers(0, 2**32)


def rng(seed: int) -> Random:
    return Random(seed)  # a seed to bring it back


@given(seeds)
def test_a_seed_brings_a_trace_back(seed: int) -> None:
    first, second = (draw_trace(rng(seed), 30, 3, ALL_CLASSES) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", [name for name, row in CLASSES.items() if row.make])
def test_every_class_makes_packets_that_can_be_sent(name: str) -> None:
    trace = draw_trace(rng(1), 200, 5, frozenset({name}))
    networks = [network_of(packet.frame) for packet in trace.packets]
    eni = {address.packed for address in trace.addresses}
    assert all(ip is not None and (ip.src in eni) != (ip.dst in eni) for ip in networks)
    assert len({packet.frame for packet in trace.packets}) > 1


@given(seeds)
def test_bursts_are_never_a_whole_second_apart(seed: int) -> None:
    starts = draw_phases(rng(seed))
    assert len(starts) == PHASES
    assert starts == sorted(starts)
    for index, late in enumerate(starts):
        for early in starts[:index]:
            distance = (late - early) % SECOND
            assert PHASE_WIDTH + MARGIN < distance < SECOND - PHASE_WIDTH - MARGIN


@given(seeds, st.sampled_from([4, 6]), st.binary(min_size=9, max_size=300))
def test_pieces_belong_to_one_datagram(seed: int, family: int, body: bytes) -> None:
    whole = Datagram(PEERS[family][0], ENI[family], 17, body, ident=seed & 0xFFFF)
    networks = [network_of(ethernet(piece)) for piece in pieces(rng(seed), whole)]
    cut = [ip for ip in networks if ip is not None and ip.datagram is not None]
    assert len({ip.datagram for ip in cut}) <= 1
    assert all(ip.offset % 8 == 0 for ip in cut)


def test_a_whole_datagram_reads_back() -> None:
    ip = ip_of_frame(ethernet(ip_packet(Datagram(PEERS[4][0], ENI[4], 17, b"12345678")), padding=5))
    assert ip is not None
    assert (str(ip.src), ip.transport, ip.checksum_good) == (PEERS[4][0], b"12345678", True)


def test_captures_are_classic_pcap() -> None:
    data = pcap([(0, b"a" * 20), (1_500_000_000, b"b" * 7)])
    assert len(data) == 24 + 16 + 20 + 16 + 7
    assert struct.unpack_from("<II", data, 24 + 16 + 20) == (1_700_000_001, 500_000)


RULES = (
    (
        Rule("ingress", 6, ip_network("198.51.100.0/24"), (80, 90)),
        "ip saddr 198.51.100.0/24 meta l4proto 6 tcp dport 80-90",
    ),
    (Rule("egress", 17, ip_network("::/0"), (53, 53)), "meta l4proto 17 udp dport 53"),
    (Rule("ingress", 1, ip_network("0.0.0.0/0"), None, 8, 0), "meta l4proto 1 icmp type 8 icmp code 0"),
    (Rule("egress", -1, ip_network("2001:db8::/32")), "ip6 daddr 2001:db8::/32"),
)


@pytest.mark.parametrize(("rule", "words"), RULES)
def test_a_rule_in_words_of_nft(rule: Rule, words: str) -> None:
    assert match(rule) == f"meta nfproto ipv{rule.peer.version} {words}"
    assert f'{words} log prefix "N0" group 1 accept' in nft_ruleset([rule])


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES])
def test_a_rule_in_a_case_reads_back(rule: Rule) -> None:
    assert rule_of(rule_words(rule)) == rule
