"""Rules as numbered entries: which numbers they get, what is left out, and that doing it twice changes nothing."""

from ipaddress import ip_network

import pytest

from firewall.errors import UsageError
from firewall.group_acls import Wanted, numbers, plan_acls, rule_entries, uncovered
from firewall.model import ANY, Network, NetworkAclEntry, Rule
from tests.firewall.rule_sets import ANYWHERE, ANYWHERE6, OFFICE, eni, group, icmp, rule_set, tcp

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


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("10.0.1.20", "10.0.1.16/28"),
        ("10.0.1.31", "10.0.1.0/26"),  # the last one of /28 and of /27
        ("10.0.1.1", "10.0.1.0/28"),
        ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
    ],
)
def test_a_made_subnet_has_no_interface_at_its_broadcast_address(address: str, block: str) -> None:
    rules = rule_set(group("web"), interfaces=(eni("a", ("web",), address),))
    plan = plan_acls(rules, tuple(rules.interfaces.values()))
    assert [str(each) for each in plan.subnets["subnet-a"].cidrs] == [block]


def test_interfaces_far_apart_get_subnets_of_their_own_and_neighbours_share_one() -> None:
    rules = rule_set(
        group("web", tcp(80, "0.0.0.0/0")),
        interfaces=(
            eni("a", ("web",), "10.0.1.1", "10.0.1.200"),  # no /28 holds both
            eni("b", ("web",), "10.0.1.77"),
            eni("c", ("web",), "10.0.2.1", "2001:db8::1"),
        ),
    )
    plan = plan_acls(rules, tuple(rules.interfaces.values()))
    assert plan.subnet_of == {"a": "subnet-a", "b": "subnet-a", "c": "subnet-c"}
    assert [str(block) for each in plan.subnets.values() for block in each.cidrs] == [
        "10.0.1.0/24",
        "10.0.2.0/28",
        "2001:db8::/64",
    ]
    assert plan.members == {"acl-a": ("a", "b"), "acl-c": ("c",)}
    once = plan.applied(rules)
    assert plan.applied(once) == once
    assert [entry.peer for entry in once.network_acls["acl-a"].ingress] == [ip_network("0.0.0.0/0")]
