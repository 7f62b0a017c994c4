"""The counts of a replay: both sums, by reason, interface and rule, connections, the clock."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firewall.exempt import SERVICES
from firewall.flows import FIRST_SIZE, largest
from firewall.labels import Labels
from firewall.rows import Judged
from firewall.summary import KEPT_ROWS, Summary
from firewall.verdict import DENY, INGRESS, REASON_VERDICTS, REASON_WORDS
from tests.firewall.batches import CLIENT, SECOND, SERVER, START, Row, answer, batch, exchange, packet, summed

TWO = Labels(("a.pcap",), ("eni-a", "eni-b"), ("web:ingress[0]",))


def test_both_sums_hold_for_an_exchange() -> None:
    summary = summed(exchange())
    assert summary.verdicts == {"ALLOW": 3, "DENY": 1, "EXEMPT": 0, "NOT_EVALUATED": 1}
    assert (summary.packets, summary.rows, summary.two_interfaces) == (5, 5, 0)
    assert summary.adds_up


def test_a_packet_between_two_interfaces_is_one_packet_and_two_rows() -> None:
    both = [answer("rule", "egress", eni=0), answer("no-ingress-rule", "ingress", eni=1)]
    summary = summed(batch((packet(), both), (packet(), answer("rule"))), labels=TWO)
    assert (summary.packets, summary.rows, summary.two_interfaces) == (2, 3, 1)
    assert summary.adds_up


def test_a_packet_without_a_row_is_noticed() -> None:
    judged = batch((packet(), answer("rule")), (packet(), []))
    assert not summed(judged).adds_up


def test_rows_are_counted_by_reason_interface_and_direction() -> None:
    summary = summed(exchange())
    assert {word: count for word, count in summary.reason_rows.items() if count} == {
        "rule": 1,
        "established": 2,
        "no-egress-rule": 1,
        "not-ip": 1,
    }
    assert summary.by_interface[1, INGRESS].tolist() == [2, 0, 0, 0]
    assert summary.by_interface[0].sum() == 1  # not-ip, at no interface


def test_a_rule_is_hit_by_openers_and_credited_with_their_connections() -> None:
    summary = summed(exchange())
    assert summary.rule_hits.tolist() == [1, 0]
    assert summary.rule_packets.tolist() == [3, 0]
    assert summary.rule_bytes.tolist() == [60 + 1500 + 40, 0]


def test_a_denied_packet_of_a_connection_is_not_credited_to_its_rule() -> None:
    judged = batch((packet(), answer("rule", flow=1, rule=0)), (packet(), answer("out-of-window", flow=1, rule=0)))
    assert summed(judged).rule_packets.tolist() == [1, 0]


def test_exempt_rows_are_counted_by_service() -> None:
    summary = summed(batch((packet(), answer("exempt", "egress", rule=-2)), (packet(), answer("exempt", rule=-2))))
    assert summary.exempt_rows.tolist() == [2, *[0] * (len(SERVICES) - 1)]
    assert summary.verdicts["EXEMPT"] == 2


def test_a_connection_keeps_its_opener_and_counts_each_way() -> None:
    summary = summed(exchange())
    assert summary.connections == 1
    flow = summary.flows[0].table[1]
    assert (flow["frame"], flow["rule"], flow["direction"], flow["src_port"]) == (1, 0, INGRESS, 40000)
    assert (flow["sent"], flow["sent_bytes"], flow["received"], flow["received_bytes"]) == (2, 100, 1, 1500)
    assert (flow["first_time"], flow["last_time"]) == (START + SECOND, START + 3 * SECOND)
    assert flow["tcp_state"] == 3


def test_the_opener_and_the_last_state_hold_over_batches() -> None:
    opener = batch((packet(), answer("rule", flow=1, rule=0, tcp_state=1)))
    later = batch((packet(SERVER, CLIENT, (80, 40000)), answer("established", "egress", flow=1, tcp_state=8)), first=2)
    flow = summed(opener, later).flows[0].table[1]
    assert (flow["frame"], flow["tcp_state"], flow["sent"], flow["received"]) == (1, 8, 1, 1)


def test_denied_packets_and_icmp_errors_of_a_connection_are_counted_apart() -> None:
    judged = batch(
        (packet(), answer("rule", flow=1, rule=0)),
        (packet(), answer("out-of-window", flow=1)),
        (packet("192.0.2.1", SERVER, (3, 1), protocol=1, quoted=1), answer("related", flow=1)),
    )
    flow = summed(judged).flows[0].table[1]
    assert (flow["sent"], flow["received"], flow["denied"], flow["errors"]) == (1, 0, 1, 1)
    assert flow["last_time"] == START + SECOND


def test_undecided_packets_of_a_connection_are_not_called_denied() -> None:
    flow = summed(batch((packet(), answer("undecidable", flow=1)))).flows[0].table[1]
    assert (flow["sent"], flow["denied"], flow["undecided"]) == (0, 0, 1)


def test_the_connections_grow_beyond_the_first_table() -> None:
    flows = 3 * FIRST_SIZE
    summary = summed(batch(*((packet(), answer("rule", flow=flow + 1, rule=0)) for flow in range(flows))))
    assert summary.connections == flows
    assert summary.flows[0].table["sent"][1 : flows + 1].tolist() == [1] * flows


def test_flow_numbers_count_within_each_interface() -> None:
    both = [answer("rule", "egress", eni=0, flow=1), answer("rule", "ingress", eni=1, flow=1)]
    summary = summed(batch((packet(), both)), labels=TWO)
    assert summary.connections == 2
    assert largest(summary.flows, None) == [(0, 1), (1, 1)]


def test_the_largest_connections_come_first_and_ties_by_number() -> None:
    sizes = {1: 1, 2: 3, 3: 1}
    rows = [(packet(), answer("rule", flow=flow)) for flow, count in sizes.items() for _ in range(count)]
    summary = summed(batch(*rows))
    assert largest(summary.flows, 2) == [(0, 2), (0, 1)]


def test_the_first_denied_rows_are_kept_in_full_over_batches() -> None:
    denied = (packet(), answer("no-ingress-rule"))
    allowed = (packet(), answer("rule"))
    summary = summed(batch(denied, allowed), batch(*[denied] * (2 * KEPT_ROWS), first=3))
    kept = summary.first_denied
    assert kept.packets.frame.tolist() == [1, *range(3, 2 + KEPT_ROWS)]
    assert kept.verdicts.verdict.tolist() == [DENY] * KEPT_ROWS


def test_undecided_rows_are_kept_too() -> None:
    summary = summed(batch((packet(), answer("undecidable")), (packet(), answer("rule"))))
    assert summary.first_undecided.packets.frame.tolist() == [1]


def test_the_clock_is_told_to_go_backwards_within_and_between_batches() -> None:
    stamps = [5, 3, 9]
    rows = [(packet(time=stamp), answer("rule")) for stamp in stamps]
    summary = summed(batch(*rows), batch((packet(time=8), answer("rule")), first=4))
    assert (summary.backwards, summary.first_time, summary.last_time) == (2, 3, 9)


def test_nothing_read_is_no_packets_and_no_time() -> None:
    summary = summed()
    assert (summary.packets, summary.rows, summary.first_time) == (0, 0, None)
    assert summary.adds_up


VERDICT_ROWS = st.builds(
    answer,
    st.sampled_from(REASON_WORDS),
    st.sampled_from(("ingress", "egress")),
    eni=st.integers(0, 1),
    flow=st.integers(0, 5),
    rule=st.integers(-1, 1),
)


def plain_counts(rows: list[Row]) -> tuple[list[int], list[int]]:
    """Rows by reason and packets by rule, counted one by one."""
    reasons, rules = [0] * len(REASON_WORDS), [0, 0]
    for row in rows:
        place = REASON_WORDS.index(row["reason"])
        reasons[place] += 1
        if row["rule"] >= 0 and REASON_VERDICTS[place] == 0:
            rules[row["rule"]] += 1
    return reasons, rules


@given(st.lists(st.lists(VERDICT_ROWS, min_size=1, max_size=2), max_size=12), st.integers(0, 12))
def test_counts_do_not_depend_on_where_batches_are_cut(packets: list[list[Row]], cut: int) -> None:
    rows = [(packet(), answers) for answers in packets]
    whole = Summary(2, 2)
    whole.add(batch(*rows))
    parts = Summary(2, 2)
    for part in (batch(*rows[:cut]), batch(*rows[cut:], first=1 + min(cut, len(rows)))):
        parts.add(part)
    answers = [row for each in packets for row in each]
    assert (whole.reasons.tolist(), whole.rule_packets.tolist()) == plain_counts(answers)
    assert whole.adds_up
    for ours, theirs in zip(observed(whole), observed(parts), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def observed(summary: Summary) -> list[object]:
    kept: list[Judged] = [summary.first_denied, summary.first_undecided]
    flows = [column for each in summary.flows for column in (each.table, each.count)]
    counts = [summary.by_interface, summary.rule_hits, summary.rule_bytes, summary.packets, summary.two_interfaces]
    return [*counts, *flows, *(each.packets.frame for each in kept), summary.backwards, summary.last_time or 0]
