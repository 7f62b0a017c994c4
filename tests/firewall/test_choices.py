"""What AWS does not document is named in the report exactly when it decided a verdict."""

from typing import Any

import pytest

from firewall.choices import CHOICES
from firewall.engine import Firewall
from pcaps.capture import FrameCapture, crafted_capture
from pcaps.conversation import tcp_conversation
from pcaps.craft import packets_to_frames
from tests.support import CLIENT, ENI, rows, rule, rule_set

RULES = [rule("ingress", 6, f"{CLIENT}/32", (80, 80)), rule("ingress", 1, f"{CLIENT}/32")]
TO = f'IP(src="{CLIENT}", dst="{ENI}")'
FROM = f'IP(src="{ENI}", dst="{CLIENT}")'
SYN = f'{TO}/TCP(sport=1, dport=80, flags="S", seq=100)'
SYN_ACK = f'{FROM}/TCP(sport=80, dport=1, flags="SA", seq=500, ack=101)'
UNREACHABLE = "ICMP(type=3, code=1)"

DECIDED: dict[str, list[str]] = {
    "mid-stream": [f'{TO}/TCP(sport=1, dport=80, flags="A")'],
    "tcp-state": [SYN, SYN_ACK, f'{TO}/TCP(sport=1, dport=80, flags="A", seq=101, ack=99999)'],
    "idle-times": [SYN, f'{FROM[:-1]}, time=500.0)/TCP(sport=80, dport=1, flags="SA", seq=500, ack=101)'],
    "icmp-errors": [SYN, f"{FROM}/{UNREACHABLE}/{TO}/TCP(sport=1, dport=80)"],
    "icmp-answers": [f"{TO}/ICMP(type=0)"],
    "table-full": [SYN, SYN.replace("sport=1,", "sport=2,")],
    "fragments": [f'{TO[:-1]}, id=7, flags="MF")/UDP(dport=53)/"12345678"'],
    "discovery": ['IPv6(src="2001:db8::1", dst="2001:db8:1::10")/ICMPv6ND_NS()'],
}


def firewall(**how: Any) -> Firewall:
    return Firewall(rule_set(RULES, [ENI, "2001:db8:1::10"]), **how)


@pytest.mark.parametrize("name", [choice.name for choice in CHOICES])
def test_a_choice_is_told_where_it_decided(name: str) -> None:
    judging = firewall(settings={"max": "1"})
    rows(judging, crafted_capture(DECIDED[name]))
    choice = next(choice for choice in CHOICES if choice.name == name)
    assert any(line.startswith(choice.chosen) and line.endswith(": 1 row") for line in judging.assumptions)
    assert all(not choice.switch or choice.switch in judging.settings for choice in CHOICES)


def test_a_late_answer_that_is_judged_as_new_names_the_timer_of_linux() -> None:
    ack = f'{TO}/TCP(sport=1, dport=80, flags="A", seq=101, ack=501)'
    request = f'{TO}/TCP(sport=1, dport=80, flags="PA", seq=101, ack=501)/"GET /"'
    answer = f'{FROM[:-1]}, time=400.0)/TCP(sport=80, dport=1, flags="PA", seq=501, ack=106)/"hello"'
    judging = firewall()
    found = rows(judging, crafted_capture([SYN, SYN_ACK, ack, request, answer]))
    assert (found[-1]["reason"], found[-1]["ct_state"]) == ("no-egress-rule", "NEW")
    assert [line for line in judging.assumptions if "time out as in Linux: 1 row" in line]
    patient = firewall(settings={"tcp_timeout_unacknowledged": "432000"})
    assert rows(patient, crafted_capture([SYN, SYN_ACK, ack, request, answer]))[-1]["reason"] == "established"
    assert patient.assumptions == ()


def test_nothing_is_told_where_aws_documents_everything() -> None:
    judging = firewall()
    rows(judging, FrameCapture(packets_to_frames(tcp_conversation(CLIENT, ENI, dport=80, response=b"x"))))
    assert judging.assumptions == ()


def test_linux_has_no_choices_to_tell() -> None:
    judging = firewall(profile="linux")
    rows(judging, crafted_capture(DECIDED["mid-stream"]))
    assert judging.assumptions == ()
