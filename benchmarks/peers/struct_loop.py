"""A loop by hand: the file mapped into memory, struct at fixed offsets, a dict. `CAPTURE RULES [PACKETS]`."""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.tracker import ICMP, ICMPV6, TCP, Seen, run

RECORD = struct.Struct("<IIII").unpack_from
PORTS = struct.Struct(">HH").unpack_from
FILE_HEADER, RECORD_HEADER, ETHERNET = 24, 16, 14
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


def read(path: str) -> Iterator[Seen | None]:
    """Every packet of a little-endian pcap of Ethernet; None for what is not IP."""
    with Path(path).open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    at = FILE_HEADER
    while at + RECORD_HEADER <= len(data):
        seconds, micros, caplen, _ = RECORD(data, at)
        frame = at + RECORD_HEADER
        at = frame + caplen
        kind, ip = data[frame + 12 : frame + 14], frame + ETHERNET
        if kind == IPV4:
            protocol, src, dst = data[ip + 9], data[ip + 12 : ip + 16], data[ip + 16 : ip + 20]
            there = ip + (data[ip] & 15) * 4
        elif kind == IPV6:
            protocol, src, dst = data[ip + 6], data[ip + 8 : ip + 24], data[ip + 24 : ip + 40]
            there = ip + 40
        else:
            yield None
            continue
        now = seconds + micros * 1e-6
        if protocol in (ICMP, ICMPV6):
            what, _, identifier, _ = struct.unpack_from(">HHHH", data, there)
            yield now, protocol, src, identifier, dst, identifier, what
        else:
            sport, dport = PORTS(data, there)
            yield now, protocol, src, sport, dst, dport, data[there + 13] if protocol == TCP else 0


if __name__ == "__main__":
    run(read)
