"""The lab's temporary folder: what a killed lab left goes with the next one, and nothing else does."""

import signal
import sys
import tempfile
from pathlib import Path

import pytest

from firewall.lab.folder import lab_folder
from tests.firewall.lab import PATIENCE, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is locked there")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for temporary folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def names(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


def test_what_a_killed_lab_left_goes_with_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path) as lab:
        lab.process.send_signal(signal.SIGKILL)
        lab.process.wait(PATIENCE)
    (left,) = names(tmp_path)
    with running(tmp_path):
        (found,) = names(tmp_path)
        assert found != left


def test_a_running_lab_keeps_its_folder(home: Path) -> None:
    with lab_folder() as one, lab_folder() as other:
        assert names(home) == sorted([one.name, other.name])
        assert (one / "lock").stat().st_mode & 0o777 == 0o600
    assert names(home) == []


def test_what_is_no_left_folder_stays(home: Path) -> None:
    kept = home / "kept"
    kept.mkdir()
    (kept / "lock").touch()
    (home / "eniwall-lab-link").symlink_to(kept)
    (home / "eniwall-lab-file").touch()
    (home / "eniwall-lab-without-a-lock").mkdir()
    (home / "eniwall-lab-left").mkdir()
    (home / "eniwall-lab-left" / "lock").touch()
    with lab_folder() as own:
        there = ["eniwall-lab-file", "eniwall-lab-link", "eniwall-lab-without-a-lock", "kept", own.name]
        assert names(home) == sorted(there)
    assert (kept / "lock").exists()
