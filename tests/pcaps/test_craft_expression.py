"""Expressions: what may be written, what it stands for, and what hostile text gets instead of being run."""

import socket
from typing import Any

import pytest
from scapy.config import conf
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from pcaps.craft import layer_class, packets_to_frames, parse
from pcaps.errors import CraftError
from pcaps.expression import MAX_ALL_LAYERS, MAX_DEPTH, MAX_LAYERS, MAX_TEXT
from pcaps.layers import MODULES
from pcaps.spread import MAX_PACKETS

pytestmark = pytest.mark.compiled_only


class LookUp(BaseException):
    """Something asked the resolver, the routes or ARP; no handler of Exception may hide it."""


@pytest.fixture(autouse=True)
def no_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **_: object) -> None:
        raise LookUp(args)

    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "socket"):
        monkeypatch.setattr(socket, name, refuse)
    for owner, name in ((conf.route, "route"), (conf.route6, "route"), (conf.neighbor, "resolve")):
        monkeypatch.setattr(owner, name, refuse)


def one(text: str) -> Any:
    (packet,) = parse(text)
    return packet


def refused(text: str) -> list[str]:
    """The lines of the error: message, expression, carets."""
    with pytest.raises(CraftError) as caught:
        packets_to_frames(parse(text))
    return str(caught.value).split("\n")


# --- what may be written ---------------------------------------------------------------------------
ADDRESSES: dict[str, Any] = {"src": "203.0.113.9", "dst": "10.0.1.10"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'IP(src="203.0.113.9", dst="10.0.1.10")/TCP(dport=22, flags="S")',
            IP(**ADDRESSES) / TCP(dport=22, flags="S"),
        ),
        (
            'CookedLinux()/IP(src="203.0.113.9", dst="10.0.1.10")/UDP()/b"payload"',
            CookedLinux() / IP(**ADDRESSES) / UDP() / b"payload",
        ),
        (
            'Ether(src="02:00:00:00:00:09", dst="02:00:00:00:00:0a")/Dot1Q(vlan=5)',
            Ether(src="02:00:00:00:00:09", dst="02:00:00:00:00:0a") / Dot1Q(vlan=5),
        ),
        ('IP(src="203.0.113.9", dst="10.0.1.10")/ICMP()/"text"', IP(**ADDRESSES) / ICMP() / "text"),
        ('Raw(b"..")', Raw(b"..")),
        ('Raw(load="é")', Raw("é".encode())),
        (
            'TCP(options=[("MSS", 1460), ("WScale", 7), ("SAckOK", b""), ("NOP", None)])',
            TCP(options=[("MSS", 1460), ("WScale", 7), ("SAckOK", b""), ("NOP", None)]),
        ),
        ('IP(src="203.0.113.9", dst="10.0.1.10")/(UDP()/"x")', IP(**ADDRESSES) / UDP() / "x"),
        (
            'IP(src="203.0.113.9", dst="10.0.1.10") / UDP(\n)',
            IP(**ADDRESSES) / UDP(),
        ),
        ('IP(src="203.0.113.9", dst="10.0.1.10", chksum=None)/UDP(sport=0x35)', IP(**ADDRESSES) / UDP(sport=0x35)),
    ],
)
def test_an_expression_is_the_packet_that_scapy_makes_of_it(text: str, expected: Any) -> None:
    assert bytes(one(text)) == bytes(expected)


@pytest.mark.parametrize(
    "text",
    [
        'IPv6(dst="2001:db8::10")/ICMPv6EchoRequest(id=1)',
        "IPv6()/IPv6ExtHdrHopByHop(options=[PadN(optdata=b'..')])/IPv6ExtHdrFragment(id=9)/TCP()",
        "IPv6()/IPv6ExtHdrRouting(addresses=['2001:db8::2'])/IPv6ExtHdrDestOpt()/AH()/UDP()",
        "IP()/SCTP(tag=1)/SCTPChunkInit(init_tag=5, params=[SCTPChunkParamIPv4Addr(addr='10.0.0.1')])",
        "IP()/GRE(key_present=1, key=5)/IP()/UDP()",
        "IP()/UDP()/VXLAN(vni=7)/Ether()/IP()/TCP()",
        "IP()/UDP()/GENEVE(vni=7)/Ether()/IP()/TCP()",
        'Ether()/ARP(op="who-has", psrc="10.0.0.1", pdst="10.0.0.2")',
        'IP()/UDP()/DNS(rd=1, qd=DNSQR(qname="example.com"), an=[DNSRR(rrname="example.com", rdata="10.0.0.1")])',
        'IP()/UDP()/DNS(an=DNSRR(type="CNAME", rdata="www.example.com"))',
        'IP(options=[IPOption_RR(routers=["10.0.0.1"])])/ICMP(type="time-exceeded")/IP()/UDP()',
    ],
)
def test_layers_of_every_room_of_scapy_are_known(text: str) -> None:
    (packet,) = parse(text)
    (frame,) = packets_to_frames(packet)
    written = [part.split("(")[0] for part in text.split("/")]
    built = [layer.__name__ for layer in packet.layers()]
    assert [name for name in built if name != "Raw"] == [name for name in written if name in MODULES]
    assert frame.link == (1 if written[0] == "Ether" else 101)


def test_a_tunnel_keeps_its_inner_packet() -> None:
    packet = one("IP()/UDP()/VXLAN(vni=7)/Ether()/IP(dst='10.9.9.9')/TCP()")
    assert packet[VXLAN].vni == 7
    assert packet[VXLAN][IP].dst == "10.9.9.9"


# --- several packets of one expression -----------------------------------------------------------------
def test_ranges_lists_and_networks_stand_for_a_packet_each_the_rightmost_fastest() -> None:
    packets: list[Any] = parse('IP(dst=["10.0.0.1", "10.0.1.0/31"])/TCP(dport=[22, (80, 81)])')
    assert [(packet[IP].dst, packet[TCP].dport) for packet in packets] == [
        (address, port) for address in ("10.0.0.1", "10.0.1.0", "10.0.1.1") for port in (22, 80, 81)
    ]


def test_a_range_of_addresses_counts_both_ends() -> None:
    packets: list[Any] = parse('IPv6(dst=("2001:db8::fe", "2001:db8::101"))/UDP()')
    assert [packet[IPv6].dst for packet in packets] == [
        "2001:db8::fe",
        "2001:db8::ff",
        "2001:db8::100",
        "2001:db8::101",
    ]


def test_packets_share_nothing_that_can_change() -> None:
    first, second = parse("IP()/TCP(dport=(1, 2), options=[('NOP', None)])")
    first[TCP].options.append(("EOL", None))
    assert second[TCP].options == [("NOP", None)]


@pytest.mark.parametrize(
    "text",
    [
        'IP(dst="10.0.0.0/8")',
        'IPv6(dst="::/0")',
        'IP(dst=("0.0.0.0", "255.255.255.255"))',
        "IP()/TCP(dport=(0, 65535))",
        "IP()/TCP(seq=(0, 4294967295))",
        "IP()/TCP(sport=(1, 101), dport=(1, 100))",
        f"IP()/TCP(dport=[{'(1, 9999),' * 2}])",
        f"IP(ttl=(1, 60))/DNS(qd=[{'DNSQR(),' * 900}])",
        f"IP(ttl=(1, 255))/TCP(sport=(1, 39))/'{'x' * 1000}'",
    ],
)
def test_no_expression_stands_for_more_than_the_bound(text: str) -> None:
    assert "stands for" in refused(text)[0] or "packets of so long an expression" in refused(text)[0]


def test_the_bound_itself_is_allowed() -> None:
    assert len(parse("Raw()/Padding()")) == 1
    assert len(parse(f"UDP(sport=(1, {MAX_PACKETS}))")) == MAX_PACKETS


# --- time ------------------------------------------------------------------------------------------------
def times(text: str) -> list[int]:
    return [frame.time for frame in packets_to_frames(parse(text))]


def test_packets_follow_each_other_by_a_millisecond() -> None:
    assert times("IP()/TCP(dport=(1, 3))") == [0, 1_000_000, 2_000_000]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.5", 1_500_000_000),
        ("1700000000.123456789", 1_700_000_000_123_456_789),  # a float would lose the last digits
        ("1_000", 1_000_000_000_000),
        ("0x10", 16_000_000_000),
        ("1e-9", 1),
        ("0", 0),
    ],
)
def test_time_is_seconds_exact_to_the_nanosecond(written: str, expected: int) -> None:
    assert times(f"IP(time={written})/UDP(dport=[1, 2])") == [expected, expected + 1_000_000]


@pytest.mark.parametrize("written", ["-1", "'x'", "True", "None", "(1, 2)", "1e400", "9999999999"])
def test_a_time_that_is_none_is_shown(written: str) -> None:
    message, _, carets = refused(f"IP(time={written})")
    assert "seconds" in message
    assert carets == "  " + " " * 8 + "^" * len(written)


# --- errors point at the place and name the cure ------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "message", "under"),
    [
        ("IP()/Tpc(dport=22)", "no layer is called Tpc; did you mean TCP?", "Tpc"),
        ("IP()/TCP(dprt=22)", "TCP has no field dprt; did you mean dport?", "dprt"),
        ("IP()/TCP(dport=70000)", "dport: 70000 is outside 0 to 65535", "70000"),
        ("IP()/UDP(dport=-1)", "dport: -1 is outside 0 to 65535", "-1"),
        ("IP(ttl=300)", "ttl: 300 is outside 0 to 255", "300"),
        ("IP()/TCP(seq=4294967296)", "seq: 4294967296 is outside 0 to 4294967295", "4294967296"),
        ('IP()/TCP(flags="Q")', "flags: 'Q' is none of the flags FSRPAUECN", '"Q"'),
        ("IP()/TCP(flags=512)", "flags: 512 is outside 0 to 511", "512"),
        ("Ether()/Dot1Q(vlan=4096)", "vlan: 4096 is outside 0 to 4095", "4096"),
        ("IP()/GRE(key=5)", "GRE is without key as its other fields stand", "key"),
        ('IP()/TCP(dport="htttp")', "dport: 'htttp' is no name that this field knows", '"htttp"'),
        ('IP(dst="é.org")', "dst: 'é.org' is no IPv4 address; names are not looked up", '"é.org"'),
        ('IPv6(dst="10.0.0.1")', "dst: '10.0.0.1' is no IPv6 address; names are not looked up", '"10.0.0.1"'),
        ('IP(dst="10.0.0.1%lo")', "dst: '10.0.0.1%lo' is no IPv4 address; names are not looked up", '"10.0.0.1%lo"'),
        ('IP(dst="2001:db8::/127")', "dst: 2001:db8::/127 is no IPv4 network", '"2001:db8::/127"'),
        ('IP(dst="example.com/8")', "dst: 'example.com/8' does not appear", '"example.com/8"'),
        ("IP(options=5)", "options: layers stand here, not 5", "5"),
        ("IP(ttl=TCP())", "ttl: this field holds no layers", "TCP()"),
        ("IP(ttl=[])", "ttl: stands for no value at all", "[]"),
        ("IP(ttl=(5, 1))", "ttl: stands for no value at all", "(5, 1)"),
        ("IP(ttl=(1, 2, 3))", "ttl: a tuple is a range: (first, last)", "(1, 2, 3)"),
        ("IP(ttl=(1, 'a'))", "ttl: a range is of two integers", "(1, 'a')"),
        ("IP(ttl=[[1]])", "ttl: a list of lists", "[[1]]"),
        ("IP(version=(4, 99))", "version: 99 is outside 0 to 15", "(4, 99)"),
        ("IP(ttl=1, ttl=2)", "IP(): ttl is written twice", "ttl"),
        ("IP()/UDP(time=1)", "time stands in the outermost layer only", "time"),
        ("IP()/TCP(options=[('Bogus', 5)])", "TCP cannot be built: Option [Bogus] unknown. Skipped.", "TCP"),
        ("IP()/UDP()/DNS(qd=DNSQR(qtype=(1, 3)))", "stands for 3 packets: one layer is wanted here", "DNSQR"),
        ("IP", "a layer is written with parentheses: IP()", "IP"),
        ("IP(5)", "arguments are written field=value", "5"),
        ("IP(src=", "not an expression: '(' was never closed", "("),
    ],
)
def test_an_error_says_what_is_wrong_where_and_what_to_write(text: str, message: str, under: str) -> None:
    said, shown, carets = refused(text)
    assert said.startswith(message)
    assert shown == "  " + "".join(c if c.isascii() else "?" for c in text)
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "".join(c if c.isascii() else "?" for c in under)


def test_an_error_in_a_long_expression_shows_its_neighbourhood() -> None:
    _, shown, carets = refused("/".join(["Dot1Q()"] * 20 + ["Bogus()"] + ["Dot1Q()"] * 20))
    assert len(shown) < 110
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "Bogus"


def test_an_error_on_a_later_line_shows_that_line() -> None:
    assert refused("IP(\n  dts='10.0.0.1'\n)")[1:] == ["    dts='10.0.0.1'", "    ^^^"]


def test_control_characters_never_reach_the_terminal() -> None:
    assert "\x1b" not in "".join(refused("IP(dst='\x1b[2J')"))


# --- hostile text --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        '__import__("os").system("true")',
        "IP().__class__",
        "IP().copy()",
        "IP(dst=IP().dst)",
        "(lambda: IP())()",
        "[IP() for _ in (1, 2)]",
        "IP(ttl=[n for n in (1, 2)])",
        'IP(dst=f"{1}")',
        'IP(**{"ttl": 1})',
        "IP(*[1])",
        "IP(*IP())",
        "IP(ttl=print)",
        "IP(ttl=print(1))",
        "IP(dst=RandIP())",
        "Packet()",
        "eval()",
        "IP(_pkt=b'E')",
        "IP(post_transform=1)",
        "IP(ttl=9**9)",
        '"A" * 10**9',
        "IP(ttl=1 << 8)",
        "IP() * 3",
        "IP() // TCP()",
        "IP(), TCP()",
        "IP(ttl=1 if 1 else 2)",
        "IP(ttl=(n := 1))",
        "IP(ttl=...)",
        "IP(ttl=1j)",
        "IP(ttl={1: 2})",
        "IP(ttl=--1)",
        "IP(ttl=-True)",
        "IP(ttl=not 1)",
        f"IP(ttl={'9' * 5000})",
        f"IP(ttl=0x{'f' * 5000})",
        f"Raw({'[' * 150}{']' * 150})",
        "import os",
        "IP();IP()",
        "IP(\0)",
        "IP(dst='\ud800')",
        "Raw(load='\\ud800')",
        "IP(dst='\\d')",
        "IP()/5",
        "None",
        "5/IP()",
    ],
)
def test_nothing_but_layers_and_literals_is_read(text: str) -> None:
    assert len(refused(text)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "-" * 60_000 + "1",
        "(" * 60_000,
        "A/" * 30_000 + "A",
        "a" + ".b" * 30_000,
        "f" + "()" * 30_000,
        "lambda:" * 9000 + "1",
        "IP(ttl=" * 9000,
        "Dot1Q()/" * MAX_LAYERS + "IP()",
        f"DNS(qd=[{'DNSQR(),' * MAX_ALL_LAYERS}])",
        "DNS(qd=" * (MAX_DEPTH + 1) + "DNSQR()" + ")" * (MAX_DEPTH + 1),
    ],
)
def test_deep_nesting_and_masses_of_layers_are_refused(text: str) -> None:
    assert len(refused(text)) == 3


def test_a_text_beyond_the_bound_is_not_even_parsed() -> None:
    (message,) = refused("A" * (MAX_TEXT + 1))
    assert "split it" in message


VALUES = (
    '"example.com"',
    'b"example.com"',
    '["example.com"]',
    '[b"example.com"]',
    '("example.com", "example.org")',
    '[("example.com", "example.org")]',
    '"example.com/8"',
    '"::1"',
    '"10.0.0.1"',
    "5",
    "IP()",
    "[IP(), IPv6(), Ether()]",
)


@pytest.mark.parametrize("name", MODULES)
def test_no_field_of_any_layer_is_looked_up_on_the_network_or_on_this_machine(name: str) -> None:
    """The fixture raises what nothing catches if the resolver, a route or ARP is asked."""
    written = ["", *(f"{field.name}={value}" for field in layer_class(name).fields_desc for value in VALUES)]
    built = 0
    for arguments in written:
        try:
            built += len(packets_to_frames(parse(f"Ether()/{name}({arguments})")))
        except CraftError as error:
            assert str(error)  # noqa: PT017  (a refusal is as good as a packet here)
    assert built >= 1
