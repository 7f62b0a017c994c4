"""Links and haste in the lab's page: what names nothing opens nothing, and rules that are out of date are given up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.firewall.lab import running

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("lab")) as lab:
        yield f"http://127.0.0.1:{lab.port}/{lab.token}/"


@pytest.fixture
def told(page: "Page") -> Iterator[list[str]]:
    """What the browser complains of: nothing."""
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    yield told
    assert told == []


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("lang", ["__proto__", "constructor", "toString", "xx", ""])
def test_a_language_that_there_is_not_is_the_lab_s_own(page: "Page", address: str, lang: str) -> None:
    from playwright.sync_api import expect

    page.goto(f"{address}#lesson=return-traffic&scene=1&step=1&lang={lang}")
    expect(page.locator(".st-packet h2")).to_be_visible(timeout=30_000)
    expect(page).to_have_title("eniwall lab")


@pytest.mark.parametrize("name", ["begin", "..%2fbegin", "__proto__", "0123456789ABCDEF", "0123456789abcdef0"])
def test_what_is_no_session_is_not_asked_for(page: "Page", address: str, name: str) -> None:
    from playwright.sync_api import expect

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(address)))
    page.goto(f"{address}#open={name}")
    expect(page.locator("#message")).to_contain_text("this capture is not open any more: open it again")
    assert [path for path in asked if path.startswith("api/")] == ["api/begin", "api/lessons", "api/0"]


@pytest.mark.usefixtures("told")
def test_newer_rules_give_up_those_that_are_judged(page: "Page", address: str) -> None:
    from playwright.sync_api import expect

    held: list[Route] = []
    failed: list[str] = []

    def hold(route: "Route") -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    def note(request: "Request") -> None:
        failed.append(f"{request.url.rpartition('/')[2]}: {request.failure}")

    page.goto(f"{address}#lesson=return-traffic&scene=1&step=1&lang=en")
    expect(page.locator(".st-packet h2")).to_be_visible(timeout=30_000)
    page.on("requestfailed", note)
    page.route("**/rules", hold)
    page.click("[data-side=rules]")
    text = page.locator("#rules-text")
    first = text.input_value()
    with page.expect_request("**/rules"):
        text.fill(f"{first}# one\n")
    expect(page.locator("#rules-status")).to_have_text("Judging ...")
    text.fill(f"{first}# two\n")
    expect(page.locator("#rules-status")).to_have_text("No verdict changed.")
    assert failed == ["rules: net::ERR_ABORTED"]
    expect(page.locator("#message")).to_be_hidden()
