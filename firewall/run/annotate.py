"""`eniwall annotate` from its words to its result."""

from contextlib import ExitStack

from firewall.annotate import check_annotated, heading, open_annotated
from firewall.labels import Labels
from firewall.reports.result import Result, finished
from firewall.run.inputs import Inputs, judge_all, summary_of


def run_annotate(inputs: Inputs, output: str, version: str, *, split: bool) -> Result:
    """Judge every packet once, and write each to `output` with its verdicts as comments."""
    check_annotated(output, inputs.captures, follow=inputs.follow)
    firewall = inputs.firewall()
    with ExitStack() as stack:
        capture = stack.enter_context(inputs.capture(firewall))
        labels = Labels.of(firewall, capture.names)
        summary = summary_of(labels)
        words = ["eniwall", "annotate", *inputs.words, "-o", output, *(["--split"] if split else [])]
        said = heading(version, words, firewall)
        filtered = inputs.bpf is not None
        annotated = open_annotated(output, capture, labels, said, split=split, filtered=filtered)
        judge_all(firewall, capture, summary, [stack.enter_context(annotated)], inputs.workers)
    return finished(firewall, capture, summary, labels, version, inputs.warnings)
