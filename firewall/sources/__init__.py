"""Rule files of every format become one RuleSet; the format is told by content, never by file name."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from firewall.model import RuleSet
from firewall.sources import native
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings
from firewall.sources.folders import rule_files
from firewall.sources.located import Node, load
from firewall.sources.reading import quoted, suggestion

__all__ = ["load_rules"]


class Format(NamedTuple):
    """A format: the top-level keys that tell it, and its two passes."""

    knows: Callable[[str], bool]
    declare: Callable[[Node, Draft], None]
    build: Callable[[Node, Draft], None]


NATIVE = Format(native.TOP_KEYS.__contains__, native.declare, native.build)


@cache
def formats() -> tuple[Format, ...]:
    """Every format. The others' thirty modules are imported for a file that is not native alone."""
    from firewall.sources import aws_cli, cloudformation, terraform

    return (
        NATIVE,
        Format(aws_cli.knows, aws_cli.declare, aws_cli.build),
        Format(cloudformation.TOP_KEYS.__contains__, cloudformation.declare, cloudformation.build),
        Format(terraform.TOP_KEYS.__contains__, terraform.declare, terraform.build),
    )


# Files that people may well give, and what to give instead.
NOT_READ = {
    "RouteTables": "routes say nothing about rules: leave describe-route-tables out",
    "NatGateways": "describe-nat-gateways is not read: their interfaces stand in describe-network-interfaces",
    "VpcEndpoints": "describe-vpc-endpoints is not read: their interfaces stand in describe-network-interfaces",
    "Addresses": "Elastic IP addresses match no rule: leave describe-addresses out",
    "Tags": "describe-tags says nothing about rules: leave it out",
    "events": "this is a timeline of changes: give it with --events",
    "lineage": "Terraform's own state file is not read: give the output of terraform show -json",
}


def _unknown(key: str) -> str:
    """What a file that is told by none of its keys may be."""
    from firewall.sources import aws_cli

    near = suggestion(key, (*native.TOP_KEYS, *aws_cli.TOP_KEYS))
    if near.startswith("did you mean"):
        return f"unknown key {quoted(key)}: {near}"
    return f"unknown key {quoted(key)}: no rule file that eniwall reads (docs/rules.md lists them), leave it out"


def load_rules(*paths: str | Path) -> RuleSet:
    """Read rule files, in any order, as one rule set; a folder stands for the rule files in it.

    Native YAML (docs/rules.md) and the AWS CLI's JSON (`aws_cli.OUTPUTS` lists the commands) may be
    mixed. Names of one file may be used in another.

    Raises RuleFileError with every problem of every file: `file:line:column path - what is wrong,
    what to write instead`. What is no mistake but should be known stands in `RuleSet.warnings`.
    """
    draft = Draft()
    if not paths:
        draft.findings.files.append("rules")
        draft.findings.file_error("rules", "no rule file was given: name one or several")
    trees = [root for path in rule_files(paths, draft.findings) if (root := load(path, draft.findings)) is not None]
    sources = [(root, source) for root in trees if (source := _format(root, draft.findings)) is not None]
    for root, source in sources:
        source.declare(root, draft)
    for root, source in sources:
        source.build(root, draft)
    if not draft.groups and not draft.findings.problems:
        draft.findings.file_error(
            str(paths[-1]), "no file defines a security group: add one, or its describe-security-groups"
        )
    return draft.finish()


def _format(root: Node, findings: Findings) -> Format | None:
    """The format of a file, or None after a note of what its top level should be."""
    if not isinstance(root.value, dict):
        findings.error(root, "a rule file is a mapping: write security_groups: and the groups below it")
        return None
    if root.value and all(map(NATIVE.knows, root.value)):
        return NATIVE
    found = [source for source in formats() if any(source.knows(key) for key in root.value)]
    if len(found) == 1:
        return found[0]
    for key in root.value:
        if key in NOT_READ:
            findings.error(root.key(key), NOT_READ[key])
            return None
    if found:
        findings.error(root, "keys of several formats stand in one file: write two files and give both")
    elif root.value:
        key = next(iter(root.value))
        findings.error(root.key(key), _unknown(key))
    else:
        findings.error(root, "the file is empty: write security_groups: and the groups below it")
    return None
