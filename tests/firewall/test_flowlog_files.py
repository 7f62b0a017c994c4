"""The table of flows of an interval, and the formats, files and words of `eniwall flowlog`."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from docs.markdown import HERE
from firewall.engine import Firewall
from firewall.flowlog.aggregate import FULL, MOST_FLOWS, Aggregator
from firewall.flowlog.fields import BY_NAME, DEFAULT, FIELDS, Facts, read_format
from firewall.flowlog.held import Held
from firewall.flowlog.records import Records, joined, no_records
from firewall.flowlog.write import FlowLog
from firewall.labels import Labels
from pcaps.capture import open_capture
from tests.firewall.flow_logs import NAMES
from tests.firewall.test_cli import WEB, WEB_RULES, Run

START = 1_700_000_400  # a multiple of 600


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


# --- the table of flows ----------------------------------------------------------------------------------
def some_records(rng: np.random.Generator, rows: int, different: int) -> Records:
    columns = {name: np.zeros(rows, column.dtype) for name, column in no_records()._asdict().items()}
    columns |= {
        "src_lo": rng.integers(0, different, rows).astype(np.uint64),
        "ends": rng.integers(0, 3, rows).astype(np.uint64),
        "packets": np.ones(rows, np.int64),
        "bytes": rng.integers(1, 1500, rows),
        "first": rng.integers(0, 1 << 60, rows),
        "flags": 1 << rng.integers(0, 5, rows),
        "order": np.arange(rows),
    }
    columns["last"] = columns["first"]
    return Records(**columns)


def slowly(records: Records) -> list[tuple[int, ...]]:
    """The same, a row at a time."""
    found: dict[tuple[int, ...], list[int]] = {}
    for row in zip(*(column.tolist() for column in records), strict=True):
        key, (packets, size, first, last, flags, reasons, order) = row[:7], row[7:]
        have = found.setdefault(key, [0, 0, first, last, 0, 0, order])
        have[:2] = have[0] + packets, have[1] + size
        have[2:6] = min(have[2], first), max(have[3], last), have[4] | flags, have[5] | reasons
    return [(*key, *values) for key, values in found.items()]


@pytest.mark.parametrize("different", [1, 7, 5000])
def test_flows_are_grouped_as_one_row_at_a_time_would(different: int) -> None:
    rng = np.random.default_rng(different)
    parts = [some_records(rng, rows, different) for rows in (1, 3000, 9000)]
    held = Held(1 << 20)
    assert not any(held.add(part).any() for part in parts)
    whole = joined(parts)
    expected = slowly(whole)
    found = held.records()
    assert sorted(zip(*(column.tolist() for column in found[:13]), strict=True)) == sorted(row[:13] for row in expected)


def test_flows_beyond_the_most_are_given_back() -> None:
    held = Held(10)
    records = some_records(np.random.default_rng(1), 500, 400)
    lost = held.add(records)
    assert held.rows == 10
    assert held.records().packets.sum() + np.count_nonzero(lost) == 500
    kept = held.records()
    again = held.add(records)
    assert (held.rows, again.tolist()) == (10, lost.tolist())
    assert held.records().packets.tolist() == (2 * kept.packets).tolist()


def test_an_interval_with_too_many_flows_is_told_as_skipdata() -> None:
    firewall = Firewall.from_file(WEB_RULES)
    written: list[str] = []
    with open_capture(WEB) as packets:
        names = Labels.of(firewall, packets.names)
        facts = Facts.of(firewall.rule_set, firewall.interfaces, None, None)
        log = FlowLog(Aggregator(600, names.rule, most=2), facts, DEFAULT, written.append)
        for judged in firewall.replay(packets):
            log.write(judged)
        log.finish()
    _, *rows = "".join(written).splitlines()
    assert [row.split()[-2:] for row in rows] == [["ACCEPT", "OK"], ["ACCEPT", "OK"], ["-", "SKIPDATA"]]
    assert log.packets == {"ACCEPT": 10, "REJECT": 0}
    assert log.left_out == {FULL: 44, "not-ip": 2}


# --- formats, files, words -------------------------------------------------------------------------------
def test_the_default_format_has_the_fields_of_version_2_in_awss_order() -> None:
    assert " ".join(field.name for field in DEFAULT) == NAMES
    assert read_format(None) == DEFAULT


def test_every_field_can_be_written_and_the_version_is_the_highest(run: Run) -> None:
    form = " ".join(f"${{{field.name}}}" for field in FIELDS)
    names, *rows = run("flowlog", WEB, "--rules", WEB_RULES, "--format", form).out.splitlines()
    assert names.split() == list(BY_NAME)
    found = [dict(zip(names.split(), row.split(), strict=True)) for row in rows]
    assert {row["version"] for row in found} == {"11"}
    always = {name for name in BY_NAME if all(row[name] == "-" for row in found)}
    assert {field.name for field in FIELDS if field.make is None} <= always


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("", "--format is empty (in double quotes the shell takes ${...} for itself)"),
        ("version srcaddr", "--format: 'version' is no field in ${}: write it as AWS does, in single quotes"),
        ("${version} ${scraddr}", "--format: no field 'scraddr' in a flow log: did you mean srcaddr?"),
        ("${version}${srcaddr}", "--format: '${version}${srcaddr}' is no field in ${}"),
        ("${version} ${version}", "--format: ${version} stands twice"),
        ("${}", "--format: no field '' in a flow log: known here: version"),
        ("${}", f" and {len(BY_NAME) - 20} more"),
    ],
)
def test_a_format_that_cannot_be_is_told(run: Run, form: str, told: str) -> None:
    found = run("flowlog", WEB, "--rules", WEB_RULES, "--format", form)
    assert (found.status, found.out) == (2, "")
    assert told in found.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--account", "12"), "--account '12': write the account's 12 digits"),
        (("--region", "eu central"), "--region 'eu central': write a region's name, such as eu-central-1"),
        (("--json",), "--json reports a comparison: add --against FILE"),
        (("-o", "/nowhere/x.log"), "/nowhere/x.log: the folder /nowhere does not exist; make it first"),
        (("-o", WEB), "this file is an input of the same command"),
        (("--interval", "61"), "'61' is not one of '60', '600'"),
    ],
)
def test_words_that_do_not_fit_are_told(run: Run, words: tuple[str, ...], told: str) -> None:
    found = run("flowlog", WEB, "--rules", WEB_RULES, *words)
    assert (found.status, found.out) == (2, "")
    assert told in found.err


def test_a_file_holds_what_standard_output_would_packed_where_its_name_says_so(run: Run, tmp_path: Path) -> None:
    printed = run("flowlog", WEB, "--rules", WEB_RULES).out
    plain, packed = tmp_path / "web.log", tmp_path / "web.log.gz"
    for path in (plain, packed):
        found = run("flowlog", WEB, "--rules", WEB_RULES, "-o", path)
        assert (found.status, found.out) == (0, "")
        assert found.err.startswith(f"eniwall: wrote {path}: 12 records of 40 packets ACCEPT, 14 packets REJECT\n")
    assert plain.read_text() == gzip.decompress(packed.read_bytes()).decode() == printed
    assert sorted(tmp_path.iterdir()) == [plain, packed]
    assert printed.splitlines()[0] == NAMES


def test_the_page_names_every_option_of_the_command() -> None:
    page = (HERE / "flowlog.md").read_text(encoding="utf-8")
    for word in ("--format", "--interval", "--traffic", "--account", "--region", "--against", "-o"):
        assert f"`{word}" in page, word
    assert f" {MOST_FLOWS:,} flows" in page
