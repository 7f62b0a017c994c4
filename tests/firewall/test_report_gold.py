"""Whole reports of two samples in every format, as somebody looked at them and accepted them."""

from functools import cache
from pathlib import Path

import pytest

from firewall.reports.html_report import html_report
from firewall.reports.json_report import json_report
from firewall.reports.markdown_report import markdown_report
from firewall.reports.outputs import write_report
from firewall.reports.result import Result
from firewall.reports.terminal import terminal_report
from firewall.run.inputs import Inputs
from firewall.run.report import run_report
from tests.gold import check_gold

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ("web-http", "nmap", "ping")
#: The page's own style and script, the hashes of them, and the JSON whose rows other tests read
PAGE_SCRUBS = (
    (r"<style>.*?</style>", "<style>...</style>"),
    (r"<script>.*?</script>", "<script>...</script>"),
    (r"sha256-[A-Za-z0-9+/=]+", "sha256-..."),
)


@cache
def sample_result(name: str) -> Result:
    inputs = Inputs(captures=(f"pcaps/samples/{name}.pcap",), rules=(f"pcaps/samples/{name}.yaml",))
    return run_report(inputs, ["-o", "audit.html"], "0.0.test")


@pytest.fixture(params=SAMPLES)
def named_result(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Result]:
    monkeypatch.chdir(ROOT)  # files are named as the command line names them
    return request.param, sample_result(request.param)


def test_gold_terminal(named_result: tuple[str, Result]) -> None:
    name, result = named_result
    check_gold(f"report/{name}.txt", terminal_report(result))


def test_gold_json(named_result: tuple[str, Result]) -> None:
    name, result = named_result
    check_gold(f"report/{name}.json", json_report(result))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_gold_markdown(named_result: tuple[str, Result], language: str) -> None:
    name, result = named_result
    check_gold(f"report/{name}.{language}.md", markdown_report(result, language))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_gold_page(named_result: tuple[str, Result], language: str) -> None:
    name, result = named_result
    check_gold(f"report/{name}.{language}.html", html_report(result, language), PAGE_SCRUBS)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_gold_connections(named_result: tuple[str, Result], suffix: str, tmp_path: Path) -> None:
    name, result = named_result
    path = tmp_path / f"connections.{suffix}"
    write_report(result, str(path), "en")
    check_gold(f"report/{name}.{suffix}", path.read_bytes().decode("utf-8"))
