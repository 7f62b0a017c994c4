"""What a rule allows, but for its peer, as the EC2 API says it: IpProtocol, FromPort, ToPort.

Shared by every source that writes the API's fields: the AWS CLI, Terraform, CloudFormation.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from typing import NamedTuple

from firewall.model import ALL_PORTS, ANY, ICMP, ICMPV6, Network
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node
from firewall.sources.reading import check_icmp, check_ports, has_ports, protocol, protocol_name
from firewall.sources.words import ALL_ICMP, SCTP, UDPLITE


class Service(NamedTuple):
    """Protocol (-1: all), destination ports (None: all), ICMP type and code (-1: any)."""

    protocol: int
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int] = ALL_ICMP


def api_service(
    given: Node, first: Node | None, last: Node | None, spot: Node, findings: Findings, cure: str
) -> Service | None:
    """The service of a protocol and its two bounds, or None after a note of what is wrong.

    The bounds are ports for TCP and UDP, type and code for ICMP, and ignored for every other protocol,
    whatever they say. `cure` ends the messages: what to give instead.
    """
    number = protocol(given, findings)
    if number is None:
        return None
    is_icmp = number in (ICMP, ICMPV6)
    if not (is_icmp or has_ports(number) or number in (SCTP, UDPLITE)):
        return Service(number)
    bounds = [found for found in (first, last) if found is not None and found.value is not None]
    numbers = [each.value for each in bounds if isinstance(each.value, int) and not isinstance(each.value, bool)]
    if len(numbers) < len(bounds):
        findings.error(spot, f"FromPort and ToPort are no numbers: {cure}")
        return None
    if len(numbers) == 2:
        return _bounded(number, numbers[0], numbers[1], spot, findings)
    if not numbers and number in (ICMPV6, SCTP, UDPLITE):
        return Service(number)
    findings.error(spot, f"{protocol_name(number)} permission without FromPort and ToPort: {cure}")
    return None


def _bounded(number: int, first: int, last: int, spot: Node, findings: Findings) -> Service | None:
    """The service of a protocol whose two numbers mean something."""
    if number in (ICMP, ICMPV6):
        icmp = check_icmp(first, last, spot, findings)
        return icmp and Service(number, None, icmp)
    if not has_ports(number) and (ANY in (first, last) or (first, last) == ALL_PORTS):
        return Service(number)
    ports = check_ports(first, last, spot, findings)
    if not has_ports(number):
        name = protocol_name(number)
        findings.warn(
            "ports-ignored",
            spot,
            f"AWS ignores the ports of {name} rules and allows all {name}; under the profile linux they count",
        )
    return ports and Service(number, ports)


def acl_service(
    number: int,
    peer: Network,
    ports: tuple[int, int] | None,
    icmp: tuple[int, int] | None,
    spot: Spot,
    findings: Findings,
) -> Service | None:
    """The service of a network ACL entry, or None after a note of what is wrong.

    Ports count for TCP and UDP, ICMP type and code for ICMP and, with an IPv6 block, ICMPv6; every
    other entry covers its whole protocol, whatever they say; TCP and UDP without ports are all ports.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html
    """
    if has_ports(number):
        checked = ALL_PORTS if ports is None else check_ports(*ports, spot, findings)
        return checked and Service(number, checked)
    if number == ICMP or (number == ICMPV6 and peer.version == 6):
        both = ALL_ICMP if icmp is None else check_icmp(*icmp, spot, findings)
        return both and Service(number, None, both)
    return Service(number)
