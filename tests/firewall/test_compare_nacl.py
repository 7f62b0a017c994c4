"""Security groups and network ACLs side by side: what an ACL lacks, what is generated, and what proves it."""

import json
from pathlib import Path

import pytest

from firewall.reports.compare_json import compare_json
from firewall.reports.compare_report import acl_notes, compare_terminal, proof_text
from firewall.reports.compare_result import ComparedResult, first_difference
from firewall.reports.compare_rules import acl_yaml
from firewall.reports.compare_texts import ENGLISH, compare_words
from firewall.sources import load_rules
from pcaps.conversation import udp_exchange
from tests.firewall.comparisons import compared
from tests.firewall.labs import CLIENT, WEB, WEB_ENI, Tcp, handshake, packet, syn

WEB_GROUP = """
security_groups:
  web:
    ingress: [{type: HTTP, source: 0.0.0.0/0}]
    egress: []
"""
ALONE = WEB_GROUP + "interfaces: {eni-web: {addresses: [10.0.1.10], security_groups: [web]}}\n"
OTHER, NEIGHBOUR = "203.0.113.9", "10.0.1.77"


def entries(found: ComparedResult) -> list[str]:
    """The entries of the generated file, without their comments."""
    assert found.remedy is not None
    lines = acl_yaml(found.remedy).splitlines()
    return [line.split("  #")[0].strip("- ") for line in lines if "number:" in line]


def proof(found: ComparedResult, reading: str = "nacl") -> str:
    return proof_text(found.proofs[reading], reading, ENGLISH)


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


FILES_ACL = (
    WEB_GROUP
    + WEB_ENI
    + """
network_acls:
  edge:
    ingress:
      - {number: 90, action: deny, protocol: all, source: 203.0.113.0/24}
      - {number: 100, action: allow, protocol: tcp, ports: 80, source: 0.0.0.0/0}
    egress:
      - {number: 95, action: deny, protocol: tcp, ports: 0-65535, destination: 192.0.2.0/24}
"""
)


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


def test_members_of_one_subnet_need_no_entries_for_each_other(tmp_path: Path) -> None:
    rules = """
security_groups:
  web: {ingress: [{type: HTTPS, source: 0.0.0.0/0}, {protocol: tcp, ports: 7946, source: sg:web}], egress: []}
subnets: {a: {cidr: 10.0.1.0/24}, b: {cidr: 10.0.2.0/24}}
interfaces:
""" + "".join(
        f"  eni-{place}: {{addresses: [10.0.1.{10 + 4 * place}], security_groups: [web]}}\n" for place in range(25)
    )
    found = compared(tmp_path, rules, handshake(CLIENT, WEB, 443))
    assert entries(found) == [
        "{number: 100, action: allow, protocol: tcp, ports: 443, source: 0.0.0.0/0}",
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, destination: 198.51.100.7/32}",
    ]
    assert not any("quota" in note for note in acl_notes(found, ENGLISH))
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"
    apart = rules + "  eni-b: {addresses: [10.0.2.30], security_groups: [web]}\n"
    found = compared(tmp_path, apart, [*handshake(CLIENT, WEB, 443), *handshake("10.0.2.30", WEB, 7946)])
    assert "{number: 110, action: allow, protocol: tcp, ports: 7946, source: 10.0.2.30/32}" in entries(found)
    assert sum("7946, source: 10.0.1." in entry for entry in entries(found)) == 25  # at the other subnet's border


def test_a_rule_that_the_files_acl_lacks_brings_no_entry_for_a_block_inside_the_subnet(tmp_path: Path) -> None:
    rules = FILES_ACL.replace(
        "[{type: HTTP, source: 0.0.0.0/0}]",
        "[{protocol: tcp, ports: 8000, source: pl:both}]",
    )
    rules += "prefix_lists: {both: {max_entries: 2, entries: [10.0.1.64/28, 192.0.2.16/28]}}\n"
    found = compared(tmp_path, rules, handshake("192.0.2.20", WEB, 8000))
    assert [entry for entry in entries(found) if "8000" in entry] == [
        "{number: 110, action: allow, protocol: tcp, ports: 8000, source: 192.0.2.16/28}"
    ]


# --- made subnets --------------------------------------------------------------------------------------
def verdicts_of(found: ComparedResult) -> list[dict[str, int]]:
    return [{word: count for word, count in each.summary.verdicts.items() if count} for each in found.results]


def test_neighbours_at_the_first_addresses_of_a_block_are_no_routers(tmp_path: Path) -> None:
    rules = WEB_GROUP + (
        "interfaces:\n  eni-a: {addresses: [20.0.1.1], security_groups: [web]}\n"
        "  eni-b: {addresses: [20.0.1.2], security_groups: [web]}\n"
    )
    found = compared(tmp_path, rules, [syn("20.0.1.2", "20.0.1.1", 22), syn("20.0.1.1", "20.0.1.2", 22)])
    assert verdicts_of(found) == [{"DENY": 2, "NOT_EVALUATED": 2}, {"ALLOW": 4}]
    assert [left.why for left in found.proofs["nacl"].left] == ["left_inside", "left_sender"]
    assert found.remedy is not None
    added = tmp_path / "acl.yaml"
    added.write_text(acl_yaml(found.remedy))
    assert '"subnet-eni-a": {cidrs: [20.0.0.0/23], network_acl: "acl-eni-a"}' in added.read_text()
    again = compared(tmp_path, rules + added.read_text(), [syn("20.0.1.2", "20.0.1.1", 22)], ("sg", "stateless"))
    assert verdicts_of(again) == [{"DENY": 1, "NOT_EVALUATED": 1}] * 2


def test_a_peer_at_the_made_routers_address_is_named_by_the_proof(tmp_path: Path) -> None:
    found = compared(tmp_path, ALONE, [*handshake(CLIENT, WEB, 80), syn("10.0.1.1", WEB, 22)])
    assert proof(found) == "replayed: with these entries nacl still differs at 1 row"
    (left,) = found.proofs["nacl"].left
    assert (left.groups_say, left.other_says, left.rule) == (
        "DENY no-ingress-rule",
        "EXEMPT exempt",
        "exempt:vpc-router",
    )
    assert ENGLISH(left.why) == (
        "the made subnet tells its router's address and its broadcast address, whose traffic no rule decides"
    )


def test_where_no_block_of_aws_fits_none_is_taken_and_everyone_is_asked(tmp_path: Path) -> None:
    rules = ALONE.replace("10.0.1.10", "10.0.0.1")
    found = compared(tmp_path, rules, [*handshake(CLIENT, "10.0.0.1", 80), syn("10.0.0.2", "10.0.0.1", 22)])
    assert list(acl_notes(found, ENGLISH))[2:4] == [
        (
            "subnet-eni-web: no IPv4 block that AWS makes holds 10.0.0.1 without reserving an interface's address or"
            " overlapping a subnet of the files; none is taken, and the network ACL is asked about every IPv4 peer"
        ),
        'without effect until a rule file gives the interface eni-web the key subnet: "subnet-eni-web"',
    ]
    assert list(acl_notes(found, compare_words("ko")))[2:4] == [
        (
            "subnet-eni-web: AWS에서 만들 수 있는 IPv4 블록 중에는, 10.0.0.1 주소를 포함하면서 인터페이스의 주소가 예약"
            " 주소에 들지 않고 파일의 서브넷과 겹치지 않는 것이 없습니다. IPv4 블록을 두지 않았으므로 모든 IPv4"
            " 상대와의 트래픽에 네트워크 ACL을 적용합니다."
        ),
        '규칙 파일에서 인터페이스 eni-web에 subnet: "subnet-eni-web" 키를 추가해야 적용됩니다.',
    ]
    assert found.results[1].summary.verdicts["DENY"] == 3  # two replies, and the neighbour
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"
    assert json.loads(compare_json(found))["network_acls"]["placed_by_hand"] == ["eni-web"]


def test_the_file_without_blocks_says_the_same_once_the_interface_names_its_subnet(tmp_path: Path) -> None:
    rules = ALONE.replace("10.0.1.10", "10.0.0.1")
    story = handshake(CLIENT, "10.0.0.1", 80)
    found = compared(tmp_path, rules, story)
    assert found.remedy is not None
    added = acl_yaml(found.remedy)
    assert '  "subnet-eni-web": {cidrs: [], network_acl: "acl-eni-web"}\n' in added
    placed = rules.replace("{addresses:", "{subnet: subnet-eni-web, addresses:") + added
    again = compared(tmp_path, placed, story)
    assert proof(again) == "nothing needs to be added, and nacl differs at 0 rows"


# --- quotas --------------------------------------------------------------------------------------------
def test_many_clients_are_widened_as_far_as_the_quota_asks_and_no_farther(tmp_path: Path) -> None:
    many = [f"198.51.100.{2 * each}" for each in range(1, 31)]
    found = compared(tmp_path, ALONE, [each for client in many for each in handshake(client, WEB, 80)])
    assert entries(found)[1:] == [
        "{number: 100, action: allow, protocol: tcp, ports: 32768-61000, destination: 198.51.100.0/24}"
    ]
    notes = list(acl_notes(found, ENGLISH))
    assert "acl-eni-web egress: peers widened to /24 (IPv6: /64) to stay within 20 entries" in notes
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def test_twenty_entries_are_within_the_quota_and_nothing_is_widened(tmp_path: Path) -> None:
    many = [f"198.51.100.{2 * each}" for each in range(1, 21)]
    found = compared(tmp_path, ALONE, [each for client in many for each in handshake(client, WEB, 80)])
    assert len(entries(found)) == 21
    assert not any("widened" in note for note in acl_notes(found, ENGLISH))


def test_clients_of_several_kinds_get_one_range_before_peers_are_widened_more(tmp_path: Path) -> None:
    many = [f"198.51.100.{each}" for each in range(32, 64)]  # 198.51.100.32/27 together
    story = [each for place, client in enumerate(many) for each in handshake(client, WEB, 80, (40000, 2000)[place % 2])]
    found = compared(tmp_path, ALONE, story)
    assert entries(found)[1:] == [
        "{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 198.51.100.32/27}"
    ]
    assert "acl-eni-web egress: one range of ports for every kind of client, to stay within 20 entries" in list(
        acl_notes(found, ENGLISH)
    )


def test_a_list_that_no_quota_holds_is_told_and_still_proven(tmp_path: Path) -> None:
    blocks = "".join(f"      - {{protocol: tcp, ports: {port}, source: 0.0.0.0/0}}\n" for port in range(1000, 1100, 2))
    rules = ALONE.replace("    ingress: [{type: HTTP, source: 0.0.0.0/0}]\n", f"    ingress:\n{blocks}")
    found = compared(tmp_path, rules, handshake(CLIENT, WEB, 1000))
    assert "acl-eni-web ingress: 50 entries; AWS makes no network ACL with more than 40: name wider blocks" in list(
        acl_notes(found, ENGLISH)
    )
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


def listed_rules(blocks: list[str], port: int = 443) -> str:
    """The web server's rules, one for each block."""
    rules = "".join(f"      - {{protocol: tcp, ports: {port}, source: {block}}}\n" for block in blocks)
    return ALONE.replace("    ingress: [{type: HTTP, source: 0.0.0.0/0}]\n", f"    ingress:\n{rules}")


def test_rules_whose_blocks_stand_side_by_side_are_one_entry_and_keep_to_the_quota(tmp_path: Path) -> None:
    blocks = [f"198.51.100.{8 * each}/29" for each in range(32)]
    found = compared(tmp_path, listed_rules(blocks), handshake(CLIENT, WEB, 443))
    assert entries(found)[0] == "{number: 100, action: allow, protocol: tcp, ports: 443, source: 198.51.100.0/24}"
    assert len(entries(found)) == 2
    assert found.remedy is not None
    assert "# web:ingress[0], web:ingress[1], web:ingress[2]," in acl_yaml(found.remedy)
    assert not any("quota" in note for note in acl_notes(found, ENGLISH))
    assert proof(found) == "proven: with these entries nacl differs at 0 rows"


NOT_WIDENED = (
    "acl-eni-web ingress: the groups' own entries are not widened, as they would then admit what the groups do not;"
    " with their peers at /24 (IPv6: /64) the list would stay within 20 entries"
)


@pytest.mark.parametrize(
    ("count", "notes"),
    [
        (20, []),
        (
            21,
            [
                "acl-eni-web ingress: 21 entries; AWS's quota is 20, and 40 at most on request",
                NOT_WIDENED,
            ],
        ),
        (
            41,
            [
                "acl-eni-web ingress: 41 entries; AWS makes no network ACL with more than 40: name wider blocks",
                NOT_WIDENED,
            ],
        ),
    ],
)
def test_rules_over_the_quota_are_not_widened_but_what_would_help_is_said(
    tmp_path: Path, count: int, notes: list[str]
) -> None:
    blocks = [f"198.51.100.{2 * each}/32" for each in range(count)]
    found = compared(tmp_path, listed_rules(blocks), [syn("198.51.100.4", WEB, 443)])
    assert [f"source: {block}}}" in entry for block, entry in zip(blocks, entries(found), strict=True)] == [
        True
    ] * count
    assert [note for note in acl_notes(found, ENGLISH) if note.startswith("acl-eni-web ingress")] == notes
    (quota, _) = json.loads(compare_json(found))["network_acls"]["quotas"]
    assert quota["entries"] == count
    assert quota["if_rules_widened"] == (None if not notes else {"v4": 24, "v6": 64, "entries": 1})


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
