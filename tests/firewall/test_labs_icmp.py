"""Ping and ICMP errors: types and codes, replies, and what path MTU discovery needs."""

from typing import Any

import pytest

from pcaps.conversation import ping
from tests.firewall.labs import (
    CLIENT,
    WEB,
    WEB_ENI,
    handshake,
    judged,
    nacl,
    packet,
    path,
    reasons,
    sg,
    stateless,
)

# --- ping --------------------------------------------------------------------------------------------------
PING_IN = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{protocol: icmp, icmp: 8/-1, source: 0.0.0.0/0}}], egress: []}}
network_acls:
  edge: {{ingress: [{{number: 100, action: allow, protocol: icmp, icmp: 8/-1, source: 0.0.0.0/0}}], egress: []}}
"""


def test_a_ping_is_answered_without_an_outbound_rule() -> None:
    story = ping(CLIENT, WEB)
    assert sg(PING_IN, story) == "AA"
    assert reasons(PING_IN, story, "sg") == ["rule", "established"]
    assert stateless(PING_IN, story) == "AD"
    assert nacl(PING_IN, story) == "AD"


def test_one_ping_is_both_accepted_and_rejected_in_a_flow_log() -> None:
    """The request passes both filters; the reply passes the security group and fails at the network ACL.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
    """
    request, reply = judged(PING_IN, ping(CLIENT, WEB), "path")
    assert (request["direction"], request["verdict"], request["reason"]) == ("ingress", "ALLOW", "rule")
    assert (reply["direction"], reply["verdict"], reply["reason"]) == ("egress", "DENY", "nacl-egress")
    assert (reply["ct_state"], reply["rule"]) == ("ESTABLISHED", "edge:egress[*]")


def ping_rules(icmp: str, protocol: str = "icmp", peer: str = "0.0.0.0/0") -> str:
    """A type and code allowed to come in, and with it the echo reply out of the network ACL."""
    return f"""
interfaces:
  eni-web: {{addresses: [{WEB}, "2001:db8:1::10"], subnet: a, security_groups: [web]}}
subnets:
  a: {{cidrs: [10.0.1.0/24, "2001:db8:1::/64"], network_acl: edge}}
security_groups:
  web: {{ingress: [{{protocol: {protocol}, icmp: {icmp}, source: "{peer}"}}], egress: []}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, protocol: {protocol}, icmp: {icmp}, source: "{peer}"}}]
    egress: [{{number: 100, action: allow, protocol: {protocol}, icmp: {icmp}, destination: "{peer}"}}]
"""


@pytest.mark.parametrize(
    ("icmp", "stateful", "alone", "acl"),
    [
        ("0/8", "DD", "DD", "DD"),  # echo reply with code 8, which there is not
        ("8/8", "DD", "DD", "DD"),  # echo request with code 8
        ("8/0", "AA", "AD", "AD"),
        ("8/-1", "AA", "AD", "AD"),
        ("-1/-1", "AA", "AD", "AA"),  # the entry out is as wide as the one in; the group has no rule out
    ],
)
def test_from_port_and_to_port_of_icmp_are_type_and_code_and_no_range(
    icmp: str, stateful: str, alone: str, acl: str
) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"""
    rules, story = ping_rules(icmp), ping(CLIENT, WEB)
    assert sg(rules, story) == stateful
    assert stateless(rules, story) == alone
    assert nacl(rules, story) == acl


@pytest.mark.parametrize(
    ("protocol", "icmp", "peer", "v4", "v6"),
    [
        ("icmp", "all", "0.0.0.0/0", "AA", "DD"),
        ("icmpv6", "all", "::/0", "DD", "AA"),
        ("icmpv6", "128/0", "::/0", "DD", "AA"),
    ],
)
def test_ping_over_ipv6_is_another_protocol(protocol: str, icmp: str, peer: str, v4: str, v6: str) -> None:
    rules = ping_rules(icmp, protocol, peer)
    assert sg(rules, ping(CLIENT, WEB)) == v4
    assert sg(rules, ping("2001:db8:7::7", "2001:db8:1::10")) == v6


def test_a_reply_belongs_to_the_ping_with_its_identifier() -> None:
    (echo,), (_, stranger) = ping(CLIENT, WEB, reply=False), ping(CLIENT, WEB, identifier=9)
    assert sg(PING_IN, [echo, stranger]) == "AD"
    assert reasons(PING_IN, [echo, stranger], "sg") == ["rule", "invalid-state"]


# --- path MTU discovery ------------------------------------------------------------------------------------
ROUTER = "192.0.2.1"
NEEDED = "{protocol: icmp, icmp: 3/4, source: 0.0.0.0/0}"


def https_rules(*ingress: str, egress: str = "", more: str = "") -> str:
    """HTTPS in, and what else a group lets in and out."""
    https = "{type: HTTPS, source: 0.0.0.0/0}"
    return f"""{WEB_ENI}{more}
security_groups:
  web: {{ingress: [{", ".join((https, *ingress))}], egress: [{egress}]}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, type: HTTPS, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 0.0.0.0/0}}]
"""


def too_big(client: str, port: int) -> Any:
    """A router says that a packet of the server to this client did not fit (RFC 1191)."""
    return packet(
        ROUTER,
        WEB,
        f'ICMP(type=3, code=4, nexthopmtu=1400)/IP(src="{WEB}", dst="{client}")/TCP(sport=443, dport={port})',
    )


# An established connection; then errors about it, and about one that never was.
PMTUD = [*handshake(CLIENT, WEB, 443), too_big(CLIENT, 40000), too_big("198.51.100.99", 40000)]
OPEN_OUT = "{protocol: all, destination: 0.0.0.0/0}"


@pytest.mark.parametrize(
    ("rules", "errors"),
    [
        (https_rules(), "DD"),
        (https_rules(NEEDED), "AA"),  # a rule admits the error whatever it quotes
        (https_rules(more="auto_tracked: [198.51.100.7/32]"), "AD"),
        (https_rules(egress=OPEN_OUT), "AD"),  # untracked
    ],
    ids=["tracked", "a rule for ICMP", "automatically tracked", "untracked"],
)
def test_aws_needs_a_rule_for_path_mtu_discovery_of_tracked_connections(rules: str, errors: str) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html"""
    assert sg(rules, PMTUD) == "AAAAA" + errors


def test_where_linux_relates_an_error_to_its_connection_aws_wants_a_rule() -> None:
    assert sg(https_rules(), PMTUD, icmp_errors="aws") == "AAAAADD"
    assert reasons(https_rules(), PMTUD, "sg", icmp_errors="aws")[-2:] == ["no-ingress-rule"] * 2
    assert sg(https_rules(), PMTUD, icmp_errors="related") == "AAAAAAD"
    assert reasons(https_rules(), PMTUD, "sg", icmp_errors="related")[-2:] == ["related", "icmp-unrelated"]


def test_stateless_filters_need_a_rule_for_every_icmp_error() -> None:
    rules = https_rules()
    assert stateless(rules, PMTUD) == "ADAADDD"
    assert nacl(rules, PMTUD) == "AAAAADD"
    entry = "put_entries: {network_acl: edge, ingress: [" + NEEDED.replace("{", "{number: 110, action: allow, ") + "]}"
    assert nacl(rules, [entry, *PMTUD]) == "|AAAAAAA"
    assert path(https_rules(NEEDED), PMTUD) == "AAAAADD"
    assert path(https_rules(NEEDED), [entry, *PMTUD]) == "|AAAAAAA"
