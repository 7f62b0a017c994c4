"""A table line is conntrack's own line, word for word, and eniwall's words behind it."""

import pytest

from firewall.engine import Firewall
from firewall.reports.state_report import entry_line, shown_text, value
from pcaps.capture import FrameCapture
from pcaps.craft import craft
from pcaps.frame import Frame
from tests.support import rule, rule_set

SECOND = 1_000_000_000
CLIENT, ENI = 'IP(src="198.51.100.7", dst="10.0.1.10")', 'IP(src="10.0.1.10", dst="198.51.100.7")'
SILENT = 'IP(src="10.0.1.10", dst="198.51.100.99")'
CLIENT6, ENI6 = 'IPv6(src="2001:db8:2::7", dst="2001:db8:1::10")', 'IPv6(src="2001:db8:1::10", dst="2001:db8:2::7")'
BYSTANDER = 'IP(src="192.0.2.1", dst="192.0.2.2")/UDP()'  # moves the clock, touches nothing

UDPLITE = bytes.fromhex("138a003500090001 78")  # RFC 3828: ports, coverage, a checksum; scapy has no such layer

# Printed by `conntrack -L`, conntrack v1.4.7 (conntrack-tools), Linux 6.18: two network namespaces, a rule
# `ct state new accept`, and these connections made by Python sockets and ping. Each is made again here from
# packets with their times in seconds; the last time is when the table is read.
RECORDED: dict[str, tuple[list[tuple[float, str]], float, str]] = {
    "tcp 6 431996 ESTABLISHED": (
        [
            (0, f'{CLIENT}/TCP(sport=40000, dport=80, flags="S", seq=1)'),
            (0, f'{ENI}/TCP(sport=80, dport=40000, flags="SA", seq=1, ack=2)'),
            (0, f'{CLIENT}/TCP(sport=40000, dport=80, flags="A", seq=2, ack=2)'),
        ],
        3.5,
        (
            "tcp      6 431996 ESTABLISHED src=198.51.100.7 dst=10.0.1.10 sport=40000 dport=80 "
            "src=10.0.1.10 dst=198.51.100.7 sport=80 dport=40000 [ASSURED] mark=0 use=1"
        ),
    ),
    "tcp over IPv6": (
        [
            (0, f'{CLIENT6}/TCP(sport=37904, dport=80, flags="S", seq=1)'),
            (0, f'{ENI6}/TCP(sport=80, dport=37904, flags="SA", seq=1, ack=2)'),
            (0, f'{CLIENT6}/TCP(sport=37904, dport=80, flags="A", seq=2, ack=2)'),
        ],
        3.5,
        (
            "tcp      6 431996 ESTABLISHED src=2001:db8:2::7 dst=2001:db8:1::10 sport=37904 dport=80 "
            "src=2001:db8:1::10 dst=2001:db8:2::7 sport=80 dport=37904 [ASSURED] mark=0 use=1"
        ),
    ),
    "tcp without an answer": (
        [(0, f'{SILENT}/TCP(sport=40001, dport=80, flags="S", seq=1)')],
        0.3,
        (
            "tcp      6 119 SYN_SENT src=10.0.1.10 dst=198.51.100.99 sport=40001 dport=80 "
            "[UNREPLIED] src=198.51.100.99 dst=10.0.1.10 sport=80 dport=40001 mark=0 use=1"
        ),
    ),
    "udp without an answer": (
        [(0, f"{CLIENT}/UDP(sport=5000, dport=54)")],
        1.6,
        (
            "udp      17 28 src=198.51.100.7 dst=10.0.1.10 sport=5000 dport=54 "
            "[UNREPLIED] src=10.0.1.10 dst=198.51.100.7 sport=54 dport=5000 mark=0 use=1"
        ),
    ),
    "udp with an answer": (
        [(0, f"{CLIENT}/UDP(sport=5001, dport=53)"), (0, f"{ENI}/UDP(sport=53, dport=5001)")],
        1.6,
        (
            "udp      17 28 src=198.51.100.7 dst=10.0.1.10 sport=5001 dport=53 "
            "src=10.0.1.10 dst=198.51.100.7 sport=53 dport=5001 mark=0 use=1"
        ),
    ),
    "udp that became a stream": (
        [
            (0, f"{CLIENT}/UDP(sport=5000, dport=53)"),
            (0, f"{ENI}/UDP(sport=53, dport=5000)"),
            (2.2, f"{CLIENT}/UDP(sport=5000, dport=53)"),
            (2.2, f"{ENI}/UDP(sport=53, dport=5000)"),
        ],
        3.8,
        (
            "udp      17 118 src=198.51.100.7 dst=10.0.1.10 sport=5000 dport=53 "
            "src=10.0.1.10 dst=198.51.100.7 sport=53 dport=5000 [ASSURED] mark=0 use=1"
        ),
    ),
    "icmp": (
        [
            (0, f"{CLIENT}/ICMP(type=8, id=24573, seq=1)"),
            (0, f"{ENI}/ICMP(type=0, id=24573, seq=1)"),
        ],
        0.4,
        (
            "icmp     1 29 src=198.51.100.7 dst=10.0.1.10 type=8 code=0 id=24573 "
            "src=10.0.1.10 dst=198.51.100.7 type=0 code=0 id=24573 mark=0 use=1"
        ),
    ),
    "icmpv6": (
        [
            (0, f"{CLIENT6}/ICMPv6EchoRequest(id=24574, seq=1)"),
            (0, f"{ENI6}/ICMPv6EchoReply(id=24574, seq=1)"),
        ],
        0.4,
        (
            "icmpv6   58 29 src=2001:db8:2::7 dst=2001:db8:1::10 type=128 code=0 id=24574 "
            "src=2001:db8:1::10 dst=2001:db8:2::7 type=129 code=0 id=24574 mark=0 use=1"
        ),
    ),
    "gre": (
        [(0, f"{CLIENT}/GRE()")],
        1.6,
        (
            "gre      47 28 src=198.51.100.7 dst=10.0.1.10 srckey=0x0 dstkey=0x0 "
            "[UNREPLIED] src=10.0.1.10 dst=198.51.100.7 srckey=0x0 dstkey=0x0 mark=0 use=1"
        ),
    ),
    "sctp": (
        [(0, f"{SILENT}/SCTP(sport=5003, dport=36412, tag=0)/SCTPChunkInit(init_tag=7, a_rwnd=65535)")],
        0.3,
        (
            "sctp     132 9 CLOSED src=10.0.1.10 dst=198.51.100.99 sport=5003 dport=36412 "
            "[UNREPLIED] src=198.51.100.99 dst=10.0.1.10 sport=36412 dport=5003 mark=0 use=1"
        ),
    ),
    "udplite": (
        [(0, f'IP(src="10.0.1.10", dst="198.51.100.99", proto=136)/Raw({UDPLITE!r})')],
        0.3,
        (
            "udplite  136 29 src=10.0.1.10 dst=198.51.100.99 sport=5002 dport=53 "
            "[UNREPLIED] src=198.51.100.99 dst=10.0.1.10 sport=53 dport=5002 mark=0 use=1"
        ),
    ),
    "another protocol": (
        [(0, 'IP(src="198.51.100.7", dst="10.0.1.10", proto=253)/Raw(b"hello")')],
        1.6,
        "unknown  253 598 src=198.51.100.7 dst=10.0.1.10 [UNREPLIED] src=10.0.1.10 dst=198.51.100.7 mark=0 use=1",
    ),
    "another protocol over IPv6": (
        [(0, 'IPv6(src="2001:db8:2::7", dst="2001:db8:1::10", nh=253)/Raw(b"x")')],
        1.6,
        (
            "unknown  253 598 src=2001:db8:2::7 dst=2001:db8:1::10 "
            "[UNREPLIED] src=2001:db8:1::10 dst=2001:db8:2::7 mark=0 use=1"
        ),
    ),
}


def table(packets: list[tuple[float, str]], profile: str = "linux") -> list[str]:
    both = (rule("ingress", -1), rule("egress", -1))
    over_ipv6 = (rule("ingress", -1, "::/0"), rule("egress", -1, "::/0"))
    firewall = Firewall(rule_set((*both, *over_ipv6), ("10.0.1.10", "2001:db8:1::10")), profile=profile)
    frames = craft([expression for _, expression in packets])
    times = [round(seconds * SECOND) for seconds, _ in packets]
    capture = FrameCapture(
        Frame(frame.link, time, frame.data, frame.wirelen) for time, frame in zip(times, frames, strict=True)
    )
    for _ in firewall.replay(capture):
        pass
    return [entry_line(connection) for connection in firewall.table()]


@pytest.mark.parametrize("name", RECORDED)
def test_a_line_is_the_one_that_conntrack_printed(name: str) -> None:
    packets, read_at, line = RECORDED[name]
    [found] = table([*packets, (read_at, BYSTANDER)])
    printed, own = found.split(" eni=")
    assert printed == line
    assert own.startswith("eni flow=1 rule=g:")


def test_under_aws_other_protocols_have_no_ports() -> None:
    [line] = table([(0, f"{SILENT}/SCTP(sport=5003, dport=36412, tag=0)/SCTPChunkInit(init_tag=7)")], "aws")
    assert line.startswith("sctp     132 600 src=10.0.1.10 dst=198.51.100.99 [UNREPLIED] src=198.51.100.99 ")


def test_the_last_line_counts_as_conntrack_does() -> None:
    # conntrack v1.4.7 (conntrack-tools): 12 flow entries have been shown.
    assert shown_text(12) == "eniwall: 12 flow entries have been shown.\n"


@pytest.mark.parametrize(
    ("name", "written"),
    [("eni-0a1b", "eni-0a1b"), ("web server", '"web server"'), ('a"b', r'"a\"b"'), ("x\x1b[0m", r'"x\u001b[0m"')],
)
def test_a_name_stays_one_word(name: str, written: str) -> None:
    assert value(name) == written
