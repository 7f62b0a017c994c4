"""How a test looks at the stepping page."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def opened(page: "Page", path: Path, hash_: str = "") -> list[str]:
    """Open a page; what the browser asks for and complains of is collected in the list."""
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(path.as_uri() + hash_)
    if hash_:
        shows(page, int(hash_.removeprefix("#step=")))
    else:
        page.locator(".st-row.current").wait_for()
    return told


def shows(page: "Page", step: int) -> None:
    """Wait until a step is drawn: its line is the present one and the packet has changed."""
    from playwright.sync_api import expect

    expect(page.locator(f"#st-row-{step}")).to_have_attribute("aria-selected", "true")


def text(page: "Page", selector: str) -> str:
    return " ".join((page.locator(selector).text_content() or "").split())


def table(page: "Page") -> list[list[str]]:
    """The cells of the connection table."""
    rows = page.locator(".st-table tbody tr")
    return [
        [" ".join((each or "").split()) for each in rows.nth(place).locator("td").all_text_contents()]
        for place in range(rows.count())
    ]


def lit(page: "Page") -> list[str]:
    """The ids of what is lit in the picture of states."""
    found: list[str] = page.locator(".st-states svg :is(.lit, .left, .taken)").evaluate_all(
        "all => all.map((each) => `${each.id} ${each.classList}`)"
    )
    return sorted(found)


def chips(page: "Page", step: int) -> list[str]:
    found: list[str] = page.locator(f"#st-row-{step} .st-chip").all_text_contents()
    return found
