"""Gold files: what a command printed when somebody last read it and liked it.

A text is scrubbed of what differs between machines and compared with its file. Where they differ, the text
that came is kept below tests/actual, for a diff; `make update-gold` takes what comes as the new gold.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent
UPDATE = "ENIWALL_UPDATE_GOLD"
ROOTS = re.compile(re.escape(str(TESTS.parent)) + "/")


def scrubbed(text: str, folders: Sequence[Path] = ()) -> str:
    """Without the checkout's folder, and without these."""
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    return ROOTS.sub("", text)


def assert_gold(name: str, text: str, folders: Sequence[Path] = ()) -> None:
    """Compare with tests/NAME, or write it where ENIWALL_UPDATE_GOLD is set."""
    gold, actual, text = TESTS / name, TESTS / "actual" / name, scrubbed(text, folders)
    if os.environ.get(UPDATE):
        gold.parent.mkdir(parents=True, exist_ok=True)
        gold.write_text(text, encoding="utf-8")
    wanted = gold.read_text(encoding="utf-8") if gold.exists() else ""
    if text != wanted:
        actual.parent.mkdir(parents=True, exist_ok=True)
        actual.write_text(text, encoding="utf-8")
    assert text == wanted, f"diff tests/{name} tests/actual/{name}; if the new one is right: make update-gold"
