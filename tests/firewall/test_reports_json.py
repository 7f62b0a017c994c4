"""`--json`: stable keys, whole numbers, the same bytes for the same packets."""

import json
from typing import Any

import pytest

from conntrack.states import CT_STATES
from firewall.reports import json_report as module
from firewall.reports.json_report import json_report
from firewall.reports.terminal import terminal_report
from firewall.verdict import REASON_WORDS
from pcaps.wire import ACK
from tests.firewall.batches import SECOND, START, answer, batch, exchange, packet, result


def report(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json_report(result(exchange(), **more)))
    return found


def test_the_keys_of_format_1() -> None:
    assert report().keys() == {
        "format",
        "eniwall",
        "captures",
        "profile",
        "settings",
        "packets",
        "rows",
        "reasons",
        "interfaces",
        "rules",
        "network_acl_entries",
        "changes",
        "exempt",
        "unused_rules",
        "connections",
        "denied_attempts",
        "denied",
        "undecided",
        "time",
        "assumptions",
        "warnings",
    }
    assert report()["format"] == 1


def test_both_sums() -> None:
    found = report(filtered_out=3)
    assert found["rows"] == {"total": 5, "ALLOW": 3, "DENY": 1, "EXEMPT": 0, "NOT_EVALUATED": 1}
    assert found["packets"] == {"read": 5, "filtered_out": 3, "judged_at_two_interfaces": 0}


def test_every_reason_has_its_count() -> None:
    reasons = report()["reasons"]
    assert set(reasons) == set(REASON_WORDS)
    assert (sum(reasons.values()), reasons["established"]) == (5, 2)


def test_interfaces_rules_and_exempt_services() -> None:
    found = report()
    (eni,) = found["interfaces"]
    assert (eni["eni"], eni["addresses"], eni["security_groups"]) == ("eni-web", ["10.0.1.10"], ["web"])
    assert eni["rows"]["egress"] == {"ALLOW": 1, "DENY": 1, "EXEMPT": 0, "NOT_EVALUATED": 0}
    assert [(rule["rule"], rule["hits"], rule["packets"], rule["bytes"]) for rule in found["rules"]] == [
        ("web:ingress[0]", 1, 3, 1600),
        ("web:egress[0]", 0, 0, 0),
    ]
    assert found["unused_rules"] == ["web:egress[0]"]
    assert found["exempt"] == {"exempt:amazon-dns": 0}


def test_a_connection() -> None:
    connections = report()["connections"]
    assert (connections["total"], connections["listed"]) == (1, 1)
    assert connections["items"][0] == {
        "eni": "eni-web",
        "flow": 1,
        "direction": "ingress",
        "src": "203.0.113.9",
        "dst": "10.0.1.10",
        "protocol": "tcp",
        "src_port": 40000,
        "dst_port": 80,
        "rule": "web:ingress[0]",
        "opened_by": {"capture": "web.pcap", "packet": 1},
        "sent": {"packets": 2, "bytes": 100},
        "received": {"packets": 1, "bytes": 1500},
        "denied": 0,
        "undecided": 0,
        "icmp_errors": 0,
        "time": {"first": START + SECOND, "last": START + 3 * SECOND},
        "state": "ESTABLISHED",
        "ended": False,
        "untracked": False,
        "picked_up_midway": False,
    }


def test_an_untracked_connection_says_so() -> None:
    judged = batch((packet(), answer("untracked", flow=1, rule=0, ct_state=CT_STATES.index("UNTRACKED"))))
    (item,) = json.loads(json_report(result(judged)))["connections"]["items"]
    assert (item["untracked"], item["state"], item["ended"]) == (True, "untracked", False)


def test_a_connection_whose_handshake_is_missing_was_picked_up_midway() -> None:
    judged = batch((packet(tcp_flags=ACK), answer("rule", flow=1, rule=0, tcp_state=3, ct_state=1)))
    (item,) = json.loads(json_report(result(judged)))["connections"]["items"]
    assert (item["picked_up_midway"], item["state"]) == (True, "ESTABLISHED")


def test_denied_attempts_leave_the_source_port_out() -> None:
    rows = [(packet(ports=(port, 22)), answer("no-ingress-rule")) for port in (40000, 40001)]
    found = json.loads(json_report(result(batch(*rows))))["denied_attempts"]
    assert (found["total"], found["listed"], found["rows_without_group"]) == (1, 1, 0)
    assert found["items"] == [
        {
            "eni": "eni-web",
            "direction": "ingress",
            "src": "203.0.113.9",
            "dst": "10.0.1.10",
            "protocol": "tcp",
            "icmp_type": None,
            "dst_port": 22,
            "first": {"capture": "web.pcap", "packet": 1, "reason": "no-ingress-rule"},
            "packets": 2,
        }
    ]


def test_a_list_that_is_cut_says_how_much_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 2)
    judged = batch(*((packet(), answer("rule", flow=flow, rule=0)) for flow in (1, 2, 3)))
    connections = json.loads(json_report(result(judged)))["connections"]
    assert (connections["total"], connections["listed"], len(connections["items"])) == (3, 2, 2)


def test_denied_rows_have_the_columns_of_row_files() -> None:
    denied = report()["denied"]
    assert (denied["total"], denied["listed"]) == (1, 1)
    assert denied["items"][0]["packet"] == 4
    assert denied["items"][0]["reason"] == "no-egress-rule"


def test_no_packets_have_no_time() -> None:
    assert json.loads(json_report(result()))["time"] == {"first": None, "last": None, "backwards": 0}


def test_the_same_packets_give_the_same_bytes_with_sorted_keys() -> None:
    text = json_report(result(exchange()))
    assert text == json_report(result(exchange()))
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_text_and_json_tell_the_same_counts() -> None:
    rows = report()["rows"]
    counts = ", ".join(f"{rows[verdict]} {verdict}" for verdict in ("ALLOW", "DENY", "EXEMPT", "NOT_EVALUATED"))
    assert terminal_report(result(exchange())).startswith(f"{report()['packets']['read']} packets: {counts}\n")
