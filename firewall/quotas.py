"""What a rule set uses of AWS's quotas, with the arithmetic.

https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from firewall.covers import rules_of
from firewall.errors import UsageError
from firewall.labels import counted
from firewall.model import (
    DIRECTIONS,
    Direction,
    GroupPeer,
    NetworkAcl,
    NetworkInterface,
    Place,
    PrefixList,
    PrefixListPeer,
    RuleSet,
    SecurityGroup,
)
from firewall.sources.reading import suggestion

LIMITS_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"
WEIGHTS_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html"
FAMILIES = (4, 6)


class Quota(NamedTuple):
    """One quota: its name for `--limit`, AWS's default, the most that AWS grants (None: it does not say)."""

    name: str
    default: int
    most: int | None
    what: str
    source: str = LIMITS_PAGE


QUOTAS = (
    Quota("rules-per-group", 60, None, "rules of a security group, for each direction and address family"),
    Quota("groups-per-interface", 5, 16, "security groups of a network interface"),
    Quota("rules-times-groups", 1000, 1000, "the two above multiplied"),
    Quota("acl-entries", 20, 40, "numbered entries of a network ACL, for each direction"),
    Quota("list-entries", 1000, 1000, "entries of a customer's prefix list; its own maximum is less"),
)
RULES, GROUPS, PRODUCT, ENTRIES, LIST_ENTRIES = QUOTAS
Limits = Mapping[str, int]

#: What a rule is charged for one of AWS's lists: by its name behind com.amazonaws.REGION (or global) and ipv6.
AWS_WEIGHTS = {
    "cloudfront.origin-facing": 55,
    "dynamodb": 1,
    "ec2-instance-connect": 2,
    "groundstation": 5,
    "route53-healthchecks": 25,
    "s3": 1,
    "s3express": 6,
    "secretsmanager-managed-external-secrets": 20,
    "vpc-lattice": 10,
}
_AWS_LIST = re.compile(r"com\.amazonaws\.[^.]+\.(ipv6\.)?(?P<service>.+)")


class Part(NamedTuple):
    """A term of a sum: how much, and of what."""

    amount: int
    what: str


class Usage(NamedTuple):
    """What one thing uses of one quota. `at_least`: something is not known, so that the sum may be higher."""

    quota: Quota
    limit: int
    used: int
    subject: str
    arithmetic: str
    at_least: bool
    names: tuple[str, ...]  # of the groups, interfaces, lists and ACLs that it is about
    place: Place | None = None
    direction: Direction | None = None
    family: int | None = None

    @property
    def over(self) -> bool:
        """True if it is more than the quota allows."""
        return self.used > self.limit

    @property
    def amount(self) -> str:
        """`57 of 60`, `at least 57 of 60`."""
        return f"{'at least ' if self.at_least else ''}{self.used:,} of {self.limit:,}"


# --- limits ----------------------------------------------------------------------------------------------
def read_limits(words: Sequence[str]) -> dict[str, int]:
    """The limits by name: AWS's defaults, and what `NAME=VALUE` words change. Raises UsageError."""
    limits = {quota.name: quota.default for quota in QUOTAS}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not re.fullmatch(r"[1-9][0-9]{0,5}", value):
            raise UsageError(f"--limit {word}: write NAME=NUMBER, for example rules-per-group=100")
        if name not in limits:
            raise UsageError(f"--limit {name}: there is no such limit: {suggestion(name, limits)}")
        limits[name] = int(value)
    product = limits[RULES.name] * limits[GROUPS.name]
    if product > limits[PRODUCT.name]:
        raise UsageError(
            f"--limit: {limits[RULES.name]:,} rules x {limits[GROUPS.name]:,} groups = {product:,}, and AWS grants no "
            f"more than {limits[PRODUCT.name]:,} (rules-times-groups): lower one of them"
        )
    return limits


# --- what is used ----------------------------------------------------------------------------------------
def usages(rule_set: RuleSet, interfaces: Sequence[NetworkInterface], limits: Limits) -> tuple[Usage, ...]:
    """What groups, interfaces, network ACLs and prefix lists use of their quotas; nothing is left out."""
    groups = tuple(_groups(rule_set, limits))
    return (
        *groups,
        *_interfaces(interfaces, limits),
        *_product(groups, interfaces, limits),
        *(usage for acl in rule_set.network_acls.values() for usage in _acl(acl, limits)),
        *(usage for each in rule_set.prefix_lists.values() for usage in _list(each, limits)),
    )


def _groups(rule_set: RuleSet, limits: Limits) -> Iterator[Usage]:
    for group in rule_set.groups.values():
        for direction in DIRECTIONS:
            if rules_of(group, direction):
                for family in FAMILIES:
                    yield _group(group, direction, family, rule_set, limits)


def _group(group: SecurityGroup, direction: Direction, family: int, rule_set: RuleSet, limits: Limits) -> Usage:
    """The sum of one group's rules of one direction and family.

    A block counts 1 in its own family, a group 1 in both, a list its maximum or its weight. That groups
    count in both families stands in older editions of AWS's page; the present one does not say.
    """
    plain: Counter[str] = Counter()
    lists: Counter[Part] = Counter()
    unknown: Counter[str] = Counter()
    for rule in rules_of(group, direction):
        match rule.peer:
            case IPv4Network() | IPv6Network():
                plain["block"] += rule.peer.version == family
            case GroupPeer():
                plain["group"] += 1
            case PrefixListPeer(identity):
                known = rule_set.prefix_lists.get(identity)
                found = None if known is None else list_family(known)
                if known is None or found is None:
                    unknown[identity] += 1
                elif found == family:
                    weight, exact = list_weight(known)
                    lists[Part(weight, known.name)] += 1
                    unknown[f"the maximum of {known.name}"] += not exact
            case other:
                unknown[other.text] += 1
    used = sum(plain.values()) + sum(part.amount * times for part, times in lists.items())
    terms = [counted(amount, what) for what, amount in plain.items() if amount]
    terms += [f"{part.what} {part.amount}{f' x {times}' if times > 1 else ''}" for part, times in lists.items()]
    missing = [what for what, times in unknown.items() if times]
    return Usage(
        RULES,
        limits[RULES.name],
        used,
        f"{group.name} {'in' if direction == 'ingress' else 'out'} IPv{family}",
        " + ".join(terms or ["none"]) + (f"; not known: {', '.join(missing)}" if missing else ""),
        bool(missing),
        (group.group_id, group.name),
        group.place,
        direction,
        family,
    )


def _interfaces(interfaces: Sequence[NetworkInterface], limits: Limits) -> Iterator[Usage]:
    for eni in interfaces:
        amount = len(eni.groups)
        names = (eni.interface_id, *eni.groups)
        yield Usage(
            GROUPS,
            limits[GROUPS.name],
            amount,
            eni.interface_id,
            counted(amount, "group"),
            False,
            names,
            eni.place,
        )


def _product(groups: Sequence[Usage], interfaces: Sequence[NetworkInterface], limits: Limits) -> Iterator[Usage]:
    """Both quotas hold for the account, so that the longest list of rules and the most groups are multiplied."""
    largest = max(groups, key=lambda usage: usage.used, default=None)
    most = max(interfaces, key=lambda eni: len(eni.groups), default=None)
    if largest is not None and most is not None:
        yield Usage(
            PRODUCT,
            limits[PRODUCT.name],
            largest.used * len(most.groups),
            "all",
            f"{counted(largest.used, 'rule')} ({largest.subject}) x {counted(len(most.groups), 'group')} "
            f"({most.interface_id})",
            largest.at_least,
            (),
        )


def _acl(acl: NetworkAcl, limits: Limits) -> Iterator[Usage]:
    """The entries that have a number: `*`, which nobody can delete, is not counted."""
    for direction, entries in (("ingress", acl.ingress), ("egress", acl.egress)):
        yield Usage(
            ENTRIES,
            limits[ENTRIES.name],
            len(entries),
            f"{acl.name} {'in' if direction == 'ingress' else 'out'}",
            counted(len(entries), "entry", "entries"),
            False,
            (acl.network_acl_id, acl.name),
            acl.place,
            "ingress" if direction == "ingress" else "egress",
        )


def _list(prefix_list: PrefixList, limits: Limits) -> Iterator[Usage]:
    """The entries of a customer's list against its maximum."""
    if is_aws(prefix_list):
        return
    amount, most = len(prefix_list.entries), prefix_list.max_entries
    arithmetic = counted(amount, "entry", "entries")
    yield Usage(
        LIST_ENTRIES,
        limits[LIST_ENTRIES.name] if most is None else most,
        amount,
        prefix_list.name,
        f"{arithmetic}; max_entries is not known" if most is None else f"{arithmetic}, max_entries {most:,}",
        False,
        (prefix_list.prefix_list_id, prefix_list.name),
        prefix_list.place,
        None,
        list_family(prefix_list),
    )


# --- prefix lists ------------------------------------------------------------------------------------------
def is_aws(prefix_list: PrefixList) -> bool:
    """True for a list that AWS manages; a customer's name may not begin as AWS's do."""
    return prefix_list.owner == "AWS" or _AWS_LIST.fullmatch(prefix_list.name) is not None


def list_family(prefix_list: PrefixList) -> int | None:
    """4 or 6; None where neither the list nor an entry says."""
    if prefix_list.family is not None:
        return prefix_list.family
    return prefix_list.entries[0].version if prefix_list.entries else None


def list_weight(prefix_list: PrefixList) -> tuple[int, bool]:
    """What a rule is charged for the list, and whether that is all: without a maximum it is at least its entries."""
    named = _AWS_LIST.fullmatch(prefix_list.name)
    weight = AWS_WEIGHTS.get(named["service"]) if named else None
    charged = prefix_list.max_entries if weight is None else weight
    return (max(1, len(prefix_list.entries)), False) if charged is None else (charged, True)
