"""An account that moto plays, and how imports are made of it or of a stand-in."""

import os
from functools import cache
from pathlib import Path

import boto3
import pytest
from botocore import loaders

from firewall import cli
from firewall.model import RuleSet
from firewall.sources import account, load_rules
from firewall.sources.account import Snapshot, read_account, snapshot_text

# The description of EC2's API is large; one copy of it serves all sessions.
shared_loader = cache(loaders.create_loader)

REGION = "eu-central-1"
PRIVATE = "stays-at-home"


def isolated(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keys that open nothing, no word of this machine's own configuration, and one try of each call."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setattr(account, "ATTEMPTS", 1)
    monkeypatch.setattr("botocore.session.create_loader", shared_loader)


def imported(url: str, *vpcs: str) -> Snapshot:
    """An import of the account that answers at a URL."""
    return read_account(REGION, None, vpcs, url)


def loaded(snapshot: Snapshot, folder: Path) -> RuleSet:
    """What the reader of rule files makes of a snapshot."""
    path = folder / "snapshot.json"
    path.write_text(snapshot_text(snapshot), encoding="utf-8")
    return load_rules(path)


def ended(*words: str) -> int:
    """The exit status of the command line."""
    with pytest.raises(SystemExit) as done:
        cli.main(words)
    assert isinstance(done.value.code, int)
    return done.value.code


class Account:
    """A VPC with a web server, its rules with every kind of peer, and a peering connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "example"}
        self.ec2 = ec2 = boto3.client("ec2", endpoint_url=url, region_name=REGION, **keys)
        self.vpc, self.other = (
            ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"] for block in ("10.0.0.0/16", "10.9.0.0/16")
        )
        subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        self.web, self.app = (
            ec2.create_security_group(GroupName=name, Description=PRIVATE, VpcId=self.vpc)["GroupId"]
            for name in ("web", "app")
        )
        office = {"PrefixListName": "office", "MaxEntries": 10, "AddressFamily": "IPv4"}
        entries = [{"Cidr": "198.51.100.0/24", "Description": PRIVATE}, {"Cidr": "192.0.2.0/25"}]
        self.office, self.idle = (
            ec2.create_managed_prefix_list(**office, Entries=entries)["PrefixList"]["PrefixListId"] for _ in range(2)
        )
        self._authorize()
        acl = ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        self.acl = acl
        ports = {"PortRange": {"From": 443, "To": 443}, "CidrBlock": "203.0.113.0/24"}
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=100, Protocol="6", RuleAction="deny", Egress=False, **ports
        )
        first = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        association = first["NetworkAcls"][0]["Associations"][0]["NetworkAclAssociationId"]
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
        started = ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            SubnetId=subnet,
            PrivateIpAddress="10.0.1.10",
            SecurityGroupIds=[self.web],
            UserData=PRIVATE,
            KeyName=PRIVATE,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": PRIVATE}]}],
        )
        self.instance = started["Instances"][0]["InstanceId"]
        peering = ec2.create_vpc_peering_connection(VpcId=self.vpc, PeerVpcId=self.other)
        self.peering = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=self.peering)

    def _authorize(self) -> None:
        self.ec2.authorize_security_group_ingress(
            GroupId=self.web,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "IpRanges": [{"CidrIp": "203.0.113.0/24", "Description": "partners"}],
                    "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
                    "PrefixListIds": [{"PrefixListId": self.office}],
                    "UserIdGroupPairs": [{"GroupId": self.app}],
                },
                {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]},
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": self.web}]},
            ],
        )
