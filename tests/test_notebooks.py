"""The notebooks run from their first cell to their last."""

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from firewall import Firewall

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def run_cells(path: Path) -> tuple[dict[str, Any], list[Any], str]:
    """Run a notebook's code in one namespace: what it leaves, the value of each cell, what it printed."""
    names: dict[str, Any] = {}
    values: list[Any] = []
    printed = io.StringIO()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        shown = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(printed):
            exec(compile(ast.Module(body, []), str(path), "exec"), names)  # noqa: S102  (our own notebook)
            if isinstance(shown, ast.Expr):
                values.append(eval(compile(ast.Expression(shown.value), str(path), "eval"), names))  # noqa: S307  (same)
    return names, values, printed.getvalue()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])
def test_a_notebook_is_committed_without_what_it_printed(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_the_notebook_about_explanations_runs_and_shows_what_it_says() -> None:
    names, values, printed = run_cells(ROOT / "examples" / "explain.ipynb")
    assert isinstance(names["fw"], Firewall)
    assert "DENY at eni-web, ingress: no-ingress-rule" in printed
    assert "\nmid-stream\n" in printed
    assert "ALLOW at eni-web, egress: established" in printed
    assert ("verdict", "DENY no-ingress-rule") in values[1]
    assert ("port", False, "80", "22") in values[2]
    assert values[-1]["no-egress-rule"] == 6
