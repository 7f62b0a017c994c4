"""Frames in VXLAN and GENEVE for the tests of pcaps.tunnel, built by scapy, and batches read row by row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from pcaps.batch import PACKET, Inner, PacketBatch
from pcaps.capture import frames_batch
from pcaps.frame import Frame

SOURCE, TARGET = "10.0.1.10", "10.0.9.9"  # the mirrored interface, the mirror's target
CLIENT = "198.51.100.7"
SOURCE6, TARGET6 = "2001:db8:1::10", "2001:db8:9::9"
ETHERNET_TYPE, IPV4_TYPE, IPV6_TYPE = 0x6558, 0x0800, 0x86DD
ETHERNET, IPV4, IPV6 = 1, 228, 229  # https://www.tcpdump.org/linktypes.html
VNI = 0xABCDE7

ETHER = Ether(src="02:00:5e:00:53:01", dst="02:00:5e:00:53:02")
OUTER_ETHER = Ether(src="02:00:5e:00:53:11", dst="02:00:5e:00:53:12")
OUTER = OUTER_ETHER / IP(src=SOURCE, dst=TARGET)
OUTER6 = OUTER_ETHER / IPv6(src=SOURCE6, dst=TARGET6)
SYN = bytes(ETHER / IP(src=CLIENT, dst=SOURCE) / TCP(sport=40000, dport=443, flags="S"))


def vxlan(inner: bytes, vni: int = VNI, outer: Packet = OUTER, **fields: Any) -> bytes:
    """An Ethernet frame in VXLAN."""
    return bytes(outer / UDP(sport=50000, dport=4789) / VXLAN(vni=vni, **fields) / Raw(inner))


def geneve(inner: bytes, proto: int = ETHERNET_TYPE, vni: int = VNI, outer: Packet = OUTER, **fields: Any) -> bytes:
    """A frame or an IP packet in GENEVE, with one option."""
    option = GeneveOptions(classid=0x0108, type=1, data=b"\x01\x02\x03\x04\x05\x06\x07\x08")
    header = GENEVE(proto=proto, vni=vni, **{"options": [option], **fields})
    return bytes(outer / UDP(sport=50000, dport=6081) / header / Raw(inner))


def ethernet(*data: bytes, snap: int = 1 << 18) -> list[Frame]:
    """Ethernet frames a second apart, cut to `snap` bytes."""
    return [Frame(ETHERNET, index * 10**9, frame[:snap], len(frame)) for index, frame in enumerate(data)]


def batch_of(*data: bytes, snap: int = 1 << 18) -> PacketBatch:
    """The same as a batch."""
    return frames_batch(ethernet(*data, snap=snap))


def inner_of(*data: bytes, snap: int = 1 << 18) -> Inner:
    """What these frames carry; some of them do."""
    inner = batch_of(*data, snap=snap).inner
    assert inner is not None
    return inner


def columns(records: NDArray[np.void]) -> list[dict[str, int]]:
    """Each record by column name."""
    return [{name: int(record[name]) for name in PACKET.names or ()} for record in records]
