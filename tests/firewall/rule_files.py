"""Random rule files in the native format, right in every way: all sections, all keys, all ways to write a value."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from firewall.sources import native_interfaces
from firewall.sources.tracking import IDLE_TIMEOUTS
from firewall.sources.words import CONSOLE_TYPES, PROTOCOLS

Tree = dict[str, Any]

GROUPS, LISTS, SUBNETS = ("web", "app", "22"), ("office", "pl-1"), ("front", "subnet-1")
VPCS, ACLS, ENIS = ("main", "vpc-1"), ("edge", "acl-1"), ("eni-web", "db")

texts = st.one_of(st.sampled_from(["", "the office", "caf\u00e9"]), st.integers(0, 99))
words = st.sampled_from(["i-0abc", "prod", 7])
blocks4 = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "203.0.113.0/24", "198.51.100.7", "255.255.255.255/32"])
blocks6 = st.sampled_from(["::/0", "2001:db8::/32", "2001:db8::1", "::ffff:198.51.100.7/128"])
blocks = blocks4 | blocks6
any_flag = st.booleans()


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    """Some of these keys."""
    return st.fixed_dictionaries({}, optional=values)


def joined(*parts: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """The keys of all."""
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def keys(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    """All of these keys."""
    return st.fixed_dictionaries(values)


def in_some_case(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.upper(), word.lower()])


def in_words(number: int, name: str) -> st.SearchStrategy[Any]:
    """A protocol's name, its number, its number as a text."""
    return in_some_case(name) | st.just(number) | st.just(str(number))


port = st.integers(0, 65535)
ports = st.one_of(port, st.tuples(port, port).map(lambda both: f"{min(both)}-{max(both)}"), in_some_case("all"))
icmp = st.one_of(
    st.integers(-1, 255),
    st.tuples(st.integers(0, 255), st.integers(-1, 255)).map(lambda both: f"{both[0]} / {both[1]}"),
    st.sampled_from(["-1/-1", "all", "All"]),
)
CONDITIONS: dict[str, st.SearchStrategy[Tree]] = {
    "tcp": keys(ports=ports),
    "udp": keys(ports=ports),
    "icmp": keys(icmp=icmp),
    "icmpv6": optional(icmp=icmp),
    "sctp": optional(ports=ports),
    "udplite": optional(ports=ports),
}
protocol_services: st.SearchStrategy[Tree] = st.sampled_from(sorted(PROTOCOLS)).flatmap(
    lambda name: joined(
        keys(protocol=in_words(PROTOCOLS[name], name)),
        CONDITIONS.get(name, optional(ports=st.sampled_from(["all", "0-65535"]))),
    )
)
ASKS: dict[str, Callable[[str], st.SearchStrategy[Tree]]] = {
    "": lambda _: st.just({}),
    "ports": lambda _: keys(ports=ports),
    "icmp": lambda name: optional(icmp=icmp) if name.endswith("IPv6") else keys(icmp=icmp),
    "protocol": lambda _: protocol_services,
}
typed_services = st.sampled_from(list(CONSOLE_TYPES.values())).flatmap(
    lambda row: joined(keys(type=in_some_case(row.name)), ASKS[row.asks](row.name))
)
services = protocol_services | typed_services
peers = st.one_of(
    blocks,
    st.sampled_from([*(f"sg:{name}" for name in GROUPS), *(f"pl:{name}" for name in LISTS), "sg-0a1", "pl-0b2"]),
)


def directions(items: Callable[[str], st.SearchStrategy[Any]]) -> st.SearchStrategy[Tree]:
    """Some of ingress and egress, by one of their names each."""
    return st.tuples(
        st.sampled_from(["ingress", "inbound"]),
        st.sampled_from(["egress", "outbound"]),
        optional(source=items("source"), destination=items("destination")),
    ).map(
        lambda found: {
            name: found[2][peer]
            for name, peer in zip(found[:2], ("source", "destination"), strict=True)
            if peer in found[2]
        }
    )


def rules(peer: str) -> st.SearchStrategy[Any]:
    return st.lists(joined(services, keys(**{peer: peers}), optional(description=texts)), max_size=3)


def entries(peer: str) -> st.SearchStrategy[Any]:
    one = joined(
        services,
        keys(number=st.integers(1, 32766), action=st.sampled_from(["allow", "deny"]), **{peer: blocks}),
        optional(description=texts),
    )
    return st.lists(one, max_size=3, unique_by=lambda entry: entry["number"])


cidrs = st.one_of(keys(cidr=blocks), keys(cidrs=st.tuples(blocks4, blocks6).map(list)))
prefix_lists = st.sampled_from([("IPv4", blocks4), ("IPv6", blocks6)]).flatmap(
    lambda family: joined(
        keys(
            entries=st.lists(
                family[1] | joined(keys(cidr=family[1]), optional(description=texts)),
                max_size=3,
            )
        ),
        optional(
            max_entries=st.integers(3, 1000),
            family=st.just(family[0]),
            version=st.integers(1, 99),
            description=texts,
        ),
    )
)
tracking = optional(**{row.key: st.integers(row.low, row.high) for row in IDLE_TIMEOUTS})
silences = st.dictionaries(
    st.sampled_from(["unused-group", "open-to-world"]), st.just("all") | st.lists(st.sampled_from(GROUPS), max_size=2)
)


@st.composite
def rule_files(draw: st.DrawFn) -> Tree:
    """A file with every section, whose names are all defined."""
    tree: Tree = {
        "vpcs": {name: draw(joined(cidrs, optional(description=texts))) for name in VPCS},
        "network_acls": {
            name: draw(joined(directions(entries), optional(vpc=st.sampled_from(VPCS), description=texts)))
            for name in ACLS
        },
        "subnets": {
            name: draw(
                joined(
                    cidrs,
                    optional(vpc=st.sampled_from(VPCS), network_acl=st.sampled_from(ACLS), description=texts),
                )
            )
            for name in SUBNETS
        },
        "security_groups": {
            name: draw(joined(directions(rules), optional(vpc=st.sampled_from(VPCS), description=texts)))
            for name in GROUPS
        },
        "prefix_lists": {name: draw(prefix_lists) for name in LISTS},
        "interfaces": {
            name: draw(
                joined(
                    keys(
                        addresses=st.just([f"192.0.2.{number}", f"2001:db8::{number}"]),
                        security_groups=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2),
                    ),
                    optional(
                        subnet=st.sampled_from(SUBNETS),
                        vpc=st.sampled_from(VPCS),
                        instance=words,
                        mac=st.sampled_from(["02:00:5e:00:53:01", "02-00-5E-00-53-01"]),
                        source_dest_check=any_flag,
                        interface_type=st.sampled_from(native_interfaces.INTERFACE_TYPES),
                        prefixes=st.lists(blocks, max_size=2),
                        public_addresses=st.just(["203.0.113.10"]),
                        mirror_vnis=st.lists(st.sampled_from((0, 7, (1 << 24) - 1)), max_size=2),
                        connection_tracking=tracking,
                        name=texts,
                        description=texts,
                    ),
                )
            )
            for number, name in enumerate(ENIS, 1)
        },
    }
    tree["network_acls"]["edge"]["default"] = draw(any_flag)
    for section, prefix, name in (
        ("vpcs", "vpc-7", "main"),
        ("network_acls", "acl-7", "edge"),
        ("subnets", "subnet-7", "front"),
        ("security_groups", "sg-7", "web"),
        ("prefix_lists", "pl-7", "office"),
    ):
        if draw(any_flag):
            tree[section][name]["id"] = prefix
    settings = optional(
        auto_tracked=st.lists(blocks, max_size=2),
        allowance=st.integers(1, 10**9),
        silence=silences,
        members_complete=st.one_of(st.just("all"), st.just(["web"])),
        **{"$schema": words},
    )
    return {**tree, **draw(settings), "addresses": {}, "parameters": {}}
