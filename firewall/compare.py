"""The same packets judged twice: as security groups, with the table, and stateless, rule by rule.

A stateless filter (a network ACL is one) has no table, so every reply needs a rule of its own:
https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html. The comparison lists the
packets whose verdict differs and the rules that the stateless reading lacks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import collapse_addresses, ip_address, ip_network
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.columns import distinct_addresses, has_ports
from firewall.errors import UsageError
from firewall.labels import ICMP_PROTOCOLS, address_text
from firewall.model import Direction, Network
from firewall.rows import Judged, join_all, take_rows
from firewall.summary import no_rows
from firewall.verdict import ALLOW, DIRECTIONS, INGRESS

READINGS = {"sg": False, "stateless": True}  # reading of firewall.engine -> whether it has no table
KEPT_ROWS = 10

NETWORK_ACL_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html"
#: Ephemeral ports by client, as that page gives them.
EPHEMERAL_PORTS = (
    ("many Linux kernels, Amazon Linux too", (32768, 61000)),
    ("Windows Server 2008 and later", (49152, 65535)),
    ("Elastic Load Balancing, NAT gateways, Lambda", (1024, 65535)),
    ("Windows up to Server 2003", (1025, 5000)),
)


def read_readings(text: str) -> tuple[str, str]:
    """`sg,stateless` as two different readings; raises UsageError."""
    readings = tuple(word.strip() for word in text.split(","))
    unknown = [word for word in readings if word not in READINGS]
    if unknown or len(set(readings)) != 2 or len(readings) != 2:
        raise UsageError(f"--as {text}: write two different readings of {', '.join(READINGS)}, with a comma between")
    return readings[0], readings[1]


class Need(NamedTuple):
    """What the packets of one missing rule have in common; type and code are -1 but for ICMP."""

    eni: int
    direction: int
    protocol: int
    family: int
    icmp_type: int
    icmp_code: int


@dataclass
class Seen:
    """What was seen of the packets that need a rule."""

    ports: dict[tuple[int, int], tuple[int, int] | None] = field(default_factory=dict)  # by peer
    packets: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, peer: tuple[int, int], ports: tuple[int, int] | None, packets: int) -> None:
        """Count packets of one peer."""
        self.packets[peer] = self.packets.get(peer, 0) + packets
        known = self.ports.setdefault(peer, ports)
        if ports is not None:
            low, high = known or ports
            self.ports[peer] = (min(low, ports[0]), max(high, ports[1]))


@dataclass(frozen=True)
class ReverseRule:
    """A rule that the stateless reading lacks: one direction, protocol and range of ports of one interface."""

    eni: str
    direction: Direction
    protocol: int
    peers: tuple[Network, ...]  # collapsed, ascending
    ports: tuple[int, int] | None  # lowest and highest destination port that each of the peers was seen with
    icmp: tuple[int, int] | None  # type and code
    packets: int


@dataclass
class Comparison:
    """What differs between two readings, `ours` (with the table) and `theirs` (without)."""

    rows: int = 0
    packets: int = 0
    only_first: int = 0  # rows that the first reading allows and the second does not
    only_second: int = 0
    #: the first differing rows, as each reading judged them
    first: Judged = field(default_factory=no_rows)
    second: Judged = field(default_factory=no_rows)
    needs: dict[Need, Seen] = field(default_factory=dict)

    def reverse_rules(self, interfaces: Sequence[str]) -> list[ReverseRule]:
        """The missing rules, in the order of interface, direction, protocol and ports."""
        return [rule for need, seen in sorted(self.needs.items()) for rule in _rules(need, seen, interfaces)]


Replays = tuple[Iterator[Judged], Iterator[Judged]]


def compare(
    replays: Replays, readings: tuple[str, str], seen: Callable[[Judged, Judged], None] = lambda _first, _second: None
) -> Comparison:
    """Walk two replays of the same packets side by side; `seen` is given every pair of batches."""
    comparison = Comparison()
    stateful_first = not READINGS[readings[0]]
    for first, second in zip(*replays, strict=True):
        seen(first, second)
        _add(comparison, first, second, stateful_first=stateful_first)
    return comparison


def _add(comparison: Comparison, first: Judged, second: Judged, *, stateful_first: bool) -> None:
    ours, theirs = first.verdicts, second.verdicts
    differs = np.flatnonzero(ours.verdict != theirs.verdict)
    if not len(differs):
        return
    comparison.rows += len(differs)
    comparison.packets += int(np.count_nonzero(np.diff(ours.packet[differs]))) + 1
    only_first = differs[ours.verdict[differs] == ALLOW]
    only_second = differs[theirs.verdict[differs] == ALLOW]
    comparison.only_first += len(only_first)
    comparison.only_second += len(only_second)
    room = KEPT_ROWS - comparison.first.verdicts.rows
    if room > 0:
        comparison.first = join_all([comparison.first, take_rows(first, differs[:room])])
        comparison.second = join_all([comparison.second, take_rows(second, differs[:room])])
    _add_needs(comparison.needs, first, only_first if stateful_first else only_second)


def _add_needs(needs: dict[Need, Seen], judged: Judged, rows: NDArray[np.intp]) -> None:
    """Group the rows by what a rule would have to say, and by peer."""
    if not len(rows):
        return
    packets, verdicts = judged
    row = verdicts.packet[rows]
    direction, protocol = verdicts.direction[rows].astype(np.int64), packets.protocol[row].astype(np.int64)
    inward = direction == INGRESS
    peers, peer = distinct_addresses(
        np.where(inward, packets.src_hi[row], packets.dst_hi[row]),
        np.where(inward, packets.src_lo[row], packets.dst_lo[row]),
    )
    icmp = np.isin(protocol, ICMP_PROTOCOLS)
    low_port, high_port = packets.src_port[row].astype(np.int64), packets.dst_port[row].astype(np.int64)
    fields = (verdicts.eni[rows], direction, protocol, packets.family[row])
    columns = (*fields, np.where(icmp, low_port, -1), np.where(icmp, high_port, -1), peer)
    groups, group = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    with_ports = has_ports(packets)[row] & ~icmp
    lowest, highest = np.full(len(groups), 65536), np.full(len(groups), -1)
    np.minimum.at(lowest, group[with_ports], high_port[with_ports])
    np.maximum.at(highest, group[with_ports], high_port[with_ports])
    counts = np.bincount(group).tolist()
    for values, low, high, count in zip(groups.tolist(), lowest.tolist(), highest.tolist(), counts, strict=True):
        seen = needs.setdefault(Need(*values[:-1]), Seen())
        seen.add(peers[values[-1]], (low, high) if low <= high else None, count)


def _rules(need: Need, seen: Seen, interfaces: Sequence[str]) -> Iterator[ReverseRule]:
    """A rule for each range of ports, with the peers that have it."""
    alike: dict[tuple[int, int] | None, list[tuple[int, int]]] = {}
    for peer, ports in seen.ports.items():
        alike.setdefault(ports, []).append(peer)
    for ports, peers in sorted(alike.items(), key=lambda item: item[0] or (-1, -1)):
        networks = [ip_network(ip_address(address_text(*peer))) for peer in peers]
        collapsed: list[Network] = list(collapse_addresses(networks))  # type: ignore[type-var]  # all of one family
        yield ReverseRule(
            eni=interfaces[need.eni],
            direction="ingress" if DIRECTIONS[need.direction] == "ingress" else "egress",
            protocol=need.protocol,
            peers=tuple(collapsed),
            ports=ports,
            icmp=(need.icmp_type, need.icmp_code) if need.protocol in ICMP_PROTOCOLS else None,
            packets=sum(seen.packets[peer] for peer in peers),
        )
