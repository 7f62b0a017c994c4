"""`eniwall explain`."""

from typing import Any

import click

from firewall.commands.output import choose_engine, emit, version_text, warn, width
from firewall.commands.words import explaining


@click.command()
@explaining
@click.option(
    "--packet",
    metavar="N",
    type=click.IntRange(min=1),
    help="Explain frame N of the capture, of the last one named where there are several; of crafted packets the"
    " N-th, and without it the last.",
)
@click.option(
    "--flow",
    metavar="F",
    help="Tell the story of connection F with its packets; INTERFACE:F where several interfaces have a flow F.",
)
@click.option(
    "--denied", is_flag=True, help="Explain the first packet of each kind of denial: reason, interface, service."
)
@click.option(
    "--first",
    metavar="K",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="With --denied: so many kinds, those first that open connections.",
)
@click.option(
    "--after",
    metavar="CAPTURE[:N]",
    help="Crafted packets find the table as it is behind frame N of this capture (its end without N).",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Leave out what takes further replays: what other choices would say, what an offered rule would admit.",
)
def explain(
    packet: int | None,
    flow: str | None,
    denied: bool,
    first: int,
    after: str | None,
    quick: bool,
    as_json: bool,
    **words: Any,
) -> None:
    """Say why a packet got its verdict, step by step, and what would change it.

    Every step is read from the engine: its verdict rows, and its table before and behind the packet.
    """
    choose_engine([*words["captures"], *([after.partition(":")[0]] if after else [])], (), follow=False)
    from firewall.run.explain import Asked, run_explain
    from firewall.run.inputs import Inputs

    explained = run_explain(Inputs(**words), Asked(packet, flow, denied, first, after, quick), version_text())
    warn(explained.warnings)
    from firewall.reports.explain_report import explain_json, explain_report

    emit(explain_json(explained) if as_json else explain_report(explained, width()))
