"""Connections in a file of their own: CSV, JSON lines or Parquet, written as verdict rows are."""

from pathlib import Path
from typing import TYPE_CHECKING

from firewall.columns import Column
from firewall.reports.connection_columns import CONNECTION_COLUMNS, TIMES, all_connections, connection_columns
from firewall.reports.parquet import frame_of
from firewall.reports.result import Result
from firewall.reports.rows import csv_format, json_lines_format, text_lines

if TYPE_CHECKING:
    import polars as pl

FORMS = {".csv": csv_format(CONNECTION_COLUMNS), ".jsonl": json_lines_format(CONNECTION_COLUMNS)}


def write_connections(result: Result, path: Path, suffix: str) -> int:
    """Write all connections, by interface and number, as `suffix` says; how many there are."""
    found = all_connections(result)
    columns = connection_columns(found, result)
    if suffix in FORMS:
        form = FORMS[suffix]
        path.write_text(form.header + text_lines(columns.values(), form), encoding="utf-8", newline="")
    else:
        _frame(columns).write_parquet(path)
    return len(found.flow)


def _frame(columns: dict[str, Column]) -> "pl.DataFrame":
    import polars as pl

    return frame_of(columns).with_columns(pl.col(name).cast(pl.Datetime("ns")) for name in TIMES)
