"""The seventeen columns of a verdict row, batch by batch, in the order that every output keeps.

A column is either words (codes into a small vocabulary, so that each word is written once a batch)
or numbers. Where a row has nothing to say, the word is None or the number is not present.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conntrack.states import CT_STATES
from conntrack.tcp import STATES
from firewall.labels import ICMP_PROTOCOLS, PORT_PROTOCOLS, Labels, address_text, protocol_word
from firewall.rows import Judged
from firewall.verdict import DIRECTIONS, REASON_WORDS, VERDICTS
from pcaps.batch import OK, PacketBatch

COLUMNS = (
    "capture",
    "packet",
    "time",
    "src",
    "dst",
    "protocol",
    "src_port",
    "dst_port",
    "length",
    "eni",
    "direction",
    "verdict",
    "reason",
    "ct_state",
    "tcp_state",
    "flow",
    "rule",
)


class Words(NamedTuple):
    """Text by code; `None` is an empty cell."""

    codes: NDArray[np.int64]
    words: Sequence[str | None]


class Numbers(NamedTuple):
    """Whole numbers; `present` is None where every row has one."""

    values: NDArray[np.int64]
    present: NDArray[np.bool_] | None = None


Column = Words | Numbers
AddressWords = Callable[[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]], Words]
Cell = str | int | None

PROTOCOL_WORDS = tuple(protocol_word(number) for number in range(256))
WITH_PORTS: NDArray[np.bool_] = np.isin(np.arange(256), PORT_PROTOCOLS + ICMP_PROTOCOLS)


class Cells(NamedTuple):
    """What the columns are made of, as the engine has it: a value a row, in arrays of their own."""

    capture: NDArray[np.int32]
    frame: NDArray[np.int64]
    time: NDArray[np.int64]
    status: NDArray[np.uint8]
    family: NDArray[np.uint8]
    fragment_offset: NDArray[np.int32]
    protocol: NDArray[np.uint8]
    src_hi: NDArray[np.uint64]
    src_lo: NDArray[np.uint64]
    dst_hi: NDArray[np.uint64]
    dst_lo: NDArray[np.uint64]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    length: NDArray[np.int64]
    eni: NDArray[np.int32]
    direction: NDArray[np.uint8]
    verdict: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    ct_state: NDArray[np.uint8]
    tcp_state: NDArray[np.uint8]
    flow: NDArray[np.int64]
    rule: NDArray[np.int32]

    @classmethod
    def of(cls, judged: Judged) -> "Cells":
        """The cells of one batch, copied: the batch need not stay."""
        packets, verdicts = judged
        row = slice(None) if verdicts.rows == packets.rows else verdicts.packet  # every packet has a row
        of_packets = (packets.records[name][row] for name in cls._fields[:FROM_VERDICTS])
        of_verdicts = (verdicts.records[name] for name in cls._fields[FROM_VERDICTS:])
        return cls(*map(np.ascontiguousarray, (*of_packets, *of_verdicts)))

    @classmethod
    def joined(cls, parts: Iterable["Cells"]) -> "Cells":
        """Several as one, in order."""
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


FROM_VERDICTS = Cells._fields.index("eni")  # the first field that is a verdict's


def row_columns(judged: Judged, labels: Labels) -> dict[str, Column]:
    """The columns of one batch by name, in the order of COLUMNS."""
    return cell_columns(Cells.of(judged), labels)


def cell_columns(cells: Cells, labels: Labels, addresses: AddressWords | None = None) -> dict[str, Column]:
    """The columns of these cells by name, in the order of COLUMNS; `addresses` makes words of addresses.

    Addresses, protocol and length are empty where no IP header was read; ports where the protocol
    has none, its header could not be read, or a later fragment does not carry it.
    """
    words = addresses or address_words
    ip = cells.family != 0
    ports = has_ports(cells)
    return {
        "capture": Words(_wide(cells.capture), labels.captures),
        "packet": Numbers(cells.frame),
        "time": Numbers(cells.time),
        "src": words(cells.src_hi, cells.src_lo, ip),
        "dst": words(cells.dst_hi, cells.dst_lo, ip),
        "protocol": _optional(cells.protocol, PROTOCOL_WORDS, ip),
        "src_port": Numbers(_wide(cells.src_port), ports),
        "dst_port": Numbers(_wide(cells.dst_port), ports),
        "length": Numbers(cells.length, ip),
        "eni": _optional(cells.eni, labels.interfaces, cells.eni >= 0),
        "direction": Words(_wide(cells.direction), _blank_first(DIRECTIONS)),
        "verdict": Words(_wide(cells.verdict), VERDICTS),
        "reason": Words(_wide(cells.reason), REASON_WORDS),
        "ct_state": Words(_wide(cells.ct_state), _blank_first(CT_STATES)),
        "tcp_state": Words(_wide(cells.tcp_state), _blank_first(STATES)),
        "flow": Numbers(cells.flow, cells.flow > 0),
        "rule": rule_words(cells.rule, labels),
    }


def row_cells(judged: Judged, labels: Labels) -> list[dict[str, Cell]]:
    """The rows of a small batch as dictionaries; None where a cell is empty."""
    columns = [_cells(column) for column in row_columns(judged, labels).values()]
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]


def _cells(column: Column) -> Sequence[Cell]:
    if isinstance(column, Words):
        return [column.words[code] for code in column.codes.tolist()]
    if column.present is None:
        return column.values.tolist()  # type: ignore[no-any-return]  # numpy types tolist as Any
    pairs = zip(column.values.tolist(), column.present.tolist(), strict=True)
    return [value if present else None for value, present in pairs]


def _wide(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    return codes.astype(np.int64)


def _blank_first(words: Sequence[str]) -> tuple[str | None, ...]:
    """The vocabulary with its code 0, "nothing to say", as an empty cell."""
    return (None, *words[1:])


def _optional(codes: NDArray[np.integer], words: Sequence[str], present: NDArray[np.bool_]) -> Words:
    """Words where `present`; elsewhere an empty cell, which stands behind the last word."""
    return Words(np.where(present, _wide(codes), len(words)), (*words, None))


def rule_words(rule: NDArray[np.int32], labels: Labels) -> Words:
    """0 is no rule, then the rules, then the exempt services (firewall.rows.VerdictBatch.rule)."""
    wide = _wide(rule)
    codes = np.where(wide >= -1, wide + 1, len(labels.rules) - 1 - wide)
    return Words(codes, (None, *labels.rules, *labels.exempt))


def has_ports(packets: PacketBatch | Cells) -> NDArray[np.bool_]:
    """Whether the port columns of each packet or row hold ports, or ICMP type and code."""
    readable = packets.status == OK
    first: NDArray[np.bool_] = (packets.family != 0) & (packets.fragment_offset == 0)
    carried: NDArray[np.bool_] = readable & first & WITH_PORTS[packets.protocol]
    return carried


def distinct_addresses(
    high: NDArray[np.uint64], low: NDArray[np.uint64]
) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """The different addresses as (high, low), and for each row which one it is."""
    highs, high_code = np.unique(high, return_inverse=True)
    lows, low_code = np.unique(low, return_inverse=True)
    pairs, codes = np.unique(high_code * len(lows) + low_code, return_inverse=True)
    addresses = [(int(highs[pair // len(lows)]), int(lows[pair % len(lows)])) for pair in pairs.tolist()]
    return addresses, codes


def distinct_peers(
    packets: PacketBatch, row: NDArray[np.int32], inward: NDArray[np.bool_]
) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """The different addresses at the other end, of packets that come in or go out, and which each of them has."""
    return distinct_addresses(
        np.where(inward, packets.src_hi[row], packets.dst_hi[row]),
        np.where(inward, packets.src_lo[row], packets.dst_lo[row]),
    )


def address_words(high: NDArray[np.uint64], low: NDArray[np.uint64], present: NDArray[np.bool_]) -> Words:
    """Each address of the batch is written once: a capture has few beside its packets."""
    addresses, codes = distinct_addresses(high, low)
    texts = [address_text(*address) for address in addresses]
    return Words(np.where(present, codes, len(texts)), (*texts, None))
