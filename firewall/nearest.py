"""Nearest misses: of the rules that a denied packet met, the one that it failed by least, field by field.

    miss = nearest(rule_set, interface, "ingress", PacketFields(TCP, ip_address("198.51.100.7"), 22))
    miss.text      # closest: web:ingress[1] tcp 22 from 203.0.113.0/24 fails on source only (198.51.100.7)
    miss.addition  # the rule tcp 22 from 198.51.100.7/32

Nothing is replayed here, and nothing is decided: the engine has denied the packet. Which rule is nearest:

1. the one that fails on fewest fields of protocol, port (ICMP: type and code) and peer;
2. of those one that fails on its peer before one that fails on its port, and that before one that fails on
   its protocol: a service that is open to others is likelier to be meant than another service;
3. of those the one whose blocks share most leading bits with the peer, then the one whose ports are nearest;
4. of those the first, in the order of the interface's groups and of their files.

What is offered to add is the packet's own service from its own address and nothing wider, whatever the
nearest rule is like: a rule for anywhere must not suggest another one.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any, NamedTuple

from firewall.labels import ICMP_PROTOCOLS, PORT_PROTOCOLS, protocol_word, rule_text
from firewall.model import (
    ALL_PORTS,
    ALL_PROTOCOLS,
    ANY,
    TCP,
    UDP,
    Address,
    Direction,
    NetworkAclEntry,
    NetworkInterface,
    Peer,
    Rule,
    RuleSet,
)
from firewall.policy import Reach, attached_rules, reach
from pcaps.batch import BAD_TRANSPORT, NO_TRANSPORT

PROTOCOL, PORT, TYPE, SOURCE, DESTINATION = "protocol", "port", "type", "source", "destination"
#: What fails on one of these before another is nearer.
RANK = {SOURCE: 0, DESTINATION: 0, PORT: 1, TYPE: 1, PROTOCOL: 2}
PEER_FIELD: dict[Direction, str] = {"ingress": SOURCE, "egress": DESTINATION}
FARTHEST = 1 << 17  # beyond every distance of ports


class PacketFields(NamedTuple):
    """What rules read of a packet: its protocol, its peer, its destination port.

    For ICMP `port` is the type and `code` the code. None where no port can be read (a later fragment, a bad
    header) or where the protocol has none.
    """

    protocol: int
    peer: Address
    port: int | None = None
    code: int | None = None

    @property
    def service(self) -> str:
        """`22`, `8/0`, or `none` without a port."""
        if self.port is None:
            return "none"
        return f"{self.port}/{self.code}" if self.protocol in ICMP_PROTOCOLS else str(self.port)


class Field(NamedTuple):
    """One field of a rule beside the packet's; `matches` is None where the rule's members are not known."""

    name: str
    matches: bool | None
    rule: str
    packet: str


class Miss(NamedTuple):
    """The nearest rule of a denial (None: there is no rule), the fields that fail, and the rule that would allow it.

    `addition` is None where the interface has no group to add it to.
    """

    rule: Rule | None
    fails: tuple[Field, ...]
    text: str
    addition: Rule | None

    @property
    def addition_text(self) -> str:
        """`tcp 443 from 10.0.2.5/32`; empty without an addition."""
        return "" if self.addition is None else rule_text(self.addition)


def nearest(
    rule_set: RuleSet, interface: NetworkInterface, direction: Direction, packet: PacketFields, profile: str = "aws"
) -> Miss:
    """The nearest miss of one denied kind of packet at an interface; of many, ask one `Misses`."""
    return Misses(rule_set, profile).nearest(interface, direction, packet)


def packet_fields(record: Any, direction: Direction, *, whole: bool = False) -> PacketFields:
    """The fields of a record of dtype PACKET, as rules of this direction read them.

    `whole`: a fragment's record has the ports of its datagram, which was put together.
    """
    end = "src" if direction == "ingress" else "dst"
    low = int(record[f"{end}_lo"])
    number = int(record[f"{end}_hi"]) << 64 | low
    peer: Address = IPv4Address(low & 0xFFFF_FFFF) if record["family"] == 4 else IPv6Address(number)
    protocol = int(record["protocol"])
    behind = record["fragment_offset"] != 0 and not whole
    unreadable = behind or record["status"] in (BAD_TRANSPORT, NO_TRANSPORT)
    if unreadable or protocol not in (*PORT_PROTOCOLS, *ICMP_PROTOCOLS):
        return PacketFields(protocol, peer)
    if protocol in ICMP_PROTOCOLS:
        return PacketFields(protocol, peer, int(record["src_port"]), int(record["dst_port"]))
    return PacketFields(protocol, peer, int(record["dst_port"]))


class Misses:
    """Compares packets with the rules of one rule set; what a peer stands for is looked up once.

    `profile` linux reads the ports of SCTP and its like too, where a rule states them.
    """

    def __init__(self, rule_set: RuleSet, profile: str = "aws") -> None:
        self.rule_set = rule_set
        self._reads_ports = profile == "linux"
        self._reaches: dict[Peer, Reach] = {}

    def reach(self, peer: Peer) -> Reach:
        """The blocks of a rule's peer (firewall.policy)."""
        if peer not in self._reaches:
            self._reaches[peer] = reach(peer, self.rule_set)
        return self._reaches[peer]

    def fields(self, rule: Rule | NetworkAclEntry, packet: PacketFields) -> tuple[Field, ...]:
        """A rule, or an entry of a network ACL, beside a packet, field by field; it fits if all of them match."""
        return (
            Field(
                PROTOCOL,
                rule.protocol in (ALL_PROTOCOLS, packet.protocol),
                "all" if rule.protocol == ALL_PROTOCOLS else protocol_word(rule.protocol),
                protocol_word(packet.protocol),
            ),
            self._port_field(rule, packet),
            self._peer_field(rule, packet),
        )

    def _port_field(self, rule: Rule | NetworkAclEntry, packet: PacketFields) -> Field:
        """AWS reads ports for TCP and UDP only, and type and code of ICMP (API IpPermission)."""
        name, low_high = TYPE if packet.protocol in ICMP_PROTOCOLS else PORT, rule.ports
        typed = rule.protocol in ICMP_PROTOCOLS
        if rule.protocol != ALL_PROTOCOLS and typed != (packet.protocol in ICMP_PROTOCOLS):
            return Field(name, True, "all", packet.service)  # a type is no port: the protocol says it all
        if typed:
            if rule.icmp_type == ANY:
                return Field(name, True, "all", packet.service)
            code = "any" if rule.icmp_code == ANY else str(rule.icmp_code)
            fits = packet.port == rule.icmp_type and rule.icmp_code in (ANY, packet.code)
            return Field(name, fits, f"{rule.icmp_type}/{code}", packet.service)
        others = self._reads_ports and rule.protocol != ALL_PROTOCOLS and isinstance(rule, Rule)
        read = rule.protocol in (TCP, UDP) or others
        if not read or low_high is None or low_high == ALL_PORTS:
            return Field(name, True, "all", packet.service)
        low, high = low_high
        fits = packet.protocol not in ICMP_PROTOCOLS and packet.port is not None and low <= packet.port <= high
        return Field(name, fits, str(low) if low == high else f"{low}-{high}", packet.service)

    def _peer_field(self, rule: Rule | NetworkAclEntry, packet: PacketFields) -> Field:
        found = self.reach(rule.peer)
        inside = any(packet.peer in network for network in found.networks if network.version == packet.peer.version)
        words = rule_text(rule).rpartition(" from " if rule.direction == "ingress" else " to ")[2]
        matches = True if inside else (False if found.complete else None)
        return Field(PEER_FIELD[rule.direction], matches, words, str(packet.peer))

    # --- the nearest ---------------------------------------------------------------------------------------
    def nearest(self, interface: NetworkInterface, direction: Direction, packet: PacketFields) -> Miss:
        """The rule of an interface and direction that a packet which none allows fails by least.

        The rule set's own interface of that name counts, if it has one: events may have changed its groups.
        """
        interface = self.rule_set.interfaces.get(interface.interface_id, interface)
        if not self._reads_ports and packet.protocol not in (TCP, UDP, *ICMP_PROTOCOLS):
            packet = PacketFields(packet.protocol, packet.peer)  # AWS has no rule for a port of these
        addition = self._addition(interface, direction, packet)
        best: tuple[tuple[int, ...], Rule, tuple[Field, ...]] | None = None
        for rule in attached_rules(interface, direction, self.rule_set):
            fails = tuple(field for field in self.fields(rule, packet) if not field.matches)
            distance = self._distance(rule, fails, packet)
            if best is None or distance < best[0]:
                best = distance, rule, fails
        if best is None:
            return Miss(None, (), f"{interface.interface_id} has no {direction} rule", addition)
        _, rule, fails = best
        return Miss(rule, fails, f"closest: {rule.name} {rule_text(rule)} {fails_text(fails)}", addition)

    def _distance(self, rule: Rule, fails: tuple[Field, ...], packet: PacketFields) -> tuple[int, ...]:
        """How far a rule is from allowing a packet, most important first (see above)."""
        names = {field.name for field in fails}
        ranks = sum(RANK[name] for name in names)
        bits = self._bits_apart(rule, packet.peer) if not names.isdisjoint((SOURCE, DESTINATION)) else 0
        return len(fails), ranks, bits, _ports_apart(rule, packet) if PORT in names else 0

    def _bits_apart(self, rule: Rule, peer: Address) -> int:
        """Of the peer's address, the bits behind those that it shares with the rule's nearest block."""
        blocks = [block for block in self.reach(rule.peer).networks if block.version == peer.version]
        return min((_bits_outside(block, peer) for block in blocks), default=FARTHEST)

    def _addition(self, interface: NetworkInterface, direction: Direction, packet: PacketFields) -> Rule | None:
        group = next((self.rule_set.groups[each] for each in interface.groups if each in self.rule_set.groups), None)
        if group is None:
            return None
        there = group.ingress if direction == "ingress" else group.egress
        icmp = packet.protocol in ICMP_PROTOCOLS and packet.port is not None and packet.code is not None
        ports = None if packet.port is None or icmp else (packet.port, packet.port)
        return Rule(
            group_id=group.group_id,
            direction=direction,
            index=len(there),
            protocol=packet.protocol,
            peer=ip_network(packet.peer),
            ports=ports,
            icmp_type=packet.port if icmp and packet.port is not None else ANY,
            icmp_code=packet.code if icmp and packet.code is not None else ANY,
        )


def _bits_outside(block: IPv4Network | IPv6Network, peer: Address) -> int:
    differing = (int(block.network_address) ^ int(peer)) >> (block.max_prefixlen - block.prefixlen)
    return differing.bit_length() + block.max_prefixlen - block.prefixlen if differing else 0


def _ports_apart(rule: Rule, packet: PacketFields) -> int:
    if rule.ports is None or packet.port is None or packet.protocol in ICMP_PROTOCOLS:
        return FARTHEST
    low, high = rule.ports
    return max(low - packet.port, packet.port - high, 0)


def fails_text(fails: tuple[Field, ...]) -> str:
    """`fails on source only (10.0.2.5)`, `fails on port (22) and source (10.0.2.5)`."""
    if len(fails) == 1:
        (field,) = fails
        return f"fails on {field.name} only ({_of_packet(field)})"
    words = [f"{field.name} ({_of_packet(field)})" for field in fails]
    return f"fails on {', '.join(words[:-1])} and {words[-1]}" if words else "matches"


def _of_packet(field: Field) -> str:
    if field.name in (PORT, TYPE) and field.packet == "none":
        return "none can be read"
    return f"{field.packet}, members unknown" if field.matches is None else field.packet
