"""`eniwall compare` as a command: the two examples in full sentences, files, standard input, hostile names."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firewall.reports.compare_page import compare_html
from firewall.reports.compare_report import compare_terminal
from firewall.reports.compare_result import ComparedResult
from firewall.reports.compare_rules import acl_yaml, rules_yaml
from firewall.reports.compare_texts import COMPARE_TEXTS
from firewall.run.compare import run_compare
from firewall.run.inputs import Inputs
from firewall.sources import load_rules
from pcaps.samples import sample
from tests.firewall.hostile_report import PLANTED

ROOT = Path(__file__).resolve().parents[2]
WEB = ("pcaps/samples/web-http.pcap", "--rules", "pcaps/samples/web-http.yaml")
FETCHES = ("pcaps/samples/instance-fetches.pcap", "--rules", "pcaps/samples/instance-fetches.yaml")
THREE = ("--as", "sg,stateless,nacl")

pytestmark = pytest.mark.compiled_only


def run(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "firewall.cli", "compare", *words]
    environment = os.environ | {"ENIWALL_ENGINE": "interpreted"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, input=stdin, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def section(text: str, heading: str) -> list[str]:
    """The lines below a heading, until the next empty line."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(heading))
    return lines[start + 1 : lines.index("", start)]


# --- the two examples ------------------------------------------------------------------------------------
def test_a_server_needs_no_rule_for_its_replies_and_a_network_acl_does() -> None:
    done = run(*WEB, *THREE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("56 packets; the verdict differs for 18 packets\n")
    first, second = section(done.stdout, "First difference of each two")
    assert first == (
        "  Packet 4 (10.0.1.10:80 -> 198.51.100.7:58618 tcp, egress at eni-web): sg says ALLOW, because the table holds"
        " its connection, which packet 3 opened under web:ingress[0]; stateless says DENY, because no egress rule"
        " allows tcp to 198.51.100.7, destination port 58618."
    )
    assert second == (
        "  Packet 4 (10.0.1.10:80 -> 198.51.100.7:58618 tcp, egress at eni-web): sg says ALLOW, because the table holds"
        " its connection, which packet 3 opened under web:ingress[0]; nacl says DENY, because no egress entry allows"
        " tcp to 198.51.100.7, destination port 58618, so that acl-eni-web:egress[*] denies it."
    )
    assert section(done.stdout, "Rules that the stateless")[0] == (
        '  - first, at pcaps/samples/web-http.yaml:14, give eni-web the new group too: security_groups: [web, "replies'
        ' eni-web"]'
    )
    assert "\n\nproven: with these rules stateless differs at 0 rows\n\n" in done.stdout
    acls = section(done.stdout, "Network ACL entries")
    assert acls[0] == "  - a rule file to add with --rules"
    assert all(line.startswith("  - ") for line in acls)
    assert ["replayed: with these entries nacl still differs at 1 row", *section(done.stdout, "replayed: ")] == [
        "replayed: with these entries nacl still differs at 1 row",
        "  rows  sg               nacl        by                       first packet                               why",
        (
            "     1  DENY mid-stream  ALLOW rule  acl-eni-web:egress[110]  44  10.0.1.10:22 -> 203.0.113.9:55378 tcp  a"
            " network ACL keeps no state: an entry that lets replies or a service pass lets these pass too"
        ),
    ]


def test_a_client_needs_no_rule_for_its_responses_and_a_network_acl_does() -> None:
    done = run(*FETCHES, *THREE)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = section(done.stdout, "First difference of each two")
    assert "stateless says DENY, because no ingress rule allows tcp from 192.0.2.80, destination port" in first
    assert second.endswith("so that acl-eni-fetcher:ingress[*] denies it.")
    file = section(done.stdout, "The rule file (or: -o nacl.yaml writes it)")
    assert file[-4:] == [
        "      ingress:",
        (
            "        - {number: 100, action: allow, protocol: tcp, ports: 32768-61000, source: 192.0.2.80/32}"
            "  # replies; the range of many Linux kernels, Amazon Linux too"
        ),
        "      egress:",
        "        - {number: 100, action: allow, protocol: tcp, ports: 80, destination: 0.0.0.0/0}  # fetcher:egress[0]",
    ]
    assert "\n\nproven: with these entries nacl differs at 0 rows\n" in done.stdout


def test_who_follows_the_words_for_the_stateless_rules_has_no_difference_left(tmp_path: Path) -> None:
    mine, replies = tmp_path / "web.yaml", tmp_path / "replies.yaml"
    mine.write_text((ROOT / WEB[2]).read_text())
    told = run(WEB[0], "--rules", str(mine))
    (first, _) = section(told.stdout, "Rules that the stateless reading would need")
    found = re.search(rf"at {re.escape(str(mine))}:(\d+), give eni-web the new group too: (.*)", first)
    assert found is not None
    lines = mine.read_text().splitlines()
    lines[int(found[1]) - 1] = lines[int(found[1]) - 1].replace("security_groups: [web]", found[2])
    mine.write_text("\n".join(lines))
    (option,) = re.findall(r"^The rule file \(or: -o replies\.yaml writes it\)$", told.stdout, re.MULTILINE)
    replies.write_text("\n".join(section(told.stdout, option)))  # copied as it is shown
    again = run(WEB[0], "--rules", str(mine), "--rules", str(replies))
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "56 packets; the verdict differs for 0 packets")


def test_beside_network_acls_the_words_that_write_the_stateless_rules_are_given(tmp_path: Path) -> None:
    told = run(*WEB, *THREE).stdout
    (words,) = re.findall(r"^The rule file \(or: (--as .*) replies\.yaml writes it\)$", told, re.MULTILINE)
    written = tmp_path / "replies.yaml"
    assert run(*WEB, *words.split(), str(written)).returncode == 0
    assert section(told, f"The rule file (or: {words}") == [f"  {line}" for line in written.read_text().splitlines()]


def test_the_written_file_is_taken_by_rules_and_the_second_comparison_has_nothing_to_add(tmp_path: Path) -> None:
    written = str(tmp_path / "acl.yaml")
    done = run(*FETCHES, "--as", "sg,nacl", "-o", written)
    assert done.stderr == f"eniwall: wrote the rule file to {written}\n"
    again = run(*FETCHES, "--rules", written, "--as", "nacl,sg", "--json")
    told = json.loads(again.stdout)
    assert told["differences"]["rows"] == 0
    assert told["proofs"]["nacl"]["text"] == "nothing needs to be added, and nacl differs at 0 rows"
    assert told["network_acls"]["in_place_of"] == ["network ACL acl-eni-fetcher"]


# --- files and words -----------------------------------------------------------------------------------------
def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("x.html", "x.json", "x.yml")]
    done = run(*WEB, *[word for path in files for word in ("-o", path)], "--lang", "ko")
    assert done.stderr.splitlines() == [
        f"eniwall: wrote the comparison to {files[0]}",
        f"eniwall: wrote the comparison to {files[1]}",
        f"eniwall: wrote the rule file to {files[2]}",
    ]
    starts = [Path(path).read_text(encoding="utf-8")[:16] for path in files]
    assert starts == ["<!doctype html>\n", '{\n  "compared": ', "security_groups:"]
    assert '<html lang="ko">' in Path(files[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "x.pdf"), "x.pdf: the ending says what to write; use one of .html, .json, .yaml, .yml"),
        (
            ("--as", "stateless,nacl", "-o", "x.yaml"),
            "-o x.yaml: what lets another reading admit what security groups do needs sg in --as",
        ),
        (
            ("--as", "sg,path"),
            "--as sg,path: write two or three different readings of sg, stateless, nacl, with commas",
        ),
        (("-o", WEB[2]), f"-o {WEB[2]}: this file is an input of the same command; write to another name"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_read(words: tuple[str, ...], message: str) -> None:
    done = run("missing.pcap", *WEB, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"eniwall: {message}")


def test_standard_input_is_compared_and_not_proven() -> None:
    done = run("-", *WEB[1:], *THREE, stdin=(ROOT / WEB[0]).read_bytes())
    assert done.returncode == 0
    assert done.stdout.startswith("56 packets; the verdict differs for 18 packets\n")
    assert done.stdout.count("\nnot proven: standard input, or a pipe, cannot be read a second time\n") == 2


def test_crafted_packets_are_proven_too() -> None:
    craft = [
        'IP(src="198.51.100.7")/TCP(sport=40000, dport=80, flags="S")',
        'IP(dst="198.51.100.7")/TCP(sport=80, dport=40000, flags="SA")',
    ]
    done = run(*[word for each in craft for word in ("--craft", each)], *WEB[1:], *THREE)
    assert done.stdout.count("proven: with these") == 2


def test_an_empty_capture_has_nothing_to_compare(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes((ROOT / WEB[0]).read_bytes()[:24])
    done = run(str(empty), *WEB[1:], *THREE)
    assert done.returncode == 0
    assert done.stdout.startswith("0 packets; the verdict differs for 0 packets\n")


def test_without_an_interface_the_busiest_addresses_are_listed(tmp_path: Path) -> None:
    rules = tmp_path / "web.yaml"
    rules.write_text("security_groups: {web: {ingress: [{type: HTTP, source: 0.0.0.0/0}], egress: []}}\n")
    for readings in ("sg,nacl", "nacl,stateless"):
        done = run(WEB[0], "--rules", str(rules), "--as", readings)
        assert (done.returncode, "which address is the interface?" in done.stderr) == (2, True)
    done = run(WEB[0], "--rules", str(rules), "--eni", "10.0.1.10", *THREE)
    assert done.stdout.startswith("56 packets; the verdict differs for 18 packets\n")
    assert '    "subnet-10.0.1.10": {cidrs: [10.0.1.0/28], network_acl: "acl-10.0.1.10"}' in done.stdout


# --- hostile names -----------------------------------------------------------------------------------------
def hostile(folder: Path) -> ComparedResult:
    """web-http compared, every name an attack."""
    capture = folder / f"{PLANTED.replace('/', '%')}.pcap"
    capture.write_bytes(sample("web-http").read_bytes())
    rule = {"protocol": "tcp", "ports": 80, "source": "0.0.0.0/0", "description": PLANTED}
    name = f"{PLANTED} # {{}}: \U0001f600"
    rules = {
        "security_groups": {name: {"ingress": [rule], "egress": []}},
        "interfaces": {name: {"addresses": ["10.0.1.10"], "security_groups": [name]}},
    }
    path = folder / "rules.yaml"
    path.write_text(json.dumps(rules, ensure_ascii=False), encoding="utf-8")
    return run_compare(Inputs((str(capture),), (str(path),)), ("sg", "stateless", "nacl"), "0.0.test")


def test_hostile_names_stay_text_in_files_that_rules_takes(tmp_path: Path) -> None:
    found = hostile(tmp_path)
    assert found.remedy is not None
    added = tmp_path / "added.yaml"
    for text in (acl_yaml(found.remedy), rules_yaml(found.reverse_rules)):
        added.write_text(text, encoding="utf-8")
        loaded = load_rules(str(tmp_path / "rules.yaml"), str(added))
        assert loaded.groups.keys() >= {f"{PLANTED} # {{}}: \U0001f600"}
    page = compare_html(found)
    assert "<img" not in page
    assert "<script" not in page
    assert "&lt;img src=x onerror=" in page
    assert "\x1b" not in compare_terminal(found)


def test_every_text_is_in_both_languages_with_the_same_values() -> None:
    from string import Formatter

    for key, text in COMPARE_TEXTS.items():
        values = [{name for _, name, _, _ in Formatter().parse(each) if name} for each in text]
        assert values[0] == values[1], key
        has_words = any(letter.isalpha() for word, *_ in Formatter().parse(text.en) for letter in word)
        assert not has_words or any("\uac00" <= letter <= "\ud7a3" for letter in text.ko), key
