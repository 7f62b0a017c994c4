"""The command line over recorded samples: what it prints, writes and returns."""

import csv
import gzip
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from firewall import cli
from firewall.reports.compare_rules import rules_yaml
from pcaps import ahead, capture

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "pcaps" / "samples"
WEB, WEB_RULES = str(SAMPLES / "web-http.pcap"), str(SAMPLES / "web-http.yaml")
VERDICTS = ("ALLOW", "DENY", "EXEMPT", "NOT_EVALUATED")
ENIWALL = (sys.executable, "-m", "firewall.cli")


class Done(NamedTuple):
    status: int
    out: str
    err: str


class Run:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str | Path) -> Done:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in words])
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *self._capsys.readouterr())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def web(run: Run, *words: str | Path) -> Done:
    done = run("replay", WEB, "--rules", WEB_RULES, *words)
    assert done.status == 0, done.err
    return done


def report(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    return found


def counted(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}


def csv_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- replay ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("event", [None, '{packet: 20, revoke: ["web:ingress[0]"]}'])
def test_threads_change_nothing_that_is_told_or_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str | None
) -> None:
    monkeypatch.setattr(capture, "BATCH_ROWS", 8)  # of 56 packets
    words: list[str | Path] = []
    if event is not None:
        words = ["--events", tmp_path / "events.yaml"]
        (tmp_path / "events.yaml").write_text(f"events:\n  - {event}\n")
    started: list[str] = []
    read_ahead = ahead.read_ahead

    def noted(items: Any) -> Any:
        started.append("a thread")
        return read_ahead(items)

    monkeypatch.setattr(ahead, "read_ahead", noted)
    told = {}
    for threads in ("1", "2"):
        rows = tmp_path / f"{threads}.csv"
        done = web(run, "--threads", threads, "-o", rows, *words)
        told[threads] = done.out, rows.read_text()
        assert len(started) == (0 if threads == "1" else 2)  # one reads, one judges; this one counts and writes
    assert told["1"] == told["2"]


def test_a_fault_in_the_thread_that_judges_is_raised_where_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_words: object) -> None:
        raise ZeroDivisionError("in the engine")

    monkeypatch.setattr("firewall.engine.Firewall._judge_part", faulty)
    with pytest.raises(ZeroDivisionError, match="in the engine"):
        cli.main(["replay", WEB, "--rules", WEB_RULES, "--threads", "2"])
    assert [thread.name for thread in threading.enumerate() if thread.name == "ahead"] == []


def test_every_output_tells_the_same_counts(run: Run, tmp_path: Path) -> None:
    files = {ending: tmp_path / f"rows.{ending}" for ending in ("csv", "jsonl", "parquet")}
    words = [word for path in files.values() for word in ("-o", str(path))]
    text = web(run).out
    counts = report(web(run, "--json", *words))["rows"]
    total = counts.pop("total")
    assert text.startswith(f"{total} packets: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS))
    assert counted(csv_rows(files["csv"])) == counts
    assert counted([json.loads(line) for line in files["jsonl"].read_text().splitlines()]) == counts
    assert counted(pl.read_parquet(files["parquet"]).to_dicts()) == counts
    assert sum(counts.values()) == total > 0


def test_a_web_server_needs_no_rule_for_its_replies(run: Run) -> None:
    found = report(web(run, "--json"))
    assert found["reasons"]["established"] > found["reasons"]["rule"] > 0
    assert found["reasons"]["no-egress-rule"] > 0
    assert found["warnings"] == []


def test_a_filter_leaves_packets_out_and_counts_them(run: Run, tmp_path: Path) -> None:
    everything = report(web(run, "--json"))["packets"]["read"]
    found = report(web(run, "--json", "--filter", "tcp port 22", "-o", tmp_path / "rows.csv"))
    assert 0 < found["packets"]["read"] < everything
    assert found["packets"]["read"] + found["packets"]["filtered_out"] == everything
    done = web(run, "-o", tmp_path / "rows.csv", "--filter", "tcp port 22")
    assert done.err == f"eniwall: wrote {found['rows']['total']} rows to {tmp_path / 'rows.csv'}\n"
    first = csv_rows(tmp_path / "rows.csv")[0]
    assert int(first["packet"]) > 1  # numbers are the capture's


def test_a_compressed_capture_is_read_too(run: Run, tmp_path: Path) -> None:
    packed = tmp_path / "web.pcap"
    packed.write_bytes(gzip.compress(Path(WEB).read_bytes()))
    done = run("replay", packed, "--rules", WEB_RULES, "--json")
    assert report(done)["rows"] == report(web(run, "--json"))["rows"]


def test_several_captures_are_one_replay(run: Run) -> None:
    done = run("replay", WEB, SAMPLES / "ping.pcap", "--rules", WEB_RULES, "--json")
    found = report(done)
    assert len(found["captures"]) == 2
    assert found["packets"]["read"] > report(web(run, "--json"))["packets"]["read"]


def test_an_address_is_an_interface_with_all_groups(run: Run) -> None:
    found = report(web(run, "--eni", "192.0.2.80", "--json"))
    assert found["interfaces"][0]["addresses"] == ["192.0.2.80"]
    assert found["interfaces"][0]["security_groups"] == ["web"]


def test_an_interface_that_never_occurs_is_a_warning(run: Run) -> None:
    done = web(run, "--eni", "10.9.9.9")
    assert "eniwall: warning: --eni 10.9.9.9" in done.err
    assert "; busiest of the first 56 packets: 10.0.1.10 (54, server), " in done.err
    assert "Warnings: 2, on standard error" in done.out


def test_a_setting_is_in_force_and_reported(run: Run) -> None:
    assert report(web(run, "--set", "tcp_loose=0", "--json"))["settings"]["tcp_loose"] == "0"
    assert report(web(run, "--profile", "linux", "--json"))["profile"] == "linux"


CRAFTED = ('IP(src="203.0.113.9", dst="10.0.1.10")/TCP(sport=5000, dport=80, flags="S")',
           'IP(src="10.0.1.10", dst="203.0.113.9")/TCP(sport=80, dport=5000, flags="SA", ack=1)',
           'IP(src="10.0.1.10", dst="198.51.100.1")/TCP(sport=6000, dport=443, flags="S")')  # fmt: skip


def test_crafted_packets_are_judged_in_order(run: Run, tmp_path: Path) -> None:
    words = [word for expression in CRAFTED for word in ("--craft", expression)]
    done = run("replay", *words, "--rules", WEB_RULES, "-o", tmp_path / "rows.jsonl")
    assert done.status == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["verdict"], row["reason"]) for row in rows] == [
        ("ALLOW", "rule"),
        ("ALLOW", "established"),
        ("DENY", "no-egress-rule"),
    ]


# --- compare ---------------------------------------------------------------------------------------
def compared(run: Run, *words: str | Path) -> dict[str, Any]:
    done = run("compare", WEB, "--json", *words)
    assert done.status == 0, done.err
    return report(done)


def test_the_stateless_reading_denies_exactly_the_replies(run: Run) -> None:
    found = compared(run, "--rules", WEB_RULES)
    differences = found["differences"]
    replies = [row for row in differences["items"] if row["sg"]["direction"] == "egress"]
    assert replies == differences["items"]
    assert {row["sg"]["reason"] for row in replies} == {"established"}
    assert {row["stateless"]["reason"] for row in replies} == {"no-egress-rule"}
    sent_by_server = sum(item["received"]["packets"] for item in found["readings"]["sg"]["connections"]["items"])
    assert differences["packets"] == differences["allowed_only_by"]["sg"] == sent_by_server > 0


def without_interfaces(path: Path) -> Path:
    """The web server's rules alone, so that --eni gives the interface every group of all files."""
    path.write_text("security_groups:\n  web:\n    ingress:\n      - {type: HTTP, source: 0.0.0.0/0}\n    egress: []\n")
    return path


def test_with_the_reverse_rules_added_nothing_differs(run: Run, tmp_path: Path) -> None:
    web_rules, replies = without_interfaces(tmp_path / "web.yaml"), tmp_path / "replies.yaml"
    words = ("--rules", web_rules, "--eni", "10.0.1.10")
    found = compared(run, *words)
    assert found["differences"]["packets"] > 0
    replies.write_text(found["reverse_rules"]["rule_file"])
    again = compared(run, *words, "--rules", replies)
    assert again["differences"]["packets"] == 0
    assert again["reverse_rules"]["items"] == []


def test_the_comparison_is_told_in_words(run: Run) -> None:
    done = run("compare", WEB, "--rules", WEB_RULES, "--as", "sg,stateless")
    assert "because the table holds its connection, which packet" in done.out
    assert "because no egress rule allows tcp to" in done.out
    assert "security_groups:" in done.out


def test_an_empty_rule_list_makes_an_empty_file() -> None:
    assert rules_yaml([]) == "security_groups:\n"


# --- in a process of its own -------------------------------------------------------------------------
def test_a_capture_on_standard_input() -> None:
    command = [*ENIWALL, "replay", "-", "--rules", WEB_RULES]
    done = subprocess.run(command, cwd=ROOT, input=Path(WEB).read_bytes(), capture_output=True, check=True)
    assert done.stdout.startswith(b"56 packets: ")


def test_a_comparison_reads_standard_input_once() -> None:
    command = [*ENIWALL, "compare", "-", "--rules", WEB_RULES]
    done = subprocess.run(command, cwd=ROOT, input=Path(WEB).read_bytes(), capture_output=True, check=True)
    assert b"the verdict differs for 18 packets" in done.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [*ENIWALL, "replay", WEB, "--rules", WEB_RULES]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert (process.returncode, b"Traceback" in err, b"BrokenPipe" in err) == (0, False, False)


@pytest.mark.parametrize(
    ("ending", "status", "word"), [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_signal_ends_with_a_word_and_leaves_no_file(
    tmp_path: Path, ending: signal.Signals, status: int, word: str, kind: str
) -> None:
    command = [*ENIWALL, "replay", "-", "--rules", WEB_RULES, "-o", str(tmp_path / f"rows.{kind}")]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    capture = Path(WEB).read_bytes()
    process.stdin.write(capture + capture[24:] * 100)  # many packets behind one header, and the pipe stays open
    process.stdin.flush()
    for _ in range(3000):  # what the pipe cannot hold was read, so the rows' part file comes
        if list(tmp_path.iterdir()):
            break
        time.sleep(0.1)
    process.send_signal(ending)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err.decode().split()[-2:]) == (status, ["eniwall:", word])
    assert list(tmp_path.iterdir()) == []
