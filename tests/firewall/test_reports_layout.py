"""Tables within a width: whole cells, one way after another to find room."""

import pytest

from firewall.reports.layout import Column, cells, laid_out, number

COLUMNS = (Column("name"), Column("what it says", wraps=True), number("count"), number("size", optional=True))
ROWS = [["alpha", "some words that may be broken into lines", "2,447", "1,234,567"]]


def lines(width: int, columns: tuple[Column, ...] = COLUMNS, rows: list[list[str]] = ROWS) -> list[str]:
    return [line.plain for line in laid_out(columns, rows, width, "  ")[0]]


def test_a_row_is_a_line_where_there_is_room() -> None:
    assert lines(100)[1:] == ["  alpha  some words that may be broken into lines  2,447  1,234,567"]


def test_one_long_cell_is_broken_at_spaces_while_enough_room_is_left() -> None:
    assert lines(60)[1:] == [
        "  alpha  some words that may be broken      2,447  1,234,567",
        "         into lines",
    ]


def test_then_it_stands_below_its_row_as_its_name_does() -> None:
    assert lines(45) == [
        "  name   count       size",
        "    what it says",
        "  alpha  2,447  1,234,567",
        "    some words that may be broken into lines",
    ]


def test_then_optional_columns_are_left_out_and_named() -> None:
    found, left_out = laid_out(COLUMNS, ROWS, 20, "  ")
    assert left_out == ["size"]
    assert [line.plain for line in found][2] == "  alpha  2,447"


def test_at_last_every_cell_carries_its_columns_name() -> None:
    columns = (Column("eni"), number("packets"), number("bytes"))
    assert lines(24, columns, [["eni-0123456789", "2,447", "1,234"]]) == [
        "  eni eni-0123456789",
        "    packets 2,447",
        "    bytes 1,234",
    ]


def test_a_wide_character_takes_two_columns() -> None:
    columns = (Column("name"), number("n"))
    wide, narrow = lines(80, columns, [["\u6f22\u5b57", "1"], ["abcd", "2"]])[1:]
    assert cells(wide) == cells(narrow)


@pytest.mark.parametrize("width", range(14, 90))
def test_nothing_is_lost_or_too_wide_at_any_width(width: int) -> None:
    found, left_out = laid_out(COLUMNS, ROWS, width, "  ")
    text = " ".join(line.plain for line in found)
    assert max(cells(line.plain) for line in found) <= width
    shown = [cell for column, cell in zip(COLUMNS, ROWS[0], strict=True) if column.name not in left_out]
    assert [word for cell in shown for word in cell.split() if word not in text.split()] == []
