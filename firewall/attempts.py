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
from firewall.rows import Judged, VerdictBatch, join_all, take_rows
from firewall.verdict import EGRESS, INGRESS
from pcaps.batch import PacketBatch

AT_ONCE = 1 << 13  # rows
MARK_BITS = 20  # ten times the most attempts
MOST_ATTEMPTS = 100_000  # a scan from forged addresses must not fill the memory


class Attempt(NamedTuple):
    """What the denied packets of one group have in common; `port` is -1 where there is none."""

    eni: int
    direction: int
    family: int
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


KEYED = np.dtype([("key", KEY), ("reason", np.int32)])


@dataclass(slots=True)
class First:
    """How many packets, and the first of them."""

    packets: int
    capture: int
    frame: int


@dataclass(slots=True)
class Denied(First):
    """The packets of one group: how many, the first of them and its reason, and the same for each reason."""

    reason: int
    reasons: dict[int, First]


class Attempts:
    """The groups in the order of their first packets, at most `most`."""

    def __init__(self, most: int = MOST_ATTEMPTS) -> None:
        self._groups: dict[bytes, Denied] = {}  # by the bytes of a KEY, without the zeros at its end
        self._ungrouped = 0
        self._most = most
        self._waiting: list[Judged] = []  # rows that are grouped together, which is cheaper
        self._rows = 0

    @property
    def groups(self) -> dict[bytes, Denied]:
        """The groups by their keys."""
        self._group()
        return self._groups

    @property
    def ungrouped(self) -> int:
        """Rows that found no room."""
        self._group()
        return self._ungrouped

    def add(self, judged: Judged, rows: NDArray[np.intp]) -> None:
        """Count the verdict rows named, in packet order."""
        if not len(rows):
            return
        self._waiting.append(take_rows(judged, rows))
        self._rows += len(rows)
        if self._rows >= AT_ONCE:
            self._group()

    def _group(self) -> None:
        """Group the rows that wait."""
        if not self._waiting:
            return
        packets, verdicts = join_all(self._waiting)
        self._waiting, self._rows = [], 0
        keyed = np.empty(verdicts.rows, KEYED)
        keyed["key"], keyed["reason"] = _keys(packets, verdicts), verdicts.reason
        found, first, counts = np.unique(keyed.view(f"S{KEYED.itemsize}"), return_index=True, return_counts=True)
        order = np.argsort(first)
        rows = first[order]
        keys = found.view(KEYED)["key"][order].view(f"S{KEY.itemsize}")
        details = (packets.capture[rows], packets.frame[rows], verdicts.reason[rows])
        columns = (column.tolist() for column in (keys, counts[order], *details))
        for key, count, capture, frame, reason in zip(*columns, strict=True):
            self._count(key, First(count, capture, frame), reason)

    def _count(self, key: bytes, found: First, reason: int) -> None:
        """Add packets of one group and reason."""
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) == self._most:
                self._ungrouped += found.packets
                return
            group = self._groups[key] = Denied(0, found.capture, found.frame, reason, {})
        group.packets += found.packets
        if reason in group.reasons:
            group.reasons[reason].packets += found.packets
        else:
            group.reasons[reason] = found

    def answered_by(self, eni: int, flows: NDArray[np.void]) -> int:
        """How many of an interface's flows (firewall.flows.FLOW) were opened by an answer to a denied attempt."""
        if not self.groups:
            return 0
        known = np.array(list(self.groups), f"S{KEY.itemsize}")
        groups = known.view(KEY)
        tried = np.zeros(1 << MARK_BITS, np.bool_)  # few flows have a mark that an attempt has: few are compared
        tried[_marks(groups["src_lo"], groups["dst_lo"], groups["port"])] = True
        likely = tried[_marks(flows["dst_lo"], flows["src_lo"], flows["src_port"])]
        flows = flows[likely & flows["known"] & np.isin(flows["protocol"], PORT_PROTOCOLS)]
        keys = np.empty(len(flows), KEY)
        keys["eni"], keys["direction"] = eni, INGRESS + EGRESS - flows["direction"].astype(np.int32)
        mapped = (flows["src_hi"] == 0) & (flows["src_lo"] >> np.uint64(32) == np.uint64(0xFFFF))
        keys["family"] = np.where(mapped, 4, 6)  # flows do not tell; IPv6 with a mapped address counts as IPv4
        keys["protocol"], keys["icmp_type"], keys["port"] = flows["protocol"], -1, flows["src_port"]
        for end, other in (("src", "dst"), ("dst", "src")):
            for half in ("hi", "lo"):
                keys[f"{end}_{half}"] = flows[f"{other}_{half}"]
        return int(np.count_nonzero(np.isin(keys.view(f"S{KEY.itemsize}"), known)))

    def largest(self, limit: int | None = None) -> list[tuple[Attempt, Denied]]:
        """The groups with most packets, at most `limit`; ties by their first packet."""
        found = sorted(self.groups.items(), key=lambda item: -item[1].packets)[:limit]
        keys = np.array([key for key, _ in found], f"S{KEY.itemsize}").view(KEY)
        return [(Attempt(*values), denied) for values, (_, denied) in zip(keys.tolist(), found, strict=True)]


def _marks(src: NDArray[np.uint64], dst: NDArray[np.uint64], port: NDArray[np.integer]) -> NDArray[np.intp]:
    """A number of MARK_BITS bits for each source, destination and its port; the same for the same."""
    word = (src ^ dst * np.uint64(0x9E3779B97F4A7C15)) + (port.astype(np.uint64) & np.uint64(0xFFFF))
    mixed = (word ^ (word >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    marks: NDArray[np.intp] = (mixed >> np.uint64(64 - MARK_BITS)).astype(np.intp)
    return marks


def _keys(packets: PacketBatch, verdicts: VerdictBatch) -> NDArray[np.void]:
    """The group of each row, as a record of dtype KEY; row k is about packet k."""
    with_ports = has_ports(packets)
    keys = np.empty(verdicts.rows, KEY)
    keys["eni"], keys["direction"] = verdicts.eni, verdicts.direction
    for name in ("family", "protocol", "src_hi", "src_lo", "dst_hi", "dst_lo"):
        keys[name] = getattr(packets, name)
    icmp = with_ports & np.isin(packets.protocol, ICMP_PROTOCOLS)
    keys["icmp_type"] = np.where(icmp, packets.src_port.astype(np.int32), -1)
    keys["port"] = np.where(with_ports, packets.dst_port.astype(np.int32), -1)
    return keys
