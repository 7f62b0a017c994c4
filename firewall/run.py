"""A command's work from its words to its result: open, judge, count, write rows."""

import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import tee
from typing import TYPE_CHECKING, Self

from firewall.annotate import check_annotated, heading, open_annotated
from firewall.audit import Audit
from firewall.compare import compare, read_readings
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.flowlog.against import Against
from firewall.flowlog.aggregate import NS, Aggregator
from firewall.flowlog.fields import Facts, Field
from firewall.flowlog.pairs import Window
from firewall.flowlog.write import FlowLog, Sink, open_log
from firewall.labels import Labels, encodable
from firewall.life import Follower
from firewall.progress import compile_told, watched
from firewall.reports.compare_report import ComparedResult
from firewall.reports.details import detailed
from firewall.reports.flowlog_report import Logged
from firewall.reports.inputs import Hashing, rule_file_names
from firewall.reports.result import Result, finished
from firewall.reports.rows import RowWriter, check_row_file, open_rows
from firewall.rows import Judged
from firewall.state import State, upto
from firewall.summary import Summary
from firewall.watch import Limits, Source, View, Watch, ended_by_signals
from pcaps.ahead import batches_of
from pcaps.capture import crafted_capture, frames_batch, open_capture
from pcaps.frame import Frame
from pcaps.stream import STANDARD_INPUT

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch
    from pcaps.capture import Capture
    from pcaps.libpcap import KernelCounts


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


def run_replay(inputs: Inputs, outputs: tuple[str, ...], version: str) -> Result:
    """Judge every packet once; rows go to `outputs` as they come."""
    for path in outputs:
        check_row_file(path)
    firewall = inputs.firewall()
    with ExitStack() as stack:
        capture = stack.enter_context(inputs.capture(firewall))
        labels = Labels.of(firewall, capture.names)
        summary = _summary(labels)
        writers = [stack.enter_context(open_rows(path, labels)) for path in outputs]
        _judge(firewall, capture, summary, writers, inputs.workers)
    return finished(firewall, capture, summary, labels, version, inputs.warnings)


def run_report(inputs: Inputs, words: Sequence[str], version: str) -> Result:
    """Judge every packet once, for the reports that tell more than a replay; `words` are the command's own."""
    firewall = inputs.firewall()
    with Hashing() as hashing:
        hashing.start("rules", rule_file_names(inputs.rules))
        hashing.start("events", [] if inputs.events is None else [inputs.events])
        with inputs.capture(firewall) as capture:
            hashing.start("capture", capture.names if inputs.captures else [])
            labels = Labels.of(firewall, capture.names)
            summary = _summary(labels)
            audit = Audit(summary, len(labels.rules))
            _judge(firewall, capture, summary, [audit], inputs.workers)
        command = shlex.join(["eniwall", "report", *inputs.words, *words])
        details = detailed(firewall, summary, audit, labels, hashing.inputs(), encodable(command))
    return replace(finished(firewall, capture, summary, labels, version, inputs.warnings), details=details)


def _judge(
    firewall: Firewall, capture: "Capture", summary: Summary, writers: Sequence[RowWriter], threads: int
) -> None:
    """Judge every packet of a capture, count the rows and give them to the writers."""
    with closing(watched(firewall.replay(capture, threads), capture)) as replayed:
        for judged in replayed:
            summary.add(judged)
            for writer in writers:
                writer.write(judged)


def run_annotate(inputs: Inputs, output: str, version: str, *, split: bool) -> Result:
    """Judge every packet once, and write each to `output` with its verdicts as comments."""
    check_annotated(output, inputs.captures, follow=inputs.follow)
    firewall = inputs.firewall()
    with ExitStack() as stack:
        capture = stack.enter_context(inputs.capture(firewall))
        labels = Labels.of(firewall, capture.names)
        summary = _summary(labels)
        words = ["eniwall", "annotate", *inputs.words, "-o", output, *(["--split"] if split else [])]
        said = heading(version, words, firewall)
        filtered = inputs.bpf is not None
        annotated = open_annotated(output, capture, labels, said, split=split, filtered=filtered)
        _judge(firewall, capture, summary, [stack.enter_context(annotated)], inputs.workers)
    return finished(firewall, capture, summary, labels, version, inputs.warnings)


@dataclass(frozen=True)
class LogWords:
    """What `flowlog` takes beside what every command takes; `output` is a file."""

    fields: tuple[Field, ...]
    seconds: int
    traffic: str = "ALL"
    account: str | None = None
    region: str | None = None
    output: str | None = None


def run_flowlog(inputs: Inputs, words: LogWords, sink: Sink | None, logs: Sequence[str], version: str) -> Logged:
    """Judge every packet once; the flow log goes to the output file, else to `sink`, else nowhere.

    `logs` are files of AWS's to compare it with.
    """
    firewall = inputs.firewall()
    with ExitStack() as stack:
        capture = stack.enter_context(inputs.capture(firewall))
        labels = Labels.of(firewall, capture.names)
        facts = Facts.of(firewall.rule_set, firewall.interfaces, words.account, words.region)
        against = Against(logs, words.fields, facts) if logs else None
        if words.output is not None:
            sink = stack.enter_context(open_log(words.output))
        log = FlowLog(Aggregator(words.seconds, labels.rule), facts, words.fields, sink, words.traffic)
        if against is not None:
            log.told = against.add
        summary = _summary(labels)
        _judge(firewall, capture, summary, [log], inputs.workers)
        log.finish()
    result = finished(firewall, capture, summary, labels, version, inputs.warnings)
    if against is None:
        return Logged(result, log, None)
    window = Window((summary.first_time or 0) // NS, (summary.last_time or 0) // NS)
    return Logged(result, log, against.compared(firewall, window))


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
        watch = Watch(source, limits, _summary(labels), labels, view, asked, **how)
        with view:
            for judged in firewall.replay(watch.capture):
                watch.add(judged)
            watch.show()
        kernel = source.counts()
    return Watched(finished(firewall, watch.capture, watch.summary, labels, version), kernel)


def _load_engine(firewall: Firewall) -> None:
    """Judge an empty frame, so that no packet waits for code to load; the firewall is not used again."""
    firewall.judge_batch(frames_batch([Frame(1, 0, b"", 0)], verify=firewall.verifies))


def run_compare(inputs: Inputs, readings: str, version: str) -> ComparedResult:
    """Judge every packet under two readings, side by side, from one pass over the capture."""
    pair = read_readings(readings)
    firewalls = [inputs.firewall(reading) for reading in pair]
    with inputs.capture(firewalls[0]) as capture:
        labels = [Labels.of(firewall, capture.names) for firewall in firewalls]
        summaries = [_summary(each) for each in labels]
        sides = [Side(capture, batches) for batches in tee(batches_of(capture, inputs.workers))]
        first, second = (firewall.replay(side) for firewall, side in zip(firewalls, sides, strict=True))

        def count(*judged: Judged) -> None:
            for summary, batch in zip(summaries, judged, strict=True):
                summary.add(batch)

        with closing(watched(first, capture)) as first_watched:
            comparison = compare((first_watched, second), pair, count)
    ours, theirs = (
        finished(firewall, capture, summary, each, version, inputs.warnings)
        for firewall, summary, each in zip(firewalls, summaries, labels, strict=True)
    )
    return ComparedResult(pair, (ours, theirs), comparison)


def run_state(inputs: Inputs, at: int | None, flow: str | None, version: str) -> State:
    """The table right after frame `at` of the last capture (its end for None), or the life of one flow until then."""
    firewall = inputs.firewall()
    with inputs.capture(firewall) as capture:
        labels = Labels.of(firewall, capture.names)
        follower = None if flow is None else Follower(inputs.firewall(), labels, flow, capture)
        count = partial(_packets_of_last, inputs, capture)
        side = Side(capture, upto(capture.batches(), len(capture.names) - 1, at, count))
        last: PacketBatch | None = None
        with closing(watched(firewall.replay(side), capture)) as replayed:
            for judged in replayed:
                last = judged.packets
                if follower is not None:
                    follower.add(judged)
    connections = firewall.table()
    return State(
        version=version,
        captures=labels.captures,
        profile=firewall.profile,
        settings=dict(firewall.settings),
        capture=None if last is None else labels.captures[int(last.capture[-1])],
        packet=None if last is None else int(last.frame[-1]),
        time=None if last is None else int(last.time[-1]),
        connections=tuple(each for each in connections if each.tracked),
        untracked=sum(not each.tracked for each in connections),
        life=None if follower is None else follower.life(),
        warnings=_warnings(firewall, capture),
    )


def _packets_of_last(inputs: Inputs, capture: "Capture") -> int:
    """How many packets the last capture has, now that all are read; standard input cannot be read again."""
    if len(capture.names) == 1:
        return capture.packets
    if inputs.captures[-1] == STANDARD_INPUT:
        return 0
    with open_capture(capture.names[-1]) as alone:
        return sum(packets.rows for packets in alone.batches())


def _warnings(firewall: Firewall, capture: "Capture") -> tuple[str, ...]:
    """What the rules, the replay and the capture warn of, each once."""
    told = [*map(str, (*firewall.rule_set.warnings, *firewall.warnings)), *capture.warnings]
    return tuple(encodable(warning) for warning in dict.fromkeys(told))


class Side:
    """One of two readers of a capture: the same batches, kept until both have had them."""

    def __init__(self, capture: "Capture", batches: Iterator["PacketBatch"]) -> None:
        self._batches = batches
        self._capture = capture
        self.names = capture.names
        self.warnings = capture.warnings
        self.packets = self.filtered_out = self.bytes_read = 0  # the capture itself counts
        self.bytes_total = capture.bytes_total

    @property
    def interface_names(self) -> Sequence[Mapping[int, str]]:
        """What the capture knows of them by now."""
        names: Sequence[Mapping[int, str]] = getattr(self._capture, "interface_names", ())
        return names

    def batches(self) -> Iterator["PacketBatch"]:
        """See Capture."""
        return self._batches

    def close(self) -> None:
        """The capture closes itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _summary(labels: Labels) -> Summary:
    return Summary(len(labels.interfaces), len(labels.rules), len(labels.exempt))
