"""The rule model: AWS's objects in AWS's words, frozen.

Sources (`firewall.sources`) build it, `firewall.policy` compiles it. Security groups hold allow
rules only, so there is no field for an action: a deny rule cannot be said.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Direction = Literal["ingress", "egress"]

ALL_PROTOCOLS = -1
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
ANY = -1  # ICMP type or code


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class GroupPeer:
    """Another security group: its members' private addresses."""

    group_id: str


@dataclass(frozen=True, slots=True)
class PrefixListPeer:
    """A prefix list: its entries."""

    prefix_list_id: str


Peer = Network | GroupPeer | PrefixListPeer


@dataclass(frozen=True, slots=True)
class Rule:
    """One allow rule: direction, protocol, ports or ICMP type and code, exactly one peer.

    The peer is the source of inbound packets and the destination of outbound ones. `ports` is an
    inclusive range of destination ports and is read for TCP and UDP (and, under the linux profile,
    for SCTP and UDP-Lite where the file gives one). ICMP type and code are two values, not a range;
    -1 is any. `rule_id` is AWS's `sgr-` id; without one, `name` is `group:ingress[0]`.
    """

    group_id: str
    direction: Direction
    index: int
    protocol: int
    peer: Peer
    ports: tuple[int, int] | None = None
    icmp_type: int = ANY
    icmp_code: int = ANY
    rule_id: str | None = None
    description: str = ""
    place: Place | None = None

    @property
    def name(self) -> str:
        """`sg-.../sgr-...`, or `group:ingress[0]` where the file has no ids."""
        if self.rule_id is not None:
            return f"{self.group_id}/{self.rule_id}"
        return f"{self.group_id}:{self.direction}[{self.index}]"


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A named set of allow rules; the order is the file's and means nothing to AWS."""

    group_id: str
    name: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A managed prefix list; `max_entries` is what a rule quota is charged."""

    prefix_list_id: str
    name: str
    entries: tuple[Network, ...] = ()
    max_entries: int | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ConnectionTracking:
    """An interface's own idle timeouts in seconds; None is the default.

    ConnectionTrackingSpecification in the EC2 API: 60 to 432000, 60 to 180, 30 to 60.
    """

    tcp_established_timeout: int | None = None
    udp_stream_timeout: int | None = None
    udp_timeout: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """An ENI: its private addresses and the security groups attached to it."""

    interface_id: str
    addresses: tuple[Address, ...]
    groups: tuple[str, ...]
    mac: str | None = None
    instance: str | None = None
    place: Place | None = None
    connection_tracking: ConnectionTracking = ConnectionTracking()


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001  (the model's word; Python's own warnings are not used here)
    """Something a reader should know that is no error; `kind` is stable and hyphenated."""

    kind: str
    text: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.place} {self.text}" if self.place else self.text


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything that was understood of one or more rule files."""

    groups: dict[str, SecurityGroup]
    interfaces: dict[str, NetworkInterface] = field(default_factory=dict)
    prefix_lists: dict[str, PrefixList] = field(default_factory=dict)
    auto_tracked: tuple[Network, ...] = ()  # peers whose connections AWS always tracks: NAT gateways, ...
    warnings: tuple[Warning, ...] = ()
