# SPDX-License-Identifier: GPL-2.0-only
# This module and pcaps/scapy_pipe.py alone import scapy, which is GPL-2.0-only; the rest of the project is MIT.
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
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from pcaps.errors import CraftError
from pcaps.expression import Argument, Expression, Layer, Span, Stack, Value
from pcaps.frame import Frame
from pcaps.layers import LINKS, MODULES
from pcaps.spread import MAX_PACKETS, Kind, ValueProblem, spread
from pcaps.wire import ETHERTYPE_IPV6

if TYPE_CHECKING:
    from scapy.packet import Packet as Packet  # noqa: PLC0414  (for the modules that build on this one)

MAX_CHARACTERS = 1 << 22  # packets times characters of their expression
MAX_BUILT = 50_000  # packets times layers of their expression
UNSIGNED = {"B": 8, "H": 16, "I": 32, "Q": 64}  # bits by the format of module struct
GAP = 1_000_000  # ns between crafted packets that say no time

# What scapy would look up on this machine: its routes, its interfaces' addresses, ARP.
STRANGER = {4: "198.51.100.1", 6: "2001:db8::1"}  # RFC 5737 TEST-NET-2, RFC 3849
NOBODY = {4: "127.0.0.1", 6: "::1"}  # scapy's destination where none is written
LOOKED_UP = {
    "SourceIPField": STRANGER[4],
    "SourceIP6Field": STRANGER[6],
    "SourceMACField": "02:00:00:00:00:01",  # locally administered
    "DestMACField": "02:00:00:00:00:02",
}
ARP_ADDRESSES = ("hwsrc", "psrc", "hwdst", "pdst")


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
    """The scapy class of a layer of the table `pcaps.layers.LAYERS`."""
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
        start = _start(expression, time)
        first = Layer(first.name, tuple(each for each in first.arguments if each is not time), first.span)
    packets = _stack_packets(expression, Stack((first, *rest)), MAX_PACKETS)
    for index, packet in enumerate(packets):
        packet.time = packet_time(start + index * GAP)
    return packets


def craft(expressions: Iterable[str], here: Sequence[str] = ()) -> list[Frame]:
    """The frames of expressions one after another, GAP apart unless one says `time=`.

    `here`: see packets_to_frames. Raises CraftError, which says which one is wrong where there are several.
    """
    frames: list[Frame] = []
    texts = list(expressions)
    for place, text in enumerate(texts, 1):
        start = frames[-1].time + GAP if frames else 0
        try:
            frames += packets_to_frames(parse(text, start), here)
        except CraftError as error:
            which = f"expression {place} of {len(texts)}: " if len(texts) > 1 else ""
            raise CraftError(f"{which}{error}") from None
    return frames


def _start(expression: Expression, argument: Argument) -> int:
    """The ns of `time=`, read from its text: a float of today's time is not exact to the ns."""
    if type(argument.value) not in (int, float) or argument.value < 0:  # type: ignore[operator]  # a number here
        raise expression.wrong(argument.span, "time is in seconds, 0 or more, such as time=1.5")
    written = expression.written(argument.span)
    try:
        return nanoseconds(argument.value if written[:2].lower() in ("0x", "0o", "0b") else Decimal(written))
    except CraftError as error:
        raise expression.wrong(argument.span, str(error)) from None


def _stack_packets(expression: Expression, stack: Stack, most: int) -> "list[Packet]":
    """Every packet that layers stand for; CraftError where they are more than `most`."""
    written = [_written_values(expression, layer) for layer in stack.layers]
    count = math.prod(len(choices) for values in written for choices in values.values())
    span = Span(stack.layers[0].span.start, stack.layers[-1].span.end)
    if count > most:
        what = "one layer is wanted here" if most == 1 else f"at most {most:,} are made at once"
        raise expression.wrong(span, f"stands for {count:,} packets: {what}")
    if count * len(expression.text) > MAX_CHARACTERS or count * expression.layers > MAX_BUILT:
        raise expression.wrong(span, f"{count:,} packets of so long an expression: write fewer, or split it")
    layers = [
        [
            _build(expression, layer, dict(zip(values, chosen, strict=True)))
            for chosen in itertools.product(*values.values())
        ]
        for layer, values in zip(stack.layers, written, strict=True)
    ]
    return [_joined(combination) for combination in itertools.product(*layers)]


def _joined(layers: "Sequence[Packet]") -> "Packet":
    packet, *rest = (layer.copy() for layer in layers)
    outer = packet
    for layer in rest:
        outer.add_payload(layer)
        outer = layer
    return packet


def _written_values(expression: Expression, layer: Layer) -> dict[str, Sequence[Any]]:
    """The values that each written field takes in turn, in the order written."""
    if layer.name not in MODULES:
        raise expression.wrong(layer.span, f"no layer is called {layer.name}{_nearest(layer.name, MODULES)}")
    scratch = layer_class(layer.name)()
    fields = [field.name for field in scratch.fields_desc]
    for argument in layer.arguments:
        if argument.name == "time":
            raise expression.wrong(argument.name_span, "time stands in the outermost layer only")
        if argument.name not in fields:
            message = f"{layer.name} has no field {argument.name}{_nearest(argument.name, fields)}"
            raise expression.wrong(argument.name_span, message)
    written = {argument.name: argument for argument in layer.arguments}
    values: dict[str, Sequence[Any]] = dict.fromkeys(written, ())
    for name in filter(written.__contains__, fields):  # in the wire's order
        values[name] = _values(expression, written[name], scratch)
        _set(expression, written[name], scratch, values[name][0])
    return values


def _nearest(name: str, names: Iterable[str]) -> str:
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]}?" if near else f"; there are {', '.join(by_lower.values())}"


def _values(expression: Expression, argument: Argument, packet: "Packet") -> Sequence[Any]:
    """What one argument stands for; the kind of its field may hang on fields that `packet` has already."""
    kind = _kind(packet, argument.name, argument.value)
    try:
        return spread(argument.value, kind, lambda stack: _stack_packets(expression, stack, 1)[0])
    except ValueProblem as problem:
        raise expression.wrong(argument.span, f"{argument.name}: {problem}") from None


def _build(expression: Expression, layer: Layer, values: dict[str, Any]) -> "Packet":
    """One layer with these values, built alone once so that an error can show its place."""
    packet = layer_class(layer.name)()
    written = {argument.name: argument for argument in layer.arguments}
    for field in packet.fields_desc:
        if field.name in values:
            _set(expression, written[field.name], packet, values[field.name])
    for argument in layer.arguments:
        if _absent(packet, argument.name):
            raise expression.wrong(
                argument.name_span, f"{layer.name} is without {argument.name} as its other fields stand"
            )
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


def _set(expression: Expression, argument: Argument, packet: "Packet", value: Any) -> None:
    try:
        packet.setfieldval(argument.name, value)
    except Exception as error:  # noqa: BLE001  (scapy's fields raise whatever Python raises)
        raise expression.wrong(argument.span, f"{argument.name}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What an exception of scapy's says, in one line."""
    text = str(error)
    if isinstance(error, KeyError):
        return f"{text} is no name that this field knows"
    packing = re.search(r"struct\.error\(['\"](.*)['\"]\)", text)
    return packing[1] if packing else (text.strip().split("\n")[0] or type(error).__name__)


# --- scapy's fields ------------------------------------------------------------------------------------
def _leaf(field: Any, packet: "Packet", value: Any) -> Any:
    """The field inside scapy's wrappers: a condition, a list, one of several types."""
    while True:
        if hasattr(field, "flds"):  # asked first: such a field answers for the others too
            field = field._find_fld_pkt_val(packet, value)[0]  # noqa: SLF001  (scapy has no public way)
        elif hasattr(field, "fld"):
            field = field.fld
        elif hasattr(field, "field"):
            field = field.field
        else:
            return field


def _absent(packet: "Packet", name: str) -> bool:
    """True for a field that scapy leaves out of the layer as its other fields stand."""
    from scapy.fields import ConditionalField

    field = packet.get_field(name)
    return isinstance(field, ConditionalField) and not field._evalcond(packet)  # noqa: SLF001  (scapy has no public way)


def _kind(packet: "Packet", name: str, value: Value) -> Kind:
    """What a field of this layer takes, by scapy's class of the field."""
    from scapy.fields import BitField, FlagsField, IP6Field, IPField
    from scapy.layers.inet6 import IP6ListField

    if isinstance(packet, layer_class("ARP")) and name in ARP_ADDRESSES:  # scapy would look the value up to choose
        return Kind(family=_arp_family(packet) if name in ("psrc", "pdst") else 0)
    field = packet.get_field(name)
    leaf = _leaf(field, packet, value)
    return Kind(
        family=4 if isinstance(leaf, IPField) else 6 if isinstance(leaf, IP6Field | IP6ListField) else 0,
        bits=abs(leaf.size) if isinstance(leaf, BitField | FlagsField) else UNSIGNED.get(leaf.fmt[-1:], 0),
        letters=leaf.names if isinstance(leaf, FlagsField) and isinstance(leaf.names, str) else "",
        several=bool(field.islist),
        layers=bool(field.holds_packets),
    )


def _arp_family(packet: "Packet") -> int:
    return 6 if packet.ptype == ETHERTYPE_IPV6 else 4


# --- scapy packets and frames ------------------------------------------------------------------------
def packets_to_frames(packets: Any, here: Sequence[str] = ()) -> list[Frame]:
    """The frames of one scapy packet, or of lists and generators of them, nested as they may be.

    The link type follows from the outermost layer; the time is the packet's own `.time`, which scapy
    sets to the clock when a packet is made. A packet with ranges is each packet that it stands for,
    at most MAX_PACKETS. `here` are the addresses of the simulated interface: the end that the
    outermost IP header leaves open is the interface, unless the other end is. Without `here` an open
    source is an address of the documentation ranges.

    The packets are not changed. Raises CraftError for what is no packet or cannot be built.
    """
    with _hushed():
        return [frame for packet in _flat(packets) for frame in _frames(packet, here)]


def frames_to_packets(frames: Iterable[Frame]) -> "list[Packet]":
    """The frames as scapy packets, with their times; what scapy cannot read is Raw."""
    with _hushed():
        return [_dissected(frame) for frame in frames]


def _flat(packets: Any) -> "Iterator[Packet]":
    from scapy.packet import Packet

    if isinstance(packets, Packet):
        yield packets
    elif isinstance(packets, Iterable) and not isinstance(packets, str | bytes):
        for each in packets:
            yield from _flat(each)
    else:
        raise CraftError(f"{type(packets).__name__} is no scapy packet; pcaps.craft.parse reads expressions")


def _frames(packet: "Packet", here: Sequence[str]) -> list[Frame]:
    title = "/".join(layer.__name__ for layer in packet.layers())
    link = next((link.number for link in LINKS if isinstance(packet, layer_class(link.layer))), None)
    if link is None:
        raise CraftError(f"{title}: a frame starts with one of {', '.join(link.layer for link in LINKS)}")
    time = nanoseconds(packet.time)
    try:
        found = [_built(each, here) for each in itertools.islice(packet, MAX_PACKETS + 1)]
    except Exception as error:
        raise CraftError(f"{title} cannot be built: {_reason(error)}") from error
    if len(found) > MAX_PACKETS:
        raise CraftError(f"{title} stands for more than {MAX_PACKETS:,} packets: split it")
    return [Frame(link, time, data, max(len(data), packet.wirelen or 0)) for data in found]


def _built(packet: "Packet", here: Sequence[str]) -> bytes:
    _fill_ends(packet, here)
    for layer in packet.iterpayloads():
        _fill(layer)
    return bytes(packet)


def _dissected(frame: Frame) -> "Packet":
    names = [link.layer for link in LINKS if link.number == frame.link] or ["Raw"]
    if "IP" in names:
        names = [{4: "IP", 6: "IPv6"}.get(frame.data[0] >> 4 if frame.data else 0, "Raw")]
    try:
        packet = layer_class(names[0])(frame.data)
    except Exception:  # noqa: BLE001  (scapy's fields raise whatever Python raises; inner layers it makes Raw itself)
        packet = layer_class("Raw")(frame.data)
    packet.time = packet_time(frame.time)
    packet.wirelen = frame.wirelen
    return packet


def nanoseconds(seconds: Any) -> int:
    """Exact ns of a time in seconds: a Decimal as it is, another number as it prints."""
    try:
        time = int((seconds if isinstance(seconds, Decimal) else Decimal(str(seconds))).scaleb(9))
    except (ArithmeticError, ValueError):
        raise CraftError(f"{seconds!r} is no time in seconds") from None
    if abs(time) >= 1 << 63:
        raise CraftError(f"{seconds!r} seconds do not fit 64 bits of ns")
    return time


def packet_time(time: int) -> Any:
    """Ns as scapy keeps an exact time."""
    from scapy.utils import EDecimal

    return EDecimal(time).scaleb(-9)


# --- what scapy would ask this machine ------------------------------------------------------------------
def _fill(layer: "Packet") -> None:
    """Give fields that scapy would take from routes, interfaces or ARP a fixed address."""
    if isinstance(layer, layer_class("ARP")):
        fixed = {"hwsrc": LOOKED_UP["SourceMACField"], "psrc": STRANGER[_arp_family(layer)]}
    else:
        fixed = {
            field.name: LOOKED_UP[kind]
            for field in layer.fields_desc
            if (kind := type(_leaf(field, layer, None)).__name__) in LOOKED_UP
        }
    for name, value in fixed.items():
        if all(fields.get(name) is None for fields in (layer.fields, layer.overloaded_fields, layer.default_fields)):
            layer.setfieldval(name, value)
    for field in layer.packetfields:
        held: Any = layer.fields.get(field.name)
        if held:
            held = layer.fields[field.name] = layer.copy_field_value(field.name, held)  # it is still the user's
            for stack in held if isinstance(held, list) else [held]:
                for inner in stack.iterpayloads() if hasattr(stack, "iterpayloads") else ():
                    _fill(inner)


def _fill_ends(packet: "Packet", here: Sequence[str]) -> None:
    """Make the open end of the outermost IP header the interface, unless the other end is."""
    ip = next((layer for layer in packet.iterpayloads() if isinstance(layer, _ip_layers())), None)
    if ip is None:
        return
    family = 6 if isinstance(ip, layer_class("IPv6")) else 4
    mine = [str(ip_address(each)) for each in here if ip_address(each).version == family]
    if not mine:
        return
    if ip.fields.get("dst") is None and ip.dst == NOBODY[family]:  # a multicast group stays
        ip.dst = STRANGER[family] if ip.fields.get("src") in mine else mine[0]
    if ip.fields.get("src") is None:
        ip.src = STRANGER[family] if ip.dst in mine else mine[0]


@cache
def _ip_layers() -> "tuple[type[Packet], ...]":
    return (layer_class("IP"), layer_class("IPv6"))
