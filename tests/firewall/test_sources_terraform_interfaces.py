"""Network interfaces of `terraform show -json`."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import ALL_PROTOCOLS, RuleSet, UnknownPeer
from tests.firewall.terraform_documents import (
    Values,
    config,
    constant,
    kinds,
    plan,
    refs,
    resource,
    rules_from,
    said,
    state,
    warnings,
)
from tests.firewall.test_sources_terraform_state import group, instance

WEB = group("web", 1)


def eni(name: str, number: int, *groups: str, **values: Any) -> Values:
    found = {
        "id": f"eni-{number}",
        "private_ip": f"10.0.1.{number}",
        "private_ips": [f"10.0.1.{number}"],
        "private_ip_list": [f"10.0.1.{number}"],
        "ipv6_addresses": [],
        "security_groups": list(groups),
        "subnet_id": "subnet-1",
        "mac_address": "02:00:5e:00:53:01",
        "attachment": [],
    }
    return resource(f"aws_network_interface.{name}", **found | values)


def test_an_interface_has_its_addresses_primary_first_and_its_prefixes(tmp_path: Path) -> None:
    web = eni(
        "web",
        10,
        "sg-1",
        private_ips=["10.0.1.9", "10.0.1.10"],
        ipv6_addresses=["2001:db8::10"],
        ipv4_prefixes=["10.0.1.16/28"],
        attachment=[{"instance": "i-7", "device_index": 1}],
        source_dest_check=False,
        interface_type="efa",
    )
    found = rules_from(tmp_path, state(WEB, web)).interfaces["eni-10"]
    assert found.addresses == tuple(map(ip_address, ("10.0.1.10", "10.0.1.9", "2001:db8::10")))
    assert found.prefixes == (ip_network("10.0.1.16/28"),)
    assert (found.mac, found.instance, found.subnet) == ("02:00:5e:00:53:01", "i-7", "subnet-1")
    assert (found.source_dest_check, found.interface_type, found.complete) == (False, "efa", True)


def test_an_instance_brings_its_primary_interface_with_all_addresses(tmp_path: Path) -> None:
    web = instance(
        "aws_instance.web",
        10,
        "sg-1",
        secondary_private_ips=["10.0.1.11"],
        ipv6_addresses=["2001:db8::10"],
        public_ip="203.0.113.10",
    )
    found = rules_from(tmp_path, state(WEB, web)).interfaces["eni-10"]
    assert found.addresses == tuple(map(ip_address, ("10.0.1.10", "10.0.1.11", "2001:db8::10")))
    assert found.public_addresses == (ip_address("203.0.113.10"),)


def test_an_interface_given_to_an_instance_is_not_made_twice(tmp_path: Path) -> None:
    given = [
        {"device_index": 0, "network_interface_id": "eni-10"},
        {"device_index": 1, "network_interface_id": "eni-11"},
    ]
    web = instance("aws_instance.web", 10, "sg-1", network_interface=given)
    rules = rules_from(tmp_path, state(WEB, web, eni("one", 10, "sg-1"), eni("two", 11, "sg-1")))
    assert {key: each.instance for key, each in rules.interfaces.items()} == {"eni-10": "i-10", "eni-11": "i-10"}
    assert rules.interfaces["eni-10"].mac is not None


def test_attached_groups_are_added_once(tmp_path: Path) -> None:
    attachments = [
        resource(
            f"aws_network_interface_sg_attachment.a[{number}]",
            security_group_id=group_id,
            network_interface_id="eni-10",
        )
        for number, group_id in enumerate(("sg-2", "sg-1"))
    ]
    rules = rules_from(tmp_path, state(WEB, group("ssh", 2), instance("aws_instance.web", 10, "sg-1"), *attachments))
    assert rules.interfaces["eni-10"].groups == ("sg-1", "sg-2")


def test_an_instance_in_the_default_vpc_names_its_groups(tmp_path: Path) -> None:
    web = instance("aws_instance.web", 10, vpc_security_group_ids=[], security_groups=["web"])
    assert rules_from(tmp_path, state(WEB, web)).interfaces["eni-10"].groups == ("sg-1",)


def test_an_interface_without_groups_in_a_state_is_left_out(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, state(WEB, eni("web", 10)))
    assert (rules.interfaces, kinds(rules)) == ({}, ["no-groups"])


# --- a plan ------------------------------------------------------------------------------------------------
NEW_GROUP = resource("aws_security_group.web", name="web", ingress=[], egress=[])
IN_WEB = {"vpc_security_group_ids": refs("aws_security_group.web.id")}
UNKNOWN: Values = dict.fromkeys(
    ("private_ip", "secondary_private_ips", "ipv6_addresses", "vpc_security_group_ids", "id"), True
)


def planned(address: str = "aws_instance.web", expressions: Values | None = None, **values: Any) -> Values:
    label = address.rpartition("[")[0] or address
    unknown = {key: True for key in UNKNOWN if key not in values}
    return plan(
        NEW_GROUP,
        resource(address, **values),
        configuration=config({"aws_security_group.web": {}, label: IN_WEB | (expressions or {})}),
        unknown={address: unknown},
    )


def test_a_planned_instance_is_named_by_its_address_and_asks_for_its_own(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, planned())
    web = rules.interfaces["aws_instance.web"]
    assert (web.addresses, web.complete, web.groups) == ((), False, ("aws_security_group.web",))
    assert warnings(rules, "unknown-address") == [
        (
            "the file does not say all addresses of aws_instance.web: "
            "write addresses: {aws_instance.web: [10.0.1.10]} with its own in a second rule file"
        )
    ]


def test_a_second_file_gives_the_addresses(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, planned(), "addresses: {aws_instance.web: [10.0.1.10, 10.0.1.11]}\n")
    web = rules.interfaces["aws_instance.web"]
    assert (web.addresses, web.complete) == ((ip_address("10.0.1.10"), ip_address("10.0.1.11")), True)
    assert warnings(rules, "unknown-address") == []


def test_an_address_with_an_index_is_written_as_the_warning_says(tmp_path: Path) -> None:
    document = planned('aws_instance.web["it\'s"]')
    (text,) = warnings(rules_from(tmp_path, document), "unknown-address")
    written = text.partition("write ")[2].partition(" with ")[0]
    assert written == "addresses: {'aws_instance.web[\"it''s\"]': [10.0.1.10]}"
    rules = rules_from(tmp_path, document, written + "\n")
    assert rules.interfaces['aws_instance.web["it\'s"]'].addresses == (ip_address("10.0.1.10"),)


def test_a_planned_address_that_is_written_out_is_whole(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, planned(expressions={"private_ip": constant("10.0.1.10")}, private_ip="10.0.1.10"))
    web = rules.interfaces["aws_instance.web"]
    assert (web.addresses, web.complete, kinds(rules)) == ((ip_address("10.0.1.10"),), True, ["terraform-no-egress"])


def test_addresses_that_aws_is_to_pick_beside_a_written_one_are_missed(tmp_path: Path) -> None:
    asked = {"private_ip": constant("10.0.1.10"), "ipv6_address_count": constant(1)}
    rules = rules_from(tmp_path, planned(expressions=asked, private_ip="10.0.1.10", ipv6_address_count=1))
    web = rules.interfaces["aws_instance.web"]
    assert (web.addresses, web.complete) == ((ip_address("10.0.1.10"),), False)
    assert warnings(rules, "unknown-address")[0].startswith("the file does not say an address of aws_instance.web")


def test_a_planned_interface_is_joined_with_its_instance_subnet_and_attached_group(tmp_path: Path) -> None:
    labels: dict[str, Values] = {
        "aws_network_interface.eth0": {
            "subnet_id": refs("aws_subnet.a.id"),
            "security_groups": refs("aws_security_group.web.id"),
            "private_ips": constant(["10.0.1.10"]),
        },
        "aws_instance.web": {"network_interface": [{"network_interface_id": refs("aws_network_interface.eth0.id")}]},
        "aws_network_interface_sg_attachment.ssh": {
            "security_group_id": refs("aws_security_group.ssh.id"),
            "network_interface_id": refs("aws_instance.web.primary_network_interface_id"),
        },
    }
    marks: dict[str, Values] = {
        "aws_network_interface.eth0": {"id": True, "subnet_id": True, "security_groups": True, "private_ip": True},
        "aws_instance.web": UNKNOWN | {"network_interface": [{"network_interface_id": True}]},
        "aws_network_interface_sg_attachment.ssh": {"security_group_id": True, "network_interface_id": True},
    }
    rules = rules_from(
        tmp_path,
        plan(
            NEW_GROUP,
            resource("aws_security_group.ssh", name="ssh", ingress=[], egress=[]),
            resource("aws_subnet.a", cidr_block="10.0.1.0/24"),
            resource("aws_network_interface.eth0", private_ips=["10.0.1.10"]),
            resource("aws_instance.web", network_interface=[{"device_index": 0}]),
            resource("aws_network_interface_sg_attachment.ssh"),
            configuration=config(labels),
            unknown=marks,
        ),
    )
    assert list(rules.interfaces) == ["aws_network_interface.eth0"]
    eth0 = rules.interfaces["aws_network_interface.eth0"]
    assert eth0.groups == ("aws_security_group.web", "aws_security_group.ssh")
    assert (eth0.instance, eth0.subnet) == ("aws_instance.web", "aws_subnet.a")
    assert (eth0.addresses, eth0.complete) == ((ip_address("10.0.1.10"),), True)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (refs("local.groups"), "local.groups"),
        (None, "the security groups that AWS gives aws_instance.web"),
        (refs("aws_lb.front.security_groups"), "aws_lb.front.security_groups"),
    ],
    ids=["a local", "none given", "another resource"],
)
def test_groups_that_a_plan_does_not_say_make_packets_undecidable(
    tmp_path: Path, expression: Values | None, text: str
) -> None:
    labels = {"aws_instance.web": {} if expression is None else {"vpc_security_group_ids": expression}}
    rules = rules_from(
        tmp_path,
        plan(
            resource("aws_instance.web"),
            configuration=config(labels),
            unknown={"aws_instance.web": UNKNOWN},
        ),
    )
    (name,) = rules.interfaces["aws_instance.web"].groups
    assert name == "aws_instance.web.vpc_security_group_ids"
    assert said(rules, name) == said(rules, name, "egress") == [(ALL_PROTOCOLS, None, UnknownPeer(text))]
    assert warnings(rules, "unknown-peer") == [
        f"{text} is not known: packets that this rule might allow are undecidable"
    ]


# --- members that AWS makes -----------------------------------------------------------------------------------
def lb_state(tmp_path: Path, more: str = "") -> RuleSet:
    others = [
        resource("aws_lb.front", id="arn:lb", security_groups=["sg-app"]),
        resource("aws_lambda_function.f", function_name="f", vpc_config=[{"security_group_ids": ["sg-fn"]}]),
    ]
    groups = [
        resource(f"aws_security_group.{name}", id=f"sg-{name}", name=name, ingress=[], egress=[])
        for name in ("app", "fn", "db")
    ]
    native = [f"security_groups: {{}}\n{more}"] if more else []
    return rules_from(tmp_path, state(*groups, *others), *native)


def test_groups_that_a_load_balancer_or_a_function_has_may_have_members_that_no_file_says(tmp_path: Path) -> None:
    rules = lb_state(tmp_path)
    assert rules.incomplete == {"sg-app", "sg-fn"}
    assert [text.split(":")[0] for text in warnings(rules, "members-not-read")] == [
        "aws_lb.front has sg-app and is not read",
        "aws_lambda_function.f has sg-fn and is not read",
    ]


def test_a_native_file_may_say_that_it_gives_all_members(tmp_path: Path) -> None:
    assert lb_state(tmp_path, "members_complete: [app]\n").incomplete == {"sg-fn"}
    assert lb_state(tmp_path, "members_complete: all\n").incomplete == frozenset()
