"""The connection table's hash: what differs a little must not meet in one slot."""

import numpy as np
import pytest
from numpy.typing import NDArray

from conntrack import growth as growth_module
from conntrack import table as table_module
from conntrack.growth import grown
from conntrack.keys import make_key
from conntrack.table import BEGUN, CLOCK, KEY, SPARE, USED, FlowTable, copied, find_entry, new_table, room
from conntrack.timeouts import SETTINGS, Settings, effective, settings
from conntrack.track import confirm, forget
from pcaps import accelerate
from pcaps.accelerate import entry_kernel
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


@entry_kernel
def make_keys(packets: NDArray[np.void], keys: NDArray[np.void], settings: Settings) -> None:
    for index in range(len(packets)):
        make_key(keys[index], packets[index], settings)


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


# --- entries and slots ---------------------------------------------------------------------------------
MINUTE = 60 * 10**9  # ns


@pytest.fixture
def interpreted() -> None:
    """Kernels that only kernels call cannot be called from a test where they are compiled."""
    if accelerate.engine() == "compiled":
        pytest.skip("these kernels are called from Python")


def keys_of(count: int) -> NDArray[np.void]:
    keys = np.zeros(count, KEY)
    make_keys(scan(1024)[:count], keys, LINUX)
    return keys


def opened(table: FlowTable, keys: NDArray[np.void], expires: int) -> tuple[FlowTable, list[int]]:
    """The table with a connection for each key, and their numbers."""
    numbers = []
    for key in keys:
        if int(table.counts[USED]) >= room(len(table.slots)):
            table = grown(table).table
        candidate = table.entries[len(table.entries) - 1]
        for name in ("a_hi", "a_lo", "b_hi", "b_lo", "a_port", "b_port", "protocol", "family"):
            candidate[name] = key[name]
        candidate["status"], candidate["expires"] = 0, expires
        numbers.append(confirm(table, 0, 0))
    return table, numbers


def found(table: FlowTable, keys: NDArray[np.void]) -> list[int]:
    return [find_entry(table, key, int(key["hash"]), 0) for key in keys]


@pytest.mark.usefixtures("interpreted")
def test_an_entry_keeps_its_number_while_the_table_grows() -> None:
    keys = keys_of(3000)
    table, numbers = opened(new_table(1), keys, MINUTE)
    assert numbers == list(range(3000))
    assert (len(table.slots), int(table.counts[USED])) == (16384, 3000)
    assert found(table, keys) == numbers
    assert table.entries["flow"][:3000].tolist() == list(range(1, 3001))


@pytest.mark.usefixtures("interpreted")
def test_a_key_that_is_not_held_finds_the_candidate_which_is_free() -> None:
    keys = keys_of(20)
    table, _ = opened(new_table(1), keys[:10], MINUTE)
    assert found(table, keys[10:]) == [len(table.entries) - 1] * 10
    assert table.entries["use"][-1] == table_module.FREE


@pytest.mark.usefixtures("interpreted")
def test_places_of_forgotten_entries_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_module, "REMEMBERING_CAPACITY", 64)
    keys = keys_of(64)
    table, first = opened(new_table(1, 64), keys[:32], MINUTE)
    table.counts[CLOCK] = 2 * MINUTE
    growth = grown(table)
    assert (growth.forgot, len(growth.table.slots), int(growth.table.counts[USED])) == (32, 64, 0)
    table, second = opened(growth.table, keys[32:], 3 * MINUTE)
    assert sorted(second) == sorted(first)
    assert (int(table.counts[BEGUN]), int(table.counts[SPARE])) == (32, 0)
    assert found(table, keys[32:]) == second
    assert found(table, keys[:32]) == [len(table.entries) - 1] * 32


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(("deleted", "given_up"), [(4, 0), (5, 5)])
def test_deleted_entries_are_given_up_where_they_are_many(deleted: int, given_up: int) -> None:
    keys = keys_of(32)
    table, numbers = opened(new_table(1, 64), keys, MINUTE)
    for number in numbers[:deleted]:
        forget(table, table.entries[number])
    table = grown(table).table
    assert (len(table.slots), int(table.counts[USED])) == (256, 32 - given_up)
    assert int(table.tracked[0]) == 32 - deleted
    assert found(table, keys[deleted:]) == numbers[deleted:]
    held = [len(table.entries) - 1] * given_up if given_up else numbers[:deleted]
    assert found(table, keys[:deleted]) == held


@pytest.mark.usefixtures("interpreted")
def test_a_copied_table_goes_its_own_way() -> None:
    keys = keys_of(40)
    table, numbers = opened(new_table(1), keys[:20], MINUTE)
    twin, _ = opened(copied(table), keys[20:], MINUTE)
    assert found(twin, keys) == list(range(40))
    assert found(table, keys) == [*numbers, *[len(table.entries) - 1] * 20]
    assert (int(table.counts[BEGUN]), int(twin.counts[BEGUN])) == (20, 40)
