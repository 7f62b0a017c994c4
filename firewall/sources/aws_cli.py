"""The AWS CLI's own JSON: what `aws ec2 describe-...` prints, one output a file or several merged in one.

https://docs.aws.amazon.com/cli/latest/reference/ec2/. An output is told by its top-level key. Every
list may be missing and is then empty; keys that say nothing about rules are ignored. What several
outputs say of one group, interface or prefix list is joined, whichever files hold them.
"""

from collections.abc import Callable
from typing import NamedTuple

from firewall.sources import aws_groups, aws_interfaces, aws_networks, aws_prefix_lists
from firewall.sources.aws_reading import items
from firewall.sources.draft import Draft
from firewall.sources.located import Node

Reader = Callable[[Node, Draft], None]


def _nothing(_node: Node, _draft: Draft) -> None:
    """For outputs that have nothing to say in one of the two passes."""


class Output(NamedTuple):
    """A command's output: the key of its list, and what is done with each item in the two passes."""

    key: str
    declare: Reader
    build: Reader


OUTPUTS = (
    # describe-security-groups, describe-security-group-rules
    Output(aws_groups.GROUPS, aws_groups.declare_group, aws_groups.build_group),
    Output(aws_groups.ROWS, aws_groups.declare_row, aws_groups.build_row),
    # describe-vpc-peering-connections, describe-stale-security-groups
    Output(aws_groups.PEERINGS, aws_groups.declare_peering, _nothing),
    Output(aws_groups.STALE, aws_groups.declare_stale, _nothing),
    # describe-network-interfaces, describe-instances
    Output(aws_interfaces.INTERFACES, aws_interfaces.declare, aws_interfaces.build),
    # describe-traffic-mirror-sessions
    Output(aws_interfaces.SESSIONS, aws_interfaces.declare_session, _nothing),
    Output("Reservations", aws_interfaces.declare_reservation, aws_interfaces.build_reservation),
    # describe-prefix-lists, describe-managed-prefix-lists
    Output("PrefixLists", aws_prefix_lists.declare, aws_prefix_lists.build),
    # describe-vpcs, describe-subnets, describe-network-acls
    Output("Vpcs", _nothing, aws_networks.build_vpc),
    Output("Subnets", _nothing, aws_networks.build_subnet),
    Output("NetworkAcls", _nothing, aws_networks.build_network_acl),
)
TOP_KEYS = (*(output.key for output in OUTPUTS), aws_prefix_lists.ENTRIES)


def knows(key: str) -> bool:
    """True for a top-level key of an output; get-managed-prefix-list-entries may stand under the list's id."""
    return key in TOP_KEYS or key.startswith("pl-")


def declare(root: Node, draft: Draft) -> None:
    """Note the ids and names that the file defines, for the rules of all files."""
    for output in OUTPUTS:
        for node in items(root, output.key, draft.findings):
            output.declare(node, draft)
    aws_prefix_lists.declare_entries(root, draft)


def build(root: Node, draft: Draft) -> None:
    """Read everything in the file."""
    if root.get("NextToken") is not None:
        draft.findings.warn("more-pages", root.key("NextToken"), "NextToken is set: this output is not the whole list")
        if root.get(aws_interfaces.INTERFACES) is not None or root.get("Reservations") is not None:
            draft.more_interfaces = True
    for output in OUTPUTS:
        for node in items(root, output.key, draft.findings):
            output.build(node, draft)
    aws_prefix_lists.build_entries(root, draft)
