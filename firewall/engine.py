"""Firewall: security groups, a connection table, and a verdict for every packet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from functools import partial
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from conntrack.fragments import MAX_HELD_BYTES, NOWHERE, Gathered, Reassembly
from conntrack.growth import grown
from conntrack.table import BEGUN, CLOCK, LATE, LIVE, USED, FlowTable, copied, new_table, room
from conntrack.timeouts import SETTINGS, SettingError, effective, settings
from firewall.changes import Event, Phase, authorize, phases
from firewall.choices import CHOICES, count_choices, told
from firewall.connections import Connection, read_connection
from firewall.errors import UsageError
from firewall.exempt import SERVICES
from firewall.interfaces import bound_names, chosen_interfaces, need_interface, with_made
from firewall.judge import judge_rows
from firewall.labels import Labels, counted
from firewall.model import NetworkAclEntry, NetworkInterface, Rule, RuleSet
from firewall.model import Warning as RuleWarning
from firewall.pending import Pending, Waiting
from firewall.places import Located, Places
from firewall.policy import Policy, all_entries, compile_policy
from firewall.readings import ACLS_LEFT_OUT, READINGS, SILENT, own_timeouts
from firewall.rows import Judged, VerdictBatch, join_verdicts
from firewall.sources import load_rules
from firewall.sources.events import load_events
from firewall.stations import ROWS_A_PACKET, STATEFUL, Met, fragment_place, meet
from firewall.timeline import Timeline
from firewall.tracked import change_tracking
from pcaps.ahead import ahead
from pcaps.batch import PacketBatch, concatenate
from pcaps.capture import Capture, frames_batch

FIRST_BATCHES = 16  # of which the busiest addresses are named
MOST_REHASHES = 16  # a full table is looked through once for every so many parts of it that came free


class Firewall:
    """The security groups of some interfaces, and the connections that they let in so far.

    Attributes: `rule_set`, and what events made of it by now (`in_force`); `interfaces`, which the verdict
    columns index, as they index `rules` and behind them `acl_entries`; `profile` and `settings` (every
    timeout in seconds and every switch by name); `assumptions`, what was chosen where AWS is silent;
    `timeline`, the changes of the rules; `warnings`, which grow while packets are judged.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        enis: Sequence[str] = (),
        profile: str = "aws",
        settings: Mapping[str, str] | None = None,
        *,
        reading: str = "path",
        events: Iterable[Event] = (),
        tunnel: str = "auto",
    ) -> None:
        """Raises UsageError for an interface, profile or setting that cannot be.

        `reading`: `path` (network ACLs and security groups as packets meet them), `sg` (security groups
        alone), `stateless` (their rules without the table) or `nacl` (network ACLs alone).
        `events` change the rules on the way. `tunnel`: whether packets in VXLAN and GENEVE are judged
        (`inner`), what carries them (`outer`), or the first where they were mirrored (`auto`).
        """
        self.profile = profile
        self.reading = READINGS[reading]
        self._reading = reading
        self._again = rule_set, tuple(enis), tuple(events)
        self._given = dict(settings or {})
        self.files: tuple[str, ...] = ()
        allowance = {"max": str(rule_set.allowance)} if profile == "aws" and rule_set.allowance is not None else {}
        try:
            self.settings = effective(profile, allowance | dict(settings or {}))
        except SettingError as error:
            raise UsageError(str(error)) from None
        words, bound = bound_names(rule_set, enis)
        self.interfaces = chosen_interfaces(rule_set, words)
        self.files_interfaces = rule_set.interfaces.keys()
        rule_set = self.rule_set = with_made(rule_set, self.interfaces)
        owners = {name: chosen_interfaces(rule_set, [word])[0].interface_id for name, word in bound.items()}
        numbers = {eni.interface_id: index for index, eni in enumerate(self.interfaces)}
        self.places = Places(self.interfaces, {name: numbers[owner] for name, owner in owners.items()}, tunnel)
        later = phases(rule_set, self._again[-1])
        states = [rule_set, *(phase.rule_set for phase in later)]
        self.rules: tuple[Rule, ...] = tuple(dict.fromkeys(rule for each in states for rule in self._rules_of(each)))
        self.acl_entries: tuple[NetworkAclEntry, ...] = ()
        if self.reading.acls:
            met = (entry for each in states for entry in all_entries(each, self._interfaces_in(each)))
            self.acl_entries = tuple(dict.fromkeys(met))
        self._names = [eni.interface_id for eni in self.interfaces], [rule.name for rule in self.rules]
        self.timeline = Timeline(later)
        self.exempt_services = tuple(f"exempt:{service}" for service in SERVICES)
        self.warnings: list[RuleWarning] = []
        self._choices = np.zeros(len(CHOICES), np.int64)
        self._widened = 0  # connections that changed rules would leave untracked
        self._asked = frozenset(words)
        self._seen: set[int] = set()
        self._start()

    def _interfaces_in(self, rule_set: RuleSet) -> list[NetworkInterface]:
        """The simulated interfaces as a rule set has them."""
        return [rule_set.interfaces.get(eni.interface_id, eni) for eni in self.interfaces]

    def _rules_of(self, rule_set: RuleSet) -> list[Rule]:
        """The rules that the simulated interfaces can meet, by group."""
        names = dict.fromkeys(group for eni in self._interfaces_in(rule_set) for group in eni.groups)
        groups = [rule_set.groups[name] for name in names if name in rule_set.groups]
        return [rule for group in groups for rule in (*group.ingress, *group.egress)]

    def _own_timeouts(self, eni: NetworkInterface) -> dict[str, int]:
        """What an interface sets for itself: a setting of AWS, and --set comes before it."""
        own = own_timeouts(eni) if self.profile == "aws" else {}
        return {name: seconds for name, seconds in own.items() if name not in self._given}

    def again(self, settings: Mapping[str, str] | None = None, *added: Rule) -> "Firewall":
        """A firewall of the same rules and words with an empty table, some settings changed, rules added."""
        rule_set, enis, events = self._again
        changed = authorize(added)(rule_set)
        given = self._given | dict(settings or {})
        return Firewall(
            changed, enis, self.profile, given, reading=self._reading, events=events, tunnel=self.places.tunnel
        )

    def now(self, reading: str) -> "Firewall":
        """A firewall of the rules in force now, with an empty table, that reads them another way."""
        enis, tunnel = self._again[1], self.places.tunnel
        return Firewall(self.in_force, enis, self.profile, self._given, reading=reading, tunnel=tunnel)

    def fork(self) -> "Firewall":
        """The same firewall; from here on each has a table of its own."""
        twin = copy(self)
        twin._table = copied(self._table)  # noqa: SLF001  (its own kind)
        twin.places = copy(self.places)  # it counts
        for name in ("_reassembly", "timeline", "warnings", "_choices", "_seen"):
            setattr(twin, name, deepcopy(getattr(self, name)))
        return twin

    def _start(self) -> None:
        self.in_force = self.rule_set
        self._policy = self._compiled(self.rule_set)
        of_each = [settings(self.settings | self._own_timeouts(eni)) for eni in self.interfaces]
        self._settings = np.array(of_each or [settings(self.settings)], SETTINGS)
        self._table: FlowTable = new_table(max(len(self.interfaces), 1), hosts=self._hosts())
        self._reassembly = Reassembly(self.settings)
        self._found = 0  # where `connection` found the last one

    def _hosts(self) -> list[int]:
        """The host of each interface: under aws its instance, which has an allowance of its own."""
        if self.profile != "aws" or not self.interfaces:
            return [0] * max(len(self.interfaces), 1)
        hosts: dict[str, int] = {}
        return [hosts.setdefault(eni.instance or eni.interface_id, index) for index, eni in enumerate(self.interfaces)]

    def _compiled(self, rule_set: RuleSet) -> Policy:
        interfaces = self._interfaces_in(rule_set)
        return compile_policy(rule_set, interfaces, self.rules, self.profile, self.acl_entries)

    def _enter(self, phase: Phase) -> None:
        """Go on with changed rules; connections stay, unless `on_widen` says otherwise."""
        self.in_force = phase.rule_set
        self._policy = self._compiled(phase.rule_set)
        if self.settings["untracked"] == "aws" and self.interfaces:
            convert = self.settings["on_widen"] == "convert"
            self._widened += change_tracking(self._policy, self._table, self._settings, self.clock, convert)

    @classmethod
    def from_file(
        cls,
        *paths: str,
        enis: Sequence[str] = (),
        profile: str = "aws",
        settings: Mapping[str, str] | None = None,
        reading: str = "path",
        events: str | None = None,
        tunnel: str = "auto",
    ) -> Self:
        """The rules of one or several files, and a file of events. Raises RuleFileError or UsageError."""
        rule_set = load_rules(*paths)
        timeline = () if events is None else load_events(events, rule_set)
        firewall = cls(rule_set, enis, profile, settings, reading=reading, events=timeline, tunnel=tunnel)
        firewall.files = tuple(str(path) for path in paths)
        return firewall

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Choices that decided verdicts where AWS is silent, with how many rows, so far."""
        opened: tuple[str, ...] = ()
        if self.places.unwrapped:
            what = counted(self.places.unwrapped, "packet")
            opened = (f"{what} in VXLAN or GENEVE judged by what the tunnel carries (tunnel={self.places.tunnel})",)
        told_out = ACLS_LEFT_OUT.format(reading=self._reading)
        left_out = opened if self.reading.acls or not self.rule_set.network_acls else (*opened, told_out)
        if self.reading.assumption:
            return (self.reading.assumption, *left_out)
        if self.profile != "aws":
            return left_out
        decided = told(self._choices, int(self._table.counts[LATE]), self.settings)
        if self._widened:
            kept = "stay tracked" if self.settings["on_widen"] == "keep" else "are left untracked"
            what = counted(self._widened, "connection")
            decided += (f"changed rules open both ways to {what}, which {kept} (on_widen={self.settings['on_widen']})",)
        return (*left_out, SILENT, *decided) if decided else left_out

    @property
    def verifies(self) -> bool:
        """True if captures must be opened with `verify`: transport checksums count."""
        return self.settings["checksum"] == "1"

    @property
    def first_addresses(self) -> tuple[str, ...]:
        """The addresses of the first interface: what a crafted packet means by an end left open."""
        return tuple(str(address) for eni in self.interfaces[:1] for address in eni.addresses)

    def judge_batch(
        self, packets: PacketBatch, names: Sequence[str] = (), interface_names: Sequence[Mapping[int, str]] = ()
    ) -> VerdictBatch:
        """Verdict rows for a batch; the table goes on from where it was. `names`: of its captures, as in `replay`.

        A fragment whose datagram is not whole yet is `fragment-incomplete`; `replay` waits for it.
        """
        found, row = [], 0
        for waiting in self._judge(self._located(packets, names, interface_names)):
            judged = waiting.settled()
            found.append(judged.verdicts.renumbered(judged.verdicts.packet + row) if row else judged.verdicts)
            row += judged.packets.rows
        return join_verdicts(found) if len(found) > 1 else found[0]

    def _located(
        self, packets: PacketBatch, names: Sequence[str] = (), interface_names: Sequence[Mapping[int, str]] = ()
    ) -> Located:
        return self.places.locate(packets, names, interface_names, self._policy)

    def _meet(self, located: Located, records: NDArray[np.void]) -> Met:
        """What packets meet before the table; `records` are theirs, or the datagrams that fragments became."""
        return meet(records, located.ends, self._policy, self._settings, self.reading.code)

    def _ahead(self, capture: Capture, batches: Iterator[PacketBatch]) -> Iterator[tuple[Located, Met | None]]:
        """The batches of a capture, and what they meet before the table.

        Not so where the rules may be others by then, or fragments a datagram.
        """
        rules_stay = not self.timeline.never  # asked before the first batch is judged, which may be in another thread
        for batch in batches:
            located = self._located(batch, capture.names, getattr(capture, "interface_names", ()))
            packets = located.packets
            known = rules_stay and not (packets.pieces and self.reading.code == STATEFUL)
            yield located, self._meet(located, packets.records) if known else None

    def _judge(self, located: Located, met: Met | None = None) -> Iterator[Waiting]:
        """The batch judged, in as many parts as changes of the rules cut it into."""
        self.places.count(located)
        for start, stop, phase in self.timeline.parts(located.packets, self.clock):
            yield self._judge_part(located.slice(start, stop), met)
            if phase is not None:
                self._enter(phase)

    def _judge_part(self, located: Located, met: Met | None) -> Waiting:
        packets = located.packets
        if self.reading.code == STATEFUL:
            gathered = self._reassembly.add(packets, self.clock, partial(self._fragment_place, located))
        else:
            gathered = Gathered(packets.records)
        if met is None:
            met = self._meet(located, gathered.records)
        keys, rows = met
        start, full = 0, False
        while start < len(rows):
            start = judge_rows(gathered.records, keys, self._policy, self._table, self._settings, full, rows, start)
            if start < len(rows):
                full = self._grow()
        if self._asked:
            self._seen.update(np.unique(rows["eni"]).tolist())
        self._reassembly.expire(self.clock)
        waiting = Waiting(packets, rows, gathered.members)
        waiting.answer(gathered.whole)
        return waiting

    def _fragment_place(self, located: Located, row: int) -> int:
        """Where a fragment is put together, if it comes so far; its IP header may be dropped first."""
        records = located.packets.records
        if records["bad_ip_checksum"][row] and self.settings["ip_checksum"] == "1":
            return NOWHERE
        return int(fragment_place(self._policy, records, located.ends, row))

    def _grow(self) -> bool:
        """Give the table more room; True if it is as full as before: then it stays so for this batch."""
        self._table, forgot = grown(self._table)
        if forgot and not any(row.kind == "table-limit" for row in self.warnings):
            text = f"the connection table is large; {forgot} connections that had timed out were forgotten"
            self.warnings.append(RuleWarning("table-limit", text))
        used, capacity = int(self._table.counts[USED]), len(self._table.slots)
        return used > room(capacity) - ROWS_A_PACKET - capacity // MOST_REHASHES

    def replay(self, capture: Capture, threads: int = 1) -> Iterator[Judged]:
        """Every batch of a capture with its verdicts, in order; fragments have those of their datagrams.

        With two `threads` one reads ahead, where the capture is files, and judges what needs no table; more are
        not used.

        Raises UsageError at the first packets if no interface is known; the message lists the
        busiest addresses.
        """
        pending = Pending(self._reassembly)
        batches = capture.batches()
        if not self.interfaces:
            self._need_interface(list(islice(batches, FIRST_BATCHES)))
        for located, met in ahead(self._ahead(capture, batches), capture, threads):
            for waiting in self._judge(located, met):
                for judged in pending.add(waiting):
                    yield self._counted(judged)
        for judged in pending.rest():
            yield self._counted(judged)
        self._say_unseen()
        self._say_fragments()
        for name in self.places.unmet:
            told = f"no packet comes from a capture file or a capture's interface named {name}"
            self.warnings.append(RuleWarning("eni-unseen", f"--eni ...={name}: {told}"))
        for text in self.timeline.never:
            self.warnings.append(
                RuleWarning("event-never", f"no packet of the capture comes behind this change: {text}")
            )

    def _need_interface(self, first: list[PacketBatch]) -> None:
        """Raise UsageError, naming the busiest addresses, unless the capture is empty."""
        if first:
            raise need_interface(concatenate(first))

    def _counted(self, judged: Judged) -> Judged:
        """The same, its undocumented choices counted."""
        if self.profile == "aws" and self.reading.code == STATEFUL:
            count_choices(judged.packets.records, judged.verdicts.records, self._choices)
        return judged

    def _say_fragments(self) -> None:
        if self._reassembly.given_up:
            count = counted(self._reassembly.given_up, "datagram in fragments", "datagrams in fragments")
            text = f"{count} given up: too many packets waited for the rest of it"
            self.warnings.append(RuleWarning("fragments-given-up", text))
        if self._reassembly.refused:
            count = counted(self._reassembly.refused, "fragment")
            text = f"{count} dropped: others of more than {MAX_HELD_BYTES} bytes waited (ipfrag_high_thresh)"
            self.warnings.append(RuleWarning("fragments-limit", text))

    def _say_unseen(self) -> None:
        for index, eni in enumerate(self.interfaces):
            words = {eni.interface_id, *(str(address) for address in eni.addresses)}
            if index not in self._seen and self._asked & words:
                text = f"--eni {eni.interface_id}: no packet of the capture goes to or from it"
                self.warnings.append(RuleWarning("eni-unseen", text))

    def judge(self, packets: Any) -> list[dict[str, str | int | None]]:
        """Verdict rows, by column name, of one scapy packet or several, in order.

        The table goes on between calls. Raises UsageError without an interface, CraftError for a
        packet that scapy cannot build.
        """
        from firewall.columns import row_cells  # words are made only for a few packets
        from pcaps.craft import packets_to_frames

        batch = frames_batch(packets_to_frames(packets, self.first_addresses), verify=self.verifies)
        if not self.interfaces:
            raise need_interface(batch)
        labels = Labels.of(self, ("crafted",))
        located = self._located(batch)
        return [row for waiting in self._judge(located) for row in row_cells(waiting.settled(), labels)]

    def table(self) -> list[Connection]:
        """The live connections at the latest time seen, by interface and number."""
        now = self.clock
        entries = self.entries
        live = entries[(entries["use"] == LIVE) & (entries["expires"] > now)]
        return [self._read(entry) for entry in live[np.lexsort((live["flow"], live["eni"]))]]

    @property
    def clock(self) -> int:
        """Capture time (ns since 1970) of the latest packet judged; it never goes back."""
        return int(self._table.counts[CLOCK])

    @property
    def entries(self) -> NDArray[np.void]:
        """The table's records, dtype conntrack.table.ENTRY, those that timed out or were deleted too."""
        return self._table.entries[: int(self._table.counts[BEGUN])]

    @property
    def flow_counts(self) -> tuple[int, ...]:
        """How many connections each interface had so far, in the order of `interfaces`."""
        return tuple(self._table.flows[: len(self.interfaces)].tolist())

    def connection(self, eni: int, flow: int) -> Connection | None:
        """The entry of one connection, by the numbers that the columns hold; None where there is none (any more).

        One that timed out is still found, until its place is used again: `expires` tells.
        """
        entry = self._table.entries[self._found]
        if (entry["use"], entry["eni"], entry["flow"]) != (LIVE, eni, flow):
            entries = self.entries
            found = np.flatnonzero((entries["use"] == LIVE) & (entries["eni"] == eni) & (entries["flow"] == flow))
            if not len(found):
                return None
            self._found = int(found[0])
        return self._read(self._table.entries[self._found])

    def _read(self, entry: np.void) -> Connection:
        return read_connection(entry, self.clock, *self._names)
