"""By how much a segment misses the window: the engine refuses exactly what a bound in the text refuses."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firewall.explain.explainer import Explainer, explained
from firewall.face import Firewall
from pcaps.craft import parse
from tests.firewall.explain_cases import CLIENT, WEB, WEB_RULES, handshake, tcp
from tests.firewall.labs import rule_set

RULES = rule_set(WEB_RULES)
GRANTED = 2001  # the server's ACK-less window of 1000 behind 1001, see `handshake`
BEYOND = re.compile(r"It reaches (\S+) bytes beyond what (\S+) granted (\S+) so far\.")
UNSENT = re.compile(r"It acknowledges (\S+) bytes more than (\S+) sent\.")


def last_told(*expressions: str) -> Any:
    packets = [packet for text in expressions for packet in parse(text)]
    (passage,) = explained(Firewall(RULES), packets)[-1].passages
    return passage.reason, passage.phase("verdict").lines


def test_the_bytes_beyond_the_window_are_counted() -> None:
    reason, lines = last_told(*handshake(), tcp(CLIENT, WEB, 40000, 80, "PA", ", seq=90000, ack=5001"))
    assert reason == "out-of-window"
    assert lines[1:] == (f"It reaches {90000 - GRANTED:,} bytes beyond what {WEB} granted {CLIENT} so far.",)


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    reason, lines = last_told(*handshake(), tcp(WEB, CLIENT, 80, 40000, "A", ", seq=5001, ack=1501"))
    assert (reason, lines[1:]) == ("out-of-window", (f"It acknowledges 500 bytes more than {CLIENT} sent.",))


@given(
    st.booleans(),
    st.one_of(st.integers(-3000, 3000), st.integers(0, (1 << 32) - 1)),
    st.one_of(st.integers(-3000, 3000), st.integers(0, (1 << 32) - 1)),
)
def test_every_segment_outside_the_window_is_told_by_how_much(reply: bool, seq: int, ack: int) -> None:
    seq, ack = ((5001 if reply else 1001) + seq) % (1 << 32), ((1001 if reply else 5001) + ack) % (1 << 32)
    ends = (WEB, CLIENT, 80, 40000) if reply else (CLIENT, WEB, 40000, 80)
    reason, lines = last_told(*handshake(), tcp(*ends, "A", f", seq={seq}, ack={ack}"))
    told = [found for line in lines for found in (BEYOND.match(line), UNSENT.match(line)) if found]
    if reason == "out-of-window":
        assert told
        assert all(int(found[1].replace(",", "")) > 0 for found in told)
    else:
        assert (reason, told) == ("established", [])


def test_the_table_of_the_asked_firewall_stays_as_it_is() -> None:
    firewall = Firewall(RULES)
    packets = [packet for text in handshake() for packet in parse(text)]
    assert firewall.explain(packets[0]).reason == "rule"
    assert firewall.table() == []
    firewall.judge(packets[:2])
    before = firewall.table()
    assert firewall.explain(packets[2]).reason == "established"
    assert firewall.table() == before
    assert [row["reason"] for row in firewall.judge(packets[2])] == ["established"]


def test_an_explainer_remembers_who_opened_what_it_judged() -> None:
    packets = [packet for text in handshake() for packet in parse(text)]
    *_, last = Explainer(Firewall(RULES), ("crafted",)).of_frames(packets)
    (passage,) = last.passages
    assert "opened by packet 1 at 0.000000 s under web:ingress[0]" in passage.phase("table").lines[0]
