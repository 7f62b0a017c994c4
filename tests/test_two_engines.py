"""Compiled and interpreted, the engine writes the same bytes: every column of every packet and verdict."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from pcaps import samples
from tests.netfilter.generate import CLASSES_ON, draw_trace
from tests.recorded import case_folders

pytestmark = [pytest.mark.slow, pytest.mark.compiled_only]  # it runs both by itself


def digest_lines(engine: str, paths: list[str]) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.engine_digest", *paths],
        env=os.environ | {"ENIWALL_ENGINE": engine},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return run.stdout.splitlines()


def same(paths: list[str]) -> None:
    compiled = digest_lines("compiled", paths)
    assert len(compiled) == 2 * len(paths)
    assert compiled == digest_lines("interpreted", paths)


def test_every_sample() -> None:
    same([str(samples.sample(name)) for name in samples.SAMPLES])


def test_twenty_thousand_generated_packets(tmp_path: Path) -> None:
    paths = []
    for seed in range(8):
        trace = draw_trace(Random(seed), 2500, 60, CLASSES_ON, timed=seed % 2 == 1)
        path = tmp_path / f"seed-{seed}.pcap"
        header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
        records = []
        for index, packet in enumerate(trace.packets):
            seconds, ns = divmod(packet.due + index + 10**9, 10**9)
            records.append(struct.pack("<IIII", seconds, ns, len(packet.frame), len(packet.frame)) + packet.frame)
        path.write_bytes(header + b"".join(records))
        paths.append(str(path))
    same(paths)


def test_every_recorded_case() -> None:
    same([str(folder / "packets.pcap") for folder in case_folders().values()])


def test_every_real_capture(captures: Path) -> None:
    paths = sorted(str(path) for path in captures.glob("*.pcap*"))
    same([path for path in paths if "echo-connections" not in path])  # 80,000 packets of one kind
