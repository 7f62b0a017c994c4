"""What explain says agrees with what the engine recorded; what is asked for wrongly ends in a sentence."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from firewall import cli
from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.explain.explainer import Explainer
from firewall.explain.phases import Explanation
from firewall.interfaces import busiest
from firewall.labels import Labels
from firewall.run.explain import ONE_OF
from pcaps.capture import open_capture
from pcaps.samples import rules, sample
from tests.firewall.explain_cases import CLIENT, TWO_TIERS, WEB, WEB_RULES, crafted, handshake, tcp

SAMPLES = ("web-http", "instance-fetches", "idle", "dns", "ping", "closed-port", "database")
WEB_CAPTURE, WEB_FILE = str(sample("web-http")), str(rules("web-http"))


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", *map(str, words)])
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capsys.readouterr()


def told(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    return out


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    return err.removeprefix("eniwall: ").rstrip("\n")


@pytest.fixture
def web_rules(tmp_path: Path) -> Path:
    path = tmp_path / "web.yaml"
    path.write_text(WEB_RULES)
    return path


# --- the engine's own words ------------------------------------------------------------------------------
def engine_rows(path: str, rule_file: str, **how: Any) -> list[dict[str, Any]]:
    firewall = Firewall.from_file(rule_file, **how)
    with open_capture(path, verify=firewall.verifies) as capture:
        labels = Labels.of(firewall, capture.names)
        return [row for judged in firewall.replay(capture) for row in row_cells(judged, labels)]


def all_explained(path: str, rule_file: str, frames: Iterable[int], **how: Any) -> list[Explanation]:
    firewall = Firewall.from_file(rule_file, **how)
    with open_capture(path, verify=firewall.verifies) as capture:
        return list(Explainer(firewall, capture.names).of_capture(capture, [(0, frame) for frame in frames]))


def said(explanations: list[Explanation]) -> list[tuple[Any, ...]]:
    return [
        (
            each.packet,
            at.eni or None,
            at.direction or None,
            at.verdict,
            at.reason,
            at.ct_state or None,
            at.flow,
            at.rule or None,
        )
        for each in explanations
        for at in each.passages
    ]


NAMES = ("packet", "eni", "direction", "verdict", "reason", "ct_state", "flow", "rule")


def agree(path: str, rule_file: str, **how: Any) -> int:
    """Explain every packet; the passages are the engine's rows. How many there were."""
    rows = engine_rows(path, rule_file, **how)
    frames = sorted({row["packet"] for row in rows})[:MOST_PACKETS]
    rows = [row for row in rows if row["packet"] <= frames[-1]]
    explanations = all_explained(path, rule_file, frames, **how)
    assert {row["reason"] for row in rows} != {"other-interface"}
    assert said(explanations) == [tuple(row[name] or None for name in NAMES) for row in rows]
    for each in explanations:
        assert str(each).count("VERDICT") == len(each.passages)
        for passage in each.passages:
            assert_rules_agree(passage)
    return len(rows)


def assert_rules_agree(passage: Any) -> None:
    """The rule that the row names is the first whose fields all match; where none is named, none does."""
    phase = next((phase for phase in passage.phases if phase.kind == "rules"), None)
    if phase is None or not phase.candidates:
        return
    matching = [each.name for each in phase.candidates if not each.fails]
    if passage.reason in ("rule", "untracked"):
        assert matching[0] == passage.rule
    elif passage.reason.startswith("no-"):
        assert matching == []


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("profile", ["aws", "linux"])
def test_every_packet_of_a_sample_is_explained_as_it_was_judged(name: str, profile: str) -> None:
    assert agree(str(sample(name)), str(rules(name)), profile=profile) > 0


REAL = (
    "frag-zeek-fragmented-syn.pcap",
    "frag-zeek-ipv6-fragmented-dns.pcap",
    "l2-zeek-mixed-vlan-mpls.pcap",
    "l4-sv-icmp-ping-plus-weird-code.pcap",
    "l4-zeek-sctp.pcap",
    "tcp-sv-split-handshake-4whs.pcap",
    "tcp-sv-tcp-rst-with-data.pcap",
    "tcp-zeek-missing-syn.pcap",
    "tcp-zeek-ssh.client-side-half-duplex.pcap",
    "tun-zeek-vxlan-encapsulated-http.pcap",
)
MOST_PACKETS = 150  # of one capture


@pytest.mark.parametrize("profile", ["aws", "linux"])
@pytest.mark.parametrize("name", REAL)
def test_every_packet_of_a_real_capture_is_explained_as_it_was_judged(
    name: str, profile: str, captures: Path, web_rules: Path
) -> None:
    path = str(captures / name)
    with open_capture(path) as capture:
        eni = busiest(next(capture.batches()).slice(0, MOST_PACKETS))[0].address
    assert agree(path, str(web_rules), profile=profile, enis=[eni]) > 0


# --- what is asked for -----------------------------------------------------------------------------------
def test_a_late_packet_is_found_without_reading_on(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, WEB_CAPTURE, "--packet", "43", "--rules", WEB_FILE, "--quick")
    assert "  DENY at eni-web, ingress: no-ingress-rule\n" in out
    assert "Adding tcp 22 from 203.0.113.9/32 to web's ingress rules would admit it.\n" in out


def test_the_last_of_several_crafted_packets_is_explained(capsys: pytest.CaptureFixture[str], web_rules: Path) -> None:
    words = [*crafted(*handshake()), "--rules", str(web_rules)]
    assert told(capsys, *words).startswith("Crafted packet 3, at 0.002000 s\n")
    assert told(capsys, *words, "--packet", "2").startswith("Crafted packet 2, at 0.001000 s\n")


def test_a_crafted_packet_finds_the_table_behind_a_captured_one(capsys: pytest.CaptureFixture[str]) -> None:
    reset = tcp(CLIENT, WEB, 58620, 80, "R", ", seq=3929706332")
    out = told(capsys, *crafted(reset), "--after", f"{WEB_CAPTURE}:20", "--rules", WEB_FILE, "--quick")
    assert "opened by packet 13 of " in out
    assert "    Its state goes from ESTABLISHED to CLOSE: reset.\n" in out
    fresh = told(capsys, *crafted(reset), "--rules", WEB_FILE, "--quick")
    assert "  DENY at eni-web, ingress: mid-stream\n" in fresh


def test_behind_the_end_of_a_capture_its_connections_are_closed(capsys: pytest.CaptureFixture[str]) -> None:
    late = tcp(CLIENT, WEB, 58618, 80, "PA", ", seq=355817016, ack=2947206685", time="200")
    out = told(capsys, *crafted(late), "--after", WEB_CAPTURE, "--rules", WEB_FILE, "--set", "tcp_loose=0", "--quick")
    assert "  DENY at eni-web, ingress: expired\n" in out
    assert " had closed it (TIME_WAIT).\n" in out


def test_each_kind_of_denial_is_explained_once_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, WEB_CAPTURE, "--denied", "--first", "3", "--rules", WEB_FILE, "--quick")
    assert out.startswith("14 packets are denied, of 8 kinds; here is the first packet of 3 of them (--first N).\n")
    assert [line for line in out.splitlines() if line.startswith("Packet ")] == [
        f"Packet {number} of {WEB_CAPTURE}, 2026-11-23 13:25:56.{micro} UTC"
        for number, micro in ((43, 347614), (45, 358200), (55, 397124))
    ]
    assert "4 more packets of the capture are denied alike.\n" in out


def test_where_nothing_is_denied_that_is_said(capsys: pytest.CaptureFixture[str], web_rules: Path) -> None:
    out = told(capsys, *crafted(*handshake()), "--denied", "--rules", web_rules)
    assert out == "No packet is denied.\n"


def test_the_story_of_a_connection_tells_quiet_packets_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, WEB_CAPTURE, "--flow", "eni-web:1", "--rules", WEB_FILE) == (
        "Flow 1 at eni-web: 198.51.100.7:58618 -> 10.0.1.10:80 tcp, opened under web:ingress[0].\n"
        "\n"
        "+0.000000 s  packet 3: 198.51.100.7 sends SYN; it is allowed; no entry -> SYN_SENT (a new connection)\n"
        "+0.000013 s  packet 4: 10.0.1.10 sends SYN ACK; it is allowed; SYN_SENT -> SYN_RECV (the answer)\n"
        "+0.000026 s  packet 5: 198.51.100.7 sends ACK; it is allowed; SYN_RECV -> ESTABLISHED"
        " (the third packet of the handshake)\n"
        "+0.000133 s  packets 6 to 9: 4 packets in 0.000 s, 358 bytes of data, all allowed;"
        " the state stays ESTABLISHED\n"
        "+0.000424 s  packet 10: 198.51.100.7 sends FIN ACK; it is allowed; ESTABLISHED -> FIN_WAIT (the first FIN)\n"
        "+0.000505 s  packet 11: 10.0.1.10 sends FIN ACK; it is allowed; FIN_WAIT -> LAST_ACK"
        " (another FIN, or the same one again)\n"
        "+0.000523 s  packet 12: 198.51.100.7 sends ACK; it is allowed; LAST_ACK -> TIME_WAIT"
        " (the last FIN is acknowledged)\n"
        "\n"
        "It was closed by packet 12.\n"
        "At the end of the capture its entry is held; without another packet it is gone at 13:27:56.316732,"
        " in 119.919 s.\n"
    )


def test_a_packet_of_a_refused_connection_points_to_its_first(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, WEB_CAPTURE, "--packet", "49", "--rules", WEB_FILE)
    assert "Its connection was refused before: packet 45 is no-egress-rule. That is the one to ask about.\n" in out
    assert "Adding" not in out


def test_two_interfaces_are_two_passages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "tiers.yaml"
    path.write_text(TWO_TIERS)
    out = told(capsys, *crafted(tcp("10.0.1.20", "10.0.2.30", 40000, 3306, "S")), "--rules", path, "--json")
    (explained,) = json.loads(out)["explanations"]
    assert [(each["eni"], each["direction"], each["reason"]) for each in explained["passages"]] == [
        ("eni-app", "egress", "rule"),
        ("eni-db", "ingress", "no-ingress-rule"),
    ]
    assert (explained["verdict"], explained["reason"]) == ("DENY", "no-ingress-rule")


# --- replays ---------------------------------------------------------------------------------------------
def test_what_an_added_rule_admits_is_what_a_replay_with_it_admits(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = json.loads(told(capsys, WEB_CAPTURE, "--packet", "45", "--rules", WEB_FILE, "--json"))
    (passage,) = out["explanations"][0]["passages"]
    assert (passage["addition"], passage["group"]) == ("tcp 80 to 192.0.2.80/32", "web")
    wider = tmp_path / "wider.yaml"
    wider.write_text(
        Path(WEB_FILE)
        .read_text()
        .replace("egress: []", "egress: [{protocol: tcp, ports: 80, destination: 192.0.2.80/32}]")
    )
    rows = [row for row in engine_rows(WEB_CAPTURE, str(wider)) if row["rule"] == "web:egress[0]"]
    assert len(rows) > 0
    assert passage["admits"] == {"connections": len({row["flow"] for row in rows}), "packets": len(rows)}


def test_the_other_choice_says_what_a_replay_with_that_switch_says(
    capsys: pytest.CaptureFixture[str], web_rules: Path
) -> None:
    words = [*crafted(tcp(CLIENT, WEB, 40000, 80, "A")), "--rules", str(web_rules)]
    (choice,) = json.loads(told(capsys, *words, "--json"))["explanations"][0]["passages"][0]["choices"]
    assert (choice["setting"], choice["other"]) == ("tcp_loose=1", "tcp_loose=0")
    assert (choice["verdict"], choice["reason"]) == ("DENY", "mid-stream")
    assert "  DENY at eni-web, ingress: mid-stream\n" in told(capsys, *words, "--set", "tcp_loose=0")


def test_a_packet_of_a_connection_opened_in_the_middle_owes_its_verdict_to_that_choice(
    capsys: pytest.CaptureFixture[str], web_rules: Path
) -> None:
    reply = tcp(WEB, CLIENT, 80, 40000, "A", ", seq=1, ack=1")
    out = told(capsys, *crafted(tcp(CLIENT, WEB, 40000, 80, "A", ", seq=1, ack=1"), reply), "--rules", web_rules)
    assert "  ALLOW at eni-web, egress: established\n" in out
    assert "    With --set tcp_loose=0 the verdict flips to DENY mid-stream.\n" in out


# --- what cannot be --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param((), ONE_OF, id="nothing asked"),
        pytest.param(("--packet", "1", "--denied"), ONE_OF, id="two things asked"),
        pytest.param(("--packet", "99"), "--packet 99: the capture has only 56 packets", id="beyond the end"),
        pytest.param(
            ("--packet", "1", "--filter", "tcp"), "--packet 1: --filter leaves this packet out", id="filtered"
        ),
        pytest.param(
            ("--packet", "56", "--filter", "port 22"), "--packet 56: --filter leaves this packet out", id="filtered end"
        ),
        pytest.param(
            ("--packet", "1", "--after", "a.pcap"),
            "--after gives crafted packets a table: name them with --craft",
            id="after without craft",
        ),
        pytest.param(("--flow", "99"), "--flow 99: no such flow up to here; eni-web has 3 flows", id="no such flow"),
    ],
)
def test_a_mistake_ends_in_a_sentence(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, WEB_CAPTURE, *words, "--rules", WEB_FILE) == message


def test_standard_input_cannot_be_read_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "-", "--denied", "--rules", WEB_FILE) == (
        "--denied reads the capture twice: save standard input to a file first"
    )


@pytest.mark.parametrize("number", ["0", "99"])
def test_a_table_behind_a_packet_that_is_not_there(capsys: pytest.CaptureFixture[str], number: str) -> None:
    words = [*crafted(tcp(CLIENT, WEB, 1, 80, "S")), "--after", f"{WEB_CAPTURE}:{number}", "--rules", WEB_FILE]
    assert number in refused(capsys, *words)


def test_names_of_files_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "red\x1b[31m.pcap"
    path.write_bytes(Path(WEB_CAPTURE).read_bytes())
    out = told(capsys, path, "--packet", "43", "--rules", WEB_FILE)
    assert "\x1b" not in out
    assert "red\\x1b[31m.pcap" in out
