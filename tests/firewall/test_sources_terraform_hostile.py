"""Terraform files that hold anything anywhere end in rules or in clear errors."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from firewall.errors import RuleFileError
from firewall.sources import load_rules
from tests.firewall.terraform_documents import (
    Values,
    block,
    config,
    plan,
    problems_of,
    refs,
    resource,
    rules_from,
    said,
    state,
)
from tests.firewall.test_sources_terraform_acls import SUBNET, VPC, acl, acl_rule, entry
from tests.firewall.test_sources_terraform_interfaces import WEB, eni
from tests.firewall.test_sources_terraform_plan import HTTPS, MARKS, NEW, RULE, new_group
from tests.firewall.test_sources_terraform_references import estate
from tests.firewall.test_sources_terraform_state import group, instance, old_rule, vpc_rule

JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**17,
    0.5,
    "",
    "x",
    "bell\x07",
    "x" * 3000,
    [],
    [None],
    {},
    {"references": 5},
)
CURE = "give the output of terraform show -json as it is"


def everything() -> Values:
    """A state with every resource type that is read."""
    return state(
        VPC,
        SUBNET,
        group("web", 1, ingress=[block(cidr_blocks=["192.0.2.0/24"], security_groups=["sg-2"])]),
        vpc_rule("a", "sg-1", ip_protocol="-1", cidr_ipv4="192.0.2.0/24"),
        old_rule("b", "sg-1", protocol="icmp", from_port=8, to_port=0, cidr_blocks=["192.0.2.0/24"]),
        eni("e", 9, "sg-1", attachment=[{"instance": "i-10", "device_index": 1}]),
        instance("aws_instance.i", 10, "sg-1", network_interface=[{"network_interface_id": "eni-10"}]),
        resource("aws_network_interface_sg_attachment.a", security_group_id="sg-1", network_interface_id="eni-9"),
        resource("aws_network_interface_attachment.a", instance_id="i-10", network_interface_id="eni-9"),
        resource("aws_ec2_managed_prefix_list.l", id="pl-1", name="l", entry=[{"cidr": "192.0.2.0/24"}], version=1),
        resource("aws_ec2_managed_prefix_list_entry.l", prefix_list_id="pl-1", cidr="198.51.100.0/24"),
        resource("data.aws_prefix_list.s3", id="pl-2", name="s3", cidr_blocks=["198.51.100.0/24"]),
        resource("data.aws_security_group.s", id="sg-2", name="s"),
        acl(entry(100)),
        acl_rule("r", 90),
        resource("aws_network_acl_association.a", network_acl_id="acl-1", subnet_id="subnet-1"),
        resource("aws_vpc_ipv4_cidr_block_association.b", vpc_id="vpc-1", cidr_block="10.1.0.0/16"),
    )


def refusal(file: Path) -> list[str]:
    """What is wrong with a file; nothing if it is read."""
    try:
        load_rules(file)
    except RuleFileError as error:
        return error.problems
    return []


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from paths(each, (*path, key))


def changed(document: Values, path: tuple[Any, ...], junk: Any) -> Any:
    """The document with one value replaced."""
    if not path:
        return junk
    copy = deepcopy(document)
    inside: Any = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = junk
    return copy


@pytest.mark.parametrize("make", [everything, estate], ids=["state", "plan"])
@pytest.mark.parametrize("turn", range(2))
def test_junk_in_the_place_of_any_value_is_read_or_refused(tmp_path: Path, make: Any, turn: int) -> None:
    document = make()
    file = tmp_path / "junk.json"
    outcomes = {"read": 0, "refused": 0}
    for number, path in enumerate(paths(document), start=5 * turn):
        file.write_text(json.dumps(changed(document, path, JUNK[number % len(JUNK)])))
        problems = refusal(file)
        assert all(line.isprintable() and ": " in line for line in problems)
        outcomes["refused" if problems else "read"] += 1
    assert min(outcomes.values()) > 0, outcomes


def test_everything_is_read_as_it_stands(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, everything())
    assert (list(rules.interfaces), list(rules.prefix_lists)) == (["eni-9", "eni-10"], ["pl-1", "pl-2"])


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (state(group("web", 1, ingress="all")), f"expected a list, found 'all': write a list of blocks: {CURE}"),
        (state(group("web", 1, ingress=["all"])), f"expected a mapping, found 'all': write a block: {CURE}"),
        (
            state(group("web", 1, ingress=[block("tpc", cidr_blocks=["192.0.2.0/24"])])),
            "unknown protocol 'tpc': did you mean tcp? (or a number from 0 to 255)",
        ),
        (
            state(group("web", 1, ingress=[block("tcp", 22, 10, cidr_blocks=["192.0.2.0/24"])])),
            "first port 22 is above last port 10: write 10-22",
        ),
        (
            state(group("web", 1, ingress=[block(self="yes")])),
            f"'yes' is no self: {CURE}",
        ),
        (state(WEB, WEB), f"'aws_security_group.web' stands here twice: {CURE}"),
        (state(WEB | {"mode": "odd"}), f"'aws_security_group.web' lacks mode, type or name: {CURE}"),
        (state(WEB | {"values": 5}), f"expected a mapping, found 5: write the resource's values: {CURE}"),
        (
            state(old_rule("r", "sg-1", "inward", protocol="-1", cidr_blocks=["192.0.2.0/24"])),
            f"aws_security_group_rule.r: type is neither ingress nor egress: {CURE}",
        ),
        (
            state(old_rule("r", "", protocol="-1", cidr_blocks=["192.0.2.0/24"])),
            f"aws_security_group_rule.r has no security_group_id: {CURE}",
        ),
        (
            state(vpc_rule("r", "sg-1", cidr_ipv4="192.0.2.0/24")),
            f"ip_protocol is missing: {CURE}",
        ),
        (
            state(WEB, instance("aws_instance.i", 10, "sg-1", private_ip="10.0.1.300")),
            "'10.0.1.300' is no single address: write one like 10.0.1.10 or 2001:db8::10, without a length",
        ),
        (state(WEB, instance("aws_instance.i", 10, "sg\n1")), rf"'sg\n1' is no vpc_security_group_ids: {CURE}"),
    ],
    ids=[
        *("no list", "no block", "protocol", "ports", "flag", "twice", "mode", "values", "type", "group", "missing"),
        *("address", "control character"),
    ],
)
def test_mistakes_say_what_is_wrong_and_what_to_give(tmp_path: Path, document: Values, says: str) -> None:
    assert problems_of(tmp_path, document) == [says]


@pytest.mark.parametrize("address", ["", "module", "module.a.", "a b\x00", "x" * 2000, "module.a[", 5])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: object) -> None:
    document = state(WEB)
    document["values"]["root_module"]["child_modules"] = [{"address": address, "resources": []}]
    assert len(problems_of(tmp_path, document)) == 1


def test_references_without_end_are_followed_once(tmp_path: Path) -> None:
    """Doubling at every step would take 2 to the 60th steps."""
    key = "referenced_security_group_id"
    inner = config({"aws_security_group.web": {}})
    for _ in range(12):
        calls = {name: {"expressions": {"id": refs("var.id")}, "module": inner} for name in "ab"}
        outputs = {"id": refs("module.a.id", "module.b.id", "var.id")}
        inner = config({}, calls, outputs, variables={"id": {}})
        if len(json.dumps(inner)) > 300_000:
            break
    document = plan(
        new_group("aws_security_group.web"),
        resource(HTTPS, **RULE),
        configuration=config(
            {
                "aws_security_group.web": {},
                HTTPS: {
                    "security_group_id": refs("aws_security_group.web.id"),
                    key: {"references": [f"module.m.id.x{number}" for number in range(2000)]},
                },
            },
            {"m": {"expressions": {"id": refs("aws_security_group.web.id")}, "module": inner}},
        ),
        unknown={"aws_security_group.web": NEW, HTTPS: MARKS | {key: True}},
    )
    rules = rules_from(tmp_path, document)
    assert len(said(rules, "aws_security_group.web")) == 1
