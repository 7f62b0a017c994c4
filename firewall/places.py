"""Where a packet was seen: at which interface, on its way in or out, if the capture itself tells.

Without more, a packet's addresses say whose it is. A capture may say more: a file or capture interface
that was bound to an interface (`--eni eni-1=web.pcap`), a direction (pcapng's epb_flags, Linux cooked
captures), MAC addresses, or the tunnel of VPC traffic mirroring, which names the source interface.
https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.errors import UsageError
from firewall.model import NetworkInterface
from firewall.policy import Policy
from firewall.policy_kernel import NOBODY, find_owners, owners_of
from firewall.stations import BY_ADDRESS
from pcaps.batch import INBOUND, OUTBOUND, UNSTATED, Inner, PacketBatch
from pcaps.tunnel import tunnel_choice

SENDER, RECEIVER = 0, 1
TUNNELS = ("auto", "outer", "inner")

Ends = NDArray[np.int32]  # [packet, SENDER or RECEIVER]: an interface, NOBODY or BY_ADDRESS


class Located(NamedTuple):
    """Packets as they are judged, and their ends; without rows where addresses tell all."""

    packets: PacketBatch
    ends: Ends
    unwrapped: int = 0  # of the packets: judged by what a tunnel carries
    met: frozenset[str] = frozenset()  # names that were bound and that packets came under

    def slice(self, start: int, stop: int) -> "Located":
        """Consecutive rows."""
        if start == 0 and stop == self.packets.rows:
            return self
        return self._replace(packets=self.packets.slice(start, stop), ends=self.ends[start:stop])


NO_ENDS: Ends = np.zeros((0, 2), np.int32)


class Places:
    """Locates the packets of a replay.

    `bound`: interface numbers by capture file or capture interface name. Raises UsageError for an
    unknown way to read tunnels.
    """

    def __init__(self, interfaces: Sequence[NetworkInterface], bound: Mapping[str, int], tunnel: str = "auto") -> None:
        if tunnel not in TUNNELS:
            raise UsageError(f"--tunnel {tunnel}: write one of {', '.join(TUNNELS)}")
        self._bound = bound
        self.tunnel = tunnel
        macs = {_mac(eni.mac): index for index, eni in enumerate(interfaces) if eni.mac is not None}
        macs.pop(0, None)  # what a frame without addresses reads as
        self._macs = _sorted(macs)
        self._vnis = _sorted({vni: index for index, eni in enumerate(interfaces) for vni in eni.mirror_vnis})
        self.unwrapped = 0  # packets judged by what a tunnel carries
        self.met: set[str] = set()  # names of `bound` that a packet came under

    @property
    def bound(self) -> Mapping[str, int]:
        """Interface numbers by the names of capture files and capture interfaces that were bound to them."""
        return self._bound

    @property
    def unmet(self) -> list[str]:
        """Names that were bound and that no packet came under."""
        return [name for name in self._bound if name not in self.met]

    @property
    def wants_macs(self) -> bool:
        """True if captures must be opened with `macs`."""
        return bool(len(self._macs.keys))

    def locate(
        self, packets: PacketBatch, names: Sequence[str], interface_names: Sequence[Mapping[int, str]], policy: Policy
    ) -> Located:
        """The batch as it is judged: tunnels opened where that is asked for, and what else tells its ends."""
        inner = None if self.tunnel == "outer" else packets.inner
        if inner is None and not self._bound and not self.wants_macs:
            return Located(packets, NO_ENDS)
        station = np.full(packets.rows, NOBODY, np.int32)
        unwrapped = 0
        if inner is not None:
            packets, unwrapped = self._unwrap(packets, inner, station, policy)
        met = self._bind(packets, names, interface_names, station)
        given = np.any(station != NOBODY)
        if not given and (packets.macs is None or not self.wants_macs):
            return Located(packets, NO_ENDS, unwrapped, met)
        ends = np.full((packets.rows, 2), BY_ADDRESS, np.int32)
        if packets.macs is not None:
            for end in (SENDER, RECEIVER):
                known = self._macs.find(packets.macs[:, end])
                ends[:, end] = np.where(known == NOBODY, BY_ADDRESS, known)
        if given:
            self._at_station(packets, station, ends, policy)
        return Located(packets, ends, unwrapped, met)

    def count(self, located: Located) -> None:
        """Note what was met, when a batch is judged: it may have been located long before, in another thread."""
        self.unwrapped += located.unwrapped
        self.met = self.met | located.met  # a forked firewall holds the same set

    def _unwrap(
        self, packets: PacketBatch, inner: Inner, station: NDArray[np.int32], policy: Policy
    ) -> tuple[PacketBatch, int]:
        """Open the tunnels whose packets are judged by what they carry, and count them; mirrored are their source's."""
        own = owners_of(policy, inner.records)
        source = find_owners(policy, inner.outer_src_hi, inner.outer_src_lo)
        target = find_owners(policy, inner.outer_dst_hi, inner.outer_dst_lo)
        named = self._vnis.find(inner.vni)
        mirrored = np.where(named != NOBODY, named, np.where((own == source[:, None]).any(axis=1), source, NOBODY))
        choose = np.ones(len(inner.rows), np.bool_)
        if self.tunnel == "auto":
            foreign = (source == NOBODY) & (target == NOBODY) & (own != NOBODY).any(axis=1)
            choose = (mirrored != NOBODY) | foreign
        station[inner.rows[choose]] = mirrored[choose]
        return tunnel_choice(packets, choose), int(np.count_nonzero(choose))

    def _bind(
        self,
        packets: PacketBatch,
        names: Sequence[str],
        interface_names: Sequence[Mapping[int, str]],
        station: NDArray[np.int32],
    ) -> frozenset[str]:
        """The interface that each packet's file, or its capture interface, was bound to; the names that were met."""
        if not self._bound:
            return frozenset()
        met = set()
        places = packets.capture.astype(np.int64) << 32 | packets.interface
        for place in np.unique(places).tolist():
            capture, number = place >> 32, place & 0xFFFF_FFFF
            known = interface_names[capture] if capture < len(interface_names) else {}
            file = names[capture] if capture < len(names) else ""  # packets judged one by one have none
            for name in (file, PurePath(file).name, known.get(number, "")):
                if name in self._bound:
                    met.add(name)
                    station[places == place] = self._bound[name]
        return frozenset(met)

    def _at_station(self, packets: PacketBatch, station: NDArray[np.int32], ends: Ends, policy: Policy) -> None:
        """The ends of packets seen at one interface: it sends or receives them, and nobody else is asked."""
        rows = np.flatnonzero(station != NOBODY)
        here = station[rows]
        own = owners_of(policy, packets.records[rows]) == here[:, None]
        by_mac = ends[rows] == here[:, None]
        way = packets.way[rows]
        told = np.where(by_mac.any(axis=1)[:, None], by_mac, own)
        sends = (way == OUTBOUND) | (way == UNSTATED) & told[:, SENDER]
        gets = (way == INBOUND) | (way == UNSTATED) & told[:, RECEIVER]
        ends[rows, SENDER] = np.where(sends, here, NOBODY)
        ends[rows, RECEIVER] = np.where(gets & ~(sends & (way != UNSTATED)), here, NOBODY)


class _Known(NamedTuple):
    """Numbers in order, each with its interface."""

    keys: NDArray[np.uint64]
    values: NDArray[np.int32]

    def find(self, wanted: NDArray[np.integer]) -> NDArray[np.int32]:
        """The interface of each number, or NOBODY."""
        if not len(self.keys):
            return np.full(len(wanted), NOBODY, np.int32)
        asked = wanted.astype(np.uint64)
        at = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
        found: NDArray[np.int32] = np.where(self.keys[at] == asked, self.values[at], NOBODY).astype(np.int32)
        return found


def _sorted(numbers: Mapping[int, int]) -> _Known:
    keys = sorted(numbers)
    return _Known(np.array(keys, np.uint64), np.array([numbers[key] for key in keys], np.int32))


def _mac(text: str) -> int:
    """`02:00:5e:00:53:01` as 48 bits."""
    return int(text.replace(":", ""), 16)
