"""Counts of a replay, batch by batch; memory grows with flows only.

    summary = Summary(interfaces=1, rules=3)
    for judged in firewall.replay(capture):
        summary.add(judged)

Rows are what the engine says of a packet at one interface; a packet between two simulated
interfaces has two. So two sums hold, and every report prints both:

    rows = ALLOW + DENY + EXEMPT + NOT_EVALUATED
    rows = packets + packets judged at two interfaces
"""

import numpy as np
from numpy.typing import NDArray

from firewall.attempts import Attempts
from firewall.exempt import SERVICES
from firewall.flows import Flows
from firewall.rows import Judged, empty_verdicts, join_all, take_rows
from firewall.tally import (
    BACKWARDS,
    BEFORE_ALL,
    BEHIND_ALL,
    FIRST_TIME,
    LAST_TIME,
    PACKETS,
    TWO_INTERFACES,
    Counters,
    count_rows,
)
from firewall.verdict import DIRECTIONS, REASON_WORDS, REASONS, UNDECIDABLE, VERDICTS
from pcaps.batch import PacketBatch, concatenate, empty_batch

KEPT_ROWS = 10
FIRST_PACKETS = 1 << 16

Counts = NDArray[np.int64]


class Summary:
    """What a whole replay came to.

    `interfaces`, `rules` (the entries of network ACLs too) and `exempt` services are how many there are;
    `keep` is how many denied and how many undecided rows are kept in full.
    """

    def __init__(self, interfaces: int, rules: int, exempt: int = 0, keep: int = KEPT_ROWS) -> None:
        counters = Counters(
            times=np.array([BEHIND_ALL, BEFORE_ALL, BEFORE_ALL, 0, 0, 0], np.int64),
            reasons=np.zeros(len(REASONS), np.int64),
            interfaces=np.zeros((interfaces + 1, len(DIRECTIONS), len(VERDICTS)), np.int64),
            highest_flows=np.zeros(interfaces, np.int64),
            rule_hits=np.zeros(rules, np.int64),
            rule_packets=np.zeros(rules, np.int64),
            rule_bytes=np.zeros(rules, np.int64),
            rule_denied=np.zeros(rules, np.int64),
            exempt=np.zeros(max(exempt, len(SERVICES)), np.int64),
        )
        self._counters = counters
        self.reasons = counters.reasons  # rows by firewall.verdict.REASONS
        #: rows by interface (0: no simulated interface, then Firewall.interfaces), direction, verdict
        self.by_interface = counters.interfaces
        self.rule_hits = counters.rule_hits  # rows that a rule admitted by itself
        self.rule_packets = counters.rule_packets  # these, and the rest of the connections it opened
        self.rule_bytes = counters.rule_bytes  # IP lengths of `rule_packets`
        self.rule_denied = counters.rule_denied  # rows that a network ACL's entry denied
        self.exempt_rows = counters.exempt
        self.flows = [Flows() for _ in range(interfaces)]  # connections, by interface
        self.attempts = Attempts()  # denied rows, grouped
        self._first: list[PacketBatch] = []
        self.first_denied = no_rows()
        self.first_undecided = no_rows()
        self._keep = keep

    # --- what it came to ---------------------------------------------------------------------------
    @property
    def packets(self) -> int:
        """Packets in all."""
        return int(self._counters.times[PACKETS])

    @property
    def two_interfaces(self) -> int:
        """Packets judged at the sender's interface and at the receiver's."""
        return int(self._counters.times[TWO_INTERFACES])

    @property
    def first_time(self) -> int | None:
        """The smallest time (ns), whatever the order; None without packets."""
        return int(self._counters.times[FIRST_TIME]) if self.packets else None

    @property
    def last_time(self) -> int | None:
        """The largest time (ns); None without packets."""
        return int(self._counters.times[LAST_TIME]) if self.packets else None

    @property
    def backwards(self) -> int:
        """Packets stamped earlier than the packet before them."""
        return int(self._counters.times[BACKWARDS])

    @property
    def first_packets(self) -> PacketBatch | None:
        """The first packets, to name the busiest addresses of; None without packets."""
        return concatenate(self._first) if self._first else None

    @property
    def rows(self) -> int:
        """Rows in all."""
        return int(self.reasons.sum())

    @property
    def verdicts(self) -> dict[str, int]:
        """Rows by verdict, every verdict."""
        counts = self.by_interface.sum(axis=(0, 1))
        return dict(zip(VERDICTS, counts.tolist(), strict=True))

    @property
    def reason_rows(self) -> dict[str, int]:
        """Rows by reason, every reason."""
        return dict(zip(REASON_WORDS, self.reasons.tolist(), strict=True))

    @property
    def adds_up(self) -> bool:
        """Whether both sums hold: they do, unless a packet has no row."""
        return sum(self.verdicts.values()) == self.rows == self.packets + self.two_interfaces

    @property
    def connections(self) -> int:
        """Connections of all interfaces."""
        return sum(flows.count for flows in self.flows)

    # --- feeding -------------------------------------------------------------------------------------
    def add(self, judged: Judged) -> None:
        """Count one batch; batches come in packet order."""
        packets, verdicts = judged
        if self.packets < FIRST_PACKETS:
            self._first.append(packets)
        rows_before = self.by_interface.sum(axis=(1, 2))
        denied = np.empty(verdicts.rows, np.int64)
        count, undecided = count_rows(packets.records, verdicts.records, self._counters, denied)
        for eni in np.flatnonzero(self.by_interface.sum(axis=(1, 2)) != rows_before).tolist():
            if eni and self._counters.highest_flows[eni - 1]:
                self.flows[eni - 1].add(judged, eni - 1, int(self._counters.highest_flows[eni - 1]))
        if count:
            self.attempts.add(judged, denied[:count])
            self.first_denied = self._keep_rows(self.first_denied, judged, denied[:count])
        if undecided:
            rows = np.flatnonzero(verdicts.reason == UNDECIDABLE)
            self.first_undecided = self._keep_rows(self.first_undecided, judged, rows)

    def _keep_rows(self, kept: Judged, judged: Judged, wanted: NDArray[np.intp]) -> Judged:
        """The first rows in full, as a small batch of its own, one packet row for each verdict row."""
        rows = wanted[: self._keep - kept.verdicts.rows]
        return join_all([kept, take_rows(judged, rows)]) if len(rows) else kept


def no_rows() -> Judged:
    """A batch without packets."""
    return Judged(empty_batch(0), empty_verdicts(0))
