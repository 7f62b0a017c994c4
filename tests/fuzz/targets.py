"""What is fuzzed: each target reads any bytes, and asserts what must hold of the result.

A target raises nothing but AssertionError with what does not hold; whatever else comes out of it is a finding too.
"""

import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from pcaps import capture, original, pcapng_file, reader, stream
from pcaps.batch import NOT_A_FRAGMENT, OK, STATUS_NAMES, Inner, PacketBatch, concatenate, empty_batch
from pcaps.errors import CaptureError
from pcaps.frame import Frame
from pcaps.limits import LATEST
from pcaps.savefile import PCAPNG_MAGIC
from pcaps.tunnel import MAX_LAYERS, tunnel_choice
from pcaps.unpack import packing_of

SECONDS = 1.0  # of CPU time for one input; a packet above PACKETS_A_SECOND adds its share
PACKETS_A_SECOND = 2000
BEHIND = (b"\0" * 64, b"\xff" * 64, bytes(range(0x40, 0x80)))  # what may stand in memory around a frame
DAMAGED_PACKING = "compressed data is damaged"
NUMBERED = (
    pcapng_file.JOURNAL,
    pcapng_file.CUSTOM,
    pcapng_file.CUSTOM_NOT_COPIED,
    pcapng_file.SYSDIG_EVENT,
    pcapng_file.SYSDIG_EVENT_2,
    pcapng_file.SYSDIG_EVENT_2_LARGE,
)


# --- capture files ----------------------------------------------------------------------------------------
class Reading(NamedTuple):
    """What came of reading a file: its packets and warnings, or why it was refused."""

    batch: PacketBatch
    packets: int
    warnings: tuple[str, ...]
    refused: str


def read(path: str) -> Reading:
    """Every packet of a file, within the time for so many."""
    begin = time.process_time()
    try:
        with capture.open_capture(path, verify=True, macs=True) as opened:
            batches = list(opened.batches())
            found = Reading(
                concatenate(batches) if batches else empty_batch(0, macs=True),
                opened.packets,
                tuple(opened.warnings),
                "",
            )
    except CaptureError as error:
        found = Reading(empty_batch(0, macs=True), 0, (), str(error))
    seconds = time.process_time() - begin
    assert seconds < SECONDS + found.packets / PACKETS_A_SECOND, f"{seconds:.1f} s for {found.packets} packets"
    return found


@contextmanager
def small_steps(rows: int, block: int) -> Iterator[None]:
    """Read files `block` bytes at a time into batches of `rows`."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(stream, "BLOCK", block))
        stack.enter_context(patch.object(reader, "BATCH_ROWS", rows))
        stack.enter_context(patch.object(capture, "BATCH_ROWS", rows))
        yield


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """In memory where the system has such a folder; gone with the process."""
    memory = "/dev/shm"  # noqa: S108  (a folder of our own is made in it)
    return tempfile.TemporaryDirectory(prefix="eniwall-fuzz-", dir=memory if os.access(memory, os.W_OK) else None)


def check_file(data: bytes) -> None:
    """A capture file, of whatever kind it says it is."""
    path = Path(_folder().name) / f"{os.getpid()}.capture"
    path.write_bytes(data)
    whole, again = read(str(path)), read(str(path))
    assert whole[1:] == again[1:]
    assert_same(whole.batch, again.batch)
    packed = packing_of(data) is not None
    assert_plausible(whole, data, packed=packed)
    with small_steps(3 + whole.packets // 50, 64):
        stepped = read(str(path))
    if packed and DAMAGED_PACKING in str(whole[2:] + stepped[2:]):
        # how much is unpacked before the damage is found differs by what is asked for at once
        common = min(stepped.packets, whole.packets)
        assert_same(whole.batch.slice(0, common), stepped.batch.slice(0, common))
    else:
        assert whole[1:] == stepped[1:], f"{whole[1:]} and in small steps {stepped[1:]}"
        assert_same(whole.batch, stepped.batch)
    if not whole.refused:
        assert_same_originals(str(path), whole.batch)


def assert_plausible(found: Reading, data: bytes, *, packed: bool) -> None:
    """What holds of any packets read from these bytes."""
    batch = found.batch
    assert batch.rows == found.packets, f"{batch.rows} rows of {found.packets} packets"
    assert all(warning.isprintable() for warning in (*found.warnings, found.refused))
    if found.refused or not batch.rows:
        return
    assert batch.time.dtype == np.int64
    assert np.abs(batch.time // 10**9).max() <= LATEST + 1
    frames = batch.frame.tolist()
    numbered = data.startswith(PCAPNG_MAGIC) and any(
        kind.to_bytes(4, order) in data for kind in NUMBERED for order in ("little", "big")
    )
    if packed or numbered:
        assert frames[0] >= 1
        assert all(one < other for one, other in pairwise(frames))
    else:
        assert frames == list(range(1, found.packets + 1))
    if not packed:
        assert int(batch.caplen.astype(np.int64).sum()) <= len(data)
    assert_rows(batch)


def assert_same_originals(path: str, batch: PacketBatch) -> None:
    """Whoever reads packets with their bytes sees the same ones, and a description of each one's interface."""
    source = original.FileSource(path)
    found = list(source.packets())
    columns = (batch.records[name].tolist() for name in ("frame", "time", "wirelen", "caplen"))
    seen = [(packet.frame, packet.time, packet.wirelen, len(packet.data)) for packet in found]
    assert seen == list(zip(*columns, strict=True))
    assert all(0 <= packet.interface < len(source.interfaces) for packet in found)


# --- frames -------------------------------------------------------------------------------------------------
FRAME_HEADER = struct.Struct(">Hh")


def pack_frame(link: int, data: bytes, cut: int = 0) -> bytes:
    """An input of check_frame: a link type, how many bytes more there were on the wire, the frame."""
    return FRAME_HEADER.pack(link & 0xFFFF, cut) + data


def check_frame(data: bytes) -> None:
    """One frame of any link type, with whatever tunnels it holds."""
    if len(data) < FRAME_HEADER.size:
        return
    link, cut = FRAME_HEADER.unpack_from(data)
    body = data[FRAME_HEADER.size :]
    frame = Frame(link, 1, body, max(0, len(body) + cut))
    begin = time.process_time()
    with capture.FrameCapture([frame], verify=True, macs=True) as held:
        (alone,) = held.batches()
        assert held.packets == alone.rows == 1
    seconds = time.process_time() - begin
    assert seconds < SECONDS, f"{seconds:.1f} s for one packet"
    assert alone.frame.tolist() == [1]
    assert alone.caplen.tolist() == [len(body)]
    assert_rows(alone)
    for junk in BEHIND:  # what stands before and behind a frame is none of it
        around = Frame(1, 1, junk, len(junk))
        between = capture.frames_batch([around, frame, around], 0, verify=True, macs=True)
        assert_same(alone, between.slice(1, 2))


# --- what holds of all rows -----------------------------------------------------------------------------------
def assert_rows(batch: PacketBatch) -> None:
    """Columns are in their ranges, and fragments have their bytes."""
    rows = batch.records
    _assert_records(rows)
    assert set(batch.pieces) == set(np.flatnonzero(rows["fragment_id"] != NOT_A_FRAGMENT).tolist())
    for row, piece in batch.pieces.items():
        assert len(piece.data) <= rows["caplen"][row]
    if batch.inner is None:
        return
    _assert_inner(batch, batch.inner)


def _assert_records(rows: np.ndarray) -> None:
    assert rows["status"].max(initial=0) < len(STATUS_NAMES)
    assert np.isin(rows["family"], (0, 4, 6)).all()
    assert (rows["family"][rows["status"] == OK] != 0).all()
    for name in ("caplen", "wirelen", "length", "payload", "payload_at", "fragment_offset"):
        assert rows[name].min(initial=0) >= 0, name
    for name in ("bad_ip_checksum", "bad_checksum", "fragment_more", "tcp_has_options", "quoted"):
        assert rows[name].max(initial=0) <= 1, name
    assert (rows["payload_at"] <= rows["caplen"]).all()


def _assert_inner(batch: PacketBatch, inner: Inner) -> None:
    count = len(inner.rows)
    assert count > 0
    assert (np.diff(inner.rows) > 0).all()
    assert 0 <= inner.rows[0] <= inner.rows[-1] < batch.rows
    assert {len(column) for column in inner if column is not None and not isinstance(column, dict)} == {count}
    _assert_records(inner.records)
    assert (inner.records["caplen"] < batch.caplen[inner.rows]).all()
    assert (inner.records["frame"] == batch.frame[inner.rows]).all()
    assert (inner.kind > 0).all()
    assert (inner.kind < 1 << MAX_LAYERS).all()
    chosen = tunnel_choice(batch, np.ones(count, np.bool_))
    assert chosen.rows == batch.rows
    assert chosen.records[inner.rows].tolist() == inner.records.tolist()


def assert_same(one: PacketBatch, other: PacketBatch) -> None:
    """Every column, every fragment, every inner packet."""
    assert one.rows == other.rows
    assert one.records.tolist() == other.records.tolist()
    assert one.pieces == other.pieces
    assert one.macs is not None
    assert other.macs is not None
    assert one.macs.tolist() == other.macs.tolist()
    assert (one.inner is None) == (other.inner is None)
    for name in Inner._fields if one.inner is not None else ():
        left, right = getattr(one.inner, name), getattr(other.inner, name)
        assert left == right if isinstance(left, dict) else np.array_equal(left, right), name


CHECKS: dict[str, Callable[[bytes], None]] = {
    "pcap": check_file,
    "pcapng": check_file,
    "decode": check_frame,
    "tunnel": check_frame,
}


def check(target: str, data: bytes) -> None:
    """Run one input. Raises AssertionError, or what the code under test should not have raised."""
    CHECKS[target](data)
