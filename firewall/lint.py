"""Lints: what stands in a rule set that its author may not have meant. LINTS is all of them.

A lint never changes a verdict. `RuleSet.silenced` names, for a lint, the groups, rules, interfaces, lists and
ACLs that it is not told of.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from firewall.lint_acls import acl_no_ephemeral, acl_shadowed_entry
from firewall.lint_checks import (
    covered_rule,
    duplicate_rule,
    empty_list,
    family_mismatch,
    from_warnings,
    icmp_range,
    ipv6_forgotten,
    management_open,
    split_anywhere,
    stale_reference,
    unused_group,
)
from firewall.lint_material import Check, Finding, Material
from firewall.model import NetworkInterface, RuleSet, Warning  # noqa: A004  (the model's word for it)
from firewall.sources.reading import quoted, suggestion

EVERY_NAME = "all"  # in a silence: whatever the finding is about

_RULES = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"
_REFERENCE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-rules-reference.html"
_TRACKING = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html"
_PEERING = "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html"
_PERMISSION = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"
_ACLS = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html"
_EPHEMERAL = "https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html"
_PRACTICE = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"
_LISTS = "https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html"
_CLOUDFORMATION = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html"
)
_TERRAFORM = "https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group"


class Lint(NamedTuple):
    """One lint: its name, what it finds, why that matters and who says so, and the check.

    `warning`: the kind of the reading's warnings that it tells, which then need not be told twice.
    """

    name: str
    says: str
    why: str
    source: str
    check: Check
    warning: str = ""


LINTS = (
    Lint(
        "covered-rule",
        "another rule of its group, or one on every interface that has its group, lets in all that it does",
        "rules are joined, so it changes nothing and counts toward the quota; narrowing or removing it has no effect",
        _RULES,
        covered_rule,
    ),
    Lint(
        "duplicate-rule",
        "the same protocol, ports and peer stand in the group before",
        "AWS refuses a rule that exists; deleting one of the two lines changes nothing",
        _RULES,
        duplicate_rule,
    ),
    Lint(
        "family-mismatch",
        "ICMP with an IPv6 block, or ICMPv6 with an IPv4 block",
        "they are two protocols, one for each family: such a rule never matches",
        _REFERENCE,
        family_mismatch,
        "family-mismatch",
    ),
    Lint(
        "icmp-range",
        "an ICMP type with a code that no message of the type has, such as 0/8 or 8/8",
        "the API's FromPort and ToPort are type and code for ICMP, never a range of types",
        _PERMISSION,
        icmp_range,
    ),
    Lint(
        "management-open",
        "an inbound rule opens a port for management or data to everybody",
        "AWS advises to open such ports to known networks alone",
        _PRACTICE,
        management_open,
    ),
    Lint(
        "stale-reference",
        "a rule names a group over a peering that is deleted",
        "it stays in the group, matches nothing, and counts toward the quota",
        _PEERING,
        stale_reference,
        "stale-rule",
    ),
    Lint(
        "host-bits",
        "a block has bits set behind its prefix length",
        "AWS cuts them off: the block is another one than was written",
        _RULES,
        from_warnings("host-bits", "write the block that AWS keeps, or the length that was meant"),
        "host-bits",
    ),
    Lint(
        "default-egress",
        "a group says nothing about outbound traffic, so that AWS's default holds: everything may leave",
        "the same words mean the opposite in Terraform",
        _CLOUDFORMATION,
        from_warnings("default-egress", "write egress, with the rules that are meant"),
        "default-egress",
    ),
    Lint(
        "terraform-no-egress",
        "a group of Terraform has no egress block: nothing may leave but replies",
        "Terraform removes the outbound rule that AWS gives a new group",
        _TERRAFORM,
        from_warnings("terraform-no-egress", "add an egress block, or silence this if replies are all"),
        "terraform-no-egress",
    ),
    Lint(
        "split-anywhere",
        "blocks such as 0.0.0.0/1 and 128.0.0.0/1 together are everywhere",
        "to a reader they look narrower than 0.0.0.0/0; only 0.0.0.0/0 and ::/0 make connections untracked",
        _TRACKING,
        split_anywhere,
    ),
    Lint(
        "ipv6-forgotten",
        "a rule is for 0.0.0.0/0, the interface has IPv6 addresses, and no rule allows the same for ::/0",
        "the families have rules of their own: over IPv6 the service is closed",
        _RULES,
        ipv6_forgotten,
    ),
    Lint(
        "unused-group",
        "a group is on no interface of the files, and no other group's rule names it",
        "nothing meets its rules; told only where the files have interfaces",
        _PRACTICE,
        unused_group,
    ),
    Lint(
        "acl-shadowed-entry",
        "a network ACL's entry is covered by one with a lower number",
        "entries are asked in the order of their numbers and the first that matches decides",
        _ACLS,
        acl_shadowed_entry,
    ),
    Lint(
        "acl-no-ephemeral",
        "a network ACL lets a service pass one way and none of the ports that clients choose from the other way",
        "network ACLs know no connections: replies need an entry of their own",
        _EPHEMERAL,
        acl_no_ephemeral,
    ),
    Lint(
        "empty-list",
        "rules name a prefix list that has no entries",
        "they match nothing, and still count the list's maximum toward the quota",
        _LISTS,
        empty_list,
    ),
)
#: Told by `findings` itself, which alone knows what was silenced.
UNUSED_SILENCE = "unused-silence"
NAMES = (*(row.name for row in LINTS), UNUSED_SILENCE)


class Linted(NamedTuple):
    """What the lints found, in the order of LINTS, and how many findings of each lint are silenced."""

    findings: tuple[Finding, ...]
    silenced: dict[str, int]


def lint(rule_set: RuleSet, interfaces: tuple[NetworkInterface, ...] | None = None) -> Linted:
    """All findings about a rule set, seen from its interfaces (or others instead)."""
    material = Material(rule_set, interfaces)
    sieve = _Sieve(rule_set.silenced, {group.name: group.group_id for group in rule_set.groups.values()})
    told = [finding for row in LINTS for finding in sieve.told(row.name, row.check(material))]
    told += sieve.told(UNUSED_SILENCE, list(_unused_silences(rule_set.silenced, sieve.used)))
    return Linted(tuple(told), dict(sieve.silenced))


class _Sieve:
    """Keeps back the findings that are silenced, and which words did so."""

    def __init__(self, silences: Mapping[str, tuple[str, ...]], groups: Mapping[str, str]) -> None:
        self._silences = silences
        self._groups = groups
        self.used: set[tuple[str, str]] = set()
        self.silenced: Counter[str] = Counter()

    def _by_id(self, word: str) -> str:
        """The same name with its group's id, as reports write it."""
        group, sign, rest = word.partition(":")
        return self._groups.get(group, group) + sign + rest

    def told(self, name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings of a lint that are not silenced."""
        for finding in findings:
            known = (EVERY_NAME, *finding.names)
            words = [word for word in self._silences.get(name, ()) if word in known or self._by_id(word) in known]
            self.used.update((name, word) for word in words)
            if words:
                self.silenced[name] += 1
            else:
                yield finding._replace(lint=name)


def _unused_silences(silences: Mapping[str, tuple[str, ...]], used: set[tuple[str, str]]) -> Iterator[Finding]:
    """Silences of no lint, and those that nothing needed."""
    for name, words in silences.items():
        if name not in NAMES:
            yield Finding(name, f"there is no lint {quoted(name)}", suggestion(name, NAMES), None, (name,))
            continue
        for word in words:
            if name != UNUSED_SILENCE and (name, word) not in used:
                text = f"it is silenced for {quoted(word)}, about which it finds nothing"
                yield Finding(name, text, "delete the silence", None, (name,))


def warnings_left(warnings: Iterable[Warning]) -> list[Warning]:
    """The warnings that no lint tells."""
    told = {row.warning for row in LINTS}
    return [warning for warning in warnings if warning.kind not in told]
