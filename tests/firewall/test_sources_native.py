"""What the native YAML means."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest

from firewall.model import ICMP, ICMPV6, TCP, UDP, GroupPeer, NetworkInterface, PrefixListPeer, Rule, RuleSet
from firewall.sources import load_rules
from firewall.sources.words import CONSOLE_TYPES

EXAMPLE = """\
security_groups:
  web:
    ingress:
      - {type: HTTP, source: 0.0.0.0/0}
      - {protocol: tcp, ports: 22, source: 203.0.113.0/24, description: office}
      - {protocol: tcp, ports: 8000-8080, source: sg:app}
      - {protocol: icmp, icmp: 8/-1, source: pl:office}
    egress:
      - {protocol: udp, ports: 53, destination: 0.0.0.0/0}
  app: {egress: []}
prefix_lists:
  office: {max_entries: 20, entries: [198.51.100.0/24]}
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""


def rules_from(folder: Path, text: str) -> RuleSet:
    path = folder / "rules.yaml"
    path.write_text(text)
    return load_rules(path)


def only_rule(folder: Path, text: str) -> tuple[Rule, RuleSet]:
    rules = rules_from(folder, f"security_groups:\n  web:\n    egress: []\n    ingress:\n      - {{{text}}}\n")
    return rules.groups["web"].ingress[0], rules


def kinds(rules: RuleSet) -> list[str]:
    return [warning.kind for warning in rules.warnings]


def test_the_example_says_what_it_says(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, EXAMPLE)
    web = rules.groups["web"]
    assert [
        (rule.name, rule.protocol, rule.ports, rule.icmp_type, rule.icmp_code, rule.peer) for rule in web.ingress
    ] == [
        ("web:ingress[0]", TCP, (80, 80), -1, -1, ip_network("0.0.0.0/0")),
        ("web:ingress[1]", TCP, (22, 22), -1, -1, ip_network("203.0.113.0/24")),
        ("web:ingress[2]", TCP, (8000, 8080), -1, -1, GroupPeer("app")),
        ("web:ingress[3]", ICMP, None, 8, -1, PrefixListPeer("office")),
    ]
    assert [(rule.name, rule.protocol, rule.ports) for rule in web.egress] == [("web:egress[0]", UDP, (53, 53))]
    assert web.ingress[1].description == "office"
    assert str(web.ingress[1].place) == f"{tmp_path}/rules.yaml:5:9"
    office = rules.prefix_lists["office"]
    assert (office.entries, office.max_entries) == ((ip_network("198.51.100.0/24"),), 20)
    eni = rules.interfaces["eni-web"]
    assert (eni.addresses, eni.groups) == ((IPv4Address("10.0.1.10"),), ("web",))
    assert rules.warnings == ()


def test_the_example_of_the_documentation_is_this_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
    written = page.partition("```yaml\n")[2].partition("```")[0]
    here, there = rules_from(tmp_path, EXAMPLE), rules_from(tmp_path, written)
    assert here.groups["web"].ingress == there.groups["web"].ingress
    assert here.groups["web"].egress == there.groups["web"].egress
    assert there.warnings == ()


def test_absent_egress_is_aws_default_and_said_and_an_empty_one_is_none(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, "security_groups:\n  open: {}\n  closed: {egress: []}\n")
    assert [(rule.protocol, rule.ports, str(rule.peer)) for rule in rules.groups["open"].egress] == [
        (-1, None, "0.0.0.0/0"),
        (-1, None, "::/0"),
    ]
    assert rules.groups["open"].ingress == rules.groups["closed"].ingress == rules.groups["closed"].egress == ()
    assert kinds(rules) == ["default-egress"]
    assert "security group open has no egress key" in rules.warnings[0].text
    assert str(rules.warnings[0].place) == f"{tmp_path}/rules.yaml:2:3"


def test_the_consoles_inbound_and_outbound_are_ingress_and_egress(tmp_path: Path) -> None:
    text = "inbound: [{type: SSH, source: 10.0.0.0/8}], outbound: [{type: HTTPS, destination: '::/0'}]"
    web = rules_from(tmp_path, f"security_groups: {{web: {{{text}}}}}").groups["web"]
    assert [rule.name for rule in (*web.ingress, *web.egress)] == ["web:ingress[0]", "web:egress[0]"]


@pytest.mark.parametrize(
    ("text", "protocol", "ports", "icmp"),
    [
        ("protocol: tcp, ports: 0", TCP, (0, 0), (-1, -1)),
        ("protocol: TCP, ports: 65535", TCP, (65535, 65535), (-1, -1)),
        ("protocol: 6, ports: all", TCP, (0, 65535), (-1, -1)),
        ("protocol: '17', ports: 1 - 2", UDP, (1, 2), (-1, -1)),
        ("protocol: icmp, icmp: 8", ICMP, None, (8, -1)),
        ("protocol: icmp, icmp: 3/4", ICMP, None, (3, 4)),
        ("protocol: icmp, icmp: 0/-1", ICMP, None, (0, -1)),
        ("protocol: 1, icmp: all", ICMP, None, (-1, -1)),
        ("protocol: icmp, icmp: -1", ICMP, None, (-1, -1)),
        ("protocol: icmp, icmp: -1/-1", ICMP, None, (-1, -1)),
        ("protocol: all", -1, None, (-1, -1)),
        ("protocol: -1, ports: all", -1, None, (-1, -1)),
        ("protocol: gre", 47, None, (-1, -1)),
        ("protocol: 0", 0, None, (-1, -1)),
        ("protocol: sctp", 132, None, (-1, -1)),
        ("protocol: sctp, ports: all", 132, None, (-1, -1)),
        ("type: HTTP", TCP, (80, 80), (-1, -1)),
        ("type: all  tcp", TCP, (0, 65535), (-1, -1)),
        ("type: DNS (UDP)", UDP, (53, 53), (-1, -1)),
        ("type: All traffic", -1, None, (-1, -1)),
        ("type: All ICMP - IPv4", ICMP, None, (-1, -1)),
        ("type: Custom TCP, ports: 8000-8080", TCP, (8000, 8080), (-1, -1)),
        ("type: Custom ICMP - IPv4, icmp: 8/-1", ICMP, None, (8, -1)),
        ("type: Custom Protocol, protocol: 50", 50, None, (-1, -1)),
    ],
)
def test_a_service_can_be_written_in_every_documented_way(
    tmp_path: Path, text: str, protocol: int, ports: tuple[int, int] | None, icmp: tuple[int, int]
) -> None:
    rule, rules = only_rule(tmp_path, f"{text}, source: 10.0.0.0/8")
    assert (rule.protocol, rule.ports, (rule.icmp_type, rule.icmp_code)) == (protocol, ports, icmp)
    assert rules.warnings == ()


@pytest.mark.parametrize("name", [row.name for row in CONSOLE_TYPES.values() if not row.asks])
def test_every_console_type_is_a_whole_service(tmp_path: Path, name: str) -> None:
    rule, _ = only_rule(tmp_path, f"type: {name}, source: 10.0.0.0/8")
    assert (rule.ports is not None) == (rule.protocol in (TCP, UDP))


def test_icmpv6_without_a_type_is_every_type(tmp_path: Path) -> None:
    rule, rules = only_rule(tmp_path, "protocol: icmpv6, source: '::/0'")
    assert (rule.protocol, rule.icmp_type, rule.icmp_code, rules.warnings) == (ICMPV6, -1, -1, ())


@pytest.mark.parametrize(
    ("source", "peer"),
    [
        ("10.1.2.3", ip_network("10.1.2.3/32")),
        ("2001:db8::1", ip_network("2001:db8::1/128")),
        ("::/0", ip_network("::/0")),
        ("sg:web", GroupPeer("web")),
        ("sg-0a1", GroupPeer("sg-0a1")),
        ("sg:sg-0a1", GroupPeer("sg-0a1")),
        ("pl-0b2", PrefixListPeer("pl-0b2")),
    ],
)
def test_a_peer_is_a_block_an_address_a_group_or_a_prefix_list(tmp_path: Path, source: str, peer: object) -> None:
    rule, _ = only_rule(tmp_path, f"type: HTTP, source: '{source}'")
    assert rule.peer == peer


def test_a_group_and_a_list_with_an_id_are_found_by_name_and_by_id(tmp_path: Path) -> None:
    text = """\
security_groups:
  web:
    id: sg-1
    egress: []
    ingress:
      - {type: HTTP, source: sg:web, id: sgr-9}
      - {type: HTTP, source: sg-1}
      - {type: HTTP, source: pl:office}
      - {type: HTTP, source: pl-1}
prefix_lists:
  office: {id: pl-1, entries: [{cidr: 10.0.0.0/8, description: all}]}
interfaces:
  a: {addresses: [10.0.0.1], security_groups: [web]}
  b: {addresses: [10.0.0.2], security_groups: [sg-1, web]}
"""
    rules = rules_from(tmp_path, text)
    ingress = rules.groups["sg-1"].ingress
    assert [rule.peer for rule in ingress] == [GroupPeer("sg-1")] * 2 + [PrefixListPeer("pl-1")] * 2
    assert [rule.name for rule in ingress[:2]] == ["sg-1/sgr-9", "sg-1:ingress[1]"]
    assert [eni.groups for eni in rules.interfaces.values()] == [("sg-1",), ("sg-1",)]
    assert rules.warnings == ()


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("type: HTTP, source: 100.68.0.18/18", "host-bits", "AWS keeps 100.68.0.0/18"),
        (
            "protocol: icmpv6, source: 10.0.0.0/8",
            "family-mismatch",
            "icmpv6 with the IPv4 block 10.0.0.0/8 never matches",
        ),
        ("protocol: icmp, icmp: all, source: '::/0'", "family-mismatch", "icmp with the IPv6 block ::/0 never matches"),
        ("protocol: sctp, ports: 22, source: 10.0.0.0/8", "ports-ignored", "AWS ignores the ports of sctp rules"),
        ("type: HTTP, source: sg-0a1", "unknown-members", "no file says of sg-0a1 who its members are"),
        ("type: HTTP, source: pl-0b2", "unknown-prefix-list", "no file says of pl-0b2 its entries"),
    ],
)
def test_what_is_no_mistake_but_should_be_known_is_a_warning(tmp_path: Path, text: str, kind: str, says: str) -> None:
    _, rules = only_rule(tmp_path, text)
    assert kinds(rules) == [kind]
    assert says in rules.warnings[0].text
    assert rules.warnings[0].place is not None
    assert rules.warnings[0].place.line == 5


def test_an_interface_keeps_its_mac_instance_and_every_address(tmp_path: Path) -> None:
    text = """\
security_groups: {web: {egress: []}}
interfaces:
  eni-1:
    addresses: [10.0.0.1, 2001:db8::1]
    security_groups: [web]
    mac: 02:00:5E:00:53:01
    instance: i-1
    name: front
    description: the web server
"""
    eni = rules_from(tmp_path, text).interfaces["eni-1"]
    addresses = (IPv4Address("10.0.0.1"), IPv6Address("2001:db8::1"))
    assert eni == NetworkInterface("eni-1", addresses, ("web",), "02:00:5e:00:53:01", "i-1", eni.place)


def test_names_that_yaml_would_read_as_something_else_stay_names(tmp_path: Path) -> None:
    rules = rules_from(
        tmp_path,
        "security_groups:\n  no: {egress: []}\n  22: {egress: []}\n"
        "interfaces:\n  eni: {addresses: [10.0.0.1], security_groups: [no, 22]}\n",
    )
    assert rules.interfaces["eni"].groups == ("no", "22")


def test_a_name_of_one_file_serves_in_another_in_any_order(tmp_path: Path) -> None:
    groups, others = tmp_path / "groups", tmp_path / "others"
    groups.write_text("security_groups: {web: {egress: [], ingress: [{type: HTTP, source: pl:office}]}}")
    others.write_text(
        "{prefix_lists: {office: {entries: []}}, interfaces: {eni: {addresses: [10.0.0.1], security_groups: [web]}}}"
    )
    assert load_rules(groups, others) == load_rules(others, groups)
    assert load_rules(groups, others).interfaces["eni"].groups == ("web",)
