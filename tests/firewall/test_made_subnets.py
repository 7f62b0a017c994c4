"""Subnets that are made: none of them reserves an interface's address, and AWS could make each of them."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.group_acls import Plan, plan_acls
from firewall.made_subnets import LENGTHS, overlap, reserved_in
from firewall.model import Network, NetworkInterface, RuleSet, Subnet
from tests.firewall.rule_sets import eni, group, rule_set, tcp


def planned(*interfaces: NetworkInterface, subnets: tuple[Subnet, ...] = (), simulated: int | None = None) -> Plan:
    """What is made for the first of some interfaces, or for all of them."""
    rules = rule_set(group("web", tcp(80, "0.0.0.0/0")), interfaces=interfaces)
    rules = replace(rules, subnets={each.subnet_id: each for each in subnets})
    return plan_acls(rules, interfaces[:simulated])


def made(plan: Plan) -> dict[str, list[str]]:
    return {name: [str(block) for block in plan.subnets[name].cidrs] for name in plan.made}


def stated(name: str, *blocks: str, vpc: str | None = None) -> Subnet:
    return Subnet(name, tuple(map(ip_network, blocks)), vpc)


def test_five_addresses_of_a_block_are_reserved_in_both_families() -> None:
    assert [str(each) for each in reserved_in(ip_network("10.0.1.0/28"))] == [
        "10.0.1.0/32",
        "10.0.1.1/32",
        "10.0.1.2/32",
        "10.0.1.3/32",
        "10.0.1.15/32",
    ]
    assert [str(each) for each in reserved_in(ip_network("2001:db8::/64"))][-1] == "2001:db8::ffff:ffff:ffff:ffff/128"


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("10.0.1.20", "10.0.1.16/28"),
        ("10.0.1.4", "10.0.1.0/28"),
        ("10.0.1.31", "10.0.1.0/26"),  # the last one of /28 and of /27
        ("10.0.1.16", "10.0.1.0/27"),  # the first one of /28
        ("10.0.1.0", "10.0.0.0/23"),
        ("10.0.1.1", "10.0.0.0/23"),
        ("10.0.1.3", "10.0.0.0/23"),
        ("10.0.128.1", "10.0.0.0/16"),  # the largest that AWS makes
        ("2001:db8:0:1::1", "2001:db8::/60"),
        ("2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/60"),
        ("2001:db8:8:0:8000::1", "2001:db8:8::/64"),
    ],
)
def test_a_made_subnet_grows_until_it_does_not_reserve_the_address_of_its_interface(address: str, block: str) -> None:
    plan = planned(eni("a", ("web",), address))
    assert made(plan) == {"subnet-a": [block]}
    assert (list(plan.without_block), plan.by_hand) == ([], ())


@pytest.mark.parametrize("address", ["10.0.0.1", "20.0.0.2", "10.1.0.1", "0.0.0.1", "255.255.255.255", "2001:db8::1"])
def test_an_address_that_every_block_reserves_gets_no_block_and_it_is_said(address: str) -> None:
    plan = planned(eni("a", ("web",), address))
    assert made(plan) == {"subnet-a": []}
    assert list(plan.without_block) == [("subnet-a", ip_address(address).version, [address])]
    assert plan.by_hand == ("a",)  # no block tells where it is


def test_addresses_that_no_block_of_aws_holds_together_get_none() -> None:
    plan = planned(eni("a", ("web",), "10.0.1.10", "10.9.1.10", "2001:db8:1::10"))
    assert made(plan) == {"subnet-a": ["2001:db8:1::/64"]}
    assert list(plan.without_block) == [("subnet-a", 4, ["10.0.1.10", "10.9.1.10"])]
    assert plan.by_hand == ("a",)


def test_the_address_of_another_interface_is_not_reserved_whether_it_is_simulated_or_not() -> None:
    other = replace(eni("router", ("web",), "10.0.1.17"), subnet="elsewhere")
    for simulated in (1, 2):
        plan = planned(eni("a", ("web",), "10.0.1.20"), other, subnets=(stated("elsewhere"),), simulated=simulated)
        assert made(plan) == {"subnet-a": ["10.0.1.0/27"]}


def test_an_address_inside_a_delegated_prefix_is_not_reserved_either() -> None:
    other = replace(eni("node", ("web",), "10.0.9.9"), prefixes=(ip_network("10.0.1.16/31"),))
    plan = planned(eni("a", ("web",), "10.0.1.20"), other, simulated=1)
    assert made(plan) == {"subnet-a": ["10.0.1.0/27"]}


def test_a_made_subnet_overlaps_no_subnet_that_the_files_state() -> None:
    front = stated("front", "10.0.1.0/24", vpc="vpc-1")
    plan = planned(eni("a", ("web",), "10.0.2.1"), subnets=(front,))
    assert made(plan) == {"subnet-a": []}  # 10.0.0.0/22 is the first that does not reserve 10.0.2.1
    elsewhere = replace(eni("a", ("web",), "10.0.2.1"), vpc="vpc-2")
    assert made(planned(elsewhere, subnets=(front,))) == {"subnet-a": ["10.0.0.0/22"]}


def test_interfaces_far_apart_get_subnets_of_their_own_and_neighbours_share_one() -> None:
    interfaces = (
        eni("a", ("web",), "10.0.1.10", "10.0.1.200"),  # no /28 holds both
        eni("b", ("web",), "10.0.1.77"),
        eni("c", ("web",), "10.0.2.10", "2001:db8:1::10"),
    )
    plan = planned(*interfaces)
    assert plan.subnet_of == {"a": "subnet-a", "b": "subnet-a", "c": "subnet-c"}
    assert made(plan) == {"subnet-a": ["10.0.1.0/24"], "subnet-c": ["10.0.2.0/28", "2001:db8:1::/64"]}
    assert plan.members == {"acl-a": ("a", "b"), "acl-c": ("c",)}
    rules = rule_set(group("web", tcp(80, "0.0.0.0/0")), interfaces=interfaces)
    once = plan.applied(rules)
    assert plan.applied(once) == once
    assert [entry.peer for entry in once.network_acls["acl-a"].ingress] == [ip_network("0.0.0.0/0")]


def test_subnets_that_files_name_without_their_blocks_stay_apart_and_hold_their_own() -> None:
    front = [
        replace(eni(name, ("web",), address), subnet="front")
        for name, address in (("a", "10.0.1.10"), ("b", "10.0.1.200"))
    ]
    back = replace(eni("c", ("web",), "10.0.1.11"), subnet="back")
    plan = planned(*front, back)
    assert plan.subnet_of == {"a": "front", "b": "front", "c": "back"}
    assert made(plan) == {"front": ["10.0.1.0/24"], "back": ["10.0.1.0/28"]}
    assert plan.by_hand == ()  # the files name them


def test_a_made_subnet_puts_no_interface_into_another_ones_vpc() -> None:
    one, other = eni("a", ("web",), "10.0.1.10"), eni("b", ("web",), "10.0.1.11")
    known, unknown = replace(one, vpc="vpc-1"), replace(other, vpc="vpc-1")
    assert planned(known, unknown).subnets["subnet-a"].vpc == "vpc-1"
    assert planned(known, other).subnets["subnet-a"].vpc is None


# --- whatever the addresses --------------------------------------------------------------------------------
EDGES = ("10.0.0.0", "10.0.1.0", "10.0.1.16", "10.0.2.0", "10.1.0.0", "20.0.0.0", "2001:db8::", "2001:db8:0:1::")
ADDRESSES = st.builds(
    lambda base, offset: str(ip_address(base) + offset),
    st.sampled_from(EDGES),
    st.one_of(st.integers(0, 20), st.just(255)),
)


@st.composite
def placements(draw: st.DrawFn) -> tuple[RuleSet, list[NetworkInterface]]:
    """Some interfaces, of which some are simulated, and subnets that hold a few of them."""
    addresses = draw(st.lists(ADDRESSES, min_size=1, max_size=6, unique=True))
    names = st.sampled_from((None, None, None, "stated", "named"))
    interfaces = tuple(
        replace(eni(f"eni-{place}", ("web",), address), subnet=draw(names)) for place, address in enumerate(addresses)
    )
    blocks = draw(st.sampled_from(((), ("10.0.1.0/24",), ("10.0.1.16/28", "2001:db8::/64"))))
    rules = rule_set(group("web", tcp(80, "0.0.0.0/0")), interfaces=interfaces)
    return replace(rules, subnets={"stated": stated("stated", *blocks)}), list(interfaces[: draw(st.integers(1, 6))])


def fits(block: Network, rules: RuleSet) -> bool:
    known = [each for eni in rules.interfaces.values() for each in eni.networks]
    if any(overlap(each, taken) for each in reserved_in(block) for taken in known):
        return False
    return not any(overlap(block, other) for subnet in rules.subnets.values() for other in subnet.cidrs)


@given(placements())
def test_no_interface_has_an_address_that_a_made_subnet_reserves_and_none_lacks_a_block_in_vain(
    placed: tuple[RuleSet, list[NetworkInterface]],
) -> None:
    rules, simulated = placed
    plan = plan_acls(rules, simulated)
    for name in plan.made:
        mine = [each for eni in simulated if plan.subnet_of[eni.interface_id] == name for each in eni.networks]
        for version, lengths in LENGTHS.items():
            inside = [each for each in mine if each.version == version]
            around = [{each.supernet(new_prefix=length) for each in inside} for length in lengths]
            possible = [block for (block,) in (each for each in around if len(each) == 1) if fits(block, rules)]
            assert [each for each in plan.subnets[name].cidrs if each.version == version] == possible[:1]


@given(placements())
def test_made_subnets_do_not_overlap_and_their_blocks_place_all_interfaces_but_those_that_are_told(
    placed: tuple[RuleSet, list[NetworkInterface]],
) -> None:
    rules, simulated = placed
    plan = plan_acls(rules, simulated)
    subnets = [plan.subnets[name] for name in plan.made]
    for place, one in enumerate(subnets):
        for other in subnets[:place]:
            assert not any(overlap(mine, theirs) for mine in one.cidrs for theirs in other.cidrs)
    after = replace(rules, subnets=rules.subnets | plan.subnets)
    for each in simulated:
        if each.subnet is None and plan.subnet_of[each.interface_id] in plan.made:
            found = after.subnet_holding(each.addresses)
            told = None if found is None else found.subnet_id
            assert (told == plan.subnet_of[each.interface_id]) == (each.interface_id not in plan.by_hand)
