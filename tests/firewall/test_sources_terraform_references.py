"""References of a Terraform plan's configuration, followed through keys, modules, inputs and outputs."""

from pathlib import Path
from typing import Any

import pytest

from firewall.model import TCP, GroupPeer, UnknownPeer
from tests.firewall.terraform_documents import Values, config, constant, plan, refs, resource, rules_from, said
from tests.firewall.test_sources_terraform_plan import HTTPS, MARKS, NEW, RULE, new_group, of_rule


# --- count and for_each ---------------------------------------------------------------------------------------
def keyed(expression: Values, keys: tuple[Any, ...] = ("a", "b"), for_each: Values | None = None) -> Values:
    """Groups `this` and rules `https` with the same keys; the rules' source is the expression."""
    shown = [f'["{key}"]' if isinstance(key, str) else f"[{key}]" for key in keys]
    groups = [f"aws_security_group.this{key}" for key in shown]
    https = [f"{HTTPS}{key}" for key in shown]
    own = {
        "security_group_id": refs("aws_security_group.this") | {"references": ["aws_security_group.this", "each.key"]}
    }
    if isinstance(keys[0], int):
        own = {"security_group_id": {"references": ["aws_security_group.this", "count.index"]}}
    key = "referenced_security_group_id"
    return plan(
        *(new_group(each) for each in groups),
        *(resource(each, **RULE) for each in https),
        configuration=config(
            {"aws_security_group.this": {}, HTTPS: own | {key: expression}},
            for_each={HTTPS: for_each or constant({"a": 1, "b": 2})},
        ),
        unknown=dict.fromkeys(groups, NEW) | dict.fromkeys(https, MARKS | {key: True}),
    )


def peers_by_group(folder: Path, document: Values) -> dict[str, list[Any]]:
    rules = rules_from(folder, document)
    return {key: [rule.peer for rule in group.ingress] for key, group in rules.groups.items()}


@pytest.mark.parametrize("keys", [("a", "b"), (0, 1)], ids=["for_each", "count"])
def test_instances_refer_to_those_of_the_same_key(tmp_path: Path, keys: tuple[Any, ...]) -> None:
    word = "each.key" if keys[0] == "a" else "count.index"
    expression = {"references": ["aws_security_group.this", word]}
    names = [
        f'aws_security_group.this["{key}"]' if key in ("a", "b") else f"aws_security_group.this[{key}]" for key in keys
    ]
    assert peers_by_group(tmp_path, keyed(expression, keys)) == {name: [GroupPeer(name)] for name in names}


def test_a_written_index_is_taken_as_it_is(tmp_path: Path) -> None:
    expression = refs('aws_security_group.this["b"].id')
    peer = GroupPeer('aws_security_group.this["b"]')
    assert list(peers_by_group(tmp_path, keyed(expression)).values()) == [[peer], [peer]]


def test_each_value_of_a_for_each_over_groups_is_the_group_of_the_same_key(tmp_path: Path) -> None:
    document = keyed(refs("each.value.id"), for_each={"references": ["aws_security_group.this"]})
    names = [f'aws_security_group.this["{key}"]' for key in "ab"]
    assert peers_by_group(tmp_path, document) == {name: [GroupPeer(name)] for name in names}


def test_one_of_several_instances_by_a_computed_index_is_not_known(tmp_path: Path) -> None:
    document = keyed({"references": ["aws_security_group.this", "var.which"]})
    document["variables"] = {"which": {"value": "a"}}
    names = [f'aws_security_group.this["{key}"]' for key in "ab"]
    unknown = UnknownPeer(f"which of {', '.join(names)}")
    assert list(peers_by_group(tmp_path, document).values()) == [[unknown], [unknown]]


def test_a_splat_in_a_list_is_every_instance(tmp_path: Path) -> None:
    groups = [f"aws_security_group.this[{key}]" for key in (0, 1)]
    rules = rules_from(
        tmp_path,
        plan(
            *(new_group(each, ingress=[], egress=[]) for each in groups),
            resource("aws_instance.web", private_ip="10.0.1.10"),
            configuration=config(
                {
                    "aws_security_group.this": {},
                    "aws_instance.web": {"vpc_security_group_ids": {"references": ["aws_security_group.this"]}},
                }
            ),
            unknown={"aws_instance.web": {"vpc_security_group_ids": True}},
        ),
    )
    assert rules.interfaces["aws_instance.web"].groups == tuple(groups)


# --- modules ------------------------------------------------------------------------------------------------------
def estate() -> Values:
    """Two web modules by for_each, each with a group, a rule and an instance; their source comes from the root."""
    web = config(
        {
            "aws_security_group.this": {},
            "aws_vpc_security_group_ingress_rule.alb": {
                "security_group_id": refs("aws_security_group.this[0].id"),
                "referenced_security_group_id": refs("var.source_id"),
            },
            "aws_instance.this": {
                "vpc_security_group_ids": {"references": ["aws_security_group.this", "var.more_ids"]},
                "private_ip": refs("var.address"),
            },
        },
        outputs={"group_id": refs("aws_security_group.this[0].id"), "arn": refs("local.arn")},
        variables={"source_id": {}, "more_ids": {"default": []}, "address": {}},
    )
    passed = {"source_id": refs("module.alb.id"), "address": refs("each.value")}
    key = "referenced_security_group_id"
    alb_rule = "aws_vpc_security_group_egress_rule.alb"
    found: list[Values] = [new_group("module.alb.aws_security_group.lb", egress=[], ingress=[])]
    marks: dict[str, Values] = {"module.alb.aws_security_group.lb": {"id": True}}
    for address, name in (("10.0.1.10", "a"), ("10.0.1.11", "b")):
        inside = f'module.web["{name}"]'
        found += [
            new_group(f"{inside}.aws_security_group.this[0]"),
            resource(f"{inside}.aws_vpc_security_group_ingress_rule.alb", **RULE),
            resource(f"{inside}.aws_instance.this", private_ip=address),
            resource(f'{alb_rule}["{name}"]', **RULE),
        ]
        marks[f"{inside}.aws_security_group.this[0]"] = NEW
        marks[f"{inside}.aws_vpc_security_group_ingress_rule.alb"] = MARKS | {key: True}
        marks[f"{inside}.aws_instance.this"] = {"id": True, "vpc_security_group_ids": True, "ipv6_addresses": True}
        marks[f'{alb_rule}["{name}"]'] = MARKS | {key: True}
    labels = {alb_rule: {"security_group_id": refs("module.alb.id"), key: {"references": ["module.web", "each.key"]}}}
    calls = {
        "alb": {
            "module": config({"aws_security_group.lb": {}}, outputs={"id": refs("aws_security_group.lb.id")}),
        },
        "web": {"expressions": passed, "for_each_expression": constant({}), "module": web},
    }
    return plan(*found, configuration=config(labels, calls), unknown=marks)


def test_outputs_and_inputs_of_modules_are_followed_instance_by_instance(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, estate())
    alb, webs = "module.alb.aws_security_group.lb", [f'module.web["{key}"].aws_security_group.this[0]' for key in "ab"]
    assert list(rules.groups) == [alb, *webs]
    for name in webs:
        assert said(rules, name) == [(TCP, (443, 443), GroupPeer(alb))]
    assert [peer for _, _, peer in said(rules, alb, "egress")] == [GroupPeer(name) for name in webs]
    assert {key: eni.groups for key, eni in rules.interfaces.items()} == {
        f'module.web["{key}"].aws_instance.this': (name,) for key, name in zip("ab", webs, strict=True)
    }
    assert all(eni.complete for eni in rules.interfaces.values())


def test_values_pass_through_modules_without_resources(tmp_path: Path) -> None:
    through = config(outputs={"id": refs("var.id")}, variables={"id": {}})
    document = of_rule(
        {},
        {"referenced_security_group_id": refs("module.names.id")},
        {"referenced_security_group_id": True},
        calls={"names": {"expressions": {"id": refs("aws_security_group.web.id")}, "module": through}},
    )
    assert [peer for _, _, peer in said(rules_from(tmp_path, document), "aws_security_group.web")] == [
        GroupPeer("aws_security_group.web")
    ]


def test_ids_that_variables_hold_stand_beside_new_groups(tmp_path: Path) -> None:
    document = plan(
        new_group("aws_security_group.web", ingress=[], egress=[]),
        resource("aws_instance.web", private_ip="10.0.1.10"),
        configuration=config(
            {
                "aws_security_group.web": {},
                "aws_instance.web": {"vpc_security_group_ids": refs("aws_security_group.web.id", "var.more")},
            }
        ),
        unknown={"aws_instance.web": {"vpc_security_group_ids": True}},
        variables={"more": ["sg-9"]},
    )
    assert rules_from(tmp_path, document).interfaces["aws_instance.web"].groups == ("aws_security_group.web", "sg-9")


def test_modules_that_refer_in_a_circle_end(tmp_path: Path) -> None:
    circle = config(outputs={"id": refs("var.id")}, variables={"id": {}})
    document = of_rule(
        {},
        {"referenced_security_group_id": refs("module.a.id")},
        {"referenced_security_group_id": True},
        calls={"a": {"expressions": {"id": refs("module.a.id", "each.value")}, "module": circle}},
    )
    ((_, _, peer),) = said(rules_from(tmp_path, document), "aws_security_group.web")
    assert peer == UnknownPeer(f"{HTTPS}.referenced_security_group_id")


@pytest.mark.parametrize(("modules", "found"), [(20, True), (2000, False)])
def test_a_chain_of_modules_is_followed_as_far_as_anyone_writes_one(tmp_path: Path, modules: int, found: bool) -> None:
    through = config(outputs={"id": refs("var.id")}, variables={"id": {}})
    following = [refs(f"module.m{number}.id") for number in range(1, modules)] + [refs("aws_security_group.web.id")]
    calls = {
        f"m{number}": {"expressions": {"id": passed}, "module": through} for number, passed in enumerate(following)
    }
    document = of_rule(
        {},
        {"referenced_security_group_id": refs("module.m0.id")},
        {"referenced_security_group_id": True},
        calls=calls,
    )
    ((_, _, peer),) = said(rules_from(tmp_path, document), "aws_security_group.web")
    assert peer == (GroupPeer("aws_security_group.web") if found else UnknownPeer("var.id"))
