"""The report for people: the answer first, sums that add up, nothing cut silently, safe for a terminal."""

from ipaddress import ip_network

import pytest

from conntrack.states import CT_STATES
from firewall.labels import Labels, address_text, duration_text, flow_text, rule_text, time_text
from firewall.model import ICMP, TCP, UDP, GroupPeer, PrefixListPeer, Rule
from firewall.reports.terminal import MOST_CONNECTIONS, terminal_report
from pcaps.wire import ACK, SYN
from tests.firewall.batches import LABELS, answer, batch, exchange, halves, packet, result

ESCAPE = "\x1b"


def test_the_answer_comes_first() -> None:
    assert terminal_report(result(exchange())).startswith("5 packets: 3 ALLOW, 1 DENY, 0 EXEMPT, 1 NOT_EVALUATED\n")


def test_both_sums_are_printed() -> None:
    text = terminal_report(result(exchange()))
    assert "3 + 1 + 0 + 1 = 5 rows = 5 packets read\n" in text


def test_a_packet_with_two_rows_is_said_in_the_answer() -> None:
    labels = Labels(("a.pcap",), ("eni-a", "eni-b"), LABELS.rules)
    both = [answer("rule", "egress", eni=0), answer("rule", "ingress", eni=1)]
    text = terminal_report(result(batch((packet(), both)), labels=labels))
    assert text.startswith("1 packet, 2 verdicts: 2 ALLOW,")
    assert "= 2 rows = 1 packet read + 1 judged at two interfaces" in text


def test_what_the_filter_left_out_is_said() -> None:
    assert "; 7 packets more left out by the filter" in terminal_report(result(exchange(), filtered_out=7))


def test_a_clock_that_goes_backwards_is_said() -> None:
    judged = batch((packet(time=9), answer("rule")), (packet(time=3), answer("rule")))
    assert "the clock goes backwards at 1 packet" in terminal_report(result(judged))


def test_a_capture_without_packets_is_said_to_have_none_and_no_table_is_empty() -> None:
    text = terminal_report(result())
    assert text.startswith("0 packets: 0 ALLOW, 0 DENY, 0 EXEMPT, 0 NOT_EVALUATED\nweb.pcap: holds no packets\n")
    assert "By reason" not in text
    assert "Connections" not in text


def test_a_filter_that_leaves_nothing_is_not_an_empty_capture() -> None:
    text = terminal_report(result(filtered_out=7))
    assert "web.pcap: it held 7 packets, none of which the filter lets through\n" in text


def section(text: str, title: str) -> list[list[str]]:
    """The words of each line below a heading."""
    lines = text.split(f"\n{title}", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [line.split() for line in lines]


def test_reasons_carry_their_meaning() -> None:
    rows = section(terminal_report(result(exchange())), "By reason")
    meaning = "not part of a connection that the table holds, and no egress rule allows it"
    assert ["DENY", "no-egress-rule", "1", *meaning.split()] in rows


def test_rules_carry_what_they_allow_and_what_came_of_them() -> None:
    rows = section(terminal_report(result(exchange())), "By rule")
    assert ["web:ingress[0]", "tcp", "80", "from", "0.0.0.0/0", "1", "3", "1,600"] in rows


def test_a_rule_that_admitted_nothing_is_named() -> None:
    text = terminal_report(result(exchange()))
    assert "Rules that admitted nothing: 1 of 2\n  - web:egress[0]  (tcp 443 to 192.0.2.0/24)\n" in text


def test_connections_say_who_opened_them_and_how() -> None:
    rows = section(terminal_report(result(exchange())), "Connections at eni-web: 1")
    line = "1 203.0.113.9:40000 -> 10.0.1.10:80 tcp ESTABLISHED 2 1 100 1,500 web:ingress[0] at packet 1"
    assert line.split() in rows


def test_a_closed_connection_is_ended() -> None:
    judged = batch((packet(), answer("rule", flow=1, rule=0, tcp_state=7)))
    assert "TIME_WAIT, ended" in terminal_report(result(judged))


@pytest.mark.parametrize(("replies", "state"), [(0, "UNREPLIED"), (1, "REPLIED")])
def test_other_protocols_say_whether_anything_came_back(replies: int, state: str) -> None:
    opener = (packet(protocol=UDP), answer("rule", flow=1, rule=0))
    reply = (packet(protocol=UDP), answer("established", "egress", flow=1, rule=0))
    rows = section(terminal_report(result(batch(opener, *[reply] * replies))), "Connections at eni-web: 1")
    assert state in rows[1]


def test_a_list_that_is_cut_says_so() -> None:
    flows = MOST_CONNECTIONS + 5
    judged = batch(*((packet(), answer("rule", flow=flow, rule=0)) for flow in range(1, flows + 1)))
    text = terminal_report(result(judged))
    shown = f"({MOST_CONNECTIONS} of {flows} shown), those with most packets first"
    assert f"Connections at eni-web: {flows} {shown}\n" in text


def test_denied_packets_are_listed_with_their_frame_and_reason() -> None:
    rows = section(terminal_report(result(exchange())), "First denied packets")
    line = "4 22:13:24.000000 egress 10.0.1.10:50000 -> 198.51.100.7:443 tcp SYN no-egress-rule NEW"
    assert line.split() in rows


def test_the_interface_stands_in_every_row_where_there_are_several() -> None:
    labels = Labels(("a.pcap",), ("eni-a", "eni-b"), LABELS.rules)
    judged = batch((packet(), answer("no-ingress-rule", eni=1)), (packet(), answer("rule", eni=0, flow=1, rule=0)))
    text = terminal_report(result(judged, labels=labels))
    assert section(text, "Denied attempts: 1")[1][:2] == ["eni-b", "ingress"]
    assert section(text, "Connections: 1")[1][:2] == ["eni-a", "1"]


def test_denied_packets_are_grouped_by_what_they_tried() -> None:
    tries = [(packet(ports=(port, 22)), answer("no-ingress-rule")) for port in range(40000, 40008)]
    judged = batch((packet(ports=(40000, 23)), answer("no-ingress-rule")), *tries)
    text = terminal_report(result(judged))
    rows = section(text, "Denied attempts at eni-web: 2, those with most packets first")
    assert rows[1] == ["ingress", "203.0.113.9", "->", "10.0.1.10:22", "tcp", "8", "2", "no-ingress-rule"]
    assert rows[2] == ["ingress", "203.0.113.9", "->", "10.0.1.10:23", "tcp", "1", "1", "no-ingress-rule"]
    assert "First denied packets at eni-web (5 of 9 shown); -o FILE writes all\n" in text


@pytest.mark.parametrize(
    ("ct_state", "flags", "state", "opened"),
    [
        ("UNTRACKED", ACK, "untracked", "web:ingress[0] at packet 1\n"),
        ("NEW", ACK, "ESTABLISHED", "web:ingress[0] at packet 1, picked up midway\n"),
        ("NEW", SYN, "ESTABLISHED", "web:ingress[0] at packet 1\n"),
    ],
)
def test_a_connection_says_if_it_is_untracked_or_was_picked_up_midway(
    ct_state: str, flags: int, state: str, opened: str
) -> None:
    row = answer("rule", flow=1, rule=0, tcp_state=3, ct_state=CT_STATES.index(ct_state))
    text = terminal_report(result(batch((packet(tcp_flags=flags), row))))
    assert f"tcp  {state} " in text
    assert f"  {opened}" in text


def test_settings_that_were_changed_are_told() -> None:
    assert "Assumptions (profile aws)\n" in terminal_report(result(exchange(), settings={"tcp_loose": "1"}))
    text = terminal_report(result(exchange(), settings={"tcp_loose": "0", "udp_timeout": 2}))
    assert "Assumptions (profile aws, changed: tcp_loose=0, udp_timeout=2)\n" in text


def test_times_near_1970_are_seconds() -> None:
    judged = batch((packet(time=0), answer("rule")), (packet(time=1_500_000), answer("no-ingress-rule")))
    text = terminal_report(result(judged))
    assert "\nover 0.002 s; times are in seconds\n" in text
    assert section(text, "First denied")[1][:2] == ["2", "0.001500"]
    assert "1970" not in text


def test_undecided_packets_are_listed() -> None:
    text = terminal_report(result(batch((packet(), answer("undecidable")))))
    assert "First undecided packets" in text


def test_frames_of_several_captures_carry_the_file() -> None:
    labels = Labels(("a.pcap", "b.pcap"), LABELS.interfaces, LABELS.rules, LABELS.exempt)
    judged = batch((packet(capture=1), answer("no-ingress-rule")))
    assert section(terminal_report(result(judged, labels=labels)), "First denied")[1][0] == "b.pcap:1"


@pytest.mark.parametrize(
    ("names", "short"), [(("x/a.pcap", "y/b.pcap"), "b.pcap"), (("x/a.pcap", "y/a.pcap"), "2"), (("x/a",) * 2, "1")]
)
def test_long_names_of_captures_stand_once(names: tuple[str, ...], short: str) -> None:
    judged = batch((packet(capture=1), answer("no-ingress-rule")))
    text = terminal_report(result(judged, labels=Labels(names, LABELS.interfaces, LABELS.rules)))
    several = len(set(names)) > 1
    assert section(text, "First denied")[1][0] == (f"{short}:1" if several else "1")
    assert text.count(names[1]) == several


def test_assumptions_are_listed_and_warnings_counted() -> None:
    text = terminal_report(result(exchange(), warnings=("web.pcap: cut in the middle of packet 6",)))
    assert "Assumptions (profile aws)\n  - Every connection is tracked.\n" in text
    assert "Warnings: 1, on standard error" in text


def test_a_pipe_gets_no_colours_and_no_broken_lines() -> None:
    labels = Labels(LABELS.captures, ("eni-" + "x" * 300, "eni-b"), LABELS.rules, LABELS.exempt)
    text = terminal_report(result(exchange(), labels=labels))
    assert ESCAPE not in text
    assert all("ingress" in line for line in text.splitlines() if "x" * 300 in line and "egress" not in line)
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_gets_lines_of_its_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    from rich.text import Text

    text = terminal_report(result(exchange()), width)
    assert max(len(Text.from_ansi(line).plain) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_word_is_cut_at_the_edge_of_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    labels = Labels(LABELS.captures, ("eni-0123456789abcdef0", "eni-b"), LABELS.rules, LABELS.exempt)
    ends = ("2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")
    flow = [(packet(*ends, family=6, length=1_234_567_890), answer("rule", flow=1, rule=0, ct_state=1))] * 2447
    judged = batch(*flow, (packet(*ends, family=6), answer("no-ingress-rule", ct_state=1)))
    wide = set(terminal_report(result(judged, labels=labels)).split())
    from rich.text import Text

    narrow = Text.from_ansi(terminal_report(result(judged, labels=labels), width)).plain
    assert wide - set(narrow.split()) == set()
    assert "2,447" in narrow


def test_verdicts_are_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert f"{ESCAPE}[31mDENY" in terminal_report(result(exchange()), 120)


def test_names_cannot_steer_the_terminal() -> None:
    labels = Labels(("a.pcap", "b.pcap"), (f"eni{ESCAPE}]0;owned\x07",), ("[red]r[/red]", "s"), LABELS.exempt)
    text = terminal_report(result(exchange(), labels=labels))
    assert ESCAPE not in text
    assert "\x07" not in text
    assert r"eni\x1b]0;owned\x07" in text
    assert "[red]r[/red]" in text


# --- words -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("address", "text"),
    [("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:db8::1"), ("::", "::"), ("::ffff:10.0.0.1", "10.0.0.1")],
)
def test_addresses(address: str, text: str) -> None:
    assert address_text(*halves(address)) == text


@pytest.mark.parametrize(
    ("line", "protocol", "ports", "addresses"),
    [
        ("10.0.0.1:5 -> 10.0.0.2:80 tcp", TCP, (5, 80), ("10.0.0.1", "10.0.0.2")),
        ("[2001:db8::1]:5 -> [::1]:53 udp", UDP, (5, 53), ("2001:db8::1", "::1")),
        ("10.0.0.1 -> 10.0.0.2 icmp 8/0", ICMP, (8, 0), ("10.0.0.1", "10.0.0.2")),
        ("10.0.0.1 -> 10.0.0.2 esp", 50, (0, 0), ("10.0.0.1", "10.0.0.2")),
        ("10.0.0.1 -> 10.0.0.2 tcp", TCP, (None, None), ("10.0.0.1", "10.0.0.2")),
    ],
)
def test_a_tuple_is_one_line(
    line: str, protocol: int, ports: tuple[int | None, int | None], addresses: tuple[str, str]
) -> None:
    assert flow_text(*addresses, protocol, *ports) == line


ANYWHERE = ip_network("0.0.0.0/0")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule("g", "ingress", 0, TCP, ANYWHERE, ports=(8000, 8080)), "tcp 8000-8080 from 0.0.0.0/0"),
        (Rule("g", "egress", 0, UDP, ANYWHERE, ports=(0, 65535)), "udp to 0.0.0.0/0"),
        (Rule("g", "egress", 0, -1, ANYWHERE), "all to 0.0.0.0/0"),
        (Rule("g", "ingress", 0, ICMP, ANYWHERE, icmp_type=8), "icmp 8/any from 0.0.0.0/0"),
        (Rule("g", "ingress", 0, ICMP, ANYWHERE), "icmp from 0.0.0.0/0"),
        (Rule("g", "ingress", 0, TCP, GroupPeer("sg-1"), ports=(22, 22)), "tcp 22 from group sg-1"),
        (Rule("g", "egress", 0, TCP, PrefixListPeer("pl-1"), ports=(22, 22)), "tcp 22 to prefix list pl-1"),
    ],
)
def test_a_rule_is_a_few_words(rule: Rule, text: str) -> None:
    assert rule_text(rule) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(4_000_000_000, "4.000 s"), (150 * 10**9, "2 min 30 s"), (90_061 * 10**9, "1 d 1 h 1 min 1 s")],
)
def test_lengths_of_time(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "1970-01-01 00:00:00.000000"), (-1, "1969-12-31 23:59:59.999999"), (2**63 - 1, "2262-04-11 23:47:16.854775")],
)
def test_any_time_a_capture_can_hold_is_printed(nanoseconds: int, text: str) -> None:
    assert time_text(nanoseconds) == text
