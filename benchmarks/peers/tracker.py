"""A connection table as one writes it in Python: a dict of lists, and eniwall's tables of states and timeouts.

It keeps no windows. It answers True, False, or None for a packet that is not an interface's.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from benchmarks.peers.rules_index import Rules
from conntrack.tcp import BAD_FLAGS as BAD_FLAG_SET
from conntrack.tcp import CLOSE, FLAG_CLASSES, IGNORE, INVALID, NONE, SYN_SENT, TIME_WAIT, TRANSITIONS
from conntrack.timeouts import STATE_TIMEOUTS, TIMEOUT_NAMES, effective

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
STATE, EXPIRES, OPENER = range(3)  # of an entry; `state` of UDP: how often the speaker changed
QUERIES, ANSWERS = (8, 128), (0, 129)
STREAM = 3

Seen = tuple[float, int, bytes, int, bytes, int, int]  # time, protocol, source, port, destination, port, flags


class Tracker:
    """The table and the rules. Ports of ICMP are the identifier, `flags` its type << 8 | code."""

    def __init__(self, rules: Path) -> None:
        self.rules = Rules(rules)
        self.table: dict[tuple[int, int, bytes, int, bytes, int], list[float]] = {}
        self.classes, self.transitions = FLAG_CLASSES.tolist(), TRANSITIONS.tolist()
        values = effective("aws", {})
        self.timeouts = [float(values[TIMEOUT_NAMES[number]]) for number in STATE_TIMEOUTS]
        self.udp, self.stream = float(values["udp_timeout"]), float(values["udp_timeout_stream"])
        self.icmp = float(values["icmp_timeout"])

    def judge(
        self, now: float, protocol: int, src: bytes, sport: int, dst: bytes, dport: int, flags: int
    ) -> bool | None:
        """One packet, at the interface that sends or receives it."""
        numbers = self.rules.numbers
        if src in numbers:
            eni, way = numbers[src], 1
        elif dst in numbers:
            eni, way = numbers[dst], 0
        else:
            return None
        forward = src < dst or (src == dst and sport <= dport)
        key = (eni, protocol, src, sport, dst, dport) if forward else (eni, protocol, dst, dport, src, sport)
        entry = self.table.get(key)
        if entry is not None and entry[EXPIRES] > now:
            reply = entry[OPENER] != forward
            known = self._tcp(entry, reply, flags, now) if protocol == TCP else self._other(entry, protocol, reply, now)
            if known is not None:
                return known
        return self._open(key, forward, way, protocol, (src, dst)[way], dport, flags, now)

    def _tcp(self, entry: list[float], reply: bool, flags: int, now: float) -> bool | None:
        """True or False; None for a SYN that opens the connection anew."""
        flag_class, old = self.classes[flags], int(entry[STATE])
        to = INVALID if flag_class == BAD_FLAG_SET else self.transitions[reply][flag_class][old]
        if to == INVALID:
            return False
        if to == SYN_SENT and old in (TIME_WAIT, CLOSE):
            return None
        if to != IGNORE:
            entry[STATE] = to
            entry[EXPIRES] = now + self.timeouts[to]
        return True

    def _other(self, entry: list[float], protocol: int, reply: bool, now: float) -> bool:
        if protocol != UDP:
            entry[EXPIRES] = now + self.icmp
            return True
        if entry[STATE] < STREAM and reply == (entry[STATE] % 2 == 0):
            entry[STATE] += 1
        entry[EXPIRES] = now + (self.stream if entry[STATE] == STREAM else self.udp)
        return True

    def _open(
        self,
        key: tuple[int, int, bytes, int, bytes, int],
        forward: bool,
        way: int,
        protocol: int,
        peer: bytes,
        dport: int,
        flags: int,
        now: float,
    ) -> bool:
        state, lifetime, port = 0, self.udp, dport
        if protocol == TCP:
            flag_class = self.classes[flags]
            state = INVALID if flag_class == BAD_FLAG_SET else self.transitions[0][flag_class][NONE]
            if state == INVALID:
                return False
            lifetime = self.timeouts[state]
        elif protocol != UDP:
            if flags >> 8 not in QUERIES:
                return False
            lifetime, port = self.icmp, flags
        if not self.rules.allow(way, 4 if len(peer) == 4 else 6, protocol, port, peer):
            return False
        self.table[key] = [state, now + lifetime, forward]
        return True


def run(read: Callable[[str], Iterable[Seen | None]]) -> None:
    """The command line of a loop: `CAPTURE RULES [PACKETS]`; prints what `benchmarks.measure` reads.

    The clock runs from before the capture is opened until after the last verdict.
    """
    capture, rules = sys.argv[1:3]
    most = int(sys.argv[3]) if sys.argv[3:] else None
    tracker = Tracker(Path(rules))
    packets = allowed = 0
    begin = time.perf_counter()
    for seen in islice(read(capture), most):
        packets += 1
        if seen is not None and tracker.judge(*seen):
            allowed += 1
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "packets": packets, "allowed": allowed}))
