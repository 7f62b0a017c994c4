# SPDX-License-Identifier: GPL-2.0-only
# This module and pcaps/craft.py alone import scapy, which is GPL-2.0-only; the rest of the project is MIT.
"""A drain for scapy's pipes (scapy.pipetool): packets that a judge lets through go on, the others go up or nowhere.

source = CLIFeeder()
drain = FirewallFilter(Firewall.from_file("web.yaml").judge)
sink = ListSink()
source > drain > sink
source >> drain >> denied        # the high pipe carries what was not let through
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scapy.pipetool import Drain

Judge = Callable[[Any], Iterable[Mapping[str, Any]]]
PASSING = ("ALLOW", "EXEMPT")


class FirewallFilter(Drain):
    """Lets through, on its low side, what `judge` allows at every interface; the rest leaves on the high side.

    `judge` takes one scapy packet and gives verdict rows, as Firewall.judge does: the table goes on from packet
    to packet. `rows` has the rows of the latest packet. What comes in on the high side is judged too.
    """

    def __init__(self, judge: Judge, name: str | None = None) -> None:
        super().__init__(name=name)
        self._judge = judge
        self.rows: list[Mapping[str, Any]] = []

    def push(self, packet: Any) -> None:
        """Judge a packet that comes in on the low side."""
        self.rows = list(self._judge(packet))
        verdicts = [row["verdict"] for row in self.rows]
        if verdicts and all(verdict in PASSING for verdict in verdicts):
            self._send(packet)
        else:
            self._high_send(packet)

    def high_push(self, packet: Any) -> None:
        """The same for the high side."""
        self.push(packet)
