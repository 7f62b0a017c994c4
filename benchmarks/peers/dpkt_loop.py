"""A loop over dpkt's objects. `CAPTURE RULES [PACKETS]`."""

from collections.abc import Iterator
from pathlib import Path

import dpkt

from benchmarks.peers.tracker import Seen, run


def read(path: str) -> Iterator[Seen | None]:
    """Every packet of a pcap of Ethernet; None for what is not TCP, UDP or ICMP."""
    with Path(path).open("rb") as file:
        for now, frame in dpkt.pcap.Reader(file):
            ip = dpkt.ethernet.Ethernet(frame).data
            if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6):
                yield None
                continue
            inner = ip.data
            if isinstance(inner, dpkt.tcp.TCP):
                yield now, 6, ip.src, inner.sport, ip.dst, inner.dport, inner.flags
            elif isinstance(inner, dpkt.udp.UDP):
                yield now, 17, ip.src, inner.sport, ip.dst, inner.dport, 0
            elif isinstance(inner, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6):
                identifier = inner.data.id
                yield now, ip.p, ip.src, identifier, ip.dst, identifier, inner.type << 8 | inner.code
            else:
                yield None


if __name__ == "__main__":
    run(read)
