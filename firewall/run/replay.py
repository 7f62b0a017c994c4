"""`eniwall replay` from its words to its result."""

from contextlib import ExitStack

from firewall.labels import Labels
from firewall.reports.result import Result, finished
from firewall.reports.rows import check_row_file, open_rows
from firewall.run.inputs import Inputs, judge_all, summary_of


def run_replay(inputs: Inputs, outputs: tuple[str, ...], version: str) -> Result:
    """Judge every packet once; rows go to `outputs` as they come."""
    for path in outputs:
        check_row_file(path)
    firewall = inputs.firewall()
    with ExitStack() as stack:
        capture = stack.enter_context(inputs.capture(firewall))
        labels = Labels.of(firewall, capture.names)
        summary = summary_of(labels)
        writers = [stack.enter_context(open_rows(path, labels)) for path in outputs]
        judge_all(firewall, capture, summary, writers, inputs.workers)
    return finished(firewall, capture, summary, labels, version, inputs.warnings)
