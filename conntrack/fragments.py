"""Fragments are put together before anything is tracked, as nf_defrag_ipv4 and nf_defrag_ipv6 do.

Sources: net/ipv4/ip_fragment.c, net/ipv4/inet_fragment.c, net/ipv6/netfilter/nf_conntrack_reasm.c
(kernel 6.18); RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722 (overlaps). Fragments are few, so
this is plain Python, and the same whichever way the kernels run.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.rebuild import Fragment, fragment_at, lacks_upper_header, rebuilt, seen_by_tracking
from conntrack.timeouts import NS
from pcaps.batch import TRUNCATED, Packet, PacketBatch
from pcaps.capture import frames_batch
from pcaps.frame import Frame

MAX_HELD_BYTES = 4 << 20  # a family: ipfrag_high_thresh, nf_conntrack_frag6_high_thresh
DATAGRAM_BYTES, FRAGMENT_BYTES = 256, 768  # what the kernel counts besides the bytes held, about
MAX_IP_LENGTH = 65535
NOWHERE = -1
IPV6_HEADERS = 48  # IPv6 and Fragment header, which the payload length of a whole datagram does not count
NOT_ECT = 1 << 0  # of Datagram.ecn

Key = tuple[object, ...]


class Fate(Enum):
    """What has become of a datagram."""

    OPEN = auto()  # some of it is missing
    WHOLE = auto()  # it went on to tracking
    LOST = auto()  # it never will be whole


class Step(Enum):
    """What a fragment does to its datagram."""

    HELD = auto()  # it waits
    REPEATED = auto()  # it repeats what waits, and shares its fate
    DROPPED = auto()  # it alone is dropped
    DISCARDED = auto()  # the datagram is dropped with it
    AS_IT_IS = auto()  # the datagram is dropped, the fragment goes on by itself


class Datagram:
    """One datagram as far as it has come. `answer` is the caller's: what was said of the whole."""

    def __init__(self, family: int, key: Key, source: object, deadline: int) -> None:
        self.family = family
        self.key = key
        self.source = source
        self.deadline = deadline  # ns
        self.fate = Fate.OPEN
        self.first: Fragment | None = None  # the fragment at offset 0
        self.frame: Frame | None = None  # once it is whole: its bytes, and then what they say
        self.packet: Packet = None
        self.answer: NDArray[np.void] | None = None
        self.seen = 0  # of its source's fragments, when its own latest came
        self.held_bytes = DATAGRAM_BYTES
        self._length = 0
        self._last_in = False
        self._carried = 0  # bytes that came
        self._ecn = 0  # a bit for each codepoint (RFC 3168 section 5)
        self._runs: list[tuple[int, int]] = []  # start and end of what came one behind the other, in order
        self._parts: dict[int, tuple[int, bytes]] = {}  # length and captured bytes, by offset

    @property
    def begun(self) -> bool:
        """True once a fragment is held."""
        return bool(self._runs)

    @property
    def complete(self) -> bool:
        """True if nothing is missing."""
        return self.first is not None and self._last_in and self._carried == self._length

    @property
    def acceptable(self) -> bool:
        """False for a whole that is dropped: longer than IP can say, or with ECN in parts (RFC 3168 section 5.3)."""
        headers = self.first.header if self.first is not None else 0
        longest = MAX_IP_LENGTH + (IPV6_HEADERS if self.family == 6 else 0)
        return headers + self._length <= longest and not (self._ecn & NOT_ECT and self._ecn & ~NOT_ECT)

    def queue(self, fragment: Fragment) -> Step:
        """Add a fragment (ip_frag_queue, nf_ct_frag6_queue)."""
        end = fragment.offset + fragment.length
        if fragment.family == 6:
            if end > MAX_IP_LENGTH:
                return Step.DROPPED
            if fragment.more and end % 8:
                return Step.AS_IT_IS
        elif fragment.more:
            end -= end % 8
        if not self._reaches(end, more=fragment.more) or end == fragment.offset:
            return Step.DISCARDED if fragment.family == 4 else Step.DROPPED
        if self._overlaps(fragment.offset, end):
            return Step.REPEATED if self._repeats(fragment.offset, end) else Step.DISCARDED
        self._keep(fragment, end)
        return Step.HELD

    def _reaches(self, end: int, *, more: bool) -> bool:
        """Note how long the datagram must be; False if that contradicts an earlier fragment."""
        if more:
            if end > self._length and self._last_in:
                return False
            self._length = max(self._length, end)
            return True
        if end < self._length or (self._last_in and end != self._length):
            return False
        self._last_in = True
        self._length = end
        return True

    def _run_behind(self, offset: int) -> int:
        """The index of the first run that ends behind `offset`."""
        return bisect_right(self._runs, offset, key=lambda run: run[1])

    def _overlaps(self, offset: int, end: int) -> bool:
        at = self._run_behind(offset)
        return at < len(self._runs) and self._runs[at][0] < end

    def _repeats(self, offset: int, end: int) -> bool:
        """True if it lies within one run: a duplicate, which is ignored, where an overlap is an attack (RFC 5722)."""
        start, stop = self._runs[self._run_behind(offset)]
        return start <= offset and end <= stop

    def _keep(self, fragment: Fragment, end: int) -> None:
        offset = fragment.offset
        if self._runs and self._runs[-1][1] == offset:  # only what goes on at the very end makes a run longer
            self._runs[-1] = (self._runs[-1][0], end)
        else:
            insort(self._runs, (offset, end))
        self._parts[offset] = (end - offset, fragment.piece.data[: end - offset])
        self._carried += end - offset
        self._ecn |= 1 << (fragment.traffic_class & 3)
        self.held_bytes += FRAGMENT_BYTES + end - offset
        if offset == 0:
            self.first = fragment

    def content(self) -> tuple[bytes, int]:
        """The bytes up to the first that was not captured, and how many there were on the wire."""
        parts = []
        for _, (length, data) in sorted(self._parts.items()):
            parts.append(data)
            if len(data) < length:
                break
        return b"".join(parts), self._length

    def close(self, fate: Fate) -> None:
        """Nothing can be added any more; the bytes are let go."""
        self.fate = fate
        self._parts.clear()


class Gathered(NamedTuple):
    """What a batch is to tracking.

    `records`: as the batch's, but a whole datagram stands where its last fragment came. `members`: rows
    of fragments, with their datagram. `whole`: those of them that tracking is to see as whole packets.
    """

    records: NDArray[np.void]
    members: Sequence[tuple[int, Datagram]] = ()
    whole: Sequence[tuple[int, Datagram]] = ()


class Source:
    """A source of IPv4 fragments: how many came from it, and how many of its datagrams are open."""

    def __init__(self) -> None:
        self.fragments = 0
        self.open = 0


def one_place(_row: int) -> int:
    """All fragments are put together at one place."""
    return 0


class Reassembly:
    """The datagrams of which something is missing.

    `settings` are `checksum`, `ipfrag_time`, `frag6_timeout` (seconds from a datagram's first fragment) and
    `ipfrag_max_dist`: an IPv4 datagram is dropped if more than so many fragments of its source came
    between two of its own.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._timeouts = {4: int(settings["ipfrag_time"]) * NS, 6: int(settings["frag6_timeout"]) * NS}
        self._verify = str(settings["checksum"]) == "1"
        self._max_distance = int(settings["ipfrag_max_dist"])
        self._open: dict[int, dict[Key, Datagram]] = {4: {}, 6: {}}  # by family, the oldest first
        self._held_bytes = {4: 0, 6: 0}
        self._sources: dict[object, Source] = {}
        self.refused = 0  # fragments dropped because MAX_HELD_BYTES were held
        self.given_up = 0  # datagrams that the caller gave up

    def add(self, packets: PacketBatch, clock: int, place: Callable[[int], int] = one_place) -> Gathered:
        """Take the fragments of a batch; `clock` (ns) is the latest time seen before it.

        `place` says of a row where its fragment is put together, NOWHERE if it does not come so far: fragments
        of different places have nothing to do with each other.
        """
        if not packets.pieces:
            return Gathered(packets.records)
        times = np.maximum(np.maximum.accumulate(packets.time), clock)
        members, whole = [], []
        for row, piece in sorted(packets.pieces.items()):
            p = packets.records[row]
            where = place(row)
            if where == NOWHERE:
                continue
            fragment = fragment_at(p, piece, where)
            self.expire(int(times[row]))
            datagram = self._gather(fragment, int(times[row]))
            if datagram is None:
                continue
            members.append((row, datagram))
            if datagram.fate is Fate.WHOLE:
                whole.append((row, datagram))
        return Gathered(with_whole_datagrams(packets.records, whole, verify=self._verify), members, whole)

    def _gather(self, fragment: Fragment, now: int) -> Datagram | None:
        """The datagram that the fragment belongs to, or None where it is dropped by itself."""
        if fragment.family == 6 and fragment.offset == 0 and lacks_upper_header(fragment):
            return by_itself(fragment)
        if self._held_bytes[fragment.family] > MAX_HELD_BYTES:
            self.refused += 1
            return None
        datagram = self._datagram(fragment, now)
        held = datagram.held_bytes
        step = datagram.queue(fragment)
        self._held_bytes[fragment.family] += datagram.held_bytes - held
        if step is Step.DROPPED:
            return None
        if step in (Step.DISCARDED, Step.AS_IT_IS):
            self._close(datagram, Fate.LOST)
            return by_itself(fragment) if step is Step.AS_IT_IS else None
        if step is Step.HELD and datagram.complete:
            self._finish(datagram)
        return datagram

    def _datagram(self, fragment: Fragment, now: int) -> Datagram:
        """The open datagram that the fragment belongs to, or a new one."""
        datagram = self._open[fragment.family].get(fragment.key) or self._new(fragment, now)
        if fragment.family == 4:
            source = self._sources[fragment.source]
            source.fragments += 1
            if datagram.begun and 0 < self._max_distance < source.fragments - datagram.seen:
                self._close(datagram, Fate.LOST)
                datagram = self._new(fragment, now)
            datagram.seen = self._sources[fragment.source].fragments
        return datagram

    def _new(self, fragment: Fragment, now: int) -> Datagram:
        datagram = Datagram(fragment.family, fragment.key, fragment.source, now + self._timeouts[fragment.family])
        self._open[fragment.family][fragment.key] = datagram
        self._held_bytes[fragment.family] += datagram.held_bytes
        if fragment.family == 4:
            self._sources.setdefault(fragment.source, Source()).open += 1
        return datagram

    def _finish(self, datagram: Datagram) -> None:
        """Nothing is missing any more: the whole goes on, if it is one that can."""
        if datagram.acceptable and datagram.first is not None:
            datagram.frame = rebuilt(datagram.first, *datagram.content())
            self._close(datagram, Fate.WHOLE)
        else:
            self._close(datagram, Fate.LOST)

    def _close(self, datagram: Datagram, fate: Fate) -> None:
        datagram.close(fate)
        self._held_bytes[datagram.family] -= datagram.held_bytes
        del self._open[datagram.family][datagram.key]
        if datagram.family == 4:
            source = self._sources[datagram.source]
            source.open -= 1
            if not source.open:
                del self._sources[datagram.source]

    @property
    def held_bytes(self) -> int:
        """What is held now, counted as the bound counts it."""
        return sum(self._held_bytes.values())

    def expire(self, now: int) -> None:
        """Drop the datagrams whose time is over at `now` (ns)."""
        for opened in self._open.values():
            while opened and (oldest := next(iter(opened.values()))).deadline <= now:
                self._close(oldest, Fate.LOST)

    def give_up(self, datagram: Datagram) -> None:
        """Drop a datagram that the caller cannot wait for."""
        if datagram.fate is Fate.OPEN:
            self._close(datagram, Fate.LOST)
            self.given_up += 1

    def end(self) -> None:
        """No packet follows: what is not whole never will be."""
        for opened in self._open.values():
            for datagram in list(opened.values()):
                self._close(datagram, Fate.LOST)


def by_itself(fragment: Fragment) -> Datagram:
    """A fragment that Linux leaves to tracking as it is: a datagram of one."""
    alone = Datagram(fragment.family, fragment.key, fragment.source, 0)
    alone.close(Fate.WHOLE)
    if fragment.offset == 0:
        alone.frame = rebuilt(fragment, fragment.piece.data, fragment.length)
    return alone


def with_whole_datagrams(
    records: NDArray[np.void], whole: Sequence[tuple[int, Datagram]], *, verify: bool
) -> NDArray[np.void]:
    """The records with what tracking sees at the rows of whole datagrams, unless its headers were not captured."""
    if not whole:
        return records
    records = records.copy()
    frames = (datagram.frame for _, datagram in whole if datagram.frame is not None)
    read = iter(frames_batch(frames, verify=verify).records)
    for row, datagram in whole:
        own = records[row].copy()
        datagram.packet = seen_by_tracking(own, own if datagram.frame is None else next(read))
        if datagram.packet["status"] != TRUNCATED:
            records[row] = datagram.packet
    return records
