"""The connection table as `conntrack -L` prints it, one connection's life, and both as JSON.

`format` is the version of the JSON's keys:

1. captures, profile, settings, at, warnings; for the table `entries`, how many they are (`total`) and
   how many connections are `untracked`; for a life `flow`, `packets`, `end`.

Times are whole nanoseconds since 1970, timeouts seconds of capture time.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from ipaddress import ip_address
from math import floor
from typing import Any

from conntrack.icmp import QUERIES
from conntrack.timeouts import NS
from firewall.connections import Connection
from firewall.labels import counted, duration_text, flow_text, printable, protocol_word, time_text
from firewall.model import TCP, UDP
from firewall.reports.json_report import dumped
from firewall.reports.page import Column, Page, number
from firewall.reports.terminal import UNDECIDED_RULE
from firewall.state import End, Fate, Life, State, Step
from pcaps.wire import GRE, ICMP, ICMPV6, SCTP, UDPLITE

FORMAT = 1
#: The protocols that conntrack (conntrack-tools 1.4.7) calls by name.
NAMES = {TCP: "tcp", UDP: "udp", UDPLITE: "udplite", SCTP: "sctp", ICMP: "icmp", ICMPV6: "icmpv6", GRE: "gre"}
NO_NAME = "unknown"
BY_PORT = (TCP, UDP)  # these always have ports, 0 too
ANSWERS = {(row.family, row.query): row.answer for row in QUERIES}
RESTS = {"TIME_WAIT": "closed", "CLOSE": "reset"}


# --- the table -----------------------------------------------------------------------------------------
def table_text(connections: Iterable[Connection]) -> str:
    """One line for each entry."""
    return "".join(entry_line(connection) + "\n" for connection in connections)


def shown_text(count: int, untracked: int = 0) -> str:
    """The last line, on standard error; untracked connections have no entry and are counted apart."""
    more = f" {counted(untracked, 'connection')} not tracked." if untracked else ""
    return f"eniwall: {count} flow entries have been shown.{more}\n"


def entry_line(connection: Connection) -> str:
    """An entry in the layout of conntrack-tools 1.4.7, and behind it the interface, the flow and its rule.

    conntrack's own last words are kept: mark is always 0 and use always 1.
    """
    name = NAMES.get(connection.protocol, NO_NAME)
    original, reply = ends(connection)
    words = [
        f"{name:<8} {connection.protocol} {floor(connection.expires_in)}",
        state_of(connection),
        *tuple_words(connection.protocol, original),
        "" if connection.answered else "[UNREPLIED]",
        *tuple_words(connection.protocol, reply),
        "[ASSURED]" if connection.assured else "",
        "mark=0 use=1",
        f"eni={value(connection.eni)} flow={connection.flow} rule={value(connection.rule or '-')}",
    ]
    return " ".join(word for word in words if word)


def state_of(connection: Connection) -> str:
    """The state by its Linux name; nothing for protocols without states."""
    if connection.protocol == TCP:
        return connection.tcp_state or "NONE"
    return connection.sctp_state


def ends(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two tuples of an entry by conntrack's words; keys that a protocol lacks are left out."""
    forth: dict[str, Any] = {"src": connection.src, "dst": connection.dst}
    back: dict[str, Any] = {"src": connection.dst, "dst": connection.src}
    if connection.icmp_id is not None:
        kind = connection.src_port or 0
        answer = ANSWERS[ip_address(connection.src).version, kind]
        rest = {"code": connection.dst_port, "id": connection.icmp_id}
        return {**forth, "type": kind, **rest}, {**back, "type": answer, **rest}
    ports = (connection.src_port or 0, connection.dst_port or 0)
    if connection.protocol == GRE:
        names = ("srckey", "dstkey")
    elif connection.src_port is not None or connection.protocol in BY_PORT:
        names = ("sport", "dport")
    else:
        return forth, back
    return (
        {**forth, **dict(zip(names, ports, strict=True))},
        {**back, **dict(zip(names, reversed(ports), strict=True))},
    )


def tuple_words(protocol: int, side: dict[str, Any]) -> list[str]:
    """`src=... dst=... sport=... dport=...`; the keys of GRE in hexadecimal."""
    keys = side.keys() & {"srckey", "dstkey"} if protocol == GRE else set()
    return [f"{name}={word:#x}" if name in keys else f"{name}={word}" for name, word in side.items()]


def value(word: str) -> str:
    """A name behind `=`: in quotes, as in JSON, where spaces or quotes would make it ambiguous."""
    plain = word.isprintable() and not any(letter in word for letter in ' "=')
    return word if plain else printable(json.dumps(word))


# --- one life ------------------------------------------------------------------------------------------
def life_report(life: Life, captures: Sequence[str], width: int | None = None) -> str:
    """The life of one connection; `width` is the terminal's, None for a pipe or a file."""
    page = Page(width)
    flow = life.connection
    rule = flow.rule or UNDECIDED_RULE
    page.line(f"{flow.eni} flow {flow.flow}: {tuple_line(flow)}, opened by {rule}", "bold")
    page.line(f"from {time_text(life.steps[0].time)} UTC; -> is the opener's direction, <- the other")
    page.line()
    page.table(COLUMNS, step_rows(life.steps, several=len(captures) > 1))
    page.line()
    for line in end_lines(life, captures):
        page.line(line)
    return page.text()


COLUMNS = (
    Column("packet"),
    number("seconds"),
    Column(""),
    Column("flags"),
    number("seq", optional=True),
    number("ack", optional=True),
    number("len", optional=True),
    Column("verdict"),
    Column("reason"),
    Column("state", wraps=True),
    number("timeout"),
    Column("because", wraps=True),
)


def tuple_line(flow: Connection) -> str:
    """The opener's tuple."""
    return flow_text(flow.src, flow.dst, flow.protocol, flow.src_port, flow.dst_port)


def step_rows(steps: Sequence[Step], *, several: bool) -> list[tuple[object, ...]]:
    """A row for each packet; sequence numbers count from the first that was seen of their direction."""
    first_seen: dict[bool, int] = {}
    rows: list[tuple[object, ...]] = []
    for step in steps:
        if step.seq is not None:
            first_seen.setdefault(step.reply, step.seq)
        if step.ack is not None:
            first_seen.setdefault(not step.reply, step.ack)
        rows.append(
            (
                name_of(step, several=several),
                f"{(step.time - steps[0].time) / NS:.6f}",
                "<-" if step.reply else "->",
                step.flags or "-",
                relative(step.seq, first_seen.get(step.reply)),
                relative(step.ack, first_seen.get(not step.reply)),
                "-" if step.length is None else step.length,
                step.verdict,
                step.reason,
                f"{step.before or '-'} -> {step.after or '-'}" if step.before != step.after else step.after,
                "-" if step.left is None else f"{step.left:.3f}",
                step.why,
            )
        )
    return rows


def relative(sequence: int | None, first: int | None) -> object:
    """A sequence number from `first` on, signed: what lies before it is below 0 (32 bits, RFC 9293 section 3.4)."""
    if sequence is None or first is None:
        return "-"
    ahead = (sequence - first) & 0xFFFF_FFFF
    return ahead - (1 << 32) if ahead >= 1 << 31 else ahead


def name_of(step: Step, *, several: bool) -> str:
    """The frame number, with the file's name where there are several."""
    return f"{step.capture}:{step.packet}" if several else str(step.packet)


def end_lines(life: Life, captures: Sequence[str]) -> list[str]:
    """What became of the connection, and of its entry."""
    end, several = life.end, len(captures) > 1
    lines = []
    if end.closed_by is not None:
        word = RESTS[end.closed_by.after]
        lines.append(f"{word} by packet {name_of(end.closed_by, several=several)} ({end.closed_by.after})")
    if end.expires is None:
        return [*lines, "not tracked: the rules judge every packet of it, and it has no entry in the table"]
    when = f"{time_text(end.expires)} UTC"
    if end.fate is Fate.HELD:
        left = duration_text(end.expires - life.now)
        held = "its entry is held" if end.closed_by else "still open"
        lines.append(f"{held}: expires at {when}, in {left}, if no other packet comes")
    elif end.fate is Fate.TIMED_OUT:
        lines.append(f"timed out at {when}, {duration_text(end.expires - life.steps[-1].time)} after its last packet")
    if end.fate is Fate.DELETED and end.by is not None:
        lines.append(f"deleted by packet {name_of(end.by, several=several)}: a reset was the only answer")
    if end.fate is Fate.REPLACED and end.by is not None:
        lines.append(f"deleted by packet {name_of(end.by, several=several)}, which opened flow {end.next_flow}")
    if end.fate is Fate.DROPPED:
        lines.append("dropped before its time: it made room for a new connection in a full table")
    if end.late is not None:
        late = duration_text(end.late.time - end.expires)
        told = f"{end.late.verdict} {end.late.reason}" + (f", flow {end.next_flow}" if end.next_flow else "")
        lines.append(f"packet {name_of(end.late, several=several)} came {late} too late: {told}")
    return lines


# --- JSON ----------------------------------------------------------------------------------------------
def state_json(state: State) -> str:
    """The table, or the life, with stable keys."""
    report: dict[str, Any] = {
        "format": FORMAT,
        "eniwall": state.version,
        "captures": list(state.captures),
        "profile": state.profile,
        "settings": state.settings,
        "at": {"capture": state.capture, "packet": state.packet, "time": state.time},
        "warnings": list(state.warnings),
    }
    if state.life is None:
        entries = [entry_object(connection) for connection in state.connections]
        return dumped({**report, "total": len(entries), "untracked": state.untracked, "entries": entries})
    return dumped({**report, **life_object(state.life)})


def entry_object(connection: Connection) -> dict[str, Any]:
    """One entry of the table."""
    original, reply = ends(connection)
    return {
        "eni": connection.eni,
        "flow": connection.flow,
        "protocol": protocol_word(connection.protocol),
        "protocol_number": connection.protocol,
        "timeout": floor(connection.expires_in),
        "expires": connection.expires,
        "state": state_of(connection) or None,
        "original": original,
        "reply": reply,
        "replied": connection.answered,
        "assured": connection.assured,
        "rule": connection.rule or None,
    }


def life_object(life: Life) -> dict[str, Any]:
    """One connection's life."""
    original, reply = ends(life.connection)
    flow = life.connection
    return {
        "flow": {
            "eni": flow.eni,
            "flow": flow.flow,
            "protocol": protocol_word(flow.protocol),
            "original": original,
            "reply": reply,
            "rule": flow.rule or None,
        },
        "packets": [step_object(step) for step in life.steps],
        "end": end_object(life.end),
    }


def step_object(step: Step) -> dict[str, Any]:
    """One packet; sequence numbers as on the wire."""
    kept = {name: word for name, word in asdict(step).items() if name not in ("reply", "left")}
    kept |= {name: kept[name] or None for name in ("flags", "ct_state", "before", "after")}
    return {**kept, "direction": "reply" if step.reply else "original", "timeout": step.left}


def end_object(end: End) -> dict[str, Any]:
    """What became of the entry; packets by capture and number."""
    named = {"closed_by": end.closed_by, "by": end.by, "late": end.late}
    places = {
        name: None if step is None else {"capture": step.capture, "packet": step.packet} for name, step in named.items()
    }
    return {
        "entry": str(end.fate),
        "expires": end.expires,
        "state": end.closed_by.after if end.closed_by else None,
        "next_flow": end.next_flow,
        **places,
    }
