"""How a test looks at the lab's page."""

import base64
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCENE = "#lesson=return-traffic&scene=1&step=1&lang=en"


class Lab(NamedTuple):
    url: str
    told: list[str]  # what the browser complained of


def show(page: "Page", lab: Lab, link: str = SCENE) -> None:
    """Open a link and wait for its steps."""
    from playwright.sync_api import expect

    page.goto("about:blank")
    page.goto(lab.url + link)
    expect(page.locator(".st-packet h2")).to_be_visible(timeout=30_000)


def forward(page: "Page") -> None:
    page.locator("main").press("ArrowRight")


def answer(page: "Page", reading: str, word: str) -> None:
    page.locator(f".st-card[data-reading={reading}] .st-choice.{word}").click()


def table_state(page: "Page", state: str) -> None:
    """Wait until the table's first entry is in a state."""
    from playwright.sync_api import expect

    expect(page.locator(".st-table tbody tr").first).to_contain_text(state)


def rules(page: "Page") -> None:
    """See that the rules stand beside the steps."""
    choice = page.locator(".side-choice [data-side=rules]")
    if choice.is_visible():
        choice.click()


def replaced(page: "Page", old: str, new: str) -> None:
    """Edit the rules as a person would: select, type."""
    area = page.locator("#rules-text")
    text = area.input_value()
    start = text.index(old)
    area.evaluate(
        "(area, [start, end]) => { area.focus(); area.setSelectionRange(start, end); }", [start, start + len(old)]
    )
    page.keyboard.type(new)


def link_of(page: "Page", lab: Lab) -> str:
    """The page's link, once it holds the rules as they stand in the editor."""
    from playwright.sync_api import expect

    rules = base64.urlsafe_b64encode(page.locator("#rules-text").input_value().encode()).decode().rstrip("=")
    expect(page).to_have_url(re.compile(f"&rules={rules}$"))
    return page.url.removeprefix(lab.url)


def chips(page: "Page") -> list[str]:
    """The letters of every packet in the timeline: a word a packet."""
    found: list[str] = page.locator(".st-row").evaluate_all(
        "all => all.map((row) => [...row.querySelectorAll('.st-chip')].map((chip) => chip.textContent[0]).join(''))"
    )
    return found
