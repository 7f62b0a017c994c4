"""Crafted-packet expressions: scapy's notation, read and never run.

    Ether()/IP(src="203.0.113.9", dst="10.0.1.10")/TCP(dport=[22, 80], flags="S")/b"payload"

An expression is layers joined by `/`. A layer is a name with keyword arguments; an argument is a
literal (None, True, False, an integer, a float, a string, bytes), a list or tuple of arguments, or
layers again. A string or bytes standing alone is a Raw layer. Python's own parser reads the text,
and only these shapes pass: nothing of it is ever executed. What the names mean is `pcaps.craft`'s.
"""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from pcaps.errors import CraftError

# Expressions come from strangers too (a web page, a ticket): what they may cost is bounded.
MAX_TEXT = 64 * 1024  # characters
MAX_LAYERS = 50  # joined by / in one packet
MAX_ALL_LAYERS = 1000  # in one packet, those in fields too
MAX_DEPTH = 5  # layers in fields of layers: scapy builds what lies deep over and over
MAX_INTEGER = 1 << 128  # an IPv6 address is the widest number of a header

SHOWN = 100  # characters of the expression that an error shows
LITERALS = (type(None), bool, int, float, str, bytes)
BYTES_ALONE = ("Raw", "Padding")
ONLY_LAYERS = 'layers such as IP(dst="10.0.1.10") stand here, joined by /; nothing is executed'
ONLY_LITERALS = "a literal (number, string, bytes, list, tuple) or a layer stands here; nothing is executed"


class Span(NamedTuple):
    """Characters start to end of the expression's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as written: its name and its keyword arguments in order."""

    name: str
    arguments: tuple["Argument", ...]
    span: Span  # of the name


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers joined by `/`, the outermost first."""

    layers: tuple[Layer, ...]


Value: TypeAlias = "bool | int | float | str | bytes | Stack | list[Value] | tuple[Value, ...] | None"


@dataclass(frozen=True, slots=True)
class Argument:
    """One `name=value`."""

    name: str
    value: Value
    span: Span  # of the value
    name_span: Span  # of the name; where none is written, of the value


class Expression:
    """An expression that was read: `stack` is what it says, `text` is as written.

    Raises CraftError, whose message shows the text with a caret line under the place.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise CraftError(f"the expression has {len(text):,} characters, more than {MAX_TEXT:,}: split it")
        self.text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        self._lines = self.text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]
        if not self.text:
            raise self.wrong(Span(0, 0), f"empty: {ONLY_LAYERS}")
        self.layers = 0  # all of them, those in fields too
        self.stack = self._stack(self._parse(), 0)

    def wrong(self, span: Span, message: str) -> CraftError:
        """The error to raise: message, the line of the text, carets under `span`."""
        before = self.text[: span.start]
        line_start = before.rfind("\n") + 1
        line = self.text[line_start:].split("\n", 1)[0]
        column = span.start - line_start
        first = max(0, min(column - SHOWN // 2, len(line) - SHOWN))
        # A terminal obeys control characters and draws some others two wide or not at all.
        shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in line[first : first + SHOWN])
        carets = "^" * max(1, min(span.end - span.start, len(shown) - (column - first)))
        return CraftError(f"{message}\n  {shown}\n  {' ' * (column - first)}{carets}")

    def written(self, span: Span) -> str:
        """The characters of a span."""
        return self.text[span.start : span.end]

    # --- from Python's syntax tree ----------------------------------------------------------------
    def _parse(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an invalid escape such as "\d" only warns
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            place = self._offset(error.lineno or 1, max(0, (error.offset or 1) - 1))
            raise self.wrong(Span(place, place + 1), f"not an expression: {error.msg}") from None
        except (ValueError, RecursionError, MemoryError) as error:  # surrogates; nested too deep for Python
            raise self.wrong(Span(0, 1), f"cannot be read: {str(error) or 'nested too deep'}") from None

    def _offset(self, line: int, column: int) -> int:
        return min(len(self.text), self._starts[min(line, len(self._lines)) - 1] + column)

    def _span(self, node: ast.expr) -> Span:
        """The node's place; ast counts columns in bytes of UTF-8."""
        ends = ((node.lineno, node.col_offset), (node.end_lineno or 1, node.end_col_offset or 0))
        return Span(*(self._offset(line, self._characters(line, column)) for line, column in ends))

    def _characters(self, line: int, column: int) -> int:
        text = self._lines[line - 1]
        return column if text.isascii() else len(text.encode()[:column].decode())

    def _stack(self, node: ast.expr, depth: int) -> Stack:
        if depth > MAX_DEPTH:
            raise self.wrong(self._span(node), f"layers in fields of layers, more than {MAX_DEPTH} deep")
        layers = tuple(self._layers(node, depth))
        if len(layers) > MAX_LAYERS:
            raise self.wrong(self._span(node), f"{len(layers)} layers, more than {MAX_LAYERS}")
        return Stack(layers)

    def _layers(self, node: ast.expr, depth: int) -> Iterator[Layer]:
        operands = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            operands.append(node.right)
            node = node.left
        yield self._layer(node, depth)
        for operand in reversed(operands):
            if isinstance(operand, ast.BinOp):
                yield from self._layers(operand, depth)
            else:
                yield self._layer(operand, depth)

    def _layer(self, node: ast.expr, depth: int) -> Layer:
        span = self._span(node)
        self.layers += 1
        if self.layers > MAX_ALL_LAYERS:
            raise self.wrong(span, f"more than {MAX_ALL_LAYERS:,} layers")
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            return Layer("Raw", (Argument("load", node.value, span, span),), span)
        if isinstance(node, ast.Name):
            raise self.wrong(span, f"a layer is written with parentheses: {node.id}()")
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise self.wrong(span, ONLY_LAYERS)
        name = node.func.id
        arguments = (
            *(self._positional(name, argument) for argument in node.args),
            *(self._keyword(keyword, depth) for keyword in node.keywords),
        )
        seen: set[str] = set()
        for argument in arguments:
            if argument.name in seen:
                raise self.wrong(argument.name_span, f"{name}(): {argument.name} is written twice")
            seen.add(argument.name)
        return Layer(name, arguments, self._span(node.func))

    def _positional(self, name: str, node: ast.expr) -> Argument:
        """A value without a name is the bytes of a layer that is bytes alone: Raw(b"...")."""
        value = node.value if isinstance(node, ast.Constant) else None
        if name not in BYTES_ALONE or not isinstance(value, str | bytes):
            raise self.wrong(self._span(node), "arguments are written field=value")
        span = self._span(node)
        return Argument("load", value, span, span)

    def _keyword(self, keyword: ast.keyword, depth: int) -> Argument:
        span = self._span(keyword.value)
        if keyword.arg is None:
            raise self.wrong(span, "arguments are written field=value; ** is not")
        start = self._offset(keyword.lineno, self._characters(keyword.lineno, keyword.col_offset))
        return Argument(keyword.arg, self._value(keyword.value, depth), span, Span(start, start + len(keyword.arg)))

    def _value(self, node: ast.expr, depth: int) -> Value:
        if isinstance(node, ast.List):
            return [self._value(item, depth) for item in node.elts]
        if isinstance(node, ast.Tuple):
            return tuple(self._value(item, depth) for item in node.elts)
        if isinstance(node, ast.Call) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
            return self._stack(node, depth + 1)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self._value(node.operand, depth) if isinstance(node.operand, ast.Constant) else None
            if isinstance(number, int | float) and not isinstance(number, bool):
                return -number
        if not isinstance(node, ast.Constant) or not isinstance(node.value, LITERALS):
            raise self.wrong(self._span(node), ONLY_LITERALS)
        if isinstance(node.value, int) and node.value >= MAX_INTEGER:
            raise self.wrong(self._span(node), "an integer of more than 128 bits")
        return node.value
