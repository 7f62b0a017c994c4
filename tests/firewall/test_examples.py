"""The two examples of security groups, over recorded samples and over crafted packets.

(a) Inbound HTTP allowed, no outbound rule: the responses leave all the same.
(b) Outbound HTTP allowed, no inbound rule: the responses come in all the same.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
"""

from collections import Counter
from typing import Any

from firewall.engine import Firewall
from pcaps import samples
from pcaps.capture import FrameCapture
from pcaps.conversation import tcp_conversation
from pcaps.craft import packets_to_frames, parse
from tests.support import CLIENT, ENI, Cells, file_rows, rows, rule, rule_set

SERVES_HTTP = [rule("ingress", 6, ports=(80, 80))]
FETCHES_HTTP = [rule("egress", 6, ports=(80, 80))]


def said(found: list[Cells]) -> list[tuple[str, str]]:
    return [(row["verdict"], row["reason"]) for row in found]


def judged(rules: list[Any], packets: Any, **how: Any) -> list[Cells]:
    return rows(Firewall(rule_set(rules), **how), FrameCapture(packets_to_frames(packets)))


def test_a_client_is_served_without_an_egress_rule() -> None:
    exchange = tcp_conversation(CLIENT, ENI, dport=80, request=b"GET / HTTP/1.0\r\n\r\n", response=b"hello" * 1000)
    found = judged(SERVES_HTTP, exchange)
    assert said(found)[0] == ("ALLOW", "rule")
    assert set(said(found)[1:]) == {("ALLOW", "established")}
    assert {row["direction"] for row in found} == {"ingress", "egress"}
    assert {row["rule"] for row in found} == {"g:ingress[0]"}
    assert found[-1]["tcp_state"] == "TIME_WAIT"


def test_b_the_instance_fetches_without_an_ingress_rule() -> None:
    exchange = tcp_conversation(ENI, "192.0.2.80", dport=80, request=b"GET / HTTP/1.0\r\n\r\n", response=b"hello")
    found = judged(FETCHES_HTTP, exchange)
    assert said(found)[0] == ("ALLOW", "rule")
    assert set(said(found)[1:]) == {("ALLOW", "established")}


def test_a_what_the_server_opens_itself_is_denied() -> None:
    found = judged(SERVES_HTTP, parse(f'IP(src="{ENI}", dst="192.0.2.80")/TCP(sport=40000, dport=80, flags="S")'))
    assert said(found) == [("DENY", "no-egress-rule")]


def test_b_an_outsiders_syn_is_denied() -> None:
    found = judged(FETCHES_HTTP, parse(f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport=40000, dport=80, flags="S")'))
    assert said(found) == [("DENY", "no-ingress-rule")]


def test_a_recorded_web_server() -> None:
    found = file_rows(Firewall.from_file(str(samples.rules("web-http"))), samples.sample("web-http"))
    served = [row for row in found if row["protocol"] == "tcp" and 80 in (row["src_port"], row["dst_port"])]
    served = [row for row in served if "192.0.2.80" not in (row["src"], row["dst"])]
    openers = [row for row in served if row["reason"] == "rule"]
    assert len(served) > 30
    assert Counter(row["reason"] for row in served) == {"rule": len(openers), "established": len(served) - len(openers)}
    assert [row["direction"] for row in openers] == ["ingress"] * len(openers)
    opened = [row for row in found if row["src"] == ENI and row["dst"] in ("192.0.2.80", "192.0.2.53")]
    assert {row["verdict"] for row in opened} == {"DENY"}
    assert (opened[0]["verdict"], opened[0]["reason"], opened[0]["ct_state"]) == ("DENY", "no-egress-rule", "NEW")


def test_b_recorded_fetches() -> None:
    found = file_rows(Firewall.from_file(str(samples.rules("instance-fetches"))), samples.sample("instance-fetches"))
    denied = [row for row in found if row["verdict"] == "DENY"]
    assert {row["src"] for row in denied if row["reason"] == "no-ingress-rule"} == {"203.0.113.9"}
    allowed = Counter((row["direction"], row["reason"]) for row in found if row["verdict"] == "ALLOW")
    assert allowed["egress", "rule"] > 0
    assert allowed["ingress", "established"] > 10
    assert allowed["ingress", "rule"] == 0


def test_stateless_reading_denies_exactly_the_replies() -> None:
    path, rules = samples.sample("web-http"), str(samples.rules("web-http"))
    stateful = file_rows(Firewall.from_file(rules), path)
    stateless = file_rows(Firewall.from_file(rules, reading="stateless"), path)
    differ = {
        row["packet"] for row, other in zip(stateful, stateless, strict=True) if row["verdict"] != other["verdict"]
    }
    replies = {row["packet"] for row in stateful if row["reason"] == "established" and row["direction"] == "egress"}
    assert differ == replies
    assert len(replies) == 18


def test_no_rules_let_nothing_pass() -> None:
    found = judged([], tcp_conversation(CLIENT, ENI, dport=80) + tcp_conversation(ENI, CLIENT, dport=80))
    assert {row["verdict"] for row in found} == {"DENY"}


def test_the_log4j_victim_answers_but_cannot_call_back(captures: Any, tmp_path: Any) -> None:
    rules = tmp_path / "web.yaml"
    rules.write_text(
        "security_groups:\n  web:\n    ingress:\n"
        "      - {protocol: tcp, ports: 8080, source: 0.0.0.0/0}\n    egress: []\n"
    )
    firewall = Firewall.from_file(str(rules), enis=["172.16.238.10"])
    found = file_rows(firewall, captures / "app-ndpi-log4j-webapp-exploit.pcap")
    web = [row for row in found if 8080 in (row["src_port"], row["dst_port"])]
    assert Counter(row["reason"] for row in web) == {"rule": 1, "established": len(web) - 1}
    assert len(web) == 9
    calls = [row for row in found if row["direction"] == "egress" and row["dst_port"] in (1389, 80, 9001)]
    openers = [row for row in calls if row["ct_state"] == "NEW"]
    assert {row["dst_port"] for row in openers} == {1389, 80, 9001}
    assert {row["reason"] for row in openers} == {"no-egress-rule"}
    assert {row["verdict"] for row in calls} == {"DENY"}
