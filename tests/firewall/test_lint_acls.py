"""Lints of network ACLs: entries that decide nothing, services whose replies find no way."""

from ipaddress import ip_network
from typing import Literal

import pytest

from firewall.model import (
    Direction,
    NetworkAcl,
    NetworkAclEntry,
    RuleSet,
)
from tests.firewall.rule_sets import found, rule_set, subjects


def entry(
    number: int,
    action: str,
    ports: tuple[int, int] | None,
    peer: str = "0.0.0.0/0",
    direction: Direction = "ingress",
    protocol: int = 6,
) -> NetworkAclEntry:
    verb: Literal["allow", "deny"] = "allow" if action == "allow" else "deny"
    return NetworkAclEntry("acl-1", direction, number, verb, -1 if ports is None else protocol, ip_network(peer), ports)


def with_acl(*entries: NetworkAclEntry) -> RuleSet:
    ingress, egress = (tuple(each for each in entries if each.direction == way) for way in ("ingress", "egress"))
    return rule_set(acls=(NetworkAcl("acl-1", "edge", ingress, egress),))


def test_a_deny_behind_a_wider_allow_decides_nothing() -> None:
    rules = with_acl(entry(100, "allow", None), entry(200, "deny", (22, 22), "203.0.113.0/24"))
    assert found(rules, "acl-shadowed-entry") == [
        (
            "acl-1:ingress[200]",
            (
                "deny tcp 22 from 203.0.113.0/24 decides nothing: "
                "entry 100, allow all from 0.0.0.0/0, covers it and is asked first"
            ),
            "give it a number below 100, or delete it",
        )
    ]


def test_a_deny_before_the_allow_and_entries_of_the_other_direction_shadow_nothing() -> None:
    rules = with_acl(
        entry(90, "deny", (22, 22), "203.0.113.0/24"),
        entry(100, "allow", None),
        entry(200, "deny", (22, 22), direction="egress"),
    )
    assert subjects(rules, "acl-shadowed-entry") == []


def test_a_service_without_a_way_for_its_replies_is_told() -> None:
    rules = with_acl(entry(100, "allow", (443, 443)), entry(100, "allow", (443, 443), direction="egress"))
    assert found(rules, "acl-no-ephemeral") == [
        (
            f"acl-1:{way}[100]",
            (
                f"allow tcp 443 {mine} 0.0.0.0/0, but no {back} entry allows any of tcp 1024-65535 {theirs} there: "
                "no reply passes"
            ),
            f"add an {back} entry for tcp 1024-65535, the ports that clients choose from",
        )
        for way, mine, back, theirs in (("ingress", "from", "egress", "to"), ("egress", "to", "ingress", "from"))
    ]


@pytest.mark.parametrize(
    "way_back",
    [((1024, 65535), "0.0.0.0/0"), ((32768, 60999), "0.0.0.0/0"), (None, "203.0.113.0/24")],
    ids=["all", "linux", "one-network"],
)
def test_any_way_for_some_replies_is_enough(way_back: tuple[tuple[int, int] | None, str]) -> None:
    ports, peer = way_back
    rules = with_acl(
        entry(100, "allow", (443, 443), "203.0.113.0/24"), entry(100, "allow", ports, peer, direction="egress")
    )
    assert subjects(rules, "acl-no-ephemeral") == []


@pytest.mark.parametrize(
    "egress",
    [
        (entry(100, "allow", (1024, 65535), "198.51.100.0/24", "egress"),),
        (entry(100, "allow", (1024, 65535), direction="egress", protocol=17),),
        (entry(90, "deny", (1024, 65535), direction="egress"), entry(100, "allow", None, direction="egress")),
        (entry(100, "allow", (1024, 65535), "::/0", "egress"),),
    ],
    ids=["another-network", "another-protocol", "denied-before", "another-family"],
)
def test_a_way_that_these_replies_cannot_take_does_not_count(egress: tuple[NetworkAclEntry, ...]) -> None:
    rules = with_acl(entry(100, "allow", (443, 443), "203.0.113.0/24"), *egress)
    assert "acl-1:ingress[100]" in subjects(rules, "acl-no-ephemeral")


def test_an_entry_for_replies_needs_no_replies_of_its_own() -> None:
    rules = with_acl(entry(100, "allow", (1024, 65535)), entry(100, "deny", None, direction="egress"))
    assert subjects(rules, "acl-no-ephemeral") == []


def test_an_entry_for_everything_is_for_replies_only_where_there_is_something_to_reply_to() -> None:
    everything = entry(100, "allow", None)
    asked = with_acl(everything, entry(100, "allow", (443, 443), direction="egress"))
    assert subjects(asked, "acl-no-ephemeral") == []
    assert subjects(with_acl(everything), "acl-no-ephemeral") == ["acl-1:ingress[100]"]
