"""Tracking as AWS documents it: untracked connections, an interface's own timeouts, the table's limit.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from conntrack import table as table_module
from firewall.engine import Firewall
from firewall.model import Rule, RuleSet
from pcaps.capture import FrameCapture
from pcaps.conversation import tcp_conversation, udp_exchange
from pcaps.craft import packets_to_frames, parse
from tests.support import CLIENT, ENI, Cells, rows, rule, rule_set

HTTP_FROM_ANYWHERE = rule("ingress", 6, ports=(80, 80))
HTTP_FROM_CLIENT = rule("ingress", 6, f"{CLIENT}/32", (80, 80))
ALL_OUT = rule("egress", -1)
TCP_OUT = rule("egress", 6, ports=(0, 65535))
HALF_OUT = (rule("egress", -1, "0.0.0.0/1"), rule("egress", -1, "128.0.0.0/1"))
TCP_ONE_PORT_OUT = rule("egress", 6, ports=(1024, 65535))


def judged(rules: RuleSet, packets: Any, **settings: str) -> list[Cells]:
    return rows(Firewall(rules, settings=settings), FrameCapture(packets_to_frames(packets)))


def web(**how: Any) -> Any:
    return tcp_conversation(CLIENT, ENI, dport=80, request=b"GET /", response=b"hello", **how)


def reasons(found: list[Cells]) -> set[tuple[str, str | None]]:
    return {(row["reason"], row["ct_state"]) for row in found}


@pytest.mark.parametrize("out", [[ALL_OUT], [TCP_OUT]], ids=["all traffic", "all tcp"])
def test_open_to_anywhere_both_ways_is_untracked(out: list[Rule]) -> None:
    found = judged(rule_set([HTTP_FROM_ANYWHERE, *out]), web())
    assert reasons(found) == {("untracked", "UNTRACKED")}
    assert {row["tcp_state"] for row in found} == {None}
    assert {row["flow"] for row in found} == {1}
    assert {row["rule"] for row in found} == {"g:ingress[0]", "g:egress[0]"}


@pytest.mark.parametrize(
    "rules",
    [
        [HTTP_FROM_CLIENT, ALL_OUT],
        [HTTP_FROM_ANYWHERE],
        [HTTP_FROM_ANYWHERE, *HALF_OUT],
        [HTTP_FROM_ANYWHERE, TCP_ONE_PORT_OUT],
        [HTTP_FROM_ANYWHERE, rule("egress", -1, "::/0")],
        [HTTP_FROM_ANYWHERE, rule("egress", 17, ports=(0, 65535))],
    ],
    ids=["one client", "no way out", "two halves", "not every port", "other family", "other protocol"],
)
def test_anything_narrower_is_tracked(rules: list[Rule]) -> None:
    found = judged(rule_set(rules), web())
    assert reasons(found) == {("rule", "NEW"), ("established", "ESTABLISHED")}


def test_one_rule_of_several_that_is_open_is_enough() -> None:
    found = judged(rule_set([HTTP_FROM_CLIENT, HTTP_FROM_ANYWHERE, ALL_OUT]), web())
    assert reasons(found) == {("untracked", "UNTRACKED")}


def test_outbound_connections_are_untracked_by_the_same_condition() -> None:
    rules = rule_set([rule("ingress", -1), rule("egress", 6, ports=(443, 443))])
    found = judged(rules, tcp_conversation(ENI, CLIENT, dport=443))
    assert reasons(found) == {("untracked", "UNTRACKED")}


def test_a_scan_of_an_open_port_passes_an_untracked_rule_whatever_its_flags() -> None:
    """Laid open both ways, a security group is as stateless as a network ACL."""
    scans = [
        packet
        for index, flags in enumerate(("A", "SA", "F", "", "FPU", "R", "PA"))
        for packet in parse(f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport={5000 + index}, dport=80, flags="{flags}")')
    ]
    assert [row["verdict"] for row in judged(rule_set([HTTP_FROM_ANYWHERE, ALL_OUT]), scans)] == ["ALLOW"] * 7
    tracked = judged(rule_set([HTTP_FROM_CLIENT]), scans)
    assert [row["verdict"][0] for row in tracked] == list("ADDDDDA")


def test_peers_that_aws_always_tracks_are_tracked() -> None:
    rules = replace(rule_set([HTTP_FROM_ANYWHERE, ALL_OUT]), auto_tracked=(ip_network("198.51.100.0/24"),))
    assert reasons(judged(rules, web())) == {("rule", "NEW"), ("established", "ESTABLISHED")}


def test_untracked_off_tracks_everything() -> None:
    found = judged(rule_set([HTTP_FROM_ANYWHERE, ALL_OUT]), web(), untracked="off")
    assert reasons(found) == {("rule", "NEW"), ("established", "ESTABLISHED")}


def test_linux_leaves_nothing_untracked() -> None:
    firewall = Firewall(rule_set([HTTP_FROM_ANYWHERE, ALL_OUT]), profile="linux")
    assert reasons(rows(firewall, FrameCapture(packets_to_frames(web())))) == {
        ("rule", "NEW"),
        ("established", "ESTABLISHED"),
    }


def icmp_error(quoted: str) -> Any:
    return parse(f'IP(src="192.0.2.1", dst="{ENI}")/ICMP(type=3, code=4)/{quoted}')


REPLY = f'IP(src="{ENI}", dst="{CLIENT}")/TCP(sport=80, dport=40000)'


@pytest.mark.parametrize(
    ("rules", "settings", "verdict", "reason"),
    [
        ([HTTP_FROM_CLIENT], {}, "DENY", "no-ingress-rule"),
        ([HTTP_FROM_CLIENT, rule("ingress", 1)], {}, "ALLOW", "rule"),
        ([HTTP_FROM_CLIENT], {"icmp_errors": "related"}, "ALLOW", "related"),
        ([HTTP_FROM_ANYWHERE, ALL_OUT], {}, "ALLOW", "related"),
    ],
    ids=["tracked", "a rule for ICMP", "as Linux", "untracked"],
)
def test_path_mtu_discovery(rules: list[Rule], settings: dict[str, str], verdict: str, reason: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html"""
    found = judged(rule_set(rules), [*web()[:3], *icmp_error(REPLY)], **settings)
    assert (found[-1]["verdict"], found[-1]["reason"]) == (verdict, reason)


def test_path_mtu_discovery_of_an_automatically_tracked_connection() -> None:
    rules = replace(rule_set([HTTP_FROM_CLIENT]), auto_tracked=(ip_network(f"{CLIENT}/32"),))
    assert judged(rules, [*web()[:3], *icmp_error(REPLY)])[-1]["reason"] == "related"


def test_an_interface_has_timeouts_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "security_groups:\n  app: {ingress: [{protocol: udp, ports: 53, source: 0.0.0.0/0}], egress: []}\n"
        "interfaces:\n"
        "  eni-a: {addresses: [10.0.1.10], security_groups: [app], connection_tracking: {udp_timeout: 60}}\n"
        "  eni-b: {addresses: [10.0.1.11], security_groups: [app]}\n"
    )
    late = [
        packet
        for start, server in ((0.0, "10.0.1.10"), (1000.0, "10.0.1.11"))
        for packet in udp_exchange(CLIENT, server, request=b"?", response=b"!", gap=45.0, start=start)
    ]

    def answers(**how: Any) -> list[str]:
        found = rows(Firewall.from_file(str(file), **how), FrameCapture(packets_to_frames(late)))
        return [row["reason"] for row in found if row["direction"] == "egress"]

    assert answers() == ["established", "no-egress-rule"]
    assert answers(settings={"udp_timeout": "30"}) == ["no-egress-rule"] * 2  # --set comes before it
    assert answers(profile="linux") == ["no-egress-rule"] * 2  # and Linux knows no such thing


def test_aws_counts_udp_by_transactions() -> None:
    """One request and answer is no stream (30 s), a second one is (180 s)."""
    query = rule_set([rule("egress", 17, ports=(53, 53))])
    once = [*udp_exchange(ENI, "192.0.2.53"), *udp_exchange(ENI, "192.0.2.53", start=45.0)[1:]]
    assert [row["verdict"] for row in judged(query, once)] == ["ALLOW", "ALLOW", "DENY"]
    twice = [
        *udp_exchange(ENI, "192.0.2.53"),
        *udp_exchange(ENI, "192.0.2.53", start=1.0),
        *udp_exchange(ENI, "192.0.2.53", start=150.0)[1:],
    ]
    assert [row["verdict"] for row in judged(query, twice)] == ["ALLOW"] * 5


def syns(count: int) -> list[Any]:
    return [
        packet
        for index in range(count)
        for packet in parse(f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport={1000 + index}, dport=80, flags="S")')
    ]


def test_a_full_table_denies_new_connections_and_lets_the_others_go_on() -> None:
    rules = rule_set([HTTP_FROM_CLIENT])
    found = judged(
        rules,
        [*syns(4), *parse(f'IP(src="{ENI}", dst="{CLIENT}")/TCP(sport=80, dport=1000, flags="SA", ack=1)')],
        max="3",
    )
    assert [row["reason"] for row in found] == ["rule"] * 3 + ["table-full", "established"]


def test_a_full_table_lets_untracked_connections_in_and_denies_by_rules_first() -> None:
    rules = rule_set([HTTP_FROM_ANYWHERE, rule("ingress", 6, f"{CLIENT}/32", (443, 443)), ALL_OUT])
    to = f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport=1, flags="S", dport='
    found = judged(rules, [*parse(to + "443)"), *parse(to + "80)"), *parse(to + "81)")], max="1")
    assert [row["reason"] for row in found] == ["rule", "untracked", "no-ingress-rule"]
    found = judged(rules, [*parse(to + "443)"), *parse(to.replace("sport=1", "sport=2") + "443)")], max="1")
    assert [row["reason"] for row in found] == ["rule", "table-full"]


def test_what_timed_out_leaves_room_in_a_full_table() -> None:
    late = [
        packet
        for port in range(60)
        for packet in parse(
            f'IP(src="{CLIENT}", dst="{ENI}", time=500.0)/TCP(sport={9000 + port}, dport=80, flags="S")'
        )
    ]
    found = judged(rule_set([HTTP_FROM_CLIENT]), [*syns(60), *late], max="100")
    assert {row["reason"] for row in found} == {"rule"}
    answer = parse(f'IP(src="{ENI}", dst="{CLIENT}", time=501.0)/TCP(sport=80, dport=1000, flags="SA", ack=1)')
    found = judged(rule_set([HTTP_FROM_CLIENT]), [*syns(60), *late, *answer], max="100")
    assert found[-1]["reason"] == "expired"


@pytest.mark.parametrize(("kind", "reason"), [(9, "rule"), (30, "rule"), (0, "invalid-state")])
def test_icmp_that_asks_nothing_needs_a_rule_and_an_answer_its_query(kind: int, reason: str) -> None:
    rules = rule_set([rule("ingress", 1, f"{CLIENT}/32")])
    (row,) = judged(rules, parse(f'IP(src="{CLIENT}", dst="{ENI}")/ICMP(type={kind})'))
    assert (row["reason"], row["flow"]) == (reason, None)


def test_linux_drops_unassured_connections_early_for_new_ones() -> None:
    firewall = Firewall(rule_set([HTTP_FROM_CLIENT]), profile="linux", settings={"max": "3"})
    found = rows(firewall, FrameCapture(packets_to_frames(syns(8))))
    assert [row["reason"] for row in found] == ["rule"] * 8
    assert len(firewall.table()) == 3


def test_linux_drops_no_assured_connection_early() -> None:
    firewall = Firewall(rule_set([HTTP_FROM_CLIENT]), profile="linux", settings={"max": "3"})
    open_ones = [p for port in (1, 2, 3) for p in tcp_conversation(CLIENT, ENI, sport=port, dport=80, close=False)[:3]]
    found = rows(firewall, FrameCapture(packets_to_frames([*open_ones, *syns(2)])))
    assert [row["reason"] for row in found[-2:]] == ["table-full", "table-full"]
    assert len(firewall.table()) == 3


def test_the_table_grows_and_forgets_nothing() -> None:
    firewall = Firewall(rule_set([HTTP_FROM_CLIENT]))
    found = rows(firewall, FrameCapture(packets_to_frames(syns(2000))))
    assert {row["reason"] for row in found} == {"rule"}
    assert [connection.flow for connection in firewall.table()] == list(range(1, 2001))
    assert len(firewall._table.slots) > table_module.FIRST_CAPACITY  # noqa: SLF001  (the point of the test)
