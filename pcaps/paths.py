"""Which captures are meant: patterns, and the sets that a rotating tcpdump writes.

Imports nothing heavy: it is asked before an engine is chosen.
"""

import glob
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pcaps.errors import CaptureError

STANDARD_INPUT = "-"
S3 = "s3://"
# tcpdump -C numbers behind the whole name: a.pcap, a.pcap1, a.pcap2; with -W from 0 on, and round and round.
NUMBERED = re.compile(r"(.+\.(?:pcap|pcapng|cap|dump))([0-9]*)((?:\.(?:gz|zst|lz4))?)", re.IGNORECASE | re.DOTALL)
PATTERN = re.compile(r"[*?]|\[.+\]", re.DOTALL)
NEVER = -(1 << 63)  # the start of a capture without packets


def is_pattern(path: str) -> bool:
    """True for what the shell would have expanded: no file's own name, with *, ? or [...] in it."""
    return PATTERN.search(path) is not None and not path.startswith(S3) and not os.path.lexists(path)


def by_number(name: str) -> list[str | int]:
    """A sort key: numbers in names count as numbers, so that a.pcap10 follows a.pcap9."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"([0-9]+)", name))]


def expanded(paths: Sequence[str]) -> list[str]:
    """The captures, patterns replaced by the files that match. Raises CaptureError where none does."""
    found: list[str] = []
    for path in paths:
        found += _matches(path) if is_pattern(path) else [path]
    return found


def _matches(pattern: str) -> list[str]:
    names = glob.glob(pattern)  # noqa: PTH207  (Path.glob knows no absolute pattern and drops a leading ./)
    matches = sorted((name for name in names if not Path(name).is_dir()), key=by_number)
    if not matches:
        raise CaptureError(f"{pattern}: no file matches this pattern; check folder and name with: ls {pattern}")
    return matches


def rotated_sets(paths: Sequence[str]) -> list[list[int]]:
    """The captures by position, those of one rotated set together in the order of their numbers."""
    sets: dict[tuple[str, ...], dict[int, int]] = {}
    for index, path in enumerate(paths):
        match = NUMBERED.fullmatch(path)
        stem, number, packing = match.groups() if match else (path, "", "")
        found = sets.setdefault((stem, packing), {})
        if int(number or -1) in found:  # the same file again is a capture of its own
            sets[stem, packing, str(index)] = {0: index}
        else:
            found[int(number or -1)] = index
    return [[found[number] for number in sorted(found)] for found in sets.values()]


def oldest(starts: Sequence[int]) -> int:
    """Where a numbered set begins: at 0, or where a ring of files (tcpdump -W) was last written over.

    `starts` are the times of the first packets, or NEVER. A clock that was set back makes them fall once
    too, but then the last file does not begin before the first.
    """
    known = [(number, start) for number, start in enumerate(starts) if start != NEVER]
    falls = [number for (_, before), (number, start) in pairwise(known) if start < before]
    return falls[0] if len(falls) == 1 and known[-1][1] <= known[0][1] else 0
