"""The one object that every report is made from."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from conntrack.tcp import STATES
from firewall.flows import largest
from firewall.labels import Labels, address_text, encodable, flow_text
from firewall.model import TCP, NetworkInterface, Rule
from firewall.summary import Summary
from firewall.verdict import DIRECTIONS

if TYPE_CHECKING:
    from firewall.engine import Firewall
    from pcaps.capture import Capture

ENDED = ("TIME_WAIT", "CLOSE")  # TCP states of a connection that was closed or reset


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
    icmp_errors: int  # that quote it
    first_time: int  # ns
    last_time: int
    state: str
    ended: bool

    @property
    def tuple(self) -> str:
        """The originator's tuple as one line."""
        return flow_text(self.src, self.dst, self.protocol, self.src_port, self.dst_port)


@dataclass(frozen=True)
class Result:
    """A finished replay: what was counted, and what a reader must know beside the counts."""

    version: str
    labels: Labels
    interfaces: tuple[NetworkInterface, ...]
    rules: tuple[Rule, ...]
    profile: str
    settings: dict[str, int | str]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    packets_read: int
    filtered_out: int
    summary: Summary

    @property
    def unused_rules(self) -> list[Rule]:
        """Rules that admitted nothing in this replay."""
        hits = self.summary.rule_hits.tolist()
        return [rule for rule, count in zip(self.rules, hits, strict=True) if not count]

    def connections(self, limit: int | None = None) -> list[Connection]:
        """The connections with most packets first, at most `limit`."""
        return [self.connection(eni, flow) for eni, flow in largest(self.summary.flows, limit)]

    def connection(self, eni: int, flow: int) -> Connection:
        """One connection by interface index and flow number."""
        table = self.summary.flows[eni].table
        row: dict[str, Any] = dict(zip(table.dtype.names or (), table[flow].item(), strict=True))
        state = _state(row["protocol"], row["tcp_state"], row["received"])
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
            icmp_errors=row["errors"],
            first_time=row["first_time"],
            last_time=row["last_time"],
            state=state,
            ended=state in ENDED,
        )


class Report(Protocol):
    """One way to tell a result."""

    def __call__(self, result: Result) -> str:
        """The whole report as text, ready to be written to standard output."""


def _state(protocol: int, tcp_state: int, received: int) -> str:
    """The TCP state by Linux's name; for other protocols whether the other side ever answered."""
    if protocol == TCP:
        return str(STATES[tcp_state])
    return "REPLIED" if received else "UNREPLIED"


def finished(firewall: "Firewall", capture: "Capture", summary: Summary, labels: Labels, version: str) -> Result:
    """The result of a replay that has read its capture to the end."""
    warnings = [str(warning) for warning in (*firewall.rule_set.warnings, *firewall.warnings)]
    warnings += capture.warnings
    read = capture.packets - capture.filtered_out
    if not summary.adds_up or summary.packets != read:
        warnings.append(f"the sums do not add up ({read} packets, {summary.rows} rows): please report this capture")
    return Result(
        version=version,
        labels=labels,
        interfaces=tuple(firewall.interfaces),
        rules=tuple(firewall.rules),
        profile=firewall.profile,
        settings=dict(firewall.settings),
        assumptions=tuple(firewall.assumptions),
        warnings=tuple(encodable(warning) for warning in dict.fromkeys(warnings)),
        packets_read=read,
        filtered_out=capture.filtered_out,
        summary=summary,
    )
