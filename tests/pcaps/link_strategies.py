"""Hypothesis strategies: random frames of the link layers that crafted packets cannot start with.

`linked_frames()` gives a Frame, the scapy packet that it was built from and what dissects its bytes.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from scapy.contrib.chdlc import CHDLC
from scapy.contrib.mpls import MPLS, EoMCW
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1AH, Dot1Q, Dot3, Ether
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.packet import Packet

from pcaps.frame import Frame
from tests.pcaps.strategies import SHORT, ip_packets

MACS: dict[str, Any] = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
LABELS = st.integers(16, (1 << 20) - 1)
PRIORITY = st.integers(0, 7)
WLAN_ADDRESSES: dict[str, Any] = {f"addr{n}": f"02:00:00:00:00:0{n}" for n in range(1, 5)}
TO_SYSTEM, FROM_SYSTEM = 1, 2


def compressed_ppp(ip: Packet) -> Packet:
    """PPP with its protocol field in one byte (RFC 1661 section 6.5)."""
    return PPP(proto=0x57 if isinstance(ip, IPv6) else 0x21) / ip


def label_stack(draw: st.DrawFn, inside: Packet) -> Packet:
    """One to four MPLS labels around a packet."""
    packet = MPLS(label=draw(LABELS), s=1, cos=draw(PRIORITY)) / inside
    for label in draw(st.lists(LABELS, max_size=3)):
        packet = MPLS(label=label, s=0) / packet
    return packet


@st.composite
def shims(draw: st.DrawFn, ip: Packet) -> Packet:
    """What may stand behind an Ethernet header."""
    kinds: dict[str, Callable[[], Packet]] = {
        "tags": lambda: tagged(draw, ip),
        "mpls": lambda: label_stack(draw, ip),
        "pseudowire": lambda: label_stack(draw, EoMCW(seq=draw(SHORT)) / Ether(**MACS) / ip),
        "pppoe": lambda: PPPoE(sessionid=draw(SHORT)) / PPP() / ip,
        "priority tag": lambda: Dot1Q(prio=draw(PRIORITY), vlan=0) / ip,
        "snap in a tag": lambda: Dot1Q(vlan=1, type=len(ip) + 8) / LLC() / SNAP() / ip,
        "snap by its EtherType": lambda: Dot1Q(vlan=1) / LLC() / SNAP() / ip,
        "mac in mac": lambda: Dot1AH(isid=draw(SHORT)) / Ether(**MACS) / ip,
    }
    return kinds[draw(st.sampled_from(list(kinds)))]()


def tagged(draw: st.DrawFn, ip: Packet) -> Packet:
    """Up to six tags of either kind."""
    for layer in draw(st.lists(st.sampled_from([Dot1Q, Dot1AD]), min_size=1, max_size=6)):
        ip = layer(vlan=draw(st.integers(0, 4095)), prio=draw(PRIORITY)) / ip
    return ip


def wlan(draw: st.DrawFn, ip: Packet) -> Packet:
    """An 802.11 data frame: three or four addresses, with and without QoS."""
    systems = draw(st.sampled_from([0, TO_SYSTEM, FROM_SYSTEM, TO_SYSTEM | FROM_SYSTEM]))
    qos = draw(st.booleans())
    header = Dot11(type=2, subtype=8 if qos else 0, FCfield=systems, **WLAN_ADDRESSES)
    if qos:
        header /= Dot11QoS(TID=draw(PRIORITY))
    return header / LLC() / SNAP() / ip


def cooked(draw: st.DrawFn, inside: Packet) -> tuple[int, Packet]:
    """A Linux cooked header that names what Ethernet would name."""
    link, layer = draw(st.sampled_from([(113, CookedLinux), (276, CookedLinuxV2)]))
    ethertype = Ether(bytes(Ether(**MACS) / inside)).type
    return link, layer(pkttype=draw(st.integers(0, 4)), proto=ethertype) / inside


READERS: dict[Any, Callable[[bytes], Packet]] = {  # scapy knows fewer EtherTypes behind cooked headers
    CookedLinux: lambda data: Ether(bytes(12) + data[14:]),
    CookedLinuxV2: lambda data: Ether(bytes(12) + data[:2] + data[20:]),
}


@st.composite
def linked_frames(draw: st.DrawFn) -> tuple[Frame, Packet, Callable[[bytes], Packet]]:
    """A frame, its packet, and what dissects its bytes."""
    ip = draw(ip_packets())
    kinds: dict[str, Callable[[], tuple[int, Packet]]] = {
        "ethernet": lambda: (1, Ether(**MACS) / draw(shims(ip))),
        "snap": lambda: (1, Dot3(**MACS) / LLC() / SNAP() / ip),
        "ppp": lambda: (9, PPP() / ip),
        "compressed ppp": lambda: (9, compressed_ppp(ip)),
        "ppp in hdlc": lambda: (draw(st.sampled_from([9, 50])), HDLC() / PPP() / ip),
        "pppoe": lambda: (51, PPPoE(sessionid=draw(SHORT)) / PPP() / ip),
        "cisco hdlc": lambda: (draw(st.sampled_from([9, 50, 104])), CHDLC() / ip),
        "wlan": lambda: (105, wlan(draw, ip)),
        "radiotap": lambda: (127, RadioTap() / wlan(draw, ip)),
        "cooked": lambda: cooked(draw, draw(shims(ip))),
    }
    kind = draw(st.sampled_from(list(kinds)))
    link, packet = kinds[kind]()
    data = bytes(packet)
    if kind == "compressed ppp":
        data = data[1:]
    if draw(st.booleans()):  # a frame check sequence, or padding
        data += bytes(4)
    return Frame(link, 0, data, len(data)), packet, READERS.get(type(packet), type(packet))
