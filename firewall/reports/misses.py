"""The nearest miss of a denial: the one place where reports ask for it."""

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from firewall.attempts import Attempt
from firewall.model import Direction
from firewall.nearest import Misses, PacketFields
from firewall.verdict import EGRESS, NO_EGRESS_RULE, NO_INGRESS_RULE

if TYPE_CHECKING:
    from firewall.engine import Firewall

BY_RULE = (NO_INGRESS_RULE, NO_EGRESS_RULE)


class NearMisses:
    """Asks for the misses of one firewall's denials; what rules stand for is looked up once."""

    def __init__(self, firewall: "Firewall") -> None:
        self._firewall = firewall
        self._misses = Misses(firewall.rule_set, firewall.profile)

    def text(self, attempt: Attempt, reason: int) -> str:
        """What comes nearest to admitting an attempt, and what would; nothing where no rule could have.

        The rules are those that the replay began with: one that they allow was denied by changed rules.
        """
        if reason not in BY_RULE or attempt.eni < 0:
            return ""
        direction: Direction = "egress" if attempt.direction == EGRESS else "ingress"
        miss = self._misses.nearest(self._firewall.interfaces[attempt.eni], direction, _fields(attempt))
        if miss.rule is not None and not miss.fails:
            return ""
        return f"{miss.text}; would admit it: {miss.addition_text}" if miss.addition is not None else miss.text


def _fields(attempt: Attempt) -> PacketFields:
    """What rules read of an attempt."""
    end = "dst" if attempt.direction == EGRESS else "src"
    high, low = getattr(attempt, f"{end}_hi"), getattr(attempt, f"{end}_lo")
    peer = IPv4Address(low & 0xFFFF_FFFF) if attempt.family == 4 else IPv6Address(high << 64 | low)
    port = attempt.port if attempt.port >= 0 else None
    if attempt.icmp_type < 0:
        return PacketFields(attempt.protocol, peer, port)
    return PacketFields(attempt.protocol, peer, attempt.icmp_type, port)
