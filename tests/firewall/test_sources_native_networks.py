"""VPCs, subnets and network ACLs of the native YAML, and what else stands beside the groups."""

from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest

from firewall.errors import RuleFileError
from firewall.model import ICMP, ICMPV6, TCP, NetworkAcl, NetworkAclEntry, RuleSet
from firewall.sources import load_rules, native
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings
from firewall.sources.located import load

NETWORK = """\
vpcs:
  main: {cidrs: ["2001:db8::/56", 10.0.0.0/16, 10.1.0.0/16], id: vpc-1, description: all of it}
subnets:
  a: {cidr: 10.0.1.0/24, vpc: main, network_acl: edge, id: subnet-1, description: front}
  b: {cidrs: [10.0.2.0/24, "2001:db8:0:2::/64"], vpc: vpc-1}
network_acls:
  edge:
    vpc: main
    description: what may enter
    ingress:
      - {number: 100, action: allow, protocol: tcp, ports: 22, source: 0.0.0.0/0}
      - {number: 90, action: deny, type: HTTPS, source: 192.0.2.0/24}
      - {number: 110, action: allow, protocol: icmpv6, icmp: 128/0, source: "::/0"}
    outbound:
      - {number: 32766, action: allow, protocol: all, destination: 198.51.100.7}
  standard: {id: acl-9, vpc: main, default: true}
security_groups:
  web: {egress: [], vpc: main}
interfaces:
  eni-a: {addresses: [10.0.1.10], security_groups: [web], subnet: a}
  eni-b: {addresses: [10.0.2.10], security_groups: [web]}
"""
GROUP = "security_groups: {web: {egress: []}}\n"


def rules_from(folder: Path, *texts: str) -> RuleSet:
    paths = [folder / f"rules-{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return load_rules(*paths)


def problems_of(folder: Path, *texts: str) -> list[str]:
    """What is said of the files, without the folder's name."""
    with pytest.raises(RuleFileError) as caught:
        rules_from(folder, *texts)
    return [line.removeprefix(f"{folder}/rules-") for line in caught.value.problems]


def entries_of(folder: Path, text: str, direction: str = "ingress") -> tuple[NetworkAcl, RuleSet]:
    """A network ACL of one entry."""
    other = "egress" if direction == "ingress" else "ingress"
    rules = rules_from(
        folder, f"{GROUP}network_acls:\n  edge:\n    {other}: []\n    {direction}:\n      - {{{text}}}\n"
    )
    return rules.network_acls["edge"], rules


def seen(entry: NetworkAclEntry) -> tuple[object, ...]:
    return entry.name, entry.action, entry.protocol, entry.ports, (entry.icmp_type, entry.icmp_code), str(entry.peer)


# --- what the keys mean ------------------------------------------------------------------------------
def test_a_network_says_what_it_says(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, NETWORK)
    blocks = ("10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56")
    assert rules.vpcs["vpc-1"].cidrs == tuple(map(ip_network, blocks))  # the primary IPv4 block first
    front = rules.subnets["subnet-1"]
    assert (front.cidrs, front.vpc, front.network_acl) == ((ip_network("10.0.1.0/24"),), "vpc-1", "edge")
    edge = rules.network_acls["edge"]
    assert (edge.name, edge.vpc, edge.is_default) == ("edge", "vpc-1", False)
    assert [seen(entry) for entry in (*edge.ingress, *edge.egress)] == [
        ("edge:ingress[90]", "deny", TCP, (443, 443), (-1, -1), "192.0.2.0/24"),
        ("edge:ingress[100]", "allow", TCP, (22, 22), (-1, -1), "0.0.0.0/0"),
        ("edge:ingress[110]", "allow", ICMPV6, None, (128, 0), "::/0"),
        ("edge:egress[32766]", "allow", -1, None, (-1, -1), "198.51.100.7/32"),
    ]
    assert str(edge.ingress[1].place) == f"{tmp_path}/rules-0.yaml:11:9"
    assert rules.groups["web"].vpc == "vpc-1"
    assert {warning.kind for warning in rules.warnings} == {"default-entries"}


def test_a_subnet_without_an_acl_has_its_vpcs_default_one_and_an_interface_the_subnet_of_its_address(
    tmp_path: Path,
) -> None:
    rules = rules_from(tmp_path, NETWORK)
    acls = [rules.network_acl_of(rules.interfaces[name]) for name in ("eni-a", "eni-b")]
    assert [acl and acl.network_acl_id for acl in acls] == ["edge", "acl-9"]


def test_a_missing_direction_is_what_aws_makes_and_is_said(tmp_path: Path) -> None:
    text = f"{GROUP}network_acls:\n  custom: {{}}\n  standard: {{default: true, egress: []}}\n"
    rules = rules_from(tmp_path, text)
    custom, standard = rules.network_acls["custom"], rules.network_acls["standard"]
    assert custom.ingress == custom.egress == standard.egress == ()
    assert [seen(entry) for entry in standard.ingress] == [
        ("standard:ingress[100]", "allow", -1, None, (-1, -1), "0.0.0.0/0"),
        ("standard:ingress[101]", "allow", -1, None, (-1, -1), "::/0"),
    ]
    assert [(warning.kind, str(warning).removeprefix(f"{tmp_path}/")) for warning in rules.warnings] == [
        (
            "default-entries",
            (
                f"rules-0.yaml:{line} network ACL {name} has no {direction} key: as in {kind} one of AWS, "
                f"all {direction} traffic is {what} ({direction}: [] denies all)"
            ),
        )
        for line, name, direction, kind, what in (
            ("3:3", "custom", "ingress", "a custom", "denied"),
            ("3:3", "custom", "egress", "a custom", "denied"),
            ("4:3", "standard", "ingress", "a default", "allowed"),
        )
    ]


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("type: SSH", (TCP, (22, 22), (-1, -1))),
        ("type: All traffic", (-1, None, (-1, -1))),
        ("protocol: tcp, ports: 1024-65535", (TCP, (1024, 65535), (-1, -1))),
        ("protocol: icmp, icmp: 3/4", (ICMP, None, (3, 4))),
        ("protocol: 47", (47, None, (-1, -1))),
    ],
)
def test_an_entry_names_its_service_as_a_rule_does(tmp_path: Path, text: str, service: tuple[object, ...]) -> None:
    acl, rules = entries_of(tmp_path, f"number: 1, action: deny, {text}, source: 10.0.0.0/8, description: no")
    (entry,) = acl.ingress
    assert (entry.protocol, entry.ports, (entry.icmp_type, entry.icmp_code)) == service
    assert rules.warnings == ()


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("protocol: sctp, ports: 5", "ports-ignored", "AWS ignores the ports of sctp entries: this one is about all"),
        ("protocol: icmpv6, icmp: 1", "family-mismatch", "icmpv6 with the IPv4 block 10.0.0.0/8 never matches"),
    ],
)
def test_an_entry_that_covers_its_whole_protocol_says_so(tmp_path: Path, text: str, kind: str, says: str) -> None:
    acl, rules = entries_of(tmp_path, f"number: 1, action: allow, {text}, source: 10.0.0.0/8")
    (entry,) = acl.ingress
    assert (entry.ports, entry.icmp_type, entry.icmp_code) == (None, -1, -1)
    assert [warning.kind for warning in rules.warnings] == [kind]
    assert says in rules.warnings[0].text


def test_names_of_networks_serve_in_other_files_in_any_order(tmp_path: Path) -> None:
    networks, _, rest = NETWORK.partition("security_groups:\n")
    interfaces = "security_groups:\n" + rest
    for texts in ((networks, interfaces), (interfaces, networks)):
        rules = rules_from(tmp_path, *texts)
        assert rules.interfaces["eni-a"].subnet == "subnet-1"
        assert {key: acl.vpc for key, acl in rules.network_acls.items()} == {"edge": "vpc-1", "acl-9": "vpc-1"}


def test_an_id_that_no_file_describes_stands_for_itself(tmp_path: Path) -> None:
    eni = "{addresses: [10.0.0.1], security_groups: [web], subnet: subnet-7, vpc: vpc-7}"
    rules = rules_from(tmp_path, f"{GROUP}interfaces: {{eni-1: {eni}}}")
    assert (rules.interfaces["eni-1"].subnet, rules.interfaces["eni-1"].vpc) == ("subnet-7", "vpc-7")
    assert rules.warnings == ()


def test_a_network_acl_that_no_file_describes_is_not_evaluated_and_that_is_said(tmp_path: Path) -> None:
    text = "subnets: {a: {cidr: 10.0.0.0/24, network_acl: acl-7}}\n"
    text += "interfaces: {eni-1: {addresses: [10.0.0.10], security_groups: [web]}}"
    (warning,) = rules_from(tmp_path, GROUP + text).warnings
    assert warning.kind == "no-network-acl"
    assert warning.text == (
        "interface eni-1 is in a, for which no file gives a network ACL (describe-network-acls does): "
        "no network ACL is evaluated for it"
    )


def test_blocks_outside_of_the_subnet_and_the_vpc_are_warned_of(tmp_path: Path) -> None:
    text = """\
vpcs: {main: {cidr: 10.0.0.0/16}}
subnets:
  a: {cidrs: [10.0.1.0/24, "2001:db8::/64"], vpc: main}
  b: {cidr: 10.1.0.0/24, vpc: main}
interfaces:
  eni-1: {addresses: [10.0.1.10, 10.0.2.10], prefixes: [10.0.1.16/28], security_groups: [web], subnet: a}
"""
    assert [(warning.kind, warning.text) for warning in rules_from(tmp_path, GROUP + text).warnings] == [
        ("outside-block", "interface eni-1 has 10.0.2.10/32, which is in no block of subnet a (10.0.1.0/24)"),
        ("outside-block", "subnet b has 10.1.0.0/24, which is in no block of VPC main (10.0.0.0/16)"),
    ]


# --- mistakes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("marked", "key", "says"),
    [
        ("^rule_number: 1, action: allow, type: SSH, source: 10.0.0.1", "rule_number", "write number: 100"),
        ("^rule_no: 1, action: allow, type: SSH, source: 10.0.0.1", "rule_no", "write number: 100"),
        ("^rule: 1, action: allow, type: SSH, source: 10.0.0.1", "rule", "write number: 100"),
        ("number: 1, ^rule_action: allow, type: SSH, source: 10.0.0.1", "rule_action", "write action: allow, or"),
        ("action: allow, type: SSH, source: 10.0.0.1", "", "the entry has no number: add number: 100"),
        ("number: ^0, action: allow, type: SSH, source: 10.0.0.1", "number", "0 is no number of an entry: write 1 to"),
        ("number: ^x, action: allow, type: SSH, source: 10.0.0.1", "number", "'x' is no number of an entry"),
        (
            "number: ^32767, action: allow, type: SSH, source: 10.0.0.1",
            "number",
            "entries are numbered 1 to 32766: * stands behind them in every list and denies, leave it out",
        ),
        ("number: ^'*', action: deny, type: SSH, source: 10.0.0.1", "number", "* stands behind them in every list"),
        ("number: 1, type: SSH, source: 10.0.0.1", "", "the entry has no action: write action: allow, or action: deny"),
        ("number: 1, action: ^Deny, type: SSH, source: 10.0.0.1", "action", "'Deny' is no action: did you mean deny?"),
        ("number: 1, action: ^true, type: SSH, source: 10.0.0.1", "action", "true is no action: write action: allow"),
        ("number: 1, action: deny, source: 10.0.0.1", "", "the entry names no protocol: add protocol: tcp"),
        ("number: 1, action: deny, protocol: tcp, source: 10.0.0.1", "", "tcp entry without ports: add ports: 443"),
        ("number: 1, action: deny, protocol: icmp, source: 10.0.0.1", "", "icmp entry without a type"),
        ("number: 1, action: deny, protocol: gre, ^ports: 1, source: 10.0.0.1", "ports", "ports of gre entries"),
        ("number: 1, action: deny, protocol: tcp, ports: ^[1], source: 10.0.0.1", "ports", "write one entry for each"),
        ("number: 1, action: deny, type: SSH", "", "the entry names no source: add source: with a CIDR such as"),
        (
            "number: 1, action: deny, type: SSH, source: ^sg:web",
            "source",
            "'sg:web' is a security group: entries of network ACLs name address blocks only, write a CIDR",
        ),
        ("number: 1, action: deny, type: SSH, source: ^pl-1", "source", "'pl-1' is a prefix list: entries of network"),
        ("number: 1, action: deny, type: SSH, source: ^web", "source", "'web' is no IPv4 or IPv6 address block"),
        ("number: 1, action: deny, type: SSH, source: ^[10.0.0.1]", "source", "exactly one source per entry"),
        ("number: 1, action: deny, type: SSH, ^destination: 10.0.0.1", "destination", "an ingress entry names its"),
        ("number: 1, action: deny, type: SSH, ^cidr_block: 10.0.0.1", "cidr_block", "write source (ingress) or"),
        ("number: 1, action: deny, type: SSH, source: 10.0.0.1, ^id: x", "id", "their number names them"),
        ("number: 1, action: deny, type: SSH, source: 10.0.0.1, ^prt: 1", "prt", "unknown key 'prt'"),
    ],
)
def test_a_mistake_in_an_entry_is_placed_and_cured(tmp_path: Path, marked: str, key: str, says: str) -> None:
    path = f"network_acls.edge.ingress[0]{'.' if key else ''}{key}"
    column = 10 + marked.find("^")  # unmarked: the brace before the entry
    with pytest.raises(RuleFileError) as caught:
        entries_of(tmp_path, marked.replace("^", ""))
    (line,) = caught.value.problems
    assert line.startswith(f"{tmp_path}/rules-0.yaml:6:{column} {path} - ")
    assert says in line


def test_two_entries_of_a_direction_with_one_number_are_a_mistake_and_of_two_directions_not(tmp_path: Path) -> None:
    one = "{number: 1, action: allow, type: SSH, source: 10.0.0.1}"
    other = one.replace("source", "destination")
    assert rules_from(tmp_path, f"{GROUP}network_acls: {{e: {{ingress: [{one}], egress: [{other}]}}}}").network_acls
    (line,) = problems_of(tmp_path, f"{GROUP}network_acls: {{e: {{egress: [], ingress: [{one}, {one}]}}}}")
    assert "e:ingress[1] is written twice, first at" in line


def test_a_subnet_whose_blocks_nobody_knows_has_an_empty_list(tmp_path: Path) -> None:
    rules = rules_from(tmp_path, f"{GROUP}subnets: {{a: {{cidrs: []}}}}")
    assert rules.subnets["a"].cidrs == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vpcs: {main: {}}", ":2:14 vpcs.main - a VPC without address blocks: add cidrs: [10.0.0.0/16]"),
        ("vpcs: {main: {cidrs: []}}", ":2:22 vpcs.main.cidrs - a VPC without address blocks"),
        ("vpcs: {main: {cidr: 10.0.0.0/8, cidrs: [10.0.0.0/8]}}", "cidr and cidrs say the same: keep cidrs"),
        ("vpcs: {main: {cidr: [10.0.0.0/8]}}", "a list is no IPv4 or IPv6 address block"),
        ("vpcs: {main: {cidr: 10.0.0.0/8, id: main}}", "'main' is no id: write AWS's id, vpc-..., or leave id out"),
        ("vpcs: {main: {cidr: 10.0.0.0/8, id: }}", "expected an id, found nothing"),
        ("vpcs: {vpc-2: {cidr: 10.0.0.0/8, id: vpc-1}}", "a name cannot start with vpc-"),
        (
            "vpcs: {a: {cidr: 10.0.0.0/8, id: vpc-1}, b: {cidr: 10.0.0.0/8, id: vpc-1}}",
            "VPC 'vpc-1' is defined twice, first at",
        ),
        ("subnets: {a: {vpc: main}}\nvpcs: {main: {cidr: 10.0.0.0/8}}", "a subnet without address blocks"),
        ("subnets: {a: {cidr: 10.0.0.0/24, vpc: mian}}\nvpcs: {main: {cidr: 10.0.0.0/8}}", "did you mean main?"),
        ("subnets: {a: {cidr: 10.0.0.0/24, vpc: main}}", "no VPC 'main': the files define none"),
        ("subnets: {a: {cidr: 10.0.0.0/24, vpc: }}", "expected a VPC, found nothing"),
        ("subnets: {a: {cidr: 10.0.0.0/24, network_acl: edge}}", "no network ACL 'edge': the files define none"),
        ("subnets: {a: {cidrs: [10.0.0.0/24, 10.0.1.0/24]}}", "'10.0.1.0/24' is a second IPv4 block: a subnet has one"),
        (
            "subnets: {a: {cidr: 10.0.0.0/24, network_alc: edge}}",
            "unknown key 'network_alc': did you mean network_acl?",
        ),
        ("network_acls: {a: [x]}", "expected a mapping, found a list: write ingress: [{number: 100, action: allow"),
        ("network_acls: {a: {ingress: , egress: []}}", "expected a list, found nothing: write [] for none"),
        ("network_acls: {a: {ingress: [], egress: [], inbound: []}}", "inbound is ingress in the console's words"),
        ("network_acls: {a: {ingress: [], egress: [], default: yes}}", "'yes' is neither: write true or false"),
        (
            "network_acls: {a: {default: true}, b: {default: true}}",
            "a second default network ACL without a vpc, the first is a: a VPC has one",
        ),
        ("network_acls: {a: {ingress: [], egress: [], entries: []}}", "unknown key 'entries'"),
        ("allowance: 0", "0 is no number of connections: write a whole number from 1 on"),
        ("allowance: many", "'many' is no number of connections"),
        ("silence: {Unused: all}", "'Unused' is no name of a lint"),
        ("silence: {unused-group: web}", "expected a list, found 'web': write all, or a list of groups"),
        ("silence: {unused-group: [[web]]}", "expected a name, found a list"),
        ("silence: [unused-group]", "expected a mapping, found a list"),
        ("addresses: {web: []}", "no address for 'web': write one such as [10.0.1.10]"),
        ("addresses: {web: 10.0.0.0/24}", "'10.0.0.0/24' is no single address"),
        ("addresses: {web: 10.0.0.1}", "no interface 'web' lacks an address: no file asks for one"),
        ("parameters: {Vpc: {a: b}}", "a mapping is no value of a parameter: write a text, or a list of texts"),
        ("parameters: {Vpc: }", "nothing is no value of a parameter"),
        ("parameters: {Vpc: [a, [b]]}", "a list is no value of a parameter"),
        ("parameters: {Vpc: vpc-1}", "no file asks for a parameter 'Vpc': no file has any"),
    ],
)
def test_a_mistake_around_the_entries_is_placed_and_cured(tmp_path: Path, text: str, says: str) -> None:
    (line,) = problems_of(tmp_path, GROUP + text)
    assert says in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("subnet: frnt", "no subnet 'frnt': did you mean front?"),
        ("subnet: [front]", "expected a subnet, found a list"),
        ("vpc: main", "no VPC 'main': the files define none"),
        ("source_dest_check: 'false'", "'false' is neither: write true or false"),
        ("interface_type: nat-gateway", "'nat-gateway' is no interface type: did you mean natGateway?"),
        ("interface_type: [efa]", "a list is no interface type: known here: interface, natGateway"),
        ("prefixes: 10.0.0.16/28", "expected a list, found '10.0.0.16/28'"),
        ("prefixes: [x]", "'x' is no IPv4 or IPv6 address block"),
        ("public_addresses: [203.0.113.0/24]", "'203.0.113.0/24' is no single address"),
        ("connection_tracking: {udp_timeout: }", "udp_timeout has no value: write seconds, or leave it out"),
        ("connection_tracking: [350]", "expected a mapping, found a list: write {tcp_established_timeout: 350}"),
    ],
)
def test_a_mistake_in_an_interface_is_placed_and_cured(tmp_path: Path, text: str, says: str) -> None:
    network = "subnets: {front: {cidr: 10.0.0.0/24}}\n"
    eni = f"interfaces: {{eni-1: {{addresses: [10.0.0.10], security_groups: [web], {text}}}}}"
    (line,) = problems_of(tmp_path, GROUP + network + eni)
    assert line.startswith("0.yaml:3:")
    assert says in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("family: IPv4, entries: ['2001:db8::/32']", "2001:db8::/32 is no IPv4 block, which the list's family says"),
        ("family: IPv6, entries: [10.0.0.0/8]", "10.0.0.0/8 is no IPv6 block"),
        ("family: ipv4, entries: []", "'ipv4' is no address family: write IPv4 or IPv6"),
        ("version: 0, entries: []", "0 is no version: write a whole number from 1 on"),
        ("version: true, entries: []", "true is no version"),
    ],
)
def test_a_mistake_in_a_prefix_list_is_placed_and_cured(tmp_path: Path, text: str, says: str) -> None:
    (line,) = problems_of(tmp_path, f"{GROUP}prefix_lists: {{office: {{{text}}}}}")
    assert says in line


# --- what is no object -------------------------------------------------------------------------------
def test_lists_interfaces_and_settings_keep_what_they_say(tmp_path: Path) -> None:
    text = """\
allowance: 1000
silence: {unused-group: all, open-to-world: [web, "web:ingress[0]"]}
prefix_lists: {office: {entries: ["2001:db8::/32"], family: IPv6, version: 3}}
interfaces:
  eni-1:
    addresses: [10.0.0.10]
    security_groups: [web]
    source_dest_check: false
    interface_type: natGateway
    prefixes: [10.0.0.16/28]
    public_addresses: [203.0.113.10]
"""
    rules = rules_from(tmp_path, GROUP + text, "silence: {open-to-world: [app]}", "allowance: 1000")
    assert rules.allowance == 1000
    assert rules.silenced == {"unused-group": ("all",), "open-to-world": ("web", "web:ingress[0]", "app")}
    assert (rules.prefix_lists["office"].family, rules.prefix_lists["office"].version) == (6, 3)
    eni = rules.interfaces["eni-1"]
    assert (eni.source_dest_check, eni.interface_type) == (False, "natGateway")
    assert eni.prefixes == (ip_network("10.0.0.16/28"),)
    assert eni.public_addresses == (IPv4Address("203.0.113.10"),)
    # a NAT gateway's connections are always tracked
    assert rules.auto_tracked == (ip_network("10.0.0.10/32"), ip_network("10.0.0.16/28"))


def test_two_files_cannot_differ_in_the_allowance_or_repeat_a_parameter(tmp_path: Path) -> None:
    lines = problems_of(tmp_path, "allowance: 1\nparameters: {A: 1}", "allowance: 2\nparameters: {A: 1}")
    assert [line for line in lines if line.startswith("1.yaml")] == [
        "1.yaml:1:12 allowance - another file says 1: keep one allowance",
        f"1.yaml:2:14 parameters.A - parameter 'A' has a value already, at {tmp_path}/rules-0.yaml:2:17: keep one",
    ]


def test_addresses_and_parameters_are_known_before_any_file_is_built(tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(
        "addresses: {aws_instance.web: [10.0.1.10, 10.0.1.11], Web: 10.0.1.12}\nparameters: {Port: 443, Nets: [a, b]}"
    )
    draft = Draft(Findings([str(path)]))
    root = load(path, draft.findings)
    assert root is not None
    native.declare(root, draft)
    assert [str(address) for address, _ in draft.given_addresses("aws_instance.web")] == ["10.0.1.10", "10.0.1.11"]
    assert [str(address) for address, _ in draft.given_addresses("Web")] == ["10.0.1.12"]
    assert draft.given_addresses("other") == []
    port, nets = draft.parameter("Port"), draft.parameter("Nets")
    assert port is not None
    assert port.value == 443
    assert nets is not None
    assert isinstance(nets.value, list)
    assert [item.value for item in nets.value] == ["a", "b"]
    native.build(root, draft)
    assert draft.findings.problems == []


@pytest.mark.parametrize(
    "text",
    [
        "vpcs: {main: {cidr: 10.0.0.0/16}}",
        "silence: {unused-group: all}",
        "network_acls: {edge: {ingress: [], egress: []}}",
    ],
)
def test_a_file_of_other_things_loads_beside_one_with_groups_but_not_alone(tmp_path: Path, text: str) -> None:
    assert rules_from(tmp_path, text, GROUP).groups.keys() == {"web"}
    (line,) = problems_of(tmp_path, text)
    assert "no file defines a security group" in line
