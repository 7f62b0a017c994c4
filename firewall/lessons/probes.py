"""Probes: first packets of new connections at the borders of what rule sets say, each a packet of its own.

What a rule decides changes only where a block of addresses or a range of ports begins or ends. So the peers are the
ends of every block that either of two rule sets names, and those next to them; the services are the ends of every
range, and those next to them; and of both a few usual ones.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from random import Random
from typing import NamedTuple

from firewall.model import (
    DIRECTIONS,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Address,
    Direction,
    Network,
    NetworkAclEntry,
    NetworkInterface,
    Rule,
    RuleSet,
)
from firewall.policy import attached_rules, reach
from pcaps.frame import Frame
from pcaps.opener import opener

MOST = 4000  # probes of one task; of more, this many are drawn
APART = 86_400 * 10**9  # ns between two: longer than a connection that was only opened is remembered
LAST_PORT = 65535
SCTP = 132


class Service(NamedTuple):
    """A protocol with its destination port, or with an ICMP type and code."""

    protocol: int
    port: int = 0
    code: int = 0


class Probe(NamedTuple):
    """The first packet of a connection."""

    source: Address
    target: Address
    service: Service


#: What rules are often wider or narrower for than they should be, each with its reason.
USUAL = (
    Service(TCP, 22),  # SSH, what everybody tries first
    Service(TCP, 80),  # HTTP, beside an HTTPS that is wanted
    Service(TCP, 443),  # HTTPS, the update that a default outbound rule lets out
    Service(TCP, 3389),  # RDP, the other login
    Service(TCP, 4444),  # what a shell that dials home takes, and no service
    Service(TCP, 8080),  # an unprivileged server's port, inside 1024-65535
    Service(TCP, 40000),  # an ephemeral port of Linux
    Service(UDP, 53),  # DNS
    Service(UDP, 123),  # NTP
    Service(UDP, 40000),  # an ephemeral port, where "all UDP" stands for answers
    Service(50),  # ESP: a protocol without ports, which "all traffic" means too
)
USUAL_ICMP = (
    Service(ICMP, 8, 0),  # echo request
    Service(ICMP, 0, 0),  # echo reply
    Service(ICMP, 3, 1),  # host unreachable, beside 3/4
    Service(ICMP, 3, 4),  # fragmentation needed (RFC 1191)
    Service(ICMP, 11, 0),  # time exceeded, what traceroute waits for
    Service(ICMP, 13, 0),  # timestamp, which scanners send
)
USUAL_ICMPV6 = (
    Service(ICMPV6, 128, 0),  # echo request
    Service(ICMPV6, 129, 0),  # echo reply
    Service(ICMPV6, 1, 4),  # port unreachable
    Service(ICMPV6, 2, 0),  # packet too big (RFC 8201)
    Service(ICMPV6, 3, 0),  # time exceeded
)
#: Addresses far from each other, for somebody somewhere.
FAR = tuple(
    ip_address(each)
    for each in (
        "203.0.113.177",  # RFC 5737, the address of somebody
        "100.64.0.77",  # RFC 6598, the half below 128.0.0.0
        "172.16.5.77",  # RFC 1918, another private network
        "198.18.0.77",  # RFC 2544
        "240.0.0.77",  # RFC 1112 section 4, the end of everything
        "2001:db8:ffff::77",  # RFC 3849, the same
        "64:ff9b::c612:77",  # RFC 6052, below 2000::/3
        "fd00:77::77",  # RFC 4193
    )
)


class Grid(NamedTuple):
    """Every peer with every service, at one address in one direction."""

    own: Address
    direction: Direction
    peers: Sequence[Address]
    services: Sequence[Service]

    def __len__(self) -> int:
        return len(self.peers) * len(self.services)

    def probe(self, place: int) -> Probe:
        """The probe at a place from 0."""
        peer, service = self.peers[place // len(self.services)], self.services[place % len(self.services)]
        ends = (peer, self.own) if self.direction == "ingress" else (self.own, peer)
        return Probe(*ends, service)


def probes(solution: RuleSet, learner: RuleSet, directions: Sequence[Direction] = DIRECTIONS) -> list[Probe]:
    """The probes at every interface of the solution; at most MOST, and for equal rules the same every time.

    Those of the solution's own words come first and have half the room, so that no learner's rules crowd them out.
    """
    own = [address for eni in solution.interfaces.values() for address in _first_addresses(eni)]
    ways = [(address, direction) for address in own for direction in directions]
    first = dict.fromkeys(_drawn([_grid(*way, (solution,)) for way in ways], MOST // 2, "solution"))
    every = _drawn([_grid(*way, (solution, learner)) for way in ways], MOST - len(first), "both")
    return list(first | dict.fromkeys(every))


def _drawn(grids: Sequence[Grid], most: int, seed: str) -> Iterator[Probe]:
    """All probes of the grids, or so many of them in their order."""
    total = sum(map(len, grids))
    places: Iterable[int] = range(total)
    if total > most:
        places = sorted(Random(seed).sample(range(total), most))  # noqa: S311  (no secret)
    return _at_places(grids, places)


def _grid(own: Address, direction: Direction, both: Iterable[RuleSet]) -> Grid:
    sides = [(rules, eni) for rules in both for eni in _at(own, rules)]
    met = [(rules, rule) for rules, eni in sides for rule in _met(rules, eni, direction)]
    blocks = [block for rules, rule in met for block in reach(rule.peer, rules).networks]
    blocks += [block for rules, eni in sides for block in _near(rules, eni)]
    peers = [peer for peer in _peers(blocks, own.version) if peer != own]
    return Grid(own, direction, peers, _services((rule for _, rule in met), own.version))


def _at_places(grids: Iterable[Grid], places: Iterable[int]) -> Iterator[Probe]:
    """The probes at ascending places of all grids, one grid behind the other."""
    waiting = deque(places)
    start = 0
    for grid in grids:
        while waiting and waiting[0] < start + len(grid):
            yield grid.probe(waiting.popleft() - start)
        start += len(grid)


def frames(found: Iterable[Probe]) -> list[Frame]:
    """The probes as packets, so far APART that each stands alone in the table."""
    return [
        opener(each.source.packed, each.target.packed, *each.service, time=number * APART)
        for number, each in enumerate(found)
    ]


def _first_addresses(eni: NetworkInterface) -> list[Address]:
    """One address of each family: rules tell an interface's addresses apart by nothing else."""
    addresses = [*eni.addresses, *(block[0] for block in eni.prefixes)]
    return [found[0] for version in (4, 6) if (found := [each for each in addresses if each.version == version])]


def _at(own: Address, rules: RuleSet) -> list[NetworkInterface]:
    """Whose address it is; files may call their interfaces as they like."""
    return [eni for eni in rules.interfaces.values() if any(own in block for block in eni.networks)]


def _met(rules: RuleSet, eni: NetworkInterface, direction: Direction) -> list[Rule | NetworkAclEntry]:
    """The rules and entries of one direction that an interface meets."""
    acl = rules.network_acl_of(eni)
    entries: tuple[NetworkAclEntry, ...] = () if acl is None else getattr(acl, direction)
    return [*attached_rules(eni, direction, rules), *entries]


def _near(rules: RuleSet, eni: NetworkInterface) -> list[Network]:
    """Its subnet, inside which no network ACL is met, and the other interfaces."""
    subnet = rules.subnet_of(eni)
    others = (block for other in rules.interfaces.values() for block in other.networks)
    return [*(() if subnet is None else subnet.cidrs), *others]


# --- peers -------------------------------------------------------------------------------------------------
def _peers(blocks: Iterable[Network], version: int) -> list[Address]:
    """Plain ones first: the first probe that tells is shown to the learner."""
    known = [block for block in dict.fromkeys(blocks) if block.version == version]
    inside = [block[_inside(block)] for block in known if block.prefixlen]  # of everything, FAR is inside
    borders = [each for block in known for each in _borders(block)]
    far = [each for each in FAR if each.version == version]
    return [each for each in dict.fromkeys([*far, *inside, *borders]) if _is_host(each)]


def _inside(block: Network) -> int:
    return Random(str(block)).randrange(block.num_addresses)  # noqa: S311  (no secret)


def _borders(block: Network) -> Iterator[Address]:
    """The first and the last address, and those before and behind."""
    first, last = block.network_address, block.broadcast_address
    yield from (first, last)
    if int(first):
        yield first - 1
    if int(last) + 1 < 1 << block.max_prefixlen:
        yield last + 1


def _is_host(address: Address) -> bool:
    """False for what no host sends from or is reached by alone, and for link-local addresses, AWS's own services."""
    special = address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local
    return not (special or str(address) == "255.255.255.255")


# --- services ----------------------------------------------------------------------------------------------
def _services(met: Iterable[Rule | NetworkAclEntry], version: int) -> list[Service]:
    usual = (*USUAL, *(USUAL_ICMP if version == 4 else USUAL_ICMPV6))
    other = ICMPV6 if version == 4 else ICMP  # each family has an ICMP of its own
    borders = (service for rule in met for service in _of_rule(rule))
    return [each for each in dict.fromkeys([*usual, *borders]) if each.protocol != other]


def _of_rule(rule: Rule | NetworkAclEntry) -> Iterator[Service]:
    """The ends of a range of ports, those next to them and one inside; an ICMP type and code; a bare protocol."""
    if rule.protocol in (TCP, UDP, SCTP):
        first, last = rule.ports or (0, LAST_PORT)
        inside = Random(f"{first}-{last}").randint(first, last)  # noqa: S311  (no secret)
        for port in (first, last, first - 1, last + 1, inside):
            if 0 < port <= LAST_PORT:  # port 0 is reserved (RFC 6335 section 6)
                yield Service(rule.protocol, port)
    elif rule.protocol in (ICMP, ICMPV6):
        if rule.icmp_type >= 0:
            yield Service(rule.protocol, rule.icmp_type, max(rule.icmp_code, 0))
    elif rule.protocol >= 0:
        yield Service(rule.protocol)
