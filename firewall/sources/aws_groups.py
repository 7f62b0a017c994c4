"""Security groups as the AWS CLI prints them: with their permissions, or rule by rule with the rules' ids.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html

Where a group has rows of describe-security-group-rules, these are its rules: they have ids.
References to other groups end with the peering that they run over, as describe-security-groups,
describe-vpc-peering-connections or describe-stale-security-groups say.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from firewall.model import Direction, GroupPeer, Peer, Peering, PrefixListPeer, Rule, SecurityGroup
from firewall.sources.aws_reading import AS_IS, WHOLE, items, optional, required, required_cidr, required_flag
from firewall.sources.draft import Draft
from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import description, quoted, text, warn_family
from firewall.sources.service import Service, api_service

GROUPS, ROWS = "SecurityGroups", "SecurityGroupRules"
PEERINGS, STALE = "VpcPeeringConnections", "StaleSecurityGroupSet"

_PERMISSIONS: dict[Direction, str] = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
_STALE_PERMISSIONS = ("StaleIpPermissions", "StaleIpPermissionsEgress")
_ROW_PEERS = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupInfo")

# Status codes after which a peering connection carries nothing any more and never will.
# https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html, lifecycle
_ENDED = ("deleted", "expired", "failed", "rejected")

Rules = tuple[Rule, ...]


# --- what files say of one another ------------------------------------------------------------------------
def declare_group(node: Node, draft: Draft) -> None:
    """Note a group of describe-security-groups."""
    group_id = required(node, "GroupId", draft.findings)
    if group_id is not None:
        draft.note(node, GROUPS, group_id)
        name = optional(node, "GroupName", draft.findings) or group_id
        draft.group_names.declare(group_id, name, node, draft.findings)


def declare_row(node: Node, draft: Draft) -> None:
    """Note a row of describe-security-group-rules; its group may have no other description."""
    group_id = required(node, "GroupId", draft.findings)
    if group_id is not None:
        draft.note(node, ROWS, group_id)
        draft.group_names.also(group_id, group_id)


def declare_peering(node: Node, draft: Draft) -> None:
    """Note the state of a peering connection, for the references that run over it."""
    peering_id = required(node, "VpcPeeringConnectionId", draft.findings)
    if peering_id is not None:
        draft.note(node, PEERINGS, peering_id)


def declare_stale(node: Node, draft: Draft) -> None:
    """Note the groups that a group's rules name in vain."""
    group_id = required(node, "GroupId", draft.findings)
    for key in _STALE_PERMISSIONS:
        for permission in items(node, key, draft.findings):
            for pair in items(permission, "UserIdGroupPairs", draft.findings):
                other = required(pair, "GroupId", draft.findings)
                if group_id is not None and other is not None:
                    draft.note(pair, STALE, group_id, other)


def known(group_id: str, draft: Draft) -> bool:
    """True if some file gives the group's rules."""
    return group_id in draft.group_names.ids or bool(draft.notes(ROWS, group_id))


# --- groups -----------------------------------------------------------------------------------------------
def build_group(node: Node, draft: Draft) -> None:
    """One security group of describe-security-groups, with its rows' rules where it has rows."""
    findings = draft.findings
    group_id = required(node, "GroupId", findings)
    if group_id is None or draft.notes(GROUPS, group_id)[0] is not node:
        return  # the second of a group that is defined twice, which was said
    name = optional(node, "GroupName", findings) or group_id
    vpc = optional(node, "VpcId", findings)
    rows = draft.notes(ROWS, group_id)
    # Permissions that rows replace are read for the comparison alone: what they warn of is told of the rows.
    reading = replace(draft, findings=Findings(findings.files, findings.problems)) if rows else draft
    ingress, egress = (tuple(_permitted(node, group_id, each, reading)) for each in _PERMISSIONS)
    if rows:
        told = any(node.get(key) is not None for key in _PERMISSIONS.values())
        described = (*ingress, *egress)
        ingress, egress = _rows(group_id, rows, draft)
        if told:
            _warn_difference(node, group_id, described, (*ingress, *egress), findings)
    draft.add_group(SecurityGroup(group_id, name, ingress, egress, node.place, vpc))


def build_row(node: Node, draft: Draft) -> None:
    """The first row of a group that is not described otherwise makes the group; its name is its id."""
    group_id = required(node, "GroupId", draft.findings)
    if group_id is None or draft.notes(GROUPS, group_id):
        return
    rows = draft.notes(ROWS, group_id)
    if rows[0] is node:
        draft.group_names.declare(group_id, group_id, node, draft.findings)
        draft.add_group(SecurityGroup(group_id, group_id, *_rows(group_id, rows, draft), node.place))


def _warn_difference(node: Node, group_id: str, described: Rules, rows: Rules, findings: Findings) -> None:
    """Two outputs of different times: the reader should know which one counts."""
    ours, others = _said(rows), _said(described)
    if ours != others:
        findings.warn(
            "rules-differ",
            node,
            f"the rules of {group_id} differ: {len(ours - others)} in describe-security-group-rules alone, "
            f"{len(others - ours)} in describe-security-groups alone; those of the former are used",
        )


def _said(rules: Iterable[Rule]) -> set[tuple[object, ...]]:
    """What rules allow, whatever their order, ids and descriptions."""
    return {
        (each.direction, each.protocol, each.ports, each.icmp_type, each.icmp_code, _matched(each.peer))
        for each in rules
    }


def _matched(peer: Peer) -> object:
    """A peer without the words that only one of two outputs may have."""
    return (peer.group_id, peer.stale) if isinstance(peer, GroupPeer) else peer


# --- rules ------------------------------------------------------------------------------------------------
def _permitted(node: Node, group_id: str, direction: Direction, draft: Draft) -> Iterator[Rule]:
    """One rule for each peer of each permission, counted through the direction."""
    index = 0
    for permission in items(node, _PERMISSIONS[direction], draft.findings):
        service = _service(permission, draft.findings)
        for peer, item in _peers(permission, group_id, draft):
            if service is not None and peer is not None:
                number, ports, icmp = service
                about = description(item.get("Description"), draft.findings)
                warn_family(number, peer, item, draft.findings)
                yield Rule(group_id, direction, index, number, peer, ports, *icmp, None, about, item.place)
            index += 1


def _rows(group_id: str, rows: list[Node], draft: Draft) -> tuple[Rules, Rules]:
    """Inbound and outbound rules, each counted in the order of the rows."""
    inbound = [row for row in rows if required_flag(row, "IsEgress", draft.findings) is False]
    outbound = [row for row in rows if required_flag(row, "IsEgress", draft.findings) is True]
    ingress = (_row(row, group_id, "ingress", index, draft) for index, row in enumerate(inbound))
    egress = (_row(row, group_id, "egress", index, draft) for index, row in enumerate(outbound))
    return tuple(rule for rule in ingress if rule), tuple(rule for rule in egress if rule)


def _row(row: Node, group_id: str, direction: Direction, index: int, draft: Draft) -> Rule | None:
    """One rule with its id."""
    findings = draft.findings
    service, peer = _service(row, findings), _row_peer(row, group_id, draft)
    rule_id = _rule_id(row, draft)
    about = description(row.get("Description"), findings)
    if service is None or peer is None:
        return None
    number, ports, icmp = service
    warn_family(number, peer, row, findings)
    return Rule(group_id, direction, index, number, peer, ports, *icmp, rule_id, about, row.place)


def _rule_id(row: Node, draft: Draft) -> str | None:
    """AWS's id of a rule."""
    given = row.get("SecurityGroupRuleId")
    rule_id = None if given is None else text(given, draft.findings, "a rule id")
    if given is None or rule_id is None:
        return None
    if not rule_id.startswith("sgr-"):
        draft.findings.error(given, f"{quoted(rule_id)} is no rule id: AWS's start with sgr-, {AS_IS}")
    draft.claim_rule_id(rule_id, given)
    return rule_id


def _service(node: Node, findings: Findings) -> Service | None:
    """Protocol, ports, ICMP type and code of a permission or a row."""
    given = node.get("IpProtocol")
    if given is None:
        findings.error(node, f"IpProtocol is missing: {WHOLE}")
        return None
    return api_service(given, node.get("FromPort"), node.get("ToPort"), node, findings, AS_IS)


# --- peers ------------------------------------------------------------------------------------------------
def _peers(node: Node, group_id: str, draft: Draft) -> Iterator[tuple[Peer | None, Node]]:
    """Every peer of a permission with its item; None where it was wrong."""
    findings = draft.findings
    for version, ranges, key in ((4, "IpRanges", "CidrIp"), (6, "Ipv6Ranges", "CidrIpv6")):
        for item in items(node, ranges, findings):
            yield required_cidr(item, key, findings, version), item
    for item in items(node, "PrefixListIds", findings):
        yield _prefix_list_peer(item, findings), item
    for item in items(node, "UserIdGroupPairs", findings):
        yield _group_peer(item, group_id, draft), item


def _row_peer(row: Node, group_id: str, draft: Draft) -> Peer | None:
    """The one peer of a row."""
    found = [key for key in _ROW_PEERS if row.get(key) is not None]
    match found:
        case ["ReferencedGroupInfo"]:
            return _group_peer(row.get("ReferencedGroupInfo") or row, group_id, draft)
        case ["PrefixListId"]:
            return _prefix_list_peer(row, draft.findings)
        case [key]:
            return required_cidr(row, key, draft.findings, 4 if key == "CidrIpv4" else 6)
    draft.findings.error(row, f"a rule names exactly one of {', '.join(_ROW_PEERS)}, this one {len(found)}: {AS_IS}")
    return None


def _prefix_list_peer(node: Node, findings: Findings) -> Peer | None:
    """A reference to a prefix list."""
    prefix_list_id = required(node, "PrefixListId", findings)
    return None if prefix_list_id is None else PrefixListPeer(prefix_list_id)


def _group_peer(node: Node, group_id: str, draft: Draft) -> Peer | None:
    """A reference to a security group, with the peering that it runs over."""
    other = required(node, "GroupId", draft.findings)
    return None if other is None else GroupPeer(other, _peering(node, group_id, other, draft))


def _peering(node: Node, group_id: str, other: str, draft: Draft) -> Peering | None:
    """The peering connection of a reference, if any: ended as soon as one output says so."""
    peering_id = optional(node, "VpcPeeringConnectionId", draft.findings) or ""
    codes = [optional(node, "PeeringStatus", draft.findings)]
    codes += [_code(each, draft.findings) for each in draft.notes(PEERINGS, peering_id)]
    if draft.notes(STALE, group_id, other) or any(code in _ENDED for code in codes):
        return Peering(peering_id, "deleted")
    if not peering_id and not any(codes):
        return None
    return Peering(peering_id, next((code for code in codes if code), "active"))


def _code(node: Node, findings: Findings) -> str | None:
    """Status.Code of a peering connection."""
    status = node.get("Status")
    return None if status is None else optional(status, "Code", findings)
