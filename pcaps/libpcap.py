"""libpcap through pcapy-ng: BPF filters (https://www.tcpdump.org/manpages/pcap-filter.7.html), live interfaces."""

import select
import sys
from pathlib import Path
from typing import Any, NamedTuple

from pcaps.errors import CaptureError, FilterError
from pcaps.frame import Frame
from pcaps.link import RAW, RAW_OPENBSD, SUPPORTED
from pcaps.reader import unsupported

SNAPLEN = 1 << 18
ETHERNET = 1  # link type
NO_NETMASK = 0xFFFFFFFF
DLT_RAW = 12  # libpcap's own number on Linux and macOS for what files call LINKTYPE_RAW
DATA_LINKS = {RAW: DLT_RAW, RAW_OPENBSD: DLT_RAW}  # elsewhere the numbers in files are libpcap's too
KERNEL_BUFFER = 32 << 20  # bytes; libpcap's own 2 MiB hold a fast link for milliseconds only
KERNEL_DELAY = 100  # ms until a block that is not full is handed over
# What activating a handle may answer (pcap_activate(3PCAP)); what is above 0 is a warning.
NO_SUCH_DEVICE, NO_PERMISSION, INTERFACE_DOWN, NO_PERMISSION_PROMISCUOUS = -5, -8, -9, -11


def filter_error(expression: str, error: Exception, link: int) -> FilterError:
    """The message for an expression that libpcap does not understand."""
    where = "" if link == ETHERNET else f" (link type {link})"
    return FilterError(
        f"filter {expression!r}: {error}{where}; write it as for tcpdump, for example 'tcp port 443 and host 10.0.1.10'"
    )


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
                raise filter_error(self.expression, error, link) from None
        return self._programs[link]

    def passes(self, frame: bytes, wirelen: int, link: int) -> bool:
        """True if the filter takes the frame, which had `wirelen` bytes on the wire.

        A frame of a link type without a decoder passes: nothing is known of it.
        """
        if link not in SUPPORTED:
            return True
        return bool(self._program(link).filter(frame.ljust(min(wirelen, SNAPLEN), b"\0")))


# --- live interfaces ---------------------------------------------------------------------------------
class KernelCounts(NamedTuple):
    """What the kernel counts for one reader: packets that passed its filter, and those it had no room for."""

    received: int
    dropped: int


class LiveInterface:
    """A network interface, listened to: nothing is sent, and no packet is held up or changed.

    Raises CaptureError for an interface that is not there or not allowed, FilterError for a filter that
    does not compile; both with the cure. The kernel applies the filter.
    """

    def __init__(self, name: str, bpf: str | None = None) -> None:
        import pcapy  # only where an interface is asked for

        if bpf is not None:
            PacketFilter(bpf)  # told before permissions are
        self.name = name
        self._error: type[Exception] = pcapy.PcapError
        self._fault = ""
        self._counts = KernelCounts(0, 0)
        self._handle = pcapy.create(name)
        self._handle.set_snaplen(SNAPLEN)
        self._handle.set_promisc(1)  # as tcpdump: frames that a mirror sends are for others
        self._handle.set_timeout(KERNEL_DELAY)
        self._handle.set_buffer_size(KERNEL_BUFFER)
        answer = self._handle.activate()
        if answer < 0:
            raise _cannot_listen(name, answer, interface_names())
        self.link = int(self._handle.datalink())
        if self.link not in SUPPORTED:
            self.close()
            raise unsupported(name, {self.link})
        if bpf is not None:
            try:
                self._handle.setfilter(bpf)
            except pcapy.PcapError as error:
                self.close()
                raise filter_error(bpf, error, self.link) from None
        self._handle.setnonblock(1)

    def read(self, limit: int) -> list[Frame]:
        """At most `limit` packets that have come and were not read yet; it does not wait.

        Raises CaptureError where the interface went away; what came before was given out by then.
        """
        if self._fault:
            raise CaptureError(f"{self.name}: {self._fault}")
        frames: list[Frame] = []
        try:
            while len(frames) < limit:
                header, data = self._handle.next()
                if header is None:
                    break
                seconds, microseconds = header.getts()
                time = seconds * 1_000_000_000 + microseconds * 1000
                frames.append(Frame(self.link, time, data, header.getlen()))
        except self._error as error:
            self._fault = str(error)  # libpcap says it once
        return frames

    def wait(self, seconds: float) -> None:
        """Until packets have come, or `seconds` are over."""
        select.select([self._handle.getfd()], [], [], seconds)

    def counts(self) -> KernelCounts:
        """The kernel's counts so far."""
        try:
            received, dropped, _ = self._handle.stats()
        except self._error:  # the interface went away
            return self._counts
        self._counts = KernelCounts(int(received), int(dropped))
        return self._counts

    def close(self) -> None:
        """Stop listening."""
        self._handle.close()


def interface_names() -> list[str]:
    """The interfaces that libpcap can listen to here."""
    import pcapy

    return [str(name) for name in pcapy.findalldevs()]


def _cannot_listen(name: str, answer: int, known: list[str]) -> CaptureError:
    """The message for an interface that libpcap does not open."""
    if answer in (NO_PERMISSION, NO_PERMISSION_PROMISCUOUS) and name in known:
        python = Path(sys.executable).resolve()
        other = f", or once: sudo setcap cap_net_raw+ep {python}" if sys.platform == "linux" else ""
        return CaptureError(f"{name}: this user may not listen to it; run the same command as root (sudo){other}")
    if answer in (NO_SUCH_DEVICE, NO_PERMISSION, NO_PERMISSION_PROMISCUOUS):
        return CaptureError(f"{name}: no such interface; there are: {', '.join(known) or 'none'}")
    if answer == INTERFACE_DOWN:
        return CaptureError(f"{name}: the interface is down; bring it up first (ip link set {name} up)")
    return CaptureError(f"{name}: libpcap cannot listen to it (its error {answer})")
