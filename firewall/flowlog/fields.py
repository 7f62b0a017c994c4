"""Every field of a flow log record, in one table: version, type, and where its value comes from or why it is `-`.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firewall.errors import UsageError
from firewall.flowlog.aggregate import NS
from firewall.flowlog.logged import ACTIONS, STATUS, UNLOGGED, flags_cells
from firewall.flowlog.records import Records, Words
from firewall.labels import address_text, encodable
from firewall.model import NetworkInterface, RuleSet
from firewall.sources.reading import quoted, suggestion
from firewall.verdict import DIRECTIONS, EGRESS, INGRESS
from pcaps.batch import IPV4_PREFIX

NOTHING = "-"
Cells = Sequence[object]
Same = str | int  # one word for all records

#: Values of interface-type, by InterfaceType of the EC2 API; every other type is `-`.
INTERFACE_TYPES = {
    "natGateway": "nat_gateway",
    "nat_gateway": "nat_gateway",
    "network_load_balancer": "network_load_balancer",
    "transit_gateway": "transit_gateway",
    "vpc_endpoint": "vpc_endpoint",
}


# --- what the values are made of ------------------------------------------------------------------------
@dataclass(frozen=True)
class Facts:
    """What records say beside the packets: words by interface, `-` where the rules do not state them."""

    account: str
    region: str
    interface: tuple[str, ...]
    vpc: tuple[str, ...]
    subnet: tuple[str, ...]
    instance: tuple[str, ...]
    kind: tuple[str, ...]
    primary: Words  # the low half of the primary private IPv4 address; 0: none is known

    @classmethod
    def of(
        cls, rules: RuleSet, interfaces: Sequence[NetworkInterface], account: str | None, region: str | None
    ) -> "Facts":
        """The facts of the simulated interfaces."""
        subnets = [rules.subnet_of(eni) for eni in interfaces]
        vpcs = [
            eni.vpc or (None if subnet is None else subnet.vpc) for eni, subnet in zip(interfaces, subnets, strict=True)
        ]
        return cls(
            account=account or NOTHING,
            region=region or NOTHING,
            interface=_words(eni.interface_id for eni in interfaces),
            vpc=_words(vpcs),
            subnet=_words(eni.subnet for eni in interfaces),
            instance=_words(eni.instance for eni in interfaces),
            kind=_words(INTERFACE_TYPES.get(eni.interface_type) for eni in interfaces),
            primary=np.array([_primary(eni) for eni in interfaces], np.uint64),
        )


def _words(words: Iterable[str | None]) -> tuple[str, ...]:
    """Each as one word of a line: a name of the rule file may hold spaces."""
    return tuple(re.sub(r"\s", "_", encodable(word)) if word else NOTHING for word in words)


def _primary(eni: NetworkInterface) -> int:
    return next((IPV4_PREFIX | int(each) for each in eni.addresses if each.version == 4), 0)


class Block(NamedTuple):
    """Some records, the facts beside them, and the version of their format."""

    records: Records
    facts: Facts
    version: int


# --- values -----------------------------------------------------------------------------------------------
def _by_interface(name: str) -> Callable[[Block], Cells]:
    def cells(block: Block) -> Cells:
        words = getattr(block.facts, name)
        return [words[eni] for eni in block.records.eni.tolist()]

    return cells


def _everywhere(name: str) -> Callable[[Block], Same]:
    return lambda block: getattr(block.facts, name)


def _number(name: str) -> Callable[[Block], Cells]:
    return lambda block: getattr(block.records, name).tolist()


def _seconds(name: str) -> Callable[[Block], Cells]:
    return lambda block: (getattr(block.records, name) // NS).tolist()


def _word(name: str, words: Sequence[str]) -> Callable[[Block], Cells]:
    return lambda block: [words[code] for code in getattr(block.records, name).tolist()]


def _address(end: str) -> Callable[[Block], Cells]:
    """The packet's own address."""

    def cells(block: Block) -> Cells:
        records = block.records
        return address_cells(getattr(records, f"{end}_hi"), getattr(records, f"{end}_lo"))

    return cells


def _shown(end: str) -> Callable[[Block], Cells]:
    """The address that srcaddr and dstaddr show."""
    return lambda block: address_cells(*shown_address(block.records, block.facts, end))


def shown_address(records: Records, facts: Facts, end: str) -> tuple[Words, Words]:
    """At the interface's own end the primary private IPv4 address, whichever IPv4 address the packet has.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html
    """
    high, low = getattr(records, f"{end}_hi"), getattr(records, f"{end}_lo")
    if not len(facts.primary):
        return high, low
    own = records.direction == (EGRESS if end == "src" else INGRESS)
    primary = facts.primary[records.eni]
    return high, np.where(own & (records.family == 4) & (primary != 0), primary, low)


def address_cells(high: Words, low: Words) -> list[str]:
    """Addresses as text."""
    return list(map(address_text, high.tolist(), low.tolist()))


def _flags(block: Block) -> Cells:
    return flags_cells(block.records.flags)


def _type(block: Block) -> Cells:
    return [f"IPv{family}" for family in block.records.family.tolist()]


def _version(block: Block) -> Same:
    return block.version


# --- the table --------------------------------------------------------------------------------------------
class Field(NamedTuple):
    """One row. `make` is None where the value is always `-`; `traffic`: `-` too where a record has no data."""

    name: str
    version: int
    type: str  # of AWS's Parquet files; a text file has words
    value: str
    make: Callable[[Block], Cells | Same] | None = None
    traffic: bool = True


PLACE = "where an interface stands is not part of the rules"
RANGES = "AWS's published address ranges are not read"
ROUTES = "routes are not simulated"
ECS = "ECS tasks are not simulated"
TAGS = "tags are not read"

FIELDS = (
    Field("version", 2, "INT_32", "the highest version among the chosen fields", _version, traffic=False),
    Field("account-id", 2, "STRING", "`--account`", _everywhere("account"), traffic=False),
    Field(
        "interface-id",
        2,
        "STRING",
        "the interface's id in the rules, or what `--eni` says",
        _by_interface("interface"),
        traffic=False,
    ),
    Field(
        "srcaddr",
        2,
        "STRING",
        "source address; of egress IPv4 the interface's primary private address",
        _shown("src"),
    ),
    Field(
        "dstaddr",
        2,
        "STRING",
        "destination address; of ingress IPv4 the interface's primary private address",
        _shown("dst"),
    ),
    Field(
        "srcport",
        2,
        "INT_32",
        "source port; 0 for ICMP, protocols without ports and later fragments",
        _number("src_port"),
    ),
    Field("dstport", 2, "INT_32", "destination port; 0 as above", _number("dst_port")),
    Field("protocol", 2, "INT_32", "IANA number, behind IPv6's extension headers", _number("protocol")),
    Field("packets", 2, "INT_64", "packets", _number("packets")),
    Field("bytes", 2, "INT_64", "their IP lengths", _number("bytes")),
    Field(
        "start",
        2,
        "INT_64",
        "Unix second of the first packet; of NODATA and SKIPDATA where the interval begins",
        _seconds("first"),
        traffic=False,
    ),
    Field(
        "end",
        2,
        "INT_64",
        "Unix second of the last packet; of NODATA and SKIPDATA where the interval ends",
        _seconds("last"),
        traffic=False,
    ),
    Field(
        "action",
        2,
        "STRING",
        "ACCEPT for the verdict ALLOW, REJECT for DENY",
        _word("action", (*ACTIONS, "", "", "")),
    ),
    Field("log-status", 2, "STRING", "OK, NODATA or SKIPDATA", _word("action", STATUS), traffic=False),
    Field(
        "vpc-id",
        3,
        "STRING",
        "the interface's VPC, or its subnet's, where the rules state it",
        _by_interface("vpc"),
        traffic=False,
    ),
    Field(
        "subnet-id",
        3,
        "STRING",
        "the interface's subnet, where the rules state it",
        _by_interface("subnet"),
        traffic=False,
    ),
    Field(
        "instance-id",
        3,
        "STRING",
        "the interface's instance, where the rules state it",
        _by_interface("instance"),
        traffic=False,
    ),
    Field(
        "tcp-flags",
        3,
        "INT_32",
        "FIN 1, SYN 2, RST 4, SYN-ACK 18, OR-ed; 0 where no packet has one, also beside TCP; `-` where a packet's"
        " flags cannot be",
        _flags,
    ),
    Field("type", 3, "STRING", "IPv4 or IPv6", _type),
    Field("pkt-srcaddr", 3, "STRING", "the packet's own source address", _address("src")),
    Field("pkt-dstaddr", 3, "STRING", "the packet's own destination address", _address("dst")),
    Field("region", 4, "STRING", "`--region`", _everywhere("region"), traffic=False),
    Field("az-id", 4, "STRING", PLACE),
    Field("sublocation-type", 4, "STRING", PLACE),
    Field("sublocation-id", 4, "STRING", PLACE),
    Field("pkt-src-aws-service", 5, "STRING", RANGES),
    Field("pkt-dst-aws-service", 5, "STRING", RANGES),
    Field(
        "flow-direction",
        5,
        "STRING",
        "ingress or egress, seen from the interface",
        _word("direction", DIRECTIONS),
    ),
    Field("traffic-path", 5, "INT_32", ROUTES),
    Field("ecs-cluster-arn", 7, "STRING", ECS),
    Field("ecs-cluster-name", 7, "STRING", ECS),
    Field("ecs-container-instance-arn", 7, "STRING", ECS),
    Field("ecs-container-instance-id", 7, "STRING", ECS),
    Field("ecs-container-id", 7, "STRING", ECS),
    Field("ecs-second-container-id", 7, "STRING", ECS),
    Field("ecs-service-name", 7, "STRING", ECS),
    Field("ecs-task-definition-arn", 7, "STRING", ECS),
    Field("ecs-task-arn", 7, "STRING", ECS),
    Field("ecs-task-id", 7, "STRING", ECS),
    Field(
        "reject-reason",
        8,
        "STRING",
        "AWS gives one for VPC Block Public Access and for encryption controls alone; neither is simulated",
    ),
    Field("resource-id", 9, "STRING", "regional NAT gateways are not simulated"),
    Field("encryption-status", 10, "INT_32", "encryption controls are not simulated"),
    Field("instance-tag", 11, "STRING", TAGS),
    Field("instance-tag-2", 11, "STRING", TAGS),
    Field("interface-tag", 11, "STRING", TAGS),
    Field("interface-tag-2", 11, "STRING", TAGS),
    Field("asg-tag", 11, "STRING", TAGS),
    Field("asg-tag-2", 11, "STRING", TAGS),
    Field(
        "interface-type",
        11,
        "STRING",
        "the interface's type in the rules, where it is one that AWS shows here",
        _by_interface("kind"),
        traffic=False,
    ),
    Field("next-hop-interface-id", 11, "STRING", ROUTES),
    Field("next-hop-subnet-id", 11, "STRING", ROUTES),
    Field("next-hop-az-id", 11, "STRING", ROUTES),
    Field("next-hop-vpc-id", 11, "STRING", ROUTES),
    Field("next-hop-interface-type", 11, "STRING", ROUTES),
)
BY_NAME = {field.name: field for field in FIELDS}
DEFAULT = tuple(field for field in FIELDS if field.version == 2)  # AWS's order
HIGHEST = max(field.version for field in FIELDS)


# --- formats ----------------------------------------------------------------------------------------------
_WORD = re.compile(r"\$\{([^{}]*)\}")
_WRITE = "write it as AWS does, in single quotes: '${version} ${interface-id} ${action}'"


def read_format(text: str | None) -> tuple[Field, ...]:
    """The fields of a format string, `${version} ${vpc-id} ...`; None is AWS's default. Raises UsageError."""
    if text is None:
        return DEFAULT
    words = text.split()
    if not words:
        raise UsageError(f"--format is empty (in double quotes the shell takes ${{...}} for itself): {_WRITE}")
    found: dict[str, Field] = {}
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            raise UsageError(f"--format: {quoted(word)} is no field in ${{}}: {_WRITE}")
        name = match[1]
        if name not in BY_NAME:
            raise UsageError(f"--format: no field {quoted(name)} in a flow log: {suggestion(name, BY_NAME)}")
        if name in found:
            raise UsageError(f"--format: ${{{name}}} stands twice")
        found[name] = BY_NAME[name]
    return tuple(found.values())


def lines(records: Records, facts: Facts, fields: Sequence[Field]) -> str:
    """The records as text, a line each."""
    block = Block(records, facts, max(field.version for field in fields))
    empty = records.action > UNLOGGED
    template, columns = [], []
    for field in fields:
        cells = _cells(field, block, empty)
        if isinstance(cells, (str, int)):
            template.append(str(cells).replace("%", "%%"))
        else:
            template.append("%s")
            columns.append(cells)
    line = " ".join(template) + "\n"
    if not columns:
        return (line % ()) * records.rows
    return "".join(map(line.__mod__, zip(*columns, strict=True)))


def _cells(field: Field, block: Block, empty: NDArray[np.bool_]) -> Cells | Same:
    """A word for each record, or one for all."""
    cells: Cells | Same = NOTHING if field.make is None else field.make(block)
    if isinstance(cells, (str, int)) or not field.traffic or not empty.any():
        return cells
    return [NOTHING if blank else cell for cell, blank in zip(cells, empty.tolist(), strict=True)]


def header(fields: Sequence[Field]) -> str:
    """The first line of a file that is delivered to S3: the names of its fields."""
    return " ".join(field.name for field in fields) + "\n"
