"""What tests of the lab share: an empty folder for its sessions, and a client that asks it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lab"
    made.mkdir()
    return made


@pytest.fixture
def client(folder: Path) -> "Iterator[TestClient]":
    from tests.firewall.lab import asking

    with asking(folder) as client:
        yield client
