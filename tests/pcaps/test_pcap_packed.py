"""Compressed captures: gzip, zstd and LZ4, in several members, cut, damaged, piped, and made to burst."""

import gzip
import io
import os
import struct
import sys
import threading
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from pcaps import limits, stream
from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from tests.pcaps.test_capture_files import FRAME, pcap
from tests.pcaps.wireshark_files import read, tshark

Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": partial(lz4.frame.compress, content_checksum=True),
}
PACKED = pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
MANY = 5000


def noisy(count: int) -> list[bytes]:
    """Frames that do not compress."""
    return [FRAME + os.urandom(200) for _ in range(count)]


def pcap_header() -> bytes:
    return pcap([])


@PACKED
def test_the_packing_is_told_by_its_first_bytes(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pack(pcap([FRAME] * MANY)))
    found, warnings = read(path)
    assert len(found) == MANY
    assert warnings == []
    assert tshark(path) == found


@PACKED
def test_several_members_are_one_capture(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "a.pcap"
    whole = pcap(noisy(MANY))
    parts = [whole[at : at + 300_001] for at in range(0, len(whole), 300_001)]
    assert len(parts) > 3
    path.write_bytes(b"".join(map(pack, parts)))
    found, warnings = read(path)
    assert len(found) == MANY
    assert warnings == []


@PACKED
@pytest.mark.parametrize("kept", [0.25, 0.5, 0.9])
def test_a_cut_file_is_read_up_to_the_cut_and_says_so(tmp_path: Path, pack: Pack, kept: float) -> None:
    path = tmp_path / "a.pcap"
    packed = pack(pcap(noisy(MANY)))
    path.write_bytes(packed[: int(len(packed) * kept)])
    found, warnings = read(path)
    assert 0.1 * MANY < len(found) < MANY
    assert len(warnings) == 1
    assert "cut" in warnings[0]


@PACKED
def test_damage_in_the_middle_is_told_and_what_came_before_is_read(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "a.pcap"
    packed = bytearray(pack(pcap(noisy(MANY))))
    packed[len(packed) // 2 : len(packed) // 2 + 2000] = bytes(2000)
    path.write_bytes(packed)
    found, warnings = read(path)
    assert len(found) > 100
    assert len(warnings) == 1
    assert "damaged" in warnings[0]


@pytest.mark.parametrize(("name", "check"), [("gzip", "gzip -t"), ("zstd", "zstd -t"), ("lz4", "lz4 -t")])
def test_what_cannot_be_unpacked_at_all_names_the_command_that_checks(tmp_path: Path, name: str, check: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(PACKS[name](b"")[:4] + b"\xff" * 60)
    with pytest.raises(CaptureError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: its compressed data is damaged or cut (")
    assert str(caught.value).endswith(f"; check with {check}")


@PACKED
def test_packed_standard_input_is_unpacked(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(pcap([FRAME] * 3)))))
    with open_capture("-") as capture:
        assert sum(batch.rows for batch in capture.batches()) == 3
        assert capture.warnings == []


@PACKED
def test_a_fifo_is_read_as_it_is_written(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = pack(pcap(noisy(MANY)))

    def write() -> None:
        with path.open("wb") as file:
            for at in range(0, len(data), 4000):
                file.write(data[at : at + 4000])

    writer = threading.Thread(target=write)
    writer.start()
    found, warnings = read(path)
    writer.join()
    assert len(found) == MANY
    assert warnings == []


# --- bombs --------------------------------------------------------------------------------------------
@PACKED
def test_zeros_without_end_are_no_packets(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(pack(pcap([FRAME]) + bytes(300 << 20)))
    assert path.stat().st_size < 3 << 20
    found, warnings = read(path)
    assert limits.MAX_EMPTY <= len(found) < limits.MAX_EMPTY + 2 * stream.BLOCK // 16
    assert len(warnings) == 1
    assert "nothing but zeros for 4,096 packets on end (MAX_EMPTY)" in warnings[0]


def test_a_few_zeros_at_the_end_are_empty_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([FRAME]) + bytes(16 * 100))
    found, warnings = read(path)
    assert len(found) == 101
    assert tshark(path) == found
    assert warnings == []


def test_empty_packets_that_have_times_are_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    empty = b"".join(struct.pack("<IIII", 1, number, 0, 0) for number in range(3 * limits.MAX_EMPTY))
    path.write_bytes(pcap_header() + empty)
    found, warnings = read(path)
    assert len(found) == 3 * limits.MAX_EMPTY
    assert warnings == []


@PACKED
def test_a_bomb_in_one_record_stops_at_the_longest_record(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(pack(pcap([FRAME]) + struct.pack("<IIII", 1, 0, limits.MAX_RECORD + 1, 60) + bytes(32 << 20)))
    tracemalloc.start()
    try:
        found, warnings = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 1
    assert "a packet of more than 134,217,728 bytes (MAX_RECORD)" in warnings[0]
    assert peak < 40 << 20  # a batch of empty rows, and blocks: not the record


@pytest.mark.slow
def test_the_longest_record_bounds_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "long"
    record = struct.pack("<IIII", 1, 0, limits.MAX_RECORD, limits.MAX_RECORD)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(pcap([FRAME]) + record)
        for _ in range(limits.MAX_RECORD >> 20):
            file.write(bytes(1 << 20))
        file.write(pcap([FRAME])[24:])
    tracemalloc.start()
    try:
        found, warnings = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [row.caplen for row in found] == [len(FRAME), limits.MAX_RECORD, len(FRAME)]
    assert warnings == []
    assert peak < 2 * limits.MAX_RECORD + (32 << 20)  # the buffer, and the one that it grew out of


def test_the_buffer_never_grows_beyond_the_longest_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stream, "MOST", 3 * stream.BLOCK)
    path = tmp_path / "long"
    path.write_bytes(pcap([FRAME + bytes(2 * stream.BLOCK), FRAME]))
    with open_capture(str(path)) as capture:
        assert sum(batch.rows for batch in capture.batches()) == 2


def test_a_zstd_frame_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    window_of_2_gib = bytes.fromhex("28b52ffd") + bytes([0x00, (31 - 10) << 3])
    path.write_bytes(window_of_2_gib + b"\x01\x00\x00" + bytes(20))
    with pytest.raises(CaptureError, match="too much memory"):
        read(path)


def test_a_zstd_frame_that_does_not_end_is_told(tmp_path: Path) -> None:
    whole = zstandard.ZstdCompressor().compressobj()
    path = tmp_path / "cut.pcap.zst"
    path.write_bytes(whole.compress(pcap([FRAME] * 20)) + whole.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    with open_capture(str(path)) as capture:
        assert sum(batch.rows for batch in capture.batches()) > 0
        assert [f"{path}: its compressed data is damaged or cut" in warning for warning in capture.warnings] == [True]
