"""The ways to read a rule set: with the table, without it, network ACLs alone; and what an interface sets itself."""

from typing import NamedTuple

from firewall.model import NetworkInterface
from firewall.stations import BORDER, STATEFUL, STATELESS


class Reading(NamedTuple):
    """One way to judge: what the kernel does, whether network ACLs stand in the path, and how reports say it."""

    code: int
    acls: bool
    assumption: str = ""


READINGS = {
    "path": Reading(STATEFUL, acls=True),
    "sg": Reading(STATEFUL, acls=False),
    "stateless": Reading(STATELESS, False, "stateless: every packet meets the rules by itself, replies too"),
    "nacl": Reading(BORDER, True, "nacl: network ACLs alone; what stays inside a subnet meets none"),
}
ACLS_LEFT_OUT = "{reading}: network ACLs are left out"
SILENT = "where AWS does not document what it does, eniwall does what Linux does; here that decided:"


def own_timeouts(eni: NetworkInterface) -> dict[str, int]:
    """The settings that an interface's own ConnectionTrackingSpecification changes."""
    own = eni.connection_tracking
    named = {
        "tcp_timeout_established": own.tcp_established_timeout,
        "udp_timeout_stream": own.udp_stream_timeout,
        "udp_timeout": own.udp_timeout,
    }
    return {name: seconds for name, seconds in named.items() if seconds is not None}
