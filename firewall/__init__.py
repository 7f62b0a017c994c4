"""firewall: security groups, verdicts and reports over `pcaps` and `conntrack`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firewall.connections import Connection
    from firewall.errors import EniwallError, RuleFileError, UsageError
    from firewall.explain.phases import Explanation, Passage, Phase
    from firewall.face import Firewall
    from pcaps.scapy_pipe import FirewallFilter

_HOMES = {  # loaded when first asked for: numpy and the kernels take their time
    "Connection": "firewall.connections",
    "EniwallError": "firewall.errors",
    "Explanation": "firewall.explain.phases",
    "Firewall": "firewall.face",
    "FirewallFilter": "pcaps.scapy_pipe",
    "Passage": "firewall.explain.phases",
    "Phase": "firewall.explain.phases",
    "RuleFileError": "firewall.errors",
    "UsageError": "firewall.errors",
}
__all__ = [
    "Connection",
    "EniwallError",
    "Explanation",
    "Firewall",
    "FirewallFilter",
    "Passage",
    "Phase",
    "RuleFileError",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
