"""What tries to break the engine: time stamps that cannot be, full tables, addresses in disguise."""

import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conntrack import growth, timeouts
from conntrack import table as table_module
from firewall.engine import Firewall
from pcaps import accelerate
from pcaps.capture import FrameCapture, crafted_capture, open_capture
from pcaps.craft import packets_to_frames, parse
from pcaps.frame import Frame
from pcaps.reader import PcapngReader
from tests.pcaps.test_capture_files import FRAME, block, enhanced, interface, pcap, section
from tests.support import CLIENT, ENI, file_rows, rows, rule, rule_set

HTTP = rule("ingress", 6, f"{CLIENT}/32", (80, 80))
SECOND = 10**9


def syn_frames(count: int, gap: int = 1000) -> list[Frame]:
    (whole,) = packets_to_frames(parse(f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport=1, dport=80, flags="S")'))
    return [
        Frame(whole.link, index * gap, whole.data[:20] + struct.pack(">H", index) + whole.data[22:], whole.wirelen)
        for index in range(count)
    ]


@pytest.fixture
def small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so small that a test reaches them. Compiled kernels have them built in."""
    if accelerate.engine() == "compiled":
        pytest.skip("the limit is a constant of compiled kernels")
    for name, value in (("FIRST_CAPACITY", 16), ("MAX_CAPACITY", 64), ("REMEMBERING_CAPACITY", 32)):
        for module in (table_module, growth):
            monkeypatch.setattr(module, name, value, raising=False)
    monkeypatch.setattr(table_module.new_table, "__defaults__", (16, None))


@pytest.mark.usefixtures("small_table")
def test_a_table_full_of_live_connections_ends_in_denials_not_in_a_loop() -> None:
    firewall = Firewall(rule_set([HTTP]))
    found = rows(firewall, FrameCapture(syn_frames(500)))
    counts = Counter(row["reason"] for row in found)
    assert counts["rule"] + counts["table-full"] == 500
    assert counts["rule"] == len(firewall.table()) > 40
    assert {row["rule"] for row in found if row["reason"] == "table-full"} == {None}


@pytest.mark.usefixtures("small_table")
def test_a_large_table_forgets_what_timed_out_and_says_so() -> None:
    firewall = Firewall(rule_set([HTTP]))
    found = rows(firewall, FrameCapture(syn_frames(2000, gap=20 * SECOND)))  # six live at a time
    assert {row["reason"] for row in found} == {"rule"}
    assert [warning.kind for warning in firewall.warnings] == ["table-limit"]
    assert len(firewall._table.slots) <= 64  # noqa: SLF001  (its size is the point)


@pytest.mark.parametrize("ticks", [0, (1 << 63) - 1, (1 << 64) - 1, 1 << 62])
@pytest.mark.parametrize("clock", [b"\x00", b"\x06", b"\x09", b"\x80", b"\xbb"])
@pytest.mark.parametrize("offset", [0, (1 << 63) - 1, -(1 << 63)])
def test_impossible_times_are_clamped_and_judged(tmp_path: Path, ticks: int, clock: bytes, offset: int) -> None:
    path = tmp_path / "late.pcapng"
    described = interface("<", options={9: clock, 14: struct.pack("<q", offset)})
    path.write_bytes(section("<") + described + enhanced("<", 0, ticks, FRAME) * 2)
    found = file_rows(Firewall(rule_set([rule("ingress", 6)]), profile="linux", settings={"ip_checksum": "0"}), path)
    assert [row["reason"] for row in found] == ["rule", "rule"]
    assert {row["flow"] for row in found} == {1}


def test_thousands_of_interfaces_are_described_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[int] = []
    walk = PcapngReader._walk  # noqa: SLF001  (how often the table of interfaces is made is the point)

    def counted(reader: PcapngReader, out: Any) -> Any:
        walks.append(1)
        return walk(reader, out)

    monkeypatch.setattr(PcapngReader, "_walk", counted)
    path = tmp_path / "many.pcapng"
    path.write_bytes(section("<") + interface("<") * 20_000 + enhanced("<", 19_999, 0, FRAME))
    with open_capture(str(path)) as capture:
        assert sum(batch.rows for batch in capture.batches()) == 1
    assert len(walks) < 20


def test_an_ipv4_mapped_address_on_the_wire_is_nobodys_ipv4_address() -> None:
    rules = rule_set([rule("ingress", -1), rule("ingress", -1, "::/0")], [ENI, "2001:db8:1::10"])
    packets = parse(f'IPv6(src="2001:db8::5", dst="::ffff:{ENI}")/UDP(dport=53)')
    packets += parse('IPv6(src="::ffff:169.254.169.253", dst="2001:db8:1::10")/UDP(sport=53, dport=4000)')
    found = rows(Firewall(rules), FrameCapture(packets_to_frames(packets)))
    assert [row["reason"] for row in found] == ["other-interface", "rule"]


@pytest.mark.parametrize("filter_", ["tcp", "ip", "greater 40"])
def test_a_filter_works_on_raw_ip(filter_: str) -> None:
    expressions = [f'IP(src="{CLIENT}", dst="{ENI}")/TCP(dport=80)', f'IP(src="{CLIENT}", dst="{ENI}")/UDP(dport=80)']
    with crafted_capture(expressions, filter_) as capture:
        kept = sum(batch.rows for batch in capture.batches())
    assert kept == {"tcp": 1, "ip": 2, "greater 40": 1}[filter_]


def test_a_filter_sees_the_length_on_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    cut = bytearray(pcap([FRAME]))
    cut[24 + 12 : 24 + 16] = struct.pack("<I", 1500)
    path.write_bytes(cut)
    with open_capture(str(path), bpf="greater 1000") as capture:
        assert sum(batch.rows for batch in capture.batches()) == 1


def test_an_interface_without_decoder_does_not_stop_a_filter(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pcapng"
    odd = interface("<", 999)
    path.write_bytes(section("<") + interface("<") + odd + enhanced("<", 0, 0, FRAME) + enhanced("<", 1, 0, FRAME))
    found = file_rows(Firewall(rule_set([HTTP])), path, bpf="udp")
    assert [row["reason"] for row in found] == ["unsupported-link"]


def test_later_fragments_read_alone_match_no_port() -> None:
    fragment = f'IP(src="{CLIENT}", dst="{ENI}", id=7, frag=10, proto={{}})/"{"x" * 16}"'
    low_ports = [rule("ingress", 17, ports=(0, 1023)), rule("ingress", 6, ports=(0, 65535))]
    packets = [packet for proto in (17, 6) for packet in parse(fragment.format(proto))]
    found = rows(Firewall(rule_set(low_ports), reading="stateless"), FrameCapture(packets_to_frames(packets)))
    assert [row["verdict"] for row in found] == ["DENY", "ALLOW"]


def test_tcp_state_liberal_keeps_the_established_timeout() -> None:
    web = [
        f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport=1, dport=80, flags="S", seq=1)',
        f'IP(src="{ENI}", dst="{CLIENT}")/TCP(sport=80, dport=1, flags="SA", seq=1, ack=2)',
        f'IP(src="{CLIENT}", dst="{ENI}")/TCP(sport=1, dport=80, flags="A", seq=2, ack=2)',
        f'IP(src="{ENI}", dst="{CLIENT}", time=4000.0)/TCP(sport=80, dport=1, flags="PA", seq=2, ack=2)',
    ]
    firewall = Firewall(rule_set([HTTP]), settings={"tcp_state": "liberal"})
    assert [row["verdict"] for row in rows(firewall, crafted_capture(web))] == ["ALLOW"] * 4


def test_the_cache_folder_is_named_after_every_constant_a_kernel_may_hold() -> None:
    hashed = {f"{path.parent.name}/{path.name}" for path in accelerate.kernel_sources()}
    assert {
        "firewall/verdict.py",
        "firewall/policy.py",
        "conntrack/outcome.py",
        "conntrack/tcp.py",
        "conntrack/timeouts.py",
        "pcaps/batch.py",
        "pcaps/wire.py",
        "accelerate/__init__.py",
        "accelerate/operations.py",
    } <= hashed
    assert "firewall/cli.py" not in hashed


def test_blocks_of_unknown_kind_between_descriptions_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(
        section("<") + interface("<") + block("<", 0xBAD, b"x") + interface("<") + enhanced("<", 1, 0, FRAME)
    )
    with open_capture(str(path)) as capture:
        assert [batch.rows for batch in capture.batches()] == [1]


def test_the_clock_begins_before_the_first_packet() -> None:
    early: Any = [Frame(frame.link, -5_000 * SECOND, frame.data, frame.wirelen) for frame in syn_frames(1)]
    late = [Frame(frame.link, -1_000 * SECOND, frame.data, frame.wirelen) for frame in syn_frames(1)]
    firewall = Firewall(rule_set([HTTP]))
    found = rows(firewall, FrameCapture([*early, *late]))
    assert [row["flow"] for row in found] == [1, 2]
    assert timeouts.NS == SECOND
