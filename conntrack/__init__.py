"""conntrack: packets against a table of connections, as Linux tracks them. Knows nothing of rules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conntrack.states import CT_STATES
    from conntrack.tcp import STATES
    from conntrack.timeouts import SettingError, Settings, effective, settings

_HOMES = {  # loaded when first asked for: numpy and the kernels take their time
    "CT_STATES": "conntrack.states",
    "STATES": "conntrack.tcp",
    "SettingError": "conntrack.timeouts",
    "Settings": "conntrack.timeouts",
    "effective": "conntrack.timeouts",
    "settings": "conntrack.timeouts",
}
__all__ = [
    "CT_STATES",
    "STATES",
    "SettingError",
    "Settings",
    "effective",
    "settings",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
