"""A flow log from verdict rows: text, written as intervals close."""

import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import numpy as np

from firewall.files import check_writable, whole_file
from firewall.flowlog.aggregate import Aggregator
from firewall.flowlog.fields import Facts, Field, header, lines
from firewall.flowlog.logged import ACTIONS, UNLOGGED
from firewall.flowlog.quiet import Quiet
from firewall.flowlog.records import Records
from firewall.rows import Judged

TRAFFIC = ("ALL", *ACTIONS)
CHUNK = 1 << 16  # records that are made text at a time

Sink = Callable[[str], object]
Told = Callable[[Records], object]


class FlowLog:
    """Takes verdict rows in packet order, gives lines to `sink` (None: nowhere) and closed records to `told`.

    `records` and `packets` count what was written, by ACCEPT and REJECT; `status` the other lines.
    """

    def __init__(
        self, aggregator: Aggregator, facts: Facts, fields: Sequence[Field], sink: Sink | None, traffic: str = "ALL"
    ) -> None:
        self.records = dict.fromkeys(ACTIONS, 0)
        self.packets = dict.fromkeys(ACTIONS, 0)
        self.bytes = dict.fromkeys(ACTIONS, 0)
        self.status = 0
        self.aggregator = aggregator
        self.told: Told | None = None
        self._facts = facts
        self._fields = fields
        self._sink = sink
        self._traffic = traffic
        self._quiet = Quiet(len(facts.interface), aggregator.seconds)
        if sink is not None:
            sink(header(fields))

    @property
    def left_out(self) -> dict[str, int]:
        """Verdict rows without a record, by why, most first."""
        return dict(self.aggregator.left_out.most_common())

    def write(self, judged: Judged) -> None:
        """Take the rows of one batch."""
        if self.aggregator.add(judged):
            self._give(last=False)

    def finish(self) -> None:
        """Write the interval that is open at the end."""
        self._give(last=True)

    def _give(self, *, last: bool) -> None:
        closed, ticks, upto = self.aggregator.closed(last=last)
        written = self._quiet.fill(closed, ticks, upto)
        for other in ACTIONS:
            if self._traffic not in ("ALL", other):
                self.aggregator.left_out[f"{other} (--traffic {self._traffic})"] += _packets(written, other)
                written, closed = (each.take(each.action != ACTIONS.index(other)) for each in (written, closed))
        if self.told is not None:
            self.told(closed)
        for code, name in enumerate(ACTIONS):
            chosen = written.action == code
            self.records[name] += int(np.count_nonzero(chosen))
            self.packets[name] += _packets(written, name)
            self.bytes[name] += int(written.bytes[chosen].sum())
        self.status += int(np.count_nonzero(written.action > UNLOGGED))
        if self._sink is not None:
            for start in range(0, written.rows, CHUNK):
                part = Records._make(column[start : start + CHUNK] for column in written)
                self._sink(lines(part, self._facts, self._fields))


def _packets(records: Records, action: str) -> int:
    return int(records.packets[records.action == ACTIONS.index(action)].sum())


# --- files ------------------------------------------------------------------------------------------------
@contextmanager
def open_log(path: str) -> Iterator[Sink]:
    """What writes text to a file, gzip where its name ends in .gz; it stands there when the block ends well."""
    check_writable(path)
    with whole_file(path) as part, part.open("wb") as raw, _text(raw, packed=path.endswith(".gz")) as file:
        yield file.write


@contextmanager
def _text(raw: IO[bytes], *, packed: bool) -> Iterator[IO[str]]:
    if not packed:
        with io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
            yield file
        return
    with (
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packing,
        io.TextIOWrapper(packing, encoding="utf-8", newline="") as file,
    ):
        yield file
