"""`eniwall compare` from its words to its result."""

from contextlib import closing
from itertools import tee

from firewall.compare import compare, read_readings
from firewall.labels import Labels
from firewall.progress import watched
from firewall.reports.compare_report import ComparedResult
from firewall.reports.result import finished
from firewall.rows import Judged
from firewall.run.inputs import Inputs, summary_of
from firewall.run.side import Side
from pcaps.ahead import batches_of


def run_compare(inputs: Inputs, readings: str, version: str) -> ComparedResult:
    """Judge every packet under two readings, side by side, from one pass over the capture."""
    pair = read_readings(readings)
    firewalls = [inputs.firewall(reading) for reading in pair]
    with inputs.capture(firewalls[0]) as capture:
        labels = [Labels.of(firewall, capture.names) for firewall in firewalls]
        summaries = [summary_of(each) for each in labels]
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
