"""The files that a report rests on, by their SHA-256: who reads it later can tell that they are the same."""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from firewall.labels import encodable
from firewall.sources.findings import Findings
from firewall.sources.folders import rule_files

NOT_A_FILE = "no regular file: it cannot be read a second time"


@dataclass(frozen=True)
class Input:
    """One file: `kind` is capture, rules or events; `sha256` is empty where `note` says why."""

    kind: str
    name: str
    size: int | None = None  # bytes
    sha256: str = ""
    note: str = ""


class Hashing:
    """Sums over files beside the replay, in a thread of its own: hashlib lets go of the interpreter.

    with Hashing() as hashing:
        hashing.start("rules", names)
        ...
        inputs = hashing.inputs()
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._found: list[Future[Input]] = []

    def start(self, kind: str, names: Iterable[str]) -> None:
        """Sum over these files."""
        self._found += [self._pool.submit(hashed, kind, name) for name in names]

    def inputs(self) -> tuple[Input, ...]:
        """All files in the order in which they were started; waits for the last."""
        return tuple(future.result() for future in self._found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def hashed(kind: str, name: str) -> Input:
    """A file with its size and SHA-256 (FIPS 180-4); a pipe or an object in S3 has a note instead."""
    path = Path(name)
    try:
        if not path.is_file():
            return Input(kind, encodable(name), note=NOT_A_FILE)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return Input(kind, encodable(name), file.tell(), sha256)
    except (OSError, ValueError) as error:
        return Input(kind, encodable(name), note=f"cannot be read: {getattr(error, 'strerror', None) or error}")


def rule_file_names(paths: Sequence[str]) -> list[str]:
    """The files that --rules names; a folder stands for those in it, as the reader takes them."""
    return [str(path) for path in rule_files(paths, Findings())]
