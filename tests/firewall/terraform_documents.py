"""Builders for what `terraform show -json` prints, for states and plans of small estates."""

import json
import re
from pathlib import Path
from typing import Any

from firewall.errors import RuleFileError
from firewall.model import RuleSet
from firewall.sources import load_rules

_MODULE = re.compile(r'((?:module\.\w+(?:\[(?:\d+|"[^"]*")\])?\.)*)((?:data\.)?)(\w+)\.(\w+)(?:\[(\d+|"[^"]*")\])?')

Values = dict[str, Any]


def resource(address: str, **values: Any) -> Values:
    """A resource as a state or planned_values lists it; what its address says is taken from there."""
    match = _MODULE.fullmatch(address)
    assert match is not None, address
    _, data, kind, name, index = match.groups()
    found: Values = {"address": address, "mode": "data" if data else "managed", "type": kind, "name": name}
    if index is not None:
        found["index"] = json.loads(index)
    return found | {"provider_name": "registry.terraform.io/hashicorp/aws", "values": values}


def values(*resources: Values) -> Values:
    """The tree of modules that the addresses say."""
    root: Values = {"resources": [], "child_modules": []}
    modules = {"": root}
    for each in resources:
        match = _MODULE.fullmatch(each["address"])
        assert match is not None
        _module(match[1].rstrip("."), modules)["resources"].append(each)
    return {"outputs": {}, "root_module": root}


def _module(address: str, modules: dict[str, Values]) -> Values:
    """The module of that address, made with its parents."""
    if address not in modules:
        parent = re.sub(r'\.?module\.\w+(\[(\d+|"[^"]*")\])?$', "", address)
        modules[address] = {"address": address, "resources": [], "child_modules": []}
        _module(parent, modules)["child_modules"].append(modules[address])
    return modules[address]


def state(*resources: Values) -> Values:
    """A state."""
    return {"format_version": "1.0", "terraform_version": "1.9.8", "values": values(*resources)}


def refs(*names: str) -> Values:
    """An expression of references, each with its beginnings behind it, as Terraform writes them."""
    found: list[str] = []
    for name in names:
        steps = re.findall(r'\.?\w+|\[(?:\d+|"[^"]*")\]', name)
        shortest = 3 if steps[0] == "data" else 2
        found += ["".join(steps[:end]) for end in range(len(steps), shortest - 1, -1)]
    return {"references": found}


def constant(value: Any) -> Values:
    """An expression without references."""
    return {"constant_value": value}


def config(
    resources: dict[str, Values] | None = None,
    calls: dict[str, Values] | None = None,
    outputs: dict[str, Values] | None = None,
    variables: Values | None = None,
    for_each: dict[str, Values] | None = None,
) -> Values:
    """A module's configuration: expressions of its resources by label, its calls and outputs."""
    listed = []
    for label, expressions in (resources or {}).items():
        one: Values = {"address": label, "expressions": expressions}
        if label in (for_each or {}):
            one["for_each_expression"] = (for_each or {})[label]
        listed.append(one)
    return {
        "resources": listed,
        "module_calls": calls or {},
        "outputs": {name: {"expression": each} for name, each in (outputs or {}).items()},
        "variables": variables or {},
    }


def plan(
    *resources: Values,
    configuration: Values | None = None,
    unknown: dict[str, Values] | None = None,
    before: dict[str, tuple[str, Values]] | None = None,
    prior: Values | None = None,
    variables: Values | None = None,
) -> Values:
    """A plan; `unknown` is after_unknown and `before` the action and former values, by address."""
    changes = []
    for address in dict.fromkeys([*(unknown or {}), *(before or {})]):
        match = _MODULE.fullmatch(address)
        assert match is not None
        action, former = (before or {}).get(address, ("create", None))
        change = {"actions": [action], "before": former, "after_unknown": (unknown or {}).get(address, {})}
        changes.append({"address": address, "mode": "managed", "type": match[3], "name": match[4], "change": change})
    found: Values = {
        "format_version": "1.2",
        "terraform_version": "1.9.8",
        "planned_values": values(*resources),
        "resource_changes": changes,
        "configuration": {"root_module": configuration or config()},
    }
    if prior is not None:
        found["prior_state"] = {"format_version": "1.0", "values": prior}
    if variables is not None:
        found["variables"] = {name: {"value": value} for name, value in variables.items()}
    return found


def block(protocol: str = "tcp", first: int = 443, last: int = 443, **peers: Any) -> Values:
    """An inline rule, with all its arguments as a state has them."""
    empty: Values = {"cidr_blocks": [], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": []}
    said = {"protocol": protocol, "from_port": first, "to_port": last, "self": False, "description": ""}
    return {key: value for key, value in (empty | said | peers).items() if value is not None}


def rules_from(folder: Path, *documents: Values | str) -> RuleSet:
    """The rules of documents: JSON on one line, as Terraform prints it, or a text as it is."""
    paths = []
    for number, document in enumerate(documents):
        paths.append(folder / f"{number}.{'yaml' if isinstance(document, str) else 'json'}")
        text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":")) + "\n"
        paths[-1].write_text(text)
    return load_rules(*paths)


def problems_of(folder: Path, *documents: Values | str) -> list[str]:
    """What is wrong with the documents, without places."""
    try:
        rules_from(folder, *documents)
    except RuleFileError as error:
        return [line.partition(" - ")[2] for line in error.problems]
    return []


def said(rules: RuleSet, group_id: str, direction: str = "ingress") -> list[tuple[Any, ...]]:
    """Protocol, ports and peer of a group's rules of one direction."""
    return [(rule.protocol, rule.ports, rule.peer) for rule in getattr(rules.groups[group_id], direction)]


def kinds(rules: RuleSet) -> list[str]:
    """The kinds of the warnings, in order."""
    return [warning.kind for warning in rules.warnings]


def warnings(rules: RuleSet, kind: str) -> list[str]:
    """The texts of the warnings of one kind."""
    return [warning.text for warning in rules.warnings if warning.kind == kind]
