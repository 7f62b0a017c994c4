"""Rule files of any size for benchmarks/generate.py's scans, each admitting all of a scan by its last rules.

`python -m benchmarks.many_rules RULES ENTRIES` prints one: RULES rules, each over a prefix list of ENTRIES
blocks and a port range of its own. The blocks of the last lists are the scan's own hosts, cut small, so that
the address of every packet lies in a block and its rule is the last that could fit.
"""

import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network

LISTS = 32  # the rules take turns: AWS allows 100 lists a region
RANGES = 1091  # of 50 ports, ten apart; more rules than that take the same ranges again
HOSTS_IPV4, HOSTS_IPV6 = ip_network("198.18.0.0/15"), "2001:db8:2::/48"
ELSEWHERE = int(IPv4Address("11.0.0.0"))
INTERFACE = "eni-server: {addresses: [10.0.1.10, '2001:db8:1::10'], security_groups: [server]}"


def one_rule() -> str:
    """The least that admits a scan: a rule for each family."""
    return "\n".join(
        [
            "security_groups:",
            "  server:",
            "    ingress:",
            f"      - {{protocol: tcp, ports: all, source: {HOSTS_IPV4}}}",
            f"      - {{protocol: tcp, ports: all, source: '{HOSTS_IPV6}'}}",
            "    egress: []",
            f"interfaces:\n  {INTERFACE}\n",
        ]
    )


def many_rules(rules: int, entries: int) -> str:
    """`rules` rules over prefix lists of `entries` blocks."""
    lists = {f"list-{at}": list(_elsewhere(at, entries)) for at in range(LISTS)}
    hosts = list(HOSTS_IPV4.subnets(new_prefix=HOSTS_IPV4.prefixlen + max(entries - 1, 1).bit_length() - 1))
    parts = [hosts[start : start + entries] for start in range(0, len(hosts), entries)]
    lists |= {f"hosts-{at}": list(map(str, part)) for at, part in enumerate(parts)}
    lines = ["security_groups:", "  server:", "    ingress:"]
    lines += [
        f"      - {{protocol: tcp, ports: {port}-{port + 49}, source: pl:list-{at % LISTS}}}"
        for at in range(rules - len(parts) - 1)
        for port in [at % RANGES * 60 + 1]
    ]
    lines += [f"      - {{protocol: tcp, ports: all, source: pl:hosts-{at}}}" for at in range(len(parts))]
    lines += [f"      - {{protocol: tcp, ports: all, source: '{HOSTS_IPV6}'}}", "    egress: []", "prefix_lists:"]
    lines += [f"  {name}: {{entries: [{', '.join(blocks)}]}}" for name, blocks in lists.items()]
    return "\n".join([*lines, f"interfaces:\n  {INTERFACE}\n"])


def _elsewhere(number: int, entries: int) -> Iterator[str]:
    """Blocks outside the scan, those of each list between those of the others."""
    for at in range(entries):
        yield f"{IPv4Address(ELSEWHERE + (at * LISTS + number) * 512)}/24"


def main() -> None:
    """Print a rule file."""
    print(many_rules(int(sys.argv[1]), int(sys.argv[2])), end="")


if __name__ == "__main__":
    main()
