"""Outputs of the AWS CLI as files, and what is read from them."""

import json
from pathlib import Path
from typing import Any

import pytest

from firewall.errors import RuleFileError
from firewall.model import Rule, RuleSet
from firewall.sources import load_rules

ENI: dict[str, Any] = {
    "NetworkInterfaceId": "eni-1",
    "VpcId": "vpc-1",
    "SubnetId": "subnet-1",
    "MacAddress": "02:00:5e:00:53:01",
    "InterfaceType": "interface",
    "SourceDestCheck": True,
    "Status": "in-use",
    "Groups": [{"GroupId": "sg-1", "GroupName": "web"}],
    "Association": {"PublicIp": "203.0.113.10"},
    "PrivateIpAddress": "10.0.1.10",
    "PrivateIpAddresses": [
        {"PrivateIpAddress": "10.0.1.10", "Primary": True, "Association": {"PublicIp": "203.0.113.10"}},
        {"PrivateIpAddress": "10.0.1.11", "Primary": False, "Association": {"PublicIp": "203.0.113.11"}},
    ],
    "Ipv6Addresses": [{"Ipv6Address": "2001:db8::10", "IsPrimaryIpv6": True}],
    "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.16/28"}],
    "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:0:1::/80"}],
    "ConnectionTrackingConfiguration": {"TcpEstablishedTimeout": 350},
}

#: Every output that is read, in one file.
EVERYTHING: dict[str, Any] = {
    "SecurityGroups": [
        {
            "GroupId": "sg-1",
            "GroupName": "web",
            "VpcId": "vpc-1",
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "IpRanges": [{"CidrIp": "198.51.100.0/24", "Description": "office"}],
                    "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
                    "PrefixListIds": [{"PrefixListId": "pl-1"}],
                    "UserIdGroupPairs": [
                        {"GroupId": "sg-8", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"},
                    ],
                },
            ],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        },
        {"GroupId": "sg-2", "GroupName": "app"},
    ],
    "SecurityGroupRules": [
        {
            "SecurityGroupRuleId": "sgr-1",
            "GroupId": "sg-3",
            "IsEgress": True,
            "IpProtocol": "-1",
            "FromPort": -1,
            "ToPort": -1,
            "ReferencedGroupInfo": {"GroupId": "sg-1", "UserId": "111122223333"},
        },
    ],
    "NetworkInterfaces": [ENI | {"Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}}],
    "TrafficMirrorSessions": [{"NetworkInterfaceId": "eni-1", "VirtualNetworkId": 7654321, "SessionNumber": 1}],
    "Reservations": [{"Instances": [{"InstanceId": "i-1", "NetworkInterfaces": [ENI]}]}],
    "PrefixLists": [
        {
            "PrefixListId": "pl-1",
            "PrefixListName": "office",
            "AddressFamily": "IPv4",
            "MaxEntries": 10,
            "Version": 3,
            "OwnerId": "111122223333",
        },
        {"PrefixListId": "pl-2", "PrefixListName": "com.amazonaws.eu-west-1.s3", "Cidrs": ["198.51.100.0/24"]},
    ],
    "pl-1": {"Entries": [{"Cidr": "192.0.2.0/24", "Description": "here"}]},
    "Vpcs": [
        {
            "VpcId": "vpc-1",
            "CidrBlock": "10.0.0.0/16",
            "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}],
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/56"}],
        },
    ],
    "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
    "NetworkAcls": [
        {
            "NetworkAclId": "acl-1",
            "VpcId": "vpc-1",
            "IsDefault": False,
            "Associations": [{"NetworkAclId": "acl-1", "SubnetId": "subnet-1"}],
            "Entries": [
                {
                    "RuleNumber": 100,
                    "Protocol": "6",
                    "RuleAction": "allow",
                    "Egress": False,
                    "CidrBlock": "0.0.0.0/0",
                    "PortRange": {"From": 443, "To": 443},
                },
                {
                    "RuleNumber": 110,
                    "Protocol": "58",
                    "RuleAction": "deny",
                    "Egress": True,
                    "Ipv6CidrBlock": "::/0",
                    "IcmpTypeCode": {"Type": 128, "Code": -1},
                },
                {
                    "RuleNumber": 32767,
                    "Protocol": "-1",
                    "RuleAction": "deny",
                    "Egress": False,
                    "CidrBlock": "0.0.0.0/0",
                },
            ],
        },
    ],
    "VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "deleted"}}],
    "StaleSecurityGroupSet": [
        {
            "GroupId": "sg-1",
            "StaleIpPermissions": [{"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "sg-8"}]}],
        },
    ],
}


def written(folder: Path, *outputs: Any) -> list[Path]:
    """The outputs as files 0.json, 1.json ..."""
    paths = [folder / f"{number}.json" for number in range(len(outputs))]
    for path, output in zip(paths, outputs, strict=True):
        path.write_text(json.dumps(output, indent=4))
    return paths


def rules_from(folder: Path, *outputs: Any) -> RuleSet:
    """What the outputs say together."""
    return load_rules(*written(folder, *outputs))


def problems_from(folder: Path, *outputs: Any) -> list[str]:
    """What is wrong with the outputs, without the folder's name."""
    with pytest.raises(RuleFileError) as caught:
        rules_from(folder, *outputs)
    return [line.replace(f"{folder}/", "") for line in caught.value.problems]


def kinds(rules: RuleSet) -> list[str]:
    """The kinds of the warnings."""
    return [warning.kind for warning in rules.warnings]


def group(*ingress: Any, identity: str = "sg-1", **keys: Any) -> dict[str, Any]:
    """describe-security-groups of one group with these inbound permissions."""
    return {"SecurityGroups": [{"GroupId": identity, "IpPermissions": list(ingress)} | keys]}


def allowed(rule: Rule) -> tuple[object, ...]:
    """What a rule allows, without its identity and its place."""
    return (rule.direction, rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code, rule.peer, rule.description)
