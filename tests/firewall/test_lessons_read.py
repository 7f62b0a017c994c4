"""lesson.yaml as people write it: every mistake with its place and its cure, hostile files refused."""

from pathlib import Path
from typing import NamedTuple

import pytest

from firewall.lessons.check import check
from firewall.lessons.lesson import Change, Crafted, End, Talk, Wait
from firewall.lessons.packets import laid_out
from firewall.lessons.read import read_lesson
from firewall.lessons.scene import all_judged
from pcaps.craft import frames_to_packets
from tests.firewall.lesson_folders import LINE, lesson_folder, problems, with_hosts, with_packets


# --- what is read ------------------------------------------------------------------------------------------
def test_a_new_lesson_is_whole(tmp_path: Path) -> None:
    lesson = read_lesson(lesson_folder(tmp_path))
    assert (lesson.name, lesson.number, lesson.title.en) == ("my-lesson", 100, "A web server answers")
    assert lesson.hosts == {"customer": "198.51.100.7", "web": "10.0.1.10"}
    assert lesson.story.en.split("\n") == [
        "A web server is open for HTTP and may send nothing by itself. A customer opens a page.",
        "Does the page come back?",
    ]
    assert check(lesson) == []


def test_packets_are_lines(tmp_path: Path) -> None:
    with_hosts(tmp_path, '  far: "2001:db8::7"\n  near: "2001:db8:1::10"')
    folder = with_packets(
        tmp_path,
        '{tcp: "far:40000 > [2001:db8:1::10]:22", send: ">S <SA >none"}',
        "{wait: 1.5}",
        '{change: {revoke: ["web:ingress[0]"]}}',
        '{udp: "web:40000 > 192.0.2.53:53", send: "> <"}',
        '{ping: "customer > web", send: "> < >", id: 7}',
        '{ping: "far > near", send: "> <"}',
        '{scapy: \'IP(src="192.0.2.1", dst="10.0.1.10")/ESP(spi=[1, 2])\'}',
    )
    lines = read_lesson(folder).scenes[0].lines
    assert [type(line) for line in lines] == [Talk, Wait, Change, Talk, Talk, Talk, Crafted]
    assert lines[0] == Talk(
        f"{folder}/lesson.yaml:34:9 scenes[0].packets[0]",
        "tcp",
        End("2001:db8::7", 40000),
        End("2001:db8:1::10", 22),
        ((">", "S"), ("<", "SA"), (">", "")),
    )
    frames, changes = laid_out(lines)
    assert [packet.summary().split(" > ")[0] for packet in frames_to_packets(frames)][:1] == [
        "IPv6 / TCP 2001:db8::7:40000"
    ]
    assert len(frames) == 3 + 2 + 3 + 2 + 2
    assert [number for number, _ in changes] == [4]
    times = [frame.time for frame in frames]
    assert times[:4] == [0, 10_000_000, 20_000_000, 1_530_000_000]


def test_sequence_numbers_go_on_where_the_same_conversation_was(tmp_path: Path) -> None:
    again = '{tcp: "customer:40000 > web:80", send: ">PA <PA"}'
    folder = with_packets(tmp_path, '{tcp: "customer:40000 > web:80", send: ">S <SA >A"}', "{wait: 2}", again, again)
    packets = frames_to_packets(laid_out(read_lesson(folder).scenes[0].lines).frames)
    numbers = [(packet["TCP"].seq, packet["TCP"].ack) for packet in packets]
    assert numbers == [(1000, 0), (5000, 1001), (1001, 5001), (1001, 5001), (5001, 1005), (1005, 5005), (5005, 1009)]


def test_a_ping_answers_its_latest_request(tmp_path: Path) -> None:
    folder = with_packets(tmp_path, '{ping: "customer > web", send: "> < > <", id: 9}')
    packets = frames_to_packets(laid_out(read_lesson(folder).scenes[0].lines).frames)
    assert [(packet["ICMP"].type, packet["ICMP"].id, packet["ICMP"].seq) for packet in packets] == [
        (8, 9, 1),
        (0, 9, 1),
        (8, 9, 2),
        (0, 9, 2),
    ]


def test_a_segment_may_be_sent_again(tmp_path: Path) -> None:
    folder = with_packets(tmp_path, '{tcp: "customer:40000 > web:80", send: ">S <SA >again <again >A >PA >again"}')
    frames = laid_out(read_lesson(folder).scenes[0].lines).frames
    data = [frame.data for frame in frames]
    assert (data[2], data[3], data[6]) == (data[0], data[1], data[5])
    assert len({frame.time for frame in frames}) == 7


def test_what_was_not_sent_is_not_sent_again(tmp_path: Path) -> None:
    folder = with_packets(tmp_path, '{tcp: "customer:40000 > web:80", send: ">S <again"}')
    (first, *_) = check(read_lesson(folder))
    assert first.endswith("lesson.yaml:32:9 scenes[0].packets[0] - <again: this end has sent nothing yet")


def test_a_router_tells_of_a_packet_that_it_dropped(tmp_path: Path) -> None:
    with_hosts(tmp_path, '  far: "2001:db8::7"\n  near: "2001:db8:1::10"\n  router: 192.0.2.1')
    folder = with_packets(
        tmp_path,
        '{icmp: "router > web", type: 3/4, quotes: {tcp: "web:80 > customer:40000"}}',
        '{icmp: "2001:db8::1 > near", type: 2/0, quotes: {udp: "near:53 > far:40000"}}',
        '{icmp: "router > web", type: 11/0, quotes: {ping: "web > customer"}}',
    )
    frames = laid_out(read_lesson(folder).scenes[0].lines).frames
    needed, too_big, exceeded = frames_to_packets(frames)
    assert (needed["ICMP"].type, needed["ICMP"].code, needed["ICMP"].nexthopmtu) == (3, 4, 1400)
    assert (needed["IPerror"].src, needed["TCPerror"].sport, needed["TCPerror"].dport) == ("10.0.1.10", 80, 40000)
    assert (too_big["ICMPv6PacketTooBig"].mtu, too_big["UDPerror"].sport) == (1400, 53)
    assert (exceeded["ICMP"].type, exceeded["ICMPerror"].type) == (11, 8)


def test_icmpv6_has_errors_of_its_own(tmp_path: Path) -> None:
    line = '{icmp: "2001:db8::1 > 2001:db8:1::10", type: 11/0, quotes: {ping: "2001:db8:1::10 > 2001:db8::7"}}'
    (first, *_) = check(read_lesson(with_packets(tmp_path, line)))
    assert first.endswith("scenes[0].packets[0] - 11 is no error of ICMPv6: its errors are 1, 2, 3, 4")


def test_a_datagram_may_come_in_fragments(tmp_path: Path) -> None:
    folder = with_packets(tmp_path, '{udp: "customer:40000 > web:514", send: "> <", fragments: 3}')
    packets = frames_to_packets(laid_out(read_lesson(folder).scenes[0].lines).frames)
    heads = [(each.src, each.id, int(each.frag), str(each.flags), len(each)) for each in packets]
    assert heads[:3] == [
        ("198.51.100.7", 1, 0, "MF", 1028),
        ("198.51.100.7", 1, 126, "MF", 1028),
        ("198.51.100.7", 1, 252, "", 1012),
    ]
    assert [head[:2] for head in heads[3:]] == [("10.0.1.10", 4)] * 3
    assert packets[0]["UDP"].len == 3008
    letters = {reading: judged.letters for reading, judged in all_judged(read_lesson(folder).scenes[0]).items()}
    assert letters == {"sg": "DDDDDD", "stateless": "DDDDDD", "nacl": "DDDDDD"}
    (folder / "rules.yaml").write_text(
        (folder / "rules.yaml").read_text().replace("type: HTTP", "protocol: udp, ports: 514")
    )
    letters = {reading: judged.letters for reading, judged in all_judged(read_lesson(folder).scenes[0]).items()}
    assert letters == {"sg": "AAAAAA", "stateless": "ADDDDD", "nacl": "ADDDDD"}


def test_rules_change_where_a_line_says_so(tmp_path: Path) -> None:
    folder = with_packets(
        tmp_path,
        '{tcp: "customer:40000 > web:80", send: ">S <SA >A"}',
        '{change: {revoke: ["web:ingress[0]"]}}',
        '{tcp: "customer:40000 > web:80", send: ">PA <PA"}',
        '{change: {delete_entries: ["edge:ingress[100]"]}}',
        '{tcp: "customer:40001 > web:80", send: ">S"}',
    )
    lesson_folder(
        tmp_path, ("{sg: AAAAA, stateless: ADAAD, nacl: ADAAD}", "{sg: AAA|AA|D, stateless: ADA|DD|D, nacl: ADA|AD|D}")
    )
    lesson = read_lesson(folder)
    assert {reading: judged.letters for reading, judged in all_judged(lesson.scenes[0]).items()} == {
        "sg": "AAA|AA|D",
        "stateless": "ADA|DD|D",
        "nacl": "ADA|AD|D",
    }
    assert check(lesson) == []


def test_a_capture_stands_in_for_packets(tmp_path: Path) -> None:
    sample = Path(__file__).resolve().parents[2] / "pcaps" / "samples" / "web-http.pcap"
    folder = lesson_folder(tmp_path, (f"      {LINE}\n", ""), ("packets:", "capture: web-http.pcap"))
    (folder / "web-http.pcap").write_bytes(sample.read_bytes())
    letters = {reading: judged.letters for reading, judged in all_judged(read_lesson(folder).scenes[0]).items()}
    assert {len(each) for each in letters.values()} == {56}
    assert letters["sg"].count("A") == 40


# --- mistakes ----------------------------------------------------------------------------------------------
class Mistake(NamedTuple):
    """What is written in place of what, and the one problem that is told: where, and what."""

    old: str
    new: str
    where: str
    told: str


MISTAKES = {
    "an unknown key": Mistake(
        "\ntask:", "\ntasks:", "lesson.yaml:47:1 tasks", "unknown key 'tasks': did you mean task?"
    ),
    "a text in one language": Mistake(
        "  ko: 웹 서버의 응답\n", "", "lesson.yaml:5:3 title", "ko is missing: write the text in Korean too"
    ),
    "no text": Mistake(
        "en: A web server answers",
        "en: 80",
        "lesson.yaml:5:7 title.en",
        "no text of 1 to 4,000 printable characters: write one, or put it in quotes",
    ),
    "a number that is none": Mistake(
        "number: 100", "number: first", "lesson.yaml:3:9 number", "'first' is no number from 1"
    ),
    "an unknown host": Mistake(
        "customer:40000 >",
        "custmer:40000 >",
        "lesson.yaml:32:15 scenes[0].packets[0].tcp",
        "no host 'custmer': did you mean customer?, or write an address",
    ),
    "no port": Mistake(
        "customer:40000 >",
        "customer >",
        "lesson.yaml:32:15 scenes[0].packets[0].tcp",
        "'customer' is no host with a port from 0 to 65535: write client:40000",
    ),
    "a port too high": Mistake(
        "customer:40000 >",
        "customer:70000 >",
        "lesson.yaml:32:15 scenes[0].packets[0].tcp",
        "'customer:70000' is no host with a port from 0 to 65535: write client:40000",
    ),
    "no arrow": Mistake(
        "40000 > web",
        "40000 web",
        "lesson.yaml:32:15 scenes[0].packets[0].tcp",
        "'customer:40000 web:80' does not name two ends: write client:40000 > web:22",
    ),
    "two families": Mistake(
        "customer:40000",
        "[2001:db8::1]:40000",
        "lesson.yaml:32:15 scenes[0].packets[0].tcp",
        "2001:db8::1 and 10.0.1.10 are not of one family",
    ),
    "a flag that is none": Mistake(
        "<SA",
        "<SX",
        "lesson.yaml:32:48 scenes[0].packets[0].send",
        "'<SX' is no packet: a word has flags of FSRPAUEC, each once",
    ),
    "a side without flags": Mistake(
        ">S <SA",
        "> <SA",
        "lesson.yaml:32:48 scenes[0].packets[0].send",
        "'>' is no packet: a word has TCP's flags, such as >S; a packet without flags is >none",
    ),
    "no side": Mistake(
        ">S <SA",
        "S SA",
        "lesson.yaml:32:48 scenes[0].packets[0].send",
        "'S' is no packet: a word begins with > (sent by the left end) or < (by the right)",
    ),
    "a line of another kind": Mistake(
        "- {tcp:",
        "- {tpc:",
        "lesson.yaml:32:9 scenes[0].packets[0]",
        "a line is one of tcp, udp, ping, icmp, wait, change, scapy, found 0 ('tpc': did you mean tcp?)",
    ),
    "a pause that is none": Mistake(
        LINE,
        "- {wait: long}",
        "lesson.yaml:32:16 scenes[0].packets[0].wait",
        "'long' is no number of seconds up to 31,622,400: write one like 1.5",
    ),
    "an identifier too large": Mistake(
        LINE,
        '- {ping: "customer > web", send: "> <", id: 65536}',
        "lesson.yaml:32:51 scenes[0].packets[0].id",
        "65536 cannot stand here: write a number from 0 to 65535",
    ),
    "an ICMP type without its code": Mistake(
        LINE,
        '- {icmp: "customer > web", type: 3, quotes: {ping: "web > customer"}}',
        "lesson.yaml:32:40 scenes[0].packets[0].type",
        "3 is no type with its code: write 3/4",
    ),
    "an ICMP error about nothing": Mistake(
        LINE,
        '- {icmp: "customer > web", type: 3/4, quotes: {}}',
        "lesson.yaml:32:53 scenes[0].packets[0].quotes",
        "one packet is quoted: write one of tcp, udp, ping with its ends",
    ),
    "no packets": Mistake(
        LINE,
        "[]",
        "lesson.yaml:32:7 scenes[0].packets",
        'there is no packet: write {tcp: "client:40000 > web:22", send: ">S <SA >A"}',
    ),
    "packets and a capture": Mistake(
        "    packets:",
        "    capture: rules.yaml\n    packets:",
        "lesson.yaml:26:5 scenes[0]",
        "a scene has packets or a capture:"
        ' write packets: [{tcp: "client:40000 > web:22", send: ">S <SA >A"}], or capture: FILE',
    ),
    "scapy's words that are none": Mistake(
        LINE,
        "- {scapy: 'IP('}",
        "lesson.yaml:32:17 scenes[0].packets[0].scapy",
        "not an expression: '(' was never closed",
    ),
    "code in place of a packet": Mistake(
        LINE,
        "- {scapy: 'os.system()'}",
        "lesson.yaml:32:17 scenes[0].packets[0].scapy",
        'layers such as IP(dst="10.0.1.10") stand here, joined by /; nothing is executed',
    ),
    "a file elsewhere": Mistake(
        "rules: rules.yaml",
        "rules: ../../rules.yaml",
        "lesson.yaml:30:12 scenes[0].rules",
        "'../../rules.yaml' is outside the lesson's folder: name a file in it",
    ),
    "a file from the root": Mistake(
        "rules: rules.yaml",
        "rules: /etc/passwd",
        "lesson.yaml:30:12 scenes[0].rules",
        "'/etc/passwd' is outside the lesson's folder: name a file in it",
    ),
    "a file that is not there": Mistake(
        "start: start.yaml",
        "start: begin.yaml",
        "lesson.yaml:51:10 task.start",
        "'begin.yaml': no such file in the lesson's folder",
    ),
    "a missing reading": Mistake(
        ", nacl: ADAAD}",
        "}",
        "lesson.yaml:33:15 scenes[0].verdicts",
        "nacl is missing: write a letter a row (A, D, E, N)",
    ),
    "an unknown letter": Mistake(
        "sg: AAAAA",
        "sg: AAAAX",
        "lesson.yaml:33:20 scenes[0].verdicts.sg",
        "'AAAAX': write a letter a row, of A, D, E, N, |",
    ),
    "an unknown reading": Mistake(
        "reading: sg",
        "reading: statefull",
        "lesson.yaml:36:18 scenes[0].questions[0].reading",
        "'statefull' cannot stand here: did you mean stateless?",
    ),
    "a setting that is none": Mistake(
        "    packets:",
        "    settings: {TCP: [1]}\n    packets:",
        "lesson.yaml:31:21 scenes[0].settings.TCP",
        "'TCP': a list is no setting: write {tcp_loose: 0}",
    ),
    "a name that is none": Mistake(
        "name: page",
        "name: My Page",
        "lesson.yaml:26:11 scenes[0].name",
        "'My Page' is no name: write lower-case words with hyphens, like no-return-rule",
    ),
    "a wish that is none": Mistake(
        "want: allow\n",
        "want: maybe\n",
        "hidden.yaml:5:11 connections[0].want",
        "'maybe' cannot stand here: known here: allow, deny",
    ),
    "a packet number where all count": Mistake(
        "want: allow\n",
        "want: allow\n    packet: 2\n",
        "hidden.yaml:6:13 connections[0].packet",
        "every packet of a wanted connection passes: packet stands with want: deny",
    ),
    "an unknown host of the hidden file": Mistake(
        "stranger:40000",
        "strange:40000",
        "hidden.yaml:16:15 connections[1].packets[0].tcp",
        "no host 'strange': did you mean stranger?, or write an address",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place_and_cure(mistake: Mistake, tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path, (mistake.old, mistake.new), file=mistake.where.split(":")[0])
    assert problems(folder) == [f"{mistake.where} - {mistake.told}"]


def test_many_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    folder = lesson_folder(
        tmp_path, ("reading: sg", "reading: sq"), ("hosts:", "guests:"), ("number: 100", "number: -1")
    )
    told = problems(folder)
    assert len(told) == 6
    assert told == sorted(told, key=lambda line: int(line.split(":")[1]))
