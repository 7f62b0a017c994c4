"""The table right after a packet: exactly the entries that are live, at every packet."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conntrack.tcp import STATES
from firewall.engine import Firewall
from firewall.reports.state_report import entry_line
from firewall.run.inputs import Inputs
from firewall.run.state import run_state
from firewall.state import upto
from pcaps.batch import PacketBatch
from pcaps.capture import FrameCapture, open_capture
from pcaps.craft import craft
from tests.firewall.test_state_life import RULES, run
from tests.recorded import Rule
from tests.reference import Twin
from tests.reference_tcp import TcpTracker
from tests.support import file_rows, rule, rule_set, timed

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "pcaps" / "samples"
WEB, WEB_RULES = SAMPLES / "web-http.pcap", SAMPLES / "web-http.yaml"
SHORT = ("web-http.pcap", "dns.pcapng", "closed-port.pcap", "ssh.pcap", "ping.pcap")  # nothing times out in them

# --- at every packet -----------------------------------------------------------------------------------
STEP = 500_000_000  # ns
IN, OUT = 'Ether()/IP(src="198.51.100.7", dst="10.0.1.10")/', 'Ether()/IP(src="10.0.1.10", dst="198.51.100.7")/'
PACKETS = (
    IN + 'TCP(sport=4000, dport=80, flags="S", seq=100)',
    OUT + 'TCP(sport=80, dport=4000, flags="SA", seq=500, ack=101)',
    IN + 'TCP(sport=4000, dport=80, flags="A", seq=101, ack=501)',
    IN + 'TCP(sport=4000, dport=80, flags="FA", seq=101, ack=501)',
    OUT + 'TCP(sport=80, dport=4000, flags="FA", seq=501, ack=102)',
    OUT + 'TCP(sport=80, dport=4000, flags="RA", seq=501, ack=101)',
    IN + 'TCP(sport=4000, dport=80, flags="S", seq=70000)',
    IN + "UDP(sport=5000, dport=53)",
    OUT + "UDP(sport=53, dport=5000)",
    IN + "ICMP(type=8, id=7)",
    OUT + "ICMP(type=0, id=7)",
    'Ether()/IP(src="192.0.2.1", dst="192.0.2.2")/UDP()',
)
FRAMES = tuple(frame.data for frame in craft(PACKETS))
TIMEOUTS = {"tcp_timeout_syn_sent": 2, "tcp_timeout_close": 1, "tcp_timeout_last_ack": 2, "tcp_timeout_established": 4}
TIMEOUTS |= {"udp_timeout": 2, "udp_timeout_stream": 3, "icmp_timeout": 1}
history = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(FRAMES)), min_size=1, max_size=12)


def printed(firewall: Firewall) -> set[tuple[str, ...]]:
    """Protocol, state, and the opener's source and destination of every line."""
    lines = [entry_line(connection).split() for connection in firewall.table()]
    return {(line[1], *line[3 : 6 if line[3] in STATES else 5]) for line in lines}


def expected(twin: Twin, now: int) -> set[tuple[str, ...]]:
    found = set()
    for entry in twin.table.values():
        if entry.marks.expires > now:
            state = (entry.marks.state,) if isinstance(entry.marks, TcpTracker) else ()
            ends = (f"src={entry.original.src}", f"dst={entry.original.dst}")
            found.add((str(entry.original.protocol), *state, *ends))
    return found


def cut(capture: FrameCapture, frame: int) -> Iterator[PacketBatch]:
    return upto(capture.batches(), 0, frame, lambda: capture.packets)


@given(history)
def test_at_every_packet_the_lines_are_the_live_entries(packets: list[tuple[int, bytes]]) -> None:
    frames, now = [], 0
    for steps, data in packets:
        now += steps * STEP
        frames.append((now, data))
    both = (rule("ingress", -1), rule("egress", -1))
    settings = {name: str(seconds) for name, seconds in TIMEOUTS.items()}
    anything = ip_network("0.0.0.0/0")
    twin = Twin((ip_address("10.0.1.10"),), (Rule("ingress", -1, anything), Rule("egress", -1, anything)), TIMEOUTS)
    for number, (time, data) in enumerate(frames, 1):
        twin.judge(time, data)
        firewall = Firewall(rule_set(both), profile="linux", settings=settings)
        for batch in cut(timed(frames), number):
            firewall.judge_batch(batch)
        live = expected(twin, time)
        assert printed(firewall) == live
        assert len(firewall.table()) == len({id(each) for each in twin.table.values() if each.marks.expires > time})


@pytest.mark.parametrize("name", SHORT)
def test_at_every_packet_the_lines_are_what_the_rows_say(name: str) -> None:
    rules = str(SAMPLES / f"{name.partition('.')[0]}.yaml")
    rows = file_rows(Firewall.from_file(rules), SAMPLES / name)
    flow_of: dict[Any, int | None] = {}
    for row, following in pairwise([*rows, None]):
        assert row is not None
        about_another = row["protocol"] in ("icmp", "icmpv6") and row["ct_state"] != "NEW" and row["src_port"] in (1, 3)
        if row["eni"] and not about_another:
            ends = frozenset([(row["src"], row["src_port"]), (row["dst"], row["dst_port"])])
            asked = (row["src"], row["dst"]) if row["src"] < row["dst"] else (row["dst"], row["src"])
            icmp = row["protocol"] in ("icmp", "icmpv6")
            flow_of[row["eni"], row["protocol"], asked if icmp else ends] = row["flow"]
        if following is None or following["packet"] != row["packet"]:
            state = run_state(Inputs((str(SAMPLES / name),), (rules,)), row["packet"], None, "")
            assert {each.flow for each in state.connections} == {flow for flow in flow_of.values() if flow}
            assert state.packet == row["packet"]


def test_an_untracked_connection_has_no_entry(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "open.yaml").write_text(RULES.replace("198.51.100.0/24", "0.0.0.0/0").replace("    egress: []\n", ""))
    words = (WEB, "--rules", tmp_path / "open.yaml", "--filter", "tcp port 80 and host 198.51.100.7")
    status, out, err = run(capsys, *words)
    assert (status, out) == (0, "")
    assert err.splitlines()[-1] == "eniwall: 0 flow entries have been shown. 2 connections not tracked."
    assert json.loads(run(capsys, *words, "--json")[1])["untracked"] == 2


# --- words -----------------------------------------------------------------------------------------------
def test_the_table_goes_to_output_and_its_count_to_errors(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, WEB, "--rules", WEB_RULES, "--at", "4")
    assert status == 0
    assert out == (
        "tcp      6 60 SYN_RECV src=198.51.100.7 dst=10.0.1.10 sport=58618 dport=80 src=10.0.1.10 dst=198.51.100.7 "
        "sport=80 dport=58618 mark=0 use=1 eni=eni-web flow=1 rule=web:ingress[0]\n"
    )
    assert err == "eniwall: 1 flow entries have been shown.\n"


def test_lines_are_sorted_by_interface_and_flow(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, WEB, "--rules", WEB_RULES)
    flows = [int(line.split(" flow=")[1].split()[0]) for line in out.splitlines()]
    assert flows == sorted(flows) == [1, 2, 3]


def test_json_has_the_same_entries(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, WEB, "--rules", WEB_RULES, "--at", "13", "--json")
    found = json.loads(out)
    assert (found["format"], found["at"]["packet"], found["total"]) == (1, 13, 2)
    assert set(found["entries"][1]) == {
        *("eni", "flow", "protocol", "protocol_number", "timeout", "expires", "state", "original", "reply"),
        *("replied", "assured", "rule"),
    }
    assert found["entries"][1]["original"] == {"src": "198.51.100.7", "dst": "10.0.1.10", "sport": 58620, "dport": 80}
    assert (found["entries"][1]["replied"], found["entries"][0]["assured"]) == (False, True)


def test_a_packet_behind_the_end_is_an_error_with_the_number_of_packets(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, WEB, "--rules", WEB_RULES, "--at", "57")
    assert (status, out, err) == (2, "", "eniwall: --at 57: the capture has only 56 packets\n")


def test_the_number_counts_the_last_of_several_captures(capsys: pytest.CaptureFixture[str]) -> None:
    idle = SAMPLES / "idle.pcap"
    status, _, err = run(capsys, WEB, idle, "--rules", WEB_RULES, "--at", "18")
    assert (status, err) == (2, "eniwall: --at 18: the capture has only 17 packets\n")
    _, out, _ = run(capsys, WEB, idle, "--rules", WEB_RULES, "--at", "1", "--json")
    assert json.loads(out)["at"]["capture"].endswith("idle.pcap")
    assert json.loads(out)["total"] == 3  # everything of the earlier capture was judged before


def test_a_packet_that_the_filter_leaves_out_still_says_when(capsys: pytest.CaptureFixture[str]) -> None:
    everything = ("--rules", WEB_RULES, "--filter", "tcp port 80", "--json")
    _, out, _ = run(capsys, WEB, *everything, "--at", "43")  # 43 and 44 are of port 22
    assert json.loads(out)["at"]["packet"] == 42
    with open_capture(str(WEB)) as capture:
        last = sum(batch.rows for batch in capture.batches())
    _, out, _ = run(capsys, WEB, *everything, "--at", str(last))
    assert json.loads(out)["at"]["packet"] <= last
    status, _, err = run(capsys, WEB, *everything, "--at", "57")
    assert (status, err) == (2, "eniwall: --at 57: the capture has only 56 packets\n")
    status, _, err = run(capsys, SAMPLES / "idle.pcap", WEB, *everything, "--at", "57")
    assert (status, err) == (2, "eniwall: --at 57: the capture has only 56 packets\n")


def test_the_first_packet_is_number_one(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, WEB, "--rules", WEB_RULES, "--at", "0")
    assert (status, "--at" in err) == (2, True)


def test_an_interface_must_be_known(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.partition("interfaces:")[0])
    status, _, err = run(capsys, WEB, "--rules", rules, "--at", "5")
    assert (status, "which address is the interface?" in err) == (2, True)


def test_the_document_shows_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "state.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n\$ eniwall state (.*?)\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(ROOT)
    for words, shown in blocks:
        status, out, err = run(capsys, *words.split())
        assert (status, out + err) == (0, shown)
