"""One small estate, written by hand in each format that describes rules: five ways to say the same.

A web server that anybody may ask, an application that asks a database, and a network ACL at the border
of the application's subnet. The addresses are those of pcaps/samples.
"""

import json
from collections.abc import Callable
from typing import Any

YAML = """
security_groups:
  web:
    ingress:
      - {type: HTTP, source: 0.0.0.0/0}
      - {type: HTTPS, source: "::/0"}
      - {protocol: tcp, ports: 22, source: pl:office, description: maintenance}
      - {protocol: icmp, icmp: 8/-1, source: 0.0.0.0/0}
      - {protocol: icmpv6, icmp: 128/-1, source: "::/0"}
    egress:
      - {protocol: udp, ports: 53, destination: 192.0.2.53/32}
  app:
    ingress: []
    egress: [{type: MYSQL/Aurora, destination: sg:db}]
  db:
    ingress: [{protocol: tcp, ports: 3306, source: sg:app}]
    egress: [{type: All traffic, destination: 127.0.0.1/32}]
prefix_lists:
  office: {entries: [198.51.100.0/24, 203.0.113.0/24], max_entries: 20, family: IPv4}
vpcs:
  main: {cidrs: [10.0.0.0/16, "2001:db8:1::/56"]}
subnets:
  front: {cidrs: [10.0.1.0/24, "2001:db8:1::/64"], vpc: main, network_acl: edge}
  back: {cidr: 10.0.2.0/24, vpc: main}
network_acls:
  edge:
    vpc: main
    ingress:
      - {number: 90, action: deny, protocol: tcp, ports: 22, source: 203.0.113.9/32}
      - {number: 100, action: allow, protocol: all, source: 0.0.0.0/0}
      - {number: 101, action: allow, protocol: all, source: "::/0"}
    egress:
      - {number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}
      - {number: 110, action: allow, protocol: icmpv6, icmp: 129/-1, destination: "::/0"}
interfaces:
  eni-web: {addresses: [10.0.1.10, "2001:db8:1::10"], security_groups: [web], subnet: front}
  eni-app: {addresses: [10.0.1.20], security_groups: [app], subnet: front}
  eni-db: {addresses: [10.0.2.30], security_groups: [db], subnet: back}
"""

# --- the AWS CLI ------------------------------------------------------------------------------------------
_ALL = {"IpProtocol": "-1"}


def _tcp(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}


def _group(name: str, ingress: list[Any], egress: list[Any]) -> dict[str, Any]:
    return {
        "GroupId": f"sg-{name}",
        "GroupName": name,
        "VpcId": "vpc-1",
        "IpPermissions": ingress,
        "IpPermissionsEgress": egress,
    }


_OFFICE = [{"PrefixListId": "pl-office", "Description": "maintenance"}]
GROUPS = [
    _group(
        "web",
        [
            _tcp(80) | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            _tcp(443) | {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            _tcp(22) | {"PrefixListIds": _OFFICE},
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {"IpProtocol": "icmpv6", "FromPort": 128, "ToPort": -1, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        ],
        [{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "192.0.2.53/32"}]}],
    ),
    _group("app", [], [_tcp(3306) | {"UserIdGroupPairs": [{"GroupId": "sg-db"}]}]),
    _group(
        "db",
        [_tcp(3306) | {"UserIdGroupPairs": [{"GroupId": "sg-app"}]}],
        [_ALL | {"IpRanges": [{"CidrIp": "127.0.0.1/32"}]}],
    ),
]


def _eni(name: str, subnet: str, addresses: list[str], ipv6: list[str]) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": f"eni-{name}",
        "VpcId": "vpc-1",
        "SubnetId": subnet,
        "SourceDestCheck": True,
        "Groups": [{"GroupId": f"sg-{name}", "GroupName": name}],
        "PrivateIpAddresses": [{"PrivateIpAddress": address} for address in addresses],
        "Ipv6Addresses": [{"Ipv6Address": address} for address in ipv6],
    }


def _entry(number: int, action: str, protocol: str, block: str, *, egress: bool = False, **more: Any) -> dict[str, Any]:
    key = "Ipv6CidrBlock" if ":" in block else "CidrBlock"
    return {
        "RuleNumber": number,
        "RuleAction": action,
        "Protocol": protocol,
        "Egress": egress,
        key: block,
        **more,
    }


_ICMP_OUT = {"IcmpTypeCode": {"Type": 129, "Code": -1}}
ENTRIES = [
    _entry(90, "deny", "6", "203.0.113.9/32", PortRange={"From": 22, "To": 22}),
    _entry(100, "allow", "-1", "0.0.0.0/0"),
    _entry(101, "allow", "-1", "::/0"),
    _entry(32767, "deny", "-1", "0.0.0.0/0"),
    _entry(100, "allow", "-1", "0.0.0.0/0", egress=True),
    _entry(110, "allow", "58", "::/0", egress=True, **_ICMP_OUT),
    _entry(32767, "deny", "-1", "0.0.0.0/0", egress=True),
]
NETWORKS = {
    "NetworkInterfaces": [
        _eni("web", "subnet-front", ["10.0.1.10"], ["2001:db8:1::10"]),
        _eni("app", "subnet-front", ["10.0.1.20"], []),
        _eni("db", "subnet-back", ["10.0.2.30"], []),
    ],
    "PrefixLists": [
        {
            "PrefixListId": "pl-office",
            "PrefixListName": "office",
            "AddressFamily": "IPv4",
            "MaxEntries": 20,
        }
    ],
    "pl-office": {"Entries": [{"Cidr": "198.51.100.0/24"}, {"Cidr": "203.0.113.0/24"}]},
    "Vpcs": [
        {
            "VpcId": "vpc-1",
            "CidrBlock": "10.0.0.0/16",
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1::/56"}],
        }
    ],
    "Subnets": [
        {
            "SubnetId": "subnet-front",
            "VpcId": "vpc-1",
            "CidrBlock": "10.0.1.0/24",
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1::/64"}],
        },
        {"SubnetId": "subnet-back", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24"},
    ],
    "NetworkAcls": [
        {
            "NetworkAclId": "acl-edge",
            "VpcId": "vpc-1",
            "Associations": [{"SubnetId": "subnet-front"}],
            "Entries": ENTRIES,
        }
    ],
}
CLI = json.dumps({"SecurityGroups": GROUPS, **NETWORKS})


def _rows() -> list[dict[str, Any]]:
    """describe-security-group-rules: a row for each peer of each permission."""
    lists: dict[str, Callable[[Any], dict[str, Any]]] = {
        "IpRanges": lambda item: {"CidrIpv4": item["CidrIp"]},
        "Ipv6Ranges": lambda item: {"CidrIpv6": item["CidrIpv6"]},
        "PrefixListIds": lambda item: {"PrefixListId": item["PrefixListId"]},
        "UserIdGroupPairs": lambda item: {"ReferencedGroupInfo": {"GroupId": item["GroupId"]}},
    }
    rows: list[dict[str, Any]] = []
    for group in GROUPS:
        for egress, key in ((False, "IpPermissions"), (True, "IpPermissionsEgress")):
            for permission in group[key]:
                bounds = {name: permission.get(name, -1) for name in ("FromPort", "ToPort")}
                rows += [
                    {
                        "SecurityGroupRuleId": f"sgr-{len(rows)}",
                        "GroupId": group["GroupId"],
                        "IsEgress": egress,
                        "IpProtocol": permission["IpProtocol"],
                        "Description": item.get("Description", ""),
                        **bounds,
                        **peer(item),
                    }
                    for listed, peer in lists.items()
                    for item in permission.get(listed, [])
                ]
    return rows


# Rows name their groups by id; the names stand in the interfaces.
RULES_JSON = json.dumps(
    {
        "SecurityGroups": [{key: group[key] for key in ("GroupId", "GroupName", "VpcId")} for group in GROUPS],
        "SecurityGroupRules": _rows(),
        **NETWORKS,
    }
)

# --- Terraform ----------------------------------------------------------------------------------------------
_NO_PEERS: dict[str, Any] = {
    "cidr_blocks": [],
    "ipv6_cidr_blocks": [],
    "prefix_list_ids": [],
    "security_groups": [],
    "self": False,
    "description": "",
}


def _inline(protocol: str, first: int, last: int, **peers: Any) -> dict[str, Any]:
    return {"protocol": protocol, "from_port": first, "to_port": last, **_NO_PEERS, **peers}


def _rule(protocol: str, port: int, **more: Any) -> dict[str, Any]:
    return {"ip_protocol": protocol, "from_port": port, "to_port": port, "description": "", **more}


def _acl_rule(
    number: int,
    action: str,
    protocol: str,
    block: str,
    first: int = 0,
    last: int = 0,
    icmp_type: int = 0,
    code: int = 0,
) -> dict[str, Any]:
    return {
        "rule_no": number,
        "action": action,
        "protocol": protocol,
        "from_port": first,
        "to_port": last,
        "cidr_block": "" if ":" in block else block,
        "ipv6_cidr_block": block if ":" in block else "",
        "icmp_type": icmp_type,
        "icmp_code": code,
    }


# address -> (values that the plan knows, references that its configuration makes)
_RESOURCES: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "aws_vpc.main": ({"cidr_block": "10.0.0.0/16", "ipv6_cidr_block": "2001:db8:1::/56"}, {}),
    "aws_subnet.front": (
        {"cidr_block": "10.0.1.0/24", "ipv6_cidr_block": "2001:db8:1::/64"},
        {"vpc_id": ["aws_vpc.main.id", "aws_vpc.main"]},
    ),
    "aws_subnet.back": ({"cidr_block": "10.0.2.0/24"}, {"vpc_id": ["aws_vpc.main.id", "aws_vpc.main"]}),
    "aws_ec2_managed_prefix_list.office": (
        {
            "name": "office",
            "address_family": "IPv4",
            "max_entries": 20,
            "entry": [{"cidr": "198.51.100.0/24"}, {"cidr": "203.0.113.0/24"}],
        },
        {},
    ),
    "aws_security_group.web": (
        {
            "name": "web",
            "ingress": [
                _inline("tcp", 80, 80, cidr_blocks=["0.0.0.0/0"]),
                _inline("6", 443, 443, ipv6_cidr_blocks=["::/0"]),
                _inline("icmp", 8, -1, cidr_blocks=["0.0.0.0/0"]),
                _inline("icmpv6", 128, -1, ipv6_cidr_blocks=["::/0"]),
            ],
            "egress": [_inline("udp", 53, 53, cidr_blocks=["192.0.2.53/32"])],
        },
        {"vpc_id": ["aws_vpc.main.id", "aws_vpc.main"]},
    ),
    "aws_security_group.app": ({"name": "app", "ingress": [], "egress": []}, {}),
    "aws_security_group.db": (
        {"name": "db", "ingress": [], "egress": [_inline("-1", 0, 0, cidr_blocks=["127.0.0.1/32"])]},
        {},
    ),
    "aws_vpc_security_group_ingress_rule.office": (
        _rule("tcp", 22, description="maintenance"),
        {
            "security_group_id": ["aws_security_group.web.id", "aws_security_group.web"],
            "prefix_list_id": ["aws_ec2_managed_prefix_list.office.id", "aws_ec2_managed_prefix_list.office"],
        },
    ),
    "aws_vpc_security_group_egress_rule.ask": (
        _rule("tcp", 3306),
        {
            "security_group_id": ["aws_security_group.app.id", "aws_security_group.app"],
            "referenced_security_group_id": ["aws_security_group.db.id", "aws_security_group.db"],
        },
    ),
    "aws_security_group_rule.answer": (
        {"type": "ingress", "protocol": "tcp", "from_port": 3306, "to_port": 3306, "description": ""},
        {
            "security_group_id": ["aws_security_group.db.id", "aws_security_group.db"],
            "source_security_group_id": ["aws_security_group.app.id", "aws_security_group.app"],
        },
    ),
    "aws_network_interface.web": (
        {"private_ips": ["10.0.1.10"], "ipv6_addresses": ["2001:db8:1::10"]},
        {
            "security_groups": ["aws_security_group.web.id", "aws_security_group.web"],
            "subnet_id": ["aws_subnet.front.id", "aws_subnet.front"],
        },
    ),
    "aws_network_interface.app": (
        {"private_ips": ["10.0.1.20"]},
        {
            "security_groups": ["aws_security_group.app.id", "aws_security_group.app"],
            "subnet_id": ["aws_subnet.front.id", "aws_subnet.front"],
        },
    ),
    "aws_network_interface.db": (
        {"private_ips": ["10.0.2.30"]},
        {
            "security_groups": ["aws_security_group.db.id", "aws_security_group.db"],
            "subnet_id": ["aws_subnet.back.id", "aws_subnet.back"],
        },
    ),
    "aws_network_acl.edge": (
        {
            "tags": {"Name": "edge"},
            "ingress": [
                _acl_rule(90, "deny", "tcp", "203.0.113.9/32", 22, 22),
                _acl_rule(100, "allow", "-1", "0.0.0.0/0"),
                _acl_rule(101, "allow", "-1", "::/0"),
            ],
            "egress": [
                _acl_rule(100, "allow", "-1", "0.0.0.0/0"),
                _acl_rule(110, "allow", "58", "::/0", icmp_type=129, code=-1),
            ],
        },
        {
            "vpc_id": ["aws_vpc.main.id", "aws_vpc.main"],
            "subnet_ids": ["aws_subnet.front.id", "aws_subnet.front"],
        },
    ),
}


def _terraform() -> str:
    """`terraform show -json` of a plan: ids are known after apply, references stand in the configuration."""
    planned, configured, changes = [], [], []
    for address, (values, references) in _RESOURCES.items():
        kind, name = address.split(".")
        common = {"address": address, "mode": "managed", "type": kind, "name": name}
        planned.append(common | {"values": values})
        configured.append(common | {"expressions": {key: {"references": found} for key, found in references.items()}})
        unknown = {"id": True} | dict.fromkeys(references, True)
        changes.append(common | {"change": {"actions": ["create"], "after": values, "after_unknown": unknown}})
    return json.dumps(
        {
            "format_version": "1.2",
            "terraform_version": "1.9.0",
            "planned_values": {"root_module": {"resources": planned}},
            "resource_changes": changes,
            "configuration": {"root_module": {"resources": configured}},
        }
    )


TERRAFORM = _terraform()

# --- CloudFormation -------------------------------------------------------------------------------------------
CLOUDFORMATION = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Resolver: {Type: String, Default: 192.0.2.53}
Resources:
  Main:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16}
  MainIpv6:
    Type: AWS::EC2::VPCCidrBlock
    Properties: {VpcId: !Ref Main, Ipv6CidrBlock: "2001:db8:1::/56"}
  Front:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Main, CidrBlock: 10.0.1.0/24, Ipv6CidrBlock: "2001:db8:1::/64"}
  Back:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Main, CidrBlock: 10.0.2.0/24}
  Office:
    Type: AWS::EC2::PrefixList
    Properties:
      PrefixListName: office
      AddressFamily: IPv4
      MaxEntries: 20
      Entries: [{Cidr: 198.51.100.0/24}, {Cidr: 203.0.113.0/24}]
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: web
      GroupDescription: anybody may ask
      VpcId: !Ref Main
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}
        - {IpProtocol: tcp, FromPort: "443", ToPort: "443", CidrIpv6: "::/0"}
        - IpProtocol: tcp
          FromPort: 22
          ToPort: 22
          SourcePrefixListId: !GetAtt Office.PrefixListId
          Description: maintenance
        - {IpProtocol: icmp, FromPort: 8, ToPort: -1, CidrIp: 0.0.0.0/0}
        - {IpProtocol: icmpv6, FromPort: 128, ToPort: -1, CidrIpv6: "::/0"}
      SecurityGroupEgress:
        - {IpProtocol: udp, FromPort: 53, ToPort: 53, CidrIp: !Sub "${Resolver}/32"}
  App:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupName: app, GroupDescription: asks the database, VpcId: !Ref Main}
  Db:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: db
      GroupDescription: answers the application
      VpcId: !Ref Main
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 3306, ToPort: 3306, SourceSecurityGroupId: !GetAtt App.GroupId}
      SecurityGroupEgress:
        - {IpProtocol: "-1", CidrIp: 127.0.0.1/32}
  Ask:
    Type: AWS::EC2::SecurityGroupEgress
    Properties:
      GroupId: !Ref App
      IpProtocol: tcp
      FromPort: 3306
      ToPort: 3306
      DestinationSecurityGroupId: !Ref Db
  WebInterface:
    Type: AWS::EC2::NetworkInterface
    Properties:
      SubnetId: !Ref Front
      GroupSet: [!Ref Web]
      PrivateIpAddress: 10.0.1.10
      Ipv6Addresses: [{Ipv6Address: "2001:db8:1::10"}]
  AppInterface:
    Type: AWS::EC2::NetworkInterface
    Properties: {SubnetId: !Ref Front, GroupSet: [!GetAtt App.GroupId], PrivateIpAddress: 10.0.1.20}
  DbInterface:
    Type: AWS::EC2::NetworkInterface
    Properties: {SubnetId: !Ref Back, GroupSet: [!GetAtt Db.GroupId], PrivateIpAddress: 10.0.2.30}
  Edge:
    Type: AWS::EC2::NetworkAcl
    Properties: {VpcId: !Ref Main}
  EdgeOfFront:
    Type: AWS::EC2::SubnetNetworkAclAssociation
    Properties: {SubnetId: !Ref Front, NetworkAclId: !Ref Edge}
  EdgeNoSsh:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      NetworkAclId: !Ref Edge
      RuleNumber: 90
      Protocol: 6
      RuleAction: deny
      CidrBlock: 203.0.113.9/32
      PortRange: {From: 22, To: 22}
  EdgeIn:
    Type: AWS::EC2::NetworkAclEntry
    Properties: {NetworkAclId: !Ref Edge, RuleNumber: 100, Protocol: -1, RuleAction: allow, CidrBlock: 0.0.0.0/0}
  EdgeIn6:
    Type: AWS::EC2::NetworkAclEntry
    Properties: {NetworkAclId: !Ref Edge, RuleNumber: 101, Protocol: -1, RuleAction: allow, Ipv6CidrBlock: "::/0"}
  EdgeOut:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      {NetworkAclId: !Ref Edge, RuleNumber: 100, Protocol: -1, RuleAction: allow, Egress: true, CidrBlock: 0.0.0.0/0}
  EdgeOut6:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      NetworkAclId: !Ref Edge
      RuleNumber: 110
      Protocol: 58
      RuleAction: allow
      Egress: true
      Ipv6CidrBlock: "::/0"
      Icmp: {Type: 129, Code: -1}
"""

FIVE_WAYS = {
    "yaml": YAML,
    "cli": CLI,
    "rules": RULES_JSON,
    "terraform": TERRAFORM,
    "cloudformation": CLOUDFORMATION,
}
