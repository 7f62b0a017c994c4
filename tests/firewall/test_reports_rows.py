"""`-o`: the same seventeen columns in CSV, JSON lines and Parquet, whole files or none."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from firewall.columns import COLUMNS, cell_columns, row_cells
from firewall.errors import UsageError
from firewall.labels import Labels, encodable
from firewall.reports import parquet
from firewall.reports import rows as row_files
from firewall.reports.rows import csv_word, open_rows
from firewall.rows import Judged
from tests.firewall.batches import LABELS, SECOND, SERVER, START, answer, batch, exchange, packet

Cells = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]


def written(path: Path, *batches: Judged, labels: Labels = LABELS) -> str:
    with open_rows(str(path), labels) as writer:
        for judged in batches:
            writer.write(judged)
    return path.read_text(encoding="utf-8") if path.suffix != ".parquet" else ""


def read_back(path: Path) -> list[Cells]:
    """Rows of any of the formats as text or None."""
    if path.suffix == ".jsonl":
        rows: list[Cells] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    elif path.suffix == ".parquet":
        rows = pl.read_parquet(path).with_columns(pl.col("time").cast(pl.Int64)).to_dicts()
    else:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    return [{name: None if value in (None, "") else str(value) for name, value in row.items()} for row in rows]


def test_the_columns_stand_in_their_order(tmp_path: Path) -> None:
    assert written(tmp_path / "rows.csv", exchange()).splitlines()[0].split(",") == list(COLUMNS)
    line = written(tmp_path / "rows.jsonl", exchange()).splitlines()[0]
    assert list(json.loads(line)) == list(COLUMNS)
    written(tmp_path / "rows.parquet", exchange())
    assert pl.read_parquet(tmp_path / "rows.parquet").columns == list(COLUMNS)


def test_a_row_says_everything_in_words(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in written(tmp_path / "rows.jsonl", exchange()).splitlines()]
    assert rows[0] == {
        "capture": "web.pcap",
        "packet": 1,
        "time": START + SECOND,
        "src": "203.0.113.9",
        "dst": "10.0.1.10",
        "protocol": "tcp",
        "src_port": 40000,
        "dst_port": 80,
        "length": 60,
        "eni": "eni-web",
        "direction": "ingress",
        "verdict": "ALLOW",
        "reason": "rule",
        "ct_state": "NEW",
        "tcp_state": "SYN_SENT",
        "flow": 1,
        "rule": "web:ingress[0]",
    }


def test_where_there_is_nothing_the_cell_is_empty(tmp_path: Path) -> None:
    not_ip = written(tmp_path / "rows.csv", exchange()).splitlines()[5]
    assert not_ip == f"web.pcap,5,{START + 5 * SECOND},,,,,,,,,NOT_EVALUATED,not-ip,,,,"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_formats_agree(ending: str, tmp_path: Path) -> None:
    batches = [exchange(), batch((packet("2001:db8::1", "::1", family=6), answer("exempt", rule=-2)), first=6)]
    written(tmp_path / "rows.jsonl", *batches)
    written(tmp_path / f"rows{ending}", *batches)
    rows = read_back(tmp_path / f"rows{ending}")
    assert rows == read_back(tmp_path / "rows.jsonl")
    assert len(rows) == 6


def test_a_parquet_file_of_several_parts_keeps_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 2)
    written(tmp_path / "rows.parquet", *(batch((packet(), answer("rule")), first=frame) for frame in range(1, 8)))
    assert pl.read_parquet(tmp_path / "rows.parquet")["packet"].to_list() == list(range(1, 8))
    assert list(tmp_path.iterdir()) == [tmp_path / "rows.parquet"]


def test_many_rows_of_text_are_told_once_to_be_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(row_files, "MANY_ROWS", 11)
    few, many = [exchange()] * 2, [exchange()] * 5
    written(tmp_path / "few.csv", *few)
    written(tmp_path / "rows.parquet", *many)
    assert capsys.readouterr().err == ""
    written(tmp_path / "many.csv", *many)
    assert capsys.readouterr().err == (
        f"eniwall: {tmp_path}/many.csv: 11 rows, and more come; "
        "text is slow to write: .parquet takes a fraction of the time and of the room\n"
    )


def test_a_part_that_cannot_be_written_is_told_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    program = (
        "import resource, signal, sys\n"
        "from firewall.errors import EniwallError\n"
        "from tests.firewall.test_reports_rows import written, exchange\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n    written(Path(sys.argv[1]), exchange())\n"
        "except EniwallError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{path}: cannot be written: ")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_in_making_columns_is_told_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = cell_columns

    def faulty(cells: Any, *rest: Any) -> Any:
        if len(cells.frame):
            raise ZeroDivisionError("no such column")
        return sound(cells, *rest)

    monkeypatch.setattr(parquet, "cell_columns", faulty)
    with pytest.raises(ZeroDivisionError, match="no such column"):
        written(tmp_path / "rows.parquet", exchange())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_no_packets_make_an_empty_file(ending: str, tmp_path: Path) -> None:
    written(tmp_path / f"rows{ending}")
    assert read_back(tmp_path / f"rows{ending}") == []


def test_icmp_type_and_code_stand_in_the_port_columns() -> None:
    (cells,) = row_cells(batch((packet(ports=(8, 0), protocol=1), answer("rule"))), LABELS)
    assert (cells["protocol"], cells["src_port"], cells["dst_port"]) == ("icmp", 8, 0)


@pytest.mark.parametrize(
    "more",
    [{"protocol": 50}, {"fragment_offset": 1480}, {"status": 5}],
    ids=["no ports", "later fragment", "unreadable"],
)
def test_ports_that_a_packet_does_not_carry_are_empty(more: Cells) -> None:
    (cells,) = row_cells(batch((packet(**more), answer("rule"))), LABELS)
    assert (cells["src_port"], cells["dst_port"]) == (None, None)
    assert cells["dst"] == SERVER


def test_a_protocol_without_a_name_is_a_number() -> None:
    (cells,) = row_cells(batch((packet(protocol=253), answer("rule"))), LABELS)
    assert cells["protocol"] == "253"


def test_the_rule_column_names_rules_and_exempt_services() -> None:
    rows = [(packet(), answer("rule", rule=rule)) for rule in (0, 1, -1, -2)]
    cells = row_cells(batch(*rows), LABELS)
    assert [row["rule"] for row in cells] == ["web:ingress[0]", "web:egress[0]", None, "exempt:amazon-dns"]


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_spreadsheet_takes_no_name_for_a_formula(word: str) -> None:
    assert csv_word(word) == "'" + word


def test_a_capture_named_like_a_formula_stays_text(tmp_path: Path) -> None:
    labels = Labels(('=HYPERLINK("http://192.0.2.1","x").pcap',), *(LABELS.interfaces, LABELS.rules, LABELS.exempt))
    text = written(tmp_path / "rows.csv", exchange(), labels=labels)
    (first, *_) = csv.DictReader(io.StringIO(text, newline=""))
    assert first["capture"] == '\'=HYPERLINK("http://192.0.2.1","x").pcap'


def test_a_name_that_is_no_utf8_can_be_written(tmp_path: Path) -> None:
    labels = Labels((encodable(b"caf\xe9.pcap".decode("utf-8", "surrogateescape")),), *LABELS_REST)
    assert r"caf\udce9.pcap" in written(tmp_path / "rows.csv", exchange(), labels=labels)


LABELS_REST = (LABELS.interfaces, LABELS.rules, LABELS.exempt)


def write_and_fail(path: Path) -> None:
    with open_rows(str(path), LABELS) as writer:
        writer.write(exchange())
        raise ZeroDivisionError


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_an_error_leaves_no_file_and_keeps_the_old_one(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{ending}"
    path.write_text("yesterday's")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(path)
    assert path.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [path]


def test_an_ending_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match=r"rows.txt: .*\.csv, \.jsonl, \.parquet"), open_rows("rows.txt", LABELS):
        pass


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "rows.csv")
    with pytest.raises(UsageError, match="does not exist"), open_rows(path, LABELS):
        pass


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.mkdir()
    with (
        pytest.raises(UsageError, match=r"rows\.csv: is a folder; name a file in it"),
        open_rows(str(path), LABELS),
    ):
        pass


def test_parquet_without_polars_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    path = str(tmp_path / "rows.parquet")
    with (
        pytest.raises(UsageError, match=r"polars; write .csv or .jsonl, or install it .*-m pip install polars"),
        open_rows(path, LABELS),
    ):
        pass


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_format_follows_the_name_given_not_what_a_link_leads_to(ending: str, tmp_path: Path) -> None:
    link, target = tmp_path / f"rows.{ending}", tmp_path / "elsewhere.txt"
    link.symlink_to(target)
    with open_rows(str(link), LABELS) as writer:
        writer.write(exchange())
    assert link.is_symlink()
    assert target.read_text().startswith("capture,packet," if ending == "csv" else '{"capture": "web.pcap"')


def test_links_in_a_circle_end_in_a_file_of_that_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.symlink_to(other)
    other.symlink_to(one)
    with open_rows(str(one), LABELS) as writer:
        writer.write(exchange())
    assert len(one.read_text().splitlines()) == 6
