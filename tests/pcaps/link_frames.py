"""Frames by hand, byte by byte: every link layer around the same two IP packets."""

import struct
from typing import NamedTuple

SYN = bytes.fromhex("9c400050000000010000000050022000")[:16] + bytes(4)  # 40000 > 80
IP4 = bytes.fromhex("45000028000100004006f0bac63364070a00010a") + SYN  # 198.51.100.7 > 10.0.1.10
IP6 = bytes.fromhex("6000000000140640" + "20010db8" + "00" * 11 + "07" + "20010db8" + "00" * 11 + "0a") + SYN
ETHERTYPES = {IP4: 0x0800, IP6: 0x86DD}

SOURCE, DESTINATION = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
MACS = DESTINATION + SOURCE
VENDOR_MACS = bytes.fromhex("000c29000002000c29000001")  # tshark tells a pseudowire's frame by a vendor it knows
BOTTOM = 0x100


class Case(NamedTuple):
    """A frame with its story."""

    story: str
    link: int
    data: bytes


def be(*numbers: int) -> bytes:
    """Numbers of two bytes each, in network order."""
    return struct.pack(f">{len(numbers)}H", *numbers)


def typed(ip: bytes) -> bytes:
    return be(ETHERTYPES[ip]) + ip


def snap(ip: bytes, oui: int = 0, control: bytes = b"\x03") -> bytes:
    return b"\xaa\xaa" + control + oui.to_bytes(3) + typed(ip)


def sized(inside: bytes) -> bytes:
    """Behind an 802.3 length."""
    return be(len(inside)) + inside


def label(number: int, flags: int = BOTTOM) -> bytes:
    return struct.pack(">I", number << 12 | flags | 64)


def ppp(ip: bytes) -> bytes:
    return be(0x0021 if ip == IP4 else 0x0057) + ip


def pppoe(inside: bytes, length: int | None = None) -> bytes:
    return b"\x11\x00\x00\x01" + be(len(inside) if length is None else length) + inside


def wlan(
    inside: bytes,
    *,
    subtype: int = 0,
    flags: int = 1,
    behind: bytes = b"",
    sequence: int = 0,
    pad: bytes = b"",
    kind: int = 2,
) -> bytes:
    """An 802.11 frame; `behind` is what follows its three addresses: a fourth, QoS, HT control."""
    control = struct.pack("<HH", kind << 2 | subtype << 4 | flags << 8, 0)
    return control + MACS + DESTINATION + struct.pack("<H", sequence) + behind + pad + inside


def radiotap(inside: bytes, present: tuple[int, ...] = (0,), fields: bytes = b"") -> bytes:
    words = struct.pack(f"<{len(present)}I", *present)
    return struct.pack("<BBH", 0, 0, 4 + len(words) + len(fields)) + words + fields + inside


def subframe(inside: bytes) -> bytes:
    """One packet of an aggregate, padded to four bytes."""
    return MACS + be(len(inside)) + inside + bytes(-(14 + len(inside)) % 4)


def sll(packet_type: int, protocol: int, inside: bytes, hardware: int = 1, length: int = 6) -> bytes:
    return be(packet_type, hardware, length) + SOURCE + bytes(2) + be(protocol) + inside


def sll2(packet_type: int, protocol: int, inside: bytes, hardware: int = 1) -> bytes:
    return be(protocol, 0, 0, 3, hardware) + bytes([packet_type, 6]) + SOURCE + bytes(2) + inside


def tlv(kind: int, value: bytes, order: str = "<", size: int | None = None) -> bytes:
    size = len(value) + 4 if size is None else size
    return struct.pack(order + "HH", size, kind) + value + bytes(-len(value) % 4)


def nflog(*tlvs: bytes, family: int = 2) -> bytes:
    return bytes([family, 0, 0, 0]) + b"".join(tlvs)


def ethernet(ip: bytes) -> list[Case]:
    """Ethernet frames that hold this packet."""
    tag = be(0x8100, 7)
    inner = VENDOR_MACS + typed(ip)
    frames = {
        "Ethernet II": typed(ip),
        "Ethernet II with a frame check sequence": typed(ip) + bytes(4),
        "a VLAN tag": tag + typed(ip),
        "a priority tag": be(0x8100, 0xE000) + typed(ip),
        "802.1ad": be(0x88A8, 5) + tag + typed(ip),
        "QinQ of before 802.1ad": be(0x9100, 5) + tag + typed(ip),
        "thirty tags": tag * 30 + typed(ip),
        "LLC and SNAP": sized(snap(ip)),
        "SNAP with padding behind": sized(snap(ip)) + bytes(9),
        "SNAP of a bridged Cisco frame": sized(snap(ip, 0x0000F8)),
        "SNAP in a frame with sequence numbers": sized(snap(ip, control=b"\x00\x00")),
        "LLC's own number for IP": sized(b"\x06\x06\x03" + ip),
        "LLC by its EtherType": be(0x8870) + snap(ip),
        "SNAP behind a tag": tag + sized(snap(ip)),
        "a tag behind SNAP": sized(b"\xaa\xaa\x03" + bytes(3) + tag + typed(ip)),
        "one MPLS label": be(0x8847) + label(100) + ip,
        "the other MPLS EtherType": be(0x8848) + label(100) + ip,
        "five MPLS labels": be(0x8847) + label(100, 0) * 4 + label(17) + ip,
        "explicit null": be(0x8847) + label(0) + ip,
        "a pseudowire with control word": be(0x8847) + label(100) + bytes(4) + inner,
        "a pseudowire without": be(0x8847) + label(100) + inner,
        "a tag in a pseudowire": be(0x8847) + label(100) + bytes(4) + VENDOR_MACS + tag + typed(ip),
        "a tag in a pseudowire without control word": be(0x8847) + label(100) + VENDOR_MACS + tag + typed(ip),
        "PPPoE": be(0x8864) + pppoe(ppp(ip)),
        "PPPoE, protocol compressed": be(0x8864) + pppoe(ppp(ip)[1:]),
        "MPLS in PPPoE": be(0x8864) + pppoe(be(0x0281) + label(100) + ip),
        "802.1ah": be(0x88E7) + bytes(4) + inner,
        "802.1ah behind a tag": be(0x88A8, 5, 0x88E7) + bytes(4) + MACS + tag + typed(ip),
    }
    return [Case(f"{story} in Ethernet", 1, MACS + data) for story, data in frames.items()]


def others(ip: bytes) -> list[Case]:
    """Frames of the other link types."""
    family = 2 if ip == IP4 else 10
    systems = (2,) if ip == IP4 else (10, 24, 28, 30)
    wlans = {
        "an 802.11 frame": wlan(snap(ip)),
        "an 802.11 frame with QoS": wlan(snap(ip), subtype=8, behind=bytes(2)),
        "an 802.11 frame with four addresses": wlan(snap(ip), flags=3, behind=SOURCE),
        "four addresses and QoS": wlan(snap(ip), subtype=8, flags=3, behind=SOURCE + bytes(2)),
        "HT control": wlan(snap(ip), subtype=8, flags=0x81, behind=bytes(6)),
        "strict order without QoS": wlan(snap(ip), flags=0x81),
        "the first fragment": wlan(snap(ip), flags=5),
        "the first packet of an aggregate": wlan(
            subframe(snap(ip)) + subframe(snap(IP4)), subtype=8, behind=b"\x80\x00"
        ),
    }
    padded = {
        "radiotap's padding": radiotap(wlan(snap(ip), subtype=8, behind=bytes(2), pad=b"\xff\xff"), (2,), b"\x20"),
        "flags behind a time stamp": radiotap(
            wlan(snap(ip), subtype=8, behind=bytes(2), pad=b"\xff\xff"), (3,), bytes(8) + b"\x20"
        ),
        "flags behind more words": radiotap(
            wlan(snap(ip), subtype=8, behind=bytes(2), pad=b"\xff\xff"), (1 << 31 | 2, 1 << 31, 0), b"\x20"
        ),
        "a time stamp aligned to eight bytes": radiotap(
            wlan(snap(ip), subtype=8, behind=bytes(2), pad=b"\xff\xff"), (1 << 31 | 3, 0), bytes(4 + 8) + b"\x20"
        ),
        "a header that needs no padding": radiotap(wlan(snap(ip)), (2,), b"\x20"),
        "a bad frame check sequence": radiotap(wlan(snap(ip)) + b"\0\1\2\3", (2,), b"\x50"),
    }
    old = [Case("ARCNET of RFC 1051", 129, b"\1\2\0\0\xf0" + ip), Case("the same on BSD", 7, b"\1\2\xf0" + ip)]
    number = b"\xd4" if ip == IP4 else b"\xc4"
    return [
        *(Case(f"AF {n}, least first", link, struct.pack("<I", n) + ip) for n in systems for link in (0, 108)),
        *(Case(f"AF {n}, network order", link, struct.pack(">I", n) + ip) for n in systems for link in (0, 108)),
        *(Case("bare IP", link, ip) for link in (12, 14, 101, 228 if ip == IP4 else 229)),
        *(Case("PPP in HDLC-like framing", link, b"\xff\x03" + ppp(ip)) for link in (9, 50)),
        *(Case("PPP without address and control", link, ppp(ip)) for link in (9, 50)),
        *(Case("PPP in one byte", link, ppp(ip)[1:]) for link in (9, 50)),
        *(Case("Cisco's HDLC", link, b"\x0f\x00" + typed(ip)) for link in (9, 50, 104)),
        Case("multicast in Cisco's HDLC", 104, b"\x8f\x00" + typed(ip)),
        Case("MPLS in Cisco's HDLC", 104, b"\x0f\x00" + be(0x8847) + label(100) + ip),
        Case("PPPoE alone", 51, pppoe(ppp(ip))),
        *(Case(story, 105, data) for story, data in wlans.items()),
        *(Case(f"{story} in radiotap", 127, radiotap(data)) for story, data in wlans.items()),
        *(Case(story, 127, data) for story, data in padded.items()),
        Case("cooked", 113, sll(0, ETHERTYPES[ip], ip)),
        Case("cooked, a tag", 113, sll(0, 0x8100, be(7) + typed(ip))),
        Case("cooked LLC", 113, sll(0, 4, snap(ip))),
        Case("cooked Ethernet", 113, sll(0, 3, MACS + typed(ip))),
        Case("cooked PPP", 113, sll(0, 7, b"\xff\x03" + ppp(ip))),
        Case("cooked 802.11", 113, sll(0, 0, radiotap(wlan(snap(ip))), 803)),
        Case("cooked, version 2", 276, sll2(0, ETHERTYPES[ip], ip)),
        Case("MPLS, cooked, version 2", 276, sll2(0, 0x8847, label(100) + ip)),
        Case("a netfilter log", 239, nflog(tlv(9, ip), family=family)),
        Case("the payload behind others", 239, nflog(tlv(10, b"in\0"), tlv(1, b""), tlv(9, ip), family=family)),
        Case("the payload before others", 239, nflog(tlv(9, ip), tlv(10, b"in\0"), family=family)),
        Case("a log in network order", 239, nflog(tlv(10, b"in\0", ">"), tlv(9, ip, ">"), family=family)),
        *(old if ip == IP4 else []),
        Case("ARCNET of RFC 1201", 129, b"\1\2\0\0" + number + b"\0\0\1" + ip),
        Case("RFC 1201 on BSD", 7, b"\1\2" + number + b"\0\0\1" + ip),
        Case("an exception packet", 7, b"\1\2" + number + b"\xff\xff\xff" + number + b"\0\0\1" + ip),
        Case("the first fragment in ARCNET", 7, b"\1\2" + number + b"\3\0\1" + ip),
    ]


FRAMES = {ip: [*ethernet(ip), *others(ip)] for ip in (IP4, IP6)}
