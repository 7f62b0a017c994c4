"""What `make bench` stands on: peers that agree with eniwall, honest rounds, tables that can be read."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.captures import Case
from benchmarks.growth import SERIES, with_interfaces
from benchmarks.many_rules import many_rules
from benchmarks.peers import dpkt_loop, limit, scapy_loop, struct_loop
from benchmarks.peers.rules_index import Rules, read_index
from benchmarks.peers.tracker import Tracker
from benchmarks.plan import Plan
from benchmarks.rows import Row, as_json, from_json, markdown, rows_of, text_table
from benchmarks.run import BenchError, Contender, Outcome, Took, measure, process
from benchmarks.sections import SECTIONS
from firewall import Firewall
from firewall.verdict import ALLOW
from pcaps import open_capture

ROOT = Path(__file__).parents[1]
RULES = ROOT / "benchmarks" / "rules.yaml"
PLANS = {
    "mixed": Plan(packets=4000, flows=300, seed=3),
    "whole": Plan(packets=1500, flows=100, payloads=True, seed=4),
    "scan": Plan(packets=1500, scan=True, seed=5),
    "four interfaces": Plan(packets=3000, flows=250, interfaces=4, seed=6),
}
SLOTS = 8192


@pytest.fixture(scope="module", params=PLANS)
def capture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A capture and its rules; the scan against rules of which only the last admit it."""
    from benchmarks.generate import generate

    folder = tmp_path_factory.mktemp("bench")
    plan = PLANS[request.param]
    generate(folder / "capture.pcap", plan)
    rules = folder / "rules.yaml"
    if plan.scan:
        rules.write_text(many_rules(40, 50))
    else:
        rules.write_text(with_interfaces(plan.interfaces))
    return folder / "capture.pcap", rules


def allowed(capture: Path, rules: Path) -> list[bool]:
    """What eniwall says of every packet; each has one row in these captures."""
    with open_capture(str(capture)) as packets:
        batches = [judged.verdicts.verdict == ALLOW for judged in Firewall.from_file(str(rules)).replay(packets)]
    return [bool(verdict) for verdict in np.concatenate(batches)]


# --- peers ---------------------------------------------------------------------------------------------------
@pytest.mark.skipif(not any(map(shutil.which, limit.COMPILERS)), reason="no C compiler")
def test_the_limit_in_c_allows_the_same_packets(capture: tuple[Path, Path], tmp_path: Path) -> None:
    """It keeps no windows; in these captures every segment is inside its window, so nothing may differ."""
    path, rules = capture
    verdicts = tmp_path / "verdicts"
    words = [str(limit.build(tmp_path)), str(path), str(limit.index_file(rules, tmp_path)), str(SLOTS), str(verdicts)]
    told = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    expected = allowed(path, rules)
    assert [verdict == 1 for verdict in verdicts.read_bytes()] == expected
    assert (told["packets"], told["allowed"]) == (len(expected), sum(expected))
    assert 0 < sum(expected) <= len(expected)


@pytest.mark.parametrize("loop", [struct_loop, dpkt_loop], ids=lambda loop: loop.__name__.rpartition(".")[2])
def test_the_loops_in_python_allow_the_same_packets(capture: tuple[Path, Path], loop: ModuleType) -> None:
    path, rules = capture
    tracker = Tracker(rules)
    assert [tracker.judge(*seen) for seen in loop.read(str(path))] == allowed(path, rules)


def test_scapys_loop_sees_what_the_loop_by_hand_sees(capture: tuple[Path, Path]) -> None:
    path, _ = capture
    by_hand = [seen and seen[1:] for seen in struct_loop.read(str(path))][:200]
    assert [seen and seen[1:] for seen, _ in zip(scapy_loop.read(str(path)), range(200), strict=False)] == by_hand


def test_the_header_has_the_tables_of_the_tracker() -> None:
    text = limit.header()
    assert "ENTRY_BYTES = 128," in text
    assert "#define UDP_STREAM_TIMEOUT 180000000000ll\n" in text
    assert "static const uint8_t TRANSITIONS[2][6][10] = {{{1, 1, 10, 10, 10, 10, 10, 1, 1, 9}, " in text
    assert "uint64_t a_hi; uint64_t a_lo; " in text


def test_without_a_compiler_the_limit_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(limit.NoCompilerError, match=r"^no C compiler \(cc, gcc, clang\)$"):
        limit.build(tmp_path)


def test_there_can_be_more_rules_than_ranges_of_ports(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(many_rules(4000, 2))
    rules = Rules(path)
    assert rules.allow(0, 4, 6, 443, bytes([198, 19, 255, 255]))
    assert not rules.allow(0, 4, 6, 443, bytes([203, 0, 113, 9]))


def test_the_index_knows_the_rules_port_by_port() -> None:
    rules = Rules(RULES)
    peer, stranger = bytes([198, 18, 0, 1]), bytes([203, 0, 113, 9])
    assert rules.allow(0, 4, 6, 443, stranger)
    assert not rules.allow(0, 4, 6, 444, stranger)
    assert [rules.allow(0, 4, 6, 22, each) for each in (peer, stranger)] == [True, False]
    assert rules.allow(0, 4, 1, 8 << 8, stranger)  # echo request
    assert not rules.allow(1, 4, 1, 8 << 8, stranger)
    assert rules.numbers == {bytes([10, 0, 1, 10]): 0, bytes.fromhex("20010db8000100000000000000000010"): 0}


def test_interfaces_that_differ_in_their_groups_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    first, second = (f"{{addresses: [10.0.1.{at}], security_groups: [{group}]}}" for at, group in ((1, "g"), (2, "h")))
    enis = f"interfaces: {{a: {first}, b: {second}}}\n"
    path.write_text("security_groups: {g: {egress: []}, h: {egress: []}}\n" + enis)
    with pytest.raises(ValueError, match="only interfaces that all have the same groups"):
        read_index(path)


# --- rounds --------------------------------------------------------------------------------------------------
def took(seconds: float, **said: float) -> Took:
    return Took(seconds, 0, said)


def test_contenders_take_turns_and_the_first_turn_does_not_count() -> None:
    order: list[str] = []

    def runner(name: str, *seconds: float) -> Contender:
        left = list(seconds)

        def run() -> Took:
            order.append(name)
            return took(left.pop(0))

        return Contender(name, run)

    found = measure([runner("a", 100, 1, 3, 2), runner("b", 100, 5, 5, 5)], 3, lambda _: None)
    assert order == ["a", "b"] * 4
    assert (found["a"].seconds, found["b"].seconds) == (2, 5)
    assert len(found["a"].turns) == 3


def test_a_slow_contender_has_fewer_rounds_and_all_count() -> None:
    left = [4.0, 6.0]
    said: list[str] = []
    found = measure([Contender("slow", lambda: took(left.pop(0)), 2)], 5, said.append)
    assert (len(found["slow"].turns), found["slow"].seconds) == (2, 5)
    assert said == ["slow, round 1 of 2", "slow, round 2 of 2"]


def test_one_that_fails_is_told_and_the_others_go_on() -> None:
    def fails() -> Took:
        raise BenchError("tcpdump is not installed")

    found = measure([Contender("tcpdump", fails), Contender("eniwall", lambda: took(2))], 2, lambda _: None)
    rows = rows_of("m1", 1_000_000, found, {"tcpdump": "tcpdump"})
    assert text_table(rows) == (
        "what  who      rounds  seconds  packets/s\n"
        "m1    tcpdump          not measured: tcpdump is not installed\n"
        "m1    eniwall       2    2.000    500,000\n"
    )


def test_a_process_that_fails_says_why() -> None:
    program = "import sys; sys.exit('no such\\nthing')"
    with pytest.raises(BenchError, match=r" ended with 1: no such thing$"):
        process([sys.executable, "-c", program])
    with pytest.raises(BenchError, match=r"^no-such-program is not installed$"):
        process(["no-such-program"])


def test_a_process_tells_its_memory_and_what_it_printed() -> None:
    program = 'held = bytes(64 << 20); print(\'{"seconds": 0.5, "packets": 7}\')'
    found = process([sys.executable, "-c", program])
    assert found.said == {"seconds": 0.5, "packets": 7}
    assert found.peak > 64 << 20
    assert found.seconds > 0


# --- tables --------------------------------------------------------------------------------------------------
OUTCOMES = {
    "tcpdump": Outcome((took(0.1),)),
    "limit in C": Outcome((took(0.03125, packets=1_000_000, allowed=997_500),)),
    "scapy": Outcome((took(5.0, packets=50_000, allowed=49_000),)),
}


def test_ratios_stand_beside_the_rates() -> None:
    rows = rows_of("m1", 1_000_000, OUTCOMES, {"tcpdump": "tcpdump", "limit": "limit in C"})
    assert text_table(rows) == (
        "what  who         rounds  seconds   packets/s  x tcpdump   x limit  allowed\n"
        "m1    tcpdump          1    0.100  10,000,000          1     0.312\n"
        "m1    limit in C       1    0.031  32,000,000        3.2         1  997,500\n"
        "m1    scapy            1    5.000      10,000      0.001  0.000313   49,000\n"
    )


def test_rows_come_back_from_json_as_they_were() -> None:
    rows = rows_of("m1", 1_000_000, OUTCOMES, {"tcpdump": "tcpdump"})
    rows.append(Row("m1", "tshark", failed="not installed"))
    assert from_json(json.loads(json.dumps(as_json(rows)))) == rows
    assert markdown(rows).splitlines()[0] == "| what | who | rounds | seconds | packets/s | x tcpdump | allowed |"
    assert "| m1 | tshark |  | not measured: not installed |  |  |  |" in markdown(rows)


def test_a_table_has_room_for_all_connections() -> None:
    cases = [Case("", Path(), Path(), 1, flows) for flows in (1, 50_000, 65_536, 500_000, 1_000_000)]
    assert [case.slots for case in cases] == [1024, 131_072, 131_072, 1_048_576, 2_097_152]


# --- plots ---------------------------------------------------------------------------------------------------
def test_a_plot_of_the_same_numbers_is_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.page import draw, lines_of

    rows = [Row(f"flows: {number:,}", who, 1, 0.1, 1000) for number in (10, 1000) for who in ("eniwall", "limit in C")]
    rows.append(Row("flows: 2,000", "eniwall", failed="killed"))
    series = next(each for each in SERIES if each.name == "flows")
    lines = lines_of(series, rows)
    assert lines == {"eniwall": [(10, 10_000.0), (1000, 10_000.0)], "limit in C": [(10, 10_000.0), (1000, 10_000.0)]}
    for name in ("one", "two"):
        draw(series, lines, tmp_path / name)
    text = (tmp_path / "one").read_text()
    assert text == (tmp_path / "two").read_text()
    assert ">packets per second</text>" in text
    assert "<dc:date>" not in text


def test_an_unknown_section_is_told_with_those_that_there_are() -> None:
    words = [sys.executable, "-m", "benchmarks", "ratse"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"no section ratse: there are {', '.join(section.name for section in SECTIONS)}" in done.stderr
