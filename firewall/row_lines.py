"""A verdict row as one line of text: `DENY eni-web ingress no-ingress-rule tcp/22 from 203.0.113.9`."""

from functools import lru_cache
from typing import Any

from firewall.columns import Words, row_columns
from firewall.labels import ICMP_PROTOCOLS, Labels, printable, protocol_word
from firewall.rows import Judged

WORDS = ("verdict", "eni", "direction", "reason", "protocol", "src_port", "dst_port", "src", "dst", "rule")
_ICMP_WORDS = tuple(map(protocol_word, ICMP_PROTOCOLS))


def row_lines(judged: Judged, labels: Labels) -> list[str]:
    """The lines of a batch, one for each row."""
    columns = row_columns(judged, labels)
    cells = {name: _cells(columns[name]) for name in WORDS}
    cells["src_port"] = [
        port if word in _ICMP_WORDS else None for port, word in zip(cells["src_port"], cells["protocol"], strict=True)
    ]  # a client's port differs with each connection: without it the same lines come again
    return [row_line(*row) for row in zip(*cells.values(), strict=True)]


def _cells(column: Any) -> list[Any]:
    """A column's cells; None where there is nothing."""
    if isinstance(column, Words):
        return [column.words[code] for code in column.codes.tolist()]
    cells = column.values.tolist()
    if column.present is not None:
        cells = [cell if there else None for cell, there in zip(cells, column.present.tolist(), strict=True)]
    return list(cells)


@lru_cache(maxsize=1 << 14)
def row_line(
    verdict: str,
    eni: str | None,
    direction: str | None,
    reason: str,
    protocol: str | None = None,
    icmp_type: int | None = None,
    dst_port: int | None = None,
    src: str | None = None,
    dst: str | None = None,
    rule: str | None = None,
) -> str:
    """The line of one row: words that it has nothing for are left out, names have no control characters.

    `dst_port` is the code of an ICMP packet. The peer is told; both ends where no interface is judged.
    """
    service = "/".join(str(part) for part in (protocol, icmp_type, dst_port) if part is not None)
    words = [verdict, eni, direction, reason, service, _ends(direction, src, dst), f"by {rule}" if rule else None]
    return printable(" ".join(word for word in words if word))


def _ends(direction: str | None, src: str | None, dst: str | None) -> str | None:
    if src is None:
        return None
    return {"ingress": f"from {src}", "egress": f"to {dst}"}.get(direction or "", f"from {src} to {dst}")
