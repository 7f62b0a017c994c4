"""Denied packets, grouped by what they tried: interface, direction, source, destination and its port."""

from hypothesis import given
from hypothesis import strategies as st

from firewall.attempts import Attempts
from firewall.model import ICMP
from firewall.rows import Judged
from firewall.verdict import INGRESS, REASON_WORDS
from tests.firewall.batches import CLIENT, SERVER, Row, answer, batch, packet


def grouped(*batches: Judged, most: int = 1000) -> Attempts:
    attempts = Attempts(most)
    for judged in batches:
        attempts.add(judged, (judged.verdicts.reason >= 0).nonzero()[0])
    return attempts


def tried(*ports: tuple[int, int], reason: str = "no-ingress-rule") -> list[tuple[Row, Row]]:
    return [(packet(ports=pair), answer(reason)) for pair in ports]


def test_another_source_port_is_the_same_attempt_and_its_first_packet_is_kept() -> None:
    judged = batch(*tried((40000, 22)), *tried((40001, 22), reason="mid-stream"))
    ((attempt, denied),) = grouped(judged).largest()
    assert (attempt.eni, attempt.direction, attempt.protocol, attempt.port) == (0, INGRESS, 6, 22)
    assert (denied.packets, denied.frame, REASON_WORDS[denied.reason]) == (2, 1, "no-ingress-rule")
    by_reason = {REASON_WORDS[reason]: (each.packets, each.frame) for reason, each in denied.reasons.items()}
    assert by_reason == {"no-ingress-rule": (1, 1), "mid-stream": (1, 2)}


def test_icmp_is_told_apart_by_type_and_code() -> None:
    pings = [(packet(ports=ports, protocol=ICMP), answer("no-ingress-rule")) for ports in ((8, 0), (13, 0), (8, 0))]
    found = grouped(batch(*pings)).largest()
    assert [(attempt.icmp_type, attempt.port, denied.packets) for attempt, denied in found] == [(8, 0, 2), (13, 0, 1)]


def test_addresses_of_zeros_are_kept_whole() -> None:
    judged = batch((packet("::", "::", (0, 0), protocol=50, family=6), answer("no-ingress-rule")))
    ((attempt, _),) = grouped(judged).largest()
    assert (attempt.src_hi, attempt.src_lo, attempt.dst_lo, attempt.port) == (0, 0, 0, -1)


def test_what_finds_no_room_is_counted() -> None:
    attempts = grouped(batch(*tried((1, 20), (1, 21), (1, 22), (1, 20))), most=2)
    assert [(attempt.port, denied.packets) for attempt, denied in attempts.largest()] == [(20, 2), (21, 1)]
    assert attempts.ungrouped == 1


PACKETS = st.tuples(st.sampled_from((CLIENT, SERVER, "2001:db8::9")), st.integers(1, 3), st.integers(20, 23))


@given(st.lists(PACKETS, max_size=20), st.integers(0, 20))
def test_groups_are_those_counted_one_by_one_wherever_batches_are_cut(
    packets: list[tuple[str, int, int]], cut: int
) -> None:
    rows = [(packet(src, ports=(sport, dport)), answer("no-ingress-rule")) for src, sport, dport in packets]
    parts = (rows[:cut], rows[cut:])
    attempts = grouped(*(batch(*part, first=1 + min(cut, len(rows)) * index) for index, part in enumerate(parts)))
    plain: dict[tuple[str, int], list[int]] = {}
    for frame, (src, _, dport) in enumerate(packets, 1):
        plain.setdefault((src, dport), []).append(frame)
    expected = sorted(((len(frames), frames[0], port) for (_, port), frames in plain.items()), key=lambda row: -row[0])
    found = [(denied.packets, denied.frame, attempt.port) for attempt, denied in attempts.largest()]
    assert found == expected
