"""`report --steps`: what it writes, what it refuses, and the words of the component."""

import base64
import hashlib
import json
import re
import string
from pathlib import Path
from typing import Any

import pytest

from firewall.cli import main
from firewall.errors import UsageError
from firewall.languages import LANGUAGES
from firewall.reports import steps_page as pages
from firewall.steps import component
from firewall.steps.fields import ICMP_NAMES
from firewall.steps.texts import FIELDS_KO, TEXTS, texts
from pcaps.samples import sample
from tests.firewall.stepping import HANDSHAKE, IN, RULES, crafted_steps, sample_steps, tcp

WEB, WEB_RULES = str(sample("web-http")), str(sample("web-http").parent / "web-http.yaml")
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Status, standard output and error of `eniwall report`."""
    with pytest.raises(SystemExit) as ended:
        main(["report", *map(str, words)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def data_of(page: str) -> Any:
    """What stands in a page as JSON."""
    return json.loads(SCRIPT.findall(page)[0])


# --- the command ------------------------------------------------------------------------------------------------
def test_the_page_holds_every_step(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "steps.html"
    assert run(capsys, WEB, "--rules", WEB_RULES, "--steps", "-o", path) == (
        0,
        "",
        f"eniwall: wrote 56 steps to {path}\n",
    )
    data = data_of(path.read_text(encoding="utf-8"))
    assert data["scene"]["readings"] == ["sg", "stateless"]  # the rules state no network ACL
    assert data["scene"]["hosts"] == {"10.0.1.10": "eni-web"}
    assert [row["n"] for row in data["rows"]] == [each["n"] for each in data["details"]] == list(range(1, 57))
    steps = sample_steps("web-http")
    assert data["details"][3]["table"] == steps.detail(4)["table"]


def test_network_acls_are_a_reading_where_the_rules_have_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        RULES
        + "subnets:\n  subnet-1: {cidrs: [10.0.1.0/24], network_acl: acl-1}\n"
        + "network_acls:\n  acl-1: {ingress: [], egress: []}\n"
    )
    path = tmp_path / "steps.html"
    expression = 'IP(src="198.51.100.7")/TCP(dport=80, flags="S")'
    status, _, err = run(capsys, "--craft", expression, "--rules", rules, "--steps", "--lang", "ko", "-o", path)
    assert (status, err) == (0, f"eniwall: wrote 1 step to {path}\n")
    page = path.read_text(encoding="utf-8")
    assert '<html lang="ko">' in page
    data = data_of(page)
    assert data["scene"]["readings"] == ["sg", "stateless", "nacl"]
    assert data["scene"]["start"] is None  # crafted packets have no date
    assert [verdict[0] for verdict in data["rows"][0]["verdicts"]] == ["ALLOW", "ALLOW", "DENY"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--steps writes a page: name it with -o FILE.html"),
        (["-o", "steps.md"], "--steps writes a page: name it with -o FILE.html, not steps.md"),
        (["--json"], "--steps and --json do not go together: --steps writes a page, to -o FILE.html"),
    ],
)
def test_what_is_no_page_is_refused(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    status, out, err = run(capsys, WEB, "--rules", WEB_RULES, "--steps", *words)
    assert (status, out) == (2, "")
    assert err == f"eniwall: {told}\n"


def test_a_capture_above_the_limit_is_refused_with_the_cure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_PACKETS", 20)
    path = tmp_path / "steps.html"
    told = "the capture has more than 20 packets, and --steps writes all of them into the page"
    cure = "choose some with --filter, or cut the file"
    assert run(capsys, WEB, "--rules", WEB_RULES, "--steps", "-o", path) == (2, "", f"eniwall: {told}: {cure}\n")
    assert not path.exists()
    status, _, _ = run(capsys, WEB, "--rules", WEB_RULES, "--steps", "--filter", "host 203.0.113.9", "-o", path)
    assert status == 0
    assert len(data_of(path.read_text(encoding="utf-8"))["rows"]) == 12


def test_a_page_that_would_be_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 1 << 20)
    steps = crafted_steps(tmp_path, [tcp("S", port=2000 + number) for number in range(150)])
    with pytest.raises(UsageError, match=r"^the page would be larger than 1 MB at step \d+ of 150: choose fewer"):
        pages.steps_page(steps, "0")


# --- the page ---------------------------------------------------------------------------------------------------
def test_the_page_lets_its_own_script_and_style_run_and_nothing_else(tmp_path: Path) -> None:
    page = pages.steps_page(crafted_steps(tmp_path, HANDSHAKE), "0")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    data, script = SCRIPT.findall(page)
    assert len(policy) == len(style) == 1
    assert data.startswith("{")

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy[0] == (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; style-src 'sha256-{digest(style[0])}';"
        " base-uri 'none'; form-action 'none'"
    )
    assert "innerHTML" not in script
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", re.sub(r'"texts".*', "", script))
    assert " style=" not in page  # which the policy would not let count
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)


def test_hostile_names_cannot_end_the_data(tmp_path: Path) -> None:
    rules = RULES.replace("  web:\n", '  "</script><!--":\n').replace("[web]", '["</script><!--"]')
    page = pages.steps_page(crafted_steps(tmp_path, HANDSHAKE, rules=rules), "<b>0")
    assert page.count("</script>") == 2
    data = data_of(page)
    assert data["version"] == "<b>0"
    assert data["rows"][0]["verdicts"][0][2] == "</script><!--:ingress[0]"


# --- words ------------------------------------------------------------------------------------------------------
def names(text: str) -> set[str]:
    """The places of a text that are filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_in_both_languages_with_the_same_places() -> None:
    found = texts()
    assert set(found) == set(LANGUAGES)
    assert set(found["en"]) == set(found["ko"])
    for key, text in TEXTS.items():
        assert names(text.en) == names(text.ko), key
        assert bool(text.en) == bool(text.ko), key


def test_every_text_that_the_component_asks_for_is_there_and_every_one_is_asked_for() -> None:
    code = component.script() + (Path(pages.__file__).parent / "html" / "steps.js").read_text()
    code += (Path(pages.__file__).parent / "steps_page.py").read_text()
    asked = set(re.findall(r'["`]([a-z_]+(?:-out)?)["`]', code))
    families = set(re.findall(r"`([a-z]+_)\$\{", code))
    assert families == {"reading_", "short_", "about_", "mark_", "fate_", "field_"}
    unasked = {key for key in TEXTS if key not in asked and not any(key.startswith(family) for family in families)}
    assert unasked == set()
    given = set(re.findall(r'\bt\("([a-z_]+)"', code))
    assert given - set(TEXTS) == set()
    assert len(given) > 30


def test_every_field_has_a_korean_name_or_is_a_name_itself(tmp_path: Path) -> None:
    words = (
        tcp("S"),
        IN + "UDP(dport=53)",
        IN + "ICMP(type=8, id=7)",
        'Ether()/IP(src="198.51.100.7", dst="10.0.1.10", tos=0xb9, id=4, flags="MF")/Raw(b"01234567")',
        'Ether()/IPv6(src="2001:db8::1", dst="2001:db8::2")/ICMPv6EchoRequest()',
        'Ether()/IP(src="198.51.100.7", dst="10.0.1.10")/ICMP(type=3)/IP(src="10.0.1.10", dst="198.51.100.7")/TCP()',
        "Ether()/ARP()",
    )
    steps = crafted_steps(tmp_path, words)
    layers = [layer for n in range(1, steps.count + 1) for layer in steps.detail(n)["fields"]]
    assert {layer["layer"] for layer in layers} == {"Frame", "IPv4", "IPv6", "TCP", "UDP", "ICMP", "ICMPv6"}
    found = {name for layer in layers for name, _ in layer["fields"]}
    assert found - set(FIELDS_KO) == {"TTL", "DSCP, ECN"}
    assert ["DSCP, ECN", "46, ECT(1)"] in next(layer["fields"] for layer in steps.detail(4)["fields"][1:])
    assert [row["flags"] for row in steps.rows(1, 7)] == [
        "SYN",
        "",
        "echo request",
        "",
        "echo request",
        "destination unreachable",
        "",
    ]
    assert ICMP_NAMES[4, 0] == "echo reply"
    assert steps.detail(6)["fields"][2]["fields"][-1] == ["quotes", "10.0.1.10:20 -> 198.51.100.7:80 tcp"]


def test_the_modules_are_one_script_in_their_order() -> None:
    script = component.script()
    parts = [component.part(name) for name in component.MODULES]
    for number, part in enumerate(parts):
        wanted = set(re.findall(r'from "\./(.*?)";', part))
        assert wanted <= set(component.MODULES[:number])
    assert len(re.findall(r"^function mountStepper\(", script, re.MULTILINE)) == 1
    assert component.style().startswith("/* The stepping component.")
