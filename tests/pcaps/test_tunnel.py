"""VXLAN and GENEVE: the packets inside are decoded as if they had come alone."""

import shutil
import subprocess
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.geneve import GeneveOptions
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q
from scapy.layers.ppp import PPP, PPPoE
from scapy.packet import Packet, Raw

from pcaps.batch import IPV4_PREFIX, MALFORMED, NOT_IP, OK, TRUNCATED, Inner, PacketBatch
from pcaps.capture import frames_batch, open_capture
from pcaps.frame import Frame
from pcaps.tunnel import GENEVE, MAX_LAYERS, VXLAN
from tests.pcaps.strategies import frames
from tests.pcaps.tunnels import (
    CLIENT,
    ETHER,
    ETHERNET,
    IPV4,
    IPV4_TYPE,
    IPV6,
    IPV6_TYPE,
    OUTER,
    OUTER6,
    OUTER_ETHER,
    SOURCE,
    SOURCE6,
    SYN,
    TARGET,
    TARGET6,
    VNI,
    batch_of,
    columns,
    geneve,
    inner_of,
    vxlan,
)

ETHER_ENDS = SYN[:12]


def alone(data: bytes, link: int = ETHERNET) -> list[dict[str, int]]:
    """What the decoder says of a frame that no tunnel is around."""
    return columns(frames_batch([Frame(link, 0, data, len(data))]).records)


def put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


AT = len(bytes(OUTER / UDP()))  # where the tunnel header starts


def low(address: int | str) -> int:
    return IPV4_PREFIX | int(IPv4Address(address))


# --- real captures, asked of tshark --------------------------------------------------------------------
def tshark(path: Path, occurrence: str, *fields: str) -> list[list[str]]:
    """One row a packet; `occurrence` is f for the outermost header of a protocol, l for the innermost."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    asked = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", f"occurrence={occurrence}", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def only_batch(path: Path) -> PacketBatch:
    with open_capture(str(path)) as capture:
        (batch,) = capture.batches()
    return batch


def address(hi: int, lo: int) -> str:
    return str(IPv4Address(lo & 0xFFFFFFFF)) if hi == 0 else str(ip_address(hi << 64 | lo))


def rows_as_tshark(inner: Inner) -> list[list[str]]:
    found = []
    for k, p in enumerate(inner.records):
        ends = [address(int(p[f"{end}_hi"]), int(p[f"{end}_lo"])) for end in ("src", "dst")]
        found.append([str(p["frame"]), *ends, *(str(p[name]) for name in ("length", "protocol")), str(inner.vni[k])])
    return found


IP_FIELDS = ("frame.number", "ip.src", "ip.dst", "ip.len", "ip.proto")
MAPPED = ("ip.src", "ip.dst")


def test_mirrored_http_is_read_as_tshark_reads_the_inner_packets(captures: Path) -> None:
    path = captures / "tun-zeek-vxlan-encapsulated-http.pcap"
    inner = only_batch(path).inner
    assert inner is not None
    assert rows_as_tshark(inner) == tshark(path, "l", *IP_FIELDS, "vxlan.vni")
    ports = ("src_port", "dst_port", "payload", "tcp_window")
    found = [[str(p[name]) for name in ports] for p in inner.records]
    assert found == tshark(path, "l", "tcp.srcport", "tcp.dstport", "tcp.len", "tcp.window_size_value")
    assert inner.kind.tolist() == [VXLAN] * 12
    assert set(inner.records["status"].tolist()) == {OK}


def test_load_balanced_pings_are_read_as_tshark_reads_the_inner_packets(captures: Path) -> None:
    path = captures / "tun-zeek-geneve.pcap"
    inner = only_batch(path).inner
    assert inner is not None
    found = [[*row[:5], f"0x{int(row[5]):06x}"] for row in rows_as_tshark(inner)]
    assert found == tshark(path, "l", *IP_FIELDS, "geneve.vni")
    found = [[str(p[name]) for name in ("src_port", "dst_port", "icmp_id")] for p in inner.records]
    assert found == tshark(path, "l", "icmp.type", "icmp.code", "icmp.ident")
    assert inner.kind.tolist() == [GENEVE] * 6


@pytest.mark.parametrize("name", ["tun-zeek-vxlan-encapsulated-http.pcap", "tun-zeek-geneve.pcap"])
def test_the_outer_packets_stay_what_they_were(captures: Path, name: str) -> None:
    batch = only_batch(captures / name)
    inner = batch.inner
    assert inner is not None
    assert inner.rows.tolist() == list(range(batch.rows))
    outer = [
        [address(*ends) for ends in ((s_hi, s_lo), (d_hi, d_lo))]
        for s_hi, s_lo, d_hi, d_lo in zip(
            *(column.tolist() for column in (inner.outer_src_hi, inner.outer_src_lo)),
            *(column.tolist() for column in (inner.outer_dst_hi, inner.outer_dst_lo)),
            strict=True,
        )
    ]
    assert outer == tshark(captures / name, "f", *MAPPED)
    found = [[*ends, str(port)] for ends, port in zip(outer, batch.dst_port.tolist(), strict=True)]
    assert found == tshark(captures / name, "f", *MAPPED, "udp.dstport")


def test_gre_is_no_tunnel_that_is_opened(captures: Path) -> None:
    path = captures / "tun-zeek-gre-sample.pcap"
    batch = only_batch(path)
    assert batch.rows == len(tshark(path, "l", "ip.src")) == 40
    assert batch.inner is None


# --- one tunnel ----------------------------------------------------------------------------------------
@given(frames())
def test_whatever_is_in_a_tunnel_is_decoded_as_if_it_came_alone(built: tuple[Frame, Any]) -> None:
    frame, packet = built
    ip = bytes(next(layer for layer in packet.iterpayloads() if layer.name in ("IP", "IPv6")))
    kind, link = (IPV4_TYPE, IPV4) if ip[0] >> 4 == 4 else (IPV6_TYPE, IPV6)
    bridged = frame.data if frame.link == ETHERNET else ETHER_ENDS + kind.to_bytes(2) + ip
    for carrier in (vxlan(bridged), vxlan(bridged, outer=OUTER6), geneve(bridged), geneve(bridged, outer=OUTER6)):
        assert columns(inner_of(carrier).records) == alone(bridged)
    assert columns(inner_of(geneve(ip, kind)).records) == alone(ip, link)


@pytest.mark.parametrize("outer", [OUTER, OUTER6], ids=["IPv4", "IPv6"])
def test_an_entry_names_row_network_and_the_ends_of_the_tunnel(outer: Packet) -> None:
    other = bytes(outer / UDP(sport=50000, dport=53) / Raw(b"x"))
    inner = inner_of(other, vxlan(SYN, outer=outer), other, geneve(SYN, vni=3, outer=outer))
    assert inner.rows.tolist() == [1, 3]
    assert inner.vni.tolist() == [VNI, 3]
    assert inner.kind.tolist() == [VXLAN, GENEVE]
    wanted = (SOURCE, TARGET) if outer is OUTER else (SOURCE6, TARGET6)
    ends = (inner.outer_src_hi, inner.outer_src_lo), (inner.outer_dst_hi, inner.outer_dst_lo)
    assert tuple(address(int(hi[1]), int(lo[1])) for hi, lo in ends) == wanted
    assert inner.records["frame"].tolist() == [2, 4]
    assert inner.records["time"].tolist() == [10**9, 3 * 10**9]
    assert inner.records["dst_lo"].tolist() == [low(SOURCE)] * 2


def test_the_inner_lengths_are_those_of_the_inner_frame() -> None:
    inner = inner_of(vxlan(SYN), geneve(SYN), geneve(SYN[14:], IPV4_TYPE))
    assert inner.records["wirelen"].tolist() == [54, 54, 40]
    assert inner.records["caplen"].tolist() == [54, 54, 40]
    assert inner.records["length"].tolist() == [40, 40, 40]


def test_vlan_tags_inside_and_around_are_passed_over() -> None:
    tagged = bytes(ETHER / Dot1AD(vlan=100) / Dot1Q(vlan=7) / SYN[14:])
    # The EtherType that scapy writes for bytes behind a tag is none.
    tagged = tagged[:20] + b"\x08\x00" + tagged[22:]
    outer = OUTER_ETHER / Dot1Q(vlan=9) / IP(src=SOURCE, dst=TARGET)
    inner = inner_of(vxlan(tagged, outer=outer), geneve(tagged, outer=outer))
    assert inner.records["dst_port"].tolist() == [443, 443]


def test_outer_ipv6_may_have_extension_headers() -> None:
    headers = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"ab")])
    inner = inner_of(vxlan(SYN, outer=OUTER6 / headers))
    assert inner.records["dst_port"].tolist() == [443]


def test_outer_ipv4_may_have_options() -> None:
    inner = inner_of(vxlan(SYN, outer=OUTER_ETHER / IP(src=SOURCE, dst=TARGET, options=[b"\x01\x01\x01\x00"])))
    assert inner.records["dst_port"].tolist() == [443]


def test_geneve_around_ipv6_is_ipv6() -> None:
    packet = bytes(IPv6(src=SOURCE6, dst=TARGET6) / TCP(sport=40000, dport=443))
    inner = inner_of(geneve(packet, IPV6_TYPE))
    assert inner.records["family"].tolist() == [6]
    assert columns(inner.records) == alone(packet, IPV6)


def test_the_type_that_geneve_names_is_believed_not_the_version_inside() -> None:
    assert inner_of(geneve(SYN[14:], IPV6_TYPE)).records["status"].tolist() == [MALFORMED]


def test_a_frame_inside_that_is_not_ip_has_an_entry() -> None:
    arp = bytes(ETHER / ARP(psrc=SOURCE, pdst=CLIENT, hwsrc="02:00:5e:00:53:01", hwdst="02:00:5e:00:53:02"))
    assert inner_of(vxlan(arp)).records["status"].tolist() == [NOT_IP]


@pytest.mark.parametrize("size", [0, 8, 64, 252])
def test_options_of_geneve_are_passed_over(size: int) -> None:
    options = [GeneveOptions(classid=0x0108, type=3, data=b"x" * min(124, size - 4))] if size else []
    while sum(len(each) for each in options) < size:
        left = size - sum(len(each) for each in options)
        options.append(GeneveOptions(classid=0x0108, type=3, data=b"x" * min(124, left - 4)))
    assert inner_of(geneve(SYN, options=options)).records["dst_port"].tolist() == [443]


def test_bits_that_are_reserved_are_ignored() -> None:
    noisy = put(put(vxlan(SYN), AT, b"\xff" * 4), AT + 7, b"\xff")
    noisy_geneve = geneve(SYN, oam=1, critical=1, reserved=0x3F, reserved2=0xFF)
    assert inner_of(noisy, noisy_geneve).vni.tolist() == [VNI, VNI]


def test_the_outer_udp_checksum_is_not_looked_at() -> None:
    wrong = bytearray(vxlan(SYN))
    wrong[40:42] = b"\x12\x34"
    batch = frames_batch([Frame(ETHERNET, 0, bytes(wrong), len(wrong))], verify=True)
    assert batch.bad_checksum.tolist() == [1]
    assert batch.inner is not None
    assert batch.inner.records["bad_checksum"].tolist() == [0]


def test_inner_checksums_are_verified_where_that_is_asked_for() -> None:
    wrong = vxlan(SYN[:-4] + b"\x12\x34" + SYN[-2:])
    for verify in (True, False):
        inner = frames_batch([Frame(ETHERNET, 0, wrong, len(wrong))], verify=verify).inner
        assert inner is not None
        assert inner.records["bad_checksum"].tolist() == [int(verify)]


def test_link_padding_is_no_part_of_the_inner_frame() -> None:
    offloaded = bytearray(SYN)
    offloaded[16:18] = b"\0\0"  # no total length: then the frame's length counts
    inner = inner_of(vxlan(bytes(offloaded)) + bytes(30))
    assert inner.records["length"].tolist() == [40]
    assert inner.records["wirelen"].tolist() == [54]


def test_a_length_in_the_outer_link_layer_bounds_the_inner_frame() -> None:
    session = OUTER_ETHER / PPPoE(sessionid=1) / PPP() / IP(src=SOURCE, dst=TARGET)
    frame = vxlan(SYN, outer=session)
    length = len(frame) - 20
    shorter = put(frame, 18, (length - 14).to_bytes(2))
    inner = inner_of(frame, frame + bytes(20), shorter)
    assert inner.records["status"].tolist() == [OK, OK, TRUNCATED]
    assert inner.records["caplen"].tolist() == inner.records["wirelen"].tolist() == [54, 54, 40]


# --- fragments -----------------------------------------------------------------------------------------
def test_inner_fragments_come_with_their_bytes() -> None:
    datagram = UDP(sport=4000, dport=2000) / Raw(bytes(range(256)) * 4)
    data = bytes(IP(src=CLIENT, dst=SOURCE) / datagram)[20:]
    head, tail = (
        bytes(ETHER / IP(src=CLIENT, dst=SOURCE, id=7, proto=17, flags=flags, frag=at // 8) / Raw(data[at:stop]))
        for flags, at, stop in (("MF", 0, 800), ("", 800, len(data)))
    )
    inner = inner_of(vxlan(SYN), vxlan(head), geneve(tail))
    assert inner.records["fragment_id"].tolist() == [-1, 7, 7]
    assert inner.records["fragment_offset"].tolist() == [0, 0, 800]
    assert {entry: piece.next_header for entry, piece in inner.pieces.items()} == {1: 17, 2: 17}
    assert inner.pieces[1].data + inner.pieces[2].data == data


def test_outer_fragments_carry_nothing() -> None:
    whole = vxlan(SYN)
    head = OUTER_ETHER / IP(src=SOURCE, dst=TARGET, id=7, proto=17, flags="MF") / Raw(whole[34:])
    batch = batch_of(bytes(head))
    assert batch.dst_port.tolist() == [4789]
    assert list(batch.pieces) == [0]
    assert batch.inner is None


# --- tunnels in tunnels --------------------------------------------------------------------------------
def test_a_mirrored_packet_behind_a_gateway_load_balancer_is_opened_twice() -> None:
    mirrored = vxlan(SYN, vni=VNI)
    inner = inner_of(geneve(mirrored, vni=5), geneve(mirrored[14:], IPV4_TYPE, vni=5))
    assert inner.records["dst_port"].tolist() == [443, 443]
    assert inner.vni.tolist() == [VNI, VNI]
    assert inner.kind.tolist() == [VXLAN | GENEVE] * 2
    assert inner.outer_dst_lo.tolist() == [low(TARGET)] * 2
    assert inner.records["wirelen"].tolist() == [len(SYN)] * 2


def test_the_network_is_that_of_the_mirror_wherever_it_stands() -> None:
    inner = inner_of(geneve(vxlan(SYN, vni=2), vni=1), geneve(geneve(SYN, vni=3), vni=4), vxlan(SYN, vni=5))
    assert inner.vni.tolist() == [2, 3, 5]
    assert inner.kind.tolist() == [VXLAN | GENEVE, GENEVE, VXLAN]


def test_an_overlay_that_a_mirrored_interface_speaks_itself_stays_closed() -> None:
    overlays = [vxlan(SYN, vni=9), geneve(SYN, vni=9)]
    inner = inner_of(*(vxlan(overlay, vni=5) for overlay in overlays))
    assert inner.vni.tolist() == [5, 5]
    assert inner.records["dst_port"].tolist() == [4789, 6081]


def test_the_outer_ends_are_those_of_the_outermost_tunnel() -> None:
    first = OUTER_ETHER / IP(src="10.0.7.1", dst="10.0.7.2")
    inner = inner_of(geneve(vxlan(SYN), outer=first))
    assert (inner.outer_src_lo.tolist(), inner.outer_dst_lo.tolist()) == ([low("10.0.7.1")], [low("10.0.7.2")])


def test_what_is_nested_deeper_than_the_bound_stays_closed() -> None:
    data, layers = SYN, []
    for depth in range(1, MAX_LAYERS + 3):
        data = geneve(data, vni=depth)
        layers.append(data)
    inner = inner_of(*layers)
    assert inner.records["dst_port"].tolist() == [443] * MAX_LAYERS + [6081] * 2
    assert inner.vni.tolist() == [1, 1, 1, 2, 3]
    assert inner.records["wirelen"].tolist() == [len(SYN)] * MAX_LAYERS + [len(layers[0]), len(layers[1])]


def test_a_mirrored_reply_to_a_clients_port_4789_is_no_tunnel() -> None:
    reply = bytes(ETHER / IP(src=CLIENT, dst=SOURCE) / UDP(sport=53, dport=4789) / Raw(b"\x0c\x11\x81\x80" + bytes(60)))
    inner = inner_of(vxlan(reply))
    assert inner.records["src_port"].tolist() == [53]
    assert inner.vni.tolist() == [VNI]


def test_inner_fragments_of_a_tunnel_are_not_opened() -> None:
    head = OUTER_ETHER / IP(src=SOURCE, dst=TARGET, id=7, proto=17, flags="MF") / Raw(vxlan(SYN)[34:])
    inner = inner_of(geneve(bytes(head)))
    assert inner.records["dst_port"].tolist() == [4789]
    assert list(inner.pieces) == [0]


# --- hostile bytes -------------------------------------------------------------------------------------
NO_TUNNELS = {
    "no I flag": vxlan(SYN, flags=0xF7),
    "version 1 of GENEVE": geneve(SYN, version=1),
    "options that end behind the packet": geneve(SYN, optionlen=63),
    "options that reach its very end": put(geneve(SYN[:40], options=[]), AT, b"\x0a"),
    "another protocol": geneve(SYN, 0x0806),
    "half a VXLAN header": bytes(OUTER / UDP(dport=4789) / Raw(b"\x08\0\0\0\0\0\1")),
    "half a GENEVE header": bytes(OUTER / UDP(dport=6081) / Raw(b"\0\0\x65\x58\0\0\1")),
    "nothing inside": vxlan(b""),
    "no IP inside": geneve(b"", IPV4_TYPE),
    "half an Ethernet header": vxlan(SYN[:13]),
    "a UDP length that leaves nothing": put(vxlan(SYN), 38, b"\0\x10"),
    "a UDP length above the IP length": put(vxlan(SYN), 38, b"\1\0"),
    "a UDP length below 8": put(vxlan(SYN), 38, b"\0\7"),
    "an answer from the port": bytes(OUTER / UDP(sport=4789, dport=50000) / Raw(vxlan(SYN)[42:])),
    "TCP": bytes(OUTER / TCP(sport=50000, dport=4789) / Raw(vxlan(SYN)[42:])),
    "UDP-Lite": bytes(OUTER_ETHER / IP(src=SOURCE, dst=TARGET, proto=136) / Raw(vxlan(SYN)[34:])),
}


@pytest.mark.parametrize("story", NO_TUNNELS)
def test_no_valid_tunnel_no_entry(story: str) -> None:
    batch = batch_of(NO_TUNNELS[story])
    assert batch.rows == 1
    assert batch.inner is None


@pytest.mark.parametrize("inside", [SYN, bytes(ETHER / IPv6(src=SOURCE6, dst=TARGET6) / TCP())], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("carry", [vxlan, geneve])
def test_a_snap_length_cuts_inner_packets_as_it_would_cut_them_alone(carry: Any, inside: bytes) -> None:
    whole = carry(inside)
    headers = len(whole) - len(inside)
    for snap in range(headers):
        assert batch_of(whole, snap=snap).inner is None or snap >= headers + 14
    for size in range(14, len(inside) + 1):
        cut = inner_of(whole, snap=headers + size)
        single = frames_batch([Frame(ETHERNET, 0, inside[:size], len(inside))])
        assert columns(cut.records) == columns(single.records)
        assert cut.records["status"][0] == (OK if size == len(inside) else TRUNCATED)


def test_an_inner_ip_header_that_was_never_there_is_malformed() -> None:
    for size in range(14, 34):
        assert inner_of(vxlan(SYN[:size])).records["status"].tolist() == [MALFORMED]
    for size in range(1, 20):
        assert inner_of(geneve(SYN[14 : 14 + size], IPV4_TYPE)).records["status"].tolist() == [MALFORMED]


def test_a_packet_that_the_mirror_cut_lacks_its_transport_header() -> None:
    inner = inner_of(vxlan(SYN[:40]))  # the session's packet length, behind which the tunnel ends
    assert inner.records["status"].tolist() == [TRUNCATED]
    assert inner.records["dst_lo"].tolist() == [low(SOURCE)]
    assert inner.records["length"].tolist() == [40]


@given(
    st.sampled_from([vxlan(geneve(SYN)), geneve(vxlan(SYN)), vxlan(SYN, outer=OUTER6), geneve(SYN[14:], IPV4_TYPE)]),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=6),
    st.integers(0, 260),
    st.booleans(),
)
def test_bytes_changed_anywhere_stay_within_their_frame(
    frame: bytes, changes: list[tuple[int, int]], size: int, cut: bool
) -> None:
    data = bytearray(frame)
    for at, value in changes:
        data[at % len(data)] = value
    snapped = bytes(data[:size])
    batch = frames_batch([Frame(ETHERNET, 0, snapped, len(data) if cut else len(snapped))] * 2)
    assert batch.rows == 2
    if batch.inner is not None:
        assert batch.inner.rows.tolist() == [0, 1]
        caplen, wirelen = (batch.inner.records[name].astype(np.int64) for name in ("caplen", "wirelen"))
        assert np.all((caplen > 0) & (caplen <= wirelen) & (wirelen < len(data)))
