"""A state graph as SVG: the usual way of a connection downwards, what leaves it beside it.

Skipped and backward changes run in lanes on the left. What every state can do alike is one rail on the
right. Places follow from the graph; nothing is positioned by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from firewall.steps.state_graph import ARROW_MEANINGS, Edge, Graph, longest_path


# --- pixels --------------------------------------------------------------------------------------------
class Look(NamedTuple):
    """The measures of a picture in pixels; `words`: with labels, a legend and a style of its own."""

    margin: int
    step: int  # from one state of the usual way to the next
    box_width: int
    box_height: int
    lane: int
    gap: int  # between the usual way and the states beside it
    rail_gap: int
    words: bool

    @property
    def top(self) -> int:
        """The middle of the first state, which is a dot."""
        return self.margin + DOT


LARGE = Look(margin=28, step=88, box_width=150, box_height=46, lane=78, gap=150, rail_gap=30, words=True)
SMALL = Look(margin=8, step=62, box_width=134, box_height=42, lane=14, gap=20, rail_gap=16, words=False)
DOT = 9
PORT = 13  # between lines that end at one box
BEND = 10
LINE = 15
LETTER = 7.4  # width of a letter of a label, a little more than any font draws it

NO_ENTRY = "NONE"  # the dot's name in ids

STYLE = """
.card { fill: #ffffff; stroke: #d0d7de }
.box { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.5 }
.start, .head { fill: #57606a }
.line { fill: none; stroke: #57606a; stroke-width: 1.5 }
.rail { fill: none; stroke: #cf222e; stroke-width: 1.5 }
.stub { stroke-dasharray: 2 4; stroke-width: 1.2 }
.rail-head { fill: #cf222e }
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.name { font-size: 14px; font-weight: 600; text-anchor: middle }
.time, .note { font-size: 12px; fill: #57606a }
.time { text-anchor: middle }
.label { font-size: 12.5px; text-anchor: middle }
.back { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  .card { fill: #0d1117; stroke: #30363d }
  .box { fill: #161b22; stroke: #8b949e }
  .start, .head { fill: #8b949e }
  .line { stroke: #8b949e }
  .rail { stroke: #ff7b72 }
  .rail-head { fill: #ff7b72 }
  text { fill: #e6edf3 }
  .time, .note { fill: #8b949e }
  .back { fill: #0d1117 }
}
"""


class Point(NamedTuple):
    """The middle of a state's box."""

    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """Where everything stands: `lanes` and `ports` are of the edges that run on the left."""

    places: dict[int, Point]
    lanes: dict[Edge, float]
    ports: dict[tuple[Edge, int], float]
    width: float
    height: float
    look: Look
    names: tuple[str, ...]


# --- places --------------------------------------------------------------------------------------------
def is_straight(edge: Edge, path: Sequence[int]) -> bool:
    """One step down the usual way."""
    return edge.source in path and edge.target in path and path.index(edge.target) == path.index(edge.source) + 1


def in_lane(edge: Edge, graph: Graph, path: Sequence[int]) -> bool:
    """Between states of the usual way, or back to it from a rail's end; not one step down."""
    known = {*path, *graph.everywhere}
    return edge.source in known and edge.target in known and not is_straight(edge, path)


def layout(graph: Graph, look: Look = LARGE) -> Layout:
    """Places for every state and every line."""
    path = longest_path(graph)
    levels: dict[int, float] = {state: level for level, state in enumerate(path)}
    for beside in sorted(set(range(1, len(graph.names))) - set(path) - set(graph.everywhere)):
        levels[beside] = _level_beside(graph, levels, beside)
    for count, target in enumerate(graph.everywhere):
        levels[target] = len(path) + count
    lane_of = _lanes([edge for edge in graph.edges if in_lane(edge, graph, path)], levels)
    half = look.box_width / 2
    spine = look.margin + (max(lane_of.values(), default=-1) + 1) * look.lane + half + look.lane / 2
    beside_x = spine + look.box_width + look.gap
    rail = beside_x + half + look.rail_gap
    columns = {state: spine if state in path else rail if state in graph.everywhere else beside_x for state in levels}
    places = {state: Point(columns[state], look.top + level * look.step) for state, level in levels.items()}
    legend = 2 * LINE + look.margin if look.words else 0
    return Layout(
        places,
        {edge: spine - half - (lane + 1) * look.lane for edge, lane in lane_of.items()},
        _ports(lane_of, levels),
        max(columns.values()) + half + look.margin,
        max(point.y for point in places.values()) + look.box_height / 2 + look.margin + legend,
        look,
        graph.names,
    )


def _level_beside(graph: Graph, levels: Mapping[int, float], state: int) -> float:
    """Half way between its neighbours, below what already stands there."""
    near = [
        levels[a if b == state else b] for a, b, *_ in graph.edges if state in (a, b) and (a in levels or b in levels)
    ]
    level = sum(near) / len(near) if near else max(levels.values())
    while any(abs(level - taken) < 1 for taken in levels.values() if taken % 1):
        level += 1
    return level


def _lanes(edges: Sequence[Edge], levels: Mapping[int, float]) -> dict[Edge, int]:
    """A lane for each edge, short ones inside, so that no two lie on each other."""
    lanes: dict[Edge, int] = {}
    for edge in sorted(edges, key=lambda edge: abs(levels[edge.source] - levels[edge.target])):
        low, high = sorted((levels[edge.source], levels[edge.target]))
        taken = {
            lane
            for other, lane in lanes.items()
            if min(levels[other.source], levels[other.target]) <= high
            and low <= max(levels[other.source], levels[other.target])
        }
        lanes[edge] = next(lane for lane in range(len(edges)) if lane not in taken)
    return lanes


def _ports(lanes: Mapping[Edge, int], levels: Mapping[int, float]) -> dict[tuple[Edge, int], float]:
    """How far above or below a box's middle each line ends, ordered so that lines at one box do not cross."""
    ports = {}
    for state in {end for edge in lanes for end in edge[:2]}:
        lines = []
        for edge, lane in lanes.items():
            if state in edge[:2]:
                other = edge.target if edge.source == state else edge.source
                up = levels[other] < levels[state]
                lines.append((not up, lane if up else -lane, edge))
        for place, (*_, edge) in enumerate(sorted(lines, key=lambda line: line[:2])):
            ports[edge, state] = (place - (len(lines) - 1) / 2) * PORT
    return ports


# --- drawing -------------------------------------------------------------------------------------------
def state_svg(graph: Graph, notes: Mapping[int, str], title: str, look: Look = LARGE) -> str:
    """The whole picture; `notes` is a second line for a state's box. Boxes and lines have ids, by the states' names."""
    plan = layout(graph, look)
    path = longest_path(graph)
    lines = [_rail(target, edge, plan) for target, edge in graph.everywhere.items()]
    for edge in graph.edges:
        if edge in plan.lanes:
            lines.append(_lane(edge, plan))
        elif is_straight(edge, path):
            lines.append(_straight(edge, plan))
        else:
            lines.append(_aside(edge, plan))
    parts = [line for line, _ in lines]
    parts += [label for _, label in lines if look.words]  # labels lie on the lines
    parts += [_box(graph.names[state], notes.get(state, ""), place, look) for state, place in plan.places.items()]
    width, height = round(plan.width), round(plan.height)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    own = [f"<style>{STYLE}</style>"] if look.words else []
    heads = [_marker("head"), _marker("rail-head")]
    card = f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>'
    if look.words:
        parts = [card, *parts, _legend(plan)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            *own,
            *heads,
            *parts,
            "</svg>\n",
        )
    )


def _edge_id(edge: Edge, plan: Layout) -> str:
    """`edge-SYN_SENT-SYN_RECV`; what every state can do is `edge-any-CLOSE`."""
    return f"edge-{plan.names[edge.source] or NO_ENTRY}-{plan.names[edge.target] or NO_ENTRY}"


def _marker(name: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{name}" d="M0 0L10 5L0 10z"/></marker>'
    )


def _line(path: str, name: str, why: str, kind: str = "line", head: str = "head") -> str:
    return (
        f'<path id="{escape(name)}" class="{kind}" d="{path}" marker-end="url(#{head})">'
        f"<title>{escape(why)}</title></path>"
    )


def _label(lines: Sequence[str], x: float, y: float) -> str:
    """Text centred on a point, on a ground of its own so that lines do not cross it."""
    width, height = max(map(len, lines)) * LETTER + 6, len(lines) * LINE + 2
    ground = f'<rect class="back" x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height}"/>'
    top = y - (len(lines) - 1) * LINE / 2 + 4
    rows = (
        f'<text class="label" x="{x:g}" y="{top + row * LINE:g}">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return "\n".join((ground, *rows))


def _straight(edge: Edge, plan: Layout) -> tuple[str, str]:
    """One step down: (line, label), as all these functions give."""
    start, end = plan.places[edge.source], plan.places[edge.target]
    top = start.y + (plan.look.box_height / 2 if edge.source else DOT)
    bottom = end.y - plan.look.box_height / 2
    beside = start.x + 13 + max(map(len, edge.label)) * LETTER / 2
    return _line(f"M{start.x:g} {top:g}V{bottom:g}", _edge_id(edge, plan), edge.why), _label(
        edge.label, beside, (top + bottom) / 2
    )


def _aside(edge: Edge, plan: Layout) -> tuple[str, str]:
    """Between the usual way and a state beside it."""
    start, end = plan.places[edge.source], plan.places[edge.target]
    side = 1 if end.x > start.x else -1
    tilt = PORT if end.y > start.y else -PORT
    x1, y1 = start.x + side * plan.look.box_width / 2, start.y + tilt
    x2, y2 = end.x - side * plan.look.box_width / 2, end.y - tilt
    middle = (x1 + x2) / 2
    curve = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    return _line(curve, _edge_id(edge, plan), edge.why), _label(edge.label, middle, (y1 + y2) / 2)


def _lane(edge: Edge, plan: Layout) -> tuple[str, str]:
    """Out to the left, along the lane, and back; the label stands between two levels of boxes."""
    start, end, x = plan.places[edge.source], plan.places[edge.target], plan.lanes[edge]
    y1, y2 = start.y + plan.ports[edge, edge.source], end.y + plan.ports[edge, edge.target]
    left = plan.look.box_width / 2 if edge.source else DOT
    bend = BEND if y2 > y1 else -BEND
    line = (
        f"M{start.x - left:g} {y1:g}H{x + BEND:g}Q{x:g} {y1:g} {x:g} {y1 + bend:g}"
        f"V{y2 - bend:g}Q{x:g} {y2:g} {x + BEND:g} {y2:g}H{end.x - plan.look.box_width / 2:g}"
    )
    levels = ((start.y + end.y) / 2 - plan.look.top) // plan.look.step
    return _line(line, _edge_id(edge, plan), edge.why), _label(
        edge.label, x, plan.look.top + (levels + 0.5) * plan.look.step
    )


def _rail(target: int, edge: Edge, plan: Layout) -> tuple[str, str]:
    """What every state can do alike: from each a dotted line to one rail."""
    end = plan.places[target]
    others = [place for state, place in plan.places.items() if state and place.x != end.x]
    stubs = [
        f'<path class="rail stub" d="M{place.x + plan.look.box_width / 2:g} {place.y:g}H{end.x:g}"/>'
        for place in others
    ]
    top, bottom = min(place.y for place in others), end.y - plan.look.box_height / 2
    rail = _line(f"M{end.x:g} {top:g}V{bottom:g}", f"edge-any-{plan.names[target]}", edge.why, "rail", "rail-head")
    words = f"{' '.join(edge.label)}, from every state"
    beside = end.x - 13 - len(words) * LETTER / 2
    return "\n".join((*stubs, rail)), _label([words], beside, (max(place.y for place in others) + bottom) / 2)


def _box(name: str, note: str, place: Point, look: Look) -> str:
    if not name:
        return (
            f'<circle id="state-{NO_ENTRY}" class="start" cx="{place.x:g}" cy="{place.y:g}" r="{DOT}">'
            "<title>no entry</title></circle>"
        )
    x, y = place.x - look.box_width / 2, place.y - look.box_height / 2
    size = f'width="{look.box_width}" height="{look.box_height}"'
    return "\n".join(
        (
            f'<rect id="state-{escape(name)}" class="box" x="{x:g}" y="{y:g}" {size} rx="8"/>',
            f'<text class="name" x="{place.x:g}" y="{place.y - 2:g}">{escape(name)}</text>',
            f'<text class="time" x="{place.x:g}" y="{place.y + 15:g}">{escape(note)}</text>',
        )
    )


def _legend(plan: Layout) -> str:
    arrows = ", ".join(f"{arrow} {meaning}" for arrow, meaning in ARROW_MEANINGS.items())
    lines = (arrows, "Times: without a packet until the entry is gone. What changes no state is not drawn.")
    top = plan.height - plan.look.margin - LINE
    return "\n".join(
        f'<text class="note" x="{plan.look.margin}" y="{top + row * LINE:g}">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
