"""Subnets for interfaces that no file places: the smallest that AWS would make around their addresses.

AWS reserves the first four addresses and the last one of a subnet's blocks, and subnets do not overlap:
https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html. Where an interface had a reserved
address, its traffic would count as the router's or as broadcast, which no rule decides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from firewall.model import Network, NetworkInterface, RuleSet, Subnet

#: The prefix lengths of the blocks that AWS makes, the smallest block first.
LENGTHS: dict[int, tuple[int, ...]] = {4: tuple(range(28, 15, -1)), 6: tuple(range(64, 43, -4))}
RESERVED_FIRST = 4


def reserved_in(block: Network) -> Iterator[Network]:
    """The addresses of a subnet's block that AWS gives to no interface, each as a block of one."""
    first, last = int(block.network_address), int(block.broadcast_address)
    for number in (*range(first, first + RESERVED_FIRST), last):
        yield ip_network((number, block.max_prefixlen))


class Room:
    """Which blocks are free: none of their reserved addresses is an interface's, and they overlap no stated subnet."""

    def __init__(self, taken: Iterable[Network], stated: Iterable[Subnet]) -> None:
        self._taken = set(taken)
        self._lengths = {
            version: {each.prefixlen for each in self._taken if each.version == version} for version in (4, 6)
        }
        self._stated = [(subnet.vpc, block) for subnet in stated for block in subnet.cidrs]

    def block(self, networks: Sequence[Network], vpc: str | None) -> Network | None:
        """The smallest free block around some of one family, of those that AWS makes; None where there is none."""
        version = networks[0].version
        for length in LENGTHS[version]:
            if all(each.prefixlen >= length for each in networks):
                around = {each.supernet(new_prefix=length) for each in networks}
                if len(around) == 1 and self._is_free(block := around.pop(), vpc):
                    return block
        return None

    def _is_free(self, block: Network, vpc: str | None) -> bool:
        if any(self._is_taken(each) for each in reserved_in(block)):
            return False
        return not any(_one_vpc(vpc, other) and overlap(block, stated) for other, stated in self._stated)

    def _is_taken(self, address: Network) -> bool:
        lengths = self._lengths[address.version]
        return any(address.supernet(new_prefix=length) in self._taken for length in lengths)


def overlap(one: Network, other: Network) -> bool:
    """True if two blocks have an address in common."""
    return one.version == other.version and one.overlaps(other)


def _one_vpc(one: str | None, other: str | None) -> bool:
    """True unless two VPCs are known and differ."""
    return None in (one, other) or one == other


@dataclass
class Neighbours:
    """Interfaces of one subnet; `named`: as their files name it without its blocks."""

    named: str | None
    members: list[NetworkInterface]
    blocks: dict[int, Network] = field(default_factory=dict)  # by family; none where none is free

    @property
    def vpc(self) -> str | None:
        """The VPC, where all say the same: a made subnet puts no interface in one."""
        found = {eni.vpc for eni in self.members}
        return found.pop() if len(found) == 1 else None

    def fitted(self, room: Room) -> "Neighbours":
        """The same with the blocks around their addresses."""
        for version in LENGTHS:
            networks = [each for eni in self.members for each in eni.networks if each.version == version]
            block = room.block(networks, self.vpc) if networks else None
            if block is not None:
                self.blocks[version] = block
        return self

    def meets(self, other: "Neighbours") -> bool:
        """True where AWS could not make both subnets: their blocks overlap, and the files do not name two."""
        if (self.named is not None and other.named is not None) or not _one_vpc(self.vpc, other.vpc):
            return False
        return any(
            version in other.blocks and overlap(block, other.blocks[version]) for version, block in self.blocks.items()
        )

    def joined(self, other: "Neighbours") -> "Neighbours":
        """Both as one, without blocks."""
        return Neighbours(self.named or other.named, [*self.members, *other.members])


def made_subnets(rule_set: RuleSet, interfaces: Iterable[NetworkInterface]) -> dict[str, Subnet]:
    """By interface, the subnets of those that no file places; what would overlap is one subnet."""
    simulated = list(interfaces)
    room = Room(
        (each for eni in (*rule_set.interfaces.values(), *simulated) for each in eni.networks),
        rule_set.subnets.values(),
    )
    found: list[Neighbours] = []
    for start in _by_name(eni for eni in simulated if rule_set.subnet_of(eni) is None):
        mine = start.fitted(room)
        while (other := next((each for each in found if each.meets(mine)), None)) is not None:
            found.remove(other)
            mine = other.joined(mine).fitted(room)
        found.append(mine)
    return _subnets(found, rule_set.subnets)


def _by_name(interfaces: Iterable[NetworkInterface]) -> list[Neighbours]:
    """Those whose files name one subnet together, the others alone."""
    found: dict[tuple[str, bool], Neighbours] = {}
    for eni in interfaces:
        key = (eni.interface_id, False) if eni.subnet is None else (eni.subnet, True)
        found.setdefault(key, Neighbours(eni.subnet, [])).members.append(eni)
    return list(found.values())


def _subnets(found: Iterable[Neighbours], stated: Mapping[str, Subnet]) -> dict[str, Subnet]:
    taken, made = set(stated), {}
    for each in found:
        name = each.named or free_name(f"subnet-{each.members[0].interface_id}", taken)
        taken.add(name)
        subnet = Subnet(name, tuple(each.blocks[version] for version in sorted(each.blocks)), each.vpc)
        made.update({eni.interface_id: subnet for eni in each.members})
    return made


def free_name(name: str, taken: Iterable[str]) -> str:
    """The name, or the first numbered one that nothing has."""
    known = set(taken)
    number = 2
    free = name
    while free in known:
        free, number = f"{name}-{number}", number + 1
    return free
