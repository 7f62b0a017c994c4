"""The page: one file that loads nothing, whatever a capture or a rule file is called."""

import base64
import dataclasses
import hashlib
import json
import re
import sys
from pathlib import Path

import pytest
from markupsafe import escape

from firewall.errors import UsageError
from firewall.languages import LANGUAGES, REASONS_KO
from firewall.reports.html_report import html_report
from firewall.reports.markdown_report import code, markdown_report
from firewall.reports.result import Result
from firewall.reports.safe_json import json_text
from firewall.reports.texts import TEXTS
from firewall.run.inputs import Inputs
from firewall.run.report import run_report
from firewall.verdict import REASON_WORDS
from pcaps.samples import sample
from tests.firewall.hostile_report import PLANTED, hostile_result


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return hostile_result(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def page(hostile: Result) -> str:
    return html_report(hostile)


# --- what the page may do ------------------------------------------------------------------------------------
def test_only_the_script_and_the_style_of_the_page_run(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    hashes = []
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        hashes.append("sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())
    assert policy[1] == (
        f"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


def test_no_reference_leaves_the_page(page: str) -> None:
    assert {link[0] for link in re.findall(r'href="([^"]*)"', page)} == {"#"}
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"<[^>]*\s(src|srcset|action|style|on\w+)=", markup)
    assert not re.search(r"@import|url\(", page)


def test_every_link_of_the_contents_has_its_section(page: str) -> None:
    links = re.findall(r'href="#([^"]+)"', page)
    assert len(links) > 8
    assert [link for link in links if f'id="{link}"' not in page] == []


# --- what is planted -------------------------------------------------------------------------------------------
def test_planted_markup_stands_as_text_everywhere(page: str) -> None:
    assert PLANTED not in page
    assert "<img" not in page
    assert page.count(escape(PLANTED)) >= 4  # file name, interface, group, description
    assert page.count("<script") == 2


def test_the_json_of_the_page_cannot_end_its_element() -> None:
    nasty = {
        "</script><script>alert(1)</script>": [
            "<!--",
            "&lt;",
            "\u2028\u2029",
            "\ud800".encode("utf-8", "replace").decode(),
        ]
    }
    text = json_text(nasty)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == nasty


def test_planted_markup_stands_in_code_spans_of_markdown(hostile: Result) -> None:
    text = markdown_report(hostile)
    spans = re.findall(r"(`+) ?(.*?) ?(?<!`)\1(?!`)", text)
    assert any(PLANTED.replace("|", "\\|") in span for _, span in spans)  # in a cell
    outside = re.sub(r"(`+)(.*?)(?<!`)\1(?!`)", "", text)
    assert "<" not in outside
    assert "@" not in outside


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a", "`a`"),
        ("a`b", "``a`b``"),
        ("``", "``` `` ```"),
        ("`a", "`` `a ``"),
        ("", "`  `"),
        ("two\nlines", "`two\\nlines`"),
    ],
)
def test_code_spans(text: str, span: str) -> None:
    assert code(text) == span


def test_signs_that_turn_the_direction_of_text_stand_as_escapes(hostile: Result) -> None:
    turned = dataclasses.replace(hostile, warnings=("eni\u202egnp.exe\x1b[2J",))
    page = html_report(turned)
    assert "eni\\u202egnp.exe\\x1b[2J" in page
    assert not re.search("[\u202a-\u202e\x00-\x08\x1b]", page)


# --- languages ---------------------------------------------------------------------------------------------------
def test_every_text_stands_in_every_language_with_the_same_values() -> None:
    for key, text in TEXTS.items():
        names = [sorted(set(re.findall(r"\{(\w+)\}", getattr(text, language)))) for language in LANGUAGES]
        assert names[0] == names[1], key
    assert set(REASONS_KO) == set(REASON_WORDS)


def test_every_text_is_used() -> None:
    folder = Path(sys.modules[html_report.__module__].__file__ or "").parent
    files = [*folder.glob("*.py"), *folder.glob("html/*")]
    said = "".join(path.read_text(encoding="utf-8") for path in files if path.name != "texts.py")
    by_kind = {f"kind_{kind}" for kind in ("capture", "rules", "events")}
    verdicts = {"ALLOW", "DENY", "EXEMPT", "NOT_EVALUATED"}
    quoted = [f'"{key}"' not in said and f"'{key}'" not in said and f".{key}" not in said for key in TEXTS]
    assert [key for key, unused in zip(TEXTS, quoted, strict=True) if unused and key not in by_kind | verdicts] == []


def test_the_korean_page_says_so_and_uses_the_words_of_aws(hostile: Result) -> None:
    page = html_report(hostile, "ko")
    assert '<html lang="ko">' in page
    for word in ("보안 그룹", "인바운드 규칙", "탄력적 네트워크 인터페이스"):
        assert word in page


# --- edges -------------------------------------------------------------------------------------------------------
def test_a_capture_without_packets_has_a_page(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    rules = str(sample("web-http").parent / "web-http.yaml")
    result = run_report(Inputs(captures=(str(empty),), rules=(rules,)), [], "0")
    page = html_report(result)
    assert "0 packets read = 0 verdicts" in page
    assert "The capture holds no packets." in page
    assert "No connection was opened." in page
    assert 'id="over-time"' not in page
    assert "0 packets read" in markdown_report(result)


def test_without_jinja2_the_cure_is_told(hostile: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(
        UsageError, match=r"the page needs the package jinja2; install it where eniwall runs: .* pip install jinja2"
    ):
        html_report(hostile)
