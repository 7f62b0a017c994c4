"""Groups in two outputs, rules with ids, references over peering connections."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from firewall.model import ICMP, TCP, GroupPeer, Peering, PrefixListPeer, Rule
from firewall.sources import load_rules
from tests.firewall.aws_outputs import allowed, group, kinds, problems_from, rules_from
from tests.firewall.test_sources_same_rules import groups_of_rules, in_json

ANYWHERE = ip_network("0.0.0.0/0")
HTTPS: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}


def row(number: int, *, egress: bool = False, of: str = "sg-1", **keys: Any) -> dict[str, Any]:
    return {"SecurityGroupRuleId": f"sgr-{number}", "GroupId": of, "IsEgress": egress} | keys


def rows(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"SecurityGroupRules": list(listed)}


ALL: dict[str, Any] = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1}
ROWS = rows(
    row(1, egress=True, CidrIpv4="0.0.0.0/0", **ALL),
    row(2, CidrIpv4="198.51.100.0/24", Description="office", Tags=[], **HTTPS),
    row(3, CidrIpv6="2001:db8::/32", **HTTPS),
    row(4, PrefixListId="pl-1", **HTTPS),
    row(5, ReferencedGroupInfo={"GroupId": "sg-1", "UserId": "111122223333"}, **ALL),
    row(6, IpProtocol="icmp", FromPort=8, ToPort=-1, CidrIpv4="0.0.0.0/0"),
)


# --- describe-security-group-rules ------------------------------------------------------------------------
def test_rows_make_rules_with_ids_and_a_group_that_is_named_by_its_id(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, ROWS)
    sg = rules.groups["sg-1"]
    assert (sg.name, sg.vpc) == ("sg-1", None)
    assert [(rule.name, rule.index) for rule in (*sg.ingress, *sg.egress)] == [
        ("sg-1/sgr-2", 0),
        ("sg-1/sgr-3", 1),
        ("sg-1/sgr-4", 2),
        ("sg-1/sgr-5", 3),
        ("sg-1/sgr-6", 4),
        ("sg-1/sgr-1", 0),
    ]
    assert [allowed(rule) for rule in sg.ingress] == [
        ("ingress", TCP, (443, 443), -1, -1, ip_network("198.51.100.0/24"), "office"),
        ("ingress", TCP, (443, 443), -1, -1, ip_network("2001:db8::/32"), ""),
        ("ingress", TCP, (443, 443), -1, -1, PrefixListPeer("pl-1"), ""),
        ("ingress", -1, None, -1, -1, GroupPeer("sg-1"), ""),
        ("ingress", ICMP, None, 8, -1, ANYWHERE, ""),
    ]
    assert [allowed(rule) for rule in sg.egress] == [("egress", -1, None, -1, -1, ANYWHERE, "")]
    assert kinds(rules) == ["unknown-prefix-list"]


def test_rows_replace_the_permissions_of_their_group_and_of_no_other(tmp_path: Path) -> None:
    described = {
        "SecurityGroups": [
            {"GroupId": each, "GroupName": name, "VpcId": "vpc-1", "IpPermissions": [web]}
            for each, name in (("sg-1", "web"), ("sg-2", "app"))
            for web in [HTTPS | {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
        ]
    }
    listed = rows(row(1, CidrIpv4="10.0.0.0/8", Description="all of it", **HTTPS))
    for outputs in ((described, listed), (listed, described), (described | listed,)):
        rules = rules_from(tmp_path, *outputs)
        assert [(each.name, each.vpc) for each in rules.groups.values()] == [("web", "vpc-1"), ("app", "vpc-1")]
        names = [rule.name for each in rules.groups.values() for rule in each.ingress]
        assert names == ["sg-1/sgr-1", "sg-2:ingress[0]"]
        assert rules.warnings == ()


def test_rows_and_permissions_of_different_times_are_warned_of(tmp_path: Path) -> None:
    described = group(HTTPS | {"IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "198.51.100.0/24"}]})
    listed = rows(row(1, CidrIpv4="10.0.0.0/8", **HTTPS), row(2, egress=True, CidrIpv4="0.0.0.0/0", **ALL))
    rules = rules_from(tmp_path, described, listed)
    (warning,) = rules.warnings
    assert warning.kind == "rules-differ"
    assert str(warning) == (
        f"{tmp_path}/0.json:3:9 the rules of sg-1 differ: 1 in describe-security-group-rules alone, "
        "1 in describe-security-groups alone; those of the former are used"
    )
    assert [rule.name for rule in (*rules.groups["sg-1"].ingress, *rules.groups["sg-1"].egress)] == [
        "sg-1/sgr-1",
        "sg-1/sgr-2",
    ]


def test_a_group_that_is_described_without_permissions_does_not_differ(tmp_path: Path) -> None:
    assert kinds(rules_from(tmp_path, {"SecurityGroups": [{"GroupId": "sg-1"}]}, ROWS)) == ["unknown-prefix-list"]


def test_what_permissions_and_their_rows_would_both_warn_of_is_told_once(tmp_path: Path) -> None:
    described = group({"IpProtocol": "icmpv6", "IpRanges": [{"CidrIp": "10.0.0.1/8"}]})
    listed = rows(row(1, IpProtocol="icmpv6", FromPort=-1, ToPort=-1, CidrIpv4="10.0.0.1/8"))
    rules = rules_from(tmp_path, described, listed)
    assert kinds(rules) == ["host-bits", "family-mismatch"]
    assert {warning.place.file for warning in rules.warnings if warning.place} == {f"{tmp_path}/1.json"}


def test_a_broken_permission_is_an_error_though_rows_replace_it(tmp_path: Path) -> None:
    (line,) = problems_from(tmp_path, group({"FromPort": 1}), ROWS)
    assert line.startswith("0.json:6:17 SecurityGroups[0].IpPermissions[0] - IpProtocol is missing")


def test_interfaces_and_native_files_may_name_a_group_that_only_rows_give(tmp_path: Path) -> None:
    native = tmp_path / "native.yaml"
    native.write_text("interfaces: {eni-1: {addresses: [10.0.0.1], security_groups: [sg-1]}}")
    listed = tmp_path / "rows.json"
    listed.write_text(json.dumps(ROWS))
    eni = {"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.0.0.2", "Groups": [{"GroupId": "sg-1"}]}
    interfaces = tmp_path / "interfaces.json"
    interfaces.write_text(json.dumps({"NetworkInterfaces": [eni]}))
    rules = load_rules(native, interfaces, listed)
    assert {each.groups for each in rules.interfaces.values()} == {("sg-1",)}
    assert "unknown-group" not in kinds(rules)


@pytest.mark.parametrize("order", [("native.yaml", "rows.json"), ("rows.json", "native.yaml")])
def test_rows_of_a_group_that_native_yaml_defines_are_refused(tmp_path: Path, order: tuple[str, str]) -> None:
    (tmp_path / "native.yaml").write_text("security_groups: {web: {id: sg-1, ingress: [], egress: []}}")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    with pytest.raises(Exception, match=r"rows\.json:1:25 .*'sg-1' is defined twice, first at .*native\.yaml:1:19"):
        load_rules(*(tmp_path / name for name in order))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"IsEgress": None}, "SecurityGroupRules[0] - IsEgress is missing: give the AWS CLI's output whole"),
        ({"IsEgress": "false"}, "IsEgress - 'false' is not true or false: give the AWS CLI's output as it is"),
        ({"GroupId": None}, "SecurityGroupRules[0] - GroupId is missing: give the AWS CLI's output whole"),
        ({"CidrIpv4": None}, "CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupInfo, this one 0: give"),
        ({"CidrIpv6": "::/0"}, "exactly one of CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupInfo, this one 2"),
        ({"CidrIpv4": "::/0"}, "::/0 is no IPv4 block: it cannot stand in CidrIpv4"),
        ({"CidrIpv4": None, "ReferencedGroupInfo": {}}, "ReferencedGroupInfo - GroupId is missing"),
        ({"CidrIpv4": None, "ReferencedGroupInfo": "sg-1"}, "ReferencedGroupInfo - GroupId is missing"),
        ({"SecurityGroupRuleId": "rule-1"}, "'rule-1' is no rule id: AWS's start with sgr-"),
        ({"IpProtocol": None}, "IpProtocol is missing"),
        ({"FromPort": None, "ToPort": None}, "tcp permission without FromPort and ToPort"),
    ],
)
def test_a_row_that_aws_would_not_print_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (line,) = problems_from(tmp_path, rows(row(1, CidrIpv4="10.0.0.0/8", **HTTPS) | change))
    assert line.startswith("0.json:")
    assert says in line


def test_two_rows_with_one_id_are_refused(tmp_path: Path) -> None:
    (line,) = problems_from(tmp_path, rows(*(row(1, CidrIpv4=each, **HTTPS) for each in ("10.0.0.0/8", "0.0.0.0/0"))))
    assert line.endswith("rule id 'sgr-1' is used twice, first at 0.json:4:36")


@given(groups_of_rules)
def test_the_two_outputs_of_one_account_give_equal_rules(
    tmp_path_factory: pytest.TempPathFactory, groups: dict[str, tuple[tuple[Rule, ...], tuple[Rule, ...]]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    described = {
        "SecurityGroups": [
            {"GroupId": each, "IpPermissions": [*map(in_json, inn)], "IpPermissionsEgress": [*map(in_json, out)]}
            for each, (inn, out) in groups.items()
        ]
    }
    every = [rule for both in groups.values() for listed in both for rule in listed]
    listed = rows(*(as_row(number, rule) for number, rule in enumerate(every)))
    from_both = rules_from(folder, described, listed)
    assert "rules-differ" not in kinds(from_both)
    found = [rules_from(folder, described), from_both, *([rules_from(folder, listed)] if every else [])]
    for rules in found:
        for identity, (ingress, egress) in groups.items():
            if identity in rules.groups:  # rows alone say nothing of a group without rules
                assert [*map(allowed, rules.groups[identity].ingress)] == [*map(allowed, ingress)]
                assert [*map(allowed, rules.groups[identity].egress)] == [*map(allowed, egress)]
            else:
                assert (ingress, egress) == ((), ())


def as_row(number: int, rule: Rule) -> dict[str, Any]:
    """A rule as describe-security-group-rules prints it."""
    permission = in_json(rule)
    (kind,) = permission.keys() & {"IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"}
    (peer,) = permission[kind]
    keys: dict[str, Any] = {
        "IpRanges": {"CidrIpv4": peer.get("CidrIp")},
        "Ipv6Ranges": {"CidrIpv6": peer.get("CidrIpv6")},
        "PrefixListIds": {"PrefixListId": peer.get("PrefixListId")},
        "UserIdGroupPairs": {"ReferencedGroupInfo": {"GroupId": peer.get("GroupId")}},
    }[kind]
    bounds = {"FromPort": permission.get("FromPort", -1), "ToPort": permission.get("ToPort", -1)}
    protocol = {"IpProtocol": permission["IpProtocol"], "Description": rule.description}
    return row(number, egress=rule.direction == "egress", of=rule.group_id, **protocol, **bounds, **keys)


# --- groups that refer to groups ---------------------------------------------------------------------------
def test_two_vpcs_may_each_have_a_group_of_one_name(tmp_path: Path) -> None:
    named = [{"GroupId": f"sg-{vpc}", "GroupName": "default", "VpcId": f"vpc-{vpc}"} for vpc in (1, 2)]
    rules = rules_from(tmp_path, {"SecurityGroups": named})
    assert [(each.name, each.vpc) for each in rules.groups.values()] == [("default", "vpc-1"), ("default", "vpc-2")]


def over_peering(status: str | None) -> dict[str, Any]:
    pair = {"GroupId": "sg-8", "VpcId": "vpc-2", "VpcPeeringConnectionId": "pcx-1"}
    return group({"IpProtocol": "-1", "UserIdGroupPairs": [pair | ({"PeeringStatus": status} if status else {})]})


def peering(code: str) -> dict[str, Any]:
    return {"VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": code, "Message": "."}}]}


def test_a_rule_over_a_deleted_peering_is_kept_and_warned_of(tmp_path: Path) -> None:
    pairs = [{"GroupId": "sg-8", "PeeringStatus": "deleted"}, {"GroupId": "sg-1"}]
    rules = rules_from(tmp_path, group({"IpProtocol": "-1", "UserIdGroupPairs": pairs}))
    assert [(rule.name, rule.peer) for rule in rules.groups["sg-1"].ingress] == [
        ("sg-1:ingress[0]", GroupPeer("sg-8", Peering("", "deleted"))),
        ("sg-1:ingress[1]", GroupPeer("sg-1")),
    ]
    (warning,) = rules.warnings
    assert (warning.kind, warning.text) == (
        "stale-rule",
        "the peering to sg-8 is deleted: the rule matches nothing",
    )


@pytest.mark.parametrize("code", ["deleted", "expired", "rejected", "failed"])
@pytest.mark.parametrize("status", [None, "active"])
def test_a_rule_over_a_peering_that_has_ended_is_stale_whatever_the_pair_says(
    tmp_path: Path, status: str | None, code: str
) -> None:
    for outputs in ((over_peering(status), peering(code)), (peering(code), over_peering(status))):
        rules = rules_from(tmp_path, *outputs)
        (rule,) = rules.groups["sg-1"].ingress
        assert rule.peer == GroupPeer("sg-8", Peering("pcx-1", "deleted"))
        assert kinds(rules) == ["stale-rule"]


@pytest.mark.parametrize(
    ("status", "code", "kept"),
    [
        (None, "active", "active"),
        ("active", "active", "active"),
        (None, None, "active"),
        (None, "provisioning", "provisioning"),
        ("active", "deleting", "active"),
        ("deleted", "active", "deleted"),
    ],
)
def test_a_peering_that_lives_keeps_its_status(tmp_path: Path, status: str | None, code: str | None, kept: str) -> None:
    rules = rules_from(tmp_path, over_peering(status), *([peering(code)] if code else []))
    (rule,) = rules.groups["sg-1"].ingress
    assert rule.peer == GroupPeer("sg-8", Peering("pcx-1", kept))
    assert kinds(rules) == ["stale-rule" if kept == "deleted" else "unknown-members"]


def test_the_status_of_another_peering_changes_nothing(tmp_path: Path) -> None:
    other = {"VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-2", "Status": {"Code": "deleted"}}]}
    (rule,) = rules_from(tmp_path, over_peering("active"), other).groups["sg-1"].ingress
    assert rule.peer == GroupPeer("sg-8", Peering("pcx-1", "active"))


def test_a_reference_that_aws_lists_as_stale_is_stale_in_that_group_alone(tmp_path: Path) -> None:
    pairs = [{"GroupId": "sg-8", "VpcPeeringConnectionId": "pcx-1"}, {"GroupId": "sg-9"}]
    permission = {"IpProtocol": "-1", "UserIdGroupPairs": pairs}
    described = {"SecurityGroups": [{"GroupId": each, "IpPermissions": [permission]} for each in ("sg-1", "sg-2")]}
    stale = {
        "StaleSecurityGroupSet": [
            {
                "GroupId": "sg-1",
                "StaleIpPermissions": [{"IpProtocol": "-1", "IpRanges": [], "UserIdGroupPairs": pairs[:1]}],
                "StaleIpPermissionsEgress": [],
            }
        ]
    }
    rules = rules_from(tmp_path, described, stale)
    peers = [rule.peer for each in ("sg-1", "sg-2") for rule in rules.groups[each].ingress]
    assert peers == [
        GroupPeer("sg-8", Peering("pcx-1", "deleted")),
        GroupPeer("sg-9"),
        GroupPeer("sg-8", Peering("pcx-1", "active")),
        GroupPeer("sg-9"),
    ]


def test_a_row_runs_over_a_peering_too(tmp_path: Path) -> None:
    referenced = {"GroupId": "sg-8", "PeeringStatus": "active", "VpcPeeringConnectionId": "pcx-1"}
    rules = rules_from(tmp_path, rows(row(1, ReferencedGroupInfo=referenced, **ALL)), peering("expired"))
    (rule,) = rules.groups["sg-1"].ingress
    assert rule.peer == GroupPeer("sg-8", Peering("pcx-1", "deleted"))
