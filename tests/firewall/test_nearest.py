"""The nearest miss: which rule a denied packet fails by least, and what would allow it."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings

from firewall.engine import Firewall
from firewall.model import ANY, ICMP, ICMPV6, TCP, UDP, Direction, GroupPeer, Rule, RuleSet
from firewall.nearest import Miss, Misses, PacketFields, nearest, packet_fields
from tests.firewall.rule_sets import eni, group, icmp, rule_set, tcp
from tests.firewall.test_policy import MANY_PACKETS, allow_rules, batch, by_engine, estate

WEB = eni("eni-web", ("web",), "10.0.1.10")


def web(*rules: Rule) -> RuleSet:
    return rule_set(group("web", *rules), interfaces=(WEB,))


def asked(peer: str, port: int | None = 443, protocol: int = TCP, code: int | None = None) -> PacketFields:
    return PacketFields(protocol, ip_address(peer), port, code)


def miss(rules: Sequence[Rule], packet: PacketFields, direction: Direction = "ingress") -> Miss:
    return nearest(web(*rules), WEB, direction, packet)


def test_a_stranger_to_an_open_service_fails_on_its_source_only() -> None:
    found = miss([tcp(22, "203.0.113.0/24"), tcp(443, "10.0.1.0/24")], asked("10.0.2.5"))
    assert found.text == "closest: web:ingress[1] tcp 443 from 10.0.1.0/24 fails on source only (10.0.2.5)"
    assert found.addition_text == "tcp 443 from 10.0.2.5/32"


def test_another_service_fails_on_its_port_only() -> None:
    found = miss([tcp(443, "0.0.0.0/0")], asked("198.51.100.7", 22))
    assert found.text == "closest: web:ingress[0] tcp 443 from 0.0.0.0/0 fails on port only (22)"


def test_a_rule_for_anywhere_never_suggests_another_one() -> None:
    assert miss([tcp(443, "0.0.0.0/0")], asked("198.51.100.7", 22)).addition_text == "tcp 22 from 198.51.100.7/32"


def test_what_leaves_fails_on_its_destination() -> None:
    found = miss([tcp(443, "192.0.2.0/24", direction="egress")], asked("198.51.100.7", 80), "egress")
    assert found.text == (
        "closest: web:egress[0] tcp 443 to 192.0.2.0/24 fails on port (80) and destination (198.51.100.7)"
    )
    assert found.addition_text == "tcp 80 to 198.51.100.7/32"


def test_a_ping_fails_on_its_type_and_is_offered_exactly_that_type() -> None:
    found = miss([icmp(0, 8)], asked("203.0.113.9", 8, ICMP, 0))
    assert found.text == "closest: web:ingress[0] icmp 0/8 from 203.0.113.0/24 fails on type only (8/0)"
    assert found.addition_text == "icmp 8/0 from 203.0.113.9/32"


def test_ping6_fails_a_rule_for_icmp_on_protocol_type_and_source() -> None:
    found = miss([icmp(8, ANY)], asked("2001:db8::9", 128, ICMPV6, 0))
    assert found.text == (
        "closest: web:ingress[0] icmp 8/any from 203.0.113.0/24 fails on protocol (icmpv6), type (128/0) and source"
        " (2001:db8::9)"
    )
    assert found.addition_text == "icmpv6 128/0 from 2001:db8::9/128"


def test_a_packet_whose_port_cannot_be_read_says_so() -> None:
    found = miss([tcp(443, "0.0.0.0/0")], asked("198.51.100.7", None))
    assert found.text == "closest: web:ingress[0] tcp 443 from 0.0.0.0/0 fails on port only (none can be read)"
    assert found.addition_text == "tcp from 198.51.100.7/32"


def test_linux_reads_the_ports_of_other_protocols_too() -> None:
    rules = web(replace(tcp(2905, "10.0.1.0/24"), protocol=132))
    asks = asked("10.0.1.9", 3868, 132)
    assert nearest(rules, WEB, "ingress", asks, "linux").text.endswith("fails on port only (3868)")
    assert nearest(rules, WEB, "ingress", asks, "aws").fails == ()


def test_an_interface_without_rules_is_told_so() -> None:
    found = miss([], asked("198.51.100.7"))
    assert (found.rule, found.fails, found.text) == (None, (), "eni-web has no ingress rule")
    assert found.addition_text == "tcp 443 from 198.51.100.7/32"


def test_an_interface_without_groups_has_none_to_add_to() -> None:
    lonely = eni("eni-lonely", (), "10.0.1.11")
    found = nearest(rule_set(interfaces=(lonely,)), lonely, "ingress", asked("198.51.100.7"))
    assert (found.addition, found.addition_text) == (None, "")


def test_members_of_a_group_are_its_blocks_and_unknown_members_are_told() -> None:
    app = eni("eni-app", ("app",), "10.0.1.20")
    rules = rule_set(group("web", tcp(443, GroupPeer("app"))), group("app"), interfaces=(WEB, app))
    asks = asked("10.0.1.21")
    assert nearest(rules, WEB, "ingress", asks).text == (
        "closest: web:ingress[0] tcp 443 from group app fails on source only (10.0.1.21)"
    )
    unknown = replace(rules, interfaces={"eni-web": WEB})
    assert nearest(unknown, WEB, "ingress", asked("10.0.1.21", 22)).text == (
        "closest: web:ingress[0] tcp 443 from group app fails on port (22) and source (10.0.1.21, members unknown)"
    )


def test_the_group_of_an_addition_is_the_first_and_its_number_the_next() -> None:
    both = eni("eni-web", ("web", "ops"), "10.0.1.10")
    rules = rule_set(group("web", tcp(80, "0.0.0.0/0")), group("ops", tcp(22, "203.0.113.0/24", "ops")))
    found = nearest(rules, both, "ingress", asked("198.51.100.7", 22))
    assert found.rule is not None
    assert found.rule.name == "ops:ingress[0]"
    assert found.addition is not None
    assert found.addition.name == "web:ingress[1]"


# --- ties ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        pytest.param(tcp(443, "10.0.1.0/24"), tcp(22, "192.0.2.0/24"), id="one field before two"),
        pytest.param(tcp(443, "192.0.2.0/24"), tcp(22, "10.0.2.0/24"), id="the source before the port"),
        pytest.param(tcp(22, "10.0.2.0/24"), replace(tcp(443, "10.0.2.0/24"), protocol=UDP), id="the port before udp"),
        pytest.param(tcp(443, "10.0.3.0/24"), tcp(443, "192.0.2.0/24"), id="more leading bits"),
        pytest.param(tcp(443, "10.0.0.0/23"), tcp(443, "2001:db8::/32"), id="the packet's family"),
        pytest.param(tcp((400, 440), "10.0.2.0/24"), tcp(80, "10.0.2.0/24"), id="the nearer ports"),
    ],
)
def test_what_is_nearer_is_nearer_wherever_it_stands(nearer: Rule, farther: Rule) -> None:
    for rules, index in (([nearer, farther], 0), ([farther, nearer], 1)):
        found = miss(rules, asked("10.0.2.5")).rule
        assert found is not None
        assert found.name == f"web:ingress[{index}]"


def test_of_equals_the_first_is_named() -> None:
    found = miss([tcp(443, "192.0.2.0/24"), tcp(443, "192.0.2.0/24")], asked("10.0.2.5")).rule
    assert found is not None
    assert found.name == "web:ingress[0]"


# --- the engine --------------------------------------------------------------------------------------------
@settings(print_blob=True, deadline=None)
@given(allow_rules(), MANY_PACKETS)
def test_all_fields_match_exactly_where_the_engine_lets_pass(rules: list[Rule], found: list[dict[str, Any]]) -> None:
    """The first rule whose fields all match is the rule column; none that could is no-ingress-rule."""
    known = estate(rules)
    misses = Misses(known)
    firewall = Firewall(known, ["eni-own"], "linux", reading="stateless")
    said = by_engine(firewall, found)
    expected: list[tuple[str, str | None]] = []
    for record in batch(found).records:
        fields = [
            (rule.name, [field.matches for field in misses.fields(rule, packet_fields(record, "ingress"))])
            for rule in rules
        ]
        allowing = [name for name, matches in fields if all(matches)]
        perhaps = [name for name, matches in fields if False not in matches]
        if allowing:
            expected.append(("rule", allowing[0]))
        else:
            expected.append(("undecidable", perhaps[0]) if perhaps else ("no-ingress-rule", None))
    assert said == expected


@settings(print_blob=True, deadline=None)
@given(allow_rules(), MANY_PACKETS)
def test_the_engine_lets_a_denied_packet_pass_with_its_addition(rules: list[Rule], found: list[dict[str, Any]]) -> None:
    known = estate(rules)
    said = by_engine(Firewall(known, ["eni-own"], "linux", reading="stateless"), found)
    denied = [each for each, (reason, _) in zip(found, said, strict=True) if reason == "no-ingress-rule"]
    for each, record in zip(denied, batch(denied).records, strict=True):
        addition = nearest(known, known.interfaces["eni-own"], "ingress", packet_fields(record, "ingress")).addition
        assert addition is not None
        own = known.groups["sg-own"]
        widened = replace(known, groups={"sg-own": replace(own, ingress=(*own.ingress, addition))})
        wider = Firewall(widened, ["eni-own"], "linux", reading="stateless")
        assert by_engine(wider, [each]) == [("rule", addition.name)]
