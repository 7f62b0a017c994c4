"""Security groups in Terraform: a group, its inline rules and the rule resources that belong to it.

In a state, and in a plan for what it leaves as it is, the inline blocks are computed: they hold the
rules of rule resources too. https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group
"""

from collections import defaultdict
from dataclasses import replace

from firewall.model import DIRECTIONS, Direction, Rule, SecurityGroup, UnknownPeer
from firewall.sources.draft import Draft
from firewall.sources.findings import Spot
from firewall.sources.terraform_block import below, word
from firewall.sources.terraform_links import link, owners
from firewall.sources.terraform_references import GROUP, VPC
from firewall.sources.terraform_rules import (
    RULE_TYPES,
    Holder,
    direction_of,
    inline_rules,
    rules_of_resource,
    said,
    unknown_rule,
)
from firewall.sources.terraform_tree import Resource, Tree

GROUP_TYPES = ("aws_security_group", "aws_default_security_group")
Rules = dict[tuple[str, Direction], list[Rule]]


def name_of(resource: Resource) -> str:
    """The name, else the tag Name, else the address."""
    return word(resource.block.get("name")) or word(below(resource.spot, "tags", "Name")) or resource.address


def declare(tree: Tree, draft: Draft) -> None:
    """Note ids, names and addresses of groups."""
    for resource in tree.of(*GROUP_TYPES):
        identity = resource.identity()
        draft.group_names.declare(identity, name_of(resource), resource.spot, draft.findings)
        draft.group_names.also(identity, resource.address)
    for resource in tree.data("aws_security_group"):  # its rules are not given
        draft.group_names.also(resource.identity(), name_of(resource))
        draft.group_names.also(resource.identity(), resource.address)


def build(tree: Tree, draft: Draft) -> None:
    """All groups with their rules."""
    own, gone = _rules_of_resources(tree), _rules_that_go(tree)
    groups = {resource.identity(): resource for resource in tree.of(*GROUP_TYPES)}
    for group_id, resource in groups.items():
        ingress, egress = (_rules(resource, direction, tree, own, gone) for direction in DIRECTIONS)
        vpc = link(resource, "vpc_id", VPC, tree)
        vpc_id = None if vpc is None else vpc.identity
        draft.add_group(SecurityGroup(group_id, name_of(resource), ingress, egress, resource.spot.place, vpc_id))
    for group_id in dict.fromkeys(group_id for group_id, _ in own if group_id not in groups):
        _partly_known(group_id, own, tree, draft)


def add_unknown(group_id: str, text: str, spot: Spot, tree: Tree, draft: Draft, own: Rules | None = None) -> None:
    """A group whose rules no file gives, or not all: what `text` names might allow is undecidable."""
    names = (name_of(each) for each in tree.data("aws_security_group") if each.identity() == group_id)
    ingress, egress = (
        _numbered([*(own or {}).get((group_id, direction), ()), unknown_rule(group_id, direction, text, spot)])
        for direction in DIRECTIONS
    )
    draft.add_group(SecurityGroup(group_id, next(names, group_id), ingress, egress, spot.place))


def _partly_known(group_id: str, own: Rules, tree: Tree, draft: Draft) -> None:
    """Rule resources of a group that stands elsewhere: a data source, another state, another file."""
    rules = [rule for direction in DIRECTIONS for rule in own.get((group_id, direction), ())]
    spots = [Spot(rule.place) for rule in rules if rule.place is not None]
    if spots and group_id not in draft.group_names.ids:
        add_unknown(group_id, f"what else {group_id} allows", spots[0], tree, draft, own)
        return
    for spot in spots:
        draft.findings.warn(
            "terraform-left-out", spot, f"another file gives the rules of {group_id}: this rule is left out"
        )


def _rules_of_resources(tree: Tree) -> Rules:
    """The rules of all rule resources, by group and direction, in file order."""
    found: Rules = defaultdict(list)
    for resource in tree.of(*RULE_TYPES):
        direction = direction_of(resource, tree)
        if direction is None:
            continue
        owner = owners(resource, "security_group_id", GROUP, tree)
        for group_id in owner.identities:
            rules = rules_of_resource(Holder(group_id, direction, resource, tree))
            if not owner.sure:
                peer = UnknownPeer(f"whether {resource.address} is a rule of this group ({owner.text})")
                rules = [replace(rule, peer=peer, rule_id=None) for rule in rules[:1]]
            found[group_id, direction] += rules
    return found


def _rules_that_go(tree: Tree) -> set[tuple[object, ...]]:
    """What the rule resources said that the plan changes or deletes, with their group."""
    found: set[tuple[object, ...]] = set()
    for resource in tree.gone:
        group_id = word(resource.block.get("security_group_id"))
        direction = direction_of(resource, tree) if resource.type in RULE_TYPES else None
        if direction is not None and group_id is not None:
            rules = rules_of_resource(Holder(group_id, direction, resource, tree))
            found |= {(group_id, *said(rule)) for rule in rules}
    return found


def _rules(
    resource: Resource, direction: Direction, tree: Tree, own: Rules, gone: set[tuple[object, ...]]
) -> tuple[Rule, ...]:
    """A group's rules of one direction: inline ones that no resource states, then the resources'."""
    group_id, block = resource.identity(), resource.block
    extra = own.get((group_id, direction), [])
    stated = {said(rule) for rule in extra}
    computed = block.expression(direction) is None
    inline = [
        rule
        for rule in inline_rules(Holder(group_id, direction, resource, tree))
        if said(rule) not in stated and not (computed and (group_id, *said(rule)) in gone)
    ]
    if _hidden(resource, direction):
        inline.append(unknown_rule(group_id, direction, f"{resource.address}.{direction}", resource.spot))
    if tree.planned and not inline and not extra:
        _warn_empty(resource, direction, tree)
    return _numbered([*inline, *extra])


def _hidden(resource: Resource, direction: Direction) -> bool:
    """True if the blocks are known only after apply, all of them.

    A group that is created without blocks has them unknown too, as nobody gave them: then there are none.
    """
    block = resource.block
    if not block.planned or block.get(direction) is not None:
        return False
    return block.asked(direction) or (block.expressions is None and block.absent(direction))


def _warn_empty(resource: Resource, direction: Direction, tree: Tree) -> None:
    """A new group's missing rules are AWS's default in no direction."""
    name = name_of(resource)
    if direction == "egress":
        text = "has no egress rule: Terraform removes AWS's default, so nothing may leave but replies"
        tree.findings.warn("terraform-no-egress", resource.spot, f"security group {name} {text}")
    elif resource.block.pending(direction):
        text = "has no ingress rule in the plan, which shows no dynamic block over unknown values: nothing may enter"
        tree.findings.warn("terraform-no-ingress", resource.spot, f"security group {name} {text}")


def _numbered(rules: list[Rule]) -> tuple[Rule, ...]:
    """Rules with their places in the list as index."""
    return tuple(replace(rule, index=index) for index, rule in enumerate(rules))
