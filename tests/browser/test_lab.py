"""The lab in a real browser: a learner predicts, steps, edits rules; nothing planted runs, nothing leaves."""

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from firewall.lessons.catalog import COURSES, load_lesson
from firewall.lessons.grade import grade
from pcaps.samples import sample
from tests.browser.lab import SCENE, Lab, answer, chips, forward, link_of, replaced, rules, show, table_state
from tests.firewall.hostile_report import PLANTED
from tests.firewall.lab import running

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]


# --- a lesson --------------------------------------------------------------------------------------------------
def test_a_learner_predicts_steps_edits_a_rule_and_switches_to_korean(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab, "")
    expect(page.locator("h1")).to_have_text("Return traffic")
    expect(page).to_have_url(re.compile("#lesson=return-traffic&scene=1&step=1&lang=en$"))
    table_state(page, "SYN_SENT")
    assert chips(page) == ["AAA", "???", "???", "???", "???"]

    forward(page)
    expect(page.locator(".st-verdicts h2")).to_have_text("What will each of them say?")
    expect(page.locator(".st-verdicts")).to_contain_text("Does the answer leave?")
    answer(page, "sg", "ALLOW")
    answer(page, "nacl", "ALLOW")
    page.locator(".st-reveal").click()
    expect(page.locator(".st-answer.right")).to_have_count(1)
    expect(page.locator(".st-answer.wrong")).to_have_count(1)
    expect(page.locator(".st-score")).to_contain_text("1 of 2")
    expect(page.locator(".st-card[data-reading=nacl]")).to_contain_text("A network ACL is stateless")
    table_state(page, "SYN_RECV")
    forward(page)
    table_state(page, "ESTABLISHED")
    assert chips(page) == ["AAA", "ADD", "AAA", "AAA", "ADD"]

    rules(page)
    replaced(page, "type: SSH", "type: HTTP")
    expect(page.locator("#rules-status")).to_have_text("Verdicts changed at 5 steps")
    expect(page.locator(".st-changed")).to_have_count(5)
    assert chips(page) == ["DDA", "DDD", "DDA", "DDA", "DDD"]
    page.locator("#restore").click()
    expect(page.locator(".st-changed")).to_have_count(0)
    assert chips(page) == ["AAA", "ADD", "AAA", "AAA", "ADD"]

    page.locator("#language").select_option("ko")
    expect(page.locator("h1")).to_have_text("반환 트래픽")
    expect(page.locator("#menu")).to_have_text("강의와 캡처")
    assert page.evaluate("document.documentElement.lang") == "ko"
    expect(page).to_have_url(re.compile("step=3&lang=ko$"))


def test_nothing_of_the_answer_can_be_read_before_it_is_given(page: "Page", lab: Lab) -> None:
    show(page, lab)
    forward(page)
    from playwright.sync_api import expect

    expect(page.locator(".st-reveal")).to_be_visible()
    text = page.locator("#stepper").inner_text()
    assert "SYN_RECV" not in text.replace(page.locator(".st-states").inner_text(), "")
    assert "established" not in text
    assert page.locator(".st-verdict").count() == 0


def test_a_link_restores_lesson_scene_step_language_and_rules(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab, "#lesson=return-traffic&scene=2&step=3&lang=ko")
    rules(page)
    replaced(page, "type: SSH", "type: HTTP")
    expect(page.locator("#rules-status")).to_have_text("5개 단계의 판정이 바뀌었습니다")
    link = link_of(page, lab)
    assert parse_qs(link[1:])["step"] == ["3"]

    show(page, lab, link)
    expect(page.locator(".st-number")).to_have_value("3")
    expect(page.locator("#rules-status")).to_have_text("5개 단계의 판정이 바뀌었습니다")
    expect(page.locator(".tab[aria-current]")).to_have_text("2. 응답을 위한 항목이 있는 네트워크 ACL")
    assert "type: HTTP" in page.locator("#rules-text").input_value()
    assert chips(page)[0][0] == "D"


def test_a_link_with_mistakes_in_its_rules_shows_them_and_the_steps_of_the_first_rules(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    broken = base64.urlsafe_b64encode(b"security_groups: [").decode().rstrip("=")
    show(page, lab, f"#lesson=return-traffic&scene=1&step=3&rules={broken}")
    expect(page.locator("#rules-text")).to_have_value("security_groups: [")
    expect(page.locator("#rules-status")).to_have_text("1 mistake; the steps stay as they were")
    table_state(page, "ESTABLISHED")


@pytest.mark.parametrize("link", ["#lesson=no-such-lesson", "#open=0", "#lesson=return-traffic&scene=99", "#capture=1"])
def test_a_link_to_nothing_is_told(page: "Page", address: str, link: str) -> None:
    from playwright.sync_api import expect

    page.goto(address + link)
    expect(page.locator("#message")).to_be_visible()
    expect(page.locator("#lessons .entry").first).to_be_visible()


@pytest.mark.parametrize(
    "link", ["#lesson=return-traffic&step=999&scene=1", "#rules=%25%25%25", "#lang=xx&step=-1", "#=&&&"]
)
def test_a_garbled_link_opens_what_can_be_opened(page: "Page", lab: Lab, link: str) -> None:
    show(page, lab, link)


def test_mistakes_stand_at_their_lines_while_the_steps_stay(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab)
    rules(page)
    replaced(page, "type: SSH", "protocol: tpc")
    expect(page.locator("#rules-status")).to_have_text("1 mistake; the steps stay as they were")
    problem = page.locator("#rules-problems .problem")
    expect(problem).to_contain_text("unknown protocol 'tpc': did you mean tcp?")
    line = page.locator(".gutter .bad").text_content()
    assert f"line {line}" in (problem.text_content() or "")
    expect(page.locator("#rules-text")).to_have_attribute("aria-invalid", "true")
    table_state(page, "SYN_SENT")
    problem.click()
    selected = page.locator("#rules-text").evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert "protocol: tpc" in selected


def test_a_task_is_graded_until_all_is_right(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab)
    page.get_by_role("button", name="Task", exact=True).click()
    expect(page.locator("#task")).to_contain_text("Mend the network ACL")
    page.get_by_role("button", name="Grade my rules").click()
    marked = grade(load_lesson("return-traffic"), COURSES / "return-traffic" / "rules.yaml")
    assert 0 < marked.score < marked.total
    score = f"{marked.score} of {marked.total} points"
    expect(page.locator("#task .score")).to_have_text(score)
    expect(page.locator("#task .mark.bad")).to_have_count(marked.total - marked.score)
    expect(page.locator("#task .mark").first).to_contain_text("Hint: the network ACL has no egress entry")
    page.locator("#rules-text").fill((COURSES / "return-traffic" / "with-answers.yaml").read_text(encoding="utf-8"))
    page.get_by_role("button", name="Grade my rules").click()
    well_done = f"All {marked.total} points: everything fares as wanted. Well done."
    expect(page.locator("#task .score")).to_have_text(well_done)
    page.locator("#menu").click()
    expect(page.locator("#lessons .entry[aria-current]")).to_contain_text("done")
    page.locator(".tab").first.click()
    expect(page.locator("#task")).to_be_hidden()
    page.get_by_role("button", name="Task", exact=True).click()
    expect(page.locator("#rules-text")).to_have_value(re.compile("number: 100"))  # the learner's rules are kept


# --- captures ----------------------------------------------------------------------------------------------------
def test_a_capture_of_one_s_own_is_stepped_and_its_rules_edited(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab)
    page.locator("#menu").click()
    page.set_input_files("#file", sample("web-http"))
    expect(page.locator("h1")).to_have_text("web-http.pcap")
    expect(page.locator(".st-number")).to_have_attribute("max", "56")
    expect(page.locator("#rules-text")).to_have_value(re.compile("10\\.0\\.1\\.10"))
    expect(page.locator(".st-number")).to_have_value("3")  # the first two are ARP
    expect(page.locator(".st-card[data-reading=nacl] .st-about")).to_have_text(
        "stateless; made of the groups' rules: acl-my-interface"
    )
    replaced(page, "ingress: []", "ingress: [{type: HTTP, source: 0.0.0.0/0}]")
    expect(page.locator("#rules-status")).to_contain_text(re.compile(r"^Verdicts changed at \d+ steps$"))
    link = link_of(page, lab)
    assert link.startswith("#open=")

    show(page, lab, link)  # loaded again
    expect(page.locator("h1")).to_have_text("web-http.pcap")
    expect(page.locator("#restore")).to_be_enabled()


def test_a_capture_can_be_dropped_anywhere(page: "Page", lab: Lab) -> None:
    from playwright.sync_api import expect

    show(page, lab)
    data = list(sample("ping").read_bytes())
    page.evaluate(
        "data => { const moved = new DataTransfer();"
        " moved.items.add(new File([new Uint8Array(data)], 'ping.pcap'));"
        " const drop = { dataTransfer: moved, bubbles: true, cancelable: true };"
        " document.body.dispatchEvent(new DragEvent('drop', drop)); }",
        data,
    )
    expect(page.locator("h1")).to_have_text("ping.pcap")


def test_garbage_is_told_on_the_page(page: "Page", address: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    path = tmp_path / "notes.txt"
    path.write_text("no capture")
    page.goto(address)
    page.set_input_files("#file", path)
    expect(page.locator("#message")).to_contain_text("notes.txt: not a capture")


def test_a_lab_that_was_ended_is_told(page: "Page", tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with running(tmp_path) as one:
        page.goto(f"http://127.0.0.1:{one.port}/{one.token}/{SCENE}")
        expect(page.locator(".st-packet h2")).to_be_visible(timeout=30_000)
    rules(page)
    replaced(page, "type: SSH", "type: HTTP")
    expect(page.locator("#message")).to_contain_text("The lab does not answer. Was it ended? Start eniwall lab again.")


# --- safety ------------------------------------------------------------------------------------------------------
def test_what_is_planted_shows_as_text_and_never_runs(page: "Page", lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page.add_init_script("window.planted = () => { window.ran = true; };")
    path = tmp_path / f"{PLANTED.replace('/', '%')}.pcap"
    path.write_bytes(sample("web-http").read_bytes())
    show(page, lab)
    page.set_input_files("#file", path)
    expect(page.locator("h1")).to_have_text(path.name)
    rule = {"protocol": "tcp", "ports": 80, "source": "0.0.0.0/0", "description": PLANTED}
    planted: dict[str, Any] = {
        "security_groups": {PLANTED: {"ingress": [rule], "egress": []}},
        "interfaces": {PLANTED: {"addresses": ["10.0.1.10"], "security_groups": [PLANTED]}},
    }
    page.locator(".st-number").fill("3")  # the first is ARP
    page.locator(".st-number").press("Enter")
    page.locator("#rules-text").fill(json.dumps(planted))
    expect(page.locator(".st-packet")).to_contain_text(PLANTED)
    page.locator("#rules-text").fill(json.dumps({PLANTED: 1}))
    expect(page.locator("#rules-problems")).to_contain_text("<script>planted()</script>")
    assert page.evaluate("window.ran === undefined")
    assert page.locator("img").count() == 0


def test_a_script_that_got_into_the_page_would_not_run(page: "Page", address: str) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(address)
    page.evaluate(
        "() => { const made = document.createElement('script'); made.textContent = 'window.ran = 1';"
        " const shown = document.createElement('img'); shown.src = 'http://198.51.100.7/x.png';"
        " document.body.append(made, shown); }"
    )
    assert page.evaluate("window.ran === undefined")
    assert sum("Content Security Policy" in text for text in told) >= 1


# --- everybody -----------------------------------------------------------------------------------------------------
def test_the_keyboard_reaches_everything_and_leaves_the_editor(page: "Page", lab: Lab) -> None:
    show(page, lab)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    rules(page)
    area = page.locator("#rules-text")
    area.focus()
    page.keyboard.press("ArrowRight")  # moves the cursor, not the step
    assert page.locator(".st-number").input_value() == "1"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "rules-text"


def test_a_new_line_begins_where_the_one_above_began(page: "Page", lab: Lab) -> None:
    show(page, lab)
    rules(page)
    area = page.locator("#rules-text")
    area.fill("security_groups:\n  web:")
    area.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.type("egress: []")
    page.keyboard.press("Enter")
    page.keyboard.type("x")
    assert area.input_value() == "security_groups:\n  web:\n    egress: []\n    x"
    assert page.locator(".gutter div").all_text_contents() == ["1", "2", "3", "4"]
