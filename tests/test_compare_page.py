"""What docs/compare.md shows is what the command prints, and it names every key of the JSON."""

import re
import shlex
from pathlib import Path

import pytest

from firewall import cli
from firewall.reports.compare_json import compare_json
from tests.firewall.test_compare_gold import sample_comparison

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```console\n\$ eniwall (compare .*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)


def test_there_is_something_shown() -> None:
    assert len(SHOWN) == 4


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=["rows", "rules", "entries", "client"])
def test_what_the_page_shows_is_printed(
    command: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        cli.main(shlex.split(command))
    out = capsys.readouterr().out
    assert ended.value.code == 0
    parts = [part for part in shown.split("...\n") if part]
    assert len(parts) == 1
    assert parts[0] in out


def test_every_key_of_the_json_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.chdir(ROOT)
    told = json.loads(compare_json(sample_comparison("web-http")))
    own = [key for key in told if key not in ("format", "eniwall")]
    keys = [*own, *told["differences"], *told["reverse_rules"], *told["network_acls"], *told["proofs"]["nacl"]]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []
