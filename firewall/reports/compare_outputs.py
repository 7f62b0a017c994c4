"""What `eniwall compare -o` can write, by the ending of a file's name."""

from collections.abc import Callable
from pathlib import Path

from firewall.errors import UsageError
from firewall.files import whole_file
from firewall.reports.compare_json import compare_json
from firewall.reports.compare_page import compare_html
from firewall.reports.compare_result import ComparedResult
from firewall.reports.compare_rules import acl_yaml, rules_yaml
from firewall.reports.html_report import check_jinja
from firewall.reports.rows import check_row_file

RULE_FILES = (".yaml", ".yml")


def rule_file(compared: ComparedResult) -> str:
    """The network ACLs where they are one of the readings, else the reverse rules."""
    return rules_yaml(compared.reverse_rules) if compared.remedy is None else acl_yaml(compared.remedy)


FILES: dict[str, Callable[[ComparedResult, str], str]] = {
    ".html": compare_html,
    ".json": lambda compared, _: compare_json(compared),
    **dict.fromkeys(RULE_FILES, lambda compared, _: rule_file(compared)),
}


def check_compare_file(path: str, readings: tuple[str, ...]) -> None:
    """Raise UsageError, before anything is read, for a file that cannot be written."""
    check_row_file(path, FILES)
    if _suffix(path) == ".html":
        check_jinja()
    if _suffix(path) in RULE_FILES and "sg" not in readings:
        raise UsageError(f"-o {path}: what lets another reading admit what security groups do needs sg in --as")


def write_compared(compared: ComparedResult, path: str, language: str) -> str:
    """Write what the ending of `path` names; what was written, in words. Raises EniwallError."""
    text = FILES[_suffix(path)](compared, language)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return "the rule file" if _suffix(path) in RULE_FILES else "the comparison"


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()
