"""`eniwall report` as a command: what it writes, where it refuses, what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAPTURE, RULES = "pcaps/samples/web-http.pcap", "pcaps/samples/web-http.yaml"

pytestmark = pytest.mark.compiled_only


def run(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "firewall.cli", "report", *words]
    environment = os.environ | {"ENIWALL_ENGINE": "interpreted"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, input=stdin, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_ending_of_each_file_says_what_is_written(tmp_path: Path) -> None:
    files = [str(tmp_path / f"x.{ending}") for ending in ("html", "md", "json", "csv", "jsonl", "parquet")]
    words = [word for path in files for word in ("-o", path)]
    done = run(CAPTURE, "--rules", RULES, *words)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        *(f"eniwall: wrote the report to {path}" for path in files[:3]),
        *(f"eniwall: wrote 3 connections to {path}" for path in files[3:]),
    ]
    starts = [Path(path).read_bytes()[:4] for path in files]
    assert starts == [b"<!do", b"## S", b"{\n  ", b"eni,", b'{"en', b"PAR1"]
    assert done.stdout.startswith("56 packets: 40 ALLOW, 14 DENY, 0 EXEMPT, 2 NOT_EVALUATED\n")
    assert "\nDenied, by service\n" in done.stdout


def test_json_on_standard_output_and_the_command_in_it() -> None:
    done = run(CAPTURE, "--rules", RULES, "--json")
    told = json.loads(done.stdout)["report"]
    assert told["command"] == f"eniwall report {CAPTURE} --rules {RULES} --json"
    assert [each["kind"] for each in told["inputs"]] == ["rules", "capture"]


def test_standard_input_has_no_sum_and_says_why() -> None:
    done = run("-", "--rules", RULES, "--json", stdin=(ROOT / CAPTURE).read_bytes())
    (capture,) = [each for each in json.loads(done.stdout)["report"]["inputs"] if each["kind"] == "capture"]
    assert capture == {
        "kind": "capture",
        "name": "standard input",
        "bytes": None,
        "sha256": None,
        "note": "no regular file: it cannot be read a second time",
    }


def test_crafted_packets_have_a_report_too(tmp_path: Path) -> None:
    craft = ("--craft", 'IP(src="203.0.113.9")/TCP(dport=22)', "--craft", 'IP(src="198.51.100.7")/TCP(dport=80)')
    done = run(*craft, "--rules", RULES, "-o", str(tmp_path / "x.html"), "-o", str(tmp_path / "x.csv"))
    assert (done.returncode, done.stderr.count("wrote")) == (0, 2)
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "times are in seconds" in page
    assert "fails on port only (22); would admit it: tcp 22 from 203.0.113.9/32" in page


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("x.pdf", "x.pdf: the ending says what to write; use one of .html, .md, .json, .csv, .jsonl, .parquet"),
        ("no/where/x.html", "no/where/x.html: the folder {root}/no/where does not exist; make it first"),
        (CAPTURE, f"-o {CAPTURE}: this file is an input of the same command; write to another name"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_read(output: str, message: str) -> None:
    done = run("missing.pcap", CAPTURE, "--rules", RULES, "-o", output)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"eniwall: {message.format(root=ROOT)}\n"


def test_a_language_that_is_not_there_is_refused() -> None:
    done = run(CAPTURE, "--rules", RULES, "--lang", "fr")
    assert done.returncode == 2
    assert "'fr' is not one of 'en', 'ko'" in done.stderr


def test_a_broken_capture_leaves_no_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"not a capture")
    done = run(str(broken), "--rules", RULES, "-o", str(tmp_path / "x.html"))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.pcap"]
