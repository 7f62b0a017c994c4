"""pcapng in full: sections, interfaces, every kind of block, options, clocks and what cannot be, beside tshark."""

import struct
from pathlib import Path

import pytest

from pcaps import limits, reader
from pcaps.batch import INBOUND, OUTBOUND, UNSTATED
from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from tests.pcaps.test_capture_files import ARP, FRAME, block, enhanced, interface, section
from tests.pcaps.wireshark_files import NS, read, seen, tshark

SIZE = len(FRAME)
MICROSECOND = 1000
ORDERS = pytest.mark.parametrize("order", ["<", ">"])
FLAGS, COMMENT = 2, 1
JOURNAL = b"__REALTIME_TIMESTAMP=1418145370000000\nMESSAGE=hello\n"


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def flags(order: str, value: int) -> bytes:
    return option(order, FLAGS, struct.pack(order + "I", value))


def packet(order: str, ticks: int, options: bytes = b"", number: int = 0, frame: bytes = FRAME) -> bytes:
    """An enhanced packet block with options."""
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(order, 6, head + frame + bytes(-len(frame) % 4) + options)


def old_packet(order: str, ticks: int, options: bytes = b"", number: int = 0, drops: int = 0xFFFF) -> bytes:
    """A packet block of type 2, with 16 bits each of interface number and drops count."""
    head = struct.pack(order + "HHIIII", number, drops, ticks >> 32, ticks & 0xFFFFFFFF, SIZE, SIZE)
    return block(order, 2, head + FRAME + bytes(-SIZE % 4) + options)


def simple(order: str, frame: bytes = FRAME, wirelen: int = SIZE) -> bytes:
    return block(order, 3, struct.pack(order + "I", wirelen) + frame)


def written(folder: Path, *blocks: bytes) -> Path:
    path = folder / "a.pcapng"
    path.write_bytes(b"".join(blocks))
    return path


# --- packets ------------------------------------------------------------------------------------------
@ORDERS
def test_the_direction_of_a_packet_is_what_its_flags_say(tmp_path: Path, order: str) -> None:
    path = written(
        tmp_path,
        section(order),
        interface(order),
        packet(order, 1, flags(order, 1)),
        packet(order, 2, flags(order, 2)),
        packet(order, 3, flags(order, 0xFFFC)),
        packet(order, 4, option(order, COMMENT, b"hello") + flags(order, 0xFFFD) + option(order, 0, b"")),
        packet(order, 5, option(order, 0, b"") + flags(order, 1)),  # behind the end of the options
        packet(order, 6),
        old_packet(order, 7, flags(order, 2)),
        packet(order, 8, flags(order, 1) + flags(order, 2)),  # the first counts
    )
    found, warnings = read(path)
    ways = [INBOUND, OUTBOUND, UNSTATED, INBOUND, UNSTATED, UNSTATED, OUTBOUND, INBOUND]
    assert [row.way for row in found] == ways
    assert warnings == []
    assert tshark(path) == found


def test_a_direction_of_both_ways_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, section("<"), interface("<"), packet("<", 1, flags("<", 3)))
    assert [row.way for row in read(path)[0]] == [UNSTATED]


@pytest.mark.parametrize(
    "options",
    [
        struct.pack("<HH", FLAGS, 400) + bytes(4),
        struct.pack("<HH", FLAGS, 0xFFFF),
        option("<", FLAGS, b"\1"),
        struct.pack("<HH", COMMENT, 0) * 5000,
        bytes(3) + b"\1",
    ],
    ids=["too long", "without a value", "one byte", "many empty ones", "garbage"],
)
def test_options_that_cannot_be_state_no_direction_and_cost_no_packet(tmp_path: Path, options: bytes) -> None:
    path = written(tmp_path, section("<"), interface("<"), packet("<", 1, options), packet("<", 2))
    found, warnings = read(path)
    assert [(row.frame, row.way) for row in found] == [(1, UNSTATED), (2, UNSTATED)]
    assert warnings == []


@ORDERS
def test_old_packet_blocks_have_a_number_of_16_bits_and_a_drops_count(tmp_path: Path, order: str) -> None:
    path = written(
        tmp_path, section(order), interface(order), interface(order, options={9: b"\x09"}), old_packet(order, 5)
    )
    with path.open("ab") as file:
        file.write(old_packet(order, 6, number=1, drops=7) + enhanced(order, 1, 8, ARP))
    with open_capture(str(path)) as capture:
        (batch,) = capture.batches()
    assert batch.interface.tolist() == [0, 1, 1]
    assert batch.time.tolist() == [5 * MICROSECOND, 6, 8]
    assert tshark(path) == seen([batch])


def test_a_simple_packet_has_no_time_and_the_first_interface(tmp_path: Path) -> None:
    cut = FRAME[:20]
    path = written(
        tmp_path, section("<"), interface("<", snaplen=20), interface("<"), simple("<", cut), enhanced("<", 1, 9, FRAME)
    )
    with open_capture(str(path)) as capture:
        (batch,) = capture.batches()
    assert (batch.interface.tolist(), batch.time.tolist()) == ([0, 1], [0, 9 * MICROSECOND])
    assert (batch.caplen.tolist(), batch.wirelen.tolist()) == ([20, SIZE], [SIZE, SIZE])
    assert tshark(path) == seen([batch])


def test_more_captured_than_on_the_wire_and_than_the_snap_length_is_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, section("<"), interface("<", snaplen=20), enhanced("<", 0, 1, FRAME, wirelen=10), packet("<", 2)
    )
    found, warnings = read(path)
    assert [(row.caplen, row.wirelen) for row in found] == [(SIZE, 10), (SIZE, SIZE)]
    assert tshark(path) == found
    assert warnings == []


# --- sections and interfaces --------------------------------------------------------------------------
def test_interfaces_are_numbered_through_all_sections_and_keep_their_names(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        section("<"),
        interface("<", options={2: b"eth0", 3: "Büro".encode()}),
        interface("<"),
        packet("<", 1),
        packet("<", 2, number=1),
        section(">"),
        interface(">", options={2: b"ens5\0"}),
        packet(">", 3),
        simple(">"),
        section("<"),
        packet("<", 4)[:0],
        interface("<", 101, options={2: b"tun0"}),
        packet("<", 5, frame=FRAME[14:]),
    )
    with open_capture(str(path)) as capture:
        (batch,) = capture.batches()
        assert capture.interface_names == [{0: "eth0", 2: "ens5", 3: "tun0"}]
        assert capture.interface_descriptions == [{0: "Büro"}]
    assert batch.interface.tolist() == [0, 1, 2, 2, 3]
    assert batch.dst_port.tolist() == [80] * 5
    assert tshark(path) == seen([batch])


def test_names_are_found_by_capture_and_number(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    for path, name, ticks in ((first, b"eth0", 1), (second, b"eth1", 2)):
        path.write_bytes(section("<") + interface("<", options={2: name}) + packet("<", ticks))
    with open_capture(str(first), str(second)) as capture:
        places = [(c, i) for batch in capture.batches() for c, i in zip(batch.capture, batch.interface, strict=True)]
        assert [capture.interface_names[c][i] for c, i in places] == ["eth0", "eth1"]


def test_an_interface_described_between_packets_counts_from_there_on(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        section("<"),
        interface("<"),
        packet("<", 1),
        interface("<", 101),
        packet("<", 2, number=1, frame=FRAME[14:]),
        packet("<", 3),
    )
    found, warnings = read(path)
    assert len(found) == 3
    assert tshark(path) == found
    assert warnings == []


@pytest.mark.parametrize("length", [-1, 4, 0, -5, 1 << 50])
def test_the_length_of_a_section_is_not_needed(tmp_path: Path, length: int) -> None:
    head = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, length))
    path = written(tmp_path, head, interface("<"), packet("<", 1), packet("<", 2))
    found, warnings = read(path)
    assert len(found) == 2
    assert tshark(path) == found
    assert warnings == []


def test_a_section_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    later = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1))
    path = written(tmp_path, section("<"), interface("<"), packet("<", 1), later, interface("<"), packet("<", 2))
    found, warnings = read(path)
    assert len(found) == 1
    assert "behind packet 1: a section of version 2, of which nothing is known" in warnings[0]
    with pytest.raises(CaptureError, match="a section of version 2, of which nothing is known"):
        read(written(tmp_path, later, interface("<"), packet("<", 1)))


@ORDERS
@pytest.mark.parametrize(
    ("kind", "body", "numbered"),
    [
        (4, struct.pack("<HH", 0, 0), False),  # name resolution
        (5, bytes(12), False),  # interface statistics
        (10, bytes(8), False),  # decryption secrets
        (7, b"abcd", False),
        (0x12345678, b"abcd", False),
        (0xBAD, bytes(4), True),
        (0x40000BAD, bytes(4) + b"abcd", True),
        (9, JOURNAL, True),
    ],
    ids=["names", "statistics", "secrets", "type 7", "unknown", "custom", "custom, not copied", "journal"],
)
def test_other_blocks_are_skipped_and_frames_are_numbered_as_wireshark_does(
    tmp_path: Path, order: str, kind: int, body: bytes, *, numbered: bool
) -> None:
    other = block(order, kind, body)
    path = written(tmp_path, section(order), interface(order), other, packet(order, 1), other, other, packet(order, 2))
    found, warnings = read(path)
    assert [row.frame for row in found] == ([2, 5] if numbered else [1, 2])
    assert warnings == []
    assert [row for row in tshark(path) if row.caplen == SIZE] == found


def test_frames_go_on_counting_over_blocks_that_fill_the_buffer(tmp_path: Path) -> None:
    other = block("<", 9, JOURNAL * 2000)
    path = written(tmp_path, section("<"), interface("<"), *[other] * 10, packet("<", 1), *[other] * 3, packet("<", 2))
    with open_capture(str(path)) as capture:
        assert [frame for batch in capture.batches() for frame in batch.frame.tolist()] == [11, 15]
        assert capture.packets == 2


# --- clocks -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("resolution", [0, 3, 6, 7, 9, 0x80, 0x8A, 0x94, 0xA0])
@pytest.mark.parametrize("offset", [0, 5, 1_700_000_000])
def test_clocks_in_both_bases_with_an_offset_are_read_as_tshark_does(
    tmp_path: Path, resolution: int, offset: int
) -> None:
    described = interface("<", options={9: bytes([resolution]), 14: struct.pack("<q", offset)})
    ticks = (2 if resolution & 0x80 else 10) ** (resolution & 0x7F) * 7 // 2
    path = written(tmp_path, section("<"), described, packet("<", ticks), packet("<", 12345))
    found, warnings = read(path)
    if resolution not in (0, 0x80):
        assert found[0].time == int((offset + 3.5) * NS)
    assert tshark(path) == found
    assert warnings == []


def test_picoseconds_are_cut_to_nanoseconds(tmp_path: Path) -> None:
    described = interface("<", options={9: b"\x0c"})
    path = written(tmp_path, section("<"), described, packet("<", 5_000_000_001_999))
    assert [row.time for row in read(path)[0]] == [5_000_000_001]


@pytest.mark.parametrize(
    ("ticks", "offset", "seconds"),
    [
        ((1 << 64) - 1, 0, limits.LATEST),
        (1 << 63, 0, limits.LATEST),
        ((1 << 63) - 1, 0, limits.LATEST),
        (0, -(1 << 63), -limits.LATEST),
        (0, (1 << 63) - 1, limits.LATEST),
    ],
    ids=["all ones", "negative", "largest", "offset down", "offset up"],
)
def test_times_beyond_what_int64_holds_are_clamped_and_counted(
    tmp_path: Path, ticks: int, offset: int, seconds: int
) -> None:
    described = interface("<", options={14: struct.pack("<q", offset)})
    path = written(tmp_path, section("<"), interface("<"), described, packet("<", 1), packet("<", ticks, number=1))
    with open_capture(str(path)) as capture:
        (batch,) = capture.batches()
        assert batch.time.tolist() == [MICROSECOND, seconds * NS]
        assert capture.clamped == 1
        assert [warning.partition(": ")[2][:34] for warning in capture.warnings] == [
            "1 packet has a time that cannot be"
        ]


def test_times_before_1970_are_times(tmp_path: Path) -> None:
    described = interface("<", options={14: struct.pack("<q", -10)})
    path = written(tmp_path, section("<"), described, packet("<", 1_500_000))
    found, warnings = read(path)
    assert [row.time for row in found] == [-8_500_000_000]
    assert warnings == []


# --- what cannot be -----------------------------------------------------------------------------------
def huge(size: int) -> bytes:
    return struct.pack("<II", 0xBAE, size) + bytes(100)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (huge(0xFFFFFFFC), "a block of more than 134,348,800 bytes (MAX_BLOCK)"),
        (huge(0xFFFFFFFF), "a block of more than 134,348,800 bytes (MAX_BLOCK)"),
        (struct.pack("<II", 1, 0xFFFFFFFC) + bytes(100), "a block of more than 134,348,800 bytes (MAX_BLOCK)"),
        (bytes(100), "a length or number that cannot be"),
        (packet("<", 1)[:-4] + struct.pack("<I", 99), "a length or number that cannot be"),
        (packet("<", 1, number=5), "a length or number that cannot be"),
        (block("<", 6, bytes(12)), "a length or number that cannot be"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 0xFFFFFFF0, 0)), "a length or number that cannot be"),
        (block("<", 1, bytes(4)), "an interface description block of less than 8 bytes"),
        (
            interface("<", options={9: b"\x7f"}),
            "ticks more often than 576,460,752,303,423,488 times a second (MAX_TICKS)",
        ),
    ],
    ids=["4 GB", "odd", "interface", "zeros", "two lengths", "no interface", "short", "long", "stub", "clock"],
)
def test_what_cannot_be_ends_the_reading_where_it_stands(tmp_path: Path, bad: bytes, says: str) -> None:
    good = section("<") + interface("<") + packet("<", 1)
    path = written(tmp_path, good, bad, packet("<", 2))
    found, warnings = read(path)
    assert [row.frame for row in found] == [1]
    assert len(warnings) == 1
    assert "behind packet 1: " in warnings[0]
    assert says in warnings[0]
    assert tshark(path)[:1] == found


def test_packets_before_any_interface_are_damage(tmp_path: Path) -> None:
    for early in (simple("<"), packet("<", 1)):
        found, warnings = read(written(tmp_path, section("<"), early, interface("<"), packet("<", 2)))
        assert found == []
        assert "damaged at byte 28" in warnings[0]


def test_a_hundred_thousand_interfaces_are_too_many(tmp_path: Path) -> None:
    path = written(tmp_path, section("<"), interface("<") + packet("<", 1), interface("<") * 100_000, packet("<", 2))
    found, warnings = read(path)
    assert len(found) == 1
    assert "more than 65,536 interfaces in one section (MAX_INTERFACES)" in warnings[0]


def test_sections_do_not_get_around_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_ALL_INTERFACES", 50)
    one = section("<") + interface("<", options={2: b"eth0"}) * 20 + packet("<", 1)
    found, warnings = read(written(tmp_path, one * 5))
    assert len(found) == 2
    assert "interfaces in all sections (MAX_ALL_INTERFACES)" in warnings[0]


def test_a_long_name_is_kept_in_part(tmp_path: Path) -> None:
    named = interface("<", options={2: b"e" * 60_000, 3: "ü".encode() * 30_000})
    with open_capture(str(written(tmp_path, section("<"), named, packet("<", 1)))) as capture:
        assert sum(batch.rows for batch in capture.batches()) == 1
        assert capture.interface_names == [{0: "e" * 256}]
        assert capture.interface_descriptions == [{0: "ü" * 256}]


@pytest.mark.parametrize("before", [1, 300], ids=["within a block of the reader", "over its end"])
def test_an_interface_with_a_known_link_type_may_come_behind_packets_of_an_unknown_one(
    tmp_path: Path, before: int
) -> None:
    unknown = packet("<", 1, frame=bytes(1000))
    late = packet("<", 2, number=1)
    path = written(tmp_path, section("<"), interface("<", link=999), *[unknown] * before, interface("<"), late)
    with open_capture(str(path)) as capture:
        assert sum(batch.rows for batch in capture.batches()) == before + 1


def test_a_capture_of_unknown_link_types_alone_is_refused_when_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path, section("<"), interface("<", link=999), packet("<", 1))
    with open_capture(str(path)) as capture, pytest.raises(CaptureError, match="link type 999 is not decoded"):
        list(capture.batches())
