"""Traffic that AWS never filters, as data.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html lists the services;
their addresses are from the pages named beside each row. The router's address in a subnet and the
resolver's in a VPC follow from their blocks, where the rule files state them: they are never guessed.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

from firewall.model import NetworkInterface, RuleSet

DNS_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html"
IMDS_PAGE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html"
TIME_PAGE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html"
ECS_PAGE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v3.html"
WINDOWS_PAGE = "https://docs.aws.amazon.com/AWSEC2/latest/WindowsGuide/common-messages.html"
GROUPS_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"
SUBNET_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"
UNDOCUMENTED = "AWS does not say; chosen: without it no host could send at all"

ANY_PORT = -1
ANY_PROTOCOL = -1
ROUTER, RESOLVER = 1, 2  # behind the base of a subnet's block, of a VPC's primary IPv4 block
DNS_PROTOCOLS, DNS_PORT = (17, 6), 53


class Exemption(NamedTuple):
    """The peer's address (None: any), protocol, and the service's port or ICMPv6 type range."""

    service: str
    address: str | None
    protocol: int
    low: int
    high: int
    source: str


EXEMPTIONS = (
    Exemption("amazon-dns", "169.254.169.253", 17, 53, 53, DNS_PAGE),
    Exemption("amazon-dns", "169.254.169.253", 6, 53, 53, DNS_PAGE),
    Exemption("amazon-dns", "fd00:ec2::253", 17, 53, 53, DNS_PAGE),
    Exemption("amazon-dns", "fd00:ec2::253", 6, 53, 53, DNS_PAGE),
    Exemption("instance-metadata", "169.254.169.254", 6, 80, 80, IMDS_PAGE),
    Exemption("instance-metadata", "fd00:ec2::254", 6, 80, 80, IMDS_PAGE),
    Exemption("ecs-task-metadata", "169.254.170.2", 6, 80, 80, ECS_PAGE),
    Exemption("time-sync", "169.254.169.123", 17, 123, 123, TIME_PAGE),
    Exemption("time-sync", "fd00:ec2::123", 17, 123, 123, TIME_PAGE),
    Exemption("windows-activation", "169.254.169.250", 6, 1688, 1688, WINDOWS_PAGE),
    Exemption("windows-activation", "169.254.169.251", 6, 1688, 1688, WINDOWS_PAGE),
    Exemption("windows-activation", "fd00:ec2::250", 6, 1688, 1688, WINDOWS_PAGE),
    Exemption("windows-activation", "fd00:ec2::251", 6, 1688, 1688, WINDOWS_PAGE),
    Exemption("dhcp", "255.255.255.255", 17, 67, 68, GROUPS_PAGE),
    Exemption("dhcp", "ff02::1:2", 17, 546, 547, GROUPS_PAGE),
    Exemption("vpc-router", "fe80:ec2::1", ANY_PROTOCOL, ANY_PORT, ANY_PORT, SUBNET_PAGE),
    Exemption("neighbour-discovery", None, 58, 133, 137, UNDOCUMENTED),
)
SERVICES = tuple(dict.fromkeys(row.service for row in EXEMPTIONS))


def exemption_address(row: Exemption) -> int:
    """The row's address as 128 bits, IPv4-mapped; 0 for any."""
    if row.address is None:
        return 0
    address = ip_address(row.address)
    return int(address) if address.version == 6 else 0xFFFF_0000_0000 | int(address)


def reserved(rules: RuleSet, interface: NetworkInterface) -> Iterator[Exemption]:
    """The exemptions that follow from the blocks of the interface's subnet and VPC, where they are stated."""
    subnet, vpc = rules.subnet_of(interface), rules.vpc_of(interface)
    for block in () if subnet is None else subnet.cidrs:
        router = str(block.network_address + ROUTER)
        yield Exemption("vpc-router", router, ANY_PROTOCOL, ANY_PORT, ANY_PORT, SUBNET_PAGE)
    for block in () if vpc is None else [each for each in vpc.cidrs if each.version == 4][:1]:
        for protocol in DNS_PROTOCOLS:
            yield Exemption("amazon-dns", str(block.network_address + RESOLVER), protocol, DNS_PORT, DNS_PORT, DNS_PAGE)
