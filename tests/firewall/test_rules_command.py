"""`eniwall rules`: what it prints for people and for programs, what it returns, and what it refuses."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firewall import cli
from firewall.reports.rules_report import rules_terminal
from firewall.understood import understand

RULES = """\
security_groups:
  web:
    ingress:
      - {type: HTTPS, source: 0.0.0.0/0}
      - {protocol: tcp, ports: 8000-8080, source: sg:app, description: from the app}
      - {protocol: icmp, icmp: 8/-1, source: pl:office}
      - {protocol: 50, source: sg-9}
    egress:
      - {type: All traffic, destination: 0.0.0.0/0}
  app:
    ingress: []
    egress: []
  spare:
    ingress: []
    egress: []
prefix_lists:
  office: {max_entries: 20, entries: [203.0.113.0/24]}
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
  eni-app: {addresses: [10.0.2.10], security_groups: [app]}
  eni-app2: {addresses: [10.0.2.11], security_groups: [app]}
"""

TEXT = """\
3 security groups with 5 rules, 3 interfaces, 1 prefix list: 1 lint finding, 0 quotas exceeded

Interface eni-web
  eni      addresses  subnet  network ACL
  eni-web  10.0.1.10  -       -
  security groups: web
  ingress: 4 rules
  type                protocol  ports               source                          rule            description   at
  HTTPS               tcp       443                 0.0.0.0/0                       web:ingress[0]                rules.yaml:4
  Custom TCP          tcp       8000-8080           app: 2 interfaces, 2 addresses  web:ingress[1]  from the app  rules.yaml:5
  Custom ICMP - IPv4  icmp      8/any echo request  office: 1 entry                 web:ingress[2]                rules.yaml:6
  Custom Protocol     esp       all                 sg-9: members unknown           web:ingress[3]                rules.yaml:7
  egress: 1 rule
  type         protocol  ports  destination  rule           description  at
  All traffic  all       all    0.0.0.0/0    web:egress[0]               rules.yaml:9
  not tracked (each packet meets the rules, replies too), unless AWS tracks the peer in every case:
  - ingress tcp 443 from 0.0.0.0/0, by web:ingress[0]: web:egress[0] lets all tcp out

2 interfaces with the same groups
  eni       addresses  subnet  network ACL
  eni-app   10.0.2.10  -       -
  eni-app2  10.0.2.11  -       -
  security groups: app
  ingress: none: only replies come in
  egress: none: only replies leave

Security group spare, on no interface
  ingress: none: only replies come in
  egress: none: only replies leave

Prefix lists
  list    family  entries  counts as  version  at
  office  IPv4          1  20 rules   -        rules.yaml:17

Quotas
  quota                 of            used         arithmetic
  rules-per-group       web in IPv4   23 of 60     1 block + 2 groups + office 20
  rules-per-group       web in IPv6   2 of 60      2 groups
  rules-per-group       web out IPv4  1 of 60      1 block
  groups-per-interface  eni-web       1 of 5       1 group
  rules-times-groups    all           23 of 1,000  23 rules (web in IPv4) x 1 group (eni-web)
  list-entries          office        1 of 20      1 entry, max_entries 20

Lint: 1 finding
  - rules.yaml:13:3 spare: it is on no interface of these files, and no other group's rule names it: nothing meets its rules; attach it, or delete it [unused-group]
"""  # noqa: E501  # one line, as it is printed to a file

NETWORKS = """\
vpcs:
  vpc-1: {cidrs: [10.0.0.0/16]}
network_acls:
  acl-1:
    ingress:
      - {number: 100, action: allow, protocol: tcp, ports: 443, source: 0.0.0.0/0}
    egress:
      - {number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 0.0.0.0/0}
  acl-2: {ingress: [], egress: []}
subnets:
  subnet-a: {cidr: 10.0.1.0/24, vpc: vpc-1, network_acl: acl-1}
  subnet-b: {cidr: 10.0.2.0/24, vpc: vpc-1, network_acl: acl-2}
"""


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`eniwall rules` in a folder of its own, where the named texts are files."""
    monkeypatch.chdir(tmp_path)

    def rules(*words: str, **files: str) -> Done:
        for name, text in files.items():
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            cli.main(["rules", *(f"{name}.yaml" for name in files), *words])
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capsys.readouterr())

    return rules


# --- text --------------------------------------------------------------------------------------------------
def test_the_report_says_everything_that_was_understood(run: Run) -> None:
    done = run(rules=RULES)
    assert done.out == TEXT
    assert done.err == "eniwall: warning: rules.yaml:7:9 no file says of sg-9 who its members are\n"
    assert done.status == 0


def test_network_acls_end_in_the_entry_that_denies(run: Run) -> None:
    lines = [line.split() for line in run(rules=RULES, net=NETWORKS).out.splitlines()]
    heads = [at for at, line in enumerate(lines) if line[:3] == ["Network", "ACL", "acl-1,"]]
    assert len(heads) == 1
    assert lines[heads[0]] == ["Network", "ACL", "acl-1,", "of", "subnet-a"]
    assert lines[heads[0] + 3 : heads[0] + 5] == [
        ["100", "HTTPS", "tcp", "443", "0.0.0.0/0", "allow", "net.yaml:6"],
        ["*", "All", "traffic", "all", "all", "everywhere", "deny", "-"],
    ]
    assert ["eni-web", "10.0.1.10", "subnet-a", "(10.0.1.0/24)", "acl-1"] in lines
    assert ["subnet-b", "10.0.2.0/24", "vpc-1", "acl-2", "net.yaml:12"] in lines
    assert ["vpc-1", "10.0.0.0/16", "net.yaml:2"] in lines


def test_what_no_file_says_is_unknown_not_guessed(run: Run) -> None:
    rules = """\
security_groups:
  web:
    ingress:
      - {protocol: tcp, ports: 22, source: sg-9}
      - {protocol: tcp, ports: 22, source: pl-9}
    egress: []
"""
    out = run(rules=rules).out
    assert "sg-9: members unknown" in out
    assert "pl-9: entries unknown" in out
    assert "at least 1 of 60" in out
    assert "Security group web, on no interface" in out
    assert "unused-group" not in out


def test_an_address_that_no_file_has_is_an_interface_with_all_groups(run: Run) -> None:
    out = run("--eni", "10.9.9.9", rules=RULES).out
    assert "\n  security groups: web, app, spare\n" in out
    assert "unused-group" not in out


def test_one_interface_shows_what_concerns_it_alone(run: Run) -> None:
    out = run("--eni", "eni-app", rules=RULES, net=NETWORKS).out
    assert out.startswith("1 security group with 0 rules, 1 interface, 1 network ACL: 0 lint findings")
    assert "acl-2" in out
    assert [word for word in ("eni-web", "acl-1", "subnet-a", "office", "spare", "HTTPS") if word in out] == []


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_narrow_terminal_loses_nothing(run: Run, width: int) -> None:
    run(rules=RULES)
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", rules_terminal(understand(["rules.yaml"]), width))
    assert max(map(len, narrow.splitlines())) <= width
    assert {word for word in TEXT.split() if word.isalnum()} - set(narrow.split()) == set()


def test_names_and_descriptions_cannot_steer_the_terminal(run: Run) -> None:
    # The readers refuse control characters; what is printable for Python but turns the line around is escaped.
    rules = RULES.replace("from the app", "'[red]\\[bold] \u202e'")
    done = run(rules=rules)
    assert "\u202e" not in done.out + done.err
    assert done.status == 2 or "[red]\\[bold]" in done.out


# --- status ------------------------------------------------------------------------------------------------
def test_findings_fail_only_where_that_is_asked_for(run: Run) -> None:
    assert run(rules=RULES).status == 0
    assert run("--fail-on", "quota", rules=RULES).status == 0
    assert run("--fail-on", "lint", rules=RULES).status == 1
    assert run("--fail-on", "quota", "--fail-on", "lint", "--json", rules=RULES).status == 1
    assert run("--fail-on", "quota", "--limit", "rules-per-group=22", rules=RULES).status == 1
    silent = "silence: {unused-group: [spare]}\n" + RULES
    done = run("--fail-on", "lint", rules=silent)
    assert done.status == 0
    assert done.out.endswith("Lint: 0 findings\n  silenced by the rule files: unused-group 1\n")


def test_an_exceeded_quota_is_said_first_and_beside_its_sum(run: Run) -> None:
    out = run("--limit", "rules-per-group=22", rules=RULES).out
    assert out.splitlines()[0].endswith("1 lint finding, 1 quota exceeded")
    assert "Quotas: 1 exceeded" in out
    assert "web in IPv4   23 of 22 EXCEEDED " in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--eni", "eni-no"), "eniwall: --eni eni-no: neither an address nor an interface of the rule file"),
        (("--limit", "nothing=1"), "eniwall: --limit nothing: there is no such limit"),
        (("--fail-on", "all"), "Invalid value for '--fail-on'"),
        (("no-such-file.yaml",), "no-such-file.yaml"),
    ],
)
def test_words_that_do_not_fit_are_refused(run: Run, words: tuple[str, ...], message: str) -> None:
    done = run(*words, rules=RULES)
    assert done.status == 2
    assert done.out == ""
    assert message in done.err


def test_a_file_must_be_named_and_its_mistakes_are_told(run: Run) -> None:
    assert run().status == 2
    done = run(rules="security_groups: {web: {ingress: [{protocol: tcp}]}}\n")
    assert done.status == 2
    assert "rules.yaml:1:" in done.err


def test_a_folder_stands_for_its_rule_files(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "rules.yaml").write_text(RULES)
    (folder / "net.yaml").write_text(NETWORKS)
    report = run("both", "--json").report
    assert [acl["id"] for acl in report["network_acls"]] == ["acl-1", "acl-2"]
    assert report["interfaces"][0]["place"] == "both/rules.yaml:19:3"


# --- JSON --------------------------------------------------------------------------------------------------
def test_json_holds_everything_with_its_place(run: Run) -> None:
    report = run("--json", rules=RULES, net=NETWORKS).report
    assert (report["schema"], report["format"]) == ("eniwall.rules", 1)
    web = report["security_groups"][0]
    assert web["ingress"][1] == {
        "rule": "web:ingress[1]",
        "id": None,
        "type": "Custom TCP",
        "protocol": "tcp",
        "ports": [8000, 8080],
        "icmp": None,
        "peer": {
            "kind": "security_group",
            "id": "app",
            "name": "app",
            "known": True,
            "interfaces": 2,
            "addresses": 2,
            "complete": True,
            "peering": None,
            "stale": False,
        },
        "description": "from the app",
        "place": "rules.yaml:5:9",
    }
    assert web["ingress"][2]["icmp"] == {"type": 8, "code": -1, "meaning": "echo request"}
    assert [rule["peer"]["kind"] for rule in web["ingress"]] == [
        "cidr",
        "security_group",
        "prefix_list",
        "security_group",
    ]
    assert web["ingress"][3]["peer"]["known"] is False
    assert report["interfaces"][0]["untracked"] == [
        {
            "direction": "ingress",
            "family": 4,
            "protocol": "tcp",
            "ports": [[443, 443]],
            "rules": ["web:ingress[0]"],
            "because": ["web:egress[0]"],
        }
    ]
    assert report["network_acls"][0]["ingress"][0]["entry"] == "acl-1:ingress[100]"
    assert report["prefix_lists"][0]["entries"] == ["203.0.113.0/24"]
    assert [finding["lint"] for finding in report["lint"]] == ["unused-group"]
    assert report["limits"]["rules-per-group"] == 60
    assert len([usage for usage in report["quotas"] if usage["quota"] == "groups-per-interface"]) == 3
    assert report["warnings"] == ["rules.yaml:7:9 no file says of sg-9 who its members are"]


def test_the_page_names_every_key_of_the_json(run: Run) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "lints.md").read_text(encoding="utf-8").split("## JSON")[1]
    report = run("--json", rules=RULES, net=NETWORKS).report

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            inner = {key for each in value.values() for key in keys(each)}
            return inner if value is report["limits"] else inner | set(value)
        return {key for each in value for key in keys(each)} if isinstance(value, list) else set()

    inside = {"tcp_established_timeout", "udp_stream_timeout", "udp_timeout", "type", "code", "meaning"}
    assert [key for key in sorted(keys(report) - inside) if f"`{key}`" not in page] == []


def test_json_of_a_file_whose_name_is_no_utf8_is_still_json(tmp_path: Path) -> None:
    path = bytes(tmp_path) + b"/r\xff.yaml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123  # a Path cannot be made of these bytes portably
        file.write(RULES)
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"firewall.cli", b"rules", path, b"--json"],
        capture_output=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode("utf-8"))["files"] == [f"{tmp_path}/r\\udcff.yaml"]


def test_the_command_needs_no_engine() -> None:
    code = "import sys; import firewall.understood, firewall.reports.rules_report; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
