"""Addresses by number: each has one, from the first time it is met, and one text."""

import numpy as np
from numpy.typing import NDArray

from firewall import addresses
from firewall.addresses import Addresses

MAPPED = 0xFFFF_0000_0000
DOCUMENTATION_V6 = 0x2001_0DB8_0000_0000


def column(*values: int) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)


def test_an_address_keeps_its_number_from_batch_to_batch() -> None:
    known = Addresses()
    every = np.ones(3, np.bool_)
    first = known.words(column(0, DOCUMENTATION_V6, 0), column(MAPPED | 0xC0000201, 1, MAPPED | 0xC0000201), every)
    assert first.codes.tolist() == [1, 2, 1]
    second = known.words(
        column(DOCUMENTATION_V6, 0, 0), column(1, MAPPED | 0xC0000202, 1), np.array([True, True, False])
    )
    assert second.codes.tolist() == [2, 3, 0]
    assert second.words[:4] == [None, "192.0.2.1", "2001:db8::1", "192.0.2.2"]


def test_more_addresses_than_there_was_room_for_keep_their_numbers() -> None:
    known = Addresses()
    count = addresses.FIRST_SLOTS
    low = np.arange(count, dtype=np.uint64) * np.uint64(1 << 20) + np.uint64(1)
    high, every = np.zeros(count, np.uint64), np.ones(count, np.bool_)
    for part in (slice(0, 100), slice(100, count), slice(0, count)):
        codes = known.words(high[part], low[part], every[part]).codes
        assert codes.tolist() == list(range(1, count + 1))[part]
    assert len(set(known.words(high[:0], low[:0], every[:0]).words)) == count + 1
