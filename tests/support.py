"""Short ways to build rule sets, judge frames and read what came out."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.labels import Labels
from firewall.model import ANY, NetworkInterface, Rule, RuleSet, SecurityGroup
from pcaps.capture import Capture, FrameCapture, open_capture
from pcaps.frame import Frame
from tests.recorded import Case
from tests.recorded import Rule as RecordedRule

ETHERNET = 1
ENI = "10.0.1.10"
CLIENT = "198.51.100.7"

Cells = dict[str, Any]


def rule(direction: str, protocol: int, peer: str = "0.0.0.0/0", ports: tuple[int, int] | None = None) -> Rule:
    """A rule of group `g`; -1 is every protocol."""
    return Rule("g", direction, 0, protocol, ip_network(peer), ports)  # type: ignore[arg-type]  # a literal in every test


def rule_set(rules: Iterable[Rule], addresses: Sequence[str] = (ENI,)) -> RuleSet:
    """One interface `eni` with one group `g`."""
    rules = tuple(rules)
    group = SecurityGroup(
        "g",
        "g",
        tuple(one for one in rules if one.direction == "ingress"),
        tuple(one for one in rules if one.direction == "egress"),
    )
    eni = NetworkInterface("eni", tuple(ip_address(address) for address in addresses), ("g",))
    return RuleSet({"g": group}, {"eni": eni})


def recorded_rule(index: int, recorded: RecordedRule) -> Rule:
    """A recorded case's rule in the model's words."""
    return Rule(
        "g",
        recorded.direction,
        index,
        recorded.protocol,
        recorded.peer,
        recorded.ports,
        ANY if recorded.icmp_type is None else recorded.icmp_type,
        ANY if recorded.icmp_code is None else recorded.icmp_code,
    )


def case_firewall(case: Case, options: Mapping[str, Any]) -> Firewall:
    """A firewall under the linux profile with a recorded case's rules and sysctls."""
    rules = rule_set(
        (recorded_rule(index, one) for index, one in enumerate(case.rules)), [str(one) for one in case.addresses]
    )
    return Firewall(rules, profile="linux", settings={name: str(value) for name, value in options.items()})


def rows(firewall: Firewall, capture: Capture) -> list[Cells]:
    """Every verdict row as words."""
    labels = Labels.of(firewall, capture.names)
    return [cells for judged in firewall.replay(capture) for cells in row_cells(judged, labels)]


def file_rows(firewall: Firewall, path: Path | str, bpf: str | None = None) -> list[Cells]:
    """Every verdict row of a capture file."""
    with open_capture(str(path), bpf=bpf, verify=firewall.verifies) as capture:
        return rows(firewall, capture)


def ethernet(packets: Iterable[bytes], gap: int = 1_000_000) -> FrameCapture:
    """Raw Ethernet frames `gap` ns apart."""
    return FrameCapture(Frame(ETHERNET, index * gap, data, len(data)) for index, data in enumerate(packets))


def timed(frames: Iterable[tuple[int, bytes]]) -> FrameCapture:
    """Ethernet frames with their times in ns."""
    return FrameCapture(Frame(ETHERNET, time, data, len(data)) for time, data in frames)
