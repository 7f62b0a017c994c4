"""The AWS CLI's own JSON."""

import json
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.errors import RuleFileError
from firewall.model import ICMP, ICMPV6, TCP, GroupPeer, Peering, PrefixListPeer
from firewall.sources import aws_cli, load_rules
from tests.firewall.aws_outputs import EVERYTHING, kinds, rules_from

GROUPS = {
    "SecurityGroups": [
        {
            "GroupId": "sg-1",
            "GroupName": "web",
            "VpcId": "vpc-1",
            "OwnerId": "111122223333",
            "Description": "",
            "Tags": [{"Key": "team", "Value": "a"}],
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "everyone"}, {"CidrIp": "10.0.0.0/8"}],
                    "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                    "PrefixListIds": [{"PrefixListId": "pl-1"}],
                    "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "111122223333", "PeeringStatus": "active"}],
                },
                {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
                {"IpProtocol": "icmpv6", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
                {"IpProtocol": "50", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            ],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": []}],
        },
        {"GroupId": "sg-2", "GroupName": "app"},
    ]
}
INTERFACES = {
    "NetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-1",
            "MacAddress": "02:00:5e:00:53:01",
            "SourceDestCheck": True,
            "Groups": [{"GroupId": "sg-1", "GroupName": "web"}],
            "PrivateIpAddress": "10.0.1.10",
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.1.10", "Primary": True, "Association": {"PublicIp": "203.0.113.10"}},
                {"PrivateIpAddress": "10.0.1.11", "Primary": False},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::10", "IsPrimaryIpv6": True}],
            "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0},
        }
    ]
}


def with_permission(**permission: Any) -> dict[str, Any]:
    return {"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [permission]}]}


def test_describe_security_groups_makes_one_rule_for_each_peer(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, GROUPS, {"pl-1": {"Entries": [{"Cidr": "192.0.2.0/24"}]}})
    web = rules.groups["sg-1"]
    assert web.name == "web"
    assert [
        (rule.name, rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code, rule.peer) for rule in web.ingress
    ] == [
        ("sg-1:ingress[0]", TCP, (443, 443), -1, -1, ip_network("0.0.0.0/0")),
        ("sg-1:ingress[1]", TCP, (443, 443), -1, -1, ip_network("10.0.0.0/8")),
        ("sg-1:ingress[2]", TCP, (443, 443), -1, -1, ip_network("::/0")),
        ("sg-1:ingress[3]", TCP, (443, 443), -1, -1, PrefixListPeer("pl-1")),
        ("sg-1:ingress[4]", TCP, (443, 443), -1, -1, GroupPeer("sg-2", Peering("", "active"))),
        ("sg-1:ingress[5]", ICMP, None, 8, -1, ip_network("10.0.0.0/8")),
        ("sg-1:ingress[6]", ICMPV6, None, -1, -1, ip_network("::/0")),
        ("sg-1:ingress[7]", 50, None, -1, -1, ip_network("10.0.0.0/8")),
    ]
    assert (web.vpc, rules.groups["sg-2"].vpc) == ("vpc-1", None)
    assert web.ingress[0].description == "everyone"
    assert [(rule.name, rule.protocol, rule.ports) for rule in web.egress] == [("sg-1:egress[0]", -1, None)]
    assert rules.warnings == ()


def test_a_missing_list_is_an_empty_one_unlike_in_the_native_yaml(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, GROUPS)
    assert (rules.groups["sg-2"].ingress, rules.groups["sg-2"].egress) == ((), ())
    assert "default-egress" not in kinds(rules)


def test_interfaces_and_groups_are_merged_in_any_order(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, INTERFACES, GROUPS)
    eni = rules.interfaces["eni-1"]
    assert eni.addresses == tuple(map(ip_address, ("10.0.1.10", "10.0.1.11", "2001:db8::10")))
    assert (eni.groups, eni.mac, eni.instance) == (("sg-1",), "02:00:5e:00:53:01", "i-1")
    assert rules_from(tmp_path, GROUPS, INTERFACES).interfaces.keys() == rules.interfaces.keys()
    assert rules_from(tmp_path, INTERFACES | GROUPS).groups.keys() == rules.groups.keys() == {"sg-1", "sg-2"}
    assert kinds(rules) == ["unknown-prefix-list"]


@pytest.mark.parametrize("number", ["6", 6, "tcp", "TCP"], ids=repr)
def test_protocol_numbers_are_the_names(tmp_path: Path, number: str | int) -> None:
    given = with_permission(IpProtocol=number, FromPort=1, ToPort=2, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    (rule,) = rules_from(tmp_path, given).groups["sg-1"].ingress
    assert (rule.protocol, rule.ports) == (TCP, (1, 2))


@pytest.mark.parametrize(
    "ports", [{}, {"FromPort": None, "ToPort": None}, {"FromPort": -1, "ToPort": -1}, {"FromPort": 0}]
)
def test_all_protocols_are_all_whatever_the_ports_say(tmp_path: Path, ports: dict[str, Any]) -> None:
    given = with_permission(IpProtocol="-1", IpRanges=[{"CidrIp": "10.0.0.0/8"}], **ports)
    (rule,) = rules_from(tmp_path, given).groups["sg-1"].ingress
    assert (rule.protocol, rule.ports, rule.icmp_type) == (-1, None, -1)


@pytest.mark.parametrize(
    ("ports", "kept"),
    [
        ({}, None),
        ({"FromPort": -1, "ToPort": -1}, None),
        ({"FromPort": 0, "ToPort": 65535}, None),
        ({"FromPort": 22, "ToPort": 22}, (22, 22)),
    ],
)
def test_sctp_ports_are_kept_where_they_narrow(tmp_path: Path, ports: dict[str, int], kept: object) -> None:
    given = with_permission(IpProtocol="132", IpRanges=[{"CidrIp": "10.0.0.0/8"}], **ports)
    rules = rules_from(tmp_path, given)
    (rule,) = rules.groups["sg-1"].ingress
    assert rule.ports == kept
    assert kinds(rules) == (["ports-ignored"] if kept else [])


def test_an_interface_in_a_group_that_no_file_has_keeps_the_id_and_is_warned_of(tmp_path: Path) -> None:
    other = json.loads(json.dumps(INTERFACES))
    other["NetworkInterfaces"][0]["Groups"].append({"GroupId": "sg-9"})
    rules = rules_from(tmp_path, GROUPS, other)
    assert rules.interfaces["eni-1"].groups == ("sg-1", "sg-9")
    assert "interface eni-1 has sg-9, whose rules no file gives" in [warning.text for warning in rules.warnings]
    assert "unknown-group" in kinds(rules)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"Groups": []}, "no-groups"),
        ({"PrivateIpAddress": None, "PrivateIpAddresses": None, "Ipv6Addresses": None}, "no-addresses"),
    ],
)
def test_an_interface_with_nothing_to_judge_is_left_out_and_warned_of(
    tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    eni = INTERFACES["NetworkInterfaces"][0] | change
    rules = rules_from(tmp_path, with_permission(IpProtocol="-1"), {"NetworkInterfaces": [eni]})
    assert (rules.interfaces, kinds(rules)) == ({}, [kind])


def test_output_that_was_cut_into_pages_is_warned_of(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, GROUPS | {"NextToken": "abc"})
    assert "more-pages" in kinds(rules)


def test_keys_that_say_nothing_about_rules_are_ignored_beside_those_that_do(tmp_path: Path) -> None:
    assert rules_from(tmp_path, GROUPS | {"ResponseMetadata": {}, "RouteTables": []}).groups.keys() == {"sg-1", "sg-2"}


def test_every_output_may_stand_in_one_file(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, EVERYTHING)
    assert EVERYTHING.keys() >= set(aws_cli.TOP_KEYS) - {"Entries"}
    assert rules.groups.keys() == {"sg-1", "sg-2", "sg-3"}
    assert [rule.name for rule in rules.groups["sg-3"].egress] == ["sg-3/sgr-1"]
    assert rules.prefix_lists["pl-1"].entries == (ip_network("192.0.2.0/24"),)
    assert (list(rules.vpcs), list(rules.subnets)) == (["vpc-1"], ["subnet-1"])
    assert rules.network_acl_of(rules.interfaces["eni-1"]) is rules.network_acls["acl-1"]
    assert rules.interfaces["eni-1"].mirror_vnis == (7654321,)
    assert kinds(rules) == ["stale-rule"]


def test_native_yaml_may_name_groups_of_the_cli(tmp_path: Path) -> None:
    native = tmp_path / "native.yaml"
    native.write_text("interfaces: {eni: {addresses: [10.0.0.1], security_groups: [web, sg-2]}}")
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps(GROUPS))
    assert load_rules(native, groups).interfaces["eni"].groups == ("sg-1", "sg-2")


def test_a_name_of_two_groups_needs_the_id(tmp_path: Path) -> None:
    native = tmp_path / "native.yaml"
    native.write_text("interfaces: {eni: {addresses: [10.0.0.1], security_groups: [default]}}")
    groups = tmp_path / "groups.json"
    groups.write_text(
        json.dumps({"SecurityGroups": [{"GroupId": name, "GroupName": "default"} for name in ("sg-1", "sg-2")]})
    )
    with pytest.raises(RuleFileError, match="'default' names several security groups: write the id, one of sg-1, sg-2"):
        load_rules(native, groups)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (
            with_permission(IpProtocol="tcp", IpRanges=[{"CidrIp": "10.0.0.0/8"}]),
            "tcp permission without FromPort and ToPort",
        ),
        (with_permission(IpProtocol="icmp", FromPort=8, ToPort=65535), "ICMP code 65535 is out of range"),
        (with_permission(IpProtocol="icmp", FromPort=-1, ToPort=0), "any type needs any code"),
        (with_permission(IpProtocol="tcp", FromPort=2, ToPort=1), "first port 2 is above last port 1"),
        (with_permission(IpProtocol="tcp", FromPort="1", ToPort=1), "FromPort and ToPort are no numbers"),
        (with_permission(IpProtocol="tpc", FromPort=1, ToPort=1), "unknown protocol 'tpc': did you mean tcp?"),
        (with_permission(FromPort=1, ToPort=1), "IpProtocol is missing"),
        (with_permission(IpProtocol="-1", IpRanges=[{"CidrIp": "::/0"}]), "::/0 is no IPv4 block"),
        (with_permission(IpProtocol="-1", IpRanges=[{}]), "CidrIp is missing"),
        (with_permission(IpProtocol="-1", IpRanges={"CidrIp": "10.0.0.0/8"}), "expected a list, found a mapping"),
        (with_permission(IpProtocol="-1", UserIdGroupPairs=[{"GroupName": "web"}]), "GroupId is missing"),
        ({"SecurityGroups": [{"GroupName": "web"}]}, "GroupId is missing"),
        ({"SecurityGroups": [{"GroupId": "sg-1"}, {"GroupId": "sg-1"}]}, "security group 'sg-1' is defined twice"),
        ({"Entries": [{"Cidr": "10.0.0.0/8"}]}, 'name the file after the list, pl-....json, or write {"pl-...": '),
        ({"RouteTables": []}, "leave describe-route-tables out"),
        ({"SecurityGroups": [], "SecurityGroupRules": {}}, "expected a list, found a mapping"),
        ({"pl-1": {}}, "Entries is missing"),
        (INTERFACES, "no file defines a security group"),
    ],
)
def test_json_that_aws_would_not_print_is_refused_with_a_place(
    tmp_path: Path, output: dict[str, Any], says: str
) -> None:
    with pytest.raises(RuleFileError) as caught:
        rules_from(tmp_path, output)
    (line,) = caught.value.problems
    assert line.startswith(f"{tmp_path}/0.json")
    assert says in line
