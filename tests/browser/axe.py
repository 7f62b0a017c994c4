"""What axe finds wrong with a page for people who do not see it, or do not use a mouse."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

SERIOUS = ("serious", "critical")


def faults(page: "Page") -> list[Any]:
    """The rules of axe that the page breaks seriously, each with the elements that do."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe: pip install axe-playwright-python"
    )
    found = axe.Axe().run(page).response
    assert found["passes"]
    return [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]
