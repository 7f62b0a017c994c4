"""CloudFormation templates: what they make, in YAML and in JSON."""

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from firewall.model import ICMP, TCP, ConnectionTracking, GroupPeer, PrefixListPeer, Rule, RuleSet, UnknownPeer
from firewall.sources import load_rules

IN_YAML = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: A web tier and an application tier
Parameters:
  VpcCidr: {Type: String, Default: 10.0.0.0/16}
  Office: {Type: String, Default: 203.0.113.0/24}
  Partner: {Type: String}
  AppPort: {Type: Number, Default: 8080}
  Environment: {Type: String, Default: test, AllowedValues: [test, live]}
Mappings:
  Ports: {Https: {Port: "443"}}
Conditions:
  IsLive: !Equals [!Ref Environment, live]
  IsTest: !Not [!Condition IsLive]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: !Ref VpcCidr}
  Front:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]
  Back:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select ["1", !Cidr [!GetAtt Vpc.CidrBlock, "2", "8"]]
  Clients:
    Type: AWS::EC2::PrefixList
    Properties:
      PrefixListName: clients
      AddressFamily: IPv4
      MaxEntries: "10"
      Entries: [{Cidr: 192.0.2.0/25, Description: one}, {Cidr: 192.0.2.128/25}]
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: web
      GroupDescription: web servers
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: !FindInMap [Ports, Https, Port], ToPort: "443", CidrIp: 0.0.0.0/0, Description: a}
        - {IpProtocol: "6", FromPort: 443, ToPort: 443, CidrIpv6: "::/0"}
        - {IpProtocol: icmp, FromPort: "8", ToPort: "-1", CidrIp: !Ref Office}
        - Fn::If:
            - IsTest
            - {IpProtocol: tcp, FromPort: 22, ToPort: 22, SourcePrefixListId: !GetAtt Clients.PrefixListId}
            - !Ref AWS::NoValue
        - !If [IsLive, {IpProtocol: tcp, FromPort: 23, ToPort: 23, CidrIp: !Ref Office}, !Ref "AWS::NoValue"]
        - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: !Sub "${Partner}/32"}
      SecurityGroupEgress:
        - {IpProtocol: "-1", CidrIp: 127.0.0.1/32}
  WebToApp:
    Type: AWS::EC2::SecurityGroupEgress
    Properties:
      GroupId: !GetAtt Web.GroupId
      IpProtocol: tcp
      FromPort: !Ref AppPort
      ToPort: !Ref AppPort
      DestinationSecurityGroupId: !Ref App
  App:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: application, VpcId: !Ref Vpc}
  AppFromWeb:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !Ref App
      IpProtocol: tcp
      FromPort: !Ref AppPort
      ToPort: !Ref AppPort
      SourceSecurityGroupId: !GetAtt [Web, GroupId]
  OnlyLive:
    Type: AWS::EC2::SecurityGroupIngress
    Condition: IsLive
    Properties: {GroupId: !Ref App, IpProtocol: "-1", CidrIp: 10.0.0.0/8}
  WebInterface:
    Type: AWS::EC2::NetworkInterface
    Properties:
      SubnetId: !Ref Front
      GroupSet: [!Ref Web]
      PrivateIpAddresses:
        - {PrivateIpAddress: 10.0.0.11, Primary: false}
        - {PrivateIpAddress: 10.0.0.10, Primary: true}
      Ipv6Addresses: [{Ipv6Address: "2001:db8::10"}]
      Ipv4Prefixes: [{Ipv4Prefix: 10.0.0.16/28}]
      SourceDestCheck: "false"
      ConnectionTrackingSpecification: {TcpEstablishedTimeout: "350"}
  WebServer:
    Type: AWS::EC2::Instance
    Properties:
      NetworkInterfaces:
        - {DeviceIndex: "0", NetworkInterfaceId: !Ref WebInterface}
        - {DeviceIndex: "1", SubnetId: !Ref Back, GroupSet: [!Ref App], PrivateIpAddress: 10.0.1.20}
  AppServer:
    Type: AWS::EC2::Instance
    Properties: {SubnetId: !Ref Back, SecurityGroupIds: [!GetAtt App.GroupId]}
  Guard:
    Type: AWS::EC2::NetworkAcl
    Properties: {VpcId: !Ref Vpc}
  GuardWeb:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      NetworkAclId: !Ref Guard
      RuleNumber: "100"
      Protocol: "6"
      RuleAction: allow
      CidrBlock: 0.0.0.0/0
      PortRange: {From: "443", To: 443}
  GuardOut:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      NetworkAclId: !GetAtt Guard.Id
      RuleNumber: 100
      Protocol: -1
      RuleAction: allow
      Egress: "true"
      CidrBlock: !GetAtt Vpc.CidrBlock
  FrontGuard:
    Type: AWS::EC2::SubnetNetworkAclAssociation
    Properties: {SubnetId: !Ref Front, NetworkAclId: !Ref Guard}
Outputs:
  WebGroup: {Value: !Ref Web, Export: {Name: !Sub "${AWS::StackName}-web"}}
"""


def made(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties}


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def attribute(*names: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [*names]}


def select(index: Any, items: Any) -> dict[str, Any]:
    return {"Fn::Select": [index, items]}


IN_JSON: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Description": "A web tier and an application tier",
    "Parameters": {
        "VpcCidr": {"Type": "String", "Default": "10.0.0.0/16"},
        "Office": {"Type": "String", "Default": "203.0.113.0/24"},
        "Partner": {"Type": "String"},
        "AppPort": {"Type": "Number", "Default": "8080"},
        "Environment": {"Type": "String", "Default": "test", "AllowedValues": ["test", "live"]},
    },
    "Mappings": {"Ports": {"Https": {"Port": "443"}}},
    "Conditions": {
        "IsLive": {"Fn::Equals": [ref("Environment"), "live"]},
        "IsTest": {"Fn::Not": [{"Condition": "IsLive"}]},
    },
    "Resources": {
        "Vpc": made("VPC", CidrBlock=ref("VpcCidr")),
        "Front": made(
            "Subnet", VpcId=ref("Vpc"), CidrBlock=select("0", {"Fn::Cidr": [attribute("Vpc", "CidrBlock"), "2", "8"]})
        ),
        "Back": made(
            "Subnet", VpcId=ref("Vpc"), CidrBlock=select(1, {"Fn::Cidr": [attribute("Vpc", "CidrBlock"), 2, 8]})
        ),
        "Clients": made(
            "PrefixList",
            PrefixListName="clients",
            AddressFamily="IPv4",
            MaxEntries=10,
            Entries=[{"Cidr": "192.0.2.0/25", "Description": "one"}, {"Cidr": "192.0.2.128/25"}],
        ),
        "Web": made(
            "SecurityGroup",
            GroupName="web",
            GroupDescription="web servers",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": {"Fn::FindInMap": ["Ports", "Https", "Port"]},
                    "ToPort": 443,
                    "CidrIp": "0.0.0.0/0",
                    "Description": "a",
                },
                {"IpProtocol": 6, "FromPort": "443", "ToPort": "443", "CidrIpv6": "::/0"},
                {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "CidrIp": ref("Office")},
                {
                    "Fn::If": [
                        "IsTest",
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 22,
                            "ToPort": 22,
                            "SourcePrefixListId": attribute("Clients", "PrefixListId"),
                        },
                        ref("AWS::NoValue"),
                    ]
                },
                {
                    "Fn::If": [
                        "IsLive",
                        {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "CidrIp": ref("Office")},
                        ref("AWS::NoValue"),
                    ]
                },
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": {"Fn::Sub": "${Partner}/32"}},
            ],
            SecurityGroupEgress=[{"IpProtocol": -1, "CidrIp": "127.0.0.1/32"}],
        ),
        "WebToApp": made(
            "SecurityGroupEgress",
            GroupId=attribute("Web", "GroupId"),
            IpProtocol="tcp",
            FromPort=ref("AppPort"),
            ToPort=ref("AppPort"),
            DestinationSecurityGroupId=ref("App"),
        ),
        "App": made("SecurityGroup", GroupDescription="application", VpcId=ref("Vpc")),
        "AppFromWeb": made(
            "SecurityGroupIngress",
            GroupId=ref("App"),
            IpProtocol="tcp",
            FromPort=ref("AppPort"),
            ToPort=ref("AppPort"),
            SourceSecurityGroupId=attribute("Web", "GroupId"),
        ),
        "OnlyLive": made("SecurityGroupIngress", GroupId=ref("App"), IpProtocol="-1", CidrIp="10.0.0.0/8")
        | {"Condition": "IsLive"},
        "WebInterface": made(
            "NetworkInterface",
            SubnetId=ref("Front"),
            GroupSet=[ref("Web")],
            PrivateIpAddresses=[
                {"PrivateIpAddress": "10.0.0.11", "Primary": "false"},
                {"PrivateIpAddress": "10.0.0.10", "Primary": "true"},
            ],
            Ipv6Addresses=[{"Ipv6Address": "2001:db8::10"}],
            Ipv4Prefixes=[{"Ipv4Prefix": "10.0.0.16/28"}],
            SourceDestCheck=False,
            ConnectionTrackingSpecification={"TcpEstablishedTimeout": 350},
        ),
        "WebServer": made(
            "Instance",
            NetworkInterfaces=[
                {"DeviceIndex": 0, "NetworkInterfaceId": ref("WebInterface")},
                {"DeviceIndex": 1, "SubnetId": ref("Back"), "GroupSet": [ref("App")], "PrivateIpAddress": "10.0.1.20"},
            ],
        ),
        "AppServer": made("Instance", SubnetId=ref("Back"), SecurityGroupIds=[attribute("App", "GroupId")]),
        "Guard": made("NetworkAcl", VpcId=ref("Vpc")),
        "GuardWeb": made(
            "NetworkAclEntry",
            NetworkAclId=ref("Guard"),
            RuleNumber=100,
            Protocol=6,
            RuleAction="allow",
            CidrBlock="0.0.0.0/0",
            PortRange={"From": 443, "To": "443"},
        ),
        "GuardOut": made(
            "NetworkAclEntry",
            NetworkAclId=attribute("Guard", "Id"),
            RuleNumber="100",
            Protocol="-1",
            RuleAction="allow",
            Egress=True,
            CidrBlock=attribute("Vpc", "CidrBlock"),
        ),
        "FrontGuard": made("SubnetNetworkAclAssociation", SubnetId=ref("Front"), NetworkAclId=ref("Guard")),
    },
    "Outputs": {"WebGroup": {"Value": ref("Web"), "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-web"}}}},
}


def rules_from(folder: Path, *files: str | dict[str, Any]) -> RuleSet:
    """The rules of files, each written as text or as what its JSON says."""
    paths = [folder / f"{number}.file" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_text(file if isinstance(file, str) else json.dumps(file, indent=2))
    return load_rules(*paths)


def stack(**resources: Any) -> dict[str, Any]:
    """A template of these resources."""
    return {"Resources": resources}


def group(**properties: Any) -> dict[str, Any]:
    """A security group, whose one outbound rule says nothing."""
    return made("SecurityGroup", **{"SecurityGroupEgress": [ANYTHING_HOME], **properties})


ANYTHING_HOME = {"IpProtocol": "-1", "CidrIp": "127.0.0.1/32"}


def warned(rules: RuleSet) -> list[tuple[str, str]]:
    return [(each.kind, each.text) for each in rules.warnings]


def without_places(rules: RuleSet) -> list[Any]:
    """All that a rule set says but for where it stands."""

    def bare(rule: Rule) -> Rule:
        return replace(rule, place=None)

    groups = [
        replace(each, place=None, ingress=tuple(map(bare, each.ingress)), egress=tuple(map(bare, each.egress)))
        for each in rules.groups.values()
    ]
    acls = [
        replace(
            acl,
            place=None,
            ingress=tuple(replace(entry, place=None) for entry in acl.ingress),
            egress=tuple(replace(entry, place=None) for entry in acl.egress),
        )
        for acl in rules.network_acls.values()
    ]
    others = [rules.interfaces, rules.prefix_lists, rules.vpcs, rules.subnets]
    return [
        groups,
        acls,
        *([replace(each, place=None) for each in kind.values()] for kind in others),  # type: ignore[attr-defined]  # four kinds of objects
        warned(rules),
    ]


def test_yaml_with_short_forms_and_json_with_long_ones_make_equal_models(tmp_path: Path) -> None:
    (tmp_path / "yaml").mkdir()
    (tmp_path / "json").mkdir()
    addresses = "addresses: {AppServer: [10.0.1.21]}\n"
    in_yaml = rules_from(tmp_path / "yaml", IN_YAML, addresses)
    in_json = rules_from(tmp_path / "json", IN_JSON, addresses)
    assert without_places(in_yaml) == without_places(in_json)
    assert len(in_yaml.interfaces) == 3  # it says something


def test_groups_have_the_rules_in_them_and_those_apart(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, IN_YAML)
    web, app = rules.groups["Web"], rules.groups["App"]
    assert (web.name, web.vpc, app.name) == ("web", "Vpc", "App")
    unknown = UnknownPeer("the parameter Partner (write parameters: {Partner: ...} in a second rule file)")
    assert [(rule.name, rule.protocol, rule.ports, rule.icmp_type, rule.peer) for rule in web.ingress] == [
        ("Web:ingress[0]", TCP, (443, 443), -1, ip_network("0.0.0.0/0")),
        ("Web:ingress[1]", TCP, (443, 443), -1, ip_network("::/0")),
        ("Web:ingress[2]", ICMP, None, 8, ip_network("203.0.113.0/24")),
        ("Web:ingress[3]", TCP, (22, 22), -1, PrefixListPeer("Clients")),
        ("Web:ingress[4]", TCP, (22, 22), -1, unknown),
    ]
    assert web.ingress[0].description == "a"
    assert [(rule.ports, rule.peer) for rule in web.egress] == [
        (None, ip_network("127.0.0.1/32")),
        ((8080, 8080), GroupPeer("App")),
    ]
    assert [(rule.name, rule.ports, rule.peer) for rule in app.ingress] == [
        ("App:ingress[0]", (8080, 8080), GroupPeer("Web"))
    ]
    assert web.ingress[0].place is not None
    assert (web.ingress[0].place.line, web.ingress[0].place.column) == (42, 11)


def test_a_second_file_gives_parameters_their_values(tmp_path: Path) -> None:
    given = 'parameters: {Environment: live, Partner: 198.51.100.7, AppPort: 9090, "AWS::Region": eu-west-1}\n'
    rules = rules_from(tmp_path, IN_YAML, given)
    assert [rule.ports for rule in rules.groups["Web"].ingress] == [(443, 443), (443, 443), None, (23, 23), (22, 22)]
    assert rules.groups["Web"].ingress[4].peer == ip_network("198.51.100.7/32")
    assert [rule.peer for rule in rules.groups["App"].ingress] == [GroupPeer("Web"), ip_network("10.0.0.0/8")]
    assert rules.groups["Web"].egress[1].ports == (9090, 9090)


def test_interfaces_and_instances_have_addresses_groups_and_subnets(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, IN_YAML)
    assert list(rules.interfaces) == ["WebInterface", "WebServer[1]", "AppServer"]
    first, second, third = rules.interfaces.values()
    assert first.addresses == tuple(map(ip_address, ("10.0.0.10", "10.0.0.11", "2001:db8::10")))
    assert (first.groups, first.instance, first.subnet, first.complete) == (("Web",), "WebServer", "Front", True)
    assert (first.source_dest_check, first.prefixes) == (False, (ip_network("10.0.0.16/28"),))
    assert first.connection_tracking == ConnectionTracking(tcp_established_timeout=350)
    assert (second.addresses, second.groups, second.instance) == ((ip_address("10.0.1.20"),), ("App",), "WebServer")
    assert (third.addresses, third.groups, third.instance, third.complete) == ((), ("App",), "AppServer", False)
    assert (second.source_dest_check, rules.prefix_lists["Clients"].max_entries) == (True, 10)


def test_networks_and_network_acls_are_what_the_functions_compute(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, IN_YAML)
    assert rules.vpcs["Vpc"].cidrs == (ip_network("10.0.0.0/16"),)
    assert [(each.cidrs, each.vpc, each.network_acl) for each in rules.subnets.values()] == [
        ((ip_network("10.0.0.0/24"),), "Vpc", "Guard"),
        ((ip_network("10.0.1.0/24"),), "Vpc", "Vpc.DefaultNetworkAcl"),
    ]
    guard, default = rules.network_acls["Guard"], rules.network_acls["Vpc.DefaultNetworkAcl"]
    assert [
        (each.name, each.action, each.protocol, each.ports, each.peer) for each in (*guard.ingress, *guard.egress)
    ] == [
        ("Guard:ingress[100]", "allow", TCP, (443, 443), ip_network("0.0.0.0/0")),
        ("Guard:egress[100]", "allow", -1, None, ip_network("10.0.0.0/16")),
    ]
    assert default.is_default
    assert [(each.number, each.action, each.peer) for each in default.ingress] == [
        (100, "allow", ip_network("0.0.0.0/0"))
    ]


def test_what_the_template_leaves_open_is_told_with_what_to_write(tmp_path: Path) -> None:
    unknown = "the parameter Partner (write parameters: {Partner: ...} in a second rule file)"
    assert warned(rules_from(tmp_path, IN_YAML)) == [
        (
            "unknown-address",
            (
                "the addresses of AppServer are not in the template: "
                "write addresses: {AppServer: [10.0.1.10]} in a second rule file"
            ),
        ),
        (
            "default-egress",
            (
                "security group App has no egress rule: AWS's default, all outbound traffic is allowed "
                "(SecurityGroupEgress with one rule to 127.0.0.1/32 allows none)"
            ),
        ),
        ("unknown-peer", f"{unknown} is not known: packets that this rule might allow are undecidable"),
    ]
