"""Hand-made batches for the tests of counts and reports: a few words a row, everything else zero."""

from ipaddress import ip_address
from typing import Any

import numpy as np

from firewall.labels import Labels
from firewall.model import TCP, NetworkInterface, Rule
from firewall.reports.result import Result
from firewall.rows import Judged, empty_verdicts
from firewall.summary import Summary
from firewall.verdict import DIRECTIONS, REASON_VERDICTS, REASON_WORDS
from pcaps.batch import IPV4_PREFIX, empty_batch
from pcaps.wire import SYN

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
CLIENT, SERVER = "203.0.113.9", "10.0.1.10"
LABELS = Labels(("web.pcap",), ("eni-web",), ("web:ingress[0]", "web:egress[0]"), ("exempt:amazon-dns",))

Row = dict[str, Any]


def halves(text: str) -> tuple[int, int]:
    address = ip_address(text)
    if address.version == 4:
        return 0, IPV4_PREFIX | int(address)
    return int(address) >> 64, int(address) & 0xFFFF_FFFF_FFFF_FFFF


def packet(src: str = CLIENT, dst: str = SERVER, ports: tuple[int, int] = (40000, 80), **more: Any) -> Row:
    """A packet: `protocol`, `length`, `family`, `status`, `quoted`, `time`, `frame` and `capture` may be given."""
    return {"src": src, "dst": dst, "src_port": ports[0], "dst_port": ports[1], **more}


def answer(reason: str, direction: str = "ingress", **more: Any) -> Row:
    """A verdict row of the packet at the same place: `eni`, `flow`, `rule`, `tcp_state`, `ct_state` may be given."""
    return {"reason": reason, "direction": direction, **more}


def batch(*pairs: tuple[Row, Row | list[Row]], first: int = 1) -> Judged:
    """Packets, each with its answer or answers; frames count from `first`, one second apart."""
    rows = [(index, row) for index, (_, found) in enumerate(pairs) for row in _listed(found)]
    packets, verdicts = empty_batch(len(pairs)), empty_verdicts(len(rows))
    for index, (given, _) in enumerate(pairs):
        row: Row = {"frame": first + index, "time": START + (first + index) * SECOND, "family": 4, "protocol": TCP}
        row["tcp_flags"] = SYN
        row |= {"length": 40} | given
        for name, address in (("src", row.pop("src")), ("dst", row.pop("dst"))):
            row[f"{name}_hi"], row[f"{name}_lo"] = halves(address)
        for name, value in row.items():
            getattr(packets, name)[index] = value
    for place, (index, row) in enumerate(rows):
        reason = REASON_WORDS.index(row["reason"])
        values = {"packet": index, "eni": 0, "rule": -1, **row, "reason": reason, "verdict": REASON_VERDICTS[reason]}
        values["direction"] = DIRECTIONS.index(row["direction"])
        for name, value in values.items():
            getattr(verdicts, name)[place] = value
    return Judged(packets, verdicts)


def _listed(found: Row | list[Row]) -> list[Row]:
    return found if isinstance(found, list) else [found]


def exchange() -> Judged:
    """A client's request and its reply under one rule, then a connection of the server's own, denied."""
    request, reply = packet(length=60), packet(SERVER, CLIENT, (80, 40000), length=1500)
    return batch(
        (request, answer("rule", flow=1, rule=0, tcp_state=1, ct_state=1)),
        (reply, answer("established", "egress", flow=1, rule=0, tcp_state=2, ct_state=2)),
        (packet(length=40), answer("established", flow=1, rule=0, tcp_state=3, ct_state=2)),
        (packet(SERVER, "198.51.100.7", (50000, 443)), answer("no-egress-rule", "egress", ct_state=1)),
        (packet("::", "::", (0, 0), family=0, status=1), answer("not-ip", "", eni=-1)),
    )


def summed(*batches: Judged, labels: Labels = LABELS) -> Summary:
    summary = Summary(len(labels.interfaces), len(labels.rules), len(labels.exempt))
    for each in batches:
        summary.add(each)
    return summary


def result(*batches: Judged, labels: Labels = LABELS, **more: Any) -> Result:
    """A result of these batches; fields may be replaced."""
    from ipaddress import ip_network

    summary = summed(*batches, labels=labels)
    ingress = Rule("web", "ingress", 0, TCP, ip_network("0.0.0.0/0"), ports=(80, 80))
    egress = Rule("web", "egress", 0, TCP, ip_network("192.0.2.0/24"), ports=(443, 443))
    fields: Row = {
        "version": "0.0.test",
        "labels": labels,
        "interfaces": (NetworkInterface("eni-web", (ip_address(SERVER),), ("web",)),),
        "rules": (ingress, egress),
        "acl_entries": (),
        "changes": (),
        "profile": "aws",
        "settings": {"tcp_loose": 1},
        "assumptions": ("Every connection is tracked.",),
        "warnings": (),
        "packets_read": summary.packets,
        "filtered_out": 0,
        "summary": summary,
    }
    return Result(**(fields | more))


def column(judged: Judged, name: str) -> list[Any]:
    return list(np.asarray(getattr(judged.verdicts, name)).tolist())
