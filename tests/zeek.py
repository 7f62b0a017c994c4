"""Zeek's published connection logs beside eniwall's connections: what is compared, and what may differ.

The logs are the expectations of Zeek's own test suite (`conn.log`), one line a connection, in
`zeek_conns.tsv` among the captures that ENIWALL_CAPTURES names. eniwall replays the same capture with
everything allowed, at one end of the connection, under the profile `linux` as it is.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from firewall.engine import Firewall
from tests.support import Cells, file_rows, rule, rule_set

LOG = "zeek_conns.tsv"
IGNORES_CHECKSUMS = "-C"  # zeek's option
NO_TUNNEL = "-"
DELETED = ""  # the state of a connection whose last packet deleted its entry

Pair = tuple[int, int]  # of the originator, of the responder


class Ends(NamedTuple):
    """Who opened the connection, and to whom."""

    originator: str
    originator_port: int
    responder: str
    responder_port: int

    def reverse(self) -> "Ends":
        return Ends(self.responder, self.responder_port, self.originator, self.originator_port)

    def __str__(self) -> str:
        return f"{self.originator}:{self.originator_port} > {self.responder}:{self.responder_port}"


class Record(NamedTuple):
    """One line of Zeek's log."""

    capture: str
    ends: Ends
    conn_state: str
    packets: Pair
    ip_bytes: Pair
    checksums: bool  # Zeek left out packets with wrong checksums


class Connection(NamedTuple):
    """One of eniwall's connections: every packet of its five-tuple that found it, allowed or not."""

    ends: Ends
    packets: Pair
    ip_bytes: Pair
    state: str
    denied: int


# --- what Zeek's word for a connection means for a TCP state ----------------------------------------------
class ConnState(NamedTuple):
    """A value of conn_state, in the words of Zeek's manual, and the states in which eniwall may end."""

    word: str
    meaning: str
    states: tuple[str, ...]
    why: str


CONN_STATES = (
    ConnState("S0", "attempt seen, no reply", ("SYN_SENT",), "only the SYN counts without an answer"),
    ConnState(
        "S1",
        "established, not terminated",
        ("SYN_RECV", "ESTABLISHED"),
        "Zeek takes the SYN-ACK as established, Linux the ACK behind it",
    ),
    ConnState(
        "SF",
        "established and terminated",
        ("LAST_ACK", "TIME_WAIT"),
        "both FINs were seen; TIME_WAIT needs the last ACK too",
    ),
    ConnState("REJ", "attempt rejected", (DELETED,), "a reset that is the only answer deletes the entry"),
    ConnState(
        "S2",
        "established, the originator closed, the responder did not",
        ("FIN_WAIT", "CLOSE_WAIT"),
        "one FIN; CLOSE_WAIT behind any ACK",
    ),
    ConnState(
        "S3",
        "established, the responder closed, the originator did not",
        ("FIN_WAIT", "CLOSE_WAIT"),
        "one FIN; Linux does not say whose",
    ),
    ConnState("RSTO", "established, the originator reset", ("CLOSE",), "a reset"),
    ConnState("RSTR", "the responder reset", ("CLOSE",), "a reset"),
    ConnState(
        "RSTOS0",
        "the originator sent a SYN and then a reset, no SYN-ACK seen",
        (DELETED,),
        "a reset before any answer deletes the entry",
    ),
    ConnState(
        "RSTRH",
        "the responder reset, the originator's SYN was not seen",
        ("CLOSE", DELETED),
        "a reset; as the only answer to a segment in the middle it deletes the entry",
    ),
    ConnState(
        "SH",
        "the originator sent a SYN and then a FIN, no SYN-ACK seen",
        ("SYN_SENT",),
        "without an answer neither ACK nor FIN moves the state: they are invalid",
    ),
    ConnState(
        "SHR",
        "the responder sent a SYN-ACK and then a FIN, no SYN seen",
        ("FIN_WAIT", "CLOSE_WAIT"),
        "picked up in the middle, then one FIN",
    ),
    ConnState("OTH", "no SYN seen, not closed", ("ESTABLISHED",), "picked up in the middle"),
)
STATES_OF = {row.word: row.states for row in CONN_STATES}


# --- named differences -------------------------------------------------------------------------------------
def is_joined(records: Sequence[Record], connections: Sequence[Connection]) -> bool:
    """One connection that counts what several records count together."""
    return (
        len(records) > 1
        and len(connections) == 1
        and all(one.ends == connections[0].ends for one in records)
        and connections[0].packets == total([one.packets for one in records])
        and connections[0].ip_bytes == total([one.ip_bytes for one in records])
        and connections[0].state in STATES_OF[records[-1].conn_state]
    )


def lacks_one_answer(records: Sequence[Record], connections: Sequence[Connection]) -> bool:
    """The same connection without one bare SYN-ACK (60 bytes with its options) of the responder."""
    if len(records) != 1 or len(connections) != 1:
        return False
    record, connection = records[0], connections[0]
    return (
        connection.ends == record.ends
        and total([connection.packets, (0, 1)]) == record.packets
        and total([connection.ip_bytes, (0, 60)]) == record.ip_bytes
        and connection.state in STATES_OF[record.conn_state]
    )


class Difference(NamedTuple):
    """A reason why the two differ; `holds` is true where that, and nothing else, is the difference."""

    name: str
    why: str
    holds: Callable[[Sequence[Record], Sequence[Connection]], bool]


DIFFERENCES = (
    Difference(
        "attempt-timeout",
        "Zeek gives up an attempt without an answer after 5 seconds (tcp_attempt_delay) and logs later packets as "
        "another connection. Linux keeps SYN_SENT for 120 seconds. Zeek's records add up to the one connection.",
        is_joined,
    ),
    Difference(
        "answer-first",
        "The capture starts with the SYN-ACK. Zeek turns it round and counts it. To Linux an answer to nothing is "
        "invalid; the connection is picked up at the next ACK, with the same originator and one packet less.",
        lacks_one_answer,
    ),
)
NAMED = {row.name: row for row in DIFFERENCES}


class Known(NamedTuple):
    """All records of one five-tuple that differ, and the difference's name."""

    capture: str
    ends: str
    difference: str


SSH = "tcp-zeek-ssh.client-side-half-duplex.pcap"
EXCEPTIONS = (
    Known(SSH, "192.168.1.79:51880 > 131.159.21.1:22", "attempt-timeout"),
    Known(SSH, "192.168.2.1:57189 > 192.168.2.158:22", "attempt-timeout"),
    Known(SSH, "192.168.2.1:56594 > 192.168.2.158:22", "attempt-timeout"),
    Known(SSH, "192.168.2.1:56875 > 192.168.2.158:22", "attempt-timeout"),
    Known(SSH, "192.168.1.32:41164 > 128.2.10.238:22", "attempt-timeout"),
    Known("tcp-zeek-missing-syn.pcap", "141.42.64.125:56730 > 125.190.109.199:80", "answer-first"),
)


# --- reading and comparing -------------------------------------------------------------------------------
def total(pairs: Sequence[Pair]) -> Pair:
    """The sums of the first and of the second numbers."""
    return sum(first for first, _ in pairs), sum(second for _, second in pairs)


def read_records(folder: Path) -> list[Record]:
    """TCP outside tunnels, in the log's order."""
    with (folder / LOG).open(encoding="utf-8", newline="") as file:
        return [
            Record(
                line["pcap"],
                Ends(line["orig_h"], int(line["orig_p"]), line["resp_h"], int(line["resp_p"])),
                line["conn_state"],
                (int(line["orig_pkts"]), int(line["resp_pkts"])),
                (int(line["orig_ip_bytes"]), int(line["resp_ip_bytes"])),
                IGNORES_CHECKSUMS not in line["zeek_command"].split(),
            )
            for line in csv.DictReader(file, delimiter="\t")
            if line["proto"] == "tcp" and line["tunnel_parents"] == NO_TUNNEL
        ]


@cache
def connections_at(path: Path, address: str, checksums: bool) -> tuple[Connection, ...]:
    """eniwall's TCP connections of a capture at one interface, in the order in which they opened."""
    everything = rule_set(
        [rule(way, -1, net) for way in ("ingress", "egress") for net in ("0.0.0.0/0", "::/0")], [address]
    )
    firewall = Firewall(everything, profile="linux", settings={"ip_checksum": str(int(checksums))})
    rows_of: dict[int, list[Cells]] = {}
    latest: dict[Ends, int] = {}
    for row in file_rows(firewall, path):
        if row["protocol"] != "tcp" or row["eni"] is None:
            continue
        ends = ends_of(row)
        flow = row["flow"]
        if flow is None and row["reason"] == "established":  # this packet passed, and deleted the entry
            flow = latest[ends]
        if flow is not None:
            latest[ends] = latest[ends.reverse()] = flow
            rows_of.setdefault(flow, []).append(row)
    return tuple(connection(rows) for rows in rows_of.values())


def ends_of(row: Cells) -> Ends:
    """The row's sender first."""
    return Ends(row["src"], row["src_port"], row["dst"], row["dst_port"])


def connection(rows: Sequence[Cells]) -> Connection:
    """All rows of one flow as one line; its first packet's sender is the originator."""
    ends = ends_of(rows[0])
    sent = [row["length"] for row in rows if ends_of(row) == ends]
    received = [row["length"] for row in rows if ends_of(row) != ends]
    return Connection(
        ends,
        (len(sent), len(received)),
        (sum(sent), sum(received)),
        rows[-1]["tcp_state"] or DELETED,
        sum(row["verdict"] != "ALLOW" for row in rows),
    )


@dataclass(frozen=True)
class Comparison:
    """One of Zeek's records beside eniwall's connections of the same five-tuple, either way round.

    `siblings` are all of Zeek's records of that five-tuple.
    """

    record: Record
    siblings: tuple[Record, ...]
    connections: tuple[Connection, ...]

    @property
    def match(self) -> Connection | None:
        """The connection that agrees in everything compared."""
        for one in self.connections:
            same = (one.ends, one.packets, one.ip_bytes) == (
                self.record.ends,
                self.record.packets,
                self.record.ip_bytes,
            )
            if same and one.state in STATES_OF[self.record.conn_state]:
                return one
        return None

    @property
    def known(self) -> Known | None:
        """What is known to differ here."""
        key = (self.record.capture, str(self.record.ends))
        return next((one for one in EXCEPTIONS if (one.capture, one.ends) == key), None)

    @property
    def explained(self) -> bool:
        """It differs, and as its named difference says."""
        known = self.known
        return (
            known is not None and self.match is None and NAMED[known.difference].holds(self.siblings, self.connections)
        )


def compare(folder: Path, record: Record, records: Sequence[Record], address: str) -> Comparison:
    """One record, seen by the interface that has the address."""
    found = connections_at(folder / record.capture, address, record.checksums)
    return Comparison(
        record,
        tuple(one for one in records if (one.capture, one.ends) == (record.capture, record.ends)),
        tuple(one for one in found if record.ends in (one.ends, one.ends.reverse())),
    )


def compare_all(folder: Path) -> list[Comparison]:
    """Every record, seen by its originator's interface."""
    records = read_records(folder)
    return [compare(folder, record, records, record.ends.originator) for record in records]
