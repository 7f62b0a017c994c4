"""The words that commands share, and how their captures are judged."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from firewall.changes import Change
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.labels import Labels
from firewall.model import RuleSet
from firewall.progress import watched
from firewall.reports.rows import RowWriter
from firewall.sources.events import load_events
from firewall.summary import Summary
from pcaps.ahead import ahead
from pcaps.capture import crafted_capture, open_capture

if TYPE_CHECKING:
    from pcaps.capture import Capture


@dataclass(frozen=True)
class Inputs:
    """The words that every command has that reads a capture."""

    captures: tuple[str, ...]
    rules: tuple[str, ...]
    enis: tuple[str, ...] = ()
    profile: str = "aws"
    settings: Mapping[str, str] | None = None
    bpf: str | None = None
    crafted: tuple[str, ...] = ()
    events: str | None = None
    tunnel: str = "auto"
    follow: bool = False
    threads: int | None = None  # None: one for each core

    @property
    def workers(self) -> int:
        """How many threads may work."""
        if self.threads is not None:
            return self.threads
        has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
        return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1

    def firewall(self, reading: str = "path") -> Firewall:
        """A firewall of these rules with an empty table."""
        return Firewall.from_file(
            *self.rules,
            enis=self.enis,
            profile=self.profile,
            settings=self.settings or {},
            reading=reading,
            events=self.events,
            tunnel=self.tunnel,
        )

    def edited(self, rule_set: RuleSet, reading: str, edit: Change) -> Firewall:
        """A firewall of rules that are edited before the first packet, and again after each event."""
        timeline = () if self.events is None else load_events(self.events, rule_set)
        events = [replace(event, change=partial(_edited, event.change, edit)) for event in timeline]
        firewall = Firewall(
            edit(rule_set),
            self.enis,
            self.profile,
            self.settings or {},
            reading=reading,
            events=events,
            tunnel=self.tunnel,
        )
        firewall.files = self.rules
        return firewall

    @property
    def words(self) -> list[str]:
        """The same as a command line has them; what stands at its default is left out."""
        options: list[tuple[str, Iterable[str]]] = [
            ("--rules", self.rules),
            ("--eni", self.enis),
            ("--profile", [self.profile] if self.profile != "aws" else []),
            ("--set", [f"{name}={value}" for name, value in (self.settings or {}).items()]),
            ("--tunnel", [self.tunnel] if self.tunnel != "auto" else []),
            ("--events", [self.events] if self.events is not None else []),
            ("--filter", [self.bpf] if self.bpf is not None else []),
            ("--craft", self.crafted),
        ]
        pairs = [word for name, values in options for value in values for word in (name, value)]
        return [*self.captures, *pairs, *(["--follow"] if self.follow else [])]

    @property
    def warnings(self) -> list[str]:
        """What is odd about the words themselves."""
        twice = [name for name, count in Counter(map(os.path.realpath, self.captures)).items() if count > 1]
        return [f"{name}: named more than once; each of its packets is judged as often" for name in twice]

    def capture(self, firewall: Firewall) -> "Capture":
        """The captures, or the crafted packets, opened; an end left open is the first interface."""
        if self.captures and self.crafted:
            raise UsageError("captures and --craft do not go together: give one or the other")
        if not self.captures and not self.crafted:
            raise UsageError("nothing to judge: name a capture (- is standard input), or craft packets with --craft")
        if self.follow and self.crafted:
            raise UsageError("--follow and --craft do not go together: crafted packets are all there")
        if self.crafted:
            return crafted_capture(self.crafted, self.bpf, firewall.first_addresses, verify=firewall.verifies)
        return open_capture(
            *self.captures,
            bpf=self.bpf,
            verify=firewall.verifies,
            macs=firewall.places.wants_macs,
            follow=self.follow,
        )


def _edited(change: Change, edit: Change, rule_set: RuleSet) -> RuleSet:
    return edit(change(rule_set))


def judge_all(
    firewall: Firewall, capture: "Capture", summary: Summary, writers: Sequence[RowWriter], threads: int
) -> None:
    """Judge every packet of a capture, count the rows and give them to the writers.

    With two `threads` one judges while the rows of the batches before are counted and written.
    """
    judging = ahead(firewall.replay(capture, threads), capture, threads)
    with closing(watched(judging, capture)) as replayed:
        for judged in replayed:
            summary.add(judged)
            for writer in writers:
                writer.write(judged)


def summary_of(labels: Labels) -> Summary:
    """Counts of nothing yet."""
    return Summary(len(labels.interfaces), len(labels.rules), len(labels.exempt))
