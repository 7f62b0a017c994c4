"""What the lints look for in network ACLs, whose entries are asked in order and know no connections."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from firewall.covers import Block, Cover, Extent, block_of, service_span
from firewall.labels import protocol_word, rule_text
from firewall.lint_material import Finding, Material
from firewall.model import ALL_PROTOCOLS, TCP, UDP, Network, NetworkAclEntry

#: Ports that clients choose from: all that AWS names lie in it, and each of its clients' ranges reaches LEAST_LAST.
EPHEMERAL = (1024, 65535)
LEAST_LAST = 60999


def acl_shadowed_entry(material: Material) -> Iterator[Finding]:
    """Entries that a lower-numbered one covers, whatever either of them does."""
    for acl in material.rule_set.network_acls.values():
        for entries in (acl.ingress, acl.egress):
            asked: Cover[NetworkAclEntry] = Cover()
            for entry in entries:
                extent = material.extents.of(entry)
                first = next(asked.covering(extent), None)
                if first is not None:
                    yield _shadowed(material, entry, first)
                asked.add(extent, entry)


def _shadowed(material: Material, entry: NetworkAclEntry, first: NetworkAclEntry) -> Finding:
    same = entry.action == first.action
    return material.about(
        entry,
        f"{entry_text(entry)} decides nothing: entry {first.number}, {entry_text(first)}, covers it and is asked first",
        "delete it" if same else f"give it a number below {first.number}, or delete it",
    )


def acl_no_ephemeral(material: Material) -> Iterator[Finding]:
    """Services that an ACL lets in (out) while no reply finds a way out (in)."""
    for acl in material.rule_set.network_acls.values():
        for entries, opposite in ((acl.ingress, acl.egress), (acl.egress, acl.ingress)):
            back = _ReplyWay(opposite)
            answers = any(map(_is_service, opposite))
            for entry in entries:
                asks = _is_service(entry) or (_is_everything(entry) and not answers)
                protocol = TCP if entry.protocol == ALL_PROTOCOLS else entry.protocol
                if asks and not back.open(protocol, entry.peer):
                    yield _no_reply(material, entry, protocol)


def _no_reply(material: Material, entry: NetworkAclEntry, protocol: int) -> Finding:
    opposite, toward = ("egress", "to") if entry.direction == "ingress" else ("ingress", "from")
    ports = f"{protocol_word(protocol)} {EPHEMERAL[0]}-{EPHEMERAL[1]}"
    return material.about(
        entry,
        f"{entry_text(entry)}, but no {opposite} entry allows any of {ports} {toward} there: no reply passes",
        f"add an {opposite} entry for {ports}, the ports that clients choose from",
    )


def _lets_pass(entry: NetworkAclEntry) -> bool:
    return entry.action == "allow" and entry.protocol in (ALL_PROTOCOLS, TCP, UDP)


def _is_service(entry: NetworkAclEntry) -> bool:
    """An entry that lets a service pass, and is not for replies, whose ports reach to the end."""
    return _lets_pass(entry) and service_span(entry)[1] < LEAST_LAST


def _is_everything(entry: NetworkAclEntry) -> bool:
    """An entry for every port: for replies where the other way lets a service pass, else for services."""
    return _lets_pass(entry) and service_span(entry)[0] < EPHEMERAL[0] and not _is_service(entry)


class _ReplyWay:
    """What one direction of an ACL lets pass of the ports that clients choose from."""

    def __init__(self, entries: Sequence[NetworkAclEntry]) -> None:
        self._entries = [entry for entry in entries if entry.protocol in (ALL_PROTOCOLS, TCP, UDP)]
        self._around: dict[Block, list[int]] = {}  # entries by their block, which may hold others
        for place, entry in enumerate(self._entries):
            self._around.setdefault(block_of(entry.peer), []).append(place)
        self._in_order = sorted((*_start(entry.peer), place) for place, entry in enumerate(self._entries))
        self._known: dict[tuple[int, Network], bool] = {}

    def open(self, protocol: int, peer: Network) -> bool:
        """True if an entry allows any of it, and no lower-numbered one denies all that this entry would."""
        if (protocol, peer) not in self._known:
            self._known[protocol, peer] = self._open(protocol, peer)
        return self._known[protocol, peer]

    def _open(self, protocol: int, peer: Network) -> bool:
        denied: Cover[NetworkAclEntry] = Cover()
        for entry, shared in self._sharing(peer):
            low, high = service_span(entry)
            span = (max(low, EPHEMERAL[0]), min(high, EPHEMERAL[1]))
            if entry.protocol not in (ALL_PROTOCOLS, protocol) or span[0] > span[1]:
                continue
            part = Extent(protocol, span, frozenset([shared]))
            if entry.action == "deny":
                denied.add(part, entry)
            elif next(denied.covering(part), None) is None:
                return True
        return False

    def _sharing(self, peer: Network) -> Iterator[tuple[NetworkAclEntry, Block]]:
        """The entries whose blocks share addresses with the peer, in order, and the smaller of the two blocks."""
        block = block_of(peer)
        wider = (block.widened(length) for length in range(block.length))
        holding = [place for around in wider for place in self._around.get(around, ())]
        first = bisect_left(self._in_order, _start(peer))
        last = bisect_left(self._in_order, (peer.version, int(peer.broadcast_address) + 1))
        inside = [place for _, _, length, place in self._in_order[first:last] if length >= block.length]
        for place in sorted({*holding, *inside}):
            mine = block_of(self._entries[place].peer)
            yield self._entries[place], max(mine, block, key=lambda each: each.length)


def _start(network: Network) -> tuple[int, int, int]:
    """Version, first address, length: blocks inside another follow it."""
    return network.version, int(network.network_address), network.prefixlen


def entry_text(entry: NetworkAclEntry) -> str:
    """What an entry does, in a few words: `allow tcp 22 from 203.0.113.0/24`."""
    return f"{entry.action} {rule_text(entry)}"
