"""`eniwall lab` as a process: what it prints, where it listens, and what it leaves behind: nothing."""

import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firewall.commands.lab import _choose_engine as choose_engine
from firewall.lab.server import bound_socket, has_desktop, host_names
from pcaps.samples import sample
from tests.firewall.lab import PATIENCE, running
from tests.firewall.lesson_folders import lesson_folder
from tests.firewall.test_cli import Run

WEB, WEB_RULES = str(sample("web-http")), str(sample("web-http").with_suffix(".yaml"))

LINE = '- {tcp: "customer:40000 > web:80", send: ">S <SA >A >PA <PA"}'  # of a new lesson


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_lab_ends_by_a_signal_and_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    with running(tmp_path) as lab:
        status, page = lab.ask("GET", f"/{lab.token}/")
        assert (status, b"<title>eniwall lab</title>" in page) == (200, True)
        (folder,) = tmp_path.glob("eniwall-lab-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert lab.ask("POST", f"/{lab.token}/api/upload?name=a.pcap", sample("web-http").read_bytes())[0] == 200
        assert sorted(path.name for path in folder.glob("*/*")) == ["capture", "rules.yaml"]
        lab.process.send_signal(ending)
        out, err = lab.process.communicate(timeout=PATIENCE)
    assert (lab.process.returncode, out) == (0, "")
    assert err == "eniwall: the lab is open at this address, on this machine alone; Ctrl-C ends it\n"
    assert list(tmp_path.iterdir()) == []


SLOW = """- {scapy: 'IP(src="198.51.100.7", dst="10.0.1.10")/TCP(dport=(1, 9000))'}"""  # many seconds of scapy's work


def test_work_that_takes_its_time_does_not_hold_the_end(tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path, (LINE, SLOW))
    home = tmp_path / "home"
    home.mkdir()
    with running(home, "--lesson", str(folder)) as lab, ThreadPoolExecutor() as pool:
        asked = (f"/{lab.token}/api/open", b'{"lesson": "my-lesson", "scene": 1}')
        answers = [pool.submit(lab.ask, "POST", *asked) for _ in range(3)]
        time.sleep(1)
        assert not any(answer.done() for answer in answers)
        asked_to_end = time.monotonic()
        lab.process.send_signal(signal.SIGTERM)
        _, err = lab.process.communicate(timeout=PATIENCE)
        took = time.monotonic() - asked_to_end
    assert [answer.result() for answer in answers] == [(503, b'{"error": "the lab has ended"}')] * 3
    assert (lab.process.returncode, err.count("\n")) == (0, 1)
    assert took < 5
    assert list(home.iterdir()) == []


def test_it_listens_to_this_machine_alone_and_keeps_its_token(tmp_path: Path) -> None:
    with running(tmp_path) as one, running(tmp_path) as other:
        assert one.token != other.token
        assert one.ask("GET", "/")[0] == one.ask("GET", f"/{other.token}/")[0] == 404
        elsewhere = socket.socket()
        elsewhere.settimeout(5)
        with elsewhere, pytest.raises(OSError, match=r".*"):
            elsewhere.connect(("127.0.0.2", one.port))  # another address of the same machine


def test_a_capture_with_its_rules_is_what_the_page_begins_with(tmp_path: Path) -> None:
    with running(tmp_path, WEB, "--rules", WEB_RULES, "--lang", "ko") as lab:
        status, body = lab.ask("GET", f"/{lab.token}/api/begin")
    assert status == 200
    assert b'"lang":"ko"' in body
    assert b'"capture":true' in body


def test_the_help_says_what_it_listens_to(run: Run) -> None:
    done = run("lab", "--help")
    assert done.status == 0
    assert "It listens to 127.0.0.1 alone and nothing leaves this machine; Ctrl-C ends it." in " ".join(
        done.out.split()
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((WEB, "--lesson", "1"), "a capture and --lesson do not go together: the page has both, begin with one"),
        (("--rules", WEB_RULES), "--rules goes with a capture: eniwall lab CAPTURE --rules FILE"),
        (("--eni", "10.0.1.10"), "--eni goes with a capture: eniwall lab CAPTURE --eni ADDRESS"),
        ((WEB, "--eni", "web"), "--eni web: not an address; the name of an interface goes with --rules FILE"),
        ((WEB, "--rules", WEB_RULES, "--eni", "eni-x"), "of the rule file (it has: eni-web)"),
        (("-",), "-: the lab reads its capture again and again: give one file on this machine"),
        (("s3://bucket/key.pcap",), "s3://bucket/key.pcap: the lab reads its capture again and again"),
        (("no-such.pcap",), "no-such.pcap: no such file"),
        ((WEB_RULES,), "web-http.yaml: not a capture"),
        ((WEB, "--rules", "no-such.yaml"), "no-such.yaml: No such file or directory"),
        ((WEB, "--rules", WEB), "web-http.pcap: not UTF-8 text"),
        (("--lesson", "no-such-lesson"), "no lesson 'no-such-lesson'"),
    ],
)
def test_words_that_do_not_fit_are_told_before_anything_is_served(run: Run, words: tuple[str, ...], told: str) -> None:
    done = run("lab", *words)
    assert (done.status, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize(
    ("capture", "small", "asked", "told"),
    [
        (None, 0, ["interpreted"], ""),
        (WEB, 1 << 20, ["interpreted"], ""),
        (
            WEB,
            0,
            [],
            "eniwall: the engine is not compiled on this machine yet: that is done now, once; the page waits\n",
        ),
    ],
    ids=["lesson", "small", "large"],
)
def test_only_a_large_capture_waits_for_the_engine_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    capture: str | None,
    small: int,
    asked: list[str],
    told: str,
) -> None:
    preferred: list[str] = []
    monkeypatch.delenv("ENIWALL_ENGINE", raising=False)
    monkeypatch.setattr("firewall.small.SMALL_BYTES", small)
    for name, answer in {"chosen": False, "warm": False, "engine": "compiled"}.items():
        monkeypatch.setattr(f"pcaps.accelerate.{name}", lambda answer=answer: answer)
    monkeypatch.setattr("pcaps.accelerate.prefer", preferred.append)
    choose_engine(capture)
    assert (preferred, capsys.readouterr().err) == (asked, told)


def test_a_port_that_is_taken_is_told(run: Run) -> None:
    with bound_socket(0) as taken:
        port = taken.getsockname()[1]
        done = run("lab", "--port", str(port), "--no-open")
    assert done.status == 2
    assert done.err == f"eniwall: --port {port}: Address already in use; leave it out, and a free one is taken\n"


def test_a_browser_leaves_out_port_80() -> None:
    assert host_names(8000) == ("127.0.0.1:8000", "localhost:8000")
    assert host_names(80) == ("127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a desktop")
def test_without_a_desktop_no_text_browser_takes_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_desktop()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_desktop()


def test_a_missing_package_is_told_with_the_cure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    done = run("lab")
    assert done.status == 2
    assert done.err == (
        "eniwall: the lab needs the packages starlette and uvicorn; install them where eniwall runs: "
        f"{sys.executable} -m pip install starlette uvicorn\n"
    )
