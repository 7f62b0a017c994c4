"""Several captures: patterns, sets that tcpdump rotated, clocks set back, and hundreds of files with few open."""

import gzip
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from firewall.small import is_small
from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from pcaps.paths import NEVER, by_number, expanded, oldest, rotated_sets
from pcaps.reader import open_reader
from tests.pcaps.test_capture_files import FRAME, pcap

HEADER = pcap([])


def packets(*seconds: int) -> bytes:
    return HEADER + b"".join(struct.pack("<IIII", time, 0, len(FRAME), len(FRAME)) + FRAME for time in seconds)


def made(folder: Path, **files: bytes) -> None:
    """Files by name; `_` stands for the point of a name."""
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)


def order(*paths: Path | str) -> list[tuple[str, int, int]]:
    """The packets as they come: file, frame, second."""
    with open_capture(*map(str, paths)) as capture:
        return [
            (Path(capture.names[c]).name, int(f), int(t) // 10**9)
            for batch in capture.batches()
            for c, f, t in zip(batch.capture, batch.frame, batch.time, strict=True)
        ]


# --- patterns -----------------------------------------------------------------------------------------
def test_a_pattern_that_the_shell_left_alone_is_expanded(tmp_path: Path) -> None:
    made(tmp_path, cap2_pcap=packets(2), cap10_pcap=packets(3), cap1_pcap=packets(1), other_pcap=packets(9))
    (tmp_path / "cap9.pcap").mkdir()
    with open_capture(str(tmp_path / "cap*.pcap")) as capture:
        assert [Path(name).name for name in capture.names] == ["cap1.pcap", "cap2.pcap", "cap10.pcap"]
    assert [row[0] for row in order(tmp_path / "cap[12].pcap")] == ["cap1.pcap", "cap2.pcap"]


def test_a_pattern_without_a_match_says_so(tmp_path: Path) -> None:
    pattern = str(tmp_path / "cap*.pcap")
    with pytest.raises(CaptureError) as caught:
        open_capture(pattern)
    assert str(caught.value) == (f"{pattern}: no file matches this pattern; check folder and name with: ls {pattern}")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "eni[1].pcap"
    path.write_bytes(packets(1))
    (tmp_path / "eni1.pcap").write_bytes(packets(2))
    assert order(path) == [("eni[1].pcap", 1, 1)]


def test_what_is_no_pattern_stays_as_it_is() -> None:
    assert expanded(["-", "a.pcap", "s3://bucket/a*.pcap"]) == ["-", "a.pcap", "s3://bucket/a*.pcap"]


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["a.pcap10", "a.pcap", "a.pcap2", "b", "10", "9", "²"]
    assert sorted(names, key=by_number) == ["9", "10", "a.pcap", "a.pcap2", "a.pcap10", "b", "²"]


def test_a_pattern_and_s3_are_never_small(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(1))
    assert is_small([str(tmp_path / "a.pcap")])
    assert not is_small([str(tmp_path / "*.pcap")])
    assert not is_small(["s3://bucket/key"])


# --- rotated sets -------------------------------------------------------------------------------------
def test_a_set_by_size_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"a.pcap{number or ''}").write_bytes(packets(100 + number, 100 + number))
    found = order(tmp_path / "a.pcap*")
    assert [second for _, _, second in found] == [100 + n for n in range(12) for _ in range(2)]
    assert [name for name, frame, _ in found if frame == 1][-3:] == ["a.pcap9", "a.pcap10", "a.pcap11"]


def test_a_clock_set_back_within_a_set_does_not_mix_its_files(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(100, 110, 120), a_pcap1=packets(105, 115), a_pcap2=packets(125))
    assert [second for _, _, second in order(tmp_path / "a.pcap*")] == [100, 110, 120, 105, 115, 125]
    assert order(tmp_path / "a.pcap2", tmp_path / "a.pcap1", tmp_path / "a.pcap") == order(tmp_path / "a.pcap*")


def test_captures_of_two_machines_are_still_merged_by_time(tmp_path: Path) -> None:
    made(tmp_path, eni1_pcap=packets(100, 120), eni2_pcap=packets(110, 130))
    assert [second for _, _, second in order(tmp_path / "eni*.pcap")] == [100, 110, 120, 130]


def test_a_ring_of_files_begins_with_its_oldest(tmp_path: Path) -> None:
    made(tmp_path, a_pcap0=packets(140), a_pcap1=packets(150), a_pcap2=packets(120), a_pcap3=packets(130))
    assert [second for _, _, second in order(tmp_path / "a.pcap?")] == [120, 130, 140, 150]


def test_a_file_that_tcpdump_has_just_opened_breaks_no_set(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(100), a_pcap1=packets(110), a_pcap2=HEADER)
    assert [second for _, _, second in order(tmp_path / "a.pcap*")] == [100, 110]


def test_packed_sets_are_sets_too(tmp_path: Path) -> None:
    made(tmp_path, a_pcap_gz=gzip.compress(packets(100, 120)), a_pcap1_gz=gzip.compress(packets(110)))
    assert [second for _, _, second in order(tmp_path / "*.gz")] == [100, 120, 110]


def test_names_of_times_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    for hour in (23, 0, 1):  # tcpdump -G 3600 -w web-%H.pcap around midnight
        (tmp_path / f"web-{hour:02}.pcap").write_bytes(packets(100 + (hour + 1) % 24))
    assert [name for name, _, _ in order(tmp_path / "web-*.pcap")] == ["web-23.pcap", "web-00.pcap", "web-01.pcap"]


def test_a_capture_named_twice_is_two_captures(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(100, 120))
    path = tmp_path / "a.pcap"
    assert [second for _, _, second in order(path, path)] == [100, 100, 120, 120]


def test_sets_are_told_by_the_number_behind_the_name() -> None:
    paths = ["x/a.pcap", "x/a.pcap2", "y/a.pcap1", "x/a.pcap10", "cap1.pcap", "cap2.pcap", "x/a.pcap2", "-"]
    assert rotated_sets(paths) == [[0, 1, 3], [2], [4], [5], [6], [7]]


@pytest.mark.parametrize(
    ("starts", "first"),
    [
        ([1, 2, 3], 0),
        ([4, 5, 2, 3], 2),
        ([3, 3, 3], 0),
        ([1, 2, 1, 4], 0),  # a clock that was set back
        ([4, NEVER, 2, 3], 2),
        ([NEVER], 0),
        ([3, 1, 2, 0], 0),
    ],
    ids=["in order", "ring", "equal", "set back", "one is empty", "empty", "chaos"],
)
def test_where_a_set_begins(starts: list[int], first: int) -> None:
    assert oldest(starts) == first


# --- few open -----------------------------------------------------------------------------------------
@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many files were open whenever one more was."""
    live: set[int] = set()
    counts: list[int] = []

    def counting(path: str, *, follow: bool = False) -> object:
        reader = open_reader(path, follow=follow)
        live.add(id(reader))
        close = reader.close

        def closed() -> None:
            live.discard(id(reader))
            close()

        monkeypatch.setattr(reader, "close", closed)
        counts.append(len(live))
        return reader

    monkeypatch.setattr("pcaps.capture.open_reader", counting)
    yield counts
    assert not live


def test_of_hundreds_of_rotated_files_few_are_open_at_once(tmp_path: Path, opened: list[int]) -> None:
    for number in range(150):
        (tmp_path / f"cap-{number}.pcap").write_bytes(packets(1000 + number, 1000 + number))
        (tmp_path / f"set.pcap{number}").write_bytes(packets(1000 + number))
    names = order(tmp_path / "*.pcap*")
    assert len(names) == 450
    assert [second for _, _, second in names] == sorted(second for _, _, second in names)
    assert len(opened) == 600
    assert max(opened) <= 3


def test_files_that_overlap_are_open_while_they_do(tmp_path: Path, opened: list[int]) -> None:
    made(tmp_path, a_pcap=packets(100, 140), b_pcap=packets(110, 130), c_pcap=packets(150), d_pcap=packets(160))
    found = order(*sorted(tmp_path.iterdir()))
    assert [second for _, _, second in found] == [100, 110, 130, 140, 150, 160]
    assert max(opened) <= 2


def test_warnings_counts_and_bytes_of_all_files_are_kept(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(100) + b"cut", b_pcap=packets(110, 111))
    with open_capture(str(tmp_path / "*.pcap")) as capture:
        assert (capture.packets, capture.bytes_read) == (0, 0)
        assert sum(batch.rows for batch in capture.batches()) == 3
        assert capture.packets == 3
        assert capture.bytes_read == capture.bytes_total == sum(path.stat().st_size for path in tmp_path.iterdir())
        assert len(capture.warnings) == 1
        assert "a.pcap: cut in the middle of packet 2" in capture.warnings[0]


def test_a_bad_file_among_many_is_told_before_any_is_read(tmp_path: Path, opened: list[int]) -> None:
    made(tmp_path, a_pcap=packets(100), b_pcap=b"nonsense", c_pcap=packets(110))
    with pytest.raises(CaptureError, match=r"b\.pcap: not a capture"):
        open_capture(str(tmp_path / "*.pcap"))
    assert opened


def test_a_file_that_goes_away_before_its_turn_is_told(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(100), b_pcap=packets(110))
    with open_capture(str(tmp_path / "*.pcap")) as capture:
        (tmp_path / "b.pcap").unlink()
        with pytest.raises(CaptureError, match=r"b\.pcap: no such file"):
            list(capture.batches())


def test_a_pipe_among_files_is_read_once(tmp_path: Path) -> None:
    made(tmp_path, a_pcap=packets(100, 120))
    read_end, write_end = os.pipe()
    os.write(write_end, packets(110))
    os.close(write_end)
    assert [second for _, _, second in order(f"/dev/fd/{read_end}", tmp_path / "a.pcap")] == [100, 110, 120]
    os.close(read_end)
