"""The rule model: AWS's objects in AWS's words, frozen.

Sources (`firewall.sources`) build it, `firewall.policy` compiles it. Security groups hold allow
rules only, so there is no field for an action: a deny rule cannot be said.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")

ALL_PROTOCOLS = -1
ALL_PORTS = (0, 65535)
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
ANY = -1  # ICMP type or code
LAST_ACL_NUMBER = 32766  # entries of a network ACL run from 1; above stands `*` (API CreateNetworkAclEntry)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Peering:
    """A VPC peering connection that a rule's reference runs over; a deleted one leaves the rule stale.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
    """

    peering_id: str
    status: str = "active"

    @property
    def deleted(self) -> bool:
        """True if references over it match nothing any more."""
        return self.status == "deleted"


@dataclass(frozen=True, slots=True)
class GroupPeer:
    """Another security group: its members' private addresses."""

    group_id: str
    peering: Peering | None = None

    @property
    def stale(self) -> bool:
        """True if the reference matches nothing: the peering that it ran over is deleted."""
        return self.peering is not None and self.peering.deleted


@dataclass(frozen=True, slots=True)
class PrefixListPeer:
    """A prefix list: its entries."""

    prefix_list_id: str


@dataclass(frozen=True, slots=True)
class UnknownPeer:
    """A peer that the file names without saying its address, as a Terraform plan does before it is applied."""

    text: str


Peer = Network | GroupPeer | PrefixListPeer | UnknownPeer


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
    vpc: str | None = None


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A managed prefix list: the entries of one version, all of one address family.

    `max_entries` is what a rule quota is charged for a customer's list; AWS's own lists have a
    documented weight instead. AWS does not show the version of its own lists.
    https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
    """

    prefix_list_id: str
    name: str
    entries: tuple[Network, ...] = ()
    max_entries: int | None = None
    place: Place | None = None
    version: int | None = None
    family: Literal[4, 6] | None = None  # None: as its entries say
    owner: str = ""  # "AWS" for AWS managed lists


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
    """An ENI: its private addresses and the security groups attached to it.

    `prefixes` are delegated to it (Ipv4Prefixes, Ipv6Prefixes): every address in them is its own.
    `public_addresses` never stand in a packet at the interface and match no rule; they are kept for
    explanations. `complete` is False where the interface has addresses that no file says. `mirror_vnis`
    are the VXLAN network ids of its traffic mirror sessions.
    """

    interface_id: str
    addresses: tuple[Address, ...]
    groups: tuple[str, ...]
    mac: str | None = None
    instance: str | None = None
    place: Place | None = None
    connection_tracking: ConnectionTracking = ConnectionTracking()
    subnet: str | None = None
    vpc: str | None = None
    source_dest_check: bool = True
    interface_type: str = "interface"  # InterfaceType of the EC2 API
    prefixes: tuple[Network, ...] = ()
    public_addresses: tuple[Address, ...] = ()
    complete: bool = True
    mirror_vnis: tuple[int, ...] = ()

    @property
    def networks(self) -> tuple[Network, ...]:
        """All its private addresses, as blocks."""
        single = (IPv4Network(each) if each.version == 4 else IPv6Network(each) for each in self.addresses)
        return (*single, *self.prefixes)


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC: its address blocks, the primary IPv4 block first."""

    vpc_id: str
    cidrs: tuple[Network, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet: its address blocks, and the network ACL that guards its border (None: none is known)."""

    subnet_id: str
    cidrs: tuple[Network, ...] = ()
    vpc: str | None = None
    network_acl: str | None = None
    place: Place | None = None


def holding(subnets: Iterable[Subnet], addresses: Iterable[Address]) -> Subnet | None:
    """The one subnet whose blocks hold all the addresses; None where several do, or none."""
    wanted = tuple(addresses)
    found = [each for each in subnets if all(any(address in block for block in each.cidrs) for address in wanted)]
    return found[0] if wanted and len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class NetworkAclEntry:
    """One numbered entry of a network ACL: of those that match, the lowest number decides.

    Ports and ICMP as in `Rule`. The peer is a block: entries name no groups and no prefix lists.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html
    """

    network_acl_id: str
    direction: Direction
    number: int
    action: Literal["allow", "deny"]
    protocol: int
    peer: Network
    ports: tuple[int, int] | None = None
    icmp_type: int = ANY
    icmp_code: int = ANY
    place: Place | None = None

    @property
    def name(self) -> str:
        """`acl-1:ingress[100]`, and `acl-1:ingress[*]` for what AWS puts behind all entries."""
        number = "*" if self.number > LAST_ACL_NUMBER else self.number
        return f"{self.network_acl_id}:{self.direction}[{number}]"


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """A subnet's stateless filter: numbered entries in ascending order, then `*`, which denies."""

    network_acl_id: str
    name: str
    ingress: tuple[NetworkAclEntry, ...] = ()
    egress: tuple[NetworkAclEntry, ...] = ()
    vpc: str | None = None
    is_default: bool = False
    place: Place | None = None


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
    vpcs: dict[str, Vpc] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    network_acls: dict[str, NetworkAcl] = field(default_factory=dict)
    allowance: int | None = None  # connections that one instance may have tracked; None: not limited
    #: groups and prefix lists that may have members or entries which no file says
    incomplete: frozenset[str] = frozenset()
    #: lint name -> the names of groups, rules or interfaces that it is not told of; `all` is every one
    silenced: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def subnet_holding(self, addresses: Iterable[Address]) -> Subnet | None:
        """The one subnet whose blocks hold all the addresses, or None."""
        return holding(self.subnets.values(), addresses)

    def subnet_of(self, interface: NetworkInterface) -> Subnet | None:
        """The interface's subnet, where the files describe it."""
        return None if interface.subnet is None else self.subnets.get(interface.subnet)

    def network_acl_of(self, interface: NetworkInterface) -> NetworkAcl | None:
        """The network ACL of the interface's subnet, where the files describe both."""
        subnet = self.subnet_of(interface)
        acl = None if subnet is None else subnet.network_acl
        return None if acl is None else self.network_acls.get(acl)

    def vpc_of(self, interface: NetworkInterface) -> Vpc | None:
        """The interface's VPC, named by itself or by its subnet, where the files describe it."""
        subnet = self.subnet_of(interface)
        identity = interface.vpc or (None if subnet is None else subnet.vpc)
        return None if identity is None else self.vpcs.get(identity)
