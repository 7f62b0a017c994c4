"""What the lints know of the world: ports that manage or hold data, and ICMP messages."""

from typing import NamedTuple

from firewall.model import TCP, UDP


class ManagementPort(NamedTuple):
    """A port that is seldom meant for everybody, and why."""

    port: int
    protocol: int
    service: str
    why: str


_LOGIN = "a login, guessed at all day by everybody who scans"
_CLEAR = "passwords and data travel in the clear"
_DATA = "a data store, made for its own clients"
_NO_LOGIN = "asks for no password unless it is told to"
_CONTROL = "whoever reaches it runs programs"

# Services by IANA's registry (https://www.iana.org/assignments/service-names-port-numbers), and the
# projects' own defaults where it has none.
MANAGEMENT_PORTS = (
    ManagementPort(22, TCP, "SSH", _LOGIN),
    ManagementPort(23, TCP, "Telnet", _CLEAR),
    ManagementPort(135, TCP, "Windows RPC", _CONTROL),
    ManagementPort(139, TCP, "NetBIOS", "file shares of a local network"),
    ManagementPort(161, UDP, "SNMP", _CLEAR),
    ManagementPort(389, TCP, "LDAP", _CLEAR),
    ManagementPort(445, TCP, "SMB", "file shares of a local network"),
    ManagementPort(873, TCP, "rsync", _NO_LOGIN),
    ManagementPort(1433, TCP, "Microsoft SQL Server", _DATA),
    ManagementPort(1521, TCP, "Oracle", _DATA),
    ManagementPort(2049, TCP, "NFS", _NO_LOGIN),
    ManagementPort(2375, TCP, "Docker", _CONTROL),
    ManagementPort(2376, TCP, "Docker over TLS", _CONTROL),
    ManagementPort(2379, TCP, "etcd", _DATA),
    ManagementPort(3306, TCP, "MySQL", _DATA),
    ManagementPort(3389, TCP, "Remote Desktop", _LOGIN),
    ManagementPort(5432, TCP, "PostgreSQL", _DATA),
    ManagementPort(5439, TCP, "Redshift", _DATA),
    ManagementPort(5601, TCP, "Kibana", _NO_LOGIN),
    ManagementPort(5900, TCP, "VNC", _LOGIN),
    ManagementPort(5985, TCP, "WinRM", _CONTROL),
    ManagementPort(5986, TCP, "WinRM over TLS", _CONTROL),
    ManagementPort(6379, TCP, "Redis", _NO_LOGIN),
    ManagementPort(6443, TCP, "Kubernetes", _CONTROL),
    ManagementPort(9042, TCP, "Cassandra", _DATA),
    ManagementPort(9092, TCP, "Kafka", _NO_LOGIN),
    ManagementPort(9200, TCP, "Elasticsearch", _NO_LOGIN),
    ManagementPort(10250, TCP, "kubelet", _CONTROL),
    ManagementPort(11211, TCP, "memcached", _NO_LOGIN),
    ManagementPort(11211, UDP, "memcached", "answers many times what it is asked, to any forged address"),
    ManagementPort(27017, TCP, "MongoDB", _DATA),
)


class IcmpMessage(NamedTuple):
    """An ICMP message type and the codes that it has (None: any)."""

    version: int
    kind: int
    name: str
    codes: tuple[int, ...] | None = (0,)
    names: dict[int, str] = {}  # noqa: RUF012  # read only  # of codes that have one of their own


# https://www.iana.org/assignments/icmp-parameters and https://www.iana.org/assignments/icmpv6-parameters
_MESSAGES = (
    IcmpMessage(4, 0, "echo reply"),
    IcmpMessage(
        4,
        3,
        "destination unreachable",
        tuple(range(16)),
        {0: "network unreachable", 1: "host unreachable", 3: "port unreachable", 4: "fragmentation needed"},
    ),
    IcmpMessage(4, 4, "source quench"),
    IcmpMessage(4, 5, "redirect", (0, 1, 2, 3)),
    IcmpMessage(4, 8, "echo request"),
    IcmpMessage(4, 9, "router advertisement", (0, 16)),
    IcmpMessage(4, 10, "router solicitation"),
    IcmpMessage(4, 11, "time exceeded", (0, 1), {0: "time to live exceeded", 1: "reassembly time exceeded"}),
    IcmpMessage(4, 12, "parameter problem", (0, 1, 2)),
    IcmpMessage(4, 13, "timestamp request"),
    IcmpMessage(4, 14, "timestamp reply"),
    IcmpMessage(4, 15, "information request"),
    IcmpMessage(4, 16, "information reply"),
    IcmpMessage(4, 17, "address mask request"),
    IcmpMessage(4, 18, "address mask reply"),
    IcmpMessage(4, 30, "traceroute", (0, 1)),
    IcmpMessage(4, 40, "Photuris", tuple(range(6))),
    IcmpMessage(4, 42, "extended echo request"),
    IcmpMessage(4, 43, "extended echo reply", tuple(range(5))),
    IcmpMessage(6, 1, "destination unreachable", tuple(range(9)), {4: "port unreachable"}),
    IcmpMessage(6, 2, "packet too big"),
    IcmpMessage(6, 3, "time exceeded", (0, 1), {0: "hop limit exceeded", 1: "reassembly time exceeded"}),
    IcmpMessage(6, 4, "parameter problem", tuple(range(12))),
    IcmpMessage(6, 128, "echo request"),
    IcmpMessage(6, 129, "echo reply"),
    IcmpMessage(6, 130, "multicast listener query"),
    IcmpMessage(6, 131, "multicast listener report"),
    IcmpMessage(6, 132, "multicast listener done"),
    IcmpMessage(6, 133, "router solicitation"),
    IcmpMessage(6, 134, "router advertisement"),
    IcmpMessage(6, 135, "neighbour solicitation"),
    IcmpMessage(6, 136, "neighbour advertisement"),
    IcmpMessage(6, 137, "redirect"),
    IcmpMessage(6, 138, "router renumbering", (0, 1, 255)),
    IcmpMessage(6, 139, "node information query", (0, 1, 2)),
    IcmpMessage(6, 140, "node information reply", (0, 1, 2)),
    IcmpMessage(6, 143, "multicast listener report, version 2", None),
)
ICMP_MESSAGES = {(row.version, row.kind): row for row in _MESSAGES}


def icmp_words(version: int, kind: int, code: int) -> str:
    """`echo request`, `fragmentation needed`; nothing for a type that the table lacks."""
    row = ICMP_MESSAGES.get((version, kind))
    return "" if row is None else row.names.get(code, row.name)
