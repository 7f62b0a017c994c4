"""What README.md and docs/rules.md tell a reader to copy works."""

import re
from pathlib import Path

import pytest

from firewall.columns import COLUMNS
from firewall.engine import Firewall
from pcaps.samples import sample
from tests.firewall.batches import exchange, result
from tests.support import file_rows

ROOT = Path(__file__).resolve().parent.parent
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "docs/rules.md"])
def test_the_rule_examples_can_be_copied(name: str, tmp_path: Path) -> None:
    examples = YAML.findall(text(name))
    assert examples
    for example in examples:
        rules = tmp_path / "rules.yaml"
        rules.write_text(example)
        found = file_rows(Firewall.from_file(str(rules)), sample("web-http"))
        assert (found[2]["reason"], found[2]["rule"]) == ("rule", "web:ingress[0]")


def test_the_rows_have_the_columns_that_the_page_lists() -> None:
    table = text("docs/output.md").split("## Rows")[1].split("**CSV**")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert tuple(name for cell in cells for name in re.findall(r"`(\w+)`", cell)) == COLUMNS


def test_the_report_has_the_keys_that_the_page_lists() -> None:
    from firewall.reports.json_report import result_object

    table = text("docs/output.md").split("## The report as JSON")[1].split("An item of")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == result_object(result(exchange())).keys()
