"""Prefix lists in Terraform: managed ones with their entries, and those that data sources read.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ec2_managed_prefix_list and, beside
it, ec2_managed_prefix_list_entry; data sources ec2_managed_prefix_list and prefix_list.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from firewall.model import Network, PrefixList
from firewall.sources.draft import Draft
from firewall.sources.located import Node
from firewall.sources.reading import network
from firewall.sources.terraform_block import Block, word
from firewall.sources.terraform_groups import name_of
from firewall.sources.terraform_links import owners
from firewall.sources.terraform_references import PREFIX_LIST
from firewall.sources.terraform_tree import Resource, Tree

_MANAGED = "aws_ec2_managed_prefix_list"
_ENTRY = "aws_ec2_managed_prefix_list_entry"
_FAMILIES: dict[object, Literal[4, 6]] = {"IPv4": 4, "IPv6": 6}


@dataclass(slots=True)
class Further:
    """What entry resources say of lists."""

    blocks: dict[str, list[Network]] = field(default_factory=lambda: defaultdict(list))
    doubtful: dict[str, str] = field(default_factory=dict)  # the list's id, and what is not known of it


def declare(tree: Tree, draft: Draft) -> None:
    """Note ids, names and addresses of lists."""
    for resource in _lists(tree):
        identity = resource.identity()
        draft.list_names.declare(identity, name_of(resource), resource.spot, draft.findings)
        draft.list_names.also(identity, resource.address)


def build(tree: Tree, draft: Draft) -> None:
    """All lists. One whose entries are not all known is left out: rules that name it are undecidable."""
    further, gone = _further(tree), {block for each in tree.gone if each.type == _ENTRY for block in _cidrs(each, tree)}
    for resource in _lists(tree):
        identity, block = resource.identity(), resource.block
        listed = [network(item, tree.findings) for item in _entries(block, tree)]
        inline = [each for each in listed if each is not None]
        if block.expression("entry") is None:
            inline = [each for each in inline if each not in gone]
        unknown = further.doubtful.get(identity) or _unknown(resource)
        if unknown is not None:
            text = f"prefix list {name_of(resource)} is left out: {unknown} is not known"
            tree.findings.warn("terraform-left-out", resource.spot, text)
            continue
        family = block.get("address_family")
        draft.prefix_lists[identity] = draft.described_lists[identity] = PrefixList(
            identity,
            name_of(resource),
            tuple(dict.fromkeys([*inline, *further.blocks[identity]])),
            block.number("max_entries", tree.findings),
            resource.spot.place,
            block.number("version", tree.findings),
            None if family is None else _FAMILIES.get(family.value),
            word(block.get("owner_id")) or "",
        )


def _lists(tree: Tree) -> list[Resource]:
    """Managed lists, and of data sources one for each list that has been read."""
    found = {resource.identity(): resource for resource in tree.of(_MANAGED)}
    for resource in tree.data(*PREFIX_LIST.attributes):
        if resource.identity() != resource.address:
            found.setdefault(resource.identity(), resource)
    return list(found.values())


def _entries(block: Block, tree: Tree) -> Iterator[Node]:
    """The blocks that the list itself states: `entry`, a data source's `entries` or `cidr_blocks`."""
    for key in ("entry", "entries"):
        for inner in block.blocks(key, tree.findings):
            yield from inner.items("cidr")
    yield from block.items("cidr_blocks")


def _unknown(resource: Resource) -> str | None:
    """What is not known of a list's own entries, if anything is."""
    asked = resource.block.asked("entry") or resource.block.asked("entries")
    return f"{resource.address}.entry" if asked else None


def _cidrs(resource: Resource, tree: Tree) -> list[Network]:
    """The block of an entry resource."""
    found = (network(item, tree.findings) for item in resource.block.items("cidr"))
    return [each for each in found if each is not None]


def _further(tree: Tree) -> Further:
    """What entry resources add, and the lists that they make doubtful."""
    further = Further()
    for resource in tree.of(_ENTRY):
        owner = owners(resource, "prefix_list_id", PREFIX_LIST, tree)
        unknown = f"{resource.address}.cidr" if resource.block.asked("cidr") else None
        for identity in owner.identities:
            if owner.sure and unknown is None:
                further.blocks[identity] += _cidrs(resource, tree)
            else:
                further.doubtful[identity] = unknown or owner.text
    return further
