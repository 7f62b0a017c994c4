"""`eniwall watch` from its words to its result."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.labels import Labels
from firewall.progress import compile_told
from firewall.reports.result import Result, finished
from firewall.run.inputs import Inputs, summary_of
from firewall.watch import Limits, Source, View, Watch, ended_by_signals
from pcaps.capture import frames_batch
from pcaps.frame import Frame

if TYPE_CHECKING:
    from pcaps.libpcap import KernelCounts


@dataclass(frozen=True)
class Watched:
    """A watch that has ended: what a replay of its packets would say, and the kernel's counts."""

    result: Result
    kernel: "KernelCounts"


def run_watch(inputs: Inputs, listen: Callable[[], Source], limits: Limits, view: View, version: str) -> Watched:
    """Judge what comes until the watch ends; `listen` opens the interface, once the engine is ready.

    Raises UsageError where no address is known to be the interface.
    """
    firewall = inputs.firewall()
    if not firewall.interfaces:
        raise UsageError(
            "which address is the interface? Neither the rule file nor --eni says; add --eni ADDRESS"
            " (`ip addr` lists those of this host)"
        )
    with compile_told():
        _load_engine(inputs.firewall())
    with ExitStack() as stack:
        asked = stack.enter_context(ended_by_signals())
        source = listen()
        stack.callback(source.close)
        labels = Labels.of(firewall, (source.name,))
        how = {"verify": firewall.verifies, "macs": firewall.places.wants_macs}
        watch = Watch(source, limits, summary_of(labels), labels, view, asked, **how)
        with view:
            for judged in firewall.replay(watch.capture):
                watch.add(judged)
            watch.show()
        kernel = source.counts()
    return Watched(finished(firewall, watch.capture, watch.summary, labels, version), kernel)


def _load_engine(firewall: Firewall) -> None:
    """Judge an empty frame, so that no packet waits for code to load; the firewall is not used again."""
    firewall.judge_batch(frames_batch([Frame(1, 0, b"", 0)], verify=firewall.verifies))
