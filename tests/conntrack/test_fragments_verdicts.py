"""Every fragment carries the verdict of its datagram; what never becomes whole is fragment-incomplete."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firewall import pending
from firewall.columns import row_cells
from firewall.compare import compare
from firewall.engine import Firewall
from firewall.labels import Labels
from firewall.model import NetworkInterface, RuleSet, SecurityGroup
from firewall.rows import Judged
from firewall.summary import Summary
from pcaps import capture as captures_module
from pcaps.batch import concatenate
from pcaps.merge import merged
from tests.conntrack.pieces import CLIENT4, ENI4, ENI6, ICMP, SECOND, TCP, UDP, Datagram, capture, frames, udp
from tests.support import file_rows, rows, rule, rule_set

BODY = udp(bytes(56))
DENIED = udp(bytes(56), dst_port=2001)
REPLY = udp(bytes(56), src_port=2000, dst_port=4000)
OUT = Datagram(src=ENI4, dst=CLIENT4)
PORT_2000 = (rule("ingress", UDP, ports=(2000, 2000)), rule("ingress", UDP, "::/0", (2000, 2000)))
INCOMPLETE = ("DENY", "fragment-incomplete", None)
NEW = ("ALLOW", "rule", "NEW")
ESTABLISHED = ("ALLOW", "established", "ESTABLISHED")
REFUSED = ("DENY", "no-ingress-rule", "NEW")


def firewall(**options: Any) -> Firewall:
    return Firewall(rule_set(PORT_2000, [ENI4, ENI6]), **({"profile": "linux"} | options))


def said(packets: list[bytes], judge: Firewall | None = None, **how: int) -> list[tuple[Any, ...]]:
    found = rows(judge or firewall(), capture(packets, **how))
    return [(row["verdict"], row["reason"], row["ct_state"]) for row in found]


@pytest.mark.parametrize("family", [4, 6])
def test_allowed_denied_and_in_any_order(family: int) -> None:
    allowed, denied = Datagram(family).cut(BODY, 16, 32), Datagram(family, ident=8).cut(DENIED, 16, 32)
    assert said(allowed + denied) == [NEW] * 3 + [REFUSED] * 3
    assert said(allowed[::-1]) == [NEW] * 3


def test_a_reply_in_fragments() -> None:
    assert said([Datagram().whole(BODY), *OUT.cut(REPLY, 32)]) == [NEW, ESTABLISHED, ESTABLISHED]
    assert said([*Datagram().cut(BODY, 32), OUT.whole(REPLY)]) == [NEW, NEW, ESTABLISHED]


def test_what_never_becomes_whole() -> None:
    first, middle, last = Datagram().cut(BODY, 16, 32)
    assert said([first, middle]) == [INCOMPLETE] * 2
    assert said([middle, last]) == [INCOMPLETE] * 2
    assert said([first, middle, last], gap=16 * SECOND) == [INCOMPLETE] * 3  # 32 s from first to last


def test_a_held_fragment_has_interface_and_direction() -> None:
    (row,) = rows(firewall(), capture(Datagram().cut(BODY, 16)[:1]))
    assert (row["eni"], row["direction"], row["flow"], row["rule"]) == ("eni", "ingress", None, None)
    assert (row["src_port"], row["dst_port"]) == (4000, 2000)


def test_ports_are_shown_where_the_packet_has_them() -> None:
    shown = rows(firewall(), capture(Datagram().cut(BODY, 16)))
    assert [(row["src_port"], row["dst_port"]) for row in shown] == [(4000, 2000), (None, None)]


def test_a_connection_that_a_late_first_fragment_opens_has_its_ports() -> None:
    judge = firewall()
    summary = Summary(1, 2)
    for judged in judge.replay(capture(Datagram().cut(BODY, 16, 32)[::-1])):
        summary.add(judged)
    flow = summary.flows[0].table[1]
    assert (flow["src_port"], flow["dst_port"], flow["frame"], flow["sent"]) == (4000, 2000, 1, 3)
    (connection,) = judge.table()
    assert (connection.src_port, connection.dst_port) == (4000, 2000)


def test_a_header_that_was_cut_in_two() -> None:
    syn = bytes.fromhex("9c40005000000001000000005002ffff00000000")
    web = Firewall(rule_set([rule("ingress", TCP, ports=(80, 80))]), profile="linux")
    (first, second, third) = rows(web, capture(Datagram(protocol=TCP).cut(syn, 8, 16)))
    assert (first["reason"], second["reason"], third["reason"]) == ("rule",) * 3
    assert {row["tcp_state"] for row in (first, second, third)} == {"SYN_SENT"}
    assert (first["src_port"], first["dst_port"]) == (40000, 80)
    assert said(Datagram(protocol=TCP).cut(syn[:16], 8)) == [("DENY", "bad-header", "INVALID")] * 2


def test_ipv6_fragments_that_are_tracked_as_they_are() -> None:
    datagram = Datagram(6, protocol=TCP)
    bad_header = ("DENY", "bad-header", "INVALID")
    assert said(datagram.cut(bytes(40), 8)) == [bad_header, INCOMPLETE]  # its first lacks the TCP header
    udp6 = Datagram(6)
    assert said([udp6.piece(0, BODY[:20], more=True)]) == [bad_header]  # the UDP length is more than there is
    assert said([udp6.piece(0, udp(bytes(12)), more=True)]) == [NEW]
    assert said([udp6.piece(16, bytes(20), more=True)]) == [bad_header]


def test_a_big_error_about_a_connection() -> None:
    quoted = OUT.whole(REPLY)
    error = bytes.fromhex("0303000000000000") + quoted
    judged = rows(firewall(), capture([Datagram().whole(BODY), *Datagram(protocol=ICMP).cut(error, 8, 16)]))
    assert [(row["reason"], row["ct_state"], row["flow"]) for row in judged[1:]] == [("related", "RELATED", 1)] * 3


def test_a_fragment_with_a_bad_header_checksum_is_dropped_before() -> None:
    datagram = Datagram()
    made = [
        datagram.piece(0, BODY[:16], more=True),
        datagram.piece(16, BODY[16:], more=False, checksum=0x0101),
        datagram.piece(16, BODY[16:], more=False),
    ]
    assert said(made) == [NEW, ("DENY", "bad-header", None), NEW]
    assert said(made[:2], firewall(settings={"ip_checksum": "0"})) == [NEW, NEW]


def test_services_that_are_never_filtered_wait_for_the_whole_too() -> None:
    query = Datagram(src=ENI4, dst="169.254.169.253").cut(udp(bytes(56), dst_port=53), 16)
    closed = Firewall(rule_set([]), profile="aws")
    assert said(query, closed) == [("EXEMPT", "exempt", None)] * 2
    assert said(query[:1], Firewall(rule_set([]), profile="aws")) == [INCOMPLETE]


def test_the_transport_header_was_not_captured() -> None:
    fragments = Datagram().cut(BODY, 16, 32)
    assert said(fragments, snap=24) == [("NOT_EVALUATED", "truncated", None)] * 3
    assert said(fragments, snap=28) == [NEW] * 3


# --- between two interfaces ------------------------------------------------------------------------------
def two_interfaces(*rules: Any) -> RuleSet:
    group = rule_set(rules).groups["g"]
    first, second = (
        NetworkInterface(name, tuple(rule_set((), [address]).interfaces["eni"].addresses), (named,))
        for name, address, named in (("eni-a", ENI4, "g"), ("eni-b", "10.0.1.11", "h"))
    )
    inward = SecurityGroup("h", "h", (), ())
    return RuleSet({"g": group, "h": inward}, {"eni-a": first, "eni-b": second})


def test_two_rows_a_fragment() -> None:
    inside = Datagram(src=ENI4, dst="10.0.1.11").cut(BODY, 16)
    open_out = two_interfaces(rule("egress", UDP, ports=(2000, 2000)))
    leaves = [("eni-a", "egress", "rule"), ("eni-b", "ingress", "no-ingress-rule")]
    waits = [("eni-a", "egress", "fragment-incomplete"), ("eni-b", "ingress", "dropped-at-sender")]

    def told(packets: list[bytes], **how: int) -> list[tuple[Any, ...]]:
        judge = Firewall(open_out, ["eni-a", "eni-b"], profile="linux")
        return [(row["eni"], row["direction"], row["reason"]) for row in rows(judge, capture(packets, **how))]

    assert told(inside) == leaves * 2
    assert told(inside[:1]) == waits
    assert {row[2] for row in told(inside, snap=24)} == {"truncated"}


@pytest.mark.parametrize("snap", [24, 100])
def test_both_readings_have_the_same_rows(snap: int) -> None:
    inside = [*Datagram(src=ENI4, dst="10.0.1.11").cut(BODY, 16), *Datagram().cut(BODY, 16)]
    rules = two_interfaces(rule("egress", UDP, ports=(2000, 2000)))
    sides = [Firewall(rules, ["eni-a", "eni-b"], reading=reading) for reading in ("sg", "stateless")]
    first, second = (side.replay(capture(inside, snap=snap)) for side in sides)

    def same(ours: Judged, theirs: Judged) -> None:
        assert ours.verdicts.packet.tolist() == theirs.verdicts.packet.tolist()

    compare((first, second), ("sg", "stateless"), same)


def test_without_a_table_every_fragment_meets_the_rules_by_itself() -> None:
    judged = said(Datagram().cut(BODY, 16), firewall(reading="stateless"))
    assert judged == [("ALLOW", "rule", None), ("DENY", "no-ingress-rule", None)]


# --- waiting -----------------------------------------------------------------------------------------------
@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures_module, "BATCH_ROWS", 2)


def batches(packets: list[bytes], judge: Firewall, **how: int) -> list[list[str]]:
    """The reasons of each batch that a replay gives back."""
    labels = Labels.of(judge, ("crafted",))
    replayed = list(judge.replay(capture(packets, **how)))
    numbers = [number for judged in replayed for number in judged.packets.frame.tolist()]
    assert all(first < second for first, second in pairwise(numbers))
    return [[str(row["reason"]) for row in row_cells(judged, labels)] for judged in replayed]


@pytest.mark.usefixtures("small_batches")
def test_a_verdict_is_told_to_fragments_of_earlier_batches() -> None:
    first, second, third = Datagram().cut(BODY, 16, 32)
    other = Datagram(ident=9).whole(DENIED)
    assert batches([first, other, other, second, other, third, other], firewall()) == [
        ["rule", "no-ingress-rule"],
        ["no-ingress-rule", "rule"],
        ["no-ingress-rule", "rule"],
        ["no-ingress-rule"],
    ]


class Fed:
    """A capture that notes how far it was read."""

    def __init__(self, packets: list[bytes], gap: int) -> None:
        self.inner = capture(packets, gap=gap)
        self.names, self.warnings, self.read = self.inner.names, self.inner.warnings, 0
        self.packets = self.filtered_out = self.bytes_total = self.bytes_read = 0

    def batches(self) -> Any:
        for batch in self.inner.batches():
            self.read += batch.rows
            yield batch


@pytest.mark.usefixtures("small_batches")
def test_a_batch_waits_no_longer_than_its_datagrams() -> None:
    first = Datagram().cut(BODY, 16)[0]
    other = Datagram(ident=9).whole(DENIED)
    fed = Fed([first, *[other] * 99], SECOND)
    replayed = firewall().replay(fed)  # type: ignore[arg-type]  # as much of a capture as a replay reads
    assert next(replayed).packets.frame.tolist() == [1, 2]
    assert fed.read == 32  # 30 s later the datagram is lost
    next(replayed)
    assert fed.read == 32


@pytest.mark.usefixtures("small_batches")
def test_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_WAITING_PACKETS", 4)
    first, last = Datagram().cut(BODY, 16)
    other = Datagram(ident=9).whole(DENIED)
    judge = firewall()
    found = batches([first, *[other] * 6, last], judge)
    assert [reason for part in found for reason in part if reason != "no-ingress-rule"] == ["fragment-incomplete"] * 2
    (warning,) = judge.warnings
    assert (warning.kind, str(warning)) == (
        "fragments-given-up",
        "1 datagram in fragments given up: too many packets waited for the rest of it",
    )


@pytest.mark.usefixtures("small_batches")
def test_too_many_bytes_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_WAITING_BYTES", 40)
    pieces = [Datagram(ident=number).cut(BODY, 32)[0] for number in range(4)]
    judge = firewall()
    assert batches(pieces, judge) == [["fragment-incomplete"] * 2] * 2
    assert judge.warnings[0].kind == "fragments-given-up"


def test_one_batch_at_a_time_is_answered_at_once() -> None:
    first, last = frames(Datagram().cut(BODY, 16))
    judge = firewall()
    reasons = [judge.judge_batch(captures_module.frames_batch([one])).reason.tolist() for one in (first, last)]
    assert reasons == [[14], [0]]


def test_two_captures_are_merged_with_their_fragments() -> None:
    """Rows that are sliced, joined and put in order by time keep their own bytes."""
    left = captures_module.frames_batch(frames(Datagram().cut(BODY, 8, 24, 48)))
    right = captures_module.frames_batch(frames(Datagram(ident=9).cut(DENIED, 16, 56), gap=SECOND // 700))
    joined = concatenate(list(merged([iter([left]), iter([right])])))
    assert joined.fragment_id.tolist() == [7, 9, 7, 9, 7, 9, 7]
    picked = joined.take(np.array([6, 0, 3]))
    for packets in (joined, joined.slice(1, 5), picked, joined.take(joined.fragment_id == 9)):
        bodies = {7: BODY, 9: DENIED}
        for row, (ident, offset, size) in enumerate(
            zip(packets.fragment_id.tolist(), packets.fragment_offset.tolist(), packets.payload.tolist(), strict=True)
        ):
            assert packets.pieces[row].data == bodies[ident][offset : offset + size]
        assert len(packets.pieces) == packets.rows


# --- real captures -----------------------------------------------------------------------------------------
def test_four_datagrams_of_313_fragments(captures: Path) -> None:
    """Noise behind an IP header that says TCP; Linux 6.18 calls all four invalid."""
    path = captures / "frag-ndpi-ip_fragmented_garbage.pcap"
    found = file_rows(Firewall(rule_set([rule("egress", -1)], ["10.0.0.2"]), profile="linux"), path)
    reasons = [{row["reason"] for row in found[start : start + 313]} for start in range(0, 1252, 313)]
    assert reasons == [{"bad-header"}, {"bad-flags"}, {"bad-flags"}, {"bad-header"}]
    assert {row["ct_state"] for row in found} == {"INVALID"}


def test_a_syn_in_two_fragments(captures: Path) -> None:
    judge = Firewall(rule_set([rule("egress", TCP)], ["192.168.1.100"]), profile="linux")
    found = file_rows(judge, captures / "frag-zeek-fragmented-syn.pcap")
    assert [(row["reason"], row["tcp_state"]) for row in found] == [("rule", "SYN_SENT")] * 2
