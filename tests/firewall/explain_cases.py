"""A packet for every reason: rules, the words of the command, and who is explained."""

from typing import NamedTuple

from pcaps.samples import rules, sample

CLIENT, OTHER, WEB, APP, DB = "198.51.100.7", "203.0.113.9", "10.0.1.10", "10.0.1.20", "10.0.2.30"

WEB_RULES = """
security_groups:
  web:
    ingress:
      - {protocol: tcp, ports: 80, source: 0.0.0.0/0}
      - {protocol: tcp, ports: 22, source: 203.0.113.0/24, description: office}
      - {protocol: tcp, ports: 8000-8080, source: 10.0.0.0/16}
      - {protocol: icmp, icmp: 8/-1, source: 0.0.0.0/0}
    egress:
      - {protocol: udp, ports: 53, destination: 192.0.2.0/24}
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""
OPEN_BOTH_WAYS = """
security_groups:
  web:
    ingress: [{protocol: tcp, ports: 80, source: 0.0.0.0/0}]
    egress: [{protocol: all, destination: 0.0.0.0/0}]
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""
UNKNOWN_MEMBERS = """
security_groups:
  web:
    ingress: [{protocol: tcp, ports: 8080, source: "sg:app"}]
    egress: []
  app: {egress: []}
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""
TWO_TIERS = """
security_groups:
  app: {ingress: [], egress: [{protocol: tcp, ports: 3306, destination: "sg:db"}]}
  db: {ingress: [{protocol: tcp, ports: 3306, source: "sg:web"}], egress: []}
  web: {egress: []}
interfaces:
  eni-app: {addresses: [10.0.1.20], security_groups: [app]}
  eni-db: {addresses: [10.0.2.30], security_groups: [db]}
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""
GUARDED = """
security_groups:
  web:
    ingress: [{protocol: tcp, ports: 80, source: 0.0.0.0/0}]
    egress: []
subnets:
  a: {cidr: 10.0.1.0/24, network_acl: edge}
network_acls:
  edge:
    ingress:
      - {number: 90, action: deny, protocol: all, source: 203.0.113.0/24}
      - {number: 100, action: allow, protocol: tcp, ports: 80, source: 0.0.0.0/0}
    egress:
      - {number: 100, action: allow, protocol: tcp, ports: 32768-65535, destination: 0.0.0.0/0}
interfaces:
  eni-web: {addresses: [10.0.1.10], subnet: a, security_groups: [web]}
"""


class Case(NamedTuple):
    """`rules` is a text or a file; `words` stand behind them. The verdict and reasons that must come, in order."""

    name: str
    reasons: tuple[str, ...]
    rules: str
    words: tuple[str, ...]


def ip(src: str, dst: str, above: str, **ip_fields: str) -> str:
    more = "".join(f", {name}={value}" for name, value in ip_fields.items())
    return f'{"IPv6" if ":" in src else "IP"}(src="{src}", dst="{dst}"{more})/{above}'


def tcp(src: str, dst: str, sport: int, dport: int, flags: str, more: str = "", **ip_fields: str) -> str:
    return ip(src, dst, f'TCP(sport={sport}, dport={dport}, flags="{flags}"{more})', **ip_fields)


def crafted(*expressions: str) -> tuple[str, ...]:
    return tuple(word for expression in expressions for word in ("--craft", expression))


def handshake(sport: int = 40000, at: float = 0.0) -> list[str]:
    return [
        tcp(CLIENT, WEB, sport, 80, "S", ", seq=1000", time=str(at)),
        tcp(WEB, CLIENT, 80, sport, "SA", ", seq=5000, ack=1001, window=1000"),
        tcp(CLIENT, WEB, sport, 80, "A", ", seq=1001, ack=5001, window=1000"),
    ]


def recorded(name: str, packet: int) -> tuple[str, tuple[str, ...]]:
    return str(rules(name)), (str(sample(name)), "--packet", str(packet))


UNREACHABLE = 'ICMP(type="dest-unreach", code=3)'
QUOTED = 'IP(src="10.0.1.10", dst="192.0.2.53")/UDP(sport=5000, dport=53)'
LINUX = ("--profile", "linux")
SEEN_HERE = ("--eni", "eni-web=crafted")

CASES = (
    Case("rule", ("rule",), WEB_RULES, crafted(tcp(CLIENT, WEB, 40000, 80, "S"))),
    Case("established", ("established",), *recorded("web-http", 4)),
    Case(
        "related",
        ("related",),
        WEB_RULES,
        crafted(ip(WEB, "192.0.2.53", "UDP(sport=5000, dport=53)"), ip("192.0.2.1", WEB, f"{UNREACHABLE}/{QUOTED}"))
        + LINUX,
    ),
    Case("untracked", ("untracked",), OPEN_BOTH_WAYS, crafted(tcp(CLIENT, WEB, 40000, 80, "S"))),
    Case("exempt", ("exempt",), WEB_RULES, crafted(ip(WEB, "169.254.169.253", "UDP(sport=5000, dport=53)"))),
    Case("no-ingress-rule", ("no-ingress-rule",), *recorded("web-http", 43)),
    Case("no-egress-rule", ("no-egress-rule",), *recorded("web-http", 45)),
    Case("no-ingress-rule-source", ("no-ingress-rule",), WEB_RULES, crafted(tcp(CLIENT, WEB, 40000, 22, "S"))),
    Case(
        "no-egress-rule-late",
        ("no-egress-rule",),
        *recorded("idle", 12)[:1],
        (*recorded("idle", 12)[1], "--set", "udp_timeout=2"),
    ),
    Case("mid-stream", ("mid-stream",), *recorded("web-http", 44)),
    Case("bad-flags", ("bad-flags",), WEB_RULES, crafted(tcp(CLIENT, WEB, 40000, 80, "SF"))),
    Case("bad-header", ("bad-header",), WEB_RULES, crafted(tcp(CLIENT, WEB, 40000, 80, "S", ", dataofs=2"))),
    Case(
        "invalid-state",
        ("invalid-state",),
        WEB_RULES,
        crafted(ip(CLIENT, WEB, 'ICMP(type="echo-reply", id=7)')),
    ),
    Case(
        "invalid-state-tcp",
        ("invalid-state",),
        WEB_RULES,
        crafted(handshake()[0], tcp(CLIENT, WEB, 40000, 80, "A", ", seq=1001, ack=1")),
    ),
    Case(
        "out-of-window",
        ("out-of-window",),
        WEB_RULES,
        crafted(*handshake(), tcp(CLIENT, WEB, 40000, 80, "PA", ", seq=90000, ack=5001")),
    ),
    Case(
        "expired",
        ("expired",),
        WEB_RULES,
        (
            *("--set", "tcp_timeout_established=350", "--set", "tcp_loose=0"),
            *crafted(*handshake(), tcp(WEB, CLIENT, 80, 40000, "PA", ", seq=5001, ack=1001", time="500")),
        ),
    ),
    Case(
        "icmp-unrelated",
        ("icmp-unrelated",),
        WEB_RULES,
        crafted(ip("192.0.2.1", WEB, f"{UNREACHABLE}/{QUOTED}")) + LINUX,
    ),
    Case(
        "fragment-incomplete",
        ("fragment-incomplete",),
        WEB_RULES,
        crafted(ip(OTHER, WEB, 'UDP(sport=5000, dport=53)/Raw("12345678")', flags='"MF"')),
    ),
    Case(
        "table-full",
        ("table-full",),
        WEB_RULES,
        ("--set", "max=1", *crafted(tcp(CLIENT, WEB, 40000, 80, "S"), tcp(CLIENT, WEB, 40001, 80, "S"))),
    ),
    Case("nacl-ingress", ("nacl-ingress",), GUARDED, crafted(tcp(OTHER, WEB, 40000, 80, "S"))),
    Case(
        "nacl-egress",
        ("nacl-egress",),
        GUARDED,
        crafted(tcp(CLIENT, WEB, 2048, 80, "S"), tcp(WEB, CLIENT, 80, 2048, "SA", ", ack=1")),
    ),
    Case(
        "source-dest-check",
        ("source-dest-check",),
        WEB_RULES,
        crafted(f"CookedLinux(pkttype=0, proto=0x800)/{tcp(CLIENT, '10.0.1.99', 40000, 80, 'S')}") + SEEN_HERE,
    ),
    Case(
        "untracked-dropped",
        ("untracked-dropped",),
        WEB_RULES.replace("[10.0.1.10]", '["2001:db8::10"]'),
        crafted(ip("2001:db8::9", "2001:db8::10", 'ICMPv6ND_NS(tgt="2001:db8::10")')) + LINUX,
    ),
    Case("undecidable", ("undecidable",), UNKNOWN_MEMBERS, crafted(tcp(APP, WEB, 40000, 8080, "S"))),
    Case("not-ip", ("not-ip",), *recorded("web-http", 1)),
    Case("malformed", ("malformed",), WEB_RULES, crafted(ip(CLIENT, WEB, 'Raw("x")', ihl="3"))),
    Case("other-interface", ("other-interface",), WEB_RULES, crafted(tcp(CLIENT, OTHER, 40000, 80, "S"))),
    Case("local", ("local",), WEB_RULES, crafted(tcp(WEB, WEB, 40000, 80, "S"))),
    Case(
        "not-delivered", ("not-delivered",), WEB_RULES, crafted(ip(WEB, "224.0.0.251", "UDP(sport=5353, dport=5353)"))
    ),
    Case("two-interfaces", ("rule", "no-ingress-rule"), TWO_TIERS, crafted(tcp(APP, DB, 40000, 3306, "S"))),
    Case(
        "dropped-at-sender", ("no-egress-rule", "dropped-at-sender"), TWO_TIERS, crafted(tcp(WEB, DB, 40000, 3306, "S"))
    ),
)
