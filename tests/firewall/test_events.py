"""Rules that change on the way: when a change is made, what it changes, what its file must say."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.engine import Firewall
from firewall.errors import RuleFileError
from firewall.model import RuleSet
from firewall.sources import load_rules
from firewall.sources.events import load_events
from firewall.verdict import REASON_WORDS
from pcaps.capture import FrameCapture
from pcaps.conversation import tcp_conversation
from pcaps.craft import packets_to_frames, parse
from tests.support import CLIENT, ENI, Cells, rows

RULES = f"""
security_groups:
  web:
    ingress:
      - {{protocol: tcp, ports: 22, source: {CLIENT}/32}}
      - {{protocol: tcp, ports: 443, source: pl:office}}
    egress: [{{protocol: all, destination: 0.0.0.0/0}}]
  open:
    ingress: [{{protocol: tcp, ports: 22, source: 0.0.0.0/0, id: sgr-22}}]
    egress: [{{protocol: all, destination: 0.0.0.0/0}}]
  isolated: {{ingress: [], egress: []}}
prefix_lists:
  office: {{entries: [203.0.113.0/24], max_entries: 10, version: 4}}
subnets:
  a: {{cidr: 10.0.1.0/24, network_acl: edge}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}}]
interfaces:
  eni: {{addresses: [{ENI}], security_groups: [web], subnet: a}}
"""

DENY_OUT = "{number: 100, action: deny, protocol: all, destination: 0.0.0.0/0}"
NO_ACTION = (
    "events[0] - an event has one action, found 0: write one of revoke, authorize, replace_groups, "
    "modify_prefix_list, put_entries, delete_entries"
)
NO_VERSION = (
    "events[0].modify_prefix_list - a new version is said by add and remove, or by entries: write one or the other"
)
NO_ENTRY = (
    "events[0].delete_entries[0] - no network ACL entry 'edge:ingress[7]' at this point: "
    "did you mean edge:ingress[100]?"
)


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def written(path: Path, *events: str) -> Path:
    file = path.with_name("events.yaml")
    file.write_text("events:\n" + "".join(f"  - {event}\n" for event in events))
    return file


def problems(path: Path, *events: str) -> list[str]:
    with pytest.raises(RuleFileError) as refused:
        load_events(written(path, *events), load_rules(path))
    return [line.split(" ", 1)[1] for line in refused.value.problems]


def after(path: Path, *events: str) -> RuleSet:
    rules = load_rules(path)
    for event in load_events(written(path, *events), rules):
        rules = event.change(rules)
    return rules


def session(port: int = 22) -> list[Any]:
    """Eleven packets: handshake, request, answer, close."""
    return list(tcp_conversation(CLIENT, ENI, dport=port, request=b"hello", response=b"world"))


def syn(source: str, port: int, sport: int = 50000) -> Any:
    (packet,) = parse(f'IP(src="{source}", dst="{ENI}")/TCP(sport={sport}, dport={port}, flags="S")')
    return packet


def judged(path: Path, packets: Any, *events: str, **settings: str) -> tuple[list[Cells], Firewall]:
    firewall = Firewall.from_file(str(path), settings=settings, events=str(written(path, *events)))
    return rows(firewall, FrameCapture(packets_to_frames(packets))), firewall


def reasons(found: list[Cells]) -> list[str]:
    return [row["reason"] for row in found]


# --- when ------------------------------------------------------------------------------------------------
def test_a_change_at_a_packet_is_made_before_that_packet(rule_file: Path) -> None:
    packets = [syn(CLIENT, 22, port) for port in range(50000, 50006)]
    found, firewall = judged(rule_file, packets, '{packet: 4, revoke: ["web:ingress[0]"]}')
    assert reasons(found) == ["rule"] * 3 + ["no-ingress-rule"] * 3
    assert [(each.packet, each.text) for each in firewall.timeline.applied] == [(4, "revoke web:ingress[0]")]


@pytest.mark.parametrize("moment", ["after: 2.5", "after: 3", 'time: "1970-01-01T00:01:42.5Z"'])
def test_a_change_at_a_time_is_made_before_the_first_packet_that_is_not_earlier(rule_file: Path, moment: str) -> None:
    packets = [syn(CLIENT, 22, port) for port in range(50000, 50006)]
    for at, packet in enumerate(packets):
        packet.time = 100 + at
    found, _ = judged(rule_file, packets, f'{{{moment}, revoke: ["web:ingress[0]"]}}')
    assert reasons(found) == ["rule"] * 3 + ["no-ingress-rule"] * 3


def test_a_change_never_comes_before_the_one_above_it(rule_file: Path) -> None:
    packets = [syn(CLIENT, 22, port) for port in range(50000, 50006)]
    events = ('{packet: 5, revoke: ["web:ingress[0]"]}', "{packet: 1, authorize: {group: web, ingress: [SSH]}}")
    ssh = "{type: SSH, source: 198.51.100.0/24}"
    found, firewall = judged(rule_file, packets, *(event.replace("SSH", ssh) for event in events))
    assert [row["rule"] for row in found] == ["web:ingress[0]"] * 4 + ["web:ingress[2]"] * 2
    assert [each.packet for each in firewall.timeline.applied] == [5, 5]


def test_a_change_behind_the_last_packet_is_warned_of(rule_file: Path) -> None:
    _, firewall = judged(rule_file, [syn(CLIENT, 22)], '{packet: 9, revoke: ["web:ingress[0]"]}')
    assert [str(each) for each in firewall.warnings] == [
        "no packet of the capture comes behind this change: revoke web:ingress[0]"
    ]


def test_packets_judged_one_by_one_meet_the_changes_too(rule_file: Path) -> None:
    events = load_events(written(rule_file, '{packet: 2, revoke: ["web:ingress[0]"]}'), load_rules(rule_file))
    firewall = Firewall(load_rules(rule_file), events=events)
    found = firewall.judge([syn(CLIENT, 22, 50000), syn(CLIENT, 22, 50001), syn(CLIENT, 22, 50002)])
    assert [row["reason"] for row in found] == ["rule", "no-ingress-rule", "no-ingress-rule"]


# --- what becomes of connections ---------------------------------------------------------------------------
def test_a_tracked_connection_lives_on_and_a_new_one_does_not_start(rule_file: Path) -> None:
    packets = [*session(), syn(CLIENT, 22)]
    found, _ = judged(rule_file, packets, '{packet: 4, revoke: ["web:ingress[0]"]}')
    assert set(reasons(found)[1:-1]) == {"established"}
    assert reasons(found)[-1] == "no-ingress-rule"


def test_an_untracked_connection_stops_at_once(rule_file: Path) -> None:
    events = ("{packet: 1, replace_groups: {interface: eni, security_groups: [open]}}", "{packet: 4, revoke: [sgr-22]}")
    found, _ = judged(rule_file, session(), *events)
    inward = [row for row in found if row["direction"] == "ingress"]
    assert [row["reason"] for row in inward[:2]] == ["untracked", "untracked"]
    assert {row["reason"] for row in inward[2:]} == {"no-ingress-rule"}
    assert {row["reason"] for row in found if row["direction"] == "egress"} == {"untracked"}


@pytest.mark.parametrize(("on_widen", "reason"), [("keep", "established"), ("convert", "untracked")])
def test_a_connection_that_the_rules_now_leave_open_both_ways_stays_tracked_or_not(
    rule_file: Path, on_widen: str, reason: str
) -> None:
    widen = "{packet: 4, authorize: {group: web, ingress: [{type: SSH, source: 0.0.0.0/0}]}}"
    found, firewall = judged(rule_file, session(), widen, on_widen=on_widen)
    assert set(reasons(found)[3:]) == {reason}
    kept = "stay tracked" if on_widen == "keep" else "are left untracked"
    assert f"changed rules open both ways to 1 connection, which {kept} (on_widen={on_widen})" in firewall.assumptions


def test_other_groups_leave_connections_alone_and_keep_new_ones_out(rule_file: Path) -> None:
    packets = [*session()[:6], syn(CLIENT, 22)]
    isolate = "{packet: 4, replace_groups: {interface: eni, security_groups: [isolated]}}"
    found, _ = judged(rule_file, packets, isolate)
    assert reasons(found) == ["rule", *["established"] * 5, "no-ingress-rule"]


def test_a_new_version_of_a_prefix_list_counts_from_its_packet_on(rule_file: Path) -> None:
    packets = [syn(CLIENT, 443), syn("203.0.113.9", 443), syn(CLIENT, 443), syn("203.0.113.9", 443, 50001)]
    event = f"{{packet: 3, modify_prefix_list: {{list: office, add: [{CLIENT}/32], remove: [203.0.113.0/24]}}}}"
    found, firewall = judged(rule_file, packets, event)
    assert reasons(found) == ["no-ingress-rule", "rule", "rule", "no-ingress-rule"]
    assert firewall.timeline.applied[0].text == "office version 5"


def test_a_network_acl_entry_breaks_and_its_removal_mends_a_connection_that_lives(rule_file: Path) -> None:
    deny = "{number: 90, action: deny, protocol: tcp, ports: 22, source: 0.0.0.0/0}"
    events = (
        f"{{packet: 4, put_entries: {{network_acl: edge, ingress: [{deny}]}}}}",
        '{packet: 6, delete_entries: ["edge:ingress[90]"]}',
    )
    start, request = session()[:3], session()[3]
    found, _ = judged(rule_file, [*start, request, request, request], *events)
    assert reasons(found) == ["rule", "established", "established", "nacl-ingress", "nacl-ingress", "established"]
    assert [row["rule"] for row in found][2:5] == ["web:ingress[0]", "edge:ingress[90]", "edge:ingress[90]"]
    assert (found[3]["tcp_state"], found[3]["flow"], found[3]["ct_state"]) == ("ESTABLISHED", 1, None)


def test_a_thread_that_reads_ahead_of_a_change_leaves_its_packets_to_the_rules_behind_it(rule_file: Path) -> None:
    deny = "{number: 90, action: deny, protocol: tcp, ports: 22, source: 0.0.0.0/0}"
    events = written(rule_file, f"{{packet: 2, put_entries: {{network_acl: edge, ingress: [{deny}]}}}}")
    firewall = Firewall.from_file(str(rule_file), events=str(events))
    capture = FrameCapture(packets_to_frames([syn(CLIENT, 22, port) for port in range(50000, 50004)]))
    batches = iter([batch.slice(*rows) for batch in capture.batches() for rows in ((0, 2), (2, 4))])
    reading = firewall._ahead(capture, batches)  # noqa: SLF001  (a thread's turns, taken by hand)
    judging = firewall._judge(*next(reading))  # noqa: SLF001  (as above)
    found = [next(judging)]  # the change was met, and is not made yet
    read_too_early = next(reading)
    found += [*judging, *firewall._judge(*read_too_early)]  # noqa: SLF001  (as above)
    told = [REASON_WORDS[code] for waiting in found for code in waiting.settled().verdicts.reason.tolist()]
    assert told == ["rule", "nacl-ingress", "nacl-ingress", "nacl-ingress"]


# --- what the file must say -------------------------------------------------------------------------------
def test_each_event_is_read_with_the_rules_as_the_events_above_it_left_them(rule_file: Path) -> None:
    again = '{packet: 1, revoke: ["web:ingress[0]"]}'
    assert problems(rule_file, again, again) == [
        "events[1].revoke[0] - no rule 'web:ingress[0]' at this point: did you mean web:ingress[1]?"
    ]


def test_the_changed_rule_set_holds_what_the_events_say(rule_file: Path) -> None:
    rules = after(
        rule_file,
        '{packet: 1, revoke: ["web:ingress[1]", sgr-22]}',
        "{packet: 2, authorize: {group: web, egress: [{protocol: udp, ports: 53, destination: 192.0.2.53/32}]}}",
        "{packet: 3, modify_prefix_list: {list: office, entries: [192.0.2.0/24]}}",
        f"{{packet: 4, put_entries: {{network_acl: edge, egress: [{DENY_OUT}]}}}}",
    )
    assert [each.name for each in rules.groups["web"].ingress] == ["web:ingress[0]"]
    assert rules.groups["open"].ingress == ()
    assert [each.name for each in rules.groups["web"].egress] == ["web:egress[0]", "web:egress[1]"]
    assert rules.prefix_lists["office"].entries == (ip_network("192.0.2.0/24"),)
    assert [(each.number, each.action) for each in rules.network_acls["edge"].egress] == [(100, "deny")]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("{packet: 0, revoke: []}", "events[0].packet - 0 is no frame number: write one from 1, as Wireshark shows it"),
        ("{after: -1, revoke: []}", "events[0].after - -1 is no number of seconds: write one like 12.5"),
        (
            "{time: 2026-01-02, revoke: []}",
            "events[0].time - '2026-01-02' is no time with a zone: write one like 2026-01-02T03:04:05.5Z",
        ),
        ("{revoke: []}", "events[0] - an event happens once, found 0 moments: write one of packet, time, after"),
        ("{packet: 1}", NO_ACTION),
        (
            "{packet: 1, authorise: {}}",
            "events[0].authorise - unknown key 'authorise': did you mean authorize?",
        ),
        (
            "{packet: 1, authorize: {group: web, ingress: [{protocol: tcp, ports: 70000, source: 0.0.0.0/0}]}}",
            "events[0].authorize.ingress[0].ports - port 70000 is out of range: ports run from 0 to 65535",
        ),
        (
            "{packet: 1, replace_groups: {interface: eni-x, security_groups: [web]}}",
            "events[0].replace_groups.interface - no interface 'eni-x' at this point: did you mean eni?",
        ),
        ("{packet: 1, modify_prefix_list: {list: office}}", NO_VERSION),
        ('{packet: 1, delete_entries: ["edge:ingress[7]"]}', NO_ENTRY),
    ],
    ids=lambda value: value if value.startswith("{") else "",
)
def test_a_mistake_in_an_event_is_told_with_its_place_and_cure(rule_file: Path, event: str, message: str) -> None:
    assert message in problems(rule_file, event)


def test_a_file_without_events_says_what_to_write(rule_file: Path) -> None:
    file = rule_file.with_name("empty.yaml")
    file.write_text("event: []\n")
    with pytest.raises(RuleFileError, match=r"unknown key 'event': did you mean events\?"):
        load_events(file, load_rules(rule_file))


# --- names and versions --------------------------------------------------------------------------------------
def test_a_name_that_several_have_needs_the_id(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    group = '{"GroupName": "default", "VpcId": "vpc-%d", "GroupId": "sg-%d"}'
    path.write_text(f'{{"SecurityGroups": [{group % (1, 1)}, {group % (2, 2)}]}}')
    ssh = "ingress: [{type: SSH, source: 0.0.0.0/0}]"
    assert problems(path, f"{{packet: 1, authorize: {{group: default, {ssh}}}}}") == [
        "events[0].authorize.group - 'default' names 2 security groups: write the id in place of the name"
    ]


def test_no_two_rules_of_a_replay_share_a_name(rule_file: Path) -> None:
    rules = after(
        rule_file,
        '{packet: 1, revoke: ["web:ingress[1]"]}',
        "{packet: 2, authorize: {group: web, ingress: [{type: HTTP, source: 0.0.0.0/0}]}}",
    )
    assert [each.name for each in rules.groups["web"].ingress] == ["web:ingress[0]", "web:ingress[2]"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('add: ["::/0"]', "::/0 is no IPv4 block: a prefix list holds one address family"),
        ("remove: [192.0.2.0/24]", "192.0.2.0/24 is not in office at this point: delete it here"),
        (f"add: [{', '.join(f'192.0.2.{n}/32' for n in range(10))}]", "11 entries, but max_entries of office is 10"),
    ],
    ids=["family", "absent", "too many"],
)
def test_a_version_that_aws_would_refuse_is_refused(rule_file: Path, change: str, message: str) -> None:
    found = problems(rule_file, f"{{packet: 1, modify_prefix_list: {{list: office, {change}}}}}")
    assert [line.partition(" - ")[2] for line in found] == [message]


def test_a_new_syn_on_an_untracked_tuple_is_decided_by_the_rules_as_they_are_now(rule_file: Path) -> None:
    """The same client port again: the connection of before says nothing about the new one."""
    events = (
        "{packet: 1, replace_groups: {interface: eni, security_groups: [open]}}",
        '{packet: 12, revoke: ["open:egress[0]"]}',
    )
    packets = [*session(), *session()]
    assert len(session()) == 11
    found, _ = judged(rule_file, packets, *events)
    assert set(reasons(found)[:11]) == {"untracked"}
    assert set(reasons(found)[11:]) == {"rule", "established"}


def test_connections_that_rules_open_are_counted_once(rule_file: Path) -> None:
    open_up = "{packet: 4, authorize: {group: web, ingress: [{type: SSH, source: 0.0.0.0/0}]}}"
    again = "{packet: 5, authorize: {group: web, ingress: [{type: HTTP, source: 0.0.0.0/0}]}}"
    _, firewall = judged(rule_file, session(), open_up, again)
    assert "changed rules open both ways to 1 connection, which stay tracked (on_widen=keep)" in firewall.assumptions
