"""The way of a packet up to the table: what was read, which interface, what is never filtered, the network ACL."""

from typing import Any

from firewall.exempt import EXEMPTIONS
from firewall.explain.phases import Candidate, Phase
from firewall.explain.rules import beside, listed
from firewall.explain.sight import FAMILIES, Sight, address_of, tuple_text
from firewall.labels import flags_text, protocol_word
from firewall.places import RECEIVER, SENDER
from firewall.policy import numbered
from firewall.verdict import (
    BAD_HEADER,
    DROPPED_AT_SENDER,
    LOCAL,
    NACL_EGRESS,
    NACL_INGRESS,
    NOT_DELIVERED,
    OTHER_INTERFACE,
    SOURCE_DEST_CHECK,
)
from pcaps.batch import (
    BAD_TRANSPORT,
    INBOUND,
    MALFORMED,
    NO_TRANSPORT,
    NOT_IP,
    OK,
    OUTBOUND,
    TRUNCATED,
    UNSUPPORTED_LINK,
)
from pcaps.tunnel import GENEVE, VXLAN
from pcaps.wire import TCP

#: What the decoder says of a packet, as a result and a sentence.
STATUSES = {
    NOT_IP: ("no IP packet", "The link layer carries no IP packet: ARP, LLDP, or what it encrypts or compresses."),
    TRUNCATED: ("cut", "The capture's snap length cut a header that is needed; record whole packets (tcpdump -s 0)."),
    MALFORMED: ("malformed", "The IP header contradicts itself, so no address in it can be trusted."),
    UNSUPPORTED_LINK: ("unknown link layer", "There is no decoder for this link type."),
    BAD_TRANSPORT: ("bad header", "The IP header is fine, the header behind it cannot be read."),
    NO_TRANSPORT: ("no transport header", "The IP header is fine, and no transport header follows it."),
}


# --- what was read -------------------------------------------------------------------------------------
def read_phase(sight: Sight) -> Phase:
    """Layers, lengths and decode status."""
    record, outer = sight.record, sight.outer
    captured = f"{outer['caplen']:,} of {outer['wirelen']:,} bytes of the frame were captured."
    if outer["caplen"] == outer["wirelen"]:
        captured = f"All {outer['wirelen']:,} bytes of the frame were captured."
    status = int(record["status"])
    result, told = STATUSES.get(status, ("ok", ""))
    lines = [told] if told else []
    if record["family"]:
        lines.append(_layers(record, ports=status == OK))
    lines.append(captured)
    lines += _tunnel(sight) + _fragment(record)
    return Phase("read", result, tuple(lines))


def _layers(record: Any, *, ports: bool) -> str:
    ip = f"{FAMILIES[int(record['family'])]}, {record['length']:,} bytes"
    protocol = int(record["protocol"])
    if not ports or protocol != TCP or record["fragment_offset"] > 0:
        return f"{ip}, carrying {protocol_word(protocol)}."
    flags = flags_text(TCP, int(record["tcp_flags"]))
    acknowledges = f", acknowledgement {record['tcp_ack']}" if "ACK" in flags else ""
    return (
        f"{ip}, carrying tcp: flags {flags}, sequence number {record['tcp_seq']}{acknowledges},"
        f" {record['payload']:,} bytes of data."
    )


def _tunnel(sight: Sight) -> list[str]:
    """How an inner packet came."""
    inner = sight.stop.packets.inner
    if inner is None or (
        sight.record["src_lo"] == sight.outer["src_lo"] and sight.record["dst_lo"] == sight.outer["dst_lo"]
    ):
        return []
    kind = int(inner.kind[0])
    words = " in ".join(word for bit, word in ((VXLAN, "VXLAN"), (GENEVE, "GENEVE")) if kind & bit)
    return [f"It came in {words} ({tuple_text(sight.outer)}, network id {inner.vni[0]}); what that carries is judged."]


def _fragment(record: Any) -> list[str]:
    if record["fragment_id"] < 0 and not record["fragment_offset"] and not record["fragment_more"]:
        return []
    more = "more of it follow" if record["fragment_more"] else "the last of it"
    return [f"A fragment: it starts at byte {record['fragment_offset']:,} of its datagram; {more}."]


# --- which interface -----------------------------------------------------------------------------------
def interface_phase(sight: Sight) -> Phase:
    """Whose packet it is, in which direction, and how that was told."""
    eni = sight.eni
    reason = int(sight.row.reason)
    simulated = ", ".join(each.interface_id for each in sight.firewall.interfaces[:5])
    if eni is None:
        if reason == OTHER_INTERFACE:
            line = f"Neither {sight.src} nor {sight.dst} is an address of a simulated interface ({simulated})."
            return Phase("interface", "none", (line,))
        line = f"{sight.dst} is a multicast or broadcast address, and no simulated interface sent it."
        return Phase("interface", "none", (line,)) if reason == NOT_DELIVERED else Phase("interface", "none")
    if reason == LOCAL:
        line = f"{sight.src} and {sight.dst} are both this host's own: the packet never left it."
        return Phase("interface", f"{eni.interface_id}, both ends", (line,))
    return Phase("interface", f"{eni.interface_id}, {sight.direction}", (_told_by(sight),))


def _told_by(sight: Sight) -> str:
    """Which of the ways of firewall.places told the interface."""
    eni, end = sight.eni, "destination" if sight.incoming else "source"
    name = eni.interface_id if eni is not None else ""
    bound = _bound_name(sight)
    if bound:
        return f"Its packets were seen at {name}: --eni {name}={bound}.{_way(sight)}"
    macs = sight.stop.packets.macs
    if macs is not None and eni is not None and eni.mac is not None:
        mac = int(macs[0, RECEIVER if sight.incoming else SENDER])
        if mac == int(eni.mac.replace(":", ""), 16):
            return f"The {end} MAC address {eni.mac} is {name}'s."
    if _addressed(sight):
        return f"The {end} {sight.own} is {'the interface' if sight.own == name else f'an address of {name}'}."
    if sight.stop.packets.inner is not None:
        return f"Traffic mirroring copied it at {name}.{_way(sight)}"
    return f"The capture says that it was seen at {name}."


def _bound_name(sight: Sight) -> str:
    bound = {name for name, number in sight.firewall.places.bound.items() if number == int(sight.row.eni)}
    return next((name for name in bound if name in sight.firewall.places.met), "")


def _way(sight: Sight) -> str:
    words = {INBOUND: " The capture says that it came in.", OUTBOUND: " The capture says that it went out."}
    return words.get(int(sight.outer["way"]), "")


def _addressed(sight: Sight) -> bool:
    """Whether the interface's end is one of its addresses."""
    from ipaddress import ip_address

    own = ip_address(sight.own)
    return sight.eni is not None and any(own in block for block in sight.eni.networks if block.version == own.version)


# --- what is never filtered, and what never arrives ----------------------------------------------------
def exempt_phase(sight: Sight) -> Phase:
    """The services that security groups and network ACLs never filter."""
    if sight.firewall.profile != "aws":
        return Phase("exempt", "no", (f"The {sight.firewall.profile} profile exempts nothing.",))
    if sight.rule.startswith("exempt:"):
        service = sight.rule.removeprefix("exempt:")
        sources = dict.fromkeys(row.source for row in EXEMPTIONS if row.service == service)
        lines = [f"Security groups and network ACLs do not filter {service}.", *sources]
        return Phase("exempt", service, tuple(lines))
    line = (
        f"{sight.peer} is not one of the services that AWS never filters: DHCP, its DNS, metadata, time and the like."
    )
    return Phase("exempt", "no", (line,))


def check_phase(sight: Sight) -> Phase:
    """What drops a packet before any rule is asked."""
    reason = int(sight.row.reason)
    eni = "" if sight.eni is None else sight.eni.interface_id
    if reason == NOT_DELIVERED:
        return Phase("check", "not delivered", (f"{sight.dst} is multicast or broadcast: a VPC delivers neither.",))
    if reason == SOURCE_DEST_CHECK:
        does = f"receive for {sight.own}" if sight.incoming else f"send from {sight.own}"
        line = f"{eni} may not {does}, which is none of its addresses, while its source/destination check is on."
        return Phase("check", "source/destination check fails", (line,))
    if reason == BAD_HEADER and sight.record["bad_ip_checksum"] and not int(sight.row.ct_state):
        return Phase("check", "bad IP checksum", ("The checksum of the IPv4 header is wrong (ip_checksum=1).",))
    if _addressed(sight):
        return Phase("check", "ok", ())
    on = sight.eni is not None and sight.eni.source_dest_check
    why = "it is link-local or unset, which every interface may use" if on else "its source/destination check is off"
    return Phase("check", "ok", (f"{sight.own} is none of {eni}'s addresses, but {why}.",))


# --- network ACLs --------------------------------------------------------------------------------------
def acl_phase(sight: Sight) -> Phase:
    """The entry of the subnet's network ACL that decides, as the engine names it."""
    eni, acl = sight.eni, None if sight.eni is None else sight.rule_set.network_acl_of(sight.eni)
    if eni is None or acl is None:
        where = "" if eni is None else eni.interface_id
        return Phase("network-acl", "none known", (f"The rule files state no network ACL for {where}'s subnet.",))
    if sight.acl is None:
        return Phase("network-acl", "left out", ("This reading leaves network ACLs out.",))
    denied = int(sight.row.reason) in (NACL_INGRESS, NACL_EGRESS)
    name = sight.rule if denied else sight.acl.rule
    if not name:
        return Phase(
            "network-acl", "not met", (f"{sight.peer} is in the same subnet: {acl.network_acl_id} guards its border.",)
        )
    entries = numbered(acl.ingress if sight.incoming else acl.egress, acl.network_acl_id, sight.direction)
    met = []
    for entry in entries:
        met.append(beside(sight, entry, decides=entry.name == name))
        if entry.name == name:
            break
    return Phase("network-acl", f"{name} {'denies' if denied else 'allows'} it", _acl_lines(met), tuple(met))


def _acl_lines(met: list[Candidate]) -> tuple[str, ...]:
    """The entries up to the one that decides."""
    return ("Of the entries that fit, the one with the lowest number decides:", *listed(met))


def stops_before(sight: Sight) -> str:
    """The kind of the phase in which a packet ends before it reaches the table; empty where it reaches it."""
    reason = int(sight.row.reason)
    if sight.record["status"] not in (OK, BAD_TRANSPORT, NO_TRANSPORT):
        return "read"
    if int(sight.row.eni) < 0 or reason in (LOCAL, DROPPED_AT_SENDER):
        return "interface"
    if sight.rule.startswith("exempt:"):
        return "exempt"
    unread = reason == BAD_HEADER and sight.record["bad_ip_checksum"] and not int(sight.row.ct_state)
    if reason in (NOT_DELIVERED, SOURCE_DEST_CHECK) or unread:
        return "check"
    return "network-acl" if reason == NACL_INGRESS else ""


def sender_line(sight: Sight) -> str:
    """Of a packet that never arrived."""
    return f"{address_of(sight.record, 'src')} is simulated too, and its interface denied the packet on its way out."
