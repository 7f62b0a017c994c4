"""The twin agrees with recorded kernel verdicts, packet by packet, in every configuration."""

import pytest

from tests.recorded import DEFAULTS, Case, case_names, load_case, needs_cases
from tests.reference import Twin

NOT_MODELLED = {
    "fragments_v4": "the twin reassembles nothing",
    "sctp_association": "the twin knows no SCTP",
    "live_sctp_init_again": "the twin knows no SCTP",
    "live_sctp_init_collides": "the twin knows no SCTP",
    "live_walk_sctp": "the twin knows no SCTP",
    "live_walk_sctp_many_flows": "the twin knows no SCTP",
    "live_atomic_fragment_with_a_known_id": "the twin reassembles nothing",
}
# The recorder asked the kernel for GRE's entry with key 0; a PPTP packet's entry has its call id as key.
OTHER_TUPLE_RECORDED = {"other_protocols": {4, 5, 6}}

modelled = [name for name in case_names() if name not in NOT_MODELLED]
each_case = pytest.mark.parametrize("name", modelled or ["none"])


def differences(case: Case, config: str) -> list[str]:
    """One line for each packet on which twin and kernel differ: frame number, note, both answers."""
    recorded = case.configs[config]
    twin = Twin(case.addresses, case.rules, recorded.options)
    found = []
    for row, frame in enumerate(case.frames):
        answer = twin.judge(*frame)
        entry = answer.entry if row in OTHER_TUPLE_RECORDED.get(case.name, ()) else recorded.entry[row]
        kernel = (recorded.verdicts[row], recorded.ct[row], entry)
        if answer[:3] != kernel:
            note = case.notes[row] if row < len(case.notes) else ""
            found.append(f"{row + 1} {note}: twin {answer}, kernel {kernel}")
    return found


@needs_cases
@each_case
def test_twin_agrees_with_an_untouched_kernel(name: str) -> None:
    assert not differences(load_case(name), DEFAULTS)


@needs_cases
@each_case
def test_twin_agrees_under_every_other_configuration(name: str) -> None:
    case = load_case(name)
    found = {config: differences(case, config) for config in case.configs if config != DEFAULTS}
    assert found == {config: [] for config in found}


@needs_cases
def test_comparison_sees_a_difference() -> None:
    """A strict twin held against a loose kernel must differ, or the comparison compares nothing."""
    case = load_case("rules_no_rules")
    strict = case.configs["loose0_liberal0"]
    twin = Twin(case.addresses, case.rules, strict.options)
    assert "".join(twin.judge(*frame).ct for frame in case.frames) != case.configs[DEFAULTS].ct


def test_options_without_a_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="tcp_losse"):
        Twin((), (), {"tcp_losse": 1})
