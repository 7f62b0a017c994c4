"""The nftables rules that do what eniwall does: a policy of drop, connections let through, allow rules for new ones."""

from collections.abc import Iterable

from tests.netfilter.namespaces import SIDES
from tests.recorded import Rule
from tests.reference_frames import ICMP, ICMPV6, SCTP, TCP, UDP, UDP_LITE

WITH_PORTS = {TCP: "tcp", UDP: "udp", SCTP: "sctp", UDP_LITE: "udplite"}
WITH_TYPES = {ICMP: "icmp", ICMPV6: "icmpv6"}
LOG_GROUP = 1
MARKS = {side: number for number, side in enumerate(SIDES, 1)}  # where a frame came from

# The first letter of a log prefix is the packet's ct state; behind N stands the index of the rule.
SKELETON = """
table bridge marking {{
  chain origin {{
    type filter hook prerouting priority -300; policy accept;
    iifname "outside_p" meta mark set {outside}
    iifname "eni_p" meta mark set {eni}
  }}
}}
table inet security_groups {{
  chain group_ingress {{
{ingress_rules}
  }}
  chain group_egress {{
{egress_rules}
  }}
  chain judge {{
    type filter hook forward priority 0; policy drop;
    ct state established log prefix "E" group {group} accept
    ct state related log prefix "R" group {group} accept
    ct state new meta mark {outside} jump group_ingress
    ct state new meta mark {eni} jump group_egress
    ct state new log prefix "N" group {group} drop
    ct state invalid log prefix "I" group {group} drop
    ct state untracked log prefix "U" group {group} drop
  }}
}}
"""


def match(rule: Rule) -> str:
    """The packets that a rule allows, in nft's words."""
    version = rule.peer.version
    side = "saddr" if rule.direction == "ingress" else "daddr"
    words = [f"meta nfproto ipv{version}"]
    if rule.peer.prefixlen:
        words.append(f"{'ip' if version == 4 else 'ip6'} {side} {rule.peer}")
    if rule.protocol != -1:
        words.append(f"meta l4proto {rule.protocol}")
    if rule.ports is not None and rule.ports != (0, 65535) and rule.protocol in WITH_PORTS:
        low, high = rule.ports
        words.append(f"{WITH_PORTS[rule.protocol]} dport {low if low == high else f'{low}-{high}'}")
    if rule.icmp_type is not None and rule.protocol in WITH_TYPES:
        words.append(f"{WITH_TYPES[rule.protocol]} type {rule.icmp_type}")
        if rule.icmp_code is not None:
            words.append(f"{WITH_TYPES[rule.protocol]} code {rule.icmp_code}")
    return " ".join(words)


def nft_ruleset(rules: Iterable[Rule]) -> str:
    """The whole rule set as `nft -f` reads it."""
    lines: dict[str, list[str]] = {"ingress": [], "egress": []}
    for index, rule in enumerate(rules):
        lines[rule.direction].append(f'    {match(rule)} log prefix "N{index}" group {LOG_GROUP} accept')
    chains = {f"{direction}_rules": "\n".join(found) for direction, found in lines.items()}
    return SKELETON.format(group=LOG_GROUP, **MARKS, **chains)
