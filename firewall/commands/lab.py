"""`eniwall lab`."""

import os
import sys

import click

from firewall.commands.output import emit
from firewall.commands.words import ENIS, in_language


@click.command()
@click.argument("capture", required=False)
@click.option("--rules", metavar="FILE", help="Rule file to begin with; default: what a new security group has.")
@ENIS
@click.option("--lesson", metavar="NAME", help="Lesson to begin with: its name, its number, or a folder of your own.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port at 127.0.0.1; default: a free one."
)
@in_language("the page; it can be switched there")
@click.option("--no-open", is_flag=True, help="Do not open a browser; the address is printed either way.")
def lab(
    capture: str | None,
    rules: str | None,
    enis: tuple[str, ...],
    lesson: str | None,
    port: int,
    language: str,
    no_open: bool,
) -> None:
    """Open a local page: lessons and captures step by step, with rules that are judged as they are typed.

    It listens to 127.0.0.1 alone and nothing leaves this machine; Ctrl-C ends it. docs/lab.md says more.
    """
    from firewall.lab.packages import check_packages

    check_packages()
    _choose_engine(capture)
    from firewall.lab.begin import begun, warm_up
    from firewall.lab.server import serve

    beginning = begun(capture, rules, lesson, language, enis)
    warm_up(beginning.lessons)

    def told(url: str) -> None:
        emit(f"{url}\n")
        sys.stderr.write("eniwall: the lab is open at this address, on this machine alone; Ctrl-C ends it\n")

    serve(beginning, port, told, open_page=not no_open)


def _choose_engine(capture: str | None) -> None:
    """Compiled where that is loaded quickly or a capture is worth the wait; all else begins at once either way."""
    from firewall.small import is_small
    from pcaps import accelerate

    told = "ENIWALL_ENGINE" in os.environ or accelerate.chosen()
    if told or accelerate.warm():
        return
    if capture is None or is_small([capture]):
        accelerate.prefer("interpreted")
    elif accelerate.engine() == "compiled":  # not so without numba
        sys.stderr.write(
            "eniwall: the engine is not compiled on this machine yet: that is done now, once; the page waits\n"
        )
