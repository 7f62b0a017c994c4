"""Captures that are still being written: waited for, given out soon, ended by Ctrl-C or by their removal."""

import gzip
import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from pcaps.capture import FileCapture, open_capture
from pcaps.errors import CaptureError
from pcaps.follow import interrupt_calls
from tests.pcaps.test_capture_files import FRAME, interface, pcap, section
from tests.pcaps.test_pcapng_blocks import packet

HEADER = pcap([])
RULES = """
security_groups:
  web:
    ingress:
      - {type: HTTP, source: 0.0.0.0/0}
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""


@pytest.fixture(autouse=True, scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is timed here is not how long kernels take to load."""
    path = tmp_path_factory.mktemp("warm") / "a.pcap"
    path.write_bytes(HEADER + record(1))
    with open_capture(str(path)) as capture:
        assert sum(batch.rows for batch in capture.batches()) == 1


def record(second: int) -> bytes:
    return struct.pack("<IIII", second, 0, len(FRAME), len(FRAME)) + FRAME


class Writer:
    """Writes to a file from another thread, step by step; `pause` stands between the steps."""

    def __init__(self, path: Path, *steps: bytes | Callable[[], object], pause: float = 0.15) -> None:
        self._path, self._steps, self._pause = path, steps, pause
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            for step in self._steps:
                time.sleep(self._pause)
                if isinstance(step, bytes):
                    file.write(step)
                else:
                    step()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def followed(capture: FileCapture) -> Iterator[list[int]]:
    """The seconds of each batch."""
    for batch in capture.batches():
        yield [when // 10**9 for when in batch.time.tolist()]


def test_packets_written_later_come_later_until_the_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER + record(1))
    steps = (record(2), record(3) + record(4), path.unlink)
    with open_capture(str(path), follow=True) as capture, Writer(path, *steps, pause=0.7):
        found = list(followed(capture))
    assert [second for batch in found for second in batch] == [1, 2, 3, 4]
    assert len(found) >= 3
    assert (capture.warnings, capture.packets, capture.bytes_total) == ([], 4, None)


def test_a_batch_is_given_out_soon_though_packets_keep_coming(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER)
    steps: list[bytes | Callable[[], object]] = [record(number) for number in range(60)]
    with open_capture(str(path), follow=True) as capture, Writer(path, *steps, path.unlink, pause=0.03):
        begin = time.monotonic()
        batches = followed(capture)
        first = next(batches)
        assert time.monotonic() - begin < 1.5  # half a second, on a busy machine too
        assert 0 < len(first) < 60
        assert sum(map(len, batches)) + len(first) == 60


def test_a_record_is_waited_for_where_it_was_written_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER[:10])
    whole = HEADER + record(1) + record(2)
    cuts = [10, 24, 30, 45, 24 + 16 + len(FRAME) + 3, len(whole)]
    steps = [whole[a:b] for a, b in pairwise(cuts)]
    with Writer(path, *steps, path.unlink), open_capture(str(path), follow=True) as capture:
        assert [second for batch in followed(capture) for second in batch] == [1, 2]
        assert capture.warnings == []


def test_an_empty_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.touch()
    with Writer(path, HEADER, record(5), path.unlink), open_capture(str(path), follow=True) as capture:
        assert [second for batch in followed(capture) for second in batch] == [5]


def test_a_followed_pcapng_takes_new_interfaces(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(section("<") + interface("<") + packet("<", 1_000_000))
    late = interface("<", options={2: b"eth1"})
    steps = (late[:9], late[9:], packet("<", 2_000_000, number=1), path.unlink)
    with Writer(path, *steps), open_capture(str(path), follow=True) as capture:
        assert [second for batch in followed(capture) for second in batch] == [1, 2]
        assert capture.interface_names == [{1: "eth1"}]


def test_a_file_that_is_replaced_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER + record(1))

    def rotate() -> None:
        path.rename(tmp_path / "a.pcap.1")
        path.write_bytes(HEADER + record(9))

    with open_capture(str(path), follow=True) as capture, Writer(path, record(2), rotate):
        assert [second for batch in followed(capture) for second in batch] == [1, 2]


def test_a_file_cut_while_it_is_followed_has_ended_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER + record(1) + record(2))
    with open_capture(str(path), follow=True) as capture, Writer(path, lambda: os.truncate(path, 0)):
        assert [second for batch in followed(capture) for second in batch] == [1, 2]
    assert capture.warnings == [
        f"{path}: it has become shorter while it was followed; the 2 packets before that were read"
    ]


def test_stop_ends_the_following_and_an_unfinished_packet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER + record(1) + record(2)[:20])
    with open_capture(str(path), follow=True) as capture, Writer(path, capture.stop):
        assert list(followed(capture)) == [[1]]
    assert capture.warnings[0].startswith(f"{path}: cut in the middle of packet 2 (20 bytes of it")


def test_a_pipe_is_followed_in_small_batches_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Writer(path, HEADER + record(1), record(2), record(3), pause=0.7)
    with writer, open_capture(str(path), follow=True) as capture:
        found = list(followed(capture))
    assert [second for batch in found for second in batch] == [1, 2, 3]
    assert len(found) >= 2


def test_standard_input_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stdin, os.fdopen(write_end, "wb", buffering=0) as writer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stdin))
        writer.write(HEADER + record(1))
        with open_capture("-", follow=True) as capture:
            batches = followed(capture)
            assert next(batches) == [1]
            writer.write(record(2))
            assert next(batches) == [2]
            writer.close()
            assert list(batches) == []


def test_a_pipe_whose_writer_still_has_something_when_stopped_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with path.open("r+b", buffering=0) as kept_open:  # so that the pipe has no end
        kept_open.write(HEADER + record(1))
        with open_capture(str(path), follow=True) as capture:
            batches = followed(capture)
            assert next(batches) == [1]
            capture.stop()
            kept_open.write(record(2))
            assert list(batches) == [[2]]


@contextmanager
def own_handler() -> Iterator[list[int]]:
    """A handler of Ctrl-C that only notes it, as a program that uses the library may have one."""
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_ends_the_following_and_the_next_ones_are_the_programs_own(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(HEADER + record(1))
    with own_handler() as noted:
        with open_capture(str(path), follow=True) as capture, Writer(path, lambda: os.kill(os.getpid(), signal.SIGINT)):
            assert list(followed(capture)) == [[1]]
        assert noted == []
        os.kill(os.getpid(), signal.SIGINT)
        assert noted == [signal.SIGINT]


def test_other_threads_leave_the_interrupt_alone() -> None:
    with own_handler() as noted:
        before = signal.getsignal(signal.SIGINT)
        seen: list[object] = []

        def inside() -> None:
            with interrupt_calls(lambda: None):
                seen.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        assert seen == [before]
        assert noted == []


def test_one_capture_alone_is_followed_and_no_packed_one(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    first.write_bytes(HEADER)
    second.write_bytes(gzip.compress(HEADER))
    with pytest.raises(CaptureError, match="--follow reads one capture, not 2: name the one being written"):
        open_capture(str(first), str(second), follow=True)
    with pytest.raises(CaptureError, match=r"b\.pcap: compressed \(gzip\), which cannot be followed"):
        open_capture(str(second), follow=True)
    with pytest.raises(CaptureError, match="an object in S3 does not grow; leave --follow away"):
        open_capture("s3://bucket/a.pcap", follow=True)


def test_the_command_reports_what_came_until_ctrl_c(tmp_path: Path) -> None:
    path, rules = tmp_path / "a.pcap", tmp_path / "rules.yaml"
    path.write_bytes(HEADER + record(1))
    rules.write_text(RULES, encoding="utf-8")
    rows = tmp_path / "rows.csv"
    words = ("replay", str(path), "--rules", str(rules), "--follow", "--json", "-o", str(rows))
    command = [sys.executable, "-m", "firewall.cli", *words]
    environment = os.environ | {"ENIWALL_ENGINE": "interpreted"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        time.sleep(4)
        with path.open("ab") as file:
            file.write(record(2))
        time.sleep(1)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert '"read": 2' in out or '"packets": 2' in out
    assert rows.read_text().count("\n") == 3
