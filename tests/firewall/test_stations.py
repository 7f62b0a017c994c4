"""Between the passes of the engine: what waits for the table, and where the loop over rows may stop."""

from pathlib import Path
from typing import Any

import pytest

from firewall import engine
from firewall.engine import Firewall
from firewall.judge import judge_rows
from firewall.stations import WAITING
from firewall.verdict import REASONS
from pcaps.capture import FrameCapture
from pcaps.craft import packets_to_frames, parse

RULES = """
security_groups:
  open:
    ingress: [{protocol: all, source: 0.0.0.0/0}]
    egress: [{protocol: udp, ports: 9, destination: 0.0.0.0/0}]
interfaces:
  eni-a: {addresses: [10.0.1.10], security_groups: [open]}
  eni-b: {addresses: [10.0.2.20], security_groups: [open]}
"""


def test_no_reason_is_taken_for_a_row_that_waits() -> None:
    assert len(REASONS) <= WAITING


def test_the_table_never_grows_between_the_two_interfaces_of_a_packet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stops: list[tuple[int, int]] = []

    def noted(packets: Any, keys: Any, policy: Any, table: Any, settings: Any, full: Any, rows: Any, start: int) -> int:
        stop = judge_rows(packets, keys, policy, table, settings, full, rows, start)
        if stop < len(rows):
            stops.append((int(rows["packet"][stop - 1]), int(rows["packet"][stop])))
        return stop

    monkeypatch.setattr(engine, "judge_rows", noted)
    between = [f'IP(src="10.0.1.10", dst="10.0.2.20")/UDP(sport={port}, dport=9)' for port in range(1000, 2500)]
    frames = packets_to_frames([packet for words in between for packet in parse(words)])
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    firewall = Firewall.from_file(str(rules))
    told = [row for judged in firewall.replay(FrameCapture(frames)) for row in judged.verdicts.reason.tolist()]
    assert len(told) == 3000
    assert stops
    assert all(left != right for left, right in stops)
