"""How a command starts: interpreted for little, compiled for much, a bar only on a terminal."""

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firewall import progress
from firewall.progress import watched
from firewall.small import SMALL_BYTES, is_small
from pcaps.capture import Capture, open_capture

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "pcaps" / "samples"
WEB, WEB_RULES = str(SAMPLES / "web-http.pcap"), str(SAMPLES / "web-http.yaml")


# --- interpreted or compiled -------------------------------------------------------------------------
def engine_of(*words: str, environment: dict[str, str] | None = None) -> str:
    """The way that kernels ran in a process of its own."""
    program = (
        "import sys\n"
        "from firewall import cli\n"
        "try:\n    cli.main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    from pcaps import accelerate\n"
        "    print('engine', accelerate.engine(), 'numba' in sys.modules)\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "ENIWALL_ENGINE"} | (environment or {})
    command = [sys.executable, "-c", program, "replay", *words, "--rules", WEB_RULES]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.compiled_only
@pytest.mark.parametrize("words", [(WEB,), ("--craft", 'IP(dst="10.0.1.10")/TCP(dport=80)')], ids=["file", "crafted"])
def test_a_few_packets_are_judged_without_loading_a_compiler(words: tuple[str, ...]) -> None:
    assert engine_of(*words) == "engine interpreted False"


@pytest.mark.compiled_only
def test_the_environment_stands_above_the_size() -> None:
    assert engine_of(WEB, environment={"ENIWALL_ENGINE": "compiled"}) == "engine compiled True"


def test_an_engine_that_does_not_exist_is_told() -> None:
    command = [sys.executable, "-m", "firewall.cli", "replay", WEB, "--rules", WEB_RULES]
    environment = os.environ | {"ENIWALL_ENGINE": "quick"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("eniwall: ENIWALL_ENGINE='quick': write one of compiled, interpreted")


def test_a_replay_loads_nothing_that_it_does_not_need() -> None:
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('loaded', *sorted(sys.modules), file=sys.stderr))\n"
        f"sys.argv = ['eniwall', 'replay', {WEB!r}, '--rules', {WEB_RULES!r}]\n"
        "from firewall.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stderr.split()
    assert {"firewall.sources.native", "firewall.reports.terminal"} <= set(loaded)
    others = {f"firewall.sources.{name}" for name in ("aws_cli", "cloudformation", "terraform", "account")}
    pages = {"firewall.reports.details", "firewall.reports.html_report", "firewall.explain"}
    packages = {"scapy", "polars", "pydantic", "jinja2", "boto3", "pcapy"}
    assert (others | pages | packages).intersection(loaded) == set()


def capture_of(path: Path, size: int, *, packed: bool = False) -> str:
    path.write_bytes(gzip.compress(b"\0" * size) if packed else b"\0" * size)
    return str(path)


def test_small_is_told_by_all_files_together(tmp_path: Path) -> None:
    half = capture_of(tmp_path / "half", SMALL_BYTES // 2)
    assert is_small([half])
    assert not is_small([half, half])


def test_a_compressed_file_counts_as_larger(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(b"\x1f\x8b" + b"\0" * (SMALL_BYTES // 8))
    assert not is_small([str(path)])
    assert is_small([capture_of(path, 1000, packed=True)])


def test_what_cannot_be_measured_is_not_small(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert not is_small(["-"])
    assert not is_small([str(pipe)])


def test_a_missing_file_need_not_wait_for_the_compiler(tmp_path: Path) -> None:
    assert is_small([str(tmp_path / "nope.pcap")])


# --- progress --------------------------------------------------------------------------------------
class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def capture() -> Capture:
    return open_capture(WEB)


def standard_error(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, patience: float) -> io.StringIO:
    """Put `stream` in the place of standard error (in the test itself: pytest has its own before)."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", patience)
    monkeypatch.setenv("TERM", "xterm")
    return stream


@pytest.mark.parametrize(
    ("stream", "patience", "bar"),
    [(Terminal(), -1.0, True), (Terminal(), 1e9, False), (io.StringIO(), -1.0, False)],
    ids=["long work on a terminal", "short work", "long work behind a pipe"],
)
def test_a_bar_is_for_long_work_on_a_terminal(
    stream: io.StringIO, patience: float, bar: bool, capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    standard_error(monkeypatch, stream, patience)
    with capture:
        assert list(watched([1, 2, 3], capture)) == [1, 2, 3]
    assert ("judging" in stream.getvalue()) == bar
