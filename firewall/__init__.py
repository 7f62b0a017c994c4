"""firewall: security groups, verdicts and reports over `pcaps` and `conntrack`."""

from firewall.engine import Connection, Firewall
from firewall.errors import EniwallError, RuleFileError, UsageError

__all__ = ["Connection", "EniwallError", "Firewall", "RuleFileError", "UsageError"]
