"""Who talks to whom in generated packets: the interface, its peers, services and allow rules."""

from ipaddress import ip_address, ip_network
from random import Random
from typing import NamedTuple

from tests.recorded import Rule
from tests.reference_frames import ICMP, ICMPV6, SCTP, TCP, UDP

ENI = {4: "10.0.1.10", 6: "2001:db8:1::10"}
ADDRESSES = tuple(ip_address(address) for address in ENI.values())
PEERS = {
    4: ("198.51.100.7", "198.51.100.8", "203.0.113.9"),
    6: ("2001:db8:2::7", "2001:db8:2::8", "fe80::9"),
}
ROUTERS = {4: "192.0.2.1", 6: "2001:db8:ffff::1"}
SERVICES = (22, 53, 80, 443, 5000, 9999)
FIRST_EPHEMERAL = 40000
ANYWHERE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


class Ends(NamedTuple):
    """One direction of a flow; ports are 0 where the protocol has none."""

    src: str
    dst: str
    src_port: int
    dst_port: int

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.src else 4

    def back(self) -> "Ends":
        """The other direction."""
        return Ends(self.dst, self.src, self.dst_port, self.src_port)


def draw_ends(rng: Random, number: int, families: tuple[int, ...] = (4, 4, 6)) -> Ends:
    """The ends of flow `number`; two flows may share addresses, never both ports."""
    family = rng.choice(families)
    ends = Ends(rng.choice(PEERS[family]), ENI[family], FIRST_EPHEMERAL + number, rng.choice(SERVICES))
    if rng.random() < 0.5:
        return ends
    return Ends(ends.dst, ends.src, ends.src_port, ends.dst_port)


def draw_rules(rng: Random) -> tuple[Rule, ...]:
    """Some of the rules below, so that every kind of traffic is allowed in one trace and denied in another."""
    share = rng.choice((0.3, 0.7, 1.0))
    return tuple(rule for rule in CANDIDATES if rng.random() < share)


def _rule(
    direction: str, protocol: int, peer: str, ports: tuple[int, int] | None = None, kind: int | None = None
) -> Rule:
    return Rule(direction, protocol, ip_network(peer), ports, kind)  # type: ignore[arg-type]  # a literal in every row


CANDIDATES = (
    _rule("ingress", TCP, "0.0.0.0/0", (80, 80)),
    _rule("ingress", TCP, "198.51.100.0/24", (400, 500)),
    _rule("ingress", TCP, "203.0.113.9/32"),
    _rule("ingress", TCP, "::/0", (22, 443)),
    _rule("egress", TCP, "0.0.0.0/0", (443, 5000)),
    _rule("egress", TCP, "::/0"),
    _rule("ingress", UDP, "0.0.0.0/0", (53, 80)),
    _rule("ingress", UDP, "2001:db8:2::/64"),
    _rule("egress", UDP, "198.51.100.7/32"),
    _rule("egress", UDP, "::/0", (53, 53)),
    _rule("ingress", ICMP, "0.0.0.0/0", None, 8),
    _rule("egress", ICMP, "198.51.100.0/24"),
    _rule("ingress", ICMPV6, "::/0", None, 128),
    _rule("egress", ICMPV6, "2001:db8:2::7/128"),
    _rule("ingress", SCTP, "0.0.0.0/0", (80, 5000)),
    _rule("egress", SCTP, "::/0"),
    _rule("egress", SCTP, "198.51.100.0/24"),
    _rule("ingress", -1, "198.51.100.8/32"),
    _rule("egress", -1, "203.0.113.0/24"),
    _rule("ingress", -1, "2001:db8:2::8/128"),
    _rule("egress", -1, "fe80::/10"),
)
