"""Mistakes in rule files: all of them at once, each with its place and what to write instead."""

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import RuleFileError
from firewall.sources import aws_cli, load_rules, native, native_interfaces, native_networks
from firewall.sources.native_rules import RULE_KEYS

ROOT = Path(__file__).resolve().parents[2]
FIVE_MISTAKES = """\
security_groups:
  web:
    ingress:
      - {protocol: tcpp, ports: 443, source: 0.0.0.0/0}
      - protocol: tcp
        ports: 22-10
        source: 203.0.113.0/24
      - protocol: tcp
        prots: 80
        source: 10.0.0.0/33
    egress: []
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [wbe]}
"""


def problems_of(folder: Path, **files: str) -> list[str]:
    """What is said of the files, without the folder's name."""
    paths = [folder / name for name in files]
    for path in paths:
        path.write_text(files[path.name])
    with pytest.raises(RuleFileError) as caught:
        load_rules(*paths)
    return [line.removeprefix(f"{folder}/") for line in caught.value.problems]


def rule(text: str, direction: str = "ingress") -> str:
    """A file of one group with one rule."""
    other = "egress" if direction == "ingress" else "ingress"
    return f"security_groups:\n  web:\n    {other}: []\n    {direction}:\n      - {{{text}}}\n"


def interface(text: str) -> str:
    """A file of one group and one interface."""
    return f"security_groups: {{web: {{egress: []}}}}\ninterfaces:\n  eni-1: {{{text}}}\n"


def test_five_mistakes_are_all_reported_with_line_column_and_cure(tmp_path: Path) -> None:
    web = "security_groups.web.ingress"
    assert problems_of(tmp_path, five=FIVE_MISTAKES) == [
        f"five:4:20 {web}[0].protocol - unknown protocol 'tcpp': did you mean tcp? (or a number from 0 to 255)",
        f"five:6:16 {web}[1].ports - first port 22 is above last port 10: write 10-22",
        f"five:9:9 {web}[2].prots - unknown key 'prots': did you mean ports?",
        (
            f"five:10:17 {web}[2].source - '10.0.0.0/33' is no IPv4 or IPv6 address block: "
            "write one like 203.0.113.0/24 or 2001:db8::/32"
        ),
        "five:13:55 interfaces.eni-web.security_groups[0] - no security group 'wbe': did you mean web?",
    ]


def test_a_terminal_of_80_columns_shows_each_mistake_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "five.yaml").write_text(FIVE_MISTAKES)
    (tmp_path / "more.yaml").write_text("network_acls: {edge: {ingress: [], egress: [], entries: []}}")
    command = [
        sys.executable,
        "-m",
        "firewall.cli",
        "replay",
        "none.pcap",
        "--rules",
        "five.yaml",
        "--rules",
        "more.yaml",
    ]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=theirs, stderr=theirs, check=False)
    os.close(theirs)
    lines = os.read(ours, 1 << 16).decode().splitlines()
    os.close(ours)
    assert done.returncode == 2
    assert lines[0] == "eniwall: 6 problems in the rules:"
    assert [line.split(" - ")[0] for line in lines[1:]] == [
        "  five.yaml:4:20 security_groups.web.ingress[0].protocol",
        "  five.yaml:6:16 security_groups.web.ingress[1].ports",
        "  five.yaml:9:9 security_groups.web.ingress[2].prots",
        "  five.yaml:10:17 security_groups.web.ingress[2].source",
        "  five.yaml:13:55 interfaces.eni-web.security_groups[0]",
        "  more.yaml:1:48 network_acls.edge.entries",
    ]
    assert max(map(len, lines)) > 120


@pytest.mark.parametrize(
    ("marked", "key", "says"),
    [
        ("protocol: tcp, ports: ^65536, source: 10.0.0.1", "ports", "port 65536 is out of range"),
        ("protocol: tcp, ports: ^-1, source: 10.0.0.1", "ports", "port -1 is out of range"),
        ("protocol: tcp, ports: ^22:22, source: 10.0.0.1", "ports", "'22:22' is no port"),
        ("protocol: tcp, ports: ^0777, source: 10.0.0.1", "ports", "'0777' is no port"),
        ("protocol: tcp, ports: ^1-0777, source: 10.0.0.1", "ports", "'1-0777' is no port"),
        ("protocol: tcp, ports: ^no, source: 10.0.0.1", "ports", "'no' is no port"),
        ("protocol: tcp, ports: ^true, source: 10.0.0.1", "ports", "true is no port"),
        ("protocol: tcp, ports: ^[22, 80], source: 10.0.0.1", "ports", "write one rule for each"),
        ("protocol: tcp, source: 10.0.0.1", "", "tcp rule without ports: add ports: 443"),
        ("protocol: 17, source: 10.0.0.1", "", "udp rule without ports"),
        ("protocol: tcp, ports: 22, ^icmp: 8, source: 10.0.0.1", "icmp", "tcp has no ICMP type"),
        ("protocol: icmp, ^ports: 22, source: 10.0.0.1", "ports", "icmp has no ports: write icmp: TYPE/CODE"),
        ("protocol: icmp, source: 10.0.0.1", "", "icmp rule without a type: add icmp: 8/-1"),
        ("protocol: icmp, icmp: ^-1/0, source: 10.0.0.1", "icmp", "any type needs any code"),
        ("protocol: icmp, icmp: ^256, source: 10.0.0.1", "icmp", "ICMP type 256 is out of range"),
        ("protocol: icmp, icmp: ^0-8, source: 10.0.0.1", "icmp", "'0-8' is no ICMP type and code"),
        ("protocol: all, ^ports: 22, source: 10.0.0.1", "ports", "protocol all covers every port"),
        ("protocol: gre, ^ports: 22, source: 10.0.0.1", "ports", "AWS ignores the ports of gre rules"),
        ("protocol: ^256, source: 10.0.0.1", "protocol", "256 is no protocol"),
        ("ports: 22, source: 10.0.0.1", "", "the rule names no protocol: add protocol: tcp"),
        ("type: ^HTPS, source: 10.0.0.1", "type", "unknown type 'HTPS': did you mean HTTPS?"),
        ("type: HTTP, ^ports: 8080, source: 10.0.0.1", "ports", "type: HTTP says that already"),
        ("type: Custom TCP, source: 10.0.0.1", "", "tcp rule without ports"),
        ("type: HTTP", "", "the rule names no source: add source: with a CIDR, sg:NAME or pl:NAME"),
        ("type: HTTP, ^destination: 10.0.0.1", "destination", "write source instead of destination"),
        ("type: HTTP, source: ^[10.0.0.1]", "source", "exactly one source per rule: write one rule for each"),
        ("type: HTTP, source: ^web", "source", "'web' is a security group: write sg:web"),
        ("type: HTTP, source: ^sg:wbe", "source", "no security group 'wbe': did you mean web?"),
        ("type: HTTP, source: ^sg:zzz", "source", "no security group 'zzz': known here: web"),
        ("type: HTTP, source: ^80", "source", "80 is no source: write a CIDR, sg:NAME or pl:NAME"),
        ('type: HTTP, source: ^"sg-\\x7f"', "source", "holds a control character: delete it"),
        ("protocol: ^[6], source: 10.0.0.1", "protocol", "a list is no protocol"),
        ("protocol: icmp, icmp: ^true, source: 10.0.0.1", "icmp", "true is no ICMP type and code"),
        ("type: HTTP, source: ^pl:office", "source", "no prefix list 'office': the files define none"),
        ("type: HTTP, source: ^10.0.0.0/255.0.0.0", "source", "is no IPv4 or IPv6 address block"),
        ("type: HTTP, source: ^010.0.0.1", "source", "'010.0.0.1' is no IPv4 or IPv6 address block"),
        ("type: HTTP, source: ^'fe80::1%eth0'", "source", "is no IPv4 or IPv6 address block"),
        ("type: HTTP, ^cidr: 10.0.0.1", "cidr", "write source (ingress) or destination (egress)"),
        ("type: HTTP, source: 10.0.0.1, id: ^sg-1", "id", "'sg-1' is no rule id: write AWS's id, sgr-..."),
        ("type: HTTP, source: 10.0.0.1, ^action: allow", "action", "every rule of a security group allows"),
    ],
)
def test_a_mistake_in_a_rule_is_placed_and_cured(tmp_path: Path, marked: str, key: str, says: str) -> None:
    path = f"security_groups.web.ingress[0]{'.' if key else ''}{key}"
    column = 10 + marked.find("^")  # unmarked: the brace before the rule
    (line,) = problems_of(tmp_path, rules=rule(marked.replace("^", "")))
    assert line.startswith(f"rules:5:{column} {path} - ")
    assert says in line


@pytest.mark.parametrize("word", ["action: deny", "deny: true", "allow: false", "effect: Deny"])
def test_a_deny_rule_is_told_that_groups_only_allow_and_where_aws_denies(tmp_path: Path, word: str) -> None:
    (line,) = problems_of(tmp_path, rules=rule(f"{word}, protocol: all, source: 10.0.0.1"))
    assert line.startswith(f"rules:5:10 security_groups.web.ingress[0].{word.partition(':')[0]} - ")
    assert "security groups hold allow rules only" in line
    assert "network ACLs" in line


def test_an_egress_rule_with_a_source_is_told_to_name_its_destination(tmp_path: Path) -> None:
    (line,) = problems_of(tmp_path, rules=rule("type: HTTP, source: 10.0.0.1", "egress"))
    assert "an egress rule names its destination: write destination instead of source" in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("security_groups: [web]", ":1:18 security_groups - expected a mapping, found a list"),
        ("security_groups: {web: }", ":1:24 security_groups.web - expected a mapping, found nothing"),
        (
            "security_groups: {web: {egress: }}",
            ":1:33 security_groups.web.egress - expected a list, found nothing: write []",
        ),
        ("security_groups: {web: {egress: [], outbound: []}}", "keep one of the two"),
        (
            "security_groups: {web: {egress: [HTTP]}}",
            ":1:34 security_groups.web.egress[0] - expected a mapping, found 'HTTP'",
        ),
        (
            f"security_groups: {{web: {{egress: [], description: {'x' * 256}}}}}",
            "a description has 256 characters: write 1 to 255",
        ),
        ("security_groups: {web: {egress: [], description: [x]}}", "expected a description, found a list"),
        ("security_groups: {web: {egres: []}}", "unknown key 'egres': did you mean egress?"),
        ("security_groups: {web: {egress: []}, Web: {egress: []}}", "security group name 'Web' is used twice"),
        (
            "security_groups: {a: {id: sg-1, egress: []}, b: {id: sg-1, egress: []}}",
            "'sg-1' is defined twice, first at",
        ),
        ("security_groups: {a: {id: web-1, egress: []}}", "'web-1' is no id: write AWS's id, sg-..."),
        ("security_groups: {sg-2: {id: sg-1, egress: []}}", "a name cannot start with sg-"),
        ('security_groups: {"a\\nb": {egress: []}}', r"'a\nb' cannot be a name"),
        ("{security_groups: {}, secrity_group: {}}", "unknown key 'secrity_group': did you mean security_groups?"),
        (
            "security_groups: {a: {egress: [], ingress: [&a {type: SSH, source: 10.0.0.1, id: sgr-1}, *a]}}",
            "rule id 'sgr-1' is used twice, first at",
        ),
        ("prefix_lists: {p: {entries: [10.0.0.0/8, '::/0']}}", "a prefix list holds one address family"),
        (
            "prefix_lists: {p: {entries: [10.0.0.0/8, 11.0.0.0/8], max_entries: 1}}",
            "max_entries 1 is below the 2 entries",
        ),
        ("prefix_lists: {p: {entries: [], max_entries: 1001}}", "1001 is no number of entries"),
        ("prefix_lists: {p: {}}", "a prefix list without entries"),
        ("prefix_lists: {p: {entries: [{description: x}]}}", "an entry without a block"),
        ("[1, 2]", ":1:1 - a rule file is a mapping"),
        ("{}", ":1:1 - the file is empty"),
        ("{security_groups: {}, SecurityGroups: []}", "write two files and give both"),
        ("{security_groups: {}}", ": no file defines a security group"),
    ],
)
def test_a_mistake_around_the_rules_is_placed_and_cured(tmp_path: Path, text: str, says: str) -> None:
    (line,) = problems_of(tmp_path, rules=text)
    assert says in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("security_groups: [web]", "an interface without addresses: add addresses: [10.0.1.10]"),
        ("addresses: [], security_groups: [web]", "an interface without addresses"),
        ("addresses: [10.0.0.1]", "an interface without security groups"),
        ("addresses: [10.0.0.1], security_groups: [app]", "no security group 'app': known here: web"),
        ("addresses: [10.0.0.0/24], security_groups: [web]", "'10.0.0.0/24' is no single address"),
        ("addresses: 10.0.0.1, security_groups: [web]", "expected a list, found '10.0.0.1'"),
        ("addresses: [224.0.0.1], security_groups: [web]", "224.0.0.1 cannot be an interface's address"),
        ("addresses: [10.0.0.1, 10.0.0.1], security_groups: [web]", "address 10.0.0.1 is listed already"),
        ("addresses: [10.0.0.1], security_groups: [web], mac: 02", "'02' is no MAC address"),
    ],
)
def test_a_mistake_in_an_interface_is_placed_and_cured(tmp_path: Path, text: str, says: str) -> None:
    (line,) = problems_of(tmp_path, rules=interface(text))
    assert line.startswith("rules:3:")
    assert says in line


def test_an_interface_of_two_files_names_the_first(tmp_path: Path) -> None:
    text = interface("addresses: [10.0.0.1], security_groups: [web]")
    lines = problems_of(tmp_path, first=text, second=text.replace("web", "app").replace("10.0.0.1", "10.0.0.2"))
    assert lines == [f"second:3:3 interfaces.eni-1 - interface 'eni-1' is defined twice, first at {tmp_path}/first:3:3"]


def test_a_prefix_list_without_its_mark_is_named(tmp_path: Path) -> None:
    text = rule("type: HTTP, source: office") + "prefix_lists: {office: {entries: []}}"
    (line,) = problems_of(tmp_path, rules=text)
    assert "'office' is a prefix list: write pl:office" in line


def test_an_address_on_two_interfaces_names_the_first(tmp_path: Path) -> None:
    text = interface("addresses: [10.0.0.1], security_groups: [web]")
    text += "  eni-2: {addresses: [10.0.0.1], security_groups: [web]}\n"
    (line,) = problems_of(tmp_path, rules=text)
    assert line.startswith(
        "rules:4:23 interfaces.eni-2.addresses[0] - address 10.0.0.1 is listed already, on interface 'eni-1'"
    )


def test_mistakes_of_several_files_come_together_in_the_order_given(tmp_path: Path) -> None:
    lines = problems_of(
        tmp_path,
        second="{SecurityGroups: [{GroupId: sg-1, IpPermissions: [{IpProtocol: tcp}]}]}",
        first=rule("type: HTPS, source: 10.0.0.1"),
    )
    assert [line.split(" ")[0] for line in lines] == ["second:1:51", "first:5:16"]


def test_a_missing_file_a_folder_a_capture_and_a_wrong_encoding_each_get_one_line(tmp_path: Path) -> None:
    files = {
        "capture": bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"),
        "pcapng": bytes.fromhex("0a0d0d0a1c0000004d3c2b1a01000000"),
        "gzip": bytes.fromhex("1f8b0800"),
        "latin": b"# caf\xe9\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [tmp_path / name for name in (*files, "missing")] + [tmp_path]
    with pytest.raises(RuleFileError) as caught:
        load_rules(*paths)
    assert caught.value.problems == [
        f"{tmp_path}/capture: is a packet capture; a rule file was expected",
        f"{tmp_path}/pcapng: is a packet capture; a rule file was expected",
        f"{tmp_path}/gzip: this is compressed (gzip), not text: unpack it first",
        f"{tmp_path}/latin: not UTF-8 text (byte 5, line 1): save the file as UTF-8",
        f"{tmp_path}/missing: no such file; check the path",
        f"{tmp_path}: no rule file is in this folder: .json, .yaml, .yml are read",
    ]


def test_no_file_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="no rule file was given"):
        load_rules()
    with pytest.raises(RuleFileError, match="cannot be read"):
        load_rules(tmp_path / "a\0b")


AWS_KEYS = ("GroupId", "IpPermissions", "IpPermissionsEgress", "IpProtocol", "FromPort", "ToPort", "IpRanges", "CidrIp")
KEYS = (
    *RULE_KEYS,
    *native.GROUP_KEYS,
    *native.LIST_KEYS,
    *native_interfaces.INTERFACE_KEYS,
    *native_networks.SUBNET_KEYS,
    *native_networks.ACL_KEYS,
    *native_networks.ENTRY_KEYS,
    *AWS_KEYS,
    "Groups",
    "Entries",
    "web",
)
WORDS = (
    "all",
    "tcp",
    "icmp",
    "22-80",
    "8/-1",
    "HTTP",
    "sg:web",
    "pl:web",
    "sg-1",
    "pl-1",
    "10.0.0.0/8",
    "::/0",
    "",
    "\x7f",
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-2, 1 << 64), st.sampled_from(WORDS))
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
sections = st.lists(trees, max_size=3) | st.dictionaries(st.sampled_from(("web", "sg-1", "pl-1")), trees, max_size=3)


@given(
    st.dictionaries(st.sampled_from(native.TOP_KEYS), sections, max_size=3),
    st.dictionaries(st.sampled_from((*aws_cli.TOP_KEYS, "pl-1")), sections, max_size=3),
)
def test_known_words_in_any_arrangement_end_in_one_line_for_each_mistake(
    tmp_path_factory: pytest.TempPathFactory, own: dict[str, object], aws: dict[str, object]
) -> None:
    paths = [tmp_path_factory.getbasetemp() / name for name in ("own.yaml", "aws.json")]
    for path, tree in zip(paths, (own, aws), strict=True):
        path.write_text(json.dumps(tree))
    problems = []
    try:
        load_rules(*paths)
    except RuleFileError as error:
        problems = error.problems
    assert all("\n" not in line and line.startswith((str(paths[0]), str(paths[1]))) for line in problems)
