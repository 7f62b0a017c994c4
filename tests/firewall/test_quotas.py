"""Quotas: what counts for how much, in which family, and what is only a lower bound."""

from ipaddress import ip_address, ip_network

import pytest

from firewall.errors import UsageError
from firewall.model import (
    Direction,
    GroupPeer,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Peer,
    PrefixList,
    PrefixListPeer,
    Rule,
    RuleSet,
    SecurityGroup,
    UnknownPeer,
)
from firewall.quotas import (
    AWS_WEIGHTS,
    ENTRIES,
    GROUPS,
    LIST_ENTRIES,
    PRODUCT,
    RULES,
    Usage,
    is_aws,
    list_weight,
    read_limits,
    usages,
)

BLOCK, BLOCK6 = ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")
ENTRY = ip_network("198.51.100.0/24")


def rules(group: str, direction: Direction, *peers: Peer) -> tuple[Rule, ...]:
    return tuple(Rule(group, direction, index, 6, peer, (443, 443)) for index, peer in enumerate(peers))


def used(rule_set: RuleSet, words: tuple[str, ...] = ()) -> list[Usage]:
    return list(usages(rule_set, tuple(rule_set.interfaces.values()), read_limits(words)))


def of_group(*peers: Peer, lists: tuple[PrefixList, ...] = ()) -> dict[str, Usage]:
    """The usages of one group's ingress rules, by subject."""
    group = SecurityGroup("web", "web", rules("web", "ingress", *peers))
    rule_set = RuleSet({"web": group}, prefix_lists={each.prefix_list_id: each for each in lists})
    return {usage.subject: usage for usage in used(rule_set) if usage.quota is RULES}


# --- the sum of a group ----------------------------------------------------------------------------------
def test_the_sum_of_a_group_is_said_with_its_terms() -> None:
    corp = PrefixList("pl-1", "pl-corp", (ENTRY,), 20)
    front = PrefixList("pl-2", "com.amazonaws.global.cloudfront.origin-facing", (ENTRY,))
    blocks = tuple(ip_network(f"203.0.113.{at}/32") for at in range(4))
    found = of_group(*blocks, GroupPeer("app"), PrefixListPeer("pl-1"), PrefixListPeer("pl-2"), lists=(corp, front))
    four = found["web in IPv4"]
    assert (four.amount, four.over) == ("80 of 60", True)
    assert four.arithmetic == ("4 blocks + 1 group + pl-corp 20 + com.amazonaws.global.cloudfront.origin-facing 55")
    assert (four.direction, four.family, four.names) == ("ingress", 4, ("web", "web"))


def test_a_group_counts_in_both_families_a_block_in_its_own() -> None:
    found = of_group(BLOCK, BLOCK6, BLOCK6, GroupPeer("app"))
    assert [(name, usage.amount, usage.arithmetic) for name, usage in found.items()] == [
        ("web in IPv4", "2 of 60", "1 block + 1 group"),
        ("web in IPv6", "3 of 60", "2 blocks + 1 group"),
    ]


def test_a_list_counts_its_maximum_in_its_own_family_however_few_entries_it_has() -> None:
    found = of_group(PrefixListPeer("pl-1"), PrefixListPeer("pl-1"), lists=(PrefixList("pl-1", "six", (BLOCK6,), 30),))
    assert [(name, usage.amount, usage.arithmetic) for name, usage in found.items()] == [
        ("web in IPv4", "0 of 60", "none"),
        ("web in IPv6", "60 of 60", "six 30 x 2"),
    ]
    assert not found["web in IPv6"].over


def test_the_family_of_an_empty_list_is_what_it_says() -> None:
    found = of_group(PrefixListPeer("pl-1"), lists=(PrefixList("pl-1", "empty", (), 7, family=6),))
    assert found["web in IPv6"].used == 7


def test_an_unknown_maximum_makes_the_sum_a_lower_bound() -> None:
    found = of_group(BLOCK, PrefixListPeer("pl-1"), lists=(PrefixList("pl-1", "office", (ENTRY, BLOCK)),))
    four, six = found["web in IPv4"], found["web in IPv6"]
    assert four.amount == "at least 3 of 60"
    assert four.arithmetic == "1 block + office 2; not known: the maximum of office"
    assert six.amount == "0 of 60"


def test_unknown_lists_and_peers_are_named_in_both_families() -> None:
    found = of_group(BLOCK, PrefixListPeer("pl-9"), UnknownPeer("aws_subnet.a"))
    assert [(usage.amount, usage.arithmetic) for usage in found.values()] == [
        ("at least 1 of 60", "1 block; not known: pl-9, aws_subnet.a"),
        ("at least 0 of 60", "none; not known: pl-9, aws_subnet.a"),
    ]


def test_directions_are_counted_apart_and_one_without_rules_is_not_told() -> None:
    both = SecurityGroup("web", "web", rules("web", "ingress", BLOCK), rules("web", "egress", BLOCK, BLOCK6))
    found = [(usage.subject, usage.used) for usage in used(RuleSet({"web": both})) if usage.quota is RULES]
    assert found == [("web in IPv4", 1), ("web in IPv6", 0), ("web out IPv4", 1), ("web out IPv6", 1)]
    assert used(RuleSet({"web": SecurityGroup("web", "web")})) == []


# --- AWS's lists -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("com.amazonaws.eu-west-1.s3", 1),
        ("com.amazonaws.eu-west-1.s3express", 6),
        ("com.amazonaws.eu-west-1.ipv6.ec2-instance-connect", 2),
        ("com.amazonaws.global.ipv6.cloudfront.origin-facing", 55),
        ("com.amazonaws.us-gov-west-1.vpc-lattice", 10),
    ],
)
def test_lists_of_aws_have_their_own_weights_whatever_they_hold(name: str, weight: int) -> None:
    prefix_list = PrefixList("pl-1", name, (ENTRY, BLOCK), 100)
    assert list_weight(prefix_list) == (weight, True)
    assert is_aws(prefix_list)


def test_a_list_of_aws_that_the_table_lacks_counts_at_least_its_entries() -> None:
    assert list_weight(PrefixList("pl-1", "com.amazonaws.eu-west-1.new", (ENTRY, BLOCK), owner="AWS")) == (2, False)
    assert not is_aws(PrefixList("pl-1", "com.example.s3", (ENTRY,)))
    assert min(AWS_WEIGHTS.values()) >= 1


# --- the other quotas --------------------------------------------------------------------------------------
def interface(name: str, *groups: str) -> NetworkInterface:
    return NetworkInterface(name, (ip_address("10.0.1.10"),), groups)


def test_groups_of_an_interface_are_counted_and_multiplied_with_the_longest_list() -> None:
    group = SecurityGroup("web", "web", rules("web", "ingress", *[BLOCK] * 101))
    many, few = interface("eni-many", *(f"g{at}" for at in range(10))), interface("eni-few", "web")
    rule_set = RuleSet({"web": group}, {"eni-many": many, "eni-few": few})
    found = {usage.subject: usage for usage in used(rule_set)}
    assert (found["eni-many"].amount, found["eni-many"].over) == ("10 of 5", True)
    assert (found["eni-few"].amount, found["eni-few"].over) == ("1 of 5", False)
    product = found["all"]
    assert product.quota is PRODUCT
    assert (product.amount, product.over) == ("1,010 of 1,000", True)
    assert product.arithmetic == "101 rules (web in IPv4) x 10 groups (eni-many)"


def test_numbered_entries_of_an_acl_count_for_each_direction() -> None:
    entries = tuple(NetworkAclEntry("acl-1", "egress", number, "deny", -1, BLOCK) for number in range(1, 22))
    rule_set = RuleSet({}, network_acls={"acl-1": NetworkAcl("acl-1", "edge", (), entries)})
    found = [(usage.subject, usage.amount, usage.over) for usage in used(rule_set) if usage.quota is ENTRIES]
    assert found == [("edge in", "0 of 20", False), ("edge out", "21 of 20", True)]
    assert not any(usage.over for usage in used(rule_set, ("acl-entries=40",)))


def test_entries_of_a_list_stand_against_its_maximum() -> None:
    lists = (
        PrefixList("pl-1", "office", (ENTRY,), 20),
        PrefixList("pl-2", "branch", (ENTRY, BLOCK)),
        PrefixList("pl-3", "com.amazonaws.eu-west-1.s3", (ENTRY,)),
    )
    rule_set = RuleSet({}, prefix_lists={each.prefix_list_id: each for each in lists})
    found = [(usage.quota, usage.subject, usage.amount, usage.arithmetic) for usage in used(rule_set)]
    assert found == [
        (LIST_ENTRIES, "office", "1 of 20", "1 entry, max_entries 20"),
        (LIST_ENTRIES, "branch", "2 of 1,000", "2 entries; max_entries is not known"),
    ]


# --- limits -------------------------------------------------------------------------------------------------
def test_limits_are_awss_unless_words_change_them() -> None:
    assert read_limits(()) == {
        "rules-per-group": 60,
        "groups-per-interface": 5,
        "rules-times-groups": 1000,
        "acl-entries": 20,
        "list-entries": 1000,
    }
    changed = read_limits(("rules-per-group=100", "groups-per-interface=10"))
    assert (changed[RULES.name], changed[GROUPS.name], changed[ENTRIES.name]) == (100, 10, 20)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rules-per-grup=9",), "--limit rules-per-grup: there is no such limit: did you mean rules-per-group?"),
        (("rules-per-group",), "--limit rules-per-group: write NAME=NUMBER, for example rules-per-group=100"),
        (("acl-entries=-1",), "--limit acl-entries=-1: write NAME=NUMBER, for example rules-per-group=100"),
        (("acl-entries=9999999",), "--limit acl-entries=9999999: write NAME=NUMBER, for example rules-per-group=100"),
        (("acl-entries=\u0663",), "--limit acl-entries=\u0663: write NAME=NUMBER, for example rules-per-group=100"),
        (
            ("rules-per-group=100", "groups-per-interface=16"),
            (
                "--limit: 100 rules x 16 groups = 1,600, and AWS grants no more than 1,000 (rules-times-groups): "
                "lower one of them"
            ),
        ),
    ],
)
def test_a_limit_that_cannot_be_is_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_limits(words)
    assert str(refused.value) == message
