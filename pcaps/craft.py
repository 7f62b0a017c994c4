# SPDX-License-Identifier: GPL-2.0-only
# This module alone imports scapy, which is GPL-2.0-only; the rest of the project is MIT.
"""Crafted packets: expressions and scapy packets as frames, and frames as scapy packets.

scapy builds the bytes, the decoder reads them: a crafted packet takes the road of a captured one.
Nothing here touches the network: names are never looked up, ARP is never asked, and what scapy
would take from this machine's routes and interfaces is filled with fixed documentation addresses,
so that the same packet is the same bytes everywhere.
"""

import itertools
import logging
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from pcaps.errors import CraftError
from pcaps.expression import Argument, Expression, Layer, Span, Stack, Value
from pcaps.frame import Frame

if TYPE_CHECKING:
    from scapy.fields import Field
    from scapy.packet import Packet

MAX_PACKETS = 10_000  # that lists, ranges and networks of one expression, or of one scapy packet, stand for
MAX_WORK = 1 << 22  # packets times characters of their expression
GAP = 1_000_000  # ns between crafted packets that say no time

# The layers that an expression may name. All fields of all of them are known to build without a
# look-up; DHCP's options and NTP are left out, which ask the resolver and the clock.
LAYERS = {
    "scapy.packet": "Raw Padding",
    "scapy.layers.l2": (
        "Ether Dot3 LLC SNAP Dot1Q Dot1AD STP ARP GRE CookedLinux CookedLinuxV2 Loopback LoopbackOpenBSD"
    ),
    "scapy.layers.ppp": "PPPoE PPP",
    "scapy.contrib.mpls": "MPLS",
    "scapy.layers.inet": (
        "IP TCP UDP ICMP IPOption IPOption_EOL IPOption_NOP IPOption_RR IPOption_LSRR IPOption_SSRR "
        "IPOption_Stream_Id IPOption_Traceroute IPOption_Timestamp IPOption_Router_Alert"
    ),
    "scapy.layers.inet6": (
        "IPv6 IPv6ExtHdrHopByHop IPv6ExtHdrDestOpt IPv6ExtHdrRouting IPv6ExtHdrSegmentRouting IPv6ExtHdrFragment "
        "Pad1 PadN RouterAlert Jumbo HAO HBHOptUnknown ICMPv6Unknown ICMPv6EchoRequest ICMPv6EchoReply "
        "ICMPv6DestUnreach ICMPv6PacketTooBig ICMPv6TimeExceeded ICMPv6ParamProblem ICMPv6MLQuery ICMPv6MLReport "
        "ICMPv6MLDone ICMPv6MLQuery2 ICMPv6MLReport2 ICMPv6MLDMultAddrRec ICMPv6ND_RS ICMPv6ND_RA ICMPv6ND_NS "
        "ICMPv6ND_NA ICMPv6ND_Redirect ICMPv6NDOptUnknown ICMPv6NDOptSrcLLAddr ICMPv6NDOptDstLLAddr "
        "ICMPv6NDOptPrefixInfo ICMPv6NDOptRedirectedHdr ICMPv6NDOptMTU ICMPv6NDOptRDNSS"
    ),
    "scapy.layers.ipsec": "AH ESP",
    "scapy.layers.sctp": (
        "SCTP SCTPChunkData SCTPChunkInit SCTPChunkInitAck SCTPChunkSACK SCTPChunkHeartbeatReq "
        "SCTPChunkHeartbeatAck SCTPChunkAbort SCTPChunkShutdown SCTPChunkShutdownAck SCTPChunkError "
        "SCTPChunkCookieEcho SCTPChunkCookieAck SCTPChunkShutdownComplete SCTPChunkParamHeartbeatInfo "
        "SCTPChunkParamIPv4Addr SCTPChunkParamIPv6Addr SCTPChunkParamStateCookie SCTPChunkParamSupportedAddrTypes"
    ),
    "scapy.layers.dns": "DNS DNSQR DNSRR DNSRROPT",
    "scapy.layers.tftp": "TFTP TFTP_RRQ TFTP_WRQ TFTP_DATA TFTP_ACK TFTP_ERROR",
    "scapy.layers.vxlan": "VXLAN",
    "scapy.contrib.geneve": "GENEVE GeneveOptions",
}
MODULES = {name: module for module, names in LAYERS.items() for name in names.split()}


class Link(NamedTuple):
    """A layer that a frame may start with, and its LINKTYPE number."""

    layer: str
    number: int


# Subclasses stand before the class they derive from. Bytes alone are read as raw IP.
LINKS = (
    Link("Ether", 1),
    Link("Dot3", 1),
    Link("CookedLinuxV2", 276),
    Link("CookedLinux", 113),
    Link("LoopbackOpenBSD", 108),
    Link("Loopback", 0),
    Link("IP", 101),
    Link("IPv6", 101),
    Link("Raw", 101),
)

# What scapy would look up on this machine: its routes, its interfaces' addresses, ARP.
STRANGER = {4: "198.51.100.1", 6: "2001:db8::1"}  # RFC 5737 TEST-NET-2, RFC 3849
NOBODY = {4: "127.0.0.1", 6: "::1"}  # scapy's destination where none is written
LOOKED_UP = {
    "SourceIPField": STRANGER[4],
    "SourceIP6Field": STRANGER[6],
    "SourceMACField": "02:00:00:00:00:01",  # locally administered
    "DestMACField": "02:00:00:00:00:02",
}


@contextmanager
def _hushed() -> Iterator[list[str]]:
    """Keep scapy's log from the terminal; yields what it says."""
    said: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        said.append(record.getMessage())
        return False

    logs = [logging.getLogger(name) for name in ("scapy.runtime", "scapy.loading")]
    for log in logs:
        log.filters.insert(0, keep)  # before scapy's own, which drops what repeats
    try:
        yield said
    finally:
        for log in logs:
            log.removeFilter(keep)


@cache
def layer_class(name: str) -> "type[Packet]":
    """The scapy class of a layer of the table LAYERS."""
    with _hushed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old cryptography under scapy's IPsec
        found: type[Packet] = getattr(import_module(MODULES[name]), name)
        return found


# --- expressions -----------------------------------------------------------------------------------
def parse(text: str, start: int = 0) -> "list[Packet]":
    """The scapy packets that an expression stands for, in order, at most MAX_PACKETS.

    `IP(src="203.0.113.9", dst="10.0.1.10")/TCP(dport=22, flags="S")`: see `pcaps.expression` for what
    may be written. A list of values, a range `(first, last)` of integers, a network
    `"10.0.1.0/28"` and a range of addresses `("10.0.1.1", "10.0.1.9")` stand for a packet each; the
    rightmost one written changes fastest. Fields that are lists themselves (TCP's options) stay one.
    The pseudo field `time=` of the outermost layer is the first packet's time in seconds; without
    it, `start` (ns) is. Packets follow each other by GAP.

    Raises CraftError that shows the place.
    """
    expression = Expression(text)
    first, *rest = expression.stack.layers
    time = next((argument for argument in first.arguments if argument.name == "time"), None)
    if time is not None:
        start = _seconds(expression, time)
        first = Layer(first.name, tuple(each for each in first.arguments if each is not time), first.span)
    with _hushed():
        packets = _stack_packets(expression, Stack((first, *rest)), MAX_PACKETS)
    for index, packet in enumerate(packets):
        packet.time = _packet_time(start + index * GAP)
    return packets


def craft(expressions: Iterable[str], here: Sequence[str] = ()) -> list[Frame]:
    """The frames of expressions one after another, GAP apart unless one says `time=`.

    `here`: see packets_to_frames. Raises CraftError.
    """
    frames: list[Frame] = []
    for text in expressions:
        start = frames[-1].time + GAP if frames else 0
        frames += packets_to_frames(parse(text, start), here)
    return frames


def _seconds(expression: Expression, argument: Argument) -> int:
    """The ns of `time=`, read from its text: a float of today's time is not exact to the ns."""
    try:
        if isinstance(argument.value, int | float) and not isinstance(argument.value, bool):
            return _nanoseconds(Decimal(expression.written(argument.span)), least=0)
    except (CraftError, InvalidOperation):
        pass  # said below, with the place
    raise expression.wrong(argument.span, "time is in seconds, 0 or more, such as time=1.5")


def _stack_packets(expression: Expression, stack: Stack, most: int) -> "list[Packet]":
    """Every packet that layers stand for; CraftError where they are more than `most`."""
    spreads = [_spread(expression, layer) for layer in stack.layers]
    count = math.prod(len(choices) for spread in spreads for choices in spread.values())
    span = Span(stack.layers[0].span.start, stack.layers[-1].span.end)
    if count > most:
        what = "one layer is wanted here" if most == 1 else f"at most {most:,} are made at once"
        raise expression.wrong(span, f"stands for {count:,} packets: {what}")
    if count * len(expression.text) > MAX_WORK:
        raise expression.wrong(span, f"{count:,} packets of so long an expression: write fewer, or split it")
    layers = [
        [_build(expression, layer, dict(zip(spread, values, strict=True))) for values in itertools.product(*spread.values())]
        for layer, spread in zip(stack.layers, spreads, strict=True)
    ]
    return [_joined(combination) for combination in itertools.product(*layers)]


def _joined(layers: "Sequence[Packet]") -> "Packet":
    packet, *rest = (layer.copy() for layer in layers)
    outer = packet
    for layer in rest:
        outer.add_payload(layer)
        outer = layer
    return packet


def _class_of(expression: Expression, layer: Layer) -> "type[Packet]":
    if layer.name in MODULES:
        return layer_class(layer.name)
    raise expression.wrong(layer.span, f"no layer is called {layer.name}{_nearest(layer.name, MODULES)}")


def _nearest(name: str, names: Iterable[str]) -> str:
    names = list(names)
    by_lower = {each.lower(): each for each in reversed(names)}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]}?" if near else f"; there are {', '.join(names)}"


def _spread(expression: Expression, layer: Layer) -> dict[str, Sequence[Any]]:
    """The values that each written field takes in turn, in the order written."""
    scratch = _class_of(expression, layer)()
    written = {argument.name: argument for argument in layer.arguments}
    fields = {field.name: field for field in scratch.fields_desc}
    for argument in layer.arguments:
        if argument.name == "time":
            raise expression.wrong(argument.span, "time stands in the outermost layer only")
        if argument.name not in fields:
            raise expression.wrong(
                argument.span, f"{layer.name} has no field {argument.name}{_nearest(argument.name, fields)}"
            )
    spread: dict[str, Sequence[Any]] = dict.fromkeys(written, ())
    for name in filter(written.__contains__, fields):  # in the wire's order: kinds of fields hang on earlier ones
        spread[name] = _choices(expression, written[name], scratch, fields[name])
        _set(expression, layer.name, written[name], scratch, spread[name][0])
    return spread


def _build(expression: Expression, layer: Layer, values: dict[str, Any]) -> "Packet":
    """One layer with these values; built alone once, so that an error can show its place."""
    packet = layer_class(layer.name)()
    written = {argument.name: argument for argument in layer.arguments}
    for field in packet.fields_desc:
        if field.name in values:
            _set(expression, layer.name, written[field.name], packet, values[field.name])
    for argument in layer.arguments:
        if _absent(packet, argument.name):
            raise expression.wrong(argument.span, f"{layer.name} has no {argument.name} with its other fields as they are")
    trial = packet.copy()
    _fill(trial)
    with _hushed() as said:
        try:
            trial.self_build()
        except Exception as error:  # noqa: BLE001  (scapy's fields raise whatever Python raises)
            place = re.search(r"field '(\w+)'", str(error))
            span = written[place[1]].span if place and place[1] in written else layer.span
            raise expression.wrong(span, f"{layer.name} cannot be built: {_reason(error)}") from None
    if said:
        raise expression.wrong(layer.span, f"{layer.name} cannot be built: {said[0]}")
    return packet


def _set(expression: Expression, layer: str, argument: Argument, packet: "Packet", value: Any) -> None:
    try:
        packet.setfieldval(argument.name, value)
    except Exception as error:  # noqa: BLE001  (scapy's fields raise whatever Python raises)
        raise expression.wrong(argument.span, f"{layer}({argument.name}=...): {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What an exception of scapy's says, in one line."""
    text = str(error)
    if isinstance(error, KeyError):
        return f"{text} is no name that this field knows"
    packing = re.search(r"struct\.error\(['\"](.*)['\"]\)", text)
    return packing[1] if packing else (text.strip().split("\n")[0] or type(error).__name__)


# --- fields ------------------------------------------------------------------------------------------
def _leaf(field: "Field[Any, Any]", packet: "Packet", value: Any) -> Any:
    """The field inside scapy's wrappers (conditions, lists, one of several types)."""
    while True:
        if hasattr(field, "fld"):
            field = field.fld
        elif hasattr(field, "flds"):
            field = field._find_fld_pkt_val(packet, value)[0]  # noqa: SLF001  (scapy has no public way)
        elif hasattr(field, "field"):
            field = field.field
        else:
            return field


def _absent(packet: "Packet", name: str) -> bool:
    """True for a field that scapy leaves out of the layer as its other fields stand."""
    field = packet.get_field(name)
    return hasattr(field, "cond") and hasattr(field, "_evalcond") and not field._evalcond(packet)  # noqa: SLF001


def _family(packet: "Packet", field: "Field[Any, Any]", leaf: Any) -> int:
    """4 or 6 for a field of IP addresses, else 0."""
    from scapy.fields import IP6Field, IPField
    from scapy.layers.inet6 import IP6ListField

    if packet.__class__.__name__ == "ARP" and field.name in ("psrc", "pdst"):
        return 6 if packet.ptype == 0x86DD else 4
    if isinstance(leaf, IPField):
        return 4
    return 6 if isinstance(leaf, IP6Field | IP6ListField) else 0


def _choices(
    expression: Expression, argument: Argument, packet: "Packet", field: "Field[Any, Any]"
) -> Sequence[Any]:
    """The values that one written value stands for: never none, at most MAX_PACKETS."""
    leaf = _leaf(field, packet, argument.value)
    family = _family(packet, field, leaf)

    def wrong(message: str) -> CraftError:
        return expression.wrong(argument.span, f"{argument.name}: {message}")

    def bounded(count: int) -> int:
        if not 1 <= count <= MAX_PACKETS:
            raise wrong(f"stands for {count:,} values: from 1 to {MAX_PACKETS:,} are taken")
        return count

    def several(value: Value) -> Sequence[Any]:
        """What a value of a field that is no list stands for."""
        if isinstance(value, list):
            found = [choice for item in value for choice in (one(item) if isinstance(item, list) else several(item))]
            bounded(len(found))
            return found
        if isinstance(value, tuple):
            return between(value)
        if family and isinstance(value, str) and "/" in value:
            return network(value)
        return [one(value)]

    def between(ends: tuple[Any, ...]) -> Sequence[Any]:
        if len(ends) != 2:
            raise wrong("a tuple is a range: (first, last)")
        if family:
            low, high = (ip_address(one(end)) for end in ends)
            count = bounded(int(high) - int(low) + 1)
            return [str(low + index) for index in range(count)]
        if not all(type(end) is int for end in ends):
            raise wrong("a range is of two integers")
        bounded(ends[1] - ends[0] + 1)
        for end in ends:
            one(end)
        return range(ends[0], ends[1] + 1)

    def network(value: str) -> Sequence[str]:
        block = (IPv4Network if family == 4 else IPv6Network)(_network(value, family, wrong), strict=False)
        bounded(block.num_addresses)
        return [str(address) for address in block]

    def one(value: Value) -> Any:
        if isinstance(value, Stack):
            if not field.holds_packets:
                raise wrong("this field holds no layers")
            return _stack_packets(expression, value, 1)[0]
        return value

    raise NotImplementedError
