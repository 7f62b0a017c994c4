"""Which interfaces are simulated: from the rule file, or from the words behind --eni."""

from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address

import numpy as np

from firewall.errors import UsageError
from firewall.model import Address, NetworkInterface, RuleSet
from pcaps.batch import IPV4_PREFIX, PacketBatch
from pcaps.wire import ACK, SYN, TCP

SHOWN = 5  # busiest addresses in the message


def read_address(word: str) -> Address | None:
    """The address that a word writes, or None."""
    try:
        return ip_address(word)
    except ValueError:
        return None


def chosen_interfaces(rules: RuleSet, words: Sequence[str]) -> tuple[NetworkInterface, ...]:
    """The interfaces that the words name; without words all that the file has.

    A word is the id or an address of one of the file's interfaces; any other address makes an
    interface with all groups of the file. Raises UsageError for anything else.
    """
    if not words:
        return tuple(rules.interfaces.values())
    found: dict[str, NetworkInterface] = {}
    for word in words:
        eni = rules.interfaces.get(word)
        address = read_address(word)
        if eni is None and address is not None:
            owners = [one for one in rules.interfaces.values() if address in one.addresses]
            eni = owners[0] if owners else NetworkInterface(word, (address,), tuple(rules.groups))
        if eni is None:
            known = ", ".join(rules.interfaces) or "none"
            raise UsageError(f"--eni {word}: neither an address nor an interface of the rule file (it has: {known})")
        found[eni.interface_id] = eni
    return tuple(found.values())


def address_words(hi: int, lo: int) -> str:
    """The address of two halves."""
    whole = hi << 64 | lo
    return str(ip_address(whole & 0xFFFFFFFF) if whole >> 32 == IPV4_PREFIX >> 32 else ip_address(whole))


def role(packets: PacketBatch, hi: int, lo: int) -> str:
    """Whether an address opens TCP connections, answers them, or merely sends and receives."""
    opening = (packets.protocol == TCP) & ((packets.tcp_flags & (SYN | ACK)) == SYN)
    asked = int(np.sum(opening & (packets.dst_hi == hi) & (packets.dst_lo == lo)))
    asks = int(np.sum(opening & (packets.src_hi == hi) & (packets.src_lo == lo)))
    if asked == asks:
        return "sends and receives"
    return "server" if asked > asks else "client"


def need_interface(packets: PacketBatch, captures: Sequence[str], rule_files: Sequence[str]) -> UsageError:
    """The message for a replay without an interface: the busiest addresses and the command to copy."""
    ip = packets.take(packets.family != 0)
    counts: Counter[tuple[int, int]] = Counter()
    for hi, lo in ((ip.src_hi, ip.src_lo), (ip.dst_hi, ip.dst_lo)):
        counts.update(zip(hi.tolist(), lo.tolist(), strict=True))
    if not counts:
        return UsageError("no interface is known, and the capture holds no IP packet; name one with --eni ADDRESS")
    busiest = counts.most_common(SHOWN)
    lines = [f"    {address_words(*pair):<39} {count:>8} packets  {role(ip, *pair)}" for pair, count in busiest]
    servers = [pair for pair, _ in busiest if role(ip, *pair) == "server"]
    pick = address_words(*(servers or [busiest[0][0]])[0])
    rules = " ".join(f"--rules {file}" for file in rule_files)
    return UsageError(
        "which address is the interface? Neither the rule file nor --eni says. Busiest addresses of the capture:\n"
        + "\n".join(lines)
        + f"\n  for example: eniwall replay {' '.join(captures)} {rules} --eni {pick}".replace("  ", " ")
    )
