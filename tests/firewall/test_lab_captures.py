"""Captures in the lab: uploads and the command line's, their first rules, their bounds."""

import gzip
import struct
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from firewall.lab import bounds, material
from firewall.lab.begin import begun
from pcaps.samples import sample
from tests.firewall.lab import asking, uploaded

WEB = sample("web-http").read_bytes()
NOTHING = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Rules that name no interface."""
    rules = tmp_path / "bare.yaml"
    rules.write_text("security_groups: {web: {ingress: [{type: HTTP, source: 0.0.0.0/0}], egress: []}}\n")
    return rules


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_upload_begins_with_the_rules_of_a_new_group_for_its_busiest_address(client: TestClient) -> None:
    found = uploaded(client, WEB, "web.pcap")
    assert found["scene"]["title"] == "web.pcap"
    assert found["scene"]["interfaces"] == [{"id": "my-interface", "addresses": ["10.0.1.10"], "groups": ["my-group"]}]
    assert found["rules"].startswith(
        "# What a new security group has: nothing in, everything out.\n"
        "# The interface is the capture's busiest address (54 packets, server); change it freely.\n"
    )
    assert found["scene"]["rows"] == 56


@pytest.mark.parametrize("name", ["ping", "dns", "https", "idle", "nmap"])
def test_every_kind_of_sample_opens(client: TestClient, name: str) -> None:
    assert uploaded(client, sample(name).read_bytes(), sample(name).name)["rows"]


def test_a_capture_without_packets_opens(client: TestClient) -> None:
    found = uploaded(client, NOTHING)
    assert (found["scene"]["rows"], found["rows"]) == (0, [])
    assert "# The interface is an example, as the capture holds no IP packet; change it freely.\n" in found["rules"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "a.pcap: 0 bytes, too short for a capture (its header alone has 24)"),
        (b"GET / HTTP/1.1\r\n" * 9, "a.pcap: not a capture: it starts with text, 'GET '"),
        (b"PK\x03\x04" + bytes(99), "a.pcap: not a capture: it is a zip archive"),
        (gzip.compress(b"not a capture at all")[:-4], "a.pcap: "),
        (NOTHING[:20], "a.pcap: ends inside the 24-byte file header"),
        (NOTHING[:20] + struct.pack("<I", 250), "a.pcap: link type 250 is not decoded"),
    ],
)
def test_garbage_is_told_and_leaves_nothing(client: TestClient, folder: Path, data: bytes, told: str) -> None:
    answer = client.post("api/upload?name=a.pcap", content=data)
    assert (answer.status_code, answer.json()["error"].startswith(told)) == (422, True), answer.text
    assert str(folder) not in answer.text
    assert list(folder.iterdir()) == []


def test_a_capture_that_was_cut_says_so(client: TestClient) -> None:
    found = uploaded(client, WEB[:-9])
    assert found["scene"]["notes"][-1].startswith("a.pcap: cut in the middle of packet 56")


def test_a_long_capture_is_shown_from_its_beginning_and_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "MOST_PACKETS", 10)
    found = uploaded(client, WEB)
    assert found["scene"]["packets"] == 10
    assert "the first 10 packets of a.pcap are shown; eniwall replay judges them all" in found["scene"]["notes"]


def test_an_upload_is_bounded_and_what_was_written_goes(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_UPLOAD", 1 << 20)
    expected = {"error": "more than 1 MiB: the lab takes no more"}
    for content in (WEB + bytes(1 << 20), (bytes(1 << 16) for _ in range(17))):
        answer = client.post("api/upload?name=a.pcap", content=content)
        assert (answer.status_code, answer.json()) == (413, expected)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("", "capture"),
        ("..", "capture"),
        ("a\x1b[31m\u202e.pcap", "a\\x1b[31m\\u202e.pcap"),
        ("x" * 500, "x" * 120),
    ],
)
def test_a_name_is_shown_and_never_a_path(client: TestClient, folder: Path, name: str, title: str) -> None:
    found = uploaded(client, WEB, name)
    assert found["scene"]["title"] == title
    assert files(folder) == [f"{found['id']}/capture", f"{found['id']}/rules.yaml"]


def test_a_capture_of_the_command_line_opens_with_its_rules(folder: Path) -> None:
    rules = sample("web-http").with_suffix(".yaml")
    with asking(folder, begun(str(sample("web-http")), str(rules), None, "ko")) as client:
        begin = client.get("api/begin").json()
        assert (begin["capture"], begin["lang"]) == (True, "ko")
        found = client.post("api/open", json={"capture": True}).json()
    assert (found["rules"], found["scene"]["title"]) == (rules.read_text(encoding="utf-8"), "web-http.pcap")
    assert files(folder) == [f"{found['id']}/rules.yaml"]


def test_rules_of_the_command_line_without_an_interface_have_the_busiest_address(folder: Path, bare: Path) -> None:
    with asking(folder, begun(str(sample("web-http")), str(bare), None, "en")) as client:
        found = client.post("api/open", json={"capture": True}).json()
        assert found["scene"]["interfaces"] == [{"id": "10.0.1.10", "addresses": ["10.0.1.10"], "groups": ["web"]}]
        assert found["scene"]["notes"][0] == (
            "the rules name no interface with an address: 10.0.1.10 is taken, the capture's busiest address (54"
            " packets, server), with all groups; write interfaces: in the rules for another one, or begin with --eni"
        )
        assert found["rows"][3]["verdicts"] == [
            ["ALLOW", "established", "web:ingress[0]"],
            ["DENY", "no-egress-rule", ""],
            ["DENY", "nacl-egress", "acl-10.0.1.10:egress[*]"],
        ]
        named = bare.read_text() + "interfaces: {eni-b: {addresses: [203.0.113.9], security_groups: [web]}}\n"
        edited = client.post(f"api/{found['id']}/rules", content=named.encode()).json()
    assert [eni["id"] for eni in edited["scene"]["interfaces"]] == ["eni-b"]
    assert not any("is taken" in note for note in edited["scene"]["notes"][:1])


def test_eni_says_which_addresses_are_interfaces(folder: Path, bare: Path) -> None:
    capture, words = str(sample("web-http")), ("203.0.113.9", "10.0.1.10=web-http.pcap")
    with asking(folder, begun(capture, str(bare), None, "en", words)) as client:
        found = client.post("api/open", json={"capture": True}).json()
    assert [eni["id"] for eni in found["scene"]["interfaces"]] == ["203.0.113.9", "10.0.1.10"]
    assert not any("is taken, the capture" in note for note in found["scene"]["notes"])
    assert {row["eni"] for row in found["rows"]} == {"10.0.1.10", ""}  # seen there, also what 203.0.113.9 sent


def test_eni_without_rules_is_what_the_first_rules_name(folder: Path) -> None:
    words = ("203.0.113.9", "2001:db8::1")
    with asking(folder, begun(str(sample("web-http")), None, None, "en", words)) as client:
        found = client.post("api/open", json={"capture": True}).json()
    assert "# The addresses are those of --eni; change them freely.\n" in found["rules"]
    assert found["rules"].endswith(
        """
interfaces:
  my-interface-1: {addresses: [203.0.113.9], security_groups: [my-group]}
  my-interface-2: {addresses: ["2001:db8::1"], security_groups: [my-group]}
"""
    )
    assert [eni["id"] for eni in found["scene"]["interfaces"]] == ["my-interface-1", "my-interface-2"]


def test_a_capture_without_packets_opens_under_rules_without_an_interface(folder: Path, bare: Path) -> None:
    nothing = bare.with_name("nothing.pcap")
    nothing.write_bytes(NOTHING)
    with asking(folder, begun(str(nothing), str(bare), None, "en")) as client:
        scene = client.post("api/open", json={"capture": True}).json()["scene"]
    assert scene["rows"] == 0
    assert "10.0.1.10 is taken, an example, as the capture holds no IP packet, with all groups" in scene["notes"][0]


def test_without_a_network_acl_one_is_made_of_the_groups_and_told(client: TestClient) -> None:
    found = uploaded(client, WEB)
    rules = sample("web-http").with_suffix(".yaml").read_bytes()
    answer = client.post(f"api/{found['id']}/rules", content=rules).json()
    assert answer["scene"]["made_acls"] == ["acl-eni-web"]
    assert answer["scene"]["notes"][0].startswith("acl-eni-web: no file has a network ACL for eni-web; ")
    syn_ack = answer["rows"][3]["verdicts"]
    assert [reason for _, reason, _ in syn_ack] == ["established", "no-egress-rule", "nacl-egress"]


def test_without_one_the_page_is_told(client: TestClient) -> None:
    answer = client.post("api/open", json={"capture": True})
    assert (answer.status_code, "without a capture" in answer.json()["error"]) == (404, True)
