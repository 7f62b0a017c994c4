"""The TCP states of a tracked connection as a picture for the stepping page: small, without labels, every line named.

The page's own style colours it: the picture has none. `state-ESTABLISHED` is a box (`state-NONE` the dot),
`edge-SYN_SENT-SYN_RECV` a change, `edge-any-CLOSE` what leads there from every state.
"""

from collections.abc import Mapping

from conntrack.tcp import ROWS, STATES
from conntrack.timeouts import STATE_TIMEOUTS, TIMEOUTS
from firewall.languages import LANGUAGES, Text
from firewall.steps.state_graph import state_graph
from firewall.steps.state_svg import SMALL, state_svg

TITLE = Text("TCP states of a tracked connection", "추적 중인 TCP 연결의 상태")
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def diagrams(settings: Mapping[str, int | str]) -> dict[str, str]:
    """The picture as SVG, by language; below each state how long it lasts without a packet, by the settings."""
    graph = state_graph(STATES, ROWS)
    lasts = {state: short(int(settings[TIMEOUTS[timeout].name])) for state, timeout in enumerate(STATE_TIMEOUTS)}
    return {word: state_svg(graph, lasts, getattr(TITLE, word), SMALL) for word in LANGUAGES}


def short(value: int) -> str:
    """Seconds, in the largest unit that divides them: `2 min`, `5 d`, `350 s`."""
    size, unit = next(unit for unit in UNITS if value % unit[0] == 0)
    return f"{value // size} {unit}"
