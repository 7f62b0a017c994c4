"""A whole datagram is what the packet would have been that was never cut."""

from hypothesis import given
from hypothesis import strategies as st

from conntrack.fragments import Fate, Reassembly
from conntrack.rebuild import OWN_FIELDS
from conntrack.timeouts import effective
from pcaps.batch import PACKET
from tests.conntrack.pieces import ICMP, TCP, UDP, Datagram, batch, udp

SYN = bytes.fromhex("9c40005000000001000000008002ffff00000000020405b40103030704020000")
ERROR = bytes.fromhex("0303000000000000") + Datagram(4, src="10.0.1.10", dst="198.51.100.7").whole(udp(b"ask"))
BODIES = {(UDP, udp(bytes(range(100)))), (TCP, SYN + b"data" * 8), (ICMP, ERROR), (99, bytes(40))}
NOT_COMPARED = {*OWN_FIELDS, "length"}

bodies = st.sampled_from(sorted(BODIES))
families = st.sampled_from([4, 6])


def reassembly() -> Reassembly:
    return Reassembly(effective("linux", {}))


@st.composite
def cut_datagrams(draw: st.DrawFn) -> tuple[Datagram, bytes, list[bytes]]:
    """A datagram, its body, and its fragments in any order; the first holds the transport header."""
    family, (protocol, body) = draw(families), draw(bodies)
    at = draw(st.sets(st.sampled_from(range(24 if family == 6 else 8, len(body), 8)), min_size=1))
    datagram = Datagram(family, protocol)
    return datagram, body, draw(st.permutations(datagram.cut(body, *sorted(at))))


@given(cut_datagrams())
def test_in_any_order(given_: tuple[Datagram, bytes, list[bytes]]) -> None:
    datagram, body, fragments = given_
    packets = batch(fragments)
    gathered = reassembly().add(packets, 0)
    ((row, whole),) = gathered.whole
    assert row == len(fragments) - 1
    assert [member for _, member in gathered.members] == [whole] * len(fragments)
    uncut = batch([datagram.whole(body)]).records[0]
    found = gathered.records[row]
    fields = [name for name in PACKET.names or () if name not in NOT_COMPARED]
    assert {name: found[name] for name in fields} == {name: uncut[name] for name in fields}
    assert [found[name] for name in OWN_FIELDS] == [packets.records[row][name] for name in OWN_FIELDS]


@given(cut_datagrams(), st.integers(0, 100))
def test_what_the_snap_length_cut_is_missing(given_: tuple[Datagram, bytes, list[bytes]], snap: int) -> None:
    datagram, body, fragments = given_
    headers = 20 if datagram.family == 4 else 48
    gathered = reassembly().add(batch(fragments, snap=headers + snap), 0)
    ((_, whole),) = gathered.whole
    sizes = [len(one) - headers for one in datagram.cut(body, *cuts(fragments))]
    captured = 0
    for size in sizes:
        captured += min(size, snap)
        if size > snap:
            break
    uncut = datagram.whole(body)
    cut = len(uncut) - len(body) + captured
    assert whole.packet["status"] == batch([uncut], snap=cut).records[0]["status"]


def cuts(fragments: list[bytes]) -> list[int]:
    """Where the fragments start, without the first."""
    records = batch(fragments).records
    return sorted(int(offset) for offset in records["fragment_offset"] if offset)


@given(
    families,
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 40), st.booleans(), st.integers(0, 2), st.integers(0, 3)),
        max_size=40,
    ),
    st.integers(0, 20),
)
def test_whatever_comes_every_fragment_has_one_fate(
    family: int, noise: list[tuple[int, int, bool, int, int]], split: int
) -> None:
    """Overlaps, repetitions, contradictions: nothing raises, nothing is counted twice, all is let go."""
    packets = batch(
        Datagram(family, ident=ident).piece(8 * offset, bytes(length), more=more, traffic_class=ecn)
        for offset, length, more, ident, ecn in noise
    )
    gathers = reassembly()
    whole, members = [], []
    for part in (packets.slice(0, split), packets.slice(split, packets.rows)):
        gathered = gathers.add(part, 0)
        assert len(gathered.records) == part.rows
        members += [datagram for _, datagram in gathered.members]
        whole += [datagram for _, datagram in gathered.whole]
    gathers.end()
    assert len(set(map(id, whole))) == len(whole)
    assert all(datagram in members for datagram in whole)
    assert not [datagram for datagram in members if datagram.fate is Fate.OPEN]
    assert all(datagram.fate is Fate.WHOLE for datagram in whole)
    assert gathers.held_bytes == 0
