"""conntrack: packets against a table of connections, as Linux tracks them. Knows nothing of rules."""

from conntrack.states import CT_STATES
from conntrack.tcp import STATES
from conntrack.timeouts import SettingError, Settings, effective, settings

__all__ = ["CT_STATES", "STATES", "SettingError", "Settings", "effective", "settings"]
