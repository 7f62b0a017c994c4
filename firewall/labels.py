"""Names for the engine's numbers: captures, interfaces, rules, exempt services; and the words of reports."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Protocol

from conntrack.tcp import FLAG_BITS
from firewall.model import (
    ANY,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    GroupPeer,
    NetworkAclEntry,
    NetworkInterface,
    PrefixListPeer,
    Rule,
    UnknownPeer,
)
from firewall.sources.words import PROTOCOL_NAMES, PROTOCOLS
from pcaps.batch import IPV4_PREFIX

#: Protocols whose port columns hold ports; those of ICMP hold type and code.
PORT_PROTOCOLS = (TCP, UDP, 33, 132, 136)
ICMP_PROTOCOLS = (ICMP, ICMPV6)


class Named(Protocol):
    """What has names to give: a firewall."""

    @property
    def interfaces(self) -> tuple[NetworkInterface, ...]: ...  # noqa: D102  (firewall.engine.Firewall says it)
    @property
    def rules(self) -> tuple[Rule, ...]: ...  # noqa: D102  (the same)
    @property
    def acl_entries(self) -> tuple[NetworkAclEntry, ...]: ...  # noqa: D102  (the same)
    @property
    def exempt_services(self) -> tuple[str, ...]: ...  # noqa: D102  (the same)


@dataclass(frozen=True)
class Labels:
    """Names by the numbers that the verdict columns hold."""

    captures: tuple[str, ...]
    interfaces: tuple[str, ...]
    rules: tuple[str, ...]  # then the entries of network ACLs
    exempt: tuple[str, ...] = ()

    @classmethod
    def of(cls, firewall: Named, captures: tuple[str, ...]) -> "Labels":
        """The names of a firewall's interfaces and rules, and of the captures it reads."""
        return cls(
            captures=tuple(encodable(name) for name in captures),
            interfaces=tuple(encodable(interface.interface_id) for interface in firewall.interfaces),
            rules=tuple(
                encodable(name)
                for name in [
                    *(rule.name for rule in firewall.rules),
                    *(entry.name for entry in firewall.acl_entries),
                ]
            ),
            exempt=firewall.exempt_services,
        )

    @property
    def short_captures(self) -> dict[str, str]:
        """A short name for each capture: its last part, or its number where two end alike."""
        names = dict.fromkeys(self.captures)
        last = [PurePath(name).name for name in names]
        short = last if len(set(last)) == len(last) else [str(number) for number in range(1, len(names) + 1)]
        return dict(zip(names, short, strict=True))

    def interface(self, number: int) -> str:
        """The interface's id, or nothing for -1."""
        return self.interfaces[number] if number >= 0 else ""

    def rule(self, number: int) -> str:
        """The rule's name, the exempt service's, or nothing for -1."""
        if number >= 0:
            return self.rules[number]
        return self.exempt[-2 - number] if number < -1 else ""


def encodable(name: str) -> str:
    """The same name where UTF-8 can write it; bytes of a file name that are no UTF-8 stand as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Text without control characters: a name in a capture or rule file must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


@lru_cache(maxsize=1 << 16)
def address_text(high: int, low: int) -> str:
    """The address of the two halves; IPv4-mapped stands as IPv4 (RFC 5952 for IPv6)."""
    if high == 0 and low & ~0xFFFF_FFFF == IPV4_PREFIX:
        return str(IPv4Address(low & 0xFFFF_FFFF))
    return str(IPv6Address(high << 64 | low))


def protocol_word(number: int) -> str:
    """`tcp`, `udp`, `icmp` ..., or the number."""
    return PROTOCOL_NAMES.get(number, str(number))


def protocol_number(word: str) -> int:
    """The protocol that `protocol_word` names."""
    return PROTOCOLS[word] if word in PROTOCOLS else int(word)


def endpoint(address: str, protocol: int, port: int | None) -> str:
    """`10.0.0.1:80`, `[2001:db8::1]:80`, or the address alone where there is no port."""
    if port is None or protocol not in PORT_PROTOCOLS:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def flow_text(src: str, dst: str, protocol: int, src_port: int | None, dst_port: int | None) -> str:
    """One line for a packet's tuple: `10.0.0.1:5000 -> 10.0.0.2:80 tcp`, `... icmp 8/0`."""
    line = f"{endpoint(src, protocol, src_port)} -> {endpoint(dst, protocol, dst_port)} {protocol_word(protocol)}"
    return f"{line} {src_port}/{dst_port}" if protocol in ICMP_PROTOCOLS and src_port is not None else line


def flags_text(protocol: int, flags: int) -> str:
    """`SYN ACK`; nothing where there are no TCP flags."""
    if protocol != TCP:
        return ""
    return " ".join(name for name, bit in FLAG_BITS.items() if flags & bit) or "none"


def rule_text(rule: Rule | NetworkAclEntry) -> str:
    """What a rule allows, in a few words: `tcp 80 from 0.0.0.0/0`."""
    return " ".join(part for part in (protocol_word(rule.protocol), _scope_text(rule), _peer_text(rule)) if part)


def _scope_text(rule: Rule | NetworkAclEntry) -> str:
    if rule.protocol in ICMP_PROTOCOLS:
        if rule.icmp_type == ANY:
            return ""
        return f"{rule.icmp_type}/{'any' if rule.icmp_code == ANY else rule.icmp_code}"
    if rule.ports is None or rule.ports == (0, 65535):
        return ""
    low, high = rule.ports
    return str(low) if low == high else f"{low}-{high}"


def _peer_text(rule: Rule | NetworkAclEntry) -> str:
    toward = "from" if rule.direction == "ingress" else "to"
    match rule.peer:
        case GroupPeer(group_id):
            return f"{toward} group {group_id}"
        case PrefixListPeer(prefix_list_id):
            return f"{toward} prefix list {prefix_list_id}"
        case UnknownPeer(text):
            return f"{toward} {text} (not known)"
        case network:
            return f"{toward} {network}"


def time_text(nanoseconds: int) -> str:
    """UTC with microseconds, as Wireshark shows it: `2024-05-01 12:00:00.123456`."""
    import numpy as np

    stamp = np.datetime_as_string(np.datetime64(nanoseconds // 1000, "us"))
    return str(stamp).replace("T", " ")


def duration_text(nanoseconds: int) -> str:
    """A length of time in seconds, or in days, hours and minutes where it is long."""
    seconds = nanoseconds / 1e9
    if seconds < 120:
        return f"{seconds:.3f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (int(seconds), "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 packet`, `2 packets`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
