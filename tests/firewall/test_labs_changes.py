"""Rules that change under a running connection: what a table remembers, and what it does not.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

import pytest

from pcaps.conversation import ping
from tests.firewall.labs import (
    CLIENT,
    HANDSHAKE,
    WEB,
    WEB_ENI,
    Tcp,
    judged,
    nacl,
    path,
    reasons,
    sg,
    stateless,
    syn,
)

REVOKE = 'revoke: ["web:ingress[0]"]'


# --- SSH ---------------------------------------------------------------------------------------------------
def ssh_from(source: str) -> str:
    """SSH in from a source, everything out."""
    return f"""{WEB_ENI}
security_groups:
  web:
    ingress: [{{type: SSH, source: {source}}}]
    egress: [{{protocol: all, destination: 0.0.0.0/0}}]
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, type: SSH, source: {source}}}]
    egress: [{{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}}]
"""


def session(*changes: str) -> list[object]:
    """A login; the changes; then the client types, the server answers, and the client dials again."""
    ssh = Tcp(CLIENT, WEB, 22)
    return [*ssh.send(HANDSHAKE), *changes, *ssh.send(">PA <PA"), syn(CLIENT, WEB, 22, sport=40001)]


def test_a_tracked_connection_outlives_the_rule_that_admitted_it() -> None:
    rules = ssh_from(f"{CLIENT}/32")
    assert sg(rules, session(REVOKE)) == "AAAAA|AAD"
    assert reasons(rules, session(REVOKE), "sg")[-3:] == ["established", "established", "no-ingress-rule"]
    assert judged(rules, session(REVOKE), "sg")[5]["rule"] == "web:ingress[0]"  # it is gone, and still the reason
    assert stateless(rules, session(REVOKE)) == "AAAAA|DAD"


def test_an_untracked_connection_ends_with_its_rule() -> None:
    """Open to anywhere both ways, nothing is remembered: the next packet meets the new rules."""
    rules = ssh_from("0.0.0.0/0")
    assert sg(rules, session(REVOKE)) == "AAAAA|DAD"
    assert reasons(rules, session(REVOKE), "sg") == [
        *["untracked"] * 5,
        *["no-ingress-rule", "untracked", "no-ingress-rule"],
    ]
    assert stateless(rules, session(REVOKE)) == "AAAAA|DAD"


@pytest.mark.parametrize("source", [f"{CLIENT}/32", "0.0.0.0/0"])
def test_a_network_acl_cuts_every_connection_at_once(source: str) -> None:
    delete = 'delete_entries: ["edge:ingress[100]"]'
    assert nacl(ssh_from(source), session(delete)) == "AAAAA|DAD"
    typed = session(delete)[:-2]  # what the client types is lost, so that no answer follows
    assert path(ssh_from(source), typed) == "AAAAA|D"
    assert reasons(ssh_from(source), typed, "path")[-1] == "nacl-ingress"


def test_a_connection_that_a_network_acl_cut_revives_with_the_entry() -> None:
    """The security group's table never heard of the cut."""
    ssh = Tcp(CLIENT, WEB, 22)
    opened, typed, answer = ssh.send(HANDSHAKE), ssh.send(">PA"), ssh.send("<PA")
    cut = 'delete_entries: ["edge:ingress[100]"]'
    healed = "put_entries: {network_acl: edge, ingress: [{number: 100, action: allow, type: SSH, source: 0.0.0.0/0}]}"
    story = [*opened, cut, *typed, healed, *typed, *answer]
    rules = ssh_from(f"{CLIENT}/32")
    assert path(rules, story) == "AAAAA|D|AA"
    assert reasons(rules, story, "path")[5:] == ["nacl-ingress", "established", "established"]


# --- isolation ---------------------------------------------------------------------------------------------
ISOLATION = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{type: SSH, source: {CLIENT}/32}}], egress: []}}
  anyone:
    ingress: [{{protocol: all, source: 0.0.0.0/0}}]
    egress: [{{protocol: all, destination: 0.0.0.0/0}}]
  isolated: {{ingress: [], egress: []}}
network_acls:
  edge: {{ingress: [{{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}}], egress: []}}
"""
OPEN = "replace_groups: {interface: eni-web, security_groups: [anyone]}"
ISOLATE = "replace_groups: {interface: eni-web, security_groups: [isolated]}"


def test_isolating_an_instance_leaves_its_tracked_connections_alone() -> None:
    assert sg(ISOLATION, session(ISOLATE)) == "AAAAA|AAD"
    assert stateless(ISOLATION, session(ISOLATE)) == "ADAAD|DDD"


def test_whether_opening_a_group_before_isolation_ends_connections_is_a_choice() -> None:
    """AWS documents neither; in two steps, tracked connections become untracked and then meet no rule."""
    ssh = Tcp(CLIENT, WEB, 22)
    story = [*ssh.send(HANDSHAKE), OPEN, *ssh.send(">PA"), ISOLATE, *ssh.send("<PA >PA")]
    assert sg(ISOLATION, story, on_widen="keep") == "AAAAA|A|AA"
    assert reasons(ISOLATION, story, "sg", on_widen="keep")[5:] == ["established"] * 3
    assert sg(ISOLATION, story, on_widen="convert") == "AAAAA|A|DD"
    told = reasons(ISOLATION, story, "sg", on_widen="convert")[5:]
    assert told == ["untracked", "no-egress-rule", "no-ingress-rule"]


# --- a running ping ----------------------------------------------------------------------------------------
PING_IN = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{protocol: icmp, icmp: 8/-1, source: {CLIENT}/32}}], egress: []}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, protocol: icmp, icmp: all, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: icmp, icmp: all, destination: 0.0.0.0/0}}]
"""


def running_ping(change: str) -> list[object]:
    """A ping, the change, the same ping on; its next echo after a pause; another ping."""
    pings = ping(CLIENT, WEB, count=3)
    return [*pings[:2], change, *pings[2:4], 31, pings[4], *ping(CLIENT, WEB, identifier=2, reply=False)]


def test_the_rule_is_gone_and_still_it_pings() -> None:
    story = running_ping(REVOKE)
    assert sg(PING_IN, story) == "AA|AADD"
    assert reasons(PING_IN, story, "sg")[2:] == ["established", "established", "no-ingress-rule", "no-ingress-rule"]
    # AWS does not say how long a ping is remembered: Linux's 30 s, or another time.
    assert sg(PING_IN, story, icmp_timeout="30") == "AA|AADD"
    assert sg(PING_IN, story, icmp_timeout="60") == "AA|AAAD"
    assert stateless(PING_IN, story) == "AD|DDDD"
    assert nacl(PING_IN, running_ping('delete_entries: ["edge:ingress[100]"]')) == "AA|DADD"
