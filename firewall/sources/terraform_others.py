"""Terraform resources that are not read but name security groups: load balancers, databases, functions, templates.

Their interfaces are AWS's and stand in no file, so a group that one of them names may have members that
nobody knows.
"""

from collections.abc import Iterator

from firewall.sources.draft import Draft
from firewall.sources.located import Node
from firewall.sources.terraform_block import Block
from firewall.sources.terraform_links import links
from firewall.sources.terraform_references import GROUP
from firewall.sources.terraform_tree import Resource, Tree

GROUP_ARGUMENTS = ("security_groups", "security_group_ids", "vpc_security_group_ids")
READ = ("aws_security_group", "aws_vpc_security_group", "aws_network_interface", "aws_instance", "aws_default_security")
MAX_DEPTH = 4  # of blocks within blocks


def build(tree: Tree, draft: Draft) -> None:
    """Note the groups that each such resource names, with a warning."""
    for resource in tree.resources:
        if resource.mode != "managed" or resource.type.startswith(READ):
            continue
        found = dict.fromkeys(_groups(resource, tree))
        if found:
            draft.open_groups.update(found)
            draft.findings.warn(
                "members-not-read",
                resource.spot,
                f"{resource.address} has {', '.join(found)} and is not read: packets that hang on who its members "
                "are stay undecidable; write them under interfaces:, and members_complete: in a second rule file",
            )


def _groups(resource: Resource, tree: Tree) -> Iterator[str]:
    """The groups that a resource's arguments name, in its blocks too."""
    for block in _blocks(resource.block):
        for key in GROUP_ARGUMENTS:
            if isinstance(block.values.value, dict) and not _plain(block.values.get(key)):
                continue
            for named in links(resource, key, GROUP, tree, block):
                if named.identity is not None:
                    yield named.identity


def _plain(node: Node | None) -> bool:
    """True for a list of texts, or nothing: what an argument that names groups may be."""
    return node is None or (isinstance(node.value, list) and all(isinstance(each.value, str) for each in node.value))


def _blocks(block: Block, depth: int = 0) -> Iterator[Block]:
    """A block and those inside it."""
    yield block
    values = block.values.value
    if depth == MAX_DEPTH or not isinstance(values, dict):
        return
    for key, node in values.items():
        if isinstance(node.value, list):
            for item in node.value:
                if isinstance(item.value, dict):
                    yield from _blocks(Block(item, block.planned, None, block.expression(key), merged=True), depth + 1)
