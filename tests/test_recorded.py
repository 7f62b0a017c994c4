"""The engine agrees with recorded kernel verdicts, packet by packet: verdict, ct state, TCP state."""

import pytest

from conntrack.states import CT_STATES
from conntrack.tcp import STATES
from firewall.verdict import VERDICTS
from tests.netfilter.known import KNOWN_DISAGREEMENTS
from tests.recorded import DEFAULTS, Case, case_names, load_case, needs_cases
from tests.support import case_firewall, file_rows

MAIN_CASES = (
    "tcp_inbound_allowed_full_session",
    "tcp_outbound_allowed_return_traffic",
    "tcp_unsolicited_denied",
    "tcp_close_sequences",
    "udp_request_response",
    "icmp_echo",
    "icmp_errors_related",
    "rules_no_rules",
    "rules_ports_and_cidrs",
    "v6_icmpv6",
    "vlan_tagged",
)

LETTERS = dict(zip("FDX", VERDICTS[:2] + VERDICTS[3:], strict=True)) | {"H": "DENY"}
CT_LETTERS = dict(zip("-NERIU", (None, *CT_STATES[1:]), strict=True))
TCP_LETTERS = dict(zip("srefcltxS", STATES[1:], strict=True))
TCP = "tcp"
INCOMPLETE = "fragment-incomplete"


def differences(case: Case, config: str) -> list[str]:
    """One line for each packet on which engine and kernel differ."""
    recorded = case.configs[config]
    found = file_rows(case_firewall(case, recorded.options), case.capture)
    assert [row["packet"] for row in found] == list(range(1, len(recorded.verdicts) + 1))
    lines = []
    for row, verdict, ct, entry in zip(found, recorded.verdicts, recorded.ct, recorded.entry, strict=True):
        ours = [row["verdict"], row["ct_state"]]
        kernel: list[str | None] = [LETTERS[verdict], CT_LETTERS[ct]]
        ours.append(INCOMPLETE if row["reason"] == INCOMPLETE else None)
        kernel.append(INCOMPLETE if verdict == "H" else None)
        if row["protocol"] == TCP:
            ours.append(row["tcp_state"])
            kernel.append(TCP_LETTERS.get(entry))
        if ours != kernel:
            lines.append(f"{row['packet']}: eniwall {ours} {row['reason']}, kernel {kernel}")
    return lines


def configurations() -> list[tuple[str, str]]:
    """Every recorded case and configuration that the engine is held to."""
    return [(name, config) for name in case_names() for config in load_case(name).configs]


@needs_cases
@pytest.mark.parametrize("name", MAIN_CASES)
def test_main_cases_agree_with_an_untouched_kernel(name: str) -> None:
    assert differences(load_case(name), DEFAULTS) == []


@needs_cases
@pytest.mark.parametrize(("name", "config"), configurations() or [("none", "none")])
def test_every_other_case_agrees_in_every_configuration(name: str, config: str, request: pytest.FixtureRequest) -> None:
    if name in KNOWN_DISAGREEMENTS:
        request.applymarker(pytest.mark.xfail(reason=KNOWN_DISAGREEMENTS[name], strict=True))
    assert differences(load_case(name), config) == []


@needs_cases
def test_the_comparison_can_fail() -> None:
    case = load_case("rules_no_rules")
    strict = case.configs["loose0_liberal0"]
    loose = case.configs[DEFAULTS]
    assert strict.ct != loose.ct
    found = file_rows(case_firewall(case, loose.options), case.capture)
    assert [row["ct_state"] for row in found] != [CT_LETTERS[letter] for letter in strict.ct]
