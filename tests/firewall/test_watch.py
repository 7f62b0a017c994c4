"""`eniwall watch`: packets judged as they come, from a made-up source, and from real interfaces as root."""

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from firewall.errors import UsageError
from firewall.reports.watch_view import JsonView, LinesView, screen
from firewall.run.inputs import Inputs
from firewall.run.watch import Watched, run_watch
from firewall.watch import Denied, LastDenied, Limits, Seen, View, ended_by_signals
from pcaps.errors import CaptureError
from pcaps.frame import Frame
from pcaps.libpcap import KernelCounts, LiveInterface
from tests.conntrack.pieces import Datagram, udp
from tests.firewall.batches import LABELS, answer, batch, packet
from tests.firewall.test_cli import Run

RAW = 101
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
RULES = """
security_groups:
  web:
    ingress: [{protocol: tcp, ports: 80, source: 203.0.113.0/24}]
    egress: []
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


class Made:
    """A source that gives out made-up packets, some at each call of `read`."""

    name = "eth7"

    def __init__(
        self, *parts: Sequence[Frame], dropped: int = 0, gone: bool = False, then: Callable[[], object] = int
    ) -> None:
        self._parts = list(parts)
        self._dropped = dropped
        self._gone = gone
        self._then = then
        self._left: list[Frame] = []
        self.given = 0
        self.closed = False

    def read(self, limit: int) -> list[Frame]:
        if not self._left and self._parts:
            self._left = list(self._parts.pop(0))
        found, self._left = self._left[:limit], self._left[limit:]
        self.given += len(found)
        if not found:
            self._then()
            if self._gone:
                raise CaptureError("eth7: The interface went down")
        return found

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))

    def counts(self) -> KernelCounts:
        return KernelCounts(self.given + self._dropped, self._dropped)

    def close(self) -> None:
        self.closed = True


class Quiet:
    """A view that keeps what it was shown."""

    def __init__(self, interval: float = 0.0) -> None:
        self.interval = interval
        self.seen: list[Seen] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, seen: Seen) -> None:
        self.seen.append(seen)


def ask(index: int, port: int = 53) -> Frame:
    """A datagram to a port of the interface."""
    data = Datagram(src="198.51.100.7", dst="10.0.1.10").whole(udp(b"ask", port))
    return Frame(RAW, START + index * SECOND, data, len(data))


def watched(
    rules: Path, source: Made, view: View | None = None, packets: int | None = None, seconds: float | None = 5.0
) -> Watched:
    inputs = Inputs(captures=(), rules=(str(rules),))
    return run_watch(inputs, lambda: source, Limits(packets, seconds), view or Quiet(), "0")


# --- a watch as a replay -----------------------------------------------------------------------------
def test_what_came_is_reported_as_a_replay_does(rules: Path) -> None:
    source = Made([ask(0), ask(1)], [ask(2)])
    found = watched(rules, source, packets=3)
    assert (found.result.summary.rows, found.result.summary.adds_up) == (3, True)
    assert found.result.summary.verdicts["DENY"] == 3
    assert found.result.labels.captures == ("eth7",)
    assert found.kernel == KernelCounts(3, 0)
    assert source.closed


def test_it_ends_after_so_many_packets_and_reads_no_more(rules: Path) -> None:
    source = Made([ask(index) for index in range(10)])
    assert (watched(rules, source, packets=4).result.packets_read, source.given) == (4, 4)


def test_it_ends_after_so_many_seconds_without_a_packet(rules: Path) -> None:
    began = time.monotonic()
    found = watched(rules, Made(), seconds=0.3)
    assert found.result.packets_read == 0
    assert 0.3 <= time.monotonic() - began < 5


def test_frames_are_numbered_over_the_batches(rules: Path) -> None:
    first = watched(rules, Made([ask(0)], [ask(1, 99)], [ask(2)]), packets=3).result.summary.first_denied
    assert first.packets.frame.tolist() == [1, 2, 3]


def test_large_frames_end_a_batch_early(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firewall.watch.BATCH_BYTES", 100)
    monkeypatch.setattr("firewall.watch.READ_AT_ONCE", 2)
    view = Quiet()
    watched(rules, Made([ask(index) for index in range(8)]), view, packets=8)
    assert [seen.packets for seen in view.seen] == [4, 8, 8]  # of 31 bytes each


def test_what_the_kernel_dropped_is_a_warning(rules: Path) -> None:
    found = watched(rules, Made([ask(0)], dropped=7), packets=1)
    told = (
        "eth7: 7 packets came faster than they were read, and the kernel dropped them: their connections may be"
        " judged wrongly; a narrower --filter helps"
    )
    assert told in found.result.warnings


def test_an_interface_that_goes_away_ends_it_with_what_came(rules: Path) -> None:
    found = watched(rules, Made([ask(0)], gone=True))
    assert found.result.packets_read == 1
    assert "eth7: The interface went down; watching ended there" in found.result.warnings


def test_fragments_that_wait_are_shown_and_counted_at_the_end(rules: Path) -> None:
    first, last = Datagram(src="198.51.100.7", dst="10.0.1.10").cut(udp(bytes(40), 53), 16)
    view = Quiet()
    found = watched(rules, Made([Frame(RAW, START, first, len(first))]), view, packets=1)
    assert last
    assert found.result.summary.reason_rows["fragment-incomplete"] == 1
    assert view.seen[0].waiting == 1
    assert view.seen[-1].waiting == 0


def test_without_an_address_nothing_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("security_groups: {web: {ingress: [], egress: []}}\n", encoding="utf-8")

    def never() -> Made:
        raise AssertionError

    with pytest.raises(
        UsageError, match=r"^which address is the interface\? Neither the rule file nor --eni says; add"
    ):
        run_watch(Inputs(captures=(), rules=(str(path),)), never, Limits(), Quiet(), "0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_a_signal_ends_it_with_its_report(number: signal.Signals, rules: Path) -> None:
    source = Made([ask(0)], then=lambda: os.kill(os.getpid(), number))
    assert watched(rules, source, seconds=None).result.packets_read == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_signal_stops_at_once() -> None:
    with ended_by_signals() as came:
        os.kill(os.getpid(), signal.SIGINT)
        assert came()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_another_thread_watches_without_signals(rules: Path) -> None:
    found: list[Watched] = []
    thread = threading.Thread(target=lambda: found.append(watched(rules, Made([ask(0)]), packets=1)))
    thread.start()
    thread.join()
    assert found[0].result.packets_read == 1


# --- what is shown -----------------------------------------------------------------------------------
def seen(*denied: Denied, packets: int = 5, waiting: int = 0) -> Seen:
    rows = {"ALLOW": 3, "DENY": 2, "EXEMPT": 0, "NOT_EVALUATED": 0}
    return Seen("eth7", 12.4, packets, waiting, rows, KernelCounts(6, 1), denied)


DENIED = Denied("DENY eni-web ingress no-ingress-rule tcp/22 from 203.0.113.9", 3, START + 1_500_000)


def test_plain_lines_tell_what_was_denied_since_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    view = LinesView()
    for now in (seen(DENIED, waiting=1), seen(DENIED), seen(DENIED._replace(packets=4))):
        view.show(now)
    counts = "3 ALLOW, 2 DENY, 0 EXEMPT, 0 NOT_EVALUATED; kernel: 6 received, 1 dropped"
    assert capsys.readouterr().out.splitlines() == [
        f"12 s  5 packets (1 wait for fragments): {counts}",
        f"    22:13:20.001500 {DENIED.line} (3 packets)",
        f"12 s  5 packets: {counts}",
        f"12 s  5 packets: {counts}",
        f"    22:13:20.001500 {DENIED.line} (4 packets)",
    ]


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    JsonView().show(seen(DENIED))
    assert json.loads(capsys.readouterr().out) == {
        "counts": {
            "interface": "eth7",
            "seconds": 12.4,
            "packets": {"read": 5, "waiting_for_fragments": 0},
            "rows": {"ALLOW": 3, "DENY": 2, "EXEMPT": 0, "NOT_EVALUATED": 0},
            "kernel": {"received": 6, "dropped": 1},
            "last_denied": [{"line": DENIED.line, "packets": 3, "time": START + 1_500_000}],
        }
    }


def test_the_terminal_shows_the_latest_first_and_no_control_characters() -> None:
    text = screen(seen(DENIED, Denied("DENY later", 1, START))._replace(interface="eth\x1b7")).plain
    assert text.splitlines() == [
        r"eth\x1b7, 12 s; Ctrl-C ends it and prints the report",
        "5 packets: 3 ALLOW, 2 DENY, 0 EXEMPT, 0 NOT_EVALUATED",
        "kernel: 6 received, 1 dropped",
        "",
        "last denied",
        "  22:13:20.000000 DENY later (1 packet)",
        f"  22:13:20.001500 {DENIED.line} (3 packets)",
    ]


def test_the_last_denied_are_kept_and_counted() -> None:
    last = LastDenied(keep=2)
    for port in (22, 23, 22, 24):
        last.add(batch((packet(ports=(40000, port)), answer("no-ingress-rule"))), LABELS)
    assert [(denied.line.split(" ")[4], denied.packets) for denied in last.lines] == [("tcp/22", 2), ("tcp/24", 1)]


def test_it_is_shown_as_often_as_the_view_wants(rules: Path) -> None:
    often, seldom = Quiet(0.0), Quiet(60.0)
    for view in (often, seldom):
        watched(rules, Made([ask(0)], [ask(1)]), view, seconds=0.7)
    assert len(often.seen) >= 3
    assert len(seldom.seen) == 1  # the end


def test_it_ends_where_nobody_reads_any_more(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    view = LinesView()
    view.interval = 0.0
    monkeypatch.setattr(sys, "stdout", Closed())
    assert watched(rules, Made([ask(0)]), view, seconds=None).result.packets_read == 1


# --- words that do not fit ---------------------------------------------------------------------------
@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def refused(run: Run, *words: str | Path) -> str:
    done = run("watch", *words)
    assert (done.status, done.out, "Traceback" in done.err) == (2, "", False)
    return done.err


def test_a_filter_that_does_not_compile_is_told_before_permissions_are(run: Run, rules: Path) -> None:
    told = refused(run, "lo", "--rules", rules, "--filter", "tcp prot 80")
    assert told.startswith("eniwall: filter 'tcp prot 80': ")
    assert "write it as for tcpdump" in told


def test_an_interface_that_is_not_there_names_those_that_are(run: Run, rules: Path) -> None:
    told = refused(run, "eth\x1b7", "--rules", rules)
    assert told.startswith("eniwall: eth\\x1b7: no such interface; there are: ")
    assert "any" in told.split(": ")[-1].strip().split(", ")


def test_numbers_that_cannot_be(run: Run, rules: Path) -> None:
    for words in (("--count", "0"), ("--seconds", "0"), ("--seconds", "nan"), ("--craft", "IP()")):
        refused(run, "lo", "--rules", rules, *words)


@pytest.mark.skipif(sys.platform != "linux", reason="the cure is Linux's")
def test_without_permission_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden:
        def __getattr__(self, _name: str) -> Any:
            return lambda *_: -8  # PCAP_ERROR_PERM_DENIED

    monkeypatch.setattr("pcapy.create", lambda _name: Forbidden())
    monkeypatch.setattr("pcapy.findalldevs", lambda: ["eth0"])
    python = Path(sys.executable).resolve()
    with pytest.raises(CaptureError) as told:
        LiveInterface("eth0")
    assert str(told.value) == (
        "eth0: this user may not listen to it; run the same command as root (sudo), "
        f"or once: sudo setcap cap_net_raw+ep {python}"
    )
    with pytest.raises(CaptureError, match=r"^eth1: no such interface; there are: eth0$"):
        LiveInterface("eth1")
