"""Which object an unknown argument of a plan will be: the references of its configuration, followed.

A plan gives no id of what it creates. Its configuration lists, for each argument, the names that the
expression refers to (`aws_security_group.web.id`, `module.net.sg_id`, `var.ids`), but not the expression:
conditions, function calls and literal parts are gone, and so are locals. Following them gives candidates;
one candidate for one value is the answer, several are not, and what cannot be followed is said by name.
https://developer.hashicorp.com/terraform/internals/json-format#expression-representation
"""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from firewall.sources.located import Node, entries
from firewall.sources.terraform_block import below, word
from firewall.sources.terraform_tree import Index, Key, Module, Resource, Tree, steps


class Kind(NamedTuple):
    """What is looked for: how AWS's ids of it start, and which attribute of which resource type holds them."""

    prefix: str
    attributes: dict[str, str]


GROUP = Kind("sg-", dict.fromkeys(("aws_security_group", "aws_default_security_group"), "id"))
PREFIX_LIST = Kind("pl-", dict.fromkeys(("aws_ec2_managed_prefix_list", "aws_prefix_list"), "id"))
INTERFACE = Kind("eni-", {"aws_network_interface": "id", "aws_instance": "primary_network_interface_id"})
INSTANCE = Kind("i-", {"aws_instance": "id"})
SUBNET = Kind("subnet-", dict.fromkeys(("aws_subnet", "aws_default_subnet"), "id"))
VPC = Kind("vpc-", dict.fromkeys(("aws_vpc", "aws_default_vpc"), "id"))
NETWORK_ACL = Kind("acl-", dict.fromkeys(("aws_network_acl", "aws_default_network_acl"), "id"))
ADDRESS = Kind("", {})  # of no resource is it known before apply

_Instance = TypeVar("_Instance", Module, Resource)
MOST_STEPS = 100  # from an argument to the resource that it comes from
_LITERAL = ("path", "terraform", "self")  # known when a plan is made
_CHOOSING = ("each", "count")  # the key of the instance that evaluates the expression


class Where(NamedTuple):
    """Who evaluates an expression: a module, and in it the instance with this key of a for_each or count."""

    module: Module
    key: Key = None
    for_each: Node | None = None


@dataclass(slots=True)
class Candidates:
    """What an expression may stand for, each once, in order."""

    found: dict[str, bool] = field(default_factory=dict)  # identity -> known before apply
    hidden: dict[str, None] = field(default_factory=dict)  # names that the JSON does not explain
    foreign: dict[str, None] = field(default_factory=dict)  # unknown values of other resources
    chosen: bool = False  # a plain value takes part: a condition or a computed index may choose

    @property
    def lost(self) -> list[str]:
        """The names of what could not be followed."""
        return [*self.hidden, *self.foreign]


def candidates(resource: Resource, expression: Node | None, kind: Kind, tree: Tree) -> Candidates:
    """What the expression of an argument of `resource` may stand for."""
    follower = _Follower(kind, tree)
    follower.expression(expression, Where(resource.module, resource.key, below(resource.config, "for_each_expression")))
    return follower.result


def references(expression: Node) -> list[str]:
    """The references of an expression and of the blocks below it, the longest form of each.

    Terraform writes each one with all its beginnings behind it: `a.b[0].c`, `a.b[0]`, `a.b`.
    """
    found: list[str] = []
    stack = [expression]
    while stack:
        value = stack.pop().value
        if isinstance(value, list):
            stack += reversed(value)
        elif isinstance(value, dict) and "references" in value:
            listed = value["references"].value
            for each in listed if isinstance(listed, list) else []:
                text = each.value
                if isinstance(text, str) and not (found and found[-1].startswith((f"{text}.", f"{text}["))):
                    found.append(text)
        elif isinstance(value, dict):
            stack += reversed([each for key, each in value.items() if key != "constant_value"])
    return list(dict.fromkeys(found))


class _Follower:
    """Follows references to their ends, each expression once."""

    def __init__(self, kind: Kind, tree: Tree) -> None:
        self.kind = kind
        self.tree = tree
        self.result = Candidates()
        self.seen: set[tuple[int, str, Key]] = set()
        self.depth = 0

    def expression(self, node: Node | None, where: Where, *, keyed: bool = False) -> None:
        """All references of one expression; `keyed` if its user takes the item of the own key."""
        mark = (id(node), where.module.address, where.key)
        if node is None or mark in self.seen:
            return
        self.seen.add(mark)
        self.constant(below(node, "constant_value"))
        listed = [(text, steps(text) or []) for text in references(node)]
        keyed = keyed or any(path[:1] == [name] for _, path in listed for name in _CHOOSING)
        self.depth += 1
        for text, path in listed:
            self.reference(text, path if self.depth < MOST_STEPS else [], where, keyed=keyed)
        self.depth -= 1

    def reference(self, text: str, path: list[str | Index], where: Where, *, keyed: bool) -> None:
        """One reference; what it is not is in its first words."""
        match path:
            case ["each", "value", *_]:
                self.expression(where.for_each, where, keyed=True)
            case [("each" | "count"), *_]:
                pass  # said by `keyed`
            case [str(head), *_] if head in _LITERAL:
                self.result.chosen = True
            case ["var", str(name), *_]:
                self.variable(text, name, where.module)
            case ["module", str(name), *rest]:
                self.output(text, name, rest, where, keyed=keyed)
            case ["data", str(kind), str(name), *rest]:
                self.resources(text, f"data.{kind}.{name}", kind, rest, where, keyed=keyed)
            case [str(kind), str(name), *rest] if kind != "local":
                self.resources(text, f"{kind}.{name}", kind, rest, where, keyed=keyed)
            case _:
                self.hide(text)

    def hide(self, text: str) -> None:
        """A name that the JSON does not explain."""
        self.result.hidden[_shown(text)] = None

    def constant(self, node: Node | None) -> None:
        """A value that is written out: an id is a candidate, any other plain value may choose among some."""
        stack = [] if node is None else [(node, False)]
        while stack:
            each, inside = stack.pop()
            if isinstance(each.value, list | dict):
                inner = each.value if isinstance(each.value, list) else [item for _, item in entries(each)]
                stack += [(item, True) for item in reversed(inner)]
            elif self.kind.prefix and (text := word(each)) and text.startswith(self.kind.prefix):
                self.result.found.setdefault(text, True)
            elif each.value is not None and not inside:
                self.result.chosen = True

    def variable(self, text: str, name: str, module: Module) -> None:
        """A module's input: what its caller passes, else the default."""
        if module.parent is None:
            given = below(self.tree.variables, name)
            self.hide(text) if given is None else self.constant(below(given, "value"))
            return
        passed = below(module.call, "expressions", name)
        if passed is not None:
            for_each = below(module.call, "for_each_expression")
            self.expression(passed, Where(module.parent, module.key, for_each))
        elif below(module.config, "variables", name) is None and name not in _keys(below(module.config, "variables")):
            self.hide(text)
        else:
            self.constant(below(module.config, "variables", name, "default"))

    def output(self, text: str, name: str, rest: list[str | Index], where: Where, *, keyed: bool) -> None:
        """An output of a child module; an index that is computed leaves its name out of the reference."""
        index, wanted = _split(rest)
        children = where.module.children.get(name, [])
        chosen = self.pick(children, index, where.key, keyed=keyed)
        if not chosen:
            self.hide(text)
        for child in chosen:
            outputs = below(child.config, "outputs")
            if wanted is not None:
                expression = below(outputs, wanted, "expression")
                if expression is None:
                    self.hide(text)
                self.expression(expression, Where(child))
            else:
                self.any_output(text, outputs, child)

    def any_output(self, text: str, outputs: Node | None, child: Module) -> None:
        """The one output of the module that can be meant."""
        inner = _Follower(self.kind, self.tree)
        inner.seen, inner.depth = self.seen, self.depth
        for _, output in [] if outputs is None else entries(outputs):
            inner.expression(below(output, "expression"), Where(child))
        if len(inner.result.found) == 1:
            self.result.found |= inner.result.found
        else:
            self.hide(text)

    def resources(
        self, text: str, label: str, kind: str, rest: list[str | Index], where: Where, *, keyed: bool
    ) -> None:
        """Instances of a resource: candidates where it is of the wanted kind."""
        instances = where.module.resources.get(label, [])
        if not instances:
            if label in where.module.configs:
                return  # count = 0: nothing comes from it
            lost = self.result.hidden if kind in self.kind.attributes else self.result.foreign
            lost[_shown(text)] = None
            return
        index, attribute = _split(rest)
        chosen = self.pick(instances, index, where.key, keyed=keyed)
        if not chosen:
            self.hide(text)
        wanted = self.kind.attributes.get(kind)
        for each in chosen:
            if wanted is not None and attribute in (None, wanted):
                identity = each.identity(wanted)
                self.result.found.setdefault(identity, identity != each.address)
            elif attribute is not None and each.block.get(attribute) is not None:
                self.result.chosen = True
            else:
                self.result.foreign[_shown(each.address + (f".{attribute}" if attribute else ""))] = None

    def pick(self, instances: list[_Instance], index: Index | None, key: Key, *, keyed: bool) -> list[_Instance]:
        """The instance of the written index, or of the same key where the reference uses its own; else all."""
        if index is not None:
            return [each for each in instances if each.key == index.key]
        same = [each for each in instances if each.key == key] if keyed else []
        if same or len(instances) < 2:
            return same or instances
        self.result.chosen |= keyed
        return instances


def _split(rest: list[str | Index]) -> tuple[Index | None, str | None]:
    """The index and the attribute behind a name; either may be missing."""
    index = rest[0] if rest and isinstance(rest[0], Index) else None
    after = rest[1:] if index else rest
    return index, after[0] if after and isinstance(after[0], str) else None


def _keys(node: Node | None) -> set[str]:
    """The keys of a mapping."""
    return {key for key, _ in entries(node)} if node is not None else set()


def _shown(text: str) -> str:
    """A reference as reports show it."""
    return text[:200] if text.isprintable() else repr(text[:200])
