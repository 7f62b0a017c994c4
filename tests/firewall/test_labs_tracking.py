"""How long a connection is remembered, and how many are."""

import pytest

from pcaps.conversation import udp_exchange
from tests.firewall.labs import (
    APP,
    CLIENT,
    DB,
    HANDSHAKE,
    WEB,
    WEB_ENI,
    Tcp,
    judged,
    nacl,
    packet,
    reasons,
    rule_set,
    sg,
    stateless,
    syn,
    verdicts,
)


# --- a pool of database connections ------------------------------------------------------------------------
def pool(timeout: int | None) -> str:
    """An application and its database, both interfaces with this TcpEstablishedTimeout (None: the default)."""
    own = "" if timeout is None else f", connection_tracking: {{tcp_established_timeout: {timeout}}}"
    return f"""
interfaces:
  eni-app: {{addresses: [{APP}], subnet: a, security_groups: [app]{own}}}
  eni-db: {{addresses: [{DB}], subnet: b, security_groups: [db]{own}}}
subnets:
  a: {{cidr: 10.0.1.0/24, network_acl: acl-a}}
  b: {{cidr: 10.0.2.0/24, network_acl: acl-b}}
security_groups:
  app: {{ingress: [], egress: [{{protocol: tcp, ports: 3306, destination: "sg:db"}}]}}
  db: {{ingress: [{{protocol: tcp, ports: 3306, source: "sg:app"}}], egress: []}}
network_acls:
  acl-a:
    ingress: [{{number: 100, action: allow, protocol: tcp, ports: 1024-65535, source: 10.0.2.0/24}}]
    egress: [{{number: 100, action: allow, protocol: tcp, ports: 3306, destination: 10.0.2.0/24}}]
  acl-b:
    ingress: [{{number: 100, action: allow, protocol: tcp, ports: 3306, source: 10.0.1.0/24}}]
    egress: [{{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 10.0.1.0/24}}]
"""


def idle(script: str, *, keep_alive: bool = False) -> list[object]:
    """A query with its answer, 400 idle seconds (in between a keep-alive, if wanted), and what follows.

    The answer is acknowledged: an entry with unacknowledged data lives 300 s at most.
    """
    mysql = Tcp(APP, DB, 3306)
    opened = mysql.send(HANDSHAKE + " >A")
    pause = [300, *mysql.send(">A <A"), 100] if keep_alive else [400]
    return [*opened, *pause, *mysql.send(script)]


def late(rules: str, story: list[object], at: str, reading: str = "sg", **settings: str) -> str:
    """Letters of what follows the pause."""
    return verdicts(rules, story, reading, at=at, **settings)[6:]


def test_the_database_cannot_push_into_a_connection_that_idled_away() -> None:
    story = idle("<PA")
    assert late(pool(350), story, "eni-db") == "D"
    assert late(pool(350), story, "eni-app") == "N"
    assert reasons(pool(350), story, "sg", at="eni-db")[-1] == "no-egress-rule"
    assert reasons(pool(350), story, "sg", at="eni-db", tcp_loose="0")[-1] == "expired"


def test_whether_a_query_revives_a_connection_that_idled_away_is_a_choice() -> None:
    """AWS does not say whether a packet without SYN opens an entry; it drops in silence where a NAT gateway resets."""
    story = idle(">PA <PA")
    for at in ("eni-app", "eni-db"):
        assert late(pool(350), story, at, tcp_loose="1") == "AA"
    assert late(pool(350), story, "eni-app", tcp_loose="0") == "DN"
    assert late(pool(350), story, "eni-db", tcp_loose="0") == "ND"
    assert reasons(pool(350), story, "sg", at="eni-app", tcp_loose="0")[-2] == "expired"


@pytest.mark.parametrize("script", ["<PA", ">PA <PA"])
def test_the_default_timeout_or_a_keep_alive_saves_the_pool(script: str) -> None:
    for at in ("eni-app", "eni-db"):
        assert late(pool(None), idle(script), at) == "A" * len(script.split())
        assert late(pool(350), idle(script, keep_alive=True), at)[2:] == "A" * len(script.split())


def test_without_a_table_idling_changes_nothing() -> None:
    assert late(pool(350), idle("<PA"), "eni-db", "stateless") == "D"
    assert late(pool(350), idle(">PA <PA"), "eni-db", "stateless") == "AD"
    for script, expected in (("<PA", "A"), (">PA <PA", "AA")):
        for at in ("eni-app", "eni-db"):
            assert late(pool(350), idle(script), at, "nacl") == expected


# --- DNS ---------------------------------------------------------------------------------------------------
RESOLVER = "10.0.2.53"  # a host of its own: AWS's resolver is never filtered


def dns(tracking: str = "") -> str:
    """Queries out."""
    return f"""
interfaces:
  eni-web: {{addresses: [{WEB}], subnet: a, security_groups: [web]{tracking}}}
subnets:
  a: {{cidr: 10.0.1.0/24, network_acl: edge}}
security_groups:
  web: {{ingress: [], egress: [{{protocol: udp, ports: 53, destination: 0.0.0.0/0}}]}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, protocol: udp, ports: 1024-65535, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: udp, ports: 53, destination: 0.0.0.0/0}}]
"""


QUERY, ANSWER = udp_exchange(WEB, RESOLVER)


@pytest.mark.parametrize(("seconds", "expected"), [(1, "AA"), (45, "AD")])
def test_an_answer_is_awaited_for_thirty_seconds(seconds: int, expected: str) -> None:
    story = [QUERY, seconds, ANSWER]
    assert sg(dns(), story) == expected
    assert stateless(dns(), story) == "AD"
    assert nacl(dns(), story) == "AA"


def test_an_interface_may_wait_longer() -> None:
    longer = dns(", connection_tracking: {udp_timeout: 60}")
    assert sg(longer, [QUERY, 45, ANSWER]) == "AA"
    assert sg(longer, [QUERY, 60, ANSWER]) == "AD"


def test_what_a_udp_stream_is_differs_between_aws_and_linux() -> None:
    """AWS: more than one request with its response. Linux: answered, and older than two seconds."""
    transactions = [QUERY, ANSWER, QUERY, ANSWER, 100, ANSWER]
    assert sg(dns(), transactions, udp_stream="aws") == "AAAAA"
    assert sg(dns(), transactions, udp_stream="linux") == "AAAAD"
    slow = [QUERY, 1, ANSWER, 2, ANSWER, 100, ANSWER]
    assert sg(dns(), slow, udp_stream="aws") == "AAAD"
    assert sg(dns(), slow, udp_stream="linux") == "AAAA"
    assert sg(dns(), [QUERY, ANSWER, QUERY, ANSWER, 180, ANSWER]) == "AAAAD"
    assert stateless(dns(), transactions) == "ADADD"
    assert nacl(dns(), transactions) == "AAAAA"


# --- the end of a connection -------------------------------------------------------------------------------
SSH_IN = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{type: SSH, source: {CLIENT}/32}}], egress: []}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, type: SSH, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 0.0.0.0/0}}]
"""


@pytest.mark.parametrize(("seconds", "expected"), [(1, "A"), (130, "D")])
def test_a_repeated_fin_passes_while_the_close_is_remembered(seconds: int, expected: str) -> None:
    """Later it is what flow logs reject: it came after the connection was closed.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
    """
    ssh = Tcp(CLIENT, WEB, 22)
    opened, (fin, server_fin, last) = ssh.send(HANDSHAKE), ssh.send(">FA <FA >A")
    story = [*opened, fin, server_fin, last, seconds, server_fin]
    assert sg(SSH_IN, story) == "AAAAAAAA" + expected
    assert stateless(SSH_IN, story) == "ADAADADAD"
    assert nacl(SSH_IN, story) == "AAAAAAAAA"


def test_a_fin_of_a_forgotten_connection_is_told_expired() -> None:
    ssh = Tcp(CLIENT, WEB, 22)
    opened, (fin, server_fin, last) = ssh.send(HANDSHAKE), ssh.send(">FA <FA >A")
    found = judged(SSH_IN, [*opened, fin, server_fin, last, 1, server_fin, 130, server_fin], "sg")
    assert [(row["reason"], row["tcp_state"]) for row in found[-3:]] == [
        ("established", "TIME_WAIT"),
        ("established", "TIME_WAIT"),
        ("expired", None),
    ]


@pytest.mark.parametrize(("seconds", "expected"), [(0, "A"), (15, "D")])
def test_data_behind_a_reset_passes_for_ten_seconds(seconds: int, expected: str) -> None:
    ssh = Tcp(CLIENT, WEB, 22)
    story = [*ssh.send(HANDSHAKE + " >R"), seconds, *ssh.send("<PA")]
    assert sg(SSH_IN, story) == "AAAAAA" + expected
    assert stateless(SSH_IN, story) == "ADAADAD"
    assert nacl(SSH_IN, story) == "AAAAAAA"


# --- a full table ------------------------------------------------------------------------------------------
def three_at_most(source: str, egress: str, allowance: str = "allowance: 3") -> str:
    """HTTPS in from a source, on an instance with two interfaces."""
    return f"""{allowance}
interfaces:
  eni-web: {{addresses: [{WEB}], instance: i-web, subnet: a, security_groups: [web]}}
  eni-more: {{addresses: [10.0.1.11], instance: i-web, subnet: a, security_groups: [web]}}
  eni-other: {{addresses: [10.0.1.12], instance: i-other, subnet: a, security_groups: [web]}}
subnets:
  a: {{cidr: 10.0.1.0/24, network_acl: edge}}
security_groups:
  web: {{ingress: [{{type: HTTPS, source: {source}}}], egress: [{egress}]}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, type: HTTPS, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 0.0.0.0/0}}]
"""


CLIENTS = [f"10.0.3.{number}" for number in (1, 2, 3, 4)]
FOUR_SYNS = [syn(client, WEB, 443) for client in CLIENTS]
ALL_OUT = "{protocol: all, destination: 0.0.0.0/0}"


@pytest.mark.parametrize(("allowance", "settings"), [("allowance: 3", {}), ("", {"max": "3"})])
def test_a_full_table_refuses_the_fourth_client_until_an_entry_times_out(
    allowance: str, settings: dict[str, str]
) -> None:
    """The first client goes on meanwhile; the other two are never answered, and forgotten after 120 s."""
    rules = three_at_most("10.0.0.0/8", "", allowance)
    served = Tcp(CLIENTS[0], WEB, 443).send(HANDSHAKE)
    story = [served[0], *FOUR_SYNS[1:], *served[1:], 121, FOUR_SYNS[3]]
    assert sg(rules, story, **settings) == "AAADAAAAA"
    told = reasons(rules, story, "sg", **settings)
    assert told[3] == "table-full"
    assert told.count("table-full") == 1  # what ethtool shows as conntrack_allowance_exceeded
    assert stateless(rules, FOUR_SYNS) == "AAAA"
    assert nacl(rules, FOUR_SYNS) == "AAAA"


def test_untracked_connections_use_no_allowance() -> None:
    assert sg(three_at_most("0.0.0.0/0", ALL_OUT), FOUR_SYNS) == "AAAA"
    assert sg(three_at_most("0.0.0.0/0", ""), FOUR_SYNS) == "AAAD"


def test_the_interfaces_of_an_instance_share_its_allowance() -> None:
    rules = three_at_most("10.0.0.0/8", "")
    story = [*FOUR_SYNS[:3], syn(CLIENTS[0], "10.0.1.11", 443), syn(CLIENTS[0], "10.0.1.12", 443)]
    assert sg(rules, story) == "AAADA"


# --- ESP ---------------------------------------------------------------------------------------------------
GATEWAY = "203.0.113.9"
ESP = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [], egress: [{{protocol: 50, destination: {GATEWAY}/32}}]}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, protocol: 50, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: 50, destination: 0.0.0.0/0}}]
"""


def esp(src: str, dst: str) -> object:
    return packet(src, dst, "ESP(spi=7, seq=1)")


@pytest.mark.parametrize(("seconds", "expected"), [(10, "AA"), (700, "AD")])
def test_other_protocols_are_remembered_by_address_and_number_for_ten_minutes(seconds: int, expected: str) -> None:
    story = [esp(WEB, GATEWAY), seconds, esp(GATEWAY, WEB)]
    assert sg(ESP, story) == expected
    assert stateless(ESP, story) == "AD"
    assert nacl(ESP, story) == "AA"


def test_esp_of_another_host_is_no_answer() -> None:
    assert sg(ESP, [esp(WEB, GATEWAY), esp("203.0.113.10", WEB)]) == "AD"


SCTP_IN = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{protocol: sctp, ports: 9000, source: 0.0.0.0/0}}], egress: []}}
network_acls:
  edge: {{ingress: [{{number: 100, action: allow, protocol: sctp, ports: 9000, source: 0.0.0.0/0}}], egress: []}}
"""


def test_ports_of_a_rule_for_another_protocol_mean_nothing() -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"""
    rules = rule_set(SCTP_IN)
    assert [each.kind for each in rules.warnings] == ["ports-ignored", "ports-ignored"]
    story = [packet(CLIENT, WEB, f"SCTP(sport=1, dport={port})/SCTPChunkInit()") for port in (9000, 9001)]
    assert sg(rules, story) == "AA"
    assert stateless(rules, story) == "AA"
    assert nacl(rules, story) == "AA"
