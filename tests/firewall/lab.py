"""A lab without a network, its application asked by starlette's test client; and one in a process of its own."""

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from starlette.testclient import TestClient

from firewall.lab.app import Lab, make_app
from firewall.lab.begin import Beginning, begun
from firewall.lab.workspace import Workspace

TOKEN = "a-token-of-this-test"  # noqa: S105  (as public as the test)
HOST = "127.0.0.1:8000"
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds


def asking(folder: Path, beginning: Beginning | None = None, most: int = 8) -> TestClient:
    """A client of a lab whose sessions lie in `folder`; paths begin behind the token."""
    beginning = beginning or begun(None, None, None, "en")
    app = make_app(Lab(Workspace(folder, most), beginning), TOKEN, (HOST, "localhost:8000"))
    return TestClient(app, base_url=f"http://{HOST}/{TOKEN}/")


def opened(client: TestClient, lesson: str = "return-traffic", scene: int = 1, **more: Any) -> dict[str, Any]:
    """A scene opened, as the page opens it."""
    answer = client.post("api/open", json={"lesson": lesson, "scene": scene, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def uploaded(client: TestClient, data: bytes, name: str = "a.pcap") -> dict[str, Any]:
    """A capture uploaded."""
    answer = client.post("api/upload", params={"name": name}, content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class Running(NamedTuple):
    process: subprocess.Popen[str]
    port: int
    token: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Running]:
    """A lab in a process of its own, whose temporary folder lies in `folder`."""
    environment = os.environ | {"TMPDIR": str(folder), "ENIWALL_ENGINE": "interpreted", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "firewall.cli", "lab", "--no-open", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([\w-]{20,})/\n", line)
            assert found is not None, line
            yield Running(process, int(found[1]), found[2])
        finally:
            process.kill()
