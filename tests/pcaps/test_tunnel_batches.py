"""Inner packets keep to their rows, wherever batches are cut, picked, joined and merged."""

import os
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from pcaps.batch import PACKET, PacketBatch, concatenate
from pcaps.capture import frames_batch, open_capture
from pcaps.decode import decode
from pcaps.tunnel import inner_packets, tunnel_choice
from tests.pcaps.tunnels import CLIENT, ETHER, ETHERNET, IPV4_TYPE, SOURCE, SYN, ethernet, geneve, vxlan

ROOT = Path(__file__).parent.parent.parent
SOURCE_MAC, TARGET_MAC = 0x02005E005301, 0x02005E005302  # of the inner frames
OUTER_SOURCE_MAC, OUTER_TARGET_MAC = 0x02005E005311, 0x02005E005312


def inner_fragment(number: int) -> bytes:
    return bytes(ETHER / IP(src=CLIENT, dst=SOURCE, id=number, proto=17, flags="MF") / Raw(b"%8d" % number * 3))


PLAIN = bytes(ETHER / IP(src=CLIENT, dst=SOURCE) / UDP(sport=4000, dport=2000) / Raw(b"plain"))
KINDS = (
    lambda number: PLAIN + bytes(number % 7),
    inner_fragment,  # a fragment in no tunnel
    lambda number: vxlan(SYN, vni=number),
    lambda number: geneve(SYN[14:], IPV4_TYPE, vni=number),
    lambda number: geneve(vxlan(SYN, vni=number)),
    lambda number: vxlan(inner_fragment(number), vni=number),
)


def link_addresses(data: list[bytes]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.array([[int.from_bytes(each[6:12]), int.from_bytes(each[:6])] for each in data], np.uint64)


def read(data: list[bytes]) -> PacketBatch:
    """A batch of Ethernet frames, MAC addresses too."""
    lengths = [len(each) for each in data]
    offsets = np.cumsum([0, *lengths])
    joined = np.frombuffer(b"".join(data), np.uint8).copy()
    records = np.zeros(len(data), PACKET)
    records["caplen"] = records["wirelen"] = lengths
    records["frame"] = np.arange(1, len(data) + 1)
    links = np.full(len(data), ETHERNET, np.int32)
    decode(joined, offsets, links, records, False)
    pieces = frames_batch(ethernet(*data)).pieces
    return PacketBatch(records, pieces, inner_packets(joined, offsets, links, records, macs=True), link_addresses(data))


def rows_of(batch: PacketBatch) -> list[Any]:
    """Everything that a batch says of each row, so that two batches can be compared row by row."""
    inner = batch.inner
    found: list[Any] = []
    entries = {} if inner is None else {row: entry for entry, row in enumerate(inner.rows.tolist())}
    for row in range(batch.rows):
        macs = None if batch.macs is None else batch.macs[row].tolist()
        own: list[Any] = [batch.records[row].item(), batch.pieces.get(row), macs]
        if inner is not None and row in entries:
            entry = entries[row]
            columns = [column[entry].tolist() for column in inner[3:] if column is not None]
            own += [inner.records[entry].item(), inner.pieces.get(entry), *columns]
        found.append(own)
    assert len(entries) == sum(len(own) > 3 for own in found)
    if inner is not None:
        assert len(inner.rows) > 0
        assert set(inner.pieces) <= set(range(len(inner.rows)))
    return found


BATCH = read([KINDS[number % len(KINDS)](number) for number in random.Random(7).sample(range(1000), 40)])
ROWS = rows_of(BATCH)
NUMBERS = st.integers(0, BATCH.rows - 1)


def test_the_batch_under_test_has_all_kinds_of_rows() -> None:
    assert BATCH.inner is not None
    assert 10 < len(BATCH.inner.rows) < BATCH.rows - 5
    assert sorted(set(BATCH.inner.kind.tolist())) == [1, 2, 3]
    assert len(BATCH.inner.pieces) > 2
    assert len(BATCH.pieces) > 2
    assert len(set(map(repr, ROWS))) == BATCH.rows


@given(st.integers(0, BATCH.rows), st.integers(0, BATCH.rows))
def test_a_slice_has_the_inner_packets_of_its_rows(start: int, size: int) -> None:
    stop = min(BATCH.rows, start + size)
    assert rows_of(BATCH.slice(start, stop)) == ROWS[start:stop]


@given(st.lists(NUMBERS, max_size=60))
def test_taken_rows_have_their_inner_packets_in_any_order_and_number(wanted: list[int]) -> None:
    assert rows_of(BATCH.take(np.array(wanted, np.intp))) == [ROWS[row] for row in wanted]


@given(st.lists(st.booleans(), min_size=BATCH.rows, max_size=BATCH.rows))
def test_rows_taken_by_a_mask_have_their_inner_packets(wanted: list[bool]) -> None:
    kept = [row for row, keep in zip(ROWS, wanted, strict=True) if keep]
    assert rows_of(BATCH.take(np.array(wanted, np.bool_))) == kept


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 9)), min_size=1, max_size=6))
def test_joined_batches_have_the_inner_packets_of_all(parts: list[tuple[int, int]]) -> None:
    slices = [slice(start, min(BATCH.rows, start + size)) for start, size in parts]
    joined = concatenate([BATCH.slice(each.start, each.stop) for each in slices])
    assert rows_of(joined) == [row for each in slices for row in ROWS[each]]


def test_rows_without_a_tunnel_have_no_inner_packets_at_all() -> None:
    assert BATCH.inner is not None
    others = np.setdiff1d(np.arange(BATCH.rows), BATCH.inner.rows)
    assert len(others) > 0
    assert BATCH.take(others).inner is None
    assert concatenate([BATCH.take(others)] * 2).inner is None


# --- files ---------------------------------------------------------------------------------------------
def write(path: Path, data: list[bytes], start: int = 0) -> Path:
    """A pcap of Ethernet frames two seconds apart."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, ETHERNET)]
    for index, frame in enumerate(data):
        out += [struct.pack("<IIII", start + 2 * index, 0, len(frame), len(frame)), frame]
    path.write_bytes(b"".join(out))
    return path


def file_batch(*paths: Path, bpf: str | None = None) -> PacketBatch:
    with open_capture(*map(str, paths), bpf=bpf) as capture:
        return concatenate(list(capture.batches()))


def test_a_file_of_many_blocks_keeps_inner_packets_beside_their_rows(tmp_path: Path) -> None:
    fat = SYN + bytes(1200)
    data = [vxlan(fat, vni=number) if number % 3 else PLAIN for number in range(1200)]
    inner = file_batch(write(tmp_path / "a.pcap", data)).inner
    assert inner is not None
    wanted = [number for number in range(1200) if number % 3]
    assert inner.rows.tolist() == inner.vni.tolist() == wanted
    assert (inner.records["frame"] - 1).tolist() == wanted


def test_a_filter_keeps_inner_packets_beside_their_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", [PLAIN, vxlan(SYN, vni=1), PLAIN, geneve(SYN, vni=3), vxlan(SYN, vni=4)])
    batch = file_batch(path, bpf="udp port 4789 or udp port 2000")
    assert batch.frame.tolist() == [1, 2, 3, 5]
    assert batch.inner is not None
    assert batch.inner.rows.tolist() == [1, 3]
    assert batch.inner.vni.tolist() == [1, 4]


def test_merged_files_keep_inner_packets_beside_their_rows(tmp_path: Path) -> None:
    first = write(tmp_path / "a.pcap", [vxlan(SYN, vni=10), PLAIN, vxlan(SYN, vni=12)])
    second = write(tmp_path / "b.pcap", [PLAIN, vxlan(SYN, vni=21)], start=1)
    batch = file_batch(first, second)
    assert batch.capture.tolist() == [0, 1, 0, 1, 0]
    assert batch.inner is not None
    assert batch.inner.rows.tolist() == [0, 3, 4]
    assert batch.inner.vni.tolist() == [10, 21, 12]
    for name in ("capture", "frame", "time", "interface"):
        assert batch.inner.records[name].tolist() == batch.records[name][batch.inner.rows].tolist()


# --- choosing ------------------------------------------------------------------------------------------
def test_with_all_tunnels_chosen_the_batch_is_what_the_inner_frames_are() -> None:
    frames = [SYN, inner_fragment(1), PLAIN, inner_fragment(2), SYN]
    carried = [vxlan(SYN), geneve(inner_fragment(1)), PLAIN, inner_fragment(2), geneve(vxlan(SYN))]
    batch = frames_batch(ethernet(*carried))
    assert batch.inner is not None
    chosen = tunnel_choice(batch, np.ones(3, np.bool_))
    alone = frames_batch(ethernet(*frames))
    assert np.array_equal(chosen.records, alone.records)
    assert chosen.pieces == alone.pieces


def test_only_what_is_chosen_is_judged_by_what_it_carries() -> None:
    batch = frames_batch(ethernet(vxlan(SYN), PLAIN, vxlan(inner_fragment(9)), vxlan(inner_fragment(8))))
    before = rows_of(batch)
    chosen = tunnel_choice(batch, np.array([True, False, True]))
    assert chosen.dst_port.tolist() == [443, 2000, 4789, 0x2020]
    assert list(chosen.pieces) == [3]
    assert chosen.frame.tolist() == [1, 2, 3, 4]
    assert chosen.time.tolist() == [0, 10**9, 2 * 10**9, 3 * 10**9]
    assert chosen.inner is batch.inner
    assert rows_of(batch) == before


def test_nothing_chosen_is_the_batch_itself() -> None:
    plain, tunnelled = frames_batch(ethernet(PLAIN)), frames_batch(ethernet(vxlan(SYN)))
    assert tunnel_choice(plain, np.zeros(0, np.bool_)) is plain
    assert tunnel_choice(tunnelled, np.zeros(1, np.bool_)) is tunnelled


def test_the_direction_that_a_capture_states_is_the_outer_packets() -> None:
    batch = frames_batch(ethernet(vxlan(SYN), PLAIN))
    batch.way[:] = 1
    assert tunnel_choice(batch, np.ones(1, np.bool_)).way.tolist() == [0, 1]


def test_mac_addresses_are_those_of_the_inner_frame() -> None:
    batch = read([vxlan(SYN), PLAIN, geneve(SYN[14:], IPV4_TYPE), geneve(vxlan(SYN)), vxlan(SYN)])
    assert batch.inner is not None
    assert batch.inner.macs is not None
    pair = [SOURCE_MAC, TARGET_MAC]
    assert batch.inner.macs.tolist() == [pair, [0, 0], pair, pair]
    chosen = tunnel_choice(batch, np.array([True, True, True, False]))
    assert chosen.macs is not None
    assert chosen.macs.tolist() == [pair, pair, [0, 0], pair, [OUTER_SOURCE_MAC, OUTER_TARGET_MAC]]


# --- two ways to run -----------------------------------------------------------------------------------
DIGEST = """
import hashlib, sys
from pcaps.capture import open_capture
with open_capture(sys.argv[1]) as capture:
    for batch in capture.batches():
        inner = batch.inner
        said = [inner.pieces, *(column.tolist() for column in (inner.rows, inner.records, *inner[3:-1]))]
        print(len(inner.rows), len(inner.pieces), hashlib.sha256(repr(said).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.compiled_only  # it runs both by itself
def test_compiled_and_interpreted_open_hostile_tunnels_alike(tmp_path: Path) -> None:
    dice = random.Random(4789)
    data = []
    for number in range(3000):
        frame = bytearray(KINDS[dice.randrange(2, len(KINDS))](number))
        for _ in range(dice.randrange(4)):
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        data.append(bytes(frame[: dice.choice([len(frame), len(frame), dice.randrange(1, len(frame))])]))
    path = write(tmp_path / "hostile.pcap", data)
    said = [
        subprocess.run(
            [sys.executable, "-c", DIGEST, str(path)],
            env=os.environ | {"ENIWALL_ENGINE": engine},
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout.split()
        for engine in ("compiled", "interpreted")
    ]
    assert said[0] == said[1]
    assert int(said[0][0]) > 1000
    assert int(said[0][1]) > 100
