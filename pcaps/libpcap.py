"""libpcap through pcapy-ng: BPF filters (https://www.tcpdump.org/manpages/pcap-filter.7.html)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcaps.errors import FilterError

SNAPLEN = 1 << 18
NO_NETMASK = 0xFFFFFFFF


class PacketFilter:
    """A BPF expression, compiled for each link type that the capture holds."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._programs: dict[int, Any] = {}
        self._program(1)  # an expression that no link type understands is told before reading

    def _program(self, link: int) -> Any:
        import pcapy  # only where a filter is asked for

        if link not in self._programs:
            try:
                self._programs[link] = pcapy.compile(link, SNAPLEN, self.expression, 1, NO_NETMASK)
            except pcapy.PcapError as error:
                raise FilterError(
                    f"filter {self.expression!r}: {error} (link type {link}); "
                    "write it as for tcpdump, for example 'tcp port 443 and host 10.0.1.10'"
                ) from None
        return self._programs[link]

    def keep(self, data: NDArray[np.uint8], start: int, length: int, link: int) -> bool:
        """True if the frame data[start:start + length] passes."""
        return bool(self._program(link).filter(data[start : start + length].tobytes()))
