"""Comparisons of stories (tests.firewall.labs), by `eniwall compare`'s own road."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firewall.lessons.packets import GAP
from firewall.reports.compare_report import proof_text
from firewall.reports.compare_result import ComparedResult
from firewall.reports.compare_rules import acl_yaml
from firewall.reports.compare_texts import ENGLISH
from firewall.run.compare import run_compare
from firewall.run.inputs import Inputs
from pcaps.capture import FrameCapture
from pcaps.craft import packets_to_frames
from pcaps.frame import Frame
from tests.firewall.labs import NS, WEB_ENI

if TYPE_CHECKING:
    from firewall.engine import Firewall


@dataclass(frozen=True)
class StoryInputs(Inputs):
    """Packets in memory in place of a capture file."""

    frames: tuple[Frame, ...] = ()

    def capture(self, firewall: "Firewall") -> Any:  # noqa: ARG002  (a capture file would be read as it asks)
        return FrameCapture(self.frames)


def laid_out(story: Iterable[Any]) -> tuple[Frame, ...]:
    """Packets 10 ms apart; a number is a pause in seconds."""
    frames, now = [], 0
    for step in story:
        if isinstance(step, int):
            now += step * NS
        else:
            frames.append(packets_to_frames(step)[0]._replace(time=now))
            now += GAP
    return tuple(frames)


def compared(
    folder: Path, rules: str, story: Iterable[Any], readings: Sequence[str] = ("sg", "nacl"), **words: Any
) -> ComparedResult:
    """A story compared; `words` as in Inputs."""
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    inputs = StoryInputs((), (str(path),), crafted=("a story",), frames=laid_out(story), **words)
    return run_compare(inputs, tuple(readings), "0.0.test")


# --- a web server and its network ACL ---------------------------------------------------------------------
WEB_GROUP = """
security_groups:
  web:
    ingress: [{type: HTTP, source: 0.0.0.0/0}]
    egress: []
"""
ALONE = WEB_GROUP + "interfaces: {eni-web: {addresses: [10.0.1.10], security_groups: [web]}}\n"
FILES_ACL = (
    WEB_GROUP
    + WEB_ENI
    + """
network_acls:
  edge:
    ingress:
      - {number: 90, action: deny, protocol: all, source: 203.0.113.0/24}
      - {number: 100, action: allow, protocol: tcp, ports: 80, source: 0.0.0.0/0}
    egress:
      - {number: 95, action: deny, protocol: tcp, ports: 0-65535, destination: 192.0.2.0/24}
"""
)


def entries(found: ComparedResult) -> list[str]:
    """The entries of the generated file, without their comments."""
    assert found.remedy is not None
    lines = acl_yaml(found.remedy).splitlines()
    return [line.split("  #")[0].strip("- ") for line in lines if "number:" in line]


def proof(found: ComparedResult, reading: str = "nacl") -> str:
    """What the second replay came to, in a sentence."""
    return proof_text(found.proofs[reading], reading, ENGLISH)
