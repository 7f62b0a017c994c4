"""Folders of rule files, such as one that holds what several AWS CLI commands printed."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from firewall.sources.findings import Findings

SUFFIXES = (".json", ".yaml", ".yml")


def rule_files(paths: Iterable[str | Path], findings: Findings) -> list[str | Path]:
    """The files that paths name, in order: a folder stands for the rule files in it and below it, sorted.

    Hidden files and folders are left out (a Terraform folder keeps its providers' files in one), and
    links to folders are not followed. A folder without rule files is a mistake.
    """
    found: list[str | Path] = []
    for path in paths:
        findings.files.append(str(path))
        if not Path(path).is_dir():
            found.append(path)
            continue
        before = len(findings.problems)
        inside = sorted(_inside(str(path), findings))
        if not inside and len(findings.problems) == before:
            findings.file_error(str(path), f"no rule file is in this folder: {', '.join(SUFFIXES)} are read")
        findings.files += [str(each) for each in inside]
        found += inside
    return found


def _inside(folder: str, findings: Findings) -> Iterator[Path]:
    """The rule files of a folder and of those in it."""

    def refused(error: OSError) -> None:
        findings.file_error(folder, f"{error.filename} cannot be read ({error.strerror})")

    for here, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(here, name)
            # A broken link is named as missing later; pipes and sockets would never end.
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and (path.is_file() or not path.exists()):
                yield path
