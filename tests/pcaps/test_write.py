"""pcapng out: literal bytes, what tshark reads of it, and every format read once more, packet by packet."""

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcaps.batch import INBOUND, OUTBOUND, UNSTATED
from pcaps.frame import Frame
from pcaps.original import FileSource, FrameSource, Original
from pcaps.write import LONGEST_TEXT, PcapngWriter, packet_options, text_option

ETHERNET, RAW = 1, 101
ARP = bytes.fromhex("ffffffffffff0200000000010806") + bytes(28)

tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")


def written(*packets: Original, comments: tuple[str, ...] = (), way: int = 0) -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file)
    for link in (ETHERNET, RAW):
        writer.interface(link, 262144, f"if{link}")
    for packet in packets:
        writer.packet(packet.interface, packet.time, packet.data, packet.wirelen, packet_options(comments, way))
    return file.getvalue()


def read(path: Path) -> list[Original]:
    return list(FileSource(str(path)).packets())


def original(interface: int, time: int, wirelen: int, data: bytes) -> Original:
    """The first packet of a file that states no direction."""
    return Original(1, interface, time, UNSTATED, wirelen, data)


def fields(path: Path, *names: str) -> list[list[str]]:
    words = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|", "-E", "aggregator=;", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]


# --- bytes -------------------------------------------------------------------------------------------
def test_a_file_in_literal_bytes() -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file, "me", ["why"])
    writer.packet(writer.interface(ETHERNET, 96, "a"), (5 << 32) + 7, b"\1\2\3", 60, packet_options(("no",), INBOUND))
    section = (
        "0a0d0d0a 30000000 4d3c2b1a 0100 0000 ffffffffffffffff01000300 77687900  04000200 6d650000  00000000 30000000"
    )
    interface = "01000000 28000000 0100 0000 60000000  02000100 61000000  09000100 09000000  00000000 28000000"
    packet = (
        "06000000 38000000 00000000 05000000 07000000 03000000 3c000000 01020300"
        "01000200 6e6f0000  02000400 01000000  00000000 38000000"
    )
    assert file.getvalue() == bytes.fromhex(section + interface + packet)


def test_a_packet_without_options_has_none() -> None:
    assert packet_options() == b""
    assert written(original(0, 0, 4, b"1234"))[-36:] == struct.pack("<7I4sI", 6, 36, 0, 0, 0, 4, 4, b"1234", 36)


def test_a_comment_that_is_too_long_ends_between_two_letters() -> None:
    code, length = struct.unpack_from("<HH", option := text_option(1, "\u20ac" * 30_000))
    assert (code, length) == (1, LONGEST_TEXT // 3 * 3)
    assert option[4 : 4 + length].decode() == "\u20ac" * (length // 3)
    assert len(option) % 4 == 0


def test_a_time_before_1970_becomes_1970(tmp_path: Path) -> None:
    path = tmp_path / "old.pcapng"
    path.write_bytes(written(original(0, -5, 4, b"1234")))
    assert read(path) == [original(0, 0, 4, b"1234")]


packets = st.builds(
    lambda interface, time, data, more: original(interface, time, len(data) + more, data),
    st.integers(0, 1),
    st.integers(0, 1 << 62),
    st.binary(max_size=70),
    st.integers(0, 1 << 31),
)


@given(packets=st.lists(packets, max_size=5), comments=st.lists(st.text(), max_size=3), way=st.integers(0, 2))
def test_what_is_written_is_read_again(
    packets: list[Original], comments: list[str], way: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("w") / "w.pcapng"
    path.write_bytes(written(*packets, comments=tuple(comments), way=way))
    assert read(path) == [packet._replace(frame=frame, way=way) for frame, packet in enumerate(packets, 1)]


# --- as tshark reads it ------------------------------------------------------------------------------
@tshark
def test_tshark_shows_comments_directions_and_interfaces(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    file = io.BytesIO()
    writer = PcapngWriter(file, "eniwall 0", ("first", "second"))
    eth0 = writer.interface(ETHERNET, 0, "eth0")
    tun0 = writer.interface(RAW, 128, "tun0", "the other one")
    writer.packet(eth0, 1_000_000_001, ARP, len(ARP), packet_options(("DENY one", "ALLOW two"), OUTBOUND))
    writer.packet(tun0, 2_000_000_000, bytes([0x45]), 60, packet_options(("caf\u00e9",), INBOUND))
    writer.packet(eth0, 3_000_000_000, ARP, len(ARP))
    path.write_bytes(file.getvalue())
    found = fields(
        path, "frame.time_epoch", "frame.len", "frame.interface_name", "frame.packet_flags_direction", "frame.comment"
    )
    assert found == [
        ["1.000000001", "42", "eth0", "0x00000002", "DENY one;ALLOW two"],
        ["2.000000000", "60", "tun0", "0x00000001", "caf\u00e9"],
        ["3.000000000", "42", "eth0", "", ""],
    ]
    said = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, check=True).stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert {"Capture application: eniwall 0", "Capture comment: first", "Capture comment: second"} <= set(lines)
    assert {"Description = the other one", "Capture length = 128"} <= set(lines)


# --- captures once more ------------------------------------------------------------------------------
def pcap(order: str, magic: int, snaplen: int, link: int, fraction: int) -> bytes:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)
    return head + struct.pack(order + "IIII", 7, fraction, len(ARP), 60) + ARP


@pytest.mark.parametrize(
    ("order", "magic", "time"),
    [("<", 0xA1B2C3D4, 7_000_009_000), (">", 0xA1B2C3D4, 7_000_009_000), (">", 0xA1B23C4D, 7_000_000_009)],
    ids=["little", "big", "nanoseconds"],
)
def test_a_classic_capture_keeps_its_snap_length_and_link_type(
    order: str, magic: int, time: int, tmp_path: Path
) -> None:
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(order, magic, 4096, ETHERNET, 9))
    source = FileSource(str(path))
    assert list(source.packets()) == [original(0, time, 60, ARP)]
    assert [(one.link, one.snaplen, one.name) for one in source.interfaces] == [(ETHERNET, 4096, "")]


def test_interfaces_count_over_all_sections(tmp_path: Path) -> None:
    first = written(original(1, 1, 4, b"1234"))
    second = written(original(0, 2, 4, b"5678"), original(1, 3, 4, b"9abc"))
    path = tmp_path / "two.pcapng"
    path.write_bytes(first + second)
    source = FileSource(str(path))
    assert [(one.interface, one.time) for one in source.packets()] == [(1, 1), (2, 2), (3, 3)]
    assert [one.name for one in source.interfaces] == ["if1", "if101", "if1", "if101"]


def test_interfaces_behind_the_last_packet_are_known_too(tmp_path: Path) -> None:
    path = tmp_path / "late.pcapng"
    path.write_bytes(written(original(0, 1, 4, b"1234")) + written())
    source = FileSource(str(path))
    assert len(list(source.packets())) == 1
    assert len(source.interfaces) == 4


def test_a_file_is_open_only_while_its_packets_are_due(tmp_path: Path) -> None:
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap("<", 0xA1B2C3D4, 4096, ETHERNET, 9))
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("counts open files as Linux shows them")
    before = len(list(descriptors.iterdir()))
    packets = [FileSource(str(path)).packets() for _ in range(3)]
    assert [next(each).time for each in packets] == [7_000_009_000] * 3
    assert len(list(descriptors.iterdir())) == before


def test_frames_in_memory_have_an_interface_for_each_link_type() -> None:
    source = FrameSource([Frame(RAW, 1, b"a", 1), Frame(ETHERNET, 2, ARP, 60), Frame(RAW, 3, b"b", 9)], "crafted")
    assert [(one.interface, one.wirelen) for one in source.packets()] == [(0, 1), (1, 60), (0, 9)]
    assert [(one.link, one.name) for one in source.interfaces] == [(RAW, "crafted"), (ETHERNET, "crafted")]
