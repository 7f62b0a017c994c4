"""What `terraform show -json` holds, as a tree: instances of modules, and in them instances of resources.

A state holds values. A plan holds planned values without what is known only once it is applied, which
`after_unknown` marks, and the configuration, which says from which references an attribute is made.
https://developer.hashicorp.com/terraform/internals/json-format
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.reading import mapping, quoted, sequence, shown
from firewall.sources.terraform_block import CURE, Block, below, word

MAJOR_VERSIONS = ("0", "1")  # of format_version; within one, additions are compatible
LONGEST_ADDRESS = 1000  # characters
ENTRY_TYPES = (  # resources that are one part of another resource's rules, entries or lists
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule",
    "aws_network_acl_rule",
    "aws_ec2_managed_prefix_list_entry",
)

Key = str | int | None
_STEP = re.compile(r'(?:^|\.)([^.\[\]"]+)|\[(?:([0-9]{1,9})|"((?:[^"\\]|\\.)*)")\]')


class Index(NamedTuple):
    """`[0]` or `["a"]` in an address."""

    key: str | int


def steps(address: str) -> list[str | Index] | None:
    """`module.web["a"].id` as its names and indices; None if it is no address."""
    found: list[str | Index] = []
    end = 0
    for match in _STEP.finditer(address):
        if match.start() != end:
            return None
        end = match.end()
        name, number, text = match.groups()
        if name is not None:
            found.append(name)
        else:
            found.append(Index(int(number)) if number is not None else Index(re.sub(r"\\(.)", r"\1", text)))
    return found if found and end == len(address) else None


def _written(path: tuple[str | Index, ...]) -> str:
    """Steps as an address again."""
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}" if text else step
        elif isinstance(step.key, int):
            text += f"[{step.key}]"
        else:
            text += '["' + step.key.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return text


@dataclass(slots=True, eq=False)
class Module:
    """An instance of a module: `module.web["a"]`; the root's address is empty."""

    address: str
    key: Key = None
    parent: "Module | None" = None
    call: Node | None = None
    config: Node | None = None
    children: dict[str, list["Module"]] = field(default_factory=dict)
    resources: dict[str, list["Resource"]] = field(default_factory=dict)  # by label, such as aws_subnet.a
    configs: dict[str, Node] = field(default_factory=dict)  # what the configuration says of them, by label

    def __post_init__(self) -> None:
        found = below(self.config, "resources")
        listed = found.value if found is not None and isinstance(found.value, list) else []
        self.configs = {label: each for each in listed if (label := word(each.get("address")))}


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """An instance of a resource: `module.web["a"].aws_security_group.this[0]`."""

    address: str
    mode: str
    type: str
    name: str
    key: Key
    module: Module
    block: Block
    config: Node | None

    @property
    def spot(self) -> Node:
        """Where its values stand."""
        return self.block.values

    def identity(self, attribute: str = "id") -> str:
        """The id that AWS gave, or before there is one the address."""
        return word(self.block.get(attribute)) or self.address


@dataclass(slots=True, eq=False)
class Tree:
    """A state or a plan."""

    planned: bool
    root: Module
    variables: Node | None
    resources: list[Resource]
    gone: list[Resource]  # of ENTRY_TYPES: what the plan changes or deletes, as it was
    findings: Findings

    def of(self, *types: str) -> Iterator[Resource]:
        """The managed resources of these types, in file order."""
        return (each for each in self.resources if each.mode == "managed" and each.type in types)

    def data(self, *types: str) -> Iterator[Resource]:
        """The data sources of these types, in file order."""
        return (each for each in self.resources if each.mode == "data" and each.type in types)


def read(root: Node, findings: Findings) -> Tree | None:
    """The tree of a file, or None after a note of what is wrong with it."""
    version = root.get("format_version")
    major = str(version.value).split(".", maxsplit=1)[0] if version is not None else ""
    if version is None or major not in MAJOR_VERSIONS:
        found = "missing" if version is None else shown(version)
        findings.error(root.key("format_version"), f"format_version is {found}: 0.x and 1.x are read; {CURE}")
        return None
    plan, state = root.get("planned_values"), root.get("values")
    top = plan or state
    if top is None:
        findings.error(root, "neither values (a state) nor planned_values (a plan) stand here: apply, or give a plan")
        return None
    for key, value in (("errored", True), ("complete", False)):
        if (said := root.get(key)) is not None and said.value is value:
            findings.warn("terraform-incomplete", root.key(key), "the plan is not complete: it may lack rules")
    builder = _Builder(root, findings, planned=plan is not None)
    builder.contents(below(top, "root_module"), builder.root, data_only=False)
    # What data sources have read before the plan was made stands in the prior state alone.
    builder.contents(below(root, "prior_state", "values", "root_module"), builder.root, data_only=True)
    builder.fill()
    gone = list(builder.gone())
    return Tree(plan is not None, builder.root, root.get("variables"), builder.resources, gone, findings)


class _Builder:
    """Builds the tree; modules are made where an address first names them."""

    def __init__(self, root: Node, findings: Findings, *, planned: bool) -> None:
        self.findings = findings
        self.planned = planned
        self.root = Module("", config=below(root, "configuration", "root_module"))
        self.modules: dict[tuple[str | Index, ...], Module] = {(): self.root}
        self.resources: list[Resource] = []
        self.addresses: set[str] = set()
        self.changes = self.listed(root, "resource_changes") if planned else []
        self.unknown = {  # by address
            address.value: mark
            for each in self.changes
            if each.get("deposed") is None
            and (address := each.get("address")) is not None
            and (mark := below(each, "change", "after_unknown")) is not None
            and isinstance(address.value, str)
        }

    def contents(self, node: Node | None, module: Module, *, data_only: bool) -> None:
        """A module's resources and its children's."""
        for each in self.listed(node, "resources"):
            self.resource(each, module, data_only=data_only)
        for each in self.listed(node, "child_modules"):
            address = self.address(each)
            child = None if address is None else self.at(tuple(steps(address) or ()), each)
            if child is not None:
                self.contents(each, child, data_only=data_only)

    def listed(self, node: Node | None, key: str) -> list[Node]:
        """The items of a list; absent is empty."""
        found = below(node, key)
        return [] if found is None else sequence(found, self.findings, f"a list of {key}: {CURE}")

    def address(self, node: Node) -> str | None:
        """The address that a module or resource must have; it is shown in reports."""
        mapping(node, self.findings, f"an object with an address: {CURE}")
        found = node.get("address")
        value = None if found is None else found.value
        if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_ADDRESS and steps(value):
            return value
        if isinstance(node.value, dict):
            what = "nothing" if found is None else shown(found)
            self.findings.error(found or node, f"{what} is no address of a module or resource: {CURE}")
        return None

    def at(self, path: tuple[str | Index, ...], spot: Spot) -> Module | None:
        """The module instance that the steps lead to."""
        if path in self.modules:
            return self.modules[path]
        key = path[-1] if isinstance(path[-1], Index) else None
        names = path[:-1] if key else path
        if len(names) < 2 or names[-2] != "module" or not isinstance(names[-1], str):
            self.findings.error(spot, f"{quoted(_written(path))} is no address of a module: {CURE}")
            return None
        parent = self.at(names[:-2], spot)
        return None if parent is None else self.add(path, names[-1], key.key if key else None, parent)

    def add(self, path: tuple[str | Index, ...], name: str, key: Key, parent: Module) -> Module:
        """A new module instance, with its part of the configuration."""
        call = below(parent.config, "module_calls", name)
        module = self.modules[path] = Module(_written(path), key, parent, call, below(call, "module"))
        parent.children.setdefault(name, []).append(module)
        return module

    def fill(self) -> None:
        """Modules without resources are in the configuration alone; values may pass through them."""
        waiting = list(self.modules.items())
        while waiting:
            path, module = waiting.pop()
            calls = below(module.config, "module_calls")
            for name, _ in [] if calls is None else entries(calls):
                if name not in module.children:
                    inner = (*path, "module", name)
                    waiting.append((inner, self.add(inner, name, None, module)))

    def resource(self, node: Node, module: Module, *, data_only: bool) -> None:
        """A resource; one that waits to be deleted beside its successor (deposed) is left out."""
        address = self.address(node)
        mode, kind, name = word(node.get("mode")), word(node.get("type")), word(node.get("name"))
        if address is None or node.get("deposed_key") is not None or (data_only and mode != "data"):
            return
        if mode not in ("managed", "data") or kind is None or name is None:
            self.findings.error(node, f"{quoted(address)} lacks mode, type or name: {CURE}")
        elif address not in self.addresses:
            self.addresses.add(address)
            index = node.get("index")
            key = index.value if index is not None and isinstance(index.value, str | int) else None
            values = node.get("values") or Node(node.place, node.parent, node.step, {}, {})
            mapping(values, self.findings, f"the resource's values: {CURE}")
            if isinstance(values.value, dict):
                self.keep(address, mode, kind, name, key, module, values)
        elif not data_only:
            self.findings.error(node, f"{quoted(address)} stands here twice: {CURE}")

    def keep(self, address: str, mode: str, kind: str, name: str, key: Key, module: Module, values: Node) -> None:
        """Put a resource where references look for it."""
        label = f"data.{kind}.{name}" if mode == "data" else f"{kind}.{name}"
        config = module.configs.get(label)
        block = Block(values, self.planned, self.unknown.get(address), below(config, "expressions"))
        resource = Resource(address, mode, kind, name, key, module, block, config)
        self.resources.append(resource)
        module.resources.setdefault(label, []).append(resource)

    def gone(self) -> Iterator[Resource]:
        """What the plan changes or deletes of ENTRY_TYPES, as it was."""
        for each in self.changes:
            address, kind, before = word(each.get("address")), word(each.get("type")), below(each, "change", "before")
            done = {item.value for item in self.listed(each.get("change"), "actions") if isinstance(item.value, str)}
            if address and kind in ENTRY_TYPES and before is not None and done & {"update", "delete"}:
                yield Resource(address, "managed", kind, "", None, self.root, Block(before), None)
