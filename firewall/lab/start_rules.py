"""Rules to begin with for a capture that came without any: those of a new security group.

A new group allows nothing in and everything out:
https://docs.aws.amazon.com/vpc/latest/userguide/default-custom-security-groups.html
"""

from ipaddress import ip_address
from typing import TYPE_CHECKING

from firewall.interfaces import busiest

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch

NOWHERE = "10.0.1.10"  # stands where a capture holds no IP packet
START = """\
# What a new security group has: nothing in, everything out.
# {why}
security_groups:
  my-group:
    ingress: []
    # ingress:
    #   - {{type: HTTP, source: {anywhere}}}
    #   - {{protocol: tcp, ports: 22, source: {host}}}
    egress:
      - {{protocol: all, destination: {anywhere}}}

interfaces:
  my-interface: {{addresses: [{address}], security_groups: [my-group]}}
"""


def start_rules(packets: "PacketBatch | None") -> str:
    """A rule file (docs/rules.md) whose one interface has the busiest address of these packets."""
    found = busiest(packets) if packets is not None else []
    if not found:
        return _filled(NOWHERE, NOWHERE, "The capture holds no IP packet, so the interface's address is an example.")
    first, *others = found
    alike = [each.address for each in others if _version(each.address) == _version(first.address)]
    counted = f"{first.packets:,} packets, {first.role}"
    why = f"The interface is the capture's busiest address ({counted}); change it freely."
    return _filled(first.address, (alike or [first.address])[0], why)


def _version(address: str) -> int:
    return ip_address(address).version


def _filled(address: str, other: str, why: str) -> str:
    six = _version(address) == 6
    return START.format(
        why=why,
        anywhere='"::/0"' if six else "0.0.0.0/0",
        host=f'"{other}/128"' if six else f"{other}/32",
        address=f'"{address}"' if six else address,
    )
