"""The pytest plugin: assertions that explain themselves, a fixture that replays, and a start that costs nothing."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.packet import Raw

from firewall import Firewall
from firewall.pytest_plugin import assert_allowed, assert_denied, replayed
from pcaps.craft import parse
from pcaps.samples import rules, sample
from tests.firewall.explain_cases import CLIENT, WEB, WEB_RULES, handshake, tcp
from tests.firewall.labs import rule_set

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "numba", "scapy", "rich", "yaml", "firewall.engine"}
FILE = """
from firewall import Firewall

def test_replay(eniwall_replay):
    rows = eniwall_replay({capture!r}, {rules!r})
    assert len(rows) == 56
    assert {{row["verdict"] for row in rows}} == {{"ALLOW", "DENY", "NOT_EVALUATED"}}

def test_ssh_is_open():
    from firewall.pytest_plugin import assert_allowed
    from scapy.layers.inet import IP, TCP
    assert_allowed(Firewall.from_file({rules!r}), IP(src="198.51.100.7", dst="10.0.1.10") / TCP(dport=22, flags="S"))
"""


@pytest.fixture
def firewall() -> Firewall:
    return Firewall(rule_set(WEB_RULES))


SYN = tcp(CLIENT, WEB, 40000, 80, "S")
SSH = tcp(CLIENT, WEB, 40000, 22, "S")


def test_the_table_goes_on_from_assertion_to_assertion(firewall: Firewall) -> None:
    for expression in handshake():
        (explanation,) = assert_allowed(firewall, parse(expression))
    assert explanation.reason == "established"
    (entry,) = firewall.table()
    assert entry.tcp_state == "ESTABLISHED"


def test_several_packets_are_asserted_at_once(firewall: Firewall) -> None:
    packets = [packet for text in handshake() for packet in parse(text)]
    assert [each.reason for each in assert_allowed(firewall, packets)] == ["rule", "established", "established"]


def test_what_is_denied_is_denied_for_the_reason_given(firewall: Firewall) -> None:
    assert_denied(firewall, parse(SSH))
    assert_denied(firewall, parse(SSH), reason="no-ingress-rule")


def test_a_failure_prints_the_explanation(firewall: Firewall) -> None:
    with pytest.raises(pytest.fail.Exception) as failed:
        assert_allowed(firewall, parse(SSH))
    text = str(failed.value)
    assert text.startswith("expected the packet to be allowed, but it is DENY no-ingress-rule\n\nCrafted packet 1, ")
    assert "Closest: web:ingress[1] tcp 22 from 203.0.113.0/24 fails on source only (198.51.100.7)." in text


@pytest.mark.parametrize(
    ("expression", "reason", "message"),
    [
        (SYN, None, "expected the packet to be denied, but it is ALLOW rule"),
        (SYN, "no-ingress-rule", "expected the packet to be denied as no-ingress-rule, but it is ALLOW rule"),
        (SSH, "mid-stream", "expected the packet to be denied as mid-stream, but it is DENY no-ingress-rule"),
        (tcp(CLIENT, "192.0.2.1", 1, 2, "S"), None, "expected the packet to be denied, but it is NOT_EVALUATED"),
    ],
    ids=["allowed", "allowed with a reason", "another reason", "not evaluated"],
)
def test_a_negative_test_fails_where_it_should(
    firewall: Firewall, expression: str, reason: str | None, message: str
) -> None:
    with pytest.raises(pytest.fail.Exception) as failed:
        assert_denied(firewall, parse(expression), reason)
    assert str(failed.value).startswith(message)


def test_no_packet_is_no_assertion(firewall: Firewall) -> None:
    with pytest.raises(pytest.fail.Exception, match="there is no packet to judge"):
        assert_allowed(firewall, [])


@pytest.mark.parametrize("reason", ["no-ingres-rule", "established"])
def test_a_reason_that_no_denial_has_is_a_mistake(firewall: Firewall, reason: str) -> None:
    with pytest.raises(ValueError, match=f"reason='{reason}': write one of no-ingress-rule, no-egress-rule, "):
        assert_denied(firewall, parse(SSH), reason)


def test_a_capture_is_replayed_with_words() -> None:
    found = replayed(sample("web-http"), rules("web-http"), profile="linux", settings={"tcp_loose": "0"})
    assert len(found) == 56


@pytest.mark.compiled_only
def test_the_plugin_works_in_a_project_of_its_own(tmp_path: Path) -> None:
    text = FILE.format(capture=str(sample("web-http")), rules=str(rules("web-http")))
    (tmp_path / "test_rules.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "firewall.pytest_plugin", "-p", "no:cacheprovider", "-q", "."]
    path = {
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
        "ENIWALL_ENGINE": "interpreted",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout
    assert "expected the packet to be allowed, but it is DENY no-ingress-rule" in done.stdout
    assert "Traceback" not in done.stdout
    assert "pytest_plugin.py" not in done.stdout.split("short test summary")[0]


@pytest.mark.compiled_only
def test_the_plugin_loads_nothing_until_it_is_used() -> None:
    program = "import sys, firewall.pytest_plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "firewall.pytest_plugin" in loaded
    assert loaded & HEAVY == set()


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"eniwall": "firewall.pytest_plugin"}


def test_fragments_have_the_verdict_of_their_datagram(tmp_path: Path) -> None:
    def firewall_of(port: int) -> Firewall:
        file = tmp_path / f"{port}.yaml"
        file.write_text(
            f"security_groups: {{g: {{ingress: [{{protocol: udp, ports: {port}, source: 0.0.0.0/0}}], egress: []}}}}\n"
            "interfaces: {eni-1: {addresses: [10.0.1.10], security_groups: [g]}}\n"
        )
        return Firewall.from_file(str(file))

    whole = IP(src=CLIENT, dst="10.0.1.10", id=7) / UDP(sport=40000, dport=53) / Raw(b"x" * 64)
    pieces = list(fragment(whole, fragsize=24))  # type: ignore[no-untyped-call]  # of scapy
    assert_allowed(firewall_of(53), pieces)
    with pytest.raises(pytest.fail.Exception, match="DENY no-ingress-rule"):
        assert_allowed(firewall_of(54), pieces)
    with pytest.raises(pytest.fail.Exception, match="ALLOW rule"):
        assert_denied(firewall_of(53), pieces)
