"""What docs/explain.md shows is what the command prints, and its tables name what there is."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from firewall import cli
from firewall.explain.phases import TITLES, Candidate, Choice, Explanation, Passage, Phase
from firewall.nearest import Field

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```console\n\$ eniwall (explain .*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)
CUT = "...\n"


def test_there_is_something_shown() -> None:
    assert len(SHOWN) == 3


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=["packet", "after", "flow"])
def test_what_the_page_shows_is_printed(
    command: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        cli.main(shlex.split(command))
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert out.endswith(shown.removeprefix(CUT)) if shown.startswith(CUT) else out == shown


def test_the_phases_are_those_of_the_table() -> None:
    table = PAGE.split("## The phases")[1].split("A packet between")[0]
    assert re.findall(r"^\| ([A-Z ]+) \|", table, re.MULTILINE) == list(TITLES.values())


@pytest.mark.parametrize("kind", [Explanation, Passage, Phase, Candidate, Choice])
def test_every_key_of_the_json_is_on_the_page(kind: type) -> None:
    page = PAGE.split("## JSON")[1]
    assert [each.name for each in fields(kind) if f"`{each.name}`" not in page] == []


def test_the_fields_of_a_field_are_on_the_page() -> None:
    assert [name for name in Field._fields if f"`{name}`" not in PAGE.split("## JSON")[1]] == []
