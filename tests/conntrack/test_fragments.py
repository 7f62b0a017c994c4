"""Which fragments become a datagram: the rules of Linux's reassembly, one story a row."""

from collections.abc import Iterable

import pytest

from conntrack import fragments
from conntrack.fragments import NOWHERE, Fate, Reassembly
from conntrack.timeouts import effective
from pcaps.capture import frames_batch
from tests.conntrack.pieces import (
    DESTINATION_OPTIONS,
    FRAGMENT_HEADER,
    ICMPV6,
    SECOND,
    TCP,
    UDP,
    Datagram,
    batch,
    frames,
    udp,
)

BODY = udp(bytes(range(56)))  # 64 bytes
LETTERS = {Fate.OPEN: "o", Fate.WHOLE: "w", Fate.LOST: "l"}


def reassembly(**changes: str) -> Reassembly:
    return Reassembly(effective("linux", changes))


def told(packets: Iterable[bytes], gathers: Reassembly | None = None, **how: int) -> str:
    """A letter a packet: what became of its datagram by the end; `-` where it was dropped by itself."""
    gathered = (gathers or reassembly()).add(batch(packets, **how), 0)
    fates = {row: LETTERS[datagram.fate] for row, datagram in gathered.members}
    return "".join(fates.get(row, "-") for row in range(len(gathered.records)))


def pieces(family: int, story: str) -> list[bytes]:
    """`0-16+ 16-64`: bytes 0 to 16 of BODY with more fragments, then the rest."""
    made = []
    for word in story.split():
        start, stop = word.rstrip("+").split("-")
        data = (BODY + bytes(1 << 16))[int(start) : int(stop)]
        made.append(Datagram(family).piece(int(start), data, more=word.endswith("+")))
    return made


STORIES = {
    # both families
    "in order": ("0-16+ 16-40+ 40-64", "www", "www"),
    "in reverse": ("40-64 16-40+ 0-16+", "www", "www"),
    "the first twice": ("0-16+ 0-16+ 16-64", "www", "www"),
    "within what came one behind the other": ("0-16+ 16-32+ 8-24+ 32-64", "wwww", "wwww"),
    "the last missing": ("0-16+ 16-40+", "oo", "oo"),
    "the first missing": ("16-40+ 40-64", "oo", "oo"),
    "overlapping at the end": ("0-16+ 8-32+", "l-", "l-"),
    "overlapping in the middle": ("0-16+ 32-48+ 8-40+", "ll-", "ll-"),
    "around a fragment": ("16-32+ 40-48+ 8-40+", "ll-", "ll-"),
    "within two that did not come in order": ("16-32+ 0-16+ 8-24+", "ll-", "ll-"),
    "the same in order": ("0-16+ 16-32+ 8-24+", "ooo", "ooo"),
    "what follows a discarded one starts anew": ("0-16+ 8-32+ 0-16+ 16-64", "l-ww", "l-ww"),
    "what follows a whole one starts anew": ("0-16+ 16-64 16-64", "wwo", "wwo"),
    "a repetition that says it is the last": ("0-16+ 16-64+ 16-64", "ooo", "ooo"),
    # where IPv4 gives up the datagram, IPv6 drops the fragment
    "two ends": ("16-64 16-56", "l-", "o-"),
    "behind the end": ("32-48 56-64+", "l-", "o-"),
    "an end before what came": ("16-64+ 8-32", "l-", "o-"),
    "empty": ("0-16+ 16-16+ 16-64", "l-o", "w-w"),
    # a fragment that others follow carries a multiple of 8 bytes: IPv4 cuts it, IPv6 tracks it as it is
    "not a multiple of 8": ("0-19+ 16-64", "ww", "wo"),
    "less than 8 bytes": ("0-16+ 16-20+ 16-64", "l-o", "lwo"),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_datagram_in_ipv4_fragments(name: str) -> None:
    story, ipv4, _ = STORIES[name]
    assert told(pieces(4, story)) == ipv4


@pytest.mark.parametrize("name", STORIES)
def test_a_datagram_in_ipv6_fragments(name: str) -> None:
    story, _, ipv6 = STORIES[name]
    assert told(pieces(6, story)) == ipv6


def test_longer_than_ip_can_say() -> None:
    story = "0-1024+ " + " ".join(f"{at}-{at + 1024}+" for at in range(1024, 64512, 1024))
    assert set(told(pieces(4, story + " 64512-65512"))) == {"w"}
    assert set(told(pieces(4, story + " 64512-65520"))) == {"l"}  # with its header 65540
    assert set(told(pieces(6, story + " 64512-65535"))) == {"w"}  # the header does not count
    assert told(pieces(6, story + " 64512-65536"))[-1] == "-"  # the fragment alone is dropped


def test_ipv6_headers_before_the_fragment_header_count() -> None:
    datagram = Datagram(6, headers=bytes([FRAGMENT_HEADER, 0, 1, 4, 0, 0, 0, 0]))
    body = udp(bytes(65535 - 8))
    assert set(told(datagram.cut(body, 32768))) == {"l"}
    assert set(told(datagram.cut(body[:-8], 32768))) == {"w"}


@pytest.mark.parametrize(
    ("first", "second", "fate"), [(0, 0, "w"), (1, 2, "w"), (1, 3, "w"), (0, 1, "l"), (3, 0, "l"), (0xB8, 0x28, "w")]
)
@pytest.mark.parametrize("family", [4, 6])
def test_ecn_is_on_all_fragments_or_on_none(family: int, first: int, second: int, fate: str) -> None:
    datagram = Datagram(family)
    made = [
        datagram.piece(0, BODY[:32], more=True, traffic_class=first),
        datagram.piece(32, BODY[32:], more=False, traffic_class=second),
    ]
    assert told(made) == fate * 2


def test_what_makes_a_datagram() -> None:
    """Addresses and identification, in IPv4 the protocol too."""
    for other, same in [
        (Datagram(4, ident=8), False),
        (Datagram(4, protocol=TCP), False),
        (Datagram(4, src="198.51.100.8"), False),
        (Datagram(4, dst="10.0.1.11"), False),
        (Datagram(6, ident=8), False),
        (Datagram(6, protocol=TCP), True),  # of a later fragment the next header does not count
        (Datagram(6, src="2001:db8:9::8"), False),
    ]:
        made = [Datagram(other.family).piece(0, BODY[:32], more=True), other.piece(32, BODY[32:], more=False)]
        assert told(made) == ("ww" if same else "oo"), other


@pytest.mark.parametrize(("family", "seconds"), [(4, 30), (6, 60)])
def test_the_time_runs_from_the_first_fragment(family: int, seconds: int) -> None:
    first, second = Datagram(family).cut(BODY, 32)
    assert told([first, second], gap=seconds * SECOND - 1) == "ww"
    assert told([first, second], gap=seconds * SECOND) == "lo"
    assert told([first, first, second], gap=seconds * SECOND // 2) == "llo"


def test_the_time_can_be_set() -> None:
    first, second = Datagram(4).cut(BODY, 32)
    assert told([first, second], reassembly(ipfrag_time="5"), gap=5 * SECOND) == "lo"
    first, second = Datagram(6).cut(BODY, 32)
    assert told([first, second], reassembly(frag6_timeout="5"), gap=5 * SECOND) == "lo"


def test_a_clock_that_goes_back_gives_no_time() -> None:
    first, second = Datagram(4).cut(BODY, 32)
    gathers = reassembly()
    late = frames_batch([one._replace(time=100 * SECOND) for one in frames([first])])
    early = frames_batch([one._replace(time=1 * SECOND) for one in frames([second])])
    opened = gathers.add(late, 0).members[0][1]
    gathers.add(early, 100 * SECOND)
    assert opened.fate is Fate.WHOLE


def test_ipv4_fragments_far_apart_in_their_source_are_not_put_together() -> None:
    first, second = Datagram(4).cut(BODY, 32)
    between = [Datagram(4, ident=100 + number).piece(0, BODY[:8], more=True) for number in range(64)]
    assert told([first, *between[:63], second])[-1] == "w"
    assert told([first, *between, second]) == "l" + "o" * 65
    assert told([first, *between, second], reassembly(ipfrag_max_dist="0"))[-1] == "w"
    others = [Datagram(4, src=f"192.0.2.{number}").piece(0, BODY[:8], more=True) for number in range(1, 65)]
    assert told([first, *others, second])[-1] == "w"
    first6, second6 = Datagram(6).cut(BODY, 32)
    between6 = [Datagram(6, ident=100 + number).piece(0, BODY[:8], more=True) for number in range(64)]
    assert told([first6, *between6, second6])[-1] == "w"


@pytest.mark.parametrize(
    ("protocol", "body", "cut", "enough"),
    [
        (UDP, BODY, 8, True),
        (TCP, bytes(12) + b"\x50\x02" + bytes(26), 16, False),
        (TCP, bytes(12) + b"\x50\x02" + bytes(26), 24, True),
        (ICMPV6, b"\x80" + bytes(39), 8, True),
        (99, bytes(40), 8, True),
        (DESTINATION_OPTIONS, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + BODY, 8, False),
        (DESTINATION_OPTIONS, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + BODY, 16, True),
        (DESTINATION_OPTIONS, bytes([17, 1, 1, 12]) + bytes(12) + BODY, 8, False),  # the options go on
        (DESTINATION_OPTIONS, bytes([59, 0, 1, 4, 0, 0, 0, 0]) + BODY, 8, True),  # "no next header"
    ],
)
def test_a_first_ipv6_fragment_holds_every_header_or_is_not_gathered(
    protocol: int, body: bytes, cut: int, enough: bool
) -> None:
    made = Datagram(6, protocol=protocol).cut(body, cut)
    assert told(made) == ("ww" if enough else "wo")


def test_fragments_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_HELD_BYTES", 10_000)
    gathers = reassembly()
    firsts = [Datagram(4, ident=number).piece(0, BODY[:32], more=True) for number in range(20)]
    assert told(firsts, gathers) == "o" * 10 + "-" * 10  # 256 + 768 + 32 each; what is above the bound is dropped
    assert gathers.refused == 10
    assert told(pieces(6, "0-16+ 16-64"), gathers) == "ww"  # IPv6 has a bound of its own
    gathers.expire(31 * SECOND)
    assert told(firsts[:1], gathers, gap=0) == "o"


def test_fragments_that_do_not_come_as_far_are_left_alone() -> None:
    packets = batch(pieces(4, "0-16+ 16-64"))
    gathered = reassembly().add(packets, 0, lambda _: NOWHERE)
    assert not gathered.members
    assert gathered.records is packets.records


def test_fragments_seen_at_two_places_have_nothing_to_do_with_each_other() -> None:
    packets = batch(pieces(4, "0-16+ 16-64"))
    assert not reassembly().add(packets, 0, lambda row: row).whole
    assert reassembly().add(packets, 0).whole


def test_a_batch_without_fragments_is_handed_through() -> None:
    packets = batch([Datagram(4).whole(BODY)])
    assert reassembly().add(packets, 0).records is packets.records
