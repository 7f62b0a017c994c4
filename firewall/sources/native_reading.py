"""What the native YAML's objects have in common: names, ids, the two directions, address blocks."""

from typing import NamedTuple

from firewall.model import Direction, Network
from firewall.sources.draft import Draft, Names
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node
from firewall.sources.reading import network, quoted, sequence, shown, text

BLOCK_KEYS = ("cidr", "cidrs")
CONSOLE_WORDS: dict[Direction, str] = {"ingress": "inbound", "egress": "outbound"}


class Section(NamedTuple):
    """A top-level key whose objects have names and may have AWS's ids; `names` is their table in Draft."""

    key: str
    prefix: str
    names: str
    unique: bool  # AWS takes a name once, whatever its case


SECTIONS = {
    row.key: row
    for row in (
        Section("security_groups", "sg-", "group_names", unique=True),
        Section("prefix_lists", "pl-", "list_names", unique=True),
        Section("vpcs", "vpc-", "vpc_names", unique=False),
        Section("subnets", "subnet-", "subnet_names", unique=False),
        Section("network_acls", "acl-", "acl_names", unique=False),
    )
}


# --- names -------------------------------------------------------------------------------------------
def good_name(name: str, spot: Spot, findings: Findings) -> bool:
    """Names are printed in reports: 1 to 255 printable characters."""
    if name.isprintable() and 0 < len(name.strip()) <= len(name) <= 255:
        return True
    findings.error(spot, f"{quoted(name)} cannot be a name: write 1 to 255 printable characters")
    return False


def identity_of(name: str, node: Node, section: str) -> str:
    """AWS's id where the file gives one, else the name."""
    given = node.get("id")
    prefix = SECTIONS[section].prefix
    return given.value if given and isinstance(given.value, str) and given.value.startswith(prefix) else name


def check_id(name: str, found: dict[str, Node], spot: Spot, section: str, findings: Findings) -> None:
    """An id has AWS's prefix, and a name has it only where it is the id."""
    given = found.get("id")
    if given is None:
        return
    prefix = SECTIONS[section].prefix
    word = text(given, findings, "an id")
    if word is not None and not word.startswith(prefix):
        findings.error(given, f"{shown(given)} is no id: write AWS's id, {prefix}..., or leave id out")
    elif name.startswith(prefix):
        findings.error(spot, f"a name cannot start with {prefix}: rename it, or leave id out")


def reference(node: Node | None, section: str, draft: Draft) -> str | None:
    """The id behind a name or an id of that section; AWS's own id stands for itself, known or not."""
    if node is None:
        return None
    row = SECTIONS[section]
    names: Names = getattr(draft, row.names)
    word = text(node, draft.findings, f"a {names.kind}")
    if word is None or (word.startswith(row.prefix) and word not in names.by_name):
        return word
    return names.resolve(word, node, draft.findings)


# --- parts -------------------------------------------------------------------------------------------
def direction_items(
    node: Node, found: dict[str, Node], direction: Direction, example: str, findings: Findings
) -> list[Node] | None:
    """What stands under a direction, by its name or the console's; None where there is no key for it."""
    console_word = CONSOLE_WORDS[direction]
    keys = [key for key in (direction, console_word) if key in found]
    if not keys:
        return None
    if len(keys) == 2:
        findings.error(
            node.key(console_word), f"{console_word} is {direction} in the console's words: keep one of the two"
        )
    return sequence(found[keys[0]], findings, f"[] for none, or a list of {example}")


def blocks(
    node: Node, found: dict[str, Node], what: str, example: str, findings: Findings, *, none_known: bool = False
) -> list[tuple[Network, Node]]:
    """The address blocks of `cidr` or `cidrs`, at least one; with `none_known` [] says that nobody knows them."""
    if "cidr" in found and "cidrs" in found:
        findings.error(node.key("cidr"), "cidr and cidrs say the same: keep cidrs")
        return []
    listed = found.get("cidrs")
    if "cidr" in found:
        items = [found["cidr"]]
    elif listed is None or (listed.value == [] and not none_known):
        findings.error(listed or node, f"a {what} without address blocks: add cidrs: [{example}]")
        return []
    else:
        items = sequence(listed, findings, f"a list such as [{example}]")
    return [(block, item) for item in items if (block := network(item, findings)) is not None]


def flag(node: Node | None, absent: bool, findings: Findings) -> bool:
    """True or false, as the file says; `absent` where it says nothing."""
    if node is None or isinstance(node.value, bool):
        return absent if node is None else node.value is True
    findings.error(node, f"{shown(node)} is neither: write true or false")
    return absent


def whole_number(node: Node) -> int | None:
    """The node's number, if it is one."""
    return node.value if isinstance(node.value, int) and not isinstance(node.value, bool) else None
