"""docs/report.schema.json: what `eniwall replay --json` and `eniwall report --json` print, as a JSON Schema (2020-12).

The version of the keys is `format`; firewall/reports/json_report.py has a note for each version.
https://json-schema.org/draft/2020-12
"""

import json
from typing import Any

from conntrack.states import CT_STATES
from conntrack.tcp import STATES
from docs.rules_schema import DIALECT
from firewall.columns import COLUMNS
from firewall.reports.json_report import FORMAT
from firewall.verdict import DIRECTIONS, REASON_WORDS, VERDICTS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "integer", "description": "Nanoseconds since 1970, UTC."}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
DIRECTION: Schema = {"enum": list(DIRECTIONS)}
ROWS_BY_VERDICT: Schema = {"$ref": "#/$defs/rows_by_verdict"}
PACKET: Schema = {"$ref": "#/$defs/packet"}


def mapping(properties: dict[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object with these keys and no others; all are there but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False, **more}


def listed(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def counts(names: tuple[str, ...]) -> Schema:
    """A count for each name."""
    return mapping(dict.fromkeys(names, COUNT))


def cut(items: Schema, **more: Schema) -> Schema:
    """A list that may be cut: how many there are, how many stand here."""
    return mapping({"total": COUNT, "listed": COUNT, "items": listed(items), **more})


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


AMOUNT = mapping({"packets": COUNT, "bytes": COUNT})
NUMBER_OR_NULL: Schema = {"type": ["integer", "null"]}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}

RULE = mapping(
    {
        "rule": TEXT,
        "direction": DIRECTION,
        "allows": TEXT,
        "description": TEXT,
        "place": TEXT_OR_NULL,
        "hits": COUNT,
        "packets": COUNT,
        "bytes": COUNT,
    }
)
CONNECTION = mapping(
    {
        "eni": TEXT,
        "flow": {"type": "integer", "minimum": 1},
        "direction": DIRECTION,
        "src": TEXT,
        "dst": TEXT,
        "protocol": TEXT,
        "src_port": COUNT,
        "dst_port": COUNT,
        "rule": TEXT,
        "opened_by": mapping({"capture": TEXT, "packet": COUNT}),
        "sent": AMOUNT,
        "received": AMOUNT,
        "denied": COUNT,
        "undecided": COUNT,
        "icmp_errors": COUNT,
        "time": mapping({"first": TIME, "last": TIME}),
        "state": {"enum": [*STATES, "REPLIED", "UNREPLIED", "untracked"]},
        "ended": FLAG,
        "untracked": FLAG,
        "picked_up_midway": FLAG,
        "history": {"type": "string", "pattern": "^[A-Za-z]*\\+?$", "description": "Zeek's letters; of report alone."},
        "duration": {"type": "integer", "description": "Nanoseconds; of report alone."},
    },
    ("history", "duration"),
)
ATTEMPT = mapping(
    {
        "eni": TEXT,
        "direction": DIRECTION,
        "src": TEXT,
        "dst": TEXT,
        "protocol": TEXT,
        "icmp_type": NUMBER_OR_NULL,
        "dst_port": NUMBER_OR_NULL,
        "first": mapping({"capture": TEXT, "packet": COUNT, "reason": {"enum": list(REASON_WORDS)}}),
        "packets": COUNT,
    }
)
NUMBERS = ("packet", "time", "src_port", "dst_port", "length", "flow")
WORDS: dict[str, Schema] = {
    "verdict": {"enum": list(VERDICTS)},
    "reason": {"enum": list(REASON_WORDS)},
    "ct_state": {"enum": [None, *CT_STATES[1:]]},
    "tcp_state": {"enum": [None, *STATES[1:]]},
}
ROW = mapping({name: NUMBER_OR_NULL if name in NUMBERS else WORDS.get(name, TEXT_OR_NULL) for name in COLUMNS})

OTHERS = mapping({"groups": COUNT, "packets": COUNT})
REPORT = mapping(
    {
        "command": TEXT,
        "inputs": listed(
            mapping(
                {
                    "kind": {"enum": ["capture", "rules", "events"]},
                    "name": TEXT,
                    "bytes": NUMBER_OR_NULL,
                    "sha256": nullable({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
                    "note": TEXT_OR_NULL,
                }
            )
        ),
        "verdicts_over_time": mapping(
            {
                "start": TIME,
                "width": {"type": "integer", "minimum": 1, "description": "Of each bin, nanoseconds."},
                "rows": mapping(dict.fromkeys(VERDICTS, listed(COUNT))),
            }
        ),
        "rules": listed(
            mapping(
                {
                    "rule": TEXT,
                    "allows": TEXT,
                    "new": COUNT,
                    "packets": COUNT,
                    "bytes": COUNT,
                    "connections": COUNT,
                    "first": nullable(PACKET),
                    "last": nullable(PACKET),
                    "covered_by": TEXT_OR_NULL,
                }
            )
        ),
        "never_used": TEXTS,
        "covered": {"type": "object", "additionalProperties": TEXT},
        "open_widest": listed(
            mapping({"rule": TEXT, "allows": TEXT, "addresses": COUNT, "ports": COUNT, "packets": COUNT})
        ),
        "findings": listed(mapping({"lint": TEXT, "subject": TEXT, "text": TEXT, "fix": TEXT, "place": TEXT_OR_NULL})),
        "denied_services": cut(
            mapping(
                {
                    "eni": TEXT,
                    "direction": DIRECTION,
                    "service": TEXT,
                    "reason": {"enum": list(REASON_WORDS)},
                    "packets": COUNT,
                    "peers": COUNT,
                    "peer": TEXT,
                    "example": mapping({"capture": TEXT, "packet": COUNT}),
                    "nearest_miss": TEXT_OR_NULL,
                }
            ),
            others=OTHERS,
        ),
        "denied_peers": cut(
            mapping({"peer": TEXT, "direction": DIRECTION, "packets": COUNT, "services": COUNT, "service": TEXT}),
            others=OTHERS,
        ),
        "rows_without_group": COUNT,
    },
    description="Of `eniwall report` alone.",
)

TOP: dict[str, Schema] = {
    "format": {"const": FORMAT},
    "eniwall": TEXT,
    "captures": TEXTS,
    "profile": {"enum": ["aws", "linux"]},
    "settings": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}},
    "packets": counts(("read", "filtered_out", "judged_at_two_interfaces")),
    "rows": counts(("total", *VERDICTS)),
    "reasons": counts(REASON_WORDS),
    "interfaces": listed(
        mapping(
            {
                "eni": TEXT,
                "addresses": TEXTS,
                "security_groups": TEXTS,
                "rows": {"type": "object", "propertyNames": DIRECTION, "additionalProperties": ROWS_BY_VERDICT},
            }
        )
    ),
    "rules": listed(RULE),
    "network_acl_entries": listed(
        mapping(
            {
                "entry": TEXT,
                "direction": DIRECTION,
                "action": {"enum": ["allow", "deny"]},
                "says": TEXT,
                "place": TEXT_OR_NULL,
                "let_through": COUNT,
                "denied": COUNT,
            }
        )
    ),
    "changes": listed(mapping({"capture": TEXT, "packet": COUNT, "time": TIME, "change": TEXT})),
    "exempt": {"type": "object", "additionalProperties": COUNT},
    "unused_rules": TEXTS,
    "connections": cut(CONNECTION),
    "denied_attempts": cut(ATTEMPT, rows_without_group=COUNT),
    "denied": cut(ROW),
    "undecided": cut(ROW),
    "time": mapping({"first": NUMBER_OR_NULL, "last": NUMBER_OR_NULL, "backwards": COUNT}),
    "assumptions": TEXTS,
    "warnings": TEXTS,
    "report": REPORT,
}
DEFINITIONS = {
    "rows_by_verdict": counts(VERDICTS),
    "packet": mapping({"capture": TEXT, "packet": COUNT, "time": TIME}),
}


def report_schema() -> Schema:
    """The whole schema."""
    about = "What a replay came to. docs/output.md and docs/report.md say what each key means."
    top = mapping(TOP, ("report",))
    return {"$schema": DIALECT, "title": "eniwall report", "description": about, **top, "$defs": DEFINITIONS}


def schema_text() -> str:
    """docs/report.schema.json."""
    return json.dumps(report_schema(), indent=2) + "\n"
