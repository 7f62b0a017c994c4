"""Whether captures are so small that starting interpreted is quicker than loading compiled code."""

from collections.abc import Sequence
from pathlib import Path

from pcaps.paths import S3, is_pattern
from pcaps.unpack import MAGICS

SMALL_BYTES = 256 * 1024
EXPANSION = 16  # a compressed capture is taken to be so many times as large


def is_small(paths: Sequence[str]) -> bool:
    """True where all captures together are small; standard input, pipes, patterns and S3 are not, a missing file is."""
    total = 0
    for name in paths:
        path = Path(name)
        if name == "-" or name.startswith(S3) or is_pattern(name) or (path.exists() and not path.is_file()):
            return False
        if not path.exists():
            continue  # the error comes the sooner
        with path.open("rb") as file:
            packed = file.read(4).startswith(MAGICS)
        total += path.stat().st_size * (EXPANSION if packed else 1)
    return total < SMALL_BYTES
