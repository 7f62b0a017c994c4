"""What tshark reads of a capture, packet by packet, and how eniwall's columns compare with it.

Both speak of the outermost IP header: behind a tunnel's or an ICMP error's header tshark goes on reading,
eniwall does not.
"""

import subprocess
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pcaps.batch import PacketBatch
from pcaps.capture import open_capture

EXTENSIONS = {
    0: "ipv6.hopopts.nxt",
    43: "ipv6.routing.nxt",
    44: "ipv6.fraghdr.nxt",
    51: "ah.next_header",
    60: "ipv6.dstopts.nxt",
}
PORTS = {
    "tcp": ("tcp.srcport", "tcp.dstport"),
    "udp": ("udp.srcport", "udp.dstport"),
    "udplite": ("udp.srcport", "udp.dstport"),
    "sctp": ("sctp.srcport", "sctp.dstport"),
    "icmp": ("icmp.type", "icmp.code"),
    "icmpv6": ("icmpv6.type", "icmpv6.code"),
}
FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "frame.protocols",
    *("ip.src", "ip.dst", "ip.proto"),
    *("ipv6.src", "ipv6.dst", "ipv6.nxt"),
    *EXTENSIONS.values(),
    *dict.fromkeys(field for pair in PORTS.values() for field in pair),
)
# Every frame by itself, as eniwall's decoder reads it: no datagrams put together, no streams.
ALONE = (
    "ip.defragment",
    "ipv6.defragment",
    "tcp.desegment_tcp_streams",
    "tcp.analyze_sequence_numbers",
    "sctp.reassembly",
)


class Header(NamedTuple):
    """What both read of one packet; `ports` are ICMP's type and code too, None where they were not read."""

    time: int
    src: str = ""
    dst: str = ""
    protocol: int = -1
    ports: tuple[int, int] | None = None


def nanoseconds(text: str) -> int:
    """`1.000000002` as a count; 0 for a packet without time."""
    seconds, _, fraction = text.partition(".")
    return int(seconds or 0) * 10**9 + int(fraction.ljust(9, "0"))


def run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def packet_count(path: Path) -> int:
    """How many packets capinfos counts."""
    return int(run("capinfos", "-T", "-r", "-c", "-M", str(path)).rsplit("\t", maxsplit=1)[-1])


def last_header(cells: dict[str, list[str]]) -> int:
    """The number of the header behind all extension headers of the outermost IPv6 header."""
    number = int(cells["ipv6.nxt"][0])
    left = {name: list(cells[name]) for name in EXTENSIONS.values()}
    while number in EXTENSIONS and left[EXTENSIONS[number]]:
        number = int(left[EXTENSIONS[number]].pop(0), 0)
    return number


def header_of(cells: dict[str, list[str]]) -> Header:
    """The outermost IP header that tshark decoded, and the header behind it."""
    time = nanoseconds("".join(cells["frame.time_epoch"]))
    layers = cells["frame.protocols"][0].split(":") if cells["frame.protocols"] else []
    place = next((index for index, layer in enumerate(layers) if layer in ("ip", "ipv6")), None)
    if place is None:
        return Header(time)
    if layers[place : place + 2] == ["ip", "ipv6"] and not cells["ip.dst"]:
        place += 1  # told by its version
    version = layers[place]
    if not cells[f"{version}.dst"]:
        return Header(time)
    protocol = last_header(cells) if version == "ipv6" else int(cells["ip.proto"][0])
    upper = next((layer for layer in layers[place + 1 :] if not layer.startswith(("ipv6.", "ah"))), "")
    fields = PORTS.get(upper, ("", ""))
    values = [cells[field][0] for field in fields if cells.get(field)]
    ports = (int(values[0], 0), int(values[1], 0)) if len(values) == 2 else None
    src, dst = (str(address(cells[f"{version}.{end}"][0])) for end in ("src", "dst"))
    return Header(time, src, dst, protocol, ports)


def address(text: str) -> IPv6Address:
    return IPv6Address(text if ":" in text else f"::ffff:{text}")


def tshark_headers(path: Path) -> dict[int, Header]:
    """By frame number, what tshark reads."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    settings = [word for name in ALONE for word in ("-o", f"{name}:FALSE")]
    out = run("tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", *settings, *fields)
    headers = {}
    for line in out.splitlines():
        cells = dict(zip(FIELDS, (cell.split(",") if cell else [] for cell in line.split("\t")), strict=True))
        headers[int(cells["frame.number"][0])] = header_of(cells)
    return headers


def eniwall_headers(path: Path) -> dict[int, Header]:
    """By frame number, what eniwall reads."""
    with open_capture(str(path)) as capture:
        return {frame: header for batch in capture.batches() for frame, header in rows_of(batch)}


def rows_of(batch: PacketBatch) -> Iterator[tuple[int, Header]]:
    names = ("frame", "time", "family", "protocol", "src_port", "dst_port", "src_hi", "src_lo", "dst_hi", "dst_lo")
    columns = [np.asarray(getattr(batch, name)).tolist() for name in names]
    for frame, time, family, protocol, src_port, dst_port, src_hi, src_lo, dst_hi, dst_lo in zip(*columns, strict=True):
        if not family:
            yield frame, Header(time)
            continue
        src, dst = str(IPv6Address(src_hi << 64 | src_lo)), str(IPv6Address(dst_hi << 64 | dst_lo))
        yield frame, Header(time, src, dst, protocol, (src_port, dst_port))


def differences(ours: dict[int, Header], theirs: dict[int, Header]) -> dict[int, str]:
    """By frame number, what differs. Ports count where tshark decoded them."""
    found: dict[int, str] = {}
    for frame in sorted(ours.keys() | theirs.keys()):
        if frame not in ours or frame not in theirs:
            found[frame] = f"only {'tshark' if frame in theirs else 'eniwall'} has it"
            continue
        mine, other = ours[frame], theirs[frame]
        if other.ports is None:
            mine = mine._replace(ports=None)
        if mine != other:
            found[frame] = ", ".join(unequal(mine, other))
    return found


def unequal(mine: Header, other: Header) -> Sequence[str]:
    pairs: Iterator[tuple[str, Any, Any]] = zip(Header._fields, mine, other, strict=True)
    return [f"{name} {left!r}, tshark {right!r}" for name, left, right in pairs if left != right]
