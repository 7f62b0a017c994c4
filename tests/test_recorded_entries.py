"""The table holds what the kernel's does after every packet of a recorded case.

State, seen-reply, assured and the time left (a second more or less, as the kernel shows whole ones) of
the entry of each packet's tuple. Cases recorded packet by packet have these; the large ones do not.
"""

import json
from typing import Any

import pytest

from firewall.engine import Firewall
from pcaps.batch import PacketBatch, concatenate
from pcaps.capture import open_capture
from tests.recorded import Case, case_names, load_case, needs_cases
from tests.support import case_firewall
from tests.test_recorded import configurations

# The recorder asked for GRE's entry with key 0; a PPTP packet's entry has its call id as key.
OTHER_TUPLE_RECORDED = {"other_protocols": {4, 5, 6}}
SLACK = 1.1  # seconds


def recorded_packets(case: Case, config: str) -> list[dict[str, Any]]:
    """What the kernel did, packet by packet; empty for large cases."""
    configs = json.loads((case.path / "verdicts.json").read_text())["configs"]
    while "same_as" in configs[config]:
        config = configs[config]["same_as"]
    packets = list(configs[config].get("packets", ()))
    return packets if any("entry" in packet for packet in packets) else []


def the_packets(case: Case, *, verify: bool) -> PacketBatch:
    with open_capture(str(case.capture), verify=verify) as capture:
        return concatenate(list(capture.batches()))


def found_entry(firewall: Firewall, packets: PacketBatch, row: int) -> dict[str, Any] | None:
    """The entry of the packet's tuple after it was judged, in the recorder's words."""
    verdicts = firewall.judge_batch(packets.slice(row, row + 1))
    flow = int(verdicts.flow[0])
    if not flow:
        return None
    connection = firewall.connection(0, flow)
    assert connection is not None
    entry: dict[str, Any] = {"seen_reply": connection.answered, "assured": connection.assured}
    if connection.tcp_state or connection.sctp_state:
        entry["state"] = connection.tcp_state or connection.sctp_state
    return entry | {"timeout": connection.expires_in}


def differences(case: Case, config: str) -> list[str]:
    """One line for each packet whose entry differs."""
    firewall = case_firewall(case, case.configs[config].options)
    packets = the_packets(case, verify=firewall.verifies)
    lines = []
    for row, recorded in enumerate(recorded_packets(case, config)):
        ours = found_entry(firewall, packets, row)
        kernel = recorded.get("entry") or None
        if row in OTHER_TUPLE_RECORDED.get(case.name, ()) or packets.fragment_id[row] >= 0:
            continue  # a fragment's tuple is its datagram's
        if (ours is None) != (kernel is None):
            lines.append(f"{row + 1}: eniwall {ours}, kernel {kernel}")
        elif ours is not None and kernel is not None:
            left = ours.pop("timeout") - kernel["timeout"]
            same = all(ours[name] == kernel[name] for name in ours)
            if not same or abs(left) > SLACK:
                lines.append(f"{row + 1}: eniwall {ours} {left:+.1f} s, kernel {kernel}")
    return lines


@needs_cases
@pytest.mark.parametrize(("name", "config"), configurations() or [("none", "none")])
def test_entries_are_the_kernels_after_every_packet(name: str, config: str) -> None:
    assert differences(load_case(name), config) == []


@needs_cases
def test_most_cases_were_recorded_packet_by_packet() -> None:
    small = [name for name in case_names() if recorded_packets(load_case(name), "loose1_liberal0")]
    assert len(small) > 30
