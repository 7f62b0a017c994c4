"""JSON that only looks like the AWS CLI's: every value may be anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import RuleFileError
from firewall.sources import aws_cli, load_rules
from tests.firewall.aws_outputs import EVERYTHING, group, problems_from, rules_from

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    7,
    10**17,
    1.5,
    "",
    "x",
    "\u202e\u0085",
    "y" * 70_000,
    "10.0.0.1",
    "10.0.0.0/8",
    "::/0",
    [],
    {},
    [None],
    ["x"],
    [[]],
    [{}],
    {"a": 1},
)
FINE = {("Reservations", "[{}]")}  # a reservation without instances


def spots(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value within `value`."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*way, step)
        yield from spots(inner, (*way, step))


@pytest.mark.parametrize("key", aws_cli.TOP_KEYS)
@pytest.mark.parametrize("wrong", [[None], ["x"], [[]], [{}], "x", 7, True, {"a": 1}], ids=repr)
def test_a_list_of_the_wrong_things_is_refused_with_its_place(tmp_path: Path, key: str, wrong: Any) -> None:
    output = EVERYTHING | {key: wrong}
    if (key, str(wrong)) in FINE:
        assert rules_from(tmp_path, output).groups
    else:
        assert all(line.startswith("0.json:") for line in problems_from(tmp_path, output))


def refused(path: Path, output: Any, way: tuple[str | int, ...], wrong: Any) -> bool:
    """True if the output is refused, in words that say where, once the value at `way` is `wrong`."""
    whole = json.loads(json.dumps(output))
    inner = whole
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = wrong
    path.write_text(json.dumps(whole))
    try:
        load_rules(path)
    except RuleFileError as error:
        bad = [line for line in error.problems if not (line.startswith(str(path)) and line.isprintable())]
        assert bad == []
        return True
    return False


@pytest.mark.parametrize("key", EVERYTHING)
def test_no_value_at_any_depth_ends_in_a_traceback(tmp_path: Path, key: str) -> None:
    """Each value of each output in turn is replaced by each hostile one."""
    output = {"SecurityGroups": [{"GroupId": "sg-1"}]} | {key: EVERYTHING[key]}
    tried = [
        refused(tmp_path / "hostile.json", output, way, wrong)
        for way in spots({key: EVERYTHING[key]})
        for wrong in HOSTILE
    ]
    assert 20 < tried.count(True) < len(tried)


@given(way=st.sampled_from(list(spots(EVERYTHING))), wrong=st.sampled_from(HOSTILE))
def test_no_value_of_outputs_that_are_joined_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, way: tuple[str | int, ...], wrong: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.json"
    refused(path, EVERYTHING, way, wrong)


def test_ids_with_control_characters_and_of_great_length_are_refused(tmp_path: Path) -> None:
    assert problems_from(tmp_path, group(identity="sg-\x07")) == [
        r"0.json:4:24 SecurityGroups[0].GroupId - GroupId 'sg-\x07' holds a control character: delete it"
    ]
    assert problems_from(tmp_path, group(identity="sg-" + "1" * 300)) == [
        "0.json:4:24 SecurityGroups[0].GroupId - GroupId has 303 characters: write 1 to 255"
    ]
