"""Stepping through a capture: rows, details and the table at each step, forward and back."""

import json
from pathlib import Path
from typing import Any

import pytest

from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.labels import Labels
from firewall.life import state_word
from firewall.run.inputs import Inputs
from firewall.run.state import run_state
from firewall.steps import Steps
from firewall.steps import track as tracks
from firewall.steps.table import MOST_ROWS
from pcaps.capture import FrameCapture, open_capture
from pcaps.samples import sample
from tests.firewall.stepping import (
    CLIENT,
    HANDSHAKE,
    READINGS,
    RULES,
    WEB,
    crafted_steps,
    fates,
    firewalls,
    packets,
    sample_steps,
    states,
    tcp,
)

SAMPLES = ("web-http", "ssh", "dns")


# --- the table --------------------------------------------------------------------------------------------
def test_a_handshake_shows_its_states_in_the_table(tmp_path: Path) -> None:
    steps = crafted_steps(tmp_path, HANDSHAKE)
    assert [states(steps.detail(n)) for n in (1, 2, 3)] == [
        [("SYN_SENT", "new", None)],
        [("SYN_RECV", "changed", "SYN_SENT")],
        [("ESTABLISHED", "changed", "SYN_RECV")],
    ]
    assert [steps.detail(n)["tcp"] for n in (1, 2, 3)] == [
        {"flow": 1, "before": "NONE", "after": "SYN_SENT", "flags": "SYN"},
        {"flow": 1, "before": "SYN_SENT", "after": "SYN_RECV", "flags": "SYN ACK"},
        {"flow": 1, "before": "SYN_RECV", "after": "ESTABLISHED", "flags": "ACK"},
    ]
    assert steps.detail(3)["table"] == [
        {
            "key": "0:1",
            "eni": "eni-web",
            "flow": 1,
            "protocol": "tcp",
            "originator": "198.51.100.7:4000",
            "responder": "10.0.1.10:80",
            "state": "ESTABLISHED",
            "answered": True,
            "assured": True,
            "left": 432000.0,
            "rule": "web:ingress[0]",
            "mark": "changed",
            "was": "SYN_RECV",
        }
    ]


def test_what_another_packet_did_not_touch_stays_the_same(tmp_path: Path) -> None:
    steps = crafted_steps(tmp_path, (*HANDSHAKE, tcp("S", port=5000)))
    assert states(steps.detail(4)) == [("ESTABLISHED", "same", None), ("SYN_SENT", "new", None)]
    assert [row["left"] for row in steps.detail(4)["table"]] == [431999.0, 120.0]


def test_entries_that_time_out_between_two_packets_are_told(tmp_path: Path) -> None:
    words = (tcp("S"), tcp("S", port=5000), tcp("S", port=6000))
    detail = crafted_steps(tmp_path, words, (0, 10, 125)).detail(3)
    assert detail["waited"] == "115.000000"
    assert fates(detail) == [("0:1", "timed-out")]
    assert detail["gone"][0]["late"] == 5.0
    assert states(detail) == [("SYN_SENT", "same", None), ("SYN_SENT", "new", None)]


def test_an_entry_that_a_reset_deletes_is_gone(tmp_path: Path) -> None:
    detail = crafted_steps(tmp_path, (tcp("S"), tcp("RA", out=True, ack=101))).detail(2)
    assert (fates(detail), detail["table"]) == ([("0:1", "deleted")], [])
    assert detail["tcp"] == {"flow": 1, "before": "SYN_SENT", "after": "NONE", "flags": "RST ACK"}


def test_a_port_that_is_used_again_replaces_the_entry(tmp_path: Path) -> None:
    closing = (tcp("R", seq=101), tcp("S", seq=90000))
    detail = crafted_steps(tmp_path, (*HANDSHAKE, *closing)).detail(5)
    assert fates(detail) == [("0:1", "replaced")]
    assert states(detail) == [("SYN_SENT", "new", None)]


def test_a_full_table_drops_an_entry_for_a_new_one(tmp_path: Path) -> None:
    words = [tcp("S", port=port) for port in (4000, 4001, 4002)]
    steps = crafted_steps(tmp_path, words, profile="linux", settings={"max": "2"})
    assert [fate for _, fate in fates(steps.detail(3))] == ["dropped"]
    assert steps.detail(3)["counts"] == {"entries": 2, "gone": 1, "untracked": 0}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_table_of_every_packet_is_what_state_shows(name: str) -> None:
    rules = str(sample(name).parent / f"{name}.yaml")
    steps = sample_steps(name)
    rows = steps.rows(1, steps.count)
    seen = 0
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if following is not None and following["packet"] == row["packet"]:
            continue  # a packet at two interfaces: state shows what it left at both
        shown = run_state(Inputs((str(sample(name)),), (rules,)), row["packet"], None, "")
        detail = steps.detail(row["n"])
        assert [(each["eni"], each["flow"], each["state"], each["left"], each["rule"]) for each in detail["table"]] == [
            (each.eni, each.flow, state_word(each), round(each.expires_in, 6), each.rule) for each in shown.connections
        ]
        assert detail["counts"]["untracked"] == shown.untracked
        seen += len(detail["table"])
    assert seen > 50


@pytest.mark.parametrize("name", SAMPLES)
def test_going_back_shows_what_going_forward_showed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tracks.EVERY, "interpreted", 7)  # several firewalls are kept
    monkeypatch.setitem(tracks.EVERY, "compiled", 7)
    steps = sample_steps(name)
    numbers = range(1, steps.count + 1)
    forward = [steps.detail(n) for n in numbers]
    assert [steps.detail(n) for n in reversed(numbers)] == forward[::-1]
    mixed = [n * 17 % steps.count + 1 for n in range(40)]
    assert [steps.detail(n) for n in mixed] == [forward[n - 1] for n in mixed]


def test_few_firewalls_are_kept_of_a_table_that_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tracks.EVERY, "interpreted", 2)
    monkeypatch.setitem(tracks.EVERY, "compiled", 2)
    full = [sample_steps("web-http").detail(n) for n in (1, 20, 56)]
    monkeypatch.setattr(tracks, "MOST_KEPT", 1 << 10)  # eight entries
    steps = sample_steps("web-http")
    assert 2 <= len(steps._track.kept) <= 8  # noqa: SLF001  (what is kept shows nowhere else)
    assert [steps.detail(n) for n in (1, 20, 56)] == full


def test_of_a_large_table_the_entries_that_changed_are_told(tmp_path: Path) -> None:
    count = MOST_ROWS + 20
    words = [*(tcp("S", port=2000 + number) for number in range(count)), tcp("SA", out=True, port=2001, ack=101)]
    steps = crafted_steps(tmp_path, words, [number / 100 for number in range(count + 1)])
    detail = steps.detail(count + 1)
    assert detail["counts"]["entries"] == count
    flows = [row["flow"] for row in detail["table"]]
    assert len(flows) == MOST_ROWS
    assert flows == [2, *range(count - MOST_ROWS + 2, count + 1)]
    assert [row["flow"] for row in detail["table"] if row["mark"] == "changed"] == [2]
    late = crafted_steps(tmp_path, [*words, tcp("S", port=9)], [*(n / 100 for n in range(count + 1)), 999]).detail(
        count + 2
    )
    assert (len(late["gone"]), late["counts"]["gone"]) == (MOST_ROWS, count)


# --- the readings -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SAMPLES)
def test_the_verdicts_are_those_of_three_replays(name: str) -> None:
    expected = []
    for firewall in firewalls(str(sample(name).parent / f"{name}.yaml")).values():
        with open_capture(str(sample(name))) as capture:
            labels = Labels.of(firewall, capture.names)
            rows = [cells for judged in firewall.replay(capture) for cells in row_cells(judged, labels)]
        expected.append([[row["verdict"], row["reason"], row["rule"] or ""] for row in rows])
    steps = sample_steps(name)
    assert [row["verdicts"] for row in steps.rows(1, steps.count)] == [list(row) for row in zip(*expected, strict=True)]


def test_each_reading_says_why(tmp_path: Path) -> None:
    acl = """
subnets:
  subnet-web: {cidrs: [10.0.1.0/24], network_acl: acl-web}
network_acls:
  acl-web:
    ingress: [{number: 100, protocol: tcp, ports: 80, source: 0.0.0.0/0, action: allow}]
    egress: []
"""
    steps = crafted_steps(tmp_path, HANDSHAKE, rules=RULES + acl)
    row, detail = steps.rows(2, 1)[0], steps.detail(2)
    assert row["verdicts"] == [
        ["ALLOW", "established", "web:ingress[0]"],
        ["DENY", "no-egress-rule", ""],
        ["DENY", "nacl-egress", "acl-web:egress[*]"],
    ]
    assert {name: said["en"] for name, said in detail["why"].items()} == {
        "sg": "Belongs to a connection that the table already holds, which web:ingress[0] let in.",
        "stateless": "Without a table every packet needs a rule, and no egress rule allows this one.",
        "nacl": "The subnet's network ACL denies it on the way out: acl-web:egress[*].",
    }
    assert {name: said["ko"] for name, said in detail["why"].items()} == {
        "sg": "이미 추적 중인 연결에 속함(연결을 허용한 규칙: web:ingress[0]).",
        "stateless": "테이블이 없으면 패킷마다 규칙이 필요하며, 이 패킷을 허용하는 아웃바운드 규칙이 없음.",
        "nacl": "서브넷의 네트워크 ACL이 아웃바운드에서 거부함(acl-web:egress[*]).",
    }
    phases = {name: [phase["kind"] for phase in found] for name, found in detail["explanation"].items()}
    assert phases == {
        "sg": ["read", "interface", "exempt", "check", "table", "rules", "verdict"],
        "stateless": ["read", "interface", "exempt", "check", "rules", "verdict"],
        "nacl": ["read", "interface", "exempt", "check", "network-acl", "verdict"],
    }


def test_two_interfaces_see_a_packet_one_after_the_other(tmp_path: Path) -> None:
    rules = """
security_groups:
  app: {egress: [{protocol: tcp, ports: 80, destination: 10.0.2.0/24}], ingress: []}
  web: {ingress: [{protocol: tcp, ports: 80, source: 10.0.1.0/24}], egress: []}
interfaces:
  eni-app: {addresses: [10.0.1.5], security_groups: [app]}
  eni-web: {addresses: [10.0.2.5], security_groups: [web]}
"""
    forth, back = 'IP(src="10.0.1.5", dst="10.0.2.5")/', 'IP(src="10.0.2.5", dst="10.0.1.5")/'
    words = (
        f'Ether()/{forth}TCP(sport=4000, dport=80, flags="S", seq=100)',
        f'Ether()/{back}TCP(sport=80, dport=4000, flags="SA", seq=500, ack=101)',
    )
    steps = crafted_steps(tmp_path, words, rules=rules)
    rows = steps.rows(1, 10)
    assert [(row["n"], row["packet"], row["eni"], row["direction"]) for row in rows] == [
        (1, 1, "eni-app", "egress"),
        (2, 1, "eni-web", "ingress"),
        (3, 2, "eni-web", "egress"),
        (4, 2, "eni-app", "ingress"),
    ]
    tables = [[(row["eni"], row["state"], row["mark"]) for row in steps.detail(n)["table"]] for n in (1, 2, 3, 4)]
    assert tables == [
        [("eni-app", "SYN_SENT", "new")],
        [("eni-app", "SYN_SENT", "same"), ("eni-web", "SYN_SENT", "new")],
        [("eni-app", "SYN_SENT", "same"), ("eni-web", "SYN_RECV", "changed")],
        [("eni-app", "SYN_RECV", "changed"), ("eni-web", "SYN_RECV", "same")],
    ]
    assert [steps.detail(n)["waited"] for n in (1, 2, 3, 4)] == [None, "0.000000", "1.000000", "0.000000"]


def test_fragments_have_the_verdict_of_their_datagram(tmp_path: Path) -> None:
    ends = f'src="{CLIENT}", dst="{WEB}", id=9'
    pieces = [
        f'Ether()/IP({ends}, flags="MF")/UDP(sport=4000, dport=53, len=24)/Raw(b"01234567")',
        f'Ether()/IP({ends}, frag=2, proto=17)/Raw(b"89abcdef")',
    ]
    steps = crafted_steps(tmp_path, pieces)
    assert [row["verdicts"][0][:2] for row in steps.rows(1, 2)] == [["ALLOW", "rule"], ["ALLOW", "rule"]]
    first, second = steps.detail(1), steps.detail(2)
    assert first["table"] == []  # the datagram is not whole yet
    assert states(second) == [("UNREPLIED", "new", None)]
    fields = dict(second["fields"][1]["fields"])
    assert fields["fragment"] == "id 9, from byte 16, the last"


def test_a_change_of_the_rules_stands_at_the_row_before_which_it_came(tmp_path: Path) -> None:
    events = """
events:
  - packet: 4
    revoke: web:ingress[0]
"""
    steps = crafted_steps(tmp_path, (*HANDSHAKE, tcp("S", port=5000)), events=events)
    rows = steps.rows(1, 4)
    assert [row["change"] for row in rows[:3]] == [None, None, None]
    assert "revoke" in rows[3]["change"]
    assert rows[3]["verdicts"][0] == ["DENY", "no-ingress-rule", ""]
    assert steps.detail(4)["change"] == rows[3]["change"]
    backwards = [steps.detail(n)["explanation"] for n in (4, 3, 1)]
    assert [steps.detail(n)["explanation"] for n in (1, 3, 4)] == backwards[::-1]
    told = {phase["kind"]: phase["result"] for phase in steps.detail(4)["explanation"]["sg"]}
    assert told["rules"] == "none of 2 ingress rules allows it"


def test_untracked_flows_have_no_entry_and_are_counted(tmp_path: Path) -> None:
    everybody = RULES.replace("198.51.100.0/24", "0.0.0.0/0").replace("    egress: []\n", "")
    steps = crafted_steps(tmp_path, HANDSHAKE, rules=everybody)
    detail = steps.detail(3)
    assert steps.rows(3, 1)[0]["verdicts"][0][:2] == ["ALLOW", "untracked"]
    assert (detail["table"], detail["counts"]) == ([], {"entries": 0, "gone": 0, "untracked": 1})
    assert detail["tcp"] == {"flow": None, "before": "NONE", "after": "NONE", "flags": "ACK"}


# --- words ------------------------------------------------------------------------------------------------
def test_the_scene_says_what_is_true_of_all_steps() -> None:
    scene = sample_steps("web-http").scene()
    assert {name: scene[name] for name in ("format", "title", "readings", "main", "packets", "rows", "profile")} == {
        "format": 1,
        "title": "web-http.pcap",
        "readings": ["sg", "stateless", "nacl"],
        "main": "sg",
        "packets": 56,
        "rows": 56,
        "profile": "aws",
    }
    assert (scene["first"], scene["made_acls"]) == (3, [])  # the first two are ARP
    assert scene["interfaces"] == [{"id": "eni-web", "addresses": ["10.0.1.10"], "groups": ["web"]}]
    assert "stateless: every packet meets the rules by itself, replies too" in scene["notes"]
    assert 'id="state-ESTABLISHED"' in scene["diagram"]["en"]
    assert 'id="edge-SYN_SENT-SYN_RECV"' in scene["diagram"]["en"]
    assert "<style" not in scene["diagram"]["en"]


def test_rows_are_lines_of_what_came() -> None:
    steps = sample_steps("web-http")
    assert steps.rows(4, 1) == [
        {
            "n": 4,
            "packet": 4,
            "capture": None,
            "time": "0.000036",
            "src": "10.0.1.10:80",
            "dst": "198.51.100.7:58618",
            "protocol": "tcp",
            "flags": "SYN ACK",
            "length": 60,
            "eni": "eni-web",
            "direction": "egress",
            "ct_state": "ESTABLISHED",
            "tcp_state": "SYN_RECV",
            "flow": 1,
            "change": None,
            "verdicts": [
                ["ALLOW", "established", "web:ingress[0]"],
                ["DENY", "no-egress-rule", ""],
                ["ALLOW", "rule", ""],
            ],
        }
    ]
    assert [row["n"] for row in steps.rows(50, 100)] == list(range(50, 57))
    assert steps.rows(57, 10) == steps.rows(1, 0) == []
    assert steps.rows(1, 1)[0]["src"] == ""  # ARP


def test_the_fields_are_those_of_the_decoder() -> None:
    found = sample_steps("web-http").detail(4)["fields"]
    assert [layer["layer"] for layer in found] == ["Frame", "IPv4", "TCP"]
    assert dict(found[2]["fields"]) == {
        "source port": "80",
        "destination port": "58618",
        "flags": "SYN ACK",
        "sequence number": "2947206398",
        "acknowledgement": "355816942",
        "window": "65160",
        "window scale": "10",
        "data": "0 bytes",
    }
    ping = sample_steps("ping")
    icmp = next(layer for n in range(1, 5) for layer in ping.detail(n)["fields"] if layer["layer"] == "ICMP")
    assert dict(icmp["fields"])["type"] == "8 (echo request)"


def test_everything_is_json_and_hostile_names_are_harmless(tmp_path: Path) -> None:
    name, steering = "</script><b>", "\u202e\x1b[31m"
    rules = (
        RULES.replace("eni-web:", f'"{name}":').replace("  web:\n", f'  "{name}":\n').replace("[web]", f'["{name}"]')
    )
    (tmp_path / "rules.yaml").write_text(rules)
    made = firewalls(str(tmp_path / "rules.yaml"))
    steps = Steps.of(packets(HANDSHAKE, range(3)), made, title=steering, hosts={WEB: steering})
    told: list[Any] = [steps.scene(), steps.rows(1, 3), [steps.detail(n) for n in (1, 2, 3)]]
    text = json.dumps(told, ensure_ascii=False)
    assert f"{name}:ingress[0]" in text
    assert told[0]["title"] == told[0]["hosts"][WEB] == "\\u202e\\x1b[31m"
    assert not {"\u202e", "\x1b"} & set(text)


def test_several_captures_are_named_at_each_row() -> None:
    names = [str(sample("web-http")), str(sample("ssh"))]
    folder = sample("ssh").parent
    with open_capture(*names) as capture:
        steps = Steps.of(capture, firewalls([str(folder / "web-http.yaml")]), title="Two", hosts={"10.0.1.10": "web"})
    scene = steps.scene()
    assert (scene["title"], scene["hosts"]) == ("Two", {"10.0.1.10": "web"})
    assert {row["capture"] for row in steps.rows(1, steps.count)} == set(names)


# --- limits -----------------------------------------------------------------------------------------------
def test_a_capture_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    with pytest.raises(UsageError) as caught:
        Steps.of(packets(HANDSHAKE, range(3)), firewalls(str(tmp_path / "rules.yaml")), most=2)
    assert str(caught.value) == (
        "the capture has more than 2 packets, and stepping holds them in memory:"
        " choose some with --filter, or cut the file"
    )


def test_a_step_that_is_not_there_is_refused(tmp_path: Path) -> None:
    steps = crafted_steps(tmp_path, HANDSHAKE)
    for n in (0, 4, -1):
        with pytest.raises(UsageError, match=f"^step {n}: there are 3 steps$"):
            steps.detail(n)


def test_an_empty_capture_has_no_steps(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    steps = Steps.of(FrameCapture([]), firewalls(str(tmp_path / "rules.yaml")))
    assert (steps.count, steps.rows(1, 10), steps.scene()["rows"]) == (0, [], 0)


def test_without_an_interface_the_addresses_are_named(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("security_groups:\n  web: {ingress: [], egress: []}\n")
    with pytest.raises(UsageError, match=r"10\.0\.1\.10"):
        Steps.of(packets(HANDSHAKE, range(3)), firewalls(str(tmp_path / "rules.yaml")))


def test_readings_with_other_interfaces_do_not_go_together(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES + "  eni-client: {addresses: [198.51.100.7], security_groups: [web]}\n")
    both = firewalls(str(tmp_path / "rules.yaml"))
    one = Firewall.from_file(str(tmp_path / "rules.yaml"), enis=["10.0.1.10"], reading="stateless")
    with pytest.raises(ValueError, match="the readings do not have the same rows"):
        Steps.of(packets(HANDSHAKE, range(3)), {"sg": both["sg"], "stateless": one})


def test_changed_rules_tell_the_steps_that_differ(tmp_path: Path) -> None:
    before = crafted_steps(tmp_path, HANDSHAKE)
    after = crafted_steps(
        tmp_path,
        HANDSHAKE,
        rules=RULES.replace("egress: []", "egress: [{protocol: tcp, ports: all, destination: 0.0.0.0/0}]"),
    )
    assert before.readings == READINGS
    assert after.changed_since(before) == [2]  # the stateless reading lets the answer out now
    assert before.changed_since(crafted_steps(tmp_path, HANDSHAKE)) == []
    assert before.changed_since(crafted_steps(tmp_path, HANDSHAKE[:2])) == [1, 2, 3]
