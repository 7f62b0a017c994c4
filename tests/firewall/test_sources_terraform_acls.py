"""VPCs, subnets and network ACLs of `terraform show -json`."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import ALL_PROTOCOLS, ICMP, TCP
from tests.firewall.terraform_documents import (
    Values,
    config,
    kinds,
    plan,
    problems_of,
    refs,
    resource,
    rules_from,
    state,
    warnings,
)
from tests.firewall.test_sources_terraform_interfaces import NEW_GROUP, WEB

VPC = resource("aws_vpc.main", id="vpc-1", cidr_block="10.0.0.0/16", ipv6_cidr_block="2001:db8::/56")
SUBNET = resource("aws_subnet.a", id="subnet-1", vpc_id="vpc-1", cidr_block="10.0.1.0/24", ipv6_cidr_block="")


def entry(number: int, **values: Any) -> Values:
    found = {
        "rule_no": number,
        "action": "allow",
        "protocol": "6",
        "from_port": 443,
        "to_port": 443,
        "cidr_block": "0.0.0.0/0",
        "ipv6_cidr_block": "",
        "icmp_type": 0,
        "icmp_code": 0,
    }
    return found | values


def acl(*ingress: Values, **values: Any) -> Values:
    found = {"id": "acl-1", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1"], "ingress": list(ingress), "egress": []}
    return resource("aws_network_acl.main", **found | values)


def acl_rule(name: str, number: int, **values: Any) -> Values:
    found = {
        "network_acl_id": "acl-1",
        "rule_number": number,
        "egress": False,
        "rule_action": "deny",
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_block": "192.0.2.0/24",
        "ipv6_cidr_block": "",
    }
    return resource(f"aws_network_acl_rule.{name}", **found | values)


def test_vpcs_subnets_and_the_acl_of_a_subnet(tmp_path: Path) -> None:
    further = resource("aws_vpc_ipv4_cidr_block_association.b", vpc_id="vpc-1", cidr_block="10.1.0.0/16")
    read = resource("data.aws_subnet.a", id="subnet-1", vpc_id="vpc-1", cidr_block="10.0.1.0/24")
    rules = rules_from(tmp_path, state(WEB, VPC, further, SUBNET, read, acl(entry(100))))
    assert [str(each) for each in rules.vpcs["vpc-1"].cidrs] == ["10.0.0.0/16", "2001:db8::/56", "10.1.0.0/16"]
    subnet = rules.subnets["subnet-1"]
    assert (subnet.cidrs, subnet.vpc, subnet.network_acl) == ((ip_network("10.0.1.0/24"),), "vpc-1", "acl-1")
    (found,) = rules.network_acls["acl-1"].ingress
    assert (found.name, found.action, found.protocol, found.ports) == ("acl-1:ingress[100]", "allow", TCP, (443, 443))


def test_entries_of_entry_resources_stand_inline_too_and_count_once(tmp_path: Path) -> None:
    inline = (entry(100), entry(90, action="deny", from_port=22, to_port=22, cidr_block="192.0.2.0/24"))
    rules = rules_from(
        tmp_path, state(WEB, SUBNET, acl(*inline), acl_rule("ssh", 90), acl_rule("out", 90, egress=True))
    )
    found = rules.network_acls["acl-1"]
    assert [(each.number, each.action) for each in found.ingress] == [(90, "deny"), (100, "allow")]
    assert [each.name for each in found.egress] == ["acl-1:egress[90]"]


def test_the_default_acl_guards_subnets_that_none_is_associated_with(tmp_path: Path) -> None:
    other = SUBNET | {"address": "aws_subnet.b", "name": "b", "values": SUBNET["values"] | {"id": "subnet-2"}}
    default = resource("aws_default_network_acl.d", id="acl-2", vpc_id="vpc-1", subnet_ids=[], ingress=[], egress=[])
    link = resource("aws_network_acl_association.a", network_acl_id="acl-1", subnet_id="subnet-1")
    rules = rules_from(tmp_path, state(WEB, SUBNET, other, default, acl(subnet_ids=[]), link))
    assert {key: each.network_acl for key, each in rules.subnets.items()} == {"subnet-1": "acl-1", "subnet-2": "acl-2"}
    assert rules.network_acls["acl-2"].is_default


@pytest.mark.parametrize(
    ("written", "read", "told"),
    [
        ({"protocol": "icmp"}, (ICMP, 0, 0), True),
        ({"protocol": "1", "icmp_type": 8}, (ICMP, 8, 0), False),
        ({"protocol": "ICMP", "icmp_type": -1, "icmp_code": -1}, (ICMP, -1, -1), False),
        ({"protocol": "icmpv6"}, (58, -1, -1), False),  # with an IPv4 block every type and code
        ({"protocol": "58", "cidr_block": "", "ipv6_cidr_block": "::/0"}, (58, 0, 0), True),
        ({"protocol": "-1", "from_port": 0, "to_port": 0}, (ALL_PROTOCOLS, -1, -1), False),
    ],
)
def test_icmp_type_and_code_default_to_echo_reply_and_that_is_told(
    tmp_path: Path, written: Values, read: tuple[int, int, int], told: bool
) -> None:
    rules = rules_from(tmp_path, state(WEB, acl(entry(100, **written))))
    (found,) = rules.network_acls["acl-1"].ingress
    assert (found.protocol, found.icmp_type, found.icmp_code) == read
    assert ("nacl-icmp-zero" in kinds(rules)) == told


def test_the_icmp_warning_says_what_to_write(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, state(WEB, acl(entry(100, protocol="icmp"))))
    assert warnings(rules, "nacl-icmp-zero") == [
        (
            "acl-1:ingress[100] covers ICMP type 0, code 0 alone (echo reply), Terraform's default: "
            "for all ICMP write icmp_type = -1 and icmp_code = -1"
        )
    ]


ACL_LABELS: dict[str, Values] = {
    "aws_subnet.a": {"vpc_id": refs("aws_vpc.main.id")},
    "aws_network_acl.main": {"vpc_id": refs("aws_vpc.main.id"), "subnet_ids": refs("aws_subnet.a")},
    "aws_default_network_acl.d": {"default_network_acl_id": refs("aws_vpc.main.default_network_acl_id")},
    "aws_network_acl_rule.ssh": {"network_acl_id": refs("aws_network_acl.main.id")},
}
ACL_MARKS: dict[str, Values] = {
    "aws_subnet.a": {"id": True, "vpc_id": True},
    "aws_network_acl.main": {"id": True, "vpc_id": True, "subnet_ids": True, "ingress": True, "egress": True},
    "aws_default_network_acl.d": {"id": True, "default_network_acl_id": True, "vpc_id": True},
    "aws_network_acl_rule.ssh": {"network_acl_id": True},
}


def planned_acl(rule: Values, labels: dict[str, Values] | None = None, marks: Values | None = None) -> Values:
    return plan(
        NEW_GROUP,
        resource("aws_vpc.main", cidr_block="10.0.0.0/16"),
        resource("aws_subnet.a", cidr_block="10.0.1.0/24"),
        resource("aws_network_acl.main", tags={"Name": "main"}),
        resource("aws_default_network_acl.d", ingress=[], egress=[]),
        rule,
        configuration=config(ACL_LABELS | (labels or {})),
        unknown=ACL_MARKS | ({} if marks is None else {"aws_network_acl_rule.ssh": marks}),
    )


def test_a_planned_acl_is_joined_with_its_vpc_subnets_and_entries(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, planned_acl(acl_rule("ssh", 90, network_acl_id=None)))
    found = rules.network_acls["aws_network_acl.main"]
    assert (found.name, found.vpc, [each.number for each in found.ingress]) == ("main", "aws_vpc.main", [90])
    assert rules.subnets["aws_subnet.a"].network_acl == "aws_network_acl.main"
    assert rules.network_acls["aws_default_network_acl.d"].vpc == "aws_vpc.main"


def test_an_acl_with_an_entry_that_is_not_known_is_left_out_whole(tmp_path: Path) -> None:
    rule = acl_rule("ssh", 90, network_acl_id=None, cidr_block=None)
    labels = {
        "aws_network_acl_rule.ssh": {"network_acl_id": refs("aws_network_acl.main.id"), "cidr_block": refs("x.y.z")}
    }
    rules = rules_from(tmp_path, planned_acl(rule, labels, {"network_acl_id": True, "cidr_block": True}))
    assert list(rules.network_acls) == ["aws_default_network_acl.d"]
    assert rules.subnets["aws_subnet.a"].network_acl == "aws_network_acl.main"  # and not the default one
    assert warnings(rules, "terraform-left-out") == [
        "network ACL main is left out: aws_network_acl_rule.ssh.cidr_block is not known"
    ]


@pytest.mark.parametrize(
    ("values", "marks", "unknown"),
    [
        ({}, {"ingress": True}, "ingress"),
        (
            {"ingress": [entry(100, ipv6_cidr_block=None)]},
            {"ingress": [{"ipv6_cidr_block": True}]},
            "ingress.ipv6_cidr_block",
        ),
    ],
    ids=["all of them", "one"],
)
def test_an_acl_with_inline_entries_that_are_not_known_is_left_out(
    tmp_path: Path, values: Values, marks: Values, unknown: str
) -> None:
    document = plan(
        NEW_GROUP,
        resource("aws_network_acl.main", **values),
        configuration=config({"aws_network_acl.main": {"ingress": refs("aws_vpc.main.ipv6_cidr_block")}}),
        unknown={"aws_network_acl.main": marks},
    )
    rules = rules_from(tmp_path, document)
    assert rules.network_acls == {}
    assert warnings(rules, "terraform-left-out") == [
        f"network ACL aws_network_acl.main is left out: aws_network_acl.main.{unknown} is not known"
    ]


def test_an_entry_that_the_plan_deletes_goes_from_the_computed_ones(tmp_path: Path) -> None:
    document = plan(
        NEW_GROUP,
        acl(entry(100), entry(90, action="deny")),
        configuration=config({"aws_network_acl.main": {}}),
        before={"aws_network_acl_rule.ssh": ("delete", acl_rule("ssh", 90)["values"])},
    )
    assert [each.number for each in rules_from(tmp_path, document).network_acls["acl-1"].ingress] == [100]


def test_a_subnet_whose_acl_is_not_known_is_told_of(tmp_path: Path) -> None:
    link = "aws_network_acl_association.a"
    document = plan(
        NEW_GROUP,
        resource(link, network_acl_id="acl-1"),
        configuration=config({link: {"subnet_id": refs("local.subnet")}}),
        unknown={link: {"subnet_id": True}},
    )
    assert warnings(rules_from(tmp_path, document), "terraform-left-out") == [
        f"{link}: a subnet's network ACL is left out, as local.subnet is not known"
    ]


def test_an_entry_of_an_acl_that_is_not_known_makes_every_new_acl_doubtful(tmp_path: Path) -> None:
    labels = {"aws_network_acl_rule.ssh": {"network_acl_id": refs("local.acl")}}
    rules = rules_from(tmp_path, planned_acl(acl_rule("ssh", 90, network_acl_id=None), labels))
    assert rules.network_acls == {}
    assert warnings(rules, "terraform-left-out") == [
        "network ACL main is left out: local.acl is not known",
        "network ACL aws_default_network_acl.d is left out: local.acl is not known",
    ]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"action": "maybe"}, "action is 'maybe': an entry allows or denies"),
        ({"rule_no": 40000}, "an entry needs protocol and rule_no from 1 to 32766"),
        ({"protocol": None}, "an entry needs protocol and rule_no from 1 to 32766"),
        ({"ipv6_cidr_block": "::/0"}, "an entry has cidr_block or ipv6_cidr_block, one of the two"),
        ({"from_port": "x"}, "'x' is no from_port"),
    ],
    ids=["action", "number", "protocol", "two blocks", "port"],
)
def test_entries_that_cannot_be_are_errors(tmp_path: Path, written: Values, says: str) -> None:
    assert problems_of(tmp_path, state(WEB, acl(entry(100, **written)))) == [
        f"{says}: give the output of terraform show -json as it is".replace("denies:", "denies;")
    ]
