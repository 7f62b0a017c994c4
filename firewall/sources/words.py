"""Names of protocols and of the console's rule types, as tables."""

from typing import NamedTuple

from firewall.model import ALL_PORTS, ALL_PROTOCOLS, ANY, ICMP, ICMPV6, TCP, UDP

SCTP, UDPLITE = 132, 136

# Names of IANA's registry (https://www.iana.org/assignments/protocol-numbers) that rules use.
PROTOCOLS = {
    "all": ALL_PROTOCOLS,
    "icmp": ICMP,
    "igmp": 2,
    "ipip": 4,
    "tcp": TCP,
    "udp": UDP,
    "dccp": 33,
    "ipv6": 41,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": ICMPV6,
    "eigrp": 88,
    "ospf": 89,
    "pim": 103,
    "vrrp": 112,
    "l2tp": 115,
    "sctp": SCTP,
    "udplite": UDPLITE,
}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}

Ports = tuple[int, int]
ALL_ICMP = (ANY, ANY)


class ConsoleType(NamedTuple):
    """A rule type of the EC2 console; `asks` is the key that the type leaves to the user."""

    name: str
    protocol: int | None
    ports: Ports | None = None
    icmp: tuple[int, int] | None = None
    asks: str = ""


def _tcp(name: str, port: int) -> ConsoleType:
    return ConsoleType(name, TCP, (port, port))


# https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html and the console's list.
_CONSOLE_TYPES = (
    ConsoleType("All traffic", ALL_PROTOCOLS),
    ConsoleType("All TCP", TCP, ALL_PORTS),
    ConsoleType("All UDP", UDP, ALL_PORTS),
    ConsoleType("All ICMP - IPv4", ICMP, icmp=ALL_ICMP),
    ConsoleType("All ICMP - IPv6", ICMPV6, icmp=ALL_ICMP),
    ConsoleType("Custom TCP", TCP, asks="ports"),
    ConsoleType("Custom UDP", UDP, asks="ports"),
    ConsoleType("Custom ICMP - IPv4", ICMP, asks="icmp"),
    ConsoleType("Custom ICMP - IPv6", ICMPV6, asks="icmp"),
    ConsoleType("Custom Protocol", None, asks="protocol"),
    ConsoleType("DNS (UDP)", UDP, (53, 53)),
    _tcp("DNS (TCP)", 53),
    _tcp("SSH", 22),
    _tcp("SMTP", 25),
    _tcp("HTTP", 80),
    _tcp("POP3", 110),
    _tcp("IMAP", 143),
    _tcp("LDAP", 389),
    _tcp("HTTPS", 443),
    _tcp("SMB", 445),
    _tcp("SMTPS", 465),
    _tcp("IMAPS", 993),
    _tcp("POP3S", 995),
    _tcp("MSSQL", 1433),
    _tcp("Oracle", 1521),
    _tcp("Oracle-RDS", 1521),
    _tcp("NFS", 2049),
    _tcp("MYSQL/Aurora", 3306),
    _tcp("RDP", 3389),
    _tcp("PostgreSQL", 5432),
    _tcp("Redshift", 5439),
    _tcp("WinRM-HTTP", 5985),
    _tcp("WinRM-HTTPS", 5986),
    _tcp("CQLSH / CASSANDRA", 9142),
    _tcp("Elastic Graphics", 2007),
)
CONSOLE_TYPES = {row.name.casefold(): row for row in _CONSOLE_TYPES}
