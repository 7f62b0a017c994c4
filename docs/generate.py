"""Make the documents that follow from the source's tables: `python -m docs.generate` writes them here."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conntrack.icmp import QUERIES
from conntrack.outcome import CAUSES
from conntrack.tcp import CLASS_NAMES, DIRECTION_NAMES, IGNORE, INVALID, ROWS, STATES, TRANSITIONS, VALID_FLAG_SETS
from conntrack.timeouts import NUMBERS, STATE_TIMEOUTS, SWITCHES, TIMEOUTS
from docs.state_graph import mermaid, state_graph
from docs.state_svg import state_svg
from firewall.exempt import ANY_PORT, EXEMPTIONS
from firewall.labels import protocol_word
from firewall.reports.duration import span
