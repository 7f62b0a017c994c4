"""`eniwall watch` on real interfaces: namespaces joined by a veth pair, a web server, curl and tcpdump (root)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pcaps.errors import CaptureError, FilterError
from pcaps.libpcap import LiveInterface
from tests.firewall.test_cli import ENIWALL, ROOT
from tests.netfilter.namespaces import run as command
from tests.netfilter.namespaces import visiting

# Nothing here depends on how kernels run.
pytestmark = [pytest.mark.root, pytest.mark.compiled_only]

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


@pytest.fixture
def pair() -> Iterator[tuple[str, str]]:
    """Two namespaces with a veth pair between them: `web` has 10.0.1.10 at eth0, `client` 203.0.113.9."""
    names = (f"eniwall{os.getpid()}web", f"eniwall{os.getpid()}client")
    try:
        for name in names:
            command("ip", "netns", "add", name)
        command(
            "ip", "link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1]
        )
        for name, address, peer in zip(names, ("10.0.1.10", "203.0.113.9"), ("203.0.113.9", "10.0.1.10"), strict=True):
            command("ip", "-n", name, "address", "add", address, "peer", peer, "dev", "eth0")
            for device in ("lo", "eth0"):
                command("ip", "-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in names:
            command("ip", "netns", "del", name, check=False)


def within(name: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", name, *words]


def until(ready: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    """Wait until something is there, a minute at most: the first run on a machine compiles."""
    for _ in range(1200):
        if ready():
            return
        assert process.poll() is None, "ended too early"
        time.sleep(0.05)
    pytest.fail("not ready within a minute")


def web_server(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """nginx where it is installed, else Python's, at port 80 of the namespace."""
    (folder / "index.html").write_text("hello " * 3000, encoding="utf-8")
    if shutil.which("nginx"):
        settings = (
            f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;"
            f"events {{}} http {{ access_log off; server {{ listen 80; root {folder}; }} }}"
        )
        (folder / "nginx.conf").write_text(settings, encoding="utf-8")
        words = ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    else:
        words = [sys.executable, "-m", "http.server", "80", "--directory", str(folder)]
    return subprocess.Popen(within(name, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def traffic(client: str) -> None:
    """Two pages fetched, a closed port and a port without a rule tried, a ping."""
    for words in (
        ("curl", "-s", "-S", "-o", "/dev/null", "http://10.0.1.10/", "http://10.0.1.10/index.html"),
        ("curl", "-s", "-m", "2", "http://10.0.1.10:8080/"),
        ("curl", "-s", "-m", "2", "telnet://10.0.1.10:22"),
        ("ping", "-c", "2", "-i", "0.2", "10.0.1.10"),
    ):
        subprocess.run(within(client, *words), capture_output=True, check=words[1:3] == ("-s", "-S"), timeout=30)


def test_real_traffic_is_judged_as_in_a_replay_of_what_tcpdump_saw(
    pair: tuple[str, str], rules: Path, tmp_path: Path
) -> None:
    for tool in ("curl", "tcpdump", "ping"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    web, client = pair
    capture, told = tmp_path / "seen.pcap", tmp_path / "told"
    words = ("watch", "eth0", "--rules", str(rules), "--filter", "ip and not port 5353", "--json")
    dump = ("tcpdump", "-i", "eth0", "-U", "-w", str(capture), "ip and not port 5353")
    server = web_server(web, tmp_path)
    recorder = subprocess.Popen(within(web, *dump), stderr=subprocess.PIPE)
    with told.open("wb") as errors:
        watcher = subprocess.Popen(within(web, *ENIWALL, *words), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
    try:
        until(lambda: b"listening to eth0" in told.read_bytes(), watcher)
        until(capture.exists, recorder)
        until(lambda: listens(web), server)
        traffic(client)
        time.sleep(1.5)
        watcher.send_signal(signal.SIGINT)
        recorder.send_signal(signal.SIGINT)
        out, _ = watcher.communicate(timeout=60)
        recorder.communicate(timeout=60)
    finally:
        for process in (watcher, recorder, server):
            process.kill()
            process.communicate()
    assert watcher.returncode == 0, told.read_text()
    lines = [json.loads(line) for line in out.decode().splitlines()]
    live, counts = lines[-1]["report"], [line["counts"] for line in lines[:-1]]
    again = subprocess.run(
        [*ENIWALL, "replay", str(capture), "--rules", str(rules), "--json"], cwd=ROOT, capture_output=True, check=True
    )
    replayed = json.loads(again.stdout)
    for name in ("packets", "rows", "reasons", "interfaces", "rules", "connections"):
        assert compared(live[name]) == compared(replayed[name]), name
    assert live["rows"]["ALLOW"] > 10
    assert live["reasons"]["no-ingress-rule"] >= 3
    assert counts[-1]["packets"]["read"] == counts[-1]["kernel"]["received"] == live["packets"]["read"]
    assert counts[-1]["kernel"]["dropped"] == 0
    denied = {each["line"] for each in counts[-1]["last_denied"]}
    assert "DENY eni-web ingress no-ingress-rule tcp/8080 from 203.0.113.9" in denied


def listens(name: str) -> bool:
    """True once something listens at port 80 of the namespace."""
    found = subprocess.run(within(name, "ss", "-Hltn", "sport", "=", ":80"), capture_output=True, check=True)
    return bool(found.stdout.strip())


def compared(value: Any) -> Any:
    """The same without names of captures and times: each listener has a timestamp of its own."""
    if isinstance(value, dict):
        return {key: compared(each) for key, each in value.items() if key not in ("capture", "time")}
    return [compared(each) for each in value] if isinstance(value, list) else value


def test_an_interface_that_is_taken_away_ends_the_watch(pair: tuple[str, str], rules: Path, tmp_path: Path) -> None:
    web, client = pair
    told = tmp_path / "told"
    words = within(web, *ENIWALL, "watch", "eth0", "--rules", str(rules))
    with told.open("wb") as errors:
        watcher = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
    try:
        until(lambda: b"listening to eth0" in told.read_bytes(), watcher)
        command("ip", "-n", client, "link", "del", "eth0")
        out, _ = watcher.communicate(timeout=60)
    finally:
        watcher.kill()
        watcher.communicate()
    assert watcher.returncode == 0
    assert "eth0: The interface" in told.read_text()
    assert "watching ended there" in told.read_text()
    assert b" 0 DENY" in out


def test_an_interface_that_is_down_and_a_filter_for_another_link(pair: tuple[str, str]) -> None:
    web, _ = pair
    with visiting(web):
        command("ip", "-n", web, "link", "set", "lo", "down")
        with pytest.raises(CaptureError, match=r"^lo: the interface is down; bring it up first"):
            LiveInterface("lo")
        with pytest.raises(FilterError, match=r"^filter 'tcp prot': "):
            LiveInterface("eth0", "tcp prot")


def test_a_user_without_the_capability_is_told_what_to_do(rules: Path, tmp_path: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    tmp_path.chmod(0o755)
    words = [
        "setpriv",
        "--bounding-set=-net_raw",
        "--inh-caps=-net_raw",
        *ENIWALL,
        "watch",
        "lo",
        "--rules",
        str(rules),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "lo: this user may not listen to it; run the same command as root (sudo)" in done.stderr
