"""The compiled policy and a loop over the rules agree: any rules, any packet, both families."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firewall import verdict
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.model import (
    ALL_PROTOCOLS,
    ANY,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Address,
    Direction,
    GroupPeer,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Peering,
    PrefixList,
    PrefixListPeer,
    Rule,
    RuleSet,
    SecurityGroup,
    Subnet,
    UnknownPeer,
)
from pcaps.batch import BAD_TRANSPORT, OK, PACKET, PacketBatch
from pcaps.capture import FrameCapture
from pcaps.craft import packets_to_frames, parse
from pcaps.wire import SYN
from tests.support import rows

OWN = {4: ip_address("10.0.1.10"), 6: ip_address("2001:db8:1::10")}
MEMBERS = (ip_address("10.0.2.30"), ip_address("10.0.2.31"), ip_address("2001:db8:2::30"))
DELEGATED = ip_network("10.0.3.16/28")
LISTED = (ip_network("198.51.100.0/24"), ip_network("203.0.113.128/25"))
BLOCKS = [
    ip_network(word)
    for word in (
        *("0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/8", "10.0.2.0/24", "10.0.2.30/32", "198.51.100.7/32", "203.0.113.0/24"),
        *("::/0", "2001:db8::/32", "2001:db8:2::30/128", "2001:db8:ffff::/48", "::ffff:0:0/96"),
    )
]
PEERS = [
    *BLOCKS,
    GroupPeer("sg-members"),
    GroupPeer("sg-partly"),
    GroupPeer("sg-unknown"),
    GroupPeer("sg-members", Peering("pcx-1", "deleted")),
    PrefixListPeer("pl-known"),
    PrefixListPeer("pl-unknown"),
    UnknownPeer("var.office"),
]
EDGES = sorted(
    {
        address
        for block in (*BLOCKS, *LISTED, DELEGATED)
        for address in (block[0], block[-1])
        if not (address.is_unspecified or address.is_multicast or int(address) == (1 << 32) - 1)
    }
    | set(MEMBERS),
    key=str,
)
PROTOCOLS = (TCP, UDP, ICMP, ICMPV6, 47, 50, 132, 253)
PORTS = st.sampled_from((0, 1, 22, 53, 80, 443, 1024, 65534, 65535))
RANGES = st.tuples(PORTS, PORTS).map(lambda pair: (min(pair), max(pair)))
TYPES = st.sampled_from((ANY, 0, 3, 8, 128, 255))


@st.composite
def allow_rules(draw: Any) -> list[Rule]:
    found = []
    for index in range(draw(st.integers(0, 40))):
        protocol = draw(st.sampled_from((ALL_PROTOCOLS, *PROTOCOLS)))
        kind = draw(TYPES)
        found.append(
            Rule(
                "sg-own",
                "ingress",
                index,
                protocol,
                draw(st.sampled_from(PEERS)),
                draw(RANGES) if protocol in (TCP, UDP) else None,
                kind if protocol in (ICMP, ICMPV6) else ANY,
                draw(TYPES) if protocol in (ICMP, ICMPV6) and kind != ANY else ANY,
            )
        )
    return found


@st.composite
def acl_entries(draw: Any) -> list[NetworkAclEntry]:
    numbers = sorted(draw(st.sets(st.integers(1, 32766), max_size=20)))
    return [
        NetworkAclEntry(
            "acl-1",
            "ingress",
            number,
            draw(st.sampled_from(("allow", "deny"))),
            each.protocol,
            draw(st.sampled_from(BLOCKS)),
            each.ports,
            each.icmp_type,
            each.icmp_code,
        )
        for number, each in zip(numbers, draw(allow_rules()), strict=False)
    ]


@st.composite
def packets(draw: Any) -> dict[str, Any]:
    protocol = draw(st.sampled_from(PROTOCOLS))
    readable = draw(st.integers(0, 9)) > 0
    carries = protocol in (TCP, UDP, ICMP, ICMPV6, 132) and readable
    icmp = protocol in (ICMP, ICMPV6)
    return {
        "peer": draw(st.sampled_from(EDGES)),
        "protocol": protocol,
        "first": draw(st.sampled_from((0, 3, 8, 128, 255)) if icmp else PORTS) if carries else 0,
        "second": draw(st.sampled_from((0, 3, 8, 128, 255)) if icmp else PORTS) if carries else 0,
        "readable": readable,
    }


def batch(found: Sequence[dict[str, Any]]) -> PacketBatch:
    records = np.zeros(len(found), PACKET)
    for record, each in zip(records, found, strict=True):
        peer = each["peer"]
        for end, address in (("src", peer), ("dst", OWN[peer.version])):
            value = int(address) if address.version == 6 else 0xFFFF_0000_0000 | int(address)
            record[f"{end}_hi"], record[f"{end}_lo"] = value >> 64, value & (1 << 64) - 1
        record["family"], record["protocol"] = peer.version, each["protocol"]
        record["src_port"], record["dst_port"] = each["first"], each["second"]
        record["status"] = OK if each["readable"] else BAD_TRANSPORT
        record["fragment_id"], record["tcp_flags"] = -1, SYN
    return PacketBatch(records, {})


def estate(rules: Sequence[Rule], entries: Sequence[NetworkAclEntry] = ()) -> RuleSet:
    own = NetworkInterface("eni-own", tuple(OWN.values()), ("sg-own",), subnet="subnet-a")
    known = NetworkInterface("eni-known", MEMBERS[:2], ("sg-members",), prefixes=(DELEGATED,))
    partly = NetworkInterface("eni-partly", MEMBERS[2:], ("sg-partly",))
    hidden = NetworkInterface("eni-hidden", (), ("sg-partly",), complete=False)
    return RuleSet(
        {"sg-own": SecurityGroup("sg-own", "own", tuple(rules))},
        {each.interface_id: each for each in (own, known, partly, hidden)},
        {"pl-known": PrefixList("pl-known", "known", LISTED)},
        subnets={"subnet-a": Subnet("subnet-a", (ip_network("10.0.1.0/24"),), network_acl="acl-1")},
        network_acls={"acl-1": NetworkAcl("acl-1", "edge", tuple(entries))},
    )


# --- the loop ----------------------------------------------------------------------------------------------
def fits(rule: Rule | NetworkAclEntry, packet: dict[str, Any]) -> bool:
    """Whether protocol and ports, or type and code, fit."""
    if rule.protocol not in (ALL_PROTOCOLS, packet["protocol"]):
        return False
    if rule.protocol in (ICMP, ICMPV6):
        if not packet["readable"]:
            return rule.icmp_type == ANY
        return rule.icmp_type in (ANY, packet["first"]) and rule.icmp_code in (ANY, packet["second"])
    low, high = rule.ports or (0, 65535)
    if rule.protocol not in (TCP, UDP) or (low, high) == (0, 65535):
        return True
    return bool(packet["readable"] and low <= packet["second"] <= high)


def blocks(peer: Any) -> tuple[list[Network], bool]:
    """A peer's blocks, and whether others could belong to it."""
    match peer:
        case GroupPeer("sg-members", None):
            return [*map(ip_network, MEMBERS[:2]), DELEGATED], False
        case GroupPeer("sg-partly"):
            return [*map(ip_network, MEMBERS[2:])], True
        case GroupPeer("sg-members"):
            return [], False
        case PrefixListPeer("pl-known"):
            return list(LISTED), False
        case GroupPeer() | PrefixListPeer() | UnknownPeer():
            return [], True
    return [peer], False


def holds(found: Sequence[Network], address: Address) -> bool:
    return any(address in block for block in found if block.version == address.version)


def by_loop(rules: Sequence[Rule], packet: dict[str, Any]) -> tuple[str, str | None]:
    fitting = [rule for rule in rules if fits(rule, packet)]
    for rule in fitting:
        if holds(blocks(rule.peer)[0], packet["peer"]):
            return "rule", rule.name
    for rule in fitting:
        if blocks(rule.peer)[1]:
            return "undecidable", rule.name
    return "no-ingress-rule", None


def acl_by_loop(entries: Sequence[NetworkAclEntry], packet: dict[str, Any]) -> tuple[str, str]:
    for entry in entries:
        if fits(entry, packet) and holds([entry.peer], packet["peer"]):
            return ("rule" if entry.action == "allow" else "nacl-ingress"), entry.name
    return "nacl-ingress", "acl-1:ingress[*]"


def by_engine(firewall: Firewall, found: Sequence[dict[str, Any]]) -> list[tuple[str, str | None]]:
    said = firewall.judge_batch(batch(found))
    names = [each.name for each in firewall.rules] + [each.name for each in firewall.acl_entries]
    return [
        (verdict.REASON_WORDS[reason], names[rule] if rule >= 0 else None)
        for reason, rule in zip(said.reason.tolist(), said.rule.tolist(), strict=True)
    ]


MANY_PACKETS = st.lists(packets(), min_size=1, max_size=60)


@settings(print_blob=True, deadline=None)
@given(allow_rules(), MANY_PACKETS)
def test_the_index_finds_the_rule_that_a_loop_finds(rules: list[Rule], found: list[dict[str, Any]]) -> None:
    # The linux profile exempts nothing, so that every packet meets the rules.
    firewall = Firewall(estate(rules), ["eni-own"], "linux", reading="stateless")
    assert by_engine(firewall, found) == [by_loop(rules, packet) for packet in found]


@settings(print_blob=True, deadline=None)
@given(acl_entries(), MANY_PACKETS)
def test_a_network_acl_decides_by_its_first_entry_that_fits(
    entries: list[NetworkAclEntry], found: list[dict[str, Any]]
) -> None:
    firewall = Firewall(estate([], entries), ["eni-own"], "linux", reading="nacl")
    outside = [packet for packet in found if packet["peer"] not in ip_network("10.0.1.0/24")]
    assert by_engine(firewall, outside) == [acl_by_loop(entries, packet) for packet in outside] if outside else True


def test_a_thousand_rules_over_lists_of_a_thousand_entries_agree_with_the_loop() -> None:
    entries = [ip_network((0x0B00_0000 + 512 * at, 24)) for at in range(1000)]
    rules = [
        Rule("sg-own", "ingress", at, TCP, PrefixListPeer(f"pl-{at % 4}"), (at, at + at % 7)) for at in range(2000)
    ]
    known = estate(rules)
    lists = {f"pl-{at}": PrefixList(f"pl-{at}", "", tuple(entries[at::4])) for at in range(4)}
    known = RuleSet(known.groups, known.interfaces, known.prefix_lists | lists)
    firewall = Firewall(known, ["eni-own"], "linux", reading="stateless")
    found: list[dict[str, Any]] = [
        {"peer": block[at % 256] + inside, "protocol": TCP, "first": 1, "second": at * 2, "readable": True}
        for at, block in enumerate(entries)
        for inside in (0, 256)
    ]
    loop: list[tuple[str, str | None]] = []
    for packet in found:
        fitting = [rule for rule in rules if fits(rule, packet)]
        hits = [rule for rule in fitting if holds(lists[f"pl-{rule.index % 4}"].entries, packet["peer"])]
        loop.append(("rule", hits[0].name) if hits else ("no-ingress-rule", None))
    assert {reason for reason, _ in loop} == {"rule", "no-ingress-rule"}
    assert by_engine(firewall, found) == loop


def test_an_ipv4_mapped_ipv6_address_is_no_ipv4_peer() -> None:
    rules = estate([Rule("sg-own", "ingress", 0, TCP, ip_network("10.0.0.0/8"), (22, 22))])
    mapped = {"peer": IPv6Address("::ffff:10.0.0.1"), "protocol": TCP, "first": 1, "second": 22, "readable": True}
    plain = mapped | {"peer": IPv4Address("10.0.0.1")}
    firewall = Firewall(rules, ["eni-own"], "linux", reading="stateless")
    assert by_engine(firewall, [mapped, plain]) == [("no-ingress-rule", None), ("rule", "sg-own:ingress[0]")]


@pytest.mark.parametrize(
    ("address", "reason"),
    [("10.0.3.17", "rule"), ("10.0.3.32", "other-interface"), ("10.0.3.20", "no-ingress-rule")],
    ids=["in the delegated prefix", "behind it", "another interface's own address inside it"],
)
def test_an_interface_answers_for_its_delegated_prefix_but_not_for_an_address_that_another_has(
    address: str, reason: str
) -> None:
    groups = {
        "sg-own": SecurityGroup("sg-own", "own", (Rule("sg-own", "ingress", 0, TCP, BLOCKS[0], (22, 22)),)),
        "sg-none": SecurityGroup("sg-none", "none"),
    }
    enis = {
        "eni-own": NetworkInterface("eni-own", (OWN[4],), ("sg-own",), prefixes=(DELEGATED,)),
        "eni-inside": NetworkInterface("eni-inside", (ip_address("10.0.3.20"),), ("sg-none",)),
    }
    packet = parse(f'IP(src="198.51.100.7", dst="{address}")/TCP(sport=40000, dport=22, flags="S")')
    (row,) = rows(Firewall(RuleSet(groups, enis)), FrameCapture(packets_to_frames([packet])))
    assert row["reason"] == reason


def test_a_group_of_the_interface_that_no_file_describes_leaves_undecided_what_the_others_do_not_admit() -> None:
    group = SecurityGroup("sg-own", "own", (Rule("sg-own", "ingress", 0, TCP, BLOCKS[0], (22, 22)),))
    eni = NetworkInterface("eni-own", (OWN[4],), ("sg-own", "sg-elsewhere"))
    firewall = Firewall(RuleSet({"sg-own": group}, {"eni-own": eni}), reading="stateless")
    packet = {"peer": ip_address("198.51.100.7"), "protocol": TCP, "first": 40000, "second": 22, "readable": True}
    found = by_engine(firewall, [packet, packet | {"second": 23}])
    assert found == [("rule", "sg-own:ingress[0]"), ("undecidable", None)]


def test_an_interface_whose_address_no_file_says_is_not_simulated_and_cannot_be_chosen() -> None:
    known = NetworkInterface("eni-known", (OWN[4],), ("sg-own",))
    hidden = NetworkInterface("eni-hidden", (), ("sg-own",), complete=False)
    rules = RuleSet({"sg-own": SecurityGroup("sg-own", "own")}, {"eni-known": known, "eni-hidden": hidden})
    assert Firewall(rules).interfaces == (known,)
    with pytest.raises(UsageError, match=r"--eni eni-hidden: no file says its address; write addresses: \{eni-hidden"):
        Firewall(rules, ["eni-hidden"])


def test_an_address_given_by_hand_is_in_the_subnet_that_holds_it() -> None:
    rules = estate([], [NetworkAclEntry("acl-1", "ingress", 100, "allow", ALL_PROTOCOLS, BLOCKS[0])])
    (made,) = Firewall(rules, ["10.0.1.77"]).interfaces
    assert (made.subnet, made.groups) == ("subnet-a", ("sg-own",))
    (owner,) = Firewall(rules, ["10.0.3.17"]).interfaces
    assert owner.interface_id == "eni-known"


def test_readings_without_network_acls_say_that_they_leave_them_out() -> None:
    rules = estate([], [NetworkAclEntry("acl-1", "ingress", 100, "allow", ALL_PROTOCOLS, BLOCKS[0])])
    readings = ("path", "sg", "stateless")
    said = {reading: Firewall(rules, ["eni-own"], reading=reading).assumptions for reading in readings}
    assert said == {
        "path": (),
        "sg": ("sg: network ACLs are left out",),
        "stateless": (
            "stateless: every packet meets the rules by itself, replies too",
            "stateless: network ACLs are left out",
        ),
    }


def test_blocks_of_one_family_say_nothing_of_the_other() -> None:
    """Peers that AWS always tracks, both families in one list; and an IPv4-mapped IPv6 address."""
    everywhere = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    ways: tuple[Direction, Direction] = ("ingress", "egress")
    open_rules = [Rule("sg-own", way, at, TCP, block) for way in ways for at, block in enumerate(everywhere)]
    group = SecurityGroup("sg-own", "own", tuple(open_rules[:2]), tuple(open_rules[2:]))
    eni = NetworkInterface("eni-own", tuple(OWN.values()), ("sg-own",))
    packets_of = [
        {"peer": ip_address(peer), "protocol": TCP, "first": 40000, "second": 22, "readable": True}
        for peer in ("198.51.100.7", "2001:db8:2::30")
    ]
    said = {}
    for name, tracked in (("none", []), ("v6", everywhere[1:]), ("both", everywhere)):
        rules = RuleSet({"sg-own": group}, {"eni-own": eni}, auto_tracked=tuple(tracked))
        said[name] = [reason for reason, _ in by_engine(Firewall(rules), packets_of)]
    assert said == {"none": ["untracked"] * 2, "v6": ["untracked", "rule"], "both": ["rule", "rule"]}


def test_a_mapped_address_is_in_no_ipv4_subnet() -> None:
    rules = estate([], [NetworkAclEntry("acl-1", "ingress", 100, "deny", ALL_PROTOCOLS, BLOCKS[0])])
    firewall = Firewall(rules, ["eni-own"], "linux", reading="nacl")
    mapped = {"peer": IPv6Address("::ffff:10.0.1.7"), "protocol": TCP, "first": 1, "second": 22, "readable": True}
    assert by_engine(firewall, [mapped, mapped | {"peer": IPv4Address("10.0.1.7")}]) == [
        ("nacl-ingress", "acl-1:ingress[*]"),
        ("rule", None),
    ]


def test_an_address_by_hand_is_a_member_of_the_groups_that_it_gets() -> None:
    rules = [
        Rule("sg-app", "ingress", 0, TCP, GroupPeer("sg-app"), (22, 22)),
        Rule("sg-app", "egress", 0, TCP, BLOCKS[0]),
    ]
    group = SecurityGroup("sg-app", "app", (rules[0],), (rules[1],))
    known = RuleSet({"sg-app": group}, {"eni-a": NetworkInterface("eni-a", (OWN[4],), ("sg-app",))})
    packet = parse(f'IP(src="10.0.1.20", dst="{OWN[4]}")/TCP(sport=40000, dport=22, flags="S")')
    found = rows(Firewall(known, ["eni-a", "10.0.1.20"]), FrameCapture(packets_to_frames(packet)))
    assert [row["reason"] for row in found] == ["rule", "rule"]


def test_more_rules_than_can_be_judged_are_refused() -> None:
    rules = [Rule("sg-own", "ingress", at, TCP, BLOCKS[0], (22, 22)) for at in range(20_001)]
    with pytest.raises(UsageError, match="20,001 ingress rules stand on one interface: at most 20,000 are judged"):
        Firewall(estate(rules), ["eni-own"])


def test_a_group_with_members_that_no_file_says_leaves_others_undecidable() -> None:
    known = estate([Rule("sg-own", "ingress", 0, TCP, GroupPeer("sg-members"), (22, 22))])
    rules = RuleSet(known.groups, known.interfaces, incomplete=frozenset({"sg-members"}))
    ssh = {"protocol": TCP, "first": 40000, "second": 22, "readable": True}
    packets_of = [ssh | {"peer": MEMBERS[0]}, ssh | {"peer": ip_address("10.0.9.9")}]
    found = by_engine(Firewall(rules, ["eni-own"], reading="stateless"), packets_of)
    assert found == [("rule", "sg-own:ingress[0]"), ("undecidable", "sg-own:ingress[0]")]
