"""The lab's page as people see it: what is in the window, what is refused and why, widths, languages, axe."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from firewall.lessons.catalog import load_lesson
from tests.browser.axe import faults
from tests.browser.lab import SCENE, Lab, forward, replaced, rules, show

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]


def test_what_a_lesson_teaches_is_told_behind_its_questions_and_not_before(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab)
    teaches = load_lesson("return-traffic").teaches.en
    expect(page.locator("#about")).to_have_text(re.compile("^Lesson 1Return trafficThe story"))
    assert teaches not in page.locator("body").inner_text()
    page.get_by_text("To take away").click()
    assert page.locator("#takeaway p").all_inner_texts()[-1] == teaches


@pytest.mark.parametrize("large", [False, True])
def test_packet_and_question_come_into_view_and_a_refused_step_says_why(page: "Page", lab: Lab, large: bool) -> None:
    from playwright.sync_api import expect

    page.set_viewport_size({"width": 1280, "height": 800})
    show(page, lab)
    assert page.locator("#story p").first.is_visible()
    if large:
        page.get_by_role("button", name="Large type").click()
    expect(page.locator(".st-packet")).to_be_in_viewport()
    forward(page)
    expect(page.locator(".st-reveal")).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-verdicts h2")).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-packet")).to_be_in_viewport(ratio=0.3 if large else 1)
    expect(page.locator("#story p").first).to_be_hidden()
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(".st-refused")).to_be_empty()
    page.get_by_role("button", name="Forward").click(force=True)  # aria-disabled, and it answers
    expect(page.locator(".st-refused")).to_have_text("Answer this step first.")
    expect(page.locator(".st-refused")).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-reveal")).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-number")).to_have_value("2")
    page.locator(".st-reveal").click()
    expect(page.locator(".st-refused")).to_be_empty()


@pytest.mark.parametrize("key", ["ArrowRight", "End", " "])
def test_every_way_past_a_question_is_refused_with_the_same_words(page: "Page", lab: Lab, key: str) -> None:
    from playwright.sync_api import expect

    page.set_viewport_size({"width": 360, "height": 740})
    show(page, lab)
    forward(page)
    expect(page.locator(".st-reveal")).to_be_visible()
    page.locator("main").press(key)
    expect(page.locator(".st-refused")).to_have_text("Answer this step first.")
    expect(page.locator(".st-refused")).to_be_in_viewport(ratio=1)


def test_editing_rules_ends_predicting_says_so_and_all_changes_can_be_reached(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab)
    forward(page)
    expect(page.locator(".st-choice")).to_have_count(6)
    rules(page)
    replaced(page, "type: SSH", "type: HTTP")
    expect(page.locator("#rules-status")).to_have_text("Verdicts changed at 5 steps")
    expect(page.locator("#predict-stopped")).to_have_text(
        "Predicting is off now: the questions hold for the first rules."
    )
    expect(page.get_by_role("button", name="Predict")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".st-verdict")).to_have_count(3)
    expect(page.locator(".st-changed")).to_have_count(5)
    reached = []
    for _ in range(5):
        page.get_by_role("button", name="Next change").click()
        reached.append(page.locator(".st-number").input_value())
    assert sorted(reached) == ["1", "2", "3", "4", "5"]

    page.get_by_role("button", name="Predict").click()  # what changed is part of what is predicted
    expect(page.locator(".st-choice")).to_have_count(9)
    expect(page.locator("#rules-status")).to_be_empty()
    expect(page.locator(".moves button")).to_have_count(0)
    page.locator("#restore").click()
    expect(page.locator("#predict-stopped")).to_be_empty()
    expect(page.get_by_role("button", name="Predict")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Predict").click()
    page.locator("main").press("End")
    expect(page.locator(".st-choice")).to_have_count(6)  # the lesson's questions again
    expect(page.locator(".st-number")).to_have_value("2")


def tops(page: "Page", selector: str) -> list[float]:
    found: list[float] = page.locator(selector).evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().top)"
    )
    return found


@pytest.mark.parametrize("width", [360, 1280, 1920])
@pytest.mark.parametrize("link", [SCENE, "#lesson=return-traffic&scene=1&task=1&step=1"], ids=["scene", "task"])
@pytest.mark.parametrize("with_rules", [False, True])
def test_hosts_and_verdicts_stand_side_by_side_or_in_one_column(
    page: "Page", lab: Lab, width: int, link: str, with_rules: bool
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    show(page, lab, link)
    choice = page.locator(f".side-choice [data-side={'rules' if with_rules else 'states'}]")
    if choice.is_visible():
        choice.click()
    page.locator(".st-card").nth(2).wait_for()
    middles = page.locator(".st-path > *").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect()).map((box) => box.top + box.height / 2)"
    )
    wide = page.locator(".st-main").evaluate("each => each.clientWidth") > 544
    assert len(set(tops(page, ".st-card"))) == (1 if wide else 3)
    assert len({round(each) for each in middles}) == (1 if wide else 3)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_mistake_is_seen_above_the_rules_and_no_line_of_them_is_cut(page: "Page", lab: Lab, width: int) -> None:
    from playwright.sync_api import expect

    page.set_viewport_size({"width": width, "height": 800})
    show(page, lab)
    rules(page)
    long = "# " + "a word " * 40 + "x" * 200
    page.locator("#rules-text").fill(long + "\nsecurity_groups: [\n" + "# an end\n" * 40)
    expect(page.locator("#rules-problems .problem")).to_be_in_viewport(ratio=1)
    expect(page.locator("#rules-status")).to_be_in_viewport(ratio=1)
    area = page.locator("#rules-text")
    sizes = area.evaluate("each => [each.scrollWidth - each.clientWidth, each.scrollHeight - each.clientHeight]")
    assert sizes == [0, 0]  # all of it is drawn, and the box around it scrolls
    heights = page.locator(".gutter div").evaluate_all("all => all.map((each) => each.offsetHeight)")
    assert heights[0] > 3 * heights[1]
    assert set(heights[1:]) == {heights[1]}
    assert len(heights) == 43
    area.press("Control+End")
    assert page.locator(".editor").evaluate("each => each.scrollTop") > 100  # it follows the cursor


def test_a_host_has_one_name_and_neither_says_what_it_means(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab, "#lesson=still-pings&scene=1&step=2")
    expect(page.locator("#st-row-2 .st-ends")).to_have_text("web → laptop")
    assert page.locator(".st-host strong").all_text_contents() == ["laptop", "web"]
    page.locator("main").press("End")
    expect(page.locator(".st-choice.neither").first).to_have_text("neither (EXEMPT or NOT_EVALUATED)")
    expect(page.locator(".st-reveal")).to_have_text("Reveal")


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
@pytest.mark.parametrize("large", [False, True])
def test_the_page_never_scrolls_sideways(page: "Page", lab: Lab, width: int, large: bool) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    show(page, lab, "#lesson=response-traffic&scene=3&step=2&lang=ko")
    if large:
        page.get_by_role("button", name="큰 글자").click()
    rules(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#rules-text").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("link", [SCENE, "#lesson=return-traffic&scene=1&task=1&step=3&lang=ko"], ids=["scene", "task"])
def test_axe_finds_no_serious_fault(page: "Page", lab: Lab, scheme: Any, width: int, link: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    show(page, lab, link)
    page.locator("#menu").click()
    rules(page)
    replaced(page, "type: SSH", "protocol: tpc")
    page.locator("#rules-problems .problem").first.wait_for()
    assert faults(page) == []
