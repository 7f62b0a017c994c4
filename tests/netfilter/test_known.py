"""Known disagreements with the kernel are still there; one that is gone must leave the table."""

import pytest

from tests.netfilter.known import KNOWN_DISAGREEMENTS
from tests.recorded import DEFAULTS, case_names, load_case
from tests.test_recorded import differences


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(reason=reason, strict=True))
        for name, reason in KNOWN_DISAGREEMENTS.items()
        if name in case_names()
    ]
    or [pytest.param("none", marks=pytest.mark.skip(reason="no known disagreement among the recorded cases"))],
)
def test_the_engine_does_as_the_kernel_did(name: str) -> None:
    assert differences(load_case(name), DEFAULTS) == []
