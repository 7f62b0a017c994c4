"""The intrinsic functions of CloudFormation templates, as a table: name and what it does.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
Each takes the evaluator, the function's node and its argument, which may hold functions itself.
"""

import base64
import ipaddress
import re
from collections.abc import Callable
from itertools import islice

from firewall.sources.cloudformation_values import Evaluator, Unknown, UnknownError, made, unknown, whole
from firewall.sources.located import Node
from firewall.sources.reading import quoted, shown

MOST_BLOCKS = 256  # of Fn::Cidr
_VARIABLE = re.compile(r"\$\{(!?)([^{}$]*)\}")  # ${NAME}, ${NAME.ATTRIBUTE}, ${!Literal}


def _arguments(self: Evaluator, node: Node, argument: Node, low: int, high: int, write: str) -> list[Node]:
    """The arguments of a function that takes a list of them."""
    if isinstance(argument.value, list) and low <= len(argument.value) <= high:
        return argument.value
    name = next(iter(node.value)) if isinstance(node.value, dict) else "the function"
    raise self.broken(node, f"{name} takes a list of arguments: write {write}")


# --- values ------------------------------------------------------------------------------------------------
def _ref(self: Evaluator, node: Node, argument: Node) -> Node | None:
    if isinstance(argument.value, str):
        return self.ref(argument.value, node)
    raise self.broken(node, f"Ref takes a name, found {shown(argument)}: write the name of a parameter or resource")


def _get_att(self: Evaluator, node: Node, argument: Node) -> Node:
    if isinstance(argument.value, list):
        parts = [self.text(each) for each in argument.value]
    else:
        parts = argument.value.split(".", 1) if isinstance(argument.value, str) else []
    if len(parts) != 2 or not all(parts):
        raise self.broken(node, "Fn::GetAtt takes a resource and its attribute: write RESOURCE.ATTRIBUTE")
    return self.attribute(parts[0], parts[1], node)


def _if(self: Evaluator, node: Node, argument: Node) -> Node | None:
    name, yes, no = _arguments(self, node, argument, 3, 3, "[CONDITION, value if it holds, value if not]")
    holds = self.holds(name)
    return unknown(node, "a condition", "") if holds is None else self.value(yes if holds else no)


def _join(self: Evaluator, node: Node, argument: Node) -> Node:
    between, items = _arguments(self, node, argument, 2, 2, "[BETWEEN, [TEXT, ...]]")
    return self.joined(node, [self.text(item) for item in self.items(items)], self.text(between))


def _split(self: Evaluator, node: Node, argument: Node) -> Node:
    between, text = (self.text(each) for each in _arguments(self, node, argument, 2, 2, "[BETWEEN, TEXT]"))
    if not between:
        raise self.broken(node, "Fn::Split needs a text to split at: write [BETWEEN, TEXT]")
    return made(node, [made(node, part) for part in text.split(between)])


def _select(self: Evaluator, node: Node, argument: Node) -> Node:
    which, listed = _arguments(self, node, argument, 2, 2, "[INDEX, [VALUE, ...]]")
    index, items = whole(made(which, self.text(which))), self.items(listed)
    if index is None or not 0 <= index < len(items):
        raise self.broken(node, f"Fn::Select has no such item: its list has {len(items)}, the first is 0")
    return items[index]


def _sub(self: Evaluator, node: Node, argument: Node) -> Node | None:
    parts = argument.value if isinstance(argument.value, list) else [argument]
    text = parts[0].value if parts else None
    variables = parts[1].value if len(parts) == 2 else {}
    if not isinstance(text, str) or not isinstance(variables, dict) or len(parts) > 2:
        raise self.broken(node, "Fn::Sub takes a text: write TEXT with ${NAME}, or [TEXT, {NAME: value}]")

    def fill(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return f"${{{name}}}"
        if name in variables:
            return self.text(variables[name])
        logical, _, attribute = name.partition(".")
        found = self.attribute(logical, attribute, node) if attribute else self.ref(name, node)
        return "" if found is None else self.text(found)

    return self.value(self.filled(node, text, _VARIABLE, fill))  # it may make a dynamic reference


def _find_in_map(self: Evaluator, node: Node, argument: Node) -> Node | None:
    found = _arguments(self, node, argument, 3, 4, "[MAP, KEY, KEY]")
    name, first, second = (self.text(each) for each in found[:3])
    value = self.mapped(name, first, second, node)
    if value is None and len(found) == 4:
        value = found[3].get("DefaultValue")
    if value is None:
        raise self.broken(
            node, f"mapping {quoted(name)} has no {quoted(first)} with {quoted(second)}: write keys that it has"
        )
    return self.value(value)


def _import_value(self: Evaluator, node: Node, argument: Node) -> Node:
    name = self.text(argument)
    return self.given(name, f"the imported value {quoted(name)}", node)


def _base64(self: Evaluator, node: Node, argument: Node) -> Node:
    return made(node, base64.b64encode(self.text(argument).encode()).decode())


def _cidr(self: Evaluator, node: Node, argument: Node) -> Node:
    write = f"[BLOCK, 1 to {MOST_BLOCKS}, bits of the addresses in each]"
    given = [self.text(each) for each in _arguments(self, node, argument, 3, 3, write)]
    count, bits = (whole(made(node, each)) for each in given[1:])
    try:
        block = ipaddress.ip_network(given[0], strict=False)
    except ValueError:
        raise self.broken(node, f"{quoted(given[0])} is no address block: write {write}") from None
    if count is None or not 1 <= count <= MOST_BLOCKS or bits is None or not 0 <= bits <= block.max_prefixlen:
        raise self.broken(node, f"Fn::Cidr takes two numbers after its block: write {write}")
    length = block.max_prefixlen - bits
    if length - block.prefixlen < (count - 1).bit_length():
        raise self.broken(node, f"{block} has no {count} blocks of /{length}: write fewer or smaller ones")
    return made(node, [made(node, str(each)) for each in islice(block.subnets(new_prefix=length), count)])


FUNCTIONS: dict[str, Callable[[Evaluator, Node, Node], Node | None]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::Sub": _sub,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
}


# --- conditions ----------------------------------------------------------------------------------------------
def _equals(self: Evaluator, node: Node, argument: Node) -> bool:
    left, right = (self.text(each) for each in _arguments(self, node, argument, 2, 2, "[VALUE, VALUE]"))
    return left == right


def _known(found: bool | Unknown) -> bool:
    """A condition that is known; raises UnknownError."""
    if isinstance(found, Unknown):
        raise UnknownError(found)
    return found


def _not(self: Evaluator, node: Node, argument: Node) -> bool:
    (condition,) = _arguments(self, node, argument, 1, 1, "[CONDITION]")
    return not _known(self.condition(condition))


def _decided(self: Evaluator, node: Node, argument: Node, *, by: bool) -> bool:
    """One condition that is `by` decides, whatever is unknown of the others."""
    found = [self.condition(each) for each in _arguments(self, node, argument, 1, 10, "[CONDITION, CONDITION, ...]")]
    if by in found:  # Unknown is equal to itself alone
        return by
    for each in found:
        _known(each)
    return not by


CONDITIONS: dict[str, Callable[[Evaluator, Node, Node], bool]] = {
    "Fn::Equals": _equals,
    "Fn::Not": _not,
    "Fn::And": lambda self, node, argument: _decided(self, node, argument, by=False),
    "Fn::Or": lambda self, node, argument: _decided(self, node, argument, by=True),
}
