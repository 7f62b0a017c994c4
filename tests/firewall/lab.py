"""A lab without a network: its application asked by starlette's test client."""

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from firewall.lab.app import Lab, make_app
from firewall.lab.begin import Beginning, begun
from firewall.lab.workspace import Workspace

TOKEN = "a-token-of-this-test"  # noqa: S105  (as public as the test)
HOST = "127.0.0.1:8000"


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
