"""What `eniwall compare` tells programs: the same as one JSON object with sorted keys."""

from typing import Any

from firewall.acl_replies import Remedy
from firewall.compare import ReverseRule
from firewall.ephemeral import CATCH_ALL, EPHEMERAL_PAGE, EPHEMERAL_PORTS
from firewall.labels import protocol_word
from firewall.model import NetworkAclEntry
from firewall.quotas import ENTRIES, LIMITS_PAGE
from firewall.reports.compare_report import acl_notes, attached_by_hand, proof_text
from firewall.reports.compare_result import ComparedResult, Proof, first_difference, rows_of
from firewall.reports.compare_rules import acl_yaml, replaced, rules_yaml
from firewall.reports.compare_texts import ENGLISH
from firewall.reports.json_report import FORMAT, dumped, result_object


def compare_json(compared: ComparedResult) -> str:
    """The report for programs; `readings` holds each replay as `eniwall replay --json` would."""
    return dumped(
        {
            "format": FORMAT,
            "eniwall": compared.results[0].version,
            "compared": list(compared.readings),
            "readings": {
                reading: result_object(result)
                for reading, result in zip(compared.readings, compared.results, strict=True)
            },
            "differences": _differences(compared),
            "reverse_rules": {
                "items": [_rule_object(rule) for rule in compared.reverse_rules],
                "attach_by_hand": attached_by_hand(compared),
                "rule_file": rules_yaml(compared.reverse_rules) if compared.reverse_rules else None,
                "ephemeral_ports": [{"client": client, "ports": list(ports)} for client, ports in EPHEMERAL_PORTS],
                "source": EPHEMERAL_PAGE,
            },
            "network_acls": None if compared.remedy is None else _acl_object(compared, compared.remedy),
            "proofs": {reading: _proof_object(proof, reading) for reading, proof in compared.proofs.items()},
        }
    )


def _differences(compared: ComparedResult) -> dict[str, Any]:
    comparison, names = compared.comparison, compared.readings
    return {
        "packets": comparison.packets,
        "rows": comparison.rows,
        "allowed_only_by": dict(zip(names, comparison.allowed_alone, strict=True)),
        "listed": comparison.kept[0].verdicts.rows,
        "items": [dict(zip(names, row, strict=True)) for row in rows_of(compared)],
        "first": first_difference(compared) if comparison.rows else None,
        "pairs": [
            {
                "readings": [names[pair.first], names[pair.second]],
                "packets": pair.packets,
                "rows": pair.rows,
                "allowed_only_by": {names[pair.first]: pair.only_first, names[pair.second]: pair.only_second},
                "first": first_difference(compared, pair) if pair.rows else None,
            }
            for pair in comparison.pairs
        ],
    }


def _rule_object(rule: ReverseRule) -> dict[str, Any]:
    return {
        "eni": rule.eni,
        "direction": rule.direction,
        "protocol": protocol_word(rule.protocol),
        "peers": [str(peer) for peer in rule.peers],
        "ports": list(rule.ports) if rule.ports else None,
        "icmp": list(rule.icmp) if rule.icmp else None,
        "packets": rule.packets,
    }


def _acl_object(compared: ComparedResult, remedy: Remedy) -> dict[str, Any]:
    acls = [remedy.rule_set.network_acls[each] for each in dict.fromkeys(remedy.plan.acl_of.values())]
    added = {entry for entries in remedy.added.values() for entry in entries}
    return {
        "rule_file": acl_yaml(remedy),
        "in_place_of": list(replaced(remedy)),
        "made_of_groups": {acl: list(members) for acl, members in remedy.plan.members.items()},
        "made_subnets": {name: [str(each) for each in remedy.plan.subnets[name].cidrs] for name in remedy.plan.made},
        "placed_by_hand": list(remedy.plan.by_hand),
        "entries": [
            _entry_object(entry, remedy, added=entry in added) for acl in acls for entry in (*acl.ingress, *acl.egress)
        ],
        "denied_by_numbered_entries": remedy.denied,
        "quotas": [
            {
                "network_acl": quota.acl_id,
                "direction": quota.direction,
                "entries": quota.entries,
                "default": ENTRIES.default,
                "most": ENTRIES.most,
                "widened_to": list(quota.widened) if quota.widened else None,
                "one_range": quota.catch_all,
                "if_rules_widened": quota.if_widened._asdict() if quota.if_widened else None,
            }
            for quota in remedy.quotas
        ],
        "quota_source": LIMITS_PAGE,
        "every_client": list(CATCH_ALL),
        "notes": list(acl_notes(compared, ENGLISH)),
    }


def _entry_object(entry: NetworkAclEntry, remedy: Remedy, *, added: bool) -> dict[str, Any]:
    return {
        "network_acl": entry.network_acl_id,
        "direction": entry.direction,
        "number": entry.number,
        "action": entry.action,
        "protocol": protocol_word(entry.protocol),
        "ports": list(entry.ports) if entry.ports else None,
        "icmp": [entry.icmp_type, entry.icmp_code] if entry.protocol in (1, 58) else None,
        "peer": str(entry.peer),
        "added": added,
        "why": remedy.why.get(entry),
    }


def _proof_object(proof: Proof, reading: str) -> dict[str, Any]:
    return {
        "proven": proof.rows == 0,
        "replayed": proof.rows is not None,
        "added": proof.added,
        "rows": proof.rows,
        "text": proof_text(proof, reading, ENGLISH),
        "left": [
            {
                "rows": left.rows,
                "packet": left.packet,
                "flow": left.flow,
                "sg": left.groups_say,
                reading: left.other_says,
                "rule": left.rule or None,
                "why": ENGLISH(left.why),
            }
            for left in proof.left
        ],
    }
