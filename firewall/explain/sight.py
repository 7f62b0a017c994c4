"""One packet at one interface, as the engine left it: its row, its record, and its entry before and behind it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conntrack.icmp import QUERIES
from conntrack.table import GONE
from firewall.connections import Connection, read_connection
from firewall.engine import Firewall
from firewall.explain.histories import At, Histories, History, Refusal, Refused, opens
from firewall.explain.stops import Stop
from firewall.labels import (
    ICMP_PROTOCOLS,
    Labels,
    address_text,
    flags_text,
    flow_text,
    protocol_word,
    time_text,
)
from firewall.model import Direction, NetworkInterface, RuleSet
from firewall.nearest import Misses, PacketFields, packet_fields
from firewall.rows import VERDICT, Judged, VerdictBatch
from firewall.verdict import DENY, DIRECTIONS, FRAGMENT_INCOMPLETE, REASONS, Reason
from pcaps.batch import PacketBatch
from pcaps.wire import TCP, UDP

DAY = 86_400 * 10**9
FAMILIES = {4: "IPv4", 6: "IPv6"}


@dataclass(frozen=True)
class Alone:
    """What another reading says of the packet by itself: a reason, and a rule or entry (empty: none)."""

    reason: Reason
    rule: str


@dataclass(frozen=True)
class Sight:
    """What phases are made of. `outer` is the packet as it was read, `record` what was judged of it."""

    firewall: Firewall
    stop: Stop
    outer: Any
    record: Any
    row: VerdictBatch  # one row, as its cells
    labels: Labels
    histories: Histories
    refused: Refused
    acl: Alone | None  # network ACLs alone; None where the firewall reads none
    stateless: Alone | None  # the rules alone

    # --- the row -----------------------------------------------------------------------------------------
    @property
    def reason(self) -> Reason:
        """The row of the vocabulary."""
        return REASONS[int(self.row.reason)]

    @cached_property
    def rule_set(self) -> RuleSet:
        """The rules in force at the packet."""
        return self.stop.in_force or self.firewall.in_force

    @cached_property
    def eni(self) -> NetworkInterface | None:
        """The interface as the rules in force have it."""
        if int(self.row.eni) < 0:
            return None
        eni = self.firewall.interfaces[int(self.row.eni)]
        return self.rule_set.interfaces.get(eni.interface_id, eni)

    @property
    def direction(self) -> Direction:
        """`ingress` or `egress`."""
        return "egress" if DIRECTIONS[int(self.row.direction)] == "egress" else "ingress"

    @property
    def incoming(self) -> bool:
        """True for ingress."""
        return self.direction == "ingress"

    @property
    def rule(self) -> str:
        """The rule, entry or service that the row names."""
        return self.labels.rule(int(self.row.rule))

    @property
    def one(self) -> Judged:
        """The row as a batch."""
        rows = np.array([self.row.records], VERDICT)
        rows["packet"] = 0
        return Judged(PacketBatch(np.array([self.record], self.record.dtype)), VerdictBatch(rows))

    # --- the packet --------------------------------------------------------------------------------------
    @property
    def src(self) -> str:
        """The source address."""
        return address_of(self.record, "src")

    @property
    def dst(self) -> str:
        """The destination address."""
        return address_of(self.record, "dst")

    @property
    def peer(self) -> str:
        """The address of the other end."""
        return self.src if self.incoming else self.dst

    @property
    def own(self) -> str:
        """The address of the interface's end."""
        return self.dst if self.incoming else self.src

    @property
    def tuple_text(self) -> str:
        """`10.0.0.1:5000 -> 10.0.0.2:80 tcp`."""
        return tuple_text(self.record)

    @property
    def is_fragment(self) -> bool:
        """True for a piece of a datagram."""
        return bool(self.outer["fragment_id"] >= 0) or bool(self.record["fragment_id"] >= 0)

    @property
    def whole(self) -> bool:
        """True for a fragment whose datagram was put together."""
        return self.is_fragment and int(self.row.reason) != FRAGMENT_INCOMPLETE

    @cached_property
    def fields(self) -> PacketFields:
        """What rules read of it."""
        return packet_fields(self.record, self.direction, whole=self.whole)

    @cached_property
    def misses(self) -> Misses:
        """Compares it with rules."""
        return Misses(self.rule_set, self.firewall.profile)

    # --- the table ---------------------------------------------------------------------------------------
    @property
    def now(self) -> int:
        """The clock at the packet (ns): it never goes back."""
        return max(int(self.record["time"]), self.stop.clock)

    @cached_property
    def which(self) -> str:
        """Whose tuple is looked up: "quoted_" for an ICMP error."""
        return "quoted_" if self.record["quoted"] else ""

    @cached_property
    def entry_before(self) -> Any:
        """The record of the tuple before the packet, timed out or deleted as it may be; None for none."""
        return entry_of(self.stop.before, int(self.row.eni), self.record, self.which)

    @cached_property
    def before(self) -> Connection | None:
        """The entry before the packet; one that timed out is still there."""
        return self._connection(self.entry_before)

    @cached_property
    def after(self) -> Connection | None:
        """The entry behind the packet."""
        entries = self.stop.after
        return (
            None if entries is None else self._connection(entry_of(entries, int(self.row.eni), self.record, self.which))
        )

    @property
    def timed_out(self) -> bool:
        """True if the entry was there, but its time was over."""
        return self.before is not None and self.before.expires <= self.now

    @property
    def is_late_reply(self) -> bool:
        """True for a packet against the direction in which a connection was opened that has timed out."""
        return self.timed_out and self.before is not None and self.src != self.before.src and not self.which

    @cached_property
    def held(self) -> Connection | None:
        """The entry that the packet finds."""
        return None if self.timed_out else self.before

    @cached_property
    def history(self) -> History | None:
        """What is known of the connection that the packet found or came too late for."""
        return None if self.before is None else self.histories.of(int(self.row.eni), self.before.flow)

    @cached_property
    def refused_before(self) -> Refusal | None:
        """The packet that tried to open the connection that this one belongs to, and was denied; None for a SYN."""
        protocol = int(self.record["protocol"])
        if protocol not in (TCP, UDP) or self.reason.verdict != DENY or self.entry_before is not None:
            return None
        if protocol == TCP and opens(self.record["tcp_flags"]):
            return None
        return self.refused.before(self.record)

    def _connection(self, entry: Any) -> Connection | None:
        if entry is None or int(entry["use"]) == GONE:
            return None
        return read_connection(entry, self.now, self.labels.interfaces, self.labels.rules)

    # --- names -------------------------------------------------------------------------------------------
    def packet_name(self, at: At) -> str:
        """`packet 13`, with its capture where there are several."""
        several = len(self.labels.captures) > 1
        return f"packet {at.frame}" + (f" of {self.labels.captures[at.capture]}" if several else "")


# --- words ---------------------------------------------------------------------------------------------
def address_of(record: Any, end: str) -> str:
    """One end of a packet."""
    if record[f"{end}_hi"] == 0 and record["family"] == 6:
        from ipaddress import IPv6Address

        return str(IPv6Address(int(record[f"{end}_lo"])))
    return address_text(int(record[f"{end}_hi"]), int(record[f"{end}_lo"]))


def tuple_text(record: Any, which: str = "") -> str:
    """The tuple of a record, or (`which` is "quoted_") of what it quotes; an address alone where no port was read."""
    ends = [address_text(int(record[f"{which}{end}_hi"]), int(record[f"{which}{end}_lo"])) for end in ("src", "dst")]
    ports = [int(record[f"{which}{end}_port"]) for end in ("src", "dst")]
    return flow_text(ends[0], ends[1], int(record[f"{which}protocol"]), *ports)


def packet_text(record: Any) -> str:
    """The tuple with the flags of TCP; what has no IP header says so."""
    if record["family"] == 0:
        return "no IP header"
    if record["status"] != 0 or record["fragment_offset"] > 0:  # ports were not read
        return f"{address_of(record, 'src')} -> {address_of(record, 'dst')} {protocol_word(int(record['protocol']))}"
    flags = flags_text(int(record["protocol"]), int(record["tcp_flags"]))
    return f"{tuple_text(record)} {flags}".rstrip()


def opener_text(connection: Connection) -> str:
    """The tuple of a connection's first packet."""
    flow = connection
    return flow_text(flow.src, flow.dst, flow.protocol, flow.src_port, flow.dst_port)


def when_text(nanoseconds: int, now: int) -> str:
    """The time of day (UTC), the date too where it is not that of `now`; seconds where there is no date."""
    if 0 <= now < DAY:
        return f"{nanoseconds / 1e9:.6f} s"  # crafted packets count from 0
    text = time_text(nanoseconds)
    return text[11:] if text[:10] == time_text(now)[:10] else text


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


# --- entries -------------------------------------------------------------------------------------------
def entry_of(entries: NDArray[np.void], eni: int, record: Any, which: str) -> Any:
    """The entry of a packet's tuple at an interface, or of the quoted one; None where there is none."""
    own = [entry for entry in entries if int(entry["eni"]) == eni and has_tuple(entry, record, which)]
    return own[0] if own else None


def has_tuple(entry: Any, record: Any, which: str) -> bool:
    """Whether an entry is of a packet's tuple, either way round."""
    if entry["protocol"] != record[f"{which}protocol"] or entry["family"] != record["family"]:
        return False
    ports = int(record[f"{which}src_port"]), int(record[f"{which}dst_port"])
    theirs = int(entry["a_port"]), int(entry["b_port"])
    forth = _ends(entry, record, f"{which}src", f"{which}dst")
    back = _ends(entry, record, f"{which}dst", f"{which}src")
    if int(entry["protocol"]) in ICMP_PROTOCOLS:
        kind, code = theirs[0] >> 8, theirs[0] & 0xFF
        kinds = [(row.query, row.answer) for row in QUERIES if row.family == entry["family"] and row.query == kind]
        same = ports[0] in (*kinds[0], kind) if kinds else ports[0] == kind
        return (forth or back) and same and ports[1] == code and int(record[f"{which}icmp_id"]) == theirs[1]
    if theirs == (0, 0):  # a protocol that is not told apart by ports
        return forth or back
    return (forth and ports == theirs) or (back and ports[::-1] == theirs)


def _ends(entry: Any, record: Any, first: str, second: str) -> bool:
    return all(
        entry[f"{end}_{half}"] == record[f"{name}_{half}"]
        for end, name in (("a", first), ("b", second))
        for half in ("hi", "lo")
    )
