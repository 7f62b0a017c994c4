"""Output files: checked before the work, and under their names only once they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firewall.errors import EniwallError, UsageError


def real_path(path: str) -> Path:
    """Where a name leads through links; links in a circle stay as they are (Path.resolve would raise)."""
    return Path(os.path.realpath(path))


def check_writable(path: str) -> None:
    """Raise UsageError, before anything is read, for a name in no folder, or of one."""
    target = real_path(path)
    if not target.parent.is_dir():
        raise UsageError(f"{path}: the folder {target.parent} does not exist; make it first")
    if target.is_dir():
        raise UsageError(f"{path}: is a folder; name a file in it")


@contextmanager
def whole_file(path: str) -> Iterator[Path]:
    """A name to write to; the file stands under the name `path` when the block ends well.

    Raises EniwallError where it cannot be written.
    """
    target = real_path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        raise EniwallError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
