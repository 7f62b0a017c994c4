"""Classic pcap in all its variants: magics, record headers, versions, lengths and clocks, as Wireshark reads them."""

import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from pcaps.reader import open_reader
from tests.pcaps.test_capture_files import FRAME
from tests.pcaps.wireshark_files import NS, read, tshark

SIZE = len(FRAME)
USUAL, NANO, MODIFIED, IXIA_HARDWARE, IXIA_SOFTWARE = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34, 0x1C0001AC, 0x1C0001AB
KUZNETZOV = struct.pack("<IHBB", 2, 0x0800, 0, 0)  # interface 2, IPv4, to this host
SUSE = KUZNETZOV + bytes(4)
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


class Record(NamedTuple):
    seconds: int
    fraction: int
    caplen: int = SIZE
    wirelen: int = SIZE


RECORDS = (Record(1_700_000_000, 0), Record(1_700_000_001, 5, wirelen=1500), Record(1_700_000_002, 999_999))


def capture(
    records: tuple[Record, ...] = RECORDS,
    order: str = "<",
    magic: int = USUAL,
    version: tuple[int, int] = (2, 4),
    link: int = 1,
    snaplen: int = 65535,
    behind: bytes = b"",
    swapped: bool = False,
) -> bytes:
    """A pcap of whole FRAMEs; `behind` ends each record's header, `swapped` puts the wire's length first."""
    out = struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link)
    if magic in (IXIA_HARDWARE, IXIA_SOFTWARE):
        out += struct.pack(order + "I", len(records) * (16 + SIZE))
    for record in records:
        lengths = (record.wirelen, record.caplen) if swapped else (record.caplen, record.wirelen)
        out += struct.pack(order + "IIII", record.seconds, record.fraction, *lengths) + behind + FRAME
    return out


def expected(tick: int = 1000, records: tuple[Record, ...] = RECORDS) -> list[tuple[int, int, int, int]]:
    return [
        (number, record.seconds * NS + record.fraction * tick, record.caplen, record.wirelen)
        for number, record in enumerate(records, 1)
    ]


@ORDERS
@pytest.mark.parametrize(
    ("magic", "behind", "tick"),
    [
        (USUAL, b"", 1000),
        (NANO, b"", 1),
        (MODIFIED, KUZNETZOV, 1000),
        (MODIFIED, SUSE, 1000),
        (USUAL, KUZNETZOV, 1000),
        (USUAL, b"\1\2\3\4", 1000),
        (IXIA_SOFTWARE, b"", 1000),
        (IXIA_HARDWARE, b"", 1),
    ],
    ids=["usual", "nanoseconds", "1999-10", "1999-09", "1999-04", "Nokia", "Ixia software", "Ixia hardware"],
)
def test_every_magic_and_record_header_is_read(
    tmp_path: Path, order: str, magic: int, behind: bytes, tick: int
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(order=order, magic=magic, behind=behind))
    found, warnings = read(path)
    assert [row[:4] for row in found] == expected(tick)
    assert warnings == []
    if magic != IXIA_HARDWARE:  # tshark before 4.2 reads its nanoseconds as microseconds
        assert tshark(path) == found


@ORDERS
@pytest.mark.parametrize("behind", [b"", KUZNETZOV], ids=["usual", "modified"])
def test_a_file_of_one_packet_is_read_by_the_likeliest_header(tmp_path: Path, order: str, behind: bytes) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(RECORDS[:1], order, MODIFIED if behind else USUAL, behind=behind))
    assert read(path) == (tshark(path), [])
    assert len(read(path)[0]) == 1


@pytest.mark.parametrize(
    ("version", "link", "swapped", "tick"),
    [
        ((2, 2), 1, True, 1000),
        ((2, 3), 1, True, 1000),
        ((2, 3), 1, False, 1000),
        ((543, 0), 1, True, 1000),
        ((2, 2), 6, True, 1),
        ((3, 0), 1, False, 1000),
    ],
    ids=["2.2", "2.3 old", "2.3", "DG/UX", "AIX", "3.0"],
)
def test_old_versions_have_the_lengths_in_the_other_order(
    tmp_path: Path, version: tuple[int, int], link: int, *, swapped: bool, tick: int
) -> None:
    records = (Record(1, 0, wirelen=900), Record(2, 5), Record(3, 7, wirelen=1500))
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(records, version=version, link=link, swapped=swapped))
    found, warnings = read(path)
    assert [row[:4] for row in found] == expected(tick, records)
    assert tshark(path) == found
    assert warnings == []


@pytest.mark.parametrize(
    "bits", [1 << 26 | 2 << 28, 0xF << 28, 1 << 27], ids=["FCS of 4 bytes", "unstated", "reserved"]
)
def test_the_upper_bits_of_the_link_type_are_not_the_link_type(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(link=1 | bits))
    found, _ = read(path)
    assert [row[:4] for row in found] == expected()
    assert tshark(path) == found


def test_a_frame_check_sequence_is_no_payload(tmp_path: Path) -> None:
    tcp = FRAME[:14] + FRAME[14:54] + b"\xde\xad\xbe\xef"  # 40 bytes of IP, no padding, then the FCS
    path = tmp_path / "a.pcap"
    header = struct.pack("<IHHiIII", USUAL, 2, 4, 0, 0, 65535, 1 | 1 << 26 | 2 << 28)
    path.write_bytes(header + struct.pack("<IIII", 1, 0, len(tcp), len(tcp)) + tcp)
    with open_capture(str(path)) as opened:
        (batch,) = opened.batches()
    assert (batch.length.tolist(), batch.payload.tolist()) == ([40], [0])


def test_a_class_of_link_types_that_nobody_uses_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(link=1 | 0x224 << 16))
    with pytest.raises(CaptureError, match="link type 35913729 is not decoded"):
        read(path)
    assert tshark(path) == []


@pytest.mark.parametrize("snaplen", [0, 1, 20, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_snap_length_that_cannot_be_changes_nothing(tmp_path: Path, snaplen: int) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(snaplen=snaplen))
    found, warnings = read(path)
    assert [row[:4] for row in found] == expected()
    assert tshark(path) == found
    assert warnings == []


def test_more_captured_than_there_was_on_the_wire_is_read_as_it_stands(tmp_path: Path) -> None:
    records = (Record(1, 0, wirelen=10), Record(2, 0, wirelen=0), Record(3, 0))
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(records))
    found, warnings = read(path)
    assert [row[:4] for row in found] == expected(1000, records)
    assert tshark(path) == found
    assert warnings == []


def test_a_damaged_second_record_does_not_turn_the_file_into_a_variant(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(RECORDS[:1]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 60) + bytes(100))
    found, warnings = read(path)
    assert [row[:4] for row in found] == expected(records=RECORDS[:1])
    says = "a packet of more than 134,217,728 bytes (MAX_RECORD); the 1 packets before it were read, the rest was not"
    assert warnings == [f"{path}: damaged at byte {24 + 16 + SIZE}, behind packet 1: {says}"]


def test_a_version_before_2_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(version=(1, 7)))
    with pytest.raises(CaptureError, match=r"a\.pcap: a pcap of version 1\.7; 2\.0 is the oldest that is read"):
        read(path)


@ORDERS
@pytest.mark.parametrize("magic", [0xA12B3C4D, 0xA1B234CD])
def test_magics_that_nobody_described_are_named(tmp_path: Path, order: str, magic: int) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture(order=order, magic=magic))
    with pytest.raises(CaptureError, match="a variant of pcap that nobody described"):
        read(path)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"snoop\0\0\0\0\0\0\2", "it is a snoop capture: editcap -F pcap IN OUT converts it"),
        (b"\xfd7zXZ\0\0\4", "it is compressed with xz: xz -dc FILE | eniwall ... -"),
        (b"BZh91AY&SY", "it is compressed with bzip2: bzip2 -dc FILE | eniwall ... -"),
        (b"PK\3\4\x14\0\0\0", "it is a zip archive: unzip -p FILE | eniwall ... -"),
        (b"RTSS\1\1\0\0", "it is a NetMon capture"),
    ],
    ids=["snoop", "xz", "bzip2", "zip", "NetMon"],
)
def test_other_formats_are_told_with_their_cure(tmp_path: Path, head: bytes, says: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(head + bytes(100))
    with pytest.raises(CaptureError) as caught:
        read(path)
    assert says in str(caught.value)


def test_a_fraction_of_a_second_and_more_is_carried_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    records = (Record(1, 999_999_999), Record(1, 1_000_000_000), Record(1, 0xFFFFFFFF), Record(0xFFFFFFFF, 1))
    path.write_bytes(capture(records, magic=NANO))
    with open_capture(str(path)) as opened:
        (batch,) = opened.batches()
        assert batch.time.tolist() == [1_999_999_999, 2_000_000_000, 5_294_967_295, 0xFFFFFFFF * NS + 1]
        assert opened.clamped == 2
        cannot = "that cannot be (a fraction of a second and more, or further from 1970 than 7,075,888,385 seconds)"
        told = f"{path}: 2 packets have times {cannot}; clamped: carried over, or set to that limit"
        assert opened.warnings == [told]


def test_the_same_in_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture((Record(1, 999_999), Record(1, 1_000_000))))
    found, warnings = read(path)
    assert [row.time for row in found] == [1_999_999_000, 2_000_000_000]
    assert warnings[0].startswith(f"{path}: 1 packet has a time that cannot be")


def test_a_capture_whose_times_are_fine_counts_none(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(capture())
    with open_capture(str(path)) as opened:
        assert sum(batch.rows for batch in opened.batches()) == 3
        assert opened.clamped == 0


def test_records_longer_than_wireshark_takes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    big = FRAME + bytes(300_000)
    path.write_bytes(capture() + struct.pack("<IIII", 1_700_000_003, 0, len(big), len(big)) + big)
    assert [row.caplen for row in read(path)[0]] == [SIZE, SIZE, SIZE, len(big)]


NOT_PACKETS = {"fmt-gopacket-le-test202.pcapng": {1, 7, 10}}  # custom blocks have frame numbers
NO_TIMES = {"fmt-tcpdump-timestamp_invalid_nano.pcap"}  # tshark prints 1418145370.1000000000


def test_the_captures_that_people_share_are_read_as_tshark_reads_them(captures: Path) -> None:
    compared = 0
    for path in sorted(captures.glob("*.pcap*")):
        try:
            open_reader(str(path)).close()
        except CaptureError:
            continue  # a link type without a decoder
        ours = [row._replace(way=0, time=0 if path.name in NO_TIMES else row.time) for row in read(path)[0]]
        theirs = [row._replace(way=0, time=0 if path.name in NO_TIMES else row.time) for row in tshark(path)]
        others = NOT_PACKETS.get(path.name, set())
        assert ours == [row for row in theirs if row.frame not in others], path.name
        assert len(ours) + len(others) == len(theirs)
        compared += 1
    assert compared > 30
