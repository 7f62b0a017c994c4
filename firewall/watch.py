"""`eniwall watch`: a live interface, its packets judged as they come by the engine that replays captures.

Nothing is enforced: packets are copies that the kernel hands over. It ends after a number of packets or
seconds, at the first Ctrl-C, or when the interface goes away; what was judged by then is a replay like
any other.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import NamedTuple, Protocol, Self

import numpy as np

from firewall.labels import Labels, counted
from firewall.row_lines import row_lines
from firewall.rows import Judged, take_rows
from firewall.summary import Summary
from firewall.verdict import DENY
from pcaps.batch import BATCH_ROWS, PacketBatch
from pcaps.capture import frames_batch
from pcaps.errors import CaptureError
from pcaps.frame import Frame
from pcaps.libpcap import KernelCounts

INTERVAL = 0.2  # seconds that a batch is gathered
BATCH_BYTES = 32 << 20  # that end it earlier: frames have 64 KiB where the network card cuts them
READ_AT_ONCE = 256  # packets between two looks at the clock
KEPT_DENIED = 10
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Source(Protocol):
    """Where live packets come from (pcaps.libpcap.LiveInterface)."""

    @property
    def name(self) -> str:
        """The interface's name."""

    def read(self, limit: int) -> list[Frame]:
        """What has come and was not read yet; it does not wait. Raises CaptureError."""

    def wait(self, seconds: float) -> None:
        """Until packets have come, or `seconds` are over."""

    def counts(self) -> KernelCounts:
        """The kernel's counts so far."""

    def close(self) -> None:
        """Stop listening."""


class Limits(NamedTuple):
    """When to end by itself; None: never."""

    packets: int | None = None
    seconds: float | None = None


class LiveCapture:
    """A live interface as a capture (pcaps.capture.Capture): several batches a second while packets come.

    `over` is asked whether to end; `tick` is called after each batch, or after INTERVAL without one.
    """

    def __init__(
        self,
        source: Source,
        limits: Limits,
        over: Callable[[], bool],
        tick: Callable[[], None],
        *,
        verify: bool = False,
        macs: bool = False,
    ) -> None:
        self.names: tuple[str, ...] = (source.name,)
        self.interface_names: tuple[dict[int, str], ...] = ({0: source.name},)
        self.warnings: list[str] = []
        self.packets = self.filtered_out = self.bytes_read = 0  # the kernel filters, and does not count what it drops
        self.bytes_total: int | None = None
        self._source = source
        self._limits = limits
        self._over = over
        self._tick = tick
        self._verify = verify
        self._macs = macs
        self._started = time.monotonic()
        self._gone = False

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._started

    def _ended(self) -> bool:
        packets, seconds = self._limits
        enough = packets is not None and self.packets >= packets
        return self._gone or self._over() or enough or (seconds is not None and self.seconds >= seconds)

    def _gather(self) -> list[Frame]:
        """The packets of one INTERVAL, or as many as are still wanted."""
        room = BATCH_ROWS if self._limits.packets is None else min(BATCH_ROWS, self._limits.packets - self.packets)
        length = INTERVAL if self._limits.seconds is None else min(INTERVAL, self._limits.seconds - self.seconds)
        until = time.monotonic() + length
        frames: list[Frame] = []
        size = 0
        try:
            while len(frames) < room and size < BATCH_BYTES and not self._over():
                found = self._source.read(min(room - len(frames), READ_AT_ONCE))
                frames += found
                size += sum(len(frame.data) for frame in found)
                left = until - time.monotonic()
                if left <= 0:
                    break
                if not found:
                    self._source.wait(left)
        except CaptureError as error:
            self._gone = True
            self.warnings.append(f"{error}; watching ended there")
        return frames

    def batches(self) -> Iterator[PacketBatch]:
        """See Capture."""
        while not self._ended():
            frames = self._gather()
            if frames:
                batch = frames_batch(frames, self.packets + 1, verify=self._verify, macs=self._macs)
                self.packets += len(frames)
                self.bytes_read += sum(len(frame.data) for frame in frames)
                yield batch
            self._tick()
        dropped = self._source.counts().dropped
        if dropped:
            self.warnings.append(
                f"{self._source.name}: {counted(dropped, 'packet')} came faster than they were read, and the kernel"
                " dropped them: their connections may be judged wrongly; a narrower --filter helps"
            )

    def close(self) -> None:
        """Stop listening."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# --- what is shown meanwhile -------------------------------------------------------------------------
class Denied(NamedTuple):
    """Denied packets that one line tells: how many since the line came up, and when the last was (ns since 1970)."""

    line: str
    packets: int
    time: int


class Seen(NamedTuple):
    """Where a watch stands; `waiting` packets are behind a datagram whose fragments are not all here."""

    interface: str
    seconds: float
    packets: int
    waiting: int
    rows: dict[str, int]  # by verdict
    kernel: KernelCounts
    denied: Sequence[Denied]  # the latest last


class LastDenied:
    """The last few lines about denied packets, the latest last."""

    def __init__(self, keep: int = KEPT_DENIED) -> None:
        self._found: dict[str, Denied] = {}
        self._keep = keep

    def add(self, judged: Judged, labels: Labels) -> None:
        """Note the denied rows of a batch."""
        denied = take_rows(judged, np.flatnonzero(judged.verdicts.verdict == DENY))
        for line, moment in zip(row_lines(denied, labels), denied.packets.time.tolist(), strict=True):
            before = self._found.pop(line, None)
            self._found[line] = Denied(line, (before.packets if before else 0) + 1, moment)
            if len(self._found) > self._keep:
                del self._found[next(iter(self._found))]

    @property
    def lines(self) -> tuple[Denied, ...]:
        """What is kept."""
        return tuple(self._found.values())


class View(AbstractContextManager["View"], Protocol):
    """One way to show a watch while it goes on; used as a context."""

    interval: float  # seconds between two calls of `show`

    def show(self, seen: Seen) -> None:
        """Show where it stands."""


class Watch:
    """A live capture, what was counted of it, and when to show it; `asked` tells whether to end."""

    def __init__(
        self,
        source: Source,
        limits: Limits,
        summary: Summary,
        labels: Labels,
        view: View,
        asked: Callable[[], bool],
        *,
        verify: bool = False,
        macs: bool = False,
    ) -> None:
        self.summary = summary
        self._source = source
        self._labels = labels
        self._view = view
        self._asked = asked
        self._unread = False  # nobody reads what is shown
        self._denied = LastDenied()
        self._shown = time.monotonic()
        self.capture = LiveCapture(source, limits, self._over, self._tick, verify=verify, macs=macs)

    def _over(self) -> bool:
        return self._unread or self._asked()

    def add(self, judged: Judged) -> None:
        """Count a batch."""
        self.summary.add(judged)
        self._denied.add(judged, self._labels)

    def _tick(self) -> None:
        if time.monotonic() - self._shown >= self._view.interval:
            self.show()

    def show(self) -> None:
        """Show where it stands; where nobody reads any more (`| head`), the watch ends."""
        self._shown = time.monotonic()
        try:
            self._view.show(self.seen())
        except BrokenPipeError:
            self._unread = True

    def seen(self) -> Seen:
        """Where it stands."""
        return Seen(
            interface=self._labels.captures[0],
            seconds=self.capture.seconds,
            packets=self.capture.packets,
            waiting=self.capture.packets - self.summary.packets,
            rows=self.summary.verdicts,
            kernel=self._source.counts(),
            denied=self._denied.lines,
        )


@contextmanager
def ended_by_signals() -> Iterator[Callable[[], bool]]:
    """Tells whether Ctrl-C or SIGTERM came meanwhile; the second one stops at once, as it would without this."""
    came = threading.Event()
    before: dict[signal.Signals, object] = {}

    def note(_number: int, _frame: FrameType | None) -> None:
        if came.is_set():
            raise KeyboardInterrupt
        came.set()

    if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
        before = {number: signal.signal(number, note) for number in ENDING_SIGNALS}
    try:
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself gave
