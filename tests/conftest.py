"""What every test stands on: the engine named in the header, root tests skipped, seeds printed."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Verbosity, settings

from pcaps.accelerate import engine
from tests import gold

settings.register_profile(
    "eniwall",
    deadline=None,  # a timing is a benchmark, never a test
    print_blob=True,  # a failure prints what reproduces it
    verbosity=Verbosity.normal,
    suppress_health_check=[HealthCheck.too_slow],  # the first example compiles
    max_examples=int(os.environ.get("ENIWALL_EXAMPLES", "60")),
)
settings.load_profile("eniwall")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-gold", action="store_true", help="accept what golden files are compared with")


def pytest_configure(config: pytest.Config) -> None:
    gold.accepting = config.getoption("--update-gold")


def pytest_report_header() -> str:
    return f"eniwall engine: {engine()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root: network namespaces")
    for item in items:
        if "root" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real captures that ENIWALL_CAPTURES names."""
    folder = os.environ.get("ENIWALL_CAPTURES")
    if not folder:
        pytest.skip("no real captures: ENIWALL_CAPTURES is unset")
    return Path(folder)
