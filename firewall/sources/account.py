"""A live account's rules, read through boto3 and joined into one document, as the AWS CLI would print it.

Nothing is ever changed: the calls are those of `account_calls.CALLS`, all Describe or Get. The document
has the CLI's own top-level keys, so that every command reads it with --rules, and `Eniwall`, which says
where and when it was taken.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from firewall.errors import EniwallError, UsageError
from firewall.files import real_path, whole_file
from firewall.sources.account_calls import (
    ACLS,
    CODES,
    DENIED,
    ENTRIES,
    EXCEPTIONS,
    GROUPS,
    INSTANCES,
    INTERFACES,
    LISTS,
    NO_LIST,
    PREFIX_LISTS,
    RULES,
    SUBNETS,
    VPCS,
    Call,
    pruned,
)

SCHEMA, VERSION = "eniwall-snapshot", 1
ATTEMPTS = 6  # of each call; boto3's standard mode makes 3, which an account that others read too can exhaust

Item = dict[str, Any]
Found = dict[str, list[Item]]


class Snapshot(NamedTuple):
    """The document, and what its reader should know."""

    document: dict[str, Any]
    warnings: list[str]


class _NotAllowedError(Exception):
    """The account does not allow a call."""


class _NoListError(Exception):
    """The account knows no such prefix list."""


def read_account(
    region: str | None, aws_profile: str | None = None, vpcs: Sequence[str] = (), endpoint_url: str | None = None
) -> Snapshot:
    """Read security groups, interfaces and all that decides with them; of some VPCs where `vpcs` names any.

    Without a region the profile's own is taken. Raises UsageError for words that do not fit, and
    EniwallError where AWS cannot be asked or does not allow groups or interfaces to be read. What else
    it does not allow is a warning, and its key is missing in the document.
    """
    account = _Account(region, aws_profile, endpoint_url)
    with closing(account.client):
        found = {call.key: items for call in LISTS if (items := account.read(call)) is not None}
        if vpcs:
            found = _of_vpcs(found, vpcs, account.region)
        _, list_ids = _named(found)
        entries = account.entries(list_ids)
    _keep(found, PREFIX_LISTS, lambda item: item.get("PrefixListId") in list_ids)
    if INSTANCES.key in found:
        found[INSTANCES.key] = _attached(found[INSTANCES.key], found[INTERFACES.key])
    _warn_of(found, account)
    about = {
        "schema": SCHEMA,
        "version": VERSION,
        "region": account.region,
        "account": _owner(found),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "calls": account.calls,
        "not_allowed": account.refused,
    }
    return Snapshot({"Eniwall": about, **found, **entries}, account.warnings)


# --- calls ---------------------------------------------------------------------------------------------
class _Account:
    """An account's EC2 API in one region: the lists that calls give, with every page."""

    def __init__(self, region: str | None, profile: str | None, endpoint_url: str | None) -> None:
        self.calls = 0
        self.refused: list[str] = []
        self.warnings: list[str] = []
        if endpoint_url is not None and not endpoint_url.startswith(("https://", "http://")):
            raise UsageError(f"--endpoint-url {endpoint_url}: write it whole, such as http://127.0.0.1:5000")
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
            from botocore.parsers import ResponseParserError
        except ImportError:
            raise UsageError(
                "import needs the package boto3: pip install '.[aws]' in eniwall's folder, or boto3 alone"
            ) from None
        # The parser lets a ValueError through where a number of an answer is none.
        self.errors = (BotoCoreError, ClientError, ResponseParserError, ValueError)
        try:
            session = boto3.Session(profile_name=profile, region_name=region)
        except self.errors as error:
            raise _reason(error, f"profile {profile or os.environ.get('AWS_PROFILE', 'default')}") from None
        if not session.region_name:
            raise UsageError("no region: name one, such as --region eu-central-1, or set AWS_REGION")
        self.region = str(session.region_name)
        retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        try:
            self.client = session.client("ec2", endpoint_url=endpoint_url, config=Config(retries=retries))
        except self.errors as error:
            raise _reason(error, f"EC2 in {self.region}") from None

    def read(self, call: Call) -> list[Item] | None:
        """The whole list of a call, as much of it as says something about rules; None where it is not allowed."""
        try:
            return _sorted(call, self._items(call))
        except _NotAllowedError:
            self._go_on_without(call)
            return None

    def entries(self, list_ids: Iterable[str]) -> dict[str, Item]:
        """The entries of prefix lists by id, AWS's own too; a list that is gone or not shared is left out."""
        found: dict[str, Item] = {}
        for list_id in sorted(list_ids):
            try:
                found[list_id] = {ENTRIES.key: _sorted(ENTRIES, self._items(ENTRIES, PrefixListId=list_id))}
            except _NotAllowedError:
                self._go_on_without(ENTRIES)
                break
            except _NoListError:
                self.warnings.append(f"{list_id}: a rule names it, but the account has no such prefix list")
        return found

    def _items(self, call: Call, **words: str) -> Iterator[Item]:
        """The items of every page."""
        asked = " ".join((call.action, *words.values()))
        pages = self.client.get_paginator(call.method).paginate(PaginationConfig={"PageSize": call.page}, **words)
        try:
            for number, page in enumerate(pages, 1):
                self.calls += 1
                items = page.get(call.key) or []
                _tell(f"{asked}, page {number}: {len(items):,}")
                yield from items
        except self.errors as error:
            raise _reason(error, f"{asked} in {self.region}") from None

    def _go_on_without(self, call: Call) -> None:
        """Note what is then unknown, or end where nothing can be told without the call."""
        if not call.unknown:
            raise EniwallError(f"{call.permission} is not allowed: ask for the policy in docs/import.md") from None
        self.refused.append(call.permission)
        self.warnings.append(f"{call.permission} is not allowed: {call.unknown}")


def _reason(error: Exception, asked: str) -> Exception:
    """What an exception of boto3 means, in plain words and with the cure."""
    answer = getattr(error, "response", None)  # what AWS said, where it answered
    if isinstance(answer, dict):
        said = answer.get("Error", {})
        code = str(said.get("Code", ""))
        if code in DENIED:
            return _NotAllowedError()
        if code in NO_LIST:
            return _NoListError()
        return EniwallError(f"{asked}: " + (CODES.get(code) or f"{code}: {said.get('Message', '')}"))
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return EniwallError(f"{asked}: {next((EXCEPTIONS[kind] for kind in kinds if kind in EXCEPTIONS), error)}")


def _tell(text: str) -> None:
    """A line of progress, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"eniwall: {text}\n")


def _sorted(call: Call, items: Iterable[Item]) -> list[Item]:
    """Items with the kept keys, in an order that does not change from one import to the next."""
    ordered = sorted(items, key=lambda item: [str(item.get(key, "")) for key in call.order])
    return [pruned(each, call.kept) for each in ordered]


# --- what is kept --------------------------------------------------------------------------------------
def _of_vpcs(found: Found, vpcs: Sequence[str], region: str) -> Found:
    """What lies in some VPCs, and what their rules name elsewhere: a group there stays, with its members.

    Without its members a group matches nobody that is known. What guards these members stays too.
    """
    known = _values((*found.get(VPCS.key, ()), *found[GROUPS.key]), "VpcId")
    for vpc in vpcs:
        if vpc not in known:
            raise UsageError(f"--vpc {vpc}: {region} has {', '.join(sorted(known)) or 'no VPC at all'}")
    inside = [eni for eni in found[INTERFACES.key] if eni.get("VpcId") in vpcs]
    here = (group for group in found[GROUPS.key] if group.get("VpcId") in vpcs)
    groups = _values(here, "GroupId") | _groups_of(inside)
    named, _ = _named(_of_groups(found, groups))
    members = [eni for eni in found[INTERFACES.key] if eni.get("VpcId") in vpcs or _groups_of([eni]) & named]
    places = {*vpcs, *(eni.get("VpcId") for eni in members)}
    chosen = _of_groups(found, groups | named | _groups_of(members)) | {INTERFACES.key: members}
    for call in (VPCS, SUBNETS, ACLS):
        _keep(chosen, call, lambda item: item.get("VpcId") in places)
    return chosen


def _of_groups(found: Found, groups: set[str]) -> Found:
    """The same lists, with the descriptions and rules of some groups alone."""
    chosen = dict(found)
    for call in (GROUPS, RULES):
        _keep(chosen, call, lambda item: item.get("GroupId") in groups)
    return chosen


def _keep(found: Found, call: Call, wanted: Callable[[Item], bool]) -> None:
    """Leave out the items of one list that are not wanted; a list that was not allowed stays missing."""
    if call.key in found:
        found[call.key] = [item for item in found[call.key] if wanted(item)]


def _groups_of(interfaces: Iterable[Item]) -> set[str]:
    """The ids of all their groups."""
    return {each for eni in interfaces for each in _values(eni.get("Groups", ()), "GroupId")}


def _values(items: Iterable[Item], key: str) -> set[str]:
    """What stands under a key, in any of the items."""
    return {item[key] for item in items if item.get(key)}


def _named(found: Found) -> tuple[set[str], set[str]]:
    """The ids of the groups and the prefix lists that rules name."""
    peers = list(_peers(found))
    return _values(peers, "GroupId"), _values(peers, "PrefixListId")


def _peers(found: Found) -> Iterator[Item]:
    """Every group and prefix list that permissions and rules name."""
    for group in found[GROUPS.key]:
        for permission in (*group.get("IpPermissions", ()), *group.get("IpPermissionsEgress", ())):
            yield from permission.get("UserIdGroupPairs", ())
            yield from permission.get("PrefixListIds", ())
    for rule in found.get(RULES.key, ()):
        yield rule.get("ReferencedGroupInfo", {})
        yield {"PrefixListId": rule.get("PrefixListId")}


def _attached(reservations: list[Item], interfaces: list[Item]) -> list[Item]:
    """The instances that have one of the interfaces."""
    attached = _values((eni.get("Attachment", {}) for eni in interfaces), "InstanceId")
    chosen = (
        {"Instances": [one for one in each.get("Instances", ()) if one.get("InstanceId") in attached]}
        for each in reservations
    )
    return [each for each in chosen if each["Instances"]]


# --- what the document says of itself ------------------------------------------------------------------
def _owner(found: Found) -> str | None:
    """The account: the owner of most groups, since others may share theirs with it."""
    owners = Counter(group["OwnerId"] for group in found[GROUPS.key] if group.get("OwnerId"))
    return owners.most_common(1)[0][0] if owners else None


def _warn_of(found: Found, account: _Account) -> None:
    """What would surprise whoever reads the document next."""
    if not found[GROUPS.key]:
        account.warnings.append(f"{account.region} has no security groups: is it the right region?")
    homes: dict[str, set[str]] = {}
    for eni in found[INTERFACES.key]:
        for each in eni.get("PrivateIpAddresses", ()):
            homes.setdefault(each.get("PrivateIpAddress", ""), set()).add(eni.get("VpcId", ""))
    twice = next(((address, vpcs) for address, vpcs in homes.items() if len(vpcs) > 1), None)
    if twice is not None:
        account.warnings.append(
            f"{twice[0]} is an interface's address in {' and in '.join(sorted(twice[1]))}: "
            "other commands read one of such VPCs at a time, so import with --vpc"
        )


# --- the file ------------------------------------------------------------------------------------------
def snapshot_text(snapshot: Snapshot) -> str:
    """The document as JSON, keys sorted, in ASCII."""
    return json.dumps(snapshot.document, indent=1, sort_keys=True) + "\n"


def check_target(path: str) -> None:
    """Raise UsageError, before any call is made, for a file that cannot be written."""
    target = real_path(path)
    if not target.parent.is_dir():
        raise UsageError(f"-o {path}: the folder {target.parent} does not exist; make it first")
    if target.exists() and not target.is_file():
        raise UsageError(f"-o {path}: is no regular file; name one, or leave -o out for standard output")


def write_snapshot(path: str, text: str) -> None:
    """Write a file that the user alone may read: it stands under its name when it is whole.

    Raises EniwallError where it cannot be written.
    """
    with whole_file(path) as part:
        part.unlink(missing_ok=True)  # of a process that was killed
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
