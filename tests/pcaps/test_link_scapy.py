"""IP is found behind every link layer where scapy finds it, over random scapy-built frames."""

from collections.abc import Callable
from typing import Any

from hypothesis import given

from pcaps.batch import BAD_TRANSPORT, INBOUND, NO_TRANSPORT, OK, OUTBOUND, UNSTATED
from pcaps.capture import frames_batch
from pcaps.frame import Frame
from tests.pcaps.link_strategies import linked_frames
from tests.pcaps.test_decode_scapy import cells, expected_row, network_header

WAYS = (INBOUND, INBOUND, INBOUND, UNSTATED, OUTBOUND)  # by the packet type of a cooked header

Built = tuple[Frame, Any, Callable[[bytes], Any]]


@given(linked_frames())
def test_every_field_is_what_scapy_reads_behind_any_link_layer(built: Built) -> None:
    frame, packet, dissect = built
    sent = network_header(packet)
    seen = network_header(dissect(frame.data))
    assert bytes(seen)[:20] == bytes(sent)[:20], packet.command()
    row = cells(frames_batch([frame]))
    want = expected_row(sent.__class__(bytes(sent)), sent) | {"way": UNSTATED}
    if frame.link in (113, 276):
        want["way"] = WAYS[packet.pkttype]
    assert {name: row[name] for name in want} == want, packet.command()


@given(linked_frames())
def test_a_frame_cut_anywhere_shows_what_was_captured_and_nothing_else(built: Built) -> None:
    frame, _, _ = built
    sizes = range(len(frame.data))
    whole = cells(frames_batch([frame]))
    batch = frames_batch(Frame(frame.link, 0, frame.data[:size], len(frame.data)) for size in sizes)
    assert not set(batch.status.tolist()) & {BAD_TRANSPORT, NO_TRANSPORT}  # the snap length's doing
    for size in sizes:
        row = cells(batch, size)
        if row["status"] == OK:
            same = ("family", "src", "dst", "protocol", "src_port", "dst_port", "length")
            assert {name: row[name] for name in same} == {name: whole[name] for name in same}
