"""Estates of the size and shape that people have: thirty groups that name each other.

Terraform: a module called for each service, which holds the group, its interfaces and its rules as
resources with indices, as public security group modules do. CloudFormation: groups first, then
ingress resources that name them, as templates do that must not refer in circles.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firewall.cli import main
from firewall.engine import Firewall
from firewall.model import GroupPeer, RuleSet
from firewall.sources import load_rules
from pcaps.capture import FrameCapture
from pcaps.craft import packets_to_frames, parse
from tests.firewall.terraform_documents import block, config, plan, refs, resource, state
from tests.support import rows

SERVICES = 30
CALLED = (1, 7)  # service n calls n + 1 and n + 7, at the port 8000 + the called one's number


def name(number: int) -> str:
    return f"svc-{number % SERVICES:02}"


def address(number: int) -> str:
    return f"10.0.{1 + number % 3}.{10 + number % SERVICES}"


def callers(number: int) -> list[int]:
    return [(number - step) % SERVICES for step in CALLED]


# --- Terraform ----------------------------------------------------------------------------------------------
def in_module(number: int, rest: str) -> str:
    return f'module.platform.module.service["{name(number)}"].{rest}'


def terraform_state() -> dict[str, Any]:
    """Ids are known; each group's inline rules repeat those of the rule resources, as a refreshed state's do."""
    found = []
    for number in range(SERVICES):
        port = 8000 + number
        calls = [f"sg-{caller:02}" for caller in callers(number)]
        found += [
            resource(
                in_module(number, "aws_security_group.this[0]"),
                id=f"sg-{number:02}",
                name=name(number),
                vpc_id="vpc-1",
                ingress=[block(first=port, last=port, security_groups=calls), block("-1", 0, 0, self=True)],
                egress=[block("-1", 0, 0, cidr_blocks=["0.0.0.0/0"])],
            ),
            resource(
                in_module(number, "aws_network_interface.this[0]"),
                id=f"eni-{number:02}",
                private_ips=[address(number)],
                security_groups=[f"sg-{number:02}"],
            ),
        ]
        found += [
            resource(
                in_module(number, f"aws_security_group_rule.ingress_with_source_security_group_id[{at}]"),
                id=f"sgrule-{number:02}{at}",
                security_group_rule_id=f"sgr-{number:02}{at}",
                type="ingress",
                protocol="tcp",
                from_port=port,
                to_port=port,
                security_group_id=f"sg-{number:02}",
                source_security_group_id=group,
            )
            for at, group in enumerate(calls)
        ]
    return state(*found)


def terraform_plan() -> dict[str, Any]:
    """Nothing is made yet: groups are joined by what the configuration refers to."""
    resources: list[dict[str, Any]] = []
    configured: dict[str, dict[str, Any]] = {}
    for number in range(SERVICES):
        group, port = f"aws_security_group.svc_{number:02}", 8000 + number
        resources += [
            resource(group, name=name(number), ingress=[], egress=[block("-1", 0, 0, cidr_blocks=["0.0.0.0/0"])]),
            resource(f"aws_network_interface.svc_{number:02}", private_ips=[address(number)]),
        ]
        configured[group] = {}
        configured[f"aws_network_interface.svc_{number:02}"] = {"security_groups": refs(f"{group}.id")}
        peers = {f"by_{caller:02}": f"aws_security_group.svc_{caller:02}.id" for caller in callers(number)}
        for suffix, peer in (peers | {"self": f"{group}.id"}).items():
            rule = f"aws_vpc_security_group_ingress_rule.svc_{number:02}_{suffix}"
            bounds = (
                {"ip_protocol": "-1"}
                if suffix == "self"
                else {"ip_protocol": "tcp", "from_port": port, "to_port": port}
            )
            resources.append(resource(rule, **bounds))
            configured[rule] = {"security_group_id": refs(f"{group}.id"), "referenced_security_group_id": refs(peer)}
    unknown = {each["address"]: {"id": True} | dict.fromkeys(configured[each["address"]], True) for each in resources}
    return plan(*resources, configuration=config(configured), unknown=unknown)


# --- CloudFormation -------------------------------------------------------------------------------------------
def template() -> dict[str, Any]:
    resources: dict[str, Any] = {}
    for number in range(SERVICES):
        logical, port = f"Svc{number:02}", 8000 + number
        resources[logical] = {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupName": name(number), "GroupDescription": "a service", "VpcId": "vpc-1"},
        }
        resources[f"{logical}Interface"] = {
            "Type": "AWS::EC2::NetworkInterface",
            "Properties": {
                "SubnetId": "subnet-1",
                "GroupSet": [{"Fn::GetAtt": [logical, "GroupId"]}],
                "PrivateIpAddress": address(number),
            },
        }
        for caller in callers(number):
            resources[f"{logical}By{caller:02}"] = {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {
                    "GroupId": {"Ref": logical},
                    "IpProtocol": "tcp",
                    "FromPort": port,
                    "ToPort": port,
                    "SourceSecurityGroupId": {"Fn::GetAtt": f"Svc{caller:02}.GroupId"},
                },
            }
        resources[f"{logical}BySelf"] = {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {"GroupId": {"Ref": logical}, "IpProtocol": "-1", "SourceSecurityGroupId": {"Ref": logical}},
        }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


ESTATES: dict[str, Callable[[], dict[str, Any]]] = {
    "terraform state": terraform_state,
    "terraform plan": terraform_plan,
    "cloudformation": template,
}
each_estate = pytest.mark.parametrize("estate", ESTATES)


def file_of(folder: Path, estate: str) -> Path:
    path = folder / "estate.json"
    path.write_text(json.dumps(ESTATES[estate]()))
    return path


def by_name(rules: RuleSet) -> dict[str, set[str]]:
    """Group by group, the groups that its ingress rules name."""
    names = {group.group_id: group.name for group in rules.groups.values()}
    return {
        group.name: {names[rule.peer.group_id] for rule in group.ingress if isinstance(rule.peer, GroupPeer)}
        for group in rules.groups.values()
    }


@each_estate
def test_thirty_groups_that_name_each_other_load_whole(tmp_path: Path, estate: str) -> None:
    rules = load_rules(file_of(tmp_path, estate))
    assert by_name(rules) == {name(n): {name(n), *map(name, callers(n))} for n in range(SERVICES)}
    assert {len(group.ingress) for group in rules.groups.values()} == {3}
    assert {str(eni.addresses[0]) for eni in rules.interfaces.values()} == set(map(address, range(SERVICES)))
    assert not {"unknown-members", "unknown-peer", "unknown-address"} & {each.kind for each in rules.warnings}


def test_rules_of_a_state_keep_the_ids_of_their_resources(tmp_path: Path) -> None:
    rules = load_rules(file_of(tmp_path, "terraform state"))
    assert {rule.name for rule in rules.groups["sg-03"].ingress} == {
        "sg-03/sgr-030",
        "sg-03/sgr-031",
        "sg-03:ingress[0]",
    }


@each_estate
def test_thirty_groups_judge_who_may_call_whom(tmp_path: Path, estate: str) -> None:
    firewall = Firewall(load_rules(file_of(tmp_path, estate)))
    calls = [(n, n + step, 8000 + (n + step) % SERVICES) for n in range(SERVICES) for step in (1, 2, 7)]
    packets = [
        parse(f'IP(src="{address(n)}", dst="{address(to)}")/TCP(sport={40000 + n}, dport={port}, flags="S")')[0]
        for n, to, port in calls
    ]
    judged = rows(firewall, FrameCapture(packets_to_frames(packets)))
    assert {row["reason"] for row in judged if row["direction"] == "egress"} == {"rule"}
    inward = [row["reason"] for row in judged if row["direction"] == "ingress"]
    assert inward == ["rule" if to - n in CALLED else "no-ingress-rule" for n, to, _ in calls]


@each_estate
def test_thirty_groups_are_printed_whole(tmp_path: Path, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rules", str(file_of(tmp_path, estate))])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert [n for n in range(SERVICES) if name(n) not in printed or address(n) not in printed] == []
