"""Values of CloudFormation templates: located nodes with their intrinsic functions applied.

What no file says becomes `Unknown`, which names it and says what to write; nothing is guessed. Depth,
work and the length of texts are bounded: templates may be hostile.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from firewall.sources.findings import Findings, Spot
from firewall.sources.located import MAX_SCALAR, Node, Value
from firewall.sources.reading import quoted, shown

MAX_NESTED = 40  # functions in functions, through references too: far from the interpreter's own bound
MAX_STEPS = 2_000_000  # values looked at; the largest template that AWS takes needs some 10,000

_WHOLE = re.compile(r"-?[0-9]{1,9}")
# {{resolve:ssm:NAME:VERSION}}, https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^{}]*)\}\}")


@dataclass(frozen=True, slots=True, eq=False)
class Unknown(Node):
    """A value that no file says: what it is and what to write; without a cure its mistake is told already."""

    what: str = ""
    cure: str = ""

    @property
    def text(self) -> str:
        """What it is and what to write, for a sentence."""
        return f"{self.what} ({self.cure})" if self.cure else self.what


@dataclass(frozen=True, slots=True, eq=False)
class Reference(Node):
    """The id of a resource that the template makes, as Ref or Fn::GetAtt gives it: its logical id."""

    kind: str = ""


class UnknownError(Exception):
    """Ends the evaluation of a value that hangs on an unknown one."""

    def __init__(self, value: Unknown) -> None:
        super().__init__(value.what)
        self.value = value


def made(spot: Spot, value: Value) -> Node:
    """A value that a function made, at the function's place."""
    return Node(spot.place, spot.parent, spot.step, value)


def unknown(spot: Spot, what: str, cure: str) -> Unknown:
    """A value that no file says, at the place that asks for it."""
    return Unknown(spot.place, spot.parent, spot.step, None, None, what, cure)


def whole(node: Node | None) -> int | None:
    """A whole number, written as one or as its digits."""
    if node is None or isinstance(node.value, bool):
        return None
    if isinstance(node.value, int):
        return node.value
    return int(node.value) if isinstance(node.value, str) and _WHOLE.fullmatch(node.value) else None


def function_of(node: Node) -> str | None:
    """The function that a mapping of one key is, if it is one."""
    if not isinstance(node.value, dict) or len(node.value) != 1:
        return None
    name = next(iter(node.value))
    return name if name == "Ref" or name.startswith("Fn::") else None


class Evaluator(ABC):
    """Applies functions; what names stand for is the template's to say.

    `value` and `condition` answer Unknown, `text` and `items` raise UnknownError: functions are made of the
    latter, readers of resources use the former.
    """

    functions: ClassVar[Mapping[str, Callable[["Evaluator", Node, Node], Node | None]]]
    conditions: ClassVar[Mapping[str, Callable[["Evaluator", Node, Node], bool]]]

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self._depth = 0
        self._steps = 0

    # --- what names stand for ---------------------------------------------------------------------------
    @abstractmethod
    def ref(self, name: str, spot: Spot) -> Node | None:
        """The value of Ref; None for AWS::NoValue."""

    @abstractmethod
    def attribute(self, logical: str, name: str, spot: Spot) -> Node:
        """The value of Fn::GetAtt."""

    @abstractmethod
    def given(self, name: str, what: str, spot: Spot) -> Node:
        """What a native file gives under `parameters:` for a name; `what` it is called where none does."""

    @abstractmethod
    def named_condition(self, name: str, spot: Spot) -> bool | Unknown:
        """A condition of the template."""

    @abstractmethod
    def mapped(self, name: str, first: str, second: str, spot: Spot) -> Node | None:
        """A value of a mapping; None where the keys are not in it."""

    # --- values -----------------------------------------------------------------------------------------
    def value(self, node: Node | None) -> Node | None:
        """The node with its function applied: a plain value, a Reference or Unknown; None where there is none.

        Lists and mappings keep the functions inside them.
        """
        if node is None or node.value is None or isinstance(node, Reference):
            return node if isinstance(node, Unknown | Reference) else None
        function = function_of(node)
        try:
            if function is None or not isinstance(node.value, dict):
                return self._resolved(node) if isinstance(node.value, str) else node
            self._enter(node)
            try:
                return self._applied(function, node, node.value[function])
            finally:
                self._depth -= 1
        except UnknownError as missing:
            return missing.value

    def text(self, node: Node) -> str:
        """The text that a value is; numbers, true and false are their letters. Raises UnknownError."""
        found = self._known(node)
        match found.value if found else None:
            case bool(flag):
                return str(flag).lower()
            case str() | int() as plain:
                return str(plain)
        raise self.broken(node, f"expected a text, found {shown(found) if found else 'nothing'}: write one text")

    def items(self, node: Node) -> list[Node]:
        """The values of a list, without those that are AWS::NoValue. Raises UnknownError if the list is unknown."""
        found = self._known(node)
        if found is None or not isinstance(found.value, list):
            raise self.broken(node, f"expected a list, found {shown(found) if found else 'nothing'}: write a list")
        self.spend(node, len(found.value))
        return [item for each in found.value if (item := self.value(each)) is not None]

    def broken(self, spot: Spot, text: str) -> UnknownError:
        """Note a mistake; what to raise: nothing more is said of the value."""
        self.findings.error(spot, text)
        return UnknownError(unknown(spot, text, ""))

    def spend(self, spot: Spot, steps: int) -> None:
        """Hold the bound on work. Raises UnknownError, which is told once."""
        before, self._steps = self._steps, self._steps + steps
        if self._steps > MAX_STEPS:
            text = f"more than {MAX_STEPS:,} values to evaluate: write a smaller template"
            if before > MAX_STEPS:
                raise UnknownError(unknown(spot, text, ""))
            raise self.broken(spot, text)

    def joined(self, spot: Spot, parts: list[str], between: str = "") -> Node:
        """Texts put together, within the bound on texts."""
        length = sum(map(len, parts)) + len(between) * max(len(parts) - 1, 0)
        if length > MAX_SCALAR:
            raise self.broken(spot, f"the text has {length:,} characters: at most {MAX_SCALAR:,} are read")
        return made(spot, between.join(parts))

    def filled(self, spot: Spot, text: str, pattern: re.Pattern[str], fill: Callable[[re.Match[str]], str]) -> Node:
        """A text with every match of a pattern filled in."""
        parts = []
        end = 0
        for match in pattern.finditer(text):
            self.spend(spot, 1)
            parts += [text[end : match.start()], fill(match)]
            end = match.end()
        return self.joined(spot, [*parts, text[end:]])

    def _known(self, node: Node) -> Node | None:
        """The node's value; raises UnknownError."""
        found = self.value(node)
        if isinstance(found, Unknown):
            raise UnknownError(found)
        return found

    def _enter(self, spot: Spot) -> None:
        """One level down, which the caller takes back."""
        self.spend(spot, 1)
        if self._depth == MAX_NESTED:
            raise self.broken(spot, f"functions and references nested deeper than {MAX_NESTED}: write the plain value")
        self._depth += 1

    def _applied(self, function: str, node: Node, argument: Node) -> Node | None:
        """A function's value."""
        if function in self.functions:
            return self.functions[function](self, node, argument)
        if function in self.conditions:
            raise self.broken(node, f"{function} is a condition, no value: name it under Conditions and use Fn::If")
        return unknown(node, f"the value of {quoted(function)}", "write the plain value in its place")

    def _resolved(self, node: Node) -> Node:
        """A text with its dynamic references replaced."""
        text = str(node.value)
        return self.filled(node, text, _DYNAMIC, lambda match: self._dynamic(match, node)) if "{{res" in text else node

    def _dynamic(self, match: re.Match[str], spot: Spot) -> str:
        """The value of a dynamic reference, without its version."""
        service, name = match.groups()
        name = re.sub(r":[0-9]+$", "", name) if service.startswith("ssm") else name
        return self.text(self.given(name, f"the {service} value {quoted(name)}", spot))

    # --- conditions -------------------------------------------------------------------------------------
    def condition(self, node: Node) -> bool | Unknown:
        """Whether a condition holds."""
        name = next(iter(node.value)) if isinstance(node.value, dict) and len(node.value) == 1 else ""
        try:
            if not isinstance(node.value, dict) or name not in (*self.conditions, "Condition"):
                known = ", ".join((*self.conditions, "Condition"))
                raise self.broken(node, f"{shown(node)} is no condition: write one of {known}")
            self._enter(node)
            try:
                argument = node.value[name]
                return self._by_name(argument) if name == "Condition" else self.conditions[name](self, node, argument)
            finally:
                self._depth -= 1
        except UnknownError as missing:
            return missing.value

    def _by_name(self, node: Node) -> bool | Unknown:
        """The condition that a node names."""
        if not isinstance(node.value, str):
            raise self.broken(node, f"{shown(node)} names no condition: write a name of the section Conditions")
        return self.named_condition(node.value, node)

    def holds(self, node: Node) -> bool | None:
        """Whether a named condition holds; None after a note of what it hangs on."""
        try:
            found = self._by_name(node)
        except UnknownError:
            return None
        if isinstance(found, bool):
            return found
        if found.cure:
            self.findings.error(node, f"the condition {shown(node)} depends on {found.what}: {found.cure}")
        return None
