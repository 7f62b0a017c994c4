"""Recorded kernel verdicts: what Linux netfilter did with each packet of a case.

A case is a folder of three files: `packets.pcap` (Ethernet frames), `rules.json` (the interface's
addresses, the allow rules) and `verdicts.json` (one letter a packet, for each configuration of
sysctls). The folders are found in `tests/netfilter/cases` and in the directory that ENIWALL_CASES names.

    for case in cases():
        for name, recorded in case.configs.items():
            ...
"""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

import pytest

DEFAULTS = "loose1_liberal0"  # the configuration of an untouched kernel
PROTOCOLS = {"all": -1, "icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
LINKTYPE_ETHERNET = 1
LITTLE_ENDIAN_MICROSECONDS = 0xA1B2C3D4

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Rule:
    """One allow rule. `protocol` is a number, -1 any; None in the other fields is any."""

    direction: Literal["ingress", "egress"]
    protocol: int
    peer: Network
    ports: tuple[int, int] | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None


@dataclass(frozen=True)
class Config:
    """What one configuration of sysctls gave: three strings, one letter a packet.

    `options` are sysctl names without `nf_conntrack_`. `verdicts`: F forwarded, D dropped, H fragment
    never released, X not judged. `ct`: N new, E established, R related, I invalid, U untracked, - none.
    `entry`: of the packet's tuple after the packet: - none; TCP s SYN_SENT, r SYN_RECV, e ESTABLISHED,
    f FIN_WAIT, c CLOSE_WAIT, l LAST_ACK, t TIME_WAIT, x CLOSE, S SYN_SENT2; other protocols u unreplied,
    b both directions seen, a assured; p an SCTP state without a TCP name.
    """

    options: dict[str, int]
    verdicts: str
    ct: str
    entry: str


@dataclass(frozen=True)
class Case:
    """One folder: frames (capture time in ns, bytes), the interface, its rules, what came out."""

    name: str
    path: Path
    frames: list[tuple[int, bytes]]
    addresses: tuple[Address, ...]
    rules: tuple[Rule, ...]
    configs: dict[str, Config]
    notes: tuple[str, ...]

    @property
    def capture(self) -> Path:
        """The frames as a capture file."""
        return self.path / "packets.pcap"


@cache
def case_folders() -> dict[str, Path]:
    """The folder of each recorded case, by name; of two of one name that which ENIWALL_CASES leads to."""
    named = os.environ.get("ENIWALL_CASES")
    if named and not Path(named).is_dir():
        raise FileNotFoundError(f"ENIWALL_CASES names no folder: {named}")
    places = [Path(__file__).parent / "netfilter" / "cases", *([Path(named)] if named else [])]
    found = [file.parent for place in places for file in sorted(place.glob("*/verdicts.json"))]
    return {folder.name: folder for folder in found}


needs_cases = pytest.mark.skipif(
    not case_folders(),
    reason="no recorded kernel verdicts: ENIWALL_CASES is unset and tests/netfilter/cases is absent",
)


def case_names() -> list[str]:
    """Names of the recorded cases, sorted; empty where there are none."""
    return sorted(case_folders())


def cases() -> Iterator[Case]:
    """Every recorded case, by name."""
    return (load_case(name) for name in case_names())


@cache
def load_case(name: str) -> Case:
    """The case of that name; FileNotFoundError where there is none."""
    path = case_folders().get(name)
    if path is None:
        raise FileNotFoundError(f"no recorded kernel verdicts of a case {name}")
    setting = json.loads((path / "rules.json").read_text())
    verdicts = json.loads((path / "verdicts.json").read_text())
    return Case(
        name=name,
        path=path,
        frames=read_frames(path / "packets.pcap"),
        addresses=tuple(ip_address(address) for address in setting["eni"]),
        rules=tuple(rule_of(rule) for rule in setting["rules"]),
        configs={config: _config(verdicts["configs"], config) for config in verdicts["configs"]},
        notes=tuple(setting.get("notes", ())),
    )


def rule_of(rule: dict[str, Any]) -> Rule:
    """A rule as `rules.json` has it."""
    protocol = rule["proto"]
    return Rule(
        direction=rule["dir"],
        protocol=PROTOCOLS[protocol] if isinstance(protocol, str) else protocol,
        peer=ip_network(rule["cidr"], strict=False),  # 198.51.100.77/24 is 198.51.100.0/24
        ports=tuple(rule["ports"]) if rule.get("ports") else None,
        icmp_type=rule.get("type"),
        icmp_code=rule.get("code"),
    )


def _config(configs: dict[str, Any], name: str) -> Config:
    """A configuration with `same_as` resolved; its options are its own."""
    own = configs[name]
    told = own
    while "same_as" in told:
        told = configs[told["same_as"]]
    return Config(own["options"], told["verdicts"], told["ct"], told["entry"])


def read_frames(path: Path) -> list[tuple[int, bytes]]:
    """Records of a classic little-endian microsecond pcap of Ethernet frames."""
    data = path.read_bytes()
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, link) == (LITTLE_ENDIAN_MICROSECONDS, LINKTYPE_ETHERNET), path
    frames, at = [], 24
    while at < len(data):
        seconds, microseconds, caplen, _ = struct.unpack_from("<IIII", data, at)
        frames.append((seconds * 10**9 + microseconds * 1000, data[at + 16 : at + 16 + caplen]))
        at += 16 + caplen
    return frames
