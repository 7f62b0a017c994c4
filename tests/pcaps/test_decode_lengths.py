"""Where a packet ends: by its own length, by the snap length, by the frame; and which protocol it has then."""

import struct

import pytest

from pcaps.batch import BAD_TRANSPORT, MALFORMED, NO_TRANSPORT, OK, TRUNCATED
from pcaps.capture import frames_batch
from pcaps.frame import Frame
from pcaps.link import RAW
from pcaps.wire import MAX_EXTENSION_HEADERS
from tests.pcaps.test_decode_scapy import cells

ENDS = bytes.fromhex("c63364070a00010a")  # 198.51.100.7 > 10.0.1.10
ENDS6 = bytes.fromhex("20010db8" + "00" * 11 + "07" + "20010db8" + "00" * 11 + "0a")
TCP_HEADER = struct.pack(">HHIIHHI", 40000, 80, 1, 0, 0x5002, 8192, 0)
UDP_HEADER = struct.pack(">HHHH", 40000, 53, 8, 0)
ANY = TCP_HEADER


def ipv4(protocol: int, inside: bytes, total: int | None = None, options: bytes = b"", fragment: int = 0) -> bytes:
    """An IPv4 packet; `fragment` is the whole field of flags and offset."""
    header = 20 + len(options)
    total = header + len(inside) if total is None else total
    words = struct.pack(">BBHHHBBH", 0x40 | header // 4, 0, total, 1, fragment, 64, protocol, 0)
    return words + ENDS + options + inside


def ipv6(next_header: int, inside: bytes, payload: int | None = None) -> bytes:
    payload = len(inside) if payload is None else payload
    return struct.pack(">IHBB", 6 << 28, payload, next_header, 64) + ENDS6 + inside


def hop_by_hop(next_header: int, options: bytes) -> bytes:
    return bytes([next_header, (len(options) + 2) // 8 - 1]) + options


def jumbo(length: int, size: int = 4, before: bytes = b"") -> bytes:
    """Hop-by-hop options with a jumbo payload length; the next header is TCP."""
    options = before + b"\xc2" + bytes([size]) + struct.pack(">I", length)
    return hop_by_hop(6, options + bytes(-(len(options) + 2) % 8))


def read(data: bytes, wirelen: int | None = None) -> dict[str, int]:
    return cells(frames_batch([Frame(RAW, 0, data, len(data) if wirelen is None else wirelen)]))


# --- lengths -----------------------------------------------------------------------------------------------
def test_what_the_snap_length_cut_behind_the_headers_is_no_error() -> None:
    row = read(ipv4(6, TCP_HEADER, total=1500), 1500)
    assert (row["status"], row["length"], row["payload"]) == (OK, 1500, 1460)
    row = read(ipv6(6, TCP_HEADER, payload=1440), 1480)
    assert (row["status"], row["length"], row["payload"]) == (OK, 1480, 1420)


def test_padding_behind_a_packet_is_none_of_it() -> None:
    row = read(ipv4(6, TCP_HEADER) + bytes(6))
    assert (row["status"], row["length"], row["payload"]) == (OK, 40, 0)


@pytest.mark.parametrize("whole", [ipv4(6, TCP_HEADER, options=b"\1" * 12), ipv6(6, TCP_HEADER)], ids=["IPv4", "IPv6"])
def test_an_ip_header_is_cut_by_the_snap_length_or_malformed(whole: bytes) -> None:
    fixed = 20 if whole[0] >> 4 == 4 else 40
    header = len(whole) - len(TCP_HEADER)
    for size in range(1, header):
        assert read(whole[:size], len(whole))["status"] == TRUNCATED
        assert read(whole[:size])["status"] == MALFORMED
        assert read(whole[:size])["family"] in ((0,) if size < fixed else (4,))


def test_an_ipv4_header_that_cannot_be_is_malformed() -> None:
    good = ipv4(6, TCP_HEADER)
    assert read(good)["status"] == OK
    assert read(b"\x44" + good[1:])["status"] == MALFORMED  # shorter than its fixed fields
    assert read(good[:2] + b"\0\x13" + good[4:])["status"] == MALFORMED  # total length 19


def test_an_unset_total_length_is_the_rest_of_the_frame() -> None:
    row = read(ipv4(6, TCP_HEADER, total=0), 70_040)  # BIG TCP
    assert (row["status"], row["length"], row["payload"]) == (OK, 70_040, 70_000)


def test_options_of_every_length_are_stepped_over() -> None:
    for words in range(11):
        row = read(ipv4(17, UDP_HEADER, options=b"\1" * (4 * words)))
        assert (row["status"], row["dst_port"], row["length"]) == (OK, 53, 28 + 4 * words)


# --- jumbograms, RFC 2675 -------------------------------------------------------------------------------------
def test_a_jumbogram_has_the_length_of_its_option() -> None:
    packet = ipv6(0, jumbo(100_000) + TCP_HEADER, payload=0)
    row = read(packet, 100_040)
    assert (row["status"], row["length"], row["payload"]) == (OK, 100_040, 100_000 - 8 - 20)
    padded = read(packet, 100_090)
    assert (padded["length"], padded["payload"]) == (row["length"], row["payload"])


def test_the_jumbo_option_is_found_behind_others() -> None:
    packet = ipv6(0, jumbo(100_000, before=b"\0\0\1\4\0\0\0\0") + TCP_HEADER, payload=0)
    assert read(packet, 100_090)["length"] == 100_040


@pytest.mark.parametrize(
    "options",
    [jumbo(65_535), jumbo(100_000, size=5), jumbo(100_000, before=b"\0")],
    ids=["64 KiB", "size", "place"],
)
def test_a_jumbo_option_that_cannot_be_is_malformed(options: bytes) -> None:
    assert read(ipv6(0, options + TCP_HEADER, payload=0), 100_040)["status"] == MALFORMED


def test_without_the_option_the_rest_of_the_frame_counts() -> None:
    packet = ipv6(0, hop_by_hop(6, b"\1\4\0\0\0\0") + TCP_HEADER, payload=0)
    row = read(packet, 90_000)
    assert (row["status"], row["length"]) == (OK, 90_000)
    assert read(ipv6(6, TCP_HEADER, payload=0), 90_000)["length"] == 90_000  # BIG TCP without the header
    assert read(ipv6(59, b"", payload=0))["length"] == 40


def test_a_jumbogram_cut_anywhere_is_truncated() -> None:
    packet = ipv6(0, jumbo(100_000) + TCP_HEADER, payload=0)
    assert [read(packet[:size], 100_040)["status"] for size in range(len(packet))] == [TRUNCATED] * len(packet)


# --- the outermost header ----------------------------------------------------------------------------------
@pytest.mark.parametrize("protocol", [4, 41, 47, 50, 51])
def test_a_tunnel_over_ipv4_is_its_outer_protocol(protocol: int) -> None:
    inner = ipv6(6, TCP_HEADER) if protocol == 41 else ipv4(6, TCP_HEADER)
    gre = struct.pack(">HH", 0, 0x0800)
    ah = struct.pack(">BBHII", 6, 1, 0, 1, 1)
    row = read(ipv4(protocol, {47: gre, 51: ah}.get(protocol, b"") + inner))
    assert (row["status"], row["protocol"], row["src_port"], row["dst_port"]) == (OK, protocol, 0, 0)


@pytest.mark.parametrize("protocol", [4, 41, 47, 50])
def test_a_tunnel_over_ipv6_is_its_outer_protocol(protocol: int) -> None:
    row = read(ipv6(protocol, struct.pack(">HH", 0, 0x0800) + ipv4(6, TCP_HEADER)))
    assert (row["status"], row["protocol"], row["src_port"], row["dst_port"]) == (OK, protocol, 0, 0)


def test_ah_over_ipv6_is_an_extension_header() -> None:
    ah = struct.pack(">BBHIII", 17, 2, 0, 1, 1, 0)
    row = read(ipv6(51, ah + UDP_HEADER))
    assert (row["status"], row["protocol"], row["dst_port"]) == (OK, 17, 53)


# --- extension headers ---------------------------------------------------------------------------------------
def chain(headers: int) -> bytes:
    """Destination options, the last before UDP."""
    kinds = [60] * (headers - 1) + [17]
    return ipv6(60, b"".join(bytes([kind, 0, 1, 4, 0, 0, 0, 0]) for kind in kinds) + UDP_HEADER)


def test_a_chain_of_extension_headers_has_an_end() -> None:
    row = read(chain(MAX_EXTENSION_HEADERS - 1))
    assert (row["status"], row["protocol"], row["dst_port"]) == (OK, 17, 53)
    assert read(chain(MAX_EXTENSION_HEADERS + 1))["status"] == NO_TRANSPORT


def test_an_extension_header_longer_than_the_packet_has_no_transport_behind_it() -> None:
    long = bytes([17, 255]) + bytes(6)
    assert read(ipv6(60, long + UDP_HEADER))["status"] == BAD_TRANSPORT
    assert read(ipv6(60, b"\x11"))["status"] == NO_TRANSPORT
    assert read(ipv6(60, long, payload=2100), 2140)["status"] == TRUNCATED


# --- fragments -----------------------------------------------------------------------------------------------
def test_a_later_fragment_shows_no_ports() -> None:
    for packet in (ipv4(17, ANY, fragment=10), ipv6(44, struct.pack(">BBHI", 17, 0, 80, 7) + ANY)):
        row = read(packet)
        assert (row["status"], row["protocol"], row["src_port"], row["fragment_offset"]) == (OK, 17, 0, 80)


@pytest.mark.parametrize("tags", [0, 2])
def test_a_fragments_piece_is_what_stands_behind_its_headers_in_any_frame(tags: int) -> None:
    link = bytes(12) + b"\x81\x00\x00\x01" * tags + b"\x08\x00"
    data = link + ipv4(17, UDP_HEADER + b"first", fragment=0x2000) + bytes(4)
    (piece,) = frames_batch([Frame(1, 0, data, len(data))]).pieces.values()
    assert piece.data == UDP_HEADER + b"first"
