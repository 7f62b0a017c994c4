"""The page of `eniwall compare` in a real browser: nothing planted runs, nothing is asked for, everybody can use it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from firewall.reports.compare_page import compare_html
from firewall.reports.compare_result import ComparedResult
from tests.browser.axe import faults
from tests.firewall.hostile_report import PLANTED
from tests.firewall.test_compare_command import hostile
from tests.firewall.test_compare_gold import sample_comparison

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]


def opened(page: "Page", compared: ComparedResult, folder: Path, language: str = "en") -> list[str]:
    """Open a comparison's page; what the browser asks for and complains of is collected in the list."""
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    path = folder / "page.html"
    path.write_text(compare_html(compared, language), encoding="utf-8")
    page.goto(path.as_uri())
    return told


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])  # samples are named from the checkout


def test_what_is_planted_shows_as_text_and_never_runs(page: "Page", tmp_path: Path) -> None:
    page.add_init_script("window.planted = () => { window.ran = true; };")
    told = opened(page, hostile(tmp_path), tmp_path)
    assert page.evaluate("window.ran === undefined")
    assert told == [(tmp_path / "page.html").as_uri()]  # the page itself, and no word of the console
    assert page.locator("img, script").count() == 0
    assert PLANTED in (page.locator("#row-table").text_content() or "")


def test_each_row_shows_every_readings_verdict_in_words(page: "Page", tmp_path: Path) -> None:
    told = opened(page, sample_comparison("web-http"), tmp_path)
    assert told == [(tmp_path / "page.html").as_uri()]
    rows = page.locator("#row-table tbody tr")
    assert rows.count() == 18
    assert rows.first.locator(".says").all_inner_texts() == [
        "ALLOW established\nweb:ingress[0]",
        "DENY no-egress-rule",
        "DENY nacl-egress\nacl-eni-web:egress[*]",
    ]
    lines = page.locator("#acls ~ pre code").inner_text().splitlines()
    assert lines[0] == "subnets:"
    assert lines[3] == '  "acl-eni-web":'
    assert page.locator(".proof").all_inner_texts() == [
        "proven: with these rules stateless differs at 0 rows",
        "replayed: with these entries nacl still differs at 1 row",
    ]
    assert page.locator("#left-nacl tbody tr").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_axe_finds_no_serious_fault(page: "Page", tmp_path: Path, scheme: Any, width: int, language: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, sample_comparison("database"), tmp_path, language)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert faults(page) == []


def test_the_sections_are_reached_by_keyboard(page: "Page", tmp_path: Path) -> None:
    opened(page, sample_comparison("web-http"), tmp_path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    links = page.locator("nav a").evaluate_all("all => all.map((each) => each.getAttribute('href'))")
    assert [page.locator(link).count() for link in links] == [1] * len(links)
