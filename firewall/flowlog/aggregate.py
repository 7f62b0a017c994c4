"""Verdict rows become records, interval by interval; what is held is one record a flow of the open interval.

An interval is a multiple of its length since 1970. The clock never goes back: a packet that is stamped
earlier than the open interval counts in it.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from firewall.columns import has_ports
from firewall.flowlog.held import Held
from firewall.flowlog.logged import ACTIONS_BY_VERDICT, NOT_LOGGED, UNLOGGED, flag_values, not_logged
from firewall.flowlog.records import Ints, Records, joined, no_records, packed
from firewall.labels import ICMP_PROTOCOLS
from firewall.rows import Judged, VerdictBatch
from firewall.verdict import EXEMPT, REASON_WORDS, UNDECIDABLE

NS = 1_000_000_000
MOST_FLOWS = 1 << 21  # of the open interval, about 500 MiB: a scan must not fill the memory
NEVER = -(1 << 62)  # before every interval
FULL = "flows beyond those that are held of an interval"
_ICMP = np.isin(np.arange(256), ICMP_PROTOCOLS)


class Aggregator:
    """Records of closed intervals, as packets come. `left_out` counts the verdict rows that have none, by why."""

    def __init__(self, seconds: int, service: Callable[[int], str], most: int = MOST_FLOWS) -> None:
        self.seconds = seconds
        self.left_out: Counter[str] = Counter()
        self._service = service  # the name of an exempt service by its code in VerdictBatch.rule
        self._ticks: list[Ints] = []  # intervals in which the capture has packets, each once, in order
        self._interval = NEVER
        self._clock = NEVER
        self._rows = 0
        self._held = Held(most)
        self._skipped = no_records()

    def add(self, judged: Judged) -> bool:
        """Take a batch, in packet order; True if it closes intervals, which `closed` then gives."""
        packets = judged.packets
        if not packets.rows:
            return False
        clock = np.maximum(np.maximum.accumulate(packets.time), self._clock)
        self._clock = int(clock[-1])
        interval = clock // (self.seconds * NS)
        fresh = np.flatnonzero(np.diff(interval, prepend=self._interval))
        self._ticks.append(interval[fresh])
        self._count_unjudged(judged.verdicts)
        rows = self._records(judged, interval)
        lost = self._held.add(rows)
        if lost.any():
            self._skip(rows.take(lost))
        before, self._interval = self._interval, int(interval[-1])
        return self._interval > before

    def closed(self, *, last: bool) -> tuple[Records, Ints, int | None]:
        """What came since: records, the intervals that had packets, and the open one; None at the end, which closes it.

        Records are in the order of their first packets, those that are not logged among them.
        """
        ticks = np.concatenate([no_records().interval, *self._ticks])
        upto = None if last or not len(ticks) else self._interval
        done = len(ticks) if upto is None else len(ticks) - 1
        self._ticks = [ticks[done:]]
        held = self._held.records()
        closed, skipped = (
            np.ones(each.rows, np.bool_) if upto is None else each.interval < upto for each in (held, self._skipped)
        )
        records = joined([self._held.pop(closed, held), self._skipped.take(skipped)])
        self._skipped = self._skipped.take(~skipped)
        return records, ticks[:done], upto

    def _skip(self, lost: Records) -> None:
        """Rows that found no room: their flows are missing, and SKIPDATA will say so at their interfaces."""
        logged = lost.action < UNLOGGED
        self.left_out[FULL] += int(lost.packets[logged].sum())
        pairs = np.unique(np.stack([lost.interval, lost.eni]), axis=1)
        blank = {name: np.zeros(pairs.shape[1], column.dtype) for name, column in no_records()._asdict().items()}
        blank |= {"interval": pairs[0], "eni": pairs[1], "reasons": np.full(pairs.shape[1], 1 << UNDECIDABLE)}
        blank["ends"] += np.uint64(UNLOGGED)
        self._skipped = joined([self._skipped, Records(**blank)])

    def _records(self, judged: Judged, interval: Ints) -> Records:
        """One record for each verdict row at an interface, also those that a flow log leaves out."""
        packets, verdicts = judged
        at = verdicts.eni >= 0
        rows: NDArray[np.intp] | slice = slice(None) if at.all() else np.flatnonzero(at)
        row = verdicts.packet[rows]
        ported = has_ports(packets)
        protocol = packets.protocol
        shown = ported & ~_ICMP[protocol]
        ends = packed(
            (packets.src_port * shown, 48), (packets.dst_port * shown, 32), (protocol, 16), (packets.family, 8)
        )
        action = ACTIONS_BY_VERDICT[verdicts.verdict[rows]]
        first = packets.time[row]
        count = len(row)
        self._rows += count
        records = Records(
            interval=interval[row],
            eni=verdicts.eni[rows].astype(np.int64),
            src_hi=packets.src_hi[row],
            src_lo=packets.src_lo[row],
            dst_hi=packets.dst_hi[row],
            dst_lo=packets.dst_lo[row],
            ends=ends[row] | packed((verdicts.direction[rows], 4), (action, 0)),
            packets=np.ones(count, np.int64),
            bytes=packets.length[row].astype(np.int64),
            first=first,
            last=first,
            flags=flag_values(protocol, packets.tcp_flags, ported)[row],
            reasons=np.int64(1) << verdicts.reason[rows].astype(np.int64),
            order=np.arange(self._rows - count, self._rows),
        )
        return self._without_unlogged(records)

    def _without_unlogged(self, records: Records) -> Records:
        """The same; what has a verdict and is not logged all the same is UNLOGGED, and counted."""
        why = not_logged(records)
        if not why.any():
            return records
        for place, number in enumerate(np.bincount(why).tolist()):
            if place and number:
                self.left_out[NOT_LOGGED[place - 1].name] += number
        unlogged = records.ends & ~np.uint64(0xF) | np.uint64(UNLOGGED)
        return records._replace(ends=np.where(why > 0, unlogged, records.ends))

    def _count_unjudged(self, verdicts: VerdictBatch) -> None:
        """Count the rows that are neither allowed nor denied, by reason or exempt service."""
        rows = np.flatnonzero(ACTIONS_BY_VERDICT[verdicts.verdict] == UNLOGGED)
        exempt = verdicts.verdict[rows] == EXEMPT
        for reason, number in enumerate(np.bincount(verdicts.reason[rows[~exempt]]).tolist()):
            if number:
                self.left_out[REASON_WORDS[reason]] += number
        services, numbers = np.unique(verdicts.rule[rows[exempt]], return_counts=True)
        for service, number in zip(services.tolist(), numbers.tolist(), strict=True):
            self.left_out[self._service(service)] += number
