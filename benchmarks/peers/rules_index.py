"""A rule file as an index that every peer reads: port -> the rules that it could fit -> spans of addresses.

For the captures of benchmarks/generate.py: TCP, UDP and ICMP, interfaces that all have the same groups, peers
that are all known. The rules themselves are read and resolved by eniwall's own modules.
"""

from bisect import bisect_right
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.access_list import HALF, LOW, PROTOCOL_SHIFT, Spans, address_spans, service_spans
from firewall.model import RuleSet
from firewall.policy import attached_rules, mapped, reach
from firewall.sources import load_rules

WAYS = ("ingress", "egress")
FAMILIES = (4, 6)
PROTOCOLS = (6, 17, 1, 58)  # TCP, UDP, ICMP, ICMPv6
PORTS = 1 << 16  # of ICMP: type << 8 | code
KINDS = len(WAYS) * len(FAMILIES) * len(PROTOCOLS)


class Index(NamedTuple):
    """What the peers know of a rule file.

    `owners`: uint64[n, 2], the interfaces' addresses in order, high and low half, IPv4 as IPv4-mapped IPv6, and
    `numbers` whose each is. Rules that packets of kind k and port p could fit are
    fits[starts[k << 16 | p]:starts[(k << 16 | p) + 1]], int32 pairs of a first and a last but one row of `spans`:
    uint64[n, 4], low and high end, in halves, disjoint and ascending within a rule. Ports are destination ports.
    """

    owners: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    starts: NDArray[np.int32]
    fits: NDArray[np.int32]
    spans: NDArray[np.uint64]


def kind_of(way: int, family: int, protocol: int) -> int:
    """The number of a direction (0: ingress), family and protocol, from 0 to KINDS - 1."""
    return (way * len(FAMILIES) + FAMILIES.index(family)) * len(PROTOCOLS) + PROTOCOLS.index(protocol)


def read_index(path: Path) -> Index:
    """The index of a rule file. Raises RuleFileError, or ValueError where interfaces differ in their groups."""
    rules = load_rules(str(path))
    interfaces = list(rules.interfaces.values())
    if len({eni.groups for eni in interfaces}) != 1:
        raise ValueError(f"{path}: the peers know only interfaces that all have the same groups")
    owned = sorted((mapped(address), at) for at, eni in enumerate(interfaces) for address in eni.addresses)
    fitting, spans = _rows(rules)
    slots, fits = _by_port(fitting)
    return Index(
        owners=_halves([address for address, _ in owned]).reshape(-1, 2),
        numbers=np.array([at for _, at in owned], np.int64),
        starts=slots,
        fits=fits,
        spans=_halves([end for span in spans for end in span]).reshape(-1, 4),
    )


Fit = tuple[int, int, int, int]  # first slot, last slot, first span, behind the last span


def _rows(rules: RuleSet) -> tuple[list[Fit], Spans]:
    """Every rule as the slots that it fits and its spans."""
    eni = next(iter(rules.interfaces.values()))
    fitting: list[Fit] = []
    spans: list[tuple[int, int]] = []
    known: dict[Spans, int] = {}
    for way, direction in enumerate(WAYS):
        for rule in attached_rules(eni, direction, rules):
            services = service_spans(rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code, reads_ports=False)
            for family in FAMILIES:
                found = address_spans(reach(rule.peer, rules).networks, family)
                if not found:
                    continue
                if found not in known:
                    known[found] = len(spans)
                    spans += found
                begin = known[found]
                for low, high in _slots(way, family, services):
                    fitting.append((low, high, begin, begin + len(found)))
    return fitting, tuple(spans)


def _slots(way: int, family: int, services: Spans) -> Iterator[tuple[int, int]]:
    """The slots of services, first and last."""
    for protocol in PROTOCOLS:
        base, kind = protocol << PROTOCOL_SHIFT, kind_of(way, family, protocol)
        for low, high in services:
            first, last = max(low, base), min(high, base | PORTS - 1)
            if first <= last:
                yield kind * PORTS + first - base, kind * PORTS + last - base


def _by_port(fitting: list[Fit]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The same by slot."""
    counts = np.zeros(KINDS * PORTS + 1, np.int32)
    for low, high, _, _ in fitting:
        counts[low : high + 1] += 1
    starts = np.concatenate([[0], np.cumsum(counts[:-1])]).astype(np.int32)
    fits = np.zeros((int(starts[-1]), 2), np.int32)
    filled = starts.copy()
    for low, high, begin, end in fitting:
        fits[filled[low : high + 1]] = begin, end
        filled[low : high + 1] += 1
    return starts, fits


def _halves(numbers: list[int]) -> NDArray[np.uint64]:
    return np.array([half for number in numbers for half in (number >> HALF, number & LOW)], np.uint64)


def write_index(index: Index, path: Path) -> None:
    """The index as limit.c reads it: three counts, then the columns in their order."""
    counts = np.array([len(index.owners), len(index.fits), len(index.spans)], np.int64)
    path.write_bytes(b"".join(column.tobytes() for column in (counts, *index)))


class Rules:
    """The same for loops in Python: addresses are bytes as packets have them."""

    def __init__(self, path: Path) -> None:
        index = read_index(path)
        whole = [high << HALF | low for high, low in index.owners.tolist()]
        self.numbers = {_bytes_of(address): at for address, at in zip(whole, index.numbers.tolist(), strict=True)}
        self._starts, self._fits = index.starts.tolist(), index.fits.tolist()
        self._lows = [a << HALF | b for a, b, _, _ in index.spans.tolist()]
        self._highs = [a << HALF | b for _, _, a, b in index.spans.tolist()]

    def allow(self, way: int, family: int, protocol: int, port: int, peer: bytes) -> bool:
        """True if a rule lets a first packet pass."""
        slot = kind_of(way, family, protocol) * PORTS + port
        address = mapped_bytes(peer)
        for begin, end in self._fits[self._starts[slot] : self._starts[slot + 1]]:
            at = bisect_right(self._lows, address, begin, end) - 1
            if at >= begin and address <= self._highs[at]:
                return True
        return False


def mapped_bytes(address: bytes) -> int:
    """An address of 4 or 16 bytes as 128 bits."""
    return mapped(IPv4Address(address)) if len(address) == 4 else int.from_bytes(address, "big")


def _bytes_of(address: int) -> bytes:
    whole = address.to_bytes(16, "big")
    return whole[12:] if whole[:12] == bytes(10) + b"\xff\xff" else whole
