"""The estate of five_ways.py as `terraform show -json` prints a plan of it."""

import json
from typing import Any

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
