"""Network interfaces from the AWS CLI, described once or twice."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import ConnectionTracking, NetworkInterface
from tests.firewall.aws_outputs import ENI, group, kinds, problems_from, rules_from

GROUP = group(identity="sg-1")
ENI_GROUPS = {"Groups": [{"GroupId": "sg-1"}]}
FIELDS = [name for name in NetworkInterface.__slots__ if name != "place"]
ATTACHED = {"Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}


def interfaces(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"NetworkInterfaces": list(listed)}


def instances(*listed: dict[str, Any], identity: str = "i-1") -> dict[str, Any]:
    attached = [each | {"Attachment": {"DeviceIndex": 0, "Status": "attached"}} for each in listed]
    instance = {"InstanceId": identity, "InstanceType": "m7i.large", "NetworkInterfaces": attached}
    return {"Reservations": [{"ReservationId": "r-1", "Instances": [instance]}]}


def only(folder: Path, *outputs: Any) -> NetworkInterface:
    rules = rules_from(folder, GROUP, *outputs)
    assert rules.warnings == ()
    (found,) = rules.interfaces.values()
    return found


def test_everything_that_is_said_of_an_interface_is_kept(tmp_path: Path) -> None:
    eni = only(tmp_path, interfaces(ENI | ATTACHED | {"SourceDestCheck": False}))
    assert eni.addresses == tuple(map(ip_address, ("10.0.1.10", "10.0.1.11", "2001:db8::10")))
    assert eni.prefixes == tuple(map(ip_network, ("10.0.1.16/28", "2001:db8:0:0:1::/80")))
    assert eni.public_addresses == tuple(map(ip_address, ("203.0.113.10", "203.0.113.11")))
    assert (eni.subnet, eni.vpc, eni.instance, eni.mac) == ("subnet-1", "vpc-1", "i-1", "02:00:5e:00:53:01")
    assert (eni.source_dest_check, eni.interface_type, eni.complete) == (False, "interface", True)
    assert eni.connection_tracking == ConnectionTracking(tcp_established_timeout=350)


def test_what_is_not_said_of_an_interface_is_the_default(tmp_path: Path) -> None:
    eni = only(tmp_path, interfaces({"NetworkInterfaceId": "eni-1", "Ipv6Address": "2001:db8::1"} | ENI_GROUPS))
    assert eni == NetworkInterface("eni-1", (ip_address("2001:db8::1"),), ("sg-1",), place=eni.place)


def test_the_interfaces_of_an_instance_are_its_own(tmp_path: Path) -> None:
    second = {"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.0.2.10"} | ENI_GROUPS
    rules = rules_from(tmp_path, GROUP, instances(ENI, second))
    assert [(each.interface_id, each.instance) for each in rules.interfaces.values()] == [
        ("eni-1", "i-1"),
        ("eni-2", "i-1"),
    ]


def test_an_interface_of_two_outputs_that_agree_is_one_interface(tmp_path: Path) -> None:
    brief = {"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.1.10", "VpcId": "vpc-1"} | ENI_GROUPS
    brief |= {"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.11"}], "Ipv6Addresses": ENI["Ipv6Addresses"]}
    alone = only(tmp_path, interfaces(ENI | ATTACHED))
    for outputs in (
        (interfaces(ENI | ATTACHED), instances(ENI)),
        (instances(ENI), interfaces(ENI | ATTACHED)),
        (instances(brief), interfaces(ENI)),
        (interfaces(brief), instances(ENI)),
        (interfaces(ENI | ATTACHED), interfaces(ENI | ATTACHED)),
    ):
        eni = only(tmp_path, *outputs)
        assert eni.place is not None
        assert alone == NetworkInterface(**{name: getattr(eni, name) for name in FIELDS}, place=alone.place)


def test_the_order_of_addresses_and_groups_is_no_difference(tmp_path: Path) -> None:
    one = ENI | {"Groups": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}]}
    other = ENI | {"Groups": one["Groups"][::-1], "PrivateIpAddresses": ENI["PrivateIpAddresses"][::-1]}
    del other["PrivateIpAddress"]
    rules = rules_from(tmp_path, GROUP, group(identity="sg-2"), interfaces(one), instances(other))
    assert rules.interfaces["eni-1"].groups == ("sg-1", "sg-2")


def test_an_interface_of_two_outputs_that_differ_is_refused(tmp_path: Path) -> None:
    other = ENI | {"Groups": [{"GroupId": "sg-2"}], "SourceDestCheck": False, "Ipv6Addresses": []}
    (line,) = problems_from(tmp_path, GROUP, interfaces(ENI), instances(other))
    assert line == (
        "2.json:10:25 Reservations[0].Instances[0].NetworkInterfaces[0] - interface eni-1 differs from its description "
        "at 1.json:3:9 in addresses, groups, source dest check: give outputs of the same moment, or one of the two"
    )


def test_one_address_on_two_interfaces_is_refused_even_in_two_vpcs(tmp_path: Path) -> None:
    other = {"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "10.0.1.10", "VpcId": "vpc-2"} | ENI_GROUPS
    (line,) = problems_from(tmp_path, GROUP, interfaces(ENI, other))
    assert "address 10.0.1.10 is listed already, on interface 'eni-1'" in line


@pytest.mark.parametrize(
    "kind",
    ["natGateway", "nat_gateway", "network_load_balancer", "vpc_endpoint", "lambda", "global_accelerator_managed"],
)
def test_interfaces_of_services_that_are_always_tracked_are_auto_tracked_peers(tmp_path: Path, kind: str) -> None:
    service = {"InterfaceType": kind, "RequesterManaged": True, "Groups": []}
    rules = rules_from(tmp_path, GROUP, interfaces(ENI | service))
    assert rules.auto_tracked == tuple(
        map(ip_network, ("10.0.1.10/32", "10.0.1.11/32", "2001:db8::10/128", "10.0.1.16/28", "2001:db8:0:0:1::/80"))
    )
    assert (dict(rules.interfaces), rules.warnings) == ({}, ())


def test_an_auto_tracked_interface_with_groups_is_an_interface_too(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, GROUP, interfaces(ENI | {"InterfaceType": "vpc_endpoint"}))
    assert ip_network("10.0.1.10/32") in rules.auto_tracked
    assert rules.interfaces.keys() == {"eni-1"}


@pytest.mark.parametrize("kind", ["interface", "efa", "transit_gateway", "gateway_load_balancer_endpoint", "new"])
def test_other_interfaces_are_not_auto_tracked(tmp_path: Path, kind: str) -> None:
    rules = rules_from(tmp_path, GROUP, interfaces(ENI | {"InterfaceType": kind}))
    assert (rules.auto_tracked, rules.interfaces["eni-1"].interface_type) == ((), kind)


def test_a_peer_that_two_outputs_describe_is_auto_tracked_once(tmp_path: Path) -> None:
    nat = {
        "NetworkInterfaceId": "eni-9",
        "PrivateIpAddress": "10.0.1.200",
        "InterfaceType": "natGateway",
        "Groups": [],
    }
    rules = rules_from(tmp_path, GROUP, interfaces(nat), interfaces(nat))
    assert rules.auto_tracked == (ip_network("10.0.1.200/32"),)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"SourceDestCheck": "yes"}, "SourceDestCheck - 'yes' is not true or false"),
        ({"Ipv4Prefixes": [{}]}, "Ipv4Prefix is missing"),
        ({"Ipv4Prefixes": [{"Ipv4Prefix": "2001:db8::/80"}]}, "is no IPv4 block: it cannot stand in Ipv4Prefix"),
        ({"Ipv6Prefixes": [{"Ipv6Prefix": "10.0.0.0/28"}]}, "10.0.0.0/28 is no IPv6 block"),
        ({"Association": {"PublicIp": "everywhere"}}, "'everywhere' is no single address"),
        ({"PrivateIpAddress": "10.0.0.0/8"}, "'10.0.0.0/8' is no single address"),
        ({"PrivateIpAddress": 10}, "10 is no single address"),
        ({"SubnetId": {}}, "expected SubnetId, found a mapping: write a text"),
        ({"Groups": [{"GroupName": "web"}]}, "GroupId is missing"),
        ({"ConnectionTrackingConfiguration": {"UdpTimeout": 61}}, "61 is no udp_timeout: write 30 to 60 seconds"),
        ({"NetworkInterfaceId": None}, "NetworkInterfaceId is missing: give the AWS CLI's output whole"),
    ],
)
def test_an_interface_that_aws_would_not_print_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    for output in (interfaces(ENI | change), instances(ENI | change)):
        (line,) = problems_from(tmp_path, GROUP, output)
        assert line.startswith("1.json:")
        assert says in line


def test_an_interface_may_lack_groups_in_one_output_and_have_them_in_the_other(tmp_path: Path) -> None:
    without = {key: value for key, value in ENI.items() if key != "Groups"}
    rules = rules_from(tmp_path, GROUP, interfaces(without), instances(ENI))
    assert (rules.interfaces["eni-1"].groups, kinds(rules)) == (("sg-1",), [])
