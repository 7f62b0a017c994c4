"""`eniwall flowlog --against`: a log of one's own agrees, other rules differ, every guess, hostile files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from firewall.flowlog.fields import DEFAULT
from firewall.flowlog.guesses import GUESSES, guess
from firewall.flowlog.pairs import Pair, Seen, Window
from firewall.flowlog.read import LONGEST_LINE, read_log
from tests.firewall.flow_logs import Timed, capture, tcp, udp
from tests.firewall.test_cli import SAMPLES, WEB, WEB_RULES, Done, Run

NAMES = " ".join(field.name for field in DEFAULT)
START = 1_700_000_400
CLIENT, ENI = "198.51.100.7", "10.0.1.10"
FIN, SYN, RST, ACK = 1, 2, 4, 16

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def against(run: Run, log: Path, *words: str | Path) -> Done:
    found = run("flowlog", *words, "--against", log)
    assert found.status == 0, found.err
    return found


def report(run: Run, log: Path, *words: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(against(run, log, *words, "--json").out)
    return found


def written(run: Run, path: Path, *words: str | Path) -> Path:
    assert run("flowlog", *words, "-o", path).status == 0
    return path


# --- one's own log -------------------------------------------------------------------------------------
@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.pcap*")))
def test_a_log_of_ones_own_agrees_wholly(sample: str, run: Run, tmp_path: Path) -> None:
    words = (SAMPLES / sample, "--rules", SAMPLES / f"{sample.partition('.')[0]}.yaml")
    log = written(run, tmp_path / "own.log.gz", *words, "--interval", "60")
    found = report(run, log, *words)
    assert {name: rate["percent"] for name, rate in found["agreement"].items()} == {
        "records": 100.0,
        "packets": 100.0,
        "bytes": 100.0,
    }
    assert found["agreement"]["packets"]["all"] > 0
    assert (found["differing"]["total"], found["guesses"], found["records"]["not_compared"]) == (0, {}, {})


def test_the_report_of_a_rule_that_was_removed(run: Run, tmp_path: Path) -> None:
    log = written(run, tmp_path / "own.log", WEB, "--rules", WEB_RULES)
    less = tmp_path / "less.yaml"
    text = Path(WEB_RULES).read_text(encoding="utf-8")
    assert "{type: HTTP, source: 0.0.0.0/0}" in text
    less.write_text(text.replace("{type: HTTP, source: 0.0.0.0/0}", "{type: HTTPS, source: 0.0.0.0/0}"))
    found = against(run, log, WEB, "--rules", less)
    answer, read, blank, heading, _, *rows = found.out.splitlines()
    assert (answer, read, blank, heading) == (
        "Agreement: 33.3 % of records, 14.9 % of packets, 5.0 % of bytes",
        "AWS's flow log: 12 records in 1 file",
        "",
        "Differences: 6 tuples, those with most packets first",
    )
    assert rows[0].split()[:6] == ["eni-web", "ingress", f"{CLIENT}:58620", "->", f"{ENI}:80", "tcp"]
    assert rows[0].split()[-9:] == ["ACCEPT", "10", "(764", "B)", "REJECT", "10", "(764", "B)", "no-rule"]
    rates = report(run, log, WEB, "--rules", less)["agreement"]
    assert rates["records"] == {"same": 6, "all": 18, "percent": 33.333}
    assert rates["packets"] == {"same": 14, "all": 94, "percent": 14.894}


@pytest.mark.parametrize("way", ["plain", "no names", "exported", "underscores", "two files", "a pattern"])
def test_a_log_is_read_however_it_was_delivered(way: str, run: Run, tmp_path: Path) -> None:
    log = written(run, tmp_path / "own.log", WEB, "--rules", WEB_RULES)
    names, *lines = log.read_text().splitlines(keepends=True)
    asked = log
    if way == "no names":
        log.write_text("".join(lines))
    elif way == "exported":
        log.write_text("".join(f"2026-11-23T19:47:55.000Z {line}" for line in lines))
    elif way == "underscores":
        log.write_text("".join([names.replace("-", "_"), *lines]))
    elif way in ("two files", "a pattern"):
        log.write_text("".join([names, *lines[:5]]))
        (tmp_path / "deep").mkdir()
        other = tmp_path / "deep" / "other.log.gz"
        other.write_bytes(gzip.compress("".join([names, *lines[5:]]).encode()))
        asked = tmp_path / "**" / "*.log*" if way == "a pattern" else log
    more = ("--against", tmp_path / "deep" / "other.log.gz") if way == "two files" else ()
    found = report(run, asked, WEB, "--rules", WEB_RULES, *more)
    assert found["agreement"]["packets"] == {"same": 54, "all": 54, "percent": 100.0}
    assert found["records"]["read"] == 12


def test_a_log_without_names_is_read_in_the_format_that_is_given(run: Run, tmp_path: Path) -> None:
    form = "${action} ${bytes} ${packets} ${protocol} ${dstport} ${srcport} ${dstaddr} ${srcaddr} ${interface-id}"
    log = written(run, tmp_path / "own.log", WEB, "--rules", WEB_RULES, "--format", form)
    log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]))
    found = report(run, log, WEB, "--rules", WEB_RULES, "--format", form)
    assert found["agreement"]["packets"] == {"same": 54, "all": 54, "percent": 100.0}


def test_records_of_other_times_and_interfaces_are_counted_and_left_out(run: Run, tmp_path: Path) -> None:
    log = written(run, tmp_path / "own.log", WEB, "--rules", WEB_RULES)
    lines = log.read_text().splitlines(keepends=True)
    words = lines[1].split()
    for name, value in (("interface-id", "eni-0123456789abcdef0"), ("end", "1000"), ("log-status", "SKIPDATA")):
        changed = list(words)
        changed[NAMES.split().index(name)] = value
        if name == "end":
            changed[NAMES.split().index("start")] = value
        lines.append(" ".join(changed) + "\n")
    log.write_text("".join(lines))
    found = report(run, log, WEB, "--rules", WEB_RULES)
    assert found["records"] == {
        "read": 15,
        "not_compared": {"of other interfaces": 1, "outside the capture's time": 1, "SKIPDATA": 1},
    }
    assert found["interfaces_not_simulated"] == {"eni-0123456789abcdef0": 1}
    assert found["agreement"]["packets"]["percent"] == 100.0
    text = against(run, log, WEB, "--rules", WEB_RULES).out.splitlines()
    assert text[1].startswith("AWS's flow log: 15 records in 1 file, 3 not compared (1 of other interfaces, ")
    assert text[2] == "interfaces that are not simulated: eni-0123456789abcdef0"


def test_only_one_action_is_compared_where_only_one_is_logged(run: Run, tmp_path: Path) -> None:
    log = written(run, tmp_path / "own.log", WEB, "--rules", WEB_RULES, "--traffic", "REJECT")
    found = report(run, log, WEB, "--rules", WEB_RULES, "--traffic", "REJECT")
    assert found["agreement"]["packets"] == {"same": 14, "all": 14, "percent": 100.0}
    assert report(run, log, WEB, "--rules", WEB_RULES)["guesses"].keys() == {"one-action"}


def test_a_log_of_nothing_in_common_is_said_to_be_so(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "aws.log"
    log.write_text(f"{NAMES}\n{line(eni='eni-other')}\n")
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    path = capture(tmp_path / "empty.pcap", [])
    found = against(run, log, path, "--rules", rules)
    assert found.out.startswith("Nothing to compare: neither side has a record of these interfaces")


# --- guesses -------------------------------------------------------------------------------------------
RULES = """
security_groups:
  web:
    ingress:
      - {protocol: tcp, ports: 80, source: 198.51.100.0/24}
      - {protocol: udp, ports: 53, source: 0.0.0.0/0}
      - {protocol: udp, ports: 99, source: sg-0123456789abcdef0}
    egress: [{protocol: udp, ports: 0-65535, destination: 0.0.0.0/0}]
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]%s
"""
RULES, RULES_WITH_ACL = (
    RULES % "}",
    RULES
    % """, subnet: a}
subnets:
  a: {cidr: 10.0.1.0/24, network_acl: edge}
network_acls:
  edge:
    ingress:
      - {number: 100, action: deny, protocol: all, source: 203.0.113.0/24}
      - {number: 200, action: allow, protocol: all, source: 0.0.0.0/0}
    egress: [{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}]
""",
)


def line(
    action: str = "ACCEPT",
    ends: tuple[str, str] = (CLIENT, ENI),
    ports: tuple[int, int] = (40000, 80),
    *,
    protocol: int = 6,
    packets: int = 1,
    size: int = 40,
    times: tuple[int, int] = (START, START),
    eni: str = "eni-web",
) -> str:
    """A record of AWS's."""
    words = (2, 123456789010, eni, *ends, *ports, protocol, packets, size, *times, action, "OK")
    return " ".join(map(str, words))


def segment(flags: int, *, back: bool = False, size: int = 0) -> bytes:
    ends, ports = ((ENI, CLIENT), (80, 40000)) if back else ((CLIENT, ENI), (40000, 80))
    return tcp(*ends, ports, flags, size)


def datagram(source: str, port: int) -> bytes:
    return udp(source, ENI, (5000, port))


def back(action: str = "ACCEPT") -> str:
    """A record of the server's answers."""
    return line(action, (ENI, CLIENT), (80, 40000))


ASKED = (START + 100.0, datagram("192.0.2.7", 53))
ASKED_LINE = line(ends=("192.0.2.7", ENI), ports=(5000, 53), protocol=17, size=28, times=(START + 100, START + 100))

#: guess -> packets of the capture, lines of AWS's log, rules
STORIES: dict[str, tuple[list[Timed], list[str], str]] = {
    "undecidable": (
        [(START, datagram("10.0.1.99", 99))],
        [line(ends=("10.0.1.99", ENI), ports=(5000, 99), protocol=17, size=28)],
        RULES,
    ),
    "not-logged": (
        [(START, udp(ENI, "224.0.0.251", (5353, 5353)))],
        [line(ends=(ENI, "224.0.0.251"), ports=(5353, 5353), protocol=17, size=28)],
        RULES,
    ),
    "dropped-before-capture": (
        [ASKED],
        [ASKED_LINE, line("REJECT", ports=(40000, 22), times=(START + 100, START + 100))],
        RULES,
    ),
    "not-captured": ([ASKED], [ASKED_LINE, line(ports=(40000, 81), times=(START + 100, START + 100))], RULES),
    "skipped": (
        [(START, segment(SYN)), ASKED],
        [ASKED_LINE, f"2 123456789010 eni-web - - - - - - - {START} {START + 60} - SKIPDATA"],
        RULES,
    ),
    "one-action": ([(START, tcp(CLIENT, ENI, (40000, 22), SYN)), ASKED], [ASKED_LINE], RULES),
    "not-in-log": ([(START, segment(SYN)), ASKED], [ASKED_LINE], RULES),
    "edge": ([(START, segment(ACK))], [line(packets=9, size=360, times=(START - 30, START))], RULES),
    "offload": ([(START, segment(ACK, size=4420)), ASKED], [line(packets=3, size=4500), ASKED_LINE], RULES),
    "counts": ([(START, segment(ACK)), ASKED], [line(packets=2, size=80), ASKED_LINE], RULES),
    "closed-connection": (
        [(START + 0.1 * place, segment(flags)) for place, flags in enumerate((ACK, ACK, RST | ACK))],
        [line(packets=2, size=80), line("REJECT")],
        RULES,
    ),
    "untracked": ([ASKED], [ASKED_LINE.replace("ACCEPT", "REJECT")], RULES),
    "network-acl": (
        [(START, segment(SYN)), (START + 0.1, segment(SYN | ACK, back=True))],
        [line(), back("REJECT")],
        RULES,
    ),
    "network-acl-differs": (
        [(START, datagram("203.0.113.9", 53))],
        [line(ends=("203.0.113.9", ENI), ports=(5000, 53), protocol=17, size=28)],
        RULES_WITH_ACL,
    ),
    "no-rule": (
        [(START, tcp(CLIENT, ENI, (40000, 22), SYN))],
        [line(ports=(40000, 22))],
        RULES,
    ),
    "before-capture": ([(START, segment(ACK, back=True))], [back(), line()], RULES),
    "tracking": (
        [(START, segment(SYN)), (START + 90, segment(SYN | FIN))],
        [line(packets=2, size=80, times=(START, START + 90))],
        RULES,
    ),
    "rules-differ": ([(START, segment(SYN))], [line("REJECT")], RULES),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_difference_has_its_guess(name: str, run: Run, tmp_path: Path) -> None:
    packets, lines, rule_text = STORIES[name]
    rules, log = tmp_path / "rules.yaml", tmp_path / "aws.log"
    rules.write_text(rule_text)
    log.write_text("\n".join([NAMES, *lines]) + "\n")
    found = report(run, log, capture(tmp_path / "packets.pcap", packets), "--rules", rules)
    assert name in found["guesses"], found["differing"]["items"]


def test_every_guess_has_a_story() -> None:
    elsewhere = {"dropped-at-sender", "source-dest-check"}
    assert {row.name for row in GUESSES} == STORIES.keys() | elsewhere
    assert len({row.name for row in GUESSES}) == len(GUESSES)


TWO = """
security_groups:
  shut: {ingress: [], egress: []}
  open: {ingress: [{protocol: all, source: 0.0.0.0/0}], egress: [{protocol: all, destination: 0.0.0.0/0}]}
interfaces:
  eni-web: {addresses: [10.0.1.10], mac: "02:00:5e:00:53:10", security_groups: [open]}
  eni-app: {addresses: [10.0.1.20], security_groups: [shut]}
"""


def test_what_the_sender_denies_here_never_arrives(run: Run, tmp_path: Path) -> None:
    rules, log = tmp_path / "rules.yaml", tmp_path / "aws.log"
    rules.write_text(TWO)
    lines = [
        line(ends=("10.0.1.20", ENI), ports=(5, 6), protocol=17, size=28, eni=eni) for eni in ("eni-web", "eni-app")
    ]
    log.write_text("\n".join([NAMES, *lines]) + "\n")
    path = capture(tmp_path / "packets.pcap", [(START, udp("10.0.1.20", ENI, (5, 6)))])
    found = report(run, log, path, "--rules", rules)
    told = {item["eni"]: item["guess"] for item in found["differing"]["items"]}
    assert told["eni-web"] == "dropped-at-sender"


def test_what_the_source_destination_check_stops_here() -> None:
    pair = Pair("eni-web", CLIENT, ENI, 5, 6, 17)
    pair.aws["ACCEPT"] = Seen(1, 1, 28)
    pair.add_ours("REJECT", Seen(1, 1, 28), ["source-dest-check"])
    assert guess(pair, None, Window(START, START)) == "source-dest-check"


# --- hostile files ---------------------------------------------------------------------------------------
GOOD = line()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ": no flow log record"),
        (NAMES.encode(), ": no flow log record"),
        (b"PAR1\0\0\0\0", ": a Parquet file; flow logs are read as text"),
        (b"\x80\x81\x82\n", ":1: not text; this is no flow log"),
        (b"\0" * 100, ":1: 1 fields, expected 14 (version account-id interface-id srcaddr ...); a file without"),
        (b"x" * (LONGEST_LINE + 5), ":1: a line of more than 65,536 bytes; this is no flow log"),
        (gzip.compress(f"{GOOD}\n".encode() * 1000)[:-30], ": the gzip file is cut or damaged"),
        (b"\x1f\x8bnonsense", ": the gzip file is cut or damaged"),
        (b"version srcaddr\n2 10.0.0.1\n", ":1: without interface-id, dstaddr, srcport, dstport, protocol, packets, "),
        (f"{NAMES}\n{GOOD} extra\n".encode(), ":2: 15 fields, expected 14"),
        (GOOD.replace(CLIENT, "1.2.3").encode(), ":1: srcaddr is '1.2.3', expected an address"),
        (GOOD.replace("40000", "-5").encode(), ":1: srcport is '-5', expected a number"),
        (
            GOOD.replace("40000", "9" * 30).encode(),
            ":1: srcport is '999999999999999999999999999999', expected a number",
        ),
        (GOOD.replace("ACCEPT", "MAYBE").encode(), ":1: action is 'MAYBE', expected ACCEPT or REJECT"),
        (GOOD.replace("OK", "FINE").encode(), ":1: log-status is 'FINE', expected OK, NODATA or SKIPDATA"),
        (GOOD.replace(f"{START}", "now").encode(), ":1: start is 'now', expected a number"),
    ],
    ids=range(16),
)
def test_a_file_that_is_no_flow_log_is_told(content: bytes, told: str, run: Run, tmp_path: Path) -> None:
    log = tmp_path / "aws.log"
    log.write_bytes(content)
    found = run("flowlog", WEB, "--rules", WEB_RULES, "--against", log)
    assert (found.status, found.out) == (2, "")
    assert f"{log}{told}" in found.err
    assert "Traceback" not in found.err


def test_a_file_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    for path, told in ((tmp_path / "no.log", "No such file"), (tmp_path / "*.log", "no file matches this pattern")):
        found = run("flowlog", WEB, "--rules", WEB_RULES, "--against", path)
        assert (found.status, found.out) == (2, "")
        assert told in found.err


def test_a_record_whose_tuple_aws_left_out_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "aws.log"
    log.write_text(line().replace("40000", "-") + "\n" + line().replace(CLIENT, "-") + "\n")
    whole, part = read_log(str(log), DEFAULT)
    assert (whole.src_port, whole.status, part.status, part.packets) == (0, "OK", "-", 0)


def test_a_log_of_one_action_says_nothing_of_the_other(run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "whole.log"
    assert run("flowlog", WEB, "--rules", WEB_RULES, "-o", whole).status == 0
    found = run("flowlog", WEB, "--rules", WEB_RULES, "--traffic", "ACCEPT", "--against", whole, "--json")
    compared = json.loads(found.out)
    assert compared["agreement"]["records"]["percent"] == 100.0
    assert compared["records"]["not_compared"] == {"with another action than ACCEPT": 6}
