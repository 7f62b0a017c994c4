"""The connection table's hash: what differs a little must not meet in one slot."""

import numpy as np
import pytest
from numpy.typing import NDArray

from conntrack.keys import make_keys
from conntrack.table import KEY
from conntrack.timeouts import SETTINGS, effective, settings
from pcaps.batch import IPV4_PREFIX, NOT_A_FRAGMENT, PACKET
from pcaps.wire import TCP

HOSTS, PORTS = 256, 64
LINUX = np.array([settings(effective("linux", {}))], SETTINGS)[0]


def scan(first_port: int) -> NDArray[np.void]:
    """Packets of neighbours: every host from every port, to one service."""
    packets = np.zeros(HOSTS * PORTS, PACKET)
    number = np.arange(len(packets))
    packets["family"], packets["protocol"], packets["fragment_id"] = 4, TCP, NOT_A_FRAGMENT
    packets["src_lo"] = IPV4_PREFIX + 0xC6120000 + number % HOSTS
    packets["src_port"] = first_port + number // HOSTS
    packets["dst_lo"], packets["dst_port"] = IPV4_PREFIX + 0x0A00010A, 443
    return packets


def hashes(packets: NDArray[np.void]) -> NDArray[np.int64]:
    keys = np.zeros(len(packets), KEY)
    make_keys(packets, keys, LINUX)
    found: NDArray[np.int64] = keys["hash"]
    return found


@pytest.mark.parametrize("first_port", [1, 1024, 32768, 65000])
def test_neighbours_in_address_and_port_have_hashes_of_their_own(first_port: int) -> None:
    found = hashes(scan(first_port))
    assert len(np.unique(found)) >= len(found) - 3  # by chance 16,384 of 2**31 meet 0.06 times
    slots = np.bincount(found & (2 * len(found) - 1), minlength=2 * len(found))
    assert np.sum(slots**2) / len(found) < 1.6  # 1.5 for a random hash


def test_an_answer_has_the_hash_of_its_question() -> None:
    there = scan(40000)
    back = there.copy()
    for end, other in (("src", "dst"), ("dst", "src")):
        for part in ("hi", "lo", "port"):
            back[f"{end}_{part}"] = there[f"{other}_{part}"]
    assert np.array_equal(hashes(there), hashes(back))
