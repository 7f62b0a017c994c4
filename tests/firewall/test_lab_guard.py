"""Whom the lab answers: its own page on this machine, and nobody else."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from firewall.lab.bounds import MAX_OPEN, MAX_RULES
from firewall.lab.guard import NO_TOKEN
from tests.firewall.lab import HOST, TOKEN, asking, opened

ADDRESSES = ("", "static/lab.js", "api/begin", "api/lessons", "api/lessons/return-traffic")


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return asking(tmp_path)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "host", ["attacker.example", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8000.attacker.example", "[::1]:8000", ""]
)
def test_a_foreign_host_is_refused(client: TestClient, address: str, host: str) -> None:
    answer = client.get(address, headers={"host": host})
    assert (answer.status_code, answer.json()) == (421, {"error": f"the lab answers to {HOST} alone"})


@pytest.mark.parametrize("host", [HOST, "localhost:8000", "LOCALHOST:8000"])
def test_this_machine_s_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("api/begin", headers={"host": host}).status_code == 200


def test_two_hosts_in_one_request_are_refused(client: TestClient) -> None:
    answer = client.get("api/begin", headers=[("host", HOST), ("host", "attacker.example")])
    assert answer.status_code == 421


@pytest.mark.parametrize("origin", ["https://attacker.example", "http://127.0.0.1:9000", "null", f"https://{HOST}"])
def test_another_page_s_request_is_refused(client: TestClient, origin: str) -> None:
    answer = client.post("api/open", json={"lesson": "return-traffic"}, headers={"origin": origin})
    assert (answer.status_code, answer.json()) == (403, {"error": "another page asked; the lab answers its own alone"})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_another_page_began_is_refused(client: TestClient, site: str) -> None:
    answer = client.post("api/open", json={"lesson": "return-traffic"}, headers={"sec-fetch-site": site})
    assert (answer.status_code, answer.json()) == (403, {"error": "another page asked; the lab answers its own alone"})


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_page_s_own_requests_and_a_followed_link_are_answered(client: TestClient, site: str) -> None:
    asked = {"lesson": "return-traffic", "scene": 1}
    assert client.post("api/open", json=asked, headers={"sec-fetch-site": site}).status_code == 200
    assert client.get("", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link in a mail


def test_the_page_s_own_origin_is_answered(client: TestClient) -> None:
    asked = {"lesson": "return-traffic", "scene": 1}
    assert client.post("api/open", json=asked, headers={"origin": f"http://{HOST}"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/api/lessons", f"/{TOKEN[:-1]}/", f"/{TOKEN}x/api/begin", "/%ff/", f"/x/{TOKEN}/"]
)
def test_without_the_token_there_is_nothing(client: TestClient, path: str) -> None:
    answer = client.get(f"http://{HOST}{path}")
    assert (answer.status_code, answer.json()) == (404, {"error": NO_TOKEN})


@pytest.mark.parametrize("address", [*ADDRESSES, "static/no-such-file", "no-such-address"])
def test_every_answer_forbids_what_the_page_does_not_need(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_refusals_carry_them_too(client: TestClient) -> None:
    assert client.get("", headers={"host": "attacker.example"}).headers["cache-control"] == "no-store"


def test_the_page_names_nothing_but_its_own_files(client: TestClient) -> None:
    text = client.get("").text
    assert "<script" in text
    assert "http://" not in text
    assert "https://" not in text
    assert " style=" not in text
    assert " on" not in text.replace(" on ", "").split("<body>")[0]


@pytest.mark.parametrize("name", ["../texts.py", "..%2ftexts.py", "%2e%2e/guard.py", "index.html"])
def test_no_other_file_is_given_away(client: TestClient, name: str) -> None:
    answer = client.get(f"static/{name}")
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


@pytest.mark.parametrize("lesson", ["../return-traffic", "/etc", "", 1, None, ["return-traffic"], "no such lesson"])
def test_a_request_names_no_folder(client: TestClient, lesson: object) -> None:
    answer = client.post("api/open", json={"lesson": lesson, "scene": 1})
    expected = {"error": "no lesson of this name: choose one of the list"}
    assert (answer.status_code, answer.json()) == (422, expected)


@pytest.mark.parametrize("scene", [0, 99, -1, "1", None, 1.0, True])
def test_a_scene_that_there_is_not(client: TestClient, scene: object) -> None:
    answer = client.post("api/open", json={"lesson": "return-traffic", "scene": scene})
    expected = {"error": "the lesson return-traffic has scenes 1 to 3"}
    assert (answer.status_code, answer.json()) == (422, expected)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 60_000, b'{"lesson": 1'])
def test_what_is_no_object_is_told(client: TestClient, body: bytes) -> None:
    answer = client.post("api/open", content=body)
    assert (answer.status_code, answer.json()) == (400, {"error": "a JSON object was expected"})


def test_requests_and_rules_are_bounded(client: TestClient) -> None:
    answer = client.post("api/open", content=b" " * (MAX_OPEN + 1))
    assert (answer.status_code, answer.json()) == (413, {"error": "more than 64 KiB: the lab takes no more"})
    name = opened(client)["id"]
    answer = client.post(f"api/{name}/rules", content=b"#" * (MAX_RULES + 1))
    assert (answer.status_code, answer.json()) == (413, {"error": "more than 256 KiB: the lab takes no more"})


def test_a_body_without_a_length_is_bounded_as_well(client: TestClient) -> None:
    pieces = (b" " * 1024 for _ in range(MAX_OPEN // 1024 + 1))
    answer = client.post("api/open", content=pieces)
    assert (answer.status_code, answer.json()) == (413, {"error": "more than 64 KiB: the lab takes no more"})


def test_methods_that_there_are_not(client: TestClient) -> None:
    answer = client.delete("api/lessons")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
