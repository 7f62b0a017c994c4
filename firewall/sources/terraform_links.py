"""From an argument of one resource to the object that it names: by id, or in a plan by address."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from firewall.sources.located import Node
from firewall.sources.reading import shown
from firewall.sources.terraform_block import CURE, Block, word
from firewall.sources.terraform_references import ADDRESS, Candidates, Kind, candidates
from firewall.sources.terraform_tree import Resource, Tree


class Link(NamedTuple):
    """The id or address of an object, or None; the words that stand for it, and where."""

    identity: str | None
    text: str
    spot: Node


class Owners(NamedTuple):
    """The objects that a rule or entry may be of; `sure` where it is of the one that is named."""

    identities: list[str]
    sure: bool
    text: str


def link(resource: Resource, key: str, kind: Kind, tree: Tree, block: Block | None = None) -> Link | None:
    """The one object that an argument names; None where it names none."""
    inside = block or resource.block
    known = inside.items(key)
    if known:
        return _given(known[0], key, tree)
    if not inside.asked(key):
        return None
    found = candidates(resource, inside.expression(key), kind, tree)
    # What is known already cannot make a value unknown.
    fitting = [each for each, before in found.found.items() if not before] or list(found.found)
    lost = found.hidden if inside.merged else found.lost
    if len(fitting) == 1 and not lost:
        return Link(fitting[0], fitting[0], inside.values)
    return Link(None, _words(found, fitting, f"{resource.address}.{key}"), inside.values)


def links(
    resource: Resource, key: str, kind: Kind, tree: Tree, block: Block | None = None, siblings: Sequence[Block] = ()
) -> Iterator[Link]:
    """Every object that a list names; `siblings` are all blocks whose expressions are merged, this one too."""
    inside = block or resource.block
    yield from (_given(item, key, tree) for item in inside.items(key))
    if not inside.asked(key):
        return
    found = candidates(resource, inside.expression(key), kind, tree)
    taken = {word(item) for each in (inside, *siblings) for item in each.items(key)}
    named = [each for each in found.found if each not in taken]
    lost = list(found.hidden) if inside.merged and named else found.lost
    unclear = sum(each.pending(key) for each in siblings) > 1 if inside.merged else found.chosen
    if len(named) > 1 and unclear:
        lost, named = [_words(found, named, "")], []
    yield from (Link(each, each, inside.values) for each in named)
    if not named or lost:
        yield Link(None, ", ".join(lost) or f"{resource.address}.{key}", inside.values)


def _given(node: Node, key: str, tree: Tree) -> Link:
    """An id that is written out."""
    if word(node) is None:
        tree.findings.error(node, f"{shown(node)} is no {key}: {CURE}")
    return Link(word(node), shown(node), node)


def unknown_text(resource: Resource, block: Block, key: str, tree: Tree) -> str:
    """What an argument that is no reference to an object is made from."""
    found = candidates(resource, block.expression(key), ADDRESS, tree)
    return ", ".join(found.lost) or f"{resource.address}.{key}"


def owners(resource: Resource, key: str, kind: Kind, tree: Tree) -> Owners:
    """What a rule or entry belongs to: the object named, else all that it may be."""
    named = link(resource, key, kind, tree)
    if named is None:
        tree.findings.error(resource.spot, f"{resource.address} has no {key}: {CURE}")
        return Owners([], sure=False, text="")
    if named.identity is not None:
        return Owners([named.identity], sure=True, text=named.text)
    if (alone := _only_one(resource, kind)) is not None and named.text.startswith("local."):
        tree.findings.warn(
            "terraform-assumed",
            named.spot,
            f"{resource.address}: {key} is {named.text}, which a plan does not show: "
            f"taken for {alone}, the only one in its module",
        )
        return Owners([alone], sure=True, text=named.text)
    found = candidates(resource, resource.block.expression(key), kind, tree).found
    possible = found or dict.fromkeys(
        each.address for each in tree.of(*kind.attributes) if each.identity() == each.address
    )
    return Owners(list(possible), sure=False, text=named.text)


def _only_one(resource: Resource, kind: Kind) -> str | None:
    """The only object of that kind in the resource's own module."""
    inside = [each for listed in resource.module.resources.values() for each in listed]
    found = [each for each in inside if each.type in kind.attributes and each.mode == "managed"]
    return found[0].identity() if len(found) == 1 else None


def _words(found: Candidates, fitting: list[str], argument: str) -> str:
    """What is not known, as a noun."""
    named = [*fitting, *found.lost]
    if fitting and len(named) > 1:
        return f"which of {', '.join(named)}"
    return ", ".join(named) or argument
