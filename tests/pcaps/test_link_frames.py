"""IP behind every link layer, and what is no IP, from frames written byte by byte."""

import numpy as np
import pytest

from pcaps.batch import INBOUND, MALFORMED, NOT_IP, OK, OUTBOUND, TRUNCATED, UNSTATED, PacketBatch, concatenate
from pcaps.capture import frames_batch
from pcaps.frame import Frame
from pcaps.link import LINK_TYPES, MAX_LINK_HEADERS
from pcaps.link_cooked import MAX_TLVS
from tests.pcaps.link_frames import (
    BOTTOM,
    FRAMES,
    IP4,
    IP6,
    MACS,
    Case,
    be,
    label,
    nflog,
    ppp,
    pppoe,
    radiotap,
    sized,
    sll,
    sll2,
    snap,
    subframe,
    tlv,
    typed,
    wlan,
)
from tests.pcaps.test_decode_scapy import cells

ALL = [case for cases in FRAMES.values() for case in cases]
READ = {
    IP4: {"family": 4, "protocol": 6, "src_port": 40000, "dst_port": 80, "length": 40},
    IP6: {"family": 6, "protocol": 6, "src_port": 40000, "dst_port": 80, "length": 60},
}


def row(link: int, data: bytes, wirelen: int | None = None) -> dict[str, int]:
    return cells(frames_batch([Frame(link, 0, data, len(data) if wirelen is None else wirelen)]))


def status(link: int, data: bytes, wirelen: int | None = None) -> int:
    return row(link, data, wirelen)["status"]


@pytest.mark.parametrize("ip", [IP4, IP6], ids=["IPv4", "IPv6"])
def test_ip_is_found_behind_every_link_layer(ip: bytes) -> None:
    for case in FRAMES[ip]:
        found = row(case.link, case.data)
        assert {"status": OK} | READ[ip] == {name: found[name] for name in ("status", *READ[ip])}, case.story
    assert {case.link for case in ALL} == {kind.number for kind in LINK_TYPES}


def cut_everywhere(case: Case, wirelen: int, filler: bytes) -> PacketBatch:
    """The frame cut at every byte, `filler` behind each piece."""
    frames = []
    for size in range(len(case.data)):
        frames.append(Frame(case.link, 0, case.data[:size], max(size, wirelen)))
        frames.append(Frame(case.link, 0, filler[size:] or b"\0", 0))
    return frames_batch(frames).take(np.arange(0, len(frames), 2))


@pytest.mark.parametrize("ip", [IP4, IP6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("cut", [True, False], ids=["cut by the snap length", "never longer"])
def test_no_byte_behind_the_captured_end_is_read(ip: bytes, *, cut: bool) -> None:
    for case in FRAMES[ip]:
        wirelen = len(case.data) if cut else 0
        followed = cut_everywhere(case, wirelen, case.data)
        assert np.array_equal(followed.records, cut_everywhere(case, wirelen, b"\xff" * 200).records), case.story
        assert TRUNCATED in followed.status, case.story
        assert (MALFORMED in followed.status) is not cut, case.story


OTHERS = {
    "ARP": (1, MACS + be(0x0806) + bytes(28)),
    "a length of 1501": (1, MACS + be(1501) + snap(IP4)),
    "spanning tree": (1, MACS + sized(b"\x42\x42\x03" + bytes(35))),
    "SNAP of another organisation": (1, MACS + sized(snap(IP4, 0x00000C))),
    "LLC that carries no information": (1, MACS + sized(b"\xaa\xaa\x13" + bytes(3) + typed(IP4))),
    "an LLC supervisory frame": (1, MACS + sized(snap(IP4, control=b"\x01\x00"))),
    "an associated channel by its label": (1, MACS + be(0x8847) + label(13) + IP4),
    "an associated channel by its first bits": (1, MACS + be(0x8847) + label(100) + b"\x10" + IP4),
    "what no IP version starts with": (1, MACS + be(0x8847) + label(100) + b"\xf0" + IP4),
    "a pseudowire that carries ARP": (1, MACS + be(0x8847) + label(100) + bytes(4) + MACS + be(0x0806) + bytes(28)),
    "PPPoE discovery": (1, MACS + be(0x8863) + pppoe(b"")),
    "PPP link control": (9, b"\xff\x03" + be(0xC021) + bytes(8)),
    "compressed TCP/IP headers": (9, b"\xff\x03" + be(0x002D) + IP4),
    "Cisco's keep-alive": (104, b"\x8f\x00" + be(0x8035) + bytes(14)),
    "another address family": (0, be(0, 23) + IP4),
    "no IP version": (101, b"\x50" + IP4),
    "a protected frame": (105, wlan(snap(IP4), flags=0x41)),
    "a frame without data": (105, wlan(b"", subtype=4)),
    "a QoS frame without data": (105, wlan(b"", subtype=12, behind=bytes(2))),
    "a later 802.11 fragment": (105, wlan(snap(IP4), sequence=0x11)),
    "a management frame": (105, wlan(snap(IP4), kind=0)),
    "an acknowledgement": (105, b"\xd4\x00\x00\x00" + MACS[:6]),
    "radiotap shorter than itself": (127, b"\0\0\x07\0" + radiotap(wlan(snap(IP4)))[4:]),
    "netlink": (113, sll(0, 0x0800, IP4, 824)),
    "Novell's raw 802.3": (113, sll(0, 1, IP4)),
    "a log without payload": (239, nflog(tlv(10, b"in\0"))),
    "a log of another family": (239, nflog(tlv(9, IP4), family=7)),
    "ARP in ARCNET": (129, b"\1\2\0\0\xf1" + bytes(8)),
    "a later ARCNET fragment": (129, b"\1\2\0\0\xd4\2\0\1" + IP4),
}


@pytest.mark.parametrize("story", OTHERS)
def test_what_is_no_ip_is_said_to_be_none(story: str) -> None:
    link, data = OTHERS[story]
    assert row(link, data) | {"status": NOT_IP, "family": 0} == row(link, data)


def test_tags_without_end_are_malformed() -> None:
    tag = be(0x8100, 1)
    assert status(1, MACS + tag * (MAX_LINK_HEADERS - 1) + typed(IP4)) == OK
    assert status(1, MACS + tag * MAX_LINK_HEADERS + typed(IP4)) == MALFORMED
    assert status(1, MACS + be(0x8847) + label(100, 0) * 5000) == MALFORMED


def test_tlvs_without_end_are_malformed() -> None:
    assert status(239, nflog(*[tlv(1, b"")] * (MAX_TLVS - 1), tlv(9, IP4))) == OK
    assert status(239, nflog(*[tlv(1, b"")] * MAX_TLVS, tlv(9, IP4))) == MALFORMED
    assert status(239, nflog(tlv(1, b"", size=0), tlv(9, IP4))) == MALFORMED


@pytest.mark.parametrize("ip", [IP4, IP6], ids=["IPv4", "IPv6"])
def test_a_frame_that_ends_in_its_link_header_was_cut_or_never_whole(ip: bytes) -> None:
    for case in FRAMES[ip]:
        inside = case.data[: max(0, case.data.index(ip) - 1)]
        assert status(case.link, inside, len(case.data)) in (TRUNCATED, NOT_IP), case.story
        assert status(case.link, inside) in (MALFORMED, NOT_IP), case.story


@pytest.mark.parametrize(
    ("link", "data"),
    [
        (1, MACS + be(0x8864) + pppoe(ppp(IP4), 2 + 19)),
        (1, MACS + be(8 + 19) + snap(IP4)),
        (239, nflog(tlv(9, IP4[:19]), tlv(10, IP4))),
        (105, wlan(subframe(snap(IP4)[: 8 + 19]) + subframe(snap(IP4)), subtype=8, behind=b"\x80\x00")),
    ],
    ids=["PPPoE", "802.3", "a netfilter log", "an aggregate"],
)
def test_a_length_in_the_link_layer_ends_the_packet(link: int, data: bytes) -> None:
    assert status(link, data) == MALFORMED


def test_what_a_log_leaves_out_of_a_packet_is_truncated_where_it_is_needed() -> None:
    with_data = IP4[:2] + be(140) + IP4[4:]
    assert status(239, nflog(tlv(9, with_data), tlv(10, b"in\0"))) == OK
    assert status(239, nflog(tlv(9, IP4[:30]), tlv(10, b"in\0"))) == TRUNCATED


def test_a_pseudowire_is_told_by_its_ethertype_not_by_its_first_byte() -> None:
    for first in (b"\x02", b"\x00"):
        inner = first + MACS[1:] + typed(IP4)
        assert status(1, MACS + be(0x8847) + label(9, BOTTOM) + inner) == OK
        assert status(1, MACS + be(0x8847) + label(9, BOTTOM) + bytes(4) + inner) == OK


@pytest.mark.parametrize(
    ("kind", "way"), [(0, INBOUND), (1, INBOUND), (2, INBOUND), (3, UNSTATED), (4, OUTBOUND), (9, UNSTATED)]
)
def test_a_cooked_header_states_the_way(kind: int, way: int) -> None:
    assert row(113, sll(kind, 0x0800, IP4))["way"] == way
    assert row(276, sll2(kind, 0x0800, IP4))["way"] == way
    assert row(113, sll(kind, 0x0806, bytes(28)))["way"] == way
    assert row(113, sll(kind, 0x0800, IP4)[:15])["way"] == UNSTATED


def test_mac_addresses_are_read_where_they_are_asked_for() -> None:
    frames = [
        Frame(1, 0, data := MACS + typed(IP4), len(data)),
        Frame(1, 0, MACS, 60),
        Frame(113, 0, data := sll(4, 0x0800, IP4), len(data)),
        Frame(113, 0, data := sll(4, 0x0800, IP4, length=8), len(data)),
        Frame(276, 0, data := sll2(0, 0x0800, IP4), len(data)),
        Frame(101, 0, IP4, len(IP4)),
    ]
    source, destination = 0x020000000001, 0x020000000002
    want = [[source, destination], [0, 0], [source, 0], [0, 0], [source, 0], [0, 0]]
    batch = frames_batch(frames, macs=True)
    assert batch.macs is not None
    assert batch.macs.tolist() == want
    assert frames_batch(frames).macs is None


def test_a_batch_carries_its_mac_addresses_along() -> None:
    frame = Frame(1, 0, data := MACS + typed(IP4), len(data))
    other = Frame(101, 0, IP4, len(IP4))
    batch = frames_batch([frame, other, frame], macs=True)
    pair = [0x020000000001, 0x020000000002]
    moved = [batch.slice(1, 3), batch.take(batch.frame == 3), concatenate([batch.slice(0, 1), batch.slice(1, 2)])]
    assert [part.macs.tolist() for part in moved if part.macs is not None] == [[[0, 0], pair], [pair], [pair, [0, 0]]]
    assert concatenate([batch, frames_batch([frame])]).macs is None
    assert concatenate([batch, frames_batch([])]).macs is not None
