"""An interface's own idle timeouts, from the native YAML or the AWS CLI's JSON.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from typing import NamedTuple

from firewall.model import ConnectionTracking
from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import mapping, shown


class IdleTimeout(NamedTuple):
    """The key in YAML, AWS's key, and the seconds that AWS takes."""

    key: str
    aws_key: str
    low: int
    high: int


IDLE_TIMEOUTS = (
    IdleTimeout("tcp_established_timeout", "TcpEstablishedTimeout", 60, 432000),
    IdleTimeout("udp_stream_timeout", "UdpStreamTimeout", 60, 180),
    IdleTimeout("udp_timeout", "UdpTimeout", 30, 60),
)
TRACKING_KEYS = tuple(row.key for row in IDLE_TIMEOUTS)


def connection_tracking(node: Node | None, findings: Findings, *, aws_keys: bool = False) -> ConnectionTracking:
    """The timeouts that a mapping names; a number outside AWS's bounds is an error."""
    if node is None:
        return ConnectionTracking()
    found = mapping(node, findings, "{tcp_established_timeout: 350}")
    seconds: dict[str, int] = {}
    for row in IDLE_TIMEOUTS:
        item = found.get(row.aws_key if aws_keys else row.key)
        if item is None or item.value is None:
            continue
        if isinstance(item.value, int) and not isinstance(item.value, bool) and row.low <= item.value <= row.high:
            seconds[row.key] = item.value
        else:
            findings.error(item, f"{shown(item)} is no {row.key}: write {row.low} to {row.high} seconds")
    return ConnectionTracking(**seconds)
