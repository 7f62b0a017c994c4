"""tshark and eniwall read the same of every packet: real captures, the samples, and frames by hand.

What differs is named below, frame by frame, with the reason; a line that no longer differs fails too.
"""

import shutil
import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from pcaps import samples
from tests.pcaps.link_frames import FRAMES, IP4, IP6, Case
from tests.pcaps.tshark import differences, eniwall_headers, packet_count, tshark_headers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("tshark") and shutil.which("capinfos")), reason="tshark is not installed"),
]


class Known(NamedTuple):
    """Frames that differ in one capture: `says` is in the difference."""

    capture: str
    frames: tuple[int, ...]
    says: str
    why: str


KNOWN = (
    Known(
        "bad-ndpi-fuzz-2020-02-16-11740.pcap",
        (238,),
        "src '', tshark 'fc11:",
        "IPv6 behind IPv4's EtherType, which no host takes for a packet; tshark goes by the version",
    ),
    Known(
        "fmt-gopacket-le-test202.pcapng",
        (1, 7, 10),
        "only tshark has it",
        "tshark 4 shows blocks that hold no packet as frames; capinfos counts 8 packets, as eniwall does",
    ),
    Known(
        "fmt-tcpdump-timestamp_invalid_nano.pcap",
        (3,),
        "time 1418145372147483648, tshark -1418145367852516352",
        "2147483648 nanoseconds are no fraction of a second; the field is unsigned, tshark prints it signed",
    ),
)

# Stories of link_frames that tshark reads otherwise.
KNOWN_STORIES = {
    **dict.fromkeys([f"AF {n}, least first" for n in (2, 24, 28, 30)], "of LOOP tshark takes network order alone"),
    **dict.fromkeys(["AF 10, least first", "AF 10, network order"], "tshark does not know Linux's number for IPv6"),
    "the first fragment": "tshark waits for the other fragments and shows their packet at the last",
    "the first fragment in radiotap": "the same",
    "a log in network order": "tshark takes this machine's byte order, least significant first",
    "thirty tags in Ethernet": "tshark stops at twenty",
}


def known(capture: str) -> dict[int, str]:
    """What is known to differ, by frame."""
    return {frame: row.says for row in KNOWN if row.capture == capture for frame in row.frames}


class Compared(NamedTuple):
    """One capture: packets that agree, packets compared, and what differs without a name."""

    agreed: int
    packets: int
    wrong: str


def compare(path: Path) -> Compared:
    """Every packet of a capture; so many as capinfos counts."""
    ours, theirs = eniwall_headers(path), tshark_headers(path)
    found, expected = differences(ours, theirs), known(path.name)
    wrong = [f"frame {frame}: {text}" for frame, text in found.items() if expected.get(frame, "?") not in text]
    wrong += [f"frame {frame} is named, but tshark agrees now" for frame in expected if frame not in found]
    if len(ours) != packet_count(path):
        wrong.append(f"{len(ours)} packets, capinfos counts {packet_count(path)}")
    packets = len(theirs.keys() | ours.keys())
    return Compared(packets - len(found), packets, "\n  ".join([path.name, *wrong]) if wrong else "")


def compare_all(paths: list[Path]) -> str:
    """`files agreed / compared`, and the same of packets; fails where something differs without a name."""
    results = [compare(path) for path in paths]
    agreed = sum(result.agreed == result.packets for result in results)
    packets = f"{sum(result.agreed for result in results):,} / {sum(result.packets for result in results):,} packets"
    said = f"tshark: {agreed} / {len(results)} files agreed / compared, {packets}"
    wrong = [result.wrong for result in results if result.wrong]
    assert not wrong, "\n".join([said, *wrong])
    return said


def test_every_real_capture_is_read_as_tshark_reads_it(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted(captures.glob("*.pcap*"))
    assert paths, captures
    said = compare_all(paths)
    with capsys.disabled():
        print(f"\n{said}")  # noqa: T201  # what was compared is worth a line in every run


def test_every_sample_is_read_as_tshark_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    said = compare_all([samples.sample(name) for name in samples.SAMPLES])
    with capsys.disabled():
        print(f"\n{said}")  # noqa: T201  # the same


@pytest.mark.parametrize("ip", [IP4, IP6], ids=["IPv4", "IPv6"])
def test_every_link_layer_is_read_as_tshark_reads_it(tmp_path: Path, ip: bytes) -> None:
    cases = FRAMES[ip]
    differing = []
    for link in sorted({case.link for case in cases}):
        group = [case for case in cases if case.link == link]
        path = tmp_path / f"{link}.pcap"
        path.write_bytes(capture_of(group, link))
        found = differences(eniwall_headers(path), tshark_headers(path))
        differing += [group[frame - 1].story for frame in found]
    assert [story for story in differing if story not in KNOWN_STORIES] == []
    stories = {case.story for case in cases}
    assert [story for story in KNOWN_STORIES if story in stories and story not in differing] == []


def capture_of(cases: list[Case], link: int) -> bytes:
    """A classic pcap of these frames, one a second."""
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    records = (
        struct.pack("<IIII", at, 0, len(case.data), len(case.data)) + case.data for at, case in enumerate(cases, 1)
    )
    return header + b"".join(records)
