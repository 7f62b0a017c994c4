"""Firewall: security groups, a connection table, and a verdict for every packet."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from conntrack.fragments import MAX_HELD_BYTES, Gathered, Reassembly
from conntrack.sctp import SCTP_STATES
from conntrack.table import (
    ASSURED,
    CLOCK,
    LATE,
    LIVE,
    NOT_TRACKED,
    OPENED_BY_B,
    SEEN_REPLY,
    USED,
    FlowTable,
    grown,
    new_table,
    room,
)
from conntrack.tcp import STATES
from conntrack.timeouts import NS, SETTINGS, SettingError, effective, settings
from conntrack.track import is_icmp
from firewall.choices import IDLE_TIMES, count_choices, told
from firewall.errors import UsageError
from firewall.exempt import SERVICES
from firewall.interfaces import chosen_interfaces, need_interface
from firewall.judge import ROWS_A_PACKET, STATEFUL, STATELESS, judge_batch
from firewall.labels import Labels, address_text, counted
from firewall.model import NetworkInterface, Rule, RuleSet
from firewall.model import Warning as RuleWarning
from firewall.pending import Pending, Waiting
from firewall.policy import HALF, compile_policy, mapped
from firewall.rows import VERDICT, Judged, VerdictBatch
from firewall.sources import load_rules
from pcaps.batch import Packet, PacketBatch
from pcaps.capture import Capture, frames_batch
from pcaps.wire import SCTP, TCP

MOST_REHASHES = 16  # a full table is looked through once for every so many parts of it that came free
SILENT = "where AWS does not document what it does, eniwall does what Linux does; here that decided:"


@dataclass(frozen=True, slots=True)
class Connection:
    """One live entry of the table; ports are None where the protocol has none."""

    eni: str
    flow: int
    protocol: int
    src: str
    dst: str
    src_port: int | None
    dst_port: int | None
    tcp_state: str
    answered: bool
    assured: bool
    expires_in: float  # seconds of capture time
    rule: str
    sctp_state: str  # empty where SCTP is not followed by its ports
    icmp_id: int | None  # of an ICMP query
    expires: int  # ns since 1970
    tracked: bool  # False: only remembered, so that all its packets meet the rules


def own_timeouts(eni: NetworkInterface) -> dict[str, int]:
    """The settings that an interface's own ConnectionTrackingSpecification changes."""
    own = eni.connection_tracking
    named = {
        "tcp_timeout_established": own.tcp_established_timeout,
        "udp_timeout_stream": own.udp_stream_timeout,
        "udp_timeout": own.udp_timeout,
    }
    return {name: seconds for name, seconds in named.items() if seconds is not None}


class Firewall:
    """The security groups of some interfaces, and the connections that they let in so far.

    Attributes: `rule_set`; `interfaces` and `rules`, which the verdict columns index; `profile` and
    `settings` (every timeout in seconds and every switch by name); `assumptions`, what was chosen
    where AWS is silent; `warnings`, which grow while packets are judged.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        enis: Sequence[str] = (),
        profile: str = "aws",
        settings: Mapping[str, str] | None = None,
        *,
        stateless: bool = False,
    ) -> None:
        """Raises UsageError for an interface, profile or setting that cannot be."""
        self.rule_set = rule_set
        self.profile = profile
        self.stateless = stateless
        self._given = frozenset(settings or {})
        self.files: tuple[str, ...] = ()
        try:
            self.settings = effective(profile, settings or {})
        except SettingError as error:
            raise UsageError(str(error)) from None
        self.interfaces = chosen_interfaces(rule_set, enis)
        groups = [rule_set.groups[name] for name in self._groups() if name in rule_set.groups]
        self.rules: tuple[Rule, ...] = tuple(rule for group in groups for rule in (*group.ingress, *group.egress))
        self.exempt_services = tuple(f"exempt:{service}" for service in SERVICES)
        self.warnings: list[RuleWarning] = []
        self._choices: Counter[str] = Counter()
        self._asked = frozenset(enis)
        self._seen: set[int] = set()
        self._start()

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(group for eni in self.interfaces for group in eni.groups))

    def _own_timeouts(self, eni: NetworkInterface) -> dict[str, int]:
        """What an interface sets for itself: a setting of AWS, and --set comes before it."""
        own = own_timeouts(eni) if self.profile == "aws" else {}
        return {name: seconds for name, seconds in own.items() if name not in self._given}

    def _start(self) -> None:
        self._policy = compile_policy(self.rule_set, self.interfaces, self.rules, self.profile)
        self._settings = np.array(
            [settings(self.settings | self._own_timeouts(eni)) for eni in self.interfaces], SETTINGS
        )
        self._table: FlowTable = new_table(max(len(self.interfaces), 1))
        self._reassembly = Reassembly(self.settings, self._reassembles)
        self._owners = {
            divmod(mapped(address), 1 << HALF): index
            for index, eni in enumerate(self.interfaces)
            for address in eni.addresses
        }
        self._found = 0  # where `connection` found the last one

    @classmethod
    def from_file(
        cls,
        *paths: str,
        enis: Sequence[str] = (),
        profile: str = "aws",
        settings: Mapping[str, str] | None = None,
        stateless: bool = False,
    ) -> Self:
        """The rules of one or several files. Raises RuleFileError or UsageError."""
        firewall = cls(load_rules(*paths), enis, profile, settings, stateless=stateless)
        firewall.files = tuple(str(path) for path in paths)
        return firewall

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Choices that decided verdicts where AWS is silent, with how many rows, so far."""
        if self.stateless:
            return ("stateless: every packet meets the rules by itself, replies too",)
        if self.profile != "aws":
            return ()
        late = Counter({IDLE_TIMES: int(self._table.counts[LATE])})
        decided = told(self._choices + late, self.settings)
        return (SILENT, *decided) if decided else ()

    @property
    def verifies(self) -> bool:
        """True if captures must be opened with `verify`: transport checksums count."""
        return self.settings["checksum"] == "1"

    @property
    def first_addresses(self) -> tuple[str, ...]:
        """The addresses of the first interface: what a crafted packet means by an end left open."""
        return tuple(str(address) for eni in self.interfaces[:1] for address in eni.addresses)

    def judge_batch(self, packets: PacketBatch) -> VerdictBatch:
        """Verdict rows for a batch; the table goes on from where it was.

        A fragment whose datagram is not whole yet is `fragment-incomplete`; `replay` waits for it.
        """
        return self._judge(packets).settled().verdicts

    def _judge(self, packets: PacketBatch) -> Waiting:
        gathered = Gathered(packets.records) if self.stateless else self._reassembly.add(packets, self.clock)
        out = np.zeros(packets.rows * ROWS_A_PACKET, VERDICT)
        reading = STATELESS if self.stateless else STATEFUL
        start = filled = 0
        full = False
        while start < packets.rows:
            start, filled = judge_batch(
                gathered.records, start, self._policy, self._table, self._settings, reading, full, out, filled
            )
            if start < packets.rows:
                full = self._grow()
        self._seen.update(np.unique(out["eni"][:filled]).tolist())
        self._reassembly.expire(self.clock)
        waiting = Waiting(packets, out[:filled], gathered.members)
        waiting.answer(gathered.whole)
        return waiting

    def _reassembles(self, p: Packet) -> bool:
        """True for a fragment that comes to or leaves an interface, unless its IP header is dropped first."""
        if p["bad_ip_checksum"] and self.settings["ip_checksum"] == "1":
            return False
        sender = self._owners.get((int(p["src_hi"]), int(p["src_lo"])))
        return sender != self._owners.get((int(p["dst_hi"]), int(p["dst_lo"])))

    def _grow(self) -> bool:
        """Give the table more room; True if it is as full as before: then it stays so for this batch."""
        self._table, forgot = grown(self._table)
        if forgot and not any(row.kind == "table-limit" for row in self.warnings):
            text = f"the connection table is large; {forgot} connections that had timed out were forgotten"
            self.warnings.append(RuleWarning("table-limit", text))
        used, records = int(self._table.counts[USED]), len(self._table.entries)
        return used > room(records) - ROWS_A_PACKET - records // MOST_REHASHES

    def replay(self, capture: Capture) -> Iterator[Judged]:
        """Every batch of a capture with its verdicts, in order; fragments have those of their datagrams.

        Raises UsageError at the first packets if no interface is known; the message lists the
        busiest addresses.
        """
        pending = Pending(self._reassembly)
        for packets in capture.batches():
            if not self.interfaces:
                raise need_interface(packets, capture.names, self.files)
            for judged in pending.add(self._judge(packets)):
                yield self._counted(judged)
        for judged in pending.rest():
            yield self._counted(judged)
        self._say_unseen()
        self._say_fragments()

    def _counted(self, judged: Judged) -> Judged:
        """The same, its undocumented choices counted."""
        if self.profile == "aws" and not self.stateless:
            count_choices(judged, self._choices)
        return judged

    def _say_fragments(self) -> None:
        if self._reassembly.given_up:
            count = counted(self._reassembly.given_up, "datagram in fragments", "datagrams in fragments")
            text = f"{count} given up: too many packets waited for the rest of it"
            self.warnings.append(RuleWarning("fragments-given-up", text))
        if self._reassembly.refused:
            count = counted(self._reassembly.refused, "fragment")
            text = f"{count} dropped: others of more than {MAX_HELD_BYTES} bytes waited (ipfrag_high_thresh)"
            self.warnings.append(RuleWarning("fragments-limit", text))

    def _say_unseen(self) -> None:
        for index, eni in enumerate(self.interfaces):
            words = {eni.interface_id, *(str(address) for address in eni.addresses)}
            if index not in self._seen and self._asked & words:
                text = f"--eni {eni.interface_id}: no packet of the capture goes to or from it"
                self.warnings.append(RuleWarning("eni-unseen", text))

    def judge(self, packets: Any) -> list[dict[str, str | int | None]]:
        """Verdict rows, by column name, of one scapy packet or several, in order.

        The table goes on between calls. Raises UsageError without an interface, CraftError for a
        packet that scapy cannot build.
        """
        from firewall.columns import row_cells  # words are made only for a few packets
        from pcaps.craft import packets_to_frames

        batch = frames_batch(packets_to_frames(packets, self.first_addresses), verify=self.verifies)
        if not self.interfaces:
            raise need_interface(batch, ("CAPTURE",), self.files)
        return row_cells(self._judge(batch).settled(), Labels.of(self, ("crafted",)))

    def table(self) -> list[Connection]:
        """The live connections at the latest time seen, by interface and number."""
        now = self.clock
        entries = self._table.entries[:-1]
        live = entries[(entries["use"] == LIVE) & (entries["expires"] > now)]
        return [self._connection(entry, now) for entry in live[np.lexsort((live["flow"], live["eni"]))]]

    @property
    def clock(self) -> int:
        """Capture time (ns since 1970) of the latest packet judged; it never goes back."""
        return int(self._table.counts[CLOCK])

    @property
    def flow_counts(self) -> tuple[int, ...]:
        """How many connections each interface had so far, in the order of `interfaces`."""
        return tuple(self._table.flows[: len(self.interfaces)].tolist())

    def connection(self, eni: int, flow: int) -> Connection | None:
        """The entry of one connection, by the numbers that the columns hold; None where there is none (any more).

        One that timed out is still found, until its place is used again: `expires` tells.
        """
        entry = self._table.entries[self._found]
        if (entry["use"], entry["eni"], entry["flow"]) != (LIVE, eni, flow):
            entries = self._table.entries[:-1]
            found = np.flatnonzero((entries["use"] == LIVE) & (entries["eni"] == eni) & (entries["flow"] == flow))
            if not len(found):
                return None
            self._found = int(found[0])
        return self._connection(self._table.entries[self._found], self.clock)

    def _connection(self, entry: np.void, now: int) -> Connection:
        ends = [
            (address_text(int(entry["a_hi"]), int(entry["a_lo"])), int(entry["a_port"])),
            (address_text(int(entry["b_hi"]), int(entry["b_lo"])), int(entry["b_port"])),
        ]
        if entry["status"] & OPENED_BY_B:
            ends.reverse()
        protocol = int(entry["protocol"])
        (src, src_port), (dst, dst_port) = ends
        icmp = bool(is_icmp(int(entry["family"]), protocol))
        if icmp:  # type and code of the query, as in the port columns
            src_port, dst_port = int(entry["a_port"]) >> 8, int(entry["a_port"]) & 0xFF
        ports = src_port or dst_port or protocol == TCP
        rule = int(entry["rule"])
        return Connection(
            eni=self.interfaces[int(entry["eni"])].interface_id,
            flow=int(entry["flow"]),
            protocol=protocol,
            src=src,
            dst=dst,
            src_port=src_port if ports else None,
            dst_port=dst_port if ports else None,
            tcp_state=STATES[int(entry["state"])] if protocol == TCP else "",
            answered=bool(entry["status"] & SEEN_REPLY),
            assured=bool(entry["status"] & ASSURED),
            expires_in=(int(entry["expires"]) - now) / NS,
            rule=self.rules[rule].name if rule >= 0 else "",
            sctp_state=SCTP_STATES[int(entry["state"])] if protocol == SCTP else "",
            icmp_id=int(entry["b_port"]) if icmp else None,
            expires=int(entry["expires"]),
            tracked=not entry["status"] & NOT_TRACKED,
        )
