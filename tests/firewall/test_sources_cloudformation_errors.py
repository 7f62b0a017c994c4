"""Mistakes in templates, and templates that mean harm: errors with a place and a cure, no traceback."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import RuleFileError
from firewall.sources import cloudformation_values, load_rules
from firewall.sources.cloudformation_functions import CONDITIONS, FUNCTIONS
from firewall.sources.cloudformation_properties import PROPERTIES
from firewall.sources.located import SHORT_FORMS
from tests.firewall.test_sources_cloudformation import IN_JSON, attribute, group, made, ref, rules_from, stack

RULE = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "192.0.2.0/24"}


def problems_of(folder: Path, *files: Any) -> list[str]:
    """What is said of the files, without the folder's name and the place."""
    with pytest.raises(RuleFileError) as caught:
        rules_from(folder, *files)
    return [line.split(" ", 1)[1] for line in caught.value.problems]


def rule(**properties: Any) -> dict[str, Any]:
    """A template of a VPC, a list and a group with one inbound rule; None takes a property away."""
    whole = {key: value for key, value in (RULE | properties).items() if value is not None}
    return stack(
        Vpc=made("VPC", CidrBlock="10.0.0.0/16"),
        List=made("PrefixList", PrefixListName="list", AddressFamily="IPv4", Entries=[]),
        Web=group(SecurityGroupIngress=[whole]),
    )


IN_RULE = "Resources.Web.Properties.SecurityGroupIngress[0]"
SOURCES = "CidrIp, CidrIpv6, SourcePrefixListId, SourceSecurityGroupId, SourceSecurityGroupName"


@pytest.mark.parametrize(
    ("properties", "where", "says"),
    [
        ({"IpProtocol": None}, "", "IpProtocol is missing: add IpProtocol: tcp"),
        ({"IpProtocol": "tcpp"}, ".IpProtocol", "unknown protocol 'tcpp': did you mean tcp?"),
        ({"FromPort": None}, "", "tcp permission without FromPort and ToPort: write FromPort: 443 and ToPort: 443"),
        ({"FromPort": "ssh"}, "", "FromPort and ToPort are no numbers: write FromPort: 443 and ToPort: 443"),
        ({"FromPort": [22]}, "", "FromPort and ToPort are no numbers"),
        ({"FromPort": 23}, "", "first port 23 is above last port 22: write 22-23"),
        ({"ToPort": "65536"}, "", "port 65536 is out of range"),
        ({"IpProtocol": "icmp", "FromPort": -1}, "", "ICMP type -1 (any) with code 22"),
        ({"CidrIp": None}, "", f"the rule names no source: add one of {SOURCES}"),
        ({"CidrIp": {"Ref": "AWS::NoValue"}}, "", "the rule names no source"),
        ({"CidrIpv6": "::/0"}, "", "exactly one source per rule, not CidrIp and CidrIpv6: write one rule for each"),
        ({"CidrIp": "::/0"}, ".CidrIp", "::/0 is an IPv6 block: write CidrIpv6 instead of CidrIp"),
        ({"CidrIp": None, "CidrIpv6": "10.0.0.0/8"}, ".CidrIpv6", "10.0.0.0/8 is an IPv4 block: write CidrIp instead"),
        ({"CidrIp": "10.0.0.0/33"}, ".CidrIp", "'10.0.0.0/33' is no IPv4 or IPv6 address block"),
        ({"CidrIp": {"a": 1, "b": 2}}, ".CidrIp", "a mapping is no IPv4 or IPv6 address block"),
        ({"CidrIp": None, "SourceSecurityGroupId": "Wbe"}, ".SourceSecurityGroupId", "no security group 'Wbe'"),
        ({"CidrIp": None, "SourceSecurityGroupId": ["sg-1"]}, ".SourceSecurityGroupId", "a list is no security group"),
        (
            {"CidrIp": None, "SourceSecurityGroupId": ref("Vpc")},
            ".SourceSecurityGroupId",
            "SourceSecurityGroupId takes a security group, and Vpc is an AWS::EC2::VPC: name another",
        ),
        (
            {"CidrIp": None, "SourcePrefixListId": ref("Web")},
            ".SourcePrefixListId",
            "SourcePrefixListId takes a prefix list, and Web is an AWS::EC2::SecurityGroup: name another",
        ),
        ({"CidrIp": None, "SourcePrefixListId": "lst"}, ".SourcePrefixListId", "no prefix list 'lst': did you mean"),
        ({"CidrIp": ref("Ofice")}, ".CidrIp", "no parameter or resource 'Ofice'"),
        ({"CidrIp": attribute("Vcp", "CidrBlock")}, ".CidrIp", "no parameter or resource 'Vcp': did you mean Vpc?"),
        ({"CidrIp": {"Ref": ["Vpc"]}}, ".CidrIp", "Ref takes a name, found a list"),
        ({"CidrIp": {"Fn::GetAtt": "Vpc"}}, ".CidrIp", "Fn::GetAtt takes a resource and its attribute"),
        ({"CidrIp": {"Fn::GetAtt": ["Vpc", {}]}}, ".CidrIp.Fn::GetAtt[1]", "expected a text, found a mapping"),
        ({"CidrIp": {"Fn::Join": "a"}}, ".CidrIp", "Fn::Join takes a list of arguments: write [BETWEEN, [TEXT, ...]]"),
        ({"CidrIp": {"Fn::Join": ["", "a"]}}, ".CidrIp.Fn::Join[1]", "expected a list, found 'a'"),
        ({"CidrIp": {"Fn::Join": ["", [{}]]}}, ".CidrIp.Fn::Join[1][0]", "expected a text, found a mapping"),
        ({"CidrIp": {"Fn::Select": [2, ["a", "b"]]}}, ".CidrIp", "Fn::Select has no such item: its list has 2"),
        ({"CidrIp": {"Fn::Select": ["x", ["a"]]}}, ".CidrIp", "Fn::Select has no such item"),
        ({"CidrIp": {"Fn::Split": ["", "a"]}}, ".CidrIp", "Fn::Split needs a text to split at"),
        ({"CidrIp": {"Fn::Sub": 3}}, ".CidrIp", "Fn::Sub takes a text"),
        ({"CidrIp": {"Fn::Sub": "${Ofice}"}}, ".CidrIp", "no parameter or resource 'Ofice'"),
        ({"CidrIp": {"Fn::Sub": "${}"}}, ".CidrIp", "no parameter or resource ''"),
        ({"CidrIp": {"Fn::FindInMap": ["M", "a", "b"]}}, ".CidrIp", "no mapping 'M': the files define none"),
        ({"CidrIp": {"Fn::If": ["C", "a", "b"]}}, ".CidrIp.Fn::If[0]", "no condition 'C': the files define none"),
        ({"CidrIp": {"Fn::If": [["C"], "a", "b"]}}, ".CidrIp.Fn::If[0]", "a list names no condition"),
        ({"CidrIp": {"Fn::Equals": ["a", "b"]}}, ".CidrIp", "Fn::Equals is a condition, no value"),
        ({"CidrIp": {"Fn::Cidr": ["10.0.0.0/16", 2]}}, ".CidrIp", "Fn::Cidr takes a list of arguments"),
        ({"CidrIp": {"Fn::Cidr": ["x", 2, 8]}}, ".CidrIp", "'x' is no address block"),
        ({"CidrIp": {"Fn::Cidr": ["10.0.0.0/16", 257, 1]}}, ".CidrIp", "Fn::Cidr takes two numbers after its block"),
        ({"CidrIp": {"Fn::Cidr": ["10.0.0.0/24", 2, 8]}}, ".CidrIp", "10.0.0.0/24 has no 2 blocks of /24"),
        ({"Description": "a\u0085b"}, ".Description", "holds a control character: delete it"),
    ],
)
def test_a_mistake_in_a_rule_is_placed_and_cured(
    tmp_path: Path, properties: dict[str, Any], where: str, says: str
) -> None:
    (line,) = problems_of(tmp_path, rule(**properties))
    assert line.startswith(f"{IN_RULE}{where} - ")
    assert says in line


def entry(**properties: Any) -> dict[str, Any]:
    """A template with one entry of a network ACL; None takes a property away."""
    right = {
        "NetworkAclId": ref("Acl"),
        "RuleNumber": 1,
        "Protocol": 6,
        "RuleAction": "allow",
        "CidrBlock": "10.0.0.0/8",
    }
    whole = {key: value for key, value in (right | properties).items() if value is not None}
    return stack(Web=group(), Acl=made("NetworkAcl", VpcId="vpc-1"), Entry=made("NetworkAclEntry", **whole))


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"NetworkAclId": None}, "NetworkAclId is missing: add NetworkAclId: !Ref ACL"),
        ({"NetworkAclId": ref("Web")}, "NetworkAclId takes an AWS::EC2::NetworkAcl, and Web is an"),
        ({"RuleNumber": None}, "RuleNumber is missing: write RuleNumber: 1 to 32766"),
        ({"RuleNumber": 32767}, "32767 is no number of an entry"),
        ({"RuleNumber": ref("Number")}, "RuleNumber depends on the parameter Number: write parameters: {Number: ...}"),
        ({"RuleAction": "drop"}, "'drop' is no action: write RuleAction: allow or deny"),
        ({"RuleAction": None}, "RuleAction is missing"),
        ({"Protocol": None}, "Protocol is missing: add Protocol: 6"),
        ({"Protocol": 256}, "256 is no protocol"),
        ({"CidrBlock": None}, "an entry has one block: write CidrBlock or Ipv6CidrBlock"),
        ({"Ipv6CidrBlock": "::/0"}, "an entry has one block"),
        ({"CidrBlock": "::/0"}, "::/0 is an IPv6 block: write Ipv6CidrBlock instead of CidrBlock"),
        ({"CidrBlock": ref("Number")}, "CidrBlock depends on the parameter Number"),
        ({"Egress": "yes"}, "'yes' is neither: write true or false"),
        ({"PortRange": {"From": 1}}, "PortRange has no two numbers: write {From: 1, To: 1}"),
        ({"PortRange": {"From": ref("Number"), "To": 1}}, "From depends on the parameter Number"),
        ({"PortRange": {"From": 2, "To": 1}}, "first port 2 is above last port 1"),
    ],
)
def test_a_mistake_in_an_entry_of_a_network_acl_is_told(tmp_path: Path, properties: dict[str, Any], says: str) -> None:
    template = entry(**properties) | {"Parameters": {"Number": {"Type": "Number"}}}
    told = problems_of(tmp_path, template)
    assert [line for line in told if says in line]
    assert all(line.startswith("Resources.Entry") for line in told)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ({"AWSTemplateFormatVersion": "2010-09-09"}, "the template has no Resources"),
        ({"Resources": []}, "expected a mapping, found a list: write the template's Resources"),
        ({"Resources": {"Web": {}}}, "a resource without a type: add Type: AWS::EC2::SecurityGroup"),
        ({"Resources": {"Web": []}}, "a resource without a type"),
        ({"Resources": {"web": {"Type": "azurerm_subnet"}}}, "no resource has a type AWS::...: give a CloudFormation"),
        (stack(Web={"Type": "AWS::EC2::SecurityGroup", "Properties": []}), "write the properties of the resource"),
        (stack(Web=group(SecurityGroupIngress={})), "expected a list, found a mapping"),
        (stack(Web=group(SecurityGroupIngress=["x"])), "expected a mapping, found 'x'"),
        (
            stack(Web=group(SecurityGroupIngress=ref("Missing"))),
            "SecurityGroupIngress depends on the parameter Missing",
        ),
        (stack(Web=group() | {"Condition": "Nowhere"}), "no condition 'Nowhere'"),
        (stack(Web=group() | {"Condition": ["a"]}), "a list names no condition"),
        (
            stack(Web=group(VpcId=ref("Gone")), Gone=made("VPC") | {"Condition": "No"}),
            "Gone is not made, its condition",
        ),
        (
            stack(Web=group(VpcId=ref("Gone")), Gone=made("VPC") | {"Condition": "Perhaps"}),
            "the condition 'Perhaps' depends on the parameter Missing: write parameters: {Missing: ...}",
        ),
        (
            stack(
                Web=group(),
                Eni=made(
                    "NetworkInterface",
                    GroupSet=["sg-1"],
                    ConnectionTrackingSpecification={"UdpTimeout": ref("Missing")},
                ),
            ),
            "UdpTimeout depends on the parameter Missing: write parameters: {Missing: ...}",
        ),
        (stack(Web=group(), Apart=made("SecurityGroupIngress", **RULE)), "the rule names no group: add GroupId"),
        (stack(Web=group(), List=made("PrefixList", Entries=[{"Cidr": "x"}])), "'x' is no IPv4 or IPv6 address block"),
        (
            stack(Web=group(), List=made("PrefixList", AddressFamily="IPv6", Entries=[{"Cidr": "10.0.0.0/8"}])),
            "10.0.0.0/8 is no IPv6 block, which AddressFamily says: move it to another list",
        ),
        (stack(Web=group(), List=made("PrefixList", AddressFamily="IPv5")), "'IPv5' is no address family"),
        (
            stack(Web=group(), Eni=made("NetworkInterface", GroupSet=["sg-1"], PrivateIpAddress="10.0.0.0/8")),
            "'10.0.0.0/8' is no single address",
        ),
        (
            stack(Web=group(), Eni=made("NetworkInterface", GroupSet=["sg-1"], ConnectionTrackingSpecification="x")),
            "expected a mapping, found 'x'",
        ),
        (
            stack(
                Web=group(),
                Eni=made("NetworkInterface", GroupSet=["sg-1"], ConnectionTrackingSpecification={"UdpTimeout": "5"}),
            ),
            "5 is no udp_timeout: write 30 to 60 seconds",
        ),
    ],
)
def test_a_mistake_in_a_template_is_told(tmp_path: Path, template: dict[str, Any], says: str) -> None:
    conditions = {"No": {"Fn::Equals": ["a", "b"]}, "Perhaps": {"Fn::Equals": ["a", ref("Missing")]}}
    sections = {"Parameters": {"Missing": {}}, "Conditions": conditions}
    with pytest.raises(RuleFileError) as caught:
        rules_from(tmp_path, {**sections, **template})
    assert [line for line in caught.value.problems if says in line]


def test_a_value_that_is_not_allowed_is_told_where_it_is_given(tmp_path: Path) -> None:
    template = rule(CidrIp=ref("Office"))
    template["Parameters"] = {
        "Office": {"Type": "String", "AllowedValues": ["192.0.2.0/24"], "Default": "192.0.2.0/24"}
    }
    assert problems_of(tmp_path, template, "parameters: {Office: 192.0.2.0/25}\n") == [
        "parameters.Office - '192.0.2.0/25' is no allowed value of parameter Office: did you mean 192.0.2.0/24?"
    ]


def test_a_name_that_no_file_asks_for_is_told(tmp_path: Path) -> None:
    told = problems_of(tmp_path, rule(), "parameters: {Ofice: a}\naddresses: {Wbe: 10.0.0.1}\n")
    assert [line.split(" - ")[1].split(":")[0] for line in told] == [
        "no file asks for a parameter 'Ofice'",
        "no interface 'Wbe' lacks an address",
    ]


def test_a_short_form_belongs_in_a_template(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "security_groups:\n  web: !Ref Web\n") == [
        "security_groups.web - the tag !Ref is not read: write the plain value"
    ]


def test_native_keys_and_a_template_do_not_stand_in_one_file(tmp_path: Path) -> None:
    (line,) = problems_of(tmp_path, rule() | {"security_groups": {}})
    assert "write two files and give both" in line


# --- circles, depth, work ----------------------------------------------------------------------------------
def test_a_condition_that_depends_on_itself_is_a_mistake(tmp_path: Path) -> None:
    template = stack(Web=group() | {"Condition": "A"})
    template["Conditions"] = {"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Fn::Not": [{"Condition": "A"}]}}
    (line,) = problems_of(tmp_path, template)
    assert line == (
        "Conditions.B.Fn::Not[0].Condition - 'Conditions.A' depends on itself, by way of 'Conditions.B': "
        "break the circle"
    )


def test_a_value_that_depends_on_itself_is_a_mistake(tmp_path: Path) -> None:
    template = stack(
        Web=group(SecurityGroupIngress=[RULE | {"CidrIp": attribute("A", "CidrBlock")}]),
        A=made("VPC", CidrBlock=attribute("B", "CidrBlock")),
        B=made("VPC", CidrBlock=attribute("A", "CidrBlock")),
        Host=made("Instance", SecurityGroupIds=[ref("Web")], PrivateIpAddress=attribute("Host", "PrivateIp")),
    )
    assert problems_of(tmp_path, template) == [
        f"Resources.{place} - '{name}' depends on itself, by way of '{last}': break the circle"
        for place, name, last in (
            ("B.Properties.CidrBlock", "A.CidrBlock", "B.CidrBlock"),
            ("Host.Properties.PrivateIpAddress", "Host.PrivateIp", "Host.PrivateIp"),
        )
    ]


def chain(links: int) -> dict[str, Any]:
    """Hosts whose addresses hang on each other, by the way that takes most of the interpreter's stack."""

    def address(after: int) -> dict[str, Any]:
        return {"Fn::Sub": f"${{Host{after}.PrivateIp}}"} if after < links else {"Fn::Sub": "10.0.0.5"}

    return {
        f"Host{number}": made("Instance", PrivateIpAddresses=[{"PrivateIpAddress": address(number + 1)}])
        for number in range(links)
    }


def test_a_long_chain_of_references_is_refused_by_a_bound(tmp_path: Path) -> None:
    peer = {"CidrIp": {"Fn::Sub": "${Host0.PrivateIp}/32"}}
    short = stack(Web=group(SecurityGroupIngress=[RULE | peer]), **chain(cloudformation_values.MAX_NESTED - 1))
    assert str(rules_from(tmp_path, short).groups["Web"].ingress[0].peer) == "10.0.0.5/32"
    long = stack(Web=group(SecurityGroupIngress=[RULE | peer]), **chain(10 * cloudformation_values.MAX_NESTED))
    assert all("nested deeper than 40" in line for line in problems_of(tmp_path, long))


def test_a_long_chain_of_conditions_is_refused_by_a_bound(tmp_path: Path) -> None:
    template = stack(Web=group() | {"Condition": "C0"})
    conditions = {f"C{number}": {"Fn::And": [{"Condition": f"C{number + 1}"}] * 2} for number in range(5000)}
    template["Conditions"] = conditions | {"C5000": {"Fn::Equals": ["a", "a"]}}
    (line,) = problems_of(tmp_path, template)
    assert "nested deeper than 40" in line


def test_texts_that_double_are_refused_by_a_bound(tmp_path: Path) -> None:
    doubled = {
        f"V{number}": made("VPC", CidrBlock={"Fn::Sub": f"${{V{number + 1}.CidrBlock}}${{V{number + 1}.CidrBlock}}"})
        for number in range(30)
    }
    template = stack(Web=group(), **doubled, V30=made("VPC", CidrBlock="10.0.0.0/16"))
    assert any("characters: at most 1,048,576 are read" in line for line in problems_of(tmp_path, template))


def test_work_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudformation_values, "MAX_STEPS", 100)
    template = rule(CidrIp={"Fn::Select": [0, {"Fn::Split": [",", ",".join(["192.0.2.0/24"] * 200)]}]})
    assert problems_of(tmp_path, template) == [
        f"{IN_RULE}.CidrIp.Fn::Select[1] - more than 100 values to evaluate: write a smaller template"
    ]


# --- anything ----------------------------------------------------------------------------------------------
WORDS = (
    *(
        "Web",
        "App",
        "Vpc",
        "Yes",
        "10.0.0.0/16",
        "tcp",
        "",
        "sg-1",
        "a.b",
        "${Web}",
        "${Vpc.CidrBlock}",
        "AWS::NoValue",
    ),
    *("Web.GroupId", "{{resolve:ssm:a:1}}", "Primary", "\u2028"),
)
KEYS = (*FUNCTIONS, *CONDITIONS, *SHORT_FORMS.values(), "Condition", "IpProtocol", "CidrIp", "PrivateIpAddress")
anything = st.recursive(
    st.one_of(st.sampled_from(WORDS), st.integers(-2, 70000), st.booleans(), st.none(), st.just("9" * 5000)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=12,
)
resources = st.sampled_from(sorted(PROPERTIES)).flatmap(
    lambda kind: st.fixed_dictionaries(
        {"Type": st.just(kind)},
        optional={
            "Properties": st.dictionaries(st.sampled_from(PROPERTIES[kind]), anything, max_size=5) | anything,
            "Condition": anything,
        },
    )
)
sections = st.dictionaries(st.sampled_from(("Web", "App", "Vpc", "Yes")), anything, max_size=3) | anything


def problems_in(path: Path) -> list[str]:
    """What is wrong with a file, which may be nothing."""
    try:
        load_rules(path)
    except RuleFileError as error:
        return error.problems
    return []


@given(
    st.dictionaries(st.sampled_from(("Web", "App", "Vpc", "Host")), resources | anything, max_size=4),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("Parameters", "Mappings", "Conditions", "Transform"), sections)),
)
def test_no_template_ends_in_anything_but_a_rule_set_or_a_rule_file_error(
    tmp_path_factory: pytest.TempPathFactory, made_of: dict[str, Any], others: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "template.json"
    path.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": made_of} | others))
    assert all("\n" not in line and line.startswith(str(path)) for line in problems_in(path))


@given(st.data())
def test_no_slip_in_a_good_template_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    template = json.loads(json.dumps(IN_JSON))
    for _ in range(data.draw(st.integers(1, 3))):
        spot: Any = template
        while True:
            step = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
            if not spot[step] or not isinstance(spot[step], dict | list) or data.draw(st.booleans()):
                break
            spot = spot[step]
        spot[step] = data.draw(anything)
    path = tmp_path_factory.getbasetemp() / "slip.json"
    path.write_text(json.dumps(template))
    assert all("\n" not in line and line.startswith(str(path)) for line in problems_in(path))
