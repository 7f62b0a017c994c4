"""What the lab takes and keeps at most: each number with its reason. docs/lab.md repeats them."""

MAX_UPLOAD = 128 << 20  # bytes: a record of the largest capture format may have as many (pcaps.limits.MAX_RECORD)
MAX_RULES = 256 << 10  # bytes: a thousand rules, the most that AWS's quotas let an interface have, take some 100 KiB
MAX_OPEN = 64 << 10  # bytes of a request that opens a lesson
MAX_SESSIONS = 8  # captures open at once, in all windows; the one that was not used for longest goes first
MAX_STEPS = 250_000  # in all sessions together, the newest apart: at worst some 4 KiB of memory each, tables included
MAX_ROWS = 1000  # rows in one answer: what a screen shows, many times over
FIRST_ROWS = 200  # rows that come with an opened capture
MAX_NAME = 120  # characters kept of an uploaded file's name


def size_text(size: int) -> str:
    """`128 MiB`, `256 KiB`."""
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
