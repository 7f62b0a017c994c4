"""Intrinsic functions of templates: what each makes of its arguments."""

import base64
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import RuleFileError
from firewall.model import UnknownPeer
from tests.firewall.test_sources_cloudformation import attribute, group, made, ref, rules_from, stack, warned

SECTIONS: dict[str, Any] = {
    "Parameters": {
        "Name": {"Type": "String", "Default": "web"},
        "Count": {"Type": "Number", "Default": 3},
        "Flag": {"Type": "String", "Default": "true"},
        "Blocks": {"Type": "CommaDelimitedList", "Default": "192.0.2.0/24, 203.0.113.0/24"},
        "Numbers": {"Type": "List<Number>", "Default": "1,2"},
        "Empty": {"Type": "String", "Default": ""},
        "Missing": {"Type": "String"},
        "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/office"},
    },
    "Mappings": {"Regions": {"eu-west-1": {"Name": "Ireland", "Blocks": ["10.1.0.0/16", "10.2.0.0/16"]}}},
    "Conditions": {
        "Yes": {"Fn::Equals": ["a", "a"]},
        "No": {"Fn::Equals": ["a", "b"]},
        "Perhaps": {"Fn::Equals": [ref("Missing"), "b"]},
    },
}


def template(**properties: Any) -> dict[str, Any]:
    """A group with one inbound rule of these properties."""
    rule = {"IpProtocol": "-1", "CidrIp": "192.0.2.0/24", **properties}
    vpc = made("VPC", CidrBlock="10.0.0.0/16")
    return stack(Web=group(SecurityGroupIngress=[rule]), Vpc=vpc) | SECTIONS


def text_of(folder: Path, value: Any) -> str:
    """A text that a function makes, as the rule's description shows it."""
    return rules_from(folder, template(Description=value)).groups["Web"].ingress[0].description


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ref("Name"), "web"),
        (ref("Count"), "3"),
        ({"Fn::Join": ["-", ["a", ref("Name"), 3, True]]}, "a-web-3-true"),
        ({"Fn::Join": ["", ref("Blocks")]}, "192.0.2.0/24203.0.113.0/24"),
        ({"Fn::Join": [",", ["a", ref("AWS::NoValue"), "b"]]}, "a,b"),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Select": ["0", {"Fn::Split": ["|", "a|b|c"]}]}, "a"),
        ({"Fn::Select": [ref("Count"), {"Fn::Split": ["|", "a|b|c|d"]}]}, "d"),
        ({"Fn::Sub": "${Name} is ${!Name}, $${Count}"}, "web is ${Name}, $3"),
        (
            {"Fn::Sub": ["${Vpc.CidrBlock} ${Own} ${Vpc}", {"Own": {"Fn::Join": ["", ["x", "y"]]}}]},
            "10.0.0.0/16 xy Vpc",
        ),
        ({"Fn::Sub": "plain ${ text"}, "plain ${ text"),
        ({"Fn::FindInMap": ["Regions", "eu-west-1", "Name"]}, "Ireland"),
        ({"Fn::FindInMap": ["Regions", "eu-west-9", "Name", {"DefaultValue": ref("Name")}]}, "web"),
        ({"Fn::Select": [1, {"Fn::FindInMap": ["Regions", "eu-west-1", "Blocks"]}]}, "10.2.0.0/16"),
        ({"Fn::If": ["Yes", "a", "b"]}, "a"),
        ({"Fn::If": ["No", "a", ref("AWS::NoValue")]}, ""),
        ({"Fn::If": ["No", ref("Nowhere"), {"Fn::If": ["Yes", ref("Name"), "c"]}]}, "web"),
        ({"Fn::Base64": "text"}, base64.b64encode(b"text").decode()),
        (attribute("Vpc", "CidrBlock"), "10.0.0.0/16"),
        ({"Fn::GetAtt": "Vpc.VpcId"}, "Vpc"),
    ],
)
def test_a_function_makes_its_value(tmp_path: Path, value: Any, text: str) -> None:
    assert text_of(tmp_path, value) == text


@pytest.mark.parametrize(
    ("block", "count", "bits", "last"),
    [
        ("192.168.0.0/24", 6, 5, "192.168.0.160/27"),
        ("10.0.0.0/16", "256", "8", "10.0.255.0/24"),
        ("10.0.0.0/16", 1, 16, "10.0.0.0/16"),
        ("10.0.0.7/32", 1, 0, "10.0.0.7/32"),
        ("2001:db8::/56", 256, 64, "2001:db8:0:ff::/64"),
    ],
)
def test_cidr_divides_a_block_of_either_family(tmp_path: Path, block: str, count: Any, bits: Any, last: str) -> None:
    parts = {"Fn::Cidr": [block, count, bits]}
    assert text_of(tmp_path, {"Fn::Select": [int(count) - 1, parts]}) == last


@given(st.ip_addresses(v=4), st.integers(0, 32), st.integers(1, 256), st.integers(0, 32))
def test_cidr_gives_the_first_blocks_of_its_size(
    tmp_path_factory: pytest.TempPathFactory, address: Any, length: int, count: int, bits: int
) -> None:
    block = ip_network(f"{address}/{length}", strict=False)
    asking = template(CidrIp={"Fn::Select": [count - 1, {"Fn::Cidr": [str(block), count, bits]}]})
    folder = tmp_path_factory.getbasetemp()
    if count << bits <= block.num_addresses:
        last = ip_network((int(block.network_address) + (count - 1 << bits), 32 - bits))
        assert rules_from(folder, asking).groups["Web"].ingress[0].peer == last
    else:
        with pytest.raises(RuleFileError, match=f"{block} has no {count} blocks of /{32 - bits}"):
            rules_from(folder, asking)


# --- conditions ----------------------------------------------------------------------------------------------
YES, NO, PERHAPS = ({"Condition": name} for name in ("Yes", "No", "Perhaps"))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"Fn::Equals": [ref("Count"), "3"]}, True),
        ({"Fn::Equals": [ref("Flag"), True]}, True),
        ({"Fn::Equals": [ref("Empty"), ""]}, True),
        ({"Fn::Equals": [{"Fn::Join": ["", ref("Numbers")]}, "12"]}, True),
        ({"Fn::Equals": [{"Fn::FindInMap": ["Regions", "eu-west-1", "Name"]}, "web"]}, False),
        ({"Fn::Not": [YES]}, False),
        ({"Fn::And": [YES, {"Fn::Not": [NO]}]}, True),
        ({"Fn::And": [YES, NO, YES]}, False),
        ({"Fn::Or": [NO, YES]}, True),
        ({"Fn::Or": [NO, NO]}, False),
        ({"Fn::And": [PERHAPS, NO]}, False),
        ({"Fn::Or": [PERHAPS, YES]}, True),
    ],
)
def test_a_condition_decides_what_is_made(tmp_path: Path, condition: Any, holds: bool) -> None:
    made_on = template()
    made_on["Conditions"] = made_on["Conditions"] | {"Asked": condition}
    made_on["Resources"]["Other"] = group() | {"Condition": "Asked"}
    assert ("Other" in rules_from(tmp_path, made_on).groups) is holds


@pytest.mark.parametrize(
    "condition", [PERHAPS, {"Fn::Not": [PERHAPS]}, {"Fn::And": [YES, PERHAPS]}, {"Fn::Or": [NO, PERHAPS]}]
)
def test_a_condition_that_hangs_on_a_missing_value_names_the_parameter(tmp_path: Path, condition: Any) -> None:
    made_on = template(CidrIp={"Fn::If": ["Asked", "192.0.2.0/24", "203.0.113.0/24"]})
    made_on["Conditions"] = made_on["Conditions"] | {"Asked": condition}
    with pytest.raises(RuleFileError) as caught:
        rules_from(tmp_path, made_on)
    (line,) = caught.value.problems
    assert line.endswith(
        "Resources.Web.Properties.SecurityGroupIngress[0].CidrIp.Fn::If[0] - the condition 'Asked' depends on "
        "the parameter Missing: write parameters: {Missing: ...} in a second rule file"
    )


# --- what no file says -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "what"),
    [
        (ref("Missing"), "the parameter Missing (write parameters: {Missing: ...} in a second rule file)"),
        (ref("Stored"), "the SSM parameter '/office' (write parameters: {\"/office\": ...} in a second rule file)"),
        (
            {"Fn::Sub": "${AWS::Region}/32"},
            'AWS::Region (write parameters: {"AWS::Region": ...} in a second rule file)',
        ),
        (
            {"Fn::Join": ["/", [{"Fn::Select": [0, [ref("Missing")]]}, "32"]]},
            "the parameter Missing (write parameters: {Missing: ...} in a second rule file)",
        ),
        (
            attribute("Vpc", "CidrBlockAssociations"),
            (
                "Vpc.CidrBlockAssociations, which the template does not say "
                '(write parameters: {"Vpc.CidrBlockAssociations": ...} in a second rule file)'
            ),
        ),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "the value of 'Fn::GetAZs' (write the plain value in its place)"),
        ({"Fn::Transform": {"Name": "Own"}}, "the value of 'Fn::Transform' (write the plain value in its place)"),
        (
            "{{resolve:secretsmanager:office:SecretString:cidr}}",
            (
                "the secretsmanager value 'office:SecretString:cidr' "
                '(write parameters: {"office:SecretString:cidr": ...} in a second rule file)'
            ),
        ),
    ],
)
def test_a_peer_that_no_file_says_is_unknown_and_named(tmp_path: Path, value: Any, what: str) -> None:
    rules = rules_from(tmp_path, template(CidrIp=value))
    assert rules.groups["Web"].ingress[0].peer == UnknownPeer(what)
    assert ("unknown-peer", f"{what} is not known: packets that this rule might allow are undecidable") in warned(rules)


@pytest.mark.parametrize("given_value", ["[10.0.0.0/8, 10.1.0.0/16]", '"10.0.0.0/8 , 10.1.0.0/16"'])
def test_a_list_may_be_given_as_one_or_as_a_text(tmp_path: Path, given_value: str) -> None:
    asking = template(CidrIp={"Fn::Select": [1, ref("Blocks")]})
    rules = rules_from(tmp_path, asking)
    assert rules.groups["Web"].ingress[0].peer == ip_network("203.0.113.0/24")
    rules = rules_from(tmp_path, asking, f"parameters: {{Blocks: {given_value}}}\n")
    assert rules.groups["Web"].ingress[0].peer == ip_network("10.1.0.0/16")


def test_a_port_that_no_file_says_is_a_mistake_but_only_where_ports_count(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError) as caught:
        rules_from(tmp_path, template(IpProtocol="tcp", FromPort=ref("Missing"), ToPort=443))
    (line,) = caught.value.problems
    assert line.endswith(
        "SecurityGroupIngress[0].FromPort - FromPort depends on the parameter Missing: "
        "write parameters: {Missing: ...} in a second rule file"
    )
    assert len(rules_from(tmp_path, template(FromPort=ref("Missing"), ToPort=443)).groups["Web"].ingress) == 1


def test_a_parameter_that_nothing_needs_may_have_a_value(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, template(), 'parameters: {Missing: x, "AWS::StackName": y}\n')
    assert rules.warnings == ()
