"""Values out of the AWS CLI's JSON, where every key may be missing or null and lists are then empty."""

from firewall.model import Network
from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import mapping, network, sequence, shown, text

WHOLE = "give the AWS CLI's output whole"
AS_IS = "give the AWS CLI's output as it is"


def items(node: Node, key: str, findings: Findings) -> list[Node]:
    """A list of mappings; missing or null is empty."""
    listed = node.get(key)
    found = [] if listed is None else sequence(listed, findings, "the list that the AWS CLI prints")
    for item in found:
        mapping(item, findings, "the object that the AWS CLI prints")
    return [item for item in found if isinstance(item.value, dict)]


def required(node: Node, key: str, findings: Findings) -> str | None:
    """Text that must be there."""
    found = _present(node, key, findings)
    return None if found is None else text(found, findings, key)


def optional(node: Node, key: str, findings: Findings) -> str | None:
    """Text that may be missing, null or empty."""
    found = node.get(key)
    return None if found is None or found.value == "" else text(found, findings, key)


def required_flag(node: Node, key: str, findings: Findings) -> bool | None:
    """True or false, which must be there."""
    return None if _present(node, key, findings) is None else flag(node, key, findings)


def flag(node: Node, key: str, findings: Findings) -> bool | None:
    """True, false, or None where nothing is said."""
    found = node.get(key)
    if found is None:
        return None
    if isinstance(found.value, bool):
        return found.value
    findings.error(found, f"{shown(found)} is not true or false: {AS_IS}")
    return None


def required_integer(node: Node, key: str, findings: Findings) -> int | None:
    """A whole number, which must be there."""
    return None if _present(node, key, findings) is None else integer(node, key, findings)


def integer(node: Node, key: str, findings: Findings) -> int | None:
    """A whole number, or None where nothing is said."""
    found = node.get(key)
    if found is None:
        return None
    if isinstance(found.value, int) and not isinstance(found.value, bool):
        return found.value
    findings.error(found, f"{shown(found)} is no number: {AS_IS}")
    return None


def required_cidr(node: Node, key: str, findings: Findings, version: int | None = None) -> Network | None:
    """An address block that must be there."""
    return None if _present(node, key, findings) is None else cidr(node, key, findings, version)


def cidr(node: Node, key: str, findings: Findings, version: int | None = None) -> Network | None:
    """An address block of one IP version, or None where nothing is said."""
    found = node.get(key)
    block = None if found is None else network(found, findings)
    if found is not None and block is not None and version not in (None, block.version):
        findings.error(found, f"{block} is no IPv{version} block: it cannot stand in {key}")
        return None
    return block


def _present(node: Node, key: str, findings: Findings) -> Node | None:
    """The value of a key that must be there."""
    found = node.get(key)
    if found is None:
        findings.error(node, f"{key} is missing: {WHOLE}")
    return found
