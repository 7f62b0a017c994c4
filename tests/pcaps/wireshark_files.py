"""What tshark reads of a capture file: numbers, times, lengths and directions of its packets, to compare with."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from pcaps.batch import PacketBatch
from pcaps.capture import open_capture

FIELDS = ("frame.number", "frame.time_epoch", "frame.cap_len", "frame.len", "frame.packet_flags_direction")
NS = 10**9


class Seen(NamedTuple):
    """A packet; its time is 0 where the file states none."""

    frame: int
    time: int
    caplen: int
    wirelen: int
    way: int


def tshark(path: Path | str) -> list[Seen]:
    """Every packet as tshark sees it, as far as it reads the file; the test is skipped where there is none."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    fields = [word for field in FIELDS for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *fields]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return [_seen(line.split("\t")) for line in done.stdout.splitlines()]


def _seen(cells: list[str]) -> Seen:
    frame, epoch, caplen, wirelen, way = cells
    seconds, _, fraction = epoch.partition(".")
    time = int(seconds or 0) * NS + int(fraction or 0) * (-1 if epoch.startswith("-") else 1)
    return Seen(int(frame), time, int(caplen), int(wirelen), int(way or "0", 16))


def seen(batches: list[PacketBatch]) -> list[Seen]:
    """The same of what eniwall read."""
    return [
        Seen(*map(int, row))
        for batch in batches
        for row in zip(batch.frame, batch.time, batch.caplen, batch.wirelen, batch.way, strict=True)
    ]


def read(path: Path | str) -> tuple[list[Seen], list[str]]:
    """What eniwall reads of a capture, and its warnings."""
    with open_capture(str(path)) as capture:
        return seen(list(capture.batches())), list(capture.warnings)
