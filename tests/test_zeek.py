"""eniwall's connections are Zeek's: same ends, same counts, a final state that fits; what differs has a name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conntrack.tcp import STATES
from docs.zeek_page import page
from tests.zeek import (
    CONN_STATES,
    DELETED,
    EXCEPTIONS,
    NAMED,
    Comparison,
    Connection,
    Record,
    compare,
    compare_all,
    read_records,
)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "zeek.md"


@pytest.fixture(scope="module")
def comparisons(captures: Path) -> list[Comparison]:
    return compare_all(captures)


def test_every_connection_agrees_or_differs_as_its_exception_says(comparisons: list[Comparison]) -> None:
    agreed = [one for one in comparisons if one.match]
    unexplained = [f"{one.record} {one.connections}" for one in comparisons if not one.match and not one.explained]
    assert unexplained == []
    assert len(agreed) > len(comparisons) / 2


def test_packets_are_denied_only_where_the_capture_lacks_every_answer(comparisons: list[Comparison]) -> None:
    denied = [one for one in comparisons if one.match and one.match.denied]
    assert denied
    assert [str(one.record) for one in denied if one.record.packets[1]] == []


def test_every_exception_still_occurs(comparisons: list[Comparison]) -> None:
    occurring = {one.known for one in comparisons if one.explained}
    assert [one for one in EXCEPTIONS if one not in occurring] == []
    assert [str(one.record) for one in comparisons if one.known and not one.explained] == []


def test_both_ends_see_the_same_connections(captures: Path, comparisons: list[Comparison]) -> None:
    records = read_records(captures)
    far = [compare(captures, one.record, records, one.record.ends.responder) for one in comparisons]
    assert [one.connections for one in far] == [one.connections for one in comparisons]


def test_every_named_difference_explains_some_connection() -> None:
    assert {one.difference for one in EXCEPTIONS} == set(NAMED)


def test_every_conn_state_names_known_states() -> None:
    assert len({row.word for row in CONN_STATES}) == len(CONN_STATES) == 13
    assert {state for row in CONN_STATES for state in row.states} <= {*STATES, DELETED}
    assert all(row.states and row.why for row in CONN_STATES)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one._replace(ends=one.ends.reverse()),
        lambda one: one._replace(packets=(one.packets[0] + 1, one.packets[1])),
        lambda one: one._replace(ip_bytes=(one.ip_bytes[0], one.ip_bytes[1] - 1)),
        lambda one: one._replace(conn_state="S2"),
    ],
    ids=["direction", "packets", "bytes", "state"],
)
def test_a_change_of_any_compared_field_is_noticed(
    comparisons: list[Comparison], change: Callable[[Record], Record]
) -> None:
    for one in comparisons:
        if one.match:
            assert Comparison(change(one.record), one.siblings, one.connections).match is None


def test_an_exception_whose_connection_agrees_is_stale(comparisons: list[Comparison]) -> None:
    for one in comparisons:
        if one.known:
            cured = Comparison(one.record, one.siblings, (as_connection(one.record),))
            assert cured.match is not None
            assert not cured.explained


def as_connection(record: Record) -> Connection:
    """The connection with which a record agrees."""
    state = next(row.states[0] for row in CONN_STATES if row.word == record.conn_state)
    return Connection(record.ends, record.packets, record.ip_bytes, state, 0)


def test_the_document_shows_these_figures(comparisons: list[Comparison]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(comparisons), "docs/zeek.md is out of date: run `make docs`"
