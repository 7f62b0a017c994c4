"""The lines of a scene as frames with their times, and where between them the rules change."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from firewall.lessons.lesson import AGAIN, Change, Crafted, End, IcmpError, Line, Talk, Wait
from firewall.lessons.read_packets import MOST_PACKETS
from pcaps.conversation import Exchange, Host, icmp_error
from pcaps.craft import packets_to_frames, parse
from pcaps.errors import CraftError
from pcaps.frame import Frame

GAP = 10_000_000  # ns between two packets
NUMBERS = (1000, 5000)  # the initial sequence numbers of the left and the right end
FRAGMENT = 1000  # octets that a fragment of a datagram carries, and the last one less
DATA = b"data"  # what PSH, a datagram and a ping carry


class Laid(NamedTuple):
    """Frames in order, and each change with the number (from 1) of the packet behind it."""

    frames: list[Frame]
    changes: list[tuple[int, Change]]


class Conversation:
    """Packets between two ends; `send` goes on where it was."""

    def __init__(self, kind: str, left: End, right: End, identifier: int = 1) -> None:
        self._kind, self._identifier = kind, identifier
        near, far = (
            Host(end.address, end.port or 0, number) for end, number in zip((left, right), NUMBERS, strict=True)
        )
        self._exchange = Exchange(near, far, 0.0, 0.0)
        self._requests = 0
        self._latest: dict[str, Any] = {}

    def send(self, words: Iterable[tuple[str, str]], fragments: int = 1) -> list[Any]:
        """A scapy packet for each word: who sends (`>` the left end, `<` the right), and TCP's flags."""
        exchange = self._exchange
        first = len(exchange.packets)
        for side, flags in words:
            sender = exchange.client if side == ">" else exchange.server
            if flags == AGAIN:
                exchange.packets.append(self._repeated(side))
            elif self._kind == "tcp":
                exchange.segment(sender, flags, DATA if "P" in flags else b"")
            elif self._kind == "udp":
                exchange.datagram(
                    sender, DATA if fragments == 1 else DATA * (FRAGMENT // len(DATA)) * fragments, fragments
                )
            else:
                self._requests += side == ">"
                exchange.echo(sender, self._identifier, max(self._requests, 1), DATA, reply=side == "<")
            self._latest[side] = exchange.packets[-1]
        return exchange.packets[first:]

    def _repeated(self, side: str) -> Any:
        if side not in self._latest:
            raise CraftError(f"{side}{AGAIN}: this end has sent nothing yet")
        return self._latest[side].copy()


Conversations = dict[tuple[str, End, End, int], Conversation]


def laid_out(lines: Iterable[Line]) -> Laid:
    """The frames of lines, GAP apart where nobody waits.

    Raises CraftError, which begins with the line's place, for what scapy cannot make, and for too many packets.
    """
    laid = Laid([], [])
    conversations: Conversations = {}
    now = 0
    for line in lines:
        if isinstance(line, Wait):
            now += line.time
        elif isinstance(line, Change):
            laid.changes.append((len(laid.frames) + 1, line))
        else:
            for frame in _frames(line, conversations):
                laid.frames.append(frame._replace(time=now))
                now += GAP
            if len(laid.frames) > MOST_PACKETS:  # how many scapy's words stand for is known only here
                raise CraftError(f"{line.where} - more than {MOST_PACKETS:,} packets up to here: a scene has no more")
    return laid


def _frames(line: Talk | IcmpError | Crafted, conversations: Conversations) -> list[Frame]:
    try:
        if isinstance(line, Crafted):
            return packets_to_frames(parse(line.text))
        if isinstance(line, IcmpError):
            told = line.quoted
            (quoted,) = Conversation(told.kind, told.left, told.right, told.identifier).send(told.send)
            return packets_to_frames(icmp_error(line.router, line.host, line.type, line.code, quoted))
        who = (line.kind, line.left, line.right, line.identifier)
        conversation = conversations.setdefault(who, Conversation(*who))
        return packets_to_frames(conversation.send(line.send, line.fragments))
    except CraftError as error:
        raise CraftError(f"{line.where} - {str(error).split(chr(10), 1)[0]}") from None
