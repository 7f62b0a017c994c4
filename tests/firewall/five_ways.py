"""One small estate, written by hand in each format that describes rules: five ways to say the same.

A web server that anybody may ask, an application that asks a database, and a network ACL at the border
of the application's subnet. The addresses are those of pcaps/samples.
"""

import json
from collections.abc import Callable
from typing import Any

from tests.firewall.five_ways_cloudformation import CLOUDFORMATION
from tests.firewall.five_ways_terraform import TERRAFORM

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

FIVE_WAYS = {
    "yaml": YAML,
    "cli": CLI,
    "rules": RULES_JSON,
    "terraform": TERRAFORM,
    "cloudformation": CLOUDFORMATION,
}
