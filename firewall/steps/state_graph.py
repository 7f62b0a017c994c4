"""The states of a transition table and the changes between them, ready to draw, and as Mermaid.

    graph = state_graph(STATES, ROWS)
    print(mermaid(graph))

Packets that leave the state as it is are not part of the graph.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from conntrack.tcp import CLASS_NAMES, NONE, ORIGINAL, REPLY, Row
from conntrack.timeouts import SWITCHES

#: Who sends the packet, by the directions that a change has rows for.
ARROWS = {frozenset({ORIGINAL}): "\u2192", frozenset({REPLY}): "\u2190", frozenset({ORIGINAL, REPLY}): "\u2194"}
ARROW_MEANINGS = {"\u2192": "the opener sends", "\u2190": "the other side sends", "\u2194": "either side sends"}


class Edge(NamedTuple):
    """A change of state; `label` says which packets make it, one line each, `why` the reasons."""

    source: int
    target: int
    label: tuple[str, ...]
    why: str


class Graph(NamedTuple):
    """`names` by state number; `everywhere` holds the changes that every state has alike, by target."""

    names: tuple[str, ...]
    edges: tuple[Edge, ...]
    everywhere: dict[int, Edge]


def state_graph(names: Sequence[str], rows: Iterable[Row]) -> Graph:
    """The graph of a table; a number that is no state (let pass, invalid) changes nothing."""
    changes: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        for source in row.states:
            if row.to < len(names) and row.to != source:
                changes.setdefault((source, row.to), []).append(row)
    edges = [Edge(*ends, _label(made_by), _reasons(made_by)) for ends, made_by in changes.items()]
    everywhere = {}
    for target in dict.fromkeys(edge.target for edge in edges):
        into = [edge for edge in edges if edge.target == target and edge.source != NONE]
        others = set(range(len(names))) - {NONE, target}
        if {edge.source for edge in into} == others and len(others) > 1 and len({edge.label for edge in into}) == 1:
            everywhere[target] = into[0]
    kept = (edge for edge in edges if edge.target not in everywhere or edge.source == NONE)
    return Graph(tuple(names), tuple(kept), everywhere)


def _label(rows: Sequence[Row]) -> tuple[str, ...]:
    """One line a flag class: who sends it, and the switch that its reason names."""
    lines = []
    for flags in dict.fromkeys(row.flags for row in rows):
        same = [row for row in rows if row.flags == flags]
        lines.append(f"{ARROWS[frozenset(row.direction for row in same)]} {CLASS_NAMES[flags]}")
        lines += [f"if {switch.name}" for switch in SWITCHES if any(switch.name in row.why for row in same)]
    return tuple(lines)


def _reasons(rows: Sequence[Row]) -> str:
    return "; ".join(dict.fromkeys(row.why for row in rows))


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += [
        f"    {graph.names[edge.source] or '[*]'} --> {graph.names[edge.target]}: {' '.join(edge.label)}"
        for edge in graph.edges
    ]
    if graph.everywhere:
        lines.append('    state "every state" as every')
    lines += [f"    every --> {graph.names[edge.target]}: {' '.join(edge.label)}" for edge in graph.everywhere.values()]
    return "\n".join(lines) + "\n"


def longest_path(graph: Graph) -> list[int]:
    """The states from NONE on along the longest way on which numbers grow: how a connection usually goes."""
    best: dict[int, list[int]] = {NONE: [NONE]}
    for state in range(len(graph.names)):
        if state not in best or state in graph.everywhere:
            continue
        for edge in graph.edges:
            onward = edge.source == state and edge.target > state and edge.target not in graph.everywhere
            if onward and len(best.get(edge.target, [])) <= len(best[state]):
                best[edge.target] = [*best[state], edge.target]
    return max(best.values(), key=len)
