"""`eniwall flowlog`: the records of AWS's pages from crafted packets, formats, intervals, what is left out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.firewall.flow_logs import Timed, capture, ip, lengths, over, ping, tcp, udp
from tests.firewall.test_cli import SAMPLES, WEB, WEB_RULES, Done, Run

EXAMPLES = "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html"
ACCOUNT = ("--account", "123456789010")
ENI = "eni-1235b8ca123456789"
FIN, SYN, RST, PSH, ACK, ECE = 1, 2, 4, 8, 16, 64
START = 1_700_000_400  # a multiple of 600

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def rules(tmp_path: Path, address: str, ingress: str = "", egress: str = "", more: str = "") -> Path:
    """A rule file with one interface; `more` follows its subnet's id."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        f"security_groups:\n  g: {{ingress: [{ingress}], egress: [{egress}]}}\n"
        f"interfaces:\n  {ENI}: {{addresses: [{address}], security_groups: [g]{more}",
        encoding="utf-8",
    )
    if not more:
        path.write_text(path.read_text() + "}\n", encoding="utf-8")
    return path


def logged(run: Run, tmp_path: Path, packets: Any, rule_file: Path, *words: str) -> list[str]:
    """The lines of the flow log without the names."""
    return done(run, tmp_path, packets, rule_file, *words).out.splitlines()[1:]


def done(run: Run, tmp_path: Path, packets: Any, rule_file: Path, *words: str) -> Done:
    path = capture(tmp_path / "packets.pcap", packets)
    found = run("flowlog", path, "--rules", rule_file, *words)
    assert found.status == 0, found.err
    return found


# --- AWS's examples ----------------------------------------------------------------------------------
def test_ssh_is_accepted_as_in_the_documentation(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, "172.31.16.21", "{protocol: tcp, ports: 22, source: 172.31.16.0/24}")
    sizes = lengths(20, 4249)
    segments = [tcp("172.31.16.139", "172.31.16.21", (20641, 22), ACK, size) for size in sizes]
    assert logged(run, tmp_path, over(1418530010, 1418530070, segments), file, *ACCOUNT) == [
        f"2 123456789010 {ENI} 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
    ]


def test_rdp_is_rejected_as_in_the_documentation(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, "172.31.9.12", "{protocol: tcp, ports: 22, source: 172.31.0.0/16}")
    segments = [tcp("172.31.9.69", "172.31.9.12", (49761, 3389), SYN, size) for size in lengths(20, 4249)]
    assert logged(run, tmp_path, over(1418530010, 1418530070, segments), file, *ACCOUNT) == [
        f"2 123456789010 {ENI} 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK"
    ]


def test_ssh_over_ipv6_is_accepted_as_in_the_documentation(run: Run, tmp_path: Path) -> None:
    source, target = "2001:db8:1234:a100:8d6e:3477:df66:f105", "2001:db8:1234:a102:3304:8879:34cf:4071"
    file = rules(tmp_path, f'"{target}"', '{protocol: tcp, ports: 22, source: "2001:db8:1234:a100::/64"}')
    sizes = lengths(54, 8855, 60)
    segments = [tcp(source, target, (34892, 22), ACK, size) for size in sizes]
    assert logged(run, tmp_path, over(1477913708, 1477913820, segments), file, *ACCOUNT) == [
        f"2 123456789010 eni-1235b8ca123456789 {source} {target} 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK"
    ]


HOME, INSTANCE = "203.0.113.12", "172.31.16.139"
PINGED = "{protocol: icmp, icmp: 8/-1, source: 203.0.113.0/24}"
PING_IN = f"2 123456789010 {ENI} {HOME} {INSTANCE} 0 0 1 4 336 1432917027 1432917142"
PING_OUT = f"2 123456789010 {ENI} {INSTANCE} {HOME} 0 0 1 4 336 1432917094 1432917142"
SUBNET = """, subnet: a}
subnets:
  a: {cidr: 172.31.16.0/24, network_acl: edge}
network_acls:
  edge:
    ingress: [{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}]
    egress: [{number: 100, action: %s, protocol: icmp, icmp: all, destination: 0.0.0.0/0}]
"""


def pinged() -> list[Timed]:
    return [
        *over(1432917027, 1432917142, [ping(HOME, INSTANCE)] * 4),
        *over(1432917094, 1432917142.5, [ping(INSTANCE, HOME, 0)] * 4),
    ]


@pytest.mark.parametrize(
    ("ingress", "acl", "expected"),
    [
        (PINGED, "deny", [f"{PING_IN} ACCEPT OK", f"{PING_OUT} REJECT OK"]),
        (PINGED, "allow", [f"{PING_IN} ACCEPT OK", f"{PING_OUT} ACCEPT OK"]),
    ],
    ids=["the network ACL denies the way out", "it allows both ways"],
)
def test_an_accepted_ping_as_in_the_documentation(
    run: Run, tmp_path: Path, ingress: str, acl: str, expected: list[str]
) -> None:
    file = rules(tmp_path, INSTANCE, ingress, more=SUBNET % acl)
    assert logged(run, tmp_path, pinged(), file, *ACCOUNT) == expected


def test_a_ping_that_the_security_group_denies_is_one_reject(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, INSTANCE, more=SUBNET % "allow")
    packets = over(1432917027, 1432917142, [ping(HOME, INSTANCE)] * 4)  # so that no reply exists
    assert logged(run, tmp_path, packets, file, *ACCOUNT) == [f"{PING_IN} REJECT OK"]


def test_an_interval_without_data(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, "10.0.0.62", "{protocol: udp, ports: 53, source: 0.0.0.0/0}")
    packets = [(START + 30, udp(HOME, "10.0.0.62", (5000, 53))), (START + 150, udp(HOME, "10.0.0.62", (5000, 53)))]
    first, quiet, last = logged(run, tmp_path, packets, file, *ACCOUNT, "--interval", "60")
    assert quiet == f"2 123456789010 {ENI} - - - - - - - {START + 60} {START + 120} - NODATA"
    assert (first.split()[10:12], last.split()[10:12]) == ([f"{START + 30}"] * 2, [f"{START + 150}"] * 2)


# The flag sequence: fields, and lines whose numbers are those of the page.
SEQUENCE = (
    "version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr"
    " pkt-dstaddr protocol bytes packets start end action tcp-flags log-status"
)
CLIENT, SERVER = "52.213.180.42", "10.0.0.62"
WHERE = f"3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 {ENI} 123456789010 IPv4"
STATED = """, subnet: subnet-aaaaaaaa012345678, instance: i-01234567890123456}
subnets:
  subnet-aaaaaaaa012345678: {cidr: 10.0.0.0/24, vpc: vpc-abcdefab012345678}
vpcs:
  vpc-abcdefab012345678: {cidrs: [10.0.0.0/16]}
"""


def sent(way: str, port: int, first: float, last: float, flags: list[int], count: int, size: int) -> list[Timed]:
    """Segments of one direction: these flags, then ACK up to `count`; the sizes sum to `size`."""
    ends, ports = ((CLIENT, SERVER), (port, 5001)) if way == "in" else ((SERVER, CLIENT), (5001, port))
    sizes = lengths(count, size)
    every = [*flags[:1], *[ACK] * (count - len(flags)), *flags[1:]]
    segments = [tcp(*ends, ports, each, length) for each, length in zip(every, sizes, strict=True)]
    return list(over(first, last, segments))


def line(way: str, port: int, size: int, count: int, first: int, last: int, flags: int) -> str:
    ends, ports = (f"{CLIENT} {SERVER}", f"{port} 5001") if way == "in" else (f"{SERVER} {CLIENT}", f"5001 {port}")
    return f"{WHERE} {ends} {ports} {ends} 6 {size} {count} {first} {last} ACCEPT {flags} OK"


def flag_sequence(run: Run, tmp_path: Path, packets: list[Timed]) -> set[str]:
    file = rules(tmp_path, SERVER, "{protocol: tcp, ports: 5001, source: 52.213.180.0/24}", more=STATED)
    form = " ".join(f"${{{name}}}" for name in SEQUENCE.split())
    words = (*ACCOUNT, "--format", form, "--set", "tcp_be_liberal=1")
    found = done(run, tmp_path, packets, file, *words).out.splitlines()
    assert found[0] == SEQUENCE
    return set(found[1:])


def test_a_connection_that_opens_and_closes_in_one_interval_as_in_the_documentation(run: Run, tmp_path: Path) -> None:
    packets = sent("in", 43638, 1566933133, 1566933193, [SYN, FIN | ACK], 17, 1260)
    packets += sent("out", 43638, 1566933133.001, 1566933193.001, [SYN | ACK, FIN | ACK], 14, 967)
    assert flag_sequence(run, tmp_path, packets) == {
        line("in", 43638, 1260, 17, 1566933133, 1566933193, 3),
        line("out", 43638, 967, 14, 1566933133, 1566933193, 19),
    }


def test_a_connection_that_closes_in_a_later_interval_as_in_the_documentation(run: Run, tmp_path: Path) -> None:
    """The page's second interval begins where the first ends; here it is the next multiple of ten minutes."""
    opened, ended = (1566848875, 1566848933), (1566849000, 1566849113)
    packets = [
        *sent("in", 43416, *opened, [SYN], 8, 568),
        *sent("out", 43416, opened[0] + 0.001, opened[1], [SYN | ACK], 7, 376),
        *sent("in", 43418, *opened, [SYN], 70, 100701),
        *sent("out", 43418, opened[0] + 0.001, opened[1], [SYN | ACK], 12, 632),
        *sent("out", 43418, *ended, [ACK, FIN | ACK], 1219, 63388),
        *sent("in", 43418, ended[0], ended[1] + 0.001, [ACK, FIN | ACK], 15, 22132),
    ]
    assert flag_sequence(run, tmp_path, packets) == {
        line("in", 43416, 568, 8, *opened, 2),
        line("out", 43416, 376, 7, *opened, 18),
        line("in", 43418, 100701, 70, *opened, 2),
        line("out", 43418, 632, 12, *opened, 18),
        line("out", 43418, 63388, 1219, *ended, 1),
        line("in", 43418, 22132, 15, *ended, 1),
    }


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ([SYN | ECE], "2"),
        ([ACK | PSH], "0"),
        ([SYN, RST | ACK], "6"),
        ([0], "0"),
        ([SYN | FIN], "-"),
        ([SYN, SYN | RST], "-"),
    ],
    ids=[
        "an unsupported flag beside SYN",
        "unsupported flags alone",
        "SYN, then RST",
        "none",
        "cannot be",
        "one of two",
    ],
)
def test_the_value_of_tcp_flags(run: Run, tmp_path: Path, flags: list[int], value: str) -> None:
    file = rules(tmp_path, SERVER)
    packets = [(START + place, tcp(CLIENT, SERVER, (4000, 80), each)) for place, each in enumerate(flags)]
    assert logged(run, tmp_path, packets, file, "--format", "${tcp-flags} ${action}") == [f"{value} REJECT"]


# --- records -----------------------------------------------------------------------------------------
def test_the_interface_shows_its_primary_address_and_the_packet_its_own(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, "10.0.0.62, 10.0.0.63", "{protocol: udp, ports: 53, source: 0.0.0.0/0}")
    packets = [
        (START, udp(HOME, "10.0.0.63", (5000, 53))),
        (START + 1, udp("10.0.0.63", HOME, (53, 5000))),
        (START + 2, udp(HOME, "192.0.2.9", (5000, 53))),
    ]
    form = "${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr} ${flow-direction} ${action}"
    assert logged(run, tmp_path, packets, file, "--format", form) == [
        f"{HOME} 10.0.0.62 {HOME} 10.0.0.63 ingress ACCEPT",
        f"10.0.0.62 {HOME} 10.0.0.63 {HOME} egress ACCEPT",
    ]


TWO_ENIS = """
security_groups:
  app: {ingress: [], egress: [{protocol: all, destination: 0.0.0.0/0}]}
  db: {ingress: [{protocol: udp, ports: 53, source: 0.0.0.0/0}], egress: []}
interfaces:
  eni-app: {addresses: [10.0.1.20], security_groups: [app]}
  eni-db: {addresses: [10.0.2.30], security_groups: [db]}
"""


def test_a_packet_between_two_interfaces_counts_at_both(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(TWO_ENIS)
    packets = [(START, udp("10.0.1.20", "10.0.2.30", (5000, 53))), (START, udp("10.0.1.20", "10.0.2.30", (5000, 54)))]
    packets.append((START + 1, udp("10.0.2.30", "10.0.1.20", (6000, 54))))
    found = done(run, tmp_path, packets, file, "--format", "${interface-id} ${dstport} ${flow-direction} ${action}")
    assert found.out.splitlines()[1:] == [
        "eni-app 53 egress ACCEPT",
        "eni-db 53 ingress ACCEPT",
        "eni-app 54 egress ACCEPT",
        "eni-db 54 ingress REJECT",
        "eni-db 54 egress REJECT",
    ]
    assert "not in the flow log: 1 dropped-at-sender\n" in found.err


def test_accepted_and_rejected_packets_of_one_tuple_are_two_records(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, SERVER, "{protocol: tcp, ports: 80, source: 0.0.0.0/0}")
    packets = [(START + place, tcp(CLIENT, SERVER, (4000, 80), flags)) for place, flags in enumerate((ACK | FIN, SYN))]
    words = ("--format", "${packets} ${action}", "--set", "tcp_loose=0")
    assert logged(run, tmp_path, packets, file, *words) == ["1 REJECT", "1 ACCEPT"]


def test_an_interface_says_nodata_after_its_first_traffic_only(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(TWO_ENIS)
    ask = udp(HOME, "10.0.2.30", (5000, 53))
    packets = [(START, ask), (START + 600, ask), (START + 1200, udp(HOME, "10.0.1.20", (5, 5))), (START + 1800, ask)]
    found = logged(run, tmp_path, packets, file, "--format", "${interface-id} ${start} ${end} ${log-status}")
    assert found == [
        f"eni-db {START} {START} OK",
        f"eni-db {START + 600} {START + 600} OK",
        f"eni-app {START + 1200} {START + 1200} OK",
        f"eni-db {START + 1200} {START + 1800} NODATA",
        f"eni-db {START + 1800} {START + 1800} OK",
        f"eni-app {START + 1800} {START + 2400} NODATA",
    ]


def test_one_record_stands_for_a_long_gap_in_the_capture(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, SERVER)
    packets = [(START, udp(HOME, SERVER, (5, 5))), (START + 600 * 10**6, udp(HOME, SERVER, (5, 5)))]
    found = logged(run, tmp_path, packets, file, "--format", "${start} ${end} ${log-status}")
    assert found[1:-1] == [f"{START + 600} {START + 600 * 10**6} NODATA"]


def test_packets_without_a_verdict_are_told_as_skipdata(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, SERVER, "{protocol: udp, ports: 53, source: sg-0123456789abcdef0}")
    found = done(run, tmp_path, [(START, udp("10.0.0.99", SERVER, (5000, 53)))], file)
    assert found.out.splitlines()[1:] == [f"2 - {ENI} - - - - - - - {START} {START + 600} - SKIPDATA"]
    assert "not in the flow log: 1 undecidable\n" in found.err


def test_time_that_goes_back_counts_in_the_open_interval(run: Run, tmp_path: Path) -> None:
    file = rules(tmp_path, SERVER)
    path = capture(tmp_path / "late.pcap", [(START + 700, udp(HOME, SERVER, (5, 5)))])
    early = capture(tmp_path / "early.pcap", [(START + 100, udp(HOME, SERVER, (5, 5)))])
    path.write_bytes(path.read_bytes() + early.read_bytes()[24:])
    found = run("flowlog", path, "--rules", file, "--format", "${packets} ${start} ${end}")
    assert found.out.splitlines()[1:] == [f"2 {START + 100} {START + 700}"]


# --- what is left out ----------------------------------------------------------------------------------
def test_what_flow_logs_do_not_record_is_left_out_and_told(run: Run, tmp_path: Path) -> None:
    every = "{protocol: all, destination: 0.0.0.0/0}"
    file = rules(tmp_path, SERVER, egress=every)
    packets = [
        udp(SERVER, "169.254.169.253", (5000, 53)),  # the Amazon DNS server, exempt
        ip(SERVER, "169.254.169.254", 1, b"\x08" + bytes(7)),  # instance metadata, whatever the port
        udp(SERVER, "10.0.9.9", (68, 67)),  # DHCP to a server of one's own
        udp(SERVER, "224.0.0.251", (5353, 5353)),
        udp(SERVER, HOME, (5000, 53)),  # one's own DNS server is logged
    ]
    found = done(run, tmp_path, over(START, START + 9, packets), file)
    assert [row.split()[3:7] for row in found.out.splitlines()[1:]] == [[SERVER, HOME, "5000", "53"]]
    assert found.err.splitlines()[-2:] == [
        "eniwall: 1 record of 1 packet ACCEPT, 0 packets REJECT",
        "eniwall: not in the flow log: 1 not-delivered, 1 exempt:amazon-dns, 1 instance-metadata, 1 dhcp",
    ]


def test_only_one_kind_of_traffic_is_written_where_asked(run: Run) -> None:
    found = run("flowlog", WEB, "--rules", WEB_RULES, "--traffic", "REJECT")
    assert {row.split()[12] for row in found.out.splitlines()[1:]} == {"REJECT"}
    assert "not in the flow log: 40 ACCEPT (--traffic REJECT), 2 not-ip\n" in found.err


def totals(found: Done) -> tuple[int, int]:
    """Packets of the log, and rows that were left out."""
    packets = sum(int(row.split()[8]) for row in found.out.splitlines()[1:] if row.endswith("OK"))
    _, sign, told = found.err.partition("eniwall: not in the flow log: ")
    words = told.splitlines()[0].split(", ") if sign else []
    return packets, sum(int(word.split()[0].replace(",", "")) for word in words)


def judged(run: Run, *words: str | Path) -> Counter[str]:
    rows = json.loads(run("replay", *words, "--json").out)["rows"]
    return Counter({name: count for name, count in rows.items() if name != "total"})


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.pcap*")))
@pytest.mark.parametrize("interval", ["60", "600"])
def test_the_packets_of_the_log_are_the_rows_allowed_and_denied(sample: str, interval: str, run: Run) -> None:
    words = (SAMPLES / sample, "--rules", SAMPLES / f"{sample.partition('.')[0]}.yaml")
    rows = judged(run, *words)
    packets, left_out = totals(run("flowlog", *words, "--interval", interval))
    assert packets == rows["ALLOW"] + rows["DENY"] > 0
    assert packets + left_out == rows.total()


@pytest.mark.slow
def test_the_packets_of_the_log_of_every_real_capture_are_its_rows(captures: Path, run: Run) -> None:
    compared = 0
    for listed in json.loads((captures / "index.json").read_text()):
        path = captures / listed["name"]
        enis = [word for eni in listed.get("eni", [])[:2] for word in ("--eni", eni.split()[0])]
        words = (path, "--rules", WEB_RULES, *(enis or ["--eni", "192.0.2.1"]))
        found = run("flowlog", *words, "--interval", "60")
        if found.status:
            continue  # a link type without a decoder
        rows = judged(run, *words)
        packets, left_out = totals(found)
        assert packets + left_out == rows.total(), path.name
        assert packets <= rows["ALLOW"] + rows["DENY"], path.name
        compared += 1
    assert compared > 30
