"""A live account, played by moto over a socket: what the reader of rules makes of it, and the file."""

import errno
import json
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from firewall.errors import EniwallError, UsageError
from firewall.model import GroupPeer, PrefixListPeer
from firewall.sources import account, load_rules
from firewall.sources.account import check_target, snapshot_text, write_snapshot
from firewall.sources.account_calls import CALLS, LISTS
from tests.firewall.moto_account import PRIVATE, REGION, Account, ended, imported, isolated, loaded

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def aws() -> Iterator[Account]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = Account(f"http://{host}:{port}")
    yield made
    made.ec2.close()
    server.stop()


def test_the_rules_of_an_account_are_read_with_their_ids(aws: Account, tmp_path: Path) -> None:
    rules = loaded(imported(aws.url), tmp_path)
    group = rules.groups[aws.web]
    read = {(each.rule_id, each.direction, each.protocol, each.ports, each.peer) for each in group.ingress}
    rows = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [aws.web]}])
    wanted = {
        ("CidrIpv4", "203.0.113.0/24"): ("ingress", 6, (443, 443), ip_network("203.0.113.0/24")),
        ("CidrIpv6", "2001:db8::/32"): ("ingress", 6, (443, 443), ip_network("2001:db8::/32")),
        ("PrefixListId", aws.office): ("ingress", 6, (443, 443), PrefixListPeer(aws.office)),
        ("ReferencedGroupInfo", aws.app): ("ingress", 6, (443, 443), GroupPeer(aws.app)),
        ("CidrIpv4", "192.0.2.0/24"): ("ingress", 1, None, ip_network("192.0.2.0/24")),
        ("ReferencedGroupInfo", aws.web): ("ingress", -1, None, GroupPeer(aws.web)),
    }
    named = {}
    for row in rows["SecurityGroupRules"]:
        key = next(each for each in ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupInfo") if row.get(each))
        peer = row[key]["GroupId"] if key == "ReferencedGroupInfo" else row[key]
        if not row["IsEgress"]:
            named[key, peer] = row["SecurityGroupRuleId"]
    assert named.keys() == wanted.keys()
    assert read == {(named[peer], *said) for peer, said in wanted.items()}
    assert [each.description for each in group.ingress if each.description] == ["partners"]
    assert (group.name, group.vpc, len(group.egress)) == ("web", aws.vpc, 1)
    assert rules.warnings == ()


def test_what_decides_beside_the_rules_is_read_too(aws: Account, tmp_path: Path) -> None:
    snapshot = imported(aws.url)
    rules = loaded(snapshot, tmp_path)
    (eni,) = rules.interfaces.values()
    assert (eni.addresses, eni.groups, eni.instance) == ((ip_address("10.0.1.10"),), (aws.web,), aws.instance)
    acl = rules.network_acl_of(eni)
    assert acl is not None
    assert acl.network_acl_id == aws.acl
    assert [(each.number, each.action, each.ports) for each in acl.ingress] == [(100, "deny", (443, 443))]
    vpc = rules.vpc_of(eni)
    assert vpc is not None
    assert vpc.cidrs == (ip_network("10.0.0.0/16"),)
    listed = rules.prefix_lists[aws.office]
    assert (listed.name, listed.max_entries) == ("office", 10)
    assert set(listed.entries) == {ip_network("198.51.100.0/24"), ip_network("192.0.2.0/25")}
    (peering,) = snapshot.document["VpcPeeringConnections"]
    assert (peering["VpcPeeringConnectionId"], peering["Status"]) == (aws.peering, {"Code": "active"})
    assert snapshot.document["Reservations"] == [
        {
            "Instances": [
                {"InstanceId": aws.instance, "InstanceType": "t3.micro", "State": {"Name": "running"}},
            ]
        }
    ]


def test_lists_that_no_rule_names_are_left_out(aws: Account) -> None:
    document = imported(aws.url).document
    assert [each["PrefixListId"] for each in document["PrefixLists"]] == [aws.office]
    assert [key for key in document if key.startswith("pl-")] == [aws.office]
    assert aws.idle in {each["PrefixListId"] for each in aws.ec2.describe_managed_prefix_lists()["PrefixLists"]}


def test_tags_keys_user_data_and_other_words_stay_in_the_account(aws: Account) -> None:
    told = aws.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    assert (told["KeyName"], told["Tags"][0]["Value"]) == (PRIVATE, PRIVATE)
    assert PRIVATE not in snapshot_text(imported(aws.url))


def test_the_document_says_where_and_when_it_was_taken(aws: Account) -> None:
    about = imported(aws.url).document["Eniwall"]
    age = datetime.now(UTC) - datetime.fromisoformat(about.pop("time"))
    assert timedelta(0) <= age < timedelta(minutes=5)
    assert about == {
        "schema": "eniwall-snapshot",
        "version": 1,
        "region": REGION,
        "account": "123456789012",
        "calls": len(CALLS),
        "not_allowed": [],
    }


def test_two_imports_differ_in_their_time_alone(aws: Account) -> None:
    one, two = (snapshot_text(imported(aws.url)) for _ in range(2))
    differing = [first for first, second in zip(one.splitlines(), two.splitlines(), strict=True) if first != second]
    assert [line for line in differing if '"time": ' not in line] == []
    assert one == json.dumps(json.loads(one), indent=1, sort_keys=True) + "\n"


def test_nothing_is_called_that_could_change_an_account(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, str]] = []
    session = boto3.Session

    def watched(**words: Any) -> Any:
        made = session(**words)
        made.events.register(
            "before-call", lambda model, **_: called.append((model.service_model.service_name, model.name))
        )
        return made

    monkeypatch.setattr(boto3, "Session", watched)
    imported(aws.url)
    assert {service for service, _ in called} == {"ec2"}
    assert {name for _, name in called} == {call.action for call in CALLS}
    assert [name for _, name in called if not re.match("Describe|Get", name)] == []


def test_instances_of_several_pages_are_joined(aws: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    subnet = aws.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [aws.vpc]}])["Subnets"][0]["SubnetId"]
    more = [
        aws.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]
        for _ in range(7)
    ]
    started = {each["InstanceId"] for each in more}
    try:
        monkeypatch.setattr(account, "LISTS", [call._replace(page=5) for call in LISTS])
        document = imported(aws.url).document
    finally:
        aws.ec2.terminate_instances(InstanceIds=sorted(started))
    found = {one["InstanceId"] for each in document["Reservations"] for one in each["Instances"]}
    assert found == started | {aws.instance}
    assert document["Eniwall"]["calls"] == len(CALLS) + 1


def test_one_vpc_of_an_account(aws: Account) -> None:
    document = imported(aws.url, aws.vpc).document
    for key in ("SecurityGroups", "Subnets", "NetworkAcls", "Vpcs", "NetworkInterfaces"):
        assert {item["VpcId"] for item in document[key]} == {aws.vpc}, key
    assert {item["GroupId"] for item in document["SecurityGroupRules"]} <= {
        item["GroupId"] for item in document["SecurityGroups"]
    }
    assert [each["PrefixListId"] for each in document["PrefixLists"]] == [aws.office]


def test_the_command_writes_what_the_reader_takes(
    aws: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "snapshot.json"
    monkeypatch.setenv("AWS_REGION", REGION)
    assert ended("import", "--endpoint-url", aws.url, "--vpc", aws.vpc, "-o", str(path)) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"eniwall: wrote {path}\n")
    assert aws.web in load_rules(path).groups
    assert ended("import", "--endpoint-url", aws.url, "--vpc", aws.vpc) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed | {"Eniwall": 0} == json.loads(path.read_text(encoding="utf-8")) | {"Eniwall": 0}


@pytest.mark.parametrize("words", [["--help"], ["import", "--help"]], ids=" ".join)
def test_help_does_not_load_the_sdk(words: list[str]) -> None:
    program = (
        "import atexit, sys\n"
        "from firewall.cli import main\n"
        "atexit.register(lambda: print('loaded', *sorted(sys.modules), file=sys.stderr))\n"
        f"main({words})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "import" in done.stdout
    loaded_modules = done.stderr.split()
    assert "firewall.cli" in loaded_modules
    assert {"boto3", "botocore"}.isdisjoint(loaded_modules)


# --- the file ----------------------------------------------------------------------------------------
def test_the_file_is_for_its_owner_alone_whatever_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text("older and longer", encoding="utf-8")
    path.chmod(0o644)
    write_snapshot(str(path), "{}\n")
    assert path.read_text(encoding="utf-8") == "{}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    link, path = tmp_path / "link.json", tmp_path / "snapshot.json"
    link.symlink_to(path)
    write_snapshot(str(link), "{}\n")
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == "{}\n"


def test_a_write_that_fails_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text("older", encoding="utf-8")

    def full(_source: object, _target: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EniwallError) as told:
        write_snapshot(str(path), "{}\n")
    assert str(told.value) == f"{path}: cannot be written: No space left on device"
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text(encoding="utf-8") == "older"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere/snapshot.json", "the folder {folder}/nowhere does not exist; make it first"),
        ("", "is no regular file; name one, or leave -o out for standard output"),
    ],
    ids=["no folder", "a folder"],
)
def test_a_name_that_cannot_be_written_is_told_before_any_call(name: str, told: str, tmp_path: Path) -> None:
    path = str(tmp_path / name)
    with pytest.raises(UsageError) as error:
        check_target(path)
    assert str(error.value) == f"-o {path}: {told.format(folder=tmp_path)}"
    assert ended("import", "--region", REGION, "--endpoint-url", "http://127.0.0.1:1", "-o", path) == 2
