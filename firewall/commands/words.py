"""Words that several commands take, each declared once with its help."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from firewall.languages import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])


def _settings(_context: click.Context, _option: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping; the last one of a name counts."""
    pairs = [word.partition("=") for word in words]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise click.BadParameter(f"{name + sign + value!r}: write NAME=VALUE, for example tcp_loose=0")
        _, prefix, short = name.rpartition("nf_conntrack_")
        if prefix:
            raise click.BadParameter(f"{name}: names stand without nf_conntrack_; write {short}={value}")
    return {name.strip(): value.strip() for name, _, value in pairs}


CAPTURES = click.argument("captures", metavar="[CAPTURE]...", nargs=-1)
RULES = click.option("--rules", metavar="FILE", multiple=True, required=True, help="Rule file; may be repeated.")
ENIS = click.option(
    "--eni",
    "enis",
    metavar="ADDRESS_OR_ID",
    multiple=True,
    help="Interface to simulate: an id or address of the rule file, or any other address, which then has"
    " all groups of the file. INTERFACE=NAME: the packets of the capture file NAME, or of the capture's interface"
    " NAME, were seen there. May be repeated.",
)
PROFILE = click.option(
    "--profile",
    type=click.Choice(("aws", "linux")),
    default="aws",
    show_default=True,
    help="What AWS documents, or what Linux nf_conntrack does.",
)
SETTINGS = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_settings,
    help="Change a switch or a timeout, by its Linux name without nf_conntrack_; may be repeated.",
)
TUNNEL = click.option(
    "--tunnel",
    type=click.Choice(("auto", "outer", "inner")),
    default="auto",
    show_default=True,
    help="Judge what VXLAN and GENEVE carry, or the tunnel itself; auto: what traffic mirroring copied.",
)
EVENTS = click.option(
    "--events",
    metavar="FILE",
    help="Change the rules on the way: a file of events, each at a packet or time (docs/events.md).",
)
FILTER = click.option(
    "--filter",
    "bpf",
    metavar="BPF",
    help="Judge only packets that this tcpdump filter lets through. A name in it (host NAME) is looked up in"
    " the DNS, as tcpdump does; an address is not.",
)
FOLLOW = click.option(
    "--follow",
    is_flag=True,
    help="The capture is still being written: wait for more at its end, until Ctrl-C, or until it is removed"
    " or replaced; then report.",
)
CRAFT = click.option(
    "--craft",
    "crafted",
    metavar="EXPR",
    multiple=True,
    help="Judge a crafted packet instead of a capture, written as in scapy: 'IP(dst=\"10.0.0.1\")/TCP(dport=80)';"
    " may be repeated, in order.",
)
THREADS = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="1: read, judge and count in turns; 2 and more: at the same time, each ahead of the next. Results are the"
    " same. Default: as many as there are cores.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


def written_to(what: str) -> Callable[[F], F]:
    """The option -o of files of several kinds, told apart by their endings; `what`: its help."""
    return click.option("-o", "--output", "outputs", metavar="FILE", multiple=True, help=what)


def in_language(what: str) -> Callable[[F], F]:
    """The option --lang, with what its help says it is the language of."""
    return click.option(
        "--lang",
        "language",
        type=click.Choice(LANGUAGES),
        default="en",
        show_default=True,
        help=f"Language of {what}.",
    )


CAPTURING = (CAPTURES, RULES, ENIS, PROFILE, SETTINGS, TUNNEL, EVENTS, FILTER, FOLLOW, CRAFT, THREADS, JSON)
EXPLAINING = tuple(word for word in CAPTURING if word not in (FOLLOW, THREADS))
LISTENING = (RULES, ENIS, PROFILE, SETTINGS, TUNNEL, FILTER, JSON)


def _taking(options: Iterable[Callable[[F], F]], command: F) -> F:
    for declare in reversed(tuple(options)):
        command = declare(command)
    return command


def capturing(command: F) -> F:
    """Give a command the words that every command has that reads a capture."""
    return _taking(CAPTURING, command)


def explaining(command: F) -> F:
    """Give a command those of them that make sense where packets are looked at twice."""
    return _taking(EXPLAINING, command)


def listening(command: F) -> F:
    """Give a command those of them that make sense for packets that come only now."""
    return _taking(LISTENING, command)
