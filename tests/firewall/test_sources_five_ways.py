"""One rule set written five ways is one model, and judges every sample capture alike."""

from pathlib import Path
from typing import Any

import pytest

from firewall.engine import Firewall
from firewall.model import GroupPeer, NetworkAclEntry, PrefixListPeer, Rule, RuleSet
from firewall.sources import load_rules
from pcaps.capture import open_capture
from tests.firewall.five_ways import FIVE_WAYS

SAMPLES = Path(__file__).resolve().parents[2] / "pcaps" / "samples"
CAPTURES = sorted(path for path in SAMPLES.iterdir() if ".pcap" in path.name)
OTHERS = [way for way in FIVE_WAYS if way != "yaml"]


def loaded(folder: Path, way: str) -> RuleSet:
    path = folder / way
    path.write_text(FIVE_WAYS[way])
    return load_rules(path)


def peer_words(rule: Rule | NetworkAclEntry, rules: RuleSet) -> str:
    match rule.peer:
        case GroupPeer(group_id):
            return f"group {rules.groups[group_id].name}"
        case PrefixListPeer(list_id):
            return f"list {rules.prefix_lists[list_id].name}"
    return str(rule.peer)


def service(rule: Rule | NetworkAclEntry) -> tuple[Any, ...]:
    return rule.direction, rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code


def normalised(rules: RuleSet) -> dict[str, Any]:
    """The model without what a format cannot know: ids, order and places."""
    subnets = {key: sorted(map(str, subnet.cidrs)) for key, subnet in rules.subnets.items()}
    acls = {key: subnets[subnet.subnet_id] for subnet in rules.subnets.values() if (key := subnet.network_acl)}
    return {
        "groups": {
            group.name: sorted(
                map(
                    repr,
                    [(*service(one), peer_words(one, rules), one.description) for one in group.ingress + group.egress],
                )
            )
            for group in rules.groups.values()
        },
        "lists": {
            each.name: (sorted(map(str, each.entries)), each.max_entries, each.family)
            for each in rules.prefix_lists.values()
        },
        "interfaces": {
            tuple(map(str, each.addresses)): (
                [rules.groups[group].name for group in each.groups],
                subnets[each.subnet or ""],
                each.source_dest_check,
                each.complete,
            )
            for each in rules.interfaces.values()
        },
        "vpcs": [list(map(str, vpc.cidrs)) for vpc in rules.vpcs.values()],
        "subnets": sorted(subnets.values()),
        "network ACLs": [
            (acls[acl.network_acl_id], [(*service(one), one.number, one.action, str(one.peer)) for one in entries])
            for acl in rules.network_acls.values()
            if not acl.is_default  # a template that makes a VPC makes its default one too
            for entries in (acl.ingress, acl.egress)
        ],
    }


def verdict_columns(rules: RuleSet, capture: Path) -> list[tuple[Any, ...]]:
    """Every verdict column of every row; interfaces and rules by what they are, not by their names."""
    firewall = Firewall(rules)
    interfaces = [tuple(map(str, eni.addresses)) for eni in firewall.interfaces]
    named: list[Rule | NetworkAclEntry] = [*firewall.rules, *firewall.acl_entries]
    said: list[Any] = [(*service(one), peer_words(one, rules)) for one in named]
    found = []
    with open_capture(str(capture)) as opened:
        for _, rows in firewall.replay(opened):
            columns = (rows.packet, rows.direction, rows.verdict, rows.reason, rows.ct_state, rows.tcp_state, rows.flow)
            enis = [interfaces[eni] if eni >= 0 else None for eni in rows.eni.tolist()]
            rule = [said[number] if number >= 0 else number for number in rows.rule.tolist()]
            found += list(zip(*(column.tolist() for column in columns), enis, rule, strict=True))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("five-ways")


@pytest.mark.parametrize("way", OTHERS)
def test_the_model_is_the_same(folder: Path, way: str) -> None:
    assert normalised(loaded(folder, way)) == normalised(loaded(folder, "yaml"))


def test_the_model_says_what_was_written(folder: Path) -> None:
    found = normalised(loaded(folder, "yaml"))
    assert {name: len(rules) for name, rules in found["groups"].items()} == {"web": 6, "app": 1, "db": 2}
    assert len(found["interfaces"]) == 3
    assert sum(len(entries) for _, entries in found["network ACLs"]) == 5


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
def test_every_sample_capture_is_judged_alike(folder: Path, capture: Path) -> None:
    expected = verdict_columns(loaded(folder, "yaml"), capture)
    assert expected
    for way in OTHERS:
        assert verdict_columns(loaded(folder, way), capture) == expected, way
