"""Comparisons of stories (tests.firewall.labs), by `eniwall compare`'s own road."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firewall.lessons.packets import GAP
from firewall.reports.compare_result import ComparedResult
from firewall.run.compare import run_compare
from firewall.run.inputs import Inputs
from pcaps.capture import FrameCapture
from pcaps.craft import packets_to_frames
from pcaps.frame import Frame
from tests.firewall.labs import NS

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
