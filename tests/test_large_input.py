"""Large and hostile input: little memory, a named limit or a true report, no work that grows with the square."""

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generate import generate
from benchmarks.plan import Plan
from pcaps import samples
from pcaps.limits import MAX_INTERFACES, MAX_RECORD
from tests.pcaps.test_capture_files import FRAME, block, enhanced, interface, pcap, section

pytestmark = [pytest.mark.slow, pytest.mark.compiled_only]  # in processes of their own, whose memory is measured

ROOT = Path(__file__).parents[1]
RULES = "benchmarks/rules.yaml"
MIB = 1 << 20
GIB = 1 << 30
PATIENCE = 120  # seconds until a process counts as hanging
READ = """
import json, resource, sys
from pathlib import Path
from pcaps import CaptureError, open_capture
path, rules = sys.argv[1:]
told = {"rows": 0, "warnings": [], "refused": ""}
try:
    with open_capture(path) as capture:
        if rules:
            from firewall import Firewall
            batches = (judged.verdicts.packet for judged in Firewall.from_file(rules).replay(capture))
        else:
            batches = (batch.records for batch in capture.batches())
        told["rows"] = sum(map(len, batches))
        told["warnings"] = [warning.removeprefix(path) for warning in capture.warnings]
except CaptureError as error:
    told["refused"] = str(error).removeprefix(path)
status = Path("/proc/self/status")  # Linux's ru_maxrss knows of the parent's memory too
if status.exists():
    told["peak"] = next(int(line.split()[1]) << 10 for line in status.open() if line.startswith("VmHWM"))
else:
    told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(told))
"""


def told(path: Path, rules: str = "") -> dict[str, Any]:
    """What a process of its own says of a capture, and the most memory that it held."""
    run = subprocess.run(
        [sys.executable, "-c", READ, str(path), rules],
        env=os.environ | {"ENIWALL_ENGINE": "compiled"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def zipped(path: Path, *parts: tuple[bytes, int]) -> Path:
    """A gzip of parts, each repeated so often."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        for part, times in parts:
            for _ in range(times):
                file.write(packer.compress(part))
        file.write(packer.flush())
    return path


def record(frame: bytes) -> bytes:
    return struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame


def damaged(what: str, packets: int) -> str:
    return f"{what}; the {packets} packets before it were read, the rest was not"


# --- packets ------------------------------------------------------------------------------------------------
def test_a_gigabyte_of_traffic_is_replayed_in_little_memory(tmp_path: Path) -> None:
    told(samples.sample("web-http"), RULES)  # compiling, where that is still to do, takes more memory than replaying
    path = tmp_path / "large.pcap"
    generate(path, Plan(packets=1_750_000, snaplen=65535))
    try:
        assert path.stat().st_size > GIB
        found = told(path, RULES)
    finally:
        path.unlink()
    assert (found["rows"], found["warnings"]) == (1_750_000, [])
    assert found["peak"] < 400 * MIB


def test_a_gigabyte_of_one_packet_out_of_a_small_file_is_counted_truly(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "a", (pcap([]), 1), (record(FRAME.ljust(1514, b"\0")) * 700, 1000))
    assert packed.stat().st_size < 10 * MIB
    found = told(packed)
    assert (found["rows"], found["warnings"]) == (700_000, [])
    assert found["peak"] < 400 * MIB


def test_a_gigabyte_of_large_fragments_is_never_held_at_once(tmp_path: Path) -> None:
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 65535, 7, 0x2000, 64, 17, 0, 0xC6336407, 0x0A00010A)
    fragment = FRAME[:14] + ip + bytes(65535 - len(ip))
    found = told(zipped(tmp_path / "a", (pcap([]), 1), (record(fragment), 17_000)))
    assert (found["rows"], found["warnings"]) == (17_000, [])
    assert found["peak"] < 400 * MIB


# --- limits -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("head", "says"),
    [(pcap([FRAME]), "nothing but zeros for 4,096 packets on end (MAX_EMPTY)"), (b"", "bytes 00000000")],
    ids=["behind a packet", "alone"],
)
def test_a_gigabyte_of_zeros_ends_at_once(tmp_path: Path, head: bytes, says: str) -> None:
    found = told(zipped(tmp_path / "a", (head, 1), (bytes(MIB), 1024)))
    assert says in "".join([*found["warnings"], found["refused"]])
    assert found["peak"] < 300 * MIB


@pytest.mark.parametrize("size", [0xFFFF_FFFC, MAX_RECORD + (1 << 17) + 4])
def test_a_block_that_says_it_is_of_gigabytes_is_not_waited_for(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a"
    whole = section("<") + interface("<") + enhanced("<", 0, 0, FRAME)
    path.write_bytes(whole + struct.pack("<II", 6, size) + bytes(1000))
    found = told(path)
    limit = damaged("a block of more than 134,348,800 bytes (MAX_BLOCK)", 1)
    assert found["warnings"] == [f": damaged at byte {len(whole)}, behind packet 1: {limit}"]
    assert found["peak"] < 300 * MIB


def test_a_packet_of_gigabytes_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap([FRAME]) + struct.pack("<IIII", 1, 0, 0xFFFF_FFFF, 0xFFFF_FFFF) + bytes(1000))
    limit = damaged("a packet of more than 134,217,728 bytes (MAX_RECORD)", 1)
    assert told(path)["warnings"] == [f": damaged at byte {24 + 16 + len(FRAME)}, behind packet 1: {limit}"]


def test_a_packet_as_long_as_the_limit_is_read_in_bounded_memory(tmp_path: Path) -> None:
    header = struct.pack("<IIII", 1, 0, MAX_RECORD, MAX_RECORD)
    found = told(zipped(tmp_path / "a", (pcap([]) + header, 1), (bytes(MIB), MAX_RECORD // MIB), (record(FRAME), 1)))
    assert (found["rows"], found["warnings"]) == (2, [])
    assert found["peak"] < 500 * MIB


def test_a_hundred_thousand_interfaces_end_at_the_limit(tmp_path: Path) -> None:
    found = told(zipped(tmp_path / "a", (section("<"), 1), (interface("<") * 1000, 100)))
    place = len(section("<")) + len(interface("<")) * (MAX_INTERFACES + 1)
    limit = damaged("more than 65,536 interfaces in one section (MAX_INTERFACES)", 0)
    assert found["warnings"] == [f": damaged at byte {place}, behind packet 0: {limit}"]


# --- work that must not grow with the square ------------------------------------------------------------------
def test_an_interface_before_every_packet_costs_no_more_than_the_packets(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(section("<") + (interface("<") + enhanced("<", 0, 1, FRAME)) * 40_000)
    assert told(path)["rows"] == 40_000


def test_blocks_of_no_interest_are_passed_over(tmp_path: Path) -> None:
    parts = (section("<") + interface("<"), 1), (block("<", 0x0BAD, b"") * 50_000, 200), (enhanced("<", 0, 1, FRAME), 1)
    found = told(zipped(tmp_path / "a", *parts))
    assert (found["rows"], found["warnings"]) == (1, [])
    assert found["peak"] < 300 * MIB
