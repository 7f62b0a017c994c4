"""The AWS CLI's own JSON: describe-security-groups, describe-network-interfaces and prefix lists.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html. Every list may be
missing and is then empty; keys that say nothing about rules are ignored.
"""

from collections.abc import Iterator

from firewall.model import (
    Address,
    Direction,
    GroupPeer,
    Network,
    NetworkInterface,
    Peer,
    Peering,
    PrefixList,
    PrefixListPeer,
    Rule,
    SecurityGroup,
)
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings, Spot
from firewall.sources.located import Node, entries
from firewall.sources.reading import (
    address,
    description,
    mapping,
    network,
    sequence,
    shown,
    text,
    warn_family,
)
from firewall.sources.service import Service, api_service
from firewall.sources.tracking import connection_tracking

TOP_KEYS = ("SecurityGroups", "NetworkInterfaces", "PrefixLists")
_PERMISSIONS: dict[Direction, str] = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


def declare(root: Node, draft: Draft) -> None:
    """Note the ids and names that the file defines, for the rules of all files."""
    for node in _items(root, "SecurityGroups", draft.findings):
        group_id = _word(node, "GroupId")
        if group_id:
            draft.group_names.declare(group_id, _word(node, "GroupName") or group_id, node, draft.findings)
    for prefix_list_id, node in _wrapped(root):
        draft.list_names.declare(prefix_list_id, prefix_list_id, node, draft.findings)
    for node in _items(root, "PrefixLists", draft.findings):
        described = _word(node, "PrefixListId")
        if described:
            name = _word(node, "PrefixListName") or described
            if node.get("Cidrs") is not None:
                draft.list_names.declare(described, name, node, draft.findings)
            else:  # describe-managed-prefix-lists: a name and a size; the entries stand elsewhere
                draft.list_names.also(described, name)


def build(root: Node, draft: Draft) -> None:
    """Read everything in the file."""
    if root.get("NextToken") is not None:
        draft.findings.warn("more-pages", root.key("NextToken"), "NextToken is set: this output is not the whole list")
    for node in _items(root, "SecurityGroups", draft.findings):
        _group(node, draft)
    for node in _items(root, "NetworkInterfaces", draft.findings):
        _interface(node, draft)
    for node in _items(root, "PrefixLists", draft.findings):
        _described_list(node, draft)
    for prefix_list_id, node in _wrapped(root):
        if node.get("NextToken") is not None:
            draft.findings.warn("more-pages", node.key("NextToken"), f"{prefix_list_id} has more entries than the file")
        _add_list(prefix_list_id, None, None, _blocks(node, "Entries", draft.findings), node, draft)


# --- reading JSON that may lack anything ---------------------------------------------------------------
def _items(node: Node, key: str, findings: Findings) -> list[Node]:
    """A list of mappings; missing or null is empty."""
    listed = node.get(key)
    items = [] if listed is None else sequence(listed, findings, "the list that the AWS CLI prints")
    for item in items:
        mapping(item, findings, "the object that the AWS CLI prints")
    return [item for item in items if isinstance(item.value, dict)]


def _word(node: Node, key: str) -> str | None:
    """Text, where there is any; nothing is said where there is none."""
    found = node.get(key)
    return found.value if found and isinstance(found.value, str) else None


def _required(node: Node, key: str, findings: Findings) -> str | None:
    """Text that must be there."""
    found = node.get(key)
    if found is None:
        findings.error(node, f"{key} is missing: give the AWS CLI's output whole")
        return None
    return text(found, findings, key)


def _optional(node: Node, key: str, findings: Findings) -> str | None:
    """Text that may be missing, null or empty."""
    found = node.get(key)
    return None if found is None or found.value == "" else text(found, findings, key)


# --- security groups -------------------------------------------------------------------------------------
def _group(node: Node, draft: Draft) -> None:
    """One security group."""
    group_id = _required(node, "GroupId", draft.findings)
    if group_id is None:
        return
    name = _optional(node, "GroupName", draft.findings) or group_id
    ingress, egress = (tuple(_rules(node, group_id, direction, draft)) for direction in _PERMISSIONS)
    draft.add_group(SecurityGroup(group_id, name, ingress, egress, node.place))


def _rules(node: Node, group_id: str, direction: Direction, draft: Draft) -> Iterator[Rule]:
    """One rule for each peer of each permission, counted through the direction."""
    index = 0
    for permission in _items(node, _PERMISSIONS[direction], draft.findings):
        service = _service(permission, draft.findings)
        for peer, item in _peers(permission, draft.findings):
            if service is not None and peer is not None:
                number, ports, icmp = service
                about = description(item.get("Description"), draft.findings)
                warn_family(number, peer, item, draft.findings)
                yield Rule(group_id, direction, index, number, peer, ports, *icmp, None, about, item.place)
            index += 1


def _service(node: Node, findings: Findings) -> Service | None:
    """Protocol, ports, ICMP type and code of a permission."""
    given = node.get("IpProtocol")
    if given is None:
        findings.error(node, "IpProtocol is missing: give the AWS CLI's output whole")
        return None
    return api_service(
        given, node.get("FromPort"), node.get("ToPort"), node, findings, "give the AWS CLI's output as it is"
    )


def _peers(node: Node, findings: Findings) -> Iterator[tuple[Peer | None, Node]]:
    """Every peer of a permission with its item; None where it was wrong or can match nothing any more."""
    for version, ranges, key in ((4, "IpRanges", "CidrIp"), (6, "Ipv6Ranges", "CidrIpv6")):
        for item in _items(node, ranges, findings):
            block = _cidr(item, key, findings)
            if block is not None and block.version != version:
                findings.error(item, f"{block} is no IPv{version} block: it cannot stand in {ranges}")
            yield block, item
    for item in _items(node, "PrefixListIds", findings):
        prefix_list_id = _required(item, "PrefixListId", findings)
        yield None if prefix_list_id is None else PrefixListPeer(prefix_list_id), item
    for item in _items(node, "UserIdGroupPairs", findings):
        group_id = _required(item, "GroupId", findings)
        yield None if group_id is None else GroupPeer(group_id, _peering(item)), item


def _peering(node: Node) -> Peering | None:
    """The peering connection that a reference runs over, if any."""
    peering_id, status = _word(node, "VpcPeeringConnectionId"), _word(node, "PeeringStatus")
    return Peering(peering_id or "", status or "active") if peering_id or status else None


def _cidr(node: Node, key: str, findings: Findings) -> Network | None:
    """The address block under `key`, which must be there."""
    found = node.get(key)
    if found is None:
        findings.error(node, f"{key} is missing: give the AWS CLI's output whole")
        return None
    return network(found, findings)


# --- network interfaces ------------------------------------------------------------------------------------
def _interface(node: Node, draft: Draft) -> None:
    """One network interface; one without groups or addresses has nothing to judge and is left out."""
    findings = draft.findings
    identity = _required(node, "NetworkInterfaceId", findings)
    if identity is None:
        return
    addresses = _addresses(node, findings)
    groups = [each for item in _items(node, "Groups", findings) if (each := _required(item, "GroupId", findings))]
    for kind, what, found in (("no-addresses", "addresses", addresses), ("no-groups", "security groups", groups)):
        if not found:
            findings.warn(kind, node, f"interface {identity} has no {what}: left out")
            return
    _warn_left_out(node, identity, findings)
    for group_id in groups:
        if group_id not in draft.group_names.ids:
            findings.warn("unknown-group", node, f"interface {identity} has {group_id}, whose rules no file gives")
    attachment = node.get("Attachment")
    instance = None if attachment is None else _optional(attachment, "InstanceId", findings)
    mac = _optional(node, "MacAddress", findings)
    each_once = tuple(dict.fromkeys(groups))
    tracking = connection_tracking(node.get("ConnectionTrackingConfiguration"), findings, aws_keys=True)
    interface = NetworkInterface(
        identity, tuple(each for each, _ in addresses), each_once, mac, instance, node.place, tracking
    )
    draft.add_interface(interface, node, addresses)


def _addresses(node: Node, findings: Findings) -> list[tuple[Address, Spot]]:
    """All private addresses, each once: the primary one stands twice in the output."""
    items = [node.get("PrivateIpAddress")]
    items += [item.get("PrivateIpAddress") for item in _items(node, "PrivateIpAddresses", findings)]
    items += [item.get("Ipv6Address") for item in _items(node, "Ipv6Addresses", findings)]
    found: dict[Address, Spot] = {}
    for item in items:
        one = None if item is None else address(item, findings)
        if one is not None and item is not None:
            found.setdefault(one, item)
    return list(found.items())


def _warn_left_out(node: Node, identity: str, findings: Findings) -> None:
    """What AWS would heed and this reader does not."""
    for key, word in (("Ipv4Prefixes", "Ipv4Prefix"), ("Ipv6Prefixes", "Ipv6Prefix")):
        for item in _items(node, key, findings):
            findings.warn("prefix-left-out", item, f"{identity}: the delegated prefix {_word(item, word)} is left out")


# --- prefix lists ------------------------------------------------------------------------------------------
def _wrapped(root: Node) -> Iterator[tuple[str, Node]]:
    """get-managed-prefix-list-entries does not name its list: {"pl-1": {"Entries": [...]}} does."""
    return ((key, node) for key, node in entries(root) if key.startswith("pl-"))


def _blocks(node: Node, key: str, findings: Findings) -> list[Network]:
    """The blocks of a list: texts, or objects with Cidr."""
    listed = node.get(key)
    if listed is None:
        findings.error(node, f'{key} is missing: write {{"pl-...": {{"Entries": [...]}}}}')
        return []
    items = sequence(listed, findings, "the list that the AWS CLI prints")
    found = (
        _cidr(item, "Cidr", findings) if isinstance(item.value, dict) else network(item, findings) for item in items
    )
    return [block for block in found if block is not None]


def _described_list(node: Node, draft: Draft) -> None:
    """describe-prefix-lists gives the blocks; describe-managed-prefix-lists name and size only."""
    prefix_list_id = _required(node, "PrefixListId", draft.findings)
    if prefix_list_id is None:
        return
    name = _optional(node, "PrefixListName", draft.findings)
    blocks = None if node.get("Cidrs") is None else _blocks(node, "Cidrs", draft.findings)
    _add_list(prefix_list_id, name, _max_entries(node, draft.findings), blocks, node, draft)


def _max_entries(node: Node, findings: Findings) -> int | None:
    """What a rule quota is charged; AWS's own lists may not say."""
    found = node.get("MaxEntries")
    if found is None:
        return None
    if isinstance(found.value, int) and not isinstance(found.value, bool) and found.value > 0:
        return found.value
    findings.error(found, f"{shown(found)} is no number of entries: give the AWS CLI's output as it is")
    return None


def _add_list(
    prefix_list_id: str, name: str | None, most: int | None, blocks: list[Network] | None, spot: Node, draft: Draft
) -> None:
    """Join what several outputs say of one list."""
    said = draft.described_lists.get(prefix_list_id, PrefixList(prefix_list_id, prefix_list_id, place=spot.place))
    whole = PrefixList(
        prefix_list_id,
        name or said.name,
        said.entries if blocks is None else tuple(blocks),
        said.max_entries if most is None else most,
        said.place,
    )
    draft.described_lists[prefix_list_id] = whole
    if prefix_list_id in draft.list_names.ids:  # some file gives the entries
        draft.prefix_lists[prefix_list_id] = whole
