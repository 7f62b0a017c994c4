"""Security groups and network ACLs side by side: what an ACL lacks, what is generated, and what proves it."""

import json
from pathlib import Path

import pytest

from firewall.reports.compare_json import compare_json
from firewall.reports.compare_report import acl_notes, compare_terminal
from firewall.reports.compare_result import first_difference
from firewall.reports.compare_rules import acl_yaml
from firewall.reports.compare_texts import ENGLISH, compare_words
from firewall.sources import load_rules
from pcaps.conversation import udp_exchange
from tests.firewall.comparisons import ALONE, FILES_ACL, WEB_GROUP, compared, entries, proof
from tests.firewall.labs import CLIENT, WEB, WEB_ENI, Tcp, handshake, packet, syn

OTHER, NEIGHBOUR = "203.0.113.9", "10.0.1.77"


# --- entries for replies -------------------------------------------------------------------------------
def test_replies_get_the_range_of_the_clients_kind_and_are_proven(tmp_path: Path) -> None:
    found = compared(tmp_path, ALONE, [*handshake(CLIENT, WEB, 80, 40000), *handshake(OTHER, WEB, 80, 2000)])
    assert entries(found) == [
        "{number: 100, action: allow, protocol: tcp, ports: 80, source: 0.0.0.0/0}",
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, destination: 198.51.100.7/32}",
        "{number: 110, action: allow, protocol: tcp, ports: 1024-65535, destination: 203.0.113.9/32}",
    ]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ((1025, 5000), "ports: 1024-65535,"),  # a NAT gateway, likelier than Windows Server 2003
        ((1024, 1024), "ports: 1024-65535,"),
        ((49152, 61000), "ports: 32768-61000,"),  # both Linux and later Windows hold them: AWS names Linux first
        ((49151, 49152), "ports: 32768-61000,"),
        ((61000, 61001), "ports: 49152-65535,"),
        ((40000, 61001), "ports: 1024-65535,"),  # no kind alone
        ((65535, 65535), "ports: 49152-65535,"),
    ],
)
def test_a_range_holds_every_port_that_its_client_was_seen_with(
    tmp_path: Path, ports: tuple[int, int], said: str
) -> None:
    story = [each for port in dict.fromkeys(ports) for each in handshake(CLIENT, WEB, 80, port)]
    found = compared(tmp_path, ALONE, story)
    assert [said in line for line in entries(found)] == [False, True]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_a_client_with_a_port_below_the_ephemeral_ones_gets_that_port_and_no_range(tmp_path: Path) -> None:
    rules = ALONE.replace("type: HTTP", "protocol: udp, ports: 123")
    found = compared(tmp_path, rules, udp_exchange(CLIENT, WEB, sport=123, dport=123))
    assert entries(found)[1:] == [
        "{number: 100, action: allow, protocol: udp, ports: 123, destination: 198.51.100.7/32}"
    ]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_what_the_interface_asks_for_comes_back_to_its_own_range(tmp_path: Path) -> None:
    rules = ALONE.replace("ingress: [{type: HTTP, source: 0.0.0.0/0}]", "ingress: []").replace(
        "egress: []", "egress: [{type: HTTPS, destination: 192.0.2.0/24}]"
    )
    story = [*handshake(WEB, "192.0.2.80", 443, 33000), *handshake(WEB, "192.0.2.81", 443, 60000)]
    found = compared(tmp_path, rules, story)
    assert entries(found) == [
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, source: 192.0.2.80/31}",
        "{number: 100, action: allow, protocol: tcp, ports: 443, destination: 192.0.2.0/24}",
    ]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_ping_needs_the_type_and_code_of_the_reply_in_each_family(tmp_path: Path) -> None:
    rules = """
security_groups:
  web:
    ingress:
      - {protocol: icmp, icmp: 8/-1, source: 198.51.100.0/24}
      - {protocol: icmpv6, icmp: 128/-1, source: "2001:db8:2::/64"}
    egress: []
interfaces: {eni-web: {addresses: [10.0.1.10, "2001:db8:1::10"], security_groups: [web]}}
"""
    story = [
        packet(CLIENT, WEB, "ICMP(type=8, id=7)"),
        packet(WEB, CLIENT, "ICMP(type=0, id=7)"),
        packet("2001:db8:2::7", "2001:db8:1::10", "ICMPv6EchoRequest(id=7)"),
        packet("2001:db8:1::10", "2001:db8:2::7", "ICMPv6EchoReply(id=7)"),
    ]
    found = compared(tmp_path, rules, story)
    assert entries(found)[2:] == [
        "{number: 100, action: allow, protocol: icmp, icmp: 0/0, destination: 198.51.100.7/32}",
        '{number: 110, action: allow, protocol: icmpv6, icmp: 129/0, destination: "2001:db8:2::7/128"}',
    ]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_untracked_flows_need_nothing_further(tmp_path: Path) -> None:
    rules = ALONE.replace("egress: []", "egress: [{protocol: all, destination: 0.0.0.0/0}]")
    found = compared(tmp_path, rules, handshake(CLIENT, WEB, 80))
    assert proof(found) == "nothing needs to be added, and nacl differs at 0 rows"


def test_replies_between_two_interfaces_need_entries_in_both_network_acls(tmp_path: Path) -> None:
    rules = """
security_groups:
  app: {ingress: [], egress: [{protocol: tcp, ports: 6379, destination: sg:db}]}
  db: {ingress: [{protocol: tcp, ports: 6379, source: sg:app}], egress: []}
interfaces:
  eni-app: {addresses: [10.0.1.20], security_groups: [app]}
  eni-db: {addresses: [10.0.2.30], security_groups: [db]}
"""
    found = compared(tmp_path, rules, handshake("10.0.1.20", "10.0.2.30", 6379))
    assert entries(found) == [
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, source: 10.0.2.30/32}",
        "{number: 100, action: allow, protocol: tcp, ports: 6379, destination: 10.0.2.30/32}",
        "{number: 100, action: allow, protocol: tcp, ports: 6379, source: 10.0.1.20/32}",
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, destination: 10.0.1.20/32}",
    ]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_an_icmp_error_about_a_tracked_connection_gets_its_type_and_code(tmp_path: Path) -> None:
    quoted = 'IP(src="10.0.1.10", dst="198.51.100.7")/TCP(sport=80, dport=40000, flags="SA")'
    error = packet("192.0.2.1", WEB, f"ICMP(type=3, code=4)/{quoted}")
    story = [*handshake(CLIENT, WEB, 80, 40000), error]
    found = compared(tmp_path, ALONE, story, settings={"icmp_errors": "related"})
    assert entries(found)[1] == "{number: 110, action: allow, protocol: icmp, icmp: 3/4, source: 192.0.2.1/32}"
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_later_fragments_carry_no_port_and_need_an_entry_for_every_port(tmp_path: Path) -> None:
    rules = ALONE.replace("type: HTTP", "protocol: udp, ports: 53")
    asks, answers = udp_exchange(CLIENT, WEB, sport=40000, dport=53, response=b"x" * 2000)
    found = compared(tmp_path, rules, [asks, *answers.fragment(800)])
    assert entries(found)[1:] == [
        "{number: 100, action: allow, protocol: udp, ports: all, destination: 198.51.100.7/32}"
    ]
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


# --- what cannot be equal ------------------------------------------------------------------------------
def test_what_looks_like_a_reply_passes_and_the_proof_says_why(tmp_path: Path) -> None:
    stray = packet(WEB, CLIENT, 'TCP(sport=22, dport=40001, flags="RA")')
    found = compared(tmp_path, ALONE, [*handshake(CLIENT, WEB, 80, 40000), syn(CLIENT, WEB, 22, 40001), stray])
    assert proof(found) == "replayed: with these entries nacl still differs at 1 row"
    (left,) = found.proofs["nacl"].left
    assert (left.rows, left.packet, left.groups_say, left.other_says) == (1, "7", "DENY mid-stream", "ALLOW rule")
    assert left.rule == "acl-eni-web:egress[100]"
    assert ENGLISH(left.why) == (
        "a network ACL keeps no state: an entry that lets replies or a service pass lets these pass too"
    )


def test_inside_a_subnet_no_network_acl_is_asked(tmp_path: Path) -> None:
    rules = WEB_GROUP + WEB_ENI.replace(", network_acl: edge", "")
    found = compared(tmp_path, rules, [syn(NEIGHBOUR, WEB, 22)])
    assert first_difference(found) == (
        "Packet 1 (10.0.1.77:40000 -> 10.0.1.10:22 tcp, ingress at eni-web): "
        "sg says DENY, because no ingress rule allows tcp from 10.0.1.77, destination port 22; "
        "nacl says ALLOW, because no network ACL is asked: it stays inside the subnet."
    )
    assert [left.why for left in found.proofs["nacl"].left] == ["left_inside"]


def test_the_files_own_network_acl_is_kept_and_what_it_lacks_stands_behind(tmp_path: Path) -> None:
    found = compared(tmp_path, FILES_ACL, handshake(CLIENT, WEB, 80))
    assert entries(found) == [
        "{number: 90, action: deny, protocol: all, source: 203.0.113.0/24}",
        "{number: 100, action: allow, protocol: tcp, ports: 80, source: 0.0.0.0/0}",
        "{number: 95, action: deny, protocol: tcp, ports: all, destination: 192.0.2.0/24}",
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, destination: 198.51.100.7/32}",
    ]
    assert next(acl_notes(found, ENGLISH)) == "put these in place of those of your files: network ACL edge"
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_a_numbered_deny_is_never_overridden_and_the_proof_names_it(tmp_path: Path) -> None:
    found = compared(tmp_path, FILES_ACL, [*handshake(OTHER, WEB, 80), *handshake("192.0.2.9", WEB, 80)])
    assert found.remedy is not None
    assert found.remedy.denied == {"edge:ingress[90]": 3, "edge:egress[95]": 2}
    assert found.remedy.entries == 1  # the answers to 203.0.113.9, whose packets never come in
    assert proof(found) == "replayed: with these entries nacl still differs at 5 rows"
    assert {left.why: left.rows for left in found.proofs["nacl"].left} == {"left_stated": 5}


def test_a_service_that_the_files_acl_does_not_know_gets_the_rules_own_entry(tmp_path: Path) -> None:
    rules = FILES_ACL.replace("ports: 80, source", "ports: 443, source")
    found = compared(tmp_path, rules, handshake(CLIENT, WEB, 80))
    assert entries(found)[2] == "{number: 110, action: allow, protocol: tcp, ports: 80, source: 0.0.0.0/0}"
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


# --- groups as entries ---------------------------------------------------------------------------------
def test_groups_and_lists_stand_as_addresses_and_unknown_ones_are_said(tmp_path: Path) -> None:
    rules = """
prefix_lists: {office: {max_entries: 5, entries: [198.51.100.0/25, 198.51.100.128/25, 203.0.113.0/24]}}
security_groups:
  web:
    ingress:
      - {protocol: tcp, ports: 80, source: pl:office}
      - {protocol: tcp, ports: 8080, source: sg:app}
      - {protocol: tcp, ports: 9000, source: sg-0a1b2c3d}
      - {protocol: tcp, ports: 80, source: 198.51.100.7/32}
    egress: []
  app: {ingress: [], egress: []}
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
  eni-app: {addresses: [10.0.2.20], security_groups: [app]}
"""
    found = compared(tmp_path, rules, handshake(CLIENT, WEB, 80))
    assert entries(found)[:3] == [
        "{number: 100, action: allow, protocol: tcp, ports: 80, source: 198.51.100.0/24}",
        "{number: 110, action: allow, protocol: tcp, ports: 80, source: 203.0.113.0/24}",
        "{number: 120, action: allow, protocol: tcp, ports: 8080, source: 10.0.2.20/32}",
    ]  # the last rule is covered by the list's first block
    assert (
        "web:ingress[2] names a group or list whose addresses are not all known; the entries hold those that are"
        in (list(acl_notes(found, ENGLISH)))
    )
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_two_interfaces_of_one_subnet_share_a_network_acl(tmp_path: Path) -> None:
    rules = WEB_GROUP + (
        "interfaces:\n  eni-a: {addresses: [10.0.1.10], security_groups: [web]}\n"
        "  eni-b: {addresses: [10.0.1.11], security_groups: [web]}\n"
    )
    found = compared(tmp_path, rules, [*handshake(CLIENT, WEB, 80), *handshake(CLIENT, "10.0.1.11", 80, 50000)])
    assert found.remedy is not None
    assert acl_yaml(found.remedy).splitlines()[:4] == [
        "subnets:",
        '  "subnet-eni-a": {cidrs: [10.0.1.0/28], network_acl: "acl-eni-a"}',
        "network_acls:",
        '  "acl-eni-a":',
    ]
    assert len(entries(found)) == 2
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


@pytest.mark.parametrize("enis", [(), ("10.0.1.10",)])
def test_the_file_is_one_that_rules_takes_and_says_what_was_proven(tmp_path: Path, enis: tuple[str, ...]) -> None:
    rules = WEB_GROUP if enis else ALONE
    found = compared(tmp_path, rules, handshake(CLIENT, WEB, 80), enis=enis)
    assert found.remedy is not None
    added = tmp_path / "acl.yaml"
    added.write_text(acl_yaml(found.remedy))
    loaded = load_rules(str(tmp_path / "rules.yaml"), str(added))
    (name,) = found.remedy.plan.acl_of.values()
    wanted, read = found.remedy.rule_set.network_acls[name], loaded.network_acls[name]
    assert [entry.name for entry in read.ingress + read.egress] == [
        entry.name for entry in wanted.ingress + wanted.egress
    ]
    both = rules + added.read_text()
    again = compared(tmp_path, both, handshake(CLIENT, WEB, 80), enis=enis)
    assert proof(again) == "nothing needs to be added, and nacl differs at 0 rows"
    assert "need no further entry" in compare_terminal(again)


# --- changes on the way ----------------------------------------------------------------------------------
def test_a_network_acl_of_groups_follows_events_and_a_live_connection_gets_its_entries(tmp_path: Path) -> None:
    events = tmp_path / "events.yaml"
    events.write_text('events:\n  - {packet: 4, revoke: "web:ingress[0]"}\n')
    connection = Tcp(CLIENT, WEB, 80)
    found = compared(tmp_path, ALONE, connection.send(">S <SA >A >PA <PA"), events=str(events))
    assert found.results[1].summary.verdicts["DENY"] == 3  # two replies, and the request behind the change
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


# --- reports -----------------------------------------------------------------------------------------------
def test_three_readings_are_told_in_each_pair(tmp_path: Path) -> None:
    found = compared(tmp_path, ALONE, handshake(CLIENT, WEB, 80), ("sg", "stateless", "nacl"))
    lines = compare_terminal(found).splitlines()
    assert lines[:7] == [
        "5 packets; the verdict differs for 2 packets",
        "sg allows, stateless does not: 2 rows",
        "stateless allows, sg does not: 0 rows",
        "sg allows, nacl does not: 2 rows",
        "nacl allows, sg does not: 0 rows",
        "stateless allows, nacl does not: 0 rows",
        "nacl allows, stateless does not: 0 rows",
    ]
    assert "proven: with these rules stateless differs at 0 rows" in lines
    assert "proven: with these entries nacl differs at 0 rows" in lines
    told = json.loads(compare_json(found))
    assert [pair["rows"] for pair in told["differences"]["pairs"]] == [2, 2, 0]
    assert told["proofs"]["nacl"]["proven"] is True
    assert [entry["added"] for entry in told["network_acls"]["entries"]] == [False, True]


def test_without_security_groups_nothing_is_made_up_for(tmp_path: Path) -> None:
    found = compared(tmp_path, ALONE, handshake(CLIENT, WEB, 80), ("nacl", "stateless"))
    assert (found.remedy, found.proofs, found.reverse_rules) == (None, {}, [])
    assert json.loads(compare_json(found))["network_acls"] is None


def test_the_first_difference_is_told_in_korean_too(tmp_path: Path) -> None:
    found = compared(tmp_path, ALONE, handshake(CLIENT, WEB, 80))
    assert first_difference(found, t=compare_words("ko")) == (
        "패킷 2(10.0.1.10:80 -> 198.51.100.7:40000 tcp, eni-web의 아웃바운드): sg의 판정은 ALLOW입니다"
        "(패킷 1에서 web:ingress[0] 규칙으로 연 연결을 추적하고 있음). nacl의 판정은 DENY입니다"
        "(대상이 198.51.100.7인 tcp, 대상 포트 40000 트래픽을 허용하는 아웃바운드 항목이 없어"
        " acl-eni-web:egress[*]에서 거부)."
    )
