"""Explanations of some packets of a capture, or of a few that are judged one by one."""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from copy import copy
from typing import Any

from conntrack.states import CT_STATES
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.explain.choices import choices
from firewall.explain.histories import Histories, Refused
from firewall.explain.path import (
    acl_phase,
    check_phase,
    exempt_phase,
    interface_phase,
    read_phase,
    sender_line,
    stops_before,
)
from firewall.explain.phases import Explanation, Passage, Phase
from firewall.explain.rules import rules_phase
from firewall.explain.sight import Alone, Sight, packet_text, sentence
from firewall.explain.stops import Stop, Stops, Target, stop_at
from firewall.explain.table import story, table_phase
from firewall.labels import Labels, counted
from firewall.nearest import Miss
from firewall.progress import watched
from firewall.rows import Judged, VerdictBatch
from firewall.verdict import (
    ALLOW,
    DENY,
    DIRECTIONS,
    DROPPED_AT_SENDER,
    EXEMPT,
    NO_EGRESS_RULE,
    NO_INGRESS_RULE,
    REASONS,
    VERDICTS,
)
from pcaps.capture import Capture, frames_batch

BY_RULE = (NO_INGRESS_RULE, NO_EGRESS_RULE)


class Explainer:
    """Explains packets that a firewall judges.

    `misses` keeps the nearest miss of every passage that the rules denied: by the numbers of the explanation and
    of the passage in it.
    """

    def __init__(self, firewall: Firewall, names: Sequence[str]) -> None:
        self.firewall = firewall
        self.names = tuple(names)
        self.labels = Labels.of(firewall, self.names)
        self.histories = Histories(len(firewall.interfaces))
        self.refused = Refused()
        self.misses: dict[tuple[int, int], Miss] = {}
        self._made = 0
        self._readings: dict[tuple[int, str], Firewall] = {}

    def of_capture(self, capture: Capture, wanted: Collection[Target]) -> Generator[Explanation, None, None]:
        """The wanted packets of a capture, in order; reading ends behind the last one.

        Raises UsageError for a packet that the capture does not have.
        """
        stops = Stops(capture, self.firewall, wanted)
        left = len(set(wanted))
        with closing(watched(self.firewall.replay(stops), capture)) as replayed:
            for judged in replayed:
                packets = judged.packets
                target = (int(packets.capture[0]), int(packets.frame[0])) if packets.rows == 1 else (-1, 0)
                if target in stops.stops:
                    yield self._explained(stops.stops[target], judged, stops.interface_names)
                    left -= 1
                self._note(judged)
                if not left:
                    return
        raise UsageError(_missing(stops))

    def of_frames(self, packets: Any) -> Iterator[Explanation]:
        """Scapy packets, judged in order as Firewall.judge does; the table goes on."""
        from pcaps.craft import packets_to_frames

        batch = frames_batch(packets_to_frames(packets, self.firewall.first_addresses), verify=self.firewall.verifies)
        for row in range(batch.rows):
            one = batch.slice(row, row + 1)
            stop = stop_at(self.firewall, one)
            verdicts = self.firewall.judge_batch(one)
            judged = Judged(one, verdicts)
            yield self._explained(stop, judged, ())
            self._note(judged)

    def _note(self, judged: Judged) -> None:
        """Remember what later packets may be explained by."""
        self.histories.add(judged)
        self.refused.add(judged)

    def at(self, firewall: Firewall, histories: Histories, refused: Refused) -> "Explainer":
        """The same for a fork of its firewall, with what is known of the packets before that one's next."""
        twin = copy(self)
        twin.firewall, twin.histories, twin.refused, twin.misses = firewall, histories, refused, {}
        return twin

    # --- one packet ----------------------------------------------------------------------------------------
    def sights(self, stop: Stop, judged: Judged, interface_names: Sequence[Mapping[int, str]]) -> list[Sight]:
        """One packet, which the firewall has just judged, at each of its interfaces: a sight for each verdict row."""
        stop.leave(self.firewall)
        record, outer = judged.packets.records[0], stop.packets.records[0]
        acls = self._alone("nacl", stop, interface_names) if self.firewall.reading.acls else {}
        rules = self._alone("stateless", stop, interface_names)
        found = []
        for number in range(judged.verdicts.rows):
            row = VerdictBatch(judged.verdicts.records[number])
            key = (int(row.eni), int(row.direction))
            found.append(
                Sight(
                    self.firewall,
                    stop,
                    outer,
                    record,
                    row,
                    self.labels,
                    self.histories,
                    self.refused,
                    acls.get(key),
                    rules.get(key),
                )
            )
        return found

    def passage(self, sight: Sight, number: int) -> Passage:
        """What there is to say of the packet at one interface; the `number`-th of its packet, from 0."""
        miss = self._miss(sight)
        if miss is not None:
            self.misses[self._made, number] = miss
        row = sight.row
        return Passage(
            eni=self.labels.interface(int(row.eni)),
            direction=DIRECTIONS[int(row.direction)],
            verdict=VERDICTS[int(row.verdict)],
            reason=sight.reason.word,
            ct_state=CT_STATES[int(row.ct_state)],
            flow=int(row.flow) or None,
            rule=sight.rule,
            phases=_phases(sight, first=number == 0),
            closest="" if miss is None else miss.text,
            addition="" if miss is None else miss.addition_text,
            group="" if miss is None or miss.addition is None else miss.addition.group_id,
            choices=choices(sight),
        )

    def _explained(self, stop: Stop, judged: Judged, interface_names: Sequence[Mapping[int, str]]) -> Explanation:
        outer = stop.packets.records[0]
        sights = self.sights(stop, judged, interface_names)
        passages = [self.passage(sight, number) for number, sight in enumerate(sights)]
        self._made += 1
        return Explanation(
            capture=self.labels.captures[int(outer["capture"])],
            packet=int(outer["frame"]),
            time=int(outer["time"]),
            text=packet_text(judged.packets.records[0]),
            passages=tuple(passages),
        )

    def _alone(
        self, reading: str, stop: Stop, interface_names: Sequence[Mapping[int, str]]
    ) -> dict[tuple[int, int], Alone]:
        """What the engine says of the packet by another reading, by interface and direction."""
        key = (id(self.firewall.in_force), reading)
        if key not in self._readings:
            self._readings[key] = self.firewall.now(reading)
        other = self._readings[key]
        labels = Labels.of(other, self.names)
        verdicts = other.judge_batch(stop.packets, self.names, interface_names)
        found = {}
        for eni, direction, reason, rule in zip(
            verdicts.eni.tolist(),
            verdicts.direction.tolist(),
            verdicts.reason.tolist(),
            verdicts.rule.tolist(),
            strict=True,
        ):
            name = labels.rule(rule) if rule >= 0 else ""
            found[eni, direction] = Alone(REASONS[reason], name)
        return found

    def _miss(self, sight: Sight) -> Miss | None:
        if int(sight.row.reason) not in BY_RULE or sight.eni is None:
            return None
        if sight.refused_before is not None or sight.is_late_reply:
            return None  # no rule is missing: its connection was refused before, or is gone
        return sight.misses.nearest(sight.eni, sight.direction, sight.fields)


def _phases(sight: Sight, *, first: bool) -> tuple[Phase, ...]:
    """The phases in the order that the packet passes them, up to the one that ends its way.

    What was read is told once, at the `first` interface.
    """
    last = stops_before(sight)
    inbound = sight.incoming
    way = [
        *([read_phase] if first else []),
        interface_phase,
        exempt_phase,
        check_phase,
        *([acl_phase] if inbound else []),
        table_phase,
        rules_phase,
        *([acl_phase] if not inbound else []),
    ]
    found: list[Phase] = []
    denied = int(sight.row.verdict) == DENY
    for make in way:
        if not inbound and make is acl_phase and denied and sight.reason.word != "nacl-egress":
            continue  # what the groups deny never comes to the subnet's border
        found.append(make(sight))
        if found[-1].kind == last:
            break
    return (*found, verdict_phase(sight))


def verdict_phase(sight: Sight) -> Phase:
    """Verdict and reason, what the reason means, and the story behind it."""
    reason = sight.reason
    lines = [sentence(reason.meaning)]
    if int(sight.row.reason) == DROPPED_AT_SENDER:
        lines.append(sender_line(sight))
    lines += story(sight) + _belongs(sight)
    by = f" by {sight.rule}" if sight.rule and reason.verdict == ALLOW else ""
    by = f" ({sight.rule.removeprefix('exempt:')})" if reason.verdict == EXEMPT else by
    return Phase("verdict", f"{VERDICTS[reason.verdict]} {reason.word}{by}", tuple(lines))


def _belongs(sight: Sight) -> list[str]:
    """Of a packet whose connection was refused before: which packet is the one to ask about."""
    before = sight.refused_before
    if before is None:
        return []
    name = sight.packet_name(before.at)
    return [f"Its connection was refused before: {name} is {before.reason}. That is the one to ask about."]


def _missing(stops: Stops) -> str:
    number, frame = stops.missing[0] if stops.missing else (0, 0)
    read = counted(stops.packets, "packet")
    if len(stops.names) > 1:
        return f"--packet {frame}: {stops.names[number]} has no such packet ({read} in all captures)"
    if stops.filtered_out and frame <= stops.packets:
        return f"--packet {frame}: --filter leaves this packet out"
    return f"--packet {frame}: the capture has only {read}"


def explained(firewall: Firewall, packets: Any) -> list[Explanation]:
    """Judge scapy packets one after another and explain each; the firewall's table goes on.

    Raises UsageError without an interface, CraftError for a packet that scapy cannot build.
    """
    if not firewall.interfaces:
        from firewall.interfaces import need_interface
        from pcaps.craft import packets_to_frames

        raise need_interface(frames_batch(packets_to_frames(packets)))
    return list(Explainer(firewall, ("crafted",)).of_frames(packets))
