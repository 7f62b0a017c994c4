"""The connections of the page: compact columns as JSON, and the first rows as the page shows them without a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from firewall.columns import Column, Words
from firewall.labels import ICMP_PROTOCOLS, duration_text, endpoint, printable, protocol_word
from firewall.reports.connection_columns import all_connections, connection_columns, largest_first
from firewall.reports.result import Connection, Result
from firewall.reports.safe_json import json_text
from firewall.reports.texts import Words as Texts

FIRST_ROWS = 50  # a page of them, in the page itself too
MICROSECOND = 1000  # ns: JavaScript's numbers hold microseconds since 1970 exactly, and not nanoseconds

#: The table's columns: a name, the key of its text, and `number` where it stands right.
TABLE = (
    ("eni", "interface", ""),
    ("flow", "flow", "number"),
    ("src", "originator", ""),
    ("dst", "responder", ""),
    ("protocol", "protocol", ""),
    ("time", "opened", ""),
    ("packet", "packet", "number"),
    ("duration", "duration", "number"),
    ("rule", "rule", ""),
    ("sent", "sent", "number"),
    ("sent_bytes", "sent_bytes", "number"),
    ("received", "received", "number"),
    ("received_bytes", "received_bytes", "number"),
    ("denied", "denied_count", "number"),
    ("state", "state", ""),
    ("history", "history", ""),
)
FILTERS = (("eni", "interface"), ("protocol", "protocol"), ("state", "state"), ("rule", "rule"))
WORDS = ("eni", "src", "dst", "protocol", "capture", "rule", "state", "history")
NUMBERS = ("flow", "src_port", "dst_port", "packet", "sent", "sent_bytes", "received", "received_bytes", "denied")
TEXT_KEYS = ("found_of", "shown", "shown_none", "sort_hint")

Frame = Callable[[str, int], str]
Clock = Callable[[int | None], str]


@dataclass(frozen=True)
class ConnectionPage:
    """What the template needs of the connections."""

    total: int
    columns: Sequence[tuple[str, str, str]]
    lines: Sequence[Sequence[tuple[str, tuple[str, str, str]]]]
    filters: Sequence[tuple[str, str, Sequence[tuple[int, str]]]]
    data: Markup


def connection_page(result: Result, t: Texts, clock: Clock, frame: Frame, mode: str) -> ConnectionPage:
    """Of all connections, those with most packets first. `mode`: how times stand, `time`, `date` or `seconds`."""
    found = largest_first(all_connections(result))
    columns = connection_columns(found, result)
    words = {name: _compact(columns[name]) for name in WORDS}
    words["capture"] = _short(words["capture"], result)
    start = int(found.records["first_time"].min()) // MICROSECOND if len(found.flow) else 0
    numbers = {name: _whole(columns[name]) for name in NUMBERS}
    numbers["time"] = (found.records["first_time"] // MICROSECOND - start).tolist()
    numbers["duration"] = ((found.records["last_time"] - found.records["first_time"]) // MICROSECOND).tolist()
    numbers["icmp"] = np.isin(found.records["protocol"], ICMP_PROTOCOLS).astype(int).tolist()
    data = {
        "total": len(found.flow),
        "start": start,
        "clock": mode,
        "words": {name: texts for name, (texts, _) in words.items()},
        "columns": {**numbers, **{name: codes for name, (_, codes) in words.items()}},
        "texts": {key: getattr(_text(key), t.language) for key in TEXT_KEYS},
    }
    first = [
        result.connection(*each) for each in zip(found.eni[:FIRST_ROWS].tolist(), found.flow.tolist(), strict=False)
    ]
    table = [column for column in TABLE if column[0] != "eni" or len(result.labels.interfaces) > 1]
    return ConnectionPage(
        total=len(found.flow),
        columns=table,
        lines=[
            [(cells[column[0]], column) for column in table] for cells in (_line(each, clock, frame) for each in first)
        ],
        filters=[(name, key, _choices(words[name][0])) for name, key in FILTERS if len(words[name][0]) > 1],
        data=Markup(json_text(data)),  # noqa: S704  (every sign that could end the element is escaped)
    )


def _text(key: str) -> Any:
    from firewall.reports.texts import TEXTS

    return TEXTS[key]


def _compact(column: Column) -> tuple[list[str], list[int]]:
    """The words that occur, sorted by their codes, and for each row which one it is."""
    assert isinstance(column, Words)  # noqa: S101  (the columns named in WORDS are)
    codes, places = np.unique(column.codes, return_inverse=True)
    return [printable(column.words[code] or "") for code in codes.tolist()], places.tolist()


def _short(words: tuple[list[str], list[int]], result: Result) -> tuple[list[str], list[int]]:
    names, places = words
    short = {printable(name): printable(word) for name, word in result.short_captures.items()}
    return [short[name] for name in names], places


def _whole(column: Column) -> list[int]:
    """Numbers; -1 where there is none."""
    assert not isinstance(column, Words)  # noqa: S101  (those named in NUMBERS are numbers)
    values = column.values if column.present is None else np.where(column.present, column.values, -1)
    return values.tolist()  # type: ignore[no-any-return]  # numpy types tolist as Any


def _choices(words: Sequence[str]) -> list[tuple[int, str]]:
    return sorted(((place, word or "-") for place, word in enumerate(words)), key=lambda choice: choice[1])


def _line(each: Connection, clock: Clock, frame: Frame) -> dict[str, str]:
    """The cells of TABLE by column: the page's script writes the same."""
    word = protocol_word(each.protocol)
    counts = ("sent", "sent_bytes", "received", "received_bytes", "denied")
    return {
        "eni": each.eni,
        "flow": f"{each.flow:,}",
        "src": endpoint(each.src, each.protocol, each.src_port),
        "dst": endpoint(each.dst, each.protocol, each.dst_port),
        "protocol": f"{word} {each.src_port}/{each.dst_port}" if each.protocol in ICMP_PROTOCOLS else word,
        "time": clock(each.first_time),
        "packet": frame(each.capture, each.packet),
        "duration": duration_text(each.duration),
        "rule": each.rule,
        **{name: f"{getattr(each, name):,}" for name in counts},
        "state": each.state,
        "history": each.history,
    }
