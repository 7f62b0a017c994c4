"""The life of one connection: what each packet did to it, and how it ended."""

import json
from pathlib import Path
from typing import Any

import pytest

from conntrack.tcp import ROWS
from firewall import cli
from firewall.engine import Firewall
from firewall.run.inputs import Inputs
from firewall.run.state import run_state
from tests.support import file_rows

SAMPLES = Path(__file__).resolve().parents[2] / "pcaps" / "samples"
TCP_WHY = {row.why for row in ROWS}
RULES = (
    "security_groups:\n  g:\n    ingress: [{protocol: all, source: 198.51.100.0/24}]\n    egress: []\n"
    "interfaces:\n  eni-a: {addresses: [10.0.1.10], security_groups: [g]}\n"
)
TWO = RULES + "  eni-b: {addresses: [10.0.1.20], security_groups: [g]}\n"
IN, OUT = 'IP(src="198.51.100.7", dst="10.0.1.10")/', 'IP(src="10.0.1.10", dst="198.51.100.7")/'
SYN = IN + 'TCP(sport=4000, dport=80, flags="S", seq=100)'
SYN_ACK = OUT + 'TCP(sport=80, dport=4000, flags="SA", seq=500, ack=101)'
ACK = IN + 'TCP(sport=4000, dport=80, flags="A", seq=101, ack=501)'
OPEN = (SYN, SYN_ACK, ACK)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["state", *map(str, words)])
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


def life(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    status, out, err = run(capsys, *words, "--json")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def sample(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> dict[str, Any]:
    return life(capsys, SAMPLES / name, "--rules", SAMPLES / f"{name.partition('.')[0]}.yaml", *words)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path / "rules.yaml"


def crafted(capsys: pytest.CaptureFixture[str], rules: Path, *packets: str, more: tuple[str, ...] = ()) -> Any:
    words = [word for packet in packets for word in ("--craft", packet)]
    return life(capsys, *words, "--rules", rules, "--flow", "1", *more)


def moves(found: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    return [(step["before"], step["after"]) for step in found["packets"]]


# --- recorded ----------------------------------------------------------------------------------------
def test_a_web_request_from_the_syn_to_time_wait(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "web-http.pcap", "--flow", "1")
    assert [step["packet"] for step in found["packets"]] == list(range(3, 13))
    assert moves(found)[:3] == [(None, "SYN_SENT"), ("SYN_SENT", "SYN_RECV"), ("SYN_RECV", "ESTABLISHED")]
    assert moves(found)[-3:] == [
        ("ESTABLISHED", "FIN_WAIT"),
        ("FIN_WAIT", "LAST_ACK"),
        ("LAST_ACK", "TIME_WAIT"),
    ]
    assert [step["timeout"] for step in found["packets"]][:3] == [120, 60, 432000]
    assert {step["why"] for step in found["packets"]} <= TCP_WHY
    assert found["end"]["entry"] == "held"
    assert (found["end"]["closed_by"]["packet"], found["end"]["state"]) == (12, "TIME_WAIT")


def test_the_life_stops_at_a_packet(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "web-http.pcap", "--flow", "1", "--at", "8")
    assert [step["packet"] for step in found["packets"]] == [3, 4, 5, 6, 7, 8]
    assert (found["end"]["entry"], found["end"]["closed_by"]) == ("held", None)


@pytest.mark.parametrize("name", ["ssh.pcap", "nmap.pcap", "ping.pcap", "database.pcap"])
def test_every_story_is_the_rows_of_its_flow(name: str) -> None:
    rules = str(SAMPLES / f"{name.partition('.')[0]}.yaml")
    rows = file_rows(Firewall.from_file(rules), SAMPLES / name)
    flows = {(row["eni"], row["flow"]) for row in rows if row["flow"]}
    assert flows
    for eni, flow in flows:
        found = run_state(Inputs((str(SAMPLES / name),), (rules,)), None, f"{eni}:{flow}", "").life
        assert found is not None
        told = [step for step in found.steps if step is not found.end.by]
        own = [row for row in rows if (row["eni"], row["flow"]) == (eni, flow)]
        for field in ("packet", "time", "verdict", "reason"):
            assert [getattr(step, field) for step in told] == [row[field] for row in own]
        assert [step.after if row["tcp_state"] else None for step, row in zip(told, own, strict=True)] == [
            row["tcp_state"] for row in own
        ]


def test_pings_share_one_entry(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "ping.pcap", "--flow", "1")
    assert moves(found)[:2] == [(None, "UNREPLIED"), ("UNREPLIED", "REPLIED")]
    assert {step["flags"] for step in found["packets"]} == {"8/0", "0/0"}
    assert found["flow"]["original"]["id"] == found["flow"]["reply"]["id"]


def test_a_port_unreachable_is_told_with_the_flow_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "ping.pcap", "--flow", "3")
    opener, error = found["packets"]
    assert (opener["flags"], error["flags"], error["direction"]) == (None, "3/3", "reply")
    assert error["why"] == "an ICMP error that quotes it; changes nothing"
    assert error["expires"] == opener["expires"]


def test_a_name_is_asked_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "dns.pcapng", "--flow", "1")
    assert moves(found)[:2] == [(None, "UNREPLIED"), ("UNREPLIED", "REPLIED")]
    assert [step["direction"] for step in found["packets"]][:2] == ["original", "reply"]


def test_an_idle_answer_comes_too_late(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "idle.pcap", "--flow", "1", "--set", "udp_timeout=2")
    last, end = found["packets"][-1], found["end"]
    assert end["entry"] == "timed-out"
    assert end["expires"] == last["time"] + 2_000_000_000
    assert end["late"]["packet"] == 12


def test_an_idle_tcp_connection_times_out_for_good(capsys: pytest.CaptureFixture[str]) -> None:
    short = ("--set", "tcp_timeout_established=2", "--set", "tcp_loose=0")
    words = (SAMPLES / "idle.pcap", "--rules", SAMPLES / "idle.yaml", "--flow", "2", *short)
    _, out, _ = run(capsys, *words)
    assert "timed out at " in out
    assert "packet 13 came 2.000 s too late: DENY expired" in out


def test_a_reset_as_the_only_answer_deletes_the_entry(capsys: pytest.CaptureFixture[str]) -> None:
    found = sample(capsys, "closed-port.pcap", "--flow", "1")
    assert moves(found) == [(None, "SYN_SENT"), ("SYN_SENT", None)]
    assert (found["end"]["entry"], found["end"]["by"]["packet"]) == ("deleted", 4)


# --- crafted -----------------------------------------------------------------------------------------
def test_a_segment_outside_the_window_is_told_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], rules: Path
) -> None:
    outside = IN + 'TCP(sport=4000, dport=80, flags="A", seq=900000, ack=501)'
    step = crafted(capsys, rules, *OPEN, outside)["packets"][-1]
    assert (step["verdict"], step["reason"], step["before"]) == ("DENY", "out-of-window", step["after"])
    assert step["why"] == "outside the sequence window of its connection"


def test_an_invalid_segment_has_the_reason_of_its_cell(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    step = crafted(capsys, rules, SYN, IN + 'TCP(sport=4000, dport=80, flags="SA", seq=100, ack=1)')["packets"][-1]
    assert step["why"].endswith("the table does not hold: the opener does not answer its own SYN")


def test_an_ignored_syn_passes_and_changes_nothing(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    step = crafted(capsys, rules, *OPEN, SYN)["packets"][-1]
    assert (step["before"], step["after"]) == ("ESTABLISHED", "ESTABLISHED")
    assert step["why"] == "passes, changes nothing: late, or the two ends lost each other"


def test_an_answered_ignored_syn_starts_anew(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    again = (SYN.replace("seq=100", "seq=7000"), SYN_ACK.replace("seq=500, ack=101", "seq=9000, ack=7001"))
    step = crafted(capsys, rules, *OPEN, *again)["packets"][-1]
    assert (step["before"], step["after"]) == ("ESTABLISHED", "SYN_RECV")
    assert step["why"] == "answers the SYN that was let pass: the two ends are in step"


def test_a_reset_closes_and_the_port_is_used_again(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    reset = IN + 'TCP(sport=4000, dport=80, flags="RA", seq=101, ack=501)'
    closed = crafted(capsys, rules, *OPEN, reset)
    assert (closed["end"]["closed_by"]["packet"], closed["end"]["state"]) == (4, "CLOSE")
    found = crafted(capsys, rules, *OPEN, reset, SYN.replace("seq=100", "seq=90000"), ACK)
    assert found["end"]["entry"] == "replaced"
    assert (found["end"]["by"]["packet"], found["end"]["next_flow"]) == (5, 2)
    assert found["packets"][-1]["why"] == "the port is used again (RFC 9293 section 3.6.1)"


def test_sctp_is_told_by_its_chunks(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    init = IN + "SCTP(sport=5000, dport=36412, tag=0)/SCTPChunkInit(init_tag=7)"
    answer = OUT + "SCTP(sport=36412, dport=5000, tag=7)/SCTPChunkInitAck(init_tag=9)"
    found = crafted(capsys, rules, init, answer, more=("--profile", "linux"))
    assert [step["flags"] for step in found["packets"]] == ["INIT", "INIT ACK"]
    assert moves(found) == [(None, "CLOSED"), ("CLOSED", "COOKIE_WAIT")]
    assert [step["why"] for step in found["packets"]] == ["opens, or opens again while shutting down", "the answer"]


def test_the_fragment_that_makes_a_datagram_whole_opens_the_flow(
    capsys: pytest.CaptureFixture[str], rules: Path
) -> None:
    start = IN.replace(")/", ', id=7, flags="MF")/') + 'UDP(sport=5000, dport=53, len=24, chksum=0)/Raw(b"12345678")'
    rest = IN.replace(")/", ", id=7, frag=2, proto=17)/") + 'Raw(b"12345678")'
    answer = OUT + "UDP(sport=53, dport=5000)"
    found = crafted(capsys, rules, start, rest, answer)
    assert [step["packet"] for step in found["packets"]] == [2, 3]
    assert moves(found) == [(None, "UNREPLIED"), ("UNREPLIED", "REPLIED")]


def test_an_untracked_connection_has_a_life_without_states(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "open.yaml").write_text(RULES.replace("198.51.100.0/24", "0.0.0.0/0").replace("    egress: []\n", ""))
    found = crafted(capsys, tmp_path / "open.yaml", *OPEN)
    assert moves(found) == [(None, "UNTRACKED"), ("UNTRACKED", "UNTRACKED"), ("UNTRACKED", "UNTRACKED")]
    assert {step["why"] for step in found["packets"]} == {
        "a rule allows it; its flow is not tracked, so every packet meets the rules"
    }
    assert {step["timeout"] for step in found["packets"]} == {None}
    assert (found["end"]["entry"], found["end"]["expires"]) == ("untracked", None)


@pytest.mark.parametrize("behind", [(), (ACK,)], ids=["at the end", "before its next packet"])
def test_a_full_table_drops_an_entry_for_a_new_one(
    capsys: pytest.CaptureFixture[str], rules: Path, behind: tuple[str, ...]
) -> None:
    other = SYN.replace("sport=4000", "sport=4001")
    found = crafted(capsys, rules, SYN, other, *behind, more=("--set", "max=1", "--set", "early_drop=1"))
    assert [step["packet"] for step in found["packets"]] == [1]
    assert (found["end"]["entry"], found["end"]["by"]) == ("dropped", None)


def test_other_connections_of_the_same_hosts_are_left_out(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    other = SYN.replace("sport=4000", "sport=4001")
    found = crafted(capsys, rules, SYN, other, SYN_ACK, OUT + "UDP(sport=80, dport=4000)", ACK)
    assert [step["packet"] for step in found["packets"]] == [1, 3, 5]


def test_text_counts_sequence_numbers_from_the_first(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    words = [word for packet in OPEN for word in ("--craft", packet)]
    _, out, _ = run(capsys, *words, "--rules", rules, "--flow", "1")
    lines = [line.split() for line in out.splitlines() if " ALLOW " in line]
    assert [line[2] for line in lines] == ["->", "<-", "->"]
    assert [line[-1] for line in out.splitlines()[:1]] == ["]"]
    assert lines[2][4:7] == ["1", "1", "0"]


# --- which flow ----------------------------------------------------------------------------------------
def test_an_unknown_flow_names_how_many_there_are(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    status, _, err = run(capsys, "--craft", SYN, "--rules", rules, "--flow", "2")
    assert (status, err) == (2, "eniwall: --flow 2: no such flow up to here; eni-a has 1 flow\n")


@pytest.mark.parametrize("word", ["0", "x", "eni-a:", "-1"])
def test_what_is_no_flow_number_is_refused(capsys: pytest.CaptureFixture[str], rules: Path, word: str) -> None:
    status, _, err = run(capsys, "--craft", SYN, "--rules", rules, f"--flow={word}")
    assert (status, f"--flow {word}: write a flow number" in err) == (2, True)


def test_a_flow_of_an_interface_that_is_not_there(capsys: pytest.CaptureFixture[str], rules: Path) -> None:
    status, _, err = run(capsys, "--craft", SYN, "--rules", rules, "--flow", "eni-z:1")
    assert (status, "no interface 'eni-z' is simulated (there are: eni-a)" in err) == (2, True)


def test_several_interfaces_with_the_flow_are_listed_to_choose(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    words: list[str | Path] = ["--craft", SYN, "--craft", SYN.replace("10.0.1.10", "10.0.1.20")]
    words += ["--rules", tmp_path / "two.yaml"]
    status, _, err = run(capsys, *words, "--flow", "1")
    assert status == 2
    assert err.splitlines() == [
        "eniwall: --flow 1: 2 interfaces have one; write which:",
        "    --flow eni-a:1    198.51.100.7:4000 -> 10.0.1.10:80 tcp",
        "    --flow eni-b:1    198.51.100.7:4000 -> 10.0.1.20:80 tcp",
    ]
    found = life(capsys, *words, "--flow", "eni-b:1")
    assert (found["flow"]["eni"], found["flow"]["original"]["dst"]) == ("eni-b", "10.0.1.20")
    assert [step["packet"] for step in found["packets"]] == [2]
