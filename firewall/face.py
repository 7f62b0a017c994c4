"""Firewall with its explanations: what `from firewall import Firewall` gives."""

from typing import TYPE_CHECKING, Any

from firewall import engine

if TYPE_CHECKING:
    from firewall.explain.phases import Explanation


class Firewall(engine.Firewall):
    """The engine's Firewall, and why it says what it says."""

    def explain(self, packet: Any) -> "Explanation":
        """Why the next packet, one scapy packet, would get its verdict; the table stays as it is.

        `print(fw.explain(packet))` shows the phases as `eniwall explain` does; they are in its `passages`, one
        for each interface. Raises UsageError without an interface or where it is not one packet, CraftError for
        a packet that scapy cannot build.
        """
        from firewall.errors import UsageError
        from firewall.explain.explainer import explained

        found = explained(self.fork(), packet)
        if len(found) != 1:
            raise UsageError(f"explain takes one packet, not {len(found)}: judge those before it with judge()")
        return found[0]
