"""Connections as columns, all of them at once: for files of connections and for the page.

Nothing here walks over connections one by one: a capture may hold a hundred thousand.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.tcp import STATES
from firewall.columns import PROTOCOL_WORDS, WITH_PORTS, Column, Numbers, Words, address_words, rule_words
from firewall.flows import FLOW
from firewall.history import Histories
from firewall.model import TCP
from firewall.reports.result import Result
from firewall.verdict import DIRECTIONS

OTHER_STATES = ("untracked", "UNREPLIED", "REPLIED")
STATE_WORDS = (*STATES, *OTHER_STATES)
MIDWAY = (None, "yes")

#: The columns of a file of connections, in this order. Times are ns since 1970, duration is ns, bytes are IP lengths.
CONNECTION_COLUMNS = (
    "eni",
    "flow",
    "direction",
    "src",
    "src_port",
    "dst",
    "dst_port",
    "protocol",
    "capture",
    "packet",
    "time",
    "last_time",
    "duration",
    "rule",
    "sent",
    "sent_bytes",
    "received",
    "received_bytes",
    "denied",
    "undecided",
    "icmp_errors",
    "state",
    "history",
    "midway",
)
TIMES = ("time", "last_time")


class Connections(NamedTuple):
    """Connections of all interfaces: records of firewall.flows.FLOW, each with its interface and number."""

    records: NDArray[np.void]
    eni: NDArray[np.int64]
    flow: NDArray[np.int64]

    def take(self, rows: NDArray[np.intp]) -> "Connections":
        """The connections named, in that order."""
        return Connections._make(column[rows] for column in self)


def all_connections(result: Result) -> Connections:
    """All of them, by interface and number."""
    tables = [flows.table for flows in result.summary.flows]
    numbers = [np.flatnonzero(table["known"]) for table in tables]
    records = [table[known] for table, known in zip(tables, numbers, strict=True)]
    enis = np.repeat(np.arange(len(tables)), [len(known) for known in numbers])
    return Connections(
        np.concatenate([np.zeros(0, FLOW), *records]), enis, np.concatenate([np.zeros(0, np.int64), *numbers])
    )


def largest_first(found: Connections) -> Connections:
    """Those with most packets first, as every report lists them; ties by interface and number."""
    packets = found.records["sent"] + found.records["received"]
    return found.take(np.lexsort((found.flow, found.eni, -packets)))


def connection_columns(found: Connections, result: Result) -> dict[str, Column]:
    """The columns by name, in the order of CONNECTION_COLUMNS."""
    record = found.records
    every = np.ones(len(record), np.bool_)
    ports = WITH_PORTS[record["protocol"]]
    return {
        "eni": Words(found.eni, result.labels.interfaces),
        "flow": Numbers(found.flow),
        "direction": Words(_wide(record["direction"]), DIRECTIONS),
        "src": address_words(record["src_hi"], record["src_lo"], every),
        "src_port": Numbers(_wide(record["src_port"]), ports),
        "dst": address_words(record["dst_hi"], record["dst_lo"], every),
        "dst_port": Numbers(_wide(record["dst_port"]), ports),
        "protocol": Words(_wide(record["protocol"]), PROTOCOL_WORDS),
        "capture": Words(_wide(record["capture"]), result.labels.captures),
        "packet": Numbers(record["frame"]),
        "time": Numbers(record["first_time"]),
        "last_time": Numbers(record["last_time"]),
        "duration": Numbers(record["last_time"] - record["first_time"]),
        "rule": rule_words(record["rule"], result.labels),
        "sent": Numbers(record["sent"]),
        "sent_bytes": Numbers(record["sent_bytes"]),
        "received": Numbers(record["received"]),
        "received_bytes": Numbers(record["received_bytes"]),
        "denied": Numbers(record["denied"]),
        "undecided": Numbers(record["undecided"]),
        "icmp_errors": Numbers(record["errors"]),
        "state": Words(_states(record), STATE_WORDS),
        "history": _histories(found, result),
        "midway": Words(_wide(record["midway"]), MIDWAY),
    }


def _states(record: NDArray[np.void]) -> NDArray[np.int64]:
    """As codes of STATE_WORDS: what Result.connection says of one."""
    answered = len(STATES) + 1 + (record["received"] > 0)
    tracked = np.where(record["protocol"] == TCP, _wide(record["tcp_state"]), answered)
    return np.where(record["untracked"], len(STATES), tracked)


def _histories(found: Connections, result: Result) -> Words:
    """Histories are few beside connections: each is written once."""
    texts = np.zeros(len(found.eni), dtype=object)
    audit: Sequence[Histories] = () if result.details is None else result.details.audit.histories
    for eni, each in enumerate(audit):
        rows = np.flatnonzero(found.eni == eni)
        texts[rows] = each.texts(found.flow[rows])
    if not audit:
        return Words(np.zeros(len(texts), np.int64), (None,))
    words, codes = np.unique(texts.astype(str), return_inverse=True)
    return Words(codes, [word or None for word in words.tolist()])


def _wide(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    return codes.astype(np.int64)
