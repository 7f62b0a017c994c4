"""The one object that every report is made from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from conntrack.tcp import ENDED, STATES
from conntrack.timeouts import effective
from firewall.flows import largest
from firewall.interfaces import busiest_text, unattached_groups
from firewall.labels import Labels, address_text, counted, encodable, flow_text
from firewall.model import TCP, NetworkAclEntry, NetworkInterface, Rule
from firewall.summary import Summary
from firewall.timeline import Applied
from firewall.verdict import DIRECTIONS, REASON_WORDS

if TYPE_CHECKING:
    from firewall.engine import Firewall
    from firewall.reports.details import Details
    from pcaps.capture import Capture

MOST_GROUPS = 5  # named in a warning


@dataclass(frozen=True)
class Connection:
    """One connection at one interface; the originator is the source of its first row."""

    eni: str
    flow: int
    src: str
    dst: str
    protocol: int
    src_port: int  # ICMP type, as in the rows
    dst_port: int
    rule: str  # that opened it
    capture: str  # of the packet that opened it
    packet: int
    direction: str
    sent: int  # packets allowed from the originator
    sent_bytes: int
    received: int  # packets allowed to it
    received_bytes: int
    denied: int
    undecided: int
    icmp_errors: int  # that quote it
    first_time: int  # ns
    last_time: int
    state: str  # "untracked" where every packet meets the rules
    ended: bool
    untracked: bool
    midway: bool  # TCP whose handshake the capture does not hold
    history: str = ""  # firewall.history; empty where it was not asked for

    @property
    def tuple(self) -> str:
        """The originator's tuple as one line."""
        return flow_text(self.src, self.dst, self.protocol, self.src_port, self.dst_port)

    @property
    def duration(self) -> int:
        """From its first packet to the last one allowed, in ns."""
        return self.last_time - self.first_time


@dataclass(frozen=True)
class DeniedAttempt:
    """Denied packets of one source to one destination at one interface, from whatever ports."""

    eni: str
    direction: str
    src: str
    dst: str
    protocol: int
    icmp_type: int | None
    dst_port: int | None  # ICMP code
    reason: str  # of the first packet
    capture: str  # of the first packet
    packet: int
    packets: int

    @property
    def tuple(self) -> str:
        """Source and destination as one line, without the source's port."""
        return flow_text(self.src, self.dst, self.protocol, self.icmp_type, self.dst_port)


@dataclass(frozen=True)
class Result:
    """A finished replay: what was counted, and what a reader must know beside the counts."""

    version: str
    labels: Labels
    interfaces: tuple[NetworkInterface, ...]
    rules: tuple[Rule, ...]
    acl_entries: tuple[NetworkAclEntry, ...]
    changes: tuple[Applied, ...]
    profile: str
    settings: dict[str, int | str]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    packets_read: int
    filtered_out: int
    summary: Summary
    details: "Details | None" = None  # of `eniwall report` alone

    @property
    def changed_settings(self) -> dict[str, int | str]:
        """Settings that differ from the profile's own."""
        own = effective(self.profile, {})
        return {name: value for name, value in self.settings.items() if str(value) != str(own[name])}

    @cached_property
    def short_captures(self) -> dict[str, str]:
        """A short name for each capture, where a report has little room."""
        return self.labels.short_captures

    @property
    def unused_rules(self) -> list[Rule]:
        """Rules that admitted nothing in this replay."""
        hits = self.summary.rule_hits[: len(self.rules)].tolist()
        return [rule for rule, count in zip(self.rules, hits, strict=True) if not count]

    @property
    def acl_counts(self) -> list[tuple[NetworkAclEntry, int, int]]:
        """The entries of network ACLs that decided rows, with how many they let through and how many they denied."""
        counts = (column[len(self.rules) :].tolist() for column in (self.summary.rule_hits, self.summary.rule_denied))
        return [row for row in zip(self.acl_entries, *counts, strict=True) if row[1] or row[2]]

    def connections(self, limit: int | None = None) -> list[Connection]:
        """The connections with most packets first, at most `limit`."""
        return [self.connection(eni, flow) for eni, flow in largest(self.summary.flows, limit)]

    def connection(self, eni: int, flow: int) -> Connection:
        """One connection by interface index and flow number."""
        table = self.summary.flows[eni].table
        row: dict[str, Any] = dict(zip(table.dtype.names or (), table[flow].item(), strict=True))
        state = "untracked" if row["untracked"] else _state(row["protocol"], row["tcp_state"], row["received"])
        return Connection(
            eni=self.labels.interface(eni),
            flow=flow,
            src=address_text(row["src_hi"], row["src_lo"]),
            dst=address_text(row["dst_hi"], row["dst_lo"]),
            protocol=row["protocol"],
            src_port=row["src_port"],
            dst_port=row["dst_port"],
            rule=self.labels.rule(row["rule"]),
            capture=self.labels.captures[row["capture"]],
            packet=row["frame"],
            direction=DIRECTIONS[row["direction"]],
            sent=row["sent"],
            sent_bytes=row["sent_bytes"],
            received=row["received"],
            received_bytes=row["received_bytes"],
            denied=row["denied"],
            undecided=row["undecided"],
            icmp_errors=row["errors"],
            first_time=row["first_time"],
            last_time=row["last_time"],
            state=state,
            ended=state in ENDED,
            untracked=row["untracked"],
            midway=row["midway"],
            history="" if self.details is None else self.details.audit.histories[eni].text(flow),
        )

    def denied_attempts(self, limit: int | None = None) -> list[DeniedAttempt]:
        """What was denied, grouped; the groups with most packets first, at most `limit`."""
        return [
            DeniedAttempt(
                eni=self.labels.interface(attempt.eni),
                direction=DIRECTIONS[attempt.direction],
                src=address_text(attempt.src_hi, attempt.src_lo),
                dst=address_text(attempt.dst_hi, attempt.dst_lo),
                protocol=attempt.protocol,
                icmp_type=attempt.icmp_type if attempt.icmp_type >= 0 else None,
                dst_port=attempt.port if attempt.port >= 0 else None,
                reason=REASON_WORDS[denied.reason],
                capture=self.labels.captures[denied.capture],
                packet=denied.frame,
                packets=denied.packets,
            )
            for attempt, denied in self.summary.attempts.largest(limit)
        ]


class Report(Protocol):
    """One way to tell a result."""

    def __call__(self, result: Result) -> str:
        """The whole report as text, ready to be written to standard output."""


class FileReport(Protocol):
    """One way to write a result to a file."""

    def check(self) -> None:
        """Raise UsageError, before anything is read, where something that it needs is missing."""

    def write(self, result: Result, path: Path, language: str) -> str:
        """Write it whole; what was written, in words (`the report`, `3 connections`)."""


def _state(protocol: int, tcp_state: int, received: int) -> str:
    """The TCP state by Linux's name; for other protocols whether the other side ever answered."""
    if protocol == TCP:
        return str(STATES[tcp_state])
    return "REPLIED" if received else "UNREPLIED"


def finished(
    firewall: "Firewall",
    capture: "Capture",
    summary: Summary,
    labels: Labels,
    version: str,
    warnings: Sequence[str] = (),
) -> Result:
    """The result of a replay that has read its capture to the end; `warnings` are what was found before."""
    read = capture.packets - capture.filtered_out
    told = [*warnings, *_rule_warnings(firewall, summary), *capture.warnings]
    if not summary.adds_up or summary.packets != read:
        told.append(f"the sums do not add up ({read} packets, {summary.rows} rows): please report this capture")
    return Result(
        version=version,
        labels=labels,
        interfaces=tuple(firewall.interfaces),
        rules=tuple(firewall.rules),
        acl_entries=firewall.acl_entries,
        changes=tuple(firewall.timeline.applied),
        profile=firewall.profile,
        settings=dict(firewall.settings),
        assumptions=tuple(firewall.assumptions),
        warnings=tuple(encodable(warning) for warning in dict.fromkeys(told)),
        packets_read=read,
        filtered_out=capture.filtered_out,
        summary=summary,
    )


def _rule_warnings(firewall: "Firewall", summary: Summary) -> Iterator[str]:
    """What the rules and the replay warn of; an interface that was not seen, with those that were."""
    yield from map(str, firewall.rule_set.warnings)
    groups = unattached_groups(firewall.rule_set, firewall.interfaces)
    if groups:
        more = f" and {len(groups) - MOST_GROUPS:,} more" if len(groups) > MOST_GROUPS else ""
        names = ", ".join(groups[:MOST_GROUPS]) + more
        yield f"on no interface that the files describe, so these rules admit nothing here: security group {names}"
    answered = sum(summary.attempts.answered_by(eni, flows.table) for eni, flows in enumerate(summary.flows))
    if answered:
        yield (
            f"{counted(answered, 'connection')} opened by an answer to an attempt that was denied: the capture holds"
            " answers that would not exist had these rules been in force; --set tcp_loose=0 lets no TCP answer open one"
        )
    for eni in firewall.interfaces:
        if eni.interface_id not in firewall.files_interfaces:
            yield from _made_by_hand(eni, firewall)
    judged = int(summary.by_interface[1:].sum())
    if not judged and not any(w.kind == "eni-unseen" for w in firewall.warnings):
        first = summary.first_packets
        if first is not None:
            yield f"no packet goes to or from an interface of the rules; {busiest_text(first)}"
    for warning in firewall.warnings:
        if warning.kind != "eni-unseen":
            yield str(warning)
        elif summary.first_packets is not None:  # where no packet came, that is what to say
            yield f"{warning}; {busiest_text(summary.first_packets)}"


def _made_by_hand(eni: NetworkInterface, firewall: "Firewall") -> Iterator[str]:
    """What an address that no file knows was taken for, where the files have interfaces or network ACLs."""
    rules = firewall.rule_set
    if firewall.files_interfaces:
        groups = ", ".join(rules.groups[group].name for group in eni.groups if group in rules.groups)
        yield f"--eni {eni.interface_id}: no interface of the files has this address; judged with all groups: {groups}"
    if rules.network_acls and rules.network_acl_of(eni) is None:
        yield f"--eni {eni.interface_id}: in no subnet that the files describe, so no network ACL is evaluated for it"
