"""What `eniwall state` shows: the table right after a packet, or the life of one connection until then."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from firewall.connections import Connection
from firewall.errors import UsageError
from firewall.labels import counted
from pcaps.batch import PacketBatch


@dataclass(frozen=True, slots=True)
class Step:
    """One packet of a connection, and what it did. States are "" where there is no entry."""

    capture: str
    packet: int
    time: int  # ns since 1970
    reply: bool
    flags: str  # TCP flags; SCTP chunks; ICMP type/code; empty for other protocols
    seq: int | None  # TCP, as on the wire
    ack: int | None  # None without the flag ACK
    length: int | None  # bytes behind the TCP header
    verdict: str
    reason: str
    ct_state: str
    before: str
    after: str
    expires: int | None  # ns since 1970; None where no entry is left
    left: float | None  # seconds of capture time
    why: str


class Fate(StrEnum):
    """What became of an entry."""

    HELD = "held"  # it is in the table
    TIMED_OUT = "timed-out"
    DELETED = "deleted"  # a reset was the only answer
    REPLACED = "replaced"  # a SYN used the port again
    DROPPED = "dropped"  # it made room for a new connection in a full table
    UNTRACKED = "untracked"  # every packet meets the rules; there never was an entry


@dataclass(frozen=True, slots=True)
class End:
    """How far a connection came; `by` deleted or replaced it, `late` was the first to find it gone."""

    fate: Fate
    expires: int | None  # ns since 1970: when it would be, or was, too late; None where there was no entry
    closed_by: Step | None = None  # the packet that led to TIME_WAIT or CLOSE
    by: Step | None = None
    late: Step | None = None
    next_flow: int | None = None  # that opened with the packet of `by` or `late`


@dataclass(frozen=True, slots=True)
class State:
    """The table, or one life, after a packet; `packet` of `capture` is the last that was judged."""

    version: str
    captures: tuple[str, ...]
    profile: str
    settings: dict[str, int | str]
    capture: str | None  # None where nothing was judged
    packet: int | None
    time: int | None  # ns since 1970
    connections: tuple[Connection, ...]
    untracked: int  # connections that the rules leave untracked: they have no entry
    life: "Life | None"
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Life:
    """One connection: every packet that touched it, and its end. `now` (ns) is when the story stops."""

    connection: Connection
    steps: tuple[Step, ...]
    end: End
    now: int


# --- where to stop -----------------------------------------------------------------------------------
def upto(
    batches: Iterator[PacketBatch], capture: int, frame: int | None, count: Callable[[], int]
) -> Iterator[PacketBatch]:
    """The batches, ended right behind a frame of capture number `capture`; all of them for None.

    Where a filter left the frame out, they end before the next one of that capture. Raises UsageError
    at the end if the frame is beyond the capture; `count` tells how many packets that has.
    """
    highest = 0
    for packets in batches:
        if frame is None:
            yield packets
            continue
        frames = np.where(packets.capture == capture, packets.frame, 0)
        highest = max(highest, int(frames.max(initial=0)))
        if highest < frame:
            yield packets
            continue
        row = int(np.argmax(frames >= frame))
        stop = row + int(frames[row] == frame)
        if stop:
            yield packets.slice(0, stop)
        return
    if frame is not None and frame > highest:  # beyond the capture, unless a filter left out its last packets
        highest = max(highest, count())
        if frame > highest:
            raise UsageError(f"--at {frame}: the capture has only {counted(highest, 'packet')}")
