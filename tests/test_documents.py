"""The generated documents are those that the source's tables give now, and show what the tables hold."""

from xml.etree import ElementTree as ET

import pytest

from conntrack.outcome import CAUSES
from conntrack.tcp import CLASS_ACK, CLASS_FIN, CLASS_SYN, NONE, ORIGINAL, REPLY, ROWS, STATES, Row
from conntrack.timeouts import NUMBERS, SWITCHES, TIMEOUTS
from docs.generate import documents, plain, seconds
from docs.markdown import HERE, fill, table
from firewall.steps.state_graph import Graph, longest_path, mermaid, state_graph
from firewall.steps.state_svg import layout, state_svg
from firewall.verdict import REASON_WORDS

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

SVG = "{http://www.w3.org/2000/svg}"
TOY = ("", "ASKED", "OPEN", "GONE")
TOY_ROWS = (
    Row(ORIGINAL, CLASS_SYN, (NONE,), 1, "asks"),
    Row(REPLY, CLASS_ACK, (1,), 2, "answers"),
    Row(ORIGINAL, CLASS_FIN, (1, 2), 3, "leaves"),
    Row(ORIGINAL, CLASS_ACK, (NONE,), 2, "in the middle, with tcp_loose"),
)


@pytest.mark.parametrize("name", documents())
def test_the_committed_document_is_the_generated_one(name: str) -> None:
    assert (HERE / name).read_text(encoding="utf-8") == documents()[name], f"docs/{name} is out of date: `make docs`"


def test_every_name_that_the_tables_define_is_in_the_page() -> None:
    page = documents()["tracking.md"]
    names = [row.name for row in (*TIMEOUTS, *SWITCHES)] + [
        *(row.name for row in NUMBERS),
        *REASON_WORDS,
        *(row.word for row in CAUSES),
    ]
    assert [name for name in names if f"| `{name}` |" not in page] == []
    assert [row.why for row in ROWS if f"| {row.why} |" not in page] == []


# --- the diagrams ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def graph() -> Graph:
    return state_graph(STATES, ROWS)


def test_the_graph_holds_every_change_of_state_and_no_other(graph: Graph) -> None:
    drawn = {(edge.source, edge.target) for edge in graph.edges}
    for target in graph.everywhere:
        drawn |= {(state, target) for state in range(len(STATES)) if state not in (NONE, target)}
    changes = {(state, row.to) for row in ROWS for state in row.states if row.to < len(STATES) and state != row.to}
    assert drawn == changes


def test_the_usual_way_is_that_of_a_whole_connection(graph: Graph) -> None:
    way = [STATES[state] for state in longest_path(graph)]
    assert way == ["", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT"]


def test_the_mermaid_diagram_has_a_line_for_each_change(graph: Graph) -> None:
    lines = [line for line in mermaid(graph).splitlines() if "-->" in line]
    assert len(lines) == len(graph.edges) + len(graph.everywhere)
    assert "    SYN_SENT --> SYN_RECV: \u2190 SYN-ACK" in lines
    assert "    [*] --> ESTABLISHED: \u2192 ACK if tcp_loose" in lines


def test_the_picture_names_every_state_once_and_draws_every_change(graph: Graph) -> None:
    root = ET.fromstring(documents()["tcp-states.svg"])  # noqa: S314  # our own text
    names = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "name"]
    assert sorted(names, key=str) == sorted(STATES[1:])
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) == len(graph.edges) + len(graph.everywhere)
    assert {path.findtext(f"{SVG}title") for path in arrows} >= {edge.why for edge in graph.edges}


def test_the_picture_needs_nothing_from_elsewhere_and_has_dark_colours() -> None:
    root = ET.fromstring(documents()["tcp-states.svg"])  # noqa: S314  # our own text
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "style", "marker", "path", "rect", "circle", "text",
    }  # fmt: skip  # one list
    assert not [name for element in root.iter() for name in element.attrib if "href" in name]
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")


def test_no_two_boxes_and_no_two_lanes_lie_on_each_other(graph: Graph) -> None:
    plan = layout(graph)
    assert len(set(plan.places.values())) == len(plan.places) == len(STATES)
    ends = [(edge, state, offset) for (edge, state), offset in plan.ports.items()]
    assert len({(state, offset) for _, state, offset in ends}) == len(ends)
    assert all(0 < x < plan.width for x in plan.lanes.values())
    assert all(0 < place.x < plan.width and 0 < place.y < plan.height for place in plan.places.values())


def test_another_table_is_drawn_without_a_word_about_it() -> None:
    toy = state_graph(TOY, TOY_ROWS)
    assert {edge.label for edge in toy.everywhere.values()} == {("\u2192 FIN",)}
    assert ("\u2192 ACK", "if tcp_loose") in {edge.label for edge in toy.edges}
    root = ET.fromstring(state_svg(toy, {1: "9 s"}, "a <toy>"))  # noqa: S314  # our own text
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {*TOY[1:], "9 s"} <= set(words)
    assert root.findtext(f"{SVG}title") == "a <toy>"


# --- words ---------------------------------------------------------------------------------------------------
def test_cells_are_plain_words() -> None:
    assert (seconds(30), seconds(600), seconds(432000)) == ("30 s", "600 s (10 min)", "432000 s (5 d)")
    assert plain(None) == "any"
    assert plain(("linux", "aws")) == "linux, aws"
    assert plain("https://example.org/a/page.html; 350 there") == "[page](https://example.org/a/page.html); 350 there"
    assert table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x&#124;y |\n"


def test_a_template_must_show_every_part() -> None:
    with pytest.raises(ValueError, match=r"tracking\.in\.md has places for .*timeouts.*there are \[\]"):
        fill("tracking.in.md", {})
