"""What network ACLs do that security groups cannot, what neither does, and where both are asked."""

from typing import Any

import pytest

from firewall.errors import RuleFileError
from tests.firewall.labs import (
    CLIENT,
    WEB,
    WEB_ENI,
    Tcp,
    handshake,
    judged,
    nacl,
    packet,
    path,
    reasons,
    rule_set,
    sg,
    stateless,
    syn,
)


# --- a denied network --------------------------------------------------------------------------------------
def blocked(*ingress: str) -> str:
    """SSH from anywhere, and these entries of the network ACL."""
    return f"""{WEB_ENI}
security_groups:
  web:
    ingress: [{{type: SSH, source: 0.0.0.0/0}}]
    egress: [{{protocol: all, destination: 0.0.0.0/0}}]
network_acls:
  edge:
    ingress: [{", ".join(ingress)}]
    egress: [{{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}}]
"""


ALLOW_ALL = "{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}"
DENY_EARLY = "{number: 90, action: deny, protocol: all, source: 198.51.100.0/24}"
DENY_LATE = "{number: 200, action: deny, protocol: all, source: 198.51.100.0/24}"


@pytest.mark.parametrize(
    ("deny", "expected", "decides"),
    [(DENY_EARLY, "DADDA", "edge:ingress[90]"), (DENY_LATE, "AAAAA", "edge:ingress[100]")],
)
def test_the_lowest_number_that_matches_decides(deny: str, expected: str, decides: str) -> None:
    story = handshake(CLIENT, WEB, 22)
    for rules in (blocked(ALLOW_ALL, deny), blocked(deny, ALLOW_ALL)):  # the order in the file means nothing
        assert nacl(rules, story) == expected
        assert judged(rules, story, "nacl")[0]["rule"] == decides
        assert path(rules, story[:1]) == expected[:1]  # of a denied connection only the SYN is ever sent
        assert sg(rules, story) == "AAAAA"
        assert stateless(rules, story) == "AAAAA"


def test_a_security_group_cannot_deny() -> None:
    deny = "{type: SSH, source: 198.51.100.0/24, action: deny}"
    with pytest.raises(RuleFileError, match="security groups hold allow rules only"):
        rule_set(f"{WEB_ENI}security_groups: {{web: {{ingress: [{deny}], egress: []}}}}")


# --- what is never filtered --------------------------------------------------------------------------------
NOTHING_ALLOWED = """
interfaces:
  eni-web: {addresses: [10.0.1.10], subnet: a, security_groups: [web]}
security_groups:
  web: {ingress: [], egress: []}
network_acls:
  edge: {ingress: [], egress: []}
"""
IN_A_VPC = """
vpcs: {main: {cidrs: [10.0.0.0/16]}}
subnets:
  a: {cidr: 10.0.1.0/24, vpc: main, network_acl: edge}
"""
IN_A_SUBNET = """
subnets:
  a: {cidr: 10.0.1.0/24, network_acl: edge}
"""
SERVICES = [
    packet(WEB, "10.0.0.2", "UDP(sport=40000, dport=53)"),
    packet(WEB, "169.254.169.254", 'TCP(sport=40000, dport=80, flags="S")'),
    packet(WEB, "169.254.169.123", "UDP(sport=40000, dport=123)"),
    packet(WEB, "203.0.113.53", "UDP(sport=40000, dport=53)"),  # somebody else's DNS server
]


@pytest.mark.parametrize("column", [sg, stateless, nacl, path])
def test_no_rule_is_needed_for_what_aws_never_filters(column: Any) -> None:
    """Hence DNS can carry data out of a closed group: only Route 53 Resolver DNS Firewall sees it.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
    """
    assert column(NOTHING_ALLOWED + IN_A_VPC, SERVICES) == "EEED"
    answers = [
        packet("10.0.0.2", WEB, "UDP(sport=53, dport=40000)"),
        packet("203.0.113.53", WEB, "UDP(sport=53, dport=40000)"),
    ]
    assert column(NOTHING_ALLOWED + IN_A_VPC, answers) == "ED"
    # The resolver's address follows from the VPC's block: where no file states it, it is not guessed.
    assert column(NOTHING_ALLOWED + IN_A_SUBNET, SERVICES) == "DEED"


def test_the_rule_of_an_exempt_packet_is_its_service() -> None:
    found = judged(NOTHING_ALLOWED + IN_A_VPC, SERVICES, "path")
    assert [row["rule"] for row in found] == [
        "exempt:amazon-dns",
        "exempt:instance-metadata",
        "exempt:time-sync",
        None,
    ]
    assert found[-1]["reason"] == "no-egress-rule"


# --- inside a subnet ---------------------------------------------------------------------------------------
DEFAULT_GROUP = """
interfaces:
  eni-1: {addresses: [10.0.1.20], subnet: a, security_groups: [default]}
  eni-2: {addresses: [10.0.1.21], subnet: a, security_groups: [default]}
subnets:
  a: {cidr: 10.0.1.0/24, network_acl: closed}
security_groups:
  default:
    ingress: [{protocol: all, source: "sg:default"}]
    egress: [{protocol: all, destination: 0.0.0.0/0}]
network_acls:
  closed: {ingress: [], egress: []}
"""


def test_members_of_the_default_group_meet_no_network_acl_inside_their_subnet() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html"""
    inside = Tcp("10.0.1.20", "10.0.1.21", 80).send(">S <SA")
    story = [*inside, syn(CLIENT, "10.0.1.20", 80)]
    for at, expected in (("eni-1", "AAD"), ("eni-2", "AA")):
        for column in (sg, stateless, nacl, path):
            assert column(DEFAULT_GROUP, story, at=at) == expected
    assert reasons(DEFAULT_GROUP, story, "sg", at="eni-1")[-1] == "no-ingress-rule"
    assert reasons(DEFAULT_GROUP, story, "nacl", at="eni-1")[-1] == "nacl-ingress"
    assert reasons(DEFAULT_GROUP, story, "path", at="eni-1")[-1] == "nacl-ingress"  # it is asked first


# --- fragments ---------------------------------------------------------------------------------------------
def syslog(ingress: str, entry: str) -> str:
    """What a group and its network ACL let in."""
    return f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{{ingress}, source: 0.0.0.0/0}}], egress: []}}
network_acls:
  edge: {{ingress: [{{number: 100, action: allow, {entry}, source: 0.0.0.0/0}}], egress: []}}
"""


SYSLOG_IN = syslog("protocol: udp, ports: 514", "protocol: udp, ports: 514")


def fragments(port: int) -> list[Any]:
    """A datagram of 3000 bytes in three fragments: only the first has the ports."""
    found = packet(CLIENT, WEB, f"UDP(sport=40000, dport={port})/Raw(load={'x' * 3000!r})")
    pieces: list[Any] = found.fragment(fragsize=1480)
    return pieces


def test_a_table_judges_a_datagram_and_a_stateless_filter_its_fragments() -> None:
    """AWS does not say how security groups treat fragments: they are put together first, as Linux does."""
    assert len(fragments(514)) == 3
    for port, together, alone in ((514, "AAA", "ADD"), (515, "DDD", "DDD")):
        assert sg(SYSLOG_IN, fragments(port)) == together
        assert stateless(SYSLOG_IN, fragments(port)) == alone
        assert nacl(SYSLOG_IN, fragments(port)) == alone


def test_a_fragment_whose_datagram_never_comes_has_no_verdict_of_the_rules() -> None:
    tail = fragments(514)[2:]
    assert sg(SYSLOG_IN, tail) == "D"
    assert reasons(SYSLOG_IN, tail, "sg") == ["fragment-incomplete"]
    assert stateless(SYSLOG_IN, tail) == "D"
    assert reasons(SYSLOG_IN, tail, "stateless") == ["no-ingress-rule"]
    assert nacl(SYSLOG_IN, tail) == "D"


@pytest.mark.parametrize("service", ["protocol: udp, ports: all", "protocol: all"])
def test_stateless_filters_let_fragments_pass_that_are_not_asked_for_ports(service: str) -> None:
    rules = syslog(service, service)
    assert stateless(rules, fragments(514)) == "AAA"
    assert nacl(rules, fragments(514)) == "AAA"


def test_a_network_acl_by_port_starves_the_security_group_behind_it() -> None:
    """The later fragments never arrive, so that the datagram is never whole."""
    assert path(SYSLOG_IN, fragments(514)) == "DDD"
    told = reasons(SYSLOG_IN, fragments(514), "path")
    assert told == ["fragment-incomplete", "nacl-ingress", "nacl-ingress"]


# --- IPv6 forgotten ----------------------------------------------------------------------------------------
V6_CLIENT, V6_WEB = "2001:db8:7::7", "2001:db8:1::10"


def dual_stack(source: str, acl: str) -> str:
    """HTTPS in, on an interface with an address of each family."""
    return f"""
interfaces:
  eni-web: {{addresses: [{WEB}, "{V6_WEB}"], subnet: a, security_groups: [web]}}
vpcs: {{main: {{cidrs: [10.0.0.0/16, "2001:db8:1::/56"]}}}}
subnets:
  a: {{cidrs: [10.0.1.0/24, "2001:db8:1::/64"], vpc: main, network_acl: edge}}
security_groups:
  web: {{ingress: [{{type: HTTPS, source: "{source}"}}], egress: []}}
network_acls:
  edge: {acl}
"""


CUSTOM = "{vpc: main, ingress: [{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}], egress: []}"
DEFAULT = "{vpc: main, default: true}"


def test_a_rule_for_every_ipv4_address_is_none_for_ipv6() -> None:
    story = [syn(CLIENT, WEB, 443), syn(V6_CLIENT, V6_WEB, 443)]
    assert sg(dual_stack("0.0.0.0/0", CUSTOM), story) == "AD"
    assert stateless(dual_stack("0.0.0.0/0", CUSTOM), story) == "AD"
    assert nacl(dual_stack("0.0.0.0/0", CUSTOM), story) == "AD"
    assert judged(dual_stack("0.0.0.0/0", CUSTOM), story, "nacl")[1]["rule"] == "edge:ingress[*]"
    assert sg(dual_stack("::/0", CUSTOM), story) == "DA"
    assert stateless(dual_stack("::/0", CUSTOM), story) == "DA"


def test_the_default_network_acl_of_a_vpc_with_ipv6_has_an_entry_for_it() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html"""
    story = [syn(CLIENT, WEB, 443), syn(V6_CLIENT, V6_WEB, 443)]
    assert nacl(dual_stack("0.0.0.0/0", DEFAULT), story) == "AA"
    assert [row["rule"] for row in judged(dual_stack("0.0.0.0/0", DEFAULT), story, "nacl")] == [
        "edge:ingress[100]",
        "edge:ingress[101]",
    ]
    assert path(dual_stack("0.0.0.0/0", DEFAULT), story) == "AD"  # the security group still has none
