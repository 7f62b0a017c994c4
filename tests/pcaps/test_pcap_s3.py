"""Captures in Amazon S3, played by moto over a socket, and by a server that refuses, hangs up or is not there."""

import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pcaps.capture import open_capture
from pcaps.errors import CaptureError
from pcaps.s3 import REFUSALS
from pcaps.stream import BLOCK
from tests.firewall.moto_account import REGION, ended, isolated
from tests.pcaps.test_capture_files import FRAME, pcap

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

BUCKET = "captures"
CAPTURE = pcap([FRAME] * 1000)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    played = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    played.start()
    host, port = played.get_host_and_port()
    yield f"http://{host}:{port}"
    played.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()


def refusal(path: str) -> str:
    with pytest.raises(CaptureError) as caught:
        open_capture(path)
    return str(caught.value)


def test_an_object_is_read_as_a_file_is(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="2024/05/web 1.pcap", Body=CAPTURE)
    with open_capture(f"s3://{BUCKET}/2024/05/web 1.pcap") as capture:
        assert capture.names == (f"s3://{BUCKET}/2024/05/web 1.pcap",)
        assert sum(batch.rows for batch in capture.batches()) == 1000
        assert (capture.warnings, capture.bytes_total, capture.bytes_read) == ([], len(CAPTURE), len(CAPTURE))


def test_a_packed_object_is_unpacked_on_the_way(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.pcap.gz", Body=gzip.compress(CAPTURE))
    with open_capture(f"s3://{BUCKET}/a.pcap.gz") as capture:
        assert sum(batch.rows for batch in capture.batches()) == 1000


def test_objects_and_files_are_merged(s3: Any, tmp_path: Path) -> None:
    for key in ("a.pcap", "b.pcap"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=CAPTURE)
    (tmp_path / "c.pcap").write_bytes(CAPTURE)
    names = [f"s3://{BUCKET}/a.pcap", f"s3://{BUCKET}/b.pcap", str(tmp_path / "c.pcap")]
    with open_capture(*names) as capture:
        assert sum(batch.rows for batch in capture.batches()) == 3000


def test_an_object_is_read_block_by_block(s3: Any) -> None:
    long = pcap([FRAME + bytes(60_000)] * 30)
    s3.put_object(Bucket=BUCKET, Key="long.pcap", Body=long)
    with open_capture(f"s3://{BUCKET}/long.pcap") as capture:
        assert 0 < capture.bytes_read < 2 * BLOCK  # what was looked into, not the whole
        assert sum(batch.rows for batch in capture.batches()) == 30
        assert capture.bytes_read == len(long) > 5 * BLOCK


def test_what_is_not_there_is_told_with_the_cure(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.pcap", Body=CAPTURE)
    assert refusal(f"s3://{BUCKET}/b.pcap") == (
        f"s3://{BUCKET}/b.pcap: there is no such object; list the names with: aws s3 ls s3://{BUCKET}/"
    )
    assert refusal("s3://elsewhere/a.pcap") == "s3://elsewhere/a.pcap: there is no such bucket; check its name"


@pytest.mark.parametrize("path", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key"])
def test_a_name_without_bucket_or_key_is_told(path: str) -> None:
    assert refusal(path) == f"{path}: write s3://BUCKET/KEY"


@pytest.mark.parametrize("path", ["s3://B A D/key", "s3://bucket/" + "k" * 2000, "s3://bucket/\0"])
def test_a_name_that_cannot_be_is_told(path: str, s3: Any) -> None:
    assert s3
    assert refusal(path).startswith(f"{path}: ")


def test_what_is_no_capture_is_told_as_of_a_file(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.txt", Body=b"hello, this is no capture")
    assert "not a capture: it starts with text, 'hell'" in refusal(f"s3://{BUCKET}/a.txt")
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    assert "0 bytes, too short for a capture" in refusal(f"s3://{BUCKET}/empty")


def test_the_command_line_takes_it(s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.pcap", Body=pcap([FRAME]))
    rules = tmp_path / "rules.yaml"
    rules.write_text("security_groups: {web: {ingress: []}}\n", encoding="utf-8")
    words = ("replay", f"s3://{BUCKET}/a.pcap", "--rules", str(rules), "--eni", "10.0.1.10", "--json")
    assert ended(*words) == 0
    assert f"s3://{BUCKET}/a.pcap" in capsys.readouterr().out


# --- servers that do not do as asked -------------------------------------------------------------------
class Refusing(BaseHTTPRequestHandler):
    """Answers every GET with an error of S3's, or with half of an object."""

    code = ""

    def do_GET(self) -> None:
        if self.code == "half":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CAPTURE)))
            self.end_headers()
            self.wfile.write(CAPTURE[: len(CAPTURE) // 2])
            return
        body = f"<Error><Code>{self.code}</Code><Message>said by the server</Message></Error>".encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Refusing]]:
    class Handler(Refusing):
        pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("code", REFUSALS)
def test_refusals_are_told_in_plain_words(refusing: type[Refusing], code: str) -> None:
    refusing.code = code
    told = REFUSALS[code].format(bucket="bucket", key="a.pcap")
    assert refusal("s3://bucket/a.pcap") == f"s3://bucket/a.pcap: {told}"


def test_a_refusal_that_is_not_known_is_told_as_the_server_words_it(refusing: type[Refusing]) -> None:
    refusing.code = "Strange"
    assert refusal("s3://bucket/a.pcap") == "s3://bucket/a.pcap: S3 refuses: said by the server"


def test_a_connection_that_ends_early_is_told_with_what_was_read(refusing: type[Refusing]) -> None:
    refusing.code = "half"
    with open_capture("s3://bucket/a.pcap") as capture:
        packets = sum(batch.rows for batch in capture.batches())
        assert 0 < packets < 1000
        assert len(capture.warnings) == 1
        assert capture.warnings[0].startswith("s3://bucket/a.pcap: ")
        assert "packets" in capture.warnings[0]


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert refusal("s3://bucket/a.pcap").startswith("s3://bucket/a.pcap: S3 does not answer: ")


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "no AWS credentials were found; set AWS_PROFILE" in refusal("s3://bucket/a.pcap")


def test_a_profile_that_is_not_there_and_an_endpoint_that_is_no_url_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    assert "S3 cannot be asked" in refusal("s3://bucket/a.pcap")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in refusal("s3://bucket/a.pcap")
