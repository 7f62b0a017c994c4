"""A timeline of rule changes, `--events FILE`: when, and what AWS is asked to change; see docs/events.md."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from firewall.changes import (
    Change,
    Event,
    Moment,
    authorize,
    delete_acl_entries,
    modify_prefix_list,
    phases,
    put_acl_entries,
    replace_groups,
    revoke,
)
from firewall.model import Direction, Network, NetworkAclEntry, PrefixList, Rule, RuleSet, SecurityGroup
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings
from firewall.sources.located import Node, load
from firewall.sources.native_networks import acl_entry
from firewall.sources.native_rules import RULE_EXAMPLE, rule
from firewall.sources.reading import fields, network, sequence, shown, suggestion, text

NS = 10**9
WHEN_KEYS = ("packet", "time", "after")
_SECONDS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?")
_EXAMPLE = '{packet: 6, revoke: ["web:ingress[0]"]}'

T = TypeVar("T")


class Said(NamedTuple):
    """What an action does, and the words for it in reports."""

    change: Change
    text: str


class Scene(NamedTuple):
    """What an action is read with: the rules as they are by then, and the highest number each direction ever had."""

    rules: RuleSet
    findings: Findings
    highest: dict[tuple[str, Direction], int]


Action = Callable[[Node, Scene], Said | None]


def load_events(path: str | Path, rules: RuleSet) -> tuple[Event, ...]:
    """The events of a file, in its order; rules, groups, lists and ACLs are named as reports name them.

    Each event is read with the rules as the events before it left them. Raises RuleFileError with
    every problem of the file.
    """
    findings = Findings([str(path)])
    events: tuple[Event, ...] = ()
    root = load(path, findings, f"write events: [{_EXAMPLE}]")
    if root is not None:
        listed = fields(root, findings, ("events",), f"events: [{_EXAMPLE}]").get("events")
        if listed is None:
            findings.error(root, f"events is missing: write events: [{_EXAMPLE}]")
        else:
            nodes = sequence(listed, findings, f"a list of {_EXAMPLE}")
            events = _in_order([partial(_event, node) for node in nodes], rules, findings)
    findings.stop_if_any()
    return events


def made_changes(asked: Iterable[tuple[Moment, Node]], rules: RuleSet, findings: Findings) -> tuple[Event, ...]:
    """Changes whose moments are known: each mapping is an event without its moment. Mistakes become findings."""
    return _in_order([partial(_action, node, moment) for moment, node in asked], rules, findings)


def _in_order(
    reads: Iterable[Callable[[Scene], Event | None]], rules: RuleSet, findings: Findings
) -> tuple[Event, ...]:
    """Events, each read with the rules as those before it left them."""
    events: list[Event] = []
    highest: dict[tuple[str, Direction], int] = {}
    for read in reads:
        _note_numbers(rules, highest)
        event = read(Scene(rules, findings, highest))
        if event is not None:
            events.append(event)
            rules = phases(rules, [event])[-1].rule_set
    return tuple(events)


def _note_numbers(rules: RuleSet, highest: dict[tuple[str, Direction], int]) -> None:
    """Remember the highest number of each group's rules: no two rules of a replay share a name."""
    for group in rules.groups.values():
        for each in (*group.ingress, *group.egress):
            place = (group.group_id, each.direction)
            highest[place] = max(highest.get(place, -1), each.index)


def _event(node: Node, scene: Scene) -> Event | None:
    """One event: one moment and one action."""
    findings = scene.findings
    found = fields(node, findings, (*WHEN_KEYS, *ACTIONS), _EXAMPLE)
    if not isinstance(node.value, dict):
        return None
    moment = _moment(node, [key for key in WHEN_KEYS if key in found], found, findings)
    said = _said(node, found, scene)
    return None if said is None or moment is None else Event(moment, said.text, said.change)


def _action(node: Node, moment: Moment, scene: Scene) -> Event | None:
    """A change at a known moment: one action."""
    found = fields(node, scene.findings, ACTIONS, '{revoke: ["web:ingress[0]"]}')
    said = _said(node, found, scene) if isinstance(node.value, dict) else None
    return None if said is None else Event(moment, said.text, said.change)


def _said(node: Node, found: dict[str, Node], scene: Scene) -> Said | None:
    """What the one action of a mapping does."""
    named = [key for key in ACTIONS if key in found]
    if len(named) != 1:
        text = f"an event has one action, found {len(named)}: write one of {', '.join(ACTIONS)}"
        scene.findings.error(node, text)
        return None
    return ACTIONS[named[0]](found[named[0]], scene)


def _draft(rules: RuleSet, findings: Findings) -> Draft:
    """A draft that knows the names of groups and lists, for the peers of new rules."""
    draft = Draft(findings)
    for group in rules.groups.values():
        draft.group_names.also(group.group_id, group.name)
        draft.group_names.also(group.group_id, group.group_id)
    for listed in rules.prefix_lists.values():
        draft.list_names.also(listed.prefix_list_id, listed.name)
        draft.list_names.also(listed.prefix_list_id, listed.prefix_list_id)
    return draft


# --- when ------------------------------------------------------------------------------------------------
def _moment(node: Node, keys: list[str], found: dict[str, Node], findings: Findings) -> Moment | None:
    """`packet: 6` (before that frame), `time: 2026-01-02T03:04:05Z`, or `after: 12.5` seconds."""
    if len(keys) != 1:
        findings.error(node, f"an event happens once, found {len(keys)} moments: write one of {', '.join(WHEN_KEYS)}")
        return None
    value = found[keys[0]]
    if keys[0] == "packet":
        if isinstance(value.value, int) and not isinstance(value.value, bool) and value.value >= 1:
            return Moment("packet", value.value)
        findings.error(value, f"{shown(value)} is no frame number: write one from 1, as Wireshark shows it")
        return None
    return _after(value, findings) if keys[0] == "after" else _time(value, findings)


def _after(node: Node, findings: Findings) -> Moment | None:
    """Seconds behind the first packet."""
    match = _SECONDS.fullmatch(str(node.value)) if isinstance(node.value, str | int) else None
    if match is None or isinstance(node.value, bool):
        findings.error(node, f"{shown(node)} is no number of seconds: write one like 12.5")
        return None
    return Moment("after", int(match[1]) * NS + int((match[2] or "").ljust(9, "0")))


def _time(node: Node, findings: Findings) -> Moment | None:
    """A time of day in ISO 8601 with its zone, as captures have it: to the nanosecond is not needed."""
    try:
        found = datetime.fromisoformat(node.value) if isinstance(node.value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        findings.error(node, f"{shown(node)} is no time with a zone: write one like 2026-01-02T03:04:05.5Z")
        return None
    since = found.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return Moment("time", (since.days * 86400 + since.seconds) * NS + since.microseconds * 1000)


# --- what ------------------------------------------------------------------------------------------------
Known = dict[str, list[T]]


def _known(items: Iterable[tuple[T, Iterable[str]]]) -> Known[T]:
    """Things by the words for them; a word may stand for several."""
    known: Known[T] = {}
    for item, words in items:
        for word in dict.fromkeys(words):
            known.setdefault(word, []).append(item)
    return known


def _named(node: Node, known: Known[T], kind: str, findings: Findings) -> list[T] | None:
    """The things that a name, or a list of names, stands for; None after a note of one that is not clear."""
    items = node.value if isinstance(node.value, list) else [node]
    found = []
    for item in items:
        word = text(item, findings, f"a {kind}'s name")
        if word is None:
            continue
        if len(known.get(word, ())) == 1:
            found.append(known[word][0])
        elif word in known:
            findings.error(item, f"{shown(item)} names {len(known[word])} {kind}s: write the id in place of the name")
        else:
            findings.error(item, f"no {kind} {shown(item)} at this point: {suggestion(word, known)}")
    return found if len(found) == len(items) else None


def _one(node: Node, key: str, known: Known[T], kind: str, findings: Findings) -> T | None:
    """The one thing that a key of an action names."""
    value = node.get(key)
    if value is None:
        findings.error(node, f"{key} is missing: name the {kind}")
        return None
    found = None if isinstance(value.value, list) else _named(value, known, kind, findings)
    return found[0] if found else None


def _groups(rules: RuleSet) -> Known[SecurityGroup]:
    return _known((each, (each.name, each.group_id)) for each in rules.groups.values())


def _rules(rules: RuleSet) -> Known[Rule]:
    """Rules by the names that reports give them, by group name in place of the id, and by their own id."""
    return _known(
        (each, (each.name, each.name.replace(group.group_id, group.name, 1), each.rule_id or each.name))
        for group in rules.groups.values()
        for each in (*group.ingress, *group.egress)
    )


def _revoke(node: Node, scene: Scene) -> Said | None:
    """`revoke: ["web:ingress[0]"]`."""
    found = _named(node, _rules(scene.rules), "rule", scene.findings)
    return Said(revoke(found), f"revoke {_list(each.name for each in found)}") if found else None


def _authorize(node: Node, scene: Scene) -> Said | None:
    """`authorize: {group: web, ingress: [RULE]}`; a new rule's number follows the highest there ever was."""
    findings, draft = scene.findings, _draft(scene.rules, scene.findings)
    found = fields(node, findings, ("group", "ingress", "egress"), f"{{group: web, ingress: [{RULE_EXAMPLE}]}}")
    group = _one(node, "group", _groups(scene.rules), "security group", findings)
    if group is None:
        return None
    new: list[Rule] = []
    wanted = 0
    directions: tuple[Direction, Direction] = ("ingress", "egress")
    for direction in directions:
        items = sequence(found[direction], findings, f"a list of {RULE_EXAMPLE}") if direction in found else []
        wanted += len(items)
        free = 1 + scene.highest.get((group.group_id, direction), -1)
        made = (rule(item, group.group_id, direction, free + at, draft) for at, item in enumerate(items))
        new += [each for each in made if each is not None]
    if not wanted:
        findings.error(node, f"no rule to authorize: write ingress: [{RULE_EXAMPLE}], or egress")
    return Said(authorize(new), f"authorize {_list(each.name for each in new)}") if len(new) == wanted > 0 else None


def _replace_groups(node: Node, scene: Scene) -> Said | None:
    """`replace_groups: {interface: eni-web, security_groups: [isolated]}`."""
    findings = scene.findings
    fields(node, findings, ("interface", "security_groups"), "{interface: eni-web, security_groups: [isolated]}")
    interfaces = _known((each, (each.interface_id,)) for each in scene.rules.interfaces.values())
    interface = _one(node, "interface", interfaces, "interface", findings)
    listed = node.get("security_groups")
    if listed is None or listed.value == []:
        findings.error(listed or node, "an interface without security groups: add security_groups: [NAME]")
        return None
    found = _named(listed, _groups(scene.rules), "security group", findings)
    if interface is None or found is None:
        return None
    change = replace_groups(interface.interface_id, [each.group_id for each in found])
    return Said(change, f"{interface.interface_id} gets {_list(each.name for each in found)}")


def _modify_prefix_list(node: Node, scene: Scene) -> Said | None:
    """`modify_prefix_list: {list: office, add: [...], remove: [...]}`, or `entries:` for all of a new version."""
    findings = scene.findings
    found = fields(node, findings, ("list", "add", "remove", "entries"), "{list: office, add: [198.51.100.0/24]}")
    lists = _known((each, (each.name, each.prefix_list_id)) for each in scene.rules.prefix_lists.values())
    chosen = _one(node, "list", lists, "prefix list", findings)
    given: dict[str, list[tuple[Network, Node]]] = {}
    for key in [each for each in ("add", "remove", "entries") if each in found]:
        blocks = ((network(item, findings), item) for item in sequence(found[key], findings, "a list of blocks"))
        given[key] = [(block, item) for block, item in blocks if block is not None]
    if not given or ("entries" in given and len(given) > 1):
        findings.error(node, "a new version is said by add and remove, or by entries: write one or the other")
        return None
    if chosen is None:
        return None
    _check_version(chosen, given, findings)
    gone = [block for block, _ in given.get("remove", ())]
    kept = [] if "entries" in given else [block for block in chosen.entries if block not in gone]
    entries = [*kept, *(block for key in ("add", "entries") for block, _ in given.get(key, ()))]
    if chosen.max_entries is not None and len(entries) > chosen.max_entries:
        findings.error(node, f"{len(entries)} entries, but max_entries of {chosen.name} is {chosen.max_entries}")
    version = (chosen.version or 1) + 1
    return Said(modify_prefix_list(chosen.prefix_list_id, entries), f"{chosen.name} version {version}")


def _check_version(chosen: PrefixList, given: dict[str, list[tuple[Network, Node]]], findings: Findings) -> None:
    """Entries are of the list's family, and only what stands can be removed."""
    family = chosen.family or next((block.version for block in chosen.entries), None)
    for key, blocks in given.items():
        for block, item in blocks:
            if family is not None and block.version != family:
                findings.error(item, f"{block} is no IPv{family} block: a prefix list holds one address family")
            elif key == "remove" and block not in chosen.entries:
                findings.error(item, f"{block} is not in {chosen.name} at this point: delete it here")


def _put_entries(node: Node, scene: Scene) -> Said | None:
    """`put_entries: {network_acl: edge, ingress: [ENTRY]}`: a number that stands already is replaced."""
    findings = scene.findings
    found = fields(node, findings, ("network_acl", "ingress", "egress"), "{network_acl: edge, ingress: [ENTRY]}")
    acls = _known((each, (each.name, each.network_acl_id)) for each in scene.rules.network_acls.values())
    acl = _one(node, "network_acl", acls, "network ACL", findings)
    if acl is None:
        return None
    new: list[NetworkAclEntry] = []
    wanted = 0
    directions: tuple[Direction, Direction] = ("ingress", "egress")
    for direction in directions:
        items = sequence(found[direction], findings, "a list of entries") if direction in found else []
        wanted += len(items)
        made = (acl_entry(item, acl.network_acl_id, direction, findings) for item in items)
        new += [each for each in made if each is not None]
    if not wanted:
        findings.error(node, "no entry to put: write ingress: [...] or egress: [...]")
    names = _list(each.name for each in new)
    return Said(put_acl_entries(acl.network_acl_id, new), f"put {names}") if len(new) == wanted > 0 else None


def _delete_entries(node: Node, scene: Scene) -> Said | None:
    """`delete_entries: ["edge:ingress[100]"]`, of one network ACL."""
    known = _known(
        (each, (each.name, each.name.replace(acl.network_acl_id, acl.name, 1)))
        for acl in scene.rules.network_acls.values()
        for each in (*acl.ingress, *acl.egress)
    )
    found = _named(node, known, "network ACL entry", scene.findings)
    if not found:
        return None
    acl_id = found[0].network_acl_id
    if any(each.network_acl_id != acl_id for each in found):
        scene.findings.error(node, "entries of several network ACLs: write an event for each")
        return None
    return Said(delete_acl_entries(acl_id, found), f"delete {_list(each.name for each in found)}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


ACTIONS: dict[str, Action] = {
    "revoke": _revoke,
    "authorize": _authorize,
    "replace_groups": _replace_groups,
    "modify_prefix_list": _modify_prefix_list,
    "put_entries": _put_entries,
    "delete_entries": _delete_entries,
}
