"""The slow, obvious twin of the engine: one interface, one table, Linux nf_conntrack in plain Python.

Written apart from the product's kernels, so that the two can be held against each other and both
against recorded kernel verdicts. Behaviour is nf_conntrack's of Linux 6.18 (nf_conntrack_core.c,
nf_conntrack_proto_{tcp,udp,icmp,icmpv6,generic,gre}.c) behind a policy of drop that accepts
established and related, and meets the rules with new packets only.

Left out: a header cut by the snap length (bad here), fragments (an error), SCTP (every packet is invalid
here), a full table, IPv6 redirects.
"""

from dataclasses import dataclass
from typing import NamedTuple

from tests.recorded import Address, Rule
from tests.reference_frames import (
    GRE,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    UDP_LITE,
    Ip,
    ip_of_frame,
    read_ip,
    read_tcp,
    transport_checksum_good,
)
from tests.reference_tcp import Marks, TcpTracker, Verdict, can_be

SECOND = 10**9
PPP = b"\x88\x0b"  # all that GRE version 1, PPTP, carries
STREAM_AGE = 2 * SECOND  # a UDP flow that still speaks after it is a stream
PORTS = (TCP, UDP, UDP_LITE)
ICMP_ERRORS = (3, 4, 5, 11, 12)
ICMPV6_UNTRACKED = (130, 131, 132, 133, 134, 135, 136, 143, 151, 152)
ICMP_PARTNERS = {
    ICMP: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17},
    ICMPV6: {128: 129, 129: 128, 139: 140, 140: 139},
}
ICMP_OPENERS = {ICMP: (8, 13, 15, 17), ICMPV6: (128, 139)}
TIMEOUTS = {
    UDP: "udp_timeout",
    UDP_LITE: "udp_timeout",
    GRE: "gre_timeout",
    ICMP: "icmp_timeout",
    ICMPV6: "icmpv6_timeout",
}
STATE_LETTERS = {
    "SYN_SENT": "s",
    "SYN_RECV": "r",
    "ESTABLISHED": "e",
    "FIN_WAIT": "f",
    "CLOSE_WAIT": "c",
    "LAST_ACK": "l",
    "TIME_WAIT": "t",
    "CLOSE": "x",
    "SYN_SENT2": "S",
}
LINUX = {
    "tcp_loose": 1,
    "tcp_be_liberal": 0,
    "tcp_max_retrans": 3,
    "tcp_ignore_invalid_rst": 0,
    "checksum": 0,
    "tcp_timeout_syn_sent": 120,
    "tcp_timeout_syn_recv": 60,
    "tcp_timeout_established": 432000,
    "tcp_timeout_fin_wait": 120,
    "tcp_timeout_close_wait": 60,
    "tcp_timeout_last_ack": 30,
    "tcp_timeout_time_wait": 120,
    "tcp_timeout_close": 10,
    "tcp_timeout_max_retrans": 300,
    "tcp_timeout_unacknowledged": 300,
    "udp_timeout": 30,
    "udp_timeout_stream": 120,
    "icmp_timeout": 30,
    "icmpv6_timeout": 30,
    "gre_timeout": 30,
    "gre_timeout_stream": 180,
    "generic_timeout": 600,
}
"""Every option by its sysctl name without `nf_conntrack_`; timeouts in seconds."""

AWS_TIMEOUTS = {"tcp_timeout_established": 350, "udp_timeout_stream": 180}
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html"""


class Answer(NamedTuple):
    """Letters of the recorded verdicts (see `tests.recorded.Config`) and the engine's reason."""

    verdict: str
    ct: str
    entry: str
    reason: str = ""


class Tuple(NamedTuple):
    """A flow seen from one packet. `src` and `dst` parts: the ports; of ICMP id and (type, code)."""

    family: int
    protocol: int
    src: Address
    dst: Address
    src_part: int
    dst_part: int | tuple[int, int]


@dataclass
class Entry:
    """One connection, found by its original and by its reply tuple."""

    original: Tuple
    reply: Tuple
    created: int
    marks: Marks
    confirmed: bool = False

    def letter(self) -> str:
        """As in `tests.recorded.Config.entry`."""
        if isinstance(self.marks, TcpTracker):
            return STATE_LETTERS[self.marks.state]
        return "a" if self.marks.assured else "b" if self.marks.seen_reply else "u"


class Twin:
    """Judges frames, in order of time, at the interface that has these addresses."""

    def __init__(self, addresses: tuple[Address, ...], rules: tuple[Rule, ...], options: dict[str, int]) -> None:
        unknown = options.keys() - LINUX.keys()
        if unknown:
            raise ValueError(f"unknown options: {sorted(unknown)}")
        self.addresses = addresses
        self.rules = rules
        self.options = LINUX | options
        self.table: dict[Tuple, Entry] = {}
        self.timed_out: set[Tuple] = set()

    def judge(self, time: int, frame: bytes) -> Answer:
        """One frame at `time` (ns)."""
        ip = ip_of_frame(frame)
        if ip is None or (ip.src in self.addresses) == (ip.dst in self.addresses):
            return Answer("X", "-", "-")
        if not ip.checksum_good:
            return Answer("D", "-", "-", "bad-header")
        ct, reason = self._track(ip, time)
        key = quoted_tuple(ip) if is_icmp_error(ip) else tuple_of(ip)
        entry = self._find(key, time)
        return Answer("F" if reason in ("rule", "established", "related") else "D", ct, _letter(entry), reason)

    def _track(self, ip: Ip, time: int) -> tuple[str, str]:
        """The packet's ct letter and the reason of its verdict."""
        if is_icmp_error(ip):
            return self._relate(ip, time)
        if ip.protocol == ICMPV6 and ip.family == 6 and len(ip.transport) >= 8 and ip.transport[0] in ICMPV6_UNTRACKED:
            return "U", "untracked-dropped"
        key = tuple_of(ip)
        reply = inverse(key)
        bad = self._bad_header(ip)
        if key is None or reply is None or bad:
            return "I", bad or "invalid-state"
        entry = self._find(key, time)
        if entry is None:
            entry = Entry(key, reply, time, TcpTracker(options=self.options) if ip.protocol == TCP else Marks())
        is_reply = key == entry.reply
        verdict = self._advance(entry, ip, time)
        if verdict is Verdict.REOPEN:
            self._delete(entry)
            return self._track(ip, time)
        if verdict.is_invalid:
            gone = not entry.confirmed and key in self.timed_out
            return "I", "expired" if gone else verdict.value
        if verdict is Verdict.DELETE:
            self._delete(entry)
        if is_reply or entry.marks.seen_reply:
            entry.marks.seen_reply = True
            return "E", "established"
        if not self._permits(ip):
            return "N", "no-ingress-rule" if ip.dst in self.addresses else "no-egress-rule"
        if not entry.confirmed:
            entry.confirmed = True
            self.table[entry.original] = self.table[entry.reply] = entry
            self.timed_out -= {entry.original, entry.reply}
        return "N", "rule"

    def _advance(self, entry: Entry, ip: Ip, time: int) -> Verdict:
        """The protocol's tracker: changes the entry, sets its timer."""
        marks, protocol = entry.marks, ip.protocol
        segment = read_tcp(ip) if protocol == TCP else None
        if segment is not None and isinstance(marks, TcpTracker):
            return marks.advance(segment, int(tuple_of(ip) == entry.reply), time)
        if not entry.confirmed and protocol in ICMP_OPENERS and ip.transport[0] not in ICMP_OPENERS[protocol]:
            return Verdict.INVALID_STATE
        name = TIMEOUTS.get(protocol or 0, "generic_timeout")
        old_enough = protocol != UDP or time > entry.created + STREAM_AGE
        if marks.seen_reply and old_enough and name in {"udp_timeout", "gre_timeout"}:
            marks.assured, name = True, name + "_stream"
        marks.expires = time + self.options[name] * SECOND
        return Verdict.ACCEPT

    def _relate(self, ip: Ip, time: int) -> tuple[str, str]:
        """An ICMP error: RELATED if it goes to the sender of a packet of a known flow."""
        quoted = quoted_tuple(ip)
        if self._bad_header(ip):
            return "I", "bad-header"
        if quoted is None or inverse(quoted) is None:
            return "I", "icmp-unrelated"
        if self._find(quoted, time) is None:
            return "I", "expired" if quoted in self.timed_out else "icmp-unrelated"
        return ("R", "related") if quoted.src == ip.dst else ("I", "icmp-unrelated")

    def _bad_header(self, ip: Ip) -> str:
        """The reason if the transport header is bad, else empty."""
        data = ip.transport
        if ip.protocol == TCP:
            segment = read_tcp(ip)
            if segment is not None and not can_be(segment.flags):
                return "bad-flags"
            bad = segment is None
        elif ip.protocol in (UDP, UDP_LITE):
            length = int.from_bytes(data[4:6])
            whole = ip.protocol == UDP_LITE and length == 0
            bad = len(data) < 8 or (not whole and not 8 <= length <= ip.length)
            bad |= ip.protocol == UDP_LITE and data[6:8] == b"\0\0"  # RFC 3828 section 3.1: mandatory
        elif ip.protocol in (ICMP, ICMPV6):
            if (ip.protocol == ICMPV6) != (ip.family == 6):
                return "invalid-state"
            bad = len(data) < 8
        elif ip.protocol == GRE:
            bad = len(data) >= 8 and data[1] & 7 == 1 and data[2:4] != PPP
        else:
            bad = ip.protocol == SCTP
        checked = self.options["checksum"] and ip.protocol in (TCP, UDP, ICMP, ICMPV6)
        return "bad-header" if bad or (checked and not transport_checksum_good(ip)) else ""

    def _permits(self, ip: Ip) -> bool:
        """Whether a rule allows this new packet."""
        return any(_matches(rule, ip, inbound=ip.dst in self.addresses) for rule in self.rules)

    def _find(self, key: Tuple | None, time: int) -> Entry | None:
        """The living entry of the tuple; one whose time has come goes now."""
        entry = self.table.get(key) if key else None
        if entry is not None and entry.marks.expires <= time:
            self._delete(entry)
            self.timed_out |= {entry.original, entry.reply}
            return None
        return entry

    def _delete(self, entry: Entry) -> None:
        self.table.pop(entry.original, None)
        self.table.pop(entry.reply, None)


def is_icmp_error(ip: Ip) -> bool:
    """IPv4's five error types; every ICMPv6 type below 128."""
    if len(ip.transport) < 1:
        return False
    kind = ip.transport[0]
    if ip.family == 4:
        return ip.protocol == ICMP and kind in ICMP_ERRORS
    return ip.protocol == ICMPV6 and kind < 128


def quoted_tuple(ip: Ip) -> Tuple | None:
    """The tuple of the packet that an ICMP error quotes."""
    quoted = read_ip(ip.transport[8:], ip.family, quoted=True)
    return tuple_of(quoted) if quoted is not None else None


def tuple_of(ip: Ip) -> Tuple | None:
    """The packet's key; None where its headers are too short for one."""
    data = ip.transport
    parts: tuple[int, int | tuple[int, int]] | None
    if ip.protocol is None:
        return None
    if ip.protocol in (*PORTS, SCTP):
        parts = (int.from_bytes(data[:2]), int.from_bytes(data[2:4])) if len(data) >= 4 else None
    elif ip.protocol in (ICMP, ICMPV6):
        parts = (int.from_bytes(data[4:6]), (data[0], data[1])) if len(data) >= 8 else None
    elif ip.protocol == GRE and len(data) >= 8 and data[1] & 7 == 1:
        parts = (0, int.from_bytes(data[6:8])) if data[2:4] == PPP else None  # PPTP's call id
    else:
        parts = (0, 0)
    return Tuple(ip.family, ip.protocol, ip.src, ip.dst, *parts) if parts else None


def inverse(key: Tuple | None) -> Tuple | None:
    """The tuple of the answer; None for ICMP types that have none."""
    if key is None:
        return None
    family, protocol, src, dst, src_part, dst_part = key
    if isinstance(dst_part, int):
        return Tuple(family, protocol, dst, src, dst_part, src_part)
    partner = ICMP_PARTNERS[protocol].get(dst_part[0])
    return None if partner is None else Tuple(family, protocol, dst, src, src_part, (partner, dst_part[1]))


def _letter(entry: Entry | None) -> str:
    return "-" if entry is None else entry.letter()


def _matches(rule: Rule, ip: Ip, *, inbound: bool) -> bool:
    peer = ip.src if inbound else ip.dst
    if (rule.direction == "ingress") != inbound or peer.version != rule.peer.version or peer not in rule.peer:
        return False
    if rule.protocol not in (-1, ip.protocol):
        return False
    if rule.ports is not None and rule.protocol in PORTS:
        return rule.ports[0] <= int.from_bytes(ip.transport[2:4]) <= rule.ports[1]
    if rule.icmp_type is not None and rule.protocol in (ICMP, ICMPV6):
        return rule.icmp_type == ip.transport[0] and rule.icmp_code in (None, ip.transport[1])
    return True
