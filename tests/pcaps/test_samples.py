"""The sample captures are complete, small, as the README counts them, and tell nothing of who recorded them."""

import gzip
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pcaps.samples import SAMPLES, record, rules, sample

README = Path(record.__file__).with_name("README.md").read_text(encoding="utf-8")
LIMIT = 3_000_000  # bytes, all captures together
ETHERNET, LINUX_SLL2 = 1, 276  # https://www.tcpdump.org/linktypes.html
PCAPNG = b"\x0a\x0d\x0d\x0a"


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The blocks of a little-endian pcapng file: type and body."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + size - 4) == (size,)
        yield kind, data[at + 8 : at + size - 4]
        at += size
    assert at == len(data)


def records(data: bytes) -> Iterator[bytes]:
    """The packets of a little-endian pcap file."""
    at = 24
    while at < len(data):
        caught, size = struct.unpack_from("<8xII", data, at)
        assert caught <= size
        at += 16 + caught
        yield data[at - caught : at]
    assert at == len(data)


def opened(name: str) -> tuple[int, list[bytes]]:
    """Link type and packets of a sample."""
    data = sample(name).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:4] != PCAPNG:
        return struct.unpack_from("<I", data, 20)[0], list(records(data))
    enhanced = [body for kind, body in blocks(data) if kind == 6]
    (link,) = (struct.unpack_from("<H", body)[0] for kind, body in blocks(data) if kind == 1)
    return link, [body[20 : 20 + struct.unpack_from("<I", body, 12)[0]] for body in enhanced]


def test_the_recorder_and_the_package_name_the_same_samples() -> None:
    assert tuple(record.SAMPLES) == SAMPLES


def test_no_file_of_the_folder_belongs_to_no_sample() -> None:
    folder = sample("web-http").parent
    found = {path for path in folder.iterdir() if ".pcap" in path.name or path.suffix == ".yaml"}
    assert found == {find(name) for name in SAMPLES for find in (sample, rules)}


def test_an_unknown_name_is_told_which_there_are() -> None:
    with pytest.raises(KeyError, match="no sample 'web'; there are web-http, "):
        sample("web")
    with pytest.raises(KeyError, match="no sample 'web'; there are web-http, "):
        rules("web")


def test_all_captures_together_are_small() -> None:
    assert sum(sample(name).stat().st_size for name in SAMPLES) < LIMIT


@pytest.mark.parametrize("name", SAMPLES)
def test_the_readme_counts_the_packets_of_a_sample(name: str) -> None:
    row = re.search(
        rf"^\| `{re.escape(sample(name).name)}` \| (\d+) \| \d{{4}}-\d\d-\d\d \| .*\d.* \|$", README, re.MULTILINE
    )
    assert row is not None
    assert int(row[1]) == len(opened(name)[1]) > 0
    assert f"\n### {name}\n" in README


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rule_file_says_what_to_expect_and_names_groups_that_it_has(name: str) -> None:
    text = rules(name).read_text(encoding="utf-8")
    assert re.search(r"^# Expect", text, re.MULTILINE)
    loaded = yaml.safe_load(text)
    used = {group for interface in loaded["interfaces"].values() for group in interface["security_groups"]}
    assert used == set(loaded["security_groups"])


@pytest.mark.parametrize("name", SAMPLES)
def test_every_address_of_the_link_layer_is_locally_administered(name: str) -> None:
    link, packets = opened(name)
    assert link in (ETHERNET, LINUX_SLL2)
    for packet in packets:
        # LINUX_SLL2 keeps the sender's address alone, at offset 12 (tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html).
        addresses = (packet[12:18],) if link == LINUX_SLL2 else (packet[0:6], packet[6:12])
        assert all(address[0] & 0b11 for address in addresses)


def test_one_sample_each_is_pcapng_gzip_nanoseconds_and_linux_cooked() -> None:
    first = {name: sample(name).read_bytes()[:4] for name in SAMPLES}
    assert [name for name in SAMPLES if first[name] == PCAPNG] == ["dns"]
    assert [name for name in SAMPLES if first[name][:2] == b"\x1f\x8b"] == ["https"]
    assert [name for name in SAMPLES if first[name] == b"\x4d\x3c\xb2\xa1"] == ["iperf3"]
    assert [name for name in SAMPLES if opened(name)[0] == LINUX_SLL2] == ["ping"]


def test_the_pcapng_header_does_not_describe_the_machine() -> None:
    (section,) = (body for kind, body in blocks(sample("dns").read_bytes()) if kind == 0x0A0D0D0A)
    options, codes = section[16:], []
    while options:
        code, length = struct.unpack_from("<HH", options)
        codes.append(code)
        options = options[4 + (length + 3) // 4 * 4 :]
    assert codes == [4, 0], "shb_userappl alone: neither hardware (2) nor system (3)"
