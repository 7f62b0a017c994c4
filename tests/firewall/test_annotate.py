"""`eniwall annotate`: the same packets in the same places, with their verdicts as comments."""

import os
import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from firewall.row_lines import row_line
from pcaps.batch import UNSTATED
from pcaps.original import FileSource
from tests.conntrack.pieces import Datagram, udp
from tests.firewall.test_cli import ROOT, SAMPLES, WEB, WEB_RULES, Run, csv_rows
from tests.pcaps.test_capture_files import block, enhanced, interface, section

COLOURS = ROOT / "docs" / "eniwall.colorfilters"
RAW = 101
SECOND = 1_000_000
RULES = """
security_groups:
  web:
    ingress: [{protocol: tcp, ports: 80, source: 0.0.0.0/0}, {protocol: udp, ports: 53, source: 0.0.0.0/0}]
    egress: [{protocol: all, destination: 0.0.0.0/0}]
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""
#: All that tshark makes of a packet but the interface's name, which a classic capture does not have.
SAME = ("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.protocols", "_ws.col.Info")
#: Real captures that tshark reads otherwise by itself.
NOT_COMPARED = {
    "fmt-gopacket-le-test202.pcapng": "custom blocks have frame numbers, simple packets no time",
    "fmt-tcpdump-timestamp_invalid_nano.pcap": "fractions of a second above one second",
}

# Nothing here depends on how kernels run.
pytestmark = [
    pytest.mark.compiled_only,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark"),
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def shown(path: Path | str, *names: str, only: str = "") -> list[tuple[str, ...]]:
    """Fields of every packet, as tshark shows them; several comments stand with `;` between them."""
    words = [word for name in names for word in ("-e", name)] + (["-Y", only] if only else [])
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|", "-E", "aggregator=;", *words]
    done = subprocess.run(command, capture_output=True, check=True)
    return [tuple(line.split("|")) for line in done.stdout.decode("utf-8", "replace").splitlines()]


def comments(path: Path) -> list[str]:
    return [comment for (comment,) in shown(path, "frame.comment")]


def annotated(run: Run, out: Path, *words: str | Path) -> list[str]:
    """The comments that a run of the command wrote."""
    done = run("annotate", *words, "-o", out)
    assert done.status == 0, done.err
    return comments(out)


def refused(run: Run, *words: str | Path) -> str:
    done = run("annotate", *words)
    assert (done.status, done.out, "Traceback" in done.err) == (2, "", False)
    return done.err


def raw(packets: Sequence[tuple[int, bytes]]) -> bytes:
    """A classic capture of IP packets without a link layer; times in microseconds."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW)
    return head + b"".join(
        struct.pack("<IIII", *divmod(time, SECOND), len(data), len(data)) + data for time, data in packets
    )


def asks(port: int, source: str = "198.51.100.7") -> bytes:
    """A datagram to a port of the interface."""
    return Datagram(src=source, dst="10.0.1.10").whole(struct.pack(">HHHH", 40000, port, 9, 0) + b"?")


# --- the packets -------------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.pcap*")))
def test_a_recorded_capture_stays_what_it_was(sample: str, run: Run, tmp_path: Path) -> None:
    stem = sample.partition(".")[0]
    out, rows = tmp_path / "out.pcapng", tmp_path / "rows.csv"
    words = (SAMPLES / sample, "--rules", SAMPLES / f"{stem}.yaml")
    said = annotated(run, out, *words)
    assert shown(out, *SAME) == shown(SAMPLES / sample, *SAME)
    run("replay", *words, "-o", rows)
    lines = [line for comment in said for line in comment.split(";")]
    assert [line.split(" ")[0] for line in lines] == [row["verdict"] for row in csv_rows(rows)]


@pytest.mark.slow
def test_every_real_capture_stays_what_it_was(captures: Path, run: Run, tmp_path: Path) -> None:
    compared = 0
    for path in sorted(captures.glob("*.pcap*")):
        out = tmp_path / "out.pcapng"
        done = run("annotate", path, "--rules", WEB_RULES, "--eni", "192.0.2.1", "-o", out)
        if done.status or path.name in NOT_COMPARED:
            continue  # a link type without a decoder
        assert shown(out, *SAME) == shown(path, *SAME), path.name
        compared += 1
    assert compared > 30


def test_interfaces_keep_their_link_types_snap_lengths_and_names(run: Run, tmp_path: Path) -> None:
    sample, out = SAMPLES / "dns.pcapng", tmp_path / "out.pcapng"
    annotated(run, out, sample, "--rules", SAMPLES / "dns.yaml")
    before, after = FileSource(str(sample)), FileSource(str(out))
    copies = [packet._replace(way=UNSTATED) for packet in after.packets()]
    assert copies == list(before.packets())  # nanoseconds, bytes and lengths on the wire too
    assert [one[:3] for one in after.interfaces] == [one[:3] for one in before.interfaces] != []


def test_a_verdict_says_what_the_row_says(run: Run, rules: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    path.write_bytes(
        raw([(1, asks(53)), (2, asks(99)), (3, Datagram(src="192.0.2.1", dst="192.0.2.2").whole(b"8888888"))])
    )
    assert annotated(run, out, path, "--rules", rules) == [
        "ALLOW eni-web ingress untracked udp/53 from 198.51.100.7 by web:ingress[1]",
        "DENY eni-web ingress no-ingress-rule udp/99 from 198.51.100.7",
        "NOT_EVALUATED other-interface udp from 192.0.2.1 to 192.0.2.2",
    ]


def test_the_line_of_an_icmp_row_has_type_and_code() -> None:
    line = row_line("ALLOW", "eni", "egress", "established", "icmp", 0, 0, "10.0.1.10", "192.0.2.1", "g:ingress[0]")
    assert line == "ALLOW eni egress established icmp/0/0 to 192.0.2.1 by g:ingress[0]"


def test_names_from_rule_files_cannot_steer_a_terminal() -> None:
    assert row_line("DENY", "eni\x1b[31m\n", "ingress", "rule") == r"DENY eni\x1b[31m\n ingress rule"


def test_the_direction_is_that_of_the_interface(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    annotated(run, out, WEB, "--rules", WEB_RULES)
    found = shown(out, "frame.packet_flags_direction", "frame.comment")
    assert {way for way, comment in found if " ingress " in comment} == {"0x00000001"}
    assert {way for way, comment in found if " egress " in comment} == {"0x00000002"}
    assert {way for way, comment in found if "not-ip" in comment} == {""}


def test_a_packet_between_two_interfaces_has_two_comments_and_no_direction(
    run: Run, rules: Path, tmp_path: Path
) -> None:
    path, out = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    path.write_bytes(raw([(1, asks(53, "10.0.1.11"))]))
    words = (path, "--rules", rules, "--eni", "eni-web", "--eni", "10.0.1.11")
    annotated(run, out, *words)
    told = (
        "ALLOW 10.0.1.11 egress rule udp/53 to 10.0.1.10 by web:egress[0]",
        "ALLOW eni-web ingress untracked udp/53 from 10.0.1.11 by web:ingress[1]",
    )
    assert shown(out, "frame.packet_flags_direction", "frame.comment") == [("", ";".join(told))]


def test_fragments_have_the_verdict_that_came_after_them(run: Run, rules: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    cut = Datagram(src="198.51.100.7", dst="10.0.1.10").cut(udp(bytes(40), 53), 16, 32)
    path.write_bytes(raw([(1, cut[1]), (2, asks(99)), (3, cut[2]), (4, cut[0])]))
    assert annotated(run, out, path, "--rules", rules) == [
        "ALLOW eni-web ingress untracked udp from 198.51.100.7 by web:ingress[1]",  # only the first one has ports
        "DENY eni-web ingress no-ingress-rule udp/99 from 198.51.100.7",
        "ALLOW eni-web ingress untracked udp from 198.51.100.7 by web:ingress[1]",
        "ALLOW eni-web ingress untracked udp/53 from 198.51.100.7 by web:ingress[1]",
    ]


def test_crafted_packets_are_written(run: Run, rules: Path, tmp_path: Path) -> None:
    crafted = ("--craft", 'IP(src="203.0.113.9",dst="10.0.1.10")/TCP(dport=22,flags="S")')
    out = tmp_path / "out.pcapng"
    assert annotated(run, out, *crafted, "--rules", rules) == [
        "DENY eni-web ingress no-ingress-rule tcp/22 from 203.0.113.9"
    ]
    assert shown(out, "frame.interface_name", "ip.dst", "tcp.dstport") == [("crafted", "10.0.1.10", "22")]


# --- several captures, filters, --split --------------------------------------------------------------
def test_several_captures_are_merged_and_each_packet_says_where_it_was(run: Run, rules: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(raw([(1, asks(53)), (4, asks(99))]))
    (tmp_path / "b.pcap").write_bytes(raw([(2, asks(99)), (3, asks(99)), (5, asks(99))]))
    out = tmp_path / "out.pcapng"
    said = annotated(run, out, tmp_path / "a.pcap", tmp_path / "b.pcap", "--rules", rules)
    assert [line.split(";")[1] for line in said] == [
        "frame 1 of a.pcap",
        "frame 1 of b.pcap",
        "frame 2 of b.pcap",
        "frame 2 of a.pcap",
        "frame 3 of b.pcap",
    ]
    names = [name.rpartition("/")[2] for (name,) in shown(out, "frame.interface_description")]
    assert names == ["a.pcap", "b.pcap", "b.pcap", "a.pcap", "b.pcap"]


def test_what_a_filter_leaves_out_is_written_without_a_comment(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    said = annotated(run, out, WEB, "--rules", WEB_RULES, "--filter", "tcp port 22")
    assert shown(out, *SAME) == shown(WEB, *SAME)
    ssh = {int(number) for (number,) in shown(WEB, "frame.number", only="tcp.port == 22")}
    assert ssh
    assert {number for number, comment in enumerate(said, 1) if comment} == ssh


def test_what_a_filter_leaves_out_of_several_captures_stands_before_the_next_of_its_own(
    run: Run, rules: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.pcap").write_bytes(raw([(1, asks(99)), (9, asks(99)), (4, asks(53)), (30, asks(99))]))
    (tmp_path / "b.pcap").write_bytes(raw([(2, asks(53)), (3, asks(99)), (5, asks(53)), (6, asks(99)), (20, asks(99))]))
    out = tmp_path / "out.pcapng"
    said = annotated(run, out, tmp_path / "a.pcap", tmp_path / "b.pcap", "--rules", rules, "--filter", "udp port 53")
    places = [re.fullmatch(r"(?:(\w+) .*;)?frame (\d) of (\w)\.pcap", line) for line in said]
    found = [(place[3] + place[2], place[1]) for place in places if place]
    assert found == [
        ("b1", "ALLOW"),
        ("a1", None),
        ("a2", None),
        ("a3", "ALLOW"),
        ("b2", None),
        ("b3", "ALLOW"),
        ("a4", None),
        ("b4", None),
        ("b5", None),
    ]


def test_behind_a_block_that_wireshark_numbers_a_comment_says_the_number(run: Run, rules: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    packet = asks(99)
    custom = block("<", 0x0BAD, struct.pack("<I", 32473))  # of nobody: RFC 5612
    parts = (section("<"), interface("<", RAW), enhanced("<", 0, 1, packet), custom, enhanced("<", 0, 2, packet))
    path.write_bytes(b"".join(parts))
    said = annotated(run, out, path, "--rules", rules)
    denied = "DENY eni-web ingress no-ingress-rule udp/99 from 198.51.100.7"
    assert said == [denied, f"{denied};frame 3"]
    assert [number for (number,) in shown(path, "frame.number", only="udp")] == ["1", "3"]


def test_split_puts_each_packet_into_one_more_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "web.pcapng"
    annotated(run, out, WEB, "--rules", WEB_RULES, "--split")
    parts = {kind: comments(tmp_path / f"web.{kind}.pcapng") for kind in ("allowed", "denied", "other")}
    heads = {kind: {comment.split(" ")[0] for comment in found} for kind, found in parts.items()}
    assert heads == {"allowed": {"ALLOW"}, "denied": {"DENY"}, "other": {"NOT_EVALUATED"}}
    numbers = [int(comment.rpartition(";frame ")[2]) for found in parts.values() for comment in found]
    assert sorted(numbers) == list(range(1, len(comments(out)) + 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "web.allowed.pcapng",
        "web.denied.pcapng",
        "web.other.pcapng",
        "web.pcapng",
    ]


def test_a_packet_that_one_interface_denied_is_denied(run: Run, rules: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    path.write_bytes(raw([(1, asks(99, "10.0.1.11"))]))
    annotated(run, out, path, "--rules", rules, "--eni", "eni-web", "--eni", "10.0.1.11", "--split")
    assert [len(comments(tmp_path / f"out.{kind}.pcapng")) for kind in ("allowed", "denied", "other")] == [0, 1, 0]


# --- the section, the colours ------------------------------------------------------------------------
def test_the_section_says_who_wrote_it_and_how(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    annotated(run, out, WEB, "--rules", WEB_RULES, "--profile", "linux", "--set", "tcp_loose=0")
    said = subprocess.run(["capinfos", str(out)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^Capture application: +eniwall \S+$", said, re.MULTILINE)
    words = f"eniwall annotate {WEB} --rules {WEB_RULES} --profile linux --set tcp_loose=0 -o {out}"
    assert re.findall(r"^Capture comment: +(.+)$", said, re.MULTILINE) == [words, f"profile linux; rules {WEB_RULES}"]


class Colour(NamedTuple):
    """A line of the colouring file."""

    name: str
    wanted: str  # a display filter
    back: list[int]
    text: list[int]


def colour_rules() -> list[Colour]:
    lines = [line for line in COLOURS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"@([^@]+)@([^@]+)@\[([\d,]+)\]\[([\d,]+)\]", line) for line in lines]
    return [Colour(one[1], one[2], numbers(one[3]), numbers(one[4])) for one in found if one]


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def test_each_verdict_has_its_colour(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    said = annotated(run, out, SAMPLES / "dns.pcapng", "--rules", SAMPLES / "dns.yaml")
    found = {rule.name: shown(out, "frame.comment", only=rule.wanted) for rule in colour_rules()}
    assert {name: {line.split(" ")[0] for (line,) in lines} for name, lines in found.items()} == {
        "eniwall DENY": {"DENY"},
        "eniwall undecidable": set(),
        "eniwall NOT_EVALUATED": {"NOT_EVALUATED"},
        "eniwall EXEMPT": {"EXEMPT"},
        "eniwall ALLOW": {"ALLOW"},
    }
    assert sum(map(len, found.values())) == len(said)


def test_the_text_of_every_colour_can_be_read() -> None:
    def luminance(colour: list[int]) -> float:  # https://www.w3.org/TR/WCAG21/#dfn-relative-luminance
        parts = [part / 65535 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ratios = [sorted((luminance(rule.back), luminance(rule.text))) for rule in colour_rules()]
    assert len(ratios) == 5
    assert all((high + 0.05) / (low + 0.05) >= 4.5 for low, high in ratios)


# --- what is refused ---------------------------------------------------------------------------------
def test_another_ending_is_refused(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    told = refused(run, WEB, "--rules", WEB_RULES, "-o", out)
    assert told == f"eniwall: {out}: comments need pcapng; give a name that ends in .pcapng\n"


def test_an_input_is_never_written_over(run: Run, tmp_path: Path) -> None:
    capture = tmp_path / "in.denied.pcapng"
    shutil.copy(SAMPLES / "dns.pcapng", capture)
    before = capture.read_bytes()
    for out, split in ((capture, ()), (tmp_path / "in.pcapng", ("--split",))):
        told = refused(run, capture, "--rules", WEB_RULES, "-o", out, *split)
        assert told == f"eniwall: -o {capture}: this file is an input of the same command; write to another name\n"
    assert capture.read_bytes() == before
    assert list(tmp_path.iterdir()) == [capture]


def test_what_is_read_only_once_is_refused(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pcap"
    os.mkfifo(pipe)
    out = tmp_path / "out.pcapng"
    for word, name in (("-", "standard input"), (pipe, str(pipe))):
        told = refused(run, word, "--rules", WEB_RULES, "-o", out)
        assert told == f"eniwall: {name}: annotate reads its captures twice; save this one to a file first\n"


def test_what_still_grows_is_refused(run: Run, tmp_path: Path) -> None:
    told = refused(run, WEB, "--rules", WEB_RULES, "--follow", "-o", tmp_path / "out.pcapng")
    assert told == (
        "eniwall: annotate reads its captures twice: leave --follow away, and run it when the capture is whole\n"
    )


def test_a_folder_that_is_not_there(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "no" / "out.pcapng"
    told = refused(run, WEB, "--rules", WEB_RULES, "-o", out)
    assert told == f"eniwall: {out}: the folder {out.parent} does not exist; make it first\n"


def test_a_capture_that_changes_meanwhile_leaves_no_file(
    run: Run, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    path.write_bytes(raw([(1, asks(53)), (2, asks(99))]))

    def later(name: str) -> FileSource:
        Path(name).write_bytes(raw([(1, asks(53)), (3, asks(99))]))
        return FileSource(name)

    monkeypatch.setattr("firewall.annotate.FileSource", later)
    told = refused(run, path, "--rules", rules, "-o", out)
    assert told == f"eniwall: {path}: changed while it was read; read it once more\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.pcap", "rules.yaml"]


def test_a_capture_cut_in_the_middle_is_written_as_far_as_it_goes(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "cut.pcap", tmp_path / "out.pcapng"
    path.write_bytes(Path(WEB).read_bytes()[:2000])
    done = run("annotate", path, "--rules", WEB_RULES, "-o", out)
    assert (done.status, "cut in the middle of packet" in done.err) == (0, True)
    assert shown(out, *SAME) == shown(WEB, *SAME)[: len(comments(out))]
    assert f"wrote {len(comments(out))} packets to {out}" in done.err
