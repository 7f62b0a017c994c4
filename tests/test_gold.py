"""What golden files promise: a difference fails, is kept, and says how it is accepted."""

from pathlib import Path

import pytest

from tests import gold
from tests.gold import check_gold


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gold, "GOLD", tmp_path / "gold")
    monkeypatch.setattr(gold, "ACTUAL", tmp_path / "actual")
    monkeypatch.setattr(gold, "accepting", False)


def test_a_difference_is_kept_and_an_agreement_takes_it_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="there is no golden file"):
        check_gold("a/b.txt", "one\r\n")
    assert (tmp_path / "actual/a/b.txt").read_bytes() == b"one\r\n"
    monkeypatch.setattr(gold, "accepting", True)
    check_gold("a/b.txt", "one\r\n")
    monkeypatch.setattr(gold, "accepting", False)
    check_gold("a/b.txt", "one\r\n")
    assert not (tmp_path / "actual/a/b.txt").exists()
    with pytest.raises(AssertionError, match="make update-gold"):
        check_gold("a/b.txt", "two")


def test_what_is_scrubbed_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gold, "accepting", True)
    check_gold("c.txt", "version 1.2", [(r"\d+\.\d+", "N")])
    monkeypatch.setattr(gold, "accepting", False)
    check_gold("c.txt", "version 3.4", [(r"\d+\.\d+", "N")])


def test_folders_of_one_machine_are_scrubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gold, "accepting", True)
    check_gold("d.txt", f"{tmp_path}/rules.yaml and {gold.HERE.parent}/pcaps", folders=[tmp_path])
    assert (tmp_path / "gold/d.txt").read_text() == "rules.yaml and pcaps"
