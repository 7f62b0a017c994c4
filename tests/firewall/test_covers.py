"""Covered and duplicate rules: what is told, and that a covered rule is really covered."""

import itertools
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.covers import Extents, covered_rules
from firewall.lint import lint
from firewall.model import (
    Address,
    GroupPeer,
    Network,
    Peer,
    Peering,
    PrefixList,
    PrefixListPeer,
    Rule,
    RuleSet,
    UnknownPeer,
)
from tests.firewall.rule_sets import (
    ANYWHERE,
    eni,
    found,
    group,
    icmp,
    rule_set,
    subjects,
    tcp,
)


def test_a_rule_inside_a_wider_one_of_its_group_is_covered() -> None:
    rules = rule_set(group("web", tcp(443, "0.0.0.0/0"), tcp(443, "203.0.113.0/24")))
    assert found(rules, "covered-rule") == [
        (
            "web:ingress[1]",
            "tcp 443 from 203.0.113.0/24: web:ingress[0] (tcp 443 from 0.0.0.0/0) covers it",
            "delete it, or narrow the other",
        )
    ]


def test_the_wider_rule_may_stand_behind_and_may_be_for_all_traffic() -> None:
    everything = Rule("web", "ingress", 0, -1, ip_network("203.0.0.0/16"))
    assert subjects(rule_set(group("web", tcp(22, "203.0.113.0/24"), everything)), "covered-rule") == ["web:ingress[0]"]


@pytest.mark.parametrize(
    "other",
    [
        tcp(444, "0.0.0.0/0"),
        tcp((444, 500), "0.0.0.0/0"),
        tcp(443, "203.0.113.0/25"),
        tcp(443, "::/0"),
        tcp(443, "0.0.0.0/0", direction="egress"),
        tcp(443, GroupPeer("app")),
        Rule("web", "ingress", 0, 17, ANYWHERE, (443, 443)),
    ],
    ids=["port", "ports", "part", "family", "direction", "group", "protocol"],
)
def test_a_rule_that_lets_in_less_or_something_else_covers_nothing(other: Rule) -> None:
    assert "web:ingress[0]" not in subjects(rule_set(group("web", tcp(443, "203.0.113.0/24"), other)), "covered-rule")


def test_groups_and_unknown_lists_are_covered_by_the_same_peer_alone() -> None:
    rules = [
        tcp(443, GroupPeer("app")),
        tcp((400, 500), GroupPeer("app")),
        tcp(443, PrefixListPeer("pl-9")),
        tcp((400, 500), PrefixListPeer("pl-9")),
        tcp(443, UnknownPeer("later")),
        tcp((400, 500), UnknownPeer("later")),
        tcp((0, 65535), "0.0.0.0/0"),
    ]
    assert subjects(rule_set(group("web", *rules)), "covered-rule") == ["web:ingress[0]", "web:ingress[2]"]


def test_a_list_covers_what_its_entries_add_up_to() -> None:
    halves = PrefixList("pl-1", "halves", (ip_network("203.0.113.0/25"), ip_network("203.0.113.128/25")))
    rules = group("web", tcp(443, "203.0.113.0/24"), tcp(443, PrefixListPeer("pl-1")), tcp(443, "203.0.112.0/23"))
    assert subjects(rule_set(rules, lists=(halves,)), "covered-rule") == ["web:ingress[0]", "web:ingress[1]"]


def test_an_icmp_type_covers_its_codes_and_no_other_type() -> None:
    rules = rule_set(group("web", icmp(8, 0), icmp(8, -1), icmp(3, 4), icmp(0, -1)))
    assert subjects(rules, "covered-rule") == ["web:ingress[0]"]
    assert len(subjects(rule_set(group("web", icmp(8, 0), icmp(8, -1), icmp(-1, -1))), "covered-rule")) == 2


def test_a_rule_over_a_deleted_peering_needs_no_other_to_cover_it() -> None:
    stale = GroupPeer("sg-9", Peering("pcx-1", "deleted"))
    assert lint(rule_set(group("web", tcp(22, stale), tcp((20, 30), stale)))).findings[0].lint == "stale-reference"
    assert subjects(rule_set(group("web", tcp(22, stale), tcp((20, 30), stale))), "covered-rule") == []


def test_the_same_rule_twice_is_a_duplicate_told_at_the_second() -> None:
    rules = rule_set(group("web", tcp(443, "203.0.113.0/24"), tcp(443, "203.0.113.0/24")))
    assert found(rules, "duplicate-rule") == [
        ("web:ingress[1]", "tcp 443 from 203.0.113.0/24: the same as web:ingress[0]", "delete one of them")
    ]
    assert subjects(rules, "covered-rule") == []


def test_another_group_covers_a_rule_only_where_every_interface_has_it() -> None:
    narrow, wide = group("narrow", tcp(22, "203.0.113.0/24")), group("wide", tcp((0, 65535), "203.0.113.0/24"))
    both = eni("eni-both", ("narrow", "wide"))
    assert found(rule_set(narrow, wide, interfaces=(both,)), "covered-rule") == [
        (
            "narrow:ingress[0]",
            "tcp 22 from 203.0.113.0/24: wide:ingress[0] (tcp from 203.0.113.0/24) covers it at eni-both",
            "delete it, or narrow the other",
        )
    ]
    alone = eni("eni-alone", ("narrow",), "10.0.1.11")
    assert subjects(rule_set(narrow, wide, interfaces=(both, alone)), "covered-rule") == []
    assert subjects(rule_set(narrow, wide), "covered-rule") == []


def test_two_groups_of_an_interface_may_hold_the_same_rule() -> None:
    one, other = group("one", tcp(22, "203.0.113.0/24")), group("other", tcp(22, "203.0.113.0/24"))
    rules = rule_set(one, other, interfaces=(eni("eni-1", ("one", "other")),))
    assert subjects(rules, "covered-rule") + subjects(rules, "duplicate-rule") == []


PacketTuple = tuple[int, int, Address]  # protocol, port (of ICMP type << 8 | code), the peer's address

BLOCKS = tuple(
    map(
        ip_network,
        ("0.0.0.0/0", "192.0.0.0/8", "192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25", "192.0.2.7/32", "::/0",
         "2001:db8::/32", "2001:db8:1::/48", "2001:db8::1/128"),
    )
)  # fmt: skip
LISTS = (
    PrefixList("pl-halves", "halves", (BLOCKS[3], BLOCKS[4])),
    PrefixList("pl-mixed", "mixed", (BLOCKS[5], BLOCKS[4])),
    PrefixList("pl-empty", "empty", ()),
)
PORTS = ((0, 65535), (0, 1023), (20, 25), (22, 22), (25, 80), (80, 80))
ICMP_PAIRS = ((-1, -1), (8, -1), (8, 0), (3, 4), (0, -1))
PEERS: tuple[Peer, ...] = (*BLOCKS, *(PrefixListPeer(each.prefix_list_id) for each in LISTS))
ADDRESSES = tuple(dict.fromkeys(address for block in BLOCKS for address in (block[0], block[-1])))
TUPLES = tuple(
    (protocol, port, address)
    for protocol in (6, 17, 1, 58, 50, 47)
    for port in ((0, 20, 22, 25, 26, 80, 1023, 65535) if protocol in (6, 17) else (0x800, 0x801, 0x304, 0))
    for address in ADDRESSES
)


def matches(rule: Rule, packet: PacketTuple, lists: dict[str, PrefixList]) -> bool:
    """The slow twin: one rule, one packet."""
    protocol, port, address = packet
    blocks: tuple[Network, ...] = (
        lists[rule.peer.prefix_list_id].entries if isinstance(rule.peer, PrefixListPeer) else (rule.peer,)  # type: ignore[assignment]  # the only other peers here are blocks
    )
    if rule.protocol not in (-1, protocol) or not any(address in block for block in blocks):
        return False
    if rule.protocol in (1, 58):
        return rule.icmp_type in (-1, port >> 8) and rule.icmp_code in (-1, port & 0xFF)
    return rule.protocol not in (6, 17) or rule.ports is None or rule.ports[0] <= port <= rule.ports[1]


@st.composite
def any_rule(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from((6, 6, 17, 1, 58, 50, -1)))
    ports = draw(st.sampled_from(PORTS)) if protocol in (6, 17) else None
    pair = draw(st.sampled_from(ICMP_PAIRS)) if protocol in (1, 58) else (-1, -1)
    return Rule("", "ingress", 0, protocol, draw(st.sampled_from(PEERS)), ports, *pair)


@st.composite
def any_rule_set(draw: st.DrawFn) -> RuleSet:
    names = ("a", "b", "c")
    groups = [group(name, *draw(st.lists(any_rule(), max_size=5))) for name in names]
    attached = draw(st.lists(st.lists(st.sampled_from(names), min_size=1, unique=True), max_size=3))
    enis = tuple(eni(f"eni-{at}", tuple(found_in)) for at, found_in in enumerate(attached))
    return rule_set(*groups, interfaces=enis, lists=LISTS)


@given(any_rule_set())
def test_what_a_covered_rule_matches_the_other_matches_too(rules: RuleSet) -> None:
    lists = rules.prefix_lists
    for covered in covered_rules(rules, rules.interfaces.values(), Extents(rules)):
        assert covered.rule is not covered.by
        hits = [packet for packet in TUPLES if matches(covered.rule, packet, lists)]
        assert hits, covered
        assert [packet for packet in hits if not matches(covered.by, packet, lists)] == []


@given(any_rule_set())
def test_all_covered_rules_can_be_deleted_at_once(rules: RuleSet) -> None:
    gone = {id(each.rule) for each in covered_rules(rules, rules.interfaces.values(), Extents(rules))}
    alone = [(name,) for name in rules.groups] if not rules.interfaces else []
    for attached in [*alone, *(each.groups for each in rules.interfaces.values())]:
        present = [rule for name in attached for rule in rules.groups[name].ingress]
        left = [rule for rule in present if id(rule) not in gone]
        for packet in TUPLES:
            before = any(matches(rule, packet, rules.prefix_lists) for rule in present)
            assert before == any(matches(rule, packet, rules.prefix_lists) for rule in left)


@given(st.lists(any_rule(), min_size=2, max_size=4))
def test_no_rule_that_one_other_rule_covers_is_missed(listed: list[Rule]) -> None:
    blocks_alone = [each for each in listed if not isinstance(each.peer, PrefixListPeer)]
    rules = rule_set(group("web", *blocks_alone))
    told = {id(each.rule) for each in covered_rules(rules, (), Extents(rules))}
    hits = [(rule, {packet for packet in TUPLES if matches(rule, packet, {})}) for rule in rules.groups["web"].ingress]
    for (rule, mine), (_, theirs) in itertools.permutations(hits, 2):
        if mine < theirs:  # TUPLES hold both ends of every block and range, and a protocol that no rule names
            assert id(rule) in told
