"""The lines of a lesson's packets, from YAML to what they say; nothing is made of them yet."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Literal

from firewall.lessons.lesson import AGAIN, Change, Crafted, End, IcmpError, Line, Talk, Wait
from firewall.lessons.read_words import MOST_WAIT, NS, Reader
from firewall.sources.located import Node
from firewall.sources.reading import fields, mapping, quoted, sequence, shown, suggestion, text

MOST_LINES = 1000
MOST_FRAGMENTS = 40  # 40 kB: a datagram of IPv4 has at most 64 KiB (RFC 791 section 3.1)
MOST_PACKETS = 10_000  # of one scene
LONGEST_SEND = 4000  # characters
LONGEST_EXPRESSION = 20_000  # characters; scapy's own bounds follow (pcaps.craft)
FLAGS = "FSRPAUEC"  # FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, as scapy writes them
NO_FLAGS = "none"
EXAMPLE = '{tcp: "client:40000 > web:22", send: ">S <SA >A"}'
BESIDE = ("send", "id", "fragments", "type", "quotes")  # keys that stand beside one of KINDS
KINDS = ("tcp", "udp", "ping", "icmp", "wait", "change", "scapy")

Kind = Literal["tcp", "udp", "ping"]
MORE: dict[Kind, tuple[str, ...]] = {"tcp": (), "udp": ("fragments",), "ping": ("id",)}
SEND_EXAMPLES: dict[Kind, str] = {"tcp": '">S <SA >A"', "udp": '"> <"', "ping": '"> <"'}
ICMP_EXAMPLE = '{icmp: "router > web", type: 3/4, quotes: {tcp: "web:443 > client:40000"}}'
_TYPE = re.compile(r"([0-9]{1,3})/([0-9]{1,3})")
_TALK = re.compile(r"(\S+)\s*>\s*(\S+)")
_END = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")


def lines(node: Node, reader: Reader) -> tuple[Line, ...]:
    """The packets of a scene or connection, line by line."""
    nodes = sequence(node, reader.findings, f"a list of {EXAMPLE}")
    if len(nodes) > MOST_LINES:
        reader.findings.error(node, f"{len(nodes):,} lines of packets: write at most {MOST_LINES:,}")
        return ()
    said = [(item, _line(item, reader)) for item in nodes]
    found = [each for _, each in said if each is not None]
    _check_waits(said, reader)
    packets = sum(len(each.send) * each.fragments for each in found if isinstance(each, Talk))
    crafts = any(isinstance(each, Crafted | IcmpError) for each in found)
    if isinstance(node.value, list) and not packets and not crafts and len(found) == len(nodes):
        reader.findings.error(node, f"there is no packet: write {EXAMPLE}")
    if packets > MOST_PACKETS:
        reader.findings.error(node, f"{packets:,} packets: a scene has at most {MOST_PACKETS:,}")
    return tuple(found)


def _check_waits(said: list[tuple[Node, Line | None]], reader: Reader) -> None:
    """Note the line at which a scene's pauses become too long together."""
    waited = 0
    for node, line in said:
        waited += line.time if isinstance(line, Wait) else 0
        if waited > MOST_WAIT * NS:
            reader.findings.error(node, f"the waits up to here are more than {MOST_WAIT:,} seconds: wait less")
            return


def _line(node: Node, reader: Reader) -> Line | None:
    found = mapping(node, reader.findings, EXAMPLE)
    named = [kind for kind in KINDS if kind in found]
    if len(named) != 1:
        if isinstance(node.value, dict):
            wrong = next((key for key in found if key not in (*KINDS, *BESIDE)), None)
            hint = "" if wrong is None else f" ({quoted(wrong)}: {suggestion(wrong, KINDS)})"
            reader.findings.error(node, f"a line is one of {', '.join(KINDS)}, found {len(named)}{hint}")
        return None
    return READ[named[0]](node, reader)


# --- conversations -------------------------------------------------------------------------------------
def _talk(kind: Kind) -> Callable[[Node, Reader], Talk | None]:
    def read(node: Node, reader: Reader) -> Talk | None:
        known = (kind, "send", *MORE[kind])
        found = fields(node, reader.findings, known, EXAMPLE)
        ends = _ends(found[kind], kind, reader)
        send = reader.required(node, "send", SEND_EXAMPLES[kind], lambda it: _send(it, kind, reader))
        identifier = _number(found["id"], (0, 0xFFFF), reader) if "id" in found else 1
        fragments = _number(found["fragments"], (2, MOST_FRAGMENTS), reader) if "fragments" in found else 1
        if ends is None or send is None or identifier is None or fragments is None:
            return None
        return Talk(str(node), kind, *ends, send, identifier, fragments)

    return read


def _ends(node: Node, kind: Kind, reader: Reader) -> tuple[End, End] | None:
    """`client:40000 > web:22`; a ping has no ports."""
    write = "client > web" if kind == "ping" else "client:40000 > web:22"
    said = text(node, reader.findings, "the two ends")
    match = None if said is None else _TALK.fullmatch(said.strip())
    if match is None:
        if said is not None:
            reader.findings.error(node, f"{shown(node)} does not name two ends: write {write}")
        return None
    left, right = (_end(word, node, kind, reader) for word in match.groups())
    if left is None or right is None:
        return None
    if ip_address(left.address).version != ip_address(right.address).version:
        reader.findings.error(node, f"{left.address} and {right.address} are not of one family")
        return None
    return left, right


def _end(word: str, node: Node, kind: Kind, reader: Reader) -> End | None:
    if kind == "ping":
        address = _address(word.strip("[]"), node, reader)
        return None if address is None else End(address)
    match = _END.fullmatch(word)
    if match is None or int(match[3]) > 65535:
        reader.findings.error(node, f"{quoted(word)} is no host with a port from 0 to 65535: write client:40000")
        return None
    address = _address(match[1] or match[2], node, reader)
    return None if address is None else End(address, int(match[3]))


def _address(word: str, node: Node, reader: Reader) -> str | None:
    """The address of a host's name, or an address as it is."""
    if word in reader.hosts:
        return reader.hosts[word]
    try:
        return str(ip_address(word))
    except ValueError:
        reader.findings.error(node, f"no host {quoted(word)}: {suggestion(word, reader.hosts)}, or write an address")
        return None


def _send(node: Node, kind: Kind, reader: Reader) -> tuple[tuple[str, str], ...] | None:
    """`>S <SA >A`: a packet a word."""
    if not isinstance(node.value, str) or not 0 < len(node.value) <= LONGEST_SEND:
        reader.findings.error(node, f"{shown(node)} says no packets: write {SEND_EXAMPLES[kind]}")
        return None
    found = []
    for word in node.value.split():
        flags = "" if word[1:] == NO_FLAGS else word[1:]
        if kind == "tcp" and word[0] in "<>" and flags == AGAIN:
            found.append((word[0], flags))
            continue
        if word[0] not in "<>":
            wrong = "begins with > (sent by the left end) or < (by the right)"
        elif kind != "tcp" and word[1:]:
            wrong = f"is > or <, without flags: {kind} has none"
        elif kind == "tcp" and not word[1:]:
            wrong = f"has TCP's flags, such as >S; a packet without flags is >{NO_FLAGS}"
        elif set(flags) - set(FLAGS) or len(set(flags)) < len(flags):
            wrong = f"has flags of {FLAGS}, each once"
        else:
            found.append((word[0], flags))
            continue
        reader.findings.error(node, f"{quoted(word)} is no packet: a word {wrong}")
        return None
    if not found:
        reader.findings.error(node, "says no packets")
    return tuple(found) or None


def _number(node: Node, bounds: tuple[int, int], reader: Reader) -> int | None:
    first, last = bounds
    if isinstance(node.value, int) and not isinstance(node.value, bool) and first <= node.value <= last:
        return node.value
    reader.findings.error(node, f"{shown(node)} cannot stand here: write a number from {first} to {last}")
    return None


# --- ICMP errors -----------------------------------------------------------------------------------------
def _icmp(node: Node, reader: Reader) -> IcmpError | None:
    """`{icmp: "router > web", type: 3/4, quotes: {tcp: "web:443 > client:40000"}}`."""
    found = fields(node, reader.findings, ("icmp", "type", "quotes"), ICMP_EXAMPLE)
    ends = _ends(found["icmp"], "ping", reader)
    kind = reader.required(node, "type", "type: 3/4", lambda it: _type(it, reader))
    quoted = reader.required(node, "quotes", '{tcp: "web:443 > client:40000"}', lambda it: _quoted(it, reader))
    if ends is None or kind is None or quoted is None:
        return None
    return IcmpError(str(node), ends[0].address, ends[1].address, *kind, quoted)


def _type(node: Node, reader: Reader) -> tuple[int, int] | None:
    """`3/4`: type and code."""
    match = _TYPE.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None or max(map(int, match.groups())) > 255:
        reader.findings.error(node, f"{shown(node)} is no type with its code: write 3/4")
        return None
    return int(match[1]), int(match[2])


def _quoted(node: Node, reader: Reader) -> Talk | None:
    """The conversation whose packet is quoted: one end sends, the other is meant."""
    found = mapping(node, reader.findings, '{tcp: "web:443 > client:40000"}')
    kinds: tuple[Kind, ...] = ("tcp", "udp", "ping")
    named = [kind for kind in kinds if kind in found]
    if len(found) != 1 or len(named) != 1:
        if isinstance(node.value, dict):
            reader.findings.error(node, f"one packet is quoted: write one of {', '.join(kinds)} with its ends")
        return None
    ends = _ends(found[named[0]], named[0], reader)
    return None if ends is None else Talk(str(node), named[0], *ends, ((">", "A" if named[0] == "tcp" else ""),))


# --- the others ----------------------------------------------------------------------------------------
def _wait(node: Node, reader: Reader) -> Wait | None:
    time = reader.seconds(fields(node, reader.findings, ("wait",), "{wait: 400}")["wait"])
    return None if time is None else Wait(time)


def _change(node: Node, reader: Reader) -> Change | None:
    change = fields(node, reader.findings, ("change",), '{change: {revoke: ["web:ingress[0]"]}}')["change"]
    return Change(change)


def _crafted(node: Node, reader: Reader) -> Crafted | None:
    """Only the words are read here; the layers and fields that there are, scapy knows."""
    from pcaps.errors import CraftError
    from pcaps.expression import Expression

    found = fields(node, reader.findings, ("scapy",), "{scapy: 'IP(src=...)/TCP(...)'}")["scapy"]
    if not isinstance(found.value, str) or len(found.value) > LONGEST_EXPRESSION:
        reader.findings.error(found, f"{shown(found)} is no packet in scapy's words: write 'IP(src=...)/UDP(...)'")
        return None
    try:
        Expression(found.value)
    except CraftError as error:
        reader.findings.error(found, str(error).split("\n", 1)[0])
        return None
    return Crafted(str(found), found.value)


READ: dict[str, Callable[[Node, Reader], Line | None]] = {
    "tcp": _talk("tcp"),
    "udp": _talk("udp"),
    "ping": _talk("ping"),
    "icmp": _icmp,
    "wait": _wait,
    "change": _change,
    "scapy": _crafted,
}
