"""Which interfaces are simulated: from the rule file, or from the words behind --eni."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np

from conntrack.tcp import FLAG_BITS
from firewall.errors import InterfaceNeededError, UsageError
from firewall.labels import address_text, counted
from firewall.model import TCP, Address, GroupPeer, NetworkInterface, RuleSet
from pcaps.batch import PacketBatch

MOST_INTERFACES = 65_535  # an entry of the table has 16 bits for its interface
SYN, ACK = FLAG_BITS["SYN"], FLAG_BITS["ACK"]  # pcaps.wire has them too, and would load the engine
SHOWN = 5  # busiest addresses in the message


def read_address(word: str) -> Address | None:
    """The address that a word writes, or None."""
    try:
        return ip_address(word)
    except ValueError:
        return None


def chosen_interfaces(rules: RuleSet, words: Sequence[str]) -> tuple[NetworkInterface, ...]:
    """The interfaces that the words name; without words all whose addresses the files say.

    A word is the id or an address of one of the files' interfaces; any other address makes an
    interface with all groups of the files. Raises UsageError for anything else.
    """
    if not words:
        all_known = tuple(eni for eni in rules.interfaces.values() if eni.networks)
        if len(all_known) > MOST_INTERFACES:
            raise UsageError(
                f"{len(all_known):,} interfaces: at most {MOST_INTERFACES:,} at once; choose some with --eni"
            )
        return all_known
    found: dict[str, NetworkInterface] = {}
    for word in words:
        address = read_address(word)
        eni = rules.interfaces.get(word) or (None if address is None else _with_address(rules, word, address))
        if eni is None:
            known = ", ".join(rules.interfaces) or "none"
            raise UsageError(f"--eni {word}: neither an address nor an interface of the rule file (it has: {known})")
        if not eni.networks:
            raise UsageError(f"--eni {word}: no file says its address; write addresses: {{{word}: [10.0.1.10]}} in one")
        found[eni.interface_id] = eni
    return tuple(found.values())


def with_made(rules: RuleSet, interfaces: Iterable[NetworkInterface]) -> RuleSet:
    """The rules with the interfaces that `--eni` made: they are members of the groups that they were given.

    Where the files have no interfaces, nobody knows who else is a member.
    """
    made = {
        eni.interface_id: replace(eni, complete=bool(rules.interfaces))
        for eni in interfaces
        if eni.interface_id not in rules.interfaces
    }
    return replace(rules, interfaces=rules.interfaces | made) if made else rules


def bound_names(rules: RuleSet, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The words without what they bind, and the word for each name that is bound.

    `eni-web=web.pcap` or `eni-web=eth1`: the packets of that capture file, or of the capture's interface of
    that name, were seen at eni-web. Raises UsageError where a name is bound twice.
    """
    plain: list[str] = []
    bound: dict[str, str] = {}
    for word in words:
        eni, sign, name = ("", "", "") if word in rules.interfaces else word.partition("=")
        if not sign:
            plain.append(word)
            continue
        if not (eni and name):
            raise UsageError(f"--eni {word}: write INTERFACE=NAME, with a capture file or a capture's interface")
        if bound.setdefault(name, eni) != eni:
            raise UsageError(f"--eni {word}: {name} is {bound[name]}'s already; a packet is seen at one interface")
        plain.append(eni)
    return plain, bound


def _with_address(rules: RuleSet, word: str, address: Address) -> NetworkInterface:
    """The files' interface that has the address, or one made for it, in the subnet that holds it.

    An address inside a delegated prefix that another interface has as its own is that one's.
    """
    having = [(block.prefixlen, eni) for eni in rules.interfaces.values() for block in eni.networks if address in block]
    if having:
        return max(having, key=lambda pair: pair[0])[1]
    subnet = rules.subnet_holding([address])
    return NetworkInterface(word, (address,), tuple(rules.groups), subnet=None if subnet is None else subnet.subnet_id)


def role(packets: PacketBatch, hi: int, lo: int) -> str:
    """Whether an address opens TCP connections, answers them, or merely sends and receives."""
    opening = (packets.protocol == TCP) & ((packets.tcp_flags & (SYN | ACK)) == SYN)
    asked = int(np.sum(opening & (packets.dst_hi == hi) & (packets.dst_lo == lo)))
    asks = int(np.sum(opening & (packets.src_hi == hi) & (packets.src_lo == lo)))
    if asked == asks:
        return "sends and receives"
    return "server" if asked > asks else "client"


class Busy(NamedTuple):
    """An address and how many packets it sends or receives."""

    address: str
    packets: int
    role: str

    def __str__(self) -> str:
        return f"{self.address} ({self.packets:,}, {self.role})"


def busiest(packets: PacketBatch) -> list[Busy]:
    """The addresses with most packets, at most SHOWN; of equals a server first, then the first destination."""
    ip = packets.take(packets.family != 0)
    counts: Counter[tuple[int, int]] = Counter()
    for hi, lo in ((ip.dst_hi, ip.dst_lo), (ip.src_hi, ip.src_lo)):
        counts.update(zip(hi.tolist(), lo.tolist(), strict=True))
    found = [Busy(address_text(*pair), count, role(ip, *pair)) for pair, count in counts.most_common(2 * SHOWN)]
    return sorted(found, key=lambda busy: (-busy.packets, busy.role != "server"))[:SHOWN]


def busiest_text(packets: PacketBatch) -> str:
    """The same in a sentence."""
    found = busiest(packets)
    if not found:
        return f"none of the first {counted(packets.rows, 'packet')} has an IP header"
    return f"busiest of the first {counted(packets.rows, 'packet')}: {', '.join(map(str, found))}"


def need_interface(packets: PacketBatch) -> UsageError:
    """The error of a replay without an interface: the busiest addresses, and the word to add."""
    found = busiest(packets)
    if not found:
        return UsageError("no interface is known, and the capture holds no IP packet; name one with --eni ADDRESS")
    lines = [f"    {busy.address:<39} {busy.packets:>8,} packets  {busy.role}" for busy in found]
    return InterfaceNeededError(
        "which address is the interface? Neither the rule file nor --eni says.\n"
        f"  Busiest addresses of the first {counted(packets.rows, 'packet')}:\n" + "\n".join(lines),
        f"--eni {found[0].address}",
    )


def unattached_groups(rules: RuleSet, interfaces: Iterable[NetworkInterface]) -> list[str]:
    """The names of groups that are on no interface and that no rule names: nothing ever meets them."""
    used = {group for eni in (*interfaces, *rules.interfaces.values()) for group in eni.groups}
    for group in rules.groups.values():
        used |= {rule.peer.group_id for rule in (*group.ingress, *group.egress) if isinstance(rule.peer, GroupPeer)}
    return [group.name for group_id, group in rules.groups.items() if group_id not in used]
