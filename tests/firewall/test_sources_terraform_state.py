"""`terraform show -json` of a state: values with ids."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import ALL_PROTOCOLS, ICMP, ICMPV6, TCP, UDP, GroupPeer, PrefixListPeer, UnknownPeer
from tests.firewall.terraform_documents import (
    Values,
    block,
    kinds,
    problems_of,
    resource,
    rules_from,
    said,
    state,
    warnings,
)

EVERYONE = ip_network("0.0.0.0/0")
ALLOW_ALL = block("-1", 0, 0, cidr_blocks=["0.0.0.0/0"])


def group(name: str, number: int, /, **values: Any) -> Values:
    return resource(
        f"aws_security_group.{name}",
        **{"id": f"sg-{number}", "name": name, "vpc_id": "vpc-1", "ingress": [], "egress": [ALLOW_ALL]} | values,
    )


def instance(address: str, number: int, *groups: str, **values: Any) -> Values:
    found = {
        "id": f"i-{number}",
        "primary_network_interface_id": f"eni-{number}",
        "private_ip": f"10.0.1.{number}",
        "secondary_private_ips": [],
        "ipv6_addresses": [],
        "vpc_security_group_ids": list(groups),
        "subnet_id": "subnet-1",
        "public_ip": "",
        "source_dest_check": True,
        "network_interface": [],
    }
    return resource(address, **found | values)


def vpc_rule(name: str, group_id: str, direction: str = "ingress", **values: Any) -> Values:
    nothing = dict.fromkeys(("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"))
    ports = {"from_port": None, "to_port": None, "description": None}
    return resource(
        f"aws_vpc_security_group_{direction}_rule.{name}",
        **{"id": f"sgr-{name}", "security_group_rule_id": f"sgr-{name}", "security_group_id": group_id}
        | nothing
        | ports
        | values,
    )


def old_rule(name: str, group_id: str, direction: str = "ingress", **values: Any) -> Values:
    empty: Values = {
        "cidr_blocks": None,
        "ipv6_cidr_blocks": None,
        "prefix_list_ids": [],
        "source_security_group_id": None,
    }
    found = {"id": "sgrule-1", "type": direction, "security_group_id": group_id, "self": False, "description": ""}
    return resource(f"aws_security_group_rule.{name}", **found | empty | values)


def test_a_small_estate_with_a_module_for_each_becomes_groups_and_interfaces(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        state(
            group("alb", 1, ingress=[block(cidr_blocks=["0.0.0.0/0"], ipv6_cidr_blocks=["::/0"])]),
            *(
                each
                for number, key in ((10, "blue"), (11, "green"))
                for each in (
                    resource(
                        f'module.web["{key}"].aws_security_group.this[0]',
                        id=f"sg-{number}",
                        name=f"web-{key}",
                        ingress=[block("tcp", 8000, 8080, security_groups=["sg-1"])],
                        egress=[],
                    ),
                    instance(f'module.web["{key}"].aws_instance.this', number, f"sg-{number}"),
                )
            ),
        ),
    )
    assert list(rules.groups) == ["sg-1", "sg-10", "sg-11"]
    assert said(rules, "sg-1") == [(TCP, (443, 443), EVERYONE), (TCP, (443, 443), ip_network("::/0"))]
    assert said(rules, "sg-11") == [(TCP, (8000, 8080), GroupPeer("sg-1"))]
    assert [rule.name for rule in rules.groups["sg-11"].ingress] == ["sg-11:ingress[0]"]
    blue = rules.interfaces["eni-10"]
    assert (blue.addresses, blue.groups, blue.instance) == ((ip_address("10.0.1.10"),), ("sg-10",), "i-10")
    assert blue.complete
    assert kinds(rules) == []


@pytest.mark.parametrize(
    ("protocol", "ports", "read"),
    [
        ("tcp", (22, 22), (TCP, (22, 22), -1, -1)),
        ("TCP", (22, 22), (TCP, (22, 22), -1, -1)),
        ("6", (22, 22), (TCP, (22, 22), -1, -1)),
        ("17", (53, 53), (UDP, (53, 53), -1, -1)),
        ("-1", (0, 0), (ALL_PROTOCOLS, None, -1, -1)),
        ("all", (0, 65535), (ALL_PROTOCOLS, None, -1, -1)),
        ("ALL", (-1, -1), (ALL_PROTOCOLS, None, -1, -1)),
        ("50", (0, 0), (50, None, -1, -1)),
        ("icmp", (8, 0), (ICMP, None, 8, 0)),
        ("ICMP", (-1, -1), (ICMP, None, -1, -1)),
        ("icmpv6", (-1, -1), (ICMPV6, None, -1, -1)),
    ],
)
def test_protocols_are_names_or_numbers_and_minus_one_covers_all_ports(
    tmp_path: Path, protocol: str, ports: tuple[int, int], read: tuple[object, ...]
) -> None:
    peer: Values = {"ipv6_cidr_blocks": ["::/0"]} if protocol == "icmpv6" else {"cidr_blocks": ["0.0.0.0/0"]}
    rules = rules_from(tmp_path, state(group("web", 1, ingress=[block(protocol, *ports, **peer)])))
    (rule,) = rules.groups["sg-1"].ingress
    assert (rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code) == read


def test_every_peer_of_a_block_is_a_rule_and_self_is_the_own_group(tmp_path: Path) -> None:
    peers: Values = {
        "cidr_blocks": ["192.0.2.0/24", "198.51.100.0/24"],
        "prefix_list_ids": ["pl-1"],
        "security_groups": ["111122223333/sg-2"],
        "self": True,
    }
    rules = rules_from(tmp_path, state(group("web", 1, ingress=[block(**peers)]), group("app", 2)))
    assert [peer for _, _, peer in said(rules, "sg-1")] == [
        ip_network("192.0.2.0/24"),
        ip_network("198.51.100.0/24"),
        PrefixListPeer("pl-1"),
        GroupPeer("sg-1"),
        GroupPeer("sg-2"),
    ]


def test_rules_of_rule_resources_stand_inline_too_and_count_once_with_their_id(tmp_path: Path) -> None:
    inline = [
        block(cidr_blocks=["0.0.0.0/0"], description="by hand"),
        block("icmp", 8, -1, cidr_blocks=["192.0.2.0/24", "198.51.100.0/24"]),
        block("-1", 0, 0, self=True),
    ]
    rules = rules_from(
        tmp_path,
        state(
            group("web", 1, ingress=inline),
            vpc_rule("https", "sg-1", ip_protocol="6", from_port=443, to_port=443, cidr_ipv4="0.0.0.0/0"),
            vpc_rule("own", "sg-1", ip_protocol="-1", referenced_security_group_id="111122223333/sg-1"),
            old_rule("ping", "sg-1", protocol="icmp", from_port=8, to_port=-1, cidr_blocks=["198.51.100.0/24"]),
            vpc_rule("out", "sg-1", "egress", ip_protocol="all", cidr_ipv4="0.0.0.0/0"),
        ),
    )
    web = rules.groups["sg-1"]
    assert [(rule.name, rule.peer) for rule in web.ingress] == [
        ("sg-1:ingress[0]", ip_network("192.0.2.0/24")),
        ("sg-1/sgr-https", EVERYONE),
        ("sg-1/sgr-own", GroupPeer("sg-1")),
        ("sg-1:ingress[3]", ip_network("198.51.100.0/24")),
    ]
    assert [rule.name for rule in web.egress] == ["sg-1/sgr-out"]
    assert kinds(rules) == []


def test_a_rule_is_placed_where_its_values_stand(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, state(group("web", 1, ingress=[block(cidr_blocks=["0.0.0.0/0"])])))
    place = rules.groups["sg-1"].ingress[0].place
    assert place is not None
    line = (tmp_path / "0.json").read_text().splitlines()[place.line - 1]
    assert line[place.column - 1 :].startswith('{"cidr_blocks":["0.0.0.0/0"]')


def test_a_group_without_egress_in_a_state_has_none_and_nothing_is_assumed(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, state(group("web", 1, egress=[])))
    assert (rules.groups["sg-1"].egress, kinds(rules)) == ((), [])


def test_native_files_name_groups_by_name_tag_id_or_address(tmp_path: Path) -> None:
    names = ["web", "tagged", "aws_security_group.bare", "sg-1", "aws_security_group.web"]
    native = "interfaces:\n" + "".join(
        f"  eni-{number}: {{addresses: [10.0.2.{number}], security_groups: [{name}]}}\n"
        for number, name in enumerate(names, start=1)
    )
    groups = (group("web", 1), group("other", 2, name=None, tags={"Name": "tagged"}), group("bare", 3, name=None))
    rules = rules_from(tmp_path, state(*groups), native)
    assert [eni.groups for eni in rules.interfaces.values()] == [("sg-1",), ("sg-2",), ("sg-3",), ("sg-1",), ("sg-1",)]
    assert [each.name for each in rules.groups.values()] == ["web", "tagged", "aws_security_group.bare"]


def test_a_group_that_a_data_source_names_has_rules_that_no_one_knows(tmp_path: Path) -> None:
    shared = resource("data.aws_security_group.shared", id="sg-9", name="shared")
    rules = rules_from(tmp_path, state(shared, instance("aws_instance.web", 10, "sg-9")))
    assert said(rules, "sg-9") == [(ALL_PROTOCOLS, None, UnknownPeer("what sg-9 allows"))]
    assert said(rules, "sg-9", "egress") == said(rules, "sg-9")
    assert rules.groups["sg-9"].name == "shared"
    assert warnings(rules, "unknown-peer") == [
        "what sg-9 allows is not known: packets that this rule might allow are undecidable"
    ]


def test_a_group_of_a_data_source_may_be_described_by_the_aws_cli(tmp_path: Path) -> None:
    cli = {"SecurityGroups": [{"GroupId": "sg-9", "GroupName": "shared"}]}
    rules = rules_from(tmp_path, state(instance("aws_instance.web", 10, "sg-9")), cli)
    assert (rules.groups["sg-9"].ingress, kinds(rules)) == ((), [])


def test_a_rule_of_a_group_that_stands_elsewhere_is_known_and_its_other_rules_are_not(tmp_path: Path) -> None:
    https = vpc_rule("https", "sg-9", ip_protocol="tcp", from_port=443, to_port=443, cidr_ipv4="192.0.2.0/24")
    rules = rules_from(tmp_path, state(https))
    assert said(rules, "sg-9") == [
        (TCP, (443, 443), ip_network("192.0.2.0/24")),
        (ALL_PROTOCOLS, None, UnknownPeer("what else sg-9 allows")),
    ]
    cli = {"SecurityGroups": [{"GroupId": "sg-9", "GroupName": "shared"}]}
    rules = rules_from(tmp_path, state(https), cli)
    assert said(rules, "sg-9") == []
    assert warnings(rules, "terraform-left-out") == ["another file gives the rules of sg-9: this rule is left out"]


def test_prefix_lists_have_the_entries_of_their_blocks_and_of_entry_resources_once(tmp_path: Path) -> None:
    office = resource(
        "aws_ec2_managed_prefix_list.office",
        id="pl-1",
        name="office",
        address_family="IPv4",
        max_entries=5,
        version=3,
        owner_id="111122223333",
        entry=[{"cidr": "192.0.2.0/24", "description": ""}, {"cidr": "198.51.100.0/24", "description": ""}],
    )
    entries = [
        resource(f"aws_ec2_managed_prefix_list_entry.e[{number}]", prefix_list_id="pl-1", cidr=cidr)
        for number, cidr in enumerate(("198.51.100.0/24", "203.0.113.0/24"))
    ]
    s3 = resource(
        "data.aws_ec2_managed_prefix_list.s3",
        id="pl-2",
        name="com.amazonaws.eu-west-1.s3",
        address_family="IPv4",
        owner_id="AWS",
        entries=[{"cidr": "192.0.2.128/25", "description": ""}],
    )
    old = resource("data.aws_prefix_list.db", id="pl-3", name="db", cidr_blocks=["198.51.100.128/25"])
    again = resource("module.net.data.aws_prefix_list.db", id="pl-3", name="db", cidr_blocks=["198.51.100.128/25"])
    rules = rules_from(tmp_path, state(group("web", 1), office, *entries, s3, old, again))
    lists = rules.prefix_lists
    assert [str(net) for net in lists["pl-1"].entries] == ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]
    assert (lists["pl-1"].max_entries, lists["pl-1"].version, lists["pl-1"].family) == (5, 3, 4)
    assert (lists["pl-2"].owner, lists["pl-2"].entries) == ("AWS", (ip_network("192.0.2.128/25"),))
    assert lists["pl-3"].entries == (ip_network("198.51.100.128/25"),)
    native = "security_groups: {n: {egress: [], ingress: [{protocol: all, source: 'pl:office'}]}}\n"
    rules = rules_from(tmp_path, state(office), native)
    assert rules.groups["n"].ingress[0].peer == PrefixListPeer("pl-1")


def test_default_objects_and_deposed_ones(tmp_path: Path) -> None:
    deposed = group("web", 7) | {"deposed_key": "00000000"}
    default = resource(
        "aws_default_security_group.d", id="sg-2", name="default", ingress=[block("-1", 0, 0, self=True)], egress=[]
    )
    rules = rules_from(tmp_path, state(group("web", 1), deposed, default))
    assert list(rules.groups) == ["sg-1", "sg-2"]
    assert said(rules, "sg-2") == [(ALL_PROTOCOLS, None, GroupPeer("sg-2"))]


def test_unknown_types_and_keys_are_ignored(tmp_path: Path) -> None:
    document = state(group("web", 1, arn="x", timeouts=None), resource("aws_s3_bucket.b", id=5, ingress="no"))
    assert list(rules_from(tmp_path, document | {"checks": []}).groups) == ["sg-1"]


@pytest.mark.parametrize("version", ["0.1", "0.2", "1.0", "1.99"])
def test_format_versions_0_and_1_are_read(tmp_path: Path, version: str) -> None:
    assert rules_from(tmp_path, state(group("web", 1)) | {"format_version": version}).groups


@pytest.mark.parametrize(("version", "found"), [("2.0", "'2.0'"), (None, "missing"), (2, "2"), ([], "a list")])
def test_other_format_versions_are_errors(tmp_path: Path, version: object, found: str) -> None:
    assert problems_of(tmp_path, state(group("web", 1)) | {"format_version": version}) == [
        f"format_version is {found}: 0.x and 1.x are read; give the output of terraform show -json as it is"
    ]


def test_a_state_file_as_terraform_keeps_it_is_told_what_to_run(tmp_path: Path) -> None:
    kept = {"version": 4, "terraform_version": "1.9.8", "serial": 3, "lineage": "x", "outputs": {}, "resources": []}
    assert problems_of(tmp_path, kept) == [
        "Terraform's own state file is not read: give the output of terraform show -json"
    ]


def test_an_empty_state_says_so(tmp_path: Path) -> None:
    assert problems_of(tmp_path, {"format_version": "1.0"}) == [
        "neither values (a state) nor planned_values (a plan) stand here: apply, or give a plan"
    ]
