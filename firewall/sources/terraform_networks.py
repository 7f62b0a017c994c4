"""VPCs and subnets in Terraform.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc and, beside it, subnet,
vpc_ipv4_cidr_block_association.
"""

from collections import defaultdict

from firewall.model import Network, Subnet, Vpc
from firewall.sources.draft import Draft
from firewall.sources.reading import network
from firewall.sources.terraform_links import link
from firewall.sources.terraform_references import SUBNET, VPC
from firewall.sources.terraform_tree import Resource, Tree

_BLOCKS = ("cidr_block", "ipv6_cidr_block")


def build(tree: Tree, draft: Draft) -> None:
    """All VPCs and subnets, managed ones before what data sources read of the same."""
    further: dict[str, list[Network]] = defaultdict(list)
    for resource in tree.of("aws_vpc_ipv4_cidr_block_association"):
        vpc = link(resource, "vpc_id", VPC, tree)
        if vpc is not None and vpc.identity is not None:
            further[vpc.identity] += _blocks(resource, tree)
    for resource in _each_once(tree, VPC.attributes):
        found = _blocks(resource, tree)
        for block in resource.block.blocks("cidr_block_associations", tree.findings):
            found += [each for item in block.items("cidr_block") if (each := network(item, tree.findings))]
        every = dict.fromkeys([*found, *further[resource.identity()]])
        draft.add_vpc(Vpc(resource.identity(), tuple(every), resource.spot.place), resource.spot)
    for resource in _each_once(tree, SUBNET.attributes):
        vpc = link(resource, "vpc_id", VPC, tree)
        cidrs = tuple(_blocks(resource, tree))
        vpc_id = None if vpc is None else vpc.identity
        draft.add_subnet(Subnet(resource.identity(), cidrs, vpc_id, place=resource.spot.place), resource.spot)


def _each_once(tree: Tree, types: dict[str, str]) -> list[Resource]:
    """The resources of these types; several data sources may read one object, or one that is managed too."""
    found = {resource.identity(): resource for resource in tree.of(*types)}
    for resource in tree.data(*types):
        found.setdefault(resource.identity(), resource)
    return list(found.values())


def _blocks(resource: Resource, tree: Tree) -> list[Network]:
    """The address blocks that are known."""
    found = (network(item, tree.findings) for key in _BLOCKS for item in resource.block.items(key))
    return [each for each in found if each is not None]
