"""The table of limits is whole, and its numbers are those that the code uses."""

import re
from pathlib import Path

import pytest

from pcaps.limits import LIMITS, Limit, limit_message

ROOT = Path(__file__).parents[2]
CONSTANT = re.compile(r"^(MAX_[A-Z_]+) *=", re.MULTILINE)
NOT_OF_INPUT = {  # numbers of a protocol, and what users may set
    "MAX_ACK_SET",
    "MAX_IP_LENGTH",
    "MAX_TIMEOUT",
    "MAX_WSCALE",
}


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row.home)
def test_a_row_names_a_number_that_is_there_and_says_why(row: Limit) -> None:
    assert row.value > 0
    assert row.bounds
    assert row.why
    assert row.message.endswith(f"({row.name})")


def test_every_bound_of_the_code_has_its_row() -> None:
    named = {row.home for row in LIMITS}
    missing = [
        home
        for package in ("pcaps", "conntrack", "firewall")
        for path in sorted((ROOT / package).glob("*.py"))
        for name in CONSTANT.findall(path.read_text(encoding="utf-8"))
        if (home := f"{package}.{path.stem}.{name}") not in named and name not in NOT_OF_INPUT
    ]
    assert missing == [], "give each a row in pcaps/limits.py"


def test_no_number_has_two_rows() -> None:
    assert len({row.home for row in LIMITS}) == len(LIMITS)


def test_a_message_has_the_number_and_its_name() -> None:
    assert limit_message("MAX_INTERFACES") == "more than 65,536 interfaces in one section (MAX_INTERFACES)"
