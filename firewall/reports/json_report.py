"""`--json`: the whole summary as one JSON object with stable, sorted keys.

`format` is the version of these keys:

1. packets, rows, reasons, interfaces, rules, exempt, connections, denied_attempts, denied, undecided,
   time, settings, assumptions, warnings; since 0.2 also network_acl_entries (those that decided rows) and
   changes (of the rules, by --events). `eniwall report` adds report, and to each connection history and
   duration.

docs/report.schema.json is the schema. Times are whole nanoseconds since 1970; lengths are IP lengths in
bytes. Lists that are cut say how many there are (`total`) and how many stand here (`listed`); `-o` writes
every row.
"""

import json
from typing import Any

from firewall.columns import row_cells
from firewall.labels import protocol_word, rule_text
from firewall.reports.details_json import details_object
from firewall.reports.result import Connection, DeniedAttempt, Result
from firewall.rows import Judged
from firewall.verdict import DENY, DIRECTIONS, UNDECIDABLE, VERDICTS

FORMAT = 1
MOST_CONNECTIONS = 1000
MOST_ATTEMPTS = 1000


def json_report(result: Result) -> str:
    """The report as text, with a line feed at the end."""
    return dumped(result_object(result))


def dumped(report: dict[str, Any]) -> str:
    """JSON in the one form that all commands use: indented, keys sorted."""
    return json.dumps(report, indent=2, sort_keys=True) + "\n"


def result_object(result: Result) -> dict[str, Any]:
    """The report as plain objects."""
    summary, labels = result.summary, result.labels
    return {
        "format": FORMAT,
        "eniwall": result.version,
        "captures": list(labels.captures),
        "profile": result.profile,
        "settings": result.settings,
        "packets": {
            "read": result.packets_read,
            "filtered_out": result.filtered_out,
            "judged_at_two_interfaces": summary.two_interfaces,
        },
        "rows": {"total": summary.rows, **summary.verdicts},
        "reasons": summary.reason_rows,
        "interfaces": _interfaces(result),
        "rules": _rules(result),
        "network_acl_entries": _acl_entries(result),
        "changes": [
            {
                "capture": labels.captures[each.capture],
                "packet": each.packet,
                "time": each.time,
                "change": each.text,
            }
            for each in result.changes
        ],
        "exempt": dict(zip(labels.exempt, summary.exempt_rows.tolist(), strict=False)),
        "unused_rules": [rule.name for rule in result.unused_rules],
        "connections": _connections(result),
        "denied_attempts": _attempts(result),
        "denied": _kept(result, summary.first_denied, summary.verdicts[VERDICTS[DENY]]),
        "undecided": _kept(result, summary.first_undecided, int(summary.reasons[UNDECIDABLE])),
        "time": {"first": summary.first_time, "last": summary.last_time, "backwards": summary.backwards},
        "assumptions": list(result.assumptions),
        "warnings": list(result.warnings),
        **({} if result.details is None else {"report": details_object(result.details)}),
    }


def _interfaces(result: Result) -> list[dict[str, Any]]:
    return [
        {
            "eni": result.labels.interface(index),
            "addresses": [str(address) for address in interface.addresses],
            "security_groups": list(interface.groups),
            "rows": {
                direction: dict(zip(VERDICTS, counts, strict=True))
                for direction, counts in zip(DIRECTIONS, result.summary.by_interface[index + 1].tolist(), strict=True)
                if direction or any(counts)
            },
        }
        for index, interface in enumerate(result.interfaces)
    ]


def _rules(result: Result) -> list[dict[str, Any]]:
    summary = result.summary
    counts = zip(summary.rule_hits.tolist(), summary.rule_packets.tolist(), summary.rule_bytes.tolist(), strict=True)
    return [
        {
            "rule": rule.name,
            "direction": rule.direction,
            "allows": rule_text(rule),
            "description": rule.description,
            "place": str(rule.place) if rule.place else None,
            "hits": hits,
            "packets": packets,
            "bytes": size,
        }
        for rule, (hits, packets, size) in zip(result.rules, counts, strict=False)
    ]


def _acl_entries(result: Result) -> list[dict[str, Any]]:
    return [
        {
            "entry": entry.name,
            "direction": entry.direction,
            "action": entry.action,
            "says": rule_text(entry),
            "place": str(entry.place) if entry.place else None,
            "let_through": hits,
            "denied": denied,
        }
        for entry, hits, denied in result.acl_counts
    ]


def _connections(result: Result) -> dict[str, Any]:
    items = [_connection(connection) for connection in result.connections(MOST_CONNECTIONS)]
    if result.details is not None:
        items = [
            {**item, "history": each.history, "duration": each.duration}
            for item, each in zip(items, result.connections(MOST_CONNECTIONS), strict=True)
        ]
    return {"total": result.summary.connections, "listed": len(items), "items": items}


def _connection(connection: Connection) -> dict[str, Any]:
    return {
        "eni": connection.eni,
        "flow": connection.flow,
        "direction": connection.direction,
        "src": connection.src,
        "dst": connection.dst,
        "protocol": protocol_word(connection.protocol),
        "src_port": connection.src_port,
        "dst_port": connection.dst_port,
        "rule": connection.rule,
        "opened_by": {"capture": connection.capture, "packet": connection.packet},
        "sent": {"packets": connection.sent, "bytes": connection.sent_bytes},
        "received": {"packets": connection.received, "bytes": connection.received_bytes},
        "denied": connection.denied,
        "undecided": connection.undecided,
        "icmp_errors": connection.icmp_errors,
        "time": {"first": connection.first_time, "last": connection.last_time},
        "state": connection.state,
        "ended": connection.ended,
        "untracked": connection.untracked,
        "picked_up_midway": connection.midway,
    }


def _attempts(result: Result) -> dict[str, Any]:
    items = [_attempt(attempt) for attempt in result.denied_attempts(MOST_ATTEMPTS)]
    found = result.summary.attempts
    return {"total": len(found.groups), "listed": len(items), "items": items, "rows_without_group": found.ungrouped}


def _attempt(attempt: DeniedAttempt) -> dict[str, Any]:
    return {
        "eni": attempt.eni,
        "direction": attempt.direction,
        "src": attempt.src,
        "dst": attempt.dst,
        "protocol": protocol_word(attempt.protocol),
        "icmp_type": attempt.icmp_type,
        "dst_port": attempt.dst_port,
        "first": {"capture": attempt.capture, "packet": attempt.packet, "reason": attempt.reason},
        "packets": attempt.packets,
    }


def _kept(result: Result, kept: Judged, total: int) -> dict[str, Any]:
    items = row_cells(kept, result.labels)
    return {"total": total, "listed": len(items), "items": items}
