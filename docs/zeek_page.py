"""docs/zeek.md: the comparison with Zeek that the tests make, as one page."""

from collections import Counter
from collections.abc import Iterable, Sequence

from docs.markdown import fill, table
from tests.zeek import CONN_STATES, DELETED, DIFFERENCES, EXCEPTIONS, Comparison


def page(comparisons: Sequence[Comparison]) -> str:
    """The page that these comparisons give."""
    return fill(
        "zeek.in.md",
        {
            "figures": figures(comparisons),
            "captures": table(("capture", "connections", "agree", "explained"), by_capture(comparisons)),
            "states": table(("conn_state", "meaning", "TCP state", "why", "compared", "agree"), by_state(comparisons)),
            "differences": table(("difference", "why"), ((f"`{row.name}`", row.why) for row in DIFFERENCES)),
            "exceptions": table(("capture", "connection", "Zeek's records", "difference"), by_exception(comparisons)),
        },
    )


def figures(comparisons: Sequence[Comparison]) -> str:
    """What came out, in numbers."""
    agreed = [one.match for one in comparisons if one.match]
    explained = sum(one.explained for one in comparisons)
    packets, denied = sum(sum(one.packets) for one in agreed), sum(one.denied for one in agreed)
    lines = (
        f"- {len(agreed)} of {len(comparisons)} connections agree in everything.",
        f"- {explained} differ for a reason named below.",
        f"- {len(comparisons) - len(agreed) - explained} differ without one.",
        f"- The agreeing connections have {packets:,} packets; {denied:,} are denied, though rules allow all:",
        "  they follow a SYN whose answer the capture does not hold, and Linux calls them invalid.",
    )
    return "\n".join(lines) + "\n"


def by_capture(comparisons: Iterable[Comparison]) -> Iterable[tuple[str, ...]]:
    """A row for each capture."""
    comparisons = tuple(comparisons)
    for capture in dict.fromkeys(one.record.capture for one in comparisons):
        here = [one for one in comparisons if one.record.capture == capture]
        agree, explained = sum(one.match is not None for one in here), sum(one.explained for one in here)
        yield capture, str(len(here)), str(agree), str(explained)


def by_state(comparisons: Iterable[Comparison]) -> Iterable[tuple[str, ...]]:
    """A row for each value of conn_state."""
    comparisons = tuple(comparisons)
    compared = Counter(one.record.conn_state for one in comparisons)
    agreed = Counter(one.record.conn_state for one in comparisons if one.match)
    for row in CONN_STATES:
        states = ", ".join("*deleted*" if state == DELETED else state for state in row.states)
        yield row.word, row.meaning, states, row.why, str(compared[row.word]), str(agreed[row.word])


def by_exception(comparisons: Iterable[Comparison]) -> Iterable[tuple[str, ...]]:
    """A row for each five-tuple that differs."""
    count = Counter(one.known for one in comparisons)
    for row in EXCEPTIONS:
        yield row.capture, row.ends, str(count[row]), f"`{row.difference}`"
