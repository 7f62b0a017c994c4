"""The same rules in the native YAML and in the AWS CLI's JSON are the same rules."""

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.model import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Direction,
    GroupPeer,
    Peer,
    PrefixListPeer,
    Rule,
    RuleSet,
    UnknownPeer,
)
from firewall.sources import load_rules
from firewall.sources.words import PROTOCOL_NAMES

PEER_LISTS = {4: ("IpRanges", "CidrIp"), 6: ("Ipv6Ranges", "CidrIpv6")}

blocks = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)).flatmap(
    lambda address: st.integers(0, 128 if ":" in address else 32).map(
        lambda length: ip_network(f"{address}/{length}", strict=False)
    )
)
peers = st.one_of(
    blocks, st.builds(GroupPeer, st.sampled_from(["sg-a", "sg-b", "sg-elsewhere"])), st.just(PrefixListPeer("pl-1"))
)
port_ranges = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda both: (min(both), max(both)))
icmp_types = st.one_of(st.just((-1, -1)), st.tuples(st.integers(0, 255), st.integers(-1, 255)))
protocols = st.one_of(
    st.sampled_from([TCP, UDP, ICMP, ICMPV6, -1]), st.integers(0, 255).filter(lambda n: n not in (132, 136))
)


@st.composite
def lists_of_rules(draw: st.DrawFn, group: str, direction: Direction) -> tuple[Rule, ...]:
    rules = []
    for index in range(draw(st.integers(0, 4))):
        number = draw(protocols)
        ports = draw(port_ranges) if number in (TCP, UDP) else None
        icmp = draw(icmp_types) if number in (ICMP, ICMPV6) else (-1, -1)
        about = draw(st.text("abc :'#-", max_size=8))
        rules.append(Rule(group, direction, index, number, draw(peers), ports, *icmp, None, about))
    return tuple(rules)


def in_yaml(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = {
        "protocol": PROTOCOL_NAMES.get(rule.protocol, rule.protocol),
        "description": rule.description,
    }
    if rule.ports:
        first, last = rule.ports
        written["ports"] = first if first == last else f"{first}-{last}"
    if rule.protocol in (ICMP, ICMPV6):
        written["icmp"] = f"{rule.icmp_type}/{rule.icmp_code}"
    written["source" if rule.direction == "ingress" else "destination"] = peer_in_yaml(rule.peer)
    return written


def peer_in_yaml(peer: Peer) -> str:
    match peer:
        case GroupPeer(identity):
            return {"sg-a": "sg:a", "sg-b": "sg:b"}.get(identity, identity)
        case PrefixListPeer(_):
            return "pl:office"
        case _:
            return str(peer)


def in_json(rule: Rule) -> dict[str, Any]:
    names = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}
    written: dict[str, Any] = {"IpProtocol": names.get(rule.protocol, str(rule.protocol))}
    bounds = rule.ports or ((rule.icmp_type, rule.icmp_code) if rule.protocol in (ICMP, ICMPV6) else None)
    if bounds:
        written["FromPort"], written["ToPort"] = bounds
    match rule.peer:
        case GroupPeer(identity):
            key, peer = "UserIdGroupPairs", {"GroupId": identity}
        case PrefixListPeer(identity):
            key, peer = "PrefixListIds", {"PrefixListId": identity}
        case UnknownPeer(text):
            raise AssertionError(text)
        case _:
            key, cidr = PEER_LISTS[rule.peer.version]
            peer = {cidr: str(rule.peer)}
    written[key] = [peer | {"Description": rule.description}]
    return written


def without_places(rules: RuleSet) -> dict[str, tuple[Rule, ...]]:
    return {
        identity: tuple(replace(rule, place=None) for rule in (*group.ingress, *group.egress))
        for identity, group in rules.groups.items()
    }


groups_of_rules = st.fixed_dictionaries(
    {
        identity: st.tuples(lists_of_rules(identity, "ingress"), lists_of_rules(identity, "egress"))
        for identity in ("sg-a", "sg-b")
    }
)


@given(groups_of_rules)
def test_yaml_and_cli_json_give_equal_rules(
    tmp_path_factory: pytest.TempPathFactory, groups: dict[str, tuple[tuple[Rule, ...], tuple[Rule, ...]]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    native, described = folder / "native.yaml", folder / "described.json"
    native_groups = {
        identity.removeprefix("sg-"): {
            "id": identity,
            "ingress": [*map(in_yaml, ingress)],
            "egress": [*map(in_yaml, egress)],
        }
        for identity, (ingress, egress) in groups.items()
    }
    lists = {"office": {"id": "pl-1", "entries": ["192.0.2.0/24"]}}
    native.write_text(json.dumps({"security_groups": native_groups, "prefix_lists": lists}))
    described_groups = [
        {"GroupId": identity, "IpPermissions": [*map(in_json, ingress)], "IpPermissionsEgress": [*map(in_json, egress)]}
        for identity, (ingress, egress) in groups.items()
    ]
    cidrs = [{"PrefixListId": "pl-1", "PrefixListName": "office", "Cidrs": ["192.0.2.0/24"]}]
    described.write_text(json.dumps({"SecurityGroups": described_groups, "PrefixLists": cidrs}))
    from_yaml, from_json = load_rules(native), load_rules(described)
    assert without_places(from_yaml) == without_places(from_json) == {name: (*i, *e) for name, (i, e) in groups.items()}
    assert from_yaml.prefix_lists["pl-1"].entries == from_json.prefix_lists["pl-1"].entries
    kinds = [sorted(warning.kind for warning in rules.warnings) for rules in (from_yaml, from_json)]
    assert kinds[0] == kinds[1]
