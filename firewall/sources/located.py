"""YAML and JSON files as trees of nodes that know their place.

PyYAML's parser gives the events; the tree is built here because the YAML 1.1 rules would read
`22:22` as 1342, `0777` as 511 and `no` as false, and keep the last of two equal keys in silence.
Here only decimal integers, true, false and null are special, everything else is text, and equal
keys are a mistake. JSON is read by the same parser, so it has places too. The short-form tags of
CloudFormation (`!Ref Web`) become their long form (`{"Ref": "Web"}`), in templates alone.

Files may be hostile: size, depth, scalar length and the number of nodes (an alias counts as
everything it stands for) are bounded, and nothing recurses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from firewall.model import Place
from firewall.sources.findings import Findings, Spot

MAX_BYTES = 64 << 20
MAX_NODES = 1_000_000
MAX_DEPTH = 64
MAX_SCALAR = 1 << 20  # characters: plans and templates hold whole scripts

CAPTURE_MAGICS = {
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1", "0a0d0d0a")
}  # pcap, pcap with nanoseconds, Kuznetzov's pcap, each in both byte orders; pcapng
COMPRESSED_MAGICS = {bytes.fromhex("1f8b"): "gzip", bytes.fromhex("28b5"): "zstd"}

# Top-level keys of a CloudFormation template, either of which tells one, and its tags with their long forms.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
TEMPLATE_KEYS = ("AWSTemplateFormatVersion", "Resources")
_FUNCTIONS = (
    *("GetAtt", "Sub", "If", "Equals", "Not", "And", "Or", "FindInMap", "Join", "Select", "Split"),
    *("ImportValue", "GetAZs", "Base64", "Cidr", "Transform"),
)
SHORT_FORMS = {"!Ref": "Ref", "!Condition": "Condition"} | {f"!{name}": f"Fn::{name}" for name in _FUNCTIONS}

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
# What YAML does not take for a word inside brackets: a plain text that starts or ends with a colon.
_UNQUOTED_IPV6 = re.compile(r"[\s\[](?:::[0-9a-f:./]*|[0-9a-f:]+::)\s*[,}\]]", re.IGNORECASE)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|(?!^)\ufeff")
_JSON_ESCAPE = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)", re.IGNORECASE | re.DOTALL)

try:
    _Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml: slower, the same events
    _Loader = yaml.SafeLoader

Value = str | int | bool | None | dict[str, "Node"] | list["Node"]


@dataclass(frozen=True, slots=True, eq=False)
class Node(Spot):
    """A value, the place where it starts, and for a mapping the places of its keys."""

    value: Value = None
    keys: dict[str, Place] | None = None

    def key(self, name: str) -> Spot:
        """Where the key `name` of this mapping stands."""
        return Spot((self.keys or {}).get(name, self.place), self, name)

    def get(self, name: str) -> "Node | None":
        """The value of a mapping's key; None where the key is absent, its value null, or this no mapping."""
        node = self.value.get(name) if isinstance(self.value, dict) else None
        return None if node is None or node.value is None else node


def load(
    path: str | Path, findings: Findings, write: str = "write security_groups: and the groups below it"
) -> Node | None:
    """The tree of one file, or None after what is wrong with the file was noted; `write`: the cure of an empty one."""
    file = str(path)
    text = _read_text(path, findings)
    if text is None:
        return None
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        place = Place(file, line, control.start() - text.rfind("\n", 0, control.start()))
        findings.error(Spot(place), f"the character {control[0]!r} cannot stand in YAML or JSON: delete it")
        return None
    builder = _Builder(file, findings)
    try:
        for event in yaml.parse(_join_surrogates(text), Loader=_Loader):
            builder.take(event)
    except _RefusedError as refused:
        findings.error(refused.spot, refused.text)
        return None
    except yaml.YAMLError as error:
        spot, what = _syntax(error, file, text)
        findings.error(spot, what)
        return None
    if builder.root is None or builder.root.value is None:
        findings.file_error(file, f"the file is empty: {write}")
        return None
    if builder.short_form is not None and not _is_template(builder.root):
        findings.error(*builder.short_form)
        return None
    return builder.root


def _is_template(root: Node) -> bool:
    """True for a CloudFormation template: the one format whose tags mean something."""
    return isinstance(root.value, dict) and any(key in root.value for key in TEMPLATE_KEYS)


def _read_text(path: str | Path, findings: Findings) -> str | None:
    """The file's text, or None after a note of why there is none."""
    file = str(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except IsADirectoryError:
        findings.file_error(file, "is a folder; name the rule files in it")
        return None
    except FileNotFoundError:
        findings.file_error(file, "no such file; check the path")
        return None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        findings.file_error(file, f"cannot be read ({getattr(error, 'strerror', None) or error})")
        return None
    if len(data) > MAX_BYTES:
        findings.file_error(file, f"larger than {MAX_BYTES >> 20} MiB: keep only the groups that are simulated")
    elif data[:4] in CAPTURE_MAGICS:
        findings.file_error(file, "is a packet capture; a rule file was expected")
    elif data[:2] in COMPRESSED_MAGICS:
        findings.file_error(file, f"this is compressed ({COMPRESSED_MAGICS[data[:2]]}), not text: unpack it first")
    else:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            findings.file_error(file, f"not UTF-8 text (byte {error.start}, line {line}): save the file as UTF-8")
    return None


def _join_surrogates(text: str) -> str:
    """JSON writes characters beyond U+FFFF as two escapes (RFC 8259 section 7); YAML wants one."""
    if "\\ud" not in text and "\\uD" not in text:
        return text

    def joined(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return f"\\U{0x10000 + ((int(match[1], 16) & 0x3FF) << 10) + (int(match[2], 16) & 0x3FF):08x}"

    return _JSON_ESCAPE.sub(joined, text)


def _syntax(error: yaml.YAMLError, file: str, text: str) -> tuple[Spot, str]:
    """Where the parser stopped and what to do about it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1)
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if line[place.column - 1 : place.column] == "\t" or line[: place.column].strip(" ").startswith("\t"):
        return Spot(place), "a tab cannot indent YAML: use spaces"
    if _UNQUOTED_IPV6.search(line):
        return Spot(place), 'inside {...} and [...] an IPv6 block stands in quotes: write "::/0"'
    what = getattr(error, "problem", None) or "cannot be read"
    context = getattr(error, "context", None)
    whole = f"{context}, {what}" if context else what
    return Spot(place), f"not YAML or JSON ({whole}): check indentation, quotes and brackets up to here"


class _RefusedError(Exception):
    """Something that ends the reading of a file."""

    def __init__(self, spot: Spot, text: str) -> None:
        super().__init__(text)
        self.spot = spot
        self.text = text


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come."""

    node: Node
    anchor: str | None
    first: int  # nodes before this one
    key: str | None = None
    dropped: bool = False  # the value of the pending key is thrown away
    short: bool = False  # the long form of a tag: it ends with its one value


class _Builder:
    """Takes the parser's events, keeps the open mappings and sequences on a stack."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.root: Node | None = None
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.nodes = 0
        self.documents = 0
        self.short_form: tuple[Spot, str] | None = None  # the first, and what is wrong with it outside templates

    def take(self, event: yaml.Event) -> None:
        """One event; stream start and end and document end say nothing."""
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.close()
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _RefusedError(self.spot(event), "a second YAML document: write one document a file")

    def spot(self, event: yaml.Event) -> Spot:
        """The event's place, and the path of the value that starts there."""
        mark = event.start_mark
        place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file, 1)
        if not self.stack:
            return Spot(place)
        top = self.stack[-1]
        if isinstance(top.node.value, list):
            return Spot(place, top.node, len(top.node.value))
        return Spot(place, top.node.parent, top.node.step) if top.key is None else Spot(place, top.node, top.key)

    def count(self, spot: Spot, nodes: int = 1) -> None:
        """Hold the bound on nodes."""
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _RefusedError(spot, f"more than {MAX_NODES:,} values, aliases counted in full: write a smaller file")

    def scalar(self, event: yaml.ScalarEvent) -> None:
        """A key or a plain value."""
        anchor = self.take_tag(event)
        spot = self.spot(event)
        self.count(spot)
        if len(event.value) > MAX_SCALAR:
            raise _RefusedError(spot, f"a text of {len(event.value):,} characters: at most {MAX_SCALAR:,} are read")
        if self.expects_key():
            self.key(event, self.stack[-1])
            return
        node = Node(spot.place, spot.parent, spot.step, _plain(event.value) if event.implicit[0] else event.value)
        if anchor:
            self.anchors[anchor] = (node, 1)
        self.attach(node)

    def expects_key(self) -> bool:
        """True where the next node is the key of a mapping."""
        return bool(self.stack) and isinstance(self.stack[-1].node.value, dict) and self.stack[-1].key is None

    def key(self, event: yaml.ScalarEvent, top: _Open) -> None:
        """A mapping's key: always text."""
        top.key = event.value
        spot = self.spot(event)
        keys = top.node.keys or {}
        if event.value == "<<" and event.implicit[0]:
            top.dropped = True
            self.findings.error(spot, "merge keys (<<) are not read: write the keys out")
        elif event.value in keys:
            top.dropped = True
            before = keys[event.value].line
            self.findings.error(spot, f"this key stands at line {before} already: keep one of the two")
        elif top.node.keys is not None:
            top.node.keys[event.value] = spot.place

    def open(self, event: yaml.CollectionStartEvent) -> None:
        """A mapping or sequence starts."""
        anchor = self.take_tag(event)
        spot = self.spot(event)
        self.count(spot)
        if self.expects_key():
            raise _RefusedError(spot, "a key must be one word: a list or mapping cannot be a key")
        if isinstance(event, yaml.MappingStartEvent):
            node = Node(spot.place, spot.parent, spot.step, {}, {})
        else:
            node = Node(spot.place, spot.parent, spot.step, [])
        self.push(_Open(node, anchor, self.nodes - 1))

    def push(self, opened: _Open) -> None:
        """Hold the bound on depth."""
        if len(self.stack) == MAX_DEPTH:
            raise _RefusedError(opened.node, f"nested deeper than {MAX_DEPTH} levels: no rule file is")
        self.stack.append(opened)

    def close(self) -> None:
        """The innermost mapping or sequence ends."""
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = (done.node, self.nodes - done.first)
        self.attach(done.node)

    def alias(self, event: yaml.AliasEvent) -> None:
        """A value that stands elsewhere; it keeps that place and path."""
        spot = self.spot(event)
        if self.expects_key():
            raise _RefusedError(spot, "a key cannot be an alias: write the word")
        anchor = str(event.anchor)
        if anchor not in self.anchors:
            raise _RefusedError(spot, f"*{anchor[:80]} has no complete &{anchor[:80]} before it")
        node, nodes = self.anchors[anchor]
        self.count(spot, nodes)
        self.attach(node)

    def attach(self, node: Node) -> None:
        """Put a complete value where it belongs."""
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict) and top.key is not None:
            if not top.dropped:
                top.node.value[top.key] = node
            top.key, top.dropped = None, False
            if top.short:
                self.close()

    def take_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str | None:
        """The anchor of the event's value; a short form opens the mapping of its long one, which has the anchor.

        Every other tag is refused: it would change what a value means.
        """
        if event.tag in (None, "!"):
            return event.anchor
        spot = self.spot(event)
        refusal = f"the tag {str(event.tag)[:80]} is not read: write the plain value"
        name = SHORT_FORMS.get(str(event.tag))
        if name is None or self.expects_key():
            raise _RefusedError(spot, refusal)
        self.count(spot)
        self.short_form = self.short_form or (spot, refusal)
        node = Node(spot.place, spot.parent, spot.step, {}, {name: spot.place})
        self.push(_Open(node, event.anchor, self.nodes - 1, name, short=True))
        return None


def _plain(text: str) -> str | int | bool | None:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def entries(node: Node) -> Iterator[tuple[str, Node]]:
    """Keys and values of a mapping; nothing for anything else."""
    if isinstance(node.value, dict):
        yield from node.value.items()
