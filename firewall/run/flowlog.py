"""`eniwall flowlog` from its words to its result."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from firewall.flowlog.against import Against
from firewall.flowlog.aggregate import NS, Aggregator
from firewall.flowlog.fields import Facts, Field
from firewall.flowlog.pairs import Window
from firewall.flowlog.write import FlowLog, Sink, open_log
from firewall.labels import Labels
from firewall.reports.flowlog_report import Logged
from firewall.reports.result import finished
from firewall.run.inputs import Inputs, judge_all, summary_of


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
        against = Against(logs, words.fields, facts, words.traffic) if logs else None
        if words.output is not None:
            sink = stack.enter_context(open_log(words.output))
        log = FlowLog(Aggregator(words.seconds, labels.rule), facts, words.fields, sink, words.traffic)
        if against is not None:
            log.told = against.add
        summary = summary_of(labels)
        judge_all(firewall, capture, summary, [log], inputs.workers)
        log.finish()
    lost = 0 if against is None else against.lost
    told = [f"{lost:,} packets of flows beyond those that are held are not compared"] if lost else []
    result = finished(firewall, capture, summary, labels, version, [*inputs.warnings, *told])
    if against is None:
        return Logged(result, log, None)
    window = Window((summary.first_time or 0) // NS, (summary.last_time or 0) // NS)
    return Logged(result, log, against.compared(firewall, window))
