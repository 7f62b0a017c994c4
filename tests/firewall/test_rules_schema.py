"""docs/rules.schema.json takes what the reader takes, and refuses what a schema can refuse."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from docs.markdown import HERE
from docs.rules_schema import DEFINITIONS, TOP, rules_schema
from firewall.errors import RuleFileError
from firewall.sources import load_rules, native, native_interfaces, native_networks
from firewall.sources.native_rules import RULE_KEYS
from firewall.sources.tracking import TRACKING_KEYS
from tests.firewall.rule_files import Tree, rule_files

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

SCHEMA = json.loads((HERE / "rules.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
SAMPLES = sorted((HERE.parent / "pcaps" / "samples").glob("*.yaml"))


def complaints(tree: Any) -> list[str]:
    """What the schema says against a file."""
    return [f"{list(error.absolute_path)}: {error.message}" for error in VALIDATOR.iter_errors(tree)]


def problems(folder: Path, tree: Any) -> list[str]:
    """What the reader says against a file."""
    path = folder / "rules.json"
    path.write_text(json.dumps(tree))
    try:
        load_rules(path)
    except RuleFileError as error:
        return error.problems
    return []


# --- the schema itself -------------------------------------------------------------------------------
def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert rules_schema() == SCHEMA


@pytest.mark.parametrize(
    ("properties", "keys"),
    [
        (TOP, (*native.TOP_KEYS, "$schema")),
        (DEFINITIONS["security_group"]["properties"], native.GROUP_KEYS),
        (DEFINITIONS["prefix_list"]["properties"], native.LIST_KEYS),
        (DEFINITIONS["prefix_list"]["properties"]["entries"]["items"]["anyOf"][1]["properties"], native.ENTRY_KEYS),
        (DEFINITIONS["interface"]["properties"], native_interfaces.INTERFACE_KEYS),
        (DEFINITIONS["interface"]["properties"]["connection_tracking"]["properties"], TRACKING_KEYS),
        (DEFINITIONS["vpc"]["properties"], native_networks.VPC_KEYS),
        (DEFINITIONS["subnet"]["properties"], native_networks.SUBNET_KEYS),
        (DEFINITIONS["network_acl"]["properties"], native_networks.ACL_KEYS),
        (DEFINITIONS["ingress_rule"]["properties"], set(RULE_KEYS) - {"destination"}),
        (DEFINITIONS["egress_rule"]["properties"], set(RULE_KEYS) - {"source"}),
        (DEFINITIONS["ingress_entry"]["properties"], set(native_networks.ENTRY_KEYS) - {"destination"}),
        (DEFINITIONS["egress_entry"]["properties"], set(native_networks.ENTRY_KEYS) - {"source"}),
    ],
)
def test_the_schema_has_the_keys_of_the_reader(properties: Tree, keys: tuple[str, ...]) -> None:
    assert properties.keys() == set(keys)


def parts(schema: Any) -> Iterator[Tree]:
    """Every mapping in the schema."""
    if isinstance(schema, dict):
        yield schema
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(each)


def test_every_key_is_described_and_every_example_is_right() -> None:
    described = 0
    for part in parts(SCHEMA):
        if part.get("type") == "object" and "properties" in part:
            for name, value in part["properties"].items():
                whole = {**DEFINITIONS.get(value.get("$ref", "").rpartition("/")[2], {}), **value}
                assert name == "cidr" or whole.get("description", "").endswith("."), name
                described += 1
        for example in part.get("examples", []) if "description" in part else []:
            Draft202012Validator({**part, "$defs": DEFINITIONS}).validate(example)
    assert described > 80


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_rules_of_the_samples_are_valid(path: Path) -> None:
    import yaml

    assert complaints(yaml.safe_load(path.read_text())) == []


# --- what the reader takes the schema takes -------------------------------------------------------------
@given(rule_files())
def test_a_file_of_all_keys_is_right_for_the_reader_and_for_the_schema(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree
) -> None:
    assert problems(tmp_path_factory.getbasetemp(), tree) == []
    assert complaints(tree) == []


JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 65536, [], {}, "", " ", "x", "all", "*", "22:22", "0777", "0-65535", "8/-1", "-1", "tcp"),
    *(
        "10.0.0.0/33",
        "10.0.0.0/08",
        "::1%eth0",
        "010.0.0.1",
        "fe80::1",
        "sg:",
        "sg-",
        "pl:x",
        "All  TCP",
        "allow",
        "eni",
    ),
    *(["web"], ["10.0.0.1"], {"cidr": "::/0"}, "IPv4", "sgr-1", "acl-2", "vpc-", "a\u0000b", "x" * 256),
)
KEYS = sorted({*RULE_KEYS, *native_networks.ENTRY_KEYS, *native_interfaces.INTERFACE_KEYS, *native.GROUP_KEYS, "cidr"})


@given(rule_files(), st.data())
def test_a_file_with_junk_in_it_that_the_reader_takes_is_taken_by_the_schema(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, data: st.DataObject
) -> None:
    tree = json.loads(json.dumps(tree))
    for _ in range(data.draw(st.integers(1, 2))):
        at: Any = tree
        while True:
            steps = sorted(at) if isinstance(at, dict) else list(range(len(at)))
            step: Any = data.draw(st.sampled_from([*steps, *KEYS] if isinstance(at, dict) else steps))
            inner = at.get(step) if isinstance(at, dict) else at[step]
            if not inner or not isinstance(inner, dict | list) or data.draw(st.integers(0, 9)) == 0:
                break
            at = inner
        if step not in ("addresses", "parameters") or at is not tree:
            at[step] = data.draw(st.sampled_from(JUNK))
    if problems(tmp_path_factory.getbasetemp(), tree) == []:
        assert complaints(tree) == []


# --- what both refuse ------------------------------------------------------------------------------------
def with_rule(**rule: Any) -> Tree:
    return {"security_groups": {"web": {"egress": [], "ingress": [rule]}}}


def with_entry(**entry: Any) -> Tree:
    return {
        "security_groups": {"web": {"egress": []}},
        "network_acls": {"edge": {"egress": [], "ingress": [{"source": "0.0.0.0/0", **entry}]}},
    }


def with_eni(**eni: Any) -> Tree:
    whole = {"addresses": ["10.0.0.1"], "security_groups": ["web"], **eni}
    return {"security_groups": {"web": {"egress": []}}, "interfaces": {"eni-1": whole}}


def beside(**top: Any) -> Tree:
    return {"security_groups": {"web": {"egress": []}}, **top}


SSH = {"type": "SSH", "source": "0.0.0.0/0"}
ALLOW = {"number": 1, "action": "allow", "type": "SSH"}
WRONG = [
    with_rule(type="SSH"),
    with_rule(source="0.0.0.0/0"),
    with_rule(type="SHH", source="0.0.0.0/0"),
    with_rule(type="SSH", destination="0.0.0.0/0"),
    with_rule(**SSH, ports=22),
    with_rule(**SSH, protocol="tcp"),
    with_rule(**SSH, action="deny"),
    with_rule(**SSH, id="sg-1"),
    with_rule(**SSH, description=["x"]),
    with_rule(type="Custom TCP", source="0.0.0.0/0"),
    with_rule(type="Custom ICMP - IPv4", source="0.0.0.0/0"),
    with_rule(type="Custom Protocol", source="0.0.0.0/0"),
    with_rule(protocol="tcp", source="0.0.0.0/0"),
    with_rule(protocol=6, source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports=65536, source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports="22:22", source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports="1-65536", source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports="0777", source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports=[22, 80], source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports=True, source="0.0.0.0/0"),
    with_rule(protocol="tcp", ports=22, icmp=8, source="0.0.0.0/0"),
    with_rule(protocol="icmp", source="0.0.0.0/0"),
    with_rule(protocol="icmp", ports=22, source="0.0.0.0/0"),
    with_rule(protocol="icmp", icmp="0-8", source="0.0.0.0/0"),
    with_rule(protocol="icmp", icmp="256/0", source="0.0.0.0/0"),
    with_rule(protocol="icmp", icmp="-1/0", source="0.0.0.0/0"),
    with_rule(protocol="icmpv6", ports=22, source="::/0"),
    with_rule(protocol="gre", ports=22, source="0.0.0.0/0"),
    with_rule(protocol="all", ports=22, source="0.0.0.0/0"),
    with_rule(protocol="sctp", icmp=8, source="0.0.0.0/0"),
    with_rule(protocol=256, source="0.0.0.0/0"),
    with_rule(protocol="tcpp", ports=22, source="0.0.0.0/0"),
    *(
        with_rule(type="SSH", source=peer)
        for peer in ("10.0.0.0/33", "2001:db8::/129", "10.0.0.256", "010.0.0.1", "web", "sg:", 80, ["10.0.0.1"], None)
    ),
    {"security_groups": ["web"]},
    {"security_groups": {"web": None}},
    {"security_groups": {"web": {"egress": None}}},
    {"security_groups": {"web": {"egress": [], "outbound": []}}},
    {"security_groups": {"web": {"egress": [], "id": "web-1"}}},
    {"security_groups": {"web": {"egress": [], "id": None}}},
    {"security_groups": {"web": {"egres": []}}},
    {"security_groups": {"": {"egress": []}}},
    {"security_groups": {"x" * 256: {"egress": []}}},
    {"secrity_groups": {"web": {"egress": []}}},
    {},
    with_entry(**ALLOW, ports=22),
    with_entry(action="allow", type="SSH"),
    with_entry(number=1, type="SSH"),
    with_entry(number=1, action="allow"),
    with_entry(**{**ALLOW, "number": 0}),
    with_entry(**{**ALLOW, "number": 32767}),
    with_entry(**{**ALLOW, "number": "*"}),
    with_entry(**{**ALLOW, "action": "Deny"}),
    with_entry(**{**ALLOW, "source": "sg:web"}),
    with_entry(**{**ALLOW, "source": "pl-1"}),
    with_entry(action="allow", type="SSH", rule_number=1),
    beside(network_acls={"edge": {"default": "yes", "ingress": [], "egress": []}}),
    beside(network_acls={"edge": {"ingress": [], "inbound": [], "egress": []}}),
    beside(vpcs={"main": {}}),
    beside(vpcs={"main": {"cidrs": []}}),
    beside(vpcs={"main": {"cidr": "10.0.0.0/8", "cidrs": ["10.0.0.0/8"]}}),
    beside(vpcs={"main": {"cidr": "10.0.0.0/8", "id": "main"}}),
    beside(subnets={"a": {"vpc": "vpc-1"}}),
    beside(subnets={"a": {"cidr": "10.0.0.0/24", "vpc": ["vpc-1"]}}),
    with_eni(addresses=[]),
    with_eni(addresses="10.0.0.1"),
    with_eni(addresses=["10.0.0.0/24"]),
    with_eni(security_groups=[]),
    with_eni(mac="02"),
    with_eni(subnet=None),
    with_eni(source_dest_check="false"),
    with_eni(interface_type="nat-gateway"),
    with_eni(prefixes=["x"]),
    with_eni(public_addresses="203.0.113.10"),
    with_eni(connection_tracking={"udp_timeout": 29}),
    with_eni(connection_tracking={"udp_timeout": None}),
    with_eni(connection_tracking={"tcp_timeout": 60}),
    with_eni(adresses=["10.0.0.1"]),
    {"security_groups": {"web": {"egress": []}}, "interfaces": {"eni-1": {"addresses": ["10.0.0.1"]}}},
    beside(prefix_lists={"p": {}}),
    beside(prefix_lists={"p": {"entries": ["x"]}}),
    beside(prefix_lists={"p": {"entries": [{"description": "x"}]}}),
    beside(prefix_lists={"p": {"entries": [], "max_entries": 1001}}),
    beside(prefix_lists={"p": {"entries": [], "family": "ipv4"}}),
    beside(prefix_lists={"p": {"entries": [], "version": 0}}),
    beside(allowance=0),
    beside(allowance="many"),
    beside(auto_tracked="10.0.0.1"),
    beside(silence={"Unused": "all"}),
    beside(silence={"unused-group": "web"}),
    beside(addresses={"web": []}),
    beside(addresses={"web": "10.0.0.0/24"}),
    beside(parameters={"A": {"b": "c"}}),
    beside(parameters={"A": None}),
]


@pytest.mark.parametrize("tree", WRONG, ids=json.dumps)
def test_a_wrong_file_is_refused_by_the_reader_and_by_the_schema(tmp_path: Path, tree: Tree) -> None:
    assert problems(tmp_path, tree) != []
    assert complaints(tree) != []
