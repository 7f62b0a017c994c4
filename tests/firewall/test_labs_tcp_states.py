"""What TCP states buy: scans, and connections of which one interface sees one half."""

from tests.firewall.labs import (
    CLIENT,
    WEB,
    WEB_ENI,
    Tcp,
    nacl,
    packet,
    reasons,
    sg,
    stateless,
)

# --- scans -------------------------------------------------------------------------------------------------
SCANNER = "10.0.3.9"
FLAGS = ("A", "SA", "F", "", "FPU", "R", "PA")  # ACK, SYN-ACK, FIN, NULL, Xmas, RST, PSH-ACK
SCANS = [
    packet(SCANNER, WEB, f'TCP(sport={50000 + number}, dport=443, flags="{flags}")')
    for number, flags in enumerate(FLAGS)
]


def https(source: str, egress: str) -> str:
    """HTTPS in from a source."""
    return f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{{type: HTTPS, source: {source}}}], egress: [{egress}]}}
network_acls:
  edge: {{ingress: [{{number: 100, action: allow, type: HTTPS, source: {source}}}], egress: []}}
"""


ALL_OUT = "{protocol: all, destination: 0.0.0.0/0}"


def test_a_table_refuses_scans_that_no_connection_begins_with() -> None:
    tracked = https("10.0.0.0/8", "")
    assert sg(tracked, SCANS, tcp_loose="1") == "ADDDDDA"
    assert sg(tracked, SCANS, tcp_loose="0") == "DDDDDDD"
    assert reasons(tracked, SCANS, "sg", tcp_loose="1") == [
        *["rule", "mid-stream", "bad-flags", "bad-flags", "bad-flags", "mid-stream", "rule"],
    ]
    assert reasons(tracked, SCANS, "sg", tcp_loose="0")[0] == "mid-stream"


def test_untracked_rules_and_stateless_filters_let_every_scan_of_an_open_port_pass() -> None:
    untracked = https("0.0.0.0/0", ALL_OUT)
    assert sg(untracked, SCANS) == "AAAAAAA"
    assert set(reasons(untracked, SCANS, "sg")) == {"untracked"}
    for rules in (https("10.0.0.0/8", ""), untracked):
        assert stateless(rules, SCANS) == "AAAAAAA"
        assert nacl(rules, SCANS) == "AAAAAAA"


# --- asymmetric routes -------------------------------------------------------------------------------------
# Requests enter by one interface and answers leave by another, so that each sees one half of a connection
# to one address. Each half is judged by itself: an address belongs to one interface of a rule file.
def half(ingress: str, egress: str) -> str:
    """The interface, with the lists of its own subnet."""
    return f"""{WEB_ENI}
security_groups:
  web: {{ingress: [{ingress}], egress: [{egress}]}}
network_acls:
  edge:
    ingress: [{{number: 100, action: allow, type: HTTPS, source: 0.0.0.0/0}}]
    egress: [{{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 0.0.0.0/0}}]
"""


HTTPS_IN = "{type: HTTPS, source: 0.0.0.0/0}"
ALL_IN = "{protocol: all, source: 0.0.0.0/0}"
BOTH = Tcp(CLIENT, WEB, 443).send(">S <SA >A >PA <PA")
REQUESTS, ANSWERS = [BOTH[0], BOTH[2], BOTH[3]], [BOTH[1], BOTH[4]]


def test_the_interface_of_the_requests_never_sees_the_handshake_answered() -> None:
    """AWS says that asymmetric routes make tracked connections slower, not that they fail.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
    """
    rules = half(HTTPS_IN, "")
    assert sg(rules, REQUESTS, tcp_state="linux") == "ADD"
    assert reasons(rules, REQUESTS, "sg", tcp_state="linux")[1:] == ["invalid-state", "invalid-state"]
    assert sg(rules, REQUESTS, tcp_state="liberal") == "AAA"
    assert stateless(rules, REQUESTS) == "AAA"
    assert nacl(rules, REQUESTS) == "AAA"


def test_the_interface_of_the_answers_never_saw_them_asked_for() -> None:
    closed, opened = half("", ""), half("", ALL_OUT)
    for choice in ("linux", "liberal"):
        assert sg(closed, ANSWERS, tcp_state=choice) == "DD"
    assert sg(opened, ANSWERS, tcp_state="linux") == "DA"
    assert sg(opened, ANSWERS, tcp_state="linux", tcp_loose="0") == "DD"
    assert stateless(closed, ANSWERS) == "DD"
    assert stateless(opened, ANSWERS) == "AA"
    assert nacl(opened, ANSWERS) == "AA"


def test_a_liberal_table_lets_the_answers_of_asymmetric_routes_pass() -> None:
    assert sg(half("", ALL_OUT), ANSWERS, tcp_state="liberal") == "AA"
    assert sg(half("", ALL_OUT), ANSWERS, tcp_state="liberal", tcp_loose="0") == "DD"


def test_untracked_rules_do_not_mind_asymmetric_routes() -> None:
    """To each interface the first packet that it sees is the first: the one of the answers must be open inwards."""
    assert sg(half(HTTPS_IN, ALL_OUT), REQUESTS) == "AAA"
    assert sg(half(HTTPS_IN, ALL_OUT), ANSWERS) == "DA"
    assert sg(half(ALL_IN, ALL_OUT), ANSWERS) == "AA"
    assert set(reasons(half(ALL_IN, ALL_OUT), ANSWERS, "sg")) == {"untracked"}
