"""Rules as numbered entries: which numbers they get, what is left out, and what is one entry."""

from ipaddress import ip_network

import pytest

from firewall.errors import UsageError
from firewall.group_acls import Wanted, crosses_border, numbers, rule_entries, side_by_side, uncovered
from firewall.model import ANY, Network, NetworkAclEntry, Rule
from tests.firewall.rule_sets import ANYWHERE, ANYWHERE6, OFFICE, icmp, rule_set

ALL = (ANY, ANY)


def wanted(ports: tuple[int, int], peer: Network = ANYWHERE, why: str = "") -> Wanted:
    return Wanted(6, ports, ALL, peer, why)


def test_numbers_leave_room_and_go_on_behind_those_that_are_taken() -> None:
    assert numbers(3) == [100, 110, 120]
    assert numbers(2, [100, 215]) == [220, 230]
    assert numbers(0, [100]) == []


def test_where_there_is_no_room_behind_the_highest_free_numbers_are_taken() -> None:
    assert numbers(2, [32760]) == [32765, 32766]
    assert numbers(2, [32766]) == [32764, 32765]
    assert numbers(4000)[-1] == 32766
    with pytest.raises(UsageError, match="32,767 entries: a network ACL has numbers for 32,766"):
        numbers(32767)


def test_what_another_entry_covers_is_left_out_and_of_equal_ones_the_first_stays() -> None:
    wide, narrow, twin = wanted((1, 100), why="a"), wanted((80, 80), OFFICE, "b"), wanted((1, 100), why="c")
    assert uncovered([narrow, wide, twin]) == [wide]
    assert uncovered([wanted((80, 80)), wanted((81, 81))]) == [wanted((80, 80)), wanted((81, 81))]


def test_a_deny_that_stands_before_covers_nothing() -> None:
    before = [NetworkAclEntry("edge", "ingress", 90, "deny", 6, ANYWHERE, (1, 100))]
    assert uncovered([wanted((80, 80))], before) == [wanted((80, 80))]
    allow = [NetworkAclEntry("edge", "ingress", 90, "allow", 6, ANYWHERE, (1, 100))]
    assert uncovered([wanted((80, 80))], allow) == []


def test_families_that_never_match_make_no_entry() -> None:
    rules = rule_set()
    assert list(rule_entries(icmp(8, -1, ANYWHERE6), rules)) == []
    assert list(rule_entries(icmp(128, -1, ANYWHERE, 58), rules)) == []
    assert len(list(rule_entries(icmp(8, -1, ANYWHERE), rules))) == 1


def test_ports_of_sctp_are_ignored_as_aws_ignores_them() -> None:
    rule = Rule("web", "ingress", 0, 132, ANYWHERE, (2000, 2001))
    assert [each.ports for each in rule_entries(rule, rule_set())] == [None]


def test_blocks_side_by_side_of_one_service_are_one_entry_that_names_all_their_rules() -> None:
    halves = [wanted((80, 80), ip_network("0.0.0.0/1"), "a"), wanted((80, 80), ip_network("128.0.0.0/1"), "b")]
    other = wanted((22, 22), ip_network("128.0.0.0/1"), "c")
    assert side_by_side([halves[0], other, halves[1]]) == [(0, wanted((80, 80), ANYWHERE, "a, b")), (1, other)]


def test_blocks_apart_or_of_other_services_and_families_stay_apart() -> None:
    apart = [
        wanted((80, 80), ip_network("10.0.0.0/32")),
        wanted((80, 80), ip_network("10.0.0.2/32")),
        wanted((81, 81), ip_network("10.0.0.1/32")),
        wanted((80, 80), ip_network("::/1")),
    ]
    assert sorted(side_by_side(apart), key=lambda found: found[0]) == list(enumerate(apart))


def test_a_block_that_is_one_rules_own_names_that_rule_alone() -> None:
    parts = [wanted((80, 80), OFFICE, "narrow"), wanted((80, 80), ANYWHERE, "wide")]
    assert side_by_side(parts) == [(0, wanted((80, 80), ANYWHERE, "wide"))]


def test_a_network_acl_is_asked_about_what_lies_outside_any_subnet_that_it_guards() -> None:
    front, back = (ip_network("10.0.1.0/24"),), (ip_network("10.0.2.0/24"), ip_network("2001:db8::/64"))
    inside, straddling = ip_network("10.0.1.10/31"), ip_network("10.0.0.0/16")
    assert not crosses_border(inside, [front])
    assert crosses_border(inside, [front, back])  # asked in the other one
    assert crosses_border(inside, [])
    assert crosses_border(inside, [()])  # no blocks are known: asked about everything
    assert crosses_border(straddling, [front])
    assert not crosses_border(ip_network("2001:db8::7/128"), [back])
    assert crosses_border(ip_network("2001:db8::7/128"), [front])
