"""Allow rules and numbered entries as an index: which of a thousand fit a packet, in a few steps.

An access list is the rules of one interface and direction, or the entries of a network ACL. What a
packet asks of it has two parts: its service (protocol with port, or ICMP type and code, one number) and
its peer's address. Each part is cut into segments at every boundary that a rule draws, and each segment
knows the set of rules that fit there. Two binary searches find two sets; the first rule in both decides.
Sets are bits in words of 32, with one more level of bits above them that tells which words are not zero.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.model import ALL_PORTS, ALL_PROTOCOLS, ANY, ICMP, ICMPV6, TCP, UDP, Network
from pcaps.batch import IPV4_PREFIX

HALF = 64
LOW = (1 << HALF) - 1
SHORT_END, LONG_END = 1 << 32, 1 << 2 * HALF
WORD = 32  # bits of a set in one number: kernels count in int64

# --- services as numbers ---------------------------------------------------------------------------------
PROTOCOL_SHIFT = 16  # protocol << 16 | destination port, or type << 8 | code
UNKNOWN_PORTS = 1 << 24  # with a protocol: its ports cannot be read, as in a later fragment
SERVICES_END = 1 << 25

Span = tuple[int, int]  # first and last, both inside
Spans = tuple[Span, ...]  # disjoint, ascending

SHORT_COLUMNS = np.dtype([("low", np.uint32), ("set", np.int32)], align=True)  # services, IPv4 addresses
LONG_COLUMNS = np.dtype([("hi", np.uint64), ("lo", np.uint64), ("set", np.int64)], align=True)  # IPv6 addresses
ROW_COLUMNS = np.dtype([("rule", np.int32), ("unknown", np.uint8), ("denies", np.uint8)], align=True)
LIST_COLUMNS = np.dtype(
    [
        ("rows", np.int64),  # its first row in `rows`
        ("words", np.int64),  # of one set, without the level above
        ("services", np.int64, (2,)),  # start and stop in `short`
        ("v4", np.int64, (2,)),
        ("v6", np.int64, (2,)),  # in `long`
        ("anywhere", np.int64, (2,)),  # the set of rules whose peer is 0.0.0.0/0; ::/0
    ],
    align=True,
)


def service_spans(
    protocol: int, ports: tuple[int, int] | None, icmp_type: int, icmp_code: int, *, reads_ports: bool
) -> Spans:
    """The services that a rule allows, as disjoint spans of service numbers.

    AWS reads ports for TCP and UDP only: a rule for any other protocol number covers all of it
    (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html). `reads_ports` is True
    where others' count too, as under the linux profile.
    """
    if protocol == ALL_PROTOCOLS:
        return ((0, SERVICES_END - 1),)
    first = protocol << PROTOCOL_SHIFT
    unknown = UNKNOWN_PORTS | first
    if protocol in (ICMP, ICMPV6) and icmp_type != ANY:
        low, high = (0, 255) if icmp_code == ANY else (icmp_code, icmp_code)
        return ((first | icmp_type << 8 | low, first | icmp_type << 8 | high),)
    with_ports = protocol in (TCP, UDP) or (reads_ports and protocol not in (ICMP, ICMPV6))
    if with_ports and ports is not None and ports != ALL_PORTS:
        return ((first | ports[0], first | ports[1]),)
    return (first, first | 0xFFFF), (unknown, unknown | 0xFFFF)


def address_spans(networks: Iterable[Network], version: int) -> Spans:
    """Disjoint, ascending spans of 128-bit addresses of one family; IPv4 stands as IPv4-mapped IPv6."""
    prefix = IPV4_PREFIX if version == 4 else 0
    spans = sorted(
        (prefix + int(net.network_address), prefix + int(net.broadcast_address))
        for net in networks
        if net.version == version
    )
    merged: list[Span] = []
    for low, high in spans:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return tuple(merged)


class Item(NamedTuple):
    """One row of an access list. `unknown`: the peer's members are not known, so that any might fit."""

    rule: int
    services: Spans
    v4: Spans
    v6: Spans
    unknown: bool = False
    denies: bool = False
    anywhere: tuple[bool, bool] = (False, False)


def segments(spans: Sequence[Spans]) -> list[tuple[int, int]]:
    """(start, set of the items that fit from there on), ascending from 0; `spans[i]` are item i's."""
    toggles: dict[int, int] = {0: 0}
    for bit, item in enumerate(spans):
        for low, high in item:
            toggles[low] = toggles.get(low, 0) ^ 1 << bit
            toggles[high + 1] = toggles.get(high + 1, 0) ^ 1 << bit
    found, members = [], 0
    for start in sorted(toggles):
        members ^= toggles[start]
        found.append((start, members))
    return [found[0], *(later for before, later in pairwise(found) if later[1] != before[1])]


class Arrays(NamedTuple):
    """All access lists of a policy, as the kernels read them."""

    lists: NDArray[np.void]
    rows: NDArray[np.void]
    short: NDArray[np.void]
    long: NDArray[np.void]
    sets: NDArray[np.int64]


class Builder:
    """Collects access lists; equal ones are kept once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Item, ...], int] = {}
        self._lists: list[tuple[object, ...]] = []
        self._rows: list[tuple[int, bool, bool]] = []
        self._short: list[tuple[int, int]] = []
        self._long: list[tuple[int, int, int]] = []
        self._sets: list[int] = []

    def add(self, items: Sequence[Item]) -> int:
        """The number of the access list with these rows, those with known peers first, each kind in order."""
        items = sorted(items, key=lambda item: item.unknown)
        key = tuple(items)
        if key not in self._known:
            self._known[key] = len(self._lists)
            self._lists.append(self._list(items))
        return self._known[key]

    def _list(self, items: Sequence[Item]) -> tuple[object, ...]:
        words = -(-len(items) // WORD)
        places: dict[int, int] = {}

        def place(members: int) -> int:
            """Where a set stands in `sets`; equal sets of one list stand once."""
            if members not in places:
                places[members] = len(self._sets)
                self._sets += _levels(members, words)
            return places[members]

        first_row = len(self._rows)
        self._rows += [(item.rule, item.unknown, item.denies) for item in items]
        bounds = []
        for spans, base in (([item.services for item in items], 0), ([item.v4 for item in items], IPV4_PREFIX)):
            start = len(self._short)
            cuts = ((max(low - base, 0), members) for low, members in segments(spans))
            self._short += [(low, place(members)) for low, members in cuts if low < SHORT_END]
            bounds.append((start, len(self._short)))
        start = len(self._long)
        cuts6 = segments([item.v6 for item in items])
        self._long += [(low >> HALF, low & LOW, place(members)) for low, members in cuts6 if low < LONG_END]
        bounds.append((start, len(self._long)))
        anywhere = tuple(place(sum(1 << at for at, item in enumerate(items) if item.anywhere[way])) for way in (0, 1))
        return first_row, words, *bounds, anywhere

    def arrays(self) -> Arrays:
        """Everything added so far."""
        return Arrays(
            lists=np.array(self._lists, LIST_COLUMNS),
            rows=np.array(self._rows, ROW_COLUMNS),
            short=np.array(self._short, SHORT_COLUMNS),
            long=np.array(self._long, LONG_COLUMNS),
            sets=np.array(self._sets, np.int64),
        )


def _levels(members: int, words: int) -> list[int]:
    """A set as numbers: first the level that tells which words are not zero, then the words."""
    mask = (1 << WORD) - 1
    bits = [members >> WORD * at & mask for at in range(words)]
    marks = sum(1 << at for at, word in enumerate(bits) if word)
    above = -(-words // WORD)
    return [marks >> WORD * at & mask for at in range(above)] + bits
