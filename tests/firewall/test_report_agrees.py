"""Every format of a report says the same: each sample, and each real capture where there are some."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from docs.report_schema import report_schema
from firewall.errors import EniwallError
from firewall.flowlog.fields import read_format
from firewall.reports.connection_columns import CONNECTION_COLUMNS
from firewall.reports.html_report import html_report
from firewall.reports.json_report import MOST_CONNECTIONS, json_report
from firewall.reports.markdown_report import markdown_report
from firewall.reports.outputs import write_report
from firewall.reports.result import Result
from firewall.reports.terminal import terminal_report
from firewall.run.flowlog import LogWords, run_flowlog
from firewall.run.inputs import Inputs
from firewall.run.replay import run_replay
from firewall.run.report import run_report
from firewall.verdict import VERDICTS
from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from pcaps.samples import sample

SAMPLES = (
    "closed-port",
    "database",
    "dns",
    "https",
    "idle",
    "instance-fetches",
    "iperf3",
    "nmap",
    "ping",
    "ssh",
    "web-http",
)
VALIDATOR = jsonschema.Draft202012Validator(report_schema())
ALL = """\
security_groups:
  all:
    ingress:
      - {protocol: all, source: 0.0.0.0/0}
      - {protocol: all, source: "::/0"}
      - {protocol: tcp, ports: 22, source: 203.0.113.0/24}
    egress: [{protocol: tcp, ports: 80, destination: 0.0.0.0/0}]
"""


class Page(HTMLParser):
    """What the tests need of a page: texts by element id, the JSON of the connections, rows of the first page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tiles: list[str] = []
        self.rows = 0
        self.data: dict[str, Any] = {}
        self._stack: list[dict[str, str | None]] = []
        self._in_body = False
        self._in_data = False
        self._in_tile = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._in_data = named.get("id") == "connections-data"
        self._in_tile = tag == "b"
        if named.get("id") == "connections-body":
            self._in_body = True
        self.rows += self._in_body and tag == "tr"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = self._in_tile = False
        if tag == "tbody":
            self._in_body = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data = json.loads(data)
        if self._in_tile:
            self.tiles.append(data)


def connection_files(result: Result, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The connections of each kind of file, as rows of text; None is an empty cell."""
    for suffix in (".csv", ".jsonl", ".parquet"):
        write_report(result, str(folder / f"connections{suffix}"), "en")
    table = csv.DictReader(io.StringIO((folder / "connections.csv").read_text(encoding="utf-8")))
    lines = (folder / "connections.jsonl").read_text(encoding="utf-8").splitlines()
    frame = pl.read_parquet(folder / "connections.parquet").with_columns(pl.col("time", "last_time").cast(pl.Int64))
    return {
        "csv": [{name: cell or None for name, cell in row.items()} for row in table],
        "jsonl": [_texts(json.loads(line)) for line in lines],
        "parquet": [_texts(row) for row in frame.to_dicts()],
    }


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if cell is None else str(cell) for name, cell in row.items()}


def check_all(result: Result, folder: Path) -> None:
    """All formats of one result beside each other."""
    verdicts = result.summary.verdicts
    told = json.loads(json_report(result))
    VALIDATOR.validate(told)
    assert {name: told["rows"][name] for name in VERDICTS} == verdicts
    over_time = told["report"]["verdicts_over_time"]["rows"]
    assert {name: sum(over_time[name]) for name in VERDICTS} == verdicts

    words = ", ".join(f"{count:,} {name}" for name, count in verdicts.items())
    assert terminal_report(result).splitlines()[0].endswith(words)
    assert " + ".join(f"{count:,} {name}" for name, count in verdicts.items()) in markdown_report(result)
    for language in ("en", "ko"):
        page = Page(html_report(result, language))
        assert page.tiles == [f"{count:,}" for count in verdicts.values()]

    connections = told["connections"]
    files = connection_files(result, folder)
    assert files["csv"] == files["jsonl"] == files["parquet"]
    assert len(files["csv"]) == connections["total"] == page.data.get("total", 0) == result.summary.connections
    assert page.rows == min(50, connections["total"])
    for name, way in (("sent", "sent"), ("received", "received")):
        in_file = sum(int(row[name]) for row in files["csv"])
        assert sum(page.data.get("columns", {}).get(name, [])) == in_file
        if connections["total"] <= MOST_CONNECTIONS:
            assert sum(item[way]["packets"] for item in connections["items"]) == in_file
    by_name = {(row["eni"], row["flow"]): row for row in files["csv"]}
    for item in connections["items"]:
        row = by_name[item["eni"], str(item["flow"])]
        assert (row["state"], row["history"] or "", row["rule"] or "") == (item["state"], item["history"], item["rule"])
        assert (int(row["duration"]), int(row["packet"])) == (item["duration"], item["opened_by"]["packet"])
    opened = sum(rule["connections"] for rule in told["report"]["rules"])
    assert opened == sum(row["rule"] in {rule["rule"] for rule in told["report"]["rules"]} for row in files["csv"])


def check_flow_log(inputs: Inputs, result: Result) -> None:
    """The flow log of the same packets has every row too, or says why not."""
    log = run_flowlog(inputs, LogWords(read_format(None), 60), None, (), "0").log
    assert sum(log.packets.values()) + sum(log.left_out.values()) == result.summary.rows
    assert log.packets["ACCEPT"] <= result.summary.verdicts["ALLOW"]
    assert log.packets["REJECT"] <= result.summary.verdicts["DENY"]


@pytest.mark.parametrize("name", SAMPLES)
def test_formats_agree_on_every_sample(name: str, tmp_path: Path) -> None:
    path = sample(name)
    rules = str(path.parent / f"{name}.yaml")
    inputs = Inputs(captures=(str(path),), rules=(rules,))
    result = run_report(inputs, [], "0")
    assert result.summary.rows
    check_all(result, tmp_path)
    check_flow_log(inputs, result)
    plain = run_replay(inputs, (), "0")
    assert plain.summary.verdicts == result.summary.verdicts
    VALIDATOR.validate(json.loads(json_report(plain)))


@pytest.mark.slow
def test_formats_agree_on_every_real_capture(captures: Path, tmp_path: Path) -> None:
    rules = tmp_path / "all.yaml"
    rules.write_text(ALL)
    checked, connections = 0, 0
    for path in sorted(captures.glob("*.pcap*")):
        address = first_address(path)
        if address is None:
            continue
        inputs = Inputs(captures=(str(path),), rules=(str(rules),), enis=(address,))
        result = run_report(inputs, [], "0")
        check_all(result, tmp_path)
        check_flow_log(inputs, result)
        checked += 1
        connections += result.summary.connections
    assert (checked, connections > 150) == (37, True)


def first_address(path: Path) -> str | None:
    """The destination of a capture's first IP packet; None where there is none, or the capture is refused."""
    from firewall.labels import address_text

    try:
        with open_capture(str(path)) as capture:
            for packets in capture.batches():
                for row in range(packets.rows):
                    if packets.family[row]:
                        return address_text(int(packets.dst_hi[row]), int(packets.dst_lo[row]))
    except (CaptureError, EniwallError):
        pass
    return None


def test_the_page_for_readers_lists_the_columns_of_connection_files() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    table = page.split("## Files of connections")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert tuple(name for cell in cells for name in re.findall(r"`(\w+)`", cell)) == CONNECTION_COLUMNS
