"""VXLAN and GENEVE: the packets inside, as traffic mirroring and gateway load balancers deliver them.

VXLAN is RFC 7348, GENEVE RFC 8926. A mirrored packet comes in VXLAN, behind a gateway load balancer in
GENEVE around VXLAN; the load balancer's own appliances get IP in GENEVE.
https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/target-groups.html

One kernel opens one tunnel header of each packet found; what is inside goes through the decoder like any
frame, and may hold the next tunnel.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import entry_kernel, i64, kernel
from pcaps.batch import MALFORMED, NOT_A_FRAGMENT, NOT_IP, OK, PACKET, Inner, PacketBatch
from pcaps.decode import decode
from pcaps.ipv6 import extension_length
from pcaps.link import ETHERNET, IPV4, IPV6, network_layer
from pcaps.link_ethernet import ETHERNET_HEADER
from pcaps.pieces import fragment_pieces
from pcaps.wire import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    IPV4_VERSION_IHL,
    IPV6_EXTENSION_HEADER,
    IPV6_HEADER,
    IPV6_NEXT_HEADER,
    UDP,
    UDP_HEADER,
    UDP_LENGTH,
    Bytes,
    u8,
    u16,
    u32,
)

MAX_LAYERS = 3  # tunnel headers of one frame; AWS nests two
VXLAN, GENEVE = 1, 2  # bits of Inner.kind
NO_TUNNEL = 0

# --- VXLAN, RFC 7348 section 5 -------------------------------------------------------------------------
VXLAN_PORT = 4789
VXLAN_HAS_VNI = 0x08  # the I flag, in the first byte; the other bits are reserved, whatever they are
VXLAN_VNI = 4
VXLAN_HEADER = 8

# --- GENEVE, RFC 8926 sections 3.3 to 3.5 ----------------------------------------------------------------
GENEVE_PORT = 6081
GENEVE_VERSION_OPTIONS = 0  # two bits of version, six of option length in words
GENEVE_PROTOCOL = 2
GENEVE_VNI = 4
GENEVE_HEADER = 8
ETHERTYPE_ETHERNET = 0x6558  # transparent Ethernet bridging

Tunnel = Any  # one record of dtype TUNNEL, as kernels see it

TUNNEL = np.dtype(
    [
        ("start", np.int64),  # of the inner frame, in the data
        ("caplen", np.int64),  # bytes of it that were captured
        ("wirelen", np.int64),  # bytes of it that the tunnel carried
        ("vni", np.int64),
        ("link", np.int64),  # what the inner frame starts with
        ("kind", np.int64),  # VXLAN, GENEVE or NO_TUNNEL
    ],
    align=True,
)


@kernel
def udp_header(data: Bytes, at: int, end: int, family: int) -> int:
    """Where the UDP header of the IP packet at `at` stands, which the decoder has found there."""
    if family == 4:
        return at + (u8(data, at + IPV4_VERSION_IHL) & 0x0F) * 4
    kind = u8(data, at + IPV6_NEXT_HEADER)
    at += IPV6_HEADER
    while kind != UDP and at + IPV6_EXTENSION_HEADER <= end:
        following = u8(data, at)
        at += extension_length(data, at, kind)
        kind = following
    return at


@kernel
def read_vxlan(data: Bytes, at: int, end: int, t: Tunnel) -> int:
    """Where the frame behind a VXLAN header starts; `end` without a valid one, whose I flag is set."""
    if at + VXLAN_HEADER > end or u8(data, at) & VXLAN_HAS_VNI == 0:
        return end
    t["vni"] = u32(data, at + VXLAN_VNI) >> 8
    t["link"] = ETHERNET
    t["kind"] = VXLAN
    return at + VXLAN_HEADER


@kernel
def read_geneve(data: Bytes, at: int, end: int, t: Tunnel) -> int:
    """Where the frame behind a GENEVE header and its options starts; `end` or more without a valid one."""
    if at + GENEVE_HEADER > end:
        return end
    first = u8(data, at + GENEVE_VERSION_OPTIONS)
    behind = at + GENEVE_HEADER + (first & 0x3F) * 4
    protocol = u16(data, at + GENEVE_PROTOCOL)
    if first >> 6 != 0 or protocol not in (ETHERTYPE_ETHERNET, ETHERTYPE_IPV4, ETHERTYPE_IPV6):
        return end
    t["vni"] = u32(data, at + GENEVE_VNI) >> 8
    t["link"] = ETHERNET
    if protocol == ETHERTYPE_IPV4:
        t["link"] = IPV4
    elif protocol == ETHERTYPE_IPV6:
        t["link"] = IPV6
    t["kind"] = GENEVE
    return behind


@kernel
def open_tunnel(data: Bytes, start: int, link: int, p: Any, t: Tunnel) -> None:
    """Say what the tunnel packet `p`, the frame at `start`, carries; NO_TUNNEL unless a frame begins there.

    The UDP length bounds the inner frame: link padding is none of it.
    """
    end = start + i64(p["caplen"])
    whole = start + max(i64(p["wirelen"]), i64(p["caplen"]))
    _, at, until = network_layer(data, start, end, link)
    if until < end:  # as in pcaps.decode
        end = until
        whole = until
    udp = udp_header(data, at, end, i64(p["family"]))
    stop = udp + u16(data, udp + UDP_LENGTH)
    end = min(end, stop)
    if i64(p["dst_port"]) == VXLAN_PORT:
        inner = read_vxlan(data, udp + UDP_HEADER, end, t)
    else:
        inner = read_geneve(data, udp + UDP_HEADER, end, t)
    shortest = ETHERNET_HEADER if i64(t["link"]) == ETHERNET else 1
    if inner + shortest > end:
        t["kind"] = NO_TUNNEL
        return
    t["start"] = inner
    t["caplen"] = end - inner
    t["wirelen"] = min(whole, stop) - inner


@entry_kernel
def open_tunnels(
    data: Bytes,
    offsets: NDArray[np.int64],
    links: NDArray[np.int32],
    records: NDArray[np.void],
    rows: NDArray[np.int64],
    out: NDArray[np.void],
) -> None:
    """Fill the zeroed records of `out` (TUNNEL) from records[rows[k]], k = 0 .. len(rows) - 1.

    records: PACKET, as the decoder filled them from data[offsets[row]:]; the rows have a UDP header whose
    destination is a tunnel's port.
    """
    for k in range(len(rows)):
        row = i64(rows[k])
        open_tunnel(data, i64(offsets[row]), i64(links[row]), records[row], out[k])


class Layer(NamedTuple):
    """Decoded frames that tunnels carried: `rows` of the frames around them, and where they stand in the data."""

    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    links: NDArray[np.int32]
    records: NDArray[np.void]
    vni: NDArray[np.int64]
    kind: NDArray[np.uint8]


@entry_kernel
def any_tunnel(records: NDArray[np.void]) -> bool:
    """True if a record (PACKET) has a tunnel's port as its destination: all that most captures pay."""
    for k in range(len(records)):
        port = i64(records[k]["dst_port"])
        if port in (VXLAN_PORT, GENEVE_PORT):
            return True
    return False


def tunnel_rows(records: NDArray[np.void]) -> NDArray[np.int64]:
    """The rows that are whole UDP datagrams to a tunnel's port; checksums are not asked."""
    ports = records["dst_port"]
    wanted = ((ports == VXLAN_PORT) | (ports == GENEVE_PORT)) & (records["protocol"] == UDP)
    return np.flatnonzero(wanted & (records["status"] == OK) & (records["fragment_id"] == NOT_A_FRAGMENT))


def opened(
    data: Bytes, offsets: NDArray[np.int64], links: NDArray[np.int32], records: NDArray[np.void], verify: bool
) -> Layer | None:
    """What the tunnel packets among decoded frames carry, one tunnel deep; None where there are none."""
    if not any_tunnel(records):
        return None
    rows = tunnel_rows(records)
    tunnels = np.zeros(len(rows), TUNNEL)
    open_tunnels(data, offsets, links, records, rows, tunnels)
    valid = tunnels["kind"] != NO_TUNNEL
    rows, tunnels = rows[valid], tunnels[valid]
    if not len(rows):
        return None
    inner = np.zeros(len(rows), PACKET)
    for name in ("capture", "frame", "time", "interface"):
        inner[name] = records[name][rows]
    for name in ("caplen", "wirelen"):
        inner[name] = tunnels[name]
    starts, inner_links = tunnels["start"].copy(), tunnels["link"].astype(np.int32)
    decode(data, starts, inner_links, inner, verify)
    return Layer(rows, starts, inner_links, inner, tunnels["vni"].copy(), tunnels["kind"].astype(np.uint8))


def deepen(layer: Layer, deeper: Layer) -> bool:
    """Let tunnels within tunnels stand for them; False if there is none.

    They must carry IP: of any reply to a client's port 4789 half have the I flag set. What mirroring's VXLAN
    carries is the packet as the interface saw it: an overlay of its own stays closed.
    """
    ip = ~np.isin(deeper.records["status"], (NOT_IP, MALFORMED)) & (layer.kind[deeper.rows] & VXLAN == 0)
    rows = deeper.rows[ip]
    named = (deeper.kind[ip] == VXLAN) | (layer.kind[rows] & VXLAN == 0)  # a mirrored packet's network before any
    layer.vni[rows] = np.where(named, deeper.vni[ip], layer.vni[rows])
    layer.kind[rows] |= deeper.kind[ip]
    layer.offsets[rows] = deeper.offsets[ip]
    layer.links[rows] = deeper.links[ip]
    layer.records[rows] = deeper.records[ip]
    return len(rows) > 0


def inner_packets(
    data: Bytes,
    offsets: NDArray[np.int64],
    links: NDArray[np.int32],
    records: NDArray[np.void],
    *,
    verify: bool = False,
    macs: bool = False,
) -> Inner | None:
    """The packets inside the tunnels of frames just decoded from data[offsets[k]:]; None where there are none.

    A packet has an entry if its tunnel header is valid and the inner frame begins: an Ethernet header, or a byte
    of IP. What lacks behind that is said by the entry's status. Outer fragments have none. At most MAX_LAYERS
    headers are opened. `verify`: sum over the inner transport checksums. `macs`: read the inner link addresses too.
    """
    layer = opened(data, offsets, links, records, verify)
    if layer is None:
        return None
    for _ in range(MAX_LAYERS - 1):
        deeper = opened(data, layer.offsets, layer.links, layer.records, verify)
        if deeper is None or not deepen(layer, deeper):
            break
    return Inner(
        rows=layer.rows,
        records=layer.records,
        pieces=fragment_pieces(data, layer.offsets, layer.records),
        vni=layer.vni,
        outer_src_hi=records["src_hi"][layer.rows],
        outer_src_lo=records["src_lo"][layer.rows],
        outer_dst_hi=records["dst_hi"][layer.rows],
        outer_dst_lo=records["dst_lo"][layer.rows],
        kind=layer.kind,
        macs=link_addresses(data, layer) if macs else None,
    )


def link_addresses(data: Bytes, layer: Layer) -> NDArray[np.uint64]:
    """uint64[k, 2]: source and destination address of each inner Ethernet frame as 48 bits; else 0."""
    found = np.zeros((len(layer.rows), 2), np.uint64)
    frames = np.flatnonzero(layer.links == ETHERNET)
    header = data[layer.offsets[frames, None] + np.arange(12)].astype(np.uint64)
    weights = np.uint64(1) << (np.uint64(8) * np.arange(5, -1, -1, dtype=np.uint64))
    found[frames, 1] = header[:, :6] @ weights
    found[frames, 0] = header[:, 6:] @ weights
    return found


def tunnel_choice(batch: PacketBatch, choose: NDArray[np.bool_]) -> PacketBatch:
    """The batch with the inner packets of chosen entries in place of their rows.

    choose: bool[k] over the entries of `batch.inner`. Frame, time, capture and interface are the row's either
    way; what the capture says of the outer packet's direction is not said of the inner one. `inner` stays as it
    is: it tells by which tunnel a chosen row came.
    """
    inner = batch.inner
    if inner is None or not choose.any():
        return batch
    rows = inner.rows[choose]
    records = batch.records.copy()
    records[rows] = inner.records[choose]
    pieces = batch.pieces | {int(inner.rows[entry]): piece for entry, piece in inner.pieces.items() if choose[entry]}
    macs = batch.macs
    if macs is not None:
        macs = macs.copy()
        macs[rows] = 0 if inner.macs is None else inner.macs[choose]
    return PacketBatch(records, pieces, inner, macs)
