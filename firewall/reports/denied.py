"""What was denied, by service and by address: the largest groups, and honestly how many more there are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from firewall.attempts import Attempt, Denied
from firewall.labels import ICMP_PROTOCOLS, Labels, address_text, protocol_word
from firewall.lint_tables import icmp_words
from firewall.model import ICMPV6
from firewall.reports.misses import NearMisses
from firewall.verdict import DIRECTIONS, EGRESS, REASON_WORDS

if TYPE_CHECKING:
    from firewall.engine import Firewall

MOST_TOP = 20

T = TypeVar("T")
Found = Sequence[tuple[Attempt, Denied]]


@dataclass(frozen=True)
class Top(Generic[T]):
    """The largest of a list, those with most packets first, and what the list leaves out."""

    items: tuple[T, ...]
    others: int  # how many more there are
    other_packets: int  # and their packets

    @property
    def total(self) -> int:
        """How many there are in all."""
        return len(self.items) + self.others


@dataclass(frozen=True)
class DeniedService:
    """Denied packets of one interface, direction, service and reason."""

    eni: str
    direction: str
    service: str
    reason: str
    packets: int
    peers: int  # addresses at the other end
    peer: str  # the one with most packets
    capture: str  # of an example: the first packet from or to that address
    packet: int
    miss: str  # what comes nearest to admitting it, or nothing


@dataclass(frozen=True)
class DeniedPeer:
    """Denied packets from one address (ingress), or to one (egress)."""

    peer: str
    direction: str
    packets: int
    services: int
    service: str  # the one with most packets


class Kind(NamedTuple):
    """What the packets of a DeniedService have in common, as numbers."""

    eni: int
    direction: int
    service: str
    reason: int


@dataclass
class _Group:
    """The attempts of one kind, by the address at the other end: packets, and the largest attempt of each."""

    packets: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, tuple[Attempt, int, int]] = field(default_factory=dict)  # with capture and frame

    @property
    def total(self) -> int:
        return sum(self.packets.values())


def denied_services(firewall: "Firewall", found: Found, labels: Labels) -> Top[DeniedService]:
    """By interface, direction, service and reason; `found` are the attempts with most packets first."""
    groups: dict[Kind, _Group] = {}
    for attempt, denied in found:
        for reason, first in denied.reasons.items():
            kind = Kind(attempt.eni, attempt.direction, service_of(attempt), reason)
            group, peer = groups.setdefault(kind, _Group()), peer_of(attempt)
            group.packets[peer] = group.packets.get(peer, 0) + first.packets
            group.attempts.setdefault(peer, (attempt, first.capture, first.frame))
    ranked = sorted(groups.items(), key=lambda item: (-item[1].total, item[0]))
    misses = NearMisses(firewall)
    items = [_service(kind, group, misses, labels) for kind, group in ranked[:MOST_TOP]]
    return Top(tuple(items), len(ranked) - len(items), sum(group.total for _, group in ranked[MOST_TOP:]))


def _service(kind: Kind, group: _Group, misses: NearMisses, labels: Labels) -> DeniedService:
    peer = max(group.packets, key=group.packets.__getitem__)
    attempt, capture, frame = group.attempts[peer]
    return DeniedService(
        eni=labels.interface(kind.eni),
        direction=DIRECTIONS[kind.direction],
        service=kind.service,
        reason=REASON_WORDS[kind.reason],
        packets=group.total,
        peers=len(group.packets),
        peer=peer,
        capture=labels.captures[capture],
        packet=frame,
        miss=misses.text(attempt, kind.reason),
    )


def denied_peers(found: Found) -> Top[DeniedPeer]:
    """By direction and the address at the other end."""
    groups: dict[tuple[int, str], dict[str, int]] = {}
    for attempt, denied in found:
        services = groups.setdefault((attempt.direction, peer_of(attempt)), {})
        service = service_of(attempt)
        services[service] = services.get(service, 0) + denied.packets
    ranked = sorted(groups.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    items = tuple(
        DeniedPeer(
            peer, DIRECTIONS[way], sum(services.values()), len(services), max(services, key=services.__getitem__)
        )
        for (way, peer), services in ranked[:MOST_TOP]
    )
    return Top(items, len(ranked) - len(items), sum(sum(services.values()) for _, services in ranked[MOST_TOP:]))


def peer_of(attempt: Attempt) -> str:
    """The address at the other end."""
    if attempt.direction == EGRESS:
        return address_text(attempt.dst_hi, attempt.dst_lo)
    return address_text(attempt.src_hi, attempt.src_lo)


def service_of(attempt: Attempt) -> str:
    """`tcp 22`, `icmp 8/0 echo request`, `gre`."""
    return _service_text(attempt.protocol, attempt.icmp_type, attempt.port)


@lru_cache(maxsize=1 << 16)
def _service_text(protocol: int, icmp_type: int, port: int) -> str:
    word = protocol_word(protocol)
    if icmp_type >= 0 and protocol in ICMP_PROTOCOLS:
        said = icmp_words(6 if protocol == ICMPV6 else 4, icmp_type, port)
        return f"{word} {icmp_type}/{port} {said}".rstrip()
    return word if port < 0 else f"{word} {port}"
