"""The choices that decided a verdict where AWS says nothing, and the setting that chooses otherwise."""

import numpy as np

from conntrack.timeouts import NS, SWITCHES
from firewall.choices import CHOICES, IDLE_TIMES, MID_STREAM, count_choices
from firewall.explain.phases import Choice
from firewall.explain.sight import Sight
from firewall.verdict import ESTABLISHED, NO_EGRESS_RULE, NO_INGRESS_RULE
from pcaps.wire import ICMP, ICMPV6, TCP

WORDS = {switch.name: switch.words for switch in SWITCHES}


def choices(sight: Sight) -> tuple[Choice, ...]:
    """Those of firewall.choices that decided this row, or opened the connection that let it pass."""
    firewall = sight.firewall
    if firewall.profile != "aws" or firewall.reading.code != 0:
        return ()
    counts = np.zeros(len(CHOICES), np.int64)
    count_choices(sight.one.packets.records, sight.one.verdicts.records, counts)
    decided = [choice for number, choice in enumerate(CHOICES) if _decided(number, sight, here=bool(counts[number]))]
    return tuple(
        Choice(choice.name, choice.chosen, _setting(sight, choice.switch), other_setting(sight, choice.switch))
        for choice in decided
    )


def _decided(number: int, sight: Sight, *, here: bool) -> bool:
    """Whether a choice, by its number, decided this row; `here`: what the engine counts for the row says so."""
    if number == IDLE_TIMES and _documented(sight):
        return False
    return here or _decided_before(number, sight)


def _decided_before(number: int, sight: Sight) -> bool:
    """Choices about packets before this one: how its connection was opened, how long its entry lived."""
    if number == MID_STREAM:
        history = sight.history
        return history is not None and history.midway and int(sight.row.reason) == ESTABLISHED
    late = int(sight.row.reason) in (NO_INGRESS_RULE, NO_EGRESS_RULE) and sight.timed_out
    return number == IDLE_TIMES and late and int(sight.record["protocol"]) in (TCP, ICMP, ICMPV6)


def _documented(sight: Sight) -> bool:
    """Whether the entry lived as long as AWS says: an established connection's timeout it does document."""
    before, history = sight.before, sight.history
    if before is None or history is None or before.tcp_state != "ESTABLISHED":
        return False
    seconds = int(sight.firewall.settings["tcp_timeout_established"])
    return before.expires - history.last.time == seconds * NS


def _setting(sight: Sight, switch: str) -> str:
    return f"{switch}={sight.firewall.settings[switch]}" if switch else ""


def other_setting(sight: Sight, switch: str) -> str:
    """`tcp_loose=0` where it is 1; empty for a choice without a switch."""
    if not switch:
        return ""
    now = str(sight.firewall.settings[switch])
    return f"{switch}={next(word for word in WORDS[switch] if word != now)}"
