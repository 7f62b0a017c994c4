"""Who a rule is about: groups, prefix lists and their versions, several groups; and what a file leaves unsaid."""

import json

import pytest

from firewall.errors import RuleFileError
from firewall.quotas import read_limits, usages
from tests.firewall.labs import (
    APP,
    APP_AND_DB_ENIS,
    CLIENT,
    DB,
    OPEN_ACLS,
    WEB,
    handshake,
    judged,
    nacl,
    path,
    reasons,
    rule_set,
    sg,
    stateless,
    syn,
)


# --- a public address --------------------------------------------------------------------------------------
def app_to_db(destination: str) -> str:
    """An application that may dial a destination, and its database; each has an Elastic IP address."""
    enis = APP_AND_DB_ENIS.replace("10.0.1.20]", "10.0.1.20], public_addresses: [203.0.113.20]")
    enis = enis.replace("10.0.2.30]", "10.0.2.30], public_addresses: [203.0.113.30]")
    return f"""{enis}{OPEN_ACLS}
security_groups:
  app: {{ingress: [], egress: [{{protocol: tcp, ports: 3306, destination: "{destination}"}}]}}
  db: {{ingress: [{{protocol: tcp, ports: 3306, source: "sg:app"}}], egress: []}}
"""


# The internet gateway translates: each end sees its own private address and the other's public one.
AT_APP, AT_DB = syn(APP, "203.0.113.30", 3306), syn("203.0.113.20", DB, 3306)


def test_a_group_as_peer_stands_for_private_addresses_alone() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"""
    for column in (sg, stateless, path):
        assert column(app_to_db("sg:db"), [AT_APP]) == "D"
        assert column(app_to_db("0.0.0.0/0"), [AT_APP]) == "A"
        assert column(app_to_db("0.0.0.0/0"), [AT_DB]) == "D"
        assert column(app_to_db("sg:db"), [syn(APP, DB, 3306)]) == "AA"
    assert reasons(app_to_db("sg:db"), [AT_APP], "sg") == ["no-egress-rule"]
    assert reasons(app_to_db("sg:db"), [AT_DB], "sg") == ["no-ingress-rule"]
    assert nacl(app_to_db("sg:db"), [AT_APP, AT_DB]) == "AA"  # a network ACL names blocks, and these are open


# --- two groups --------------------------------------------------------------------------------------------
TWO_GROUPS = f"""
interfaces:
  eni-web: {{addresses: [{WEB}], security_groups: [inside, world]}}
security_groups:
  inside: {{ingress: [{{type: SSH, source: 10.0.0.0/8}}], egress: []}}
  world: {{ingress: [{{type: SSH, source: 0.0.0.0/0}}], egress: []}}
"""


def test_the_most_permissive_of_several_groups_wins() -> None:
    story = [syn(CLIENT, WEB, 22)]
    assert sg(TWO_GROUPS, story) == "A"
    assert stateless(TWO_GROUPS, story) == "A"
    assert judged(TWO_GROUPS, story, "sg")[0]["rule"] == "world:ingress[0]"
    assert sg(TWO_GROUPS.replace("[inside, world]", "[inside]"), story) == "D"


# --- a prefix list -----------------------------------------------------------------------------------------
V6_CLIENT, V6_WEB = "2001:db8:7::7", "2001:db8:1::10"
CORPORATE = f"""
interfaces:
  eni-web: {{addresses: [{WEB}, "{V6_WEB}"], security_groups: [web]}}
security_groups:
  web: {{ingress: [{{type: HTTPS, source: "pl:corp"}}], egress: []}}
prefix_lists:
  corp: {{max_entries: 20, family: IPv4, entries: [198.51.100.0/24, 203.0.113.0/25]}}
"""
NEW_OFFICE = "192.0.2.9"
VERSION_2 = "modify_prefix_list: {list: corp, add: [192.0.2.0/24]}"


def test_a_rule_follows_the_newest_version_of_its_prefix_list() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html"""
    listed, other_family = syn(CLIENT, WEB, 443), syn(V6_CLIENT, V6_WEB, 443)
    refused, dials_again = syn(NEW_OFFICE, WEB, 443), handshake(NEW_OFFICE, WEB, 443, sport=40001)
    story = [listed, other_family, refused, VERSION_2, *dials_again[:2]]
    assert sg(CORPORATE, story) == "ADD|AA"
    assert reasons(CORPORATE, story, "sg") == ["rule", "no-ingress-rule", "no-ingress-rule", "rule", "established"]
    assert stateless(CORPORATE, story) == "ADD|AD"


def test_a_prefix_list_costs_a_rule_for_every_entry_that_it_may_have() -> None:
    rules = rule_set(CORPORATE)
    found = {each.subject: each for each in usages(rules, tuple(rules.interfaces.values()), read_limits([]))}
    assert found["web in IPv4"].amount == "20 of 60"
    assert found["web in IPv6"].used == 0
    assert found["corp"].amount == "2 of 20"


def test_a_network_acl_cannot_name_a_prefix_list() -> None:
    entry = "{number: 100, action: allow, type: HTTPS, source: pl:corp}"
    with pytest.raises(RuleFileError, match="'pl:corp' is a prefix list: entries of network ACLs name address blocks"):
        rule_set(f"{CORPORATE}network_acls: {{edge: {{ingress: [{entry}], egress: []}}}}")


# --- what Terraform and CloudFormation leave unsaid ----------------------------------------------------------
ENI = f"interfaces: {{eni-web: {{addresses: [{WEB}], security_groups: [web]}}}}"
TERRAFORM = json.dumps(
    {
        "format_version": "1.2",
        "terraform_version": "1.9.8",
        "planned_values": {
            "root_module": {
                "resources": [
                    {
                        "address": "aws_security_group.web",
                        "mode": "managed",
                        "type": "aws_security_group",
                        "name": "web",
                        "values": {"name": "web"},
                    }
                ]
            }
        },
        "resource_changes": [
            {
                "address": "aws_security_group.web",
                "mode": "managed",
                "type": "aws_security_group",
                "name": "web",
                "change": {
                    "actions": ["create"],
                    "before": None,
                    "after_unknown": {"id": True, "ingress": True, "egress": True},
                },
            }
        ],
        "configuration": {
            "root_module": {
                "resources": [{"address": "aws_security_group.web", "expressions": {"name": {"constant_value": "web"}}}]
            }
        },
    }
)
CLOUDFORMATION = json.dumps(
    {
        "Resources": {
            "Web": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {"GroupName": "web", "GroupDescription": "web"},
            }
        }
    }
)


def test_a_group_without_egress_is_closed_by_terraform_and_open_by_cloudformation() -> None:
    """Terraform removes AWS's default, CloudFormation leaves it.

    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
    """
    story = handshake(WEB, "203.0.113.80", 443)
    terraform, cloudformation = rule_set(TERRAFORM, ENI), rule_set(CLOUDFORMATION, ENI)
    assert sg(terraform, story[:1]) == "D"
    assert reasons(terraform, story[:1], "sg") == ["no-egress-rule"]
    assert stateless(terraform, story[:1]) == "D"
    assert sg(cloudformation, story) == "AAAAA"
    assert stateless(cloudformation, story) == "ADAAD"
