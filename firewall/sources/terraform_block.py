"""The arguments of a Terraform resource: values, what is unknown until apply, what they are made from.

https://developer.hashicorp.com/terraform/internals/json-format
"""

import re
from dataclasses import dataclass

from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import LONGEST_TEXT, mapping, sequence, shown

CURE = "give the output of terraform show -json as it is"


def below(node: Node | None, *keys: str) -> Node | None:
    """The value that a path of keys leads to, if there is one."""
    for key in keys:
        node = None if node is None else node.get(key)
    return node


def word(node: Node | None) -> str | None:
    """A short printable text, where there is one; nothing is said where there is none."""
    value = None if node is None else node.value
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_TEXT else None


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The arguments of a resource, or of a block inside it, each with its place.

    `unknown` marks what is known only after apply; `expressions` say what arguments are made from. Those
    of an inner block are not kept apart by Terraform: `merged` says that they are of all such blocks.
    """

    values: Node
    planned: bool = False
    unknown: Node | None = None
    expressions: Node | None = None
    merged: bool = False

    def get(self, key: str) -> Node | None:
        """The value; null, absent, unknown and empty text are None."""
        found = self.values.get(key)
        return None if found is None or found.value == "" else found

    def pending(self, key: str) -> bool:
        """True if the value, or a part of it, is known only after apply."""
        if not self.planned or not isinstance(self.values.value, dict):
            return False
        found = self.values.value.get(key)
        if found is not None and isinstance(found.value, list) and any(each.value is None for each in found.value):
            return True  # Terraform keeps the place of an unknown item with null
        if self.unknown is None:  # a plan cut down to its values and configuration
            return found is None and not self.merged and self.expression(key) is not None
        return _holds_true(below(self.unknown, key))

    def expression(self, key: str) -> Node | None:
        """What the argument is made from, as the configuration says it."""
        return self.expressions if self.merged else below(self.expressions, key)

    def asked(self, key: str) -> bool:
        """True if the value is unknown and the configuration gives the argument, as far as it is known.

        An argument that nobody gave is unknown too where the provider computes it.
        """
        return self.pending(key) and (self.expressions is None or self.expression(key) is not None)

    def absent(self, *keys: str) -> bool:
        """True if one of the keys is not there, not even as null or empty: a plan leaves out what is unknown."""
        return isinstance(self.values.value, dict) and any(key not in self.values.value for key in keys)

    def items(self, key: str) -> list[Node]:
        """The known values of a list, or the one value."""
        found = self.get(key)
        if found is None:
            return []
        listed = found.value if isinstance(found.value, list) else [found]
        return [each for each in listed if each.value is not None and each.value != ""]

    def blocks(self, key: str, findings: Findings) -> list["Block"]:
        """The blocks of that name."""
        found = self.values.get(key)
        listed = [] if found is None else sequence(found, findings, f"a list of blocks: {CURE}")
        marks = below(self.unknown, key)
        unknown = marks.value if marks is not None and isinstance(marks.value, list) else []
        inner: list[Block] = []
        for number, item in enumerate(listed):
            mapping(item, findings, f"a block: {CURE}")
            if isinstance(item.value, dict):
                mark = unknown[number] if number < len(unknown) else None
                inner.append(Block(item, self.planned, mark, self.expression(key), merged=True))
        return inner

    def text(self, key: str, findings: Findings) -> str | None:
        """Short printable text; absent is None, anything else is an error."""
        found = self.get(key)
        if found is not None and word(found) is None:
            findings.error(found, f"{shown(found)} is no {key}: {CURE}")
        return word(found)

    def number(self, key: str, findings: Findings) -> int | None:
        """A whole number; absent is None, anything else is an error."""
        found = self.get(key)
        if found is None:
            return None
        value = found.value
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        findings.error(found, f"{shown(found)} is no {key}: {CURE}")
        return None

    def flag(self, key: str, findings: Findings, *, default: bool) -> bool:
        """True or false; absent is the default, anything else is an error."""
        found = self.get(key)
        if found is None:
            return default
        if not isinstance(found.value, bool):
            findings.error(found, f"{shown(found)} is no {key}: {CURE}")
        return found.value is True


def _holds_true(node: Node | None) -> bool:
    """True if `true` stands anywhere below a mark of after_unknown."""
    stack = [] if node is None else [node]
    while stack:
        value = stack.pop().value
        if value is True:
            return True
        stack += value if isinstance(value, list) else value.values() if isinstance(value, dict) else []
    return False
