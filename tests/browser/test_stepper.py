"""The stepping component in a page of its own: questions, other rules, answers that are slow or fail."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from firewall.steps import Steps, component
from tests.browser.stepping import shows, table, text
from tests.firewall.stepping import HANDSHAKE, RULES, crafted_steps, sample_steps

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]


def mounted(page: "Page", steps: Steps, options: str = "{}", *, detail: str = "data.details[n - 1]") -> None:
    """The component in a page of its own, as a server would use it: `api` is what it gives."""
    data = {
        "scene": steps.scene(),
        "rows": steps.rows(1, steps.count),
        "details": [steps.detail(n) for n in range(1, steps.count + 1)],
    }
    page.set_content(f"<!doctype html><title>t</title><style>{component.style()}</style><main id=at></main>")
    page.evaluate(f"window.data = {json.dumps(data)}; window.went = [];")
    page.add_script_tag(
        type="module",
        content=f"""{component.script()}
        window.source = {{scene: data.scene,
          rows: async (start, count) => data.rows.slice(start - 1, start - 1 + count), detail: async (n) => {detail}}};
        const options = {{onStep: (n) => went.push(n), ...{options}}};
        window.api = mountStepper(document.getElementById("at"), source, options);""",
    )
    page.wait_for_function("window.api")


def test_questions_ask_at_their_steps_and_of_their_readings_alone(page: "Page") -> None:
    questions = [
        {"n": 4, "reading": "stateless", "ask": {"en": "The reply?", "ko": "?"}, "why": {"en": "No rule.", "ko": "?"}},
        {"n": 45, "reading": "sg", "ask": {"en": "Its own?", "ko": "?"}, "why": {"en": "Not asked for.", "ko": "?"}},
    ]
    mounted(page, sample_steps("web-http"), f"{{predict: true, questions: {json.dumps(questions)}}}")
    page.evaluate("api.go(30)")
    shows(page, 4)
    assert page.locator(".st-card").count() == 1
    assert "The reply?" in text(page, ".st-verdicts")
    assert "No rule." not in text(page, "#at")
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    page.locator(".st-verdict").first.wait_for()
    assert text(page, ".st-score") == "1 of 1 right"
    assert text(page, ".st-told") == "No rule."
    page.evaluate("api.go(30)")
    shows(page, 30)  # steps that nobody asks about are shown
    assert page.locator(".st-verdict").count() == 3
    page.evaluate("api.go(56)")
    shows(page, 45)
    assert page.evaluate("went") == [4, 30, 45]


def test_other_rules_are_shown_at_the_same_step_and_what_changed_is_marked(page: "Page", tmp_path: Path) -> None:
    before = crafted_steps(tmp_path, HANDSHAKE)
    wider = RULES.replace("egress: []", "egress: [{protocol: tcp, ports: all, destination: 0.0.0.0/0}]")
    after = crafted_steps(tmp_path, HANDSHAKE, rules=wider)
    mounted(page, before, "{step: 2}")
    shows(page, 2)
    assert text(page, '.st-card[data-reading="stateless"] .st-verdict') == "DENY"
    found = {"scene": after.scene(), "rows": after.rows(1, 3), "details": [after.detail(n) for n in (1, 2, 3)]}
    page.evaluate(
        """async ([found, changed]) => { Object.assign(data, found);
        await api.refresh({...source, scene: found.scene}, changed); }""",
        [found, after.changed_since(before)],
    )
    shows(page, 2)
    assert text(page, '.st-card[data-reading="stateless"] .st-verdict') == "ALLOW"
    assert page.locator(".st-changed").count() == 1
    assert page.locator("#st-row-2 .st-changed").count() == 1
    page.evaluate("api.setLang('ko')")
    page.get_by_role("button", name="다음 ▶").wait_for()
    page.evaluate("api.destroy()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("[document.getElementById('at').childElementCount, api.step]") == [0, 2]


def test_answers_that_come_late_are_not_drawn(page: "Page", tmp_path: Path) -> None:
    steps = crafted_steps(tmp_path, HANDSHAKE)
    late = "new Promise((answer) => setTimeout(() => answer(data.details[n - 1]), 400 - n * 100))"
    mounted(page, steps, detail=late)
    page.evaluate("api.go(2); api.go(3)")
    shows(page, 3)
    page.wait_for_timeout(600)
    assert text(page, ".st-packet h2") == "Packet 3"
    assert [row[2] for row in table(page)] == ["SYN_RECV → ESTABLISHED"]


def test_a_step_that_cannot_be_read_says_so_and_is_asked_for_again(page: "Page", tmp_path: Path) -> None:
    failing = "(window.tries = (window.tries ?? 0) + 1) > 1 ? data.details[n - 1] : Promise.reject(new Error('gone'))"
    mounted(page, crafted_steps(tmp_path, HANDSHAKE), detail=failing)
    page.get_by_role("alert").wait_for()
    assert text(page, "[role=alert]") == "This step could not be read. gone"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    shows(page, 1)
    assert text(page, ".st-packet h2") == "Packet 1"


def test_of_a_long_timeline_only_what_is_seen_is_there(page: "Page", tmp_path: Path) -> None:
    mounted(page, crafted_steps(tmp_path, HANDSHAKE))
    page.evaluate(
        """async () => { const one = data.rows[2];
        await api.refresh({scene: {...data.scene, rows: 50000}, detail: async () => data.details[2],
          rows: async (start, count) => Array.from({length: count}, (_, at) => ({...one, n: start + at}))}); }"""
    )
    page.keyboard.press("End")
    shows(page, 50000)
    assert 5 < page.locator(".st-row").count() < 60
    assert page.locator("#st-row-50000").is_visible()
    page.locator(".st-list").evaluate("list => { list.scrollTop = list.scrollHeight / 2; }")
    page.locator("#st-row-25003").click()
    shows(page, 25003)
