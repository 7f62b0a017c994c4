"""The ports that clients choose from, by the kind of client, as AWS gives them.

https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html
"""

from typing import NamedTuple

EPHEMERAL_PAGE = "https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html"
FIRST_EPHEMERAL = 1024  # below it no client's range begins: such a port is a service's, on both ends
CATCH_ALL = (1024, 65535)  # what that page gives where clients of every kind are expected

Ports = tuple[int, int]

#: Ephemeral ports by client, as that page gives them.
EPHEMERAL_PORTS = (
    ("many Linux kernels, Amazon Linux too", (32768, 61000)),
    ("Windows Server 2008 and later", (49152, 65535)),
    ("Elastic Load Balancing, NAT gateways, Lambda", CATCH_ALL),
    ("Windows up to Server 2003", (1025, 5000)),
)


class ClientKind(NamedTuple):
    """A kind of client and the ports that it chooses from."""

    name: str
    ports: Ports


KINDS = tuple(ClientKind(*row) for row in EPHEMERAL_PORTS)


def client_kind(low: int, high: int) -> ClientKind:
    """The first kind, as that page lists them, whose range holds both ports, which are 1024 to 65535.

    Ranges overlap, and a range that is too small fails now and then only: a Linux client that was seen with 58618
    chooses 40000 tomorrow.
    """
    return next(kind for kind in KINDS if kind.ports[0] <= low <= high <= kind.ports[1])
