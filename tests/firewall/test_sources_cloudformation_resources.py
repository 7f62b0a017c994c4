"""CloudFormation resources one by one: groups, default groups, interfaces, networks, and what is left out."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import GroupPeer, PrefixListPeer, UnknownPeer
from tests.firewall.test_sources_cloudformation import attribute, group, made, ref, rules_from, stack, warned

# --- outbound rules that AWS adds --------------------------------------------------------------------------
NO_EGRESS = made("SecurityGroup", GroupDescription="web")
APART = made("SecurityGroupEgress", GroupId=ref("Web"), IpProtocol="tcp", FromPort=1, ToPort=1, CidrIp="192.0.2.0/24")


@pytest.mark.parametrize(
    "properties", [{}, {"SecurityGroupEgress": []}, {"SecurityGroupEgress": [ref("AWS::NoValue")]}]
)
def test_a_group_without_outbound_rules_gets_both_of_awss(tmp_path: Path, properties: dict[str, Any]) -> None:
    rules = rules_from(tmp_path, stack(Web=made("SecurityGroup", **properties)))
    assert [rule.peer for rule in rules.groups["Web"].egress] == [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert [each.kind for each in rules.warnings] == ["default-egress"]


def test_an_outbound_rule_apart_suppresses_awss(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, stack(Web=NO_EGRESS, Apart=APART))
    assert [rule.peer for rule in rules.groups["Web"].egress] == [ip_network("192.0.2.0/24")]
    assert rules.warnings == ()


def test_an_outbound_rule_that_is_not_made_suppresses_nothing(tmp_path: Path) -> None:
    template = stack(Web=NO_EGRESS, Apart=APART | {"Condition": "Never"})
    rules = rules_from(tmp_path, template | {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}})
    assert len(rules.groups["Web"].egress) == 2


# --- groups outside the template ---------------------------------------------------------------------------
def from_group(source: Any) -> dict[str, Any]:
    return {"IpProtocol": "-1", "SourceSecurityGroupId": source}


@pytest.mark.parametrize(
    ("parameter", "given", "peer"),
    [
        ({"Default": "sg-1"}, "", GroupPeer("sg-1")),
        ({}, "parameters: {Their: sg-2}\n", GroupPeer("sg-2")),
        ({}, "parameters: {Their: Web}\n", GroupPeer("Web")),
        ({}, "", UnknownPeer("the parameter Their (write parameters: {Their: ...} in a second rule file)")),
    ],
)
def test_a_group_of_a_parameter_is_its_id_or_unknown(
    tmp_path: Path, parameter: dict[str, Any], given: str, peer: object
) -> None:
    template = stack(Web=group(SecurityGroupIngress=[from_group(ref("Their"))]))
    template["Parameters"] = {"Their": {"Type": "AWS::EC2::SecurityGroup::Id", **parameter}}
    rules = rules_from(tmp_path, template, *([given] if given else []))
    assert [rule.peer for rule in rules.groups["Web"].ingress] == [peer]


def test_imported_and_stored_values_are_given_by_their_names(tmp_path: Path) -> None:
    template = stack(
        Web=group(
            SecurityGroupIngress=[
                from_group({"Fn::ImportValue": {"Fn::Sub": "${Net}-app"}}),
                {"IpProtocol": "-1", "CidrIp": ref("Stored")},
                {"IpProtocol": "-1", "CidrIp": "{{resolve:ssm:/net/office:3}}"},
                from_group({"Fn::ImportValue": "other"}),
            ]
        )
    )
    template["Parameters"] = {
        "Net": {"Type": "String", "Default": "net"},
        "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/net/cidr"},
    }
    given = "parameters: {net-app: sg-7, /net/cidr: 192.0.2.0/24, /net/office: 203.0.113.0/24}\n"
    rules = rules_from(tmp_path, template, given)
    assert [rule.peer for rule in rules.groups["Web"].ingress] == [
        GroupPeer("sg-7"),
        ip_network("192.0.2.0/24"),
        ip_network("203.0.113.0/24"),
        UnknownPeer("the imported value 'other' (write parameters: {other: ...} in a second rule file)"),
    ]


def test_groups_and_rules_may_be_named_by_the_groups_names(tmp_path: Path) -> None:
    apart = made("SecurityGroupIngress", GroupName="web", IpProtocol="-1", SourceSecurityGroupName="app")
    other = {"IpProtocol": "-1", "SourceSecurityGroupName": "elb", "SourceSecurityGroupOwnerId": "111122223333"}
    web = group(GroupName="web", SecurityGroupIngress=[other])
    rules = rules_from(tmp_path, stack(Web=web, App=group(GroupName="app"), Apart=apart))
    assert [rule.peer for rule in rules.groups["Web"].ingress] == [
        UnknownPeer("the security group named 'elb' (give a file that describes it)"),
        GroupPeer("App"),
    ]


def test_native_files_name_the_templates_groups_by_logical_id_or_name(tmp_path: Path) -> None:
    native = "interfaces: {eni-1: {addresses: [10.0.0.1], security_groups: [web, App]}}\n"
    rules = rules_from(tmp_path, native, stack(Web=group(GroupName="web"), App=group(GroupName="app")))
    assert rules.interfaces["eni-1"].groups == ("Web", "App")


def test_a_name_that_needs_a_function_leaves_the_logical_id(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, stack(Web=group(GroupName={"Fn::Sub": "${AWS::StackName}-web"})))
    assert rules.groups["Web"].name == "Web"


def test_a_rule_of_a_group_outside_is_left_out_and_told(tmp_path: Path) -> None:
    outside = made("SecurityGroupIngress", GroupId="sg-9", IpProtocol="-1", CidrIp="192.0.2.0/24")
    unknown = made("SecurityGroupIngress", GroupId=ref("Their"), IpProtocol="-1", CidrIp="192.0.2.0/24")
    template = stack(Web=group(), Outside=outside, Unknown=unknown)
    rules = rules_from(tmp_path, template | {"Parameters": {"Their": {"Type": "String"}}})
    cure = "write parameters: {Their: ...} in a second rule file"
    assert warned(rules) == [
        ("rule-left-out", "the rule belongs to sg-9, not a group of this template: left out"),
        ("rule-left-out", f"the rule belongs to the parameter Their ({cure}), not a group of this template: left out"),
    ]


def test_lists_and_groups_of_other_files_are_found_by_name(tmp_path: Path) -> None:
    listed = {"IpProtocol": "-1", "SourcePrefixListId": ref("Clients")}
    template = stack(Web=group(SecurityGroupIngress=[listed, from_group(ref("Their"))]))
    template["Parameters"] = {key: {"Type": "String"} for key in ("Clients", "Their")}
    native = "prefix_lists: {office: {entries: []}}\nsecurity_groups: {app: {egress: []}}\n"
    given = "parameters: {Clients: office, Their: app}\n"
    rules = rules_from(tmp_path, template, native + given)
    assert [rule.peer for rule in rules.groups["Web"].ingress] == [PrefixListPeer("office"), GroupPeer("app")]


def test_an_interface_with_an_unknown_group_is_told_what_to_write(tmp_path: Path) -> None:
    eni = made(
        "NetworkInterface", SubnetId="subnet-1", GroupSet=[ref("Web"), ref("Their")], PrivateIpAddress="10.0.0.5"
    )
    rules = rules_from(tmp_path, stack(Web=group(), Eni=eni) | {"Parameters": {"Their": {"Type": "String"}}})
    assert rules.interfaces["Eni"].groups == ("Web", "the parameter Their")
    cure = "write parameters: {Their: ...} in a second rule file"
    assert warned(rules) == [
        ("unknown-group", f"interface Eni has the parameter Their ({cure}), whose rules no file gives")
    ]


# --- default groups ----------------------------------------------------------------------------------------
def test_the_default_group_of_a_vpc_has_awss_rules_and_those_of_the_template(tmp_path: Path) -> None:
    default = attribute("Vpc", "DefaultSecurityGroup")
    apart = made("SecurityGroupIngress", GroupId=default, IpProtocol="-1", CidrIp="192.0.2.0/24")
    rules = rules_from(
        tmp_path,
        stack(
            Vpc=made("VPC", CidrBlock="10.0.0.0/16"),
            Subnet=made("Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24"),
            Web=group(SecurityGroupIngress=[from_group(default)]),
            Host=made("Instance", SubnetId=ref("Subnet"), PrivateIpAddress="10.0.0.5"),
            Apart=apart,
        ),
    )
    name = "Vpc.DefaultSecurityGroup"
    assert rules.interfaces["Host"].groups == (name,)
    assert [rule.peer for rule in rules.groups["Web"].ingress] == [GroupPeer(name)]
    assert [(rule.index, rule.peer) for rule in rules.groups[name].ingress] == [
        (0, GroupPeer(name)),
        (1, ip_network("192.0.2.0/24")),
    ]
    assert [rule.peer for rule in rules.groups[name].egress] == [ip_network("0.0.0.0/0")]
    assert rules.warnings == ()


def test_a_vpc_with_ipv6_lets_its_default_group_out_by_both(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        stack(
            Vpc=made("VPC", CidrBlock="10.0.0.0/16"),
            Six=made("VPCCidrBlock", VpcId=ref("Vpc"), AmazonProvidedIpv6CidrBlock=True),
            Web=group(SecurityGroupIngress=[from_group(attribute("Vpc", "DefaultSecurityGroup"))]),
        ),
        'parameters: {"Vpc.Ipv6CidrBlocks": ["2001:db8::/56"]}\n',
    )
    default = rules.groups["Vpc.DefaultSecurityGroup"]
    assert [rule.peer for rule in default.egress] == [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert rules.vpcs["Vpc"].cidrs == (ip_network("10.0.0.0/16"), ip_network("2001:db8::/56"))


# --- interfaces --------------------------------------------------------------------------------------------
def test_an_attachment_says_whose_interface_it_is(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        stack(
            Web=group(),
            Eni=made("NetworkInterface", SubnetId="subnet-1", GroupSet=[ref("Web")], PrivateIpAddress="10.0.0.5"),
            Host=made("Instance", SecurityGroupIds=["sg-1"], PrivateIpAddress="10.0.0.6"),
            Tie=made(
                "NetworkInterfaceAttachment", InstanceId=ref("Host"), NetworkInterfaceId=ref("Eni"), DeviceIndex="1"
            ),
        ),
    )
    assert [(each.instance, each.subnet) for each in rules.interfaces.values()] == [
        ("Host", "subnet-1"),
        ("Host", None),
    ]
    assert warned(rules) == [("unknown-group", "interface Host has sg-1, whose rules no file gives")]


@pytest.mark.parametrize(
    "properties",
    [
        {"PrivateIpAddress": ref("Chosen")},
        {"PrivateIpAddress": "10.0.0.5", "SecondaryPrivateIpAddressCount": 1},
        {"PrivateIpAddress": "10.0.0.5", "Ipv6AddressCount": 1},
        {"Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}]},
    ],
)
def test_addresses_that_aws_chooses_make_an_interface_incomplete(tmp_path: Path, properties: dict[str, Any]) -> None:
    eni = made("NetworkInterface", SubnetId="subnet-1", GroupSet=[ref("Web")], **properties)
    template = stack(Web=group(), Eni=eni) | {"Parameters": {"Chosen": {"Type": "String"}}}
    rules = rules_from(tmp_path, template)
    assert not rules.interfaces["Eni"].complete
    assert [each.kind for each in rules.warnings] == ["unknown-address"]
    given = rules_from(tmp_path, template, "addresses: {Eni: [10.0.0.9]}\n")
    assert given.interfaces["Eni"].complete
    assert ip_address("10.0.0.9") in given.interfaces["Eni"].addresses
    assert given.warnings == ()


def test_an_ipv6_only_subnet_asks_for_no_ipv4_address(tmp_path: Path) -> None:
    subnet = made("Subnet", VpcId="vpc-1", Ipv6Native=True, Ipv6CidrBlock="2001:db8::/64")
    eni = made(
        "NetworkInterface", SubnetId=ref("Six"), GroupSet=["sg-1"], Ipv6Addresses=[{"Ipv6Address": "2001:db8::5"}]
    )
    rules = rules_from(tmp_path, stack(Web=group(), Six=subnet, Eni=eni))
    assert rules.interfaces["Eni"].complete


def test_an_address_of_the_template_can_be_a_peer(tmp_path: Path) -> None:
    template = stack(
        Web=group(
            SecurityGroupIngress=[
                {"IpProtocol": "-1", "CidrIp": {"Fn::Sub": "${Host.PrivateIp}/32"}},
                {
                    "IpProtocol": "-1",
                    "CidrIp": {"Fn::Join": ["/", [attribute("Eni", "PrimaryPrivateIpAddress"), "32"]]},
                },
                {"IpProtocol": "-1", "CidrIp": {"Fn::Sub": "${Other.PrivateIp}/32"}},
            ]
        ),
        Eni=made("NetworkInterface", SubnetId="subnet-1", GroupSet=[ref("Web")], PrivateIpAddress="10.0.0.5"),
        Host=made("Instance", NetworkInterfaces=[{"DeviceIndex": "0", "NetworkInterfaceId": ref("Eni")}]),
        Other=made("Instance", SecurityGroupIds=[ref("Web")]),
    )
    unknown = UnknownPeer("the address of Other (write addresses: {Other: [10.0.1.10]} in a second rule file)")
    first = ip_network("10.0.0.5/32")
    assert [rule.peer for rule in rules_from(tmp_path, template).groups["Web"].ingress] == [first, first, unknown]
    given = rules_from(tmp_path, template, "addresses: {Other: 10.0.0.7}\n")
    assert given.groups["Web"].ingress[2].peer == ip_network("10.0.0.7/32")


def test_an_interface_without_known_groups_is_left_out(tmp_path: Path) -> None:
    launched = made("Instance", SubnetId=ref("Subnet"), LaunchTemplate={"LaunchTemplateId": "lt-1", "Version": "1"})
    rules = rules_from(
        tmp_path,
        stack(
            Web=group(),
            Vpc=made("VPC", CidrBlock="10.0.0.0/16"),
            Subnet=made("Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24"),
            Launched=launched,
            Attached=made("Instance", NetworkInterfaces=[{"DeviceIndex": "0", "NetworkInterfaceId": "eni-1"}]),
        ),
    )
    assert rules.interfaces == {}
    assert warned(rules) == [
        ("interface-left-out", "Attached has the interface eni-1, which this template does not make: left out"),
        (
            "no-groups",
            "Launched has no security group that is known, it is left out: write it under interfaces: in a second file",
        ),
    ]


# --- what is not whole -------------------------------------------------------------------------------------
def test_macros_loops_and_nested_stacks_are_told(tmp_path: Path) -> None:
    template = stack(
        Web=group(Tags={"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/tags"}}}),
        Net={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://example.com/net.yaml"}},
    )
    template["Resources"]["Fn::ForEach::Groups"] = ["Name", ["A", "B"], {"Group${Name}": NO_EGRESS}]
    template["Transform"] = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
    assert warned(rules_from(tmp_path, template)) == [
        ("template-not-whole", "the macro AWS::Serverless-2016-10-31 is not expanded: what it adds is missing"),
        ("template-not-whole", "Fn::ForEach::Groups is not expanded: what it adds is missing"),
        ("template-not-whole", "Fn::Transform is not expanded: what it adds is missing"),
        ("template-not-whole", "Net (AWS::CloudFormation::Stack) is not read: give its template too"),
    ]


def test_a_resource_that_is_not_read_but_names_a_group_is_told(tmp_path: Path) -> None:
    balancer = {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {"SecurityGroups": [ref("Web"), attribute("App", "GroupId")]},
    }
    never = {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}}
    template = stack(Web=group(), App=group(), Balancer=balancer, Not=balancer | {"Condition": "Never"}) | never
    assert rules_from(tmp_path, template).incomplete == {"Web", "App"}
    assert warned(rules_from(tmp_path, template)) == [
        (
            "members-not-read",
            (
                "Balancer (AWS::ElasticLoadBalancingV2::LoadBalancer) names Web, App and is not read: packets that "
                "hang on who its members are stay undecidable; write them under interfaces:, and members_complete: "
                "in a second rule file"
            ),
        )
    ]


def test_what_has_nothing_to_do_with_rules_is_ignored(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        stack(
            Web=group(Tags=[{"Key": "Name", "Value": {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}}]),
            Peering=made("VPCPeeringConnection", VpcId=ref("AWS::AccountId"), PeerVpcId="vpc-2"),
            Bucket={"Type": "AWS::S3::Bucket"},
            Own={"Type": "Custom::Thing", "Properties": {"Deep": {"Fn::Length": [1]}}},
        ),
    )
    assert rules.warnings == ()


def test_a_misspelt_property_is_told(tmp_path: Path) -> None:
    assert warned(rules_from(tmp_path, stack(Web=group(SecurityGroupIngres=[])))) == [
        (
            "unknown-property",
            "AWS::EC2::SecurityGroup has no 'SecurityGroupIngres', it is left out: did you mean SecurityGroupIngress?",
        )
    ]


def test_entries_may_be_added_to_a_default_network_acl(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        stack(
            Web=group(),
            Vpc=made("VPC", CidrBlock="10.0.0.0/16"),
            Deny=made(
                "NetworkAclEntry",
                NetworkAclId=attribute("Vpc", "DefaultNetworkAcl"),
                RuleNumber=50,
                Protocol=-1,
                RuleAction="deny",
                CidrBlock="192.0.2.0/24",
            ),
            Elsewhere=made("NetworkAclEntry", NetworkAclId="acl-1", RuleNumber=1),
        ),
    )
    acl = rules.network_acls["Vpc.DefaultNetworkAcl"]
    assert [(each.number, each.action) for each in acl.ingress] == [(50, "deny"), (100, "allow")]
    assert [(each.number, each.action) for each in acl.egress] == [(100, "allow")]
    assert warned(rules) == [
        ("rule-left-out", "the entry belongs to acl-1, not a network ACL of this template: left out")
    ]


def test_blocks_that_nobody_says_are_told_and_can_be_given(tmp_path: Path) -> None:
    vpc = made("VPC", Ipv4IpamPoolId="ipam-pool-1", Ipv4NetmaskLength=16)
    template = stack(Web=group(), Vpc=vpc, Net=made("Subnet", VpcId=ref("Vpc"), CidrBlock=ref("Block")))
    template["Parameters"] = {"Block": {"Type": "String"}}
    rules = rules_from(tmp_path, template)
    assert (rules.vpcs["Vpc"].cidrs, rules.subnets["Net"].cidrs) == ((), ())
    assert warned(rules) == [
        (
            "unknown-block",
            (
                "Vpc has an address block that is not known: Vpc.CidrBlock, which the template does not say "
                '(write parameters: {"Vpc.CidrBlock": ...} in a second rule file)'
            ),
        ),
        (
            "unknown-block",
            (
                "Net has an address block that is not known: the parameter Block "
                "(write parameters: {Block: ...} in a second rule file)"
            ),
        ),
    ]
    given = rules_from(tmp_path, template, 'parameters: {Block: 10.0.0.0/24, "Vpc.CidrBlock": 10.0.0.0/16}\n')
    assert given.subnets["Net"].cidrs == (ip_network("10.0.0.0/24"),)
    assert given.warnings == ()
