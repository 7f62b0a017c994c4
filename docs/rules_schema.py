"""docs/rules.schema.json: the keys of the native YAML as a JSON Schema (2020-12), for editors and other tools.

Values come from the reader's own tables in firewall/sources. What a schema cannot say (that a name is
defined, that a range is not upside down) the reader alone checks; what the reader takes the schema takes.
https://json-schema.org/draft/2020-12
"""

import json
from typing import Any

from firewall.model import ALL_PROTOCOLS, ICMP, ICMPV6, LAST_ACL_NUMBER, TCP, UDP
from firewall.sources.aws_interfaces import LAST_VNI
from firewall.sources.native import ALL, FAMILIES, LINT_NAME, MOST_ENTRIES
from firewall.sources.native_interfaces import INTERFACE_TYPES
from firewall.sources.reading import LONGEST_TEXT
from firewall.sources.tracking import IDLE_TIMEOUTS
from firewall.sources.words import CONSOLE_TYPES, PROTOCOL_NAMES, PROTOCOLS, SCTP, UDPLITE

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PORTED, PORTS_KEPT = (TCP, UDP), (SCTP, UDPLITE)

# --- patterns: of ECMA 262 and of Python alike ---------------------------------------------------------
OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"{OCTET}(\.{OCTET}){{3}}"
IPV6 = "[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
BLOCK = f"({IPV4}(/0{{0,2}}(3[0-2]|[12]?[0-9]))?|{IPV6}(/0{{0,2}}(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)"
PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}|0)"
TYPE_OR_CODE = f"(-1|{OCTET})"
MAC = "([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"


VNI: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": LAST_VNI}


def whole(pattern: str) -> str:
    """A pattern for the whole text."""
    return f"^({pattern})$"


def any_case(word: str) -> str:
    """A pattern for a word in any case, with any spaces where it has one."""
    return "".join(f"[{each.upper()}{each.lower()}]" if each.isalpha() else spaced(each) for each in word)


def spaced(sign: str) -> str:
    """A pattern for a sign that is no letter."""
    return r"\s+" if sign == " " else f"[{sign}]"


# --- single values -------------------------------------------------------------------------------------
def said(description: str, schema: Schema, *examples: Any) -> Schema:
    """A schema with the words that an editor shows."""
    return {"description": description, **schema, **({"examples": list(examples)} if examples else {})}


def words(names: list[str], pattern: str) -> Schema:
    """Names that an editor offers, and every other way to write them."""
    return {"anyOf": [{"enum": names}, {"type": "string", "pattern": pattern}]}


def text(pattern: str) -> Schema:
    """Text of a pattern."""
    return {"type": "string", "pattern": whole(pattern)}


def number(low: int, high: int | None = None) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high})}


def listed(items: Schema, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


#: a number without quotes is its digits
FREE_TEXT: Schema = {"type": ["string", "number"], "maxLength": LONGEST_TEXT}
WORD: Schema = {**FREE_TEXT, "minLength": 1}
BLOCK_TEXT: Schema = {"$ref": "#/$defs/block"}
ADDRESS_TEXT: Schema = {"$ref": "#/$defs/address"}
FLAG: Schema = {"type": "boolean"}


def protocols(numbers: tuple[int, ...]) -> list[Schema]:
    """Every way to write one of these protocols."""
    names = [PROTOCOL_NAMES[each] for each in numbers if each in PROTOCOL_NAMES]
    written = "|".join([*map(any_case, names), *map(str, numbers)])
    return [{"enum": [*names, *numbers]}, text(rf"\s*({written})\s*")]


def console_types(asks: str | None, *numbers: int) -> Schema:
    """The console's types that ask for a key; None: every type. With numbers, those of these protocols."""
    rows = [row for row in CONSOLE_TYPES.values() if asks is None or row.asks == asks]
    names = [row.name for row in rows if not numbers or row.protocol in numbers]
    return words(names, rf"^\s*({'|'.join(map(any_case, names))})\s*$")


# --- a service: type, protocol, ports, icmp --------------------------------------------------------------
SERVICE: Schema = {
    "type": said(
        "The EC2 console's word in place of protocol and ports.", console_types(None), "HTTPS", "SSH", "All traffic"
    ),
    "protocol": said(
        "A protocol by name or IANA number; all or -1 is every protocol.",
        {
            "anyOf": [
                {"enum": list(PROTOCOLS)},
                number(ALL_PROTOCOLS, 255),
                text(rf"\s*({'|'.join(map(any_case, PROTOCOLS))}|-1|{OCTET})\s*"),
            ]
        },
        "tcp",
        "icmp",
        50,
    ),
    "ports": said(
        "Destination ports: one, FIRST-LAST, or all. TCP and UDP need them; AWS ignores those of other protocols.",
        {"anyOf": [number(0, 65535), {"const": "all"}, text(f"{any_case('all')}|{PORT} ?- ?{PORT}")]},
        443,
        "8000-8080",
        "all",
    ),
    "icmp": said(
        "ICMP type, or TYPE/CODE where -1 is any, or all. Two values, not a range.",
        {
            "anyOf": [
                number(-1, 255),
                {"const": "all"},
                text(f"{any_case('all')}|-1 ?/ ?-1|{OCTET} ?/ ?{TYPE_OR_CODE}"),
            ]
        },
        "8/-1",
        "3/4",
        "all",
    ),
}


def where(key: str, value: Schema, then: Schema) -> Schema:
    """A condition that holds only where the key stands."""
    return {"if": {"properties": {key: value}, "required": [key]}, "then": then}


def without(*keys: str, needs: str | None = None) -> Schema:
    """Keys that cannot stand, and one that must."""
    return {"properties": dict.fromkeys(keys, False), **({} if needs is None else {"required": [needs]})}


SERVICE_CONDITIONS: list[Schema] = [
    {"anyOf": [{"required": ["type"]}, {"required": ["protocol"]}]},
    where("type", console_types(""), without("protocol", "ports", "icmp")),
    where("type", console_types("ports"), without("protocol", "icmp", needs="ports")),
    where("type", console_types("icmp", ICMP), without("protocol", "ports", needs="icmp")),
    where("type", console_types("icmp", ICMPV6), without("protocol", "ports")),
    where("type", console_types("protocol"), without(needs="protocol")),
    where("protocol", {"anyOf": protocols(PORTED)}, without("icmp", needs="ports")),
    where("protocol", {"anyOf": protocols((ICMP,))}, without("ports", needs="icmp")),
    where("protocol", {"anyOf": protocols((ICMPV6,))}, without("ports")),
    where("protocol", {"anyOf": protocols(PORTS_KEPT)}, without("icmp")),
    where(
        "protocol",
        {"not": {"anyOf": protocols((*PORTED, ICMP, ICMPV6, *PORTS_KEPT))}},
        {"properties": {"icmp": False, "ports": text(f"{any_case('all')}|0 ?- ?65535")}},
    ),
]

# --- objects -------------------------------------------------------------------------------------------
DESCRIPTION = said("Free text of at most 255 characters.", FREE_TEXT)


def identity(prefix: str) -> Schema:
    """AWS's id of an object."""
    return said(f"AWS's id, {prefix}...; without it the name is the id.", text(f"{prefix}.*"))


def mapping(properties: Schema, *required: str, **more: Any) -> Schema:
    """A mapping of these keys and no others."""
    needs = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **needs, **more}


def named(description: str, value: Schema, **more: Any) -> Schema:
    """A mapping of names that the file chooses."""
    names = {"minLength": 1, "maxLength": LONGEST_TEXT, "pattern": r"\S"}
    return said(description, {"type": "object", "propertyNames": names, "additionalProperties": value, **more})


def ref(name: str) -> Schema:
    """One of the definitions below."""
    return {"$ref": f"#/$defs/{name}"}


def one_of_two(first: str, second: str) -> Schema:
    """Two words for one key: not both."""
    return {"not": {"required": [first, second]}}


def directions(items: dict[str, str], absent: dict[str, str]) -> Schema:
    """Ingress and egress, by these names and the console's."""
    return {
        word: said(f"{heading} {absent[key]}", listed(ref(items[key])))
        for key, console, heading in (
            ("ingress", "inbound", "What may come in."),
            ("egress", "outbound", "What may go out."),
        )
        for word in (key, console)
    }


def rule(peer: str, what: str) -> Schema:
    """A rule of one direction."""
    peers = text(f"{BLOCK}|(sg|pl):.+|(sg|pl)-.*")
    about = f"The {what}: a CIDR block or address, sg:NAME, pl:NAME, or AWS's own sg- or pl- id. Exactly one per rule."
    properties = {
        **{key: ref(key) for key in SERVICE},
        peer: said(about, peers, "0.0.0.0/0", "2001:db8::/32", "sg:app", "pl:office"),
        "description": DESCRIPTION,
        "id": said("AWS's id of the rule, sgr-..., which reports then show.", text("sgr-.*")),
    }
    return mapping(properties, peer, allOf=[ref("service")])


def entry(peer: str, what: str) -> Schema:
    """A numbered entry of one direction."""
    about = f"The {what}: a CIDR block or address. Network ACLs name no groups and no prefix lists."
    properties = {
        "number": said(
            "The lowest number that matches decides. * stands behind all and denies.",
            number(1, LAST_ACL_NUMBER),
            100,
        ),
        "action": said("What becomes of a packet that matches.", {"enum": ["allow", "deny"]}),
        **{key: ref(key) for key in SERVICE},
        peer: said(about, BLOCK_TEXT, "0.0.0.0/0", "2001:db8::/32"),
        "description": DESCRIPTION,
    }
    return mapping(properties, "number", "action", peer, allOf=[ref("service")])


def blocks(*examples: str) -> Schema:
    """`cidrs`, or `cidr` for one."""
    return {
        "cidrs": said("Its address blocks; of a VPC the first IPv4 block is the primary one.", listed(BLOCK_TEXT, 1)),
        "cidr": said("Its address block, where it has one.", BLOCK_TEXT, *examples),
    }


ONE_OF_BLOCKS: Schema = {"oneOf": [{"required": ["cidr"]}, {"required": ["cidrs"]}]}
VPC = said("The VPC, by name or id.", WORD)

GROUP = mapping(
    {
        **directions(
            {"ingress": "ingress_rule", "egress": "egress_rule"},
            {"ingress": "Absent: nothing.", "egress": "Absent: everything, as AWS makes it; []: nothing."},
        ),
        "vpc": VPC,
        "id": identity("sg-"),
        "description": DESCRIPTION,
    },
    allOf=[one_of_two("ingress", "inbound"), one_of_two("egress", "outbound")],
)
PREFIX_LIST = mapping(
    {
        "entries": said(
            "Blocks of one address family.",
            listed({"anyOf": [BLOCK_TEXT, mapping({"cidr": BLOCK_TEXT, "description": DESCRIPTION}, "cidr")]}),
            ["198.51.100.0/24"],
        ),
        "max_entries": said("What a rule quota is charged for the list.", number(1, MOST_ENTRIES), 20),
        "family": said("The address family of its entries.", {"enum": list(FAMILIES)}),
        "version": said("The version that these entries are.", number(1), 1),
        "id": identity("pl-"),
        "description": DESCRIPTION,
    },
    "entries",
)
VPC_OBJECT = mapping({**blocks("10.0.0.0/16"), "id": identity("vpc-"), "description": DESCRIPTION}, **ONE_OF_BLOCKS)
SUBNET = mapping(
    {
        **blocks("10.0.1.0/24"),
        "cidrs": said("Its address blocks; []: nobody knows them.", listed(BLOCK_TEXT)),
        "vpc": VPC,
        "network_acl": said("Its network ACL, by name or id; absent: its VPC's default one.", WORD),
        "id": identity("subnet-"),
        "description": DESCRIPTION,
    },
    **ONE_OF_BLOCKS,
)
NETWORK_ACL = mapping(
    {
        "vpc": VPC,
        "default": said("True for the ACL of the VPC's subnets that name none.", FLAG),
        **directions(
            {"ingress": "ingress_entry", "egress": "egress_entry"},
            dict.fromkeys(("ingress", "egress"), "Absent: as AWS makes it, a default ACL allows all, others nothing."),
        ),
        "id": identity("acl-"),
        "description": DESCRIPTION,
    },
    allOf=[one_of_two("ingress", "inbound"), one_of_two("egress", "outbound")],
)
INTERFACE = mapping(
    {
        "addresses": said("Its private addresses.", listed(ADDRESS_TEXT, 1), ["10.0.1.10"]),
        "security_groups": said("Its security groups, by name or id.", listed(WORD, 1), ["web"]),
        "subnet": said("Its subnet, by name or id; absent: the one whose blocks hold its addresses.", WORD),
        "vpc": said("Its VPC, by name or id; absent: its subnet's.", WORD),
        "instance": said("Its instance, whose interfaces share one allowance.", WORD, "i-0abc"),
        "mac": said("Its MAC address.", text(MAC), "02:00:5e:00:53:01"),
        "source_dest_check": said("False for NAT instances, routers and firewalls. Absent: true.", FLAG),
        "interface_type": said("What it belongs to, in AWS's words.", {"enum": list(INTERFACE_TYPES)}),
        "prefixes": said("Blocks delegated to it: every address in them is its own.", listed(BLOCK_TEXT)),
        "mirror_vnis": said(
            "VXLAN network ids of its traffic mirror sessions.",
            listed({"type": "integer", "minimum": 0, "maximum": LAST_VNI}),
        ),
        "public_addresses": said("Its public addresses, which no packet at it carries.", listed(ADDRESS_TEXT)),
        "connection_tracking": said(
            "Its own idle timeouts in seconds.",
            mapping(
                {row.key: said(f"{row.aws_key} of the EC2 API.", number(row.low, row.high)) for row in IDLE_TIMEOUTS}
            ),
        ),
        "name": said("Its name, for people.", FREE_TEXT),
        "description": DESCRIPTION,
    },
    "addresses",
    "security_groups",
)
PARAMETER: Schema = {"type": ["string", "number", "boolean"]}
TOP: Schema = {
    "$schema": said("The place of this schema, for editors that read JSON.", {}),
    "security_groups": named("Security groups: what may come in and go out, by interface.", ref("security_group")),
    "prefix_lists": named("Prefix lists, which rules name as pl:NAME.", ref("prefix_list")),
    "interfaces": named("Network interfaces by id: whose packets are judged.", ref("interface")),
    "vpcs": named("VPCs: their blocks say where the resolver is, which no rule filters.", ref("vpc")),
    "subnets": named("Subnets: inside one no network ACL is asked; its router is not filtered.", ref("subnet")),
    "network_acls": named("Network ACLs: numbered, stateless, with deny.", ref("network_acl")),
    "auto_tracked": said(
        "Blocks of peers whose connections AWS always tracks, such as load balancers.", listed(BLOCK_TEXT)
    ),
    "allowance": said("Connections that one instance may have tracked. Absent: no limit.", number(1), 1000),
    "addresses": named(
        "Addresses of interfaces that a Terraform plan or CloudFormation template names without them.",
        {"anyOf": [ADDRESS_TEXT, listed(ADDRESS_TEXT, 1)]},
        examples=[{"aws_instance.web": ["10.0.1.10"]}],
    ),
    "parameters": named(
        "Values of a template's parameters.",
        {"anyOf": [PARAMETER, listed(PARAMETER)]},
        examples=[{"OfficeCidr": "203.0.113.0/24"}],
    ),
    "members_complete": said(
        "Groups of which the files give every member, whatever else names them.",
        {"anyOf": [{"const": ALL}, listed(WORD)]},
    ),
    "silence": {
        **named(
            "Lints that are not told: of all, or of these groups, rules and interfaces.",
            {"anyOf": [{"const": ALL}, listed(WORD)]},
            examples=[{"open-to-world": ["web"]}],
        ),
        "propertyNames": {"maxLength": LONGEST_TEXT, "pattern": whole(LINT_NAME.pattern)},
    },
}
DEFINITIONS: Schema = {
    "block": text(BLOCK),
    "address": text(f"{IPV4}|{IPV6}"),
    **SERVICE,
    "service": {"allOf": SERVICE_CONDITIONS},
    "security_group": GROUP,
    "prefix_list": PREFIX_LIST,
    "interface": INTERFACE,
    "vpc": VPC_OBJECT,
    "subnet": SUBNET,
    "network_acl": NETWORK_ACL,
    "ingress_rule": rule("source", "source"),
    "egress_rule": rule("destination", "destination"),
    "ingress_entry": entry("source", "source"),
    "egress_entry": entry("destination", "destination"),
}


def rules_schema() -> Schema:
    """The whole schema."""
    about = (
        "Rules that eniwall judges packets by: security groups, network ACLs and what they stand on, in AWS's words."
    )
    top = mapping(TOP, minProperties=1)
    return {"$schema": DIALECT, "title": "eniwall rule file", "description": about, **top, "$defs": DEFINITIONS}


def schema_text() -> str:
    """docs/rules.schema.json."""
    return json.dumps(rules_schema(), indent=2) + "\n"
