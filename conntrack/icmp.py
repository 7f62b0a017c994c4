"""ICMP and ICMPv6 message types, as data: queries and their answers, and what is never tracked.

nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c, kernel 6.18.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Query(NamedTuple):
    """A query type and the type that answers it."""

    family: int
    query: int
    answer: int
    name: str
    source: str


QUERIES = (
    Query(4, 8, 0, "echo", "RFC 792"),
    Query(4, 13, 14, "timestamp", "RFC 792"),
    Query(4, 15, 16, "information", "RFC 792"),
    Query(4, 17, 18, "address mask", "RFC 950"),
    Query(6, 128, 129, "echo", "RFC 4443"),
    Query(6, 139, 140, "node information", "RFC 4620"),
)
NO_QUERY = -1

# ICMPv6 that Linux marks UNTRACKED: multicast listener discovery, neighbour discovery, MLDv2, router
# discovery of multicast routers (RFC 4286)
MLD_QUERY, MLD_REPORT, MLD_DONE = 130, 131, 132
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT = 133, 134
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT, REDIRECT = 135, 136, 137
MLDV2_REPORT = 143
UNTRACKED_FIRST, UNTRACKED_LAST = MLD_QUERY, NEIGHBOUR_ADVERTISEMENT
UNTRACKED_OTHERS = (MLDV2_REPORT, 151, 152)


def query_array() -> NDArray[np.int16]:
    """int16[2, 256]: by family (0: ICMP, 1: ICMPv6) and type the query's type, NO_QUERY where none."""
    table = np.full((2, 256), NO_QUERY, np.int16)
    for row in QUERIES:
        table[int(row.family == 6), [row.query, row.answer]] = row.query
    return table
