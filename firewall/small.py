"""Whether captures are so small that starting interpreted is quicker than loading compiled code."""

from collections.abc import Sequence
from pathlib import Path

SMALL_BYTES = 256 * 1024
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip (RFC 1952), zstd (RFC 8878)
EXPANSION = 16  # a compressed capture is taken to be so many times as large


def is_small(paths: Sequence[str]) -> bool:
    """True where all captures together are small; standard input and pipes are not, a missing file is."""
    total = 0
    for path in map(Path, paths):
        if str(path) == "-" or (path.exists() and not path.is_file()):
            return False
        if not path.exists():
            continue  # the error comes the sooner
        with path.open("rb") as file:
            packed = file.read(4).startswith(COMPRESSED)
        total += path.stat().st_size * (EXPANSION if packed else 1)
    return total < SMALL_BYTES
