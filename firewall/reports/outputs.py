"""What `eniwall report` can write: one small class for each kind, chosen by the ending of a file's name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firewall.files import whole_file
from firewall.labels import counted
from firewall.reports.connection_rows import write_connections
from firewall.reports.html_report import check_jinja, html_report
from firewall.reports.json_report import json_report
from firewall.reports.markdown_report import markdown_report
from firewall.reports.result import FileReport, Result
from firewall.reports.rows import check_row_file


@dataclass(frozen=True)
class TextFile:
    """A report that is one text, in a language if it has words."""

    text: Callable[[Result, str], str]
    check: Callable[[], None] = lambda: None

    def write(self, result: Result, path: Path, language: str) -> str:
        """See FileReport."""
        path.write_text(self.text(result, language), encoding="utf-8", newline="\n")
        return "the report"


@dataclass(frozen=True)
class ConnectionFile:
    """All connections, a line or a row each."""

    suffix: str

    def check(self) -> None:
        """Parquet is checked with the file's name."""

    def write(self, result: Result, path: Path, language: str) -> str:  # noqa: ARG002  (columns have no words)
        """See FileReport."""
        return counted(write_connections(result, path, self.suffix), "connection")


REPORTS: dict[str, FileReport] = {
    ".html": TextFile(html_report, check_jinja),
    ".md": TextFile(markdown_report),
    ".json": TextFile(lambda result, _: json_report(result)),
    **{suffix: ConnectionFile(suffix) for suffix in (".csv", ".jsonl", ".parquet")},
}


def check_report_file(path: str) -> None:
    """Raise UsageError, before anything is read, for a report that cannot be written."""
    check_row_file(path, REPORTS)
    REPORTS[_suffix(path)].check()


def write_report(result: Result, path: str, language: str) -> str:
    """Write the report that the ending of `path` names; what was written, in words. Raises EniwallError."""
    with whole_file(path) as part:
        return REPORTS[_suffix(path)].write(result, part, language)


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()
