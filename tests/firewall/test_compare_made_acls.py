"""The network ACLs that a comparison makes: what stays inside a subnet, made subnets, quotas."""

import json
from pathlib import Path

import pytest

from firewall.reports.compare_json import compare_json
from firewall.reports.compare_report import acl_notes
from firewall.reports.compare_result import ComparedResult
from firewall.reports.compare_rules import acl_yaml
from firewall.reports.compare_texts import ENGLISH, compare_words
from tests.firewall.comparisons import ALONE, FILES_ACL, WEB_GROUP, compared, entries, proof
from tests.firewall.labs import CLIENT, WEB, handshake, syn


# --- inside a subnet -----------------------------------------------------------------------------------
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
        "the assumed subnet has a router address and a broadcast address, and no rule decides about their traffic"
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
