"""libpcap through pcapy-ng: BPF filters (https://www.tcpdump.org/manpages/pcap-filter.7.html)."""

from typing import Any

from pcaps.errors import FilterError
from pcaps.link import RAW, RAW_OPENBSD, SUPPORTED

SNAPLEN = 1 << 18
ETHERNET = 1  # link type
NO_NETMASK = 0xFFFFFFFF
DLT_RAW = 12  # libpcap's own number on Linux and macOS for what files call LINKTYPE_RAW
DATA_LINKS = {RAW: DLT_RAW, RAW_OPENBSD: DLT_RAW}  # elsewhere the numbers in files are libpcap's too


class PacketFilter:
    """A BPF expression, compiled for each link type that the capture holds."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._programs: dict[int, Any] = {}
        self._program(ETHERNET)  # an expression that no link type understands is told before reading

    def _program(self, link: int) -> Any:
        import pcapy  # only where a filter is asked for

        if link not in self._programs:
            try:
                self._programs[link] = pcapy.compile(
                    DATA_LINKS.get(link, link), SNAPLEN, self.expression, 1, NO_NETMASK
                )
            except pcapy.PcapError as error:
                where = "" if link == ETHERNET else f" (link type {link})"
                raise FilterError(
                    f"filter {self.expression!r}: {error}{where}; "
                    "write it as for tcpdump, for example 'tcp port 443 and host 10.0.1.10'"
                ) from None
        return self._programs[link]

    def passes(self, frame: bytes, wirelen: int, link: int) -> bool:
        """True if the filter takes the frame, which had `wirelen` bytes on the wire.

        A frame of a link type without a decoder passes: nothing is known of it.
        """
        if link not in SUPPORTED:
            return True
        return bool(self._program(link).filter(frame.ljust(min(wirelen, SNAPLEN), b"\0")))
