"""`eniwall report` from its words to its result."""

import shlex
from collections.abc import Sequence
from dataclasses import replace

from firewall.audit import Audit
from firewall.labels import Labels, encodable
from firewall.reports.details import detailed
from firewall.reports.inputs import Hashing, rule_file_names
from firewall.reports.result import Result, finished
from firewall.run.inputs import Inputs, judge_all, summary_of


def run_report(inputs: Inputs, words: Sequence[str], version: str) -> Result:
    """Judge every packet once, for the reports that tell more than a replay; `words` are the command's own."""
    firewall = inputs.firewall()
    with Hashing() as hashing:
        hashing.start("rules", rule_file_names(inputs.rules))
        hashing.start("events", [] if inputs.events is None else [inputs.events])
        with inputs.capture(firewall) as capture:
            hashing.start("capture", capture.names if inputs.captures else [])
            labels = Labels.of(firewall, capture.names)
            summary = summary_of(labels)
            audit = Audit(summary, len(labels.rules))
            judge_all(firewall, capture, summary, [audit], inputs.workers)
        command = shlex.join(["eniwall", "report", *inputs.words, *words])
        details = detailed(firewall, summary, audit, labels, hashing.inputs(), encodable(command))
    return replace(finished(firewall, capture, summary, labels, version, inputs.warnings), details=details)
