"""docs/zeek.md: the comparison with Zeek as one page."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.zeek import CONN_STATES, DELETED, DIFFERENCES, EXCEPTIONS, Comparison

INTRODUCTION = """\
# Compared with Zeek

<!-- Made by `make docs` from tests/zeek.py and the captures; a test compares. -->

[Zeek](https://zeek.org) follows connections too, by code of its own, and publishes what it expects of the captures in its test suite: one
line of [conn.log](https://docs.zeek.org/en/master/logs/conn.html) for each connection. eniwall replays the same captures with everything
allowed, at one end of the connection, under the profile `linux` with its defaults; where Zeek was told to ignore checksums (`-C`),
`ip_checksum` is 0. Compared are TCP connections outside tunnels: originator and responder, packets and IP bytes each way,
and the last state. Packets count whether allowed or not, as Zeek's do. What the other end's interface sees must be the same.

"""


def page(comparisons: Sequence[Comparison]) -> str:
    """The page that these comparisons give."""
    agreed = [one for one in comparisons if one.match]
    explained = [one for one in comparisons if one.explained]
    denied = sum(one.match.denied for one in agreed if one.match)
    packets = sum(sum(one.record.packets) for one in agreed)
    figures = (
        f"**{len(agreed)} of {len(comparisons)} connections agree in everything; {len(explained)} differ for a reason named below; "
        f"{len(comparisons) - len(agreed) - len(explained)} differ without one.** The agreeing ones have {packets:,} packets. "
        f"Of these eniwall would deny {denied:,}: they follow a SYN whose answer the capture does not hold.\n\n"
    )
    return (
        INTRODUCTION
        + figures
        + "## By capture\n\n"
        + table(("capture", "connections", "agree", "explained"), by_capture(comparisons))
        + "\n## Zeek's conn_state and the states that agree with it\n\n"
        + "*Deleted*: the last packet passed and deleted the entry. States that no capture holds are written down and unproved.\n\n"
        + table(("conn_state", "meaning", "TCP state", "why", "compared", "agree"), by_state(comparisons))
        + "\n## Named differences\n\n"
        + table(("difference", "why"), ((f"`{row.name}`", row.why) for row in DIFFERENCES))
        + "\n"
        + table(("capture", "connection", "Zeek's records", "difference"), by_exception(comparisons))
    )


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
    count = Counter(one.exception for one in comparisons)
    for row in EXCEPTIONS:
        yield row.capture, row.ends, str(count[row]), f"`{row.difference}`"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, ["---"] * len(heads), *rows))
