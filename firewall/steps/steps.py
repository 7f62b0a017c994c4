"""Steps: a capture judged by several readings, and everything that can be shown of each of its verdict rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self, TypeVar, cast

import numpy as np

from conntrack.tcp import STATES
from conntrack.timeouts import NS
from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.explain.explainer import Explainer
from firewall.explain.phases import TITLES
from firewall.explain.sight import DAY, Sight
from firewall.explain.text import verdict_notes
from firewall.labels import endpoint, printable, protocol_number, time_text
from firewall.life import packet_text, state_word
from firewall.rows import VerdictBatch, take_rows
from firewall.stations import BORDER, STATEFUL, STATELESS
from firewall.steps.diagram import diagrams
from firewall.steps.fields import flags, layers
from firewall.steps.table import between, table_at
from firewall.steps.texts import texts
from firewall.steps.track import Held, Met, Track
from firewall.steps.whys import why
from firewall.verdict import NOT_IP, REASONS, UNSUPPORTED_LINK
from pcaps.capture import Capture
from pcaps.wire import TCP

T = TypeVar("T")

FORMAT = 1  # of the objects below: keys may be added, a key that changes its meaning makes format 2
MOST_PACKETS = 100_000  # held in memory: about 300 bytes each, and as much again for each reading
#: Phases that a reading does not have, by its code.
UNTOLD = {STATEFUL: (), STATELESS: ("table",), BORDER: ("table", "rules")}


class Steps:
    """A judged capture, one step for each verdict row, numbered from 1. For one thread at a time.

    All that is given back can be written as JSON; names from captures and rule files have no control characters.
    """

    def __init__(
        self,
        tracks: Mapping[str, Track],
        held: Held,
        title: str,
        hosts: Mapping[str, str],
        notes: Sequence[str],
        made_acls: Sequence[str],
    ) -> None:
        self._tracks = dict(tracks)
        self.readings = tuple(tracks)
        self.main = self.readings[0]
        self._track = tracks[self.main]
        self._held = held
        self._title = title or ", ".join(self._track.labels.short_captures.values())
        self._hosts = dict(hosts)
        self._told = tuple(notes)
        self._made_acls = tuple(made_acls)
        packets = self._track.verdicts.packet
        if any(not np.array_equal(track.verdicts.packet, packets) for track in tracks.values()):
            raise ValueError("the readings do not have the same rows")
        self._explainers = {name: Explainer(track.firewall, held.names) for name, track in tracks.items()}
        self._changes = _changes(self._track)

    @classmethod
    def of(
        cls,
        capture: Capture,
        firewalls: Mapping[str, Firewall],
        *,
        title: str = "",
        hosts: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        made_acls: Sequence[str] = (),
        most: int = MOST_PACKETS,
        because: str = "stepping holds them in memory",
        pulse: Callable[[], None] = lambda: None,
    ) -> Self:
        """Read a capture and judge it by each reading, the first of which is shown as the main one.

        `firewalls` are new ones over the same interfaces, by the name of their reading; `hosts` names addresses,
        `notes` stand before what was assumed, `made_acls` are the network ACLs that were made of the groups. Raises
        UsageError for more than `most` packets (and says `because`), or where no interface is known; and what `pulse`
        raises, which is called every few packets.
        """
        held = Held(capture, most, because, pulse)
        tracks = {name: Track(firewall, held) for name, firewall in firewalls.items()}
        return cls(tracks, held, title, hosts or {}, notes, made_acls)

    @property
    def count(self) -> int:
        """How many steps there are."""
        return self._track.verdicts.rows

    @property
    def verdicts(self) -> tuple[VerdictBatch, ...]:
        """The rows of each reading, a step each; `packet` counts packets from 0."""
        return tuple(track.verdicts for track in self._tracks.values())

    # --- what it gives ---------------------------------------------------------------------------------------
    def scene(self) -> dict[str, Any]:
        """What is true of all steps.

        `format`, `title`, `readings` and the `main` one, how many `packets` and `rows` (steps), `first`, the first step
        that is an IP packet, `start` (UTC, None for crafted packets), `interfaces` (`id`, `addresses`, `groups`),
        `hosts` (name by address), `profile`, `notes` (assumptions and warnings), `made_acls`, the network ACLs that
        were made of the groups, `diagram` (SVG by language) and `texts` (by language and key).
        """
        firewall = self._track.firewall
        return _shown(
            {
                "format": FORMAT,
                "title": self._title,
                "readings": list(self.readings),
                "main": self.main,
                "packets": self._held.all.rows,
                "rows": self.count,
                "first": self._first_ip,
                "start": self._start,
                "interfaces": [
                    {
                        "id": eni.interface_id,
                        "addresses": [str(each) for each in (*eni.addresses, *eni.prefixes)],
                        "groups": list(eni.groups),
                    }
                    for eni in firewall.interfaces
                ],
                "hosts": self._hosts,
                "profile": firewall.profile,
                "notes": self._notes,
                "made_acls": list(self._made_acls),
            }
        ) | {"diagram": diagrams(firewall.settings), "texts": texts()}

    def rows(self, start: int, count: int) -> list[dict[str, Any]]:
        """At most `count` steps from `start` on, a line each; what lies beyond the last is left out.

        `n` (from 1), `packet` (frame) of `capture` (None where there is one), `time` (seconds since the first, text),
        `src`, `dst`, `protocol`, `flags`, `length` (IP bytes), `eni`, `direction`, `ct_state`, `tcp_state`, `flow` (of
        the main reading), `change` (of the rules, just before it), `verdicts`: [verdict, reason, rule] of each reading.
        """
        first = max(start, 1) - 1
        places = np.arange(first, max(first, min(first + count, self.count)))
        cells = {name: row_cells(take_rows(track.judged, places), track.labels) for name, track in self._tracks.items()}
        records = self._track.packets.records[self._track.verdicts.packet[places]]
        several = len(self._held.names) > 1
        made = []
        for place, (number, cell) in enumerate(zip(places.tolist(), cells[self.main], strict=True)):
            verdicts = [[cells[name][place][word] or "" for word in WORDS] for name in self.readings]
            made.append(self._row(number, cell, records[place], several=several) | {"verdicts": verdicts})
        return _shown(made)

    def detail(self, n: int) -> dict[str, Any]:
        """Everything about one step. Raises UsageError for a number that no step has.

        `fields` by `layer`; `waited`, seconds since the step before (text), and `change` as in rows; `table` behind it
        and what is `gone` since the step before (firewall.steps.table), with their `counts`; `tcp`, the state `before`
        and `after` (NONE: no entry), None for what is no TCP at an interface; by reading, `explanation` (phases with
        `kind`, `title`, `result`, `lines`) and `why` (a sentence by language).
        """
        if not 1 <= n <= self.count:
            raise UsageError(f"step {n}: there are {self.count:,} steps")
        packet = int(self._track.verdicts.packet[n - 1])
        place = n - 1 - int(self._track.first[packet])
        met = self._track.meet(packet)
        record = self._track.packets.records[packet]
        sights = {name: self._sight(name, packet, place) for name in self.readings}
        table = table_at(*self._around(met, packet, place), record, self._track.labels)
        whys = {name: self._why(name, sight) for name, sight in sights.items()}
        return _shown(
            {
                "n": n,
                "fields": layers(met.stop.packets, record),
                "waited": self._waited(n - 1),
                "change": self._changes.get(n - 1),
                "table": table.rows,
                "gone": table.gone,
                "counts": {"entries": table.entries, "gone": table.left, "untracked": table.untracked},
                "tcp": _tcp(sights[self.main], record),
                "explanation": {
                    name: self._phases(name, sights[name], place, said["en"]) for name, said in whys.items()
                },
                "why": whys,
            }
        )

    def changed_since(self, other: "Steps") -> list[int]:
        """The steps that say something else than those of `other`, the same capture under other rules."""
        if other.count != self.count or other.readings != self.readings:
            return list(range(1, self.count + 1))
        differs = np.zeros(self.count, np.bool_)
        for name, track in self._tracks.items():
            differs |= track.verdicts.reason != other._tracks[name].verdicts.reason  # noqa: SLF001  (its own kind)
        return [place + 1 for place in np.flatnonzero(differs).tolist()]

    # --- of all ------------------------------------------------------------------------------------------------
    @cached_property
    def _first_time(self) -> int:
        times = self._track.packets.time
        return int(times[0]) if len(times) else 0

    @property
    def _first_ip(self) -> int:
        """The first step that is an IP packet; 1 where there is none."""
        places = np.flatnonzero(~np.isin(self._track.verdicts.reason, (NOT_IP, UNSUPPORTED_LINK)))
        return int(places[0]) + 1 if len(places) else 1

    @property
    def _start(self) -> str | None:
        """The moment of the first packet (UTC); crafted packets count from 0 and have none."""
        return None if 0 <= self._first_time < DAY else time_text(self._first_time)

    @property
    def _notes(self) -> list[str]:
        """What was assumed and warned of, each once."""
        told = list(self._told)
        for track in self._tracks.values():
            told += track.firewall.assumptions
            told += map(str, (*track.firewall.rule_set.warnings, *track.firewall.warnings))
        return list(dict.fromkeys([*told, *self._held.warnings]))

    def _time(self, place: int) -> int:
        return int(self._track.packets.time[self._track.verdicts.packet[place]])

    def _waited(self, place: int) -> str | None:
        """The seconds since the step before, which have passed in the table too; None for the first."""
        return None if place == 0 else _seconds(self._time(place) - self._time(place - 1))

    # --- of one row ----------------------------------------------------------------------------------------------
    def _row(self, place: int, cell: Mapping[str, Any], record: Any, *, several: bool) -> dict[str, Any]:
        protocol = cell["protocol"]
        ends = ["", ""]
        if protocol is not None:
            number = protocol_number(protocol)
            ends = [endpoint(cell[end] or "", number, cell[f"{end}_port"]) for end in ("src", "dst")]
        return {
            "n": place + 1,
            "packet": cell["packet"],
            "capture": cell["capture"] if several else None,
            "time": _seconds(self._time(place) - self._first_time),
            "src": ends[0],
            "dst": ends[1],
            "protocol": protocol or "",
            "flags": "" if cell["src_port"] is None else flags(record),
            "length": cell["length"],
            "eni": cell["eni"] or "",
            "direction": cell["direction"] or "",
            "ct_state": cell["ct_state"] or "",
            "tcp_state": cell["tcp_state"] or "",
            "flow": cell["flow"],
            "change": self._changes.get(place),
        }

    def _around(self, met: Met, packet: int, place: int) -> tuple[Any, Any]:
        """The table before and behind a row: of a packet at two interfaces, behind each of them."""
        rows = self._track.rows_of(packet)
        enis = self._track.verdicts.eni[rows].tolist()
        before = met.before if place == 0 else between(enis[:place], met.before, met.after)
        after = met.after if place == len(enis) - 1 else between(enis[: place + 1], met.before, met.after)
        return before, after

    def _sight(self, name: str, packet: int, place: int) -> Sight:
        track = self._tracks[name]
        met = track.meet(packet)
        explainer = self._explainers[name].at(met.firewall, *track.known(packet))
        return explainer.sights(met.stop, track.one(packet), self._held.interface_names)[place]

    def _phases(self, name: str, sight: Sight, place: int, said: str) -> list[dict[str, Any]]:
        """The phases that the reading has; under its verdict why, the nearest miss and the choices."""
        reading = self._tracks[name].firewall.reading
        untold = (*UNTOLD[reading.code], *(() if reading.acls else ("network-acl",)))
        passage = self._explainers[name].passage(sight, place)
        found = []
        for phase in passage.phases:
            lines = list(phase.lines)
            if phase.kind == "verdict":
                lines = [said, *lines[1:], *verdict_notes(passage)]
            if phase.kind not in untold:
                found.append({"kind": phase.kind, "title": TITLES[phase.kind], "result": phase.result, "lines": lines})
        return found

    def _why(self, name: str, sight: Sight) -> dict[str, str]:
        return why(self._tracks[name].firewall.reading.code, REASONS[int(sight.row.reason)], sight.rule)


WORDS = ("verdict", "reason", "rule")


def _changes(track: Track) -> dict[int, str]:
    """The changes of the rules by the row before which they took effect."""
    packets = track.packets
    found: dict[int, list[str]] = {}
    for applied in track.firewall.timeline.applied:
        at = np.flatnonzero((packets.capture == applied.capture) & (packets.frame == applied.packet))
        if len(at):
            found.setdefault(int(track.first[at[0]]), []).append(applied.text)
    return {place: "; ".join(texts) for place, texts in found.items()}


def _tcp(sight: Sight, record: Any) -> dict[str, Any] | None:
    """The state of a packet's TCP connection before and behind it; NONE where there is no entry."""
    protocol = record["quoted_protocol"] if record["quoted"] else record["protocol"]
    if protocol != TCP or int(sight.row.eni) < 0 or sight.firewall.reading.code != STATEFUL:
        return None
    held, after = sight.held, sight.after
    left = None if after is None or after.expires <= sight.now else after
    found = [each for each in (left, held) if each is not None and each.tracked]
    return {
        "flow": found[0].flow if found else None,
        "before": _state(state_word(held)),
        "after": _state(state_word(left)),
        "flags": packet_text(record),
    }


def _state(word: str) -> str:
    """A TCP state; NONE without one, for a connection that is not tracked too."""
    return word if word in STATES and word else "NONE"


def _seconds(nanoseconds: int) -> str:
    """With six digits behind the point; below 0 where the clock went back."""
    return f"{nanoseconds / NS:.6f}"


def _shown(value: T) -> T:
    """The same with what steers a terminal, or turns the direction of text, as escapes."""
    made: Any = value
    if isinstance(value, str):
        made = printable(value)
    elif isinstance(value, Mapping):
        made = {printable(name): _shown(each) for name, each in value.items()}
    elif isinstance(value, Sequence):
        made = [_shown(each) for each in value]
    return cast("T", made)
