"""Writes a synthetic capture: classic pcap, microseconds, little-endian, Ethernet.

    python -m benchmarks.generate OUT.pcap --packets 1000000 --flows 50000 --snaplen 96

The same seed gives the same bytes. Checksums of IP, TCP, UDP and ICMP are good; payloads are zeros.
Ten million packets take a quarter of a minute, and about 60 bytes of memory each.
Interface k has the addresses 10.0.1.(10+k) and 2001:db8:1::(0x10+k), as in benchmarks/rules.yaml.
"""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan import Plan
from benchmarks.traffic import ICMP, SYN, UDP, Flows, Ints, Packets, draw_flows, draw_packets

Bytes = NDArray[np.uint8]

RECORD = np.dtype([("seconds", "<u4"), ("microseconds", "<u4"), ("caplen", "<u4"), ("wirelen", "<u4")])
ETHERNET = [("dst_mac", "u1", 6), ("src_mac", "u1", 6), ("ethertype", ">u2")]
IPV4 = [
    ("version_ihl", "u1"),
    ("tos", "u1"),
    ("total", ">u2"),
    ("ip_id", ">u2"),
    ("fragment", ">u2"),
    ("ttl", "u1"),
    ("protocol", "u1"),
    ("ip_checksum", ">u2"),
    ("src", "u1", 4),
    ("dst", "u1", 4),
]
IPV6 = [
    ("version_flow", ">u4"),
    ("payload_length", ">u2"),
    ("protocol", "u1"),
    ("ttl", "u1"),
    ("src", "u1", 16),
    ("dst", "u1", 16),
]
TCP_FIELDS = [
    ("src_port", ">u2"),
    ("dst_port", ">u2"),
    ("seq", ">u4"),
    ("ack", ">u4"),
    ("offset", "u1"),
    ("flags", "u1"),
    ("window", ">u2"),
    ("checksum", ">u2"),
    ("urgent", ">u2"),
]
TIMESTAMPS = [("ts_kind", ">u2"), ("ts_value", ">u4"), ("ts_echo", ">u4")]
SYN_OPTIONS = [("mss", ">u4"), ("sack_permitted", ">u2"), *TIMESTAMPS, ("scale", ">u4")]  # RFC 9293, 2018, 7323
SEGMENT_OPTIONS = [("padding", ">u2"), *TIMESTAMPS]
UDP_FIELDS = [("src_port", ">u2"), ("dst_port", ">u2"), ("udp_length", ">u2"), ("checksum", ">u2")]
ICMP_FIELDS = [("type", "u1"), ("code", "u1"), ("checksum", ">u2"), ("id", ">u2"), ("sequence", ">u2")]

MAGIC, LINKTYPE_ETHERNET = 0xA1B2C3D4, 1
INTERFACE_MAC, ROUTER_MAC = (2, 0, 0, 0, 0, 2), (2, 0, 0, 0, 0, 1)
INTERFACE_IPV4, HOSTS_IPV4 = 0x0A00010A, 0xC6120000  # 10.0.1.10, 198.18.0.0
INTERFACE_IPV6, HOSTS_IPV6 = 0x20010DB8_00010000, 0x20010DB8_00020000  # 2001:db8:1::, 2001:db8:2::
MAX_INTERFACES = 200
BEGIN = 1_700_000_000  # 2023-11-14 22:13:20 UTC
MICROSECONDS_A_PACKET = 10  # 100,000 packets a second
SYN_WINDOW, WINDOW, WINDOW_SCALE = 64240, 502, 7  # 502 << 7 = 64256
BLOCK = 1 << 16  # packets made at a time

HELP = {
    "packets": "packets to write",
    "flows": "flows that share them; a scan has one a packet",
    "snaplen": "bytes kept of each frame",
    "interfaces": f"network interfaces that share the flows, at most {MAX_INTERFACES}",
    "scan": "every packet the SYN of a flow of its own, to an open port",
    "payloads": "keep whole frames, whatever the snap length",
    "seed": "the same seed gives the same bytes",
}


class Layout(NamedTuple):
    """The headers of one kind of packet."""

    transport: str
    protocol: int
    ipv6: bool
    dtype: np.dtype[np.void]

    @property
    def ip_at(self) -> int:
        """Offset of the IP header in the record."""
        return RECORD.itemsize + 14

    @property
    def transport_at(self) -> int:
        """Offset of the transport header in the record."""
        return self.ip_at + (40 if self.ipv6 else 20)


def _layout(transport: str, protocol: int, ipv6: bool, transport_fields: list[tuple[str, str]]) -> Layout:
    headers = [*ETHERNET, *(IPV6 if ipv6 else IPV4), *transport_fields]
    return Layout(transport, protocol, ipv6, np.dtype([*RECORD.descr, *headers]))


LAYOUTS = tuple(
    _layout(transport, protocols[ipv6], bool(ipv6), transport_fields)
    for ipv6 in (0, 1)
    for transport, protocols, transport_fields in (
        ("syn", (6, 6), TCP_FIELDS + SYN_OPTIONS),
        ("segment", (6, 6), TCP_FIELDS + SEGMENT_OPTIONS),
        ("udp", (17, 17), UDP_FIELDS),
        ("icmp", (1, 58), ICMP_FIELDS),
    )
)


def generate(path: Path, plan: Plan) -> None:
    """Write the capture of a plan. Raises ValueError for a plan that cannot be."""
    if plan.packets < 1 or plan.flows < 1 or plan.snaplen < 1 or not 1 <= plan.interfaces <= MAX_INTERFACES:
        raise ValueError(f"packets, flows and snap length start at 1, interfaces go from 1 to {MAX_INTERFACES}")
    rng = np.random.default_rng(plan.seed)
    flows = draw_flows(rng, plan)
    packets, order = draw_packets(rng, flows)
    with path.open("wb") as file:
        _write_file_header(file, plan.cut)
        for start in range(0, plan.packets, BLOCK):
            block = packets.take(order[start : start + BLOCK])
            file.write(_records(block, flows, start, plan.cut).data)


def _write_file_header(file: BinaryIO, snaplen: int) -> None:
    """Version 2.4 (draft-ietf-opsawg-pcap section 4)."""
    words = np.array([MAGIC, 2 | 4 << 16, 0, 0, snaplen, LINKTYPE_ETHERNET], "<u4")
    file.write(words.tobytes())


def _records(packets: Packets, flows: Flows, start: int, snaplen: int) -> Bytes:
    """The records of a block, one behind the other; `start` is the number of its first packet, from 0."""
    kind = _layout_of(packets, flows)
    headers = np.array([layout.dtype.itemsize - RECORD.itemsize for layout in LAYOUTS])
    wirelen = headers[kind] + packets.payload
    caplen = np.minimum(wirelen, snaplen)
    size = RECORD.itemsize + caplen
    offset = np.cumsum(size) - size
    out = np.zeros(int(size.sum()), np.uint8)
    for number, layout in enumerate(LAYOUTS):
        rows = np.flatnonzero(kind == number)
        if not len(rows):
            continue
        record = _headers(layout, packets.take(rows), flows, start + rows)
        record["caplen"], record["wirelen"] = caplen[rows], wirelen[rows]
        width = min(layout.dtype.itemsize, RECORD.itemsize + snaplen)
        out[offset[rows, None] + np.arange(width)] = _bytes_of(record)[:, :width]
    return out


def _layout_of(packets: Packets, flows: Flows) -> Ints:
    """Index into LAYOUTS."""
    kind = flows.kind[packets.flow]
    transport = np.where(kind == UDP, 2, np.where(kind == ICMP, 3, np.where(packets.flags & SYN, 0, 1)))
    layout: Ints = transport + len(LAYOUTS) // 2 * flows.ipv6[packets.flow]
    return layout


def _headers(layout: Layout, packets: Packets, flows: Flows, number: Ints) -> NDArray[np.void]:
    """Record and protocol headers of packets of one layout; caplen and wirelen stay 0."""
    record = np.zeros(len(number), layout.dtype)
    flow = packets.flow
    microseconds = number * MICROSECONDS_A_PACKET
    record["seconds"], record["microseconds"] = BEGIN + microseconds // 10**6, microseconds % 10**6
    outward = flows.outbound[flow] == packets.from_client
    record["src_mac"] = np.where(outward[:, None], INTERFACE_MAC, ROUTER_MAC)
    record["dst_mac"] = np.where(outward[:, None], ROUTER_MAC, INTERFACE_MAC)
    _fill_transport(layout, record, packets, flows, microseconds)
    length: Ints = layout.dtype.itemsize - layout.transport_at + packets.payload.astype(np.int64)
    own, other = _addresses(layout.ipv6, flows, flow)
    record["src"] = np.where(outward[:, None], own, other)
    record["dst"] = np.where(outward[:, None], other, own)
    record["protocol"], record["ttl"] = layout.protocol, 64
    if layout.ipv6:
        record["ethertype"], record["version_flow"], record["payload_length"] = 0x86DD, 6 << 28, length
    else:
        record["ethertype"], record["version_ihl"], record["fragment"] = 0x0800, 0x45, 0x4000  # do not fragment
        record["total"], record["ip_id"] = 20 + length, number & 0xFFFF
        record["ip_checksum"] = _checksum(_word_sum(record, layout.ip_at, layout.transport_at))
    if layout.transport == "udp":
        record["udp_length"] = length
    record["checksum"] = _checksum(_transport_sum(layout, record, length))
    if layout.transport == "udp":
        record["checksum"][record["checksum"] == 0] = 0xFFFF  # RFC 768: 0 would mean that there is none
    return record


def _fill_transport(
    layout: Layout, record: NDArray[np.void], packets: Packets, flows: Flows, microseconds: Ints
) -> None:
    flow, from_client = packets.flow, packets.from_client
    client, server = flows.client_port[flow], flows.service[flow]
    if layout.transport == "icmp":
        request, reply = (128, 129) if layout.ipv6 else (8, 0)
        record["type"] = np.where(from_client, request, reply)
        record["id"], record["sequence"] = client, packets.position // 2 & 0xFFFF
        return
    record["src_port"] = np.where(from_client, client, server)
    record["dst_port"] = np.where(from_client, server, client)
    if layout.transport == "udp":
        return
    record["seq"], record["ack"], record["flags"] = packets.seq, packets.ack, packets.flags
    record["offset"] = (layout.dtype.itemsize - layout.transport_at) // 4 << 4
    record["window"] = WINDOW
    record["ts_kind"], record["ts_value"] = 0x080A, microseconds // 1000
    if layout.transport == "syn":
        record["window"] = SYN_WINDOW
        record["mss"], record["sack_permitted"] = 2 << 24 | 4 << 16 | 1460, 0x0402
        record["scale"] = 1 << 24 | 3 << 16 | 3 << 8 | WINDOW_SCALE  # padding, kind, length, shift
    else:
        record["padding"] = 0x0101


def _addresses(ipv6: bool, flows: Flows, flow: NDArray[np.int32]) -> tuple[Bytes, Bytes]:
    """The interface's address and the other end's, as rows of 4 or 16 bytes."""
    interface, host = flows.interface[flow], flows.host[flow]
    if not ipv6:
        return _big_endian(INTERFACE_IPV4 + interface, 4), _big_endian(HOSTS_IPV4 + host, 4)
    own = np.hstack([_big_endian(np.full(len(flow), INTERFACE_IPV6), 8), _big_endian(0x10 + interface, 8)])
    return own, np.hstack([_big_endian(np.full(len(flow), HOSTS_IPV6), 8), _big_endian(host + 1, 8)])


def _big_endian(numbers: Ints, width: int) -> Bytes:
    return numbers.astype(f">u{width}").view(np.uint8).reshape(-1, width)


def _bytes_of(record: NDArray[np.void]) -> Bytes:
    return record.view(np.uint8).reshape(len(record), record.dtype.itemsize)


def _word_sum(record: NDArray[np.void], start: int, stop: int) -> Ints:
    """Sum of the 16-bit words in these bytes of each row."""
    words = np.ascontiguousarray(_bytes_of(record)[:, start:stop]).view(">u2")
    total: Ints = words.sum(axis=1, dtype=np.int64)
    return total


def _transport_sum(layout: Layout, record: NDArray[np.void], length: Ints) -> Ints:
    """Of header and zero payload; with the pseudo-header, but for ICMP of IPv4 (RFC 792)."""
    total = _word_sum(record, layout.transport_at, layout.dtype.itemsize)
    if layout.protocol == 1:
        return total
    addresses = 32 if layout.ipv6 else 8
    return total + _word_sum(record, layout.transport_at - addresses, layout.transport_at) + layout.protocol + length


def _checksum(total: Ints) -> Ints:
    """RFC 1071."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the capture to write")
    for option in fields(Plan):
        says = HELP[option.name]
        if option.type is bool:
            parser.add_argument(f"--{option.name}", action="store_true", help=says)
        else:
            parser.add_argument(f"--{option.name}", type=int, default=option.default, help=f"{says} (%(default)s)")
    chosen = vars(parser.parse_args())
    try:
        generate(chosen.pop("out"), Plan(**chosen))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
