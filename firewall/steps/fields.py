"""The fields of a packet as the decoder read them, layer by layer, for people."""

from typing import Any

from conntrack.icmp import QUERIES
from firewall.explain.path import STATUSES
from firewall.explain.sight import FAMILIES, address_of, tuple_text
from firewall.labels import ICMP_PROTOCOLS, PORT_PROTOCOLS, flags_text, protocol_word
from firewall.life import packet_text
from pcaps.batch import NO_WSCALE, OK, PacketBatch
from pcaps.tunnel import GENEVE, VXLAN
from pcaps.wire import SCTP, TCP

Layer = dict[str, Any]  # {"layer": name, "fields": [[name, value], ...]}

#: ECN, the two low bits of the traffic class (RFC 3168 section 5).
ECN = ("Not-ECT", "ECT(1)", "ECT(0)", "CE")
#: ICMP messages by family and type: what asks and answers, then RFC 792, RFC 4443, RFC 4861.
ICMP_NAMES = {
    **{(row.family, row.query): f"{row.name} request" for row in QUERIES},
    **{(row.family, row.answer): f"{row.name} reply" for row in QUERIES},
    (4, 3): "destination unreachable",
    (4, 4): "source quench",
    (4, 5): "redirect",
    (4, 11): "time exceeded",
    (4, 12): "parameter problem",
    (6, 1): "destination unreachable",
    (6, 2): "packet too big",
    (6, 3): "time exceeded",
    (6, 4): "parameter problem",
    (6, 133): "router solicitation",
    (6, 134): "router advertisement",
    (6, 135): "neighbor solicitation",
    (6, 136): "neighbor advertisement",
}


def layers(read: PacketBatch, record: Any) -> list[Layer]:
    """The layers of one packet: `read` as the file has it, `record` what was judged of it."""
    outer = read.records[0]
    found = [_frame(outer)]
    inner = read.inner
    if inner is not None and (record["src_lo"] != outer["src_lo"] or record["dst_lo"] != outer["dst_lo"]):
        kind = int(inner.kind[0])
        words = " in ".join(word for bit, word in ((VXLAN, "VXLAN"), (GENEVE, "GENEVE")) if kind & bit)
        found.append(_layer(words, ("carried by", tuple_text(outer)), ("network id", int(inner.vni[0]))))
    if record["family"]:
        found.append(_ip(record))
        if record["status"] == OK and record["fragment_offset"] <= 0:
            found += _transport(record)
    return found


def flags(record: Any) -> str:
    """What tells a packet from others of its protocol: TCP flags, SCTP chunks, an ICMP message's name or `8/0`."""
    if int(record["protocol"]) in ICMP_PROTOCOLS:
        return ICMP_NAMES.get((int(record["family"]), int(record["src_port"])), packet_text(record))
    return packet_text(record)


def _layer(name: str, *fields: tuple[str, object]) -> Layer:
    return {"layer": name, "fields": [[field, str(value)] for field, value in fields]}


def _frame(outer: Any) -> Layer:
    fields: list[tuple[str, object]] = [("number", int(outer["frame"])), ("bytes", int(outer["wirelen"]))]
    if outer["caplen"] != outer["wirelen"]:
        fields.append(("bytes captured", int(outer["caplen"])))
    status = int(outer["status"])
    if status in STATUSES:
        fields.append(("decoded", STATUSES[status][0]))
    return _layer("Frame", *fields)


def _ip(record: Any) -> Layer:
    traffic = int(record["traffic_class"])
    four = int(record["family"]) == 4
    fields: list[tuple[str, object]] = [
        ("source", address_of(record, "src")),
        ("destination", address_of(record, "dst")),
        ("protocol", protocol_word(int(record["protocol"]))),
        ("length", f"{int(record['length'])} bytes"),
        ("TTL" if four else "hop limit", int(record["hop_limit"])),
    ]
    if traffic:
        fields.append(("DSCP, ECN", f"{traffic >> 2}, {ECN[traffic & 3]}"))
    if record["fragment_id"] >= 0 or record["fragment_offset"] > 0 or record["fragment_more"]:
        more = "more follow" if record["fragment_more"] else "the last"
        fields.append(
            ("fragment", f"id {int(record['fragment_id'])}, from byte {int(record['fragment_offset'])}, {more}")
        )
    if record["bad_ip_checksum"]:
        fields.append(("header checksum", "wrong"))
    return _layer(FAMILIES[int(record["family"])], *fields)


def _transport(record: Any) -> list[Layer]:
    protocol = int(record["protocol"])
    if protocol == TCP:
        return [_tcp(record)]
    if protocol in ICMP_PROTOCOLS:
        return _icmp(record)
    if protocol not in PORT_PROTOCOLS:
        return []
    fields: list[tuple[str, object]] = [
        ("source port", int(record["src_port"])),
        ("destination port", int(record["dst_port"])),
    ]
    if protocol == SCTP:
        fields += [("verification tag", f"{int(record['extra']):#010x}"), ("chunks", packet_text(record))]
    return [_layer(protocol_word(protocol).upper(), *_checked(record, fields))]


def _tcp(record: Any) -> Layer:
    flags = flags_text(TCP, int(record["tcp_flags"]))
    fields: list[tuple[str, object]] = [
        ("source port", int(record["src_port"])),
        ("destination port", int(record["dst_port"])),
        ("flags", flags),
        ("sequence number", int(record["tcp_seq"])),
    ]
    if "ACK" in flags.split():
        fields.append(("acknowledgement", int(record["tcp_ack"])))
    fields.append(("window", int(record["tcp_window"])))
    if record["tcp_wscale"] != NO_WSCALE:
        fields.append(("window scale", int(record["tcp_wscale"])))
    fields.append(("data", f"{int(record['payload'])} bytes"))
    return _layer("TCP", *_checked(record, fields))


def _icmp(record: Any) -> list[Layer]:
    kind, family = int(record["src_port"]), int(record["family"])
    name = ICMP_NAMES.get((family, kind))
    fields: list[tuple[str, object]] = [
        ("type", f"{kind} ({name})" if name else kind),
        ("code", int(record["dst_port"])),
    ]
    if any(family == row.family and kind in (row.query, row.answer) for row in QUERIES):
        fields.append(("identifier", int(record["icmp_id"])))
    if record["quoted"]:
        fields.append(("quotes", tuple_text(record, "quoted_")))
    return [_layer("ICMP" if family == 4 else "ICMPv6", *_checked(record, fields))]


def _checked(record: Any, fields: list[tuple[str, object]]) -> list[tuple[str, object]]:
    return [*fields, ("checksum", "wrong")] if record["bad_checksum"] else fields
