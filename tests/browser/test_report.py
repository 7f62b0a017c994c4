"""The page of `eniwall report` in a real browser: nothing planted runs, nothing is asked for, everybody can use it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from firewall.audit import Audit
from firewall.reports.denied import Top
from firewall.reports.details import Details
from firewall.reports.html_report import html_report
from firewall.reports.result import Result
from firewall.rows import Judged
from firewall.run.inputs import Inputs
from firewall.run.report import run_report
from pcaps.batch import IPV4_PREFIX, empty_batch
from pcaps.samples import sample
from pcaps.wire import SYN, TCP
from tests.browser.axe import faults
from tests.firewall.batches import START, answer, batch, packet, result
from tests.firewall.hostile_report import PLANTED, hostile_result

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]

MANY = 100_000


def opened(page: "Page", result: Result, folder: Path, language: str = "en") -> list[str]:
    """Open a result's page; what the browser asks for and complains of is collected in the list."""
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    path = folder / "page.html"
    path.write_text(html_report(result, language), encoding="utf-8")
    page.goto(path.as_uri())
    return told


def several(
    names: tuple[str, ...] = ("ssh", "database", "dns"), rules: tuple[str, ...] = ("ssh", "database")
) -> Result:
    """Samples merged: several interfaces, services and denials."""
    folder = sample("ssh").parent
    captures = tuple(str(sample(name)) for name in names)
    return run_report(Inputs(captures=captures, rules=tuple(str(folder / f"{name}.yaml") for name in rules)), [], "0")


def cells(page: "Page", column: str) -> list[str]:
    """The texts of one column of the connections, as shown."""
    heads = page.locator("#connections-table thead th")
    names = heads.evaluate_all("all => all.map((each) => each.dataset.column)")
    place = names.index(column) + 1
    return page.locator(f"#connections-body tr td:nth-child({place})").all_text_contents()


def shows(page: "Page", count: int) -> None:
    """Wait until so many connections are found: the search waits for the end of the typing."""
    from playwright.sync_api import expect

    expect(page.locator("#connections-status")).to_have_text(re.compile(f"^{count} of "))


def status(page: "Page") -> str:
    return page.locator("#connections-status").text_content() or ""


# --- safety --------------------------------------------------------------------------------------------------
def test_what_is_planted_shows_as_text_and_never_runs(page: "Page", tmp_path: Path) -> None:
    page.add_init_script("window.planted = () => { window.ran = true; };")
    told = opened(page, hostile_result(tmp_path), tmp_path)
    assert page.evaluate("window.ran === undefined")
    assert told == [(tmp_path / "page.html").as_uri()]  # the page itself, and no word of the console
    assert page.locator("img").count() == 0
    assert PLANTED in (page.locator("#rule-table").text_content() or "")
    assert f"{PLANTED}:ingress[0]" in cells(page, "rule")


def test_a_script_that_got_into_the_page_would_not_run(page: "Page", tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    text = html_report(hostile_result(tmp_path))
    path.write_text(
        text.replace("<main", '<script>window.ran = 1</script><img src="http://198.51.100.7/x.png"><main', 1)
    )
    told: list[str] = []
    page.on("response", lambda response: told.append(response.url))
    page.on("requestfailed", lambda request: told.append(f"{request.url} {request.failure}"))
    page.goto(path.as_uri())
    assert page.evaluate("window.ran === undefined")
    assert told == [path.as_uri(), "http://198.51.100.7/x.png csp"]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_request_leaves_the_page(page: "Page", tmp_path: Path, language: str) -> None:
    told = opened(page, several(), tmp_path, language)
    page.locator("#connections-search").fill("22")
    page.get_by_role("button", name="Last" if language == "en" else "마지막").is_visible()
    assert told == [(tmp_path / "page.html").as_uri()]


# --- everybody -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_serious_fault(page: "Page", tmp_path: Path, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, several(), tmp_path)
    assert faults(page) == []


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_never_scrolls_sideways(page: "Page", tmp_path: Path, width: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, several(), tmp_path, language)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_large_numbers_fit_a_telephone(page: "Page", many: Path) -> None:
    page.set_viewport_size({"width": 360, "height": 900})
    page.goto(many.as_uri())
    page.evaluate("document.querySelectorAll('.tile b').forEach((each) => { each.textContent = '1,234,567,890'; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_reaches_search_order_and_pages(page: "Page", tmp_path: Path) -> None:
    opened(page, several(), tmp_path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#connections-search").focus()
    page.keyboard.type("db:ingress")
    shows(page, 3)
    button = page.locator("th[data-column=sent_bytes] button")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("th[data-column=sent_bytes]").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert page.locator("th[data-column=sent_bytes]").get_attribute("aria-sort") == "ascending"
    amounts = [int(text.replace(",", "")) for text in cells(page, "sent_bytes")]
    assert amounts == sorted(amounts)
    assert len(set(amounts)) > 1


def test_without_scripts_the_largest_connections_are_there(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    window = context.new_page()
    opened(window, several(), tmp_path)
    assert window.locator("#connections-body tr").count() == 7
    assert not window.locator("#connections-search").is_visible()
    context.close()


@pytest.mark.parametrize("name", ["merged", "ping", "web-http", "idle"])
def test_the_script_writes_the_rows_that_the_page_came_with(browser: Any, tmp_path: Path, name: str) -> None:
    found = several() if name == "merged" else several((name,), (name,))
    shown = []
    for scripts in (False, True):
        context = browser.new_context(java_script_enabled=scripts)
        window = context.new_page()
        opened(window, found, tmp_path)
        shown.append(window.locator("#connections-body td").all_text_contents())
        context.close()
    assert shown[0] == shown[1]
    assert shown[0]


# --- the table ---------------------------------------------------------------------------------------------------
def test_search_filters_and_clearing(page: "Page", tmp_path: Path) -> None:
    opened(page, several(), tmp_path)
    assert status(page) == "7 of 7 connections"
    page.locator("[data-filter=eni]").select_option(label="eni-db")
    assert set(cells(page, "eni")) == {"eni-db"}
    assert status(page) == "3 of 7 connections"
    page.locator("#connections-search").fill("no such thing")
    shows(page, 0)
    assert page.locator("#connections-place").text_content() == "no connection fits"
    page.get_by_role("button", name="Clear").click()
    assert status(page) == "7 of 7 connections"


def many_connections() -> Result:
    """A result of 100,000 connections at one interface, from 65,536 ports of two clients."""
    first = batch((packet(), answer("rule", flow=1, rule=0, tcp_state=1, ct_state=1)))
    packets = empty_batch(MANY)
    numbers = np.arange(MANY)
    packets.frame[:] = numbers + 1
    packets.time[:] = START + numbers * 1_000_000
    packets.family[:], packets.protocol[:], packets.tcp_flags[:], packets.length[:] = 4, TCP, SYN, 40
    packets.src_lo[:] = IPV4_PREFIX | (0xCB007100 + (numbers >> 16)).astype(np.uint64)
    packets.dst_lo[:] = IPV4_PREFIX | 0x0A00010A
    packets.src_port[:] = numbers & 0xFFFF
    packets.dst_port[:] = 80
    verdicts = first.verdicts.take(np.zeros(MANY, np.intp))
    verdicts.packet[:], verdicts.flow[:] = numbers, numbers + 1
    judged = Judged(packets, verdicts)
    found = result(judged)
    audit = Audit(found.summary, len(found.labels.rules))
    audit.add(judged)
    nothing: Top[Any] = Top((), 0, 0)
    details = Details("eniwall report", (), audit, (), (), (), nothing, nothing, 0)
    return Result(**{**vars(found), "details": details})


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "many.html"
    path.write_text(html_report(many_connections()), encoding="utf-8")
    return path


def test_a_hundred_thousand_connections_stay_usable(page: "Page", many: Path) -> None:
    assert many.stat().st_size < 10_000_000
    page.goto(many.as_uri())
    assert status(page) == "100,000 of 100,000 connections"
    assert page.locator("#connections-body tr").count() == 50  # never all of them
    page.get_by_role("button", name="Last").click()
    assert page.locator("#connections-place").text_content() == "99,951 to 100,000 of 100,000"
    page.locator("th[data-column=src] button").click()
    assert cells(page, "src")[:2] == ["203.0.113.0:0", "203.0.113.0:1"]
    page.locator("#connections-search").fill("203.0.113.1:34463")
    shows(page, 1)
    assert cells(page, "packet") == ["100000"]
    assert cells(page, "history") == ["S"]
