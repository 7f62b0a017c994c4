"""Write the documents that follow from the source's tables: `python -m docs.generate`.

`docs/tracking.md`, `docs/tcp-states.svg` and the two JSON Schemas need nothing but the source.
`docs/zeek.md` also needs the real captures; it is written only where ENIWALL_CAPTURES names their folder.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from conntrack.icmp import QUERIES
from conntrack.outcome import CAUSES
from conntrack.sctp import SCTP_ROWS
from conntrack.tcp import (
    CLASS_NAMES,
    DIRECTION_NAMES,
    IGNORE,
    INVALID,
    ORIGINAL,
    REPLY,
    ROWS,
    STATES,
    TRANSITIONS,
    VALID_FLAG_SETS,
)
from conntrack.timeouts import NUMBERS, STATE_TIMEOUTS, SWITCHES, TIMEOUTS
from docs.markdown import HERE, fill, table
from docs.report_schema import schema_text as report_schema_text
from docs.rules_schema import schema_text
from firewall.exempt import EXEMPTIONS
from firewall.flowlog.fields import FIELDS
from firewall.flowlog.guesses import GUESSES
from firewall.flowlog.logged import NOT_LOGGED
from firewall.labels import protocol_word
from firewall.lint import LINTS
from firewall.lint_tables import MANAGEMENT_PORTS
from firewall.quotas import AWS_WEIGHTS, QUOTAS, WEIGHTS_PAGE
from firewall.steps.state_graph import ARROW_MEANINGS, mermaid, state_graph
from firewall.steps.state_svg import state_svg
from firewall.verdict import REASONS, VERDICTS
from pcaps.link import LINK_TYPES, NESTED
from pcaps.sctp_header import CHUNKS

NO_ENTRY = "none"
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
URL = re.compile(r"https://[^\s;,]+[^\s;,.:]")
Format = Callable[[Any], str]


# --- Markdown ------------------------------------------------------------------------------------------
def records(rows: Iterable[Any], formats: Mapping[str, Format] | None = None) -> str:
    """Named tuples as a table: one column a field, whatever the fields are."""
    rows = tuple(rows)
    fields = rows[0]._fields
    known = formats or {}
    cells = [[known.get(field, plain)(getattr(row, field)) for field in fields] for row in rows]
    return table([field.replace("_", " ") for field in fields], cells)


def plain(value: Any) -> str:
    """A cell: text with its addresses as links, several words in a row, `any` for nothing."""
    if value is None:
        return "any"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return URL.sub(lambda found: f"[{Path(found[0]).stem}]({found[0]})", str(value))


def code(value: Any) -> str:
    """A name as it is typed."""
    return f"`{value}`"


def short(value: int) -> str:
    """Seconds, from ten minutes on in the largest unit that divides them: `120 s`, `5 d`."""
    size, unit = next(unit for unit in UNITS if value % unit[0] == 0)
    return f"{value // size} {unit}" if value >= 600 else f"{value} s"


def seconds(value: int) -> str:
    """`120 s`; where it is long, both ways: `432000 s (5 d)`."""
    return f"{value} s" if value < 600 else f"{value} s ({short(value)})"


def port(value: int) -> str:
    """A port or ICMPv6 type; below 0 any."""
    return str(value) if value >= 0 else "any"


# --- the TCP table -------------------------------------------------------------------------------------
def state_word(state: int) -> str:
    """A state, or what a cell says instead of one."""
    return {IGNORE: "let pass", INVALID: "invalid"}.get(state) or STATES[state] or NO_ENTRY


def transitions(direction: int) -> str:
    """Flag classes down, states across; a dot where the state stays."""
    rows = []
    for flags, name in enumerate(CLASS_NAMES):
        cells = [int(cell) for cell in TRANSITIONS[direction, flags]]
        rows.append([name, *("\u00b7" if cell == state else state_word(cell) for state, cell in enumerate(cells))])
    return table([DIRECTION_NAMES[direction], *(state or NO_ENTRY for state in STATES)], rows)


def transition_reasons() -> str:
    """Every row of the table with its reason."""
    return table(
        ("direction", "flags", "from", "to", "why"),
        (
            (
                DIRECTION_NAMES[row.direction],
                CLASS_NAMES[row.flags],
                ", ".join(map(state_word, row.states)),
                state_word(row.to),
                row.why,
            )
            for row in ROWS
        ),
    )


def state_times() -> dict[int, str]:
    """How long each state lasts without a packet: both profiles' values where they differ."""
    times = {}
    for state, timeout in enumerate(STATE_TIMEOUTS):
        row = TIMEOUTS[timeout]
        values = dict.fromkeys(map(short, (row.linux, row.aws)))
        times[state] = " / ".join(values)
    return times


# --- the documents -------------------------------------------------------------------------------------
def states_svg() -> str:
    """docs/tcp-states.svg."""
    return state_svg(state_graph(STATES, ROWS), state_times(), "TCP states of a tracked connection")


def chunk_name(number: int) -> str:
    """An SCTP chunk by its code."""
    return next(chunk.name for chunk in CHUNKS if chunk.code == number)


def tracking() -> str:
    """docs/tracking.md: its template, and the tables."""
    parts = {
        "arrows": ", ".join(f"{arrow} {meaning}" for arrow, meaning in ARROW_MEANINGS.items()),
        "mermaid": mermaid(state_graph(STATES, ROWS)),
        "original": transitions(ORIGINAL),
        "reply": transitions(REPLY),
        "reasons-of-transitions": transition_reasons(),
        "flag-sets": records(VALID_FLAG_SETS),
        "timeouts": records(TIMEOUTS, {"name": code, "linux": seconds, "aws": seconds}),
        "switches": records(SWITCHES, {"name": code}),
        "numbers": records(NUMBERS, {"name": code}),
        "sctp": records(SCTP_ROWS, {"direction": DIRECTION_NAMES.__getitem__, "chunk": chunk_name, "states": code}),
        "queries": records(QUERIES, {"family": "IPv{}".format}),
        "causes": records(CAUSES, {"word": code}),
        "reasons": records(REASONS, {"word": code, "verdict": VERDICTS.__getitem__}),
        "links": records(LINK_TYPES),
        "nested": records(NESTED),
        "exemptions": records(EXEMPTIONS, {"protocol": protocol_word, "low": port, "high": port}),
    }
    return fill("tracking.in.md", parts)


def lints() -> str:
    """docs/lints.md: its template, and the tables."""
    rows = [(code(row.name), row.says, row.why, plain(row.source)) for row in LINTS]
    weights = [(code(name), str(weight)) for name, weight in AWS_WEIGHTS.items()]
    parts = {
        "lints": table(("lint", "what it finds", "why", "source"), rows),
        "ports": records(MANAGEMENT_PORTS, {"protocol": protocol_word}),
        "quotas": records(QUOTAS, {"name": code, "most": most}),
        "weights-page": plain(WEIGHTS_PAGE),
        "weights": table(("list, behind com.amazonaws.REGION", "weight"), weights),
    }
    return fill("lints.in.md", parts)


def most(value: int | None) -> str:
    """The most that AWS grants."""
    return "not said" if value is None else str(value)


def flow_logs() -> str:
    """docs/flowlog.md: its template, and the tables."""
    fields = [
        (code(row.name), str(row.version), row.type, row.value if row.make else f"always `-`: {row.value}")
        for row in FIELDS
    ]
    unlogged = [
        (
            row.name,
            row.address or "any",
            "any" if row.protocol is None else protocol_word(row.protocol),
            f"{row.low} and {row.high}, both ends" if row.high else "any",
            plain(row.source),
        )
        for row in NOT_LOGGED
    ]
    parts = {
        "fields": table(("field", "version", "Parquet type", "value"), fields),
        "not-logged": table(("traffic", "peer", "protocol", "ports", "source"), unlogged),
        "guesses": table(("guess", "when", "what it says"), [(code(row.name), row.when, row.says) for row in GUESSES]),
    }
    return fill("flowlog.in.md", parts)


def documents() -> dict[str, str]:
    """Text of every document that needs nothing but the source, by file name in this folder."""
    return {
        "tracking.md": tracking(),
        "tcp-states.svg": states_svg(),
        "rules.schema.json": schema_text(),
        "report.schema.json": report_schema_text(),
        "lints.md": lints(),
        "flowlog.md": flow_logs(),
    }


def write(made: Mapping[str, str]) -> None:
    """Write documents into this folder."""
    for name, text in made.items():
        (HERE / name).write_text(text, encoding="utf-8")


def main() -> None:
    """Write them all."""
    write(documents())
    folder = os.environ.get("ENIWALL_CAPTURES")
    if folder:
        from docs.zeek_page import page  # the tests' comparison, which replays captures
        from tests.zeek import compare_all

        write({"zeek.md": page(compare_all(Path(folder)))})
    else:
        sys.stderr.write("docs/zeek.md is left as it is: ENIWALL_CAPTURES is unset\n")


if __name__ == "__main__":
    main()
