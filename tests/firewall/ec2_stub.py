"""A stand-in for EC2 on a socket of this machine: it gives pages, refusals and nonsense as it is told.

moto, which plays the account in test_import.py, gives one page of most lists and refuses nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.session import Session

from firewall.sources.account_calls import CALLS, ENTRIES, Call

API = Session().get_service_model("ec2")
BY_ACTION = {call.action: call for call in CALLS}


@dataclass
class Stub:
    """What is answered, and what was asked: (action, page token, MaxResults) of every call on the wire."""

    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by action; entries by list id
    page: int = 1000
    errors: dict[str, list[str]] = field(default_factory=dict)  # codes by action, one a call; the last one stays
    nonsense: bytes = b""
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    url: str = ""

    def answer(self, words: dict[str, str]) -> tuple[int, bytes]:
        """Status and body for a call."""
        action, token = words["Action"], words.get("NextToken", "")
        self.asked.append((action, token, int(words["MaxResults"])))
        if self.nonsense:
            return 200, self.nonsense
        codes = self.errors.get(action, [])
        code = codes[0] if len(codes) == 1 else codes.pop(0) if codes else ""
        if code:
            return 503 if code == "RequestLimitExceeded" else 403, _refusal(code)
        call = BY_ACTION[action]
        items = self.items.get(words["PrefixListId"] if call is ENTRIES else action, [])
        start = int(token.removeprefix("from-") or 0)
        end = start + self.page
        return 200, _page(call, items[start:end], f"from-{end}" if end < len(items) else "")


def _refusal(code: str) -> bytes:
    """An error as EC2 writes it; an empty code is none."""
    error = f"<Error><Code>{code}</Code><Message>the service's words</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>".encode()


def _page(call: Call, items: list[dict[str, Any]], token: str) -> bytes:
    """One page of a list."""
    shape = API.operation_model(call.action).output_shape
    answer = {call.key: items} | ({"NextToken": token} if token else {})
    return f"<{call.action}Response>{_xml(shape, answer)}</{call.action}Response>".encode()


def _xml(shape: Any, value: Any) -> str:
    """A value in the words that the API uses on the wire; one that its model does not know is a mistake."""
    if shape.type_name == "structure":
        assert set(value) <= set(shape.members)
        named = ((shape.members[key], item, key) for key, item in value.items())
        tagged = ((part.serialization.get("name", key), _xml(part, item)) for part, item, key in named)
        return "".join(f"<{tag}>{inside}</{tag}>" for tag, inside in tagged)
    if shape.type_name == "list":
        return "".join(f"<item>{_xml(shape.member, each)}</item>" for each in value)
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """The stub on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = stub.answer({key: values[0] for key, values in parse_qs(body).items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
            """Tests are silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


# --- a small account ---------------------------------------------------------------------------------
def eni(name: str, vpc: str, group: str, address: str) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": name,
        "VpcId": vpc,
        "SubnetId": vpc.replace("vpc", "subnet"),
        "Groups": [{"GroupId": group}],
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
    }


def row(number: int, group: str, **peer: Any) -> dict[str, Any]:
    tcp = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    return {"SecurityGroupRuleId": f"sgr-{number}", "GroupId": group, "IsEgress": False, **tcp, **peer}


def peered() -> dict[str, list[dict[str, Any]]]:
    """Three VPCs: the rules of the first name a group of the second, over a peering connection."""
    over = {"GroupId": "sg-2", "VpcId": "vpc-2", "VpcPeeringConnectionId": "pcx-1"}
    return {
        "DescribeSecurityGroups": [
            {"GroupId": f"sg-{n}", "GroupName": f"g{n}", "VpcId": f"vpc-{n}", "OwnerId": "111122223333"}
            for n in (1, 2, 3)
        ],
        "DescribeSecurityGroupRules": [
            row(1, "sg-1", ReferencedGroupInfo=over),
            row(2, "sg-1", PrefixListId="pl-1"),
            row(3, "sg-2", CidrIpv4="203.0.113.0/24"),
            row(4, "sg-3", PrefixListId="pl-3"),
        ],
        "DescribeNetworkInterfaces": [eni(f"eni-{n}", f"vpc-{n}", f"sg-{n}", f"10.{n}.1.10") for n in (1, 2, 3)],
        "DescribeVpcs": [{"VpcId": f"vpc-{n}", "CidrBlock": f"10.{n}.0.0/16"} for n in (1, 2, 3)],
        "DescribeSubnets": [
            {"SubnetId": f"subnet-{n}", "VpcId": f"vpc-{n}", "CidrBlock": f"10.{n}.1.0/24"} for n in (1, 2, 3)
        ],
        "DescribeManagedPrefixLists": [
            {"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.eu-central-1.s3", "OwnerId": "AWS"}
        ],
        "DescribeVpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"}}],
        "pl-1": [{"Cidr": "198.51.100.0/24"}],
        "pl-3": [{"Cidr": "192.0.2.0/24"}],
    }
