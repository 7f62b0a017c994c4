"""Terraform: `terraform show -json` of a state or of a plan.

https://developer.hashicorp.com/terraform/internals/json-format. What a plan creates has no id yet: its
address stands for the id. Where a plan does not say what a rule's peer will be, the peer is an
UnknownPeer, so that verdicts which hang on it are undecidable. What Terraform leaves out of the JSON
cannot be seen: locals, conditions, and literal ids beside a reference in one expression.
"""

from firewall.sources import (
    terraform_acls,
    terraform_groups,
    terraform_interfaces,
    terraform_lists,
    terraform_networks,
    terraform_others,
    terraform_tree,
)
from firewall.sources.draft import Draft
from firewall.sources.located import Node

TOP_KEYS = ("format_version", "planned_values")


def declare(root: Node, draft: Draft) -> None:
    """Note the ids, names and addresses that the file defines, for the rules of all files."""
    tree = terraform_tree.read(root, draft.findings)
    if tree is not None:
        terraform_groups.declare(tree, draft)
        terraform_lists.declare(tree, draft)


def build(root: Node, draft: Draft) -> None:
    """Read everything in the file; groups first, as interfaces stand in for those that no file describes."""
    tree = terraform_tree.read(root, draft.findings)
    if tree is not None:
        for part in (terraform_groups, terraform_lists, terraform_networks, terraform_acls, terraform_interfaces):
            part.build(tree, draft)
        terraform_others.build(tree, draft)
