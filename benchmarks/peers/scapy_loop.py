# SPDX-License-Identifier: GPL-2.0-only
# It imports scapy, which is GPL-2.0-only; the rest of the project is MIT.
"""A loop over scapy's objects, as PcapReader makes them. `CAPTURE RULES [PACKETS]`."""

import socket
from collections.abc import Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether  # noqa: F401  (the reader finds it by its link type)
from scapy.utils import PcapReader

from benchmarks.peers.tracker import Seen, run


def read(path: str) -> Iterator[Seen | None]:
    """Every packet of a pcap; None for what is not TCP, UDP or ICMP."""
    with PcapReader(path) as reader:
        for packet in reader:
            family, layer = (socket.AF_INET, IP) if IP in packet else (socket.AF_INET6, IPv6)
            if layer not in packet:
                yield None
                continue
            ip = packet[layer]
            now, src, dst = float(packet.time), socket.inet_pton(family, ip.src), socket.inet_pton(family, ip.dst)
            if TCP in ip:
                yield now, 6, src, ip[TCP].sport, dst, ip[TCP].dport, int(ip[TCP].flags)
            elif UDP in ip:
                yield now, 17, src, ip[UDP].sport, dst, ip[UDP].dport, 0
            elif any(kind in ip for kind in (ICMP, ICMPv6EchoRequest, ICMPv6EchoReply)):
                echo = next(ip[kind] for kind in (ICMP, ICMPv6EchoRequest, ICMPv6EchoReply) if kind in ip)
                yield now, 1 if layer is IP else 58, src, echo.id, dst, echo.id, echo.type << 8 | echo.code
            else:
                yield None


if __name__ == "__main__":
    run(read)
