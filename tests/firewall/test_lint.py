"""Lints of rules, lists and groups: what each finds and leaves alone, and how they are silenced."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from firewall.lint import LINTS, NAMES, UNUSED_SILENCE, lint, warnings_left
from firewall.lint_tables import MANAGEMENT_PORTS
from firewall.model import (
    GroupPeer,
    Peer,
    Peering,
    PrefixList,
    PrefixListPeer,
    Rule,
    SecurityGroup,
)
from firewall.sources import load_rules
from tests.firewall.rule_sets import ANYWHERE, ANYWHERE6, OFFICE, eni, found, group, icmp, rule_set, subjects, tcp


# --- ICMP ----------------------------------------------------------------------------------------------------
def test_icmp_with_the_other_familys_block_never_matches() -> None:
    lists = (PrefixList("pl-6", "six", (ip_network("2001:db8::/32"),)),)
    rules = rule_set(group("web", icmp(8, -1, PrefixListPeer("pl-6")), icmp(-1, -1, OFFICE, 58)), lists=lists)
    assert found(rules, "family-mismatch") == [
        (
            "web:ingress[0]",
            "icmp is IPv4's and pl-6 is IPv6: it never matches",
            "write icmpv6, whose echo request is 128/0, or an IPv4 block",
        ),
        (
            "web:ingress[1]",
            "icmpv6 is IPv6's and 203.0.113.0/24 is IPv4: it never matches",
            "write icmp, whose echo request is 8/0, or an IPv6 block",
        ),
    ]
    assert subjects(rule_set(group("web", icmp(8, -1), icmp(-1, -1, ANYWHERE6, 58))), "family-mismatch") == []


@pytest.mark.parametrize("pair", [(0, 8), (8, 8), (0, 255), (8, 255), (3, 16)], ids=str)
def test_a_type_with_a_code_that_no_message_has_was_meant_as_a_range(pair: tuple[int, int]) -> None:
    assert subjects(rule_set(group("web", icmp(*pair))), "icmp-range") == ["web:ingress[0]"]


def test_the_finding_says_what_the_two_numbers_are() -> None:
    assert found(rule_set(group("web", icmp(8, 8))), "icmp-range") == [
        (
            "web:ingress[0]",
            "8/8 is type 8 (echo request) with code 8, which no message has; type and code are no range",
            "write 8/-1 for every echo request, or one rule for each type",
        )
    ]


def test_zero_zero_in_a_group_is_echo_reply_and_seldom_meant() -> None:
    assert found(rule_set(group("web", icmp(0, 0))), "icmp-range")[0][1] == (
        "0/0 is echo reply alone, not all of ICMP; replies pass without a rule, because ICMP is tracked"
    )


@pytest.mark.parametrize("pair", [(8, -1), (8, 0), (3, 4), (-1, -1), (0, -1), (11, 0), (200, 200)], ids=str)
def test_pairs_that_messages_have_and_types_that_nobody_knows_are_left_alone(pair: tuple[int, int]) -> None:
    assert subjects(rule_set(group("web", icmp(*pair))), "icmp-range") == []


# --- what is open ---------------------------------------------------------------------------------------------
def test_a_management_port_open_to_everybody_is_told_with_its_reason() -> None:
    assert found(rule_set(group("web", tcp(22, "0.0.0.0/0"))), "management-open") == [
        (
            "web:ingress[0]",
            "SSH (tcp 22) is open to 0.0.0.0/0: a login, guessed at all day by everybody who scans",
            "name the networks that need it, a group, or a prefix list",
        )
    ]


def test_a_range_names_every_management_port_in_it_once() -> None:
    rules = rule_set(group("web", tcp((1433, 3306), "::/0"), Rule("web", "ingress", 0, -1, ANYWHERE)))
    texts = [text for _, text, _ in found(rules, "management-open")]
    assert texts[0] == (
        "tcp 1433-3306 from ::/0 opens Microsoft SQL Server (tcp 1433), Oracle (tcp 1521), NFS (tcp 2049), "
        "Docker (tcp 2375), Docker over TLS (tcp 2376), etcd (tcp 2379), MySQL (tcp 3306)"
    )
    assert len(texts) == 2
    assert all(f"{row.service} (" in texts[1] for row in MANAGEMENT_PORTS)


@pytest.mark.parametrize(
    "peer",
    [ip_network("128.0.0.0/1"), ip_network("2000::/3"), PrefixListPeer("pl-all"), PrefixListPeer("pl-halves")],
    ids=["half", "2000::/3", "list", "list-of-halves"],
)
def test_half_of_the_internet_and_lists_of_all_of_it_are_open_too(peer: Peer) -> None:
    halves = (ip_network("0.0.0.0/1"), ip_network("128.0.0.0/1"))
    lists = (PrefixList("pl-all", "all", (ANYWHERE,)), PrefixList("pl-halves", "halves", halves))
    assert subjects(rule_set(group("web", tcp(3389, peer)), lists=lists), "management-open") == ["web:ingress[0]"]


def test_other_ports_narrow_blocks_and_outbound_rules_are_not_management() -> None:
    rules = [
        tcp(443, "0.0.0.0/0"),
        tcp(22, "203.0.113.0/24"),
        tcp(22, GroupPeer("web")),
        tcp(22, "0.0.0.0/0", direction="egress"),
        Rule("web", "ingress", 0, 17, ANYWHERE, (22, 22)),
    ]
    assert subjects(rule_set(group("web", *rules)), "management-open") == []


def test_two_halves_read_as_anywhere_and_are_told_once() -> None:
    rules = rule_set(group("web", tcp(443, "0.0.0.0/1"), tcp(443, "128.0.0.0/1"), tcp(80, "0.0.0.0/1")))
    assert found(rules, "split-anywhere") == [
        (
            "web:ingress[0]",
            (
                "0.0.0.0/1 and 128.0.0.0/1 together are 0.0.0.0/0, but no rule says 0.0.0.0/0: everybody may connect, "
                "and every connection is tracked"
            ),
            "write 0.0.0.0/0 if everybody is meant; else name the networks that are",
        )
    ]
    whole = rule_set(group("web", tcp(443, "0.0.0.0/1"), tcp(443, "128.0.0.0/1"), tcp(443, "0.0.0.0/0")))
    assert subjects(whole, "split-anywhere") == []


def test_a_service_for_all_of_ipv4_alone_is_told_where_there_are_ipv6_addresses() -> None:
    web = group("web", tcp(443, "0.0.0.0/0"), tcp(80, "0.0.0.0/0"), tcp((80, 90), "::/0"), icmp(8, -1, ANYWHERE))
    both = eni("eni-1", ("web",), "10.0.1.10", "2001:db8::10")
    assert found(rule_set(web, interfaces=(both,)), "ipv6-forgotten") == [
        (
            "web:ingress[0]",
            "tcp 443 from 0.0.0.0/0, but eni-1 has IPv6 addresses and no rule allows the same from ::/0",
            "add the rule for ::/0 too, or silence this if IPv6 is not meant",
        ),
        (
            "web:ingress[3]",
            "icmp 8/any from 0.0.0.0/0, but eni-1 has IPv6 addresses and no rule allows the same from ::/0",
            "add the rule for ::/0 too, or silence this if IPv6 is not meant",
        ),
    ]
    assert subjects(rule_set(web, interfaces=(eni("eni-1", ("web",)),)), "ipv6-forgotten") == []
    ping6 = group("web", icmp(8, -1, ANYWHERE), icmp(128, -1, ANYWHERE6, 58))
    assert subjects(rule_set(ping6, interfaces=(both,)), "ipv6-forgotten") == []


# --- what nothing uses -----------------------------------------------------------------------------------------
def test_a_reference_over_a_deleted_peering_is_stale() -> None:
    rules = rule_set(group("web", tcp(22, GroupPeer("sg-9", Peering("pcx-1", "deleted")))))
    assert found(rules, "stale-reference") == [
        (
            "web:ingress[0]",
            "sg-9 was reached over pcx-1, which is deleted: the rule matches nothing",
            "delete it, or name the group's present networks",
        )
    ]
    live = GroupPeer("sg-9", Peering("pcx-1", "active"))
    assert subjects(rule_set(group("web", tcp(22, live))), "stale-reference") == []


def test_a_group_that_nothing_meets_is_unused_but_not_a_default_group() -> None:
    default = SecurityGroup("sg-0", "default")
    own = group("own", tcp(22, GroupPeer("own")))
    rules = rule_set(
        group("web", tcp(22, GroupPeer("named"))),
        group("named"),
        own,
        default,
        interfaces=(eni("eni-1", ("web",)),),
    )
    assert subjects(rules, "unused-group") == ["own"]
    assert subjects(rule_set(own), "unused-group") == []  # without interfaces nothing can be said


def test_an_empty_list_is_told_where_a_rule_names_it() -> None:
    lists = (PrefixList("pl-1", "empty"), PrefixList("pl-2", "spare"))
    rules = rule_set(group("web", tcp(22, PrefixListPeer("pl-1")), tcp(80, PrefixListPeer("pl-1"))), lists=lists)
    assert found(rules, "empty-list") == [
        (
            "empty",
            "the list has no entries: 2 rules name it and match nothing",
            "add its entries, or delete what names it",
        )
    ]
    assert subjects(rules, "covered-rule") == []


# --- what the reading told ---------------------------------------------------------------------------------------
NATIVE = """\
security_groups:
  web:
    ingress:
      - {protocol: tcp, ports: 443, source: 203.0.113.9/24}
      - {protocol: tcp, ports: 22, source: sg-9}
"""


def test_warnings_that_a_lint_tells_are_told_by_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(NATIVE)
    rules = load_rules(path)
    told = [(each.lint, each.subject, str(each.place)) for each in lint(rules).findings]
    assert told == [
        ("host-bits", "web:ingress[0]", f"{path}:4:45"),
        ("default-egress", "web", f"{path}:2:3"),
    ]
    assert [warning.kind for warning in warnings_left(rules.warnings)] == ["unknown-members"]


# --- silencing ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", ["all", "web", "web:ingress[0]"])
def test_a_finding_is_silenced_by_all_by_its_group_and_by_its_rule(word: str) -> None:
    web = group("web", tcp(22, "0.0.0.0/0"))
    linted = lint(rule_set(web, silenced={"management-open": (word,)}))
    assert linted.findings == ()
    assert linted.silenced == {"management-open": 1}


def test_an_interface_silences_what_is_told_about_it() -> None:
    web = group("web", tcp(443, "0.0.0.0/0"))
    linted = lint(
        rule_set(
            web,
            interfaces=(eni("eni-1", ("web",), "2001:db8::10"),),
            silenced={"ipv6-forgotten": ("eni-1",)},
        )
    )
    assert linted.findings == ()
    assert linted.silenced == {"ipv6-forgotten": 1}


def test_silences_of_no_lint_and_of_nothing_are_told() -> None:
    web = group("web", tcp(22, "203.0.113.0/24"))
    linted = lint(rule_set(web, silenced={"managment-open": ("all",), "covered-rule": ("web", "all")}))
    assert [(each.lint, each.subject, each.text, each.fix) for each in linted.findings] == [
        (
            UNUSED_SILENCE,
            "managment-open",
            "there is no lint 'managment-open'",
            "did you mean management-open?",
        ),
        (
            UNUSED_SILENCE,
            "covered-rule",
            "it is silenced for 'web', about which it finds nothing",
            "delete the silence",
        ),
        (
            UNUSED_SILENCE,
            "covered-rule",
            "it is silenced for 'all', about which it finds nothing",
            "delete the silence",
        ),
    ]


def test_unused_silences_can_be_silenced_too() -> None:
    linted = lint(rule_set(group("web"), silenced={"covered-rule": ("all",), UNUSED_SILENCE: ("all",)}))
    assert linted.findings == ()
    assert linted.silenced == {UNUSED_SILENCE: 1}


# --- the table ---------------------------------------------------------------------------------------------------
def test_every_lint_has_a_name_of_its_own_a_sentence_and_a_page() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(LINTS) + 1
    for row in LINTS:
        assert row.name == row.name.lower().replace("_", "-")
        assert row.says, row.name
        assert row.why, row.name
        assert row.source.startswith("https://"), row.name
