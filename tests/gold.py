"""Golden files: whole outputs as they were looked at and accepted, in tests/gold.

    check_gold("report/web-http.md", text)

What differs is kept in tests/actual under the same name; `make update-gold` accepts it. tests/gold/README.md
says how to look.
"""

import re
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOLD, ACTUAL = HERE / "gold", HERE / "actual"

Scrub = tuple[str, str]  # a pattern, and what stands in its place
accepting = False  # set by tests/conftest.py where pytest was given --update-gold


def check_gold(name: str, text: str, scrubs: Iterable[Scrub] = (), folders: Iterable[Path] = ()) -> None:
    """Fail where a text, scrubbed of what may change, is not the accepted one.

    Names of files in `folders`, and in the checkout, stand without them.
    """
    for folder in (*folders, HERE.parent):
        text = text.replace(f"{folder}/", "")
    for pattern, word in scrubs:
        text = re.sub(pattern, word, text, flags=re.DOTALL)
    gold, actual = GOLD / name, ACTUAL / name
    if accepting:
        gold.parent.mkdir(parents=True, exist_ok=True)
        gold.write_text(text, encoding="utf-8", newline="")
        return
    accepted = gold.read_bytes().decode("utf-8") if gold.is_file() else None
    if text == accepted:
        actual.unlink(missing_ok=True)
        return
    actual.parent.mkdir(parents=True, exist_ok=True)
    actual.write_text(text, encoding="utf-8", newline="")
    what = "there is no golden file" if accepted is None else f"differs from tests/gold/{name}"
    raise AssertionError(f"tests/actual/{name}: {what}; look at both, then accept with `make update-gold`")
