"""`eniwall watch`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from firewall.commands.output import emit, harmless, print_report, version_text, warn
from firewall.commands.words import listening

if TYPE_CHECKING:
    from pcaps.libpcap import LiveInterface


@click.command()
@click.argument("interface")
@listening
@click.option("--count", metavar="N", type=click.IntRange(min=1), help="End after N packets.")
@click.option("--seconds", metavar="S", type=click.IntRange(min=1), help="End after S seconds.")
def watch(interface: str, count: int | None, seconds: int | None, bpf: str | None, as_json: bool, **words: Any) -> None:
    """Judge the packets of a network interface as they come; nothing is blocked, sent or changed.

    The first Ctrl-C ends it with the report that replay prints. It needs root, or cap_net_raw.
    """
    from firewall.reports.watch_view import report_line, view_for
    from firewall.run.inputs import Inputs
    from firewall.run.watch import run_watch
    from firewall.watch import Limits
    from pcaps.libpcap import LiveInterface

    def listen() -> "LiveInterface":
        source = LiveInterface(interface, bpf)
        sys.stderr.write(f"eniwall: listening to {harmless(interface)}; Ctrl-C ends it and prints the report\n")
        return source

    inputs = Inputs(captures=(), **words)
    watched = run_watch(inputs, listen, Limits(count, seconds), view_for(as_json=as_json), version_text())
    kernel, result = watched.kernel, watched.result
    warn(result.warnings)
    sys.stderr.write(f"eniwall: the kernel received {kernel.received:,} packets and dropped {kernel.dropped:,}\n")
    if as_json:
        emit(report_line(result))
    else:
        print_report(result, as_json=False)
