"""`eniwall annotate`."""

import sys
from typing import Any

import click

from firewall.commands.output import check_outputs, choose_engine, print_report, version_text, warn
from firewall.commands.words import capturing


@click.command()
@capturing
@click.option("-o", "--output", metavar="FILE", required=True, help="Write the packets to FILE, a name in .pcapng.")
@click.option(
    "--split",
    is_flag=True,
    help="Write FILE.allowed.pcapng, FILE.denied.pcapng and FILE.other.pcapng beside it, each packet to one of them.",
)
def annotate(output: str, split: bool, as_json: bool, **words: Any) -> None:
    """Write the packets again as pcapng, each with its verdicts as comments, and report as replay does.

    Packets that --filter leaves out are written without a comment, so that frame numbers stay. Captures are
    read twice: save standard input to a file first. docs/annotate.md says how Wireshark shows the verdicts.
    """
    choose_engine(words["captures"], words["crafted"], words["follow"])
    from firewall.annotate import split_paths
    from firewall.labels import counted
    from firewall.run.annotate import run_annotate
    from firewall.run.inputs import Inputs

    outputs = [output, *(split_paths(output) if split else ())]
    events = [] if words["events"] is None else [words["events"]]
    check_outputs(outputs, [*words["captures"], *words["rules"], *events])
    result = run_annotate(Inputs(**words), output, version_text(), split=split)
    warn(result.warnings)
    packets = counted(result.packets_read + result.filtered_out, "packet")
    sys.stderr.write(f"eniwall: wrote {packets} to {', '.join(outputs)}\n")
    print_report(result, as_json=as_json)
