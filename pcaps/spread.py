"""What one written value of a crafted field stands for: itself, or several values in turn.

As in scapy, a list, a range `(first, last)`, a network and a range of addresses stand for a packet
each; but every address is a literal, nothing is looked up, and the number of values is bounded.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from pcaps.expression import Stack, Value

MAX_PACKETS = 10_000  # that one expression, or one scapy packet with ranges, stands for


class Kind(NamedTuple):
    """What a field takes."""

    family: int = 0  # 4, 6: IP addresses; 0: something else
    bits: int = 0  # the width of a number narrower than its bytes; 0: scapy knows
    letters: str = ""  # the letters of a field of flags
    several: bool = False  # the field is a list itself (TCP's options): it is never spread
    layers: bool = False  # the field holds layers (IPv4's options, DNS's records)


class ValueProblem(ValueError):  # noqa: N818  (a finding; the caller makes it an error with a place)
    """A value that a field cannot take; the message has no place yet."""


def spread(value: Value, kind: Kind, build: Callable[[Stack], Any]) -> Sequence[Any]:
    """The values, from 1 to MAX_PACKETS, that `value` stands for; `build` makes the layers in it.

    Raises ValueProblem.
    """
    if kind.several:
        return [_checked(value if isinstance(value, list) or value is None else [value], kind, build)]
    if isinstance(value, tuple):
        return _range(value, kind)
    if isinstance(value, list):
        return list(_bounded(item for each in value for item in _item(each, kind, build)))
    if kind.family and isinstance(value, str) and "/" in value:
        return _network(value, kind.family)
    return [_checked(value, kind, build)]


def _item(value: Value, kind: Kind, build: Callable[[Stack], Any]) -> Sequence[Any]:
    if isinstance(value, list):
        raise ValueProblem("a list of lists")
    return spread(value, kind, build)


def _bounded(values: Iterator[Any]) -> Iterator[Any]:
    count = 0
    for count, value in enumerate(values, 1):
        _count(count)
        yield value
    _count(count)


def _count(count: int) -> int:
    if count < 1:
        raise ValueProblem("stands for no value at all")
    if count > MAX_PACKETS:
        raise ValueProblem(f"stands for more than {MAX_PACKETS:,} values")
    return count


def _range(ends: tuple[Value, ...], kind: Kind) -> Sequence[Any]:
    if len(ends) != 2:
        raise ValueProblem("a tuple is a range: (first, last)")
    first, last = ends
    if kind.family:
        low, high = address(first, kind.family), address(last, kind.family)
        return [str(low + index) for index in range(_count(int(high) - int(low) + 1))]
    if type(first) is not int or type(last) is not int:
        raise ValueProblem("a range is of two integers")
    _count(last - first + 1)
    _narrow(first, kind.bits)
    _narrow(last, kind.bits)
    return range(first, last + 1)


def _network(text: str, family: int) -> Sequence[str]:
    """Every address of a network, the first and the last too, as scapy takes it."""
    try:
        block: IPv4Network | IPv6Network = ip_network(text, strict=False)
    except ValueError as error:
        raise ValueProblem(str(error)) from None
    if block.version != family:
        raise ValueProblem(f"{text} is no IPv{family} network")
    _count(block.num_addresses)
    return [str(each) for each in block]


def address(value: Value, family: int) -> IPv4Address | IPv6Address:
    """A literal address of this family; names are refused because scapy would look them up."""
    try:
        if isinstance(value, str) and "%" not in value:
            found = ip_address(value)
            if found.version == family:
                return found
    except ValueError:
        pass  # said below
    raise ValueProblem(f"{value!r} is no IPv{family} address; names are not looked up")


def _narrow(value: int, bits: int) -> None:
    if bits and not 0 <= value < 1 << bits:
        raise ValueProblem(f"{value} is outside 0 to {(1 << bits) - 1}")


def _checked(value: Value, kind: Kind, build: Callable[[Stack], Any]) -> Any:
    """The value as scapy gets it. None is scapy's word for a field that it computes."""
    if isinstance(value, Stack):
        if not kind.layers:
            raise ValueProblem("this field holds no layers")
        return build(value)
    if isinstance(value, list | tuple):
        return type(value)(_checked(item, kind, build) for item in value)
    if value is None:
        return None
    if kind.layers:
        raise ValueProblem(f"layers stand here, not {value!r}")
    if kind.family:
        return str(address(value, kind.family))
    if isinstance(value, int):
        _narrow(value, kind.bits)
    if isinstance(value, str) and kind.letters and (strange := "".join(c for c in value if c not in kind.letters)):
        raise ValueProblem(f"{strange!r} is none of the flags {kind.letters}")
    return value
