"""`terraform show -json` of a plan: what has no id yet is found through the references of its configuration."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.model import ALL_PROTOCOLS, TCP, GroupPeer, PrefixListPeer, UnknownPeer
from tests.firewall.terraform_documents import (
    Values,
    block,
    config,
    constant,
    kinds,
    plan,
    refs,
    resource,
    rules_from,
    said,
    warnings,
)

EVERYONE = ip_network("0.0.0.0/0")
NEW = {"id": True, "ingress": True, "egress": True}
RULE = {"ip_protocol": "tcp", "from_port": 443, "to_port": 443}
RULE_OF = {"security_group_id": refs("aws_security_group.web.id")}
MARKS = {"id": True, "security_group_rule_id": True, "security_group_id": True}
HTTPS = "aws_vpc_security_group_ingress_rule.https"
GroupPeers = list[tuple[int, tuple[int, int] | None, Any]]


def new_group(address: str, **values: Any) -> Values:
    return resource(address, name=None, **values)


def of_rule(peer: Values, expressions: Values, marks: Values, **further: Any) -> Values:
    """A plan of one group and one rule of it."""
    return plan(
        new_group("aws_security_group.web"),
        *further.pop("resources", ()),
        resource(HTTPS, **RULE | peer),
        configuration=config(
            {"aws_security_group.web": {}, HTTPS: RULE_OF | expressions} | further.pop("labels", {}), **further
        ),
        unknown={"aws_security_group.web": NEW, HTTPS: MARKS | marks},
    )


def test_rules_find_their_new_group_by_reference(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, of_rule({"cidr_ipv4": "0.0.0.0/0"}, {"cidr_ipv4": constant("0.0.0.0/0")}, {}))
    (rule,) = rules.groups["aws_security_group.web"].ingress
    assert (rule.name, rule.peer) == ("aws_security_group.web:ingress[0]", EVERYONE)


def test_a_new_group_without_egress_has_none_and_that_is_told(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, of_rule({"cidr_ipv4": "0.0.0.0/0"}, {"cidr_ipv4": constant("0.0.0.0/0")}, {}))
    assert rules.groups["aws_security_group.web"].egress == ()
    assert warnings(rules, "terraform-no-egress") == [
        (
            "security group aws_security_group.web has no egress rule: "
            "Terraform removes AWS's default, so nothing may leave but replies"
        )
    ]
    assert "terraform-no-ingress" not in kinds(rules)


def test_a_new_group_without_ingress_is_told_of_as_a_dynamic_block_would_not_show(tmp_path: Path) -> None:
    web = new_group("aws_security_group.web", egress=[block("-1", 0, 0, cidr_blocks=["0.0.0.0/0"])])
    rules = rules_from(
        tmp_path,
        plan(
            web,
            configuration=config({"aws_security_group.web": {}}),
            unknown={"aws_security_group.web": NEW | {"egress": [{}]}},
        ),
    )
    assert rules.groups["aws_security_group.web"].ingress == ()
    assert kinds(rules) == ["terraform-no-ingress"]


@pytest.mark.parametrize("shape", [{}, {"ingress": None}], ids=["absent", "null"])
def test_blocks_that_are_not_known_at_all_are_a_rule_that_is_not_known(tmp_path: Path, shape: Values) -> None:
    labels = {"aws_security_group.web": {"ingress": refs("data.http.ranges.response_body")}}
    rules = rules_from(
        tmp_path,
        plan(
            new_group("aws_security_group.web", **shape),
            configuration=config(labels),
            unknown={"aws_security_group.web": NEW},
        ),
    )
    assert said(rules, "aws_security_group.web") == [
        (ALL_PROTOCOLS, None, UnknownPeer("aws_security_group.web.ingress"))
    ]


def test_a_plan_without_its_configuration_knows_no_rules(tmp_path: Path) -> None:
    document = plan(new_group("aws_security_group.web"))
    del document["configuration"], document["resource_changes"]
    rules = rules_from(tmp_path, document)
    assert said(rules, "aws_security_group.web", "egress") == [
        (ALL_PROTOCOLS, None, UnknownPeer("aws_security_group.web.egress"))
    ]


def test_a_plan_without_its_changes_is_joined_all_the_same(tmp_path: Path) -> None:
    document = of_rule({}, {"referenced_security_group_id": refs("aws_security_group.web.id")}, {})
    del document["resource_changes"]
    assert [peer for _, _, peer in said(rules_from(tmp_path, document), "aws_security_group.web")] == [
        GroupPeer("aws_security_group.web")
    ]


def test_an_inline_block_refers_to_a_new_group(tmp_path: Path) -> None:
    blocks = [block(cidr_blocks=["192.0.2.0/24"]), block("tcp", 8080, 8080, security_groups=None)]
    rules = rules_from(
        tmp_path,
        plan(
            new_group("aws_security_group.alb", ingress=[], egress=[]),
            new_group("aws_security_group.app", ingress=blocks, egress=[]),
            configuration=config(
                {
                    "aws_security_group.alb": {},
                    "aws_security_group.app": {"ingress": refs("aws_security_group.alb.id", "aws_eip.nat.public_ip")},
                }
            ),
            unknown={"aws_security_group.app": {"id": True, "ingress": [{}, {"security_groups": True}]}},
        ),
    )
    assert said(rules, "aws_security_group.app") == [
        (TCP, (443, 443), ip_network("192.0.2.0/24")),
        (TCP, (8080, 8080), GroupPeer("aws_security_group.alb")),
    ]


def test_of_two_blocks_with_unknown_groups_no_one_knows_which_has_which(tmp_path: Path) -> None:
    blocks = [block("tcp", 80, 80, security_groups=[None]), block("tcp", 8080, 8080, security_groups=[None])]
    rules = rules_from(
        tmp_path,
        plan(
            *(new_group(f"aws_security_group.{name}", ingress=[], egress=[]) for name in ("a", "b")),
            new_group("aws_security_group.app", ingress=blocks, egress=[]),
            configuration=config(
                {
                    "aws_security_group.a": {},
                    "aws_security_group.b": {},
                    "aws_security_group.app": {
                        "ingress": refs("aws_security_group.a.id", "aws_security_group.b.id"),
                    },
                }
            ),
        ),
    )
    unknown = UnknownPeer("which of aws_security_group.a, aws_security_group.b")
    assert [peer for _, _, peer in said(rules, "aws_security_group.app")] == [unknown, unknown]


def test_a_known_group_of_one_block_is_not_taken_for_the_unknown_one_of_another(tmp_path: Path) -> None:
    blocks = [block("tcp", 80, 80, security_groups=["sg-1"]), block("tcp", 8080, 8080, security_groups=[None])]
    rules = rules_from(
        tmp_path,
        plan(
            resource("aws_security_group.old", id="sg-1", name="old", ingress=[], egress=[]),
            new_group("aws_security_group.new", ingress=[], egress=[]),
            new_group("aws_security_group.app", ingress=blocks, egress=[]),
            configuration=config(
                {
                    "aws_security_group.old": {},
                    "aws_security_group.new": {},
                    "aws_security_group.app": {
                        "ingress": refs("aws_security_group.old.id", "aws_security_group.new.id")
                    },
                }
            ),
        ),
    )
    assert [peer for _, _, peer in said(rules, "aws_security_group.app")] == [
        GroupPeer("sg-1"),
        GroupPeer("aws_security_group.new"),
    ]


def test_a_block_that_is_made_from_an_unknown_address_says_whose(tmp_path: Path) -> None:
    blocks = [block(cidr_blocks=["192.0.2.1/32", None])]
    rules = rules_from(
        tmp_path,
        plan(
            new_group("aws_security_group.web", ingress=blocks, egress=[]),
            resource("aws_eip.nat"),
            configuration=config(
                {"aws_eip.nat": {}, "aws_security_group.web": {"ingress": refs("aws_eip.nat.public_ip")}}
            ),
            unknown={"aws_security_group.web": {"ingress": [{"cidr_blocks": [False, True]}]}},
        ),
    )
    assert [peer for _, _, peer in said(rules, "aws_security_group.web")] == [
        ip_network("192.0.2.1/32"),
        UnknownPeer("aws_eip.nat.public_ip"),
    ]
    assert warnings(rules, "unknown-peer") == [
        "aws_eip.nat.public_ip is not known: packets that this rule might allow are undecidable"
    ]


def test_what_the_provider_computes_is_no_peer(tmp_path: Path) -> None:
    """source_security_group_id of a new rule is unknown although nobody gave one."""
    label = "aws_security_group_rule.https"
    rule = {"type": "ingress", "protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["192.0.2.0/24"]}
    rules = rules_from(
        tmp_path,
        plan(
            new_group("aws_security_group.web"),
            resource(label, **rule),
            configuration=config(
                {"aws_security_group.web": {}, label: RULE_OF | {"cidr_blocks": constant(["192.0.2.0/24"])}}
            ),
            unknown={
                "aws_security_group.web": NEW,
                label: {"id": True, "security_group_id": True, "source_security_group_id": True},
            },
        ),
    )
    assert said(rules, "aws_security_group.web") == [(TCP, (443, 443), ip_network("192.0.2.0/24"))]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (refs("local.source"), "local.source"),
        (refs("aws_security_group.a.id", "aws_security_group.b.id", "var.public"), None),
        (refs("aws_security_group.a.id", "local.other"), "which of aws_security_group.a, local.other"),
        (refs("aws_lb.front.security_groups"), "aws_lb.front.security_groups"),
        (refs("module.gone.id"), "module.gone.id"),
        (refs("aws_security_group.none.id"), "aws_security_group.none.id"),
        ({"references": ["nonsense..[", 5]}, "nonsense..["),
        ({"references": []}, f"{HTTPS}.referenced_security_group_id"),
    ],
    ids=["local", "condition", "local beside", "other", "no module", "no resource", "junk", "nothing"],
)
def test_a_source_that_cannot_be_followed_is_undecidable_and_named(
    tmp_path: Path, expression: Values, text: str | None
) -> None:
    key = "referenced_security_group_id"
    document = of_rule(
        {},
        {key: expression},
        {key: True},
        resources=[new_group(f"aws_security_group.{name}", ingress=[], egress=[]) for name in ("a", "b")],
        labels={"aws_security_group.a": {}, "aws_security_group.b": {}, "aws_lb.front": {}},
    )
    if "aws_lb.front" in str(expression):
        document["planned_values"]["root_module"]["resources"].append(resource("aws_lb.front"))
    document["variables"] = {"public": {"value": True}}
    rules = rules_from(tmp_path, document)
    expected = text or "which of aws_security_group.a, aws_security_group.b"
    assert said(rules, "aws_security_group.web") == [(TCP, (443, 443), UnknownPeer(expected))]


def test_what_is_known_cannot_make_a_value_unknown(tmp_path: Path) -> None:
    """Of an existing group and a new one, chosen by a condition, the new one is meant."""
    key = "referenced_security_group_id"
    document = of_rule(
        {},
        {key: refs("var.create", "aws_security_group.new.id", "aws_security_group.old.id")},
        {key: True},
        resources=[
            new_group("aws_security_group.new", ingress=[], egress=[]),
            resource("aws_security_group.old", id="sg-1", name="old", ingress=[], egress=[]),
        ],
        labels={"aws_security_group.new": {}, "aws_security_group.old": {}},
    )
    document["variables"] = {"create": {"value": True}}
    (rule,) = rules_from(tmp_path, document).groups["aws_security_group.web"].ingress
    assert rule.peer == GroupPeer("aws_security_group.new")


def test_a_protocol_that_is_not_known_leaves_the_rule_undecidable(tmp_path: Path) -> None:
    document = of_rule({"cidr_ipv4": "0.0.0.0/0"}, {"from_port": refs("aws_x.y.port")}, {"from_port": True})
    assert said(rules_from(tmp_path, document), "aws_security_group.web") == [
        (ALL_PROTOCOLS, None, UnknownPeer("aws_x.y.port"))
    ]


# --- whose rule is it ----------------------------------------------------------------------------------------------
def through_local(*groups: str) -> Values:
    rule = "module.sg.aws_security_group_rule.https"
    said_of = {"type": "ingress", "protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["192.0.2.0/24"]}
    labels = {"aws_security_group_rule.https": {"security_group_id": refs("local.this_id")}}
    names: Values = {each.removeprefix("module.sg."): {} for each in groups if each.startswith("module.sg.")}
    return plan(
        *(new_group(each, ingress=[], egress=[]) for each in groups),
        resource(rule, **said_of),
        configuration=config(calls={"sg": {"module": config(labels | names)}}),
        unknown={each: {"id": True} for each in groups} | {rule: {"security_group_id": True}},
    )


def test_a_rule_whose_group_goes_through_a_local_is_of_the_only_one_in_its_module(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, through_local("module.sg.aws_security_group.this", "aws_security_group.other"))
    assert [len(group.ingress) for group in rules.groups.values()] == [0, 1]
    assert warnings(rules, "terraform-assumed") == [
        (
            "module.sg.aws_security_group_rule.https: security_group_id is local.this_id, which a plan does not show: "
            "taken for module.sg.aws_security_group.this, the only one in its module"
        )
    ]


def test_among_several_groups_the_rule_may_be_of_each(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, through_local("module.sg.aws_security_group.a", "module.sg.aws_security_group.b"))
    text = "whether module.sg.aws_security_group_rule.https is a rule of this group (local.this_id)"
    for name in ("a", "b"):
        assert said(rules, f"module.sg.aws_security_group.{name}") == [(TCP, (443, 443), UnknownPeer(text))]


# --- what exists already ---------------------------------------------------------------------------------------------
def existing(action: str, planned: Values | None, inline: Values | None = None) -> Values:
    """An existing group with computed blocks, and a rule of it that the plan changes."""
    former = {"security_group_id": "sg-1", "cidr_ipv4": "192.0.2.0/24", "security_group_rule_id": "sgr-1"} | RULE
    blocks = [block(cidr_blocks=["192.0.2.0/24"]), block("tcp", 22, 22, cidr_blocks=["198.51.100.0/24"])]
    return plan(
        resource("aws_security_group.web", id="sg-1", name="web", ingress=blocks, egress=[]),
        *([] if planned is None else [resource(HTTPS, **planned)]),
        configuration=config({"aws_security_group.web": {} if inline is None else {"ingress": inline}, HTTPS: {}}),
        before={HTTPS: (action, former)},
    )


def test_a_rule_that_the_plan_deletes_goes_from_the_computed_blocks(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, existing("delete", None))
    assert said(rules, "sg-1") == [(TCP, (22, 22), ip_network("198.51.100.0/24"))]


def test_a_rule_that_the_plan_changes_is_as_it_will_be(tmp_path: Path) -> None:
    planned = {"security_group_id": "sg-1", "cidr_ipv4": "203.0.113.0/24", "security_group_rule_id": "sgr-1"} | RULE
    rules = rules_from(tmp_path, existing("update", planned))
    assert [(rule.name, rule.peer) for rule in rules.groups["sg-1"].ingress] == [
        ("sg-1:ingress[0]", ip_network("198.51.100.0/24")),
        ("sg-1/sgr-1", ip_network("203.0.113.0/24")),
    ]


def test_blocks_that_the_configuration_writes_stay(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, existing("delete", None, constant([])))
    assert [ports for _, ports, _ in said(rules, "sg-1")] == [(443, 443), (22, 22)]


def test_data_sources_read_before_the_plan_stand_in_its_prior_state(tmp_path: Path) -> None:
    office = resource(
        "data.aws_ec2_managed_prefix_list.office", id="pl-1", name="office", entries=[{"cidr": "192.0.2.0/24"}]
    )
    document = of_rule({"prefix_list_id": "pl-1"}, {"prefix_list_id": constant("pl-1")}, {})
    document["prior_state"] = {"values": {"root_module": {"resources": [office]}}}
    rules = rules_from(tmp_path, document)
    assert [peer for _, _, peer in said(rules, "aws_security_group.web")] == [PrefixListPeer("pl-1")]
    assert rules.prefix_lists["pl-1"].entries == (ip_network("192.0.2.0/24"),)


def test_a_new_prefix_list_is_known_by_its_address_and_one_with_unknown_entries_is_left_out(tmp_path: Path) -> None:
    lists = {
        "aws_ec2_managed_prefix_list.a": {"entry": [{"cidr": constant("192.0.2.0/24")}]},
        "aws_ec2_managed_prefix_list.b": {},
        "aws_ec2_managed_prefix_list_entry.b": {
            "prefix_list_id": refs("aws_ec2_managed_prefix_list.b.id"),
            "cidr": refs("aws_eip.nat.public_ip"),
        },
    }
    document = of_rule(
        {},
        {"prefix_list_id": refs("aws_ec2_managed_prefix_list.a.id")},
        {"prefix_list_id": True},
        resources=[
            resource("aws_ec2_managed_prefix_list.a", name="a", entry=[{"cidr": "192.0.2.0/24"}]),
            resource("aws_ec2_managed_prefix_list.b", name="b"),
            resource("aws_ec2_managed_prefix_list_entry.b"),
        ],
        labels=lists,
    )
    rules = rules_from(tmp_path, document)
    assert [peer for _, _, peer in said(rules, "aws_security_group.web")] == [
        PrefixListPeer("aws_ec2_managed_prefix_list.a")
    ]
    assert list(rules.prefix_lists) == ["aws_ec2_managed_prefix_list.a"]
    assert warnings(rules, "terraform-left-out") == [
        "prefix list b is left out: aws_ec2_managed_prefix_list_entry.b.cidr is not known"
    ]


@pytest.mark.parametrize(("key", "value"), [("errored", True), ("complete", False)])
def test_a_plan_that_is_not_complete_says_so(tmp_path: Path, key: str, value: bool) -> None:
    document = of_rule({"cidr_ipv4": "0.0.0.0/0"}, {"cidr_ipv4": constant("0.0.0.0/0")}, {})
    assert warnings(rules_from(tmp_path, document | {key: value}), "terraform-incomplete") == [
        "the plan is not complete: it may lack rules"
    ]
