"""The drain between a source and a sink of scapy's pipes."""

from typing import Any

import pytest
from scapy.pipetool import CLIFeeder, PipeEngine, QueueSink, Sink

from firewall import Firewall, FirewallFilter
from pcaps.craft import parse
from tests.firewall.explain_cases import CLIENT, WEB, WEB_RULES, handshake, tcp
from tests.firewall.labs import rule_set


class Kept(Sink):
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self.low: list[Any] = []
        self.high: list[Any] = []

    def push(self, packet: Any) -> None:
        self.low.append(packet)

    def high_push(self, packet: Any) -> None:
        self.high.append(packet)


@pytest.fixture
def drain() -> FirewallFilter:
    return FirewallFilter(Firewall(rule_set(WEB_RULES)).judge)


@pytest.fixture
def behind(drain: FirewallFilter) -> Kept:
    kept = Kept()
    drain.sinks.add(kept)
    drain.high_sinks.add(kept)
    return kept


def test_what_is_allowed_goes_on_and_the_rest_leaves_on_the_high_side(drain: FirewallFilter, behind: Kept) -> None:
    (syn,), (ssh,) = parse(tcp(CLIENT, WEB, 40000, 80, "S")), parse(tcp(CLIENT, WEB, 40000, 22, "S"))
    drain.push(syn)
    drain.push(ssh)
    assert (behind.low, behind.high) == ([syn], [ssh])
    assert [row["reason"] for row in drain.rows] == ["no-ingress-rule"]


def test_replies_pass_since_the_table_goes_on(drain: FirewallFilter, behind: Kept) -> None:
    packets = [packet for text in handshake() for packet in parse(text)]
    for packet in packets:
        drain.high_push(packet)
    assert (behind.low, behind.high) == (packets, [])


def test_what_meets_no_interface_is_not_let_through(drain: FirewallFilter, behind: Kept) -> None:
    (stranger,) = parse(tcp(CLIENT, "192.0.2.1", 40000, 80, "S"))
    drain.push(stranger)
    assert (behind.low, behind.high) == ([], [stranger])


def test_it_stands_between_a_source_and_a_sink(drain: Any) -> None:
    source: Any = CLIFeeder()
    allowed, denied = QueueSink(), QueueSink()
    _ = source > drain
    _ = drain > allowed
    _ = drain >> denied
    engine = PipeEngine(source)
    engine.start()
    try:
        (syn,), (ssh,) = parse(tcp(CLIENT, WEB, 40000, 80, "S")), parse(tcp(CLIENT, WEB, 40000, 22, "S"))
        source.send(syn)
        source.send(ssh)
        assert allowed.recv(timeout=10) == syn
        assert denied.recv(timeout=10) == ssh
    finally:
        engine.stop()
