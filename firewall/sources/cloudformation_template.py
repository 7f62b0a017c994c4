"""A CloudFormation template: its parameters, mappings, conditions and resources, and what their names stand for.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
A group's, an interface's, any resource's id is its logical id: AWS gives the real one when it is deployed.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import NamedTuple, TypeVar

from firewall.sources.cloudformation_functions import CONDITIONS, FUNCTIONS
from firewall.sources.cloudformation_properties import (
    GROUP,
    INSTANCE,
    INTERFACE,
    NETWORK_ACL,
    PREFIX_LIST,
    SUBNET,
    VPC,
    VPC_BLOCK,
)
from firewall.sources.cloudformation_values import Evaluator, Reference, Unknown, UnknownError, made, unknown, whole
from firewall.sources.draft import Draft
from firewall.sources.findings import Spot
from firewall.sources.located import Node, entries
from firewall.sources.reading import mapping, quoted, shown, suggestion

T = TypeVar("T")

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html
PSEUDO_PARAMETERS = tuple(
    f"AWS::{name}"
    for name in ("AccountId", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
MOST_RESOURCES = 700  # and parameters: so many AWS takes, and so many are compared with a misspelt name
NO_VALUE = "AWS::NoValue"

# What the pages of the types, section "Return values", say: attributes that are the resource's id, as Ref is.
IDENTITIES = {
    GROUP: ("Ref", "GroupId", "Id"),
    INSTANCE: ("Ref", "InstanceId"),
    INTERFACE: ("Ref", "Id"),
    NETWORK_ACL: ("Ref", "Id"),
    PREFIX_LIST: ("Ref", "PrefixListId"),
    SUBNET: ("Ref", "SubnetId"),
    VPC: ("Ref", "VpcId"),
}
# The same pages: attributes that have the value of a property.
COPIES = {
    (GROUP, "VpcId"): "VpcId",
    (SUBNET, "CidrBlock"): "CidrBlock",
    (SUBNET, "VpcId"): "VpcId",
    (VPC, "CidrBlock"): "CidrBlock",
}
PRIMARY_ADDRESSES = {(INTERFACE, "PrimaryPrivateIpAddress"), (INSTANCE, "PrivateIp")}
DEFAULTS = {(VPC, "DefaultSecurityGroup"): GROUP, (VPC, "DefaultNetworkAcl"): NETWORK_ACL}


class Resource(NamedTuple):
    """A resource of a template: its name, its type, and its properties (empty where it has none)."""

    logical: str
    kind: str
    node: Node
    properties: Node
    spot: Spot


def cure(name: str) -> str:
    """What to write where a value is missing."""
    key = name if name.isidentifier() else f'"{name}"'
    return f"write parameters: {{{key}: ...}} in a second rule file"


def address_cure(name: str) -> str:
    """What to write where an interface's addresses are missing."""
    key = name if name.isidentifier() else f'"{name}"'
    return f"write addresses: {{{key}: [10.0.1.10]}} in a second rule file"


class Template(Evaluator):
    """The template in a file, and the draft that its objects go to."""

    functions = FUNCTIONS
    conditions = CONDITIONS

    def __init__(self, root: Node, draft: Draft) -> None:
        super().__init__(draft.findings)
        self.draft = draft
        self._parameters = self._section(root, "Parameters")
        self._mappings = self._section(root, "Mappings")
        self._conditions = self._section(root, "Conditions")
        self.resources = {each.logical: each for each in self._all_resources(root)}
        self._by_kind: dict[str, list[Resource]] = {}
        for each in self.resources.values():
            self._by_kind.setdefault(each.kind, []).append(each)
        self.default_groups: dict[str, str] = {}  # id -> VPC, of those that something refers to
        self._values: dict[str, Node | Unknown] = {}
        self._verdicts: dict[str, bool | Unknown] = {}
        self._open: list[str] = []  # names whose value is being found
        for name in (*self._parameters, *PSEUDO_PARAMETERS):
            draft.parameter(name)  # one that no rule needs may have a value too

    def _section(self, root: Node, key: str) -> dict[str, Node]:
        """A section of the template; absent is empty."""
        section = root.get(key)
        return {} if section is None else mapping(section, self.findings, f"the template's {key}")

    def _all_resources(self, root: Node) -> Iterator[Resource]:
        """Every resource with a type; macros, which stand among them, are told elsewhere."""
        section = root.get("Resources")
        if section is None:
            self.findings.error(root, "the template has no Resources: give one that makes security groups")
            return
        for logical, node in self._section(root, "Resources").items():
            spot = section.key(logical)
            if logical.startswith("Fn::"):
                continue
            kind = node.get("Type")
            if kind is None or not isinstance(kind.value, str):
                self.findings.error(spot, f"a resource without a type: add Type: {GROUP}")
                continue
            properties = node.get("Properties") or Node(node.place, node, "Properties", {}, {})
            mapping(properties, self.findings, "the properties of the resource")
            yield Resource(logical, kind.value, node, properties, spot)

    # --- resources ----------------------------------------------------------------------------------------
    def of(self, kind: str) -> Iterator[Resource]:
        """The resources of a type that the stack has: those without a condition, or with one that holds."""
        return (each for each in self._by_kind.get(kind, []) if self.exists(each))

    def exists(self, resource: Resource) -> bool | None:
        """Whether the stack has a resource; None after a note of what its condition hangs on."""
        condition = resource.node.get("Condition")
        return True if condition is None else self.holds(condition)

    def misses(self, resource: Resource) -> bool:
        """True if the stack is known not to have a resource; nothing is said of what is unknown."""
        condition = self.word(resource.node, "Condition")
        return condition in self._conditions and self.named_condition(condition, resource.spot) is False

    # --- reading properties -------------------------------------------------------------------------------
    def get(self, node: Node, key: str) -> Node | None:
        """The value of a property; None where it is absent or AWS::NoValue."""
        return self.value(node.get(key))

    def known(self, node: Node, key: str) -> Node | None:
        """The same, but an unknown value is a mistake that says what it depends on."""
        found = self.get(node, key)
        if not isinstance(found, Unknown):
            return found
        self.tell(node.key(key), key, found)
        return None

    def tell(self, spot: Spot, what: str, value: Unknown) -> None:
        """Note that something cannot be left unknown, unless its mistake is told already."""
        if value.cure:
            self.findings.error(spot, f"{what} depends on {value.what}: {value.cure}")

    def listed(self, node: Node, key: str) -> list[Node]:
        """The values of a list property; of an unknown list one unknown value."""
        found = self.get(node, key)
        return [] if found is None else self.spread(found)

    def spread(self, found: Node) -> list[Node]:
        """The values of a list; of an unknown one that value."""
        try:
            return self.items(found)
        except UnknownError as missing:
            return [missing.value]

    def records(self, node: Node, key: str) -> list[Node]:
        """The mappings of a list property; anything else in it is a mistake."""
        found = []
        for item in self.listed(node, key):
            if isinstance(item, Unknown):
                self.tell(node.key(key), key, item)
            elif mapping(item, self.findings, f"the properties of each of {key}") or item.value == {}:
                found.append(item)
        return found

    def number(self, node: Node, key: str) -> Node | None:
        """A number, which may be written as a text; what is no number is left as it is."""
        found = self.get(node, key)
        number = whole(found)
        return found if found is None or number is None else made(found, number)

    def flag(self, node: Node, key: str, absent: bool) -> bool:
        """A truth value, which may be written as a text."""
        found = self.known(node, key)
        if found is None:
            return absent
        word = str(found.value).lower() if isinstance(found.value, bool | str) else ""
        if word not in ("true", "false"):
            self.findings.error(found, f"{shown(found)} is neither: write true or false")
        return word == "true"

    def word(self, node: Node, key: str) -> str | None:
        """A text that needs no function to be known."""
        found = node.get(key)
        return found.value if found is not None and isinstance(found.value, str) else None

    def identity(self, node: Node, key: str, kind: str) -> str | None:
        """The id under a key, of a resource of the template or outside it; None where it is not known."""
        found = self.get(node, key)
        if isinstance(found, Reference) and found.kind != kind:
            self.findings.error(found, f"{key} takes an {kind}, and {found.value} is an {found.kind}: name another")
            return None
        return found.value if found is not None and isinstance(found.value, str) else None

    # --- what names stand for -------------------------------------------------------------------------------
    def _once(
        self, memory: dict[str, T | Unknown], name: str, spot: Spot, find: Callable[[], T | Unknown]
    ) -> T | Unknown:
        """What `find` finds for a name, found once; a name that hangs on itself is a mistake."""
        if name in memory:
            return memory[name]
        if name in self._open:
            raise self.broken(
                spot, f"{quoted(name)} depends on itself, by way of {quoted(self._open[-1])}: break the circle"
            )
        self._open.append(name)
        try:
            memory[name] = find()
        except UnknownError as missing:
            memory[name] = missing.value
        finally:
            self._open.pop()
        return memory[name]

    def given(self, name: str, what: str, spot: Spot) -> Node:
        """What a native file gives under `parameters:`, or Unknown."""
        found = self.draft.parameter(name)
        return unknown(spot, what, cure(name)) if found is None else found

    def ref(self, name: str, spot: Spot) -> Node | None:
        """A pseudo parameter, a parameter or a resource's id."""
        if name == NO_VALUE:
            return None
        if name in PSEUDO_PARAMETERS:
            return self.given(name, name, spot)
        if name in self._parameters:
            return self._once(self._values, name, spot, lambda: self._parameter(name, self._parameters[name], spot))
        return self.attribute(name, "Ref", spot)

    def _parameter(self, name: str, declared: Node, spot: Spot) -> Node:
        """A parameter's value: what a native file gives, else its default; a list where its type is one."""
        kind = self.word(declared, "Type") or ""
        value, default = self.draft.parameter(name), declared.get("Default")
        if value is None and default is not None and kind.startswith("AWS::SSM::Parameter::Value"):
            stored = self.text(default)  # the name that the value is stored under
            value = self.given(stored, f"the SSM parameter {quoted(stored)}", spot)
        found = self.value(value or default)
        if found is None:
            return unknown(spot, f"the parameter {name}", cure(name))
        if isinstance(found, Unknown):
            return found
        if "List<" in kind or kind == "CommaDelimitedList":
            return self._list_of(found)
        text = self.text(found)
        allowed = declared.get("AllowedValues")
        words = [] if allowed is None else [self.text(each) for each in self.items(allowed)]
        if words and text not in words:
            raise self.broken(
                found, f"{quoted(text)} is no allowed value of parameter {name}: {suggestion(text, words)}"
            )
        return found

    def _list_of(self, value: Node) -> Node:
        """A parameter's list: a list, or a text with commas."""
        if isinstance(value.value, list):
            return value
        return made(value, [made(value, part.strip()) for part in self.text(value).split(",")])

    def attribute(self, logical: str, name: str, spot: Spot) -> Node:
        """An attribute of a resource, `Ref` too; where the template does not say it, a native file may."""
        resource = self.resources.get(logical)
        if resource is None:
            known = (*self.resources, *self._parameters)
            hint = suggestion(logical, islice(known, MOST_RESOURCES))
            raise self.broken(spot, f"no parameter or resource {quoted(logical)}: {hint}")
        exists = self.exists(resource)
        if exists is None:
            raise UnknownError(unknown(spot, logical, ""))
        if not exists:
            raise self.broken(spot, f"{logical} is not made, its condition does not hold: name another")
        if name in IDENTITIES.get(resource.kind, ()):
            return Reference(spot.place, spot.parent, spot.step, logical, None, resource.kind)
        whole_name = logical if name == "Ref" else f"{logical}.{name}"
        default = DEFAULTS.get((resource.kind, name))
        if default is not None:
            if default == GROUP:
                self.default_groups[whole_name] = logical
            return Reference(spot.place, spot.parent, spot.step, whole_name, None, default)
        return self._once(self._values, whole_name, spot, lambda: self._attribute(resource, name, whole_name, spot))

    def _attribute(self, resource: Resource, name: str, whole_name: str, spot: Spot) -> Node:
        """An attribute that is no id."""
        copied = COPIES.get((resource.kind, name))
        found = None if copied is None else self.value(resource.properties.get(copied))
        if (resource.kind, name) in PRIMARY_ADDRESSES:
            found = self._primary_address(resource, spot)
        elif (resource.kind, name) == (VPC, "Ipv6CidrBlocks"):
            found = self._ipv6_blocks(resource, spot)
        if found is not None:
            return found
        return self.given(whole_name, f"{whole_name}, which the template does not say", spot)

    @cached_property
    def vpc_blocks(self) -> dict[str, list[Node]]:
        """The properties of the further blocks of each VPC."""
        return self.belonging(VPC_BLOCK, "VpcId", VPC)

    def belonging(self, kind: str, key: str, owner: str) -> dict[str, list[Node]]:
        """The properties of the resources of a type, by the id of the owner that stands under a key."""
        found: dict[str, list[Node]] = {}
        for each in self.of(kind):
            found.setdefault(self.identity(each.properties, key, owner) or "", []).append(each.properties)
        return found

    def has_ipv6(self, vpc: Resource) -> bool:
        """True if a VPC has an IPv6 block, known or not."""
        blocks = self.vpc_blocks.get(vpc.logical, [])
        provided = any(self.flag(each, "AmazonProvidedIpv6CidrBlock", absent=False) for each in blocks)
        return provided or any(key.startswith("Ipv6") for each in blocks for key, _ in entries(each))

    def _ipv6_blocks(self, vpc: Resource, spot: Spot) -> Node | None:
        """The IPv6 blocks that resources of the template give a VPC, where they say them."""
        found = (self.get(each, "Ipv6CidrBlock") for each in self.vpc_blocks.get(vpc.logical, []))
        blocks = [each for each in found if each is not None]
        return made(spot, [*blocks]) if blocks else None

    def _primary_address(self, resource: Resource, spot: Spot) -> Node:
        """The first private IPv4 address of an interface or an instance."""
        name, first = resource.logical, resource.properties
        inline = self.records(first, "NetworkInterfaces") if resource.kind == INSTANCE else []
        if inline:
            first = inline[0]
            attached = self.get(first, "NetworkInterfaceId")
            if isinstance(attached, Reference) and attached.kind == INTERFACE:
                return self.attribute(str(attached.value), "PrimaryPrivateIpAddress", spot)
        stated = self.stated_addresses(first)
        if stated:
            return stated[0]
        given = (made(where, str(each)) for each, where in self.draft.given_addresses(name) if each.version == 4)
        return next(given, unknown(spot, f"the address of {name}", address_cure(name)))

    def stated_addresses(self, node: Node) -> list[Node]:
        """The private IPv4 addresses that an interface's properties list, the primary one first."""
        items = self.records(node, "PrivateIpAddresses")
        items.sort(key=lambda item: not self.flag(item, "Primary", absent=False))
        found = (self.get(each, "PrivateIpAddress") for each in (node, *items))
        return [each for each in found if each is not None]

    def named_condition(self, name: str, spot: Spot) -> bool | Unknown:
        """A condition of the section Conditions."""
        if name not in self._conditions:
            raise self.broken(spot, f"no condition {quoted(name)}: {suggestion(name, self._conditions)}")
        return self._once(self._verdicts, f"Conditions.{name}", spot, lambda: self.condition(self._conditions[name]))

    def mapped(self, name: str, first: str, second: str, spot: Spot) -> Node | None:
        """A value of the section Mappings."""
        if name not in self._mappings:
            raise self.broken(spot, f"no mapping {quoted(name)}: {suggestion(name, self._mappings)}")
        inner = self._mappings[name].get(first)
        return None if inner is None else inner.get(second)
