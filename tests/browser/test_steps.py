"""The stepping page in a real browser: keys and clicks, the table, the lit state, predictions; nothing planted runs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from firewall.reports.steps_page import steps_page
from tests.browser.axe import faults
from tests.browser.stepping import chips, lit, opened, shows, table, text
from tests.firewall.stepping import HANDSHAKE, RULES, crafted_steps, sample_steps, tcp

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.compiled_only]

PLANTED = "<img src=x onerror=planted()>"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of web-http, in English."""
    path = tmp_path_factory.mktemp("steps") / "web.html"
    path.write_text(steps_page(sample_steps("web-http"), "0.0.test"), encoding="utf-8")
    return path


# --- moving ---------------------------------------------------------------------------------------------------
def test_keys_go_forward_and_back_and_the_table_and_the_state_follow(page: "Page", web: Path) -> None:
    opened(page, web, "#step=3")
    seen = []
    for key in ("ArrowRight", "j", "k", "ArrowLeft"):
        page.keyboard.press(key)
        shows(page, {"ArrowRight": 4, "j": 5, "k": 4, "ArrowLeft": 3}[key])
        seen.append((table(page), lit(page)))
    ends = "tcp 198.51.100.7:58618 → 10.0.1.10:80"
    assert seen[0] == (
        [["• changed", "1", "SYN_SENT → SYN_RECV", ends, "1 min", "web:ingress[0]"]],
        ["edge-SYN_SENT-SYN_RECV line taken", "state-SYN_RECV box lit", "state-SYN_SENT box left"],
    )
    assert seen[1][0] == [["• changed", "1", "SYN_RECV → ESTABLISHED", ends, "5 d", "web:ingress[0]"]]
    assert seen[2] == seen[0]  # back is what forward was
    assert seen[3] == (
        [["+ new", "1", "SYN_SENT", ends, "2 min", "web:ingress[0]"]],
        ["edge-NONE-SYN_SENT line taken", "state-NONE start left", "state-SYN_SENT box lit"],
    )
    assert page.url.endswith("#step=3")


def test_clicks_and_the_number_go_there_too(page: "Page", web: Path) -> None:
    opened(page, web)
    page.locator("#st-row-4").click()
    shows(page, 4)
    page.get_by_role("button", name="Forward").click()
    shows(page, 5)
    page.get_by_role("button", name="Back", exact=False).first.click()
    shows(page, 4)
    page.locator(".st-number").fill("45")
    page.keyboard.press("Enter")
    shows(page, 45)
    assert text(page, '.st-card[data-reading="sg"] .st-verdict') == "DENY"
    page.get_by_role("button", name="Last step").click()
    shows(page, 56)
    assert page.get_by_role("button", name="Forward").is_disabled()
    page.evaluate("location.hash = '#step=7'")
    shows(page, 7)


def test_home_end_and_the_next_difference(page: "Page", web: Path) -> None:
    opened(page, web)
    page.keyboard.press("End")
    shows(page, 56)
    page.keyboard.press("Home")
    shows(page, 1)
    page.keyboard.press("x")
    shows(page, 4)
    assert text(page, ".st-differ") == "The verdicts differ."
    page.locator(".st-list").focus()
    page.keyboard.press("ArrowDown")
    shows(page, 5)


def test_what_is_typed_into_a_field_is_no_key(page: "Page", web: Path) -> None:
    opened(page, web)
    page.locator(".st-number").focus()
    page.keyboard.press("p")
    page.keyboard.press("End")
    assert page.get_by_role("button", name="Predict").get_attribute("aria-pressed") == "false"
    shows(page, 3)


def test_play_goes_on_by_itself_until_it_is_paused(page: "Page", web: Path) -> None:
    opened(page, web, "#step=3")
    page.keyboard.press(" ")
    shows(page, 5)
    assert text(page, ".st-bar [aria-pressed=true]") == "Pause"
    page.get_by_role("button", name="Pause").click()
    step = page.evaluate("location.hash")
    page.wait_for_timeout(900)
    assert page.evaluate("location.hash") == step


def test_play_ends_at_the_last_step(page: "Page", web: Path) -> None:
    opened(page, web, "#step=55")
    page.get_by_role("button", name="Play").click()
    shows(page, 56)
    page.get_by_role("button", name="Play").wait_for()


def test_the_help_lists_the_keys(page: "Page", web: Path) -> None:
    opened(page, web)
    page.keyboard.press("?")
    assert page.locator(".st-help").is_visible()
    assert page.locator(".st-help kbd").all_text_contents()[:2] == ["→", "j"]
    page.keyboard.press("Escape")
    assert not page.locator(".st-help").is_visible()


def test_a_page_begins_at_the_first_ip_packet_unless_its_link_says_otherwise(page: "Page", web: Path) -> None:
    opened(page, web)
    shows(page, 3)  # the first two are ARP
    page.keyboard.press("Home")
    shows(page, 1)
    page.goto("about:blank")
    opened(page, web, "#step=2")


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_no_port_is_cut_and_no_verdict_breaks(page: "Page", tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    six = 'Ether()/IPv6(src="2001:db8:1111:2222:3333:4444:5555:6666", dst="2001:db8::10")/TCP(sport=40000, dport=443)'
    rules = RULES.replace("[10.0.1.10]", '[10.0.1.10, "2001:db8::10"]')
    path = tmp_path / "page.html"
    steps = crafted_steps(tmp_path, (six, "Ether()/ARP()", tcp("S", port=65000)), rules=rules)
    path.write_text(steps_page(steps, "0"), encoding="utf-8")
    opened(page, path, "#step=2")
    ends = page.locator("#st-row-1 .st-ends")
    assert ends.text_content() == "[2001:db8:1111:2222:3333:4444:5555:6666]:40000 → :443"
    right = "each => each.getBoundingClientRect().right"
    assert ends.locator("> :last-child").evaluate(right) <= ends.evaluate(right)
    assert page.locator(".st-verdict.NOT_EVALUATED").count() == 3
    card = "all => all.map((each) => [each.offsetHeight < 40, each.scrollWidth <= each.clientWidth])"
    assert page.locator(".st-verdict").evaluate_all(card) == [[True, True]] * 3


# --- one step ---------------------------------------------------------------------------------------------------
def test_a_step_says_what_came_why_and_what_it_rests_on(page: "Page", web: Path) -> None:
    opened(page, web, "#step=4")
    assert text(page, ".st-packet") == (
        "Packet 4198.51.100.7:58618SYN ACKoutbound · tcp · 60 byteseni-web10.0.1.10:80web"
    )
    assert text(page, '.st-card[data-reading="stateless"]') == (
        "Without the tablethe same rules, packet by packetDENYno-egress-rule"
        "Without a table every packet needs a rule, and no egress rule allows this one."
    )
    assert "windowscale" not in text(page, ".st-fields")
    assert "window scale10" in text(page, ".st-fields")
    page.locator(".st-why").get_by_role("button", name="Without the table").click()
    phases = page.locator(".st-phase").all_text_contents()
    assert phases == ["READ", "INTERFACE", "NEVER FILTERED", "DELIVERY CHECKS", "SECURITY GROUPS", "VERDICT"]
    page.keyboard.press("ArrowRight")
    shows(page, 5)
    assert text(page, '.st-why [aria-pressed="true"]') == "Without the table"  # the choice stays


def test_what_timed_out_meanwhile_is_told(page: "Page", tmp_path: Path) -> None:
    steps = crafted_steps(tmp_path, (tcp("S"), tcp("S", port=5000), tcp("S", port=6000)), (0, 10, 125))
    (tmp_path / "page.html").write_text(steps_page(steps, "0"))
    opened(page, tmp_path / "page.html", "#step=3")
    assert text(page, ".st-note") == "1 min 55 s after the step before: 1 timed out meanwhile."
    assert table(page)[0][:3] == ["\u2212 timed out 5 s before", "1", "SYN_SENT"]


# --- predict ----------------------------------------------------------------------------------------------------
def told_of_verdicts(page: "Page") -> str:
    """All that a learner could read of the present step, but for the words of the choices."""
    return " ".join([text(page, ".st-main"), text(page, ".st-side"), *chips(page, 4), *chips(page, 5)])


def test_a_prediction_comes_before_the_answer_and_is_scored(page: "Page", web: Path) -> None:
    opened(page, web, "#step=4")
    before = text(page, ".st-table")
    page.keyboard.press("p")
    page.locator(".st-choices").first.wait_for()
    hidden = told_of_verdicts(page)
    for word in ("established", "no-egress-rule", "differ", "SYN_RECV.", "changed", "let in", "TABLE LOOKUP"):
        assert word not in hidden, word
    assert lit(page) == []
    assert [chips(page, step) for step in (3, 4, 5)] == [["AALLOW"] * 3, ["?"] * 3, ["?"] * 3]
    assert text(page, ".st-table h2") == "Connection table before this packet1 entry"
    assert [row[2] for row in table(page)] == ["SYN_SENT"]
    assert text(page, ".st-score") == "nothing answered yet"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.locator("#st-row-6").click()
    shows(page, 4)  # no way around the question
    for key in ("a", "a", "Enter"):
        page.keyboard.press(key)
    page.locator(".st-verdict").first.wait_for()
    assert text(page, ".st-score") == "1 of 2 right"
    assert page.locator(".st-answer").all_text_contents() == ["✓ You said ALLOW: right.", "✗ You said ALLOW."]
    assert text(page, ".st-table") == before
    assert lit(page) != []
    page.keyboard.press("ArrowRight")
    shows(page, 5)
    assert chips(page, 5) == ["?"] * 3
    page.get_by_role("button", name="Reveal").click()
    page.locator(".st-verdict").first.wait_for()
    assert text(page, ".st-score") == "1 of 2 right"  # nothing was said, nothing is counted
    page.keyboard.press("p")
    assert page.locator(".st-score").is_hidden()
    assert chips(page, 6) == ["AALLOW"] * 3


def test_play_waits_for_an_answer(page: "Page", web: Path) -> None:
    opened(page, web, "#step=4")
    page.keyboard.press("p")
    page.keyboard.press(" ")
    page.wait_for_timeout(800)
    shows(page, 4)
    assert page.get_by_role("button", name="Play").is_visible()


# --- safety -------------------------------------------------------------------------------------------------------
@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    rules = RULES.replace("eni-web:", f'"{PLANTED}":').replace("  web:\n", '  "</script><b>":\n')
    rules = rules.replace("[web]", '["</script><b>"]')
    path = tmp_path / "hostile.html"
    path.write_text(steps_page(crafted_steps(tmp_path, HANDSHAKE, rules=rules), "0"), encoding="utf-8")
    return path


def test_a_planted_name_shows_as_text_and_never_runs(page: "Page", hostile: Path) -> None:
    page.add_init_script("window.planted = () => { window.ran = true; };")
    told = opened(page, hostile, "#step=2")
    assert page.evaluate("window.ran === undefined")
    assert told == [hostile.as_uri()]  # the page itself, and no word of the console
    assert page.locator("img, main b").count() == 0
    assert PLANTED in text(page, ".st-host.own")
    assert "</script><b>:ingress[0]" in text(page, ".st-table")


def test_a_script_that_got_into_the_page_would_not_run(page: "Page", hostile: Path) -> None:
    found = hostile.read_text().replace(
        "<header>", '<script>window.ran = 1</script><img src="http://198.51.100.7/x.png"><header>', 1
    )
    hostile.write_text(found)
    told: list[str] = []
    page.on("response", lambda response: told.append(response.url))
    page.on("requestfailed", lambda request: told.append(f"{request.url} {request.failure}"))
    page.goto(hostile.as_uri())
    shows(page, 1)
    assert page.evaluate("window.ran === undefined")
    assert told == [hostile.as_uri(), "http://198.51.100.7/x.png csp"]


def test_no_request_leaves_the_page(page: "Page", web: Path) -> None:
    told = opened(page, web)
    for key in ("ArrowRight", "x", "p", "a", "Enter", "?"):
        page.keyboard.press(key)
    assert told == [web.as_uri()]


# --- everybody ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_serious_fault(page: "Page", web: Path, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, web, "#step=4")
    assert faults(page) == []
    page.keyboard.press("p")
    page.locator(".st-choices").first.wait_for()
    assert faults(page) == []
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.locator(".st-answer").first.wait_for()
    assert faults(page) == []
    page.keyboard.press("?")
    assert faults(page) == []


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_never_scrolls_sideways(page: "Page", tmp_path: Path, width: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    path = tmp_path / "page.html"
    path.write_text(steps_page(sample_steps("database"), "0", language), encoding="utf-8")
    opened(page, path, "#step=5")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Large type" if language == "en" else "큰 글자").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("p")
    page.locator(".st-choices").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_speaks_korean_and_changes_its_language(page: "Page", tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(steps_page(sample_steps("web-http"), "0.0.test", "ko"), encoding="utf-8")
    opened(page, path, "#step=4")
    assert page.title() == "단계별 보기: web-http.pcap"
    assert text(page, '.st-card[data-reading="sg"]') == (
        "보안 그룹상태 저장: 연결 추적 테이블 사용ALLOWestablished"
        "이미 추적 중인 연결에 속함(연결을 허용한 규칙: web:ingress[0])."
    )
    assert text(page, ".st-state-text") == "플로우 1: SYN_SENT → SYN_RECV"
    assert text(page, ".st-why .st-quiet") == "단계별 설명은 영어로 표시됩니다."
    korean = re.compile("[가-힣]")
    assert korean.search(text(page, ".st-bar"))
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Forward").wait_for()
    shows(page, 4)
    assert page.title() == "Step by step: web-http.pcap"
    assert not korean.search(text(page, "main"))
    assert page.locator("html").get_attribute("lang") == "en"


def test_large_type_is_larger(page: "Page", web: Path) -> None:
    opened(page, web, "#step=40")
    size = "Number.parseFloat(getComputedStyle(document.querySelector('.st-verdict')).fontSize)"
    small = page.evaluate(size)
    page.get_by_role("button", name="Large type").click()
    assert page.evaluate(size) == small * 1.375
    assert page.locator("#st-row-40").is_visible()


def test_without_motion_nothing_moves(page: "Page", web: Path) -> None:
    names = "getComputedStyle(document.querySelector('.st-table tr.changed td')).animationName"
    found = []
    for motion in ("no-preference", "reduce"):
        page.emulate_media(reduced_motion=motion)
        opened(page, web, "#step=4")
        found.append(page.evaluate(names))
    assert found == ["st-came", "none"]


def test_without_scripts_the_page_says_what_it_needs(browser: Any, web: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    window = context.new_page()
    window.goto(web.as_uri())
    assert text(window, "noscript") == "Stepping needs JavaScript."
    context.close()
