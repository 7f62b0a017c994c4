"""Counts of a replay, batch by batch: numpy only, no step for each packet, memory grows with flows only.

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
from firewall.flows import Flows
from firewall.rows import Judged, VerdictBatch, empty_verdicts
from firewall.verdict import (
    ALLOW,
    DENY,
    DIRECTIONS,
    EXEMPT,
    REASON_WORDS,
    REASONS,
    RULE,
    UNDECIDABLE,
    UNTRACKED,
    VERDICTS,
)
from pcaps.batch import PacketBatch, concatenate, empty_batch

KEPT_ROWS = 10

Counts = NDArray[np.int64]


class Summary:
    """What a whole replay came to.

    `interfaces`, `rules` (the entries of network ACLs too) and `exempt` services are how many there are;
    `keep` is how many denied and how many undecided rows are kept in full.
    """

    def __init__(self, interfaces: int, rules: int, exempt: int = 0, keep: int = KEPT_ROWS) -> None:
        self.packets = 0
        self.two_interfaces = 0  # packets judged at the sender's interface and at the receiver's
        self.first_time: int | None = None  # ns; the smallest and the largest, whatever the order
        self.last_time: int | None = None
        self.backwards = 0  # packets stamped earlier than the packet before them
        self.reasons: Counts = np.zeros(len(REASONS), np.int64)  # rows by firewall.verdict.REASONS
        #: rows by interface (0: no simulated interface, then Firewall.interfaces), direction, verdict
        self.by_interface: Counts = np.zeros((interfaces + 1, len(DIRECTIONS), len(VERDICTS)), np.int64)
        self.rule_hits: Counts = np.zeros(rules, np.int64)  # rows that a rule admitted by itself
        self.rule_packets: Counts = np.zeros(rules, np.int64)  # these, and the rest of the connections it opened
        self.rule_bytes: Counts = np.zeros(rules, np.int64)  # IP lengths of `rule_packets`
        self.rule_denied: Counts = np.zeros(rules, np.int64)  # rows that a network ACL's entry denied
        self.exempt_rows: Counts = np.zeros(exempt, np.int64)
        self.flows = [Flows() for _ in range(interfaces)]  # connections, by interface
        self.attempts = Attempts()  # denied rows, grouped
        self.first_packets: PacketBatch | None = None  # to name the busiest addresses of
        self.first_denied = no_rows()
        self.first_undecided = no_rows()
        self._keep = keep
        self._previous_time: int | None = None

    # --- what it came to ---------------------------------------------------------------------------
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
        if self.first_packets is None:
            self.first_packets = packets
        self._add_times(packets.time)
        self.packets += packets.rows
        self.two_interfaces += int(np.count_nonzero(np.diff(verdicts.packet) == 0))
        self.reasons += np.bincount(verdicts.reason, minlength=len(REASONS))
        self._add_interfaces(verdicts)
        self._add_rules(judged)
        self._add_flows(judged)
        self.attempts.add(judged, np.flatnonzero(verdicts.verdict == DENY))
        self.first_denied = self._keep_rows(self.first_denied, judged, verdicts.verdict == DENY)
        self.first_undecided = self._keep_rows(self.first_undecided, judged, verdicts.reason == UNDECIDABLE)

    def _add_times(self, time: NDArray[np.int64]) -> None:
        if not len(time):
            return
        first, low, high = int(time[0]), int(time.min()), int(time.max())
        if self._previous_time is not None and first < self._previous_time:
            self.backwards += 1
        self.backwards += int(np.count_nonzero(time[1:] < time[:-1]))
        self._previous_time = int(time[-1])
        self.first_time = low if self.first_time is None else min(low, self.first_time)
        self.last_time = high if self.last_time is None else max(high, self.last_time)

    def _add_interfaces(self, verdicts: VerdictBatch) -> None:
        shape = self.by_interface.shape
        place = np.ravel_multi_index((verdicts.eni + 1, verdicts.direction, verdicts.verdict), shape)
        self.by_interface += np.bincount(place, minlength=self.by_interface.size).reshape(shape)

    def _add_rules(self, judged: Judged) -> None:
        packets, verdicts = judged
        admitted = (verdicts.rule >= 0) & (verdicts.verdict == ALLOW)
        rule = verdicts.rule[admitted]
        by_itself = np.isin(verdicts.reason[admitted], (RULE, UNTRACKED))
        length = packets.length[verdicts.packet[admitted]]
        size = len(self.rule_hits)
        self.rule_hits += np.bincount(rule[by_itself], minlength=size)
        self.rule_packets += np.bincount(rule, minlength=size)
        np.add.at(self.rule_bytes, rule, length)
        denied = (verdicts.rule >= 0) & (verdicts.verdict == DENY)
        self.rule_denied += np.bincount(verdicts.rule[denied], minlength=size)
        service = -2 - verdicts.rule[(verdicts.verdict == EXEMPT) & (verdicts.rule < -1)]
        if len(service):
            self.exempt_rows = _grown(self.exempt_rows, int(service.max()) + 1)
            self.exempt_rows += np.bincount(service, minlength=len(self.exempt_rows))

    def _add_flows(self, judged: Judged) -> None:
        tracked = (judged.verdicts.flow > 0) & (judged.verdicts.eni >= 0)
        enis = judged.verdicts.eni[tracked]
        for eni in np.flatnonzero(np.bincount(enis, minlength=len(self.flows))).tolist():
            self.flows[eni].add(judged, np.flatnonzero(tracked & (judged.verdicts.eni == eni)))

    def _keep_rows(self, kept: Judged, judged: Judged, wanted: NDArray[np.bool_]) -> Judged:
        """The first rows in full, as a small batch of its own, one packet row for each verdict row."""
        room = self._keep - kept.verdicts.rows
        rows = np.flatnonzero(wanted)[:room]
        return join_rows(kept, take_rows(judged, rows)) if len(rows) else kept


def take_rows(judged: Judged, rows: NDArray[np.intp]) -> Judged:
    """The verdict rows named, each with a packet row of its own, copied."""
    verdicts = judged.verdicts.take(rows)
    packets = judged.packets.take(verdicts.packet.astype(np.intp))
    return Judged(packets, verdicts._replace(packet=np.arange(len(rows), dtype=np.int32)))


def join_rows(first: Judged, second: Judged) -> Judged:
    """Two batches made by take_rows, as one."""
    packets = concatenate([first.packets, second.packets])
    verdicts = VerdictBatch._make(
        np.concatenate([ours, theirs]) for ours, theirs in zip(first.verdicts, second.verdicts, strict=True)
    )
    return Judged(packets, verdicts._replace(packet=np.arange(packets.rows, dtype=np.int32)))


def no_rows() -> Judged:
    """A batch without packets."""
    return Judged(empty_batch(0), empty_verdicts(0))


def _grown(counts: Counts, size: int) -> Counts:
    """The same counts in an array of at least `size`."""
    return np.pad(counts, (0, max(0, size - len(counts))))
