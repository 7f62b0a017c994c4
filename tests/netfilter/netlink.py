"""The two netlink subsystems that tell what conntrack thinks: NFLOG and ctnetlink.

Numbers are those of linux/netfilter/nfnetlink.h, nfnetlink_log.h and nfnetlink_conntrack.h.
Attributes are in host byte order, their values mostly in network order.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NLMSG_ERROR = 2
CT_GET, CT_DELETE = 1 << 8 | 1, 1 << 8 | 2
LOG_PACKET, LOG_CONFIG = 4 << 8, 4 << 8 | 1
NESTED = 0x8000
RECEIVE_BUFFER = 1 << 24
LARGEST_MESSAGE = 1 << 16

TUPLE_ORIGINAL, STATUS, PROTOCOL_INFO = 1, 3, 4
TUPLE_IP, TUPLE_PROTOCOL = 1, 2
INFO_TCP, INFO_SCTP = 1, 3
LOG_PREFIX = 10
SEEN_REPLY, ASSURED = 2, 4


class Entry(NamedTuple):
    """A connection as ctnetlink shows it; `state` is the number of its TCP or SCTP state, or None."""

    answered: bool
    assured: bool
    tcp_state: int | None
    sctp_state: int | None


class Logged(NamedTuple):
    """One NFLOG message: its group and the prefix of the rule (or the kernel's own words)."""

    group: int
    prefix: str


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    size = len(value) + 4
    return struct.pack("HH", size, kind) + value + b"\0" * (-size % 4)


def nested(kind: int, *values: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NESTED, b"".join(values))


def attributes(data: bytes) -> dict[int, bytes]:
    """Kind to value; the last of a kind wins."""
    found, at = {}, 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("HH", data, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


def message(kind: int, flags: int, family: int, resource: int, body: bytes) -> bytes:
    """A netlink header, the netfilter header (family, version 0, resource) and attributes."""
    payload = struct.pack("!BBH", family, 0, resource) + body
    return struct.pack("IHHII", 16 + len(payload), kind, NLM_F_REQUEST | flags, 0, 0) + payload


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and payload of every message of a datagram."""
    at = 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("IH", data, at)
        if size < 16:
            return
        yield kind, data[at + 16 : at + size]
        at += (size + 3) & ~3


def netfilter_socket() -> socket.socket:
    """A netlink socket in the namespace that this thread is in."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    made.bind((0, 0))
    return made


def acknowledged(channel: socket.socket, request: bytes) -> None:
    """Send a request that asks for an acknowledgement; OSError where the kernel refuses."""
    channel.send(request)
    data = channel.recv(LARGEST_MESSAGE)
    for kind, payload in messages(data):
        number = -struct.unpack_from("i", payload)[0] if kind == NLMSG_ERROR else 0
        if number:
            raise OSError(number, os.strerror(number))


class LogReader:
    """NFLOG groups, message by message."""

    def __init__(self, *groups: int) -> None:
        self._channel = netfilter_socket()
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        for group in groups:
            for body in (
                attribute(1, b"\x01"),  # NFULA_CFG_CMD: bind
                attribute(2, struct.pack("!IBB", 0, 1, 0)),  # NFULA_CFG_MODE: no packet bytes
                attribute(5, struct.pack("!I", 1)),  # NFULA_CFG_QTHRESH: every message at once
            ):
                acknowledged(self._channel, message(LOG_CONFIG, NLM_F_ACK, 0, group, body))
        self._channel.setblocking(False)

    def drain(self) -> list[Logged]:
        """What was logged since the last call."""
        found: list[Logged] = []
        while True:
            try:
                data = self._channel.recv(LARGEST_MESSAGE)
            except BlockingIOError:
                return found
            for kind, payload in messages(data):
                if kind == LOG_PACKET:
                    group = struct.unpack_from("!H", payload, 2)[0]
                    prefix = attributes(payload[4:]).get(LOG_PREFIX, b"")
                    found.append(Logged(group, prefix.rstrip(b"\0").decode("latin-1").strip()))

    def close(self) -> None:
        """Give the groups back."""
        self._channel.close()


class Table:
    """The connection table of the namespace that this thread is in."""

    def __init__(self) -> None:
        self._channel = netfilter_socket()

    def get(self, family: int, key: bytes) -> Entry | None:
        """The entry whose original or reply tuple is `key` (a CTA_TUPLE_ORIG attribute), or None."""
        self._channel.send(message(CT_GET, 0, family, 0, key))
        kind, payload = next(messages(self._channel.recv(LARGEST_MESSAGE)))
        if kind == NLMSG_ERROR:
            number = -struct.unpack_from("i", payload)[0]
            if number == errno.ENOENT:
                return None
            raise OSError(number, os.strerror(number))
        found = attributes(payload[4:])
        status = struct.unpack("!I", found[STATUS])[0]
        info = attributes(found.get(PROTOCOL_INFO, b""))
        states = [attributes(info[kind])[1][0] if kind in info else None for kind in (INFO_TCP, INFO_SCTP)]
        return Entry(bool(status & SEEN_REPLY), bool(status & ASSURED), states[0], states[1])

    def flush(self) -> None:
        """Forget every connection."""
        acknowledged(self._channel, message(CT_DELETE, NLM_F_ACK, 0, 0, b""))

    def close(self) -> None:
        """Close the socket; the table stays."""
        self._channel.close()
