"""An import's calls: pages, what VPCs and rules name, and every way to be refused, from a stand-in for EC2."""

import json
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.errors import EniwallError, UsageError
from firewall.model import GroupPeer
from firewall.sources import account
from firewall.sources.account import read_account, snapshot_text
from firewall.sources.account_calls import CALLS, ENTRIES, LISTS, Kept, policy
from tests.firewall.ec2_stub import API, Stub, eni, peered, serving
from tests.firewall.moto_account import PRIVATE, REGION, ended, imported, isolated, loaded

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

ROOT = Path(__file__).resolve().parents[2]
PORT_X = "<item><ipPermissions><item><fromPort>x</fromPort></item></ipPermissions></item>"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as served:
        yield served


def ids(document: dict[str, Any], key: str, name: str) -> list[str]:
    return [item[name] for item in document[key]]


# --- pages and tables --------------------------------------------------------------------------------
def numbered(name: str) -> list[dict[str, Any]]:
    return [{name: f"{name}-{number}"} for number in (3, 1, 2)]


def test_every_list_is_read_to_its_last_page(stub: Stub) -> None:
    stub.page = 1
    stub.items = {call.action: numbered(call.order[-1]) for call in LISTS}
    for rule, list_id in zip(stub.items["DescribeSecurityGroupRules"], "cab", strict=True):
        rule["PrefixListId"] = f"pl-{list_id}"
        stub.items[f"pl-{list_id}"] = [{"Cidr": f"198.51.100.{number}/32"} for number in (2, 0, 1)]
    stub.items["DescribeManagedPrefixLists"] = [{"PrefixListId": f"pl-{each}"} for each in "cab"]
    attached = [{"Attachment": {"InstanceId": f"i-{number}"}} for number in (1, 2, 3)]
    enis = stub.items["DescribeNetworkInterfaces"]
    stub.items["DescribeNetworkInterfaces"] = [one | other for one, other in zip(enis, attached, strict=True)]
    stub.items["DescribeInstances"] = [{"Instances": [{"InstanceId": f"i-{number}"}]} for number in (1, 2, 3)]
    document = imported(stub.url).document
    for call in LISTS:
        assert len(document[call.key]) == 3, call.action
        if call.key not in ("Reservations", "PrefixLists"):
            name = call.order[-1]
            assert ids(document, call.key, name) == [f"{name}-{number}" for number in (1, 2, 3)]
    for list_id in ("pl-a", "pl-b", "pl-c"):
        assert document[list_id] == {"Entries": [{"Cidr": f"198.51.100.{number}/32"} for number in (0, 1, 2)]}
    pages = 3 * (len(LISTS) + 3)
    assert (document["Eniwall"]["calls"], len(stub.asked)) == (pages, pages)
    assert [token for action, token, _ in stub.asked if action == "DescribeVpcs"] == ["", "from-1", "from-2"]
    assert {(action, size) for action, _, size in stub.asked} == {(call.action, call.page) for call in CALLS}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.action)
def test_the_tables_name_what_the_api_has(call: Any) -> None:
    operation = API.operation_model(call.action)
    size = operation.input_shape.members["MaxResults"].metadata  # DescribeInstances states no bounds
    assert call.page == size.get("max", 1000)
    member = operation.output_shape.members[call.key].member
    assert kinds(member, call.kept) <= {"string", "integer", "long", "boolean"}  # and no time, which JSON cannot write
    assert set(call.order) <= set(member.members)


def kinds(shape: Any, kept: Kept) -> set[str]:
    """The types of all values that are kept; a key that the API does not have is a KeyError."""
    if shape.type_name == "list":
        return kinds(shape.member, kept)
    if shape.type_name != "structure":
        assert not kept
        return {shape.type_name}
    assert kept
    return {kind for key, inside in kept.items() for kind in kinds(shape.members[key], inside)}


def test_the_page_shows_the_policy_and_what_each_refusal_costs() -> None:
    page = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    assert f"```json\n{policy()}\n```" in page
    (statement,) = json.loads(policy())["Statement"]
    assert statement["Action"] == sorted(f"ec2:{call.action}" for call in CALLS)
    rows = [line for line in page.splitlines() if line.startswith("| `ec2:")]
    assert rows == [f"| `{call.permission}` | {call.unknown} |" for call in CALLS if call.unknown]
    assert [call.action for call in CALLS if not call.unknown] == [
        "DescribeSecurityGroups",
        "DescribeNetworkInterfaces",
    ]


# --- what VPCs and lists name ------------------------------------------------------------------------
def test_a_group_of_another_vpc_that_a_rule_names_stays_with_its_members(stub: Stub, tmp_path: Path) -> None:
    stub.items = peered()
    snapshot = imported(stub.url, "vpc-1")
    document = snapshot.document
    assert ids(document, "SecurityGroups", "GroupId") == ["sg-1", "sg-2"]
    assert ids(document, "SecurityGroupRules", "SecurityGroupRuleId") == ["sgr-1", "sgr-2", "sgr-3"]
    assert ids(document, "NetworkInterfaces", "NetworkInterfaceId") == ["eni-1", "eni-2"]
    assert ids(document, "Subnets", "SubnetId") == ["subnet-1", "subnet-2"]
    assert [key for key in document if key.startswith("pl-")] == ["pl-1"]  # AWS's own is asked for as well
    rules = loaded(snapshot, tmp_path)
    assert [each.kind for each in rules.warnings] == []
    assert rules.prefix_lists["pl-1"].owner == "AWS"


def test_a_rule_over_a_deleted_peering_is_stale(stub: Stub, tmp_path: Path) -> None:
    stub.items = peered()
    stub.items["DescribeVpcPeeringConnections"][0]["Status"]["Code"] = "deleted"
    peer = loaded(imported(stub.url), tmp_path).groups["sg-1"].ingress[0].peer
    assert isinstance(peer, GroupPeer)
    assert peer.stale


def test_what_an_interface_says_of_itself_is_kept(stub: Stub, tmp_path: Path) -> None:
    stub.items = peered()
    stub.items["DescribeNetworkInterfaces"][0] |= {
        "Ipv4Prefixes": [{"Ipv4Prefix": "10.1.1.16/28"}],
        "Ipv6Addresses": [{"Ipv6Address": "2001:db8::10"}],
        "SourceDestCheck": False,
        "ConnectionTrackingConfiguration": {"TcpEstablishedTimeout": 350},
        "TagSet": [{"Key": "team", "Value": PRIVATE}],
        "Attachment": {"AttachTime": "2026-05-04T09:30:00Z", "InstanceId": "i-1", "Status": "attached"},
    }
    snapshot = imported(stub.url)
    assert PRIVATE not in snapshot_text(snapshot)
    found = loaded(snapshot, tmp_path).interfaces["eni-1"]
    assert found.prefixes == (ip_network("10.1.1.16/28"),)
    assert found.addresses == (ip_address("10.1.1.10"), ip_address("2001:db8::10"))
    assert (found.source_dest_check, found.connection_tracking.tcp_established_timeout) == (False, 350)


def test_a_vpc_that_is_not_there_is_told_with_those_that_are(stub: Stub) -> None:
    stub.items = peered()
    with pytest.raises(UsageError) as told:
        imported(stub.url, "vpc-1", "vpc-9")
    assert str(told.value) == "--vpc vpc-9: eu-central-1 has vpc-1, vpc-2, vpc-3"


def test_vpcs_with_the_same_addresses_are_told_with_the_way_out(stub: Stub) -> None:
    stub.items = peered()
    stub.items["DescribeNetworkInterfaces"].append(eni("eni-4", "vpc-3", "sg-3", "10.1.1.10"))
    told = (
        "10.1.1.10 is an interface's address in vpc-1 and in vpc-3: "
        "other commands read one of such VPCs at a time, so import with --vpc"
    )
    assert imported(stub.url).warnings == [told]
    assert imported(stub.url, "vpc-1").warnings == []


def test_a_region_without_groups_is_told(stub: Stub) -> None:
    assert imported(stub.url).warnings == ["eu-central-1 has no security groups: is it the right region?"]


def test_a_prefix_list_that_is_gone_is_told_and_the_others_are_read(stub: Stub) -> None:
    stub.items = peered()
    stub.errors[ENTRIES.action] = ["InvalidPrefixListID.NotFound", ""]
    snapshot = imported(stub.url)
    assert snapshot.warnings == ["pl-1: a rule names it, but the account has no such prefix list"]
    assert [key for key in snapshot.document if key.startswith("pl-")] == ["pl-3"]


# --- refusals ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("call", [call for call in CALLS if call.unknown], ids=lambda call: call.action)
def test_a_call_that_is_not_allowed_leaves_its_list_out(call: Any, stub: Stub, tmp_path: Path) -> None:
    stub.items = peered()
    stub.errors[call.action] = ["UnauthorizedOperation"]
    told = [f"{call.permission} is not allowed: {call.unknown}"]  # once, though two lists are asked for
    assert imported(stub.url).warnings == told
    snapshot = imported(stub.url, "vpc-1")
    assert snapshot.warnings == told
    assert snapshot.document["Eniwall"]["not_allowed"] == [call.permission]
    assert call.key not in snapshot.document
    assert "sg-1" in loaded(snapshot, tmp_path).groups


@pytest.mark.parametrize("action", ["DescribeSecurityGroups", "DescribeNetworkInterfaces"])
def test_without_groups_or_interfaces_there_is_nothing_to_tell(action: str, stub: Stub) -> None:
    stub.errors[action] = ["UnauthorizedOperation"]
    with pytest.raises(EniwallError) as told:
        imported(stub.url)
    assert str(told.value) == f"ec2:{action} is not allowed: ask for the policy in docs/import.md"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "the credentials have expired: get new ones "),
        ("RequestExpired", "the credentials have expired: get new ones "),
        ("AuthFailure", "AWS does not accept the credentials: check keys and session token, "),
        ("OptInRequired", "the account has not enabled EC2 or this region: "),
        ("RequestLimitExceeded", "AWS asks for fewer calls, also after several tries: wait a minute "),
        ("InternalError", "InternalError: the service's words"),
    ],
)
def test_what_aws_refuses_is_told_in_plain_words(code: str, told: str, stub: Stub) -> None:
    stub.errors["DescribeSecurityGroups"] = [code]
    with pytest.raises(EniwallError) as error:
        imported(stub.url)
    assert str(error.value).startswith(f"DescribeSecurityGroups in eu-central-1: {told}")


def test_a_call_that_comes_too_often_is_made_again(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "ATTEMPTS", 2)
    stub.items = peered()
    stub.errors["DescribeVpcs"] = ["RequestLimitExceeded", ""]
    document = imported(stub.url).document
    assert ids(document, "Vpcs", "VpcId") == ["vpc-1", "vpc-2", "vpc-3"]
    assert [action for action, _, _ in stub.asked].count("DescribeVpcs") == 2


@pytest.mark.parametrize(
    "nonsense",
    ["<html><p>welcome", "\0\0", f"<R><securityGroupInfo>{PORT_X}</securityGroupInfo></R>"],
    ids=["a web page", "bytes", "a port that is no number"],
)
def test_what_does_not_speak_the_api_is_told(nonsense: str, stub: Stub) -> None:
    stub.nonsense = nonsense.encode()
    with pytest.raises(EniwallError) as told:
        imported(stub.url)
    assert str(told.value) == ("DescribeSecurityGroups in eu-central-1: no EC2 API answers there: check --endpoint-url")


def test_an_endpoint_that_nobody_listens_at_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(EniwallError) as told:
            imported(url)
    assert str(told.value) == (
        "DescribeSecurityGroups in eu-central-1: cannot be reached: "
        "check --region, --endpoint-url, the network and its proxy"
    )


def test_missing_credentials_are_told(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(EniwallError) as told:
        imported(stub.url)
    assert str(told.value).startswith("DescribeSecurityGroups in eu-central-1: no credentials were found: log in ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((None, None, (), None), "no region: name one, such as --region eu-central-1, or set AWS_REGION"),
        (
            (REGION, "nope", (), None),
            "profile nope: no such profile: `aws configure list-profiles` names those that exist",
        ),
        (("b\x1bd", None, (), None), "EC2 in b\x1bd: this is no region's name: write one like eu-central-1"),
        ((REGION, None, (), "localhost"), "--endpoint-url localhost: write it whole, such as http://127.0.0.1:5000"),
        ((REGION, None, (), "http://["), "EC2 in eu-central-1: no EC2 API answers there: check --endpoint-url"),
    ],
    ids=["no region", "profile", "region", "endpoint", "broken endpoint"],
)
def test_words_that_do_not_fit_are_told(words: tuple[Any, Any, Any, Any], told: str) -> None:
    with pytest.raises(EniwallError) as error:
        read_account(*words)
    assert str(error.value) == told


def test_a_profile_gives_its_region(stub: Stub, tmp_path: Path) -> None:
    keys = "aws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = example\n"
    (tmp_path / "config").write_text(f"[profile lab]\nregion = eu-north-1\n{keys}", encoding="utf-8")
    assert read_account(None, "lab", (), stub.url).document["Eniwall"]["region"] == "eu-north-1"


def test_without_boto3_the_cure_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert ended("import", "--region", REGION) == 2
    assert capsys.readouterr().err == (
        "eniwall: import needs the package boto3: pip install '.[aws]' in eniwall's folder, or boto3 alone\n"
    )


def test_warnings_and_progress_go_to_standard_error(
    stub: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.items = peered()
    stub.errors["DescribeVpcs"] = ["UnauthorizedOperation"]
    words = ("import", "--region", REGION, "--endpoint-url", stub.url)
    assert ended(*words) == 0
    quiet = capsys.readouterr()
    assert quiet.err == (
        "eniwall: warning: ec2:DescribeVpcs is not allowed: "
        "the address blocks of VPCs are unknown, and with them the VPC's resolver\n"
    )
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert ended(*words) == 0
    told = capsys.readouterr()
    assert told.err.splitlines()[:2] == [
        "eniwall: DescribeSecurityGroups, page 1: 3",
        "eniwall: DescribeSecurityGroupRules, page 1: 4",
    ]
    assert "eniwall: GetManagedPrefixListEntries pl-1, page 1: 1" in told.err
    assert json.loads(told.out)["SecurityGroups"] == json.loads(quiet.out)["SecurityGroups"]
