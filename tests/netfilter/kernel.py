"""The running kernel as an oracle: what its netfilter does with each frame.

    with Kernel(addresses) as kernel:
        kernel.configure(rules, options)
        answers = kernel.replay(frames)

A frame is sent from one side; behind it goes a marker that nothing filters. The frame was forwarded
if it came out on the far side before its marker, so nothing waits for a timeout.
"""

import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.netfilter.dissect import Network, conntrack_key, is_error, network_of, stands_alone
from tests.netfilter.namespaces import MACS, MTU, Namespaces, visiting
from tests.netfilter.netlink import Entry, LogReader, Table
from tests.netfilter.ruleset import LOG_GROUP, nft_ruleset
from tests.recorded import Address, Rule

DEFAULT_OPTIONS = {"tcp_loose": 1, "tcp_be_liberal": 0, "checksum": 0}
REASON_GROUP = 0  # where nf_conntrack_log_invalid writes
MARKER = b"\x88\xb5" + b"eniwall."  # an EtherType for experiments (IEEE 802, local experimental 1)
MARKER_WAIT = 5.0  # s; the marker comes at once or the bridge is broken
SPIN = 300_000  # ns before a frame is due in which the wait no longer sleeps
LARGEST_FRAME = MTU + 64
TCP_LETTERS = "-srefcltxS"
SCTP_LETTERS = "-xppepppp"  # CLOSED and ESTABLISHED as in TCP, p the others
NOT_JUDGED = "X"
FORWARDED, DROPPED, HELD = "F", "D", "H"


class Timed(NamedTuple):
    """A frame and when it is due, ns behind the first; all 0: as fast as can be."""

    due: int
    data: bytes


class Answer(NamedTuple):
    """Letters as in `tests.recorded.Config`, the time of sending (ns), the rule that accepted, the kernel's words.

    `state` is the letter of a TCP entry's state, `+` for an entry of another protocol, `-` for none, and
    empty where there is none to ask for: a fragment, whose datagram is not known before its last one, and
    an ICMP error that was not related to what it quotes.
    """

    verdict: str
    ct: str = "-"
    entry: str = "-"
    time: int = 0
    rule: int | None = None
    reason: str = ""
    state: str = "-"


class Kernel:
    """Namespaces and what is read from them; a context manager, so that they always go away.

    `reasons` asks for the kernel's words on every packet that it calls invalid, which is slower.
    """

    def __init__(self, addresses: Iterable[Address], *, reasons: bool = False) -> None:
        self._addresses = {address.packed for address in addresses}
        self._reasons = reasons
        self._affinity = os.sched_getaffinity(0)
        self._sent = 0
        self._open()

    def _open(self) -> None:
        self._untouched: dict[str, str] = {}
        self._fragments_wait = False
        self._namespaces = Namespaces()
        try:
            with visiting(self._namespaces.firewall):
                if self._reasons:
                    _log_reasons()
                self._log = LogReader(LOG_GROUP, *([REASON_GROUP] if self._reasons else []))
                self._table = Table()
            self._sockets = self._namespaces.packet_sockets()
            self._wait_for_bridge()
        except BaseException:
            self._namespaces.close()
            raise

    def close(self) -> None:
        """Take the namespaces away."""
        for end in self._sockets.values():
            end.close()
        self._log.close()
        self._table.close()
        self._namespaces.close()

    def __enter__(self) -> Self:
        # On one CPU a frame and the marker behind it stay in order, whatever the softirqs do.
        os.sched_setaffinity(0, {max(self._affinity)})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.sched_setaffinity(0, self._affinity)
        self.close()

    def configure(self, rules: Sequence[Rule], options: Mapping[str, int] | None = None) -> None:
        """Load rules, set conntrack sysctls (names without `nf_conntrack_`), forget every connection and fragment."""
        if self._fragments_wait:  # there is no way to flush them
            self.close()
            self._open()
        self._namespaces.load(nft_ruleset(rules))
        with visiting(self._namespaces.firewall):
            for name, value in (self._untouched | DEFAULT_OPTIONS | dict(options or {})).items():
                path = option_path(name)
                self._untouched.setdefault(name, path.read_text().strip())
                path.write_text(str(value))
        self._table.flush()

    def replay(self, frames: Iterable[Timed]) -> list[Answer]:
        """What happened to each frame, in order. All fragments carry their datagram's answer."""
        answers: list[Answer] = []
        waiting: dict[tuple[bytes, ...], list[int]] = {}
        start = time.monotonic_ns()
        for frame in frames:
            ip = network_of(frame.data)
            side = self._side(ip)
            if ip is None or side is None:
                answers.append(Answer(NOT_JUDGED, time=time.monotonic_ns()))
                continue
            _wait_until(start + frame.due)
            answer = self._judge(side, frame.data, ip)
            answers.append(answer)
            if ip.datagram is not None and not stands_alone(ip, frame.data):
                _settle(answers, waiting, ip.datagram)
        self._fragments_wait |= any(answer.verdict == HELD for answer in answers)
        return answers

    def _side(self, ip: Network | None) -> str | None:
        """The end that sends: `eni` if the source is the interface, None if both or none of them is."""
        if ip is None or (ip.src in self._addresses) == (ip.dst in self._addresses):
            return None
        return "eni" if ip.src in self._addresses else "outside"

    def _judge(self, side: str, data: bytes, ip: Network) -> Answer:
        sent = time.monotonic_ns()
        came_out = self._send(side, data)
        ct, rule, reasons = "-", None, []
        for logged in self._log.drain():
            if logged.group == LOG_GROUP:
                ct = logged.prefix[0]
                rule = int(logged.prefix[1:]) if len(logged.prefix) > 1 else None
            else:
                reasons.append(logged.prefix)
        verdict = FORWARDED if came_out else HELD if ip.datagram is not None and ct == "-" else DROPPED
        key = conntrack_key(ip, data)
        entry = self._table.get(*key) if key is not None else None
        unknown = ip.datagram is not None or (ct == "I" and is_error(ip, data))
        state = "" if unknown else state_letter(entry)
        return Answer(verdict, ct, entry_letter(entry), sent, rule, "; ".join(reasons), state)

    def _send(self, side: str, data: bytes) -> bool:
        """Send a frame and its marker; whether anything came out before the marker."""
        far = "eni" if side == "outside" else "outside"
        header = MACS[far] + MACS[side]
        self._sent += 1
        marker = MARKER + struct.pack("!Q", self._sent)
        self._sockets[side].send(header + data[12:])
        self._sockets[side].send(header + marker + b"\0" * 32)
        came_out = False
        while True:
            frame = self._sockets[far].recv(LARGEST_FRAME)
            if frame[12:].startswith(marker):
                return came_out
            came_out |= frame[12:14] != MARKER[:2]

    def _wait_for_bridge(self) -> None:
        """Until a marker gets through both ways; the ports of a new bridge need a moment."""
        for side, far in (("outside", "eni"), ("eni", "outside")):
            probe = MACS[far] + MACS[side] + MARKER + b"\0" * 40
            self._sockets[far].settimeout(0.02)
            for _ in range(200):
                self._sockets[side].send(probe)
                try:
                    self._sockets[far].recv(LARGEST_FRAME)
                except TimeoutError:
                    continue
                break
            else:
                raise OSError("the bridge forwards nothing")
            self._sockets[far].settimeout(MARKER_WAIT)


def option_path(name: str) -> Path:
    """The file of a sysctl in the namespace that this thread is in; `ipfrag_time` is IPv4's, all others conntrack's."""
    if name == "ipfrag_time":
        return Path("/proc/sys/net/ipv4/ipfrag_time")
    return Path(f"/proc/sys/net/netfilter/nf_conntrack_{name}")


def _log_reasons() -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        Path(f"/proc/sys/net/netfilter/nf_log/{int(family)}").write_text("nfnetlink_log")
    option_path("log_invalid").write_text("255")


def _wait_until(due: int) -> None:
    """Sleep most of the way, spin the rest."""
    while (left := due - time.monotonic_ns()) > 0:
        if left > SPIN:
            time.sleep((left - SPIN) / 1e9)


def _settle(answers: list[Answer], waiting: dict[tuple[bytes, ...], list[int]], datagram: tuple[bytes, ...]) -> None:
    """The newest answer is a fragment's: give its datagram's answer to those that waited, or let it wait."""
    answer = answers[-1]
    earlier = waiting.setdefault(datagram, [])
    if answer.verdict == HELD:
        earlier.append(len(answers) - 1)
        return
    for index in waiting.pop(datagram):
        answers[index] = answers[index]._replace(verdict=answer.verdict, ct=answer.ct, rule=answer.rule)


def state_letter(entry: Entry | None) -> str:
    """As in `Answer.state`."""
    if entry is None:
        return "-"
    return "+" if entry.tcp_state is None else TCP_LETTERS[entry.tcp_state]


def entry_letter(entry: Entry | None) -> str:
    """As in `tests.recorded.Config.entry`."""
    if entry is None:
        return "-"
    if entry.tcp_state is not None:
        return TCP_LETTERS[entry.tcp_state]
    if entry.sctp_state is not None:
        return SCTP_LETTERS[entry.sctp_state]
    return "a" if entry.assured else "b" if entry.answered else "u"
