"""Captures as files: every byte order and clock, compressed or piped, whole, cut or no capture at all."""

import gzip
import io
import random
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pcaps import pcapng_file
from pcaps.batch import BATCH_ROWS, PacketBatch
from pcaps.capture import open_capture
from pcaps.errors import CaptureError, FilterError
from pcaps.limits import LATEST

FRAME = bytes.fromhex(
    "020000000002020000000001080045000028000100004006f0bac6336407"  # IPv4, correct checksum not needed here
    "0a00010a9c4000500000000100000000500220000000000000000000"
)
ARP = bytes.fromhex("ffffffffffff0200000000010806") + bytes(28)
TIMES = ((1, 0), (1, 999_999_999), (4_294_967_295, 123_456_789))


def pcap(frames: list[bytes], order: str = "<", *, nanoseconds: bool = False, link: int = 1) -> bytes:
    """A classic pcap; frame k has time TIMES[k % 3]."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for index, frame in enumerate(frames):
        seconds, ns = TIMES[index % 3]
        out += struct.pack(order + "IIII", seconds, ns if nanoseconds else ns // 1000, len(frame), len(frame)) + frame
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    """A pcapng block with its two lengths."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link: int = 1, options: dict[int, bytes] | None = None, snaplen: int = 0) -> bytes:
    body = struct.pack(order + "HHI", link, 0, snaplen)
    for code, value in (options or {}).items():
        body += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(order, 1, body)


def enhanced(order: str, interface_id: int, ticks: int, frame: bytes, wirelen: int | None = None) -> bytes:
    head = struct.pack(
        order + "IIIII", interface_id, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), wirelen or len(frame)
    )
    return block(order, 6, head + frame)


def read(path: Path | str, bpf: str | None = None) -> tuple[list[PacketBatch], list[str]]:
    with open_capture(str(path), bpf=bpf) as capture:
        batches = list(capture.batches())
        return batches, list(capture.warnings)


def times(batches: list[PacketBatch]) -> list[int]:
    return [int(time) for batch in batches for time in batch.time]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_classic_pcap_in_both_byte_orders_and_clocks(tmp_path: Path, order: str, *, nanoseconds: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap([FRAME, ARP, FRAME], order, nanoseconds=nanoseconds))
    batches, warnings = read(path)
    unit = 1 if nanoseconds else 1000
    assert times(batches) == [seconds * 10**9 + ns // unit * unit for seconds, ns in TIMES]
    assert batches[0].frame.tolist() == [1, 2, 3]
    assert batches[0].caplen.tolist() == [len(FRAME), len(ARP), len(FRAME)]
    assert batches[0].dst_port.tolist() == [80, 0, 80]
    assert warnings == []


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_compression_is_told_by_content_not_by_name(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "named.txt"
    path.write_bytes(pack(pcap([FRAME] * 10_000)))  # type: ignore[operator]  # two functions of one shape
    batches, warnings = read(path)
    assert sum(batch.rows for batch in batches) == 10_000
    assert warnings == []


def test_standard_input_is_read_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pcap([FRAME, FRAME]))))
    with open_capture("-") as capture:
        assert sum(batch.rows for batch in capture.batches()) == 2
        assert capture.names == ("standard input",)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_sections_interfaces_and_unknown_blocks(tmp_path: Path, order: str) -> None:
    other = ">" if order == "<" else "<"
    path = tmp_path / "a"
    path.write_bytes(
        section(order)
        + interface(order, options={2: b"eth0"})
        + interface(order, options={9: b"\x09"})  # if_tsresol: nanoseconds
        + enhanced(order, 0, 5_000_001, FRAME)
        + block(order, 0x0BAD, b"something unknown")
        + enhanced(order, 1, 7_000_000_123, FRAME, wirelen=900)
        + block(order, 3, struct.pack(order + "I", len(FRAME)) + FRAME)  # simple packet block
        + section(other)
        + interface(other, options={9: b"\x8a"})  # ticks of 2**-10 s
        + enhanced(other, 0, 1024 * 3 + 512, ARP)
    )
    batches, warnings = read(path)
    assert times(batches) == [5_000_001_000, 7_000_000_123, 0, 3_500_000_000]
    assert batches[0].interface.tolist() == [0, 1, 0, 2]  # counted through both sections
    assert batches[0].wirelen.tolist() == [len(FRAME), 900, len(FRAME), len(ARP)]
    assert batches[0].frame.tolist() == [1, 3, 4, 5]  # Wireshark numbers the custom block too
    assert warnings == []


@given(
    ticks=st.integers(0, (1 << 63) - 1),
    resolution=st.one_of(st.integers(0, 17), st.integers(0x80, 0x80 + 59)),
    offset=st.integers(-(10**9), 10**9),
)
def test_every_clock_gives_the_exact_nanosecond(ticks: int, resolution: int, offset: int) -> None:
    units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    exact = (ticks // units + offset) * 10**9 + ticks % units * 10**9 // units
    if abs(ticks // units + offset) > LATEST:
        exact = LATEST * 10**9
    frame = enhanced("<", 0, ticks, b"")
    table = np.array([(1, 0, units, offset)], np.int64)
    out = PacketBatch(np.zeros(1, PacketBatch(np.zeros(0, _dtype())).records.dtype))
    data = np.frombuffer(frame, np.uint8).copy()
    offsets, links = np.zeros(1, np.int64), np.zeros(1, np.int32)
    pcapng_file.walk_pcapng(data, 0, len(data), False, table, 0, 1, out.records, offsets, links)
    assert int(out.time[0]) == exact


def _dtype() -> np.dtype[np.void]:
    from pcaps.batch import PACKET

    return PACKET


@given(cut=st.integers(24, 24 + 3 * (16 + len(FRAME))))
def test_a_cut_capture_is_read_up_to_the_cut_and_says_so(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.pcap"
    path.write_bytes(pcap([FRAME] * 3)[:cut])
    whole, rest = divmod(cut - 24, 16 + len(FRAME))
    batches, warnings = read(path)
    assert sum(batch.rows for batch in batches) == whole
    if rest:
        place = f"packet {whole + 1} ({rest} bytes of it, from byte {cut - rest})"
        assert warnings == [f"{path}: cut in the middle of {place}; {whole} packets were read"]
    else:
        assert warnings == []


def test_a_cut_gzip_file_is_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap.gz"
    packed = gzip.compress(pcap([FRAME + bytes(range(256)) * 4] * 2000))
    path.write_bytes(packed[: len(packed) // 2])
    batches, warnings = read(path)
    assert 0 < sum(batch.rows for batch in batches) < 2000
    assert len(warnings) == 1
    assert "compressed data is damaged or cut" in warnings[0]


def test_a_small_cut_gzip_file_is_read_up_to_the_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap.gz"
    frames = [FRAME + random.Random(number).randbytes(200) for number in range(20)]
    packed = gzip.compress(pcap(frames))
    path.write_bytes(packed[: len(packed) // 2])
    batches, warnings = read(path)
    assert 5 < sum(batch.rows for batch in batches) < 15
    assert "compressed data is damaged or cut" in warnings[0]


def test_a_length_that_cannot_be_ends_the_reading_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([FRAME]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 60) + bytes(100))
    batches, warnings = read(path)
    assert sum(batch.rows for batch in batches) == 1
    assert f"damaged at byte {24 + 16 + len(FRAME)}, behind packet 1" in warnings[0]


def test_a_pcapng_packet_of_an_interface_never_described_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(section("<") + interface("<") + enhanced("<", 0, 1, FRAME) + enhanced("<", 9, 1, FRAME))
    batches, warnings = read(path)
    assert sum(batch.rows for batch in batches) == 1
    assert "damaged" in warnings[0]


def test_records_larger_than_the_buffer_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([FRAME, FRAME + bytes(700_000), FRAME]))
    batches, warnings = read(path)
    assert batches[0].caplen.tolist() == [len(FRAME), len(FRAME) + 700_000, len(FRAME)]
    assert batches[0].dst_port.tolist() == [80, 80, 80]
    assert warnings == []


@pytest.mark.slow
def test_batches_are_full_and_frames_go_on_counting(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([FRAME] * (BATCH_ROWS + 5)))
    batches, _ = read(path)
    assert [batch.rows for batch in batches] == [BATCH_ROWS, 5]
    assert batches[1].frame.tolist() == list(range(BATCH_ROWS + 1, BATCH_ROWS + 6))


def test_a_header_without_packets_is_an_empty_capture(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([]))
    assert read(path) == ([], [])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes, too short for a capture"),
        (b"hello, this is no capture\n", "not a capture: it starts with text, 'hell'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not a capture: it starts with bytes 89504e47"),
        (pcap([])[:10], "ends inside the 24-byte file header"),
        (gzip.compress(b"not a capture either"), "not a capture"),
        (b"\x1f\x8b\x08\x00garbage", "compressed data is damaged or cut"),
        (pcap([FRAME], link=147), "link type 147 is not decoded"),
        (section("<") + interface("<", 147) + enhanced("<", 0, 0, FRAME), "link type 147 is not decoded"),
        (bytes.fromhex("0a0d0d0a") + bytes(60), "no pcapng section header"),
    ],
    ids=["empty", "text", "png", "half a header", "packed text", "bad gzip", "link type", "pcapng link", "zeros"],
)
def test_what_is_no_capture_ends_in_one_message_with_the_file_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(("name", "says"), [("none.pcap", "no such file"), (".", "is a folder")])
def test_what_cannot_be_opened_names_the_cure(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        open_capture(str(tmp_path / name))


def test_one_unsupported_interface_among_others_costs_only_its_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(
        section("<") + interface("<") + interface("<", 147) + enhanced("<", 0, 0, FRAME) + enhanced("<", 1, 0, FRAME)
    )
    batches, _ = read(path)
    assert batches[0].status.tolist()[1] == 4  # UNSUPPORTED_LINK


def test_a_filter_keeps_frame_numbers_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([ARP, FRAME, ARP, FRAME]))
    with open_capture(str(path), bpf="tcp port 80") as capture:
        (batch,) = capture.batches()
        assert batch.frame.tolist() == [2, 4]
        assert batch.dst_port.tolist() == [80, 80]
        assert (capture.packets, capture.filtered_out) == (4, 2)


def test_a_filter_that_libpcap_does_not_know_is_said_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([FRAME]))
    with pytest.raises(FilterError, match="tcp porrt 80"):
        read(path, bpf="tcp porrt 80")


def test_several_captures_are_merged_by_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    first.write_bytes(pcap([FRAME, FRAME, FRAME]))
    second.write_bytes(pcap([ARP, ARP], nanoseconds=True))
    with open_capture(str(first), str(second)) as capture:
        batches = list(capture.batches())
    assert times(batches) == sorted(times(batches))
    pairs = [(int(c), int(f)) for b in batches for c, f in zip(b.capture, b.frame, strict=True)]
    assert pairs == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3)]


def test_a_clock_that_goes_backwards_keeps_its_files_order(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    first.write_bytes(pcap([FRAME, FRAME, FRAME, FRAME]))  # the fourth is as early as the first
    second.write_bytes(pcap([ARP]))
    with open_capture(str(first), str(second)) as capture:
        order = [int(f) for b in capture.batches() for c, f in zip(b.capture, b.frame, strict=True) if c == 0]
    assert order == [1, 2, 3, 4]
