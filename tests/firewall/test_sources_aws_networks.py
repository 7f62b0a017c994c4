"""VPCs, subnets and network ACLs from the AWS CLI."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import ICMP, ICMPV6, TCP
from tests.firewall.aws_outputs import ENI, group, kinds, problems_from, rules_from

GROUP = group()
EVERY: dict[str, Any] = {"Protocol": "-1", "CidrBlock": "0.0.0.0/0"}
STARS = [
    {"RuleNumber": number, "Protocol": "-1", "RuleAction": "deny", "Egress": egress, key: block}
    for egress in (False, True)
    for number, key, block in ((32767, "CidrBlock", "0.0.0.0/0"), (32768, "Ipv6CidrBlock", "::/0"))
]


def entry(number: int, *, deny: bool = False, egress: bool = False, **keys: Any) -> dict[str, Any]:
    return {"RuleNumber": number, "RuleAction": "deny" if deny else "allow", "Egress": egress} | keys


def acl(*entries: Any, identity: str = "acl-1", subnets: tuple[str, ...] = (), **keys: Any) -> dict[str, Any]:
    associations = [
        {"NetworkAclAssociationId": f"aclassoc-{each}", "NetworkAclId": identity, "SubnetId": each} for each in subnets
    ]
    found = {"NetworkAclId": identity, "VpcId": "vpc-1", "Entries": list(entries), "Associations": associations}
    return {"NetworkAcls": [found | keys]}


# --- VPCs and subnets --------------------------------------------------------------------------------------
def test_a_vpc_has_its_primary_block_first_and_each_block_in_use_once(tmp_path: Path) -> None:
    blocks = [
        {"CidrBlock": "10.1.0.0/16", "CidrBlockState": {"State": "associated"}},
        {"CidrBlock": "10.2.0.0/16", "CidrBlockState": {"State": "disassociated"}},
        {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
    ]
    ipv6 = [
        {"Ipv6CidrBlock": "2001:db8:1::/56", "Ipv6CidrBlockState": {"State": "disassociating"}},
        {"Ipv6CidrBlock": "2001:db8:2::/56", "Ipv6CidrBlockState": {"State": "associated"}},
    ]
    vpc = {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockAssociationSet": blocks, "IsDefault": False}
    rules = rules_from(tmp_path, GROUP, {"Vpcs": [vpc | {"Ipv6CidrBlockAssociationSet": ipv6}]})
    assert rules.vpcs["vpc-1"].cidrs == tuple(map(ip_network, ("10.0.0.0/16", "10.1.0.0/16", "2001:db8:2::/56")))


def test_a_subnet_may_have_ipv4_ipv6_or_both(tmp_path: Path) -> None:
    ipv6 = {"Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64"}]}
    subnets = [
        {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"},
        {"SubnetId": "subnet-2", "VpcId": "vpc-1", "CidrBlock": None} | ipv6,
        {"SubnetId": "subnet-3", "VpcId": "vpc-1", "CidrBlock": "10.0.3.0/24"} | ipv6,
    ]
    found = rules_from(tmp_path, GROUP, {"Subnets": subnets}).subnets
    assert [each.vpc for each in found.values()] == ["vpc-1"] * 3
    assert [[str(block) for block in each.cidrs] for each in found.values()] == [
        ["10.0.1.0/24"],
        ["2001:db8::/64"],
        ["10.0.3.0/24", "2001:db8::/64"],
    ]


def test_an_interface_is_found_in_its_subnet_and_its_vpc(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        GROUP,
        {"NetworkInterfaces": [ENI]},
        {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]},
        {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}]},
        acl(subnets=("subnet-1",)),
    )
    eni = rules.interfaces["eni-1"]
    assert (rules.vpc_of(eni), rules.subnet_of(eni)) == (rules.vpcs["vpc-1"], rules.subnets["subnet-1"])
    assert rules.network_acl_of(eni) is rules.network_acls["acl-1"]
    assert rules.warnings == ()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ({"Vpcs": [{}]}, "VpcId is missing"),
        ({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "2001:db8::/56"}]}, "is no IPv4 block: it cannot stand in"),
        ({"Vpcs": [{"VpcId": "vpc-1"}] * 2}, "VPC 'vpc-1' is defined twice"),
        ({"Subnets": [{"VpcId": "vpc-1"}]}, "SubnetId is missing"),
        ({"Subnets": [{"SubnetId": "subnet-1"}] * 2}, "subnet 'subnet-1' is defined twice"),
        ({"Subnets": [{"SubnetId": "subnet-1", "CidrBlock": 10}]}, "10 is no IPv4 or IPv6 address block"),
    ],
)
def test_vpcs_and_subnets_that_aws_would_not_print_are_refused(
    tmp_path: Path, output: dict[str, Any], says: str
) -> None:
    (line,) = problems_from(tmp_path, GROUP, output)
    assert says in line


# --- network ACLs ------------------------------------------------------------------------------------------
def test_entries_stand_in_the_order_of_their_numbers_without_the_last_that_deny(tmp_path: Path) -> None:
    entries = [
        *STARS,
        entry(200, Protocol="17", CidrBlock="10.0.0.0/8", PortRange={"From": 1024, "To": 65535}),
        entry(100, Protocol="6", CidrBlock="0.0.0.0/0", PortRange={"From": 22, "To": 22}),
        entry(90, deny=True, Protocol="6", CidrBlock="198.51.100.0/24", PortRange={"From": 22, "To": 22}),
        entry(100, egress=True, **EVERY),
        entry(101, egress=True, Protocol="-1", Ipv6CidrBlock="::/0"),
    ]
    found = rules_from(tmp_path, GROUP, acl(*entries, IsDefault=True)).network_acls["acl-1"]
    assert [(each.name, each.action, each.protocol, str(each.peer), each.ports) for each in found.ingress] == [
        ("acl-1:ingress[90]", "deny", TCP, "198.51.100.0/24", (22, 22)),
        ("acl-1:ingress[100]", "allow", TCP, "0.0.0.0/0", (22, 22)),
        ("acl-1:ingress[200]", "allow", 17, "10.0.0.0/8", (1024, 65535)),
    ]
    assert [(each.name, each.action, each.protocol, str(each.peer), each.ports) for each in found.egress] == [
        ("acl-1:egress[100]", "allow", -1, "0.0.0.0/0", None),
        ("acl-1:egress[101]", "allow", -1, "::/0", None),
    ]
    assert (found.is_default, found.vpc) == (True, "vpc-1")


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        ({"Protocol": "6"}, (TCP, (0, 65535), -1, -1)),
        ({"Protocol": "tcp", "PortRange": {}}, (TCP, (0, 65535), -1, -1)),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}}, (ICMP, None, 8, -1)),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 0, "Code": 0}}, (ICMP, None, 0, 0)),
        ({"Protocol": 1}, (ICMP, None, -1, -1)),
        ({"Protocol": "-1", "PortRange": {"From": 22, "To": 22}}, (-1, None, -1, -1)),
        ({"Protocol": "132", "PortRange": {"From": 22, "To": 22}}, (132, None, -1, -1)),
        ({"Protocol": "50"}, (50, None, -1, -1)),
    ],
)
def test_an_entry_covers_what_the_api_says(tmp_path: Path, keys: dict[str, Any], kept: tuple[object, ...]) -> None:
    rules = rules_from(tmp_path, GROUP, acl(entry(100, CidrBlock="0.0.0.0/0", **keys)))
    (found,) = rules.network_acls["acl-1"].ingress
    assert (found.protocol, found.ports, found.icmp_type, found.icmp_code) == kept
    assert rules.warnings == ()


@pytest.mark.parametrize(
    ("block", "kept", "warned"),
    [({"Ipv6CidrBlock": "::/0"}, 128, []), ({"CidrBlock": "0.0.0.0/0"}, -1, ["family-mismatch"])],
)
def test_icmpv6_has_types_with_an_ipv6_block_alone(
    tmp_path: Path, block: dict[str, Any], kept: int, warned: list[str]
) -> None:
    rules = rules_from(tmp_path, GROUP, acl(entry(100, Protocol="58", IcmpTypeCode={"Type": 128, "Code": -1}, **block)))
    (found,) = rules.network_acls["acl-1"].ingress
    assert (found.protocol, found.icmp_type) == (ICMPV6, kept)
    assert kinds(rules) == warned


def test_a_list_without_entries_is_kept_and_denies_all(tmp_path: Path) -> None:
    found = rules_from(tmp_path, GROUP, acl(*STARS)).network_acls["acl-1"]
    assert (found.ingress, found.egress) == ((), ())


def test_subnets_have_the_list_that_is_associated_or_the_vpcs_default(tmp_path: Path) -> None:
    subnets = {"Subnets": [{"SubnetId": f"subnet-{number}", "VpcId": f"vpc-{number // 3}"} for number in range(6)]}
    rules = rules_from(
        tmp_path,
        GROUP,
        subnets,
        acl(identity="acl-1", subnets=("subnet-4",)),
        acl(identity="acl-2", IsDefault=True),
    )
    assert [each.network_acl for each in rules.subnets.values()] == [None, None, None, "acl-2", "acl-1", "acl-2"]


def test_a_subnet_with_two_lists_is_refused(tmp_path: Path) -> None:
    (line,) = problems_from(tmp_path, GROUP, acl(subnets=("subnet-1",)), acl(identity="acl-2", subnets=("subnet-1",)))
    assert line.startswith("2.json:8:17 NetworkAcls[0].Associations[0] - subnet 'subnet-1' has two network ACLs")


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        (entry(0, **EVERY), "RuleNumber - RuleNumber 0 is out of range: 1 to 32766"),
        (entry(32769, **EVERY), "RuleNumber 32769 is out of range: 1 to 32766"),
        (entry(32767, **EVERY), "entry 32767 is AWS's own and denies: number others 1 to 32766"),
        (entry(100, **EVERY) | {"RuleNumber": "100"}, "'100' is no number: give the AWS CLI's output as it is"),
        (entry(100, **EVERY) | {"RuleNumber": None}, "RuleNumber is missing: give the AWS CLI's output whole"),
        (entry(100, **EVERY) | {"RuleAction": "reject"}, "'reject' is no RuleAction: allow or deny"),
        (entry(100, **EVERY) | {"RuleAction": None}, "RuleAction is missing"),
        (entry(100, **EVERY) | {"Egress": None}, "Egress is missing"),
        (entry(100, **EVERY) | {"Protocol": None}, "Protocol is missing"),
        (entry(100, **EVERY) | {"Protocol": "tpc"}, "unknown protocol 'tpc': did you mean tcp?"),
        (entry(100, Protocol="-1"), "the entry has neither CidrBlock nor Ipv6CidrBlock: write an entry for each block"),
        (entry(100, **EVERY, Ipv6CidrBlock="::/0"), "the entry has both CidrBlock and Ipv6CidrBlock: write an entry"),
        (entry(100, Protocol="-1", CidrBlock="::/0"), "::/0 is no IPv4 block: it cannot stand in CidrBlock"),
        (entry(100, Protocol="-1", Ipv6CidrBlock="0.0.0.0/0"), "0.0.0.0/0 is no IPv6 block"),
        (entry(100, **EVERY, PortRange={"From": 1}), "PortRange - To is missing: give the AWS CLI's output whole"),
        (entry(100, **EVERY, PortRange={"From": 1, "To": "2"}), "To - '2' is no number"),
        (entry(100, **EVERY | {"Protocol": "6"}, PortRange={"From": 2, "To": 1}), "first port 2 is above last port 1"),
        (
            entry(100, **EVERY | {"Protocol": "1"}, IcmpTypeCode={"Type": 300, "Code": 0}),
            "ICMP type 300 is out of range: 0 to 255, or -1 for any",
        ),
    ],
)
def test_an_entry_that_aws_would_not_print_is_refused(tmp_path: Path, listed: dict[str, Any], says: str) -> None:
    (line,) = problems_from(tmp_path, GROUP, acl(listed))
    assert line.startswith("1.json:")
    assert says in line


def test_two_entries_of_one_direction_and_number_are_refused(tmp_path: Path) -> None:
    (line,) = problems_from(
        tmp_path, GROUP, acl(entry(100, **EVERY), entry(100, egress=True, **EVERY), entry(100, deny=True, **EVERY))
    )
    assert "acl-1:ingress[100] is written twice, first at 1.json:7:17" in line
