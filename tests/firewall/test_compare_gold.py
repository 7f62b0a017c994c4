"""Whole comparisons of samples under three readings, as somebody looked at them and accepted them."""

from functools import cache
from pathlib import Path

import pytest

from firewall.reports.compare_page import compare_html
from firewall.reports.compare_report import compare_terminal
from firewall.reports.compare_result import ComparedResult
from firewall.reports.compare_rules import acl_yaml, rules_yaml
from firewall.run.compare import run_compare
from firewall.run.inputs import Inputs
from tests.firewall.test_report_gold import PAGE_SCRUBS
from tests.gold import check_gold

ROOT = Path(__file__).resolve().parents[2]
#: A server that answers, a client that asks, and both of them simulated.
SAMPLES = ("web-http", "instance-fetches", "database")


@cache
def sample_comparison(name: str) -> ComparedResult:
    inputs = Inputs(captures=(f"pcaps/samples/{name}.pcap",), rules=(f"pcaps/samples/{name}.yaml",))
    return run_compare(inputs, ("sg", "stateless", "nacl"), "0.0.test")


@pytest.fixture(params=SAMPLES)
def named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ComparedResult]:
    monkeypatch.chdir(ROOT)  # files are named as the command line names them
    return request.param, sample_comparison(request.param)


def test_gold_terminal(named: tuple[str, ComparedResult]) -> None:
    name, found = named
    check_gold(f"compare/{name}.txt", compare_terminal(found))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_gold_page(named: tuple[str, ComparedResult], language: str) -> None:
    name, found = named
    check_gold(f"compare/{name}.{language}.html", compare_html(found, language), PAGE_SCRUBS)


def test_gold_rule_files(named: tuple[str, ComparedResult]) -> None:
    name, found = named
    assert found.remedy is not None
    check_gold(f"compare/{name}.nacl.yaml", acl_yaml(found.remedy))
    check_gold(f"compare/{name}.stateless.yaml", rules_yaml(found.reverse_rules))
