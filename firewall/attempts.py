"""Denied packets by what they tried: interface, direction, source, destination and its port.

A client that tries again comes from another port each time, so the source port is left out. No step
for each packet: a batch is grouped by numpy, and only its groups are walked.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.columns import has_ports
from firewall.labels import ICMP_PROTOCOLS, PORT_PROTOCOLS
from firewall.rows import Judged
from firewall.verdict import EGRESS, INGRESS

MOST_ATTEMPTS = 100_000  # a scan from forged addresses must not fill the memory


class Attempt(NamedTuple):
    """What the denied packets of one group have in common; `port` is -1 where there is none."""

    eni: int
    direction: int
    protocol: int
    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    icmp_type: int  # -1 but for ICMP, whose code stands in `port`
    port: int


KEY = np.dtype(
    [(name, np.uint64 if name[-3:] in ("_hi", "_lo") else np.int32) for name in Attempt._fields]
)  # packed: equal groups are equal bytes


@dataclass(slots=True)
class Denied:
    """The packets of one group: how many, and the first of them."""

    packets: int
    reason: int
    capture: int
    frame: int


class Attempts:
    """The groups in the order of their first packets, at most `most`."""

    def __init__(self, most: int = MOST_ATTEMPTS) -> None:
        self.groups: dict[bytes, Denied] = {}  # by the bytes of a KEY, without the zeros at its end
        self.ungrouped = 0  # rows that found no room
        self._most = most

    def add(self, judged: Judged, rows: NDArray[np.intp]) -> None:
        """Count the verdict rows named, in packet order."""
        if not len(rows):
            return
        packets, verdicts = judged
        row = verdicts.packet[rows]
        keys, first, counts = np.unique(
            _keys(judged, rows).view(f"S{KEY.itemsize}"), return_index=True, return_counts=True
        )
        order = np.argsort(first)
        first = first[order]
        details = (verdicts.reason[rows[first]], packets.capture[row[first]], packets.frame[row[first]])
        columns = (column.tolist() for column in (keys[order], counts[order], *details))
        for key, count, reason, capture, frame in zip(*columns, strict=True):
            if key in self.groups:
                self.groups[key].packets += count
            elif len(self.groups) < self._most:
                self.groups[key] = Denied(count, reason, capture, frame)
            else:
                self.ungrouped += count

    def answered_by(self, eni: int, flows: NDArray[np.void]) -> int:
        """How many of an interface's flows (firewall.flows.FLOW) were opened by an answer to a denied attempt."""
        if not self.groups:
            return 0
        flows = flows[flows["known"] & np.isin(flows["protocol"], PORT_PROTOCOLS)]
        keys = np.empty(len(flows), KEY)
        keys["eni"], keys["direction"] = eni, INGRESS + EGRESS - flows["direction"].astype(np.int32)
        keys["protocol"], keys["icmp_type"], keys["port"] = flows["protocol"], -1, flows["src_port"]
        for end, other in (("src", "dst"), ("dst", "src")):
            for half in ("hi", "lo"):
                keys[f"{end}_{half}"] = flows[f"{other}_{half}"]
        known = np.array(list(self.groups), f"S{KEY.itemsize}")
        return int(np.count_nonzero(np.isin(keys.view(f"S{KEY.itemsize}"), known)))

    def largest(self, limit: int | None = None) -> list[tuple[Attempt, Denied]]:
        """The groups with most packets, at most `limit`; ties by their first packet."""
        found = sorted(self.groups.items(), key=lambda item: -item[1].packets)[:limit]
        keys = np.array([key for key, _ in found], f"S{KEY.itemsize}").view(KEY)
        return [(Attempt(*values), denied) for values, (_, denied) in zip(keys.tolist(), found, strict=True)]


def _keys(judged: Judged, rows: NDArray[np.intp]) -> NDArray[np.void]:
    """The group of each row, as a record of dtype KEY."""
    verdicts = judged.verdicts.take(rows)
    packets = judged.packets.take(verdicts.packet.astype(np.intp))
    with_ports = has_ports(packets)
    keys = np.empty(len(rows), KEY)
    keys["eni"], keys["direction"] = verdicts.eni, verdicts.direction
    for name in ("protocol", "src_hi", "src_lo", "dst_hi", "dst_lo"):
        keys[name] = getattr(packets, name)
    icmp = with_ports & np.isin(packets.protocol, ICMP_PROTOCOLS)
    keys["icmp_type"] = np.where(icmp, packets.src_port.astype(np.int32), -1)
    keys["port"] = np.where(with_ports, packets.dst_port.astype(np.int32), -1)
    return keys
