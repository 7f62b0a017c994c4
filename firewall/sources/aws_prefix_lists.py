"""Prefix lists as the AWS CLI prints them: what they are in one output, their entries in others.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ManagedPrefixList.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_PrefixList.html (AWS's own, with their blocks)

get-managed-prefix-list-entries does not say whose entries it prints. The file's name may, as in
`pl-0123.json`, or an object around it: {"pl-0123": {"Entries": [...]}}.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from firewall.model import Network, PrefixList
from firewall.sources.aws_reading import AS_IS, integer, optional, required, required_cidr
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.reading import network, sequence, shown

ENTRIES = "Entries"
_LIST_ID = re.compile(r"pl-[0-9A-Za-z]+")
_FAMILIES: dict[str, Literal[4, 6]] = {"IPv4": 4, "IPv6": 6}
_AWS_NAME = "com.amazonaws."  # no customer's list may have a name that starts so


def declare(node: Node, draft: Draft) -> None:
    """Note a list of describe-prefix-lists, with its blocks, or of describe-managed-prefix-lists, without."""
    identity = required(node, "PrefixListId", draft.findings)
    if identity is not None:
        if node.get("Cidrs") is not None:
            _declare_entries(identity, node, draft)
        draft.list_names.also(identity, optional(node, "PrefixListName", draft.findings) or identity)


def build(node: Node, draft: Draft) -> None:
    """What one list is, and its blocks where the output has them."""
    findings = draft.findings
    identity = required(node, "PrefixListId", findings)
    if identity is None:
        return
    name = optional(node, "PrefixListName", findings)
    owner = optional(node, "OwnerId", findings) or ("AWS" if name and name.startswith(_AWS_NAME) else "")
    said = _described(identity, node, draft)
    draft.described_lists[identity] = replace(
        said,
        name=name or said.name,
        max_entries=_positive(node, "MaxEntries", findings) or said.max_entries,
        version=_positive(node, "Version", findings) or said.version,
        family=_family(node, findings) or said.family,
        owner=owner or said.owner,
    )
    blocks = None if node.get("Cidrs") is None else _blocks(node, "Cidrs", findings)
    _add(identity, blocks, node, draft)


def declare_entries(root: Node, draft: Draft) -> None:
    """Note the lists whose entries a file gives."""
    for identity, node in _given(root, draft.findings):
        _declare_entries(identity, node, draft)


def build_entries(root: Node, draft: Draft) -> None:
    """The entries that a file gives, of all its lists."""
    for identity, node in _given(root, draft.findings):
        if node is not root and node.get("NextToken") is not None:
            draft.findings.warn("more-pages", node.key("NextToken"), f"{identity} has more entries than the file")
            draft.open_lists.add(identity)
        _add(identity, _blocks(node, ENTRIES, draft.findings), node, draft)


def _given(root: Node, findings: Findings) -> Iterator[tuple[str, Node]]:
    """Lists by id, each with the object that holds its entries."""
    for key, node in entries(root):
        if key.startswith("pl-"):
            yield key, node
        elif key == ENTRIES:
            identity = Path(root.place.file).stem
            if _LIST_ID.fullmatch(identity):
                yield identity, root
            else:
                findings.error(
                    root.key(key),
                    "these entries do not say which list they are: name the file after the list, pl-....json, "
                    'or write {"pl-...": {"Entries": [...]}}',
                )


def _declare_entries(identity: str, node: Node, draft: Draft) -> None:
    """Several outputs may give the entries of one list; it is defined once."""
    if not draft.notes(ENTRIES, identity):
        draft.list_names.declare(identity, identity, node, draft.findings)
    draft.note(node, ENTRIES, identity)


def _described(identity: str, spot: Spot, draft: Draft) -> PrefixList:
    """What the files have said of a list so far."""
    return draft.described_lists.get(identity, PrefixList(identity, identity, place=spot.place))


def _add(identity: str, blocks: list[Network] | None, node: Node, draft: Draft) -> None:
    """Join the blocks to what the list is; without blocks in any file it stays unknown, not empty."""
    whole = _described(identity, node, draft)
    if blocks is not None:
        first = draft.notes(ENTRIES, identity)[0]
        if first is node:
            whole = replace(whole, entries=tuple(blocks))
        elif set(blocks) != set(whole.entries):
            draft.findings.error(node, f"{identity} has other entries at {first.place}: give the newest output alone")
        draft.described_lists[identity] = whole
    wrong = next((block for block in whole.entries if whole.family not in (None, block.version)), None)
    if wrong is not None:
        draft.findings.error(node, f"{identity} is a list of IPv{whole.family} blocks and holds {wrong}: {AS_IS}")
    if draft.notes(ENTRIES, identity):
        draft.prefix_lists[identity] = whole


def _blocks(node: Node, key: str, findings: Findings) -> list[Network]:
    """The blocks of a list, all of one family: texts, or objects with Cidr."""
    listed = node.get(key)
    if listed is None:
        findings.error(node, f'{key} is missing: write {{"pl-...": {{"Entries": [...]}}}}')
        return []
    found: list[Network] = []
    for item in sequence(listed, findings, "the list that the AWS CLI prints"):
        block = required_cidr(item, "Cidr", findings) if isinstance(item.value, dict) else network(item, findings)
        if block is None:
            continue
        if found and block.version != found[0].version:
            findings.error(item, f"{block} beside {found[0]}: a prefix list holds one address family")
            break
        found.append(block)
    return found


def _family(node: Node, findings: Findings) -> Literal[4, 6] | None:
    """4 or 6."""
    found = optional(node, "AddressFamily", findings)
    if found is not None and found not in _FAMILIES:
        findings.error(node.key("AddressFamily"), f"{found!r} is no address family: {' or '.join(_FAMILIES)}")
    return _FAMILIES.get(found or "")


def _positive(node: Node, key: str, findings: Findings) -> int | None:
    """A number from 1; AWS's own lists may not say."""
    number = integer(node, key, findings)
    found = node.get(key)
    if number is not None and number < 1 and found is not None:
        findings.error(found, f"{shown(found)} is no {key}: {AS_IS}")
        return None
    return number
