"""What becomes of the answers: a table lets them pass, rules by themselves need another one."""

from dataclasses import replace

import pytest

from tests.firewall.labs import (
    APP,
    APP_AND_DB_ENIS,
    CLIENT,
    DB,
    OPEN_ACLS,
    WEB,
    WEB_ENI,
    handshake,
    judged,
    nacl,
    path,
    reasons,
    rule_set,
    sg,
    stateless,
    syn,
)

# --- SSH in ------------------------------------------------------------------------------------------------
SSH_IN = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{type: SSH, source: {CLIENT}/32}}], egress: []}}
"""
SSH_EDGE = """
network_acls:
  edge:
    ingress: [{number: 100, action: allow, type: SSH, source: 0.0.0.0/0}]
    egress: []
"""
SSH_EDGE_WITH_ANSWERS = """
network_acls:
  edge:
    ingress: [{number: 100, action: allow, type: SSH, source: 0.0.0.0/0}]
    egress: [{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 198.51.100.7/32}]
"""


def test_who_may_log_in_gets_answers_without_an_outbound_rule() -> None:
    story = handshake(CLIENT, WEB, 22)
    assert sg(SSH_IN + SSH_EDGE, story) == "AAAAA"
    assert reasons(SSH_IN + SSH_EDGE, story, "sg") == ["rule"] + ["established"] * 4
    assert stateless(SSH_IN + SSH_EDGE, story) == "ADAAD"
    assert nacl(SSH_IN + SSH_EDGE, story) == "ADAAD"
    assert reasons(SSH_IN + SSH_EDGE, story, "nacl") == ["rule", "nacl-egress", "rule", "rule", "nacl-egress"]
    assert nacl(SSH_IN + SSH_EDGE_WITH_ANSWERS, story) == "AAAAA"
    assert path(SSH_IN + SSH_EDGE, story) == "ADAAD"  # the weaker of the two decides
    assert path(SSH_IN + SSH_EDGE_WITH_ANSWERS, story) == "AAAAA"


# --- HTTPS out ---------------------------------------------------------------------------------------------
SITE = "203.0.113.80"
HTTPS_OUT = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [], egress: [{{type: HTTPS, destination: 0.0.0.0/0}}]}}
"""


def https_edge(answers: str) -> str:
    """HTTPS out, and answers in to a range of ports."""
    return f"""
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, protocol: tcp, ports: {answers}, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, type: HTTPS, destination: 0.0.0.0/0}}]
"""


@pytest.mark.parametrize(
    ("answers", "client_port", "expected"),
    [
        ("32768-65535", 40000, "AAAAA"),  # Linux
        ("32768-65535", 2048, "ADAAD"),  # NAT gateways, load balancers and Lambda begin at 1024
        ("1024-65535", 2048, "AAAAA"),
    ],
)
def test_a_network_acl_must_know_the_ephemeral_ports_of_its_clients(
    answers: str, client_port: int, expected: str
) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html, ephemeral ports"""
    story = handshake(WEB, SITE, 443, client_port)
    rules = HTTPS_OUT + https_edge(answers)
    assert sg(rules, story) == "AAAAA"
    assert stateless(rules, story) == "ADAAD"
    assert nacl(rules, story) == expected
    assert path(rules, story[:2]) == expected[:2]  # where the answer is lost, nothing follows


def test_an_answer_that_no_table_expects_is_denied_on_its_way_in() -> None:
    rules = HTTPS_OUT + https_edge("32768-65535")
    told = reasons(rules, handshake(WEB, SITE, 443), "stateless")
    assert told == ["rule", "no-ingress-rule", "rule", "rule", "no-ingress-rule"]
    told = reasons(rules, handshake(WEB, SITE, 443, 2048), "nacl")
    assert told == ["rule", "nacl-ingress", "rule", "rule", "nacl-ingress"]


# --- from the application to its database ------------------------------------------------------------------
APP_TO_DB = f"""{APP_AND_DB_ENIS}
security_groups:
  app: {{ingress: [], egress: [{{protocol: tcp, ports: 3306, destination: "sg:db"}}]}}
  db: {{ingress: [{{protocol: tcp, ports: 3306, source: "sg:app"}}], egress: []}}
"""
MYSQL_ONLY_ACLS = """
network_acls:
  acl-a: {ingress: [], egress: [{number: 100, action: allow, protocol: tcp, ports: 3306, destination: 10.0.2.0/24}]}
  acl-b: {ingress: [{number: 100, action: allow, protocol: tcp, ports: 3306, source: 10.0.1.0/24}], egress: []}
"""


def test_both_ends_of_a_connection_judge_it_and_both_remember_it() -> None:
    rules, story = APP_TO_DB + OPEN_ACLS, handshake(APP, DB, 3306)
    assert sg(rules, story, at="eni-app") == "AAAAA"
    assert sg(rules, story, at="eni-db") == "AAAAA"
    opened = [(row["eni"], row["direction"], row["rule"]) for row in judged(rules, story, "sg")[:2]]
    assert opened == [("eni-app", "egress", "app:egress[0]"), ("eni-db", "ingress", "db:ingress[0]")]
    # Without tables the database's answers end at its own interface: the application's never sees them.
    assert stateless(rules, story, at="eni-db") == "ADAAD"
    assert stateless(rules, story, at="eni-app") == "ANAAN"
    assert reasons(rules, story, "stateless", at="eni-app")[1] == "dropped-at-sender"


@pytest.mark.parametrize(
    ("missing", "app", "db"),
    [("app", "D", "N"), ("db", "A", "D")],
)
def test_either_end_alone_can_refuse_a_connection(missing: str, app: str, db: str) -> None:
    rules = rule_set(APP_TO_DB + OPEN_ACLS)
    group = replace(rules.groups[missing], ingress=(), egress=())
    rules = replace(rules, groups=rules.groups | {missing: group})
    story = [syn(APP, DB, 3306)]
    assert sg(rules, story, at="eni-app") == app
    assert sg(rules, story, at="eni-db") == db


def test_a_round_trip_between_subnets_meets_four_lists_of_network_acl_entries() -> None:
    story = handshake(APP, DB, 3306)
    for at in ("eni-app", "eni-db"):
        assert nacl(APP_TO_DB + OPEN_ACLS, story, at=at) == "AAAAA"
        assert path(APP_TO_DB + OPEN_ACLS, story, at=at) == "AAAAA"
    request, answer = (
        judged(APP_TO_DB + OPEN_ACLS, story, "nacl")[:2],
        judged(APP_TO_DB + OPEN_ACLS, story, "nacl")[2:4],
    )
    assert [row["rule"] for row in request] == ["acl-a:egress[100]", "acl-b:ingress[100]"]
    assert [row["rule"] for row in answer] == ["acl-b:egress[100]", "acl-a:ingress[100]"]


def test_network_acls_that_know_only_the_request_stop_the_answer_at_the_databases_border() -> None:
    rules, story = APP_TO_DB + MYSQL_ONLY_ACLS, handshake(APP, DB, 3306)
    assert nacl(rules, story, at="eni-db") == "ADAAD"
    assert nacl(rules, story, at="eni-app") == "ANAAN"
    assert path(rules, story[:2]) == "AADN"  # the SYN at both ends, its answer at the first
    denied = judged(rules, story, "path")[2]
    assert (denied["eni"], denied["reason"], denied["rule"]) == ("eni-db", "nacl-egress", "acl-b:egress[*]")
    assert denied["ct_state"] == "ESTABLISHED"  # the security group, asked first, had let it pass


# --- FTP ---------------------------------------------------------------------------------------------------
FTP_IN = f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{protocol: tcp, ports: 21, source: 0.0.0.0/0}}], egress: []}}
network_acls:
  edge: {{ingress: [{{number: 100, action: allow, protocol: tcp, ports: 21, source: 0.0.0.0/0}}], egress: []}}
"""


def test_the_data_connection_of_passive_ftp_needs_a_rule_of_its_own() -> None:
    """AWS has no helper that reads the control connection, and neither is one simulated."""
    story = [*handshake(CLIENT, WEB, 21), syn(CLIENT, WEB, 50123, sport=40001)]
    assert sg(FTP_IN, story) == "AAAAAD"
    assert reasons(FTP_IN, story, "sg")[-1] == "no-ingress-rule"
    assert stateless(FTP_IN, story) == "ADAADD"
    assert nacl(FTP_IN, story) == "ADAADD"
