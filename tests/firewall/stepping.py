"""Short ways to step through crafted packets and samples."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from firewall.engine import Firewall
from firewall.sources import load_rules
from firewall.sources.events import load_events
from firewall.steps import Steps
from pcaps.capture import FrameCapture, open_capture
from pcaps.craft import craft
from pcaps.samples import sample
from tests.support import timed

READINGS = ("sg", "stateless", "nacl")
SECOND = 1_000_000_000
CLIENT, WEB = "198.51.100.7", "10.0.1.10"
IN = f'Ether()/IP(src="{CLIENT}", dst="{WEB}")/'
OUT = f'Ether()/IP(src="{WEB}", dst="{CLIENT}")/'
RULES = """
security_groups:
  web:
    ingress:
      - {protocol: tcp, ports: 80, source: 198.51.100.0/24}
      - {protocol: udp, ports: 53, source: 198.51.100.0/24}
      - {protocol: icmp, icmp: 8/-1, source: 198.51.100.0/24}
    egress: []
interfaces:
  eni-web: {addresses: [10.0.1.10], security_groups: [web]}
"""


def tcp(flags: str, *, out: bool = False, port: int = 4000, seq: int = 100, ack: int = 0) -> str:
    """A segment of the client's connection from `port` to 80; `out`: of the server's answer."""
    ends = f"sport=80, dport={port}" if out else f"sport={port}, dport=80"
    return f'{OUT if out else IN}TCP({ends}, flags="{flags}", seq={seq}, ack={ack})'


HANDSHAKE = (tcp("S"), tcp("SA", out=True, seq=500, ack=101), tcp("A", seq=101, ack=501))


def packets(words: Iterable[str], times: Iterable[float]) -> FrameCapture:
    """Crafted packets at these seconds."""
    frames = zip(times, craft(words), strict=True)
    return timed((round(time * SECOND), frame.data) for time, frame in frames)


def firewalls(rules: str | Sequence[str], events: str | None = None, **more: Any) -> dict[str, Firewall]:
    """A firewall of rule files for each reading."""
    paths = [rules] if isinstance(rules, str) else list(rules)
    rule_set = load_rules(*paths)
    timeline = () if events is None else load_events(events, rule_set)
    return {name: Firewall(rule_set, reading=name, events=timeline, **more) for name in READINGS}


def crafted_steps(
    folder: Path,
    words: Sequence[str],
    times: Sequence[float] | None = None,
    *,
    rules: str = RULES,
    events: str | None = None,
    **more: Any,
) -> Steps:
    """Crafted packets, a second apart unless `times` (seconds) say otherwise, stepped through."""
    (folder / "rules.yaml").write_text(rules)
    path = None
    if events is not None:
        path = str(folder / "events.yaml")
        Path(path).write_text(events)
    made = firewalls(str(folder / "rules.yaml"), path, **more)
    return Steps.of(packets(words, range(len(words)) if times is None else times), made)


def sample_steps(name: str) -> Steps:
    """A sample with its rules."""
    with open_capture(str(sample(name))) as capture:
        return Steps.of(capture, firewalls(str(sample(name).parent / f"{name}.yaml")))


def states(detail: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """State, mark and earlier state of every entry."""
    return [(row["state"], row["mark"], row["was"]) for row in detail["table"]]


def fates(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and fate of what left."""
    return [(row["key"], row["fate"]) for row in detail["gone"]]
