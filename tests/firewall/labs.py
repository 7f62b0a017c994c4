"""Teaching labs: rules, a story, and its verdicts as letters, one for each packet.

A story is a list of packets, of pauses (seconds) and of changes of the rules (an event as `--events` takes
it, without its moment). Letters: A allowed, D denied, E exempt, N not evaluated; `|` is a change.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from firewall.changes import Event
from firewall.engine import Firewall
from firewall.lessons.lesson import End
from firewall.lessons.packets import GAP, Conversation
from firewall.lessons.scene import letters
from firewall.model import RuleSet
from firewall.sources import load_rules
from firewall.sources.events import load_events
from pcaps.capture import FrameCapture
from pcaps.craft import packets_to_frames, parse
from pcaps.frame import Frame
from tests.support import Cells, rows

CLIENT, WEB, APP, DB = "198.51.100.7", "10.0.1.10", "10.0.1.20", "10.0.2.30"
HANDSHAKE = ">S <SA >A >PA <PA"  # and a request with its response
NS = 10**9

Story = Sequence[Any]

# The web server's interface and its subnet: the network ACL is the lab's.
WEB_ENI = """
interfaces:
  eni-web: {addresses: [10.0.1.10], subnet: a, security_groups: [web]}
subnets:
  a: {cidr: 10.0.1.0/24, network_acl: edge}
"""
# An application in one subnet, its database in another; each subnet has a network ACL of its own.
APP_AND_DB_ENIS = """
interfaces:
  eni-app: {addresses: [10.0.1.20], subnet: a, security_groups: [app]}
  eni-db: {addresses: [10.0.2.30], subnet: b, security_groups: [db]}
subnets:
  a: {cidr: 10.0.1.0/24, network_acl: acl-a}
  b: {cidr: 10.0.2.0/24, network_acl: acl-b}
"""
OPEN_ACLS = """
network_acls:
  acl-a:
    ingress: [{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}]
    egress: [{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}]
  acl-b:
    ingress: [{number: 100, action: allow, protocol: all, source: 0.0.0.0/0}]
    egress: [{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}]
"""


class Tcp:
    """One TCP connection; `send` continues it where it was."""

    def __init__(self, client: str, server: str, port: int, sport: int = 40000) -> None:
        self._conversation = Conversation("tcp", End(client, sport), End(server, port))

    def send(self, script: str) -> list[Any]:
        """A packet a word: who sends (`>` the client, `<` the server), and the flags; PSH brings data."""
        return self._conversation.send((word[0], word[1:]) for word in script.split())


def handshake(client: str, server: str, port: int, sport: int = 40000) -> list[Any]:
    """SYN, SYN-ACK, ACK, request, response."""
    return Tcp(client, server, port, sport).send(HANDSHAKE)


def packet(src: str, dst: str, above: str) -> Any:
    """One packet with the layers `above` its IP header, as `--craft` takes them."""
    (found,) = parse(f'{"IPv6" if ":" in src else "IP"}(src="{src}", dst="{dst}")/{above}')
    return found


def syn(client: str, server: str, port: int, sport: int = 40000) -> Any:
    """A client's first packet."""
    return packet(client, server, f'TCP(sport={sport}, dport={port}, flags="S")')


# --- judging -------------------------------------------------------------------------------------------
def rule_set(*texts: str) -> RuleSet:
    """What rule files of these texts say."""
    with TemporaryDirectory() as folder:
        files = [Path(folder, f"rules-{number}") for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        return load_rules(*files)


def judged(rules: RuleSet | str, story: Story, reading: str, *, at: str | None = None, **settings: str) -> list[Cells]:
    """The verdict rows of a story; `at`: those of one interface."""
    known = rule_set(rules) if isinstance(rules, str) else rules
    frames, changes = _laid_out(story)
    firewall = Firewall(known, settings=settings, reading=reading, events=_events(changes, known))
    return [row for row in rows(firewall, FrameCapture(frames)) if at in (None, row["eni"])]


def reasons(rules: RuleSet | str, story: Story, reading: str, *, at: str | None = None, **settings: str) -> list[str]:
    """The reasons of a story's rows."""
    return [row["reason"] for row in judged(rules, story, reading, at=at, **settings)]


def verdicts(rules: RuleSet | str, story: Story, reading: str, *, at: str | None = None, **settings: str) -> str:
    """The letters of a story's rows, with a `|` where the rules change."""
    return letters(judged(rules, story, reading, at=at, **settings), _laid_out(story)[1])


def sg(rules: RuleSet | str, story: Story, *, at: str | None = None, **settings: str) -> str:
    """Security groups alone, with their connection table."""
    return verdicts(rules, story, "sg", at=at, **settings)


def stateless(rules: RuleSet | str, story: Story, *, at: str | None = None) -> str:
    """The same rules, packet by packet."""
    return verdicts(rules, story, "stateless", at=at)


def nacl(rules: RuleSet | str, story: Story, *, at: str | None = None) -> str:
    """Network ACLs alone."""
    return verdicts(rules, story, "nacl", at=at)


def path(rules: RuleSet | str, story: Story, *, at: str | None = None, **settings: str) -> str:
    """Network ACLs and security groups in their places."""
    return verdicts(rules, story, "path", at=at, **settings)


# --- stories -------------------------------------------------------------------------------------------
def _laid_out(story: Story) -> tuple[list[Frame], list[tuple[int, str]]]:
    """The packets with their times, and each change with the number of the packet behind it."""
    frames: list[Frame] = []
    changes, now = [], 0
    for step in story:
        if isinstance(step, str):
            changes.append((len(frames) + 1, step))
        elif isinstance(step, int):
            now += step * NS
        else:
            (frame,) = packets_to_frames(step)
            frames.append(frame._replace(time=now))
            now += GAP
    return frames, changes


def _events(changes: Sequence[tuple[int, str]], rules: RuleSet) -> tuple[Event, ...]:
    """The changes as events before their packets."""
    if not changes:
        return ()
    with TemporaryDirectory() as folder:
        file = Path(folder, "events.yaml")
        file.write_text("events:\n" + "".join(f"  - {{packet: {number}, {change}}}\n" for number, change in changes))
        return load_events(file, rules)
