"""The lab's temporary folder: locked while the lab runs, so that the next one can tell what a killed one left."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":  # there nothing is locked, and nothing that was left is removed
    import fcntl

PREFIX = "eniwall-lab-"
LOCK = "lock"


@contextmanager
def lab_folder() -> Iterator[Path]:
    """A folder for the user's eyes alone, removed at the end of the block; what killed labs left goes first."""
    _remove_left()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        lock = _lock(folder)
        try:
            yield folder
        finally:
            if lock is not None:
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """The open lock: the system frees it with the process, however that ends."""
    if sys.platform == "win32":
        return None
    new = folder / f"{LOCK}.new"
    lock = os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    new.rename(folder / LOCK)  # under its name only once it is locked: another lab may be looking
    return lock


def _remove_left() -> None:
    """Remove the user's own folders of this name whose lock is free; one without a lock is nobody's business here."""
    if sys.platform == "win32":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another's, locked, or gone by now
            _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
