"""The decoder reads every field as scapy does, over random scapy-built packets."""

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import given, reject

from pcaps.batch import BAD_TRANSPORT, NO_TRANSPORT, NO_WSCALE, OK, PacketBatch
from pcaps.capture import frames_batch
from pcaps.craft import layer_class
from pcaps.frame import Frame
from tests.pcaps.strategies import frames

QUERIES = {4: (0, 8, 13, 14, 15, 16, 17, 18), 6: (128, 129)}
EXTENSIONS = (0, 43, 44, 51, 60)
ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}


def cells(batch: PacketBatch, row: int = 0) -> dict[str, Any]:
    """One row as plain numbers, both address halves put together."""
    values = {name: batch.records[name][row].item() for name in batch.records.dtype.names or ()}
    for name in ("src", "dst", "quoted_src", "quoted_dst"):
        values[name] = values.pop(f"{name}_hi") << 64 | values.pop(f"{name}_lo")
    return values


def address(text: str) -> int:
    return 0xFFFF_0000_0000 | int(IPv4Address(text)) if ":" not in text else int(IPv6Address(text))


def network_header(packet: Any) -> Any:
    """The outermost IP header as it was built."""
    return packet.getlayer(layer_class("IP")) or packet.getlayer(layer_class("IPv6"))


def following(layer: Any, built: Any) -> Any:
    """The layer behind `layer`; where scapy dissects no further (behind AH), as the class it was built from."""
    if isinstance(layer.payload, layer_class("Raw")) and not isinstance(built, layer_class("Raw")):
        try:
            return built.__class__(bytes(layer.payload))
        except struct.error:
            reject()  # scapy, which lost its place behind AH: what is left is too short for the layer
    return layer.payload


def upper(header: Any, built: Any) -> tuple[int, Any, Any]:
    """The protocol number and the layer behind all extension headers, as dissected and as built."""
    number = header.proto if header.version == 4 else header.nh
    layer, built = following(header, built.payload), built.payload
    while number in EXTENSIONS and header.version == 6:
        number = layer.nh
        layer, built = following(layer, built.payload), built.payload
    return number, layer, built


def expected_tcp(layer: Any) -> dict[str, Any]:
    options: dict[str, Any] = dict(option for option in layer.options if isinstance(option, tuple))
    edges = [right for pair in _pairs(options.get("SAck", ())) for right in pair[1:]]
    sack = layer.ack
    for edge in edges:
        if 0 < ((edge - sack) & 0xFFFFFFFF) < 1 << 31:
            sack = edge
    scale = options.get("WScale")
    return {
        "tcp_flags": int(layer.flags) & 0xFF,
        "tcp_seq": layer.seq,
        "tcp_ack": layer.ack,
        "tcp_window": layer.window,
        "tcp_wscale": NO_WSCALE if scale is None else min(scale, 14),
        "tcp_sack_permitted": int("SAckOK" in options),
        "tcp_sack": sack,
        "payload": len(layer.payload),
    }


def _pairs(flat: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [flat[at : at + 2] for at in range(0, len(flat), 2)]


def expected_upper(version: int, number: int, layer: Any, built: Any) -> dict[str, Any]:
    """What the transport columns must hold, by scapy's reading."""
    if number in (6, 17, 132):
        fields = {"src_port": layer.sport, "dst_port": layer.dport}
        return fields | expected_tcp(layer) if number == 6 else fields
    if (version, number) in ((4, 1), (6, 58)):
        fields = {"src_port": layer.type, "dst_port": layer.code}
        if layer.type in QUERIES[version]:
            fields["icmp_id"] = layer.id
        if layer.type in ERRORS[version] and layer.payload:
            fields |= expected_quote(layer.payload, built.payload)
        return fields
    return {}


def expected_quote(quote: Any, built: Any) -> dict[str, Any]:
    number, inner, _ = upper(quote, built)
    fields = {
        "quoted": 1,
        "quoted_protocol": number,
        "quoted_src": address(quote.src),
        "quoted_dst": address(quote.dst),
    }
    if number in (6, 17) and hasattr(inner, "sport"):
        fields |= {"quoted_src_port": inner.sport, "quoted_dst_port": inner.dport}
    return fields


def expected_row(header: Any, sent: Any) -> dict[str, Any]:
    """What the columns must hold of an IP header, as scapy dissects it and as it was built."""
    number, layer, built_layer = upper(header, sent)
    return {
        "status": OK,
        "family": header.version,
        "src": address(header.src),
        "dst": address(header.dst),
        "protocol": number,
        "hop_limit": header.ttl if header.version == 4 else header.hlim,
        "length": header.len if header.version == 4 else header.plen + 40,
    } | expected_upper(header.version, number, layer, built_layer)


@given(frames())
def test_every_field_is_what_scapy_reads(built: tuple[Frame, Any]) -> None:
    frame, packet = built
    sent = network_header(packet)
    header = sent.__class__(bytes(sent))
    row = cells(frames_batch([frame]))
    want = expected_row(header, sent)
    assert {name: row[name] for name in want} == want, header.show(dump=True)


@given(frames())
def test_bytes_cut_anywhere_keep_their_row_and_never_raise(built: tuple[Frame, Any]) -> None:
    frame, _ = built
    cut = [Frame(frame.link, 0, frame.data[:size], len(frame.data)) for size in range(len(frame.data))]
    lying = [Frame(frame.link, 0, frame.data[:size], size) for size in range(len(frame.data))]
    batch = frames_batch(cut + lying)
    assert batch.rows == 2 * len(frame.data)
    assert not set(batch.status[: len(cut)].tolist()) & {BAD_TRANSPORT, NO_TRANSPORT}  # the snap length's doing
