"""`eniwall rules --json`: what was understood as one JSON object with stable, sorted keys.

`schema` is eniwall.rules, `format` the version of its keys:

1. files, interfaces, security_groups, network_acls, prefix_lists, subnets, vpcs, auto_tracked, quotas,
   limits, lint, silenced, warnings.

A `place` is `file:line:column`, or null for what no file says.
"""

from collections.abc import Iterable
from typing import Any

from firewall.covers import rules_of
from firewall.labels import encodable, protocol_word
from firewall.lint_material import Finding
from firewall.lint_tables import icmp_words
from firewall.model import (
    ICMP,
    ICMPV6,
    GroupPeer,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Peer,
    Place,
    PrefixList,
    PrefixListPeer,
    Rule,
    SecurityGroup,
    UnknownPeer,
)
from firewall.quotas import Usage, list_family, list_weight
from firewall.reports.json_report import dumped
from firewall.rule_words import Members, protocol_text, type_text
from firewall.understood import Understood, Untracked

SCHEMA = "eniwall.rules"
FORMAT = 1


def rules_json(seen: Understood) -> str:
    """The report as text, with a line feed at the end."""
    rules = seen.rule_set
    report = {
        "schema": SCHEMA,
        "format": FORMAT,
        "eniwall": seen.version,
        "files": list(seen.files),
        "interfaces": [_interface(seen, eni) for eni in seen.interfaces],
        "security_groups": [_group(seen, group) for group in seen.groups],
        "network_acls": [_network_acl(seen, acl) for acl in seen.network_acls],
        "prefix_lists": [_prefix_list(each) for each in seen.prefix_lists],
        "subnets": [
            {
                "subnet": each.subnet_id,
                "cidrs": _texts(each.cidrs),
                "vpc": each.vpc,
                "network_acl": each.network_acl,
                "place": _place(each.place),
            }
            for each in seen.subnets
        ],
        "vpcs": [{"vpc": each.vpc_id, "cidrs": _texts(each.cidrs), "place": _place(each.place)} for each in seen.vpcs],
        "auto_tracked": _texts(rules.auto_tracked),
        "limits": dict(seen.limits),
        "quotas": [_usage(usage) for usage in seen.usages],
        "lint": [_finding(finding) for finding in seen.findings],
        "silenced": dict(seen.silenced),
        "warnings": list(seen.warnings),
    }
    return dumped(_writable(report))


def _writable(value: Any) -> Any:
    """The same with texts that UTF-8 can write: file names may hold any byte."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [_writable(each) for each in value]
    if isinstance(value, dict):
        return {encodable(key): _writable(each) for key, each in value.items()}
    return value


def _texts(items: Iterable[object]) -> list[str]:
    return list(map(str, items))


def _place(place: Place | None) -> str | None:
    return None if place is None else str(place)


def _interface(seen: Understood, eni: NetworkInterface) -> dict[str, Any]:
    acl = seen.rule_set.network_acl_of(eni)
    vpc = seen.rule_set.vpc_of(eni)
    tracking = eni.connection_tracking
    return {
        "eni": eni.interface_id,
        "addresses": _texts(eni.addresses),
        "prefixes": _texts(eni.prefixes),
        "public_addresses": _texts(eni.public_addresses),
        "addresses_complete": eni.complete,
        "security_groups": list(eni.groups),
        "unknown_groups": [group for group in eni.groups if group not in seen.rule_set.groups],
        "subnet": eni.subnet,
        "vpc": eni.vpc if vpc is None else vpc.vpc_id,
        "network_acl": None if acl is None else acl.network_acl_id,
        "instance": eni.instance,
        "mac": eni.mac,
        "interface_type": eni.interface_type,
        "source_dest_check": eni.source_dest_check,
        "connection_tracking": {
            "tcp_established_timeout": tracking.tcp_established_timeout,
            "udp_stream_timeout": tracking.udp_stream_timeout,
            "udp_timeout": tracking.udp_timeout,
        },
        "untracked": [_untracked(each) for each in seen.untracked[eni.groups]],
        "place": _place(eni.place),
    }


def _untracked(untracked: Untracked) -> dict[str, Any]:
    return {
        "direction": untracked.direction,
        "family": untracked.family,
        "protocol": protocol_word(untracked.protocol),
        "ports": [list(span) for span in untracked.ports],
        "rules": list(untracked.rules),
        "because": list(untracked.because),
    }


def _group(seen: Understood, group: SecurityGroup) -> dict[str, Any]:
    return {
        "id": group.group_id,
        "name": group.name,
        "vpc": group.vpc,
        "interfaces": list(seen.members.get(group.group_id, Members()).interfaces),
        "ingress": [_rule(seen, rule) for rule in rules_of(group, "ingress")],
        "egress": [_rule(seen, rule) for rule in rules_of(group, "egress")],
        "place": _place(group.place),
    }


def _rule(seen: Understood, rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "id": rule.rule_id,
        **_service(rule),
        "peer": _peer(seen, rule.peer),
        "description": rule.description,
        "place": _place(rule.place),
    }


def _service(rule: Rule | NetworkAclEntry) -> dict[str, Any]:
    icmp = None
    if rule.protocol in (ICMP, ICMPV6):
        words = icmp_words(4 if rule.protocol == ICMP else 6, rule.icmp_type, rule.icmp_code)
        icmp = {"type": rule.icmp_type, "code": rule.icmp_code, "meaning": words or None}
    return {
        "type": type_text(rule),
        "protocol": protocol_text(rule),
        "ports": list(rule.ports) if rule.ports is not None else None,
        "icmp": icmp,
    }


def _peer(seen: Understood, peer: Peer) -> dict[str, Any]:
    match peer:
        case GroupPeer(identity):
            known = seen.members.get(identity, Members())
            group = seen.rule_set.groups.get(identity)
            return {
                "kind": "security_group",
                "id": identity,
                "name": None if group is None else group.name,
                "known": bool(known.interfaces) or peer.stale,
                "interfaces": len(known.interfaces),
                "addresses": known.addresses,
                "complete": known.complete and (bool(known.interfaces) or peer.stale),
                "peering": None if peer.peering is None else peer.peering.peering_id,
                "stale": peer.stale,
            }
        case PrefixListPeer(identity):
            found = seen.rule_set.prefix_lists.get(identity)
            return {
                "kind": "prefix_list",
                "id": identity,
                "name": None if found is None else found.name,
                "known": found is not None,
                "entries": None if found is None else len(found.entries),
                "version": None if found is None else found.version,
            }
        case UnknownPeer(text):
            return {"kind": "unknown", "text": text, "known": False}
        case network:
            return {"kind": "cidr", "cidr": str(network), "family": network.version, "known": True}


def _network_acl(seen: Understood, acl: NetworkAcl) -> dict[str, Any]:
    return {
        "id": acl.network_acl_id,
        "name": acl.name,
        "vpc": acl.vpc,
        "default": acl.is_default,
        "subnets": [each.subnet_id for each in seen.subnets if each.network_acl == acl.network_acl_id],
        "ingress": [_entry(entry) for entry in acl.ingress],
        "egress": [_entry(entry) for entry in acl.egress],
        "place": _place(acl.place),
    }


def _entry(entry: NetworkAclEntry) -> dict[str, Any]:
    return {
        "entry": entry.name,
        "number": entry.number,
        "action": entry.action,
        **_service(entry),
        "cidr": str(entry.peer),
        "place": _place(entry.place),
    }


def _prefix_list(prefix_list: PrefixList) -> dict[str, Any]:
    weight, exact = list_weight(prefix_list)
    return {
        "id": prefix_list.prefix_list_id,
        "name": prefix_list.name,
        "owner": prefix_list.owner or None,
        "family": list_family(prefix_list),
        "version": prefix_list.version,
        "max_entries": prefix_list.max_entries,
        "weight": weight,
        "weight_complete": exact,
        "entries": _texts(prefix_list.entries),
        "place": _place(prefix_list.place),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "quota": usage.quota.name,
        "of": usage.subject,
        "direction": usage.direction,
        "family": usage.family,
        "used": usage.used,
        "limit": usage.limit,
        "exceeded": usage.over,
        "at_least": usage.at_least,
        "arithmetic": usage.arithmetic,
        "place": _place(usage.place),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "lint": finding.lint,
        "about": finding.subject,
        "text": finding.text,
        "fix": finding.fix,
        "place": _place(finding.place),
    }
