"""The kinds of denial in a capture, each with its first packet: numpy groups a batch, only groups are walked.

A kind is a reason, an interface, a direction and a service: the destination port of a TCP SYN, the lower of the
two ports of anything else that has ports, for ICMP type and code.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firewall.columns import has_ports
from firewall.explain.stops import Target
from firewall.labels import ICMP_PROTOCOLS
from firewall.rows import Judged
from firewall.verdict import DENY
from pcaps.batch import PacketBatch
from pcaps.wire import ACK, SYN, TCP

MOST_KINDS = 10_000  # a scan of all ports must not fill the memory
NO_PORT = -1


@dataclass(slots=True)
class Kind:
    """How many rows are denied alike, and the first of them; `follows`: that one is TCP, but no SYN."""

    rows: int
    first: Target
    follows: bool


class Denials:
    """The kinds in the order of their first packets."""

    def __init__(self, most: int = MOST_KINDS) -> None:
        self.kinds: dict[tuple[int, ...], Kind] = {}
        self.rows = 0
        self.unlisted = 0  # rows of kinds beyond those kept apart
        self._most = most

    def add(self, judged: Judged) -> None:
        """Count the denied rows of a batch."""
        packets, verdicts = judged
        rows = np.flatnonzero(verdicts.verdict == DENY)
        if not len(rows):
            return
        self.rows += len(rows)
        row = verdicts.packet[rows]
        columns = (verdicts.reason[rows], verdicts.eni[rows], verdicts.direction[rows], packets.protocol[row])
        keys = np.stack([*(column.astype(np.int64) for column in columns), _services(judged, rows)], axis=1)
        unique, first, counts = np.unique(keys, axis=0, return_index=True, return_counts=True)
        for place in np.argsort(first).tolist():
            key = tuple(unique[place].tolist())
            packet = row[first[place]]
            if key in self.kinds:
                self.kinds[key].rows += int(counts[place])
            elif len(self.kinds) < self._most:
                target = int(packets.capture[packet]), int(packets.frame[packet])
                self.kinds[key] = Kind(int(counts[place]), target, _follows(packets, int(packet)))
            else:
                self.unlisted += int(counts[place])

    def causes_first(self, count: int) -> list[Kind]:
        """So many kinds: those that open connections in the capture's order, then those that follow on others."""
        return sorted(self.kinds.values(), key=lambda kind: kind.follows)[:count]


def _follows(packets: PacketBatch, row: int) -> bool:
    return bool(packets.protocol[row] == TCP and (packets.tcp_flags[row] & (SYN | ACK)) != SYN)


def _services(judged: Judged, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    packets, verdicts = judged
    row = verdicts.packet[rows]
    src, dst = packets.src_port[row].astype(np.int64), packets.dst_port[row].astype(np.int64)
    opens = (packets.protocol[row] == TCP) & ((packets.tcp_flags[row] & (SYN | ACK)) == SYN)
    service = np.where(opens, dst, np.minimum(src, dst))
    service = np.where(np.isin(packets.protocol[row], ICMP_PROTOCOLS), src << 8 | dst, service)
    found: NDArray[np.int64] = np.where(has_ports(packets)[row], service, NO_PORT)
    return found
