"""What a capture that came without it begins with: the rules of a new security group, its busiest address.

A new group allows nothing in and everything out:
https://docs.aws.amazon.com/vpc/latest/userguide/default-custom-security-groups.html
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

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
{interfaces}
"""
INTERFACE = "  {name}: {{addresses: [{address}], security_groups: [my-group]}}"


class Taken(NamedTuple):
    """The address that is the interface where nobody says which, with why: a part of a sentence."""

    address: str
    why: str


def taken(packets: "PacketBatch | None") -> Taken:
    """The busiest address of these packets; an example where none of them is IP."""
    found = busiest(packets) if packets is not None else []
    if not found:
        return Taken(NOWHERE, "an example, as the capture holds no IP packet")
    return Taken(found[0].address, f"the capture's busiest address ({found[0].packets:,} packets, {found[0].role})")


def start_rules(packets: "PacketBatch | None", addresses: Sequence[str] = ()) -> str:
    """A rule file (docs/rules.md) with an interface of each address; without any, of the packets' busiest one."""
    if addresses:
        return _filled(addresses, addresses[0], "The addresses are those of --eni; change them freely.")
    address, why = taken(packets)
    found = busiest(packets) if packets is not None else []
    alike = [each.address for each in found[1:] if _version(each.address) == _version(address)]
    return _filled([address], (alike or [address])[0], f"The interface is {why}; change it freely.")


def _version(address: str) -> int:
    return ip_address(address).version


def _filled(addresses: Sequence[str], other: str, why: str) -> str:
    six = _version(addresses[0]) == 6
    names = ["my-interface"] if len(addresses) == 1 else [f"my-interface-{n}" for n in range(1, len(addresses) + 1)]
    return START.format(
        why=why,
        anywhere='"::/0"' if six else "0.0.0.0/0",
        host=f'"{other}/128"' if six else f"{other}/32",
        interfaces="\n".join(
            INTERFACE.format(name=name, address=f'"{address}"' if _version(address) == 6 else address)
            for name, address in zip(names, addresses, strict=True)
        ),
    )
