"""firewall: security groups, verdicts and reports over `pcaps` and `conntrack`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firewall.connections import Connection
    from firewall.engine import Firewall
    from firewall.errors import EniwallError, RuleFileError, UsageError

_HOMES = {  # loaded when first asked for: numpy and the kernels take their time
    "Connection": "firewall.connections",
    "EniwallError": "firewall.errors",
    "Firewall": "firewall.engine",
    "RuleFileError": "firewall.errors",
    "UsageError": "firewall.errors",
}
__all__ = [
    "Connection",
    "EniwallError",
    "Firewall",
    "RuleFileError",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
