"""Prefix lists, which several outputs describe together."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from firewall.errors import RuleFileError
from firewall.sources import load_rules
from tests.firewall.aws_outputs import group, kinds, problems_from, rules_from

USER = group({"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]})
OFFICE = {
    "PrefixListId": "pl-1",
    "PrefixListName": "office",
    "AddressFamily": "IPv4",
    "MaxEntries": 10,
    "Version": 3,
    "State": "create-complete",
    "OwnerId": "111122223333",
}
S3 = {"PrefixListId": "pl-2", "PrefixListName": "com.amazonaws.eu-west-1.s3"}


def lists(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"PrefixLists": list(listed)}


def entries(*blocks: str) -> dict[str, Any]:
    return {"Entries": [{"Cidr": block, "Description": "x"} for block in blocks]}


def test_a_list_and_its_entries_are_joined_in_any_order(tmp_path: Path) -> None:
    described = lists(OFFICE, S3 | {"AddressFamily": "IPv4", "OwnerId": "AWS"})
    wrapped = {"pl-1": entries("192.0.2.0/24")}
    older = lists(S3 | {"Cidrs": ["198.51.100.0/24"]})
    for outputs in ((USER, described, wrapped, older), (older, wrapped, described, USER)):
        rules = rules_from(tmp_path, *outputs)
        office, s3 = rules.prefix_lists["pl-1"], rules.prefix_lists["pl-2"]
        assert (office.name, office.entries) == ("office", (ip_network("192.0.2.0/24"),))
        assert (office.family, office.max_entries, office.version, office.owner) == (4, 10, 3, "111122223333")
        assert (s3.name, s3.entries) == ("com.amazonaws.eu-west-1.s3", (ip_network("198.51.100.0/24"),))
        assert (s3.family, s3.max_entries, s3.version, s3.owner) == (4, None, None, "AWS")
        assert rules.warnings == ()


def test_a_list_of_describe_prefix_lists_is_aws_by_its_name(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, USER, lists(S3 | {"Cidrs": ["198.51.100.0/24"]}), {"pl-1": entries("192.0.2.0/24")})
    assert [each.owner for each in rules.prefix_lists.values()] == ["AWS", ""]


def test_the_files_name_says_whose_entries_are_in_it(tmp_path: Path) -> None:
    (tmp_path / "pl-1.json").write_text(json.dumps(entries("192.0.2.0/24")))
    (tmp_path / "groups.json").write_text(json.dumps(USER))
    rules = load_rules(tmp_path / "groups.json", tmp_path / "pl-1.json")
    assert rules.prefix_lists["pl-1"].entries == (ip_network("192.0.2.0/24"),)
    assert rules.warnings == ()


@pytest.mark.parametrize("name", ["office.json", "pl-.json", "pl-1-entries.json", "PL-1.json"])
def test_entries_of_a_file_with_another_name_are_nobodys(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(entries("192.0.2.0/24")))
    with pytest.raises(RuleFileError) as caught:
        load_rules(tmp_path / name)
    (line,) = caught.value.problems
    assert line == (
        f"{tmp_path / name}:1:2 Entries - these entries do not say which list they are: name the file after the list, "
        'pl-....json, or write {"pl-...": {"Entries": [...]}}'
    )


def test_a_list_whose_entries_no_file_gives_is_unknown_not_empty(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, USER, lists(OFFICE))
    assert (rules.prefix_lists, kinds(rules)) == ({}, ["unknown-prefix-list"])
    rules = rules_from(tmp_path, USER, lists(OFFICE), {"pl-1": entries()})
    assert (rules.prefix_lists["pl-1"].entries, kinds(rules)) == ((), [])


def test_a_list_that_native_yaml_defines_keeps_its_entries(tmp_path: Path) -> None:
    native = tmp_path / "native.yaml"
    native.write_text("prefix_lists: {office: {id: pl-1, entries: [192.0.2.0/24]}}")
    described = tmp_path / "described.json"
    described.write_text(json.dumps(USER | lists(OFFICE)))
    for order in ((native, described), (described, native)):
        assert load_rules(*order).prefix_lists["pl-1"].entries == (ip_network("192.0.2.0/24"),)


def test_entries_given_twice_are_one_list_where_they_agree(tmp_path: Path) -> None:
    both = ("198.51.100.0/24", "192.0.2.0/24")
    older, newer = lists(S3 | {"Cidrs": list(both)}), {"pl-2": entries(*both[::-1])}
    rules = rules_from(tmp_path, USER, older, newer)
    assert rules.prefix_lists["pl-2"].entries == tuple(map(ip_network, both))
    (line,) = problems_from(tmp_path, USER, older, {"pl-2": entries(*both[:1])})
    assert line == "2.json:2:13 pl-2 - pl-2 has other entries at 1.json:3:9: give the newest output alone"


def test_entries_that_were_cut_into_pages_are_warned_of(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, USER, {"pl-1": entries("192.0.2.0/24") | {"NextToken": "x"}})
    assert [str(warning) for warning in rules.warnings] == [
        f"{tmp_path}/1.json:9:9 pl-1 has more entries than the file"
    ]
    (tmp_path / "pl-1.json").write_text(json.dumps(entries("192.0.2.0/24") | {"NextToken": "x"}))
    assert kinds(load_rules(tmp_path / "0.json", tmp_path / "pl-1.json")) == ["more-pages"]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (lists({"PrefixListName": "x"}), "PrefixListId is missing"),
        (lists(OFFICE | {"AddressFamily": "ipv5"}), "'ipv5' is no address family: IPv4 or IPv6"),
        (lists(OFFICE | {"MaxEntries": 0}), "0 is no MaxEntries: give the AWS CLI's output as it is"),
        (lists(OFFICE | {"Version": "3"}), "'3' is no number: give the AWS CLI's output as it is"),
        (lists(S3 | {"Cidrs": "192.0.2.0/24"}), "expected a list, found '192.0.2.0/24'"),
        ({"pl-1": entries("192.0.2.0/24", "2001:db8::/32")}, "2001:db8::/32 beside 192.0.2.0/24: a prefix list holds"),
        (lists(OFFICE) | {"pl-1": entries("2001:db8::/32")}, "pl-1 is a list of IPv4 blocks and holds 2001:db8::/32"),
        ({"pl-1": {"Entries": [{}]}}, "Cidr is missing"),
        ({"pl-1": None}, "Entries is missing"),
    ],
)
def test_a_list_that_aws_would_not_print_is_refused(tmp_path: Path, output: dict[str, Any], says: str) -> None:
    (line,) = problems_from(tmp_path, USER, output)
    assert line.startswith("1.json:")
    assert says in line
