"""What `eniwall report --json` holds beside the report of a replay, under the key `report`."""

from typing import Any

from firewall.labels import encodable, rule_text
from firewall.lint_material import Finding
from firewall.reports.denied import DeniedPeer, DeniedService, Top
from firewall.reports.details import Details, OpenRule, RuleUse, When
from firewall.reports.inputs import Input
from firewall.verdict import VERDICTS


def details_object(details: Details) -> dict[str, Any]:
    """The details as plain objects. Times are ns since 1970, widths and durations ns, sizes bytes."""
    bins = details.audit.bins
    return {
        "command": details.command,
        "inputs": [_input(each) for each in details.inputs],
        "verdicts_over_time": {
            "start": bins.start,
            "width": bins.width,
            "rows": {name: bins.counts[:, place].tolist() for place, name in enumerate(VERDICTS)},
        },
        "rules": [_rule(use) for use in details.rules],
        "never_used": [use.rule.name for use in details.never_used],
        "covered": {use.rule.name: use.covered_by for use in details.covered},
        "open_widest": [_open(each) for each in details.open_rules],
        "findings": [_finding(each) for each in details.findings],
        "denied_services": _top(details.denied_services, [_service(each) for each in details.denied_services.items]),
        "denied_peers": _top(details.denied_peers, [_peer(each) for each in details.denied_peers.items]),
        "rows_without_group": details.ungrouped,
    }


def _input(each: Input) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "name": each.name,
        "bytes": each.size,
        "sha256": each.sha256 or None,
        "note": each.note or None,
    }


def _rule(use: RuleUse) -> dict[str, Any]:
    return {
        "rule": use.rule.name,
        "allows": rule_text(use.rule),
        "new": use.new,
        "packets": use.packets,
        "bytes": use.bytes,
        "connections": use.connections,
        "first": _when(use.first),
        "last": _when(use.last),
        "covered_by": use.covered_by or None,
    }


def _when(when: When | None) -> dict[str, Any] | None:
    return None if when is None else {"capture": when.capture, "packet": when.packet, "time": when.time}


def _open(each: OpenRule) -> dict[str, Any]:
    return {
        "rule": each.rule.name,
        "allows": rule_text(each.rule),
        "addresses": each.addresses,
        "ports": each.ports,
        "packets": each.packets,
    }


def _finding(each: Finding) -> dict[str, Any]:
    return {
        "lint": each.lint,
        "subject": encodable(each.subject),
        "text": encodable(each.text),
        "fix": encodable(each.fix),
        "place": str(each.place) if each.place else None,
    }


def _top(top: Top[Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "total": top.total,
        "listed": len(items),
        "items": items,
        "others": {"groups": top.others, "packets": top.other_packets},
    }


def _service(each: DeniedService) -> dict[str, Any]:
    return {
        "eni": each.eni,
        "direction": each.direction,
        "service": each.service,
        "reason": each.reason,
        "packets": each.packets,
        "peers": each.peers,
        "peer": each.peer,
        "example": {"capture": each.capture, "packet": each.packet},
        "nearest_miss": encodable(each.miss) or None,
    }


def _peer(each: DeniedPeer) -> dict[str, Any]:
    return {
        "peer": each.peer,
        "direction": each.direction,
        "packets": each.packets,
        "services": each.services,
        "service": each.service,
    }
