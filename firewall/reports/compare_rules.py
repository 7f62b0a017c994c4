"""What a comparison writes as rule files: reverse rules, and network ACLs with their subnets."""

import json
from collections.abc import Iterable, Iterator

from firewall.acl_replies import Remedy
from firewall.compare import GROUP, ReverseRule
from firewall.labels import ICMP_PROTOCOLS, printable, protocol_word
from firewall.model import ALL_PORTS, ANY, Direction, NetworkAcl, NetworkAclEntry, Subnet

_PEER_KEYS: dict[Direction, str] = {"ingress": "source", "egress": "destination"}


# --- rules of groups ---------------------------------------------------------------------------------
def rules_yaml(rules: list[ReverseRule]) -> str:
    """The missing rules as a rule file: one group an interface, both directions given, so that nothing is implied."""
    lines = ["security_groups:"]
    for eni in dict.fromkeys(rule.eni for rule in rules):
        lines.append(f"  {quoted(GROUP + eni)}:")
        for direction in _PEER_KEYS:
            found = [line for rule in rules if (rule.eni, rule.direction) == (eni, direction) for line in _lines(rule)]
            lines.append(f"    {direction}:" if found else f"    {direction}: []")
            lines += [f"      - {{{line}}}" for line in found]
    return "\n".join(lines) + "\n"


def _lines(rule: ReverseRule) -> Iterator[str]:
    keys = {"protocol": protocol_word(rule.protocol)}
    if rule.ports is not None:
        keys["ports"] = ports_text(rule.ports)
    if rule.icmp is not None:
        keys["icmp"] = f"{rule.icmp[0]}/{rule.icmp[1]}"
    for peer in rule.peers:
        yield _keys({**keys, _PEER_KEYS[rule.direction]: _peer(peer)})


def _keys(values: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in values.items())


def _peer(peer: object) -> str:
    """A CIDR as YAML: one with colons stands in quotes."""
    text = str(peer)
    return quoted(text) if ":" in text else text


def quoted(text: str) -> str:
    """Any text as YAML: JSON's escapes are YAML's, and letters stand as they are."""
    return json.dumps(text, ensure_ascii=False)


def ports_text(ports: tuple[int, int]) -> str:
    """`80`, `40000-40010` or `all`."""
    low, high = ports
    if ports == ALL_PORTS:
        return "all"
    return str(low) if low == high else f"{low}-{high}"


# --- network ACLs ------------------------------------------------------------------------------------
def acl_yaml(remedy: Remedy) -> str:
    """The network ACLs that admit what the groups do, whole, with the subnets that no file states."""
    lines = ["subnets:"] if remedy.plan.subnets else []
    lines += [f"  {quoted(subnet.subnet_id)}: {{{_subnet(subnet)}}}" for subnet in remedy.plan.subnets.values()]
    lines.append("network_acls:")
    for acl_id in dict.fromkeys(remedy.plan.acl_of.values()):
        lines += _acl(remedy.rule_set.network_acls[acl_id], remedy)
    return "\n".join(lines) + "\n"


def _subnet(subnet: Subnet) -> str:
    keys = {"cidrs": f"[{', '.join(_peer(block) for block in subnet.cidrs)}]"}
    if subnet.vpc is not None:
        keys["vpc"] = quoted(subnet.vpc)
    return _keys({**keys, "network_acl": quoted(str(subnet.network_acl))})


def _acl(acl: NetworkAcl, remedy: Remedy) -> Iterator[str]:
    yield f"  {quoted(acl.network_acl_id)}:"
    if acl.vpc is not None:
        yield f"    vpc: {quoted(acl.vpc)}"
    if acl.is_default:
        yield "    default: true"
    for direction in _PEER_KEYS:
        entries = acl.ingress if direction == "ingress" else acl.egress
        yield f"    {direction}:" if entries else f"    {direction}: []"
        for entry in entries:
            told = remedy.why.get(entry)
            yield f"      - {{{_entry(entry)}}}" + (f"  # {printable(told)}" if told else "")


def _entry(entry: NetworkAclEntry) -> str:
    keys = {"number": str(entry.number), "action": entry.action, "protocol": protocol_word(entry.protocol)}
    if entry.ports is not None:
        keys["ports"] = ports_text(entry.ports)
    if entry.protocol in ICMP_PROTOCOLS:
        keys["icmp"] = "all" if entry.icmp_type == ANY else f"{entry.icmp_type}/{entry.icmp_code}"
    return _keys({**keys, _PEER_KEYS[entry.direction]: _peer(entry.peer)})


def replaced(remedy: Remedy) -> Iterable[str]:
    """What of the files the network ACLs and subnets stand in place of."""
    plan = remedy.plan
    names = [f"subnet {each}" for each in plan.subnets if each not in plan.made]
    return [
        *names,
        *(f"network ACL {each}" for each in dict.fromkeys(plan.acl_of.values()) if each not in plan.members),
    ]
