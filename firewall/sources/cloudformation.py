"""CloudFormation templates, YAML and JSON: what the stack's interfaces would meet once it is deployed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
Native files beside a template say what it leaves open: `parameters:` and `addresses:`.
"""

from collections.abc import Iterator

from firewall.sources.cloudformation_groups import prefix_lists, security_groups
from firewall.sources.cloudformation_interfaces import interfaces
from firewall.sources.cloudformation_networks import networks
from firewall.sources.cloudformation_properties import (
    GROUP,
    NETWORK_ACL,
    PREFIX_LIST,
    PROPERTIES,
    SUBNET,
    VPC,
)
from firewall.sources.cloudformation_template import Resource, Template
from firewall.sources.draft import Draft
from firewall.sources.located import TEMPLATE_KEYS, Node, entries

TOP_KEYS = TEMPLATE_KEYS
NESTED = ("AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet", "AWS::Serverless::Application")
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"  # its functions are read or named; its loops are told where they stand


def declare(root: Node, draft: Draft) -> None:
    """Note the logical ids, and the names that are plain, for the rules of all files."""
    section = root.get("Resources")
    for logical, node in () if section is None else entries(section):
        kind, spot = node.get("Type"), section.key(logical) if section else root
        properties = node.get("Properties") or node
        match kind.value if kind else None:
            case str(word) if word == GROUP:
                draft.group_names.declare(logical, _name(properties, "GroupName") or logical, spot, draft.findings)
                draft.group_names.also(logical, logical)
            case str(word) if word == PREFIX_LIST:
                draft.list_names.declare(logical, _name(properties, "PrefixListName") or logical, spot, draft.findings)
                draft.list_names.also(logical, logical)
            case str(word) if word in (VPC, SUBNET, NETWORK_ACL):
                names = {VPC: draft.vpc_names, SUBNET: draft.subnet_names, NETWORK_ACL: draft.acl_names}[word]
                names.mention(logical, logical, spot)


def _name(properties: Node, key: str) -> str | None:
    """A name that is a plain text."""
    found = properties.get(key)
    return found.value if found is not None and isinstance(found.value, str) else None


def build(root: Node, draft: Draft) -> None:
    """Read everything in the template."""
    template = Template(root, draft)
    kinds = [each.kind for each in template.resources.values()]
    if kinds and not any(kind.startswith("AWS::") for kind in kinds) and root.get("AWSTemplateFormatVersion") is None:
        draft.findings.error(root, "no resource has a type AWS::...: give a CloudFormation template")
        return
    _warn_not_whole(root, template)
    prefix_lists(template)
    networks(template)
    interfaces(template)
    security_groups(template)
    for resource in template.resources.values():
        if resource.kind not in PROPERTIES:
            _warn_not_read(resource, template)


def _warn_not_whole(root: Node, template: Template) -> None:
    """What only AWS expands: macros, loops and nested stacks."""
    findings = template.findings
    for node in _macros(root):
        if isinstance(node.value, str) and node.value != LANGUAGE_EXTENSIONS:
            findings.warn(
                "template-not-whole", node, f"the macro {node.value[:80]} is not expanded: what it adds is missing"
            )
    for node in _below(root):
        for key, _ in entries(node):
            if key == "Fn::Transform" or key.startswith("Fn::ForEach"):
                findings.warn(
                    "template-not-whole", node.key(key), f"{key[:80]} is not expanded: what it adds is missing"
                )
    for resource in template.resources.values():
        if resource.kind in NESTED or resource.kind.endswith("::MODULE"):
            text = f"{resource.logical} ({resource.kind[:80]}) is not read: give its template too"
            findings.warn("template-not-whole", resource.spot, text)


def _macros(root: Node) -> Iterator[Node]:
    """The names of the macros that the whole template goes through."""
    transform = root.get("Transform")
    items = [] if transform is None else transform.value if isinstance(transform.value, list) else [transform]
    for item in items:
        yield item.get("Name") or item


def _warn_not_read(resource: Resource, template: Template) -> None:
    """A resource that is not read but names groups: its interfaces may carry them."""
    found = dict.fromkeys(
        name for node in _below(resource.properties) if (name := _referred(node)) and _is_group(name, template)
    )
    if found and not template.misses(resource):
        names = ", ".join(found)
        template.draft.open_groups.update(found)
        template.findings.warn(
            "members-not-read",
            resource.spot,
            f"{resource.logical} ({resource.kind[:80]}) names {names} and is not read: packets that hang on "
            "who its members are stay undecidable; write them under interfaces:, and members_complete: in a second "
            "rule file",
        )


def _is_group(name: str, template: Template) -> bool:
    resource = template.resources.get(name)
    return resource is not None and resource.kind == GROUP


def _referred(node: Node) -> str:
    """The logical id that Ref or Fn::GetAtt names."""
    found = node.get("Ref") or node.get("Fn::GetAtt")
    if found is not None and isinstance(found.value, list) and found.value:
        found = found.value[0]
    return found.value.split(".")[0] if found is not None and isinstance(found.value, str) else ""


def _below(root: Node) -> Iterator[Node]:
    """A node and everything below it; deep files do not deepen the stack."""
    left = [root]
    while left:
        node = left.pop()
        yield node
        if isinstance(node.value, dict):
            left += reversed(node.value.values())
        elif isinstance(node.value, list):
            left += reversed(node.value)
