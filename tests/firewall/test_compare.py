"""Two readings of the same packets: what differs, and the rules that the stateless one lacks."""

import json
from ipaddress import ip_address
from typing import Any

import pytest

from firewall.compare import compare, read_readings
from firewall.errors import UsageError
from firewall.model import ICMP, UDP, NetworkInterface, Place
from firewall.reports.compare_json import compare_json
from firewall.reports.compare_report import compare_terminal
from firewall.reports.compare_result import ComparedResult, first_difference
from firewall.reports.compare_rules import rules_yaml
from firewall.rows import Judged
from tests.firewall.batches import CLIENT, SERVER, Row, answer, batch, packet, result

OTHER = "203.0.113.8"
V6_CLIENT, V6_SERVER = "2001:db8::9", "2001:db8:1::10"
READINGS = ("sg", "stateless")


def reply(client: str = CLIENT, port: int = 40000, server: str = SERVER, **more: Any) -> Row:
    return packet(server, client, (80, port), **more)


def judged_twice(*packets: Row) -> tuple[Judged, Judged]:
    """A request, then packets that the table lets out and a stateless filter does not."""
    opener = (packet(), answer("rule", flow=1, rule=0, tcp_state=1))
    ours = batch(opener, *((each, answer("established", "egress", flow=1, rule=0)) for each in packets))
    theirs = batch(opener, *((each, answer("no-egress-rule", "egress")) for each in packets))
    return ours, theirs


def compared(ours: Judged, theirs: Judged, readings: tuple[str, str] = READINGS) -> ComparedResult:
    comparison = compare((iter([ours]), iter([theirs])), readings)
    return ComparedResult(readings, (result(ours), result(theirs)), comparison)


def test_the_replies_are_what_differs() -> None:
    comparison = compared(*judged_twice(reply(), reply())).comparison
    (pair,) = comparison.pairs
    assert (comparison.packets, comparison.rows, pair.only_first, pair.only_second) == (2, 2, 2, 0)
    assert comparison.kept[0].packets.frame.tolist() == [2, 3]


def test_the_same_verdict_for_another_reason_is_no_difference() -> None:
    ours = batch((packet(), answer("rule", flow=1)))
    theirs = batch((packet(), answer("established", flow=1)))
    comparison = compared(ours, theirs).comparison
    assert (comparison.rows, comparison.packets, comparison.needs) == (0, 0, {})


def test_what_only_the_stateless_reading_allows_is_counted_and_needs_no_rule() -> None:
    mid_stream = batch((packet(), answer("mid-stream")))
    found = compared(mid_stream, batch((packet(), answer("rule", rule=0))))
    assert found.comparison.allowed_alone == [0, 1]
    assert found.reverse_rules == []


def test_the_order_of_the_readings_does_not_change_the_rules() -> None:
    ours, theirs = judged_twice(reply())
    turned = compared(theirs, ours, ("stateless", "sg"))
    assert turned.reverse_rules == compared(ours, theirs).reverse_rules
    assert turned.comparison.allowed_alone == [0, 1]


def test_a_reverse_rule_covers_the_ports_that_its_peer_was_seen_with() -> None:
    found = compared(*judged_twice(reply(port=40000), reply(OTHER, 51000), reply(port=41000)))
    rule, other = found.reverse_rules
    assert (rule.eni, rule.direction, rule.protocol) == ("eni-web", "egress", 6)
    assert (rule.ports, rule.packets, [str(peer) for peer in rule.peers]) == ((40000, 41000), 2, [f"{CLIENT}/32"])
    assert (other.ports, other.packets, [str(peer) for peer in other.peers]) == ((51000, 51000), 1, [f"{OTHER}/32"])


def test_peers_with_the_same_ports_share_a_rule() -> None:
    (rule,) = compared(*judged_twice(reply(), reply(OTHER), reply(OTHER))).reverse_rules
    assert (rule.ports, rule.packets) == ((40000, 40000), 3)
    assert [str(peer) for peer in rule.peers] == ["203.0.113.8/31"]  # .8 and .9 side by side


@pytest.mark.parametrize(("place", "said"), [(None, False), (Place("web.yaml", 3), True)])
def test_a_group_that_the_rule_file_must_list_is_said_to_have_no_effect_until_then(
    place: Place | None, said: bool
) -> None:
    eni = NetworkInterface("eni-web", (ip_address(SERVER),), ("web",), place=place)
    ours, theirs = judged_twice(reply())
    comparison = compare((iter([ours]), iter([theirs])), READINGS)
    results = (result(ours, interfaces=(eni,)), result(theirs, interfaces=(eni,)))
    found = ComparedResult(READINGS, results, comparison)
    sentence = 'first, at web.yaml:3, give eni-web the new group too: security_groups: [web, "replies eni-web"]'
    assert (sentence in compare_terminal(found)) == said
    assert json.loads(compare_json(found))["reverse_rules"]["attach_by_hand"] == ["eni-web"] * said


def test_each_protocol_and_family_needs_its_own_rule() -> None:
    found = compared(*judged_twice(reply(), reply(protocol=UDP), reply(V6_CLIENT, server=V6_SERVER, family=6)))
    assert [(rule.protocol, [str(peer) for peer in rule.peers]) for rule in found.reverse_rules] == [
        (6, ["203.0.113.9/32"]),
        (6, ["2001:db8::9/128"]),
        (UDP, ["203.0.113.9/32"]),
    ]


def test_an_icmp_reply_needs_its_type_and_code_and_no_ports() -> None:
    echo = packet(SERVER, CLIENT, (0, 0), protocol=ICMP)
    (rule,) = compared(*judged_twice(echo)).reverse_rules
    assert (rule.icmp, rule.ports) == ((0, 0), None)


def test_the_peer_of_an_inbound_reply_is_its_source() -> None:
    opener = (packet(SERVER, CLIENT), answer("rule", "egress", flow=1, rule=0))
    back = packet(CLIENT, SERVER, (443, 50000))
    ours = batch(opener, (back, answer("established", flow=1, rule=0)))
    (rule,) = compared(ours, batch(opener, (back, answer("no-ingress-rule")))).reverse_rules
    assert (rule.direction, rule.ports) == ("ingress", (50000, 50000))
    assert [str(peer) for peer in rule.peers] == [f"{CLIENT}/32"]


def test_the_rules_are_written_as_a_rule_file() -> None:
    found = compared(*judged_twice(reply(), reply(V6_CLIENT, server=V6_SERVER, family=6)))
    assert rules_yaml(found.reverse_rules) == (
        "security_groups:\n"
        '  "replies eni-web":\n'
        "    ingress: []\n"
        "    egress:\n"
        "      - {protocol: tcp, ports: 40000, destination: 203.0.113.9/32}\n"
        '      - {protocol: tcp, ports: 40000, destination: "2001:db8::9/128"}\n'
    )


def test_the_first_difference_is_told_in_a_sentence() -> None:
    assert first_difference(compared(*judged_twice(reply()))) == (
        "Packet 2 (10.0.1.10:80 -> 203.0.113.9:40000 tcp, egress at eni-web): "
        "sg says ALLOW, because the table holds its connection, which packet 1 opened under web:ingress[0]; "
        "stateless says DENY, because no egress rule allows tcp to 203.0.113.9, destination port 40000."
    )


def test_other_reasons_are_told_by_their_meaning() -> None:
    found = compared(batch((packet(), answer("mid-stream"))), batch((packet(), answer("rule", rule=0))))
    assert first_difference(found).endswith(
        "sg says DENY, because of mid-stream: TCP that belongs to no entry and cannot open one; "
        "stateless says ALLOW, because web:ingress[0] allows it."
    )


def test_the_text_starts_with_the_answer_and_ends_with_the_rules() -> None:
    text = compare_terminal(compared(*judged_twice(reply(), reply())))
    assert text.startswith("3 packets; the verdict differs for 2 packets\nsg allows, stateless does not: 2 rows\n")
    assert "- {protocol: tcp, ports: 40000, destination: 203.0.113.9/32}" in text
    assert "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html" in text
    assert "32768-61000" in text


def test_readings_that_agree_need_nothing() -> None:
    same = batch((packet(), answer("rule", flow=1, rule=0)))
    text = compare_terminal(compared(same, same))
    assert "the verdict differs for 0 packets" in text
    assert "needs no further rule" in text
    assert "First difference" not in text


def test_the_json_holds_both_replays_and_the_rules() -> None:
    found = json.loads(compare_json(compared(*judged_twice(reply()))))
    assert found["readings"]["sg"]["rows"]["ALLOW"] == 2
    assert found["readings"]["stateless"]["rows"]["DENY"] == 1
    differences = found["differences"]
    assert (differences["packets"], differences["allowed_only_by"]) == (1, {"sg": 1, "stateless": 0})
    assert differences["items"][0]["stateless"]["reason"] == "no-egress-rule"
    assert found["reverse_rules"]["items"] == [
        {
            "eni": "eni-web",
            "direction": "egress",
            "protocol": "tcp",
            "peers": ["203.0.113.9/32"],
            "ports": [40000, 40000],
            "icmp": None,
            "packets": 1,
        }
    ]


@pytest.mark.parametrize("words", ["sg", "sg,sg", "sg,other", "sg,stateless,sg", "sg,stateless,nacl,path", ""])
def test_readings_must_be_two_or_three_that_are_known(words: str) -> None:
    with pytest.raises(UsageError, match="write two or three different readings of sg, stateless, nacl"):
        read_readings(words)


def test_readings_may_have_spaces() -> None:
    assert read_readings("stateless, sg") == ("stateless", "sg")
    assert read_readings("sg,stateless, nacl") == ("sg", "stateless", "nacl")
