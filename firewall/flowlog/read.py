"""Flow log files as AWS delivers them: with a line of names (S3) or without (CloudWatch Logs), plain or gzip.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

import glob
import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import BinaryIO, NamedTuple

from firewall.errors import EniwallError, UsageError
from firewall.flowlog.fields import BY_NAME, NOTHING, Field
from firewall.flowlog.logged import ACTIONS, STATUS
from firewall.sources.reading import quoted

LONGEST_LINE = 1 << 16
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
TUPLE = ("srcaddr", "dstaddr", "protocol", "action")
NEEDED = ("interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action")
TIMES = ("start", "end")
MOST = 1 << 63  # what a counter of AWS's holds (INT_64)
#: CloudWatch Logs puts the time of the event in front of each line that it exports.
EXPORTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

Fields = Sequence[str]


class LogError(EniwallError):
    """A file that is no flow log, or one that cannot be compared."""


class Line(NamedTuple):
    """One record; `start` and `end` (Unix seconds) are None where the format has none, `status` is log-status.

    Without data there are no tuple and no counts; status `-`: a record with data whose tuple AWS left out.
    """

    interface: str
    src: str
    dst: str
    src_port: int
    dst_port: int
    protocol: int
    packets: int
    bytes: int
    action: str
    status: str
    start: int | None
    end: int | None


def expanded(paths: Sequence[str]) -> list[str]:
    """The files, patterns replaced by those that match. Raises UsageError where none does."""
    found: list[str] = []
    for path in paths:
        if Path(path).exists() or not glob.has_magic(path):
            found.append(path)
            continue
        matches = sorted(name for name in glob.glob(path, recursive=True) if Path(name).is_file())  # noqa: PTH207  (it takes any pattern)
        if not matches:
            raise UsageError(f"--against {path}: no file matches this pattern")
        found += matches
    return list(dict.fromkeys(found))


def read_log(path: str, fields: Sequence[Field]) -> Generator[Line, None, None]:
    """The records of one file; `fields` are what a file without a line of names has.

    Raises LogError with file and line for what is no flow log record.
    """
    names: Fields = [field.name for field in fields]
    try:
        with _opened(path) as file:
            for number, text in _lines(file, path):
                words = text.split()
                if not words:
                    continue
                if _is_header(words):
                    names = [word.lower().replace("_", "-") for word in words]
                    _check_names(names, path, number)
                    continue
                if number == 1:
                    _check_names(names, path, number)
                yield _line(words, names, f"{path}:{number}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LogError(f"{path}: the gzip file is cut or damaged ({error}); fetch it again") from None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """The file, unpacked if it is packed: told by its first bytes."""
    with Path(path).open("rb") as file:
        head = file.peek(4)[:4]
        if head.startswith(PARQUET):
            raise LogError(f"{path}: a Parquet file; flow logs are read as text: save it as words with spaces between")
        if not head.startswith(GZIP):
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked, io.BufferedReader(unpacked) as buffered:
            yield buffered


def _lines(file: BinaryIO, path: str) -> Iterator[tuple[int, str]]:
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise LogError(f"{path}:{number}: a line of more than {LONGEST_LINE:,} bytes; this is no flow log")
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise LogError(f"{path}:{number}: not text; this is no flow log") from None


def _is_header(words: Sequence[str]) -> bool:
    """A line of names: AWS's own with hyphens, Athena's with underscores."""
    return words[0].lower().replace("_", "-") in BY_NAME


def _check_names(names: Fields, path: str, number: int) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise LogError(
            f"{path}:{number}: without {', '.join(missing)} records cannot be compared; make a flow log that has them"
        )


def _line(words: list[str], names: Fields, place: str) -> Line:
    if len(words) == len(names) + 1 and EXPORTED.fullmatch(words[0]):
        words = words[1:]
    if len(words) != len(names):
        hint = "" if len(words) == 14 else "; a file without a line of names needs --format as the flow log has it"
        raise LogError(f"{place}: {len(words)} fields, expected {len(names)} ({' '.join(names[:4])} ...){hint}")
    found = dict(zip(names, words, strict=True))
    start, end = (_whole(found[name], name, place) if name in found else None for name in TIMES)
    status = found.get("log-status", STATUS[0])
    if status not in STATUS:
        raise LogError(f"{place}: log-status is {quoted(status)}, expected OK, NODATA or SKIPDATA")
    if status == STATUS[0] and NOTHING in [found[name] for name in TUPLE]:
        status = NOTHING
    if status != STATUS[0]:
        return Line(found["interface-id"], "", "", 0, 0, 0, 0, 0, "", status, start, end)
    if found["action"] not in ACTIONS:
        raise LogError(f"{place}: action is {quoted(found['action'])}, expected ACCEPT or REJECT")
    src_port, dst_port, protocol, packets, size = (
        0 if found[name] == NOTHING else _whole(found[name], name, place) for name in NEEDED[3:8]
    )
    src, dst = (_address(found[name], name, place) for name in NEEDED[1:3])
    counts = (src_port, dst_port, protocol, packets, size)
    return Line(found["interface-id"], src, dst, *counts, found["action"], status, start, end)


def _whole(word: str, name: str, place: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 20 and int(word) < MOST):
        raise LogError(f"{place}: {name} is {quoted(word)}, expected a number")
    return int(word)


def _address(word: str, name: str, place: str) -> str:
    text = _normal(word)
    if not text:
        raise LogError(f"{place}: {name} is {quoted(word)}, expected an address")
    return text


@lru_cache(maxsize=1 << 16)
def _normal(word: str) -> str:
    """The address as this program writes it; nothing for what is none."""
    try:
        return str(ip_address(word))
    except ValueError:
        return ""
